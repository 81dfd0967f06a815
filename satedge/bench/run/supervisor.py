"""Following one job of a worker process to its end: messages, limits, and how it ended."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Literal

from satedge import preparation
from satedge.bench.run import processes
from satedge.bench.run.worker import Job, Timing, waited_s
from satedge.bench.study.limits import Limits
from satedge.problem.plan import Outcome, Plan, Progress

#: How a run ended. "skipped" is the bench's own, for cells that never started.
RunStatus = Literal["done", "timeout", "killed-memory", "crashed", "failed", "skipped"]

#: Under the clock "cpu" a cell may last so many times its budget, and so much more, in all.
STALL, STALL_S = 20.0, 60.0

#: Seconds between looks at a running worker, and at the processes it may have started itself.
LOOK_S, FAMILY_S = 0.05, 1.0
#: Streamed points kept of one run; beyond it every second one is dropped.
MAX_POINTS = 512


class Interrupted(Exception):
    """The run was stopped by its user; nothing is recorded."""


@dataclass(frozen=True, eq=False)
class Point:
    """Something streamed: after `wall_s` this plan, this bound."""

    wall_s: float
    plan: Plan | None
    lower_bound: float | None


@dataclass(eq=False)
class Run:
    """What came of one job."""

    status: RunStatus
    reason: str = ""
    outcome: Outcome | None = None
    points: list[Point] = field(default_factory=list)
    timing: Timing = field(default_factory=lambda: Timing(0.0, 0.0, None))
    peak_MB: float = 0.0
    log: str = ""


class Watch:
    """Follows one job to its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        link: Connection,
        limits: Limits,
        stop: threading.Event,
    ) -> None:
        self.process, self.link, self.limits, self.stop = process, link, limits, stop
        self.points: list[Point] = []
        self.peak_MB = self.family_MB = 0.0
        self.family_seen = 0.0
        self.ready = False
        self.began = time.perf_counter()
        self.limit_s = limits.startup_s
        self.waited_s: float | None = None
        self.cpu_began = self.cpu_seen = 0.0

    def follow(self, job: Job) -> Run:
        """Wait for the end of the job, whichever it is."""
        try:
            self.link.send(job)
            looked = 0.0
            while True:
                message = self._next()
                if message is not None:
                    ended = self._heard(message, job)
                    if ended is not None:
                        return ended
                now = time.perf_counter()
                if now - looked >= LOOK_S:
                    looked = now
                    broken = self._checked(job)
                    if broken is not None:
                        return broken
        except (EOFError, ConnectionError):
            return self._ended("crashed", processes.death(self.process))

    def _next(self) -> tuple[Any, ...] | None:
        """A message, if one comes soon. What cannot be read here is a failure of its sender."""
        if not self.link.poll(LOOK_S):
            return None
        try:
            message: tuple[Any, ...] = self.link.recv()
        except (EOFError, ConnectionError):
            raise
        except Exception as error:
            return ("failed", self._own_timing(), f"what it sent cannot be read: {error}")
        return message

    def _heard(self, message: tuple[Any, ...], job: Job) -> Run | None:
        kind, *rest = message
        if kind == "preparing":
            preparation.say(rest[0])
            if not self.ready:
                self.began = time.perf_counter()
        elif kind == "ready":
            self.ready = True
            self.began = time.perf_counter()
            self.limit_s = job.budget_s + self.limits.grace_s
            self.waited_s = waited_s(self.process.pid)
            self.cpu_began = processes.cpu_s(self.process.pid)
        elif kind == "progress":
            self._keep(*rest)
        elif kind == "done":
            return self._ended("done", outcome=rest[1], timing=rest[0])
        else:
            return self._ended("failed", rest[1], timing=rest[0])
        return None

    def _keep(self, wall_s: float, progress: Progress) -> None:
        if len(self.points) >= MAX_POINTS:
            del self.points[1:-1:2]
        self.points.append(Point(wall_s, progress.plan, progress.lower_bound))

    def _checked(self, job: Job) -> Run | None:
        """The end of the job if it broke a limit."""
        if self.stop.is_set():
            raise Interrupted
        memory = self._memory_MB()
        self.peak_MB = max(self.peak_MB, memory)
        if memory > self.limits.memory_MB:
            limit = f"{self.limits.memory_MB:g} MB"
            return self._ended("killed-memory", f"used {memory:.0f} MB, the limit is {limit}")
        if not self._over(job.budget_s):
            return None
        if not self.ready:
            return self._ended("failed", f"not imported within {self.limits.startup_s:g} s")
        return self._ended(
            "timeout", f"still running {self.limits.grace_s:g} s after its {job.budget_s:g} s"
        )

    def _over(self, budget_s: float) -> bool:
        """The time is up, by the clock of the limits; a cell that computes nothing ends too."""
        wall_s = time.perf_counter() - self.began
        if not self.ready or self.limits.clock == "wall":
            return wall_s > self.limit_s
        if wall_s <= self.limit_s:
            return False
        return self._cpu_s() > self.limit_s or wall_s > STALL * budget_s + STALL_S

    def _cpu_s(self) -> float:
        """Processor seconds since the start; of a process that is gone what was seen last."""
        self.cpu_seen = max(self.cpu_seen, processes.cpu_s(self.process.pid) - self.cpu_began)
        return self.cpu_seen

    def _memory_MB(self) -> float:
        now = time.perf_counter()
        if now - self.family_seen > FAMILY_S:
            self.family_seen, self.family_MB = now, processes.family_MB(self.process.pid)
        return processes.own_MB(self.process.pid) + self.family_MB

    def _ended(
        self,
        status: RunStatus,
        reason: str = "",
        outcome: Outcome | None = None,
        timing: Timing | None = None,
    ) -> Run:
        if timing is None:
            timing = self._own_timing()
        return Run(status, reason, outcome, self.points, timing, self.peak_MB)

    def _own_timing(self) -> Timing:
        """Times as seen from here, for a worker that cannot tell them any more."""
        wall_s = time.perf_counter() - self.began if self.ready else 0.0
        if self.ready and self.limits.clock == "cpu":
            wall_s = self._cpu_s()
        now = waited_s(self.process.pid)
        wait = None if now is None or self.waited_s is None else now - self.waited_s
        return Timing(wall_s, float("nan"), wait)

"""Following one job of a worker process to its end: messages, limits, and how it ended.

Times, memory and processor seconds are taken here, outside the process that runs the method: a
run lasts from the first byte of its "ready" to the first byte of its last word.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Literal

from satedge import preparation
from satedge.bench.run import messages, processes
from satedge.bench.run.link import Frame, Link, LinkError
from satedge.bench.run.messages import MessageError
from satedge.bench.run.processes import Family
from satedge.bench.run.worker import Job
from satedge.bench.study.limits import Limits
from satedge.problem.plan import Outcome, Plan, Progress

#: How a run ended. "skipped" is the bench's own, for runs that never started.
RunStatus = Literal["done", "timeout", "killed-memory", "crashed", "failed", "skipped"]

#: Statuses whose last incumbent counts as the method's answer.
ANSWERED = ("done", "timeout", "killed-memory")

#: Under the clock "cpu" a run may last so many times its budget, and so much more, in all.
STALL, STALL_S = 20.0, 60.0

#: How many times as long a start may take that tells of its preparation all the time.
PREPARING = 8.0

#: Seconds between looks at a running worker.
LOOK_S = 0.05

#: Seconds in which a worker that closes its connection must end.
CLOSE_S = 2.0

#: Streamed points kept of one run, and the bytes of their plans; beyond either, every second point
#: is dropped.
MAX_POINTS, MAX_POINT_BYTES = 512, 256 << 20

#: Bytes that a method may print.
MAX_LOG_BYTES = 256 << 20


class Interrupted(Exception):
    """The run was stopped by its user; nothing is recorded."""


@dataclass(frozen=True)
class Timing:
    """Of one run: elapsed, computing, and runnable but without a core (None if unknown)."""

    wall_s: float
    cpu_s: float
    wait_s: float | None


@dataclass(frozen=True, eq=False)
class Point:
    """Something streamed: after `wall_s` this plan, this bound."""

    wall_s: float
    plan: Plan | None
    lower_bound: float | None


#: Is told of a run at work: the seconds so far, and what it has just streamed, if anything.
Listener = Callable[[float, Progress | None], None]


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


@dataclass(frozen=True)
class Usage:
    """What a worker's processes had used at some moment."""

    at: float
    cpu_s: float
    waited_s: float | None


class Watch:
    """Follows one job to its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        link: Link,
        log: IO[bytes],
        limits: Limits,
        stop: threading.Event,
        listener: Listener | None = None,
    ) -> None:
        self.process, self.link, self.log, self.limits, self.stop = process, link, log, limits, stop
        self.listener = listener
        self.family = Family(process.pid)
        self.points: list[Point] = []
        self.peak_MB = 0.0
        self.start: Usage | None = None
        """None until the method is imported and its clock starts."""
        self.opened = self.began = time.perf_counter()
        self.cpu_seen = 0.0
        self.fit_for_more = False
        """The worker has said its last word on the job, and nothing was wrong with its words."""

    def follow(self, job: Job) -> Run:
        """Wait for the end of the job, whichever it is."""
        self.link.send(job.frame())
        most_bytes = messages.plan_bytes(job.instance)
        looked = 0.0
        try:
            while True:
                frame = self.link.poll(LOOK_S, most_bytes)
                ended = None if frame is None else self._heard(frame, job)
                now = time.perf_counter()
                if ended is None and now - looked >= LOOK_S:
                    looked = now
                    ended = self._checked(job)
                if ended is not None:
                    return ended
        except (LinkError, MessageError) as error:
            return self._ended("failed", str(error))
        except (EOFError, ConnectionError):
            return self._left()

    def _heard(self, frame: Frame, job: Job) -> Run | None:
        message = messages.read(frame, job.instance)
        if message.kind == "failed":
            self.fit_for_more = True
            return self._ended("failed", message.text, at=frame.began)
        if message.kind == "preparing":
            self._prepare(message.text, frame.began)
            return None
        if message.kind == "ready" and self.start is None:
            self.family.search(at_once=True)
            self.start = self._usage(frame.began)
            return None
        if message.kind == "ready" or self.start is None:
            raise MessageError(f"it sent {message.kind} out of turn")
        if message.progress is not None:
            self._keep(self._elapsed_s(frame.began), message.progress)
            self._tell(message.progress)
            return None
        self.fit_for_more = True
        return self._ended("done", outcome=message.outcome, at=frame.began)

    def _prepare(self, text: str, at: float) -> None:
        """Tell how far the preparation is; who prepares is given more time, but not for ever."""
        preparation.say(text)
        if at - self.opened <= PREPARING * self.limits.startup_s:
            self.began = at

    def _tell(self, progress: Progress | None = None) -> None:
        if self.listener is not None and self.start is not None:
            self.listener(self._elapsed_s(time.perf_counter()), progress)

    def _keep(self, wall_s: float, progress: Progress) -> None:
        plans = [p.plan for p in self.points if p.plan is not None]
        size = sum(a.nbytes for a in vars(plans[0]).values()) if plans else 0
        if len(self.points) >= MAX_POINTS or len(plans) * size > MAX_POINT_BYTES:
            del self.points[1:-1:2]
        self.points.append(Point(wall_s, progress.plan, progress.lower_bound))

    def _checked(self, job: Job) -> Run | None:
        """The end of the job if it broke a limit."""
        if self.stop.is_set():
            raise Interrupted
        self._tell()
        self.family.search()
        memory = self.family.memory_MB()
        self.peak_MB = max(self.peak_MB, memory)
        if not memory <= self.limits.memory_MB:
            limit = f"{self.limits.memory_MB:g} MB"
            return self._ended("killed-memory", f"used {memory:.0f} MB, the limit is {limit}")
        if processes.size(self.log) > MAX_LOG_BYTES:
            return self._ended("failed", f"printed more than {MAX_LOG_BYTES >> 20} MiB")
        if self.link.is_amid or not self._over(job.budget_s):
            return None
        if self.start is None:
            return self._ended("failed", f"not imported within {self.limits.startup_s:g} s")
        return self._ended(
            "timeout", f"still running {self.limits.grace_s:g} s after its {job.budget_s:g} s"
        )

    def _over(self, budget_s: float) -> bool:
        """The time is up, by the clock of the limits; a run that computes nothing ends too."""
        now = time.perf_counter()
        if self.start is None:
            return not now - self.began <= self.limits.startup_s
        wall_s, limit_s = now - self.start.at, budget_s + self.limits.grace_s
        if wall_s <= limit_s:
            return False
        stalled = wall_s > STALL * budget_s + STALL_S
        return self.limits.clock == "wall" or stalled or not self._cpu_s() <= limit_s

    def _elapsed_s(self, at: float) -> float:
        """Seconds since the start, by the clock of the limits."""
        if self.start is None:
            return 0.0
        return self._cpu_s() if self.limits.clock == "cpu" else at - self.start.at

    def _cpu_s(self) -> float:
        """Processor seconds since the start; of processes that are gone what was seen last."""
        if self.start is not None:
            self.cpu_seen = max(self.cpu_seen, self.family.cpu_s() - self.start.cpu_s)
        return self.cpu_seen

    def _usage(self, at: float) -> Usage:
        return Usage(at, self.family.cpu_s(), self.family.waited_s())

    def _left(self) -> Run:
        """The end of a job whose worker has closed its connection."""
        at = time.perf_counter()
        if not processes.has_ended(self.process, CLOSE_S):
            return self._ended("failed", "it closed its connection and went on", at=at)
        run = self._ended("crashed", at=at)
        run.reason = processes.death(self.process)
        return run

    def _ended(
        self,
        status: RunStatus,
        reason: str = "",
        outcome: Outcome | None = None,
        at: float | None = None,
    ) -> Run:
        self.family.search(at_once=True)
        self.peak_MB = max(self.peak_MB, self.family.memory_MB())
        wall_s = self._elapsed_s(time.perf_counter() if at is None else at)
        wait_s = None
        if self.start is not None and self.start.waited_s is not None:
            waited_s = self.family.waited_s()
            wait_s = None if waited_s is None else max(0.0, waited_s - self.start.waited_s)
        timing = Timing(wall_s, self._cpu_s(), wait_s)
        return Run(status, reason, outcome, self.points, timing, self.peak_MB)

"""The far side of a worker process: import a method, run it on one cell after another.

Started by `process.WorkerProcess`. One thread of numerics, everything it prints goes to a log
file, and it dies with whoever started it. Under the clock "cpu" `time.perf_counter` counts
processor seconds here, before any method is imported: budgets and times then mean the same on a
machine that others use too. Messages to the parent are tuples:
("preparing", text), ("ready",), ("progress", seconds, Progress), ("done", Timing, Outcome),
("failed", Timing, text).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from satedge import preparation
from satedge.bench.methods.table import (
    Method,
    MethodError,
    check_settings,
    load,
    wants_report,
)
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Progress

#: Budget of the run that warms a method up.
WARM_S = 0.5


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do."""

    method: Method
    instance: Instance
    seed: int
    budget_s: float
    search_path: tuple[str, ...] = ()
    """Where the asking process finds its modules; places unknown here are added."""


@dataclass(frozen=True)
class Timing:
    """Of one run: elapsed, computing, and runnable but without a core (None if unknown)."""

    wall_s: float
    cpu_s: float
    wait_s: float | None


class Stopwatch:
    """Times one run."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self._cpu = cpu_s()
        self._wait = waited_s(os.getpid())

    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.began

    def timing(self) -> Timing:
        """The times until now."""
        wait = waited_s(os.getpid())
        waited = None if wait is None or self._wait is None else wait - self._wait
        return Timing(self.elapsed_s(), cpu_s() - self._cpu, waited)


def waited_s(pid: int) -> float | None:
    """Seconds a process was runnable without getting a core (Linux); None where unknown."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


def cpu_s() -> float:
    """Processor seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    """Serve jobs from the connection whose file descriptors are the arguments, by a clock."""
    _die_with_parent(lifeline=int(sys.argv[2]))
    if sys.argv[3] == "cpu":
        time.perf_counter = cpu_s
    link = Connection(int(sys.argv[1]))
    preparation.listen(lambda text: link.send(("preparing", text)))
    warm: set[str] = set()
    while True:
        try:
            job: Job = link.recv()
        except EOFError:
            return
        _serve(link, job, warm)


def _serve(link: Connection, job: Job, warm: set[str]) -> None:
    watch = Stopwatch()
    try:
        function = _prepared(job, warm)
        link.send(("ready",))
        watch = Stopwatch()
        outcome = _call(function, job, watch, link)
        timing = watch.timing()
    except BaseException as error:
        link.send(("failed", watch.timing(), _told(error)))
        return
    try:
        link.send(("done", timing, outcome))
    except Exception as error:
        link.send(("failed", timing, f"its outcome cannot be sent: {error}"))


def _prepared(job: Job, warm: set[str]) -> Callable[..., Any]:
    """The callable, imported, with its settings checked, warm before its first timed cell."""
    sys.path += [p for p in job.search_path if p not in sys.path]
    function = load(job.method)
    check_settings(job.method, job.method.settings)
    if job.method.entry not in warm:
        warm.add(job.method.entry)
        _warm_up(function, job)
    return function


def _warm_up(function: Callable[..., Any], job: Job) -> None:
    """Compile before the clock starts: a fresh clone must not lose its budget to numba.

    What the imported packages registered is prepared. Beyond that, a module may offer `warm_up()`;
    methods that need numba without it run shortly on one slot, which imports what they import late.
    """
    preparation.prepare()
    module = sys.modules[job.method.entry.partition(":")[0]]
    if hasattr(module, "warm_up"):
        module.warm_up()
    elif "numba" in job.method.needs:
        slot = job.instance.rows(slice(0, 1), name="warm-up")
        with suppress(Exception):
            function(slot, budget_s=WARM_S, seed=0, **job.method.settings)
        preparation.prepare()


def _call(function: Callable[..., Any], job: Job, watch: Stopwatch, link: Connection) -> Outcome:
    def report(progress: Progress) -> None:
        link.send(("progress", watch.elapsed_s(), progress))

    given: dict[str, Any] = {"budget_s": job.budget_s, "seed": job.seed}
    if wants_report(function):
        given["report"] = report
    outcome = function(job.instance, **given, **job.method.settings)
    if not isinstance(outcome, Outcome):
        raise TypeError(f"returned {type(outcome).__name__}: allowed is an Outcome")
    return outcome


def _told(error: BaseException) -> str:
    """One line for people; the traceback goes to the log."""
    if not isinstance(error, MethodError):
        traceback.print_exception(error)
        sys.stderr.flush()
    text = " ".join(str(error).split())
    return text if isinstance(error, MethodError) else f"{type(error).__name__}: {text}"


def _die_with_parent(lifeline: int) -> None:
    """Leave no orphan: `lifeline` is a pipe whose other end only the parent holds.

    The thread takes child processes along; the kernel's signal also reaches code that never
    lets a thread run.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    def wait() -> None:
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()

"""The far side of a worker process: import a method, do one run after another.

Started by `worker_process.WorkerProcess`, below a keeper. One thread of numerics, and everything
it prints goes to a log file. The clock that methods read counts here what the study says.
What it tells (see `messages`) is checked by the bench, which also measures it.
"""

from __future__ import annotations

import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from satedge import preparation
from satedge.bench.methods.table import Method, check_settings, load, wants_report
from satedge.bench.run import keeper, messages
from satedge.bench.run.link import Frame, read_frame, write_frame
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Progress

#: Budget of the run that warms a method up.
WARM_S = 0.2


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do."""

    method: Method
    instance: Instance
    seed: int
    budget_s: float

    def frame(self) -> Frame:
        """As it is sent: the bench is trusted by its workers, not the other way round."""
        return Frame(b"", pickle.dumps(self))


def main() -> None:
    """Serve jobs from the socket whose file descriptor is an argument, by the clock that is the
    other; end with the keeper."""
    keeper.prctl(keeper.SET_PDEATHSIG, signal.SIGKILL)
    clock.count(cast(clock.Clock, sys.argv[2]))
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    preparation.listen(lambda text: write_frame(end, messages.preparing(text)))
    warm: set[tuple[str, str]] = set()
    while (frame := read_frame(end)) is not None:
        write_frame(end, _served(end, pickle.loads(frame.body), warm))


def _served(end: socket.socket, job: Job, warm: set[tuple[str, str]]) -> Frame:
    """The last word on a job."""
    try:
        function = _prepared(job, warm)
        write_frame(end, messages.ready())
        return messages.done(_call(function, job, end), job.instance)
    except BaseException as error:
        return messages.failed(_told(error))


def _prepared(job: Job, warm: set[tuple[str, str]]) -> Callable[..., Any]:
    """The callable, imported, with its settings checked, warm before its first timed run."""
    function = load(job.method)
    check_settings(job.method, job.method.settings, function)
    parts = (job.method.entry, job.method.finish)
    if parts not in warm:
        warm.add(parts)
        _warm_up(function, job)
    return function


def _warm_up(function: Callable[..., Any], job: Job) -> None:
    """Compile and import before the clock starts: no budget is lost to either.

    What the imported packages registered is prepared. Beyond that, a module may offer `warm_up()`;
    methods without it that need packages (numba, Pyomo with a solver, torch) run shortly on one
    slot, which imports what they import late.
    """
    preparation.prepare()
    module = sys.modules[job.method.entry.partition(":")[0]]
    if hasattr(module, "warm_up"):
        module.warm_up()
    elif job.method.needs or job.method.finish:
        slot = job.instance.rows(slice(0, 1), name="warm-up")
        with suppress(Exception):
            function(slot, budget_s=WARM_S, seed=0, **job.method.settings)
        preparation.prepare()


def _call(function: Callable[..., Any], job: Job, end: socket.socket) -> Any:
    def report(progress: Progress) -> None:
        write_frame(end, messages.progress(progress, job.instance))

    given: dict[str, Any] = {"budget_s": job.budget_s, "seed": job.seed}
    if wants_report(function):
        given["report"] = report
    return function(job.instance, **given, **job.method.settings)


def _told(error: BaseException) -> str:
    """One line for people. Errors of this project are written for them; of others the traceback
    goes to the log."""
    told = type(error).__module__.partition(".")[0] in ("satedge", "minlp", "drl")
    if not told:
        traceback.print_exception(error)
        sys.stderr.flush()
    text = " ".join(str(error).split())
    return text if told else f"{type(error).__name__}: {text}"

"""Where runs are done: worker processes here, or an existing Dask cluster.

Both give records as they finish. A run is always done in a killable worker process with one
thread, so that limits and times mean the same everywhere.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from satedge.bench.methods.table import wants_report
from satedge.bench.run.record import make_record
from satedge.bench.run.supervisor import Interrupted, Listener, Point, Run, Timing
from satedge.bench.run.worker import Job
from satedge.bench.run.worker_process import WorkerProcess
from satedge.bench.study.cell import Cell
from satedge.problem.plan import Outcome, Progress

Record = dict[str, Any]
Backend = Callable[[Sequence[Cell]], Iterator[Record]]
#: Are told of a run that starts, and of one that has ended.
Begin = Callable[[Cell], None]
Take = Callable[[Record], None]


def ignore(_: Any) -> None:
    """Keeps nothing of what it is told."""


def execute(
    worker: WorkerProcess,
    cell: Cell,
    stop: threading.Event | None = None,
    listener: Listener | None = None,
) -> Record:
    """Do one run in a worker process and judge what it leaves. Raises Interrupted."""
    job = Job(cell.method, cell.instance, cell.seed, cell.budget_s)
    return make_record(cell, worker.run(job, cell.limits, stop, listener))


def execute_here(
    cell: Cell, function: Callable[..., Any], listener: Listener | None = None
) -> Record:
    """Do one run of a caller's function in this process: timed and judged alike, never killed."""
    points: list[Point] = []
    began, began_cpu = time.perf_counter(), time.process_time()

    def report(progress: Progress) -> None:
        elapsed_s = time.perf_counter() - began
        points.append(Point(elapsed_s, progress.plan, progress.lower_bound))
        if listener is not None:
            listener(elapsed_s, progress)

    given = {"report": report} if wants_report(function) else {}
    run = Run("done", points=points)
    try:
        outcome = function(
            cell.instance, budget_s=cell.budget_s, seed=cell.seed, **given, **cell.method.settings
        )
        if not isinstance(outcome, Outcome):
            raise TypeError(f"returned {type(outcome).__name__}: allowed is an Outcome")
        run.outcome = outcome
    except Exception as error:
        run.status, run.reason = "failed", f"{type(error).__name__}: {error}"
    run.timing = Timing(time.perf_counter() - began, time.process_time() - began_cpu, None)
    return make_record(cell, run)


def local(jobs: int, begin: Begin = ignore) -> Backend:
    """Worker processes on this machine, `jobs` at a time; `begin` is told of every start."""

    def run(cells: Sequence[Cell]) -> Iterator[Record]:
        return _Local(cells, jobs, begin).records()

    return run


class _Local:
    """One thread per worker process; threads only wait, watch and judge."""

    def __init__(self, cells: Sequence[Cell], jobs: int, begin: Begin) -> None:
        self.begin = begin
        self.todo: queue.SimpleQueue[Cell] = queue.SimpleQueue()
        for cell in cells:
            self.todo.put(cell)
        self.n_cells = len(cells)
        self.made: queue.SimpleQueue[Record | BaseException] = queue.SimpleQueue()
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=self._work, name=f"cells-{i}")
            for i in range(min(jobs, len(cells)))
        ]

    def records(self) -> Iterator[Record]:
        """Records as they finish. Closing the iterator kills what runs."""
        for thread in self.threads:
            thread.start()
        try:
            for _ in range(self.n_cells):
                made = self.made.get()
                if isinstance(made, BaseException):
                    raise made
                yield made
        finally:
            self.stop.set()
            for thread in self.threads:
                thread.join()

    def _work(self) -> None:
        try:
            with WorkerProcess() as worker:
                while not self.stop.is_set():
                    cell = self.todo.get_nowait()
                    self.begin(cell)
                    self.made.put(execute(worker, cell, self.stop))
        except (queue.Empty, Interrupted):
            pass
        except BaseException as error:
            self.made.put(error)

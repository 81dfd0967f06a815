"""The same study on an existing Dask cluster: one cell per worker thread, killable as ever.

A lost Dask worker loses nothing: its cells run again elsewhere, and finished ones are already
written here. Results travel to this machine, so workers need no shared disk; they need this
package, and trained policies where learned methods run.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satedge.bench.run.local import Backend, Record, execute
from satedge.bench.run.record import make_record
from satedge.bench.run.supervisor import Interrupted, Run
from satedge.bench.run.worker_process import WorkerProcess
from satedge.bench.study.cell import Cell

if TYPE_CHECKING:
    from distributed import Client

#: Seconds to wait for the scheduler, and cells sent ahead per worker thread.
CONNECT_S, AHEAD = 15, 3


class ClusterError(ValueError):
    """The cluster cannot be used: one line."""


def on_cluster(address: str | None, scheduler_file: Path | None) -> Backend:
    """A backend that sends cells to the scheduler at an address or named in a file."""
    client = _connect(address, scheduler_file)

    def run(cells: Sequence[Cell]) -> Iterator[Record]:
        try:
            client.run(_reset)
            yield from _Cluster(client, cells).records()
        finally:
            client.run(_stop_and_close, on_error="ignore")
            client.close()

    return run


def _connect(address: str | None, scheduler_file: Path | None) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "a cluster needs the package distributed: install satedge[cluster]"
        ) from None
    named = address or str(scheduler_file)
    if scheduler_file is not None and not scheduler_file.is_file():
        raise ClusterError(f"{scheduler_file}: no such scheduler file")
    try:
        where = {"scheduler_file": str(scheduler_file)} if scheduler_file else {"address": address}
        return Client(**where, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(f"scheduler {named} cannot be reached: {reason}") from None


class _Cluster:
    """Keeps a bounded number of cells in flight."""

    def __init__(self, client: Client, cells: Sequence[Cell]) -> None:
        self.client = client
        self.cells = iter(cells)
        self.sent: dict[str, Cell] = {}

    def records(self) -> Iterator[Record]:
        """Records as they arrive."""
        from distributed import as_completed

        flying = as_completed(loop=self.client.loop)
        self._fill(flying)
        for future in flying:
            cell = self.sent.pop(str(future.key))
            record = self._received(future, cell)
            if record is None:
                self._send(flying, cell)
                continue
            record["row"]["key"] = cell.key
            self._fill(flying)
            yield record

    def _fill(self, flying: Any) -> None:
        """Send cells ahead for every worker thread there is by now: more may join at any time."""
        room = max(1, sum(self.client.nthreads().values())) * AHEAD - len(self.sent)
        for cell in islice(self.cells, max(0, room)):
            self._send(flying, cell)

    def _send(self, flying: Any, cell: Cell) -> None:
        """Submit a cell with its instance: what is part of the task survives any worker."""
        name = f"{cell.key}-{uuid.uuid4().hex[:8]}"
        self.sent[name] = cell
        flying.add(self.client.submit(_run_there, cell, key=name))

    def _received(self, future: Any, cell: Cell) -> Record | None:
        """The record; None when the cell has to be sent again."""
        from distributed import CancelledError, KilledWorker

        try:
            record: Record = future.result()
        except KilledWorker as error:
            return make_record(cell, Run("crashed", f"its Dask workers died: {error}"))
        except CancelledError:
            return None
        return record


# --- what runs inside a Dask worker

_idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
_stop = threading.Event()


def _run_there(cell: Cell) -> Record:
    """Run a cell in a warm worker process of this machine."""
    try:
        worker = _idle.get_nowait()
    except queue.Empty:
        worker = WorkerProcess()
    try:
        return execute(worker, cell, _stop)
    except Interrupted:
        return {"row": {}}
    finally:
        _idle.put(worker)


def _reset() -> None:
    _stop.clear()


def _stop_and_close() -> None:
    """End what runs and what waits: nobody listens any more."""
    _stop.set()
    while True:
        try:
            _idle.get_nowait().close()
        except queue.Empty:
            return

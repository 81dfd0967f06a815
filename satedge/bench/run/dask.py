"""The same study on an existing Dask cluster: one run per worker thread, killable as ever.

A lost Dask worker loses nothing: its runs are done again elsewhere, and finished ones are already
written here. A lost scheduler ends the run with one error, and the same command goes on. Results
travel to this machine, so workers need no shared disk; they need this package, modules of users'
methods, and trained policies where learned methods run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from satedge.bench.methods.table import missing
from satedge.bench.run.local import Backend, Record, execute
from satedge.bench.run.record import make_record
from satedge.bench.run.supervisor import Interrupted, Run
from satedge.bench.run.worker_process import WorkerProcess
from satedge.bench.study.cell import Cell

if TYPE_CHECKING:
    from distributed import Client

#: Seconds to wait for a scheduler at the start, and for an answer of one at work.
CONNECT_S, ANSWER_S = 2.0, 20.0

#: Seconds between looks for finished runs, and between questions whether the scheduler is there.
LOOK_S, ASK_S = 0.02, 5.0

#: Cells sent ahead per worker thread.
AHEAD = 3

_ADDRESS = re.compile(r"(?:(?:tcp|tls)://)?(?P<host>[^/:\[\]]+|\[[^/\[\]]+\]):(?P<port>[0-9]{1,5})")

_T = TypeVar("_T")


class ClusterError(ValueError):
    """The cluster cannot be used: one line."""


def on_cluster(address: str | None, scheduler_file: Path | None) -> Backend:
    """A backend that sends runs to the scheduler at an address or named in a file."""
    client = _connect(address if scheduler_file is None else _address_in(scheduler_file))

    def run(cells: Sequence[Cell]) -> Iterator[Record]:
        try:
            _asked(lambda: client.run(_reset))
            yield from _Cluster(client, cells).records()
        finally:
            with suppress(Exception):  # it may be gone, and is not needed any more
                _asked(lambda: client.run(_stop_and_close, on_error="ignore"))
            with suppress(Exception):
                client.close(timeout=CONNECT_S)

    return run


def _address_in(file: Path) -> str:
    """What a scheduler has written into its file."""
    if not file.is_file():
        raise ClusterError(f"{file}: no such scheduler file")
    try:
        return str(json.loads(file.read_text("utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ClusterError(f"{file}: allowed is the file that a scheduler has written") from None


def _connect(address: str | None) -> Client:
    """A client of a scheduler that answers. Raises ClusterError within seconds."""
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "a cluster needs the package distributed: install satedge[cluster]"
        ) from None
    _quieten()
    parts = _ADDRESS.fullmatch(address or "")
    if address is None or parts is None or int(parts["port"]) > 65535:
        raise ClusterError(f"scheduler {address!r}: allowed is an address like tcp://host:8786")
    reason = _within(CONNECT_S, lambda: _refusal(parts["host"].strip("[]"), int(parts["port"])))
    reason = reason or _within(CONNECT_S, lambda: _silence(address))
    try:
        if not reason:  # a client that fails to connect holds its process up for half a minute
            return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    raise ClusterError(f"scheduler {address} cannot be reached: {reason}")


def _quieten() -> None:
    """Dask's own logs of a connection that breaks: what they say is told in one line."""
    for name in [n for n in logging.root.manager.loggerDict if n.startswith("distributed")]:
        for handler in logging.getLogger(name).handlers:
            handler.setLevel(logging.CRITICAL)


def _within(seconds: float, ask: Callable[[], str]) -> str:
    """What `ask` says, if it says something in time: looking a name up cannot be cut short."""
    told = ["no answer"]
    thread = threading.Thread(target=lambda: told.append(ask()), daemon=True)
    thread.start()
    thread.join(seconds)
    return told[-1]


def _refusal(host: str, port: int) -> str:
    """Why nothing listens there; nothing if something does."""
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _silence(address: str) -> str:
    """Why who listens is no scheduler; nothing if it is one."""
    from distributed.core import rpc

    async def identity() -> Any:
        async with rpc(address, timeout=CONNECT_S) as scheduler:
            return await scheduler.identity()

    try:
        found = asyncio.run(identity())
    except OSError as error:
        return " ".join(str(error).split()) or type(error).__name__
    except Exception:  # another protocol's bytes may seem to be anything
        return "what listens there is no Dask scheduler"
    return "" if found.get("type") == "Scheduler" else f"it is a {found.get('type')}"


def _asked(ask: Callable[[], _T]) -> _T:
    """An answer of the scheduler. Raises ClusterError when it is lost."""
    answers: queue.SimpleQueue[Callable[[], _T]] = queue.SimpleQueue()

    def wait() -> None:
        try:
            answer = ask()
            answers.put(lambda: answer)
        except BaseException as error:
            failure = error
            answers.put(lambda: _raise(failure))

    threading.Thread(target=wait, daemon=True).start()
    try:
        return answers.get(timeout=ANSWER_S)()
    except (queue.Empty, OSError, RuntimeError):
        raise _lost() from None


def _raise(error: BaseException) -> Any:
    raise error


def _lost() -> ClusterError:
    return ClusterError(
        "the scheduler was lost; finished runs are saved, and the same command goes on with the "
        "others when it is there again"
    )


class _Cluster:
    """Keeps a bounded number of runs in flight."""

    def __init__(self, client: Client, cells: Sequence[Cell]) -> None:
        self.client = client
        self.cells = iter(cells)
        self.sent: dict[str, Cell] = {}

    def records(self) -> Iterator[Record]:
        """Records as they arrive."""
        from distributed import as_completed

        flying = as_completed(loop=self.client.loop)
        self._fill(flying)
        asked = time.monotonic()
        while self.sent:
            if not flying.has_ready():
                time.sleep(LOOK_S)
                if self.client.status != "running":
                    raise _lost()
                if time.monotonic() - asked > ASK_S:
                    asked = time.monotonic()
                    self._fill(flying)
                continue
            future = next(flying)
            cell = self.sent.pop(str(future.key))
            record = self._received(future, cell)
            record["row"]["key"] = cell.key
            self._fill(flying)
            yield record

    def _fill(self, flying: Any) -> None:
        """Send runs ahead for every worker thread there is by now: more may join at any time."""
        threads = sum(_asked(self.client.nthreads).values())
        room = max(1, threads) * AHEAD - len(self.sent)
        for cell in islice(self.cells, max(0, room)):
            self._send(flying, cell)

    def _send(self, flying: Any, cell: Cell) -> None:
        """Submit a run with its instance: what is part of the task survives any worker."""
        name = f"{cell.key}-{uuid.uuid4().hex[:8]}"
        self.sent[name] = cell
        flying.add(self.client.submit(_run_there, cell, key=name))

    def _received(self, future: Any, cell: Cell) -> Record:
        """The record. Raises ClusterError where the cluster, not the method, has failed."""
        from distributed import CancelledError, KilledWorker
        from distributed.comm.core import CommClosedError

        try:
            record: Record = future.result(timeout=ANSWER_S)
        except KilledWorker as error:
            return make_record(cell, Run("crashed", f"its Dask workers died: {error}"))
        except (CancelledError, CommClosedError, TimeoutError):
            raise _lost() from None
        except ClusterError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ClusterError(
                f"a Dask worker cannot run {cell.name}: {type(error).__name__}: {reason}"
            ) from None
        return record


# --- what runs inside a Dask worker

_idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
_stop = threading.Event()


def _run_there(cell: Cell) -> Record:
    """Do a run in a warm worker process of this machine."""
    reason = missing(cell.method)
    if reason:
        raise ClusterError(f"Dask worker on {socket.gethostname()}: {cell.name}: {reason}")
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

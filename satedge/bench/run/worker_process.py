"""The near side of a worker process: start it, watch it, kill it.

A worker stays warm between cells, so that imports and compiled code are paid once. It is killed
from outside at its time or memory limit and started again for the next cell; what it had
streamed until then is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from multiprocessing import Pipe

from satedge.bench.run import processes
from satedge.bench.run.supervisor import Run, Watch
from satedge.bench.run.worker import Job
from satedge.bench.study.limits import Clock, Limits

#: Bytes of a worker's output that are kept, from its end.
LOG_BYTES = 32_768

_BOOT = "from satedge.bench.run.worker import main; main()"

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)


class WorkerProcess:
    """One worker, started when first needed. Use it from one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._clock: Clock = "wall"

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, job: Job, limits: Limits, stop: threading.Event | None = None) -> Run:
        """Run a job within its limits. Raises Interrupted when `stop` is set meanwhile."""
        process = self._ready(limits)
        self._log.seek(0)
        self._log.truncate()
        watch = Watch(process, self._link, limits, stop or threading.Event())
        try:
            result = watch.follow(job)
        except BaseException:
            self.close()
            raise
        result.log = self._tail()
        if result.status not in ("done", "failed"):
            self.close()
        return result

    def close(self) -> None:
        """Kill the worker with its children. It is started again when next needed."""
        if self._process is None:
            return
        processes.kill(self._process)
        self._link.close()
        os.close(self._lifeline)
        self._log.close()
        self._process = None

    def _ready(self, limits: Limits) -> subprocess.Popen[bytes]:
        """A live worker; one that has grown to half its memory is replaced."""
        if self._process is not None:
            dead = self._process.poll() is not None
            large = processes.own_MB(self._process.pid) > limits.memory_MB / 2
            if dead or large or limits.clock != self._clock:
                self.close()
        if self._process is None:
            self._start(limits.clock)
        assert self._process is not None
        return self._process

    def _start(self, clock: Clock) -> None:
        self._clock = clock
        self._link, far = Pipe()
        held, self._lifeline = os.pipe()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(far.fileno()), str(held), clock],
            pass_fds=(far.fileno(), held),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **ONE_THREAD, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        far.close()
        os.close(held)

    def _tail(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - LOG_BYTES))
        return self._log.read().decode("utf-8", "replace")

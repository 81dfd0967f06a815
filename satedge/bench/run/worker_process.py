"""The near side of a worker process: start it, watch it, kill it.

Workers of the methods that come with this package stay warm between cells, so that imports and
compiled code are paid once. A user's method gets a fresh one for every run: whatever it changed in
there is gone with it. A worker is killed from outside at its time or memory limit; what it had
streamed until then is kept.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading

from satedge import isolated
from satedge.bench.run import keeper, processes
from satedge.bench.run.link import Link
from satedge.bench.run.supervisor import Listener, Run, Watch
from satedge.bench.run.worker import Job
from satedge.bench.study.limits import Limits
from satedge.problem.clock import Clock

#: Bytes of a worker's output that are kept, from its end.
LOG_BYTES = 32_768

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

    def run(
        self,
        job: Job,
        limits: Limits,
        stop: threading.Event | None = None,
        listener: Listener | None = None,
    ) -> Run:
        """Run a job within its limits. Raises Interrupted when `stop` is set meanwhile."""
        stranger = job.method.family == "user"
        process = self._ready(limits, fresh=stranger)
        self._log.seek(0)
        self._log.truncate()
        watch = Watch(process, self._link, self._log, limits, stop or threading.Event(), listener)
        try:
            result = watch.follow(job)
        except BaseException:
            self.close()
            raise
        result.log = self._tail()
        if stranger or not watch.fit_for_more:
            self.close()
        return result

    def close(self) -> None:
        """Kill the worker with all it started. It is started again when next needed."""
        if self._process is None:
            return
        processes.kill(self._process, self._lifeline)
        self._link.close()
        self._log.close()
        self._process = None

    def _ready(self, limits: Limits, fresh: bool) -> subprocess.Popen[bytes]:
        """A live worker; one that has grown to half its memory is replaced."""
        if self._process is not None and (
            fresh
            or self._process.poll() is not None
            or processes.memory_MB(self._process.pid) > limits.memory_MB / 2
            or limits.clock != self._clock
        ):
            self.close()
        if self._process is None:
            self._start(limits.clock)
        assert self._process is not None
        return self._process

    def _start(self, clock: Clock) -> None:
        self._clock = clock
        near, far = socket.socketpair()
        held, self._lifeline = os.pipe()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
        fds = [str(held), str(far.fileno())]
        kept = isolated.command("satedge.bench.run.worker", far.fileno(), clock)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, *fds, *kept],
            pass_fds=(far.fileno(), held),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,
        )
        far.close()
        os.close(held)
        self._link = Link(near)

    def _tail(self) -> str:
        """The end of what was printed; the worker may still print, and shares the file's offset."""
        size = processes.size(self._log)
        kept = os.pread(self._log.fileno(), LOG_BYTES, max(0, size - LOG_BYTES))
        return kept.decode("utf-8", "replace")

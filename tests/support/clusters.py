"""A real scheduler and worker processes on the loopback address, and studies that use them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support import TESTS
from support.waiting import wait_for

ROOT = TESTS.parent
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(map(str, (TESTS, ROOT))),
    "DASK_LOGGING__DISTRIBUTED": "error",
}
LOCAL = ("--host", "127.0.0.1")


class Cluster:
    """`dask scheduler` and `dask worker` as an administrator would start them."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.file = folder / "scheduler.json"
        self.environment = {**ENVIRONMENT, **environment}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()
        self.workers = [self.start_worker() for _ in range(2)]

    def start_scheduler(self) -> "subprocess.Popen[bytes]":
        self.file.unlink(missing_ok=True)
        options = ("--port", "0", "--no-dashboard", "--scheduler-file", self.file)
        process = self.start("scheduler", *options)
        wait_for(self.file.exists)
        return process

    def start(self, *words: object) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *map(str, words), *LOCAL],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def start_worker(self) -> "subprocess.Popen[bytes]":
        options = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--scheduler-file", self.file)
        return self.start("worker", *options)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def benchmark(study: Path, out: Path, *options: object) -> "subprocess.Popen[str]":
    words = ["benchmark", study, "--out", out, "--no-report", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "satedge", *map(str, words)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

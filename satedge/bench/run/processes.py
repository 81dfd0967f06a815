"""Operating-system processes with all they have started: measured and ended from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

#: Seconds between searches for processes that a worker may have started itself.
SEARCH_S = 0.2

#: Seconds within which an ended process must be gone.
GONE_S = 10.0

#: How times and memory of a run are taken, for its record.
MEASURED_BY = "the supervising process: clocks and memory of the worker and of all it started" + (
    "" if sys.platform == "linux" else ", but for what its children left behind"
)


class Family:
    """The processes below one: what they use together. Its own use does not count."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._below: list[psutil.Process] = []
        self._searched = -SEARCH_S

    def search(self, at_once: bool = False) -> None:
        """Find who belongs to it, if that was not done just now."""
        now = time.monotonic()
        if at_once or now - self._searched >= SEARCH_S:
            self._searched, self._below = now, below(self._root)

    def memory_MB(self) -> float:
        """Resident memory."""
        return sum(_memory_MB(process) for process in self._below)

    def cpu_s(self) -> float:
        """Processor seconds, those of processes that ended included."""
        total = _ended_cpu_s(self._root)
        return total + sum(_own_cpu_s(p) + _ended_cpu_s(p) for p in self._below)

    def waited_s(self) -> float | None:
        """Seconds their first threads were runnable without a core (Linux); None if unknown."""
        waits = [_waited_s(process.pid) for process in self._below]
        known = [wait for wait in waits if wait is not None]
        return sum(known) if known else None


def memory_MB(pid: int) -> float:
    """Resident memory of all below a process."""
    return sum(_memory_MB(process) for process in below(psutil.Process(pid)))


def below(process: psutil.Process) -> list[psutil.Process]:
    """All descendants."""
    found: list[psutil.Process] = []
    try:
        if not _LISTED.exists():
            return process.children(recursive=True)
        pids = _children(process.pid)
        while pids:
            pid = pids.pop()
            pids += _children(pid)
            with suppress(psutil.Error):
                found.append(psutil.Process(pid))
    except psutil.Error:
        pass
    return found


#: Where Linux lists children: psutil looks through all processes, which takes milliseconds.
_LISTED = Path("/proc/thread-self/children")


def _children(pid: int) -> list[int]:
    """The children of all threads of a process; none once it is gone."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def _memory_MB(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


def _own_cpu_s(process: psutil.Process) -> float:
    """Processor seconds of all threads: to the nanosecond on Linux, else to the tick."""
    try:
        if sys.platform == "linux":
            return time.clock_gettime(~process.pid << 3 | 2)  # as clock_getcpuclockid(3) makes it
        times = process.cpu_times()
        return float(times.user + times.system)
    except (OSError, psutil.Error):
        return 0.0


def _ended_cpu_s(process: psutil.Process) -> float:
    """Processor seconds of children that it has waited for, and of theirs, to the tick."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.children_user + times.children_system)


def _waited_s(pid: int) -> float | None:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return None


def size(file: IO[bytes]) -> int:
    """Bytes in an open file."""
    return os.fstat(file.fileno()).st_size


def has_ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    """It ends within some seconds; it stays to be looked at until it is waited for."""
    until = time.monotonic() + within_s
    while process.returncode is None and _is_alive(process.pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def kill(process: subprocess.Popen[bytes], lifeline: int) -> None:
    """End a keeper and everything below it: by letting go of its lifeline, else by force."""
    family = below(psutil.Process(process.pid)) if process.poll() is None else []
    os.close(lifeline)
    if not has_ended(process, GONE_S):
        process.kill()
    for member in family:
        try:
            member.kill()
        except psutil.Error:
            continue
    process.wait()


def death(process: subprocess.Popen[bytes]) -> str:
    """How a process that has ended died, in words."""
    code = process.wait()
    if code >= 0:
        return f"the process ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"the process was killed by {name}" + (
        ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    )

"""Looking at and ending operating-system processes with all they have started."""

from __future__ import annotations

import os
import signal
import subprocess

import psutil


def own_MB(pid: int) -> float:
    """Resident memory of a process; 0 once it is gone."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


def family_MB(pid: int) -> float:
    """Resident memory of all its descendants."""
    return sum(own_MB(child.pid) for child in _family(pid))


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and all its descendants, ended ones included."""
    try:
        whole = [psutil.Process(pid), *_family(pid)]
        times = [process.cpu_times() for process in whole]
    except psutil.Error:
        return 0.0
    return float(sum(t.user + t.system + t.children_user + t.children_system for t in times))


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a worker and everything it started."""
    family = _family(process.pid)
    for end in (lambda: os.killpg(process.pid, signal.SIGKILL), *(c.kill for c in family)):
        try:
            end()
        except (psutil.Error, ProcessLookupError, PermissionError):
            continue
    process.wait()


def death(process: subprocess.Popen[bytes]) -> str:
    """How a process died, in words."""
    code = process.wait()
    if code >= 0:
        return f"the process ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"the process was killed by {name}" + (
        ", perhaps for want of memory" if -code == signal.SIGKILL else ""
    )

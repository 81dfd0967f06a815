"""The process between the bench and a worker: it outlives what a method does, and ends all of it.

Started by path with `python -I -S`: no code but this file and the standard library. It starts the
worker and, on Linux, adopts whatever a method leaves behind (a double fork included), so that
nothing escapes being measured and ended. When the worker ends, or the bench lets go of the
lifeline (also by dying), everything below is killed, and this process ends as the worker did.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

#: Codes of prctl (linux/prctl.h).
SET_PDEATHSIG, SET_CHILD_SUBREAPER = 1, 36

#: Seconds until what was killed must be gone.
END_S = 5.0


def prctl(code: int, value: int) -> None:
    """Ask the kernel for something about this process, where it is Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(code, value, 0, 0, 0)


def main() -> None:
    """Keep the worker whose command follows the file descriptors of lifeline and link."""
    lifeline, link, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    prctl(SET_CHILD_SUBREAPER, 1)
    os.set_inheritable(lifeline, False)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    worker = os.posix_spawn(command[0], command, os.environ, setpgroup=0)
    os.close(link)
    code = None
    while code is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            break
        os.read(woken, 64)
        code = _ended(worker)
    _end_all(worker)
    _end_alike(code)


def _ended(worker: int) -> int | None:
    """Wait for who has ended already; the worker's exit code (a signal's negative), if it did."""
    code = None
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == worker:
                code = os.waitstatus_to_exitcode(found[1])
    return code


def _end_all(worker: int) -> None:
    """Kill children, and theirs as they become children of this process, until none is left."""
    until = time.monotonic() + END_S
    with suppress(ProcessLookupError):
        os.killpg(worker, signal.SIGKILL)
    while time.monotonic() < until:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.002)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Children of this process, where the kernel lists them."""
    try:
        return [int(w) for w in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def _end_alike(code: int | None) -> None:
    """End with an exit code, or by the signal whose negative it is."""
    if code is not None and code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code or 0)


if __name__ == "__main__":
    main()

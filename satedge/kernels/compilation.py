"""What surrounds compilation: one process at a time, told as it goes, without idle garbage runs."""

from __future__ import annotations

import fcntl
import gc
from io import TextIOWrapper
from pathlib import Path

from numba.core.compiler_lock import global_compiler_lock

from satedge import preparation

#: numba makes many objects that stay: looking for garbage less often saves a third of the time.
_GARBAGE = (50_000, 10, 10)


class Compilation:
    """Entered around all that may compile; begun when something must be. Entries nest."""

    def __init__(self) -> None:
        """Nothing is going on."""
        self.ready = self.expected = 0
        """Kernels compiled or loaded, of how many."""
        self.compiled = 0
        """Kernels that this process had to compile."""
        self.begun = False
        self._depth = 0
        self._lock: TextIOWrapper | None = None

    def __enter__(self) -> None:
        global_compiler_lock.acquire()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self.begun:
            self._end()
        global_compiler_lock.release()

    def begin(self, folder: Path | None) -> bool:
        """Something must be compiled; True if another process may have done so meanwhile.

        The lock is held until the outermost entry is left: who comes later finds all on disk.
        """
        if self.begun:
            return False
        self.begun = True
        self._thresholds = gc.get_threshold()
        gc.set_threshold(*_GARBAGE)
        self._lock = _locked(folder)
        return self._lock is not None

    def tell(self) -> None:
        """Count one more that is compiled, and say how far it is."""
        self.compiled += 1
        preparation.say(f"compiling kernels, once: {self.ready} of {self.expected}")

    def _end(self) -> None:
        self.begun = False
        gc.set_threshold(*self._thresholds)
        if self._lock is not None:
            self._lock.close()
        preparation.say("")


def _locked(folder: Path | None) -> TextIOWrapper | None:
    """The lock of the folder, when whoever has it is done; None where there cannot be one."""
    if folder is None:
        return None
    try:
        lock = (folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            preparation.say("waiting for kernels that another process compiles")
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        return None
    return lock


compilation = Compilation()

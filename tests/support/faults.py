"""Faults while writing: the n-th write, flush or rename fails, or kills the process."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


class Faults:
    """Lets the n-th write, flush or rename fail, or be the last of the process; counts them."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, fail_at: int = 0, kills: bool = False
    ) -> None:
        self.calls, self.fail_at, self.kills = 0, fail_at, kills
        self.replace, self.open = os.replace, Path.open
        monkeypatch.setattr(os, "fsync", lambda _: self.step())
        monkeypatch.setattr(os, "replace", lambda *a: self.step() or self.replace(*a))
        faults = self

        def opened(path: Path, mode: str = "r", *more: Any, **other: Any) -> Any:
            file: Any = faults.open(path, mode, *more, **other)
            if mode == "xb":
                file = _Torn(file, faults)
            return file

        monkeypatch.setattr(Path, "open", opened)

    def step(self) -> None:
        self.calls += 1
        if self.calls == self.fail_at:
            if self.kills:
                os.kill(os.getpid(), signal.SIGKILL)
            code = errno.EIO if self.calls % 2 else errno.ENOSPC
            raise OSError(code, os.strerror(code))


class _Torn:
    """A file that may keep half of what is written."""

    def __init__(self, file: Any, faults: Faults) -> None:
        self.file, self.faults = file, faults

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        self.faults.step()
        self.file.write(data[len(data) // 2 :])


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in root.rglob("*") if p.is_file() and p.name != ".lock"
    }  # fmt: skip


def each_fault(act: Callable[[], object]) -> Iterator[int]:
    """Do an action once for every write, flush and rename in it, of which that one fails."""
    for n in range(1, n_steps(act) + 1):
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Faults(monkeypatch, n)
            yield n
            assert failing.calls >= n


def n_steps(act: Callable[[], object]) -> int:
    """How many writes, flushes and renames an action makes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        faults = Faults(monkeypatch)
        act()
    return faults.calls


def killed_at(n: int, act: Callable[[], object]) -> bool:
    """Do an action in a process that is killed at its n-th step; whether that came."""
    child = os.fork()
    if not child:
        with pytest.MonkeyPatch.context() as monkeypatch:
            Faults(monkeypatch, n, kills=True)
            try:
                act()
            finally:
                os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

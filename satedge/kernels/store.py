"""Compiled kernels on disk: one folder for one state of the sources, one file a kernel.

The folder is named after everything that the code depends on. It lies in the first of these places
that can be written: NUMBA_CACHE_DIR, `satedge/__pycache__`, the user's cache. Where none can, every
process compiles for itself, with a warning.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.registry import CPUDispatcher
from numba.core.serialize import dumps

from satedge.kernels.compilation import compilation

#: Where the packages lie, and those that may have kernels.
ROOT = Path(__file__).parents[2]
PACKAGES = ("satedge", "minlp", "drl")


class Stale(Exception):
    """A kernel on disk calls another by a symbol that it no longer has."""


class Store(NullCache):
    """Where numba looks for one kernel before it compiles it, and leaves it afterwards."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """For the kernel made of `function`."""
        self._name = f"{function.__module__}.{function.__qualname__}.kernel"

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """The kernel from disk; None if it has to be compiled, by this process alone."""
        target_context.refresh()
        found = self._load(target_context)
        if found is None and compilation.begin(folder()):
            found = self._load(target_context)
        if found is None:
            compilation.tell()
        return found

    def _load(self, target_context: Any) -> CompileResult | None:
        place = folder()
        if place is None:
            return None
        try:
            payload = pickle.loads((place / self._name).read_bytes())
            return CompileResult._rebuild(target_context, *payload)
        except Exception:  # it is not there, or whatever is wrong with it: compiling mends that
            return None

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """Write the kernel, at once or not at all."""
        place = folder()
        if place is None:
            return
        beside = place / f"{self._name}.{os.getpid()}"
        try:
            beside.write_bytes(dumps(data._reduce()))
            beside.replace(place / self._name)
        except OSError as error:
            beside.unlink(missing_ok=True)
            _warn(f"{place}: {error.strerror}")


@cache
def folder() -> Path | None:
    """The folder of these sources' kernels; None where nothing can be kept."""
    places = list(_places())
    for place in places:
        path = place / f"kernels-{_state()}"
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(path, os.W_OK) or any(path.iterdir()):
            return path
    _warn(f"{places[0]}: cannot be written")
    return None


def _places() -> Iterator[Path]:
    if "NUMBA_CACHE_DIR" in os.environ:
        yield Path(os.environ["NUMBA_CACHE_DIR"])
    yield Path(__file__).parents[1] / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "satedge"


def sources() -> list[Path]:
    """All files that compiled code is made of."""
    found = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    own, marks = Path(__file__).parent, (b"@kernel\n", b"(Record):\n")
    return sorted(p for p in found if p.parent == own or any(m in p.read_bytes() for m in marks))


def _state() -> str:
    """Of all that compiled code depends on: sources, versions, processor."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.read_bytes())
    machine = CPUDispatcher.targetdescr.target_context.codegen().magic_tuple()
    versions = (sys.version_info[:2], numba.__version__, llvmlite.__version__)
    digest.update(repr((versions, machine)).encode())
    return digest.hexdigest()[:16]


@cache
def _warn(what: str) -> None:
    """Once a process: it is slow, not wrong."""
    warnings.warn(
        f"{what}: every process compiles its kernels anew (NUMBA_CACHE_DIR names another folder)",
        RuntimeWarning,
        stacklevel=2,
    )

"""Functions compiled once and called by their symbols.

numba copies the code of every function into all that call it, and optimises and emits it there
again: the deeper the calls, the more often. A kernel is compiled alone instead. Its callers hold
nothing but its symbol; when one of them is loaded from disk, what it calls is loaded before
(`_require`, which numba runs first).
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
from numba.core import compiler, errors, sigutils
from numba.core.registry import CPUDispatcher

from satedge.kernels.compilation import compilation
from satedge.kernels.store import ROOT, Stale, Store, sources
from satedge.kernels.types import declared_types

F = TypeVar("F", bound=Callable[..., Any])

#: Every kernel of the modules imported so far, by module and qualified name.
KERNELS: dict[tuple[str, str], Kernel] = {}

#: Kernels touch no Python object: other threads may run meanwhile.
OPTIONS = {"nopython": True, "error_model": "numpy", "no_cfunc_wrapper": True, "nogil": True}


def kernel(function: F) -> F:
    """The function compiled, with the types of its annotations."""
    made = Kernel(function)
    KERNELS[function.__module__, function.__qualname__] = made
    return cast(F, made)


def warm_up() -> None:
    """Compile, or load, all kernels imported so far: to be called before a clock starts."""
    with compilation:
        for made in list(KERNELS.values()):
            made.get_ready()


def import_all() -> None:
    """Import every module that has kernels."""
    for path in sources():
        if path.stem != "__main__":
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


class Kernel(CPUDispatcher):
    """One compiled function with one signature."""

    def __init__(
        self,
        py_func: Callable[..., Any],
        locals: dict[str, Any] | None = None,
        targetoptions: dict[str, Any] | None = None,
        pipeline_class: type[compiler.CompilerBase] = compiler.Compiler,
    ) -> None:
        """As numba rebuilds dispatchers."""
        super().__init__(py_func, locals, targetoptions or dict(OPTIONS), pipeline_class)
        self._cache = Store(py_func)

    @functools.cached_property
    def declared(self) -> dict[str, Any]:
        """numba's types of the parameters."""
        return declared_types(self.py_func)

    @property
    def ready(self) -> bool:
        """Whether it is compiled or loaded."""
        return bool(self.overloads)

    def get_ready(self) -> None:
        """Compile or load it."""
        if not self.ready:
            self.compile(tuple(self.declared.values()))

    def compile(self, sig: Any) -> Any:
        """numba's way in, from Python and from other kernels, whatever they are called with."""
        given, _result = sigutils.normalize_signature(sig)
        wanted = tuple(self.declared.values())
        for name, found, allowed in zip(self.declared, given, wanted, strict=True):
            if found != allowed and self.typingctx.can_convert(found, allowed) is None:
                what = f"{self.py_func.__qualname__}: {name} is {found}: allowed is {allowed}"
                raise errors.TypingError(what)
        with compilation:
            compilation.expected = len(KERNELS)
            return super().compile(wanted)

    def add_overload(self, cres: Any) -> None:
        """Let callers refer to the compiled function instead of copying it."""
        super().add_overload(cres)
        name = self.py_func.__module__, self.py_func.__qualname__
        require = functools.partial(_require, *name, cres.fndesc.mangled_name)
        self.targetctx.remove_user_function(cres.entry_point)
        self.targetctx.insert_user_function(cres.entry_point, cres.fndesc, [_Symbol(require)])
        compilation.ready += 1


class _Symbol:
    """In place of a kernel's library in its callers: nothing to link, but something to load."""

    def __init__(self, require: Callable[[], None]) -> None:
        self._reload_init = {require}

    def _ensure_finalized(self) -> None:
        """As numba asks of libraries."""

    def _get_module_for_linking(self) -> Any:
        return _nothing()


@functools.cache
def _nothing() -> Any:
    """An empty module."""
    codegen = CPUDispatcher.targetdescr.target_context.codegen()
    return llvm.parse_assembly(str(codegen._create_empty_module("nothing")))


def _require(module: str, name: str, symbol: str) -> None:
    """Have a kernel ready under the symbol that a caller knows. Raises Stale if it has another."""
    importlib.import_module(module)
    made = KERNELS[module, name]
    made.get_ready()
    found: Any = next(iter(made.overloads.values()))
    if found.fndesc.mangled_name != symbol:
        raise Stale(f"{module}.{name}")

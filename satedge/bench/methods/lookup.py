"""What an entry string 'module:function' names, found out without importing heavy packages.

Importing torch or cvxpy costs seconds; listing methods must not. A function's source tells
whether it is there and which keyword arguments it takes.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.metadata
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from satedge.paths import IN_PLACE, PACKAGE

#: Packages that are installed beside this one, and reached by name only.
SIBLINGS = ("minlp", "drl")


@dataclass(frozen=True)
class Definition:
    """What is known of a callable."""

    missing: str = ""
    """Why it cannot be had; empty when it can."""
    parameters: tuple[str, ...] | None = None
    """Its keyword arguments; None when only an import would tell."""
    open: bool = False
    """It takes any keyword arguments."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Annotations of its keyword arguments, as they are written."""


#: Packages that come with another, which is what to ask for.
_COMES_WITH = {"llvmlite": "numba"}

#: Extras that nobody needs who only uses this package.
_FOR_DEVELOPERS = ("dev", "docs")


def lacking(module: str) -> str:
    """What is said where a package is not installed: its name, and the command that installs it."""
    top = module.partition(".")[0]
    extra = _extras().get(_COMES_WITH.get(top, top), "")
    hint = f" (pip install 'satedge[{extra}]')" if extra else ""
    return f"needs the module {top}{hint}"


@lru_cache(maxsize=1)
def _extras() -> dict[str, str]:
    """Name of a package, in small letters -> the extra of this one that brings it.

    Of several, `minlp`: the smallest, without torch.
    """
    found: dict[str, str] = {}
    try:
        wanted = importlib.metadata.requires("satedge") or []
    except importlib.metadata.PackageNotFoundError:
        return found
    for line in wanted:
        name, extra = re.match(r"[\w-]*", line), re.search(r"extra == ['\"](\w+)['\"]", line)
        if name and extra and extra[1] not in _FOR_DEVELOPERS:
            package = name[0].lower()
            found[package] = extra[1] if extra[1] == "minlp" else found.get(package, extra[1])
    return found


def importable(module: str) -> bool:
    """The module exists; nothing is imported."""
    return _spec(module) is not None


def stranger(module: str) -> str:
    """Why a module of this project cannot be had: another `minlp` or `drl` comes before ours.

    Empty where it is ours, or of no package of this project. Imports nothing.
    """
    top = module.partition(".")[0]
    spec = _spec(top) if top in SIBLINGS else None
    if spec is None:
        return ""
    ours = PACKAGE.parent / top
    found = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
    if found.resolve() == ours / "__init__.py":
        return ""
    return (
        f"the module {top} is {found}: allowed is the package {ours}; rename that file, or start "
        "from another folder"
    )


def folder_of(entry: str) -> str:
    """The current folder, if it has the module of an entry and nobody before it; else nothing."""
    here, top = str(Path.cwd()), entry.partition(":")[0].partition(".")[0]
    return here if _spec(top) is None and _spec(top, here) is not None else ""


def let_in(folder: str) -> None:
    """Have modules imported from a user's folder, too: everybody else's come before it.

    But for what lies beside this package: a clone that is installed in place is on the search path
    for the sake of our packages, and no file that somebody keeps there is everybody's module.
    """
    if _Siblings not in sys.meta_path:
        sys.meta_path.insert(0, _Siblings)
    beside = str(PACKAGE.parent)
    rest = [place for place in sys.path if place not in (beside, folder)]
    sys.path[:] = [*rest, folder, beside]


class _Siblings:
    """Finds our own packages where they are."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in SIBLINGS:
            return None
        return importlib.machinery.PathFinder.find_spec(name, [str(PACKAGE.parent)])


def definition(entry: str, folder: str = "") -> Definition:
    """The callable behind 'module:function', from its source; a user's may lie in a folder."""
    module, colon, name = entry.partition(":")
    if not (colon and module and name):
        return Definition(missing=f"{entry!r} is not of the form module:function")
    reason = stranger(module)
    if reason:
        return Definition(missing=reason)
    spec = _spec(module) or (_spec(module, folder) if folder else None)
    if spec is None:
        return Definition(missing=f"the module {module} is not there")
    if not spec.origin or not spec.origin.endswith(".py"):
        return Definition()
    path = Path(spec.origin)
    return _definition(path, name, folder, path.stat().st_mtime_ns)


def inspected(function: Callable[..., Any]) -> Definition:
    """The same for a callable that is already imported."""
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in kinds]
    return Definition(
        parameters=tuple(names[1:]),
        open=any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters),
    )


def _spec(module: str, folder: str = "") -> importlib.machinery.ModuleSpec | None:
    """Where a module lies, on the search path or in a folder; not even its parents are imported.

    A clone's root is on the search path for our own packages alone, see `let_in`.
    """
    places = [folder] if folder else None
    name, spec = "", None
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        finders = [importlib.machinery.PathFinder] if folder else sys.meta_path
        found = (finder.find_spec(name, places) for finder in finders)
        spec = next((s for s in found if s is not None), None)
        if spec is None or (name == module.partition(".")[0] and _is_kept_beside(spec, folder)):
            return None
        places = list(spec.submodule_search_locations or ())
    return spec


def _is_kept_beside(spec: importlib.machinery.ModuleSpec, folder: str) -> bool:
    """A top module lies in the clone's root and is none of ours; there, folders are asked for."""
    if folder or not IN_PLACE or spec.name in ("satedge", *SIBLINGS):
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or ())]
    roots = {
        Path(p).parent.parent if p.endswith("__init__.py") else Path(p).parent for p in places if p
    }
    return PACKAGE.parent in roots


@lru_cache(maxsize=256)
def _definition(path: Path, name: str, folder: str, _modified: int) -> Definition:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        return Definition(missing=f"{path.name} does not parse: line {error.lineno}")
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return Definition() if node.decorator_list else _signature(node)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            if any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                return _definition(path, node.value.id, folder, _modified)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            origin = {a.asname or a.name: a.name for a in node.names}
            if name in origin:
                return definition(f"{node.module}:{origin[name]}", folder)
    if name in _bound_names(tree):
        return Definition()
    return Definition(missing=f"{path.stem} has no function {name}")


def _signature(node: ast.FunctionDef) -> Definition:
    taken = node.args
    given = (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)
    return Definition(
        parameters=tuple(a.arg for a in given[1:]),
        open=taken.kwarg is not None,
        kinds={a.arg: ast.unparse(a.annotation) for a in given if a.annotation},
    )


def _bound_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names

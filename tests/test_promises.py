"""The table of promises names tests that exist, and the list of dependencies what is imported."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: Distributions whose modules have another name.
MODULES = {"pillow": "PIL"}

#: Modules that come with a distribution because it is made of them.
PARTS = {"llvmlite"}

#: Used by others: what pandas reads Parquet with, and solvers that pyomo and cvxpy call.
BY_OTHERS = {"pyarrow", "highspy", "gurobipy", "pyscipopt", "clarabel", "dask", "tensorboard"}


def known() -> set[str]:
    """file::test of every test there is."""
    return {
        f"{path.name}::{node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_promise_has_its_tests() -> None:
    """Each row of the tables names at least one test, and each name is one."""
    page = (ROOT / "docs" / "reference" / "promises.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promise", "| ---"))]
    assert len(promises) > 20
    for row in promises:
        named = re.findall(r"`(test_\w+\.py::test_\w+)`", row)
        assert named, row
        assert set(named) <= known(), set(named) - known()


def imported(package: str) -> set[str]:
    """Modules that are not of the standard library, by their first name."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"satedge", "minlp", "drl"} - PARTS


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[\[<>=]", r)[0] for r in requirements}
    return {MODULES.get(name, name) for name in found}


def test_what_is_imported_is_declared_and_the_reverse() -> None:
    """The core imports what the core declares, the packages of methods what their extras do."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    core = names(project["dependencies"])
    kernels = imported("satedge/kernels")  # which nothing of the core imports: import-linter
    assert imported("satedge") - core - kernels <= names(extras["cluster"])
    assert core <= imported("satedge") | BY_OTHERS
    assert imported("minlp") <= core | names(extras["minlp"] + extras["general"])
    assert imported("drl") <= core | names(extras["drl"])
    assert kernels <= core | names(extras["minlp"])
    assert kernels <= core | names(extras["drl"])
    assert names(extras["minlp"]) <= imported("minlp") | kernels | BY_OTHERS
    assert names(extras["drl"]) <= imported("drl") | kernels | BY_OTHERS

"""The scripts beside the package keep up with it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def names(script: Path) -> list[tuple[str, str]]:
    """What a script takes from the package's own modules: module and name."""
    tree = ast.parse(script.read_text())
    return [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module.split(".")[0] in ("satedge", "minlp", "drl")
        for alias in node.names
    ]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_what_a_script_imports_exists(script: Path) -> None:
    """A script that no test runs does not fall behind unnoticed when something moves."""
    for module, name in names(script):
        found = importlib.import_module(module)
        if not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")

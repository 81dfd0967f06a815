"""The methods table: lazy, open to users, and clear about what is missing."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from satedge import paths
from satedge.bench.methods import lookup
from satedge.bench.methods import table as methods
from satedge.bench.methods.table import Method, MethodError


def test_table_loads_without_heavy_packages() -> None:
    """Naming methods, their settings and what is missing imports none of their packages."""
    script = (
        "import sys; from satedge.bench.methods import table as methods\n"
        "for m in methods.table().values(): methods.missing(m) or methods.parameters(m)\n"
        "heavy = {'torch', 'pyomo', 'cvxpy', 'numba', 'matplotlib', 'pyscipopt', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_missing_package_is_a_reason() -> None:
    """A method that needs what is not installed says so, and is not replaced by anything."""
    method = Method("x", "minlp.heuristics.simple:greedy", "exact", "", ("no_such_package",))
    assert methods.missing(method) == "needs the module no_such_package"


def test_a_former_name_is_the_method_of_today() -> None:
    """Studies and commands that say exact-rolling run myopic-exact."""
    assert methods.find("exact-rolling") is methods.find("myopic-exact")
    assert "exact-rolling" not in methods.table()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("no_such_module:solve", "the module no_such_module is not there"),
        ("minlp.no_such:solve", "the module minlp.no_such is not there"),
        ("support.toys:no_such", "toys has no function no_such"),
        ("nonsense", "'nonsense' is not of the form module:function"),
        ("support.toys:", "'support.toys:' is not of the form module:function"),
    ],
)
def test_missing_entry_is_a_reason(entry: str, reason: str) -> None:
    """An entry that leads nowhere is told without an import."""
    assert methods.missing(Method("x", entry, "user", "")) == reason


def test_broken_source_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that does not parse is missing, with the line."""
    (tmp_path / "half_written.py").write_text("def solve(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert lookup.definition("half_written:solve").missing == (
        "half_written.py does not parse: line 1"
    )


@pytest.mark.parametrize("file", ["drl.py", "drl/__init__.py"])
def test_another_package_of_our_name_is_told(file: str, tmp_path: Path) -> None:
    """A module on PYTHONPATH that hides `drl` is named with the package that is meant, not run."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("raise SystemExit('it ran')\n")
    told = f"the module drl is {tmp_path / file}: allowed is the package {paths.PACKAGE.parent}/drl"
    way = os.pathsep.join(map(str, (tmp_path, paths.PACKAGE.parent)))
    options: dict[str, Any] = {
        "cwd": tmp_path.parent, "env": {**os.environ, "PYTHONPATH": way},
        "capture_output": True, "text": True,
    }  # fmt: skip
    command = [sys.executable, "-m", "satedge", "train", "ppo"]
    done = subprocess.run(command, **options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"satedge: drl.training.train:train: {told}")
    assert len(done.stderr.splitlines()) == 1
    command = [sys.executable, "-m", "satedge", "methods", "--json"]
    done = subprocess.run(command, **options)
    reasons = {m["name"]: m["missing"] for m in json.loads(done.stdout)}
    assert reasons["ppo"].startswith(told)
    assert reasons["greedy"] == ""


def test_a_module_in_a_clones_root_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone that is installed in place is on the search path for its own packages alone."""
    clone, here = tmp_path / "clone", tmp_path / "here"
    for folder, told in ((clone, "theirs"), (here, "ours")):
        folder.mkdir()
        text = f"def solve(instance, *, budget_s, seed, {told}=1):\n    import helper\n"
        (folder / "own_method.py").write_text(text + "    return helper.NAME\n")
        (folder / "helper.py").write_text(f"NAME = {told!r}\n")
    (here / "minlp.py").write_text("raise ImportError('a trap')\n")
    monkeypatch.setattr(lookup, "IN_PLACE", True)
    monkeypatch.setattr(lookup, "PACKAGE", clone / "satedge")
    monkeypatch.setattr(sys, "path", [str(clone), *sys.path])
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    assert "is not there" in methods.missing(methods.find("own_method:solve"))
    monkeypatch.chdir(here)
    method = methods.find("own_method:solve")
    assert methods.missing(method) == ""
    assert methods.parameters(method) == (("ours",), False)
    for name in ("own_method", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert methods.load(method)(None, budget_s=1, seed=0) == "ours"
    for name in ("own_method", "helper"):
        monkeypatch.delitem(sys.modules, name)


def test_our_own_packages_are_no_strangers() -> None:
    """Wherever they lie beside each other; names of others are not looked at."""
    assert [lookup.stranger(m) for m in ("minlp", "drl.training.train", "numpy", "no_such")] == [
        ""
    ] * 4


def test_settings_are_read_from_the_source() -> None:
    """Keyword arguments beyond what the bench gives are the settings."""
    assert methods.parameters(methods.find("support.toys:good")) == (("note", "permits"), False)


@pytest.mark.parametrize(
    ("method", "name", "good", "bad", "allowed"),
    [
        ("branch-and-bound", "hard", True, "maybe", "true or false"),
        ("branch-and-bound", "max_nodes", 5, 2.5, "a whole number"),
        ("branch-and-bound", "gap", 1, True, "a number >= 0"),
        ("branch-and-bound", "gap", 0.0, -1e-3, "a number >= 0"),
        ("rolling-horizon", "futures", 3, -1, "a whole number >= 0"),
        ("general", "solver", "scip", 3, "text"),
    ],
)
def test_settings_of_another_type_are_refused(
    method: str, name: str, good: object, bad: object, allowed: str
) -> None:
    """The annotation of a keyword argument says what a setting may be."""
    found = methods.find(method)
    methods.check_settings(found, {name: good})
    with pytest.raises(methods.MethodError, match=f"{name} = .*allowed is {allowed}"):
        methods.check_settings(found, {name: bad})


def test_limits_that_no_search_has_are_refused_before_it_begins() -> None:
    """By the search's own rule; `solve` and studies exit with one line."""
    with pytest.raises(methods.MethodError, match="branch-and-bound: threads = 0: allowed is"):
        methods.find("branch-and-bound").with_settings(threads=0)


def test_settings_behind_a_decorator_are_found_by_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the source does not tell, the callable does; a stranger's is imported by workers."""
    (tmp_path / "wrapped.py").write_text(
        "from functools import partial\n"
        "def base(instance, *, budget_s, seed, depth=1, width=2): ...\n"
        "solve = partial(base, width=3)\n"
        "def anything(instance, *, budget_s, seed, **settings): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    method = methods.find("wrapped:solve")
    assert methods.parameters(method) == ((), True)
    assert "wrapped" not in sys.modules
    names, anything = methods.parameters(method, methods.load(method))
    assert (set(names), anything) == ({"depth", "width"}, False)
    own = replace(method, family="classical")
    assert methods.parameters(own) == (names, False)
    methods.check_settings(methods.find("wrapped:anything"), {"whatever": 1})


def test_users_join_through_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package adds rows; a name that is taken is refused."""
    own = EntryPoint("own", "support.toys:good", methods.GROUP)
    monkeypatch.setattr(
        methods.importlib.metadata, "entry_points", lambda group: EntryPoints([own])
    )
    methods.table.cache_clear()
    try:
        assert methods.find("own").entry == "support.toys:good"
        taken = EntryPoint("greedy", "support.toys:good", methods.GROUP)
        monkeypatch.setattr(
            methods.importlib.metadata, "entry_points", lambda group: EntryPoints([taken])
        )
        methods.table.cache_clear()
        with pytest.raises(MethodError, match="the name is taken"):
            methods.table()
    finally:
        monkeypatch.undo()
        methods.table.cache_clear()


def test_unknown_method_is_refused_with_what_is_allowed() -> None:
    """The error lists the table and the form of a user's method."""
    with pytest.raises(MethodError, match=r"allowed is one of random, .* or module:function"):
        methods.find("gredy")


def test_policy_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy is a folder or a pair of files in the library, or a path; all its files count."""
    monkeypatch.setattr(paths, "POLICIES", tmp_path)
    folder = tmp_path / "paper" / "adsac"
    folder.mkdir(parents=True)
    files = [folder / "seed-0.json", folder / "seed-0.safetensors"]
    for file in files:
        file.write_text("x")
    adsac = methods.find("adsac")
    assert methods.policy_files(adsac) == files
    assert methods.policy_files(adsac.with_settings(policy="adsac/seed-0")) == files
    assert methods.policy_files(adsac.with_settings(policy=str(files[1]))) == [files[1]]
    assert methods.policy_files(adsac.with_settings(policy="adsac/seed-1")) == []
    assert "no trained policy 'adsac/seed-1'" in methods.missing(
        adsac.with_settings(policy="adsac/seed-1")
    )

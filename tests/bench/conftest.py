"""Shared by the tests of the bench: small methods that behave well or badly, small instances."""

from pathlib import Path

import pytest

from satedge.bench.run.local import local
from satedge.bench.run.runner import carry_out, sort_out
from satedge.bench.run.store import Store
from satedge.bench.study.study_file import parse_study
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.io.files import write_instance
from satedge.problem.scenario import preset
from support.waiting import has_streamed, time_is_up


@pytest.fixture(scope="session")
def slot() -> Instance:
    """One slot of the tiny preset."""
    return generate(preset("tiny", n_slots=1), 0, name="tiny-slot")


@pytest.fixture(scope="session")
def episode() -> Instance:
    """Four slots of the tiny preset."""
    return generate(preset("tiny", n_slots=4), 1, name="tiny-episode")


#: Names that would do harm if they reached a page, a table or a paper as they are.
NASTY_METHOD = '<img src=x onerror="boom()"> & $x_1$ | 100%'
NASTY_INSTANCE = "</script><script>boom()</script>"


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run: two groups, a failure, a timeout, a skip, and hostile names."""
    root = tmp_path_factory.mktemp("run")
    for folder, n_slots in (("slots", 1), ("episodes", 4)):
        (root / folder).mkdir()
        for seed in range(2):
            name = NASTY_INSTANCE if seed == 1 else f"{folder}-{seed}"
            instance = generate(preset("tiny", n_slots=n_slots), seed, name=name)
            write_instance(instance, root / folder / f"{seed}.json")
    methods = f"""[
        {{ name = "support.toys:good", label = '{NASTY_METHOD}' }},
        {{ name = "random", seeds = [0, 1] }},
        "greedy", "independent-bound", "support.toys:raises", "nowhere:solve",
        {{ name = "support.toys:streams", budgets_s = [0.2] }},
    ]"""
    parts = "".join(
        f"[[part]]\nname = '{f}'\nsuites = ['{root / f}']\ngrace_s = 0.1\nmethods = {methods}\n"
        for f in ("slots", "episodes")
    )
    study = parse_study(f"title = 'A <b>small</b> run'\n{parts}", "small")
    store = Store(root / "run").make()
    with pytest.MonkeyPatch.context() as monkeypatch:
        time_is_up(monkeypatch, has_streamed)
        for _ in carry_out(study, sort_out(study, store), store, local(1)):
            pass
    return store.root


@pytest.fixture(scope="session")
def nasty_method() -> str:
    """The hostile label of a method in `run_folder`."""
    return NASTY_METHOD


@pytest.fixture(scope="session")
def nasty_instance() -> str:
    """The hostile name of an instance in `run_folder`."""
    return NASTY_INSTANCE

"""Satedge from Python: what `import satedge` offers."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import satedge
from satedge.bench.methods.table import MethodError
from satedge.bench.run.store import StoreError
from satedge.problem.io.files import write_instance, write_plan
from satedge.problem.rollout import idle_decision, rollout
from satedge.problem.scenario import ScenarioError


def test_import_brings_nothing_heavy() -> None:
    """`import satedge` loads neither numpy nor anything that takes longer; names come when used."""
    script = (
        "import sys; before = set(sys.modules); import satedge; dir(satedge)\n"
        "new = {n.split('.')[0] for n in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))\n"
        "satedge.generate('tiny')\n"
        "heavy = {'numba', 'torch', 'pyomo', 'pandas', 'matplotlib', 'rich', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    first, second = done.stdout.splitlines()
    assert first == "['satedge']", done.stderr
    assert second == "[]"


def test_every_name_is_there() -> None:
    """What is listed can be had, and says what it is; nothing else is there."""
    for name in satedge.__all__:
        assert getattr(satedge, name).__doc__
    assert set(satedge.__all__) <= set(dir(satedge))
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert satedge.__version__ == project["version"]
    with pytest.raises(AttributeError, match="no attribute 'sovle'"):
        _ = satedge.sovle  # type: ignore[attr-defined]


def test_generate_load_and_judge(tmp_path: Path) -> None:
    """Equal arguments give equal instances; files are read back; a plan or its file is judged."""
    world = satedge.generate("tiny", seed=3, slots=2, n_devices=4)
    assert world.content_sha256 == satedge.generate("tiny", 3, 2, n_devices=4).content_sha256
    assert (world.n_slots, world.scenario.n_devices) == (2, 4)
    write_instance(world, tmp_path / "world.json.gz")
    again = satedge.load(tmp_path / "world.json.gz", slot=1)
    assert again.n_slots == 1
    assert np.array_equal(again.input_bit[0], world.input_bit[1])
    found = satedge.solve(world, "greedy")
    assert found.plan is not None
    write_plan(found.plan, tmp_path / "plan.json", world)
    assert float(satedge.judge(world, tmp_path / "plan.json").cost) == found.cost
    with pytest.raises(ScenarioError, match="did you mean paper"):
        satedge.generate("papper")


def test_solve_gives_a_result() -> None:
    """Cost, bound, gap, plan, verdict and statuses; nothing is printed."""
    slot = satedge.generate("tiny", seed=1)
    found = satedge.solve(slot, "branch-and-bound", budget_s=5, gap=1e-3)
    assert (found.status, found.method_status) == ("done", "optimal")
    assert found.cost is not None
    assert found.bound is not None
    assert found.bound <= found.cost
    assert found.gap == pytest.approx((found.cost - found.bound) / found.cost)
    assert found.verdict is not None
    assert float(found.verdict.cost) == found.cost
    assert json.dumps(found.to_dict())


def test_progress_is_shown_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Quiet by default; a listener is told of what a method streams."""
    slot = satedge.generate("tiny", seed=1)
    told = []
    found = satedge.solve(slot, "relax", listener=lambda s, p: told.append(p))
    assert found.answered
    assert any(p is not None and p.lower_bound is not None for p in told)
    assert capfd.readouterr() == ("", "")


def test_a_function_is_a_method() -> None:
    """A caller's function runs here, with its settings, and is judged alike; errors are told."""

    def stays(instance, *, budget_s, seed, report, level=1.0):  # type: ignore[no-untyped-def]
        found = rollout(instance, lambda slot, t: idle_decision(slot), seed=seed)
        report(satedge.Progress(found.plan))
        if level < 0:
            raise ValueError("below")
        return found

    slot = satedge.generate("tiny", seed=1)
    found = satedge.solve(slot, stays, level=0.5)
    assert found.status == "done"
    assert found.row["method"] == "stays"
    assert json.loads(found.row["settings"]) == {"level": 0.5}
    failed = satedge.solve(slot, stays, level=-1)
    assert (failed.status, failed.reason) == ("failed", "ValueError: below")
    assert failed.cost is failed.plan is failed.verdict is None
    assert failed.last_incumbent is not None
    wrong = satedge.solve(slot, lambda instance, *, budget_s, seed: 5)  # type: ignore[arg-type, return-value]
    assert "returned int: allowed is an Outcome" in wrong.reason


def test_wrong_calls_raise_one_line() -> None:
    """Unknown methods and settings, before anything runs."""
    slot = satedge.generate("tiny", seed=1)
    with pytest.raises(MethodError, match="did you mean greedy"):
        satedge.solve(slot, "greeedy")
    with pytest.raises(MethodError, match="unknown setting 'gpa'"):
        satedge.solve(slot, "branch-and-bound", gpa=1)
    with pytest.raises(StoreError, match="no results are there"):
        satedge.read_results("nowhere")


def test_methods_are_a_table() -> None:
    """What there is, what it needs and whether it is here."""
    found = satedge.methods()
    assert {"family", "doc", "needs", "settings", "available", "missing"} <= set(found.columns)
    assert found.loc["greedy", "family"] == "heuristic"
    assert found.loc["greedy", "available"]


def test_a_study_gives_rows_with_units(tmp_path: Path) -> None:
    """A study runs and is read back; every column says its unit and what it is."""
    write_instance(satedge.generate("tiny", seed=1), tmp_path / "slot.json")
    study = tmp_path / "own.toml"
    study.write_text(
        f"[[part]]\nname = 'x'\nsuites = ['{tmp_path / 'slot.json'}']\nmethods = ['greedy']\n"
    )
    rows = satedge.benchmark(study, out=tmp_path / "run", methods=["nearest"], report=False)
    assert sorted(rows["method"]) == ["greedy", "nearest"]
    assert rows.equals(satedge.read_results(tmp_path / "run"))
    assert set(rows.columns) == set(rows.attrs["units"]) == set(rows.attrs["docs"])
    assert rows.attrs["units"]["latency_s"] == "s"
    assert all(rows.attrs["docs"].values())


def test_reprs_are_short_and_html_is_escaped(tmp_path: Path) -> None:
    """One line each; a notebook shows tables."""
    slot = satedge.generate("tiny", seed=1)
    found = satedge.solve(slot, "greedy")
    for shown in (slot, found, found.plan, found.verdict, satedge.Outcome(found.plan)):
        assert len(repr(shown)) < 160
        assert "\n" not in repr(shown)
    assert repr(slot) == "<Instance tiny-1: 1 slot, 3 devices, 1 UAVs, 2 satellites>"
    assert "greedy on tiny-1" in found._repr_html_()
    assert "device" in found._repr_html_()
    named = satedge.load(_named(tmp_path, "<b>x</b>"))
    assert "<b>x" not in named._repr_html_()
    assert "<b>x" not in satedge.solve(named, "greedy")._repr_html_()


def _named(folder: Path, name: str) -> Path:
    from satedge.problem.generation.generate import generate
    from satedge.problem.scenario import preset

    write_instance(generate(preset("tiny", n_slots=1), 0, name=name), folder / "named.json")
    return folder / "named.json"


def test_plot_slot_draws_a_map(tmp_path: Path) -> None:
    """Of a result or of an undecided slot; a notebook shows it as a picture."""
    slot = satedge.generate("tiny", seed=1)
    figure = satedge.plot_slot(satedge.solve(slot, "greedy"), file=tmp_path / "map.svg")
    assert (tmp_path / "map.svg").stat().st_size > 5000
    assert figure._repr_png_()[:4] == b"\x89PNG"  # type: ignore[attr-defined]
    assert satedge.plot_slot(slot).axes

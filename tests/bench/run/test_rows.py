"""Rows: nothing is lost on the way to Parquet and back, also of very many."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from satedge.bench.methods.table import find
from satedge.bench.run import rows as rows_module
from satedge.bench.run.record import make_record
from satedge.bench.run.rows import SCHEMA, from_records, ordered, read_parquet, write_parquet
from satedge.bench.run.supervisor import Run, Timing
from satedge.bench.score.score import gate, score
from satedge.bench.score.summary import summarise
from satedge.bench.study.cell import Cell
from satedge.bench.study.limits import Limits
from satedge.problem.clock import Clock
from satedge.problem.generation.generate import generate
from satedge.problem.plan import Outcome
from satedge.problem.scenario import preset
from support import toys


def test_every_column_is_declared_once_and_explained() -> None:
    """Names are distinct, types are those of pandas, and the module's help lists all of them."""
    names = [c.name for c in SCHEMA]
    assert len(set(names)) == len(names)
    assert all(c.doc for c in SCHEMA)
    empty = from_records([])
    assert {name: str(kind) for name, kind in empty.dtypes.items()} == {
        c.name: c.dtype for c in SCHEMA
    }
    listed = [line.split()[0] for line in (rows_module.__doc__ or "").splitlines()[-len(names) :]]
    assert listed == names


def test_round_trip(tmp_path: Path) -> None:
    """Words, numbers, unknowns and flags come back as they were."""
    given = [
        {"key": "a", "method": "x | y", "cost": 1.5, "feasible": True, "reason": None},
        {"key": "b", "method": "é", "cost": None, "seed": 3, "unknown": 7},
    ]
    path = tmp_path / "rows.parquet"
    path.write_bytes(write_parquet(from_records(given)))
    rows = read_parquet(path)
    pd.testing.assert_frame_equal(rows, from_records(given))
    assert rows["method"].tolist() == ["x | y", "é"]
    assert rows["reason"].tolist() == ["", ""]
    assert rows["cost"][0] == 1.5
    assert math.isnan(rows["cost"][1])
    assert rows["feasible"].tolist() == [True, False]
    assert rows["seed"][1] == 3.0


def test_columns_that_a_file_lacks_are_unknown(tmp_path: Path) -> None:
    """Files of an older or newer form are read as far as they go."""
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"key": pd.Categorical(["a"]), "cost": [1.0], "new": ["x"]}).to_parquet(path)
    pd.testing.assert_frame_equal(read_parquet(path), from_records([{"key": "a", "cost": 1.0}]))


def test_rows_of_earlier_names_are_read_under_todays(tmp_path: Path) -> None:
    """What was unserved is refused; how many outages there were, nobody counted."""
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"key": ["a"], "unserved": [2.0], "redrawn": [3.0]}).to_parquet(path)
    told = read_parquet(path)
    pd.testing.assert_frame_equal(told, from_records([{"key": "a", "unserved": 2, "redrawn": 3}]))
    assert (told["refused"][0], told["resampled"][0]) == (2.0, 3.0)
    assert math.isnan(told["outages"][0])
    assert math.isnan(told["cost_version"][0])


@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_waiting_for_a_core_is_told_under_both_clocks(clock: Clock) -> None:
    """More than 5 % of a run's time spent runnable without a core marks its timing."""
    instance = generate(preset("tiny", n_slots=1), 0)
    cell = Cell(find("greedy"), instance, 0, 5.0, limits=Limits(clock=clock))
    outcome = Outcome(toys.plan_of(instance))
    for waited_s, told in ((0.04, False), (0.06, True), (None, False)):
        run = Run("done", outcome=outcome, timing=Timing(1.0, 0.9, waited_s))
        assert make_record(cell, run)["row"]["contended"] is told


def test_order_counts_numbers_in_names() -> None:
    """tiny-9 comes before tiny-10, and seeds count as numbers."""
    rows = [
        {"key": str(i), "instance": name, "seed": seed}
        for i, (name, seed) in enumerate([("tiny-10", 0), ("tiny-9", 10), ("tiny-9", 9)])
    ]
    assert ordered(from_records(rows))["key"].tolist() == ["2", "1", "0"]


def test_groups_come_in_the_order_of_the_study() -> None:
    """Named groups first, in their order; others by name after them."""
    rows = from_records([{"key": g, "group": g} for g in ("b", "z", "a", "c10", "c9")])
    found = ordered(rows, ["z", "a", "not there"])
    assert found["group"].tolist() == ["z", "a", "b", "c9", "c10"]
    assert found["key"].tolist() == found["group"].tolist()


def test_hundred_thousand_rows(tmp_path: Path) -> None:
    """A large run is read, scored and summarised, with every method's line right."""
    n = 100_000
    rng = np.random.default_rng(0)
    method, instance = np.arange(n) % 20, np.arange(n) // 20 % 500
    columns = {
        "key": [f"{i:032x}" for i in range(n)],
        "method": [f"m{i}" for i in method],
        "instance_sha256": [f"{i:064x}" for i in instance],
        "status": "done",
        "cost": 10.0 + method,
        "lower_bound": 9 + rng.random(n),
        "admissible": True,
        "budget_s": 1.0,
        "wall_s": 1.0,
    }
    path = tmp_path / "rows.parquet"
    pd.DataFrame(columns).to_parquet(path)
    rows = read_parquet(path)
    lines = {v.method: v for v in summarise(score(rows))}
    assert gate(rows) == []
    assert len(lines) == 20
    assert lines["m5"].runs == lines["m5"].plans == 5000
    assert math.isclose(lines["m5"].excess, 0.5)

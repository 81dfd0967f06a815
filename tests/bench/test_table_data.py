"""Rows as columns: nothing is lost on the way to Parquet and back, also of very many."""

import math
from pathlib import Path

import numpy as np

from satedge.bench.run.rows import FLAGS, NUMBERS, TEXT, Rows, read_parquet, write_parquet
from satedge.bench.score.score import gate
from satedge.bench.score.summary import summarise


def test_round_trip(tmp_path: Path) -> None:
    """Words, numbers, unknowns and flags come back as they were."""
    given = [
        {"key": "a", "method": "x | y", "cost": 1.5, "feasible": True, "reason": None},
        {"key": "b", "method": "é", "cost": None, "seed": 3},
    ]
    path = tmp_path / "rows.parquet"
    path.write_bytes(write_parquet(Rows.of(given)))
    rows = read_parquet(path)
    assert rows.text("method") == ["x | y", "é"]
    assert rows.text("reason") == ["", ""]
    assert rows["cost"][0] == 1.5
    assert math.isnan(rows["cost"][1])
    assert rows["feasible"].tolist() == [True, False]
    assert rows.row(1)["seed"] == 3.0
    assert set(rows.row(0)) == {*TEXT, *NUMBERS, *FLAGS}


def test_join_merges_words() -> None:
    """Rows of two runs with different words keep their own."""
    joined = Rows.join(Rows.of([{"key": "1", "method": "a"}]), Rows.of([{"key": "2"}]), Rows.of([]))
    assert joined.text("method") == ["a", ""]
    assert joined.text("key") == ["1", "2"]
    assert joined.equals("method", "a").tolist() == [True, False]


def test_order_counts_numbers_in_names() -> None:
    """tiny-9 comes before tiny-10, and seeds count as numbers."""
    rows = [
        {"key": str(i), "instance": name, "seed": seed}
        for i, (name, seed) in enumerate([("tiny-10", 0), ("tiny-9", 10), ("tiny-9", 9)])
    ]
    assert Rows.of(rows).ordered().text("key") == ["2", "1", "0"]


def test_groups_come_in_the_order_of_the_study() -> None:
    """Named groups first, in their order; others by name after them."""
    rows = [{"key": g, "group": g} for g in ("b", "z", "a", "c10", "c9")]
    ordered = Rows.of(rows).ordered(["z", "a", "not there"])
    assert ordered.text("group") == ["z", "a", "b", "c9", "c10"]
    assert ordered.text("key") == ordered.text("group")


def test_hundred_thousand_rows(tmp_path: Path) -> None:
    """A large run is read, scored and summarised, with every method's line right."""
    n = 100_000
    rng = np.random.default_rng(0)
    method, instance = np.arange(n) % 20, np.arange(n) // 20 % 500
    words = {name: [""] for name in TEXT} | {
        "key": [f"{i:032x}" for i in range(n)],
        "method": [f"m{i}" for i in range(20)],
        "instance_sha256": [f"{i:064x}" for i in range(500)],
        "status": ["done"],
    }
    columns = {name: np.zeros(n, np.int64) for name in TEXT}
    columns |= {name: np.ones(n) for name in NUMBERS} | {name: np.zeros(n, bool) for name in FLAGS}
    columns |= {"key": np.arange(n), "method": method, "instance_sha256": instance}
    columns |= {"cost": 10.0 + method, "lower_bound": 9 + rng.random(n), "admissible": method >= 0}
    path = tmp_path / "rows.parquet"
    path.write_bytes(write_parquet(Rows(columns, words)))
    rows = read_parquet(path)
    lines = {v.method: v for v in summarise(rows)}
    assert gate(rows) == []
    assert len(lines) == 20
    assert lines["m5"].cells == lines["m5"].plans == 5000
    assert math.isclose(lines["m5"].excess, 0.5)

"""What --dry-run expects cells to take."""

from pathlib import Path
from typing import Any

import pytest

from satedge.bench.methods import table as methods
from satedge.bench.run.rows import from_records, write_parquet
from satedge.bench.run.runtime_estimate import typical_times
from satedge.bench.run.store import Store
from satedge.bench.study.cell import Cell
from satedge.problem.instance import Instance


def row(method: str, wall_s: float, **other: Any) -> dict[str, Any]:
    values = {
        "key": f"{method}{wall_s}{other}", "group": "g", "method": method, "status": "done",
        "entry": methods.find(method).entry, "family": methods.find(method).family,
        "budget_s": 5.0, "wall_s": wall_s, "n_slots": 1, "n_devices": 3,
    }  # fmt: skip
    return values | other


def test_times_come_from_what_ran_before(slot: Instance, tmp_path: Path) -> None:
    """The same cells first, then the method slot by slot at its size, at any size, its budget."""
    rows = [
        *(row("greedy", s) for s in (0.1, 0.3, 0.9)),
        row("nearest", 8.0, group="other", n_slots=4),
        row("nearest", 99.0, group="other", n_devices=10),
        row("random", 60.0, group="other", n_slots=100, n_devices=10),
        row("alternate", 0.0, status="skipped"),
    ]
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "rows.parquet").write_bytes(write_parquet(from_records(rows)))
    typical = typical_times(Store(tmp_path / "runs" / "nothing"), committed=tmp_path)

    def seconds(name: str, budget_s: float = 5.0) -> float:
        return typical.seconds(Cell(methods.find(name), slot, 0, budget_s, group="g"))

    assert seconds("greedy") == 0.3
    assert seconds("nearest") == 2.0
    assert seconds("nearest", budget_s=1.5) == 1.5
    assert seconds("random") == 0.6
    assert seconds("alternate") == 5.0


def test_times_learn_from_this_machine(slot: Instance, tmp_path: Path) -> None:
    """What other studies here took counts first; the rest is published, times this machine's."""
    published = [row("greedy", 0.1, group="a"), row("nearest", 0.2, group="a")]
    here = [row("greedy", 0.3, group="b")]
    for place, rows in (("paper/study", published), ("runs/other", here), ("runs/bad", [])):
        (tmp_path / place).mkdir(parents=True)
        content = write_parquet(from_records(rows)) if rows else b"damaged"
        (tmp_path / place / "rows.parquet").write_bytes(content)
    typical = typical_times(Store(tmp_path / "runs" / "new"), committed=tmp_path / "paper")
    cells = {n: Cell(methods.find(n), slot, 0, 5.0, group="c") for n in ("greedy", "nearest")}
    assert typical.seconds(cells["greedy"]) == 0.3
    assert typical.seconds(cells["nearest"]) == pytest.approx(0.6)

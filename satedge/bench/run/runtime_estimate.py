"""How long runs take, from what ran before: in this folder, and in the committed results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from satedge.bench.run.rows import from_records, read_parquet
from satedge.bench.run.store import Store
from satedge.bench.study.cell import Cell
from satedge.paths import PUBLISHED


@dataclass(frozen=True)
class Typical:
    """Median elapsed seconds of earlier runs."""

    same: Mapping[tuple[str, str, float], float] = field(default_factory=dict)
    """By group, method and budget."""
    per_slot: Mapping[tuple[str, float], float] = field(default_factory=dict)
    """For each slot, by what ran and the number of devices."""
    per_slot_of_any_size: Mapping[str, float] = field(default_factory=dict)
    """For each slot, by what ran."""

    def seconds(self, cell: Cell) -> float:
        """What a run takes; its budget where nothing is known of its method."""
        known = self.same.get((cell.group, cell.name, cell.budget_s))
        if known is not None:
            return known
        ran = cell.method.entry + f" {cell.name}" * (cell.method.family == "learned")
        per_slot = self.per_slot.get((ran, cell.instance.scenario.n_devices))
        if per_slot is None:
            per_slot = self.per_slot_of_any_size.get(ran, float("inf"))
        return min(cell.budget_s, per_slot * cell.instance.n_slots)


def typical_times(store: Store, committed: Path = PUBLISHED) -> Typical:
    """From the rows of a run's folder, and of every committed run."""
    tables = [from_records([]), *map(read_parquet, sorted(committed.glob("*/rows.parquet")))]
    if store.cells.is_dir():
        tables.append(store.look().rows)
    rows = pd.concat(tables, ignore_index=True)
    rows = rows[rows["status"] != "skipped"]
    # Learners share an entry and differ by name.
    ran = rows["entry"] + (" " + rows["method"]).where(rows["family"] == "learned", "")
    per_slot = (rows["wall_s"] / rows["n_slots"]).rename("s")
    return Typical(
        rows.groupby(["group", "method", "budget_s"])["wall_s"].median().to_dict(),
        per_slot.groupby([ran, rows["n_devices"]]).median().to_dict(),
        per_slot.groupby(ran).median().to_dict(),
    )

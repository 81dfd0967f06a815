"""How long cells take, from what ran before: in this folder, and in the committed results."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from satedge.bench.run.rows import Rows, read_parquet
from satedge.bench.run.store import Store
from satedge.bench.study.cell import Cell
from satedge.paths import PUBLISHED

Key = tuple[object, ...]


@dataclass(frozen=True)
class Typical:
    """Median elapsed seconds of earlier cells."""

    same: Mapping[Key, float] = field(default_factory=dict)
    """Of cells of the same group, method and budget."""
    per_slot: Mapping[Key, float] = field(default_factory=dict)
    """Of cells of the same method and size, for each slot; then of the method at any size."""

    def seconds(self, cell: Cell) -> float:
        """What a cell takes; its budget where nothing is known of its method."""
        known = self.same.get((cell.group, cell.name, cell.budget_s))
        if known is not None:
            return known
        entry, size = _entry(cell.method.entry, cell.method.family, cell.name), cell.instance
        for key in ((entry, size.scenario.n_devices), (entry,)):
            if key in self.per_slot:
                return min(cell.budget_s, self.per_slot[key] * size.n_slots)
        return cell.budget_s


def typical_times(store: Store, committed: Path = PUBLISHED) -> Typical:
    """From the rows of a run's folder, and of every committed run."""
    tables = [read_parquet(path) for path in sorted(committed.glob("*/rows.parquet"))]
    if store.cells.is_dir():
        tables.append(store.gather())
    same: dict[Key, list[float]] = {}
    per_slot: dict[Key, list[float]] = {}
    for rows in tables:
        _add(rows.where(~rows.equals("status", "skipped")), same, per_slot)
    return Typical(_medians(same), _medians(per_slot))


def _add(rows: Rows, same: dict[Key, list[float]], per_slot: dict[Key, list[float]]) -> None:
    words = (rows.text(name) for name in ("group", "method", "entry", "family"))
    numbers = (rows[n].tolist() for n in ("budget_s", "wall_s", "n_slots", "n_devices"))
    for group, method, entry, family, budget_s, wall_s, n_slots, n_devices in zip(
        *words, *numbers, strict=True
    ):
        same.setdefault((group, method, budget_s), []).append(wall_s)
        played = _entry(entry, family, method)
        for key in ((played, n_devices), (played,)):
            per_slot.setdefault(key, []).append(wall_s / n_slots)


def _entry(entry: str, family: str, name: str) -> str:
    """What runs; learners share an entry and differ by name."""
    return f"{entry} {name}" if family == "learned" else entry


def _medians(times: Mapping[Key, Iterable[float]]) -> dict[Key, float]:
    return {key: statistics.median(values) for key, values in times.items()}

"""How long runs take, from what ran before: in this folder, elsewhere on this machine, and in the
committed results, whose times are scaled by how much faster or slower this machine has proved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
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

    def slower(self, factor: float) -> Typical:
        """The same on a machine that takes so many times as long."""
        mine = ({k: factor * v for k, v in known.items()} for known in vars(self).values())
        return Typical(*mine)

    def but(self, other: Typical) -> Typical:
        """What `other` knows, and the rest of this."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Typical(*({**mine, **theirs} for mine, theirs in pairs))


def typical_times(store: Store, committed: Path = PUBLISHED) -> Typical:
    """From the rows of a run's folder, of the folders beside it, and of every committed run."""
    published = _typical(map(read_parquet, sorted(committed.glob("*/rows.parquet"))))
    tables = list(_readable(store.root.parent))
    if store.cells.is_dir():
        tables.append(store.look().rows)
    here = _typical(tables)
    return published.slower(_factor(here, published)).but(here)


def _readable(folder: Path) -> Iterator[pd.DataFrame]:
    """Tables of the runs in a folder; damaged ones are told of by who needs them."""
    for path in sorted(folder.glob("*/rows.parquet")):
        with suppress(ValueError):
            yield read_parquet(path)


def _factor(here: Typical, published: Typical) -> float:
    """How many times as long runs take here, by the methods that both know; 1 without any."""
    common = here.per_slot.keys() & published.per_slot.keys()
    ratios = [here.per_slot[k] / published.per_slot[k] for k in common if published.per_slot[k] > 0]
    return float(np.median(ratios)) if ratios else 1.0


def _typical(tables: Iterable[pd.DataFrame]) -> Typical:
    rows = pd.concat([from_records([]), *tables], ignore_index=True)
    rows = rows[rows["status"] != "skipped"]
    # Learners share an entry and differ by name.
    ran = rows["entry"] + (" " + rows["method"]).where(rows["family"] == "learned", "")
    per_slot = (rows["wall_s"] / rows["n_slots"]).rename("s")
    return Typical(
        rows.groupby(["group", "method", "budget_s"])["wall_s"].median().to_dict(),
        per_slot.groupby([ran, rows["n_devices"]]).median().to_dict(),
        per_slot.groupby(ran).median().to_dict(),
    )

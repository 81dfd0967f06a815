"""The parts of a study side by side: how the same methods do under other conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from satedge.bench.report.tables import Column, Table
from satedge.bench.score.summary import COLUMNS, Line, by_comparison

#: Parts and shared methods from which on they are put side by side.
LEAST_PARTS, LEAST_METHODS = 3, 3

#: What is put side by side.
MEASURES = {
    "excess": "Excess over the best known plans, or else over the best of the part, %",
    "deadline_misses": "Requests that miss their deadline, %",
    "gap": "Certified gap, %",
}

#: Method -> part -> its line, the largest budget of each.
Grid = dict[str, dict[str, Line]]


def grid(lines: Sequence[Line]) -> tuple[list[str], Grid]:
    """Parts in their order, and the methods that have plans in most of them; empty if too few."""
    compared = by_comparison(lines)
    found: Grid = {}
    for group, part in compared:
        for line in sorted(part, key=lambda v: v.budget_s):
            if line.plans and line.family != "bound":
                found.setdefault(line.method, {})[group] = line
    parts = [group for group, _ in compared]
    kept = {m: row for m, row in found.items() if 2 * len(row) > len(parts)}
    if len(parts) < LEAST_PARTS or len(kept) < LEAST_METHODS:
        return [], {}
    return parts, kept


def part_tables(lines: Sequence[Line]) -> list[Table]:
    """Methods against parts, a table for each measure that is known."""
    parts, found = grid(lines)
    columns = (Column("method"), *(Column(p, form=".3f") for p in parts))
    caption = "Means over the instances and seeds of each part, the largest budget of each."
    tables = []
    for measure, title in MEASURES.items():
        values = {m: [value_of(row.get(p), measure) for p in parts] for m, row in found.items()}
        if any(math.isfinite(v) for row in values.values() for v in row):
            rows: list[list[str | float]] = [[method, *row] for method, row in values.items()]
            tables.append(
                Table(columns, rows, title, caption, f"parts-{measure.replace('_', '-')}")
            )
    return tables


def value_of(line: Line | None, measure: str) -> float:
    """A measure of a line as the tables show it; NaN without a line."""
    scale = 100 if COLUMNS[measure]["unit"] == "%" else 1
    return float("nan") if line is None else scale * getattr(line, measure)

"""The parts of a study side by side: how the same methods do under other conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from satedge.bench.report.figures import style
from satedge.bench.report.supplementary import Extra
from satedge.bench.report.tables import by_comparison
from satedge.bench.score.summary import COLUMNS, Line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Parts and shared methods from which on they are put side by side.
LEAST_PARTS, LEAST_METHODS = 3, 3

#: What is put side by side.
MEASURES = {
    "excess": "Excess over the best causal plan of the part, %",
    "late": "Late requests, %",
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


def part_tables(lines: Sequence[Line]) -> list[Extra]:
    """Methods against parts, a table for each measure that is known."""
    parts, found = grid(lines)
    extras = []
    for measure, title in MEASURES.items():
        rows: list[tuple[str | float, ...]] = [
            (m, *(_value(row.get(p), measure) for p in parts)) for m, row in found.items()
        ]
        if any(math.isfinite(v) for row in rows for v in row[1:]):  # type: ignore[arg-type]
            caption = "Means over the instances and seeds of each part, the largest budget of each."
            heads = ("method", *parts)
            extras.append(Extra(f"parts-{measure}", title, caption, heads, tuple(rows), ".3f"))
    return extras


def _value(line: Line | None, measure: str) -> float:
    scale = 100 if COLUMNS[measure]["unit"] == "%" else 1
    return float("nan") if line is None else scale * getattr(line, measure)


def part_chart(lines: Sequence[Line]) -> Figure | None:
    """Excess and late requests of every method, part by part."""
    parts, found = grid(lines)
    if not parts:
        return None
    figure = style.new_figure(8.6, 4.0 + 0.012 * max(map(len, parts)))
    looks = style.looks(list(found))
    for ax, measure in zip(figure.subplots(1, 2), ("excess", "late"), strict=True):
        for method, row in found.items():
            colour, marker, dashes = looks[method]
            values = [_value(row.get(p), measure) for p in parts]
            ax.plot(range(len(parts)), values, color=colour, marker=marker, ls=dashes,
                    lw=1.0, mec="white", label=method)  # fmt: skip
        ax.set_xticks(range(len(parts)), parts, rotation=35, ha="right")
        if measure == "excess":
            ax.set_yscale("symlog", linthresh=1.0, linscale=0.5)
            ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        ax.set(ylabel={"excess": "excess, %", "late": "late requests, %"}[measure])
        ax.set_ylim(bottom=0)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure

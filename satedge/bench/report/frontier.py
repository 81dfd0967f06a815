"""Cost against decision time as a table: the picture's numbers, quickest first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from satedge.bench.report.tables import Column, Table
from satedge.bench.score.frontier import Place, places
from satedge.bench.score.stats import Interval
from satedge.bench.score.summary import REFERENCES, Line, by_comparison

#: Methods below which there is nothing to choose between.
LEAST = 3

COLUMNS = (
    Column("method"),
    Column("kind"),
    Column("time a slot", "ms", ".3g", key="time_ms"),
    Column("its interval", key="time_interval_ms"),
    Column("excess", "%", ".4g", key="excess"),
    Column("interval", "%", key="excess_interval_percent"),
    Column("runs", form=".0f", key="runs"),
    Column("front", key="front"),
)


def frontier_tables(scored: pd.DataFrame, lines: Sequence[Line]) -> list[Table]:
    """A table for each part with a few causal methods."""
    return [
        _table(group, found, part)
        for group, part in by_comparison(lines)
        if len(found := places(part, scored[scored["group"] == group])) >= LEAST
    ]


def _table(group: str, found: list[Place], lines: list[Line]) -> Table:
    return Table(
        COLUMNS,
        [_row(place) for place in found],
        f"{group}: cost against decision time",
        f"Mean excess over {REFERENCES[lines[0].reference]} and mean time a slot, each with its "
        "95 % interval, of methods that do not know later slots and have a plan for every "
        "instance. On the front nobody else is both as quick and as cheap.",
        f"frontier-{group}",
    )


def _row(place: Place) -> tuple[str | float, ...]:
    figures = (1e3 * place.time_s.value, _ends(place.time_s, 1e3))
    excess = (place.excess.value, _ends(place.excess, 100))
    return (
        *(place.name, place.kind, *figures, *excess),
        *(float(place.runs), "front" if place.front else ""),
    )


def _ends(known: Interval, scale: float) -> str | float:
    if not math.isfinite(known.low + known.high):
        return math.nan
    return f"[{scale * known.low:.4g}, {scale * known.high:.4g}]"

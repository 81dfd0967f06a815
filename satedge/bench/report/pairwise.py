"""Tables of methods in pairs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from satedge.bench.report.tables import Column, Table
from satedge.bench.score.pairwise import Pair, against_best, pairs
from satedge.bench.score.summary import Line


def pair_tables(scored: pd.DataFrame, lines: Sequence[Line]) -> list[Table]:
    """For each group, every method against the best one that knows no later slot."""
    heads = ("difference %", "low", "high", "probability", "instances")
    numbers = (Column(head, form=".4g") for head in heads)
    columns = (Column("method"), *numbers, Column("units"))
    tables = []
    for found in against_best(scored, lines):
        caption = (
            f"Mean of the method's cost over that of {found.best}, less 1, on the instances that "
            "both have plans for, with a paired bootstrap interval; the probability that a run of "
            "the method costs less, ties half; and the units that were resampled."
        )
        title = f"{found.group}: every method against {found.best}"
        rows = [_row(p) for p in found.pairs]
        tables.append(Table(columns, rows, title, caption, f"pairs-{found.group}"))
    return tables


def _row(pair: Pair) -> tuple[str | float, ...]:
    d = pair.difference
    numbers = (100 * d.value, 100 * d.low, 100 * d.high, pair.improvement)
    return (pair.method, *(round(v, 4) for v in numbers), float(pair.instances), pair.units)


def all_pairs(scored: pd.DataFrame, lines: Sequence[Line]) -> Table:
    """Every pair of every group, for CSV."""
    heads = ("group", "method", "other", "instances", "units", "relative_difference", "low", "high")
    columns = [Column(head) for head in (*heads, "probability_of_improvement")]
    rows = []
    for p in pairs(scored, lines):
        d = p.difference
        numbers = (d.value, d.low, d.high, p.improvement)
        rows.append((p.group, p.method, p.other, p.instances, p.units, *numbers))
    return Table(columns, rows, name="pairs")

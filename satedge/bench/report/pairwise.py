"""Tables of methods in pairs."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from satedge.bench.report.tables import Column, Table
from satedge.bench.score.pairwise import Pair, against_best, pairs
from satedge.bench.score.summary import Line


def pair_tables(scored: pd.DataFrame, lines: Sequence[Line]) -> list[Table]:
    """For each group, every method against the best one that knows no later slot."""
    heads = ("difference %", "low", "high", "p (Holm)", "probability", "instances")
    numbers = (Column(head, form=".4g") for head in heads)
    columns = (Column("method"), Column("verdict"), *numbers, Column("drawn"))
    tables = []
    for found in against_best(scored, lines):
        caption = (
            f"The method's mean cost over that of {found.best}, less 1, on the instances that both "
            "have plans for, with its 95 % two-way bootstrap interval; the p-value of no "
            "difference, adjusted by Holm for the comparisons of this table, by which the verdict "
            "goes at 5 %; the probability that a run of the method costs less, ties half; and what "
            "was drawn again: instances, the same for both, and of a learned method its training "
            "seeds, too. The intervals are of each comparison by itself."
        )
        title = f"{found.group}: every method against {found.best}"
        rows = [_row(p) for p in found.pairs]
        tables.append(Table(columns, rows, title, caption, f"pairs-{found.group}"))
    return tables


def _row(pair: Pair) -> tuple[str | float, ...]:
    d = pair.ratio.difference
    percents = (round(100 * v, 4) for v in (d.value, d.low, d.high))
    shares = (round(v, 4) for v in (pair.adjusted_p, pair.improvement))
    return (pair.method, pair.verdict, *percents, *shares, float(pair.instances), pair.drawn)


def all_pairs(scored: pd.DataFrame, lines: Sequence[Line]) -> Table:
    """Every pair of every group, for CSV; p-values are adjusted for all pairs of the group."""
    heads = ("group", "method", "other", "verdict", "instances", "drawn", "relative_difference")
    more = ("low", "high", "p", "p_holm", "probability_of_improvement")
    rows = []
    for p in pairs(scored, lines):
        d = p.ratio.difference
        numbers = (d.value, d.low, d.high, p.ratio.p, p.adjusted_p, p.improvement)
        rows.append((p.group, p.method, p.other, p.verdict, p.instances, p.drawn, *numbers))
    return Table([Column(head) for head in (*heads, *more)], rows, name="pairs")

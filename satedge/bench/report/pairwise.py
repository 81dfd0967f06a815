"""Tables of methods in pairs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pandas as pd

from satedge.bench.report.supplementary import Extra
from satedge.bench.score.pairwise import Pair, against_best
from satedge.bench.score.summary import Line


def pair_tables(scored: pd.DataFrame, lines: Sequence[Line]) -> list[Extra]:
    """For each group, every method against the best one that knows no later slot."""
    extras = []
    for found in against_best(scored, lines):
        caption = (
            f"Mean of the method's cost over that of {found.best}, less 1, on the instances that "
            "both have plans for, with a paired bootstrap interval; the probability that a run of "
            "the method costs less, ties half; what was compared, and what was drawn anew."
        )
        heads = ("method", "difference %", "low", "high", "probability", "instances", "drawn")
        title = f"{found.group}: every method against {found.best}"
        body = tuple(_line(p) for p in found.pairs)
        extras.append(Extra(f"pairs-{found.group}", title, caption, heads, body))
    return extras


def _line(pair: Pair) -> tuple[str | float, ...]:
    d = pair.difference
    numbers = (100 * d.value, 100 * d.low, 100 * d.high, pair.improvement)
    return (pair.method, *(round(v, 4) for v in numbers), float(pair.instances), pair.units)


def as_csv(found: Sequence[Pair]) -> str:
    """One line a pair."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = ("group", "method", "other", "instances", "units", "relative_difference", "low")
    writer.writerow([*heads, "high", "probability_of_improvement"])
    for p in found:
        d = p.difference
        row = [p.group, p.method, p.other, p.instances, p.units, d.value, d.low, d.high]
        writer.writerow([*row, p.improvement])
    return out.getvalue()

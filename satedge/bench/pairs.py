"""Methods in pairs on the same instances: how much dearer, how sure, how often cheaper."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from satedge.bench import stats
from satedge.bench.score import Scores
from satedge.bench.stats import Interval
from satedge.bench.summary import Line
from satedge.bench.table_data import Rows
from satedge.bench.tables import by_comparison, name

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """One method against another, where both have plans."""

    group: str
    method: str
    other: str
    instances: int
    units: str
    """What was resampled: 'instances', or 'seeds' where a learned method is in the pair."""
    difference: Interval
    """Mean of cost / other's cost - 1, negative where the method is cheaper."""
    improvement: float
    """Probability that a run of the method costs less than one of the other, ties half."""


def pairs(rows: Rows, scores: Scores, lines: Sequence[Line]) -> list[Pair]:
    """Every pair of every group; a pair without a common instance is left out."""
    return [p for group, part in by_comparison(lines) for p in _group(group, part, rows, scores)]


def _group(group: str, lines: list[Line], rows: Rows, scores: Scores) -> Iterator[Pair]:
    ran = [v for v in lines if v.plans]
    tables = {id(v): _costs(v, rows, scores) for v in ran}
    for a, b in combinations(ran, 2):
        ours, theirs = tables[id(a)], tables[id(b)]
        common = np.isfinite(ours).all(axis=0) & np.isfinite(theirs).all(axis=0)
        if not common.any():
            continue
        ours, theirs = ours[:, common], theirs[:, common]
        learned = "learned" in (a.family, b.family)
        yield Pair(
            group,
            name(a, lines),
            name(b, lines),
            int(common.sum()),
            "seeds" if learned else "instances",
            difference(ours, theirs, learned),
            stats.probability_of_improvement(ours, theirs),
        )


def difference(ours: Array, theirs: Array, by_seed: bool) -> Interval:
    """Relative difference of costs (seeds, instances) with a paired bootstrap interval.

    `by_seed`: the unit is the seed, its mean over instances one value; equal seeds are paired,
    and a method with a single seed is compared with each of the other's.
    """
    if not by_seed:
        return stats.mean_interval(ours.mean(axis=0) / theirs.mean(axis=0) - 1)
    n = max(len(ours), len(theirs))
    paired = [x if len(x) == n else np.repeat(x.mean(axis=0)[None], n, 0) for x in (ours, theirs)]
    return stats.mean_interval((paired[0] / paired[1] - 1).mean(axis=1))


def _costs(line: Line, rows: Rows, scores: Scores) -> Array:
    """(seeds, all instances of the run) costs of a line; NaN where it has no plan."""
    mine = rows.equals("group", line.group) & rows.equals("method", line.method)
    chosen = np.flatnonzero(mine & (rows["budget_s"] == line.budget_s) & scores.usable)
    seeds, seed = np.unique(rows["seed"][chosen], return_inverse=True)
    costs = np.full((len(seeds), len(rows.words["instance_sha256"])), np.nan)
    costs[seed, rows["instance_sha256"][chosen]] = rows["cost"][chosen]
    return costs


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

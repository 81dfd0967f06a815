"""Methods in pairs on the same instances: how much more one costs, how sure, how often less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.score import stats
from satedge.bench.score.stats import Interval
from satedge.bench.score.summary import Line, by_comparison, label

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


@dataclass(frozen=True)
class BestPairs:
    """Every method of a group against its best one."""

    group: str
    best: str
    pairs: list[Pair]


def pairs(scored: pd.DataFrame, lines: Sequence[Line]) -> list[Pair]:
    """Every pair of every group; a pair without a common instance is left out."""
    return [p for _, part in by_comparison(lines) for p in _group(part, scored)]


def _group(lines: list[Line], scored: pd.DataFrame) -> Iterator[Pair]:
    ran = [v for v in lines if v.plans]
    costs = {id(v): _costs(v, scored) for v in ran}
    for a, b in combinations(ran, 2):
        pair = _pair(a, b, lines, costs)
        if pair is not None:
            yield pair


def _pair(a: Line, b: Line, lines: list[Line], costs: Mapping[int, pd.DataFrame]) -> Pair | None:
    """`costs`: of each line by its id, see `_costs`."""
    common = costs[id(a)].columns.intersection(costs[id(b)].columns)
    if common.empty:
        return None
    ours, theirs = (costs[id(v)][common].to_numpy() for v in (a, b))
    learned = "learned" in (a.family, b.family)
    return Pair(
        lines[0].group,
        label(a, lines),
        label(b, lines),
        len(common),
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


def _costs(line: Line, scored: pd.DataFrame) -> pd.DataFrame:
    """(seeds, instances) costs of a line, on the instances on which every seed has a plan."""
    mine = scored["usable"] & (scored["group"] == line.group) & (scored["method"] == line.method)
    plans = scored[mine & (scored["budget_s"] == line.budget_s)]
    return plans.pivot(index="seed", columns="instance_sha256", values="cost").dropna(axis=1)


def against_best(scored: pd.DataFrame, lines: Sequence[Line]) -> Iterator[BestPairs]:
    """For each group, every method against the one of least excess that knows no later slot.

    The best has a plan on every instance; groups of fewer than three methods are left out.
    """
    for group, part in by_comparison(lines):
        whole = max(v.instances for v in part)
        ran = [v for v in part if v.plans and v.family != "bound"]
        full = [v for v in ran if v.plans == v.runs and v.instances == whole]
        best = next((v for v in full if not v.hindsight), None)
        if best is None or len(ran) < 3:
            continue
        costs = {id(v): _costs(v, scored) for v in ran}
        found = [_pair(v, best, part, costs) for v in ran if v is not best]
        yield BestPairs(group, label(best, part), [p for p in found if p is not None])

"""Methods in pairs on the same instances: how much more one costs, how sure, how often less.

Costs are compared by the ratio of their means, whose sign is that of the means' difference; a
mean of ratios may have the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import pandas as pd

from satedge.bench.score import stats
from satedge.bench.score.stats import Ratio
from satedge.bench.score.summary import LEARNED, Line, by_comparison, by_seed, label


@dataclass(frozen=True)
class Pair:
    """One method against another, where both have plans."""

    group: str
    method: str
    other: str
    instances: int
    drawn: str
    """What was resampled: 'instances', or 'seeds and instances' with a learned method."""
    ratio: Ratio
    """Mean cost over the other's mean cost, less 1: negative where the method is cheaper."""
    improvement: float
    """Probability that a run of the method costs less than one of the other, ties half."""
    adjusted_p: float = float("nan")
    """p of no difference, by Holm for all comparisons of the table."""

    @property
    def verdict(self) -> str:
        """What may be said of the method against the other, at 95 % for the whole table."""
        if not self.adjusted_p < 1 - stats.CONFIDENCE:
            return "no difference shown"
        return "cheaper" if self.ratio.difference.value < 0 else "more expensive"


@dataclass(frozen=True)
class BestPairs:
    """Every method of a group against its best one."""

    group: str
    best: str
    pairs: list[Pair]


def pairs(scored: pd.DataFrame, lines: Sequence[Line]) -> list[Pair]:
    """Every pair of every group; a pair without a common instance is left out.

    Adjusted for all pairs of their group.
    """
    return [p for _, part in by_comparison(lines) for p in _adjusted(_group(part, scored))]


def _adjusted(found: Iterable[Pair]) -> list[Pair]:
    told = list(found)
    adjusted = stats.holm([p.ratio.p for p in told])
    return [replace(p, adjusted_p=value) for p, value in zip(told, adjusted, strict=True)]


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
    learned = (a.family == LEARNED, b.family == LEARNED)
    return Pair(
        lines[0].group,
        label(a, lines),
        label(b, lines),
        len(common),
        "seeds and instances" if any(learned) else "instances",
        stats.ratio_of_means(ours, theirs, learned),
        stats.probability_of_improvement(ours, theirs),
    )


def _costs(line: Line, scored: pd.DataFrame) -> pd.DataFrame:
    mine = (scored["group"] == line.group) & (scored["method"] == line.method)
    return by_seed(scored[mine & (scored["budget_s"] == line.budget_s)])


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
        told = _adjusted(p for p in found if p is not None)
        yield BestPairs(group, label(best, part), told)

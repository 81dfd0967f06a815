"""What statements are measured on, and how comparisons become a verdict.

A statement is cut into comparisons, each a ratio of means less 1 that the statement says to be
above 0, or to lie in a range. The verdict follows from their intervals alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.score import stats
from satedge.bench.score.stats import Interval, Ratio
from satedge.bench.score.summary import LEARNED, by_seed
from satedge.bench.score.sweeps import placed
from satedge.bench.score.training_logs import Training

Array = NDArray[np.float64]

#: Seeds of a learner below which nothing is said of it.
SEEDS = 3
#: Ratios of means this close to 1 count as equal, and percents this close (3 points) to the
#: paper's as the same.
MARGIN = 0.03
#: Share of a number of the paper's within which ours counts as what the calibration asked for.
NEAR = 0.10

REPRODUCED, CONTRADICTED = "reproduced", "contradicted"
INCONCLUSIVE, FITTED, NOT_EXAMINED = "inconclusive", "fitted", "not examined"

FINAL, SELECTED, TRAINING = "final", "selected", "training"

#: Comparisons that a text lists one by one.
LISTED = 5


@dataclass(frozen=True)
class Part:
    """One comparison of a statement."""

    name: str
    ratio: Ratio
    """Of means, less 1; or, of single numbers, themselves."""
    unit: str = "%"

    def __str__(self) -> str:
        v, scale = self.ratio.difference, 100 if self.unit == "%" else 1
        form = "+.1f" if self.unit == "%" else ".4g"
        numbers = [format(scale * x, form) for x in (v.value, v.low, v.high)]
        if not np.isfinite(v.value):
            return f"{self.name} has no ratio (one side is 0 or was not played)"
        ends = f" [{numbers[1]}, {numbers[2]}]" if np.isfinite(v.low) else " (no interval)"
        same = f" (within {100 * MARGIN:g} %)" * self.equal
        return f"{self.name} {numbers[0]} {self.unit}{ends}{same}"

    @property
    def equal(self) -> bool:
        """A ratio shown to be within MARGIN of 1."""
        return self.unit == "%" and stats.equivalent(self.ratio.difference, MARGIN)


@dataclass(frozen=True)
class Evidence:
    """The rows of one study with their scores, and the trainings of the policies it plays."""

    scored: pd.DataFrame
    trained: Sequence[Training] = ()

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Rows with plans, of causal methods at their largest budget, with places on sweeps."""
        rows = placed(self.scored)
        rows = rows[rows["usable"] & ~rows["hindsight"] & (rows["family"] != "bound")]
        most = rows.groupby(["group", "method"])["budget_s"].transform("max")
        rows = rows[rows["budget_s"] == most]
        energy = rows["energy_J"] / rows["n_devices"]
        missed, above = (
            rows[n] / rows["requests"].clip(lower=1) for n in ("deadline_misses", "by_satellites")
        )
        return rows.assign(energy_per_device_J=energy, miss_share=missed, satellite_share=above)

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """Rows of no sweep, of whichever part has most learners with seeds enough."""
        rows = self.rows[self.rows["axis"] == ""]
        counts = {g: len(_learners(part)) for g, part in rows.groupby("group", sort=False)}
        best = max(counts, key=lambda g: counts[g], default="")
        return rows[rows["group"] == best]

    def sweep(self, axis: str) -> pd.DataFrame:
        """Rows along an axis."""
        return self.rows[self.rows["axis"] == axis]


def _learners(rows: pd.DataFrame) -> list[str]:
    learned = rows[rows["family"] == LEARNED]
    seeds = learned.groupby("method")["seed"].nunique()
    return [str(m) for m, n in seeds.items() if n >= SEEDS]


def known(rows: pd.DataFrame) -> list[str]:
    """Methods of which enough is there to speak of: learners have SEEDS seeds."""
    learners = _learners(rows)
    others = rows.loc[rows["family"] != LEARNED, "method"].unique()
    return [*learners, *map(str, others)]


def counted(rows: pd.DataFrame, column: str) -> bool:
    """Whether the rows have a column at all: those of before it was counted do not."""
    return bool(rows[column].notna().any())


def ratio(
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    column: str,
    by: str = "instance_sha256",
    same_policies: bool = False,
) -> Ratio:
    """Of a column's means less 1, on the episodes of both.

    `by`: what is the same of an episode. `same_policies`: a seed is the same policy on both sides.
    """
    sides = [by_seed(rows, column, by) for rows in (ours, theirs)]
    both = sides[0].columns.intersection(sides[1].columns)
    if both.empty:
        return Ratio(Interval(np.nan, np.nan, np.nan), np.nan)
    seeds = sides[0].index.intersection(sides[1].index)
    if same_policies:
        sides = [side.loc[seeds] for side in sides]
    drawn = [bool((rows["family"] == LEARNED).any()) for rows in (ours, theirs)]
    same = same_policies and all(drawn)
    values = [side[both].to_numpy() for side in sides]
    return stats.ratio_of_means(values[0], values[1], (drawn[0], drawn[1]), same)


def ordinal(parts: Sequence[Part]) -> str:
    """Of a statement that all ratios are above 0.

    Reproduced where every interval is: each of them is a test at its own level, and none may
    fail. Contradicted where one is shown to be below 0, corrected by Holm, or closer than MARGIN
    to it.
    """
    found = [p.ratio for p in parts]
    if all(r.difference.low > 0 for r in found):
        return REPRODUCED
    adjusted = stats.holm([r.p for r in found])
    against = [
        r.difference.value < 0 and p < 1 - stats.CONFIDENCE
        for r, p in zip(found, adjusted, strict=True)
    ]
    none = [p.ratio.difference.low <= 0 and p.equal for p in parts]
    return CONTRADICTED if any(against) or any(none) else INCONCLUSIVE


def equal(parts: Sequence[Part]) -> str:
    """Of a statement that all ratios are about 0, MARGIN either way."""
    if all(p.equal for p in parts):
        return REPRODUCED
    apart = [_outside(p.ratio.difference, 1 / (1 + MARGIN) - 1, MARGIN) for p in parts]
    return CONTRADICTED if any(apart) else INCONCLUSIVE


def between(low: float, high: float) -> Callable[[Sequence[Part]], str]:
    """Of a statement that all ratios lie between two shares, with MARGIN on either side."""

    def judge(parts: Sequence[Part]) -> str:
        ends = (low - MARGIN, high + MARGIN)
        found = [p.ratio.difference for p in parts]
        if all(ends[0] < v.low and v.high < ends[1] for v in found):
            return REPRODUCED
        return CONTRADICTED if any(_outside(v, *ends) for v in found) else INCONCLUSIVE

    return judge


def fitted(number: float) -> Callable[[Sequence[Part]], str]:
    """Of a number that the calibration asks for: fitted within NEAR of it, never reproduced."""

    def judge(parts: Sequence[Part]) -> str:
        v = parts[0].ratio.difference
        if abs(v.value / number - 1) <= NEAR:
            return FITTED
        outside = _outside(v, number * (1 - NEAR), number * (1 + NEAR))
        return CONTRADICTED if outside else INCONCLUSIVE

    return judge


def fitted_ordinal(parts: Sequence[Part]) -> str:
    """Of an order that the calibration implies: never reproduced."""
    verdict = ordinal(parts)
    return FITTED if verdict == REPRODUCED else verdict


def _outside(v: Interval, low: float, high: float) -> bool:
    return v.high < low or v.low > high


def told(parts: Sequence[Part]) -> str:
    """The comparisons one by one; of many their counts, with the least and the greatest."""
    if len(parts) <= LISTED:
        return ", ".join(map(str, parts))
    found = [p.ratio.difference for p in parts]
    ends = sorted(
        (p for p in parts if np.isfinite(p.ratio.difference.value)),
        key=lambda p: p.ratio.difference.value,
    )
    counts = {
        "above 0": sum(v.low > 0 for v in found),
        "below 0": sum(v.high < 0 for v in found),
        "open": sum(not (v.low > 0 or v.high < 0) for v in found if np.isfinite(v.value)),
        "without a ratio (one side is 0 or was not played)": len(found) - len(ends),
    }
    within = sum(p.equal for p in parts)
    words = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    words += f" ({within} within {100 * MARGIN:g} % of it)" * bool(within)
    span = f"; from {ends[0]} to {ends[-1]}" if ends else ""
    return f"of {len(parts)} intervals {words}{span}"


def samples(parts: Iterable[tuple[str, Sequence[float], Sequence[float]]]) -> list[Part]:
    """A comparison of two independent samples each, where both have seeds enough."""
    return [
        Part(name, stats.ratio_of_samples(ours, theirs))
        for name, ours, theirs in parts
        if min(len(ours), len(theirs)) >= SEEDS
    ]

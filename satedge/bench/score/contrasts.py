"""The contrasts of a final analysis: few, named before, corrected together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from satedge.bench.score import stats
from satedge.bench.score.stats import Interval, Ratio
from satedge.bench.score.summary import LEARNED, by_seed

#: Ratios of means this close to 1 are of no matter.
MARGIN = 0.03


@dataclass(frozen=True)
class Contrast:
    """Mean cost of a method over that of another, less 1."""

    part: str
    method: str
    other: str
    episodes: int
    ratio: Ratio
    corrected: Interval
    """At the confidence at which Holm tests this contrast among all."""
    p: float
    """Adjusted by Holm for all contrasts."""

    @property
    def verdict(self) -> str:
        """That one is ahead is said only where the corrected interval leaves out 0."""
        low, high = self.corrected.low, self.corrected.high
        if high < 0:
            return f"{self.method} beats {self.other}"
        if low > 0:
            return f"{self.other} beats {self.method}"
        if stats.equivalent(self.corrected, MARGIN):
            return "no difference of 3 % or more"
        return "no difference shown"


def contrasts(scored: pd.DataFrame, asked: Sequence[tuple[str, str, str]]) -> list[Contrast]:
    """(part, method, other) each, on the episodes that both have plans for."""
    first = [_ratio(scored, names, stats.CONFIDENCE) for names in asked]
    p = [ratio.p for ratio, _ in first]
    adjusted, levels = stats.holm(p), stats.holm_confidences(p)
    return [
        Contrast(*names, n, ratio, _ratio(scored, names, level)[0].difference, adjusted_p)
        for names, (ratio, n), adjusted_p, level in zip(asked, first, adjusted, levels, strict=True)
    ]


def _ratio(
    scored: pd.DataFrame, names: tuple[str, str, str], confidence: float
) -> tuple[Ratio, int]:
    rows = [
        scored[(scored["group"] == names[0]) & (scored["method"] == method)] for method in names[1:]
    ]
    ours, theirs = map(by_seed, rows)
    both = ours.columns.intersection(theirs.columns)
    if both.empty:
        return Ratio(Interval(np.nan, np.nan, np.nan), np.nan), 0
    drawn = [bool((part["family"] == LEARNED).any()) for part in rows]
    sides = [side[both].to_numpy() for side in (ours, theirs)]
    found = stats.ratio_of_means(sides[0], sides[1], (drawn[0], drawn[1]), confidence=confidence)
    return found, len(both)

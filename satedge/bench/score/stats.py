"""Statistics of comparisons: means, profiles, integrals and resampled intervals.

Everywhere less is better: costs, gaps and times, never rewards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Resamples of every bootstrap, and its confidence.
RESAMPLES = 1000
CONFIDENCE = 0.95
#: Numbers drawn at a time: a thousand resamples of 30 000 values would be 240 MB.
BLOCK = 1_000_000
#: Relative spreads and differences up to it are the arithmetic's.
ROUNDING = 1e-12

#: Share of the slots whose mean cost is the conditional value at risk.
WORST = 0.05


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; NaN ends where one cannot be told."""

    value: float
    low: float
    high: float


def shifted_geometric_mean(values: ArrayLike, shift: float = 1.0) -> float:
    """exp(mean(log(v + shift))) - shift. Mittelmann's benchmarks; the shift damps tiny values."""
    v = np.asarray(values, float)
    if v.size == 0:
        return np.nan
    return float(np.exp(np.log(v + shift).mean()) - shift)


def performance_profile(measure: ArrayLike, ratios: ArrayLike) -> Array:
    """Share of problems a method does within a factor of the best. Dolan and Moré 2002, (2.1).

    `measure` (problems, methods), inf where unsolved; `ratios` (R,) factors >= 1. Returns
    (R, methods). A problem that nobody solves counts against everybody.
    """
    m = np.maximum(np.asarray(measure, float), 1e-12)
    best = m.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        relative = np.where(np.isfinite(m), m / best, np.inf)
    within = relative[None] <= np.asarray(ratios, float)[:, None, None] * (1 + 1e-12)
    shares: Array = within.mean(axis=1)
    return shares


def data_profile(effort: ArrayLike, budgets: ArrayLike) -> Array:
    """Share of problems done within an absolute effort. Moré and Wild 2009, (2.8).

    `effort` (problems, methods), inf where not done; `budgets` (B,). Returns (B, methods).
    """
    e = np.asarray(effort, float)
    shares: Array = (e[None] <= np.asarray(budgets, float)[:, None, None]).mean(axis=1)
    return shares


def primal_integral(
    times_s: Sequence[float], costs: Sequence[float], best: float, horizon_s: float
) -> float:
    """Seconds of primal gap over [0, horizon]. Berthold 2013.

    The gap is 1 before the first incumbent, then |cost - best| / max(|cost|, |best|) of the
    incumbent at hand, which is the last one streamed.
    """
    total, now, gap = 0.0, 0.0, 1.0
    for time_s, cost in zip(times_s, costs, strict=True):
        if time_s >= horizon_s:
            break
        total += gap * (time_s - now)
        now, gap = time_s, _primal_gap(cost, best)
    return total + gap * (horizon_s - now)


def _primal_gap(cost: float, best: float) -> float:
    if not np.isfinite(cost):
        return 1.0
    scale = max(abs(cost), abs(best))
    return 0.0 if scale == 0 else min(1.0, abs(cost - best) / scale)


def conditional_value_at_risk(values: ArrayLike, share: float = WORST) -> float:
    """Mean of the greatest `share` of the values. Rockafellar and Uryasev 2002.

    Where that is no whole number of values, the last of them counts in part; one at least counts.
    """
    v = np.sort(np.asarray(values, float).ravel())[::-1]
    if v.size == 0:
        return np.nan
    number = max(share * v.size, 1.0)
    weights = np.clip(number - np.arange(v.size), 0.0, 1.0)
    return float(weights @ v / number)


def mean_interval(values: ArrayLike) -> Interval:
    """Mean of what is finite, the values drawn again; no interval of a single value."""
    v = np.asarray(values, float)
    v = v[np.isfinite(v)]
    mean = float(v.mean()) if v.size else np.nan
    if v.size < 2:
        return Interval(mean, np.nan, np.nan)
    means = np.concatenate([weights @ v for (weights,) in _resamples(v.size)])
    return _stretched(mean, means, float(v.std(ddof=1) / np.sqrt(v.size)), v.size - 1)[0]


def median_interval(values: ArrayLike) -> Interval:
    """Median of what is finite or infinite, between the order statistics that hold it at 95 %.

    Of five values or fewer none do: the ends are then the least and the greatest. Free of
    assumptions on the distribution; David and Nagaraja 2003, 7.1.
    """
    from scipy.special import bdtr

    v = np.sort(np.asarray(values, float))
    v = v[~np.isnan(v)]
    if v.size == 0:
        return Interval(np.nan, np.nan, np.nan)
    below = bdtr(np.arange(v.size), v.size, 0.5)
    cut = max(int(np.searchsorted(below, (1 - CONFIDENCE) / 2, side="right")) - 1, 0)
    return Interval(float(np.median(v)), float(v[cut]), float(v[v.size - 1 - cut]))


def share_interval(share: ArrayLike, n: int) -> tuple[Array, Array]:
    """Ends of the 95 % interval of a share of n. Wilson 1927."""
    p, z = np.asarray(share, float), 1.959964
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def difference_of_means(ours: ArrayLike, theirs: ArrayLike) -> Interval:
    """mean(ours) - mean(theirs) of two independent samples of two values or more. Welch 1947."""
    from scipy.stats import t

    x, y = np.asarray(ours, float), np.asarray(theirs, float)
    value = float(x.mean() - y.mean())
    parts = [(float(v.var(ddof=1)) / v.size, v.size - 1) for v in (x, y)]
    variance, freedom = _satterthwaite(parts)
    if variance == 0:
        return Interval(value, value, value)
    half = float(t.ppf(0.5 + CONFIDENCE / 2, freedom)) * variance**0.5
    return Interval(value, value - half, value + half)


@dataclass(frozen=True)
class Ratio:
    """Ratio of two means less 1, with its interval, and how surely it is not 0."""

    difference: Interval
    p: float
    """Two-sided, of no difference; below 5 % exactly where the 95 % interval leaves out 0. NaN
    where there is no interval."""


def ratio_of_samples(ours: ArrayLike, theirs: ArrayLike) -> Ratio:
    """mean(ours) / mean(theirs) - 1 of two independent samples of positive means, by the logarithm.

    Welch's interval for the difference of the relative values; none of a single value.
    """
    from scipy.stats import t

    sides = [np.asarray(v, float) for v in (ours, theirs)]
    means = [float(x.mean()) if x.size else np.nan for x in sides]
    if not all(m > 0 and np.isfinite(m) for m in means):
        return Ratio(Interval(np.nan, np.nan, np.nan), np.nan)
    log = float(np.log(means[0] / means[1]))
    if any(x.size < 2 for x in sides):
        return Ratio(Interval(float(np.expm1(log)), np.nan, np.nan), np.nan)
    parts = [
        (float((x / m).var(ddof=1)) / x.size, x.size - 1) for x, m in zip(sides, means, strict=True)
    ]
    variance, freedom = _satterthwaite(parts)
    if variance <= ROUNDING**2:
        same = abs(log) <= ROUNDING
        return Ratio(Interval(*[float(np.expm1(log))] * 3), 1.0 if same else 0.0)
    spread = variance**0.5
    half = float(t.ppf(0.5 + CONFIDENCE / 2, freedom)) * spread
    ends = (float(np.expm1(v)) for v in (log, log - half, log + half))
    return Ratio(Interval(*ends), float(2 * t.sf(abs(log) / spread, freedom)))


def equivalent(ratio: Interval, margin: float) -> bool:
    """A ratio of means less 1 is shown to be less than `margin` from 0, either way.

    Two one-sided tests (Schuirmann 1987) at 2.5 % each: the 95 % interval lies inside.
    """
    return ratio.high < margin and ratio.low > 1 / (1 + margin) - 1


def ratio_of_means(
    ours: ArrayLike,
    theirs: ArrayLike,
    draw_seeds: tuple[bool, bool] = (False, False),
    same_seeds: bool = False,
    confidence: float = CONFIDENCE,
) -> Ratio:
    """mean(ours) / mean(theirs) - 1, by the logarithm, with a two-way bootstrap interval.

    Both (seeds, episodes), of the same episodes and any numbers of seeds. Every resample draws
    episodes, the same for both, and, of either where `draw_seeds` says so, seeds (Owen 2007):
    training another seed would change all its episodes. Other seeds are averaged. `same_seeds`:
    row by row both are of the same policy, as at two points of a sweep, and drawn together.

    Percentiles of few seeds lie too close together. The interval is as wide as that of Student's
    t for the variance by episodes and by seeds together, with the degrees of freedom of
    Satterthwaite 1946; the resamples decide how it lies about the estimate. With a single
    episode, or a single seed where seeds are drawn, there is none; nor where so many seeds or
    episodes are 0 that a mean of 0 is among the percentiles.
    """
    given = (np.asarray(ours, float), np.asarray(theirs, float))
    sides = [
        x if drawn else x.mean(axis=0, keepdims=True)
        for x, drawn in zip(given, draw_seeds, strict=True)
    ]
    means = [float(x.mean()) for x in sides]
    if not all(m > 0 and np.isfinite(m) for m in means):
        same = means[0] == means[1] == 0
        return Ratio(Interval(0.0 if same else np.nan, np.nan, np.nan), np.nan)
    relative = [x / m for x, m in zip(sides, means, strict=True)]
    log = float(np.log(means[0] / means[1]))
    n_episodes = sides[0].shape[1]
    drawn_sides = [x for x, drawn in zip(relative, draw_seeds, strict=True) if drawn]
    if same_seeds and drawn_sides:
        drawn_sides = [relative[0] - relative[1]]
    if n_episodes < 2 or any(len(x) < 2 for x in drawn_sides):
        return Ratio(Interval(float(np.expm1(log)), np.nan, np.nan), np.nan)
    spread, freedom = _two_way(relative, drawn_sides)
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample may have a mean of 0
        resampled = log + np.concatenate(
            [
                np.log(
                    _means(relative[0], w[1], w[0])
                    / _means(relative[1], w[1 if same_seeds else 2], w[0])
                )
                for w in _resamples(n_episodes, *map(len, relative))
            ]
        )
    found, p = _stretched(log, resampled, spread, freedom, confidence)
    return Ratio(Interval(*(float(np.expm1(v)) for v in (log, found.low, found.high))), p)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, adjusted so that all hold at once. Holm 1979.

    Those that are NaN are no comparisons and remain.
    """
    known = sorted((value, i) for i, value in enumerate(p) if np.isfinite(value))
    adjusted, greatest = [np.nan] * len(p), 0.0
    for rank, (value, i) in enumerate(known):
        greatest = max(greatest, min(1.0, (len(known) - rank) * value))
        adjusted[i] = greatest
    return adjusted


def holm_confidences(p: Sequence[float]) -> list[float]:
    """The confidence of every comparison's interval that leaves out 0 where Holm's p is below 5 %.

    The least p of n is tested at 5 % / n, the next at 5 % / (n - 1); one that comes after a test
    that failed keeps the level of that test.
    """
    known = sorted((value, i) for i, value in enumerate(p) if np.isfinite(value))
    found, failed = [CONFIDENCE] * len(p), 0
    for rank, (value, i) in enumerate(known):
        level = (1 - CONFIDENCE) / (failed or len(known) - rank)
        if value >= level and not failed:
            failed = len(known) - rank
        found[i] = 1 - level
    return found


def _means(values: Array, seeds: Array, episodes: Array) -> Array:
    """(R,) means of values (seeds, episodes) under the weights of every resample."""
    weighted: Array = np.einsum("re,re->r", seeds @ values, episodes)
    return weighted


def _two_way(relative: Sequence[Array], drawn: Sequence[Array]) -> tuple[float, float]:
    """Standard error of the logarithm of a ratio of means, and its degrees of freedom.

    `relative`: the two sides over their means, `drawn` those whose seeds are a sample. What a seed
    does on single episodes counts in the spread of both: an interval is rather too wide.
    """
    n_episodes = relative[0].shape[1]
    by_episode = relative[0].mean(axis=0) - relative[1].mean(axis=0)
    parts = [(float(by_episode.var(ddof=1)) / n_episodes, n_episodes - 1)]
    for x in drawn:
        parts.append((float(x.mean(axis=1).var(ddof=1)) / len(x), len(x) - 1))
    variance, freedom = _satterthwaite(parts)
    return float(np.sqrt(variance)), freedom


def _satterthwaite(parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Sum of independent variances, and its degrees of freedom. Satterthwaite 1946."""
    variance = sum(v for v, _ in parts)
    square = sum(v**2 / n for v, n in parts)
    return variance, variance**2 / square if square > 0 else np.inf


def _stretched(
    value: float,
    resampled: Array,
    spread: float,
    freedom: float,
    confidence: float = CONFIDENCE,
) -> tuple[Interval, float]:
    """Percentiles of resamples, stretched about the value to the width of a t interval, and p."""
    from scipy.stats import t

    tail = 50 * (1 - CONFIDENCE)
    with np.errstate(invalid="ignore"):
        low, high = np.percentile(resampled, [tail, 100 - tail])
    if not np.isfinite([low, high]).all():
        return Interval(value, np.nan, np.nan), np.nan
    if spread <= ROUNDING:
        return Interval(value, value, value), 1.0 if abs(value) <= ROUNDING else 0.0
    if not low < high:
        low, high = value - spread, value + spread
    quantile = float(t.ppf(0.5 + confidence / 2, freedom))
    factor = 2 * quantile * spread / (high - low)
    below, above = (float(factor * v) for v in (value - low, high - value))
    side = below if value > 0 else above
    p = float(2 * t.sf(quantile * abs(value) / side, freedom)) if side > 0 else 0.0
    return Interval(value, value - below, value + above), p


def _resamples(*numbers: int) -> Iterator[list[Array]]:
    """Weights (resamples, n) of n things drawn with replacement, for every n, in small blocks.

    The same for equal arguments: methods that are compared see the same episodes.
    """
    size = max(1, BLOCK // max(numbers))
    for start in range(0, RESAMPLES, size):
        count = min(size, RESAMPLES - start)
        yield [_weights(n, i, start, count) for i, n in enumerate(numbers)]


@lru_cache(maxsize=8)
def _weights(n: int, stream: int, start: int, count: int) -> Array:
    rng = np.random.default_rng((stream, start))
    drawn = rng.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n * count).reshape(count, n)
    weights: Array = counts / n
    return weights


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """How probably a run of ours costs less than one of theirs, ties half. Agarwal et al. 2021.

    (runs, tasks) each; the mean over tasks of the Mann-Whitney statistic.
    """
    x, y = np.asarray(ours, float), np.asarray(theirs, float)
    wins = (x[:, None, :] < y[None, :, :]) + 0.5 * (x[:, None, :] == y[None, :, :])
    return float(wins.mean())

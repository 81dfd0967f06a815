"""Statistics of comparisons: means, profiles, integrals and resampled intervals.

Everywhere less is better: costs, gaps and times, never rewards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Resamples of every bootstrap, and its confidence.
RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

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


def interquartile_mean(values: ArrayLike) -> float:
    """Mean of the middle half. Agarwal et al. 2021; a quarter is cut from each end."""
    from scipy.stats import trim_mean

    v = np.asarray(values, float).ravel()
    return float(trim_mean(v, 0.25)) if v.size else np.nan


def interquartile_interval(scores: ArrayLike, seed: int = 0) -> Interval:
    """Interquartile mean with a stratified bootstrap interval. Agarwal et al. 2021.

    `scores` (seeds, tasks): seeds are drawn again within each task. Where one trained policy
    makes a whole row, give its mean as the only task: the seed is the unit.
    """
    s = np.asarray(scores, float)
    n_seeds, n_tasks = s.shape
    rng = np.random.default_rng(seed)
    drawn = rng.integers(n_seeds, size=(RESAMPLES, n_seeds, n_tasks))
    again = np.take_along_axis(np.broadcast_to(s, drawn.shape), drawn, axis=1)
    means = np.sort(again.reshape(RESAMPLES, -1), axis=1)
    cut = int(0.25 * means.shape[1])
    middle = means[:, cut : means.shape[1] - cut].mean(axis=1)
    return Interval(interquartile_mean(s), *_ends(middle))


def mean_interval(values: ArrayLike, seed: int = 0) -> Interval:
    """Mean with a percentile bootstrap interval over the values."""
    from scipy.stats import bootstrap

    v = np.asarray(values, float)
    v = v[np.isfinite(v)]
    if v.size == 0:
        return Interval(np.nan, np.nan, np.nan)
    mean = float(v.mean())
    if np.ptp(v) == 0:
        return Interval(mean, mean, mean)
    found = bootstrap(
        (v,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
        batch=max(1, 2_000_000 // v.size),
    )
    low, high = found.confidence_interval
    return Interval(mean, float(low), float(high))


def probability_of_improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """How probably a run of ours costs less than one of theirs, ties half. Agarwal et al. 2021.

    (runs, tasks) each; the mean over tasks of the Mann-Whitney statistic.
    """
    x, y = np.asarray(ours, float), np.asarray(theirs, float)
    wins = (x[:, None, :] < y[None, :, :]) + 0.5 * (x[:, None, :] == y[None, :, :])
    return float(wins.mean())


def _ends(resampled: Array) -> tuple[float, float]:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)

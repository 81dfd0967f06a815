"""Projected Newton for the joint power and position problem, compiled; the bound is certified.

`convex_terms` states the problem, the smoothing, and why the bound holds for any iterate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from minlp.convex_terms import (
    UNIT_ROUNDOFF,
    Array,
    ConvexProblem,
    Work,
    bound_at,
    derivatives,
    evaluate,
    magnitude,
    workspace,
)

CONVERGED, CUT_OFF, STOPPED = 0, 1, 2
STATUS = ("converged", "cutoff", "stopped")


@njit(cache=True, error_model="numpy")
def _factorise(work: Work, size: int, ridge: float) -> bool:
    """Cholesky factor U of the Hessian on the first `size` free variables, plus the ridge."""
    free, factor, hessian = work.free, work.factor, work.hessian
    for a in range(size):
        i = free[a]
        for b in range(a, size):
            factor[a, b] = hessian[i, free[b]]
        factor[a, a] += work.ridge[i] + ridge * hessian[i, i]
    for a in range(size):
        pivot = factor[a, a]
        if not pivot > 0.0:
            return False
        root = 1.0 / np.sqrt(pivot)
        for b in range(a, size):
            factor[a, b] *= root
        for c in range(a + 1, size):
            lead = factor[a, c]
            for b in range(c, size):
                factor[c, b] -= lead * factor[a, b]
    return True


@njit(cache=True, error_model="numpy")
def _back_substitute(work: Work, size: int) -> None:
    """Solve U' U x = rhs in place."""
    factor, x = work.factor, work.rhs
    for a in range(size):
        x[a] /= factor[a, a]
        for b in range(a + 1, size):
            x[b] -= factor[a, b] * x[a]
    for a in range(size - 1, -1, -1):
        total = x[a]
        for b in range(a + 1, size):
            total -= factor[a, b] * x[b]
        x[a] = total / factor[a, a]


@njit(cache=True, error_model="numpy")
def _choose_free(problem: ConvexProblem, y: Array, work: Work) -> int:
    """Start the working set: drop edges of no length and bounds the gradient pushes against."""
    size = 0
    for i in range(y.shape[0]):
        low, high, g = problem.lower[i], problem.upper[i], work.gradient[i]
        width = high - low
        work.step[i] = 0.0
        near = 1e-12 * width
        held = (y[i] <= low + near and g >= 0.0) or (y[i] >= high - near and g <= 0.0)
        if width > 0.0 and not held:
            # vanishes at a free optimum, so Newton stays quadratic; tames flat directions
            work.ridge[i] = 1e-3 * abs(g) / width + 1e-300
            work.free[size] = i
            size += 1
    return size


@njit(cache=True, error_model="numpy")
def direction(problem: ConvexProblem, y: Array, work: Work) -> float:
    """A Newton step that stays in the box, into work.step; returns its slope (0: none).

    Variables that the step would carry out of the box are put on its border and the rest is
    solved again, a few times.
    """
    size = _choose_free(problem, y, work)
    ridge = 1e-13
    while size > 0:
        if not _factorise(work, size, ridge):
            ridge *= 100.0
            if ridge > 1e3:
                break
            continue
        for a in range(size):
            i = work.free[a]
            total = -work.gradient[i]
            for j in range(y.shape[0]):
                if work.held[j] != 0.0:
                    total -= work.hessian[min(i, j), max(i, j)] * work.held[j]
            work.rhs[a] = total
        _back_substitute(work, size)
        size, clipped = _clip_step(problem, y, work, size)
        if not clipped:
            break
    slope = 0.0
    for i in range(y.shape[0]):
        work.held[i] = 0.0
        slope += work.gradient[i] * work.step[i]
    return slope


@njit(cache=True, error_model="numpy")
def _clip_step(problem: ConvexProblem, y: Array, work: Work, size: int) -> tuple[int, bool]:
    """Move rhs into step; variables that leave the box go to its border and are held there."""
    kept = 0
    for a in range(size):
        i = work.free[a]
        move = work.rhs[a]
        low, high = problem.lower[i] - y[i], problem.upper[i] - y[i]
        if move < low or move > high:
            work.held[i] = work.step[i] = low if move < low else high
        else:
            work.step[i] = move
            work.free[kept] = i
            kept += 1
    return kept, kept < size


@njit(cache=True, error_model="numpy")
def _scaled_descent(problem: ConvexProblem, y: Array, work: Work) -> float:
    """Where Newton gives no descent: gradient over curvature, variable by variable."""
    slope = 0.0
    for i in range(y.shape[0]):
        low, high = problem.lower[i] - y[i], problem.upper[i] - y[i]
        g = work.gradient[i]
        curve = max(work.hessian[i, i], abs(g) / max(high - low, 1e-300))
        move = -g / curve if curve > 0.0 else 0.0
        work.step[i] = min(max(move, low), high)
        slope += g * work.step[i]
    return slope


@njit(cache=True, error_model="numpy")
def _search(problem: ConvexProblem, y: Array, smooth: float, slope: float, work: Work) -> bool:
    """Armijo backtracking along work.step; leaves the accepted point in work.trial."""
    scale = 1.0
    noise = 1e-14 * abs(smooth)
    for _ in range(40):
        for i in range(y.shape[0]):
            low, high = problem.lower[i], problem.upper[i]
            near = 1e-12 * (high - low)
            z = y[i] + scale * work.step[i]
            if z < low + near:
                z = low
            elif z > high - near:
                z = high
            work.trial[i] = z
        value, _cost = evaluate(problem, work.trial, work)
        if value <= smooth + 1e-4 * scale * slope + noise:
            return True
        scale *= 0.5
    return False


@njit(cache=True, error_model="numpy")
def _move_centres(problem: ConvexProblem, gain: float, work: Work) -> None:
    """Multiplier update; kappa in units of the curvature that the cost itself has in h."""
    for k in range(work.kappa.shape[0]):
        rate = problem.latency_weight[k] + problem.energy_weight[k] * work.power[k]
        rate += work.multiplier[k]
        work.centre[k] = work.multiplier[k]
        work.kappa[k] = max(gain * rate / max(work.upload[k], 1e-300), 1e-300)


@njit(cache=True, error_model="numpy")
def minimise_kernel(
    problem: ConvexProblem,
    y: Array,
    multiplier: Array,
    gradient: Array,
    relative_gap: float,
    absolute_gap: float,
    cutoff: float,
    max_iter: int,
) -> tuple[float, float, int, int]:
    """(F(y), certified lower bound, iterations, status); see `minimise`.

    In and out: y (n + 2M,) start and best point, multiplier (n,) of the overruns in [0, rho].
    Out: gradient (n + 2M,) of F_lambda where the bound was attained.
    """
    n, d = problem.load_s.shape[0], y.shape[0]
    work = workspace(n, d)
    rounding = UNIT_ROUNDOFF * (64.0 * magnitude(problem) + 16.0 * d + 128.0)
    for i in range(d):
        y[i] = work.best[i] = min(max(y[i], problem.lower[i]), problem.upper[i])
    for k in range(n):
        work.kappa[k] = 1e-300
        work.centre[k] = min(max(multiplier[k], 0.0), problem.overrun_weight[k])
    evaluate(problem, y, work)
    gain = 10.0
    _move_centres(problem, gain, work)
    smooth, cost = evaluate(problem, y, work)
    least, bound, status, iteration = np.inf, -np.inf, STOPPED, 0
    while True:
        derivatives(problem, work)
        here, miss = bound_at(problem, y, rounding, work)
        if here > bound:
            bound = here
            gradient[:] = work.gradient
        if cost < least:
            least = cost
            work.best[:] = y
        if bound >= cutoff:
            status = CUT_OFF
            break
        if least - bound <= max(relative_gap * abs(least), absolute_gap):
            status = CONVERGED
            break
        if iteration >= max_iter or not np.isfinite(smooth):
            break
        iteration += 1
        if miss <= cost - here - miss:
            gain = min(gain * 10.0, 1e9)
            _move_centres(problem, gain, work)
            smooth, cost = evaluate(problem, y, work)
            derivatives(problem, work)
        slope = direction(problem, y, work)
        if not slope < 0.0:
            slope = _scaled_descent(problem, y, work)
        if not slope < 0.0 or not _search(problem, y, smooth, slope, work):
            break
        y[:] = work.trial
        smooth, cost = evaluate(problem, y, work)
    multiplier[:] = work.multiplier
    y[:] = work.best
    return least, bound, iteration, status

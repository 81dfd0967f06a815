"""Certified minimisation of the joint power and position problem (stated in `problem`).

`minimise` is the Python entry, `minimise_kernel` the one for compiled callers. The lower bound is
proven by the gradient inequality at whatever point was reached, less a margin for rounding
(`certificate`): it holds for stopped runs too. Steps: `interior_point`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from minlp.convex.certificate import bound_at, rounding_margin
from minlp.convex.interior_point import advance, direction
from minlp.convex.problem import (
    Array,
    ConvexProblem,
    Point,
    gradients,
    inside,
    new_point,
)
from minlp.convex.start import new_state, start
from satedge.kernels import Vector, kernel
from satedge.kernels.arrays import assign

CONVERGED, CUT_OFF, STOPPED = 0, 1, 2

#: A bound that cannot reach the cutoff need only be this sharp, as a share of what is missing.
HOPELESS = 0.03
STATUS = ("converged", "cutoff", "stopped")


class Minimum(NamedTuple):
    """Outcome of `minimise`."""

    y: Array  # (n + 2M,) the best point met
    cost: float  # F(y)
    lower_bound: float  # certified: no point of the box costs less
    iterations: int
    status: str  # "converged", "cutoff" (the bound reached the cutoff) or "stopped"
    multiplier: Array  # (n,) lambda in [0, rho] of the bound
    gradient: Array  # (n + 2M,) of F_lambda where the bound was attained


@kernel
def minimise_kernel(
    problem: ConvexProblem,
    y: Vector,
    multiplier: Vector,
    gradient: Vector,
    warm: bool,
    relative_gap: float,
    absolute_gap: float,
    cutoff: float,
    max_iter: int,
) -> tuple[float, float, int, int]:
    """(F(y), certified lower bound, iterations, status); the compiled form of `minimise`.

    In and out: y (n + 2M,) start, then the best point; multiplier (n,) of the overruns in
    [0, rho], read if `warm`. Out: gradient (n + 2M,) of F_lambda where the bound was attained.
    `warm` trusts y and multiplier: for a start from the minimum of a similar problem. Where F(y)
    shows that the bound cannot reach a finite `cutoff`, it ends sooner, with a looser bound.
    """
    point = new_point(problem.load_s.shape[0], y.shape[0], problem.disc.shape[0])
    anchor, weights = np.empty(y.shape[0]), np.empty(problem.disc.shape[0])
    return descend(
        problem, y, multiplier, gradient, warm, relative_gap, absolute_gap, cutoff, max_iter,
        point, anchor, weights,
    )  # fmt: skip


@kernel
def descend(
    problem: ConvexProblem,
    y: Vector,
    multiplier: Vector,
    gradient: Vector,
    warm: bool,
    relative_gap: float,
    absolute_gap: float,
    cutoff: float,
    max_iter: int,
    point: Point,
    anchor: Vector,
    weights: Vector,
) -> tuple[float, float, int, int]:
    """`minimise_kernel` with scratch `point` from the caller.

    Out: `anchor` (n + 2M,) where the bound was attained and `weights` (Q,) of the discs there.
    """
    state = new_state(problem)
    margin = rounding_margin(problem)
    cost = start(problem, multiplier, warm, y, point, state)
    best, least, bound, iteration, status = y.copy(), np.inf, -np.inf, 0, STOPPED
    assign(anchor, y)
    while np.isfinite(cost):
        gradients(problem, point)
        here = bound_at(problem, y, margin, point)
        if here > bound:
            bound = here
            assign(gradient, point.gradient)
            assign(multiplier, point.multiplier)
            assign(anchor, y)
            assign(weights, point.disc_multiplier)
        if cost < least and inside(problem, point):
            least = cost
            assign(best, y)
        near = max(relative_gap * min(cost, least), absolute_gap)
        if least < cutoff < np.inf:
            near = max(near, HOPELESS * (cutoff - least))
        if bound >= cutoff:
            status = CUT_OFF
        elif least - bound <= near:
            status = CONVERGED
        if status != STOPPED or iteration >= max_iter:
            break
        iteration += 1
        floor = 0.1 * max(near, 1e-11 * abs(cost)) / max(state.gap.shape[0], 1)
        primal, along = direction(problem, floor, point, state)
        if not primal > 0.0:
            break
        cost = advance(problem, y, cost, primal, along, point, state)
    assign(y, best)
    return least, bound, iteration, status


def convex_problem(
    lower: ArrayLike,
    upper: ArrayLike,
    log_interference: ArrayLike,
    log_noise: ArrayLike,
    load_s: ArrayLike,
    *,
    latency_weight: ArrayLike,
    energy_weight: ArrayLike,
    propagation_s: ArrayLike = 0.0,
    overrun_weight: ArrayLike = 0.0,
    slack_s: ArrayLike = np.inf,
    receiver: ArrayLike = -1,
    interference_slope: ArrayLike = 0.0,
    noise_slope: ArrayLike = 0.0,
    disc: ArrayLike = (),
) -> ConvexProblem:
    """Arrays of `ConvexProblem` (shapes there) from anything that broadcasts to them.

    Raises ValueError where the data would make the problem not convex or not finite.
    """
    n = np.shape(load_s)[0]

    def array(value: ArrayLike, *shape: int) -> Array:
        return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), shape), order="C")

    d = np.shape(lower)[0]
    problem = ConvexProblem(
        array(lower, d), array(upper, d),
        array(log_interference, n, n), array(interference_slope, n, n, 2),
        array(log_noise, n), array(noise_slope, n, 2),
        np.array(np.broadcast_to(np.asarray(receiver, dtype=np.int64), (n,))),
        array(load_s, n), array(latency_weight, n), array(energy_weight, n),
        array(propagation_s, n), array(overrun_weight, n), array(slack_s, n),
        array(np.reshape(disc, (-1, 4)), np.size(disc) // 4, 4),
    )  # fmt: skip
    _check(problem)
    return problem


def _check(problem: ConvexProblem) -> None:
    """Refuse what the kernel takes for granted."""
    n, d = len(problem.load_s), len(problem.lower)
    if d < n or (d - n) % 2:
        raise ValueError(f"lower has {d} entries: n + 2M with n = {n} is expected")
    if not np.all((problem.receiver >= -1) & (problem.receiver < (d - n) // 2)):
        raise ValueError(f"receiver must lie in -1..{(d - n) // 2 - 1}")
    for name in ("load_s", "latency_weight", "energy_weight", "propagation_s", "overrun_weight"):
        values = getattr(problem, name)
        if not np.all(np.isfinite(values) & (values >= 0.0)):
            raise ValueError(f"{name} must be finite and not negative")
    for name in ("lower", "upper", "log_noise", "noise_slope", "interference_slope"):
        if not np.all(np.isfinite(getattr(problem, name))):
            raise ValueError(f"{name} must be finite")
    if not np.all(problem.lower <= problem.upper):
        raise ValueError("lower must not exceed upper")
    others = problem.log_interference[~np.eye(n, dtype=bool)]
    if not np.all(others < np.inf):
        raise ValueError("log_interference must be finite or -inf")
    if not np.all(problem.slack_s > -np.inf):
        raise ValueError("slack_s must be finite or +inf")


def minimise(
    problem: ConvexProblem,
    y0: ArrayLike | None = None,
    *,
    multiplier0: ArrayLike | None = None,
    relative_gap: float = 1e-9,
    absolute_gap: float = 0.0,
    cutoff: float = np.inf,
    max_iter: int = 100,
) -> Minimum:
    """Minimise F over the box, with a certified lower bound.

    Stops when F(y) - bound <= max(relative_gap |F(y)|, absolute_gap) ("converged"), when the bound
    reaches `cutoff`, or after `max_iter` Newton steps ("stopped"). `y0` (n + 2M,) is where it
    starts; with `multiplier0` (n,) beside it the pair is trusted to be near the minimum.
    """
    n = len(problem.load_s)
    y = 0.5 * (problem.lower + problem.upper)
    y[:n] = 0.15 * problem.lower[:n] + 0.85 * problem.upper[:n]
    if y0 is not None:
        y[:] = y0
    multiplier = np.zeros(n)
    if multiplier0 is not None:
        multiplier[:] = multiplier0
    gradient = np.zeros(len(y))
    cost, bound, iterations, status = minimise_kernel(
        problem, y, multiplier, gradient, multiplier0 is not None,
        relative_gap, absolute_gap, cutoff, max_iter,
    )  # fmt: skip
    return Minimum(y, cost, bound, iterations, STATUS[status], multiplier, gradient)

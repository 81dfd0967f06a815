"""The iterate of the interior-point method of `interior_point`, and where it starts, compiled."""

from __future__ import annotations

import numpy as np

from minlp.convex.problem import ConvexProblem, Point, evaluate, gradients
from satedge.kernels import IntVector, Matrix, Record, Vector, kernel


class State(Record):
    """Iterate and Newton step. Pairs lie in blocks: box below, box above, t, v, discs."""

    free: IntVector  # (f,) variables whose edge has a length
    late: IntVector  # (m,) devices whose overrun is priced and not constant
    gap: Vector  # (2 f + 2 m + Q,)
    dual: Vector
    gap_step: Vector
    dual_step: Vector
    correction: Vector  # Mehrotra's second-order term of each pair
    aim: Vector  # (m,) lateness that the linearised overrun pair asks to cancel
    factor: Matrix  # (f, f) upper Cholesky factor
    step: Vector  # (f,) of the free variables
    move: Vector  # (d,) the same, 0 where an edge has no length


@kernel
def new_state(problem: ConvexProblem) -> State:
    n, d = problem.load_s.shape[0], problem.lower.shape[0]
    free, late = np.empty(d, np.int64), np.empty(n, np.int64)
    f = m = 0
    for i in range(d):
        if problem.upper[i] - problem.lower[i] > 0.0:
            free[f] = i
            f += 1
    for k in range(n):
        priced = problem.overrun_weight[k] > 0.0 and problem.slack_s[k] < np.inf
        if priced and problem.load_s[k] > 0.0:
            late[m] = k
            m += 1
    rows = np.zeros((5, 2 * f + 2 * m + problem.disc.shape[0]))
    return State(
        free[:f], late[:m], rows[0], rows[1], rows[2], rows[3], rows[4],
        np.zeros(m), np.empty((f, f)), np.zeros(f), np.zeros(d),
    )  # fmt: skip


@kernel
def start(
    problem: ConvexProblem, multiplier: Vector, warm: bool, y: Vector, point: Point, state: State
) -> float:
    """Pull y inside the box and set the pairs around it; returns F(y), which sets their scale.

    Duals are central, or (warm) near the given multipliers and the gradient.
    """
    f, m = state.free.shape[0], state.late.shape[0]
    gap, dual = state.gap, state.dual
    for i in range(y.shape[0]):
        inset = (0.003 if warm else 0.1) * (problem.upper[i] - problem.lower[i])
        y[i] = min(max(y[i], problem.lower[i] + inset), problem.upper[i] - inset)
    cost = evaluate(problem, y, point)
    centre = (0.01 if warm else 1.0) * cost / max(2 * f + 2 * m, 1)
    _start_overruns(problem, multiplier, warm, centre, point, state)
    for i in range(problem.disc.shape[0]):
        pair = 2 * f + 2 * m + i
        gap[pair] = max(-point.excess[i], 0.1 * problem.disc[i, 3] ** 2)
        dual[pair] = point.disc_multiplier[i] = centre / gap[pair]
    gradients(problem, point)
    for a in range(f):
        i = state.free[a]
        gap[a], gap[f + a] = y[i] - problem.lower[i], problem.upper[i] - y[i]
        dual[a], dual[f + a] = centre / gap[a], centre / gap[f + a]
        if warm:
            dual[a] += max(point.gradient[i], 0.0)
            dual[f + a] += max(-point.gradient[i], 0.0)
    return cost


@kernel
def _start_overruns(
    problem: ConvexProblem, given: Vector, warm: bool, centre: float, point: Point, state: State
) -> None:
    """Pairs and multipliers of the overruns at the point last evaluated."""
    f, m = state.free.shape[0], state.late.shape[0]
    for k in range(problem.load_s.shape[0]):
        constant = problem.load_s[k] == 0.0 and problem.slack_s[k] < 0.0
        point.multiplier[k] = problem.overrun_weight[k] if constant else 0.0
    for b in range(m):
        k, t, v = state.late[b], 2 * f + b, 2 * f + m + b
        rho, h = problem.overrun_weight[k], point.upload[k]
        x = h - problem.slack_s[k]
        if warm:
            share = min(max(given[k] / rho, 1e-3), 1.0 - 1e-3)
            room = centre / (rho * max(share, 1.0 - share))
        else:
            room = 0.1 * h
            share = (max(x, 0.0) + room) / (abs(x) + 2.0 * room)
        state.gap[t], state.gap[v] = max(-x, 0.0) + room, max(x, 0.0) + room
        state.dual[t], state.dual[v] = rho * share, rho * (1.0 - share)
        point.multiplier[k] = state.dual[t]

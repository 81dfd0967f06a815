"""The bound of a node around the options its candidate plan chooses, compiled.

The node's convex problem is solved with each undecided device relaxed over its core only: the
allowed options of the kind, UAV, satellite or refusal, that the candidate chooses. What the other
options would cost is added by their prices (`prices`). So a device that mixes UAVs and satellite
no longer takes the constant of one, the bandwidth of the other and the least disturbance of both.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.presolve import MARGIN
from minlp.branch_and_bound.prices import price_options
from minlp.branch_and_bound.receivers import receivers, vanishing
from minlp.branch_and_bound.relaxation import assemble, gain_tables
from minlp.convex.problem import ConvexProblem, Point, evaluate, gradients, new_point
from minlp.convex.solve import descend
from minlp.kernels import IntVector, Matrix, Record, Vector, kernel
from minlp.kernels.arrays import assign
from minlp.slot.data import SlotData

#: Newton steps a node's convex problem may take.
STEPS = 60


class Priced(Record):
    """A node's bound around one choice of servers."""

    lower_bound: float
    price: Matrix  # (n, O)
    lost: Vector  # (n,) what the prices of undecided devices take off the bound
    relaxed: Vector  # (n,) cost of each device in the convex problem
    y: Vector  # (n + 2M,) where the bound was attained


@kernel
def core_around(data: SlotData, allowed: IntVector, choice: IntVector) -> IntVector:
    """Allowed options of the same kind as the chosen ones: UAV, satellite or refusal."""
    n_uavs = data.altitude_m.shape[0]
    core = np.zeros_like(allowed)
    for k in range(allowed.shape[0]):
        kind = _kind(data.receiver[k, choice[k]], n_uavs)
        for o in range(data.n_options[k]):
            if allowed[k] >> o & 1 and _kind(data.receiver[k, o], n_uavs) == kind:
                core[k] |= 1 << o
    return core


@kernel
def _kind(receiver: int, n_uavs: int) -> int:
    """-1 refusal, 0 UAV, 1 satellite."""
    if receiver < 0:
        return -1
    return 1 if receiver == n_uavs else 0


@kernel
def split_point(data: SlotData, y: Vector, boxes: Matrix) -> tuple[Vector, Matrix]:
    """(log-powers (n,), positions (M, 2)) of a point, inside limits and boxes."""
    n, n_uavs = data.log_fading.shape
    powers, xy = y[:n].copy(), np.empty((n_uavs, 2))
    for k in range(n):
        powers[k] = min(max(powers[k], data.log_power_min), data.log_power_max)
    for m in range(n_uavs):
        for axis in range(2):
            q = y[n + 2 * m + axis]
            xy[m, axis] = min(max(q, boxes[m, 2 * axis]), boxes[m, 2 * axis + 1])
    return powers, xy


@kernel
def priced(
    data: SlotData,
    allowed: IntVector,
    core: IntVector,
    boxes: Matrix,
    power_low: Vector,
    start: Vector,
    cutoff: float,
    gap: float,
) -> Priced:
    """The node's bound with own costs relaxed over `core` (n,), and what other options cost."""
    n = core.shape[0]
    _powers, near = split_point(data, start, boxes)
    low, high = gain_tables(data, boxes)
    _single, bits = receivers(data, allowed)
    least = vanishing(data, bits, power_low, high)
    problem, constant = assemble(data, allowed, core, boxes, least, near)
    y, gradient, multiplier = start.copy(), np.zeros(start.shape[0]), np.zeros(n)
    point = new_point(n, y.shape[0], problem.disc.shape[0])
    anchor, weights = np.empty(y.shape[0]), np.empty(problem.disc.shape[0])
    base = constant.sum()
    # prices may lower the bound: only where there are none may it stop at the cutoff
    enough = cutoff - base if (core == allowed).all() else np.inf
    _cost, bound, _steps, _status = descend(
        problem, y, multiplier, gradient, False, 1e-9, gap, enough, STEPS, point, anchor, weights
    )
    bound += base - MARGIN * (np.abs(constant).sum() + abs(bound))
    evaluate(problem, anchor, point)
    assign(point.multiplier, multiplier)
    assign(point.disc_multiplier, weights)
    gradients(problem, point)
    relaxed = _relaxed(problem, constant, point)
    price = price_options(
        data, allowed, core, low, high, boxes, least, problem, constant, point, anchor
    )
    lost = np.zeros(n)
    for k in range(n):
        for o in range(price.shape[1]):
            lost[k] = max(lost[k], -price[k, o])
    bound -= lost.sum() * (1 + MARGIN)
    if not np.isfinite(bound):
        bound = -np.inf
    return Priced(bound, price, lost, relaxed, anchor)


@kernel
def _relaxed(problem: ConvexProblem, constant: Vector, point: Point) -> Vector:
    """Costs (n,) of the devices in the convex problem."""
    relaxed = constant.copy()
    for k in range(constant.shape[0]):
        h = point.upload[k]
        relaxed[k] += problem.latency_weight[k] * h
        relaxed[k] += problem.energy_weight[k] * point.power[k] * (h + problem.propagation_s[k])
        relaxed[k] += problem.overrun_weight[k] * max(0.0, h - problem.slack_s[k])
    return relaxed


@kernel
def drop_dear(data: SlotData, allowed: IntVector, found: Priced, cutoff: float) -> float:
    """Drop options that lift the bound past the cutoff, in place; returns the least such bound."""
    least = np.inf
    for k in range(allowed.shape[0]):
        rest = found.lower_bound + found.lost[k]
        for o in range(data.n_options[k]):
            bound = rest + found.price[k, o]
            if bound >= cutoff and allowed[k] >> o & 1 and allowed[k] != 1 << o:
                allowed[k] &= ~(1 << o)
                least = min(least, bound)
    return least

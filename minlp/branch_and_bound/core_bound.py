"""The bound of a node around the options its candidate plan chooses, compiled.

The node's convex problem is solved with each undecided device relaxed over its core only: the
allowed options of the kind, UAV, satellite or refusal, that the candidate chooses. What the other
options would cost is added by their prices (`prices`). So a device that mixes UAVs and satellite
no longer takes the constant of one, the bandwidth of the other and the least disturbance of both.
With shared compute the prices are those of options and loads, and `loads` finds what the devices
can choose together.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.loads import (
    Assigned,
    alternatives,
    cheapest_choice,
    load_bound,
    new_assigned,
)
from minlp.branch_and_bound.presolve import MARGIN, Region
from minlp.branch_and_bound.prices import price_options
from minlp.branch_and_bound.receivers import receivers, vanishing
from minlp.branch_and_bound.relaxation import assemble, gain_tables
from minlp.convex.problem import ConvexProblem, Point, evaluate, gradients, new_point
from minlp.convex.solve import descend
from minlp.slot.cost import loads_of
from minlp.slot.data import SlotData
from satedge.kernels import Cube, IntVector, Matrix, Record, Vector, kernel
from satedge.kernels.arrays import assign

#: Newton steps a node's convex problem may take.
STEPS = 60


class Priced(Record):
    """A node's bound around one choice of servers."""

    lower_bound: float
    core: IntVector  # (n,) bits of the options that rows are relaxed over
    price: Cube  # (n, O, C), see `prices`
    option: Matrix  # (n, O) bound of the node's plans in which a device takes an option
    lost: Vector  # (n,) what undecided devices take off the bound
    cheaper: IntVector  # (n,) what the prices would rather choose
    relaxed: Vector  # (n,) cost of each device in the convex problem
    y: Vector  # (n + 2M,) where the bound was attained
    near: Matrix  # (M, 2) where gains were linearised
    multiplier: Vector  # (n,) lambda, what the bound takes for a second of overrun
    disc: Matrix  # (Q, 4) rows UAV, centre x, centre y, radius
    weight: Vector  # (Q,) mu, what it takes for the squared excess over a disc
    assigned: Assigned  # with shared compute
    slopes: Matrix  # (n, n) what each device pays for log-powers


@kernel
def core_around(data: SlotData, allowed: IntVector, choice: IntVector) -> IntVector:
    """Allowed options of the same kind as the chosen ones: UAV, satellite or refusal.

    With shared compute the chosen ones alone: others have other loads.
    """
    n_uavs = data.altitude_m.shape[0]
    core = np.zeros_like(allowed)
    for k in range(allowed.shape[0]):
        kind = _kind(data.receiver[k, choice[k]], n_uavs)
        for o in range(data.n_options[k]):
            same = o == choice[k] or not data.shared
            if same and allowed[k] >> o & 1 and _kind(data.receiver[k, o], n_uavs) == kind:
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
    region: Region,
    core: IntVector,
    choice: IntVector,
    power_low: Vector,
    start: Vector,
    dual: Vector,
    cutoff: float,
    gap: float,
) -> Priced:
    """The node's bound with own costs relaxed over `core` (n,), and what other options cost.

    The core is around `choice` (n,), whose loads it has if compute is shared. `start` (n + 2M,) and
    `dual` (n,) are where the solver and the load problem begin.
    """
    allowed, boxes = region.allowed, region.boxes
    n = choice.shape[0]
    loads = loads_of(data, choice)
    _powers, near = split_point(data, start, boxes)
    low, high = gain_tables(data, boxes)
    _single, bits = receivers(data, allowed)
    least = vanishing(data, bits, power_low, high)
    problem, constant = assemble(data, allowed, core, loads, boxes, least, near)
    y, gradient, multiplier = start.copy(), np.zeros(start.shape[0]), np.zeros(n)
    point = new_point(n, y.shape[0], problem.disc.shape[0])
    anchor, weights = np.empty(y.shape[0]), np.empty(problem.disc.shape[0])
    base = constant.sum()
    # prices may lower the bound: only where there are none may it stop at the cutoff
    enough = cutoff - base if not data.shared and (core == allowed).all() else np.inf
    _cost, bound, _steps, _status = descend(
        problem, y, multiplier, gradient, False, 1e-9, gap, enough, STEPS, point, anchor, weights
    )
    bound += base - MARGIN * (np.abs(constant).sum() + abs(bound))
    if not np.isfinite(bound):
        bound = -np.inf
    evaluate(problem, anchor, point)
    assign(point.multiplier, multiplier)
    assign(point.disc_multiplier, weights)
    gradients(problem, point)
    relaxed = _relaxed(problem, constant, point)
    slopes = np.zeros((n, n))
    price = price_options(
        data, allowed, core, loads, region.spans, low, high, boxes, least, problem, constant,
        point, anchor, slopes,
    )  # fmt: skip
    lost, option = np.zeros(n), np.full((n, price.shape[1]), np.inf)
    assigned, cheaper = new_assigned(data, region.spans.shape[0]), choice.copy()
    if data.shared:
        target = min(cheapest_choice(data, price, cheaper), 1e8)
        missing = cutoff - bound
        sums = load_bound(data, allowed, region.spans, price, dual, target, missing, assigned)
        alternatives(data, allowed, region.spans, price, sums, assigned)
        spread_loss(assigned.share, choice, sums, lost)
        _hold_together(assigned, bound, option)
        bound += sums
    else:
        bound = _each_alone(price, bound, lost, cheaper, option)
    if np.isnan(bound):
        bound = -np.inf
    return Priced(
        bound, core, price, option, lost, cheaper, relaxed, anchor, near, multiplier,
        problem.disc, weights, assigned, slopes,
    )  # fmt: skip


@kernel
def _each_alone(
    price: Cube, bound: float, lost: Vector, cheaper: IntVector, option: Matrix
) -> float:
    """The bound with every device at its cheapest price.

    Fills `lost` (n,) and `option` (n, O), and moves `cheaper` (n,) there where that loses.
    """
    for k in range(lost.shape[0]):
        for o in range(price.shape[1]):
            lost[k] = max(lost[k], -price[k, o, 0])
            if price[k, o, 0] < min(price[k, cheaper[k], 0], 0.0):
                cheaper[k] = o
    bound -= lost.sum() * (1 + MARGIN)
    for k in range(lost.shape[0]):
        for o in range(price.shape[1]):
            here = price[k, o, 0]
            option[k, o] = bound + lost[k] + here - (MARGIN * abs(here) if here < np.inf else 0.0)
    return bound


@kernel
def _hold_together(assigned: Assigned, bound: float, option: Matrix) -> None:
    """Bounds on sums of prices become bounds on costs, of options in `option` (n, O) and loads."""
    for k in range(option.shape[0]):
        for o in range(option.shape[1]):
            option[k, o] = bound + assigned.option[k, o]
    for s in range(assigned.load.shape[0]):
        for c in range(assigned.load.shape[1]):
            assigned.load[s, c] += bound


@kernel
def spread_loss(share: Matrix, choice: IntVector, sums: float, lost: Vector) -> None:
    """What the load problem loses, shared out among devices by how little it chose as the core."""
    doubt, total = np.zeros(lost.shape[0]), 0.0
    for k in range(lost.shape[0]):
        doubt[k] = max(1.0 - share[k, choice[k]], 0.0)
        total += doubt[k]
    for k in range(lost.shape[0]):
        if total > 0.0:
            lost[k] = max(-sums, 0.0) * doubt[k] / total


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
def drop_expensive(data: SlotData, region: Region, found: Priced, cutoff: float) -> float:
    """Drop options and loads that lift the bound past the cutoff; returns the least such bound."""
    least, allowed = np.inf, region.allowed
    for k in range(allowed.shape[0]):
        for o in range(data.n_options[k]):
            bound = found.option[k, o]
            if bound >= cutoff and allowed[k] >> o & 1 and allowed[k] != 1 << o:
                allowed[k] &= ~(1 << o)
                least = min(least, bound)
    for s in range(region.spans.shape[0]):
        for end, step in ((0, 1), (1, -1)):
            while region.spans[s, 0] < region.spans[s, 1]:
                bound = found.assigned.load[s, region.spans[s, end]]
                if not bound >= cutoff:
                    break
                region.spans[s, end] += step
                least = min(least, bound)
    return least

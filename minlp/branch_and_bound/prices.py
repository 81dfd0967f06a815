"""What it would cost a device to choose otherwise, compiled: certified prices of its options.

A node's convex problem F has one row a device, for the options in its core. Let y be the point of
F's bound and c_k the gradient of row k there. For an option o outside the core, with cost f_ko,

    price_ko = min_{z in the box} (f_ko(z) - c_k . z) - (f_k(y) - c_k . y).

Every plan of the node costs at least F's bound plus, for each device, the price of its option
(zero in the core): the plan's cost is the sum of f_k(z) + price_k at least, linearised. So

    bound of the node = bound of F + sum_k min(0, min_o price_ko),

and an option whose price lifts that past the cutoff can be dropped. This is Lagrangian
decomposition (Guignard and Kim, Math. Programming 39, 1987): each device decides on a copy of all
powers and positions, and pays c_k for moving its copy away from y.

Where servers share their compute, an option is a server *and* its load (`copies`), and which loads
go together is the business of `loads`.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.copies import (
    View,
    costs_of,
    new_copies,
    new_workspace,
    still,
)
from minlp.branch_and_bound.receivers import receivers
from minlp.branch_and_bound.upload import MARGIN, limits_of
from minlp.convex.problem import ConvexProblem, Point
from minlp.slot.data import NOT_SENT, SlotData
from satedge.kernels import Cube, IntMatrix, IntVector, Matrix, Vector, kernel


@kernel
def price_options(
    data: SlotData,
    allowed: IntVector,
    core: IntVector,
    loads: IntVector,
    spans: IntMatrix,
    low: Matrix,
    high: Matrix,
    boxes: Matrix,
    power_low: Vector,
    problem: ConvexProblem,
    constant: Vector,
    point: Point,
    y: Vector,
    slopes: Matrix,
) -> Cube:
    """Prices (n, O, C), C = n loads of the server if it is shared, else 1; inf where not allowed.

    0 in the core, with shared compute at the loads (S,) there. Servers have loads in `spans`
    (S, 2). `point` is evaluated at y (d,), gains lie in [low, high] (n, M + 1) over the boxes.
    What is no number counts as -inf. `slopes` (n, n) becomes what devices pay for log-powers.
    """
    _single, bits = receivers(data, allowed)
    found, work, n_uavs = new_copies(data, y), new_workspace(data), data.altitude_m.shape[0]
    limits = limits_of(power_low, data.log_power_max)
    seen = View(data, bits, low, high, limits, still(allowed.shape[0], n_uavs))
    pay = np.zeros((n_uavs + 1, 2))
    for k in range(allowed.shape[0]):
        wanted = allowed[k] if data.shared else allowed[k] & ~core[k]
        paid, size = _own_cost(problem, constant, point, k, y, slopes[k])
        if wanted != 0:
            drift = _position_gain(data, problem, boxes, point, k, y)
            costs_of(seen, k, wanted, spans, slopes[k], pay, work, found)
        for o in range(data.n_options[k]):
            if wanted >> o & 1:
                for c in range(found.cost.shape[2]):
                    found.cost[k, o, c] = _lowered(found.cost[k, o, c], paid + drift, size)
            if core[k] >> o & 1 == 0:
                continue
            if data.receiver[k, o] == NOT_SENT or not data.shared:
                found.cost[k, o] = 0.0
            else:
                found.cost[k, o, loads[data.server[k, o]] - 1] = 0.0
    return found.cost


@kernel
def _lowered(cost: float, paid: float, size: float) -> float:
    """A price, rounding included; -inf where it is no number."""
    value = cost - paid - MARGIN * (abs(cost) + size)
    return -np.inf if np.isnan(value) else value


@kernel
def _own_cost(
    problem: ConvexProblem, constant: Vector, point: Point, k: int, y: Vector, slope: Vector
) -> tuple[float, float]:
    """(f_k(y) - c . y over the powers, sum of absolute terms); slope (n,) becomes c."""
    n = slope.shape[0]
    energy = problem.energy_weight[k] * point.power[k]
    price = problem.latency_weight[k] + energy + point.multiplier[k]
    rate = price * point.fall[k]
    total = price * point.upload[k] + energy * problem.propagation_s[k]
    late = point.multiplier[k] * problem.slack_s[k] if point.multiplier[k] > 0.0 else 0.0
    paid = constant[k] + total - late
    size = abs(constant[k]) + total + abs(late)
    for j in range(n):
        slope[j] = rate * point.share[k, j]
    slope[k] = energy * (point.upload[k] + problem.propagation_s[k]) - rate
    for j in range(n):
        paid -= slope[j] * y[j]
        size += abs(slope[j]) * (abs(y[j]) + problem.upper[j] - problem.lower[j])
    return paid, size


@kernel
def _position_gain(
    data: SlotData, problem: ConvexProblem, boxes: Matrix, point: Point, k: int, y: Vector
) -> float:
    """Greatest of c . (q - q(y)) over box and reach of the UAV that row k of the core hears."""
    n, m = problem.load_s.shape[0], problem.receiver[k]
    if m < 0:
        return 0.0
    energy = problem.energy_weight[k] * point.power[k]
    rate = (problem.latency_weight[k] + energy + point.multiplier[k]) * point.fall[k]
    gain, toward, length = 0.0, 0.0, 0.0
    for axis in range(2):
        c, here = rate * point.slope[k, n + axis], y[n + 2 * m + axis]
        gain += max(c * (boxes[m, 2 * axis] - here), c * (boxes[m, 2 * axis + 1] - here))
        toward += c * (data.start_xy_m[m, axis] - here)
        length += c * c
    return min(gain, toward + np.sqrt(length) * data.reach_m * (1 + 1e-8))

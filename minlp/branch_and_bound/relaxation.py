"""The convex relaxation of a branch-and-bound node, compiled: assembly from slot data.

A node allows every device some options (a bit mask) and every UAV a box of positions. Its
relaxation is one convex problem in log-powers and positions (`convex.problem`):

- A device whose allowed options share a receiver keeps that receiver's gains, bounded by tangents
  with curvature remainders or by intervals, whichever is tighter (`slot.geometry`): its own gain
  from above, interfering gains from below.
- Any other device takes the least over its allowed receivers of each interference-over-own-gain
  ratio and of noise over own gain, the least load, constant and propagation, the greatest slack.
- Interference that some allowed option of the sender avoids is dropped, but for refusing: that is
  relaxed to sending at a power that vanishes beside the noise (`receivers.vanishing`).
- A device whose core is to refuse costs what that costs, and has no upload.
- The download of a UAV is bounded by its best gain and the other UAVs' worst over the boxes.
- With shared compute a core is one option, and servers have the loads of all cores together; what
  other loads cost is the business of `prices` and `loads`.
- Discs (reach, coverage of decided devices) that a box does not lie in are kept as constraints.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.receivers import may_refuse, receivers
from minlp.branch_and_bound.rows import affine_row, interval_row
from minlp.convex.problem import ConvexProblem
from minlp.slot.cost import option_terms
from minlp.slot.data import NOT_SENT, SlotData
from minlp.slot.geometry import RADIUS_SLACK, gain_interval, room, squared_distances
from minlp.slot.region import discs_of, start_reach
from satedge.kernels import IntVector, Matrix, Vector, kernel
from satedge.kernels.arrays import assign

#: Logs of gains carry errors of some 1e-14, and noise counts the powers that vanish (1e-13);
#: rounding them outward by this keeps bounds valid.
OUTWARD = 1e-12


@kernel
def gain_tables(data: SlotData, boxes: Matrix) -> tuple[Matrix, Matrix]:
    """Intervals (n, M + 1) of all log gains over the boxes; the last column is the satellite's."""
    n, n_uavs = data.log_fading.shape
    low, high = np.empty((n, n_uavs + 1)), np.empty((n, n_uavs + 1))
    for k in range(n):
        for m in range(n_uavs):
            low[k, m], high[k, m] = gain_interval(data, k, m, boxes[m])
        low[k, n_uavs] = high[k, n_uavs] = data.log_satellite[k]
    return low, high


@kernel
def assemble(
    data: SlotData,
    allowed: IntVector,
    core: IntVector,
    loads: IntVector,
    boxes: Matrix,
    power_low: Vector,
    near: Matrix,
) -> tuple[ConvexProblem, Vector]:
    """The convex problem of a node, and its constants a device (n,).

    `core` (n,) holds the allowed options that a device's own cost is relaxed over: it bounds plans
    that choose among them, where compute is shared with the loads (S,). Gains are linearised
    around `near` (M, 2), points of the boxes.
    """
    n, n_uavs = data.log_fading.shape
    decided, bits = receivers(data, allowed)
    single, heard = receivers(data, core)
    low, high = gain_tables(data, boxes)
    discs = cutting_discs(data, single, decided, boxes)
    problem = _blank(data, n, n_uavs, power_low, near, discs)
    constant = np.zeros(n)
    spaces, reach = np.empty((n_uavs, 3)), start_reach(data)
    for m in range(n_uavs):
        own = discs_of(data, reach, decided, m)
        assign(spaces[m], room(boxes[m], own, near[m, 0], near[m, 1]))
    for k in range(n):
        _device_terms(data, k, core[k], heard[k], loads, low, high, problem, constant)
        if problem.load_s[k] == 0.0:
            continue
        r = single[k]
        problem.receiver[k] = r if 0 <= r < n_uavs else -1
        if 0 <= r < n_uavs:
            affine_row(data, k, r, bits, boxes[r], spaces[r], near[r], low, high, problem)
            i = n + 2 * r
            problem.lower[i], problem.upper[i] = boxes[r, 0], boxes[r, 1]
            problem.lower[i + 1], problem.upper[i + 1] = boxes[r, 2], boxes[r, 3]
        else:
            interval_row(data, k, heard[k], bits, low, high, problem)
        problem.log_noise[k] -= OUTWARD
        for j in range(n):
            problem.log_interference[k, j] -= OUTWARD
        problem.slack_s[k] += OUTWARD * abs(problem.slack_s[k])
    return problem, constant


@kernel
def cutting_discs(data: SlotData, single: IntVector, decided: IntVector, boxes: Matrix) -> Matrix:
    """Rows (UAV, centre, radius) of discs that cut the wide box of a UAV somebody may send to."""
    n, n_uavs = data.log_fading.shape
    rows = np.empty((n_uavs + n, 4))
    count = 0
    for m in range(n_uavs):
        used = False
        if boxes[m, 0] == boxes[m, 1] and boxes[m, 2] == boxes[m, 3]:
            continue
        for k in range(n):
            used |= single[k] == m
            if decided[k] == m:
                x, y = data.device_xy_m[k]
                _near, far = squared_distances(boxes[m], x, y)
                if far > data.coverage_m**2:
                    rows[count, 0], rows[count, 1], rows[count, 2] = m, x, y
                    rows[count, 3] = data.coverage_m * RADIUS_SLACK
                    count += 1
        x, y = data.start_xy_m[m]
        _near, far = squared_distances(boxes[m], x, y)
        if used and far > data.reach_m**2:
            rows[count, 0], rows[count, 1], rows[count, 2] = m, x, y
            rows[count, 3] = data.reach_m * RADIUS_SLACK
            count += 1
    return rows[:count].copy()


@kernel
def _blank(
    data: SlotData, n: int, n_uavs: int, power_low: Vector, near: Matrix, discs: Matrix
) -> ConvexProblem:
    """Arrays of the problem; UAVs that hear nobody stay where they are linearised."""
    d = n + 2 * n_uavs
    lower, upper = np.zeros(d), np.zeros(d)
    for k in range(n):
        lower[k], upper[k] = power_low[k], data.log_power_max
    for m in range(n_uavs):
        lower[n + 2 * m] = upper[n + 2 * m] = near[m, 0]
        lower[n + 2 * m + 1] = upper[n + 2 * m + 1] = near[m, 1]
    return ConvexProblem(
        lower,
        upper,
        np.full((n, n), -np.inf),
        np.zeros((n, n, 2)),
        np.zeros(n),
        np.zeros((n, 2)),
        np.full(n, -1, np.int64),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.full(n, np.inf),
        discs,
    )


@kernel
def _device_terms(
    data: SlotData,
    k: int,
    core: int,
    heard: int,
    loads: IntVector,
    low: Matrix,
    high: Matrix,
    problem: ConvexProblem,
    constant: Vector,
) -> None:
    """Weights, load, slack and constant of device k; one whose core may refuse has no upload."""
    n_uavs = data.altitude_m.shape[0]
    least, load, slack, propagation = np.inf, np.inf, -np.inf, np.inf
    for o in range(data.n_options[k]):
        if not core >> o & 1:
            continue
        cost, left_s = option_terms(data, k, o, loads, True, low, high)
        least = min(least, cost)
        r = data.receiver[k, o]
        if r != NOT_SENT:
            load = min(load, data.load_s[k, r])
            slack = max(slack, left_s)
            propagation = min(propagation, data.propagation_s[r])
    constant[k] = least
    if may_refuse(heard):
        return
    problem.load_s[k] = load
    problem.slack_s[k] = slack
    problem.propagation_s[k] = propagation
    problem.latency_weight[k] = data.latency_weight
    problem.energy_weight[k] = data.energy_weight
    problem.overrun_weight[k] = data.overrun_weight
    if n_uavs == 0:
        problem.receiver[k] = -1

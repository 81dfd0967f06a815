"""The convex relaxation of a branch-and-bound node, compiled: assembly from slot data.

A node allows every device some options (a bit mask) and every UAV a box of positions. Its
relaxation is one convex problem in log-powers and positions (`convex_terms`):

- A device whose allowed options share a receiver keeps that receiver's gains, bounded by tangents
  with curvature remainders or by intervals, whichever is tighter (`geometry`): its own gain from
  above, interfering gains from below.
- Any other device takes the least over its allowed receivers of each interference-over-own-gain
  ratio and of noise over own gain, the least load, constant and propagation, the greatest slack.
- Interference that some allowed option of the sender avoids is dropped, and so is a device that
  may be left unserved; that one costs the least of its options.
- The download of a UAV is bounded by its best gain and the other UAVs' worst over the boxes.
- With shared compute, a server counts the devices that the node has decided on it.
- Discs (reach, coverage of decided devices) that a box does not lie in are kept as constraints.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from minlp.convex_terms import ConvexProblem
from minlp.geometry import gain_interval, gain_tangent, squared_distances
from minlp.receivers import may_be_unserved, receivers, surely_disturbs
from minlp.slot_data import NOT_SENT, Array, IntArray, SlotData

#: Logs of gains carry errors of some 1e-14; rounding them outward by this keeps bounds valid.
OUTWARD = 1e-12

#: Admissible positions may exceed a disc by the referee's rounding slack; bounds allow for it.
RADIUS_SLACK = 1 + 4e-9


@njit(cache=True, error_model="numpy")
def download_s(data: SlotData, k: int, m: int, low: Array, high: Array) -> float:
    """Least download time of device k from UAV m, log gains in [low, high] (n, M + 1)."""
    if data.answer_bit[k] == 0.0:
        return 0.0
    others = 0.0
    for j in range(data.altitude_m.shape[0]):
        if j != m:
            others += np.exp(low[k, j])
    noise = np.exp(data.log_noise)
    disturbed = np.exp(data.log_leakage) * data.uav_power_W * others + noise
    sinr = np.exp(high[k, m]) * data.uav_power_W / disturbed
    return data.answer_bit[k] * np.log(2.0) / (data.uav_bandwidth_Hz * np.log1p(sinr))


@njit(cache=True, error_model="numpy")
def occupancy(data: SlotData, allowed: IntArray) -> IntArray:
    """Devices surely on each server, with shared compute; indexed like the instance's servers."""
    count = np.zeros(data.server.max() + 2, np.int64)
    if data.shared:
        for k in range(allowed.shape[0]):
            for o in range(data.n_options[k]):
                if allowed[k] == 1 << o and data.server[k, o] >= 0:
                    count[data.server[k, o]] += 1
    return count


@njit(cache=True, error_model="numpy")
def option_terms(
    data: SlotData, k: int, o: int, crowd: IntArray, decided: bool, low: Array, high: Array
) -> tuple[float, float]:
    """(least cost of all but the upload, greatest slack for it) of an option."""
    cost, slack = data.fixed_cost[k, o], data.slack_s[k, o]
    r = data.receiver[k, o]
    late = 0.0
    if data.shared and r != NOT_SENT:
        sharing = crowd[data.server[k, o]] + (0 if decided else 1)
        late += data.execute_s[k, o] * sharing
    if r >= 0 and r < data.altitude_m.shape[0]:
        down = download_s(data, k, r, low, high)
        late += down
        cost += data.energy_weight * data.uav_power_W * down
    return cost + data.latency_weight * late, slack - late


@njit(cache=True, error_model="numpy")
def gain_tables(data: SlotData, boxes: Array) -> tuple[Array, Array]:
    """Intervals (n, M + 1) of all log gains over the boxes; the last column is the satellite's."""
    n, n_uavs = data.log_fading.shape
    low, high = np.empty((n, n_uavs + 1)), np.empty((n, n_uavs + 1))
    for k in range(n):
        for m in range(n_uavs):
            low[k, m], high[k, m] = gain_interval(data, k, m, boxes[m])
        low[k, n_uavs] = high[k, n_uavs] = data.log_satellite[k]
    return low, high


@njit(cache=True, error_model="numpy")
def assemble(
    data: SlotData, allowed: IntArray, boxes: Array, power_low: Array, safe: bool
) -> tuple[ConvexProblem, Array]:
    """The node's convex problem, and its constants a device (n,).

    With safe=False remainders are dropped: a local model for successive convex steps.
    """
    n, n_uavs = data.log_fading.shape
    single, bits = receivers(data, allowed)
    low, high = gain_tables(data, boxes)
    problem = _blank(data, n, n_uavs, power_low, boxes, cutting_discs(data, single, boxes))
    constant = np.zeros(n)
    crowd = occupancy(data, allowed)
    for k in range(n):
        _device_terms(data, k, allowed, bits[k], crowd, low, high, problem, constant)
        if problem.load_s[k] == 0.0:
            continue
        r = single[k]
        problem.receiver[k] = r if 0 <= r < n_uavs else -1
        if 0 <= r < n_uavs:
            _affine_row(data, k, r, bits, boxes[r], low, high, safe, problem)
            i = n + 2 * r
            problem.lower[i], problem.upper[i] = boxes[r, 0], boxes[r, 1]
            problem.lower[i + 1], problem.upper[i + 1] = boxes[r, 2], boxes[r, 3]
        else:
            _interval_row(data, k, bits, low, high, problem)
        problem.log_noise[k] -= OUTWARD
        problem.log_interference[k] -= OUTWARD
        problem.slack_s[k] += OUTWARD * abs(problem.slack_s[k])
    return problem, constant


@njit(cache=True, error_model="numpy")
def cutting_discs(data: SlotData, single: IntArray, boxes: Array) -> Array:
    """Rows (UAV, centre, radius) of discs that cut the wide box of a UAV with decided devices."""
    n, n_uavs = data.log_fading.shape
    rows = np.empty((n_uavs + n, 4))
    count = 0
    for m in range(n_uavs):
        used = False
        if boxes[m, 0] == boxes[m, 1] and boxes[m, 2] == boxes[m, 3]:
            continue
        for k in range(n):
            if single[k] == m:
                used = True
                x, y = data.device_xy_m[k]
                _near, far = squared_distances(boxes[m], x, y)
                if far > data.coverage_m**2:
                    rows[count] = float(m), x, y, data.coverage_m * RADIUS_SLACK
                    count += 1
        x, y = data.start_xy_m[m]
        _near, far = squared_distances(boxes[m], x, y)
        if used and far > data.reach_m**2:
            rows[count] = float(m), x, y, data.reach_m * RADIUS_SLACK
            count += 1
    return rows[:count].copy()


@njit(cache=True, error_model="numpy")
def _blank(
    data: SlotData, n: int, n_uavs: int, power_low: Array, boxes: Array, discs: Array
) -> ConvexProblem:
    """Arrays of the problem; UAVs that hear nobody stay at the centres of their boxes."""
    d = n + 2 * n_uavs
    lower, upper = np.zeros(d), np.zeros(d)
    for k in range(n):
        lower[k], upper[k] = power_low[k], data.log_power_max
    for m in range(n_uavs):
        lower[n + 2 * m] = upper[n + 2 * m] = 0.5 * (boxes[m, 0] + boxes[m, 1])
        lower[n + 2 * m + 1] = upper[n + 2 * m + 1] = 0.5 * (boxes[m, 2] + boxes[m, 3])
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


@njit(cache=True, error_model="numpy")
def _device_terms(
    data: SlotData,
    k: int,
    allowed: IntArray,
    bits: int,
    crowd: IntArray,
    low: Array,
    high: Array,
    problem: ConvexProblem,
    constant: Array,
) -> None:
    """Weights, load, slack and constant of device k; a device that may be unserved is dropped."""
    n_uavs = data.altitude_m.shape[0]
    least, load, slack, propagation = np.inf, np.inf, -np.inf, np.inf
    for o in range(data.n_options[k]):
        if not allowed[k] >> o & 1:
            continue
        cost, room = option_terms(data, k, o, crowd, allowed[k] == 1 << o, low, high)
        least = min(least, cost)
        r = data.receiver[k, o]
        if r != NOT_SENT:
            load = min(load, data.load_s[k, r])
            slack = max(slack, room)
            propagation = min(propagation, data.propagation_s[r])
    constant[k] = least
    if may_be_unserved(bits):
        problem.lower[k] = problem.upper[k] = 0.0
        return
    problem.load_s[k] = load
    problem.slack_s[k] = slack
    problem.propagation_s[k] = propagation
    problem.latency_weight[k] = data.latency_weight
    problem.energy_weight[k] = data.energy_weight
    problem.overrun_weight[k] = data.overrun_weight
    if n_uavs == 0:
        problem.receiver[k] = -1


@njit(cache=True, error_model="numpy")
def _interval_row(
    data: SlotData, k: int, bits: IntArray, low: Array, high: Array, problem: ConvexProblem
) -> None:
    """Ratios of device k at the satellite, or the least over several receivers."""
    n, n_uavs = data.log_fading.shape
    problem.log_noise[k] = np.inf
    for r in range(n_uavs + 1):
        if bits[k] >> r & 1:
            problem.log_noise[k] = min(problem.log_noise[k], data.log_noise - high[k, r])
    if data.log_leakage == -np.inf:
        return
    for j in range(n):
        if j == k:
            continue
        least = np.inf
        for r in range(n_uavs + 1):
            if bits[k] >> r & 1:
                if surely_disturbs(data.scope, bits[j], r, n_uavs):
                    least = min(least, data.log_leakage + low[j, r] - high[k, r])
                else:
                    least = -np.inf
        problem.log_interference[k, j] = least


@njit(cache=True, error_model="numpy")
def _affine_row(
    data: SlotData,
    k: int,
    m: int,
    bits: IntArray,
    box: Array,
    low: Array,
    high: Array,
    safe: bool,
    problem: ConvexProblem,
) -> None:
    """Ratios of device k at UAV m, as affine functions of its position."""
    n, n_uavs = data.log_fading.shape
    cx, cy = 0.5 * (box[0] + box[1]), 0.5 * (box[2] + box[3])
    value, sx, sy, _below, above = gain_tangent(data, k, m, box)
    if not safe:
        above = 0.0
    elif value + above >= high[k, m]:
        value, sx, sy, above = high[k, m], 0.0, 0.0, 0.0
    own = value + above - sx * cx - sy * cy
    problem.log_noise[k] = data.log_noise - own
    problem.noise_slope[k, 0], problem.noise_slope[k, 1] = -sx, -sy
    if data.log_leakage == -np.inf:
        return
    for j in range(n):
        if j == k or not surely_disturbs(data.scope, bits[j], m, n_uavs):
            continue
        other, ox, oy, below, _above = gain_tangent(data, j, m, box)
        if not safe:
            below = 0.0
        elif other - below <= low[j, m]:
            other, ox, oy, below = low[j, m], 0.0, 0.0, 0.0
        other += -below - ox * cx - oy * cy
        problem.log_interference[k, j] = data.log_leakage + other - own
        problem.interference_slope[k, j, 0] = ox - sx
        problem.interference_slope[k, j, 1] = oy - sy

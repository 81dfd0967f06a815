"""Good plans of one slot, compiled: true costs, successive convex steps, local search.

Costs here follow the referee's equations on slot data; every plan that leaves the package is
judged by the referee itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from minlp.branch_and_bound.relaxation import assemble, gain_tables, occupancy, option_terms
from minlp.convex.solve import minimise_kernel
from minlp.slot.data import NOT_SENT, Array, IntArray, SlotData
from minlp.slot.geometry import discs_of, project_position


@njit(cache=True, error_model="numpy")
def chosen_receivers(data: SlotData, choice: IntArray) -> IntArray:
    """Receiver of every device under option indices (n,)."""
    receiver = np.empty(choice.shape[0], np.int64)
    for k in range(choice.shape[0]):
        receiver[k] = data.receiver[k, choice[k]]
    return receiver


@njit(cache=True, error_model="numpy")
def point_boxes(xy: Array) -> Array:
    """Boxes (M, 4) of no extent around positions (M, 2)."""
    boxes = np.empty((xy.shape[0], 4))
    for m in range(xy.shape[0]):
        boxes[m, 0] = boxes[m, 1] = xy[m, 0]
        boxes[m, 2] = boxes[m, 3] = xy[m, 1]
    return boxes


@njit(cache=True, error_model="numpy")
def option_cost(
    data: SlotData,
    k: int,
    o: int,
    receiver: IntArray,
    crowd: IntArray,
    log_power: Array,
    gains: Array,
) -> float:
    """Elastic cost of device k under option o, others as in `receiver`; log gains (n, M + 1)."""
    r = data.receiver[k, o]
    if r == NOT_SENT:
        return data.fixed_cost[k, o]
    n_uavs = data.altitude_m.shape[0]
    heard = 0.0
    for j in range(receiver.shape[0]):
        if j == k or receiver[j] == NOT_SENT:
            continue
        same = data.scope == 0
        if data.scope == 1:
            same = (receiver[j] == n_uavs) == (r == n_uavs)
        elif data.scope == 2:
            same = receiver[j] == r
        if same:
            heard += np.exp(gains[j, r] + log_power[j])
    disturbed = np.exp(data.log_leakage) * heard + np.exp(data.log_noise)
    sinr = np.exp(gains[k, r] + log_power[k]) / disturbed
    upload_s = data.load_s[k, r] / np.log1p(sinr)
    fixed, slack = option_terms(data, k, o, crowd, True, gains, gains)
    power_W = np.exp(log_power[k])
    cost = fixed + data.latency_weight * upload_s
    cost += data.energy_weight * power_W * (upload_s + data.propagation_s[r])
    return cost + data.overrun_weight * max(0.0, upload_s - slack)


@njit(cache=True, error_model="numpy")
def device_costs(data: SlotData, choice: IntArray, log_power: Array, xy: Array) -> Array:
    """Elastic cost (n,) of every device under option indices, log-powers and positions (M, 2)."""
    n = choice.shape[0]
    gains, _high = gain_tables(data, point_boxes(xy))
    receiver = chosen_receivers(data, choice)
    allowed = np.empty(n, np.int64)
    for k in range(n):
        allowed[k] = 1 << choice[k]
    crowd = occupancy(data, allowed)
    costs = np.empty(n)
    for k in range(n):
        costs[k] = option_cost(data, k, choice[k], receiver, crowd, log_power, gains)
    return costs


@njit(cache=True, error_model="numpy")
def best_powers(
    data: SlotData, choice: IntArray, log_power: Array, xy: Array, gap: float
) -> tuple[float, Array]:
    """(cost, log-powers) of the convex power problem at fixed options and positions."""
    return local_step(data, choice, log_power, point_boxes(xy), xy, gap)[:2]


@njit(cache=True, error_model="numpy")
def local_step(
    data: SlotData, choice: IntArray, log_power: Array, boxes: Array, xy: Array, gap: float
) -> tuple[float, Array, Array]:
    """Minimise the local model over boxes; (model cost, log-powers, positions)."""
    n, n_uavs = data.log_fading.shape
    allowed = np.empty(n, np.int64)
    for k in range(n):
        allowed[k] = 1 << choice[k]
    floor = np.full(n, data.log_power_min)
    problem, constant = assemble(data, allowed, allowed, boxes, floor, xy, False)
    y, gradient = np.zeros(n + 2 * n_uavs), np.zeros(n + 2 * n_uavs)
    y[:n] = log_power
    for m in range(n_uavs):
        y[n + 2 * m], y[n + 2 * m + 1] = xy[m, 0], xy[m, 1]
    multiplier = np.zeros(n)
    cost, _bound, _steps, _status = minimise_kernel(
        problem, y, multiplier, gradient, False, gap, 0.0, np.inf, 40
    )
    moved = np.empty((n_uavs, 2))
    for m in range(n_uavs):
        moved[m, 0], moved[m, 1] = y[n + 2 * m], y[n + 2 * m + 1]
    powers = np.empty(n)
    for k in range(n):
        powers[k] = min(max(y[k], data.log_power_min), data.log_power_max)
    return cost + constant.sum(), powers, moved


@njit(cache=True, error_model="numpy")
def reach_boxes(data: SlotData) -> Array:
    """Boxes (M, 4) around what every UAV reaches in the area."""
    n_uavs = data.start_xy_m.shape[0]
    boxes = np.empty((n_uavs, 4))
    for m in range(n_uavs):
        for axis in range(2):
            boxes[m, 2 * axis] = max(data.start_xy_m[m, axis] - data.reach_m, 0.0)
            boxes[m, 2 * axis + 1] = min(data.start_xy_m[m, axis] + data.reach_m, data.side_m)
    return boxes


@njit(cache=True, error_model="numpy")
def settle(data: SlotData, receiver: IntArray, xy: Array) -> bool:
    """Put positions into their discs, in place; False where that is impossible."""
    boxes = reach_boxes(data)
    fine = True
    for m in range(xy.shape[0]):
        discs = discs_of(data, m, receiver)
        x, y, inside = project_position(discs, xy[m, 0], xy[m, 1], boxes[m])
        xy[m, 0], xy[m, 1] = x, y
        fine = fine and inside
    return fine and apart(data, xy)


@njit(cache=True, error_model="numpy")
def apart(data: SlotData, xy: Array) -> bool:
    """Whether all UAVs keep the separation."""
    if data.separation_m == 0.0:
        return True
    for a in range(xy.shape[0]):
        for b in range(a):
            if np.hypot(xy[a, 0] - xy[b, 0], xy[a, 1] - xy[b, 1]) < data.separation_m:
                return False
    return True


@njit(cache=True, error_model="numpy")
def polish(
    data: SlotData, choice: IntArray, log_power: Array, xy: Array, steps: int, gap: float
) -> tuple[float, Array, Array]:
    """Successive convex steps from feasible positions; (cost, log-powers, positions).

    Each step minimises the tangent model inside a trust box around where the UAVs are; it is
    taken when the true cost falls, else the box shrinks.
    """
    receiver = chosen_receivers(data, choice)
    _model, powers = best_powers(data, choice, log_power, xy, gap)
    cost = device_costs(data, choice, powers, xy).sum()
    place = xy.copy()
    trust = 0.5 * data.reach_m
    for _ in range(steps):
        boxes = point_boxes(place)
        boxes[:, 0::2] -= trust
        boxes[:, 1::2] += trust
        _model, tried, moved = local_step(data, choice, powers, boxes, place, gap)
        fine = settle(data, receiver, moved)
        if fine:
            _model, tried = best_powers(data, choice, tried, moved, gap)
            here = device_costs(data, choice, tried, moved).sum()
        if fine and here < cost:
            gain, cost = cost - here, here
            powers, place = tried, moved
            if gain < 0.1 * gap * cost:
                break
            trust = min(1.5 * trust, 0.5 * data.reach_m)
        else:
            trust *= 0.25
            if trust < 1e-4 * data.reach_m:
                break
    return cost, powers, place


@njit(cache=True, error_model="numpy")
def away_from_business(data: SlotData, choice: IntArray, log_power: Array, xy: Array) -> float:
    """Move UAVs that serve nobody to where their downlink disturbs least; returns the cost."""
    receiver = chosen_receivers(data, choice)
    cost = device_costs(data, choice, log_power, xy).sum()
    boxes = reach_boxes(data)
    for m in range(xy.shape[0]):
        if (receiver == m).any():
            continue
        for step in range(16):
            angle = step * np.pi / 8
            trial = xy.copy()
            x = data.start_xy_m[m, 0] + data.reach_m * np.cos(angle)
            y = data.start_xy_m[m, 1] + data.reach_m * np.sin(angle)
            discs = discs_of(data, m, receiver)
            trial[m, 0], trial[m, 1], _inside = project_position(discs, x, y, boxes[m])
            here = device_costs(data, choice, log_power, trial).sum()
            if here < cost and apart(data, trial):
                cost = here
                xy[m] = trial[m]
    return cost

"""A node of branch and bound, compiled: its bound, a candidate plan, and where to branch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from minlp.convex import minimise_kernel
from minlp.convex_terms import evaluate, new_point
from minlp.geometry import common_point, discs_of, shrink_to_disc, squared_distances
from minlp.local import (
    apart,
    chosen_receivers,
    device_costs,
    option_cost,
    point_boxes,
    reach_boxes,
    settle,
)
from minlp.relaxation import (
    RADIUS_SLACK,
    assemble,
    download_s,
    gain_tables,
    occupancy,
    option_terms,
    receivers,
)
from minlp.slot_data import NOT_SENT, Array, IntArray, SlotData

#: Rounding of the sums outside the convex kernel, relative to their absolute values.
MARGIN = 1e-13

DEVICE, UAV, NOTHING = 0, 1, 2


class Evaluation(NamedTuple):
    """What one node yields. Costs are sums over devices."""

    lower_bound: float
    candidate_cost: float  # of the candidate below, inf if it is not admissible
    choice: IntArray  # (n,) option indices
    log_power: Array  # (n,)
    xy_m: Array  # (M, 2)
    kind: int  # DEVICE, UAV or NOTHING to branch on
    index: int


@njit(cache=True, error_model="numpy")
def root_boxes(data: SlotData) -> Array:
    """Boxes around the reach discs."""
    return reach_boxes(data)


@njit(cache=True, error_model="numpy")
def tighten(data: SlotData, allowed: IntArray, boxes: Array) -> bool:
    """Cut boxes to the discs that hold and drop options out of reach, both in place.

    False when the node is empty.
    """
    while True:
        single, _bits = receivers(data, allowed)
        for m in range(boxes.shape[0]):
            discs = discs_of(data, m, single)
            for i in range(discs.shape[0]):
                if not shrink_to_disc(boxes[m], discs[i, 0], discs[i, 1], discs[i, 2]):
                    return False
            _x, _y, meets = common_point(discs, RADIUS_SLACK - 1)
            if not meets:
                return False
        before = allowed.copy()
        _drop_uncovered(data, allowed, single, boxes)
        if (allowed == 0).any():
            return False
        if (allowed == before).all():
            return _separable(data, boxes) and _refusable(data, single, boxes)


@njit(cache=True, error_model="numpy")
def _drop_uncovered(data: SlotData, allowed: IntArray, single: IntArray, boxes: Array) -> None:
    """Drop options on UAVs that cannot cover the device beside those decided on them; in place."""
    for k in range(allowed.shape[0]):
        if allowed[k] & (allowed[k] - 1) == 0:
            continue
        for o in range(data.n_options[k]):
            m = data.receiver[k, o]
            if not allowed[k] >> o & 1 or m < 0 or m >= boxes.shape[0]:
                continue
            x, y = data.device_xy_m[k]
            near, _far = squared_distances(boxes[m], x, y)
            if near <= data.coverage_m**2 * (1 + 1e-8):
                trial = single.copy()
                trial[k] = m
                _x, _y, meets = common_point(discs_of(data, m, trial), RADIUS_SLACK - 1)
                if meets:
                    continue
            allowed[k] &= ~(1 << o)


@njit(cache=True, error_model="numpy")
def _separable(data: SlotData, boxes: Array) -> bool:
    """False when two boxes lie within less than the separation of each other entirely."""
    if data.separation_m == 0.0:
        return True
    for a in range(boxes.shape[0]):
        for b in range(a):
            wide = max(boxes[a, 1] - boxes[b, 0], boxes[b, 1] - boxes[a, 0])
            tall = max(boxes[a, 3] - boxes[b, 2], boxes[b, 3] - boxes[a, 2])
            if np.hypot(wide, tall) < data.separation_m * (1 - 1e-8):
                return False
    return True


@njit(cache=True, error_model="numpy")
def _refusable(data: SlotData, single: IntArray, boxes: Array) -> bool:
    """False when a request left unserved is covered wherever one of its UAVs goes."""
    for k in range(single.shape[0]):
        if single[k] != NOT_SENT:
            continue
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            if 0 <= r < boxes.shape[0]:
                x, y = data.device_xy_m[k]
                _near, far = squared_distances(boxes[r], x, y)
                if far <= data.coverage_m**2:
                    return False
    return True


@njit(cache=True, error_model="numpy")
def _separable(data: SlotData, boxes: Array) -> bool:
    """False when two boxes lie within less than the separation of each other entirely."""
    if data.separation_m == 0.0:
        return True
    for a in range(boxes.shape[0]):
        for b in range(a):
            wide = max(boxes[a, 1] - boxes[b, 0], boxes[b, 1] - boxes[a, 0])
            tall = max(boxes[a, 3] - boxes[b, 2], boxes[b, 3] - boxes[a, 2])
            if np.hypot(wide, tall) < data.separation_m * (1 - 1e-8):
                return False
    return True


@njit(cache=True, error_model="numpy")
def evaluate_node(
    data: SlotData,
    allowed: IntArray,
    boxes: Array,
    power_low: Array,
    start: Array,
    cutoff: float,
    gap: float,
) -> Evaluation:
    """Bound a node over tightened boxes. `start` (n + 2M,) is where the solver begins.

    The bound holds whatever happened to the solver; it may stop early once the bound reaches
    `cutoff`, and aims at an absolute accuracy of `gap`.
    """
    n, n_uavs = data.log_fading.shape
    problem, constant = assemble(data, allowed, boxes, power_low, True)
    y, gradient, multiplier = start.copy(), np.zeros(start.shape[0]), np.zeros(n)
    base = constant.sum()
    _cost, bound, _steps, _status = minimise_kernel(
        problem, y, multiplier, gradient, False, 1e-9, gap, cutoff - base, 60
    )
    bound += base - MARGIN * (np.abs(constant).sum() + abs(bound))
    point = new_point(n, y.shape[0], problem.disc.shape[0])
    evaluate(problem, y, point)
    relaxed = constant.copy()
    for k in range(n):
        h = point.upload[k]
        relaxed[k] += problem.latency_weight[k] * h
        relaxed[k] += problem.energy_weight[k] * point.power[k] * (h + problem.propagation_s[k])
        relaxed[k] += problem.overrun_weight[k] * max(0.0, h - problem.slack_s[k])
    powers, xy = y[:n].copy(), np.empty((n_uavs, 2))
    for k in range(n):
        powers[k] = min(max(powers[k], data.log_power_min), data.log_power_max)
    for m in range(n_uavs):
        xy[m, 0], xy[m, 1] = y[n + 2 * m], y[n + 2 * m + 1]
    choice = round_choice(data, allowed, powers, xy)
    true = device_costs(data, choice, powers, xy)
    kind, index = branch_on(data, allowed, boxes, relaxed, true, xy)
    inside = settle(data, chosen_receivers(data, choice), xy)
    total = device_costs(data, choice, powers, xy).sum() if inside else np.inf
    if not np.isfinite(bound):
        bound = -np.inf
    return Evaluation(bound, total, choice, powers, xy, kind, index)


@njit(cache=True, error_model="numpy")
def round_choice(data: SlotData, allowed: IntArray, log_power: Array, xy: Array) -> IntArray:
    """An option for every device: the cheapest allowed one that the UAVs can still cover."""
    n, n_uavs = data.log_fading.shape
    gains, _high = gain_tables(data, point_boxes(xy))
    single, _bits = receivers(data, allowed)
    choice = np.zeros(n, np.int64)
    for k in range(n):
        least = np.inf
        for o in range(data.n_options[k]):
            if allowed[k] >> o & 1 and data.fixed_cost[k, o] < least:
                least, choice[k] = data.fixed_cost[k, o], o
    fixed = np.empty(n, np.int64)
    for k in range(n):
        if allowed[k] == 1 << choice[k]:
            continue
        receiver = chosen_receivers(data, choice)
        for j in range(n):
            fixed[j] = 1 << choice[j]
        crowd = occupancy(data, fixed)
        least = np.inf
        for o in range(data.n_options[k]):
            if not allowed[k] >> o & 1:
                continue
            r = data.receiver[k, o]
            cost = option_cost(data, k, o, receiver, crowd, log_power, gains)
            if cost < least and 0 <= r < n_uavs:
                trial = single.copy()
                trial[k] = r
                _x, _y, meets = common_point(discs_of(data, r, trial), 0.0)
                if not meets:
                    continue
            if cost < least:
                least, choice[k] = cost, o
        single[k] = data.receiver[k, choice[k]]
    return choice


@njit(cache=True, error_model="numpy")
def branch_on(
    data: SlotData, allowed: IntArray, boxes: Array, relaxed: Array, true: Array, xy: Array
) -> tuple[int, int]:
    """The device or UAV whose relaxation loses most at the candidate."""
    n, n_uavs = data.log_fading.shape
    single, _bits = receivers(data, allowed)
    low, high = gain_tables(data, boxes)
    here, _same = gain_tables(data, point_boxes(xy))
    worst, kind, index = -1.0, NOTHING, -1
    loss, half = np.zeros(n_uavs), np.empty(n_uavs)
    for m in range(n_uavs):
        half[m] = np.hypot(boxes[m, 1] - boxes[m, 0], boxes[m, 3] - boxes[m, 2])
    for k in range(n):
        lost = true[k] - relaxed[k]
        if allowed[k] & (allowed[k] - 1) != 0:
            if lost > worst:
                worst, kind, index = lost, DEVICE, k
        elif 0 <= single[k] < n_uavs:
            m = single[k]
            down = download_s(data, k, m, here, here) - download_s(data, k, m, low, high)
            down *= data.latency_weight + data.energy_weight * data.uav_power_W
            loss[m] += max(lost - down, 0.0)
            total = half.sum()
            for j in range(n_uavs):
                if total > 0.0:
                    loss[j] += max(down, 0.0) * half[j] / total
    if not apart(data, xy):
        for m in range(n_uavs):
            loss[m] += half[m]
    for k in range(n):
        if single[k] == NOT_SENT:
            for o in range(data.n_options[k]):
                r = data.receiver[k, o]
                if 0 <= r < n_uavs:
                    loss[r] += half[r]
    for m in range(n_uavs):
        if half[m] > 1e-7 * data.side_m and loss[m] > worst:
            worst, kind, index = loss[m], UAV, m
    return kind, index


@njit(cache=True, error_model="numpy")
def lone_costs(data: SlotData, boxes: Array) -> Array:
    """(n, O) least cost of every option without interference, at the best place: a valid bound."""
    n = data.log_fading.shape[0]
    low, high = gain_tables(data, boxes)
    crowd = np.zeros(data.server.max() + 2, np.int64)
    costs = np.full(data.receiver.shape, np.inf)
    for k in range(n):
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            fixed, slack = option_terms(data, k, o, crowd, False, low, high)
            if r == NOT_SENT:
                costs[k, o] = fixed
                continue
            ratio = np.exp(high[k, r] - data.log_noise + data.log_power_max)
            upload_s = data.load_s[k, r] / np.log1p(ratio)
            late = data.overrun_weight * max(0.0, upload_s - slack)
            # energy of the upload falls with power: at least its limit of vanishing power
            joules = data.load_s[k, r] * np.exp(data.log_noise - high[k, r])
            cost = fixed + data.latency_weight * upload_s + late + data.energy_weight * joules
            costs[k, o] = cost - MARGIN * abs(cost)
    return costs


@njit(cache=True, error_model="numpy")
def least_powers(data: SlotData, lone: Array, boxes: Array, budget: float) -> Array:
    """(n,) log-powers below which a device alone would push the total over `budget`."""
    n = data.log_fading.shape[0]
    _low, high = gain_tables(data, boxes)
    least = np.empty(n)
    for k in range(n):
        least[k] = lone[k, : data.n_options[k]].min()
    total = least.sum()
    floor = np.full(n, data.log_power_min)
    for k in range(n):
        left = budget - (total - least[k])
        lowest = data.log_power_max
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            if r == NOT_SENT:
                lowest = data.log_power_min
                break
            longest = (left - data.fixed_cost[k, o]) / max(data.latency_weight, 1e-300)
            slack, price = data.slack_s[k, o], data.latency_weight + data.overrun_weight
            if price > 0.0 and longest > slack:
                bent = left - data.fixed_cost[k, o] + data.overrun_weight * slack
                longest = min(longest, bent / price)
            if longest <= 0.0:
                continue
            ratio = np.expm1(data.load_s[k, r] / longest)
            needed = np.log(ratio) + data.log_noise - high[k, r] - 1e-6
            lowest = min(lowest, needed)
        floor[k] = min(max(floor[k], lowest), data.log_power_max)
    return floor

"""A node of branch and bound, compiled: its bound, a candidate plan, and where to branch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from minlp.convex import minimise_kernel
from minlp.convex_terms import evaluate, new_point
from minlp.geometry import common_point, discs_of
from minlp.local import (
    apart,
    chosen_receivers,
    device_costs,
    option_cost,
    point_boxes,
    settle,
)
from minlp.presolve import MARGIN
from minlp.receivers import receivers
from minlp.relaxation import (
    assemble,
    download_s,
    gain_tables,
    occupancy,
)
from minlp.slot_data import NOT_SENT, Array, IntArray, SlotData

DEVICE, UAV, NOTHING = 0, 1, 2


class Evaluation(NamedTuple):
    """What one node yields. Costs are sums over devices."""

    lower_bound: float
    candidate_cost: float  # of the candidate below, inf if it is not admissible
    choice: IntArray  # (n,) option indices
    log_power: Array  # (n,)
    xy_m: Array  # (M, 2)
    kind: int  # DEVICE, UAV or NOTHING to branch on
    target: int  # the device or UAV


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

"""What can be ruled out before a node is bounded, compiled: places, options, powers."""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.loads import counted
from minlp.branch_and_bound.receivers import receivers
from minlp.branch_and_bound.relaxation import gain_tables
from minlp.slot.cost import no_loads, option_terms
from minlp.slot.data import NOT_SENT, Array, SlotData
from minlp.slot.geometry import RADIUS_SLACK, shrink_to_disc, squared_distances
from minlp.slot.region import common_point, discs_of, start_reach
from satedge.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel
from satedge.kernels.arrays import holds, least_at

#: Rounding of the sums outside the convex kernel, relative to their absolute values.
MARGIN = 1e-13


def outer_boxes(data: SlotData) -> Array:
    """Boxes (M, 4) around all that UAVs may reach, the referee's rounding slack included.

    Bounds of gains are tight on the border, so that the slack is no longer lost in them.
    """
    slack_m = (RADIUS_SLACK - 1) * (data.reach_m + data.side_m)
    boxes = np.empty((len(data.start_xy_m), 4))
    boxes[:, 0::2] = np.maximum(data.start_xy_m - data.reach_m, 0.0) - slack_m
    boxes[:, 1::2] = np.minimum(data.start_xy_m + data.reach_m, data.side_m) + slack_m
    return boxes


class Region(Record):
    """What a node still allows."""

    allowed: IntVector  # (n,) bits of the options of each device
    boxes: Matrix  # (M, 4) x low, x high, y low, y high of each UAV
    spans: IntMatrix  # (S, 2) least and greatest load of each server; no rows where dedicated


def copied(region: Region) -> Region:
    """A region of its own."""
    return Region(region.allowed.copy(), region.boxes.copy(), region.spans.copy())


@kernel
def tighten(data: SlotData, region: Region) -> bool:
    """Cut boxes to the discs that hold, drop options out of reach or load; all in place.

    False when the node is empty.
    """
    allowed, boxes, reach = region.allowed, region.boxes, start_reach(data)
    while True:
        single, _bits = receivers(data, allowed)
        for m in range(boxes.shape[0]):
            discs = discs_of(data, reach, single, m)
            for i in range(discs.shape[0]):
                if not shrink_to_disc(boxes[m], discs[i, 0], discs[i, 1], discs[i, 2]):
                    return False
            _x, _y, meets = common_point(discs, RADIUS_SLACK - 1)
            if not meets:
                return False
        before = allowed.copy()
        _drop_uncovered(data, reach, allowed, single, boxes)
        if holds(allowed, 0) or not counted(data, allowed, region.spans) or holds(allowed, 0):
            return False
        if (allowed == before).all():
            return _separable(data, boxes)


@kernel
def _drop_uncovered(
    data: SlotData, reach: Cube, allowed: IntVector, single: IntVector, boxes: Matrix
) -> None:
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
                discs = discs_of(data, reach, trial, m)
                _x, _y, meets = common_point(discs, RADIUS_SLACK - 1)
                if meets:
                    continue
            allowed[k] &= ~(1 << o)


@kernel
def _separable(data: SlotData, boxes: Matrix) -> bool:
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


@kernel
def lone_costs(data: SlotData, boxes: Matrix) -> Matrix:
    """(n, O) least cost of every option without interference, at the best place: a valid bound."""
    n = data.log_fading.shape[0]
    low, high = gain_tables(data, boxes)
    loads = no_loads(data)
    costs = np.full(data.receiver.shape, np.inf)
    for k in range(n):
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            fixed, slack = option_terms(data, k, o, loads, False, low, high)
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


@kernel
def least_powers(data: SlotData, lone: Matrix, boxes: Matrix, budget: float) -> Vector:
    """(n,) log-powers below which a device that sends would push the total over `budget`."""
    n = data.log_fading.shape[0]
    _low, high = gain_tables(data, boxes)
    least = np.empty(n)
    for k in range(n):
        least[k] = lone[k, least_at(lone[k, : data.n_options[k]])]
    total = least.sum()
    floor = np.full(n, data.log_power_min)
    for k in range(n):
        left = budget - (total - least[k])
        lowest = data.log_power_max
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            if r == NOT_SENT:
                continue
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

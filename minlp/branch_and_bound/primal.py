"""Primal heuristics of branch and bound: first plans, local search by prices, idle UAVs."""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.core_bound import priced
from minlp.branch_and_bound.loads import cheapest_choice, full_spans, move_price, swap_price
from minlp.branch_and_bound.presolve import Region
from minlp.improvement.neighbourhood import improve, move_index, swap_index, sweep
from minlp.slot.cost import chosen_receivers, device_costs, loads_of
from minlp.slot.data import Array, IntArray, SlotData
from minlp.slot.region import (
    apart,
    area_box,
    covers,
    discs_of,
    nearest_position,
    reach_boxes,
    repair,
    start_reach,
)
from minlp.slot.value import Point, copied, copy_point, new_point
from satedge.kernels import IntVector, Matrix, Vector, kernel
from satedge.kernels.arrays import holds

#: Prices of moves count UAVs within this share of their reach, and powers within e^SPAN below.
SHARE, SPAN = 0.5, 2.5

#: A favoured change this much above the incumbent, relatively, still has its positions polished.
HOPE = 0.05

#: Steps that the positions of a favoured change get.
HOPE_STEPS = 6


def point_at(choice: IntArray, log_power: Array, xy_m: Array) -> Point:
    """A point without value: option indices (n,), log-powers (n,), positions (M, 2)."""
    point = new_point(len(choice), len(xy_m))
    point.choice[:], point.log_power[:], point.uav_xy_m[:] = choice, log_power, xy_m
    return point


def local_search(data: SlotData, reach: Array, point: Point, rounds: int, gap: float) -> None:
    """Take the best-priced move or swap that pays, `rounds` times at most, in place."""
    improve(data, reach, point, 8, gap)
    for _ in range(rounds):
        if not np.isfinite(point.value[0]):
            return
        least = gap * point.value[0]
        price = prices_at(data, point, least)
        if not _jump(data, reach, point, price, gap):
            order = changes_at(data, point, price, least)
            if not sweep(data, reach, point, order, HOPE, HOPE_STEPS, 1):
                break
    improve(data, reach, point, 20, gap)


def _jump(data: SlotData, reach: Array, point: Point, price: Array, gap: float) -> bool:
    """Go where the prices of shared servers lead all devices at once, if that is better."""
    if not data.shared:
        return False
    trial = copied(point)
    cheapest_choice(data, price, trial.choice)
    if (trial.choice == point.choice).all():
        return False
    improve(data, reach, trial, 8, gap)
    if not trial.value[0] < point.value[0] * (1 - 1e-9):
        return False
    copy_point(trial, point)
    return True


def prices_at(data: SlotData, point: Point, gap: float) -> Array:
    """(n, O, C) prices of all options around a point, 0 for what is chosen.

    The prices (`prices`) bound what a change costs from below as long as UAVs and powers stay
    near, so that changes with positive prices need not be tried.
    """
    choice, xy = point.choice, point.uav_xy_m
    boxes, near_m = reach_boxes(data), SHARE * data.reach_m
    boxes[:, 0::2] = np.maximum(boxes[:, 0::2], xy - near_m)
    boxes[:, 1::2] = np.minimum(boxes[:, 1::2], xy + near_m)
    floor = np.maximum(point.log_power - SPAN, data.log_power_min)
    start = np.concatenate((point.log_power, xy.ravel()))
    region = Region((1 << data.n_options) - 1, boxes, full_spans(data))
    dual, core = np.zeros(len(choice)), 1 << choice
    return priced(data, region, core, choice, floor, start, dual, np.inf, gap).price


def changes_at(data: SlotData, point: Point, price: Array, gap: float) -> IntArray:
    """Indices of the moves of one device and swaps of two that prices favour, best first."""
    choice, loads = point.choice, loads_of(data, point.choice)
    found: list[tuple[float, int]] = []
    for k in range(len(choice)):
        for o in range(int(data.n_options[k])):
            if o != choice[k]:
                gain = move_price(data, price, loads, choice, k, o)
                found.append((gain, move_index(data, k, o)))
        for j in range(k):
            found.append((swap_price(data, price, loads, choice, j, k), swap_index(data, j, k)))
    return np.array([index for gain, index in sorted(found) if gain < -gap], np.int64)


def staying_options(data: SlotData, lone: Array) -> IntArray:
    """The option of least lone cost (n, O) a device when the UAVs stay: always admissible."""
    cost = lone.copy()
    for k, o in np.ndindex(*cost.shape):
        r = data.receiver[k, o]
        if 0 <= r < len(data.start_xy_m) and not covers(data, k, data.start_xy_m[r], 0.0):
            cost[k, o] = np.inf
    return cost.argmin(axis=1)


def inserted_options(
    data: SlotData, reach: Array, lone: Array, choice: IntArray, xy: Array
) -> IntArray:
    """Devices move to their cheapest options one by one as far as positions `xy` can follow.

    `xy` (M, 2) holds admissible positions for `choice` and is updated in place.
    """
    for k in range(len(choice)):
        for o in np.argsort(lone[k, : data.n_options[k]]):
            if o == choice[k]:
                break
            trial, moved = choice.copy(), xy.copy()
            trial[k] = o
            if repair(data, reach, chosen_receivers(data, trial), moved):
                choice = trial
                xy[:] = moved
                break
    return choice


@kernel
def away_from_business(data: SlotData, choice: IntVector, log_power: Vector, xy: Matrix) -> float:
    """Move UAVs that serve nobody to where their downlink interferes least; returns the cost."""
    receiver = chosen_receivers(data, choice)
    cost = device_costs(data, choice, log_power, xy).sum()
    reach, area = start_reach(data), area_box(data)
    for m in range(xy.shape[0]):
        if holds(receiver, m):
            continue
        discs = discs_of(data, reach, receiver, m)
        for step in range(16):
            angle = step * np.pi / 8
            trial = xy.copy()
            x = data.start_xy_m[m, 0] + data.reach_m * np.cos(angle)
            y = data.start_xy_m[m, 1] + data.reach_m * np.sin(angle)
            trial[m, 0], trial[m, 1], _fine = nearest_position(discs, area, x, y)
            here = device_costs(data, choice, log_power, trial).sum()
            if here < cost and apart(data, trial):
                cost = here
                xy[m, 0], xy[m, 1] = trial[m]
    return cost

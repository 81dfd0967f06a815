"""Local search over servers, compiled: moves of one device and swaps of two, by their prices."""

from __future__ import annotations

import numpy as np
from numba import njit

from minlp.branch_and_bound.core_bound import priced
from minlp.branch_and_bound.primal import chosen_receivers, polish, reach_boxes, settle
from minlp.slot.data import NOT_SENT, Array, IntArray, SlotData

#: Prices of moves count UAVs within this share of their reach, and powers within e^SPAN below.
SHARE, SPAN = 0.5, 2.5


@njit(cache=True, error_model="numpy")
def option_with(data: SlotData, k: int, server: int) -> int:
    """Index of device k's option with a server, or -1."""
    for o in range(data.n_options[k]):
        if data.server[k, o] == server:
            return o
    return -1


@njit(cache=True, error_model="numpy")
def local_search(
    data: SlotData, choice: IntArray, log_power: Array, xy: Array, tries: int, gap: float
) -> tuple[float, IntArray, Array, Array]:
    """(cost, options, log-powers, positions) that no priced move or swap improves.

    Starts from admissible positions (M, 2) and ends after `tries` polished moves at the latest.
    """
    best, powers, place = polish(data, choice, log_power, xy, 8, gap)
    current = choice.copy()
    improved = tries > 0
    while improved:
        improved = False
        for trial in promising(data, current, powers, place, gap * best):
            if tries == 0:
                break
            tries -= 1
            moved = place.copy()
            if not settle(data, chosen_receivers(data, trial), moved):
                continue
            cost, p, q = polish(data, trial, powers, moved, 3, gap)
            if cost < best * (1 - 1e-12):
                best, current, powers, place = cost, trial.copy(), p, q
                improved = True
                break
    best, powers, place = polish(data, current, powers, place, 20, gap)
    return best, current, powers, place


@njit(cache=True, error_model="numpy")
def promising(
    data: SlotData, choice: IntArray, log_power: Array, xy: Array, gap: float
) -> IntArray:
    """Rows of options (count, n): moves of one device and swaps of two that their prices favour.

    The prices (`prices`) bound what a move costs from below as long as UAVs and powers stay
    near, so that moves with positive prices need not be tried. Most favoured first.
    """
    n = choice.shape[0]
    boxes = reach_boxes(data)
    for m in range(xy.shape[0]):
        for axis in range(2):
            low, high = xy[m, axis] - SHARE * data.reach_m, xy[m, axis] + SHARE * data.reach_m
            boxes[m, 2 * axis] = max(boxes[m, 2 * axis], low)
            boxes[m, 2 * axis + 1] = min(boxes[m, 2 * axis + 1], high)
    floor = np.maximum(log_power - SPAN, data.log_power_min)
    start = np.concatenate((log_power, xy.copy().reshape(-1)))
    price = priced(
        data, (1 << data.n_options) - 1, 1 << choice, boxes, floor, start, np.inf, gap
    ).price
    rows = np.empty((n * price.shape[1] + n * n, n), np.int64)
    order: list[float] = []
    for k in range(n):
        for o in range(data.n_options[k]):
            if o != choice[k] and price[k, o] < -gap:
                rows[len(order)] = choice
                rows[len(order), k] = o
                order.append(price[k, o])
        for j in range(k):
            to_k = option_with(data, k, data.server[j, choice[j]])
            to_j = option_with(data, j, data.server[k, choice[k]])
            if to_k < 0 or to_j < 0 or to_k == choice[k]:
                continue
            if price[k, to_k] + price[j, to_j] < -gap:
                rows[len(order)] = choice
                rows[len(order), k], rows[len(order), j] = to_k, to_j
                order.append(price[k, to_k] + price[j, to_j])
    return rows[np.argsort(np.array(order, np.float64))]


@njit(cache=True, error_model="numpy")
def staying_options(data: SlotData, lone: Array) -> IntArray:
    """The option of least lone cost (n, O) a device when the UAVs stay: always admissible."""
    n = lone.shape[0]
    n_uavs = data.altitude_m.shape[0]
    choice = np.empty(n, np.int64)
    for k in range(n):
        least = np.inf
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            cost = lone[k, o]
            if 0 <= r < n_uavs and not covers(data, k, data.start_xy_m[r]):
                continue
            if r == NOT_SENT:
                cost = 1e300  # the last resort: allowed only when no other is
            if cost < least:
                least, choice[k] = cost, o
    return choice


@njit(cache=True, error_model="numpy")
def covers(data: SlotData, k: int, xy: Array) -> bool:
    """Whether a UAV at `xy` covers device k."""
    dx, dy = xy[0] - data.device_xy_m[k, 0], xy[1] - data.device_xy_m[k, 1]
    return np.hypot(dx, dy) <= data.coverage_m


@njit(cache=True, error_model="numpy")
def inserted_options(data: SlotData, lone: Array, choice: IntArray, xy: Array) -> IntArray:
    """Devices move to their cheapest options one by one as far as positions `xy` can follow.

    `xy` (M, 2) holds admissible positions for `choice` and is updated in place.
    """
    n = lone.shape[0]
    for k in range(n):
        for o in np.argsort(lone[k, : data.n_options[k]]):
            if o == choice[k]:
                break
            if data.receiver[k, o] == NOT_SENT:
                continue
            trial, place = choice.copy(), xy.copy()
            trial[k] = o
            if settle(data, chosen_receivers(data, trial), place):
                choice = trial
                xy[:] = place
                break
    return choice

"""Local search over servers, compiled: first-improving moves of one device and swaps of two."""

from __future__ import annotations

import numpy as np
from numba import njit

from minlp.local import best_powers, chosen_receivers, device_costs, polish, settle
from minlp.slot_data import NOT_SENT, Array, IntArray, SlotData

#: A move whose cost before the positions adapt is this much worse is still polished.
HOPE = 2e-3


@njit(cache=True, error_model="numpy")
def nearest_option(data: SlotData, k: int, server: int) -> int:
    """Index of the option with a server, or the first one."""
    for o in range(data.n_options[k]):
        if data.server[k, o] == server:
            return o
    return 0


@njit(cache=True, error_model="numpy")
def try_choice(
    data: SlotData, choice: IntArray, log_power: Array, xy: Array, best: float, gap: float
) -> tuple[float, Array, Array]:
    """(cost, log-powers, positions) of a choice from a warm start; polished when promising."""
    place = xy.copy()
    if not settle(data, chosen_receivers(data, choice), place):
        return np.inf, log_power, xy
    _model, powers = best_powers(data, choice, log_power, place, 1e-5)
    cost = device_costs(data, choice, powers, place).sum()
    if cost < best * (1 + HOPE):
        return polish(data, choice, powers, place, 3, gap)
    return cost, powers, place


@njit(cache=True, error_model="numpy")
def local_search(
    data: SlotData, choice: IntArray, log_power: Array, xy: Array, rounds: int, gap: float
) -> tuple[float, IntArray, Array, Array]:
    """(cost, options, log-powers, positions) no single move or swap improves, or after `rounds`.

    Starts from admissible positions (M, 2).
    """
    n = choice.shape[0]
    best, powers, place = polish(data, choice, log_power, xy, 8, gap)
    current = choice.copy()
    for _ in range(rounds):
        before = best
        for k in range(n):
            for o in range(data.n_options[k]):
                if o == current[k]:
                    continue
                trial = current.copy()
                trial[k] = o
                cost, p, q = try_choice(data, trial, powers, place, best, gap)
                if cost < best * (1 - 1e-12):
                    best, current, powers, place = cost, trial, p, q
        for k in range(n):
            for j in range(k):
                trial = _swapped(data, current, j, k)
                if trial[0] < 0:
                    continue
                cost, p, q = try_choice(data, trial, powers, place, best, gap)
                if cost < best * (1 - 1e-12):
                    best, current, powers, place = cost, trial, p, q
        if best > before * (1 - 1e-7):
            break
    best, powers, place = polish(data, current, powers, place, 20, gap)
    return best, current, powers, place


@njit(cache=True, error_model="numpy")
def _swapped(data: SlotData, choice: IntArray, j: int, k: int) -> IntArray:
    """The options after j and k exchange servers; first entry -1 where they cannot."""
    trial = choice.copy()
    mine, other = data.server[k, choice[k]], data.server[j, choice[j]]
    to_k, to_j = nearest_option(data, k, other), nearest_option(data, j, mine)
    if mine == other or data.server[k, to_k] != other or data.server[j, to_j] != mine:
        trial[0] = -1
        return trial
    trial[k], trial[j] = to_k, to_j
    return trial


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

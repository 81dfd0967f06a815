"""Move and swap neighbourhoods over servers, every neighbour with its optimal powers, compiled.

A neighbour changes the server of one device, or exchanges those of two. Its UAVs are brought to
where they may serve, its powers settled, and the work stops as soon as the convex bound proves it
worse than what is known; what comes within `hope` of that also has its positions polished.
"""

from __future__ import annotations

import numpy as np

from minlp.improvement.positions import polish
from minlp.slot.cost import chosen_receivers
from minlp.slot.data import Array, SlotData, option_with
from minlp.slot.region import repair
from minlp.slot.value import Point, copy_point, new_point, settle_powers
from satedge.kernels import Cube, IntVector, Vector, kernel

#: A change of server counts as an improvement from this relative gain on.
GAIN = 1e-9

#: Relative accuracy of powers and of a neighbour's polish.
POWER_GAP = 1e-7
POLISH_GAP = 1e-5


def move_index(data: SlotData, k: int, option: int) -> int:
    """Neighbour in which device k takes an option."""
    return int(k * data.receiver.shape[1] + option)


def swap_index(data: SlotData, j: int, k: int) -> int:
    """Neighbour in which devices j < k exchange servers."""
    n, width = data.receiver.shape
    return n * width + j * n + k


@kernel
def neighbour_count(data: SlotData) -> int:
    """Moves (device, option) first, then swaps (device, device)."""
    n, width = data.receiver.shape
    return n * width + n * n


@kernel
def change(data: SlotData, index: int, choice: IntVector) -> bool:
    """Apply neighbour `index` to a choice in place; False if it is none."""
    n, width = data.receiver.shape
    if index < n * width:
        k, o = index // width, index % width
        if o >= data.n_options[k] or o == choice[k]:
            return False
        choice[k] = o
        return True
    j, k = (index - n * width) // n, (index - n * width) % n
    if j >= k:
        return False
    first, second = data.server[j, choice[j]], data.server[k, choice[k]]
    a, b = option_with(data, j, second), option_with(data, k, first)
    if first == second or a < 0 or b < 0:
        return False
    choice[j], choice[k] = a, b
    return True


@kernel
def place(data: SlotData, reach: Cube, point: Point, relative_gap: float, cutoff: float) -> float:
    """Positions repaired and powers settled after a change of servers; inf if impossible."""
    point.value[0] = np.inf
    if repair(data, reach, chosen_receivers(data, point.choice), point.uav_xy_m):
        settle_powers(data, point, relative_gap, cutoff)
    return point.value[0]


def improve(data: SlotData, reach: Array, point: Point, steps: int, gap: float) -> None:
    """Best powers, then descent over positions, in place; the value is inf where none fits."""
    if np.isfinite(place(data, reach, point, 0.01 * gap, np.inf)):
        polish(data, reach, point, gap, steps)


@kernel
def sweep(
    data: SlotData,
    reach: Cube,
    best: Point,
    order: IntVector,
    hope: float,
    steps: int,
    enough: int,
) -> int:
    """Try neighbours in the given order, moving on at once; returns how many improved.

    A neighbour within `hope` of the best gets that many steps of its positions. Ends after
    `enough` improvements.
    """
    trial = new_point(best.choice.shape[0], best.uav_xy_m.shape[0])
    improved = 0
    for index in order:
        copy_point(best, trial)
        if not change(data, index, trial.choice):
            continue
        cutoff = best.value[0] + hope * abs(best.value[0])
        if not place(data, reach, trial, POWER_GAP, cutoff) < cutoff:
            continue
        polish(data, reach, trial, POLISH_GAP, steps)
        if trial.value[0] < best.value[0] - GAIN * abs(best.value[0]):
            copy_point(trial, best)
            improved += 1
            if improved == enough:
                break
    return improved


@kernel
def kick(data: SlotData, point: Point, devices: IntVector, uniform: Vector) -> None:
    """Send some devices to other servers at random, from uniform numbers in [0, 1)."""
    for i in range(devices.shape[0]):
        k = devices[i]
        refusal = data.n_options[k] - 1
        if point.choice[k] == refusal and refusal > 0:
            point.choice[k] = int(uniform[i] * refusal)
        elif refusal > 1:
            shift = 1 + int(uniform[i] * (refusal - 1))
            point.choice[k] = (point.choice[k] + shift) % refusal

"""A node of branch and bound, compiled: its bound, a candidate plan, and where to branch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minlp.branch_and_bound.ascent import Lifted, ascend
from minlp.branch_and_bound.copies import Slopes, slopes_of_their_own
from minlp.branch_and_bound.core_bound import (
    Priced,
    core_around,
    drop_expensive,
    priced,
    split_point,
    spread_loss,
)
from minlp.branch_and_bound.presolve import Region
from minlp.branch_and_bound.receivers import receivers
from minlp.branch_and_bound.relaxation import gain_tables
from minlp.slot.cost import (
    chosen_receivers,
    device_costs,
    download_s,
    loads_of,
    log_gains,
    option_cost,
)
from minlp.slot.data import Array, IntArray, SlotData
from minlp.slot.region import apart, common_point, discs_of, repair, start_reach
from satedge.kernels import IntVector, Matrix, Vector, kernel
from satedge.kernels.arrays import assign

DEVICE, UAV, NOTHING = 0, 1, 2

#: Gains are linearised this far on the way from the parent's positions to the boxes' centres.
CENTRAL = 0.7

#: What is missing at a node is shared out among devices, by this share for what they gain by powers
#: of their own for each option, the rest for how little they chose the candidate's.
MIXED = 0.8

#: A device that chose one receiver less often is divided by receivers.
SURE = 0.95

#: A box must lose this many times more than a device to be divided first.
DEVICES_FIRST = 4.0


class Evaluation(NamedTuple):
    """What one node yields. Costs are sums over devices."""

    lower_bound: float
    dropped_bound: float  # the least of any option dropped, inf if none was
    candidate_cost: float  # of the candidate below, inf if it is not admissible
    choice: IntArray  # (n,) option indices
    log_power: Array  # (n,)
    xy_m: Array  # (M, 2)
    dual: Array  # (n,) what the load problem pays for each device
    slopes: Slopes  # what copies of powers and positions pay
    copies: Array  # (n, M, 2) of positions at the bound, from boxes' centres; no rows if not lifted
    kind: int  # DEVICE, UAV or NOTHING to branch on
    target: int  # the device or UAV
    first: int  # bits of the target device's options that stay together
    whole: bool  # and so do the others
    best: Priced  # what the bound was made of


@kernel
def evaluate_node(
    data: SlotData,
    region: Region,
    power_low: Vector,
    start: Vector,
    before: IntVector,
    dual: Vector,
    slopes: Slopes,
    steps: int,
    cutoff: float,
    gap: float,
    recorded: bool,
) -> Evaluation:
    """Bound a node over a tightened region. `start` (n + 2M,) is where the solver begins.

    With shared compute the parent's choice `before` (n,) and load prices `dual` (n,) are where
    its choice and the load problem begin. Where one choice leaves too much, `slopes` are improved
    by at most so many `steps`; they have no rows where none are known. The bound holds whatever
    happened to the solver; it may stop early once the bound reaches `cutoff`, and aims at an
    absolute accuracy of `gap`. Options and loads proven to pass the cutoff are dropped from the
    region, in place; if it is `recorded`, what is returned proves all of that.
    """
    allowed, boxes, n = region.allowed, region.boxes, before.shape[0]
    choice = round_choice(data, allowed, before, *split_point(data, start, boxes))
    start = _towards_centres(start, boxes)
    around = core_around(data, allowed, choice)
    best = priced(data, region, around, choice, power_low, start, dual, cutoff, gap)
    dual = best.assigned.dual
    if best.lower_bound < cutoff and best.lost.sum() > gap:
        other = best.cheaper
        around = core_around(data, allowed, other)
        found = priced(data, region, around, other, power_low, start, dual, cutoff, gap)
        if found.lower_bound > best.lower_bound:
            best, choice, dual = found, other, found.assigned.dual
    core, lower_bound = best.core, best.lower_bound
    copies = np.zeros((0, data.altitude_m.shape[0], 2))
    if steps > 0 and lower_bound < cutoff < np.inf and best.lost.sum() > gap:
        begin = slopes_of_their_own(slopes)
        if slopes.power.shape[0] == 0:
            begin = Slopes(best.slopes, np.zeros((n, data.altitude_m.shape[0] + 1, 2)))
        lifted = ascend(
            data, region, power_low, begin, dual, best.cheaper, best.y, cutoff, steps, recorded
        )
        lower_bound = _lift(best, lifted, choice)
        slopes, dual, copies = lifted.slopes, lifted.dual, lifted.xy
    dropped = drop_expensive(data, region, best, cutoff)
    powers, xy = split_point(data, best.y, boxes)
    if not data.shared:
        choice = round_choice(data, core, before, powers, xy)
    true = device_costs(data, choice, powers, xy)
    kind, index = branch_on(data, choice, core, best, boxes, true, xy)
    first, whole = 0, False
    if kind == DEVICE:
        first, whole = _first_part(data, allowed[index], core[index], best, index, choice[index])
    inside = repair(data, start_reach(data), chosen_receivers(data, choice), xy)
    total = device_costs(data, choice, powers, xy).sum() if inside else np.inf
    return Evaluation(
        lower_bound, dropped, total, choice, powers, xy, dual, slopes, copies,
        kind, index, first, whole, best,
    )  # fmt: skip


@kernel
def _lift(best: Priced, lifted: Lifted, choice: IntVector) -> float:
    """The better bound; `best` gets the greater ones of options and loads, and who is in doubt."""
    for k in range(choice.shape[0]):
        for o in range(best.option.shape[1]):
            best.option[k, o] = max(best.option[k, o], lifted.option[k, o])
    for s in range(lifted.load.shape[0]):
        for c in range(lifted.load.shape[1]):
            best.assigned.load[s, c] = max(best.assigned.load[s, c], lifted.load[s, c])
    if not lifted.lower_bound > best.lower_bound:
        return best.lower_bound
    missing = best.lower_bound + best.lost.sum() - lifted.lower_bound
    spread_loss(lifted.share, choice, (MIXED - 1.0) * missing, best.lost)
    total = lifted.mixed.sum()
    if total > 0.0:
        for k in range(choice.shape[0]):
            best.lost[k] += MIXED * max(missing, 0.0) * lifted.mixed[k] / total
    for k in range(choice.shape[0]):
        assign(best.assigned.share[k], lifted.share[k])
    return lifted.lower_bound


@kernel
def _towards_centres(start: Vector, boxes: Matrix) -> Vector:
    """The point with its positions pulled into their boxes and towards the centres.

    Gains are linearised there. Tangents at the old minimum are tight there, but the new minimum
    goes where they are not.
    """
    point, first = start.copy(), start.shape[0] - 2 * boxes.shape[0]
    for m in range(boxes.shape[0]):
        for axis in range(2):
            low, high = boxes[m, 2 * axis], boxes[m, 2 * axis + 1]
            q = min(max(start[first + 2 * m + axis], low), high)
            point[first + 2 * m + axis] = CENTRAL * 0.5 * (low + high) + (1.0 - CENTRAL) * q
    return point


@kernel
def _first_part(
    data: SlotData, allowed: int, core: int, found: Priced, k: int, choice: int
) -> tuple[int, bool]:
    """(options of the first child of device k, whether all others make one child)."""
    if data.shared:
        likeliest = choice
        for o in range(found.price.shape[1]):
            share = found.assigned.share[k]
            if allowed >> o & 1 and share[o] > share[likeliest]:
                likeliest = o
        first, same = 0, 0.0
        for o in range(found.price.shape[1]):
            if allowed >> o & 1 and data.receiver[k, o] == data.receiver[k, likeliest]:
                first |= 1 << o
                same += share[o]
        return (first if first != allowed and same < SURE else 1 << likeliest), True
    if found.lost[k] > 0.0:
        first = 0
        for o in range(found.price.shape[1]):
            if allowed >> o & 1 and found.price[k, o, 0] >= 0.0:
                first |= 1 << o
        return first, True
    return (allowed & ~core) | (1 << choice), False


@kernel
def round_choice(
    data: SlotData, allowed: IntVector, before: IntVector, log_power: Vector, xy: Matrix
) -> IntVector:
    """An option for every device: the cheapest allowed one that the UAVs can still cover.

    With shared compute from the choice `before` (n,) where that is allowed.
    """
    n, n_uavs = data.log_fading.shape
    gains, reach = log_gains(data, xy), start_reach(data)
    single, _bits = receivers(data, allowed)
    choice = np.zeros(n, np.int64)
    for k in range(n):
        least = np.inf
        for o in range(data.n_options[k]):
            if allowed[k] >> o & 1 and data.fixed_cost[k, o] < least:
                least, choice[k] = data.fixed_cost[k, o], o
        if data.shared and allowed[k] >> before[k] & 1:
            choice[k] = before[k]
            single[k] = data.receiver[k, choice[k]]
    for k in range(n):
        if allowed[k] == 1 << choice[k] or (data.shared and choice[k] == before[k]):
            continue
        receiver = chosen_receivers(data, choice)
        loads = loads_of(data, choice)
        if data.shared and data.server[k, choice[k]] >= 0:
            loads[data.server[k, choice[k]]] -= 1
        least = np.inf
        for o in range(data.n_options[k]):
            if not allowed[k] >> o & 1:
                continue
            r, s = data.receiver[k, o], data.server[k, o]
            if data.shared and s >= 0:
                loads[s] += 1
            cost = option_cost(data, k, o, receiver, loads, log_power, gains)
            if data.shared and s >= 0:
                loads[s] -= 1
            if cost < least and 0 <= r < n_uavs:
                held = single.copy()
                held[k] = r
                _x, _y, meets = common_point(discs_of(data, reach, held, r), 0.0)
                if not meets:
                    continue
            if cost < least:
                least, choice[k] = cost, o
        single[k] = data.receiver[k, choice[k]]
    return choice


@kernel
def branch_on(
    data: SlotData,
    choice: IntVector,
    core: IntVector,
    found: Priced,
    boxes: Matrix,
    true: Vector,
    xy: Matrix,
) -> tuple[int, int]:
    """The device or UAV whose relaxation loses most at the candidate, by its true costs (n,)."""
    n_uavs = data.altitude_m.shape[0]
    worst, kind, index = 0.0, NOTHING, -1
    half = np.empty(n_uavs)
    for m in range(n_uavs):
        half[m] = np.hypot(boxes[m, 1] - boxes[m, 0], boxes[m, 3] - boxes[m, 2])
    loss = _box_losses(data, choice, core, found, boxes, true, xy, half)
    for k in range(choice.shape[0]):
        lost = found.lost[k]
        if core[k] & (core[k] - 1) != 0:
            lost = max(lost, true[k] - found.relaxed[k])
        if DEVICES_FIRST * lost > worst:
            worst, kind, index = DEVICES_FIRST * lost, DEVICE, k
    for m in range(n_uavs):
        if half[m] > 1e-7 * data.side_m and loss[m] >= worst:
            worst, kind, index = loss[m], UAV, m
    return kind, index


@kernel
def _box_losses(
    data: SlotData,
    choice: IntVector,
    core: IntVector,
    found: Priced,
    boxes: Matrix,
    true: Vector,
    xy: Matrix,
    half: Vector,
) -> Vector:
    """What is lost by each UAV's box (M,), of half-diagonals `half`."""
    n_uavs = half.shape[0]
    single = chosen_receivers(data, choice)
    low, high = gain_tables(data, boxes)
    here = log_gains(data, xy)
    loss, total = np.zeros(n_uavs), half.sum()
    for k in range(choice.shape[0]):
        m = single[k]
        if core[k] & (core[k] - 1) == 0 and 0 <= m < n_uavs:
            down = download_s(data, k, m, here, here) - download_s(data, k, m, low, high)
            down *= data.latency_weight + data.energy_weight * data.uav_power_W
            loss[m] += max(true[k] - found.relaxed[k] - down, 0.0)
            if total > 0.0:
                loss += max(down, 0.0) * half / total
    if not apart(data, xy):
        loss += half
    return loss

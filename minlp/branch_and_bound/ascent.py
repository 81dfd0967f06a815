"""Better slopes for the prices of options, compiled: ascent in the Lagrangian dual.

Let every device k have a copy z_k of all log-powers and pay slopes c_k for it, sum_k c_k = 0. Then

    L(c) = min over assignments of sum_k min_{z_k} (f_{k, o_k}(z_k) - c_k . z_k)

bounds the slot from below whatever the slopes are (Guignard and Kim, Math. Programming 39, 1987).
`core_bound` takes the gradients at the minimum around one choice of servers: the best slopes if
that choice is right, poor ones where several compete. L is concave, and one supergradient is minus
the copies that attain it; steps along their average (Barahona and Anbil's volume algorithm, Math.
Programming 87, 2000) with Polyak's length lead towards the relaxation in which every device mixes
its options, each at powers of its own, and only the mixtures agree.

Every step's bounds on options and loads hold, so the greatest of each is kept. Devices have copies
of UAV positions as well: an option's gains are tangents around its own copy, and what copies pay
for them is learned in the same way, among those who would send to that UAV.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.copies import (
    Copies,
    Frame,
    Slopes,
    View,
    Workspace,
    assign_slopes,
    costs_of,
    frame_of,
    look,
    new_copies,
    new_workspace,
    place_at,
    slopes_of_their_own,
)
from minlp.branch_and_bound.loads import (
    Assigned,
    alternatives,
    cheapest_choice,
    load_bound,
    new_assigned,
)
from minlp.branch_and_bound.presolve import MARGIN, Region
from minlp.branch_and_bound.receivers import receivers, vanishing
from minlp.branch_and_bound.relaxation import gain_tables
from minlp.branch_and_bound.upload import Limits, limits_of, place_copies
from minlp.slot.data import NOT_SENT, SlotData
from satedge.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel
from satedge.kernels.arrays import assign

#: Weight of the newest copies in the direction of a step.
FRESH = 0.8

#: Shares below this are none.
RARE = 1e-3

#: Steps without a gain of this share of what is missing, after which they are halved.
PATIENCE, GAIN = 3, 1e-3

#: Steps are halved down to this.
SHORTEST = 0.01

#: Copies of positions move by this share of their box at most.
DAMP = 0.07

#: Curvature in another's log-power, as a share of that of its own device, at the least.
LEAST = 1e-3


class Lifted(Record):
    """What an ascent found."""

    lower_bound: float
    slopes: Slopes  # of the bound
    xy: Cube  # (n, M, 2) copies of positions there, from the centres of boxes
    option: Matrix  # (n, O) bound of the plans in which a device takes an option
    load: Matrix  # (S, n + 1) bound of the plans in which a server has a load
    share: Matrix  # (n, O) how often devices chose an option
    mixed: Vector  # (n,) what devices gain by powers of their own for each option, roughly
    dual: Vector  # (n,) what the load problem pays for each device
    cheaper: IntVector  # (n,) what devices choose at these slopes


class Mean(Record):
    """The copies of what devices chose lately."""

    power: Matrix  # (n, n) log-powers
    place: Cube  # (n, M + 1, 2) positions, from the centres of boxes
    curve: Cube  # (n, M + 1, 2) curvature of the cost in them
    scatter: Vector  # (n,) of a device's copies, in the metric of the cost's curvature


@kernel
def ascend(
    data: SlotData,
    region: Region,
    power_low: Vector,
    slopes: Slopes,
    dual: Vector,
    choice: IntVector,
    start: Vector,
    cutoff: float,
    steps: int,
    recorded: bool,
) -> Lifted:
    """At most so many steps from `slopes`, ended when the bound reaches `cutoff`.

    `dual` (n,), `choice` (n,) and the point `start` (n + 2M,) are where the load problem,
    assignments and copies begin; log-powers are at least `power_low` (n,). If it is `recorded` for
    a proof, bounds of options and loads are those at the slopes found, which prove them.
    """
    allowed, spans = region.allowed, region.spans
    n, width = data.receiver.shape
    low, high = gain_tables(data, region.boxes)
    single, bits = receivers(data, allowed)
    limits = limits_of(vanishing(data, bits, power_low, high), data.log_power_max)
    frame = frame_of(data, single, region.boxes)
    seen = View(data, bits, low, high, limits, frame)
    copies, work = new_copies(data, start), new_workspace(data)
    place_at(start, frame, copies.xy)
    here, assigned = slopes_of_their_own(slopes), new_assigned(data, spans.shape[0])
    mean = Mean(
        np.zeros((n, n)), np.zeros(here.place.shape), np.zeros(here.place.shape), np.zeros(n)
    )
    best = Lifted(
        -np.inf, slopes_of_their_own(slopes), copies.xy.copy(), np.full((n, width), -np.inf),
        np.full((spans.shape[0], n + 1), -np.inf), np.zeros((n, width)), np.zeros(n), dual.copy(),
        choice.copy(),
    )  # fmt: skip
    bound, scale, idle = -np.inf, 1.0, 0
    for step in range(steps):
        base = _balance(here, limits, frame)
        for k in range(n):
            costs_of(seen, k, allowed[k], spans, here.power[k], here.place[k], work, copies)
        sums = _assign(data, allowed, spans, copies.cost, best, cutoff - base, assigned)
        value = base + sums - MARGIN * abs(sums)
        if not np.isfinite(value):
            break
        idle = 0 if value > bound + GAIN * (cutoff - bound) else idle + 1
        better = value > bound
        if better and recorded:
            best.option[:], best.load[:] = -np.inf, -np.inf
        if better or not recorded:
            _keep_greatest(best, assigned, base - MARGIN * abs(sums))
        if better:
            bound = value
            _keep(best, here, copies.xy, assigned)
        if not bound < cutoff:
            break
        _move_copies(data, allowed, here, frame, assigned, copies)
        _mean_copies(seen, here, work, copies, assigned, mean, FRESH if step > 0 else 1.0)
        if idle >= PATIENCE:
            scale, idle = 0.5 * scale, 0
            if scale < SHORTEST:
                break
            assign_slopes(here, best.slopes)
        _climb(data, here, mean, scale * (cutoff - value), scale)
    return Lifted(
        bound, best.slopes, best.xy, best.option, best.load, best.share, mean.scatter, best.dual,
        best.cheaper,
    )  # fmt: skip


@kernel
def _balance(slopes: Slopes, limits: Limits, frame: Frame) -> float:
    """Let slopes of log-powers sum to zero over the devices, in place.

    Returns what sums that are not zero may take off the bound.
    """
    n, lacking = slopes.power.shape[0], 0.0
    for j in range(n):
        mean = slopes.power[:, j].sum() / n
        slopes.power[:, j] -= mean
        reach = max(abs(limits.lower[j]), abs(limits.upper[j]))
        column = slopes.power[:, j]
        lacking -= reach * (abs(column.sum()) + MARGIN * np.abs(column).sum())
    for m in range(frame.boxes.shape[0]):
        for axis in range(2):
            if frame.half[m, axis] == 0.0:
                slopes.place[:, m, axis] = 0.0
            column = slopes.place[:, m, axis]
            lacking -= frame.half[m, axis] * (abs(column.sum()) + MARGIN * np.abs(column).sum())
    return lacking


@kernel
def _keep(best: Lifted, here: Slopes, xy: Cube, assigned: Assigned) -> None:
    """The slopes of the best bound, and what was found there."""
    assign_slopes(best.slopes, here)
    best.xy[:] = xy
    assign(best.dual, assigned.dual)
    for k in range(best.share.shape[0]):
        assign(best.share[k], assigned.share[k])


@kernel
def _assign(
    data: SlotData,
    allowed: IntVector,
    spans: IntMatrix,
    cost: Cube,
    best: Lifted,
    enough: float,
    assigned: Assigned,
) -> float:
    """The least sum of costs (n, O, C) of any assignment, or a bound on it; NaN counts as -inf."""
    total = size = 0.0
    if data.shared:
        target = min(cheapest_choice(data, cost, best.cheaper), 1e8)
        total = load_bound(data, allowed, spans, cost, best.dual, target, enough, assigned)
        alternatives(data, allowed, spans, cost, total, assigned)
        return -np.inf if np.isnan(total) else total
    for k in range(allowed.shape[0]):
        least = np.inf
        for o in range(data.n_options[k]):
            assigned.share[k, o] = assigned.at_load[k, o, 0] = 0.0
            if allowed[k] >> o & 1 and not cost[k, o, 0] >= least:
                least, best.cheaper[k] = cost[k, o, 0], o
        assigned.share[k, best.cheaper[k]] = assigned.at_load[k, best.cheaper[k], 0] = 1.0
        assigned.dual[k] = least
        total += least
        size += abs(least)
    total -= MARGIN * size
    if np.isnan(total):
        total = -np.inf
    for k in range(allowed.shape[0]):
        for o in range(data.n_options[k]):
            held = total + (cost[k, o, 0] - assigned.dual[k]) - MARGIN * abs(cost[k, o, 0])
            assigned.option[k, o] = held if allowed[k] >> o & 1 else np.inf
    return total


@kernel
def _keep_greatest(best: Lifted, assigned: Assigned, base: float) -> None:
    """The greatest bounds of options and loads that were ever seen."""
    for k in range(best.option.shape[0]):
        for o in range(best.option.shape[1]):
            best.option[k, o] = max(best.option[k, o], base + assigned.option[k, o])
    for s in range(best.load.shape[0]):
        for c in range(best.load.shape[1]):
            best.load[s, c] = max(best.load[s, c], base + assigned.load[s, c])


@kernel
def _mean_copies(
    seen: View,
    slopes: Slopes,
    work: Workspace,
    copies: Copies,
    assigned: Assigned,
    mean: Mean,
    fresh: float,
) -> None:
    """Let the copies of what devices chose, by how often they did, enter their mean."""
    data, limits = seen.data, seen.limits
    n, n_uavs = slopes.power.shape[0], data.altitude_m.shape[0]
    copy, here, often = np.empty(n), np.empty(n), np.empty(n_uavs + 1)
    square = np.empty(n)
    for k in range(n):
        total = 0.0
        here[:], often[:], square[:] = 0.0, 0.0, 0.0
        work.noise[:] = -1.0
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            if assigned.share[k, o] <= RARE:
                continue
            if r != NOT_SENT and work.noise[r] < 0.0:
                look(seen, k, r, copies.xy[k], work)
            for c in range(copies.cost.shape[2]):
                share = assigned.at_load[k, o, c]
                if share <= RARE:
                    continue
                p, tau = copies.power[k, o, c], copies.scale[k, o, c]
                place_copies(limits, slopes.power[k], work.reach, k, r, p, tau, copy)
                here += share * copy
                square += share * copy * copy
                total += share
                if 0 <= r < n_uavs:
                    often[r] += share
        if total > 0.0:
            here /= total
            mean.power[k] += fresh * (here - mean.power[k])
            scatter = (np.abs(slopes.power[k]) * (square / total - here * here)).sum()
            mean.scatter[k] += fresh * (scatter - mean.scatter[k])
            often /= total
            _mean_places(k, often, slopes, seen.frame, copies, mean, fresh)


@kernel
def _mean_places(
    k: int,
    often: Vector,
    slopes: Slopes,
    frame: Frame,
    copies: Copies,
    mean: Mean,
    fresh: float,
) -> None:
    """The same for positions, sent to so `often` (M + 1,).

    Copies of other options are in the corner that pays most, or free where none pays.
    """
    for m in range(frame.boxes.shape[0]):
        for axis in range(2):
            pay, half = slopes.place[k, m, axis], frame.half[m, axis]
            here, curve = copies.xy[k, m, axis], often[m] * copies.curve[k, m, axis]
            if pay != 0.0 and half > 0.0:
                here = often[m] * here + (1.0 - often[m]) * np.sign(pay) * half
                curve += (1.0 - often[m]) * abs(pay) / half
            mean.curve[k, m, axis] += fresh * (curve - mean.curve[k, m, axis])
            mean.place[k, m, axis] += fresh * (here - mean.place[k, m, axis])


@kernel
def _move_copies(
    data: SlotData,
    allowed: IntVector,
    slopes: Slopes,
    frame: Frame,
    assigned: Assigned,
    copies: Copies,
) -> None:
    """A step of every copy of a position towards the least cost of its option."""
    n, n_uavs = slopes.power.shape[0], data.altitude_m.shape[0]
    for k in range(n):
        for o in range(data.n_options[k]):
            m = data.receiver[k, o]
            if allowed[k] >> o & 1 == 0 or not 0 <= m < n_uavs:
                continue
            c = assigned.at_load[k, o].argmax()
            for axis in range(2):
                rise = copies.rise_x[k, o, c] if axis == 0 else copies.rise_y[k, o, c]
                half = frame.half[m, axis]
                curve = abs(rise + slopes.place[k, m, axis]) / data.altitude_m[m]
                copies.curve[k, m, axis] = curve
                step = min(max(-rise / max(curve, 1e-300), -DAMP * half), DAMP * half)
                copies.xy[k, m, axis] = min(max(copies.xy[k, m, axis] + step, -half), half)


@kernel
def _climb(data: SlotData, slopes: Slopes, mean: Mean, missing: float, longest: float) -> None:
    """A step of Polyak's length against what the copies differ from their average.

    In the metric of L's curvature: the copy of another's log-power moves by 1/c with its slope c,
    that of a position by the inverse of its option's curvature. At most `longest` Newton steps.
    """
    n, n_uavs, norm = slopes.power.shape[0], data.altitude_m.shape[0], 0.0
    power, place = np.zeros((n, n)), np.zeros(slopes.place.shape)
    for j in range(n):
        metric = np.abs(slopes.power[:, j])
        metric += LEAST * metric[j] + 1e-12
        away = mean.power[:, j] - (metric * mean.power[:, j]).sum() / metric.sum()
        power[:, j] = metric * away
        norm += (power[:, j] * away).sum()
    for m in range(n_uavs):
        for axis in range(2):
            metric = mean.curve[:, m, axis]
            if metric.sum() > 0.0:
                away = (
                    mean.place[:, m, axis] - (metric * mean.place[:, m, axis]).sum() / metric.sum()
                )
                place[:, m, axis] = metric * away
                norm += (place[:, m, axis] * away).sum()
    if norm > 0.0:
        step = min(missing / norm, longest)
        slopes.power[:] -= step * power
        slopes.place[:] -= step * place

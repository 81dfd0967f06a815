"""Better slopes for the prices of options, compiled: ascent in the Lagrangian dual.

Let every device k have a copy z_k of all log-powers and pay slopes c_k for it, sum_k c_k = 0. Then

    L(c) = min over assignments of sum_k min_{z_k} (f_{k, o_k}(z_k) - c_k . z_k)

bounds the slot from below whatever the slopes are (Guignard and Kim, Math. Programming 39, 1987).
`core_bound` takes the gradients at the minimum around one choice of servers: the best slopes if
that choice is right, poor ones where several compete. L is concave, and one supergradient is minus
the copies that attain it; steps along their average (Barahona and Anbil's volume algorithm, Math.
Programming 87, 2000) with Polyak's length lead towards the relaxation in which every device mixes
its options, each at powers of its own, and only the mixtures agree.

Every step's bounds on options and loads hold, so the greatest of each is kept. Positions are not
copied: gains are intervals over the boxes here, while `core_bound` has tangents of its choice.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.loads import (
    Assigned,
    alternatives,
    cheapest_choice,
    load_bound,
    new_assigned,
)
from minlp.branch_and_bound.presolve import MARGIN, Region
from minlp.branch_and_bound.prices import (
    Copies,
    Limits,
    Upload,
    Workspace,
    costs_of,
    disturbance,
    limits_of,
    new_copies,
    new_workspace,
    place_copies,
)
from minlp.branch_and_bound.receivers import receivers, vanishing
from minlp.branch_and_bound.relaxation import gain_tables
from minlp.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel
from minlp.kernels.arrays import assign
from minlp.slot.data import NOT_SENT, SlotData

#: Weight of the newest copies in the direction of a step.
FRESH = 0.4

#: Steps without a gain of this share of what is missing, after which they are halved.
PATIENCE, GAIN = 3, 1e-2

#: Steps are halved down to this.
SHORTEST = 0.02


class Lifted(Record):
    """What an ascent found."""

    lower_bound: float
    slopes: Matrix  # (n, n) of the bound
    option: Matrix  # (n, O) bound of the plans in which a device takes an option
    load: Matrix  # (S, n + 1) bound of the plans in which a server has a load
    share: Matrix  # (n, O) how often devices chose an option
    dual: Vector  # (n,) what the load problem pays for each device
    cheaper: IntVector  # (n,) what devices choose at these slopes


@kernel
def ascend(
    data: SlotData,
    region: Region,
    power_low: Vector,
    slopes: Matrix,
    dual: Vector,
    choice: IntVector,
    start: Vector,
    cutoff: float,
    steps: int,
) -> Lifted:
    """At most so many steps from `slopes` (n, n), ended when the bound reaches `cutoff`.

    `dual` (n,), `choice` (n,) and the log-powers of `start` (n + 2M,) are where the load problem,
    assignments and copies begin; log-powers are at least `power_low` (n,).
    """
    allowed, spans = region.allowed, region.spans
    n, width = data.receiver.shape
    low, high = gain_tables(data, region.boxes)
    _single, bits = receivers(data, allowed)
    limits = limits_of(vanishing(data, bits, power_low, high), data.log_power_max)
    copies, work = new_copies(data, start), new_workspace(data)
    assigned, slope, mean = new_assigned(data, spans.shape[0]), slopes.copy(), np.zeros((n, n))
    best = Lifted(
        -np.inf, slopes.copy(), np.full((n, width), -np.inf),
        np.full((spans.shape[0], n + 1), -np.inf), np.zeros((n, width)), dual.copy(), choice.copy(),
    )  # fmt: skip
    bound, scale, idle = -np.inf, 1.0, 0
    for step in range(steps):
        base = _balance(slope, limits)
        for k in range(n):
            costs_of(
                data, k, allowed[k], spans, bits, low, high, slope[k], limits, work, copies
            )
        sums = _assign(data, allowed, spans, copies.cost, best, cutoff - base, assigned)
        _keep_greatest(best, assigned, base)
        value = base + sums - MARGIN * abs(sums)
        if not np.isfinite(value):
            break
        idle = 0 if value > bound + GAIN * (cutoff - bound) else idle + 1
        if value > bound:
            bound = value
            assign(best.dual, assigned.dual)
            for k in range(n):
                assign(best.slopes[k], slope[k])
                assign(best.share[k], assigned.share[k])
        if not bound < cutoff:
            break
        fresh = FRESH if step > 0 else 1.0
        _mean_copies(data, bits, low, high, slope, limits, work, copies, assigned, mean, fresh)
        if idle >= PATIENCE:
            scale, idle = 0.5 * scale, 0
            if scale < SHORTEST:
                break
            for k in range(n):
                assign(slope[k], best.slopes[k])
        _climb(slope, mean, scale * (cutoff - value))
    return Lifted(
        bound, best.slopes, best.option, best.load, best.share, best.dual, best.cheaper
    )


@kernel
def _balance(slope: Matrix, limits: Limits) -> float:
    """Let slopes (n, n) sum to zero over the devices, in place; returns what rounding may lack."""
    n, lacking = slope.shape[0], 0.0
    for j in range(n):
        total = size = 0.0
        for k in range(n):
            total += slope[k, j]
        for k in range(n):
            slope[k, j] -= total / n
        total = 0.0
        for k in range(n):
            total += slope[k, j]
            size += abs(slope[k, j])
        reach = max(abs(limits.lower[j]), abs(limits.upper[j]))
        lacking -= (abs(total) + MARGIN * size) * reach
    return lacking


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
            held = total + (cost[k, o, 0] - assigned.dual[k])
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
    data: SlotData,
    bits: IntVector,
    low: Matrix,
    high: Matrix,
    slope: Matrix,
    limits: Limits,
    work: Workspace,
    copies: Copies,
    assigned: Assigned,
    mean: Matrix,
    fresh: float,
) -> None:
    """Let the copies of what devices chose, by how often they did, enter their mean (n, n)."""
    n = slope.shape[0]
    copy, here = np.empty(n), np.empty(n)
    for k in range(n):
        total = 0.0
        here[:] = 0.0
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            if assigned.share[k, o] <= 1e-3:
                continue
            noise = 0.0
            if r != NOT_SENT:
                noise = disturbance(data, k, r, bits, low, high, work.reach[r])
            else:
                r = 0
                work.reach[r, :] = 0.0
            upload = Upload(
                k, 0.0, 0.0, noise, 0.0, 0.0, 0.0, slope[k], work.reach[r], limits
            )
            for c in range(copies.cost.shape[2]):
                often = assigned.at_load[k, o, c]
                if often <= 1e-3:
                    continue
                p = copies.power[k, o, c]
                if data.receiver[k, o] == NOT_SENT:
                    p = limits.upper[k] if slope[k, k] > 0.0 else limits.lower[k]
                place_copies(upload, p, copies.scale[k, o, c], copy)
                here += often * copy
                total += often
        if total > 0.0:
            for j in range(n):
                mean[k, j] += fresh * (here[j] / total - mean[k, j])


@kernel
def _climb(slope: Matrix, mean: Matrix, missing: float) -> None:
    """A step of Polyak's length against what the copies (n, n) differ from their average."""
    n, norm = slope.shape[0], 0.0
    away = np.empty((n, n))
    for j in range(n):
        centre = mean[:, j].sum() / n
        for k in range(n):
            away[k, j] = mean[k, j] - centre
            norm += away[k, j] ** 2
    if norm > 0.0:
        for k in range(n):
            for j in range(n):
                slope[k, j] -= missing / norm * away[k, j]

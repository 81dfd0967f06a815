"""The referee, compiled: the verdict of `satedge.problem.referee.judge`, to 1e-12."""

from __future__ import annotations

from math import isnan, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.compiled.slots import (
    BLOCK,
    EXECUTE_J,
    EXECUTE_S,
    OVERRUN_FROM_S,
    RELAY_J,
    RELAY_S,
    Decisions,
    Law,
    Scratch,
    Slots,
    find_gains,
    measure,
    scratch_for,
    slots_of,
)
from satedge.kernels import BoolCube, Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel
from satedge.kernels.logarithms import log1p_all
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.referee import Verdict, fitted, previous_positions
from satedge.problem.scenario import Scenario

#: What is told of every request, in this order.
FIGURES = (
    "upload_s", "execute_s", "relay_s", "download_s", "upload_J", "execute_J", "relay_J",
    "download_J", "overrun_s", "device_cost",
)  # fmt: skip
#: Constraints in this order; the last one where UAVs keep apart.
BROKEN = (
    "assignment", "accuracy", "coverage", "visibility", "power_min", "power_max", "motion", "area",
    "separation",
)  # fmt: skip
#: Places of the last two.
OVERRUN_S, COST = 8, 9
LN2 = log(2.0)


class Judged(Record):
    """What is found out about B slots."""

    figure: Cube
    """(10, B, K) FIGURES."""
    flag: BoolCube
    """(2, B, K) Refused; outage."""
    broken: Matrix
    """(9, B) BROKEN."""


def judge(instance: Instance, plan: Plan, previous_xy_m: Any = None) -> Verdict:
    """The verdict on a plan or a stack of plans: arguments and result as the referee's."""
    server, power_W, uav_xy_m = fitted(instance, plan)
    if previous_xy_m is None:
        previous_xy_m = previous_positions(instance, uav_xy_m)
    lead, s = server.shape[:-1], instance.scenario
    n_slots = int(np.prod(lead))
    row = np.broadcast_to(np.arange(instance.n_slots), lead).reshape(n_slots)
    before = np.broadcast_to(previous_xy_m, uav_xy_m.shape)
    found = judged_for(n_slots, s.n_devices)
    judge_all(
        slots_of(instance),
        np.require(row, np.int64, ["C", "W"]),
        Decisions(*(_flat(array, lead) for array in (server, power_W, uav_xy_m, before))),
        scratch_for(s),
        found,
    )
    return verdict_of(found, s, lead)


def judged_for(n_slots: int, n_devices: int) -> Judged:
    """Room for the word on so many slots."""
    return Judged(
        np.empty((len(FIGURES), n_slots, n_devices)),
        np.empty((2, n_slots, n_devices), bool),
        np.empty((len(BROKEN), n_slots)),
    )


def verdict_of(found: Judged, scenario: Scenario, lead: tuple[int, ...]) -> Verdict:
    """It as a Verdict, with leading axes in the place of that of slots; shares the arrays."""
    figure = found.figure.reshape(len(FIGURES), *lead, -1)
    flag = found.flag.reshape(2, *lead, -1)
    names = BROKEN if scenario.uav_separation_m > 0 else BROKEN[:-1]
    broken = {name: amount.reshape(lead) for name, amount in zip(names, found.broken, strict=False)}
    told = dict(zip(FIGURES, figure, strict=True))
    return Verdict(**told, refused=flag[0], outage=flag[1], violations=broken)


def _flat(array: NDArray, lead: tuple[int, ...]) -> NDArray:
    """One axis of slots in the place of the leading ones, as kernels want it."""
    kind = np.int64 if array.dtype.kind in "iu" else np.float64
    shape = (int(np.prod(lead)), *array.shape[len(lead) :])
    return np.require(array.reshape(shape), kind, ["C", "W"])


@kernel
def judge_all(
    slots: Slots, row: IntVector, done: Decisions, scratch: Scratch, found: Judged
) -> None:
    """The word on decisions for slots row (B,)."""
    for first in range(0, row.shape[0], BLOCK):
        stop = min(first + BLOCK, row.shape[0])
        measure(slots, row, done.uav_xy_m, scratch.squared_m2, first, stop)
        judge_measured(slots, row, done, scratch, found, first, stop)


@kernel
def judge_measured(
    slots: Slots,
    row: IntVector,
    done: Decisions,
    scratch: Scratch,
    found: Judged,
    first: int,
    stop: int,
) -> None:
    """The same of slots first..stop-1 of them, where the distances are in `scratch`."""
    find_gains(slots, row, scratch.squared_m2, scratch.gain, first, stop)
    find_served(slots, row, done.server, scratch.served, first, stop)
    hear_uploads(slots.law, done.power_W, scratch, first, stop)
    hear_answers(slots.law, scratch, first, stop)
    log1p_all(scratch.rate[: stop - first].reshape(-1))
    find_phases(slots, row, done.power_W, scratch, found.figure, first, stop)
    find_costs(slots, row, scratch, found, first, stop)
    check_requests(slots, row, done, scratch, found.broken, first, stop)
    check_flights(slots.law, done, found.broken, first, stop)


@kernel
def find_served(
    slots: Slots, row: IntVector, server: IntMatrix, served: IntMatrix, first: int, stop: int
) -> None:
    """Servers (B, K) of those who send; -1 for all others."""
    active, n_servers = slots.active, slots.accuracy.shape[0]
    for b in range(first, stop):
        i = b - first
        t = row[b]
        for k in range(served.shape[1]):
            sends = active[t, k] and 0 <= server[b, k] < n_servers
            served[i, k] = server[b, k] if sends else NO_SERVER


@kernel
def hear_uploads(law: Law, power_W: Matrix, scratch: Scratch, first: int, stop: int) -> None:
    """SINR of every sender at its receiver, 0 where none sends. Eqs. (8), (10)."""
    served, gain, rate = scratch.served, scratch.gain, scratch.rate
    n_uavs, leakage, noise_W, n_devices = law.n_uavs, law.leakage, law.noise_W, served.shape[1]
    sent_W, part_W = np.empty(n_devices), np.empty(n_devices)
    heard_W, others_W = np.empty((n_uavs + 1, n_devices)), np.empty((n_uavs + 1, n_devices))
    receiver, scope = np.empty(n_devices, np.int64), law.scope
    for b in range(first, stop):
        i = b - first
        for k in range(n_devices):
            sent_W[k] = power_W[b, k] if served[i, k] >= 0 else 0.0
            receiver[k] = min(served[i, k], n_uavs)
        for m in range(n_uavs + 1):
            for k in range(n_devices):
                same = receiver[k] == m if scope == 2 else (receiver[k] == n_uavs) == (m == n_uavs)
                heard_W[m, k] = gain[i, m, k] * sent_W[k]
                part_W[k] = heard_W[m, k] if scope == 0 or same else heard_W[m, k] * 0.0
            add_others(part_W, others_W, m)
        for k in range(n_devices):
            r = receiver[k]
            if r < 0:
                rate[i, 0, k] = 0.0
            elif leakage == 0:
                rate[i, 0, k] = heard_W[r, k] / noise_W
            else:
                # What is heard is added as 0, so that what is no number stays none.
                total_W = others_W[r, k] + heard_W[r, k] * 0.0
                rate[i, 0, k] = heard_W[r, k] / (leakage * total_W + noise_W)


@kernel
def add_others(part_W: Vector, others_W: Matrix, m: int) -> None:
    """Sums of all parts (K,) but one, into row m (K,): of those before it and those after it."""
    total = 0.0
    for k in range(part_W.shape[0]):
        others_W[m, k] = total
        total += part_W[k]
    total = 0.0
    for k in range(part_W.shape[0] - 1, -1, -1):
        others_W[m, k] += total
        total += part_W[k]


@kernel
def hear_answers(law: Law, scratch: Scratch, first: int, stop: int) -> None:
    """SINR of the answers of UAVs, all other UAVs interfering, 0 where none answers. Eq. (9)."""
    served, gain, rate = scratch.served, scratch.gain, scratch.rate
    n_uavs, power_W, leakage, noise_W = law.n_uavs, law.uav_power_W, law.leakage, law.noise_W
    for b in range(first, stop):
        i = b - first
        for k in range(served.shape[1]):
            s, others = served[i, k], 0.0
            if 0 <= s < n_uavs:
                for j in range(n_uavs):
                    others += 0.0 if j == s else gain[i, j, k]
                rate[i, 1, k] = gain[i, s, k] * power_W / (leakage * power_W * others + noise_W)
            else:
                rate[i, 1, k] = 0.0


@kernel
def find_phases(
    slots: Slots,
    row: IntVector,
    power_W: Matrix,
    scratch: Scratch,
    figure: Cube,
    first: int,
    stop: int,
) -> None:
    """Latency and energy of every phase. Eqs. (11)-(28)."""
    law, served, rate, option = slots.law, scratch.served, scratch.rate, slots.option
    n_uavs, uav_Hz, satellite_Hz = law.n_uavs, law.uav_bandwidth_Hz, law.satellite_bandwidth_Hz
    load = np.ones(option.shape[2], np.int64)
    for b in range(first, stop):
        i = b - first
        t = row[b]
        if law.shared:
            count_loads(served, i, load)
        for k in range(served.shape[1]):
            s = served[i, k]
            if s < 0:
                for phase in range(8):
                    figure[phase, b, k] = 0.0
                continue
            upload_s = slots.input_bit[t, k] / (
                (satellite_Hz if s >= n_uavs else uav_Hz) * (rate[i, 0, k] / LN2)
            )
            if s >= n_uavs:
                upload_s += slots.propagation_s[t]
                download_s, download_J = slots.download_s[t, k], slots.download_J[t, k]
            else:
                download_s = slots.answer_bit[t, k] / (uav_Hz * (rate[i, 1, k] / LN2))
                download_J = law.uav_power_W * download_s
            figure[0, b, k], figure[4, b, k] = upload_s, power_W[b, k] * upload_s
            figure[1, b, k] = option[t, k, s, EXECUTE_S] * load[s]
            figure[5, b, k] = option[t, k, s, EXECUTE_J]
            figure[2, b, k] = option[t, k, s, RELAY_S]
            figure[6, b, k] = option[t, k, s, RELAY_J]
            figure[3, b, k], figure[7, b, k] = download_s, download_J


@kernel
def count_loads(served: IntMatrix, b: int, load: IntVector) -> None:
    """How many requests of a slot each server (S,) has."""
    for s in range(load.shape[0]):
        load[s] = 0
    for k in range(served.shape[1]):
        if served[b, k] >= 0:
            load[served[b, k]] += 1


@kernel
def find_costs(
    slots: Slots, row: IntVector, scratch: Scratch, found: Judged, first: int, stop: int
) -> None:
    """What requests cost: eqs. (29)-(31), deadlines elastic, outages and refusals bounded."""
    law, served, figure, flag = slots.law, scratch.served, found.figure, found.flag
    active, most, option = slots.active, slots.most, slots.option
    for b in range(first, stop):
        i = b - first
        t = row[b]
        for k in range(served.shape[1]):
            s, limit = served[i, k], most[t, k]
            latency_s = figure[0, b, k] + figure[1, b, k] + figure[2, b, k] + figure[3, b, k]
            energy_J = figure[4, b, k] + figure[5, b, k] + figure[6, b, k] + figure[7, b, k]
            overrun_s = latency_s - option[t, k, s, OVERRUN_FROM_S] if s >= 0 else 0.0
            late = overrun_s > max(law.tolerance * latency_s, 0.0) or overrun_s == np.inf
            overrun_s = overrun_s if late else 0.0
            cost = law.latency_weight_per_s * latency_s + law.energy_weight_per_J * energy_J
            cost = cost + law.penalty_per_s * overrun_s
            refused = s < 0 and active[t, k]
            outage = s >= 0 and not cost - limit <= law.tolerance * limit
            figure[OVERRUN_S, b, k] = overrun_s
            figure[COST, b, k] = limit if refused or outage else min(cost, limit)
            flag[0, b, k], flag[1, b, k] = refused, outage


@kernel
def check_requests(
    slots: Slots,
    row: IntVector,
    done: Decisions,
    scratch: Scratch,
    broken: Matrix,
    first: int,
    stop: int,
) -> None:
    """By how much requests break assignment, accuracy, coverage, visibility, and power limits."""
    law, server, served, squared = slots.law, done.server, scratch.served, scratch.squared_m2
    active, linked, accuracy, floor = slots.active, slots.linked, slots.accuracy, slots.floor
    n_uavs, n_servers, low, high = law.n_uavs, linked.shape[1], law.power_min_W, law.power_max_W
    for b in range(first, stop):
        i = b - first
        t, out_of_place, unseen, nameless = row[b], 0, 0, False
        short, far_m2, under, over = 0.0, 0.0, 0.0, 0.0
        for k in range(served.shape[1]):
            s, wanted, power_W = served[i, k], server[b, k], done.power_W[b, k]
            named = NO_SERVER <= wanted < n_servers if active[t, k] else wanted == NO_SERVER
            out_of_place += not named
            nameless |= isnan(power_W)
            if s < 0:
                under, over = max(under, -power_W), max(over, power_W)
                continue
            under, over = max(under, low - power_W), max(over, power_W - high)
            short = max(short, floor[t, k] - accuracy[s])
            if s >= n_uavs:
                unseen += not linked[t, s]
            elif not squared[i, s, k] <= far_m2:
                far_m2 = np.inf if isnan(squared[i, s, k]) else squared[i, s, k]
        broken[0, b], broken[1, b], broken[3, b] = out_of_place, short, unseen
        broken[2, b] = beyond(sqrt(far_m2) - law.coverage_m, law.tolerance * law.coverage_m)
        broken[4, b] = np.inf if nameless else beyond(under, law.tolerance * low)
        broken[5, b] = np.inf if nameless else beyond(over, law.tolerance * high)


@kernel
def check_flights(law: Law, done: Decisions, broken: Matrix, first: int, stop: int) -> None:
    """By how much UAVs break motion, area and separation."""
    at, before, side, separation = done.uav_xy_m, done.before_xy_m, law.side_m, law.separation_m
    for b in range(first, stop):
        far_m2, outside, near_m2 = 0.0, 0.0, np.inf
        for m in range(at.shape[1]):
            x, y = at[b, m, 0], at[b, m, 1]
            dx, dy = x - before[b, m, 0], y - before[b, m, 1]
            if not dx * dx + dy * dy <= far_m2:
                far_m2 = np.inf if isnan(dx + dy) else dx * dx + dy * dy
            outside = max(outside, max(max(-x, x - side), max(-y, y - side)))
            if isnan(x) or isnan(y):
                outside = np.inf
            if separation > 0:
                near_m2 = min(near_m2, nearest_m2(at, b, m))
        broken[6, b] = beyond(sqrt(far_m2) - law.reach_m, law.tolerance * law.reach_m)
        broken[7, b] = beyond(outside, law.tolerance * side)
        broken[8, b] = beyond(separation - sqrt(near_m2), law.tolerance * separation)


@kernel
def nearest_m2(at: Cube, b: int, m: int) -> float:
    """Squared distance of a UAV to the next one; -inf if it is no number."""
    nearest = np.inf
    for j in range(at.shape[1]):
        dx, dy = at[b, m, 0] - at[b, j, 0], at[b, m, 1] - at[b, j, 1]
        if j != m:
            nearest = min(nearest, dx * dx + dy * dy)
    return nearest


@kernel
def beyond(most: float, forgiven: float) -> float:
    """The amount, 0 where it is rounding."""
    return most if most > forgiven else 0.0

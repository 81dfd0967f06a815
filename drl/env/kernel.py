"""One step of a batch of environments as one kernel: project, judge, look again.

`satedge.compiled` projects and judges. What is seen is that of `drl.env.spaces.Encoder`, which
remains its definition; tests hold the kernel to it.
"""

from __future__ import annotations

from math import log

import numpy as np

from satedge.compiled.projector import Changed, Raw, project_all
from satedge.compiled.referee import COST, OVERRUN_S, Judged, judge_measured
from satedge.compiled.slots import (
    BLOCK,
    Decisions,
    Scratch,
    Slots,
    find_available,
    find_gains,
    measure,
)
from satedge.kernels import (
    BoolCube,
    BoolMatrix,
    Cube,
    FloatMatrix,
    IntMatrix,
    IntVector,
    Matrix,
    Record,
    Vector,
    kernel,
)
from satedge.kernels.logarithms import log_all

dB = 10 / log(10.0)

#: Figures of a slot, in this order; docs/environment.md says what they are.
NUMBERS = ("cost", "latency_s", "energy_J")
COUNTS = ("misses", "refused", "outages", "resampled", "clipped", "held")


class Look(Record):
    """How observations are laid out and scaled: places in a row, and (middle, half) of ranges."""

    exogenous: FloatMatrix
    """(T, size) What no decision changes, for every slot of the pool."""
    links: int
    uavs: int
    slot: int
    available: int
    gain_middle_dB: float
    gain_half_dB: float
    side_middle_m: float
    side_half_m: float
    slot_middle: float
    slot_half: float
    limit: float


class Seen(Record):
    """What is seen of B slots."""

    obs: FloatMatrix
    """(B, size)"""
    mask: BoolCube
    """(B, K, S)"""
    active: BoolMatrix
    """(B, K)"""


class Told(Record):
    """What a step is told in, of B environments."""

    reward: Vector
    """(B,)"""
    number: Matrix
    """(3, B) NUMBERS."""
    count: IntMatrix
    """(6, B) COUNTS."""


def told_for(n_envs: int) -> Told:
    """Room for so many environments."""
    numbers, counts = np.empty((len(NUMBERS), n_envs)), np.empty((len(COUNTS), n_envs), np.int64)
    return Told(np.empty(n_envs), numbers, counts)


@kernel
def scaled(value: float, middle: float, half: float, limit: float) -> float:
    """A number as agents see it."""
    return min(max((value - middle) / half, -limit), limit)


@kernel
def observe(
    look: Look,
    slots: Slots,
    row: IntVector,
    slot: IntVector,
    at: Cube,
    scratch: Scratch,
    seen: Seen,
) -> None:
    """Look at slots row (B,), number slot (B,) of their episodes, with UAVs at (B, M, 2)."""
    for first in range(0, row.shape[0], BLOCK):
        stop = min(first + BLOCK, row.shape[0])
        observe_some(look, slots, row, slot, at, scratch, seen, first, stop)


@kernel
def observe_some(
    look: Look,
    slots: Slots,
    row: IntVector,
    slot: IntVector,
    at: Cube,
    scratch: Scratch,
    seen: Seen,
    first: int,
    stop: int,
) -> None:
    """The same of slots first..stop-1 of them."""
    squared_m2, gain = scratch.squared_m2, scratch.gain
    measure(slots, row, at, squared_m2, first, stop)
    find_available(slots, row, squared_m2, slots.law.reachable_m2, scratch.available, first, stop)
    find_gains(slots, row, squared_m2, gain, first, stop)
    log_all(gain[: stop - first].reshape(-1))
    write_slots(look, slots, row, seen, first, stop)
    write_positions(look, slot, at, seen.obs, first, stop)
    write_links(look, scratch, seen, first, stop)


@kernel
def write_slots(
    look: Look, slots: Slots, row: IntVector, seen: Seen, first: int, stop: int
) -> None:
    """What no decision changes."""
    obs, exogenous, active = seen.obs, look.exogenous, slots.active
    for b in range(first, stop):
        t = row[b]
        for i in range(obs.shape[1]):
            obs[b, i] = exogenous[t, i]
        for k in range(active.shape[1]):
            seen.active[b, k] = active[t, k]


@kernel
def write_positions(
    look: Look, slot: IntVector, at: Cube, obs: FloatMatrix, first: int, stop: int
) -> None:
    """Where the UAVs are, and how far the episode is."""
    for b in range(first, stop):
        for m in range(at.shape[1]):
            for i in range(2):
                place = look.uavs + 3 * m + i
                obs[b, place] = scaled(
                    at[b, m, i], look.side_middle_m, look.side_half_m, look.limit
                )
        obs[b, look.slot] = scaled(slot[b], look.slot_middle, look.slot_half, look.limit)


@kernel
def write_links(look: Look, scratch: Scratch, seen: Seen, first: int, stop: int) -> None:
    """Gains to UAVs in decibels, from their logarithms, and which servers may be available."""
    obs, mask, log_gain, available = seen.obs, seen.mask, scratch.gain, scratch.available
    n_uavs, n_servers = log_gain.shape[1] - 1, mask.shape[2]
    size = mask.shape[1] * n_servers
    flat, flat_available = mask.reshape(-1, size), available.reshape(-1, size)
    factor, middle = dB / look.gain_half_dB, look.gain_middle_dB / look.gain_half_dB
    for b in range(first, stop):
        i = b - first
        for j in range(size):
            flat[b, j] = flat_available[i, j]
        for m in range(n_uavs):
            for k in range(mask.shape[1]):
                value = factor * log_gain[i, m, k] - middle
                value = min(max(value, -look.limit), look.limit)
                obs[b, look.links + k * (n_uavs + 1) + m] = value
                obs[b, look.available + k * n_servers + m] = available[i, k, m]


@kernel
def sum_up(scale: float, found: Judged, told: Told, first: int, stop: int) -> None:
    """Rewards, eq. (34), and means and sums over devices."""
    figure, flag, reward, number, count = (
        found.figure,
        found.flag,
        told.reward,
        told.number,
        told.count,
    )
    n_devices = figure.shape[2]
    for b in range(first, stop):
        cost = latency_s = energy_J = 0.0
        missed = refused = outages = 0
        for k in range(n_devices):
            cost += figure[COST, b, k]
            latency_s += figure[0, b, k] + figure[1, b, k] + figure[2, b, k] + figure[3, b, k]
            energy_J += figure[4, b, k] + figure[5, b, k] + figure[6, b, k] + figure[7, b, k]
            missed += figure[OVERRUN_S, b, k] > 0
            refused += flag[0, b, k]
            outages += flag[1, b, k]
        reward[b] = n_devices * scale / cost if cost > 0 else 0.0
        number[0, b], number[1, b], number[2, b] = cost / n_devices, latency_s / n_devices, energy_J
        count[0, b], count[1, b], count[2, b] = missed, refused, outages


@kernel
def count_changes(changed: Changed, count: IntMatrix, first: int, stop: int) -> None:
    """Servers resampled, powers clipped, UAVs held."""
    resampled, clipped, held = changed.resampled, changed.clipped, changed.held
    for b in range(first, stop):
        n_resampled = n_clipped = n_held = 0
        for k in range(clipped.shape[1]):
            n_resampled += resampled[b, k]
            n_clipped += clipped[b, k]
        for m in range(held.shape[1]):
            n_held += held[b, m]
        count[3, b], count[4, b], count[5, b] = n_resampled, n_clipped, n_held


@kernel
def step(
    slots: Slots,
    row: IntVector,
    raw: Raw,
    scale: float,
    scratch: Scratch,
    done: Decisions,
    changed: Changed,
    found: Judged,
    told: Told,
    look: Look,
    next_row: IntVector,
    next_slot: IntVector,
    seen: Seen,
) -> None:
    """Decide slots row (B,) with UAVs from `done.before_xy_m`, then look at what follows."""
    for first in range(0, row.shape[0], BLOCK):
        stop = min(first + BLOCK, row.shape[0])
        project_all(slots, row, raw, scratch, done, changed, first, stop)
        judge_measured(slots, row, done, scratch, found, first, stop)
        sum_up(scale, found, told, first, stop)
        count_changes(changed, told.count, first, stop)
        at = done.uav_xy_m
        observe_some(look, slots, next_row, next_slot, at, scratch, seen, first, stop)

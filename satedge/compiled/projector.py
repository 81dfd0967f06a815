"""The projector, compiled: what `satedge.problem.projector.project_slots` does, bit for bit."""

from __future__ import annotations

from math import floor, hypot, isfinite, isnan

import numpy as np

from satedge.compiled.slots import Decisions, Law, Scratch, Slots, find_available, measure
from satedge.kernels import (
    BoolCube,
    BoolMatrix,
    Cube,
    IntMatrix,
    IntVector,
    Matrix,
    Record,
    kernel,
)
from satedge.problem.plan import NO_SERVER


class Raw(Record):
    """Any decisions for B slots."""

    server: Matrix
    """(B, K)"""
    power_W: Matrix
    """(B, K)"""
    uav_xy_m: Cube
    """(B, M, 2)"""
    keys: IntVector
    """(B,) The bits of `slot_keys`."""


class Changed(Record):
    """What had to be changed: see Changes."""

    resampled: BoolMatrix
    """(B, K)"""
    clipped: BoolMatrix
    """(B, K)"""
    held: BoolMatrix
    """(B, M)"""
    unservable: BoolMatrix
    """(B, K)"""


@kernel
def hold_back(
    law: Law, wanted: Cube, done: Decisions, held: BoolMatrix, first: int, stop: int
) -> None:
    """Positions in the area and within reach, and which UAVs did not get theirs."""
    before, at = done.before_xy_m, done.uav_xy_m
    side, reach, tolerance = law.side_m, law.reach_m, law.tolerance
    for b in range(first, stop):
        for m in range(at.shape[1]):
            for i in range(2):
                target = before[b, m, i] if isnan(wanted[b, m, i]) else wanted[b, m, i]
                if not max(-target, target - side) <= tolerance * side:
                    target = min(max(target, 0.0), side)
                at[b, m, i] = target
            x, y = before[b, m, 0], before[b, m, 1]
            dx, dy = at[b, m, 0] - x, at[b, m, 1] - y
            length = hypot(dx, dy)
            if not length - reach <= tolerance * reach:
                scale = reach / length
                at[b, m, 0], at[b, m, 1] = x + dx * scale, y + dy * scale
        if law.separation_m > 0:
            keep_apart(law, b, before, at)
        for m in range(at.shape[1]):
            held[b, m] = at[b, m, 0] != wanted[b, m, 0] or at[b, m, 1] != wanted[b, m, 1]


@kernel
def keep_apart(law: Law, b: int, before: Cube, at: Cube) -> None:
    """Send UAVs that would come too near each other back to where they were, until none is left."""
    n, separation = at.shape[1], law.separation_m
    crowded = np.zeros(n, np.bool_)
    for _ in range(n):
        for m in range(n):
            nearest = np.inf
            for j in range(n):
                if j != m:
                    dx, dy = at[b, m, 0] - at[b, j, 0], at[b, m, 1] - at[b, j, 1]
                    nearest = min(nearest, hypot(dx, dy))
            crowded[m] = not separation - nearest <= law.tolerance * separation
        for m in range(n):
            if crowded[m]:
                at[b, m, 0], at[b, m, 1] = before[b, m, 0], before[b, m, 1]


@kernel
def choose(
    slots: Slots,
    row: IntVector,
    mask: BoolCube,
    raw: Raw,
    server: IntMatrix,
    changed: Changed,
    first: int,
    stop: int,
) -> None:
    """Servers, which of them were drawn, and which requests none can take."""
    n_devices, n_servers = mask.shape[1], mask.shape[2]
    wanted, keys, active = raw.server, raw.keys, slots.active
    resampled, unservable = changed.resampled, changed.unservable
    for b in range(first, stop):
        i = b - first
        for k in range(n_devices):
            w = wanted[b, k]
            named = isfinite(w) and w == floor(w) and 0 <= w < n_servers
            fine = named and mask[i, k, int(w)]
            server[b, k], resampled[b, k], unservable[b, k] = NO_SERVER, False, False
            if fine:
                server[b, k] = int(w)
                continue
            count = 0
            for s in range(n_servers):
                count += mask[i, k, s]
            unservable[b, k] = active[row[b], k] and count == 0
            if count > 0 and w != NO_SERVER:
                server[b, k] = draw(mask, i, k, count, keys[b])
                resampled[b, k] = True


@kernel
def draw(mask: BoolCube, b: int, k: int, count: int, key: int) -> int:
    """One of the `count` available servers of a device."""
    uniform = (mixed(key ^ mixed(k)) >> 11 & (1 << 53) - 1) * 2.0**-53
    rank = int(uniform * count)
    s = 0
    while rank > 0 or not mask[b, k, s]:
        rank -= mask[b, k, s]
        s += 1
    return s


@kernel
def mixed(x: int) -> int:
    """SplitMix64 on the bits of signed numbers, see `satedge.problem.projector`."""
    x += -0x61C8864680B583EB
    x = (x ^ (x >> 30 & (1 << 34) - 1)) * -0x40A7B892E31B1A47
    x = (x ^ (x >> 27 & (1 << 37) - 1)) * -0x6B2FB644ECCEEE15
    return x ^ (x >> 31 & (1 << 33) - 1)


@kernel
def clip_powers(
    law: Law, wanted: Matrix, done: Decisions, clipped: BoolMatrix, first: int, stop: int
) -> None:
    """Powers within their limits, 0 without a server; a NaN becomes the greatest power."""
    low, high, tolerance = law.power_min_W, law.power_max_W, law.tolerance
    server, power_W = done.server, done.power_W
    for b in range(first, stop):
        for k in range(server.shape[1]):
            w, sends = wanted[b, k], server[b, k] >= 0
            fine = low - w <= tolerance * low and w - high <= tolerance * high
            if not fine:
                w = high if isnan(w) else min(max(w, low), high)
            power_W[b, k] = w if sends else 0.0
            clipped[b, k] = sends and not fine


@kernel
def project_all(
    slots: Slots,
    row: IntVector,
    raw: Raw,
    scratch: Scratch,
    done: Decisions,
    changed: Changed,
    first: int,
    stop: int,
) -> None:
    """Project decisions for slots first..stop-1 of row (B,); leaves distances in `scratch`."""
    available = scratch.available
    hold_back(slots.law, raw.uav_xy_m, done, changed.held, first, stop)
    measure(slots, row, done.uav_xy_m, scratch.squared_m2, first, stop)
    find_available(slots, row, scratch.squared_m2, slots.law.served_m2, available, first, stop)
    choose(slots, row, available, raw, done.server, changed, first, stop)
    clip_powers(slots.law, raw.power_W, done, changed.clipped, first, stop)

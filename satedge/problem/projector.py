"""The projector: any raw decision becomes an admissible plan, by one rule for every method.

Powers and motion are clipped. A server that is not available (accuracy, visibility, coverage at
the positions reached) is replaced by a seeded uniform draw among the available ones: never the
cheapest, which would play a greedy method for a bad policy. What is admissible stays untouched,
refusals (server -1) among it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satedge.problem.constraints import available, crowding, kept, usable_within
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan, concatenate

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Changes:
    """What the projector had to change."""

    server: NDArray[np.bool_]
    """(..., T, K) The server was resampled."""
    power: NDArray[np.bool_]
    """(..., T, K) The power was clipped."""
    motion: NDArray[np.bool_]
    """(..., T, M) The UAV was held back."""
    unservable: NDArray[np.bool_]
    """(..., T, K) Requests that no server can take from where the UAVs are."""


def project(instance: Instance, raw: Plan, seed: int = 0) -> tuple[Plan, Changes]:
    """The admissible plan nearest in spirit to raw decisions for all slots, slot after slot.

    `raw` (shapes of a Plan, leading axes allowed) may hold any numbers, finite or not, and servers
    as floats. `seed` draws servers in the place of unavailable ones. Returns the plan and what was
    changed.
    """
    at: Array = instance.uav_xy_m
    plans: list[Plan] = []
    records: list[Changes] = []
    for t in range(instance.n_slots):
        view = instance.rows(slice(t, t + 1))
        keys = slot_keys(seed, np.array([t]))
        plan, changes = project_slots(view, at[..., None, :, :], raw.slots(t, t + 1), keys)
        plans.append(plan)
        records.append(changes)
        at = plan.uav_xy_m[..., 0, :, :]
    joined = Changes(
        *(
            np.concatenate([getattr(c, name) for c in records], axis=-2)
            for name in ("server", "power", "motion", "unservable")
        )
    )
    return concatenate(plans), joined


def project_slots(
    instance: Instance, previous_xy_m: Array, raw: Plan, keys: NDArray[np.uint64]
) -> tuple[Plan, Changes]:
    """Project independent slots: row t starts from `previous_xy_m[..., t, :, :]` (..., T, M, 2).

    `keys` (T,) seed the draws, see `slot_keys`. This is what batches of environments use.
    """
    uav_xy_m, moved = _hold_back(instance, previous_xy_m, np.asarray(raw.uav_xy_m, float))
    mask = available(instance, uav_xy_m)
    server, drawn, unservable = _replace_unavailable(instance, mask, raw.server, keys)
    power_W, clipped = _clip_power(instance, server, np.asarray(raw.power_W, float))
    return Plan(server, power_W, uav_xy_m), Changes(drawn, clipped, moved, unservable)


def reachable(instance: Instance, previous_xy_m: Array) -> NDArray[np.bool_]:
    """Servers that some motion makes available: (..., T, K, S). The mask known before deciding.

    A UAV counts when it is within its coverage radius plus its reach. Where several requests
    need one UAV in different places, not all of them may find it available.
    """
    s = instance.scenario
    return usable_within(instance, previous_xy_m, s.uav_coverage_m + s.uav_reach_m)


def slot_keys(seed: int | NDArray[np.uint64], slots: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Keys for the draws of slots `slots` (T,) under a seed: (T,)."""
    return _mix(_mix(np.asarray(seed).astype(np.uint64)) ^ slots.astype(np.uint64))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64, Steele et al. 2014: a bijection that scatters neighbouring integers."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed


def _hold_back(
    instance: Instance, previous_xy_m: Array, wanted_xy_m: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Positions in the area and within reach, and which UAVs did not get theirs."""
    s = instance.scenario
    side, reach = s.area_side_m, s.uav_reach_m
    previous = np.broadcast_to(previous_xy_m, wanted_xy_m.shape)
    target = np.where(np.isnan(wanted_xy_m), previous, wanted_xy_m)
    inside = kept(np.maximum(-target, target - side), side)
    target = np.where(inside, target, np.clip(target, 0.0, side))
    step = target - previous
    length = np.hypot(step[..., 0], step[..., 1])
    far = ~kept(length - reach, reach)
    scale = reach / np.where(far, length, 1.0)
    target = np.where(far[..., None], previous + step * scale[..., None], target)
    if s.uav_separation_m > 0:
        target = _keep_apart(previous, target, s.uav_separation_m)
    return target, (target != wanted_xy_m).any(axis=-1)


def _keep_apart(previous: Array, target: Array, separation_m: float) -> Array:
    """Send pairs that would come too near back to where they were, until none is left."""
    for _ in range(target.shape[-2]):
        crowded = ~kept(crowding(target, separation_m), separation_m)
        target = np.where(crowded[..., None], previous, target)
    return target


def _replace_unavailable(
    instance: Instance, mask: NDArray[np.bool_], raw: NDArray, keys: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Servers, which of them were drawn, and which requests none can take."""
    n_servers = mask.shape[-1]
    wanted = np.asarray(raw, float)
    whole = np.isfinite(wanted) & (wanted == np.floor(wanted))
    named = whole & (wanted >= 0) & (wanted < n_servers)
    choice = np.where(named, wanted, 0).astype(np.int64)
    fine = named & np.take_along_axis(mask, choice[..., None], axis=-1)[..., 0]
    servable = mask.any(axis=-1)
    drawn = servable & ~fine & (wanted != NO_SERVER)
    server = np.where(fine, choice, NO_SERVER)
    devices = np.arange(mask.shape[-2], dtype=np.uint64)
    noise = _mix(keys[:, None] ^ _mix(devices)) >> np.uint64(11)
    uniform = noise.astype(float) * 2.0**-53
    server[drawn] = _drawn(mask[drawn], np.broadcast_to(uniform, drawn.shape)[drawn])
    return server, drawn, instance.active & ~servable


def _drawn(mask: NDArray[np.bool_], uniform: Array) -> NDArray[np.int64]:
    """One of the servers in each row of `mask` (n, S), by numbers in [0, 1) (n,)."""
    count = mask.sum(axis=-1)
    rank = (uniform * count).astype(np.int64)  # below count: uniform is 1 - 2**-53 at most
    return np.argmax(mask.cumsum(axis=-1) == (rank + 1)[..., None], axis=-1)


def _clip_power(
    instance: Instance, server: NDArray[np.int64], wanted_W: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Powers within their limits, 0 without a server; a NaN becomes the greatest power."""
    s = instance.scenario
    sends = server >= 0
    low, high = s.power_min_W, s.power_max_W
    fine = kept(low - wanted_W, low) & kept(wanted_W - high, high)
    filled = np.where(np.isnan(wanted_W), high, wanted_W)
    power = np.where(fine, wanted_W, np.clip(filled, low, high))
    return np.where(sends, power, 0.0), sends & ~fine

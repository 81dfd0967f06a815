"""The constraints of P1: which servers are available, and by how much a plan breaks what.

Eqs. (1)-(3), (31a)-(31d), visibility, area, UAV motion and separation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan

Array = NDArray[np.float64]

#: Relative slack within which a constraint counts as kept: room for rounding, not for cheating.
TOLERANCE = 1e-9


def ground_squared_m2(instance: Instance, uav_xy_m: Array) -> Array:
    """Squared horizontal distance between devices and UAVs: (..., T, K, M)."""
    east = instance.device_xy_m[:, :, None, 0] - uav_xy_m[..., None, :, 0]
    north = instance.device_xy_m[:, :, None, 1] - uav_xy_m[..., None, :, 1]
    squared: Array = east**2 + north**2
    return squared


def pick(table: Array, server: NDArray[np.int64]) -> Array:
    """Entries (..., T, K) of a table (T, K, S) or (..., T, K, S) at the servers; 0 where none."""
    n_servers = table.shape[-1]
    if n_servers == 0:
        return np.zeros(server.shape)
    row = np.arange(0, table.size, n_servers).reshape(table.shape[:-1])
    return np.where(server >= 0, table.reshape(-1)[row + np.maximum(server, 0)], 0.0)


def kept(excess: Array, limit: float | Array) -> NDArray[np.bool_]:
    """Whether a limit exceeded by `excess` (...) counts as kept. A NaN never does."""
    return np.asarray(excess <= TOLERANCE * limit)


def available(instance: Instance, uav_xy_m: Array) -> NDArray[np.bool_]:
    """Servers a request may use with UAVs at given positions: (..., T, K, S). Eqs. (2), (3)."""
    return usable_within(instance, uav_xy_m, instance.scenario.uav_coverage_m)


def usable_within(instance: Instance, uav_xy_m: Array, radius_m: float) -> NDArray[np.bool_]:
    """Accurate and linked servers, UAVs no farther away than `radius_m`: (..., T, K, S)."""
    s, c = instance.scenario, instance.coefficients
    near = np.ones((*uav_xy_m.shape[:-2], *c.accurate.shape[1:]), bool)
    distance_m = np.sqrt(ground_squared_m2(instance, uav_xy_m))
    near[..., : s.n_uavs] = kept(distance_m - radius_m, radius_m)
    return near & c.accurate & c.linked[:, None, :]


def _distance(away: Array) -> Array:
    return np.hypot(away[..., 0], away[..., 1])


def violations(
    instance: Instance, plan: Plan, served: NDArray[np.int64], previous_xy_m: Array
) -> dict[str, Array]:
    """Every constraint by name: (..., T) amounts. Positions in m, powers in W, else counts."""
    s, c = instance.scenario, instance.coefficients
    server, power_W, uav_xy_m = plan.server, plan.power_W, plan.uav_xy_m
    sends = served >= 0
    out_of_place = np.where(
        instance.active, (server < NO_SERVER) | (server >= s.n_servers), server != NO_SERVER
    )
    accuracy = instance.server_accuracy[np.maximum(served, 0)]
    linked = np.broadcast_to(c.linked[:, None, :], c.accurate.shape)
    above = served >= s.n_uavs
    own_uav = np.where(sends & ~above, served, NO_SERVER)
    distance = np.sqrt(ground_squared_m2(instance, uav_xy_m))
    step = _distance(uav_xy_m - previous_xy_m)
    side = s.area_side_m
    outside = np.maximum(np.maximum(-uav_xy_m, uav_xy_m - side), 0.0).max(axis=-1)
    low = np.where(sends, s.power_min_W, 0.0)
    high = np.where(sends, s.power_max_W, 0.0)
    amounts = {
        "assignment": out_of_place.sum(axis=-1).astype(float),
        "accuracy": _worst(np.where(sends, instance.accuracy_floor - accuracy, 0.0), 0.0),
        "coverage": _worst(pick(distance, own_uav) - s.uav_coverage_m, s.uav_coverage_m),
        "visibility": (above & ~pick(linked.astype(float), served).astype(bool))
        .sum(axis=-1)
        .astype(float),
        "power_min": _worst(low - power_W, s.power_min_W),
        "power_max": _worst(power_W - high, s.power_max_W),
        "motion": _worst(step - s.uav_reach_m, s.uav_reach_m),
        "area": _worst(outside, side),
    }
    if s.uav_separation_m > 0:
        amounts["separation"] = _worst(crowding(uav_xy_m, s.uav_separation_m), s.uav_separation_m)
    return amounts


def crowding(uav_xy_m: Array, separation_m: float) -> Array:
    """How much too near each UAV is to another, negative if far enough: (..., T, M)."""
    apart = _distance(uav_xy_m[..., :, None, :] - uav_xy_m[..., None, :, :])
    apart[..., np.eye(apart.shape[-1], dtype=bool)] = np.inf
    return separation_m - apart.min(axis=-1, initial=np.inf)


def too_near(uav_xy_m: Array, separation_m: float) -> bool:
    """Whether any two UAVs, (..., M, 2), are nearer to each other than they may be."""
    return separation_m > 0 and bool((crowding(uav_xy_m, separation_m) > 0).any())


def _worst(amount: Array, scale: float) -> Array:
    """(..., T) Greatest amount over devices or UAVs; rounding is forgiven, NaN is not."""
    amount = np.where(np.isnan(amount), np.inf, amount)
    amount = np.where(kept(amount, scale), 0.0, amount)
    worst: Array = amount.max(axis=-1, initial=0.0)
    return worst

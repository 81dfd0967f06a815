"""The first certified bound: every request alone, from the best position any motion can reach.

Relaxed are: interference, sharing of compute, and that a UAV is in one place at a time. Each
request then picks its server, power and UAV position for itself; the cheapest it can get is a
lower bound on its elastic cost in any admissible plan. Where UAVs start from their places before
slot 0, slot t can be reached with (t + 1) * V_max * slot of flight, so that the bounds of all
slots hold together and their mean bounds the horizon.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minlp.heuristics.interference_free import ROUNDING, server_costs
from minlp.heuristics.simple import greedy
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Progress, Report, ignore
from satedge.problem.referee import TOLERANCE

Array = NDArray[np.float64]


def independent_bound(instance: Instance) -> Array:
    """Lower bounds on the elastic cost of every slot, mean over all K devices: (T,).

    Holds for all scopes, leakages and compute modes, and for whatever the referee's tolerance
    forgives in powers, motion, coverage and deadlines.
    """
    bound: Array = device_bounds(instance).mean(axis=-1) * (1 - ROUNDING)
    return bound


def device_bounds(instance: Instance) -> Array:
    """Lower bounds on the elastic cost of every request: (T, K); 0 for idle devices."""
    s, c = instance.scenario, instance.coefficients
    near_m, far_m = reachable_distances(instance)
    costs = server_costs(instance, gains_at(instance, near_m), tolerance=2 * TOLERANCE)
    mask = np.broadcast_to(c.accurate & c.linked[:, None, :], costs.lower.shape).copy()
    mask[..., : s.n_uavs] &= near_m <= s.uav_coverage_m * (1 + 2 * TOLERANCE)
    served = np.where(mask, costs.lower, np.inf).min(axis=-1, initial=np.inf)
    refusal = s.penalty_per_s * instance.deadline_s * (1 - ROUNDING)
    # Nobody may be refused while a server is available: only UAVs can fly out of reach.
    always = mask.copy()
    always[..., : s.n_uavs] &= far_m <= s.uav_coverage_m
    bound = np.where(always.any(axis=-1), served, np.minimum(served, refusal))
    return np.where(instance.active, bound, 0.0)


def reachable_distances(instance: Instance) -> tuple[Array, Array]:
    """Least and an upper bound on the greatest horizontal distance to any UAV: (T, K, M) each.

    The area is convex and holds device and UAV, so the nearest reachable point lies on the line
    between them; that the area cuts the far side off is ignored.
    """
    s = instance.scenario
    away = instance.device_xy_m[:, :, None, :] - instance.uav_xy_m
    distance = np.hypot(away[..., 0], away[..., 1])
    slots = np.arange(1, instance.n_slots + 1)
    reach = slots * s.uav_reach_m * (1 + 2 * TOLERANCE) + 2 * TOLERANCE * s.area_side_m
    near = np.maximum(0.0, distance - reach[:, None, None])
    return near, distance + reach[:, None, None]


def gains_at(instance: Instance, distance_m: Array) -> Array:
    """Power gains to UAVs at horizontal distances (T, K, M). Eqs. (6)-(7)."""
    s = instance.scenario
    squared = distance_m**2 + instance.uav_altitude_m[:, None, :] ** 2
    decay = squared ** (-s.path_loss_exponent / 2)
    gain: Array = 10 ** (s.uav_reference_gain_dB / 10) * decay * instance.uav_fading
    return gain * (1 + ROUNDING)


def independent_certificate() -> dict[str, Any]:
    """How the bound can be checked: it is recomputed from the instance alone."""
    return {
        "kind": "independent",
        "relaxes": ["interference", "compute sharing", "one position per UAV and slot"],
        "check": "minlp.heuristics.independent_bound.independent_bound",
    }


def independent(
    instance: Instance, *, budget_s: float, seed: int, report: Report = ignore
) -> Outcome:
    """The plan of `greedy` with the independent bound."""
    bound = float(independent_bound(instance).mean())
    report(Progress(lower_bound=bound))
    found = greedy(instance, budget_s=budget_s, seed=seed, report=report)
    return dataclasses.replace(found, lower_bound=bound, certificate=independent_certificate())


solve = independent

"""Slots solved where a pilot has flown the UAVs: servers and powers exactly, places given.

Whoever is the pilot decides places by what requests cost when alone (`tabulated`), which takes a
fraction of the time that the slot's optimum does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot
from minlp.foresight.drift import slot_optimum
from minlp.foresight.places import lone_costs
from minlp.heuristics.over_slots import lift
from satedge import kernels
from satedge.problem import clock
from satedge.problem.constraints import too_near
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Report, ignore

Array = NDArray[np.float64]

#: (one-slot instance with the UAVs where they are, number of slots after it) -> places (M, 2).
Pilot = Callable[[Instance, int], Array]


def guided(
    instance: Instance,
    *,
    pilot: Pilot,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    gap: float = 1e-3,
    slot_budget_s: float = 1.0,
) -> Outcome:
    """Servers and powers of every slot to the relative gap, UAVs where the pilot has them.

    The last slot, and one in which the pilot would bring UAVs too near, gets its own optimum.
    """
    kernels.warm_up()
    held = instance.with_scenario(instance.scenario.replace(uav_speed_max_mps=0.0))

    def decide(slot: Instance, t: int, slot_s: float, _: Report) -> Plan:
        s, left = slot.scenario, instance.n_slots - t - 1
        stop_at = clock.now() + min(slot_s, slot_budget_s)
        if left and s.n_uavs:
            xy_m = pilot(slot, left)
            if not too_near(xy_m, s.uav_separation_m):
                there = held.rows(slice(t, t + 1), xy_m)
                limits = Limits(gap=gap, budget_s=max(0.0, stop_at - clock.now()))
                plan = solve_slot(there, 0, limits).plan
                if plan is not None:
                    return dataclasses.replace(plan, uav_xy_m=xy_m[None])
        return slot_optimum(slot, gap, max(0.0, stop_at - clock.now()))

    return lift(instance, decide, budget_s=budget_s, seed=seed, report=report)


def tabulated(instance: Instance) -> tuple[Array, Array, Array]:
    """Costs of requests that are alone, 0 when idle: at UAVs right above, and at the edge of their
    coverage, (T, M, K) each; at the cheapest satellite or refused, (T, K)."""
    m, n_slots = instance.scenario.n_uavs, instance.n_slots
    twice = instance.rows(np.tile(np.arange(n_slots), 2))
    away_m = np.repeat([0.0, instance.scenario.uav_coverage_m], n_slots)
    costs = lone_costs(twice, away_m[:, None, None])
    near, far = np.moveaxis(costs[..., :m], -1, 1).reshape(2, n_slots, m, -1)
    by_satellite = costs[:n_slots, :, m:].min(axis=-1, initial=np.inf)
    return near, far, np.minimum(by_satellite, instance.outage_cost)

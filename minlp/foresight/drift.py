"""Drift: every slot to its optimum, then UAVs glide to where the devices are.

A causal rule that knows no future and needs no model of it: UAVs without a request of the slot fly
towards the centres of the devices, one centre each (k-means; MacQueen 1967), the others as far in
that direction as they cover everybody whom they serve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans
from scipy.optimize import linear_sum_assignment

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot
from minlp.heuristics.local_search import with_best_powers
from minlp.heuristics.over_slots import lift
from minlp.heuristics.simple import towards
from satedge import kernels
from satedge.problem.constraints import too_near
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Report, ignore
from satedge.problem.rollout import idle_decision

Array = NDArray[np.float64]

#: Runs of k-means, of which the best counts.
RUNS = 20


def drift(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    gap: float = 1e-3,
    slot_budget_s: float = 1.0,
) -> Outcome:
    """The slot's optimum to the relative gap or for so many seconds, then gliding UAVs."""
    kernels.warm_up()

    def decide(slot: Instance, _: int, slot_s: float, __: Report) -> Plan:
        plan = slot_optimum(slot, gap, min(slot_s, slot_budget_s))
        return glided(slot, plan, device_centres(slot, seed))

    return lift(instance, decide, budget_s=budget_s, seed=seed, report=report)


def slot_optimum(slot: Instance, gap: float, budget_s: float) -> Plan:
    """What a myopic exact method does."""
    plan = solve_slot(slot, 0, Limits(gap=gap, budget_s=budget_s)).plan
    return plan if plan is not None else idle_decision(slot)


def device_centres(slot: Instance, seed: int) -> Array:
    """(M, 2) centres of the devices for UAVs to fly to, those nearest on the whole.

    Where devices have fewer centres than there are UAVs, the rest stay.
    """
    goals_m = slot.uav_xy_m.copy()
    n_uavs = min(len(goals_m), len(np.unique(slot.device_xy_m[0], axis=0)))
    if not n_uavs:
        return goals_m
    rng = np.random.default_rng(seed)
    centres_m, _ = kmeans(slot.device_xy_m[0], n_uavs, iter=RUNS, rng=rng)
    away = goals_m[:, None] - centres_m
    uavs, centres = linear_sum_assignment(np.hypot(away[..., 0], away[..., 1]))
    goals_m[uavs] = centres_m[centres]
    return goals_m


def glided(slot: Instance, plan: Plan, goals_m: Array) -> Plan:
    """A plan of one slot with UAVs nearer to their goals (M, 2), powers for where they are.

    UAVs that serve keep whom they serve. The plan itself, where UAVs would come too near.
    """
    s = slot.scenario
    stopped = np.isin(np.arange(s.n_uavs), plan.server[0])
    nearer_m = towards(slot, plan.server, goals_m)
    same = (nearer_m[0] == slot.uav_xy_m).all(axis=-1) & stopped
    nearer_m[0, same] = plan.uav_xy_m[0, same]
    if too_near(nearer_m, s.uav_separation_m):
        return plan
    return with_best_powers(slot, Plan(plan.server, plan.power_W, nearer_m))

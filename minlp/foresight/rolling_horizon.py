"""Model-predictive planning on sampled futures: causal, and it knows the generator's law.

In every slot

1. the slot's own optimum, as if none followed, is where the search starts;
2. futures of the next slots are drawn from the law, given what was seen (`futures`);
3. every UAV gets the destination that is best for them on average (`places`);
4. one UAV at a time takes a step towards its destination, whole, or as far as it covers whom it
   serves, or stays with the slot's optimum: whatever makes the slot, its servers and powers solved
   anew by branch and bound, and the mean of the futures cheapest together.

What was decided about later slots is dropped. Decisions depend on what was seen and the method's
own seed alone: it is shown one slot after the other, and none before its time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot
from minlp.foresight.drift import device_centres, slot_optimum
from minlp.foresight.futures import Seen
from minlp.foresight.places import Places
from minlp.heuristics.over_slots import lift
from minlp.heuristics.simple import towards
from satedge import kernels
from satedge.problem import clock
from satedge.problem.constraints import too_near
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Report, ignore
from satedge.problem.referee import judge

Array = NDArray[np.float64]

#: (what was seen, slots, draws) -> draws of the next slots, one after the other.
Sampler = Callable[[Seen, int, int], Instance]


def rolling_horizon(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    lookahead: int = 20,
    futures: int = 12,
    gap: float = 1e-3,
    slot_budget_s: float = 1.0,
) -> Outcome:
    """Plan each slot with `lookahead` more in `futures` draws, and keep the slot alone.

    `gap` and `slot_budget_s` limit the branch and bound on the slot.
    """
    kernels.warm_up()
    seen, last = Seen(seed), instance.n_slots

    def decide(slot: Instance, t: int, slot_s: float, _: Report) -> Plan:
        seen.show(slot)
        ahead = min(lookahead, last - t - 1)
        planner = Planner(slot, gap, clock.now() + min(slot_s, slot_budget_s))
        if ahead < 1 or not slot.scenario.n_uavs:
            return planner.plan
        return planner.improved(Places(seen.futures(ahead, futures), ahead), seed)

    return lift(instance, decide, budget_s=budget_s, seed=seed, report=report)


class Planner:
    """The decision of one slot."""

    def __init__(self, slot: Instance, gap: float, stop_at: float) -> None:
        self.slot, self.gap, self.stop_at = slot, gap, stop_at
        self.plan = slot_optimum(slot, gap, stop_at - clock.now())

    def improved(self, places: Places, seed: int) -> Plan:
        """The plan with UAVs where slot and futures together are cheapest."""
        start_m = self.slot.uav_xy_m
        goals_m = places.destinations(start_m, device_centres(self.slot, seed))
        best = self.total(self.plan, places, goals_m)
        for m in range(len(start_m)):
            for xy_m in self.steps(m, goals_m):
                if clock.now() > self.stop_at:
                    return self.plan
                trial = self.at(xy_m)
                cost = self.total(trial, places, goals_m)
                if cost < best:
                    best, self.plan = cost, trial
        return self.plan

    def total(self, plan: Plan, places: Places, goals_m: Array) -> float:
        """Cost of the slot and of the futures after it, sum over devices."""
        cost = float(judge(self.slot, plan).cost) * self.slot.scenario.n_devices
        return cost + places.cost(plan.uav_xy_m[0], goals_m)

    def steps(self, m: int, goals_m: Array) -> Iterator[Array]:
        """Places (M, 2) of all UAVs with the m-th nearer to its goal, the others as planned."""
        nobody = np.full_like(self.plan.server, -1)
        old_m = self.plan.uav_xy_m[0]
        for server in (nobody, self.plan.server):
            xy_m = old_m.copy()
            xy_m[m] = towards(self.slot, server, goals_m)[0, m]
            crowded = too_near(xy_m, self.slot.scenario.uav_separation_m)
            if not crowded and (xy_m != old_m).any():
                yield xy_m
                if server is nobody and not (self.plan.server == m).any():
                    return

    def at(self, uav_xy_m: Array) -> Plan:
        """Servers and powers for UAVs at (M, 2)."""
        there = self.slot.rows(slice(0, 1), uav_xy_m)
        there = there.with_scenario(there.scenario.replace(uav_speed_max_mps=0.0))
        limits = Limits(gap=self.gap, budget_s=max(0.0, self.stop_at - clock.now()))
        plan = solve_slot(there, 0, limits).plan
        return self.plan if plan is None else dataclasses.replace(plan, uav_xy_m=uav_xy_m[None])

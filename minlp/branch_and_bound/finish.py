"""Finishing the plan of one slot that somebody else has made, for instance a policy: its powers
exactly, or a local search from it.

Both return a plan that costs the slot no more than the one they were given; the servers and
positions of the latter have to be admissible. A satellite that another one beats in cost and in
time gives way to it: they share a receiver, so that nobody else notices.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.primal import local_search
from minlp.slot.cost import device_costs
from minlp.slot.data import SlotData, slot_data
from minlp.slot.region import start_reach
from minlp.slot.value import Point, copied, plan_at, point_of, settle_powers
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan

#: Relative accuracy of powers, and the gain from which a step of the search counts.
POWER_GAP, STEP_GAP = 1e-9, 1e-5

#: Steps of the search; it ends long before on its own.
MAX_STEPS = 100


def powers(slot: Instance, plan: Plan) -> Plan:
    """The plan's servers and positions with the optimal powers; requests that cost more than their
    outage are refused."""
    data = slot_data(slot)
    start = point_of(data, slot, plan)
    best = _with_best_powers(data, start)
    return plan_at(slot, data, best) if best.value[0] < start.value[0] else plan


def search(slot: Instance, plan: Plan) -> Plan:
    """Steps from the plan to better servers and positions, powers optimal, until none is left."""
    data = slot_data(slot)
    start = point_of(data, slot, plan)
    best = _with_best_powers(data, start)
    trial = copied(best)
    local_search(data, start_reach(data), trial, MAX_STEPS, STEP_GAP)
    if trial.value[0] < best.value[0]:
        best = trial
    return plan_at(slot, data, best) if best.value[0] < start.value[0] else plan


def _with_best_powers(data: SlotData, start: Point) -> Point:
    """The best powers for the servers and positions of `start`, which gets its bounded cost.

    With all requests that are in outage refused, the elastic cost at the same powers is no more
    than the bounded one, and it only falls from there. Better powers may save them, too.
    """
    costs = device_costs(data, start.choice, start.log_power, start.uav_xy_m)
    outage = _outage_costs(data)
    start.value[0] = np.minimum(costs, outage).sum()
    best = copied(start)
    best.value[0] = np.inf
    trials = [copied(best)]
    if (costs > outage).any():
        trials.append(copied(best))
        _refuse(data, trials[1], costs > outage)
    for trial in trials:
        _settle(data, trial, outage)
        if trial.value[0] < best.value[0]:
            best = trial
    return best


def _settle(data: SlotData, point: Point, outage: np.ndarray) -> None:
    """Optimal powers in place; whoever costs most above an outage is refused, one by one."""
    while np.isfinite(settle_powers(data, point, POWER_GAP, np.inf)):
        above = device_costs(data, point.choice, point.log_power, point.uav_xy_m) - outage
        if not (above > 0.0).any():
            return
        _refuse(data, point, above == above.max())


def _refuse(data: SlotData, point: Point, which: np.ndarray) -> None:
    point.choice[which] = data.n_options[which] - 1


def _outage_costs(data: SlotData) -> np.ndarray:
    """(n,) What refusing costs every device: its last option."""
    rows = np.arange(len(data.n_options))
    costs: np.ndarray = data.fixed_cost[rows, data.n_options - 1]
    return costs

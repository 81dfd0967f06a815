"""From the relaxation's servers to a plan: best powers, descent over positions, other servers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minlp.improvement.neighbourhood import improve, neighbour_count, sweep
from minlp.p1.start import start_plan
from minlp.slot.data import Array, slot_data
from minlp.slot.region import start_reach
from minlp.slot.value import copy_point, new_point, plan_at, point_of
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import judge

#: Accuracy of positions, and the most steps they get.
GAP, STEPS = 1e-7, 40

#: A change of servers this much above the incumbent still has its positions improved.
HOPE, HOPE_STEPS = 0.01, 8

#: Changes of servers tried between two looks at the clock.
BATCH = 20


def rounded(
    slot: Instance,
    servers: list[NDArray[np.int64]],
    uav_xy_m: list[Array],
    stop_at: float = np.inf,
) -> Plan:
    """The cheapest plan found from servers (K,) and positions (M, 2), and from the start plan.

    Descent over positions from each, then moves and swaps of servers from the best.
    `stop_at` is a time of `clock.now`.
    """
    start, data = start_plan(slot), slot_data(slot)
    if not len(data.n_options):
        return start
    reach = start_reach(data)
    best = new_point(len(data.n_options), slot.scenario.n_uavs)
    tried = [start, *(_trial(start, *found) for found in zip(servers, uav_xy_m, strict=True))]
    for plan in tried:
        if clock.now() < stop_at:
            point = point_of(data, slot, plan)
            improve(data, reach, point, STEPS, GAP)
            if point.value[0] < best.value[0]:
                copy_point(point, best)
    order = np.arange(neighbour_count(data))
    improved = int(np.isfinite(best.value[0]))
    while improved and clock.now() < stop_at:
        improved = 0
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            if clock.now() < stop_at:
                improved += sweep(data, reach, best, batch, HOPE, HOPE_STEPS, len(batch))
    found = plan_at(slot, data, best)
    verdict = judge(slot, found)
    better = bool(verdict.admissible) and float(verdict.cost) < float(judge(slot, start).cost)
    return found if better else start


def _trial(start: Plan, servers: NDArray[np.int64], uav_xy_m: Array) -> Plan:
    """Servers and positions of the relaxation, with the start plan's powers."""
    return Plan(servers[None], start.power_W, uav_xy_m[None])

"""Local search: from greedy's decision, the best of all moves of one device, exchanges of two and
flights of one UAV; the referee ranks them as a stack, the best few get optimal powers.

Causal like the other simple methods (`simple`): it sees one slot and where the UAVs are.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from minlp.heuristics.over_slots import lift
from minlp.heuristics.simple import greedy_decision
from minlp.slot.data import slot_data
from minlp.slot.interference_free import server_costs
from minlp.slot.value import plan_at, point_of, settle_powers
from satedge import kernels
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report, ignore
from satedge.problem.referee import available, judge, uav_gains

Array = NDArray[np.float64]

#: A UAV flies in so many directions, the whole reach or a fifth of it: far and fine steps.
N_TURNS, SHARES = 8, (1, 0.2)

#: Relative accuracy of optimal powers.
POWER_GAP = 1e-8


def local_search(
    instance: Instance, *, budget_s: float, seed: int, report: Report = ignore, tries: int = 6
) -> Outcome:
    """Moves, swaps and flights from greedy's decision, the `tries` best with optimal powers."""
    kernels.warm_up()

    def decide(slot: Instance, _: int, slot_s: float, stream: Report) -> Plan:
        return improved(slot, greedy_decision(slot), tries, clock.now() + slot_s, stream)

    return lift(instance, decide, budget_s=budget_s, seed=seed, report=report)


def improved(slot: Instance, plan: Plan, tries: int, stop_at: float, report: Report) -> Plan:
    """The best plan that first improving neighbourhoods lead to, powers re-solved on the way."""
    plan = with_best_powers(slot, plan)
    cost = float(judge(slot, plan).cost)
    while clock.now() < stop_at:
        near = neighbours(slot, plan)
        verdict = judge(slot, near)
        order = np.argsort(np.where(verdict.admissible, verdict.cost, np.inf), kind="stable")
        found = [
            with_best_powers(slot, Plan(near.server[i], near.power_W[i], near.uav_xy_m[i]))
            for i in order[:tries]
            if verdict.admissible[i]
        ]
        costs = [float(judge(slot, candidate).cost) for candidate in found]
        if not costs or min(costs) >= cost * (1 - 1e-9):
            break
        cost, plan = min(costs), found[int(np.argmin(costs))]
        report(Progress(plan))
    return plan


def neighbours(slot: Instance, plan: Plan) -> Plan:
    """A stack of plans that differ from `plan` (one slot) in one step; some are inadmissible.

    Steps: one device to another server, two devices exchange servers (each with the power that
    is best against today's disturbance), or one UAV flies in one of 8 directions.
    """
    s = slot.scenario
    gains = uav_gains(slot, plan.uav_xy_m)
    power_W = server_costs(slot, gains, disturbance_W(slot, plan, gains)).power_W[0]
    mask = available(slot, plan.uav_xy_m)[0]
    server = plan.server[0]
    changes = [{k: i} for k, i in zip(*np.nonzero(mask), strict=True) if i != server[k]]
    pairs = itertools.combinations(np.flatnonzero(server >= 0), 2)
    changes += [{j: server[k], k: server[j]} for j, k in pairs if server[j] != server[k]]
    flights = list(itertools.product(range(s.n_uavs), range(N_TURNS), SHARES))
    size = len(changes) + len(flights)
    near = Plan(
        np.repeat(plan.server[None], size, 0),
        np.repeat(plan.power_W[None], size, 0),
        np.repeat(plan.uav_xy_m[None], size, 0),
    )
    for row, change in enumerate(changes):
        for k, i in change.items():
            near.server[row, 0, k], near.power_W[row, 0, k] = i, power_W[k, i]
    for row, (m, turn, share) in enumerate(flights, len(changes)):
        angle = 2 * np.pi * turn / N_TURNS
        step = share * s.uav_reach_m * np.array([np.cos(angle), np.sin(angle)])
        wanted = np.clip(plan.uav_xy_m[0, m] + step, 0.0, s.area_side_m) - slot.uav_xy_m[m]
        wanted *= min(1.0, s.uav_reach_m / max(float(np.hypot(*wanted)), 1e-12))
        near.uav_xy_m[row, 0, m] = slot.uav_xy_m[m] + wanted
    return near


def disturbance_W(slot: Instance, plan: Plan, gains: Array) -> Array:
    """What others' signals add to the noise at each receiver: (1, K, M+1). Eqs. (8), (10)."""
    s = slot.scenario
    receiver = np.arange(s.n_uavs + 1)
    at = np.minimum(plan.server[0], s.n_uavs)
    disturbs = np.broadcast_to((at >= 0)[:, None], (s.n_devices, s.n_uavs + 1))
    if s.interference_scope == "tier":
        disturbs = disturbs & ((at == s.n_uavs)[:, None] == (receiver == s.n_uavs))
    elif s.interference_scope == "server":
        disturbs = disturbs & (at[:, None] == receiver)
    heard = np.concatenate([gains[0], slot.satellite_gain[0, :, None]], axis=-1)
    heard = np.where(disturbs, heard * plan.power_W[0, :, None], 0.0)
    total: Array = s.interference_leakage * (heard.sum(axis=0) - heard)[None]
    return total


def with_best_powers(slot: Instance, plan: Plan) -> Plan:
    """The plan of one slot with the optimal powers for its servers and positions."""
    data = slot_data(slot)
    point = point_of(data, slot, plan)
    if not np.isfinite(settle_powers(data, point, POWER_GAP, np.inf)):
        return plan
    return plan_at(slot, data, point)

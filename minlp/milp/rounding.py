"""From servers to a plan: the convex power problem inside a descent over positions."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from minlp.p1.data import SlotTerms, slot_terms
from minlp.p1.start import start_plan
from minlp.power.at_positions import Combination, Point, point_at
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import available, judge

Array = NDArray[np.float64]

MAX_STEPS = 40

#: Single changes of a server that are followed up in each round.
N_CHANGES = 15


def rounded(
    slot: Instance,
    servers: list[NDArray[np.int64]],
    uav_xy_m: list[Array],
    stop_at: float = np.inf,
) -> Plan:
    """The cheapest plan found from servers (K,) and positions (M, 2), and from the start plan.

    Descent over positions from each, then single changes of servers from the best.
    `stop_at` is a time of `time.perf_counter`.
    """
    terms = slot_terms(slot, 0)
    search = _Search(terms, start_plan(slot))
    tried = [(search.plan.server[0], slot.uav_xy_m)]
    tried += [(chosen, xy) for chosen, xy in zip(servers, uav_xy_m, strict=True)]
    for chosen, xy in tried:
        if time.perf_counter() < stop_at:
            search.offer(descend(terms, chosen, xy))
    while time.perf_counter() < stop_at and _change_one(search, stop_at):
        pass
    return search.plan


class _Search:
    """The best admissible plan so far, by the referee."""

    def __init__(self, terms: SlotTerms, plan: Plan) -> None:
        self.terms, self.plan = terms, plan
        self.cost = float(judge(terms.instance, plan).cost)

    def offer(self, plan: Plan) -> bool:
        """Keep a plan that is admissible and cheaper; whether it was."""
        verdict = judge(self.terms.instance, plan)
        better = bool(verdict.admissible) and float(verdict.cost) < self.cost * (1 - 1e-9)
        if better:
            self.plan, self.cost = plan, float(verdict.cost)
        return better


def _change_one(search: _Search, stop_at: float) -> bool:
    """Change one device's server, most promising first by the referee at present powers."""
    terms, best = search.terms, search.plan
    mask = terms.pair & ~terms.dominated
    moves = [
        (k, int(b))
        for k in terms.devices
        if best.server[0, k] >= 0
        for b in np.flatnonzero(mask[k])
        if b != best.server[0, k]
    ]
    if not moves:
        return False
    server = np.repeat(best.server[None], len(moves), axis=0)
    for i, (k, b) in enumerate(moves):
        server[i, 0, k] = b
    power_W = np.repeat(best.power_W[None], len(moves), axis=0)
    xy = np.repeat(best.uav_xy_m[None], len(moves), axis=0)
    costs = judge(terms.instance, Plan(server, power_W, xy)).cost
    for i in np.argsort(costs, kind="stable")[:N_CHANGES]:
        if time.perf_counter() > stop_at:
            return False
        if search.offer(descend(terms, server[i, 0], best.uav_xy_m[0])):
            return True
    return False


def descend(terms: SlotTerms, servers: NDArray[np.int64], xy_m: Array) -> Plan:
    """Projected gradient steps over the positions, the powers best at each. Servers stay."""
    combination = Combination.of(terms, servers)
    point = point_at(combination, into_discs(combination, xy_m))
    step_m = 20.0
    for _ in range(MAX_STEPS if len(combination.sender) else 0):
        slope = _by_position(combination, point)
        steepest = float(np.hypot(slope[:, 0], slope[:, 1]).max(initial=0.0))
        if steepest == 0 or step_m < 1e-3:
            break
        target = into_discs(combination, point.xy_m - slope * (step_m / steepest))
        trial = point_at(combination, target, point.powers)
        if trial.value < point.value:
            point, step_m = trial, 1.5 * step_m
        else:
            step_m *= 0.4
    return _plan(combination, point)


def _by_position(c: Combination, point: Point) -> Array:
    """(M, 2) Slope of the cost by positions, through the log-gains. Eq. (6)."""
    one = c.terms.instance
    away = point.xy_m[None] - one.device_xy_m[0][:, None]  # (K, M, 2)
    square = (away**2).sum(axis=-1) + one.uav_altitude_m[0] ** 2
    by_square = -c.terms.scenario.path_loss_exponent * point.slope / square
    return np.asarray((by_square[..., None] * away).sum(axis=0))


def into_discs(c: Combination, xy_m: Array) -> Array:
    """Positions (M, 2) moved into area, reach and coverage by alternating projections."""
    s, xy = c.terms.scenario, np.array(xy_m, float)
    for m in range(s.n_uavs):
        for _ in range(100):
            before = xy[m].copy()
            xy[m] = np.clip(xy[m], 0.0, s.area_side_m)
            for centre, radius in c.discs(m):
                away, inner = xy[m] - centre, radius * (1 - 2e-9)
                far = float(np.hypot(*away))
                if far > inner:
                    xy[m] = centre + away * (inner * (1 - 1e-9) / far)
            if (xy[m] == before).all():
                break
    return xy


def _plan(c: Combination, point: Point) -> Plan:
    """The plan of a point; requests it refuses that have a server get their cheapest one."""
    s = c.terms.scenario
    server, power_W = c.server.copy(), np.zeros(s.n_devices)
    power_W[c.sender] = np.clip(point.power_W, s.power_min_W, s.power_max_W)
    mask = available(c.terms.instance, point.xy_m[None])[0]
    for k in np.flatnonzero((server < 0) & mask.any(axis=1)):
        server[k] = int(np.argmin(np.where(mask[k], c.terms.lone_least[k], np.inf)))
        power_W[k] = s.power_max_W
    return Plan(server[None], power_W[None], point.xy_m[None])

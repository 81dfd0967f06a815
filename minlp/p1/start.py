"""A known plan of a slot, to cut off what is more expensive: simple, quick, and never far off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minlp.p1.data import slot_terms
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan, stack
from satedge.problem.projector import project
from satedge.problem.referee import available, judge

#: Common powers that are tried first.
N_POWERS = 25

#: Relative gain below which the descent ends: a start need not be better.
LEAST_GAIN = 1e-6

#: Factors by which a power may change in one step of the descent.
FACTORS = (0.5, 0.8, 1.25, 2.0)

#: A guard: each step is the best single change, so that a few for each device suffice.
MAX_STEPS = 200


def start_plan(slot: Instance) -> Plan:
    """UAVs stay; from each request alone on its cheapest server, steepest descent by the referee.

    `slot` is an instance of one slot. First the best common power, then single changes of a
    server or a power until none helps.
    """
    terms, s = slot_terms(slot, 0), slot.scenario
    stay = slot.uav_xy_m[None]
    mask = available(slot, stay)[0]
    cost = np.where(mask, terms.lone_least, np.inf)
    servable = np.isfinite(cost).any(axis=1)
    server = np.where(servable, cost.argmin(axis=1), -1)[None]
    trials = stack([
        Plan(server, np.where(server >= 0, power_W, 0.0), stay)
        for power_W in np.geomspace(s.power_max_W, s.power_min_W, N_POWERS)
    ])  # fmt: skip
    best, least = _cheapest(slot, trials)
    for _ in range(MAX_STEPS):
        trials = _neighbours(best, mask, s.power_min_W, s.power_max_W)
        if len(trials.server) == 0:
            break
        found, value = _cheapest(slot, trials)
        if not value < least * (1 - LEAST_GAIN):
            break
        best, least = found, value
    return project(slot, best)[0]


def _cheapest(slot: Instance, trials: Plan) -> tuple[Plan, float]:
    """The cheapest of stacked plans, and its cost."""
    costs = judge(slot, trials).cost
    i = int(np.argmin(costs))
    return Plan(trials.server[i], trials.power_W[i], trials.uav_xy_m[i]), float(costs[i])


def _neighbours(plan: Plan, mask: NDArray[np.bool_], low_W: float, high_W: float) -> Plan:
    """All plans that differ in one device's server, or in one power by one of FACTORS."""
    sends = np.flatnonzero(plan.server[0] >= 0)
    moves = [(k, b) for k in sends for b in np.flatnonzero(mask[k]) if b != plan.server[0, k]]
    steps = [(k, f) for k in sends for f in FACTORS]
    count = len(moves) + len(steps)
    server = np.repeat(plan.server[None], count, axis=0)
    power_W = np.repeat(plan.power_W[None], count, axis=0)
    xy = np.repeat(plan.uav_xy_m[None], count, axis=0)
    for i, (k, b) in enumerate(moves):
        server[i, 0, k] = b
    for i, (k, factor) in enumerate(steps, start=len(moves)):
        power_W[i, 0, k] = np.clip(factor * power_W[i, 0, k], low_W, high_W)
    return Plan(server, power_W, xy)

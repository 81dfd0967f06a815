"""A known plan of a slot, to cut off what is dearer: simple, quick, and never far off."""

from __future__ import annotations

import numpy as np

from minlp.p1_data import slot_terms
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan, stack
from satedge.problem.projector import project
from satedge.problem.referee import available, judge

#: Common powers that are tried.
N_POWERS = 25


def start_plan(slot: Instance) -> Plan:
    """UAVs stay, each request goes where it would be cheapest alone, at the best common power.

    `slot` is an instance of one slot. The referee chooses among the powers.
    """
    terms, s = slot_terms(slot, 0), slot.scenario
    stay = slot.uav_xy_m[None]
    cost = np.where(available(slot, stay)[0], terms.lone_least, np.inf)
    servable = np.isfinite(cost).any(axis=1)
    server = np.where(servable, cost.argmin(axis=1), -1)[None]
    trials = [
        Plan(server, np.where(server >= 0, power_W, 0.0), stay)
        for power_W in np.geomspace(s.power_max_W, s.power_min_W, N_POWERS)
    ]
    best = int(np.argmin(judge(slot, stack(trials)).cost))
    return project(slot, trials[best])[0]

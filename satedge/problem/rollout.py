"""A causal policy played through an episode: decide, project, move on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report, concatenate, ignore
from satedge.problem.projector import project_slots, slot_keys
from satedge.problem.referee import available

#: (one-slot instance with the UAVs where they are now, index of the slot) -> raw decisions of
#: that slot, shapes (1, K), (1, K), (1, M, 2). It may use nothing else of the episode.
Act = Callable[[Instance, int], Plan]

#: (one-slot instance, admissible plan of it) -> admissible plan that costs no more.
Finish = Callable[[Instance, Plan], Plan]


def rollout(
    instance: Instance,
    act: Act,
    *,
    seed: int = 0,
    budget_s: float = np.inf,
    report: Report = ignore,
    finish: Finish | None = None,
) -> Outcome:
    """Play `act` through all slots. Raw decisions pass the projector, and then `finish`.

    When the budget ends early, `idle_decision` plays the remaining slots and the status is
    "stopped". `info` holds decision times and what was changed.
    """
    began = clock.now()
    at = instance.uav_xy_m
    plans: list[Plan] = []
    resampled: list[tuple[int, int]] = []
    clipped = held = late_slots = 0
    decision_s: list[float] = []
    for t in range(instance.n_slots):
        slot = instance.rows(slice(t, t + 1), at, f"{instance.name}@{t}")
        asked = clock.now()
        in_time = asked - began < budget_s
        raw = act(slot, t) if in_time else idle_decision(slot)
        decision_s.append(clock.now() - asked)
        late_slots += not in_time
        plan, changes = project_slots(slot, at[None], raw, slot_keys(seed, np.array([t])))
        if finish is not None and in_time:
            asked = clock.now()
            plan = finish(slot, plan)
            decision_s[-1] += clock.now() - asked
        resampled += [(t, int(k)) for k in np.flatnonzero(changes.server[0])]
        clipped += int(changes.power.sum())
        held += int(changes.motion.sum())
        plans.append(plan)
        at = plan.uav_xy_m[0]
    whole = concatenate(plans)
    report(Progress(whole))
    info = {
        "decision_s": decision_s,
        "resampled": resampled,
        "clipped_powers": clipped,
        "held_uavs": held,
        "slots_after_budget": late_slots,
    }
    return Outcome(whole, status="stopped" if late_slots else "finished", info=info)


def idle_decision(slot: Instance) -> Plan:
    """UAVs stay, everybody sends at full power, servers are the first available ones."""
    stay = np.broadcast_to(slot.uav_xy_m, (slot.n_slots, *slot.uav_xy_m.shape))
    mask = available(slot, stay)
    server = np.where(mask.any(axis=-1), mask.argmax(axis=-1), -1)
    return Plan(server, np.full(server.shape, slot.scenario.power_max_W), stay.copy())

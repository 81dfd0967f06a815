"""One-slot methods over T slots: decide, move on, and stream whole plans as they grow.

`rollout` plays and projects; here every slot gets its share of the time left, and a method that
is killed leaves a whole plan behind: what it decided, continued by `greedy`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from minlp.heuristics.simple import greedy, greedy_decision
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report, concatenate, ignore
from satedge.problem.rollout import rollout

#: (one-slot instance, index of the slot, seconds for it, report of one-slot incumbents) -> plan.
Decide = Callable[[Instance, int, float, Report], Plan]

#: Kept back for every slot still to come, so that `greedy` can finish the plan.
GREEDY_S = 0.005

#: Whole plans of several slots are streamed no more often than this.
REPORT_S = 2.0


def lift(
    instance: Instance, decide: Decide, *, budget_s: float, seed: int, report: Report = ignore
) -> Outcome:
    """The outcome of deciding slot after slot. Status "stopped" where time ran short."""
    began = last = clock.now()
    n_slots = instance.n_slots
    decided: list[Plan] = []
    hurried: list[int] = []
    report(Progress(greedy(instance, budget_s=budget_s, seed=seed).plan))

    def act(slot: Instance, t: int) -> Plan:
        nonlocal last
        left_s = began + budget_s - clock.now() - GREEDY_S * (n_slots - t)
        if left_s <= 0:
            hurried.append(t)
            plan = greedy_decision(slot)
        else:
            plan = decide(slot, t, left_s / (n_slots - t), report if n_slots == 1 else ignore)
        decided.append(plan)
        if n_slots > 1 and clock.now() - last > REPORT_S:
            report(Progress(_completed(instance, decided, seed)))
            last = clock.now()
        return plan

    outcome = rollout(instance, act, seed=seed, report=report)
    status = "stopped" if hurried else outcome.status
    info = {**outcome.info, "slots_after_budget": len(hurried)}
    return dataclasses.replace(outcome, status=status, info=info)


def _completed(instance: Instance, decided: list[Plan], seed: int) -> Plan:
    """What was decided, continued by `greedy` from where the UAVs are."""
    done = concatenate(decided)
    if len(decided) == instance.n_slots:
        return done
    rest = instance.window(len(decided), instance.n_slots, done.uav_xy_m[-1])
    following = greedy(rest, budget_s=float("inf"), seed=seed).plan
    assert following is not None
    return concatenate([done, following])

"""What a method's plans amount to over several instances: cost, deadline misses, use of UAVs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from satedge.bench.methods.table import MethodError, find, load
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import judge

#: Methods that decide by a fixed rule, which compares no costs.
FIXED_RULES = ("nearest", "constant", "inversion", "spread")


@dataclass(frozen=True)
class Played:
    """Costs of all instances, and shares of all their requests."""

    costs: tuple[float, ...]
    """Judged cost of every slot of every instance, per device."""
    in_time: float
    """Served within the deadline."""
    missed: float
    """Sent, and the deadline missed, at the elastic cost; outages are told apart."""
    refused: float
    outages: float
    by_uavs: float
    """Sent to UAVs."""

    @property
    def cost(self) -> float:
        """Mean over slots."""
        return float(np.mean(self.costs))

    def excess(self, other: Played) -> float:
        """By how much its mean cost exceeds another's, relative to that."""
        return self.cost / other.cost - 1


def play(name: str, instances: Sequence[Instance], **settings: Any) -> Played:
    """A method of the table on every instance, without a limit of time. Raises MethodError."""
    method = find(name)
    solve = load(method)
    plans = []
    for instance in instances:
        plan = solve(instance, budget_s=np.inf, seed=0, **{**method.settings, **settings}).plan
        if plan is None:
            raise MethodError(f"method {name!r}: allowed is one that finds plans")
        plans.append(plan)
    return summed(instances, plans)


def summed(instances: Sequence[Instance], plans: Sequence[Plan]) -> Played:
    """What plans amount to, one for each instance."""
    costs: list[float] = []
    counts = np.zeros(6)
    for instance, plan in zip(instances, plans, strict=True):
        verdict = judge(instance, plan)
        asked, missed = instance.active, verdict.missed & ~verdict.outage
        served = asked & ~verdict.refused & ~verdict.missed & ~verdict.outage
        by_uavs = asked & (plan.server >= 0) & (plan.server < instance.scenario.n_uavs)
        kinds = (asked, served, missed & asked, verdict.refused, verdict.outage, by_uavs)
        counts += [np.count_nonzero(kind) for kind in kinds]
        costs += [float(cost) for cost in verdict.slot_cost]
    shares = counts[1:] / max(counts[0], 1)
    return Played(tuple(costs), *(float(share) for share in shares))

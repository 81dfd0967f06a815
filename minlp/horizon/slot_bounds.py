"""A certified bound on a whole horizon, slot by slot: UAVs wherever they can be by then.

Motion is relaxed to what can be reached from the start: in slot t, (t + 1) steps at once. Every
slot is then a problem of its own, bounded by branch and bound or, where time is short, by
`independent_bound`, and the mean of the slot bounds bounds every plan of the horizon. Interference
and shared servers stay in it, and so does that a UAV is in one place at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot
from minlp.horizon.episode import widened
from minlp.slot.data import Array
from minlp.slot.interference_free import independent_bound
from satedge import kernels
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Progress, Report, ignore
from satedge.problem.referee import judge


def solve(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    slot_bound_s: float = 1.5,
    gap: float = 1e-3,
) -> Outcome:
    """The bound alone, without a plan.

    Every slot's branch and bound stops at relative gap `gap` or after `slot_bound_s`.
    """
    kernels.warm_up()
    stop_at = clock.now() + budget_s
    bounds = independent_bound(instance)
    report(Progress(lower_bound=float(bounds.mean())))
    certificate, alone = bound_slots(instance, bounds, slot_bound_s, gap, stop_at, report)
    lower, info = float(bounds.mean()), {"slot_costs_alone": alone}
    return Outcome(None, "stopped", lower, certificate, info=info)


def bound_slots(
    instance: Instance,
    bounds: Array,
    slot_bound_s: float,
    gap: float,
    stop_at: float,
    report: Report = ignore,
) -> tuple[dict[str, Any], list[float | None]]:
    """Raise slot bounds (T,) in place; the certificate, and what slots cost alone (see there)."""
    n_slots = instance.n_slots
    by: list[str] = ["independent"] * n_slots
    alone: list[float | None] = [None] * n_slots
    for t in map(int, np.flatnonzero(instance.active.any(axis=1))):
        share_s = min(slot_bound_s, (stop_at - clock.now()) / (n_slots - t))
        if share_s <= 0:
            break
        bound, alone[t] = slot_bound(instance, t, share_s, gap)
        if bound > bounds[t]:
            bounds[t], by[t] = bound, "branch-and-bound"
            report(Progress(lower_bound=float(bounds.mean())))
    certificate: dict[str, Any] = {
        "kind": "reachable sets",
        "relaxes": ["motion between slots: slot t is reached from the start in t + 1 steps"],
        "slot_bounds": bounds.tolist(),
        "slot_bounds_by": by,
        "check": "minlp.horizon.slot_bounds.slot_bound, "
        "minlp.slot.interference_free.independent_bound, minlp.horizon.windows",
    }
    return certificate, alone


def slot_bound(
    instance: Instance, t: int, budget_s: float, gap: float
) -> tuple[float, float | None]:
    """(certified bound on slot t in any plan, cost of the best plan of that slot alone).

    Both are per device. The second says how much of a gap is due to motion.
    """
    slot = widened(instance, t)
    outcome = solve_slot(slot, 0, Limits(gap=gap, budget_s=budget_s))
    cost = None if outcome.plan is None else float(judge(slot, outcome.plan).cost)
    return -np.inf if outcome.lower_bound is None else outcome.lower_bound, cost

"""The independent bound as a method: every request alone, and no plan.

The bound is that of `slot.interference_free`.
"""

from __future__ import annotations

from typing import Any

from minlp.slot.interference_free import independent_bound
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Progress, Report, ignore


def independent_certificate() -> dict[str, Any]:
    """How the bound can be checked: it is recomputed from the instance alone."""
    return {
        "kind": "independent",
        "relaxes": ["interference", "compute sharing", "one position per UAV and slot"],
        "check": "minlp.slot.interference_free.independent_bound",
    }


def solve(instance: Instance, *, budget_s: float, seed: int, report: Report = ignore) -> Outcome:
    """The independent bound on the mean elastic cost, without a plan."""
    bound = float(independent_bound(instance).mean())
    report(Progress(lower_bound=bound))
    return Outcome(None, "stopped", bound, independent_certificate())

"""The independent bound as a method: every request alone, with the plan of `greedy`.

The bound is that of `slot.interference_free`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from minlp.heuristics.simple import greedy
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


def independent(
    instance: Instance, *, budget_s: float, seed: int, report: Report = ignore
) -> Outcome:
    """The plan of `greedy` with the independent bound."""
    bound = float(independent_bound(instance).mean())
    report(Progress(lower_bound=bound))
    found = greedy(instance, budget_s=budget_s, seed=seed, report=report)
    return dataclasses.replace(found, lower_bound=bound, certificate=independent_certificate())


solve = independent

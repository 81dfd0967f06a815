"""Methods made of parts of several packages, none of which knows the others."""

from __future__ import annotations

from dataclasses import replace

from satedge.bench.methods.table import load_entry
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Report, ignore

#: What `ahead` knows of requests: what each costs when it is alone.
LONE_COSTS = "minlp.foresight.guided:tabulated"


def ahead(
    instance: Instance,
    *,
    budget_s: float,
    seed: int = 0,
    report: Report = ignore,
    policy: str = "ahead",
    preset: str = "foresight",
    gap: float = 1e-3,
    slot_budget_s: float = 1.0,
) -> Outcome:
    """UAVs flown by a learned value of their places, servers and powers by branch and bound.

    `policy` is a name under results/policies/<preset>, or a path to a policy file.
    """
    pilot, whose = load_entry("drl.training.ahead:pilot")(policy, preset, load_entry(LONE_COSTS))
    given = {"budget_s": budget_s, "seed": seed, "report": report}
    limits = {"gap": gap, "slot_budget_s": slot_budget_s}
    outcome = load_entry("minlp.foresight.guided:guided")(instance, pilot=pilot, **given, **limits)
    found: Outcome = replace(outcome, info={**outcome.info, "policy": whose})
    return found

"""Exact branch and bound for one slot of P1, over servers and boxes of UAV positions.

A node allows every device some options and every UAV a box. Its bound is the convex relaxation of
`relaxation`, solved by the interior-point kernel of `convex.solve` and certified by its gradient at
whatever point was reached. Branching: the device or UAV box whose relaxation loses most at the
rounded candidate (a device into all its options, a box across its longest edge). Search: best
bound first, diving from the best child until it is fathomed. Incumbents: local search at the root,
then successive convex steps from promising candidates. References: Land and Doig 1960; Horst and
Tuy, Global Optimization, 1996, chapter IV; Tawarmalani and Sahinidis 2004.

Hard mode prices an overrun so high that no plan with a deadline miss can win, and keeps only
incumbents without one: the result is the best of these, or a proof that there is none, with its
cause.
"""

from __future__ import annotations

from dataclasses import replace

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.search import Search
from satedge.kernels import warm_up
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Report, ignore
from satedge.problem.rollout import idle_decision, rollout


def solve_slot(instance: Instance, slot: int, limits: Limits, report: Report = ignore) -> Outcome:
    """Branch and bound on one slot, the UAVs starting at `instance.uav_xy_m`.

    Bounds and costs are per slot and device. `info["log"]` is a log like a MIP solver's.
    """
    return Search(instance, slot, limits, report).run()


def solve(
    instance: Instance,
    *,
    budget_s: float,
    seed: int = 0,
    report: Report = ignore,
    gap: float = Limits.gap,
    hard: bool = Limits.hard,
    max_nodes: int = Limits.max_nodes,
    threads: int = Limits.threads,
) -> Outcome:
    """One slot to a certified relative gap; several slots one after the other (`rolling`).

    `hard` asks for plans without a deadline miss and ends "infeasible" with a cause where there is
    none. `threads` make so many dives of a slot at a time. A single slot's log and certificate are
    printed as they come: what a method prints, the bench keeps as its log. `solve_slot` is silent.
    """
    limits = Limits(
        gap=gap, budget_s=budget_s, hard=hard, max_nodes=max_nodes, threads=threads, say=print
    )
    warm_up()
    if instance.n_slots > 1:
        return rolling(instance, budget_s=budget_s, seed=seed, report=report, gap=gap)
    outcome = solve_slot(instance, 0, limits, report)
    for name, value in outcome.certificate.items():
        print(f"{name:>17s}  {value}")
    return outcome


def rolling(
    instance: Instance,
    *,
    budget_s: float,
    seed: int = 0,
    report: Report = ignore,
    gap: float = 1e-4,
    slot_budget_s: float = 1.0,
) -> Outcome:
    """Each slot to its own optimum as if none followed: exact, causal and myopic.

    Bounds hold for each slot from where its UAVs then are, not for the horizon, so the outcome
    has none; `info["slot_gaps"]` holds the certified gap of every slot.
    """
    warm_up()
    gaps: list[float] = []

    def act(slot: Instance, _: int) -> Plan:
        outcome = solve_slot(slot, 0, Limits(gap=gap, budget_s=slot_budget_s))
        gaps.append(float(outcome.certificate.get("gap", 0.0)))
        return outcome.plan if outcome.plan is not None else idle_decision(slot)

    outcome = rollout(instance, act, seed=seed, budget_s=budget_s, report=report)
    return replace(outcome, info={**outcome.info, "slot_gaps": gaps})

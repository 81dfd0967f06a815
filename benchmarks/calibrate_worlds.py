"""How a world of shared compute is calibrated: `python benchmarks/calibrate_worlds.py`.

Every candidate is a preset with the speeds of Table 1 times a factor. What near-optimal plans do
there (branch and bound slot by slot) stands beside what fixed rules and simple methods lose, so
that a world can be chosen in which requests can be served in time, UAVs matter and no fixed rule
does. Half of the slots are the first of their episodes, half form episodes of 10 slots. `gap` is
the mean gap that branch and bound certifies; the columns of rules and simple methods tell by how
much their mean cost exceeds its own.

    --preset balanced    the preset that candidates change (default: paper)
    --set K=V            another field of the scenario that candidates change; repeatable
    --speeds 1 1.5 2     factors of the speeds of Table 1
    --singles, --episodes, --gap, --slot-budget   how much is measured, and how well

Seeds are validation ones from 16,000 on, which no suite uses: no suite is chosen by its own slots.
"""

from __future__ import annotations

import argparse

import numpy as np

from satedge.bench.methods.table import find, load
from satedge.bench.score.played import FIXED_RULES, Played, play, summed
from satedge.bench.study.suite_data import VALIDATION_SEEDS
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.scenario import Scenario, preset

#: The first of the seeds; episodes of 10 slots have those from 50 later on.
SEED = 16_000
EPISODES_FROM, EPISODE_SLOTS = SEED + 50, 10

#: Beside the fixed rules.
SIMPLE = ("greedy", "local-search")

#: What a world must hold: least share in time, range of the UAVs' share, least excess of rules.
IN_TIME, BY_UAVS, EXCESS = 0.95, (0.3, 0.7), 0.25


def slots(scenario: Scenario, singles: int, episodes: int) -> list[Instance]:
    """First slots of some episodes, and whole short episodes of others."""
    assert max(SEED + singles, EPISODES_FROM + episodes) <= VALIDATION_SEEDS.stop
    short = scenario.replace(n_slots=EPISODE_SLOTS)
    drawn = [generate(scenario.replace(n_slots=1), SEED + i) for i in range(singles)]
    return drawn + [generate(short, EPISODES_FROM + i) for i in range(episodes)]


def near_optimal(drawn: list[Instance], gap: float, slot_budget_s: float) -> tuple[Played, float]:
    """What branch and bound does slot by slot, and the mean of its certified gaps."""
    solve, plans, gaps = load(find("myopic-exact")), [], []
    for instance in drawn:
        found = solve(instance, budget_s=np.inf, seed=0, gap=gap, slot_budget_s=slot_budget_s)
        plans.append(found.plan)
        gaps += found.info["slot_gaps"]
    return summed(drawn, plans), float(np.mean(gaps))


def row(factor: float, exact: Played, gap: float, others: dict[str, Played]) -> str:
    """One candidate as a row of the table."""
    best = min(others[name].excess(exact) for name in FIXED_RULES)
    holds = (
        exact.in_time >= IN_TIME and BY_UAVS[0] <= exact.by_uavs <= BY_UAVS[1] and best >= EXCESS
    )
    shares = (exact.in_time, exact.by_uavs, exact.missed, exact.refused, exact.outages)
    cells = [
        f"{factor:g}",
        f"{exact.cost:.4g}",
        f"{gap:.2%}",
        *(f"{share:.1%}" for share in shares),
    ]
    cells += [f"{played.excess(exact):.0%}" for played in others.values()]
    return f"| {' | '.join(cells)} | {'yes' if holds else 'no'} |"


def main() -> None:
    """Print the sweep as a Markdown table, candidate by candidate."""
    parser = argparse.ArgumentParser(description="Speeds of servers that requests share.")
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--set", action="append", default=[], metavar="K=V")
    parser.add_argument("--speeds", type=float, nargs="+", default=[1, 1.5, 2, 3, 4])
    parser.add_argument("--singles", type=int, default=30)
    parser.add_argument("--episodes", type=int, default=3)
    parser.add_argument("--gap", type=float, default=1e-3)
    parser.add_argument("--slot-budget", type=float, default=2.0)
    given = parser.parse_args()
    changes = {"compute_sharing": "shared"} | dict(pair.split("=", 1) for pair in given.set)
    heads = ["speeds", "cost", "gap", "in time", "by UAVs", "deadline misses", "refused", "outages"]
    heads += [*FIXED_RULES, *SIMPLE, "holds"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    began, table_1 = clock.now(), Scenario()
    for factor in given.speeds:
        speeds = {n: factor * getattr(table_1, n) for n in ("uav_TFLOPS", "satellite_TFLOPS")}
        drawn = slots(preset(given.preset, **(speeds | changes)), given.singles, given.episodes)
        exact, gap = near_optimal(drawn, given.gap, given.slot_budget)
        others = {name: play(name, drawn) for name in (*FIXED_RULES, *SIMPLE)}
        print(row(factor, exact, gap, others), flush=True)
    n_slots = given.singles + EPISODE_SLOTS * given.episodes
    print(f"\n{n_slots} slots a candidate, {clock.now() - began:.0f} s")


if __name__ == "__main__":
    main()

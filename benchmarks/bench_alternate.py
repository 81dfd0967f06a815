"""How good and how fast the heuristics are: `python benchmarks/bench_alternate.py [--quick]`.

Per method and suite of one-slot instances: CPU seconds of one thread per slot, median and worst,
and the excess over the best known value of `instances/records`, whose certified gaps are beside
it. Kernels are loaded and the MILP is built before the first measurement.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minlp.alternating.solve import alternate, warm_up
from minlp.heuristics.local_search import local_search
from minlp.heuristics.simple import greedy
from minlp.horizon.solve import hindsight, rolling
from satedge.bench.study.suites import load_suite
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

RECORDS = Path(__file__).parents[1] / "instances" / "records"
METHODS: tuple[tuple[str, Callable[..., Outcome]], ...] = (
    ("greedy", greedy),
    ("local-search", local_search),
    ("alternate", alternate),
)
#: A slot counts as close below this excess.
CLOSE = 2e-3


def records(suite: str) -> dict[str, tuple[float, float]]:
    """Content hash -> (best known value, best bound)."""
    rows = json.loads((RECORDS / f"{suite}.json").read_text())["records"]
    return {r["sha256"]: (r["best"]["value"], r["bound"]["value"]) for r in rows}


def slots(suites: list[str], step: int) -> None:
    """One line a suite and method."""
    print(f"{'suite':16s} {'method':13s} {'slots':>5s} {'median s':>9s} {'max s':>7s} ", end="")
    print(f"{'mean excess':>11s} {'p95':>9s} {'close':>6s} {'reference gap':>13s}")
    for suite in suites:
        known = records(suite)
        chosen = [i for i in load_suite(suite)[::step] if i.content_sha256 in known]
        best, bound = np.array([known[i.content_sha256] for i in chosen]).T
        for name, method in METHODS:
            seconds, cost = measured(chosen, method)
            excess = cost / best - 1
            print(
                f"{suite:16s} {name:13s} {len(chosen):5d} {np.median(seconds):9.4f} "
                f"{seconds.max():7.3f} {excess.mean():11.5%} {np.quantile(excess, 0.95):9.5%} "
                f"{(excess <= CLOSE).mean():6.1%} {(1 - bound / best).max():13.5%}",
                flush=True,
            )


def measured(
    instances: list[Instance], method: Callable[..., Outcome]
) -> tuple[np.ndarray, np.ndarray]:
    """CPU seconds and judged costs."""
    seconds, costs = [], []
    for instance in instances:
        began = time.process_time()
        found = method(instance, budget_s=60, seed=0)
        seconds.append(time.process_time() - began)
        costs.append(float(judge(instance, found.plan).cost))
    return np.array(seconds), np.array(costs)


def episodes(n_slots: int, count: int, budget_s: float) -> None:
    """Whole episodes: causal, looking ahead, in hindsight, each against the hindsight bound."""
    print(f"\n{'episode':20s} {'plan':13s} {'cost':>10s} {'gap':>8s} {'CPU s':>8s}")
    for name in ("paper", "balanced"):
        for seed in range(count):
            instance = generate(preset(name, n_slots=n_slots), 710_000 + seed)
            plans: list[tuple[str, Callable[[], Outcome]]] = [
                ("hindsight", lambda i=instance: hindsight(i, budget_s=budget_s, seed=0)),
                ("alternate", lambda i=instance: alternate(i, budget_s=budget_s, seed=0)),
                ("look-ahead 3", lambda i=instance: rolling(i, budget_s=budget_s, seed=0)),
            ]
            bound = 0.0
            for label, run in plans:
                began = time.process_time()
                found = run()
                spent = time.process_time() - began
                bound = max(bound, found.lower_bound or 0.0)
                cost = float(judge(instance, found.plan).cost)
                print(
                    f"{name + ' ' + str(710_000 + seed):20s} {label:13s} {cost:10.5f} "
                    f"{1 - bound / cost:8.3%} {spent:8.1f}",
                    flush=True,
                )


def main() -> None:
    """Slots, then episodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every tenth slot, short episodes")
    parser.add_argument("--episodes", type=int, default=2, help="episodes a preset; 0 for none")
    options = parser.parse_args()
    warm_up()
    slots(["tiny", "slots", "slots-balanced"], 10 if options.quick else 1)
    if options.episodes:
        episodes(20 if options.quick else 100, options.episodes, 100 if options.quick else 400)


if __name__ == "__main__":
    main()

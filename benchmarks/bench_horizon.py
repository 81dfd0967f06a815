"""Certified plans of whole episodes: `python benchmarks/bench_horizon.py [--preset balanced]`.

A line an episode: the hindsight plan with its certified gap and where that comes from ("alone" is
the gap that each request by itself leaves), then the causal plans beside it: `myopic-exact`, which
knows nothing of later slots, and `horizon`'s rolling plan with a look-ahead, unless --hindsight
leaves them out. Costs are means a slot and device; seconds are CPU seconds a slot, and all budgets
count CPU seconds of one thread. Kernels are loaded before the first measurement.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from minlp.branch_and_bound import solve as branch_and_bound
from minlp.horizon import solve as horizon
from minlp.slot.interference_free import independent_bound
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

HEAD = (
    f"{'episode':>24s} {'hindsight':>10s} {'bound':>10s} {'gap':>7s} {'slots':>7s} {'windows':>7s} "
    f"{'motion':>7s} {'alone':>7s} {'s/slot':>6s}"
)
CAUSAL_HEAD = f" {'myopic-exact':>13s} {'s/slot':>6s} {'look-ahead':>10s} {'s/slot':>6s}"


def timed(run: Callable[[], Outcome]) -> tuple[Outcome, float]:
    """The outcome and its CPU seconds."""
    began = time.process_time()
    found = run()
    return found, time.process_time() - began


def parts(instance: Instance, found: Outcome) -> tuple[float, float, float]:
    """Shares of the cost: what slot bounds miss alone, what windows add, what motion costs.

    Slots alone are the best plans found of each slot with its UAVs anywhere within reach.
    """
    costs = np.asarray(judge(instance, found.plan).slot_cost, float)
    alone = np.array(found.info["slot_costs_alone"], float)
    alone = np.where(np.isnan(alone), costs, alone)
    bounds = np.array(found.certificate["slot_bounds"])
    joint = found.lower_bound - bounds.mean()
    missed, motion = float((alone - bounds).mean()), float((costs - alone).mean())
    cost = float(costs.mean())
    return missed / cost, joint / cost, motion / cost


def line(name: str, seed: int, options: argparse.Namespace) -> float:
    """Print an episode; returns its gap."""
    instance = generate(preset(name, n_slots=options.slots), seed)
    budget_s = options.seconds * instance.n_slots
    best, best_s = timed(
        lambda: horizon.hindsight(instance, budget_s=budget_s, seed=0, gap=options.gap)
    )
    cost = float(judge(instance, best.plan).cost)
    gap, alone = (1 - b / cost for b in (best.lower_bound, independent_bound(instance).mean()))
    slots, windows, motion = parts(instance, best)
    told = (
        f"{name + '-' + str(seed):>24s} {cost:10.5f} {best.lower_bound:10.5f} {gap:7.3%} "
        f"{slots:7.3%} {windows:7.3%} {motion:7.3%} {alone:7.2%} {best_s / instance.n_slots:6.2f}"
    )
    print(told if options.hindsight else told + causal(instance, budget_s), flush=True)
    return gap


def causal(instance: Instance, budget_s: float) -> str:
    """The rest of a line: costs and seconds of causal plans."""
    told = ""
    for solve, width in ((branch_and_bound.rolling, 13), (horizon.rolling, 10)):
        found, seconds = timed(partial(solve, instance, budget_s=budget_s, seed=0))
        cost = float(judge(instance, found.plan).cost)
        told += f" {cost:{width}.5f} {seconds / instance.n_slots:6.2f}"
    return told


def main() -> None:
    """A table of episodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--first", type=int, default=0, help="seed of the first episode")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds a slot at most")
    parser.add_argument("--gap", type=float, default=1e-3, help="at which slot bounds stop")
    parser.add_argument("--hindsight", action="store_true", help="no causal plans beside it")
    options = parser.parse_args()
    clock.count("cpu")
    horizon.warm_up()
    branch_and_bound.warm_up()
    print(HEAD if options.hindsight else HEAD + CAUSAL_HEAD)
    seeds = range(options.first, options.first + options.episodes)
    gaps = [line(options.preset, seed, options) for seed in seeds]
    print(f"gap: mean {np.mean(gaps):.3%}, greatest {max(gaps):.3%}")


if __name__ == "__main__":
    main()

"""Certified plans of whole episodes: `python benchmarks/bench_horizon.py [--preset balanced]`.

A line an episode: the hindsight plan with its certified gap and where that comes from, then the
causal plans beside it: `myopic-exact`, which knows nothing of later slots, and `horizon`'s rolling
plan with a look-ahead. Costs are means a slot and device; seconds are CPU seconds a slot, and
all budgets count CPU seconds of one thread. Kernels are loaded before the first measurement.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from minlp.branch_and_bound import solve as branch_and_bound
from minlp.horizon import solve as horizon
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

HEAD = (
    f"{'episode':>16s} {'hindsight':>10s} {'bound':>10s} {'gap':>7s} {'slots':>7s} {'windows':>7s} "
    f"{'motion':>7s} {'s/slot':>6s} {'myopic-exact':>13s} {'s/slot':>6s} "
    f"{'look-ahead':>10s} {'s/slot':>6s}"
)


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


def line(name: str, seed: int, n_slots: int, seconds_per_slot: float) -> float:
    """Print an episode; returns its gap."""
    instance = generate(preset(name, n_slots=n_slots), seed)
    budget_s = seconds_per_slot * n_slots
    best, best_s = timed(lambda: horizon.hindsight(instance, budget_s=budget_s, seed=0))
    exact, exact_s = timed(lambda: branch_and_bound.rolling(instance, budget_s=budget_s, seed=0))
    ahead, ahead_s = timed(lambda: horizon.rolling(instance, budget_s=budget_s, seed=0))
    costs = [float(judge(instance, found.plan).cost) for found in (best, exact, ahead)]
    gap = 1 - best.lower_bound / costs[0]
    slots, windows, motion = parts(instance, best)
    print(
        f"{name + '-' + str(seed):>16s} {costs[0]:10.5f} {best.lower_bound:10.5f} {gap:7.3%} "
        f"{slots:7.3%} {windows:7.3%} {motion:7.3%} {best_s / n_slots:6.2f} "
        f"{costs[1]:13.5f} {exact_s / n_slots:6.2f} {costs[2]:10.5f} {ahead_s / n_slots:6.2f}",
        flush=True,
    )
    return gap


def main() -> None:
    """A table of episodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--first", type=int, default=0, help="seed of the first episode")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds a slot at most")
    options = parser.parse_args()
    clock.count("cpu")
    horizon.warm_up()
    branch_and_bound.warm_up()
    print(HEAD)
    seeds = range(options.first, options.first + options.episodes)
    gaps = [line(options.preset, seed, options.slots, options.seconds) for seed in seeds]
    print(f"gap: mean {np.mean(gaps):.3%}, greatest {max(gaps):.3%}")


if __name__ == "__main__":
    main()

"""Slot evaluations a second of the referee, against plain loops over the formulas, in one run.

    pytest -s benchmarks/bench_referee.py

K=10, M=3, N=4, one thread, the best of a few turns in CPU time. The target is 100,000 a second.
"""

import sys
import time
from pathlib import Path

import numpy as np

from satedge.problem.generation.generate import generate
from satedge.problem.plan import Plan
from satedge.problem.projector import project
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.plain_model import slot_cost

PLANS = 20


def best_s(run, turns):
    """Least CPU time of a few calls."""
    times = []
    for _ in range(turns):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times)


def test_slot_evaluations_a_second():
    """Stacks of plans of one episode, judged with every constraint."""
    instance = generate(preset("paper"), 0)
    rng = np.random.default_rng(0)
    shape = (PLANS, instance.n_slots)
    raw = Plan(
        rng.integers(0, 7, (*shape, 10)),
        rng.random((*shape, 10)),
        rng.uniform(0, 500, (*shape, 3, 2)),
    )
    plan, _ = project(instance, raw)

    def referee():
        verdict = judge(instance, plan)
        assert np.isfinite(verdict.cost).all()
        assert verdict.admissible.all()

    def loops():
        for t in range(10):
            slot_cost(
                instance, t, plan.server[0, t].tolist(), plan.power_W[0, t], plan.uav_xy_m[0, t]
            )

    fast = PLANS * instance.n_slots / best_s(referee, 9)
    slow = 10 / best_s(loops, 3)
    print(
        f"\nreferee {fast:,.0f} slots/s, plain loops {slow:,.0f} slots/s, ratio {fast / slow:,.0f}"
    )
    assert fast > slow

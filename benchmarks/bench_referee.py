"""Slot evaluations a second of the referee, against plain loops over the formulas, in one run.

    pytest -s benchmarks/bench_referee.py

K=10, M=3, N=4, one thread, the best of a few turns in CPU time. The targets are 100,000 a second,
and a million for the compiled twin.
"""

import sys
import time
from pathlib import Path

import numpy as np

from satedge.compiled import referee as compiled
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

    def twin():
        assert np.isfinite(compiled.judge(instance, plan).device_cost).all()

    twin()
    rates = {
        "compiled": PLANS * instance.n_slots / best_s(twin, 30),
        "referee": PLANS * instance.n_slots / best_s(referee, 9),
        "plain loops": 10 / best_s(loops, 3),
    }
    print()
    for name, rate in rates.items():
        print(
            f"{name:>12} {rate:9,.0f} slots/s, {rate / rates['plain loops']:6.1f} times the loops"
        )
    assert rates["compiled"] >= 1_000_000
    assert rates["referee"] > rates["plain loops"]

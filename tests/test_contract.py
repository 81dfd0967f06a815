"""The contract of every method in the table, on instances small enough for all of them."""

import inspect
import math

import numpy as np
import pytest

from satedge.bench.methods import table as methods
from satedge.bench.methods.table import Method
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Progress
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

#: On instances so small all methods end by themselves, on however busy a machine.
BUDGET_S = 3600.0
ROWS = [pytest.param(m, id=m.name) for m in methods.TABLE]


def instances(method: Method) -> list[Instance]:
    """One slot and a few; policies are trained for one size, so learners get theirs."""
    if method.family == "learned":
        world = preset(str(method.settings.get("preset", "paper")))
    else:
        world = preset("tiny")
    return [generate(world.replace(n_slots=n), 7, name=f"contract-{n}") for n in (1, 3)]


def run(method: Method, instance: Instance, seed: int = 0) -> tuple[Outcome, list[Progress]]:
    reason = methods.missing(method)
    if reason:
        pytest.skip(reason)
    streamed: list[Progress] = []
    function = methods.load(method)
    given = {"report": streamed.append} if methods.wants_report(function) else {}
    outcome = function(instance, budget_s=BUDGET_S, seed=seed, **given, **method.settings)
    return outcome, streamed


@pytest.mark.parametrize("method", ROWS)
def test_plan_is_admissible_and_bound_is_below_its_cost(method: Method) -> None:
    """Plans break no constraint, streamed ones neither, and no bound exceeds any cost."""
    for instance in instances(method):
        outcome, streamed = run(method, instance)
        assert isinstance(outcome, Outcome)
        plans = [p.plan for p in streamed if p.plan is not None]
        plans += [outcome.plan] if outcome.plan is not None else []
        bounds = [p.lower_bound for p in streamed if p.lower_bound is not None]
        bounds += [outcome.lower_bound] if outcome.lower_bound is not None else []
        assert plans or bounds
        verdicts = [judge(instance, plan) for plan in plans]
        assert [v.admissible for v in verdicts] == [True] * len(plans)
        least = min((float(v.cost) for v in verdicts), default=math.inf)
        assert all(b <= least * (1 + 1e-9) for b in bounds)
        if method.family == "bound":
            assert bounds


@pytest.mark.parametrize("method", ROWS)
def test_same_seed_same_plan(method: Method) -> None:
    """A run that ends by itself is a function of instance, settings and seed."""
    instance = instances(method)[0]
    (first, _), (second, _) = run(method, instance, 3), run(method, instance, 3)
    assert (first.plan is None) == (second.plan is None)
    if first.plan is not None and second.plan is not None:
        np.testing.assert_array_equal(first.plan.server, second.plan.server)
        np.testing.assert_array_equal(first.plan.power_W, second.plan.power_W)
        np.testing.assert_array_equal(first.plan.uav_xy_m, second.plan.uav_xy_m)
    assert first.lower_bound == second.lower_bound


@pytest.mark.parametrize("method", ROWS)
def test_what_the_table_says_is_so(method: Method) -> None:
    """Settings in the table are keyword arguments of the callable, told without importing it."""
    reason = methods.missing(method)
    if reason:
        pytest.skip(reason)
    told, open_to_any = methods.parameters(method)
    taken = inspect.signature(methods.load(method)).parameters
    assert set(told) == {n for n in list(taken)[1:] if n not in methods.GIVEN} or open_to_any
    methods.check_settings(method, method.settings)


def test_random_is_the_worst_of_the_simple_methods() -> None:
    """What the normalised score calls 1 is indeed poor: greedy is far cheaper."""
    instance = generate(preset("paper", n_slots=5), 3)
    costs = {}
    for name in ("random", "greedy"):
        outcome, _ = run(methods.find(name), instance)
        assert outcome.plan is not None
        costs[name] = float(judge(instance, outcome.plan).cost)
    assert costs["greedy"] < 0.8 * costs["random"]

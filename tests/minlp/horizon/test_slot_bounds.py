"""The bound of a horizon by its slots: below every plan, and as tight as slots can be proven."""

import numpy as np
import pytest

from minlp.branch_and_bound.solve import rolling
from minlp.enumeration.solve import prove
from minlp.heuristics.simple import greedy
from minlp.horizon.episode import widened
from minlp.horizon.slot_bounds import solve
from minlp.slot.interference_free import independent_bound
from satedge.problem.referee import judge
from support.plans import random_plan
from support.randomised import seeds
from support.worlds import world

WORLDS = ["paper", "contended", "contended-balanced", "foresight", "foresight-faint"]


def bounded(instance, **settings):
    """The outcome without a limit of time; bounds of its slots."""
    found = solve(instance, budget_s=np.inf, seed=0, slot_bound_s=np.inf, **settings)
    return found, np.array(found.certificate["slot_bounds"])


@pytest.mark.randomised
@pytest.mark.parametrize("name", WORLDS)
def test_no_slot_of_any_plan_costs_less(name):
    """Whoever made it: myopic optima, greedy, and flights of every kind; never below the floor."""
    for seed in seeds(2):
        instance = world(name, seed, n_slots=4)
        found, bounds = bounded(instance, gap=0.05)
        assert found.plan is None
        assert found.lower_bound == pytest.approx(bounds.mean(), rel=1e-12)
        assert (bounds >= independent_bound(instance)).all()
        rng = np.random.default_rng(seed)
        plans = [random_plan(instance, rng) for _ in range(20)]
        plans += [greedy(instance, budget_s=np.inf, seed=0).plan]
        plans += [rolling(instance, budget_s=np.inf, gap=0.05).plan]
        for plan in plans:
            assert (bounds <= judge(instance, plan).slot_cost).all(), (name, seed)


@pytest.mark.parametrize("sharing", ["dedicated", "shared"])
def test_a_slot_is_bounded_to_its_optimum_among_all_places_in_reach(sharing):
    """Every combination of servers tried, the UAV anywhere that it can be by then."""
    instance = world("tiny", 5, n_slots=3, compute_sharing=sharing)
    _, bounds = bounded(instance, gap=1e-3)
    for t, bound in enumerate(bounds):
        proof = prove(widened(instance, t), 0, relative_gap=1e-4)
        assert proof.lower_bound * (1 - 1e-3) <= bound * (1 + 1e-6)
        assert bound <= proof.cost


def test_where_servers_are_shared_it_closes_what_requests_alone_leave_open():
    """Within 5 % of a myopic plan, where the bound of each request by itself is 8 % off."""
    instance = world("contended", 17_001, n_slots=10)
    cost = float(judge(instance, rolling(instance, budget_s=np.inf, gap=1e-2).plan).cost)
    found, _ = bounded(instance, gap=1e-2)
    assert found.lower_bound >= 0.95 * cost
    assert independent_bound(instance).mean() < 0.92 * cost
    assert set(found.certificate["slot_bounds_by"]) == {"branch-and-bound"}


def test_without_time_slots_have_the_bound_of_each_request_alone():
    """Nothing is lost when the budget ends before the first slot."""
    instance = world("paper", 3, n_slots=3)
    found = solve(instance, budget_s=0.0, seed=0)
    assert found.lower_bound == pytest.approx(independent_bound(instance).mean(), rel=1e-12)
    assert found.certificate["slot_bounds_by"] == ["independent"] * 3

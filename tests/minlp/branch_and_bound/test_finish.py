"""Plans of others, finished: never dearer, admissible, and with the powers that CVXPY finds."""

from dataclasses import replace

import numpy as np
import pytest

from minlp.branch_and_bound.finish import powers, search
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot
from minlp.enumeration.point import Combination, _downloads, _problem
from minlp.heuristics.simple import random_decision
from minlp.p1.data import slot_terms
from minlp.power.cvxpy_check import solve_power_cvxpy
from satedge.problem.plan import Plan
from satedge.problem.referee import judge, uav_gains
from support.randomised import seeds
from support.worlds import ODD_WORLDS, nobody_asks, printed, world


def drawn(slot, seed):
    return random_decision(slot, np.random.default_rng(seed))


def cost(slot, plan):
    verdict = judge(slot, plan)
    assert verdict.admissible
    return float(verdict.cost)


def by_cvxpy(slot, plan):
    """The same servers and positions with the powers of CVXPY."""
    c = Combination.of(slot_terms(slot, 0), plan.server[0])
    gain = uav_gains(slot, plan.uav_xy_m)[0] / slot.scenario.noise_W
    lanes = np.hstack([gain, c.terms.satellite_gain[:, None]])
    problem = _problem(c, lanes[c.sender][:, c.receiver].T, _downloads(c, gain)[0])
    power_W = np.zeros_like(plan.power_W)
    power_W[0, c.sender] = solve_power_cvxpy(problem).power_W
    return replace(plan, power_W=power_W)


@pytest.mark.randomised
@pytest.mark.parametrize("changes", ODD_WORLDS)
def test_a_finished_plan_is_never_dearer(changes):
    """Whatever plan and world; the search comes at least as far as the powers alone."""
    for seed in seeds(5):
        slot = printed("paper", seed, **changes)
        plan = drawn(slot, seed)
        better, best = powers(slot, plan), search(slot, plan)
        assert cost(slot, better) <= cost(slot, plan) * (1 + 1e-9)
        assert cost(slot, best) <= cost(slot, better) * (1 + 1e-9)
        assert np.array_equal(better.uav_xy_m, plan.uav_xy_m)


@pytest.mark.randomised
@pytest.mark.parametrize("name", ["paper", "contended"])
def test_powers_are_those_that_cvxpy_finds(name):
    """For the same servers and positions, where nobody is refused."""
    compared = 0
    for seed in seeds(12):
        slot = world(name, seed)
        found = powers(slot, drawn(slot, seed))
        if judge(slot, found).refused.any():
            continue
        compared += 1
        assert cost(slot, found) == pytest.approx(cost(slot, by_cvxpy(slot, found)), rel=1e-6)
    assert compared >= 3


@pytest.mark.randomised
def test_only_dominated_satellites_give_way_or_what_is_refused():
    """UAVs keep their devices; with shared compute every server does."""
    for seed in seeds(12):
        for sharing in ("dedicated", "shared"):
            slot = world("paper", seed, compute_sharing=sharing)
            plan = drawn(slot, seed)
            server = powers(slot, plan).server
            differs = (server != plan.server) & (server >= 0)
            assert sharing == "dedicated" or not differs.any()
            assert (np.minimum(server, plan.server)[differs] >= slot.scenario.n_uavs).all()


@pytest.mark.randomised
def test_what_costs_more_than_an_outage_is_refused():
    """Short deadlines and deep interference: many requests are hopeless, none is sent in vain."""
    refused = 0
    for seed in seeds(8):
        slot = world(
            "paper", seed, deadline_min_s=1.0, deadline_max_s=1.2, interference_leakage=1.0
        )
        plan = drawn(slot, seed)
        verdict = judge(slot, powers(slot, plan))
        assert judge(slot, plan).outage.any()
        assert not verdict.outage.any()
        refused += verdict.refused.sum()
    assert refused


def test_nothing_to_finish():
    """Without a request, and with every request refused, the plan stays as cheap as it is."""
    slot = world("paper", 1)
    empty = nobody_asks(slot)
    nobody = Plan(np.full((1, 10), -1), np.zeros((1, 10)), slot.uav_xy_m[None])
    for finish in (powers, search):
        assert cost(empty, finish(empty, nobody)) == 0.0
        assert cost(slot, finish(slot, nobody)) <= cost(slot, nobody)


def test_the_search_comes_close_to_the_optimum():
    """From random plans of twenty slots, on the mean to 0.05 % of what branch and bound proves."""
    slots = [world("paper", 10_100 + seed) for seed in range(20)]
    found = sum(cost(slot, search(slot, drawn(slot, i))) for i, slot in enumerate(slots))
    limits = Limits(gap=1e-4, budget_s=60.0)
    bound = sum(solve_slot(slot, 0, limits).lower_bound for slot in slots)
    assert bound <= found <= 1.0005 * bound

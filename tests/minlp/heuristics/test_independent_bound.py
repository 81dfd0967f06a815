"""The independent bound: never above any judged cost, and tight where nothing is relaxed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.heuristics.independent_bound import solve
from minlp.heuristics.simple import greedy, nearest
from minlp.slot.interference_free import (
    device_bounds,
    independent_bound,
    least_distances,
    server_costs,
)
from satedge.problem.plan import Plan
from satedge.problem.projector import project
from satedge.problem.referee import available, judge, uav_gains
from satedge.problem.scenario import PRESETS
from support.plans import random_plan
from support.randomised import examples, seeds
from support.worlds import printed, scenarios

SCENARIOS = scenarios(
    n_devices=st.sampled_from([1, 4, 10]),
    n_uavs=st.sampled_from([0, 1, 3]),
    n_satellites=st.sampled_from([0, 2, 4]),
    uav_speed_max_mps=st.sampled_from([0.0, 20.0]),
    uav_coverage_m=st.sampled_from([60.0, 250.0]),
    deadline_penalty=st.sampled_from([0.0, 100.0]),
).filter(lambda changes: changes["n_uavs"] + changes["n_satellites"] > 0)


@examples(150)
@given(st.sampled_from(list(PRESETS)), SCENARIOS, st.integers(0, 10_000))
def test_no_plan_costs_less_than_the_bound(name, changes, seed):
    """Whatever the preset, scope, leakage, fleet or compute mode: bound <= judged cost, by slot."""
    instance = printed(name, seed, n_slots=3, **changes)
    bound = independent_bound(instance)
    rng = np.random.default_rng(seed)
    plans = [random_plan(instance, rng, decades=(-7, 1)) for _ in range(3)]
    plans += [method(instance, budget_s=np.inf, seed=seed).plan for method in (nearest, greedy)]
    for plan in plans:
        verdict = judge(instance, plan)
        assert verdict.admissible
        assert (bound <= verdict.slot_cost).all()
        assert (device_bounds(instance) <= verdict.device_cost).all()


@examples(60)
@given(st.sampled_from(list(PRESETS)), st.sampled_from([0, 2]), st.integers(0, 10_000))
def test_a_lone_device_with_hovering_uavs_attains_the_bound(name, n_satellites, seed):
    """With nothing to share and nowhere to fly, the cheapest lone server is optimal."""
    changes = {"n_devices": 1, "n_uavs": 2, "uav_speed_max_mps": 0.0, "interference_leakage": 0.0}
    instance = printed(name, seed, n_slots=3, n_satellites=n_satellites, **changes)
    found = solve(instance, budget_s=np.inf, seed=0)
    assert found.plan is None
    cost = judge(instance, greedy(instance, budget_s=np.inf, seed=0).plan).cost
    assert found.lower_bound == pytest.approx(cost, rel=1e-6)
    assert found.lower_bound <= cost


def test_the_least_distance_is_attained_and_no_motion_gets_nearer():
    """A straight flight at full speed towards a device meets the distance used by the bound."""
    instance = printed("paper", 4, n_slots=3, mobility="static")
    near = least_distances(instance)
    for k in range(4):
        raw = Plan(
            np.zeros(instance.active.shape),
            np.ones(instance.active.shape),
            np.broadcast_to(instance.device_xy_m[:, k, None, :], (3, 3, 2)),
        )
        plan, _ = project(instance, raw)
        away = instance.device_xy_m[:, k, None, :] - plan.uav_xy_m
        distance = np.hypot(away[..., 0], away[..., 1])
        assert near[:, k] == pytest.approx(distance, abs=1e-4)


@pytest.mark.randomised
def test_lone_costs_are_what_the_referee_charges_a_lone_sender():
    """One request in the air without other UAVs: the table's entry is the judged cost."""
    changes = {"n_devices": 1, "n_uavs": 1, "n_satellites": 4}
    for seed in seeds(20):
        instance = printed("balanced", seed, **changes)
        stay = instance.uav_xy_m[None]
        costs = server_costs(instance, uav_gains(instance, stay))
        for server in np.flatnonzero(available(instance, stay)[0, 0]):
            chosen = np.array([[server]])
            plan = Plan(chosen, costs.power_W[:, :, server], stay)
            verdict = judge(instance, plan)
            assert verdict.admissible
            assert verdict.cost == pytest.approx(costs.cost[0, 0, server], rel=1e-9)


def test_no_request_costs_more_than_its_refusal():
    """The bound of a request is at most what refusing it costs, which may be nothing."""
    free = printed("paper", 1, n_devices=3, deadline_penalty=0.0)
    assert (device_bounds(free) == 0.0).all()
    alone = printed("paper", 1, n_devices=3, n_satellites=0, uav_coverage_m=1.0)
    refused = alone.scenario.penalty_per_s * alone.deadline_s[0]
    assert device_bounds(alone)[0] == pytest.approx(refused, rel=1e-9)
    assert (device_bounds(alone)[0] <= refused).all()

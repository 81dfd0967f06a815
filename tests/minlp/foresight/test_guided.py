"""Slots solved where a pilot has the UAVs, and the learned pilot of `ahead`."""

import dataclasses

import numpy as np
import pytest

from drl.core.places import Weights
from drl.training.ahead import Search, State, save
from minlp.branch_and_bound.solve import rolling
from minlp.foresight.guided import guided, tabulated
from minlp.heuristics.simple import nearest
from satedge.bench.methods.composed import ahead
from satedge.problem.instance import join
from satedge.problem.referee import judge
from satedge.problem.scenario import preset
from support.worlds import FORESIGHT, ODD_WORLDS, printed, world

UNLIMITED = {"budget_s": np.inf, "seed": 0, "slot_budget_s": np.inf}


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """Of the weights with which a search begins."""
    path = tmp_path_factory.mktemp("policies") / "seed-0"
    state = State(Weights().vector(), np.ones(7), [])
    save(path, Search(preset("foresight"), 0), state, 1.0)
    return str(path)


def stays(slot, left):
    return slot.uav_xy_m


@pytest.mark.parametrize("changes", ODD_WORLDS)
def test_every_world_is_handled(policy, changes):
    """Admissible without help of the projector, which draws no server anew."""
    instance = printed("balanced", 4, n_slots=3, **changes)
    found = ahead(instance, budget_s=np.inf, seed=1, policy=policy)
    assert judge(instance, found.plan).admissible
    assert found.info["resampled"] == []
    assert found.info["held_uavs"] == 0


def test_decisions_do_not_depend_on_the_true_future(policy):
    """Another future, and another seed of the episode, and everything up to there is the same."""
    instance, other = (world("balanced", seed, n_slots=6, **FORESIGHT) for seed in (1, 2))
    changed = dataclasses.replace(join([instance.rows(slice(0, 3)), other.rows(slice(3, 6))]))
    changed = dataclasses.replace(changed, seed=77)
    plans = [ahead(i, policy=policy, **UNLIMITED).plan for i in (instance, changed)]
    seen = [plan.slots(0, 3) for plan in plans]
    for name in ("server", "power_W", "uav_xy_m"):
        assert np.array_equal(*(getattr(plan, name) for plan in seen))
    assert not np.array_equal(plans[0].power_W, plans[1].power_W)


def test_looking_ahead_pays_where_the_future_matters(policy):
    """Cheaper than the myopic optimum over two validation episodes."""
    costs = np.zeros(2)
    for seed in (0, 2):
        instance = world("balanced", 17_000 + seed, n_slots=15, **FORESIGHT)
        plans = [rolling(instance, budget_s=np.inf, gap=1e-3, slot_budget_s=np.inf).plan]
        plans += [ahead(instance, policy=policy, **UNLIMITED).plan]
        costs += [judge(instance, plan).cost for plan in plans]
    assert costs[1] < 0.95 * costs[0]


def test_the_pilot_has_the_uavs_and_the_rest_is_solved():
    """UAVs stay where they are told to, and nobody's servers and powers are cheaper there."""
    instance = world("balanced", 3, n_slots=3, **FORESIGHT)
    plan = guided(instance, pilot=stays, **UNLIMITED).plan
    assert (plan.uav_xy_m[:2] == instance.uav_xy_m).all()
    rule = nearest(instance, budget_s=np.inf, seed=0).plan
    costs = [judge(instance, p).slot_cost[:2].mean() for p in (plan, rule)]
    assert costs[0] < costs[1]


def test_the_last_slot_gets_its_own_optimum(policy):
    slot = world("balanced", 3, **FORESIGHT)
    alone = rolling(slot, budget_s=np.inf, gap=1e-3, slot_budget_s=np.inf).plan
    plan = ahead(slot, policy=policy, **UNLIMITED).plan
    assert judge(slot, plan).cost == pytest.approx(judge(slot, alone).cost, rel=1e-6)


def test_lone_costs_are_what_a_request_costs_alone():
    """One device, no interference: the cheapest entry of the tables is the slot's optimum."""
    slot = world("balanced", 5, **FORESIGHT | {"n_devices": 1, "uav_speed_max_mps": 0.0})
    slot = dataclasses.replace(slot, uav_xy_m=np.repeat(slot.device_xy_m[0], 3, axis=0))
    near, far, elsewhere = tabulated(slot)
    assert (near < far).all()
    plan = rolling(slot, budget_s=np.inf, gap=1e-6, slot_budget_s=np.inf).plan
    assert min(near.min(), elsewhere.min()) == pytest.approx(judge(slot, plan).cost, rel=1e-4)


def test_little_time_still_makes_a_plan(policy):
    instance = world("balanced", 3, n_slots=4, **FORESIGHT)
    found = ahead(instance, budget_s=0.0, seed=0, policy=policy)
    assert found.status == "stopped"
    assert judge(instance, found.plan).admissible

"""Causal plans that look ahead: drift, and model-predictive planning on sampled futures."""

import dataclasses

import numpy as np
import pytest

from minlp.branch_and_bound.solve import rolling
from minlp.foresight.drift import device_centres, drift
from minlp.foresight.futures import Seen
from minlp.foresight.places import Places
from minlp.foresight.rolling_horizon import rolling_horizon
from minlp.horizon.solve import hindsight
from satedge.problem.instance import join
from satedge.problem.referee import judge
from support.worlds import FORESIGHT, ODD_WORLDS, printed, world

METHODS = [drift, rolling_horizon]
UNLIMITED = {"budget_s": np.inf, "seed": 0, "slot_budget_s": np.inf}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("changes", ODD_WORLDS)
def test_every_world_is_handled(method, changes):
    """Admissible without help of the projector, which draws no server anew."""
    instance = printed("balanced", 4, n_slots=3, **changes)
    found = method(instance, budget_s=np.inf, seed=1)
    assert judge(instance, found.plan).admissible
    assert found.info["resampled"] == []


@pytest.mark.parametrize("method", METHODS)
def test_decisions_do_not_depend_on_the_true_future(method):
    """Another future, and another seed of the episode, and everything up to there is the same."""
    instance, other = (world("balanced", seed, n_slots=6, **FORESIGHT) for seed in (1, 2))
    changed = dataclasses.replace(join([instance.rows(slice(0, 3)), other.rows(slice(3, 6))]))
    changed = dataclasses.replace(changed, seed=77)
    plans = [method(i, **UNLIMITED).plan for i in (instance, changed)]
    seen = [plan.slots(0, 3) for plan in plans]
    for name in ("server", "power_W", "uav_xy_m"):
        assert np.array_equal(*(getattr(plan, name) for plan in seen))
    assert not np.array_equal(plans[0].power_W, plans[1].power_W)


def test_foresight_pays_where_the_future_matters():
    """Cheaper than the myopic optimum, and rolling-horizon closes half of the way to hindsight."""
    costs = np.zeros(4)
    for seed in (0, 2):
        instance = world("balanced", 17_000 + seed, n_slots=15, **FORESIGHT)
        plans = [rolling(instance, budget_s=np.inf, gap=1e-3, slot_budget_s=np.inf).plan]
        plans += [method(instance, **UNLIMITED).plan for method in METHODS]
        plans += [hindsight(instance, budget_s=np.inf, seed=0, slot_bound_s=0.0, window_s=0.0).plan]
        costs += [judge(instance, plan).cost for plan in plans]
    myopic, glided, ahead, known = costs
    assert glided < myopic
    assert myopic - ahead > 0.5 * (myopic - known)


@pytest.mark.parametrize("method", METHODS)
def test_without_a_later_slot_there_is_nothing_to_foresee(method):
    """The last slot costs no more than its own optimum, and drift's optimum is that one's."""
    slot = world("balanced", 3, uav_speed_max_mps=0.0)
    alone = rolling(slot, budget_s=np.inf, gap=1e-3, slot_budget_s=np.inf).plan
    plan = method(slot, **UNLIMITED).plan
    assert judge(slot, plan).cost == pytest.approx(judge(slot, alone).cost, rel=1e-6)


def test_idle_uavs_glide_to_different_centres_of_the_devices():
    """Two clouds of devices, two UAVs with nobody to serve: each flies towards its own cloud."""
    instance = world("balanced", 3, n_uavs=2, n_satellites=4, uav_coverage_m=1.0)
    device_xy_m = np.full(instance.device_xy_m.shape, 50.0)
    device_xy_m[:, 5:] = 450.0
    uav_xy_m = np.array([[300.0, 300.0], [200.0, 200.0]])
    instance = dataclasses.replace(instance, device_xy_m=device_xy_m, uav_xy_m=uav_xy_m)
    assert device_centres(instance, 0) == pytest.approx(np.array([[450.0, 450.0], [50.0, 50.0]]))
    plan = drift(instance, **UNLIMITED).plan
    step_m = plan.uav_xy_m[0] - uav_xy_m
    reach_m = instance.scenario.uav_reach_m / np.sqrt(2)
    assert step_m == pytest.approx(np.array([[reach_m, reach_m], [-reach_m, -reach_m]]))


def seen_slot(**changes):
    instance = world("balanced", 3, n_slots=2, interference_leakage=0.0, **changes)
    seen = Seen(0)
    seen.show(instance.rows(slice(0, 1)))
    return seen


def optimum(future):
    """Of every slot with UAVs where they are, sum over devices."""
    still = future.with_scenario(future.scenario.replace(uav_speed_max_mps=0.0))
    plan = rolling(still, budget_s=np.inf, gap=1e-6, slot_budget_s=np.inf).plan
    return judge(still, plan).cost * still.scenario.n_devices


def test_the_value_of_places_is_what_the_referee_charges_without_interference():
    """One future of one slot, all channels to the satellite alike: the best server of each."""
    seen = seen_slot(arrivals="every-slot")
    future = seen.futures(1, 1)
    alike = np.full_like(future.satellite_gain, np.median(future.satellite_gain))
    future = dataclasses.replace(future, satellite_gain=alike)
    start_m = seen.now.uav_xy_m
    found = Places(future, 1).cost(start_m, start_m)
    assert found == pytest.approx(optimum(future), rel=2e-3)


def test_channels_to_the_satellite_are_charged_at_their_mean():
    """Where UAVs cover nobody, futures cost what they cost, whoever meets the deep fades."""
    seen = seen_slot(**FORESIGHT | {"uav_coverage_m": 1.0})
    future = seen.futures(1, 1)
    start_m = seen.now.uav_xy_m
    places = Places(future, 1)
    assert places.cost(start_m, start_m) == pytest.approx(optimum(future), rel=2e-3)
    dear = places.usual.max() + places.excess[-1]
    capped = [places.expected(np.full(places.usual.shape, c)) for c in (0.0, 0.1, dear)]
    asking = places.asked.sum()
    assert capped == pytest.approx([0.0, 0.1 * asking, places.cost(start_m, start_m)])


def test_destinations_are_never_worse_than_the_guess():
    """Searching pays or changes nothing, from wherever it begins."""
    seen = seen_slot(**FORESIGHT)
    places = Places(seen.futures(12, 4), 12)
    rng = np.random.default_rng(0)
    for _ in range(5):
        start_m, guess_m = rng.uniform(0, 500, (2, 3, 2))
        goals_m = places.destinations(start_m, guess_m)
        assert places.cost(start_m, goals_m) <= places.cost(start_m, guess_m) * (1 + 1e-12)


def test_little_time_still_makes_a_plan():
    """Out of time, greedy finishes, and says so."""
    instance = world("balanced", 3, n_slots=4, **FORESIGHT)
    for method in METHODS:
        found = method(instance, budget_s=0.0, seed=0)
        assert found.status == "stopped"
        assert judge(instance, found.plan).admissible

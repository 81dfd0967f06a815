"""Many slots at once: routes, bent paths and smoothing keep what the referee asks for, and pay."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.alternating.solve import alternate
from minlp.heuristics.simple import greedy, random
from minlp.horizon.episode import bent_path, fixed_places, tour_of, wide_data, widened
from minlp.horizon.solve import hindsight, rolling
from minlp.horizon.trajectory import smooth
from minlp.horizon.uav_routes import best_route, place_costs
from minlp.improvement.neighbourhood import place
from minlp.slot.data import slot_data
from minlp.slot.interference_free import independent_bound
from minlp.slot.value import new_point, point_of, settle_powers
from satedge.problem.referee import judge
from support.plans import elastic_costs
from support.randomised import examples
from support.worlds import printed, world


def greedy_tour(instance):
    return tour_of(instance, greedy(instance, budget_s=np.inf, seed=0).plan)


@pytest.mark.parametrize("name", ["paper", "balanced", "as-printed"])
def test_a_tour_holds_the_plan_it_was_made_of(name):
    """Same servers and places, powers no worse, values as the referee charges."""
    instance = world(name, 3, n_slots=4)
    plan = greedy(instance, budget_s=np.inf, seed=0).plan
    tour = tour_of(instance, plan)
    again = tour.plan()
    verdict = judge(instance, again)
    assert verdict.admissible
    assert np.array_equal(again.uav_xy_m, plan.uav_xy_m)
    assert np.array_equal(again.server, plan.server)
    assert tour.values == pytest.approx(elastic_costs(instance, again).sum(axis=-1), rel=1e-8)
    assert elastic_costs(instance, again).sum() <= elastic_costs(instance, plan).sum() * (1 + 1e-9)


def test_a_widened_slot_reaches_as_far_as_all_slots_before_together():
    """(t + 1) steps, no farther than across the area, and nothing else changes."""
    instance = world(n_slots=20)
    s = instance.scenario
    for t in range(20):
        wide = widened(instance, t)
        straight_m = np.hypot(s.area_side_m, s.area_side_m)
        assert wide.scenario.uav_reach_m >= min((t + 1) * s.uav_reach_m, straight_m) * (1 - 1e-12)
        assert wide.scenario.uav_reach_m <= (t + 1) * s.uav_reach_m * (1 + 1e-12)
        data, own = wide_data(instance, t), slot_data(instance, t)
        assert (data.n_options >= own.n_options).all()
        assert np.array_equal(data.load_s, own.load_s)


@examples(60)
@given(st.integers(0, 10_000))
def test_a_bent_path_meets_its_target_within_the_speed_limit(seed):
    """It also leaves the slots alone from which the old path can be taken up again."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 500, (2, 2))
    path = np.clip(start + rng.uniform(-25, 25, (15, 2, 2)).cumsum(axis=0), 0, 500)
    t = int(rng.integers(0, 15))
    target = rng.uniform(0, 500, (2, 2))
    bent = bent_path(path, start, t, target, 60.0, 500.0)
    if bent is None:
        assert (np.hypot(*(target - start).T) > (t + 1) * 60.0 * (1 - 2e-6)).any()
        return
    assert bent[t] == pytest.approx(target)
    steps = np.diff(np.concatenate([start[None], bent]), axis=0)
    assert np.hypot(steps[..., 0], steps[..., 1]).max() <= 60.0 * (1 + 1e-9)
    assert (bent >= 0).all()
    assert (bent <= 500).all()
    same = (bent == path).all(axis=(1, 2))
    assert same[t + 1 :].tolist() == sorted(same[t + 1 :].tolist())


@examples(40)
@given(st.integers(0, 10_000))
def test_the_route_is_the_cheapest_of_all(seed):
    """Every sequence of nodes tried, old places included."""
    rng = np.random.default_rng(seed)
    places, old = rng.uniform(0, 100, (4, 2)), rng.uniform(40, 60, (3, 2))
    cost, start, reach = rng.uniform(0, 1, (3, 5)), old[0], 45.0
    best = np.inf
    for nodes in itertools.product(range(5), repeat=3):
        at = [places[g] if g < 4 else old[t] for t, g in enumerate(nodes)]
        steps = [np.hypot(*(b - a)) for a, b in itertools.pairwise([start, *at])]
        if max(steps) <= reach:
            best = min(best, sum(cost[t, g] for t, g in enumerate(nodes)))
    route = best_route(cost, places, old, start, reach)
    assert sum(cost[t, g] for t, g in enumerate(route)) == pytest.approx(best)


def test_the_estimate_along_a_route_is_exact_without_interference():
    """One UAV, leakage 0: the estimate at a place is the best over all servers there."""
    slot = world(seed=2, n_devices=3, n_uavs=1, interference_leakage=0.0)
    data = slot_data(slot)
    plan = greedy(slot, budget_s=np.inf, seed=0).plan
    point = point_of(data, slot, plan)
    settle_powers(data, point, 1e-10, np.inf)
    rng = np.random.default_rng(0)
    places = np.clip(slot.uav_xy_m[0] + rng.uniform(-150, 150, (20, 2)), 0, 500)
    estimate = place_costs(data, point, 0, places)
    for xy, expected in zip(places, estimate, strict=True):
        best = np.inf
        for choice in itertools.product(*(range(count) for count in data.n_options)):
            trial = new_point(len(choice), 1)
            trial.choice[:] = choice
            trial.uav_xy_m[0] = xy
            best = min(best, place(data, fixed_places(trial.uav_xy_m), trial, 1e-9, np.inf))
        assert expected == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("name", ["paper", "balanced"])
def test_no_move_of_a_tour_makes_it_dearer_or_inadmissible(name):
    """Routes, single slots, pulls and smoothing in turn; after each, judged anew."""
    instance = world(name, 5, n_slots=5)
    tour = greedy_tour(instance)
    rng = np.random.default_rng(0)
    cost = judge(instance, tour.plan()).cost
    moves = [lambda m=m: tour.reroute(m, rng) for m in range(3)]
    moves += [lambda t=t: tour.improve_slot(t, rng) for t in range(5)]
    moves += [lambda t=t: tour.pull(t, tour.points[t].uav_xy_m * 0.8 + 50, rng) for t in range(5)]
    moves += [lambda: smooth(tour)]
    for move in moves:
        move()
        verdict = judge(instance, tour.plan())
        assert verdict.admissible
        assert verdict.cost <= cost * (1 + 1e-9)
        cost = verdict.cost
    assert cost < judge(instance, greedy(instance, budget_s=np.inf, seed=0).plan).cost


def test_smoothing_flies_straight_to_the_only_device():
    """One UAV far from one standing device: every slot brings it a full step nearer."""
    changes = {"n_devices": 1, "n_uavs": 1, "n_satellites": 0, "mobility": "static"}
    changes |= {"uav_coverage_m": 1000.0, "accuracy_min": 0.3, "accuracy_max": 0.3}
    instance = printed("balanced", 8, n_slots=4, **changes)
    tour = greedy_tour(instance)
    for point in tour.points:
        point.uav_xy_m[:] = instance.uav_xy_m
    tour = tour_of(instance, tour.plan())
    assert smooth(tour) > 0
    device = instance.device_xy_m[0, 0]
    far = np.hypot(*(instance.uav_xy_m[0] - device))
    reached = np.hypot(*(tour.uav_xy_m[:, 0] - device).T)
    best = np.maximum(0.0, far - instance.scenario.uav_reach_m * np.arange(1, 5))
    assert far > 180
    assert reached == pytest.approx(best, abs=1.0)
    assert judge(instance, tour.plan()).admissible


def test_hindsight_beats_the_causal_plan_and_bounds_every_plan():
    """Slot bounds lie below the slot costs of any plan at all, the causal ones included."""
    instance = world("balanced", 11, n_slots=6)
    found = hindsight(instance, budget_s=np.inf, seed=0, slot_bound_s=np.inf)
    verdict = judge(instance, found.plan)
    causal = alternate(instance, budget_s=np.inf, seed=0, kicks=4).plan
    assert verdict.admissible
    assert verdict.cost <= judge(instance, causal).cost * (1 + 1e-9)
    bounds = np.array(found.certificate["slot_bounds"])
    assert found.lower_bound == pytest.approx(bounds.mean())
    assert (bounds >= independent_bound(instance)).all()
    plans = [found.plan, causal, greedy(instance, budget_s=np.inf, seed=0).plan]
    plans += [random(instance, budget_s=np.inf, seed=i).plan for i in range(5)]
    for plan in plans:
        assert (bounds <= judge(instance, plan).slot_cost).all()
    assert found.lower_bound >= verdict.cost * 0.97


WORLDS = [
    {"n_uavs": 0},
    {"n_satellites": 0},
    {"n_devices": 1, "arrival_rate_min": 0.0, "arrival_rate_max": 0.0},
    {"uav_speed_max_mps": 0.0},
    {"uav_separation_m": 60.0, "interference_leakage": 1.0},
]


@pytest.mark.parametrize("changes", WORLDS)
def test_every_world_is_handled(changes):
    """Admissible and above the bound, with and without time."""
    instance = printed("paper", 4, n_slots=3, **changes)
    for budget_s in (20.0, 0.0):
        found = hindsight(instance, budget_s=budget_s, seed=1, slot_bound_s=0.2, passes=1)
        verdict = judge(instance, found.plan)
        assert verdict.admissible
        assert found.lower_bound <= verdict.cost


@pytest.mark.parametrize("lookahead", [0, 2])
def test_rolling_sees_no_farther_than_its_look_ahead(lookahead):
    """The plan of the first slot is the same whatever follows the window; all is admissible."""
    instance = world("paper", 6, n_slots=5)
    whole = rolling(instance, budget_s=np.inf, seed=2, lookahead=lookahead).plan
    short = rolling(instance.window(0, 1 + lookahead), budget_s=np.inf, seed=2, lookahead=lookahead)
    assert judge(instance, whole).admissible
    assert np.array_equal(whole.server[0], short.plan.server[0])
    assert np.array_equal(whole.power_W[0], short.plan.power_W[0])
    assert np.array_equal(whole.uav_xy_m[0], short.plan.uav_xy_m[0])

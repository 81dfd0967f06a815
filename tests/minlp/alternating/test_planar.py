"""Positions: projections, slopes, and two ways to the same optimum of the planar problem."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.alternating.planar import (
    SuccessiveConvex,
    best_position,
    planar_search,
    uplink_cost,
    upload_slack,
)
from minlp.heuristics.simple import greedy_decision, random_decision
from minlp.improvement.positions import polish, position_slope
from minlp.slot.cost import chosen_receivers
from minlp.slot.data import slot_data
from minlp.slot.region import (
    area_box,
    discs_of,
    inside,
    nearest_position,
    repair,
    start_reach,
)
from minlp.slot.value import copy_point, new_point, plan_at, point_of, settle_powers
from satedge.problem.referee import judge
from satedge.problem.scenario import PRESETS
from support.plans import elastic_costs
from support.randomised import examples
from support.worlds import printed, scenarios, world


def settled(slot, decision=greedy_decision, gap=1e-10):
    """(data, point) of a decision with optimal powers."""
    data = slot_data(slot)
    point = point_of(data, slot, decision(slot))
    settle_powers(data, point, gap, np.inf)
    return data, point


def used_uavs(data, point):
    receiver = data.receiver[np.arange(len(point.choice)), point.choice]
    return [m for m in range(len(point.uav_xy_m)) if (receiver == m).any()]


@examples(60)
@given(st.sampled_from(list(PRESETS)), scenarios(), st.integers(0, 10_000))
def test_the_compiled_value_is_the_judged_cost(name, changes, seed):
    """Every scope, leakage, compute mode and path loss: the same elastic cost to 1e-9."""
    slot = world(name, seed, **changes)
    data, point = settled(slot, lambda s: random_decision(s, np.random.default_rng(seed)))
    verdict = judge(slot, plan_at(slot, data, point))
    assert verdict.admissible
    elastic = elastic_costs(slot, plan_at(slot, data, point)).sum()
    assert point.value[0] == pytest.approx(elastic, rel=1e-9)
    assert verdict.cost * slot.scenario.n_devices <= point.value[0] * (1 + 1e-9)


@examples(100)
@given(st.integers(0, 10_000))
def test_the_projection_is_feasible_and_nothing_feasible_is_nearer(seed):
    """Against a fine grid over the square; no point is promised where the grid finds none."""
    rng = np.random.default_rng(seed)
    discs = np.column_stack([rng.uniform(0, 10, (3, 2)), rng.uniform(2, 8, 3)])
    target = rng.uniform(-5, 15, 2)
    area = np.array([0.0, 10.0, 0.0, 10.0])
    x, y, fine = nearest_position(discs, area, *target)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 10, 201)] * 2), axis=-1).reshape(-1, 2)
    away = np.hypot(*(grid[:, None] - discs[None, :, :2]).transpose(2, 0, 1))
    held = grid[(away <= discs[:, 2]).all(axis=1)]
    if len(held):
        assert fine
        nearest = np.hypot(*(held - target).T).min()
        assert np.hypot(x - target[0], y - target[1]) <= nearest + 1e-9
    if fine:
        assert inside(discs, area, x, y)


@examples(25)
@given(st.sampled_from(["paper", "balanced", "as-printed"]), scenarios(), st.integers(0, 10_000))
def test_the_slope_of_the_value_is_that_of_finite_differences(name, changes, seed):
    """The envelope theorem: no re-solving enters the slope, yet re-solved values agree."""
    slot = world(name, seed, **changes)
    data, point = settled(slot, lambda s: random_decision(s, np.random.default_rng(seed)), 1e-12)
    slope = position_slope(data, point)
    scale = np.abs(slope).max() + 1e-4 * point.value[0]
    for m, axis in np.ndindex(slope.shape):
        ends = []
        for sign in (1, -1):
            moved = new_point(len(point.choice), len(slope))
            copy_point(point, moved)
            moved.uav_xy_m[m, axis] += sign * 2e-3
            ends.append(settle_powers(data, moved, 1e-13, np.inf))
        assert (ends[0] - ends[1]) / 4e-3 == pytest.approx(slope[m, axis], abs=2e-3 * scale)


def test_planar_search_and_successive_convex_programs_reach_the_same_cost():
    """Two algorithms that share nothing but the problem, from the UAVs' start positions."""
    programs = SuccessiveConvex(10)
    assert programs.problem.is_dcp(dpp=True)
    compared = 0
    for leakage, seed in ((0.05, 1), (0.05, 2), (1.0, 3), (0.0, 4)):
        data, point = settled(world("paper", seed, interference_leakage=leakage))
        slack = upload_slack(data, point)
        for m in used_uavs(data, point):
            x, y, planar = best_position(data, start_reach(data), point, slack, m, 1e-5)
            xy, convex = programs.solve(data, point, m)
            start = uplink_cost(data, point, slack, m, *point.uav_xy_m[m])
            assert convex == pytest.approx(planar, rel=1e-6)
            assert uplink_cost(data, point, slack, m, x, y) == planar <= start
            discs = discs_of(data, start_reach(data), chosen_receivers(data, point.choice), m)
            assert inside(discs, area_box(data), *xy)
            compared += 1
    assert compared >= 8


@examples(20)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05]))
def test_planar_search_beats_every_point_of_a_finer_grid(seed, leakage):
    """Global in the plane: 6,400 admissible places, none cheaper."""
    data, point = settled(world("balanced", seed, interference_leakage=leakage, n_satellites=1))
    slack = upload_slack(data, point)
    for m in used_uavs(data, point)[:1]:
        _x, _y, best = best_position(data, start_reach(data), point, slack, m, 1e-3)
        discs = discs_of(data, start_reach(data), chosen_receivers(data, point.choice), m)
        for step in np.stack(np.meshgrid(*[np.linspace(-1, 1, 80)] * 2), -1).reshape(-1, 2):
            x, y = data.start_xy_m[m] + data.reach_m * step
            if inside(discs, area_box(data), x, y):
                assert best <= uplink_cost(data, point, slack, m, x, y) * (1 + 1e-9)


@examples(40)
@given(
    st.sampled_from(["paper", "balanced", "as-printed"]),
    st.sampled_from([0.0, 60.0]),
    st.integers(0, 10_000),
)
def test_descent_over_positions_only_gains_and_stays_admissible(name, separation, seed):
    """Coverage, reach, area and separation hold at the end, and the value is the judge's."""
    slot = world(name, seed, uav_separation_m=separation)
    data = slot_data(slot)
    point = point_of(data, slot, random_decision(slot, np.random.default_rng(seed)))
    point.uav_xy_m[:] = slot.uav_xy_m
    if not repair(data, start_reach(data), chosen_receivers(data, point.choice), point.uav_xy_m):
        return
    before = settle_powers(data, point, 1e-9, np.inf)
    planar_search(data, start_reach(data), point, 1.0)
    settle_powers(data, point, 1e-9, np.inf)
    start = point.value[0]
    polish(data, start_reach(data), point, 1e-7, 40)
    verdict = judge(slot, plan_at(slot, data, point))
    assert verdict.admissible
    assert point.value[0] <= start <= before * (1 + 1e-3)
    elastic = elastic_costs(slot, plan_at(slot, data, point)).sum()
    assert point.value[0] == pytest.approx(elastic, rel=1e-8)


def test_a_uav_that_nobody_hears_from_but_one_flies_to_it():
    """One device, one UAV, no rival: hovering above the device is optimal if it can be reached."""
    changes = {"n_devices": 1, "n_uavs": 1, "n_satellites": 0, "accuracy_min": 0.3}
    changes |= {"accuracy_max": 0.3, "uav_speed_max_mps": 300.0, "uav_coverage_m": 700.0}
    slot = printed("balanced", 3, **changes)
    data, point = settled(slot)
    polish(data, start_reach(data), point, 1e-12, 200)
    assert point.uav_xy_m[0] == pytest.approx(slot.device_xy_m[0, 0], abs=0.05)

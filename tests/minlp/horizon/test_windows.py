"""Bounds on several slots at once: leaves lose no plan, chains no path, and motion pays."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.branch_and_bound.branching import Start
from minlp.branch_and_bound.presolve import Region
from minlp.heuristics.simple import greedy, random
from minlp.horizon.chain import chain_of, near_boxes, separating
from minlp.horizon.episode import tour_of, wide_data
from minlp.horizon.leaves import Cut, Leaf, slot_tree
from minlp.horizon.solve import hindsight
from minlp.horizon.windows import LONGEST, windows
from satedge.problem.referee import judge
from support.randomised import examples, seeds
from support.worlds import printed, world

SLOW = {"uav_speed_max_mps": 3.0, "uav_coverage_m": 120.0}
WORLDS = [
    {},
    SLOW,
    {"interference_scope": "tier", "interference_leakage": 0.0},
    {"interference_scope": "server", "interference_leakage": 1.0},
    {"compute_sharing": "shared", "n_satellites": 1},
    {"n_satellites": 0, "uav_speed_max_mps": 4.0},
    {"n_uavs": 0},
    {"n_devices": 1, "n_uavs": 1},
    {"uav_separation_m": 60.0},
    {"power_min_W": 1e-3, "power_max_W": 0.05},
]


def episode(seed, n_slots=3, name="balanced", **changes):
    small = {"n_devices": 4, "n_uavs": 2, "n_satellites": 2}
    return printed(name, seed, n_slots, **small | changes)


def holds(leaf, choice, xy_m):
    """Whether a plan with these options (n,) and positions (M, 2) lies in a leaf."""
    low, high = leaf.region.boxes[:, 0::2], leaf.region.boxes[:, 1::2]
    inside = ((low - 1e-9 <= xy_m) & (xy_m <= high + 1e-9)).all()
    return bool(inside and (leaf.region.allowed >> choice & 1).all())


@examples(30)
@given(st.sampled_from(WORLDS), st.integers(0, 10_000))
def test_no_plan_is_lost_when_leaves_fall_apart(changes, seed):
    """After any expansions a plan below the ceiling lies in a leaf that bounds it."""
    instance = episode(seed, n_slots=2, **changes)
    tour = tour_of(instance, greedy(instance, budget_s=np.inf, seed=0).plan)
    data, point = tour.data[1], tour.points[1]
    if not len(point.choice):
        return
    tree = slot_tree(data, float(point.value[0]) * (1 + 1e-9), 1e-4)
    rng = np.random.default_rng(seed)
    for _ in range(25):
        around = [leaf for leaf in tree.leaves if holds(leaf, point.choice, point.uav_xy_m)]
        assert around
        assert min(leaf.bound for leaf in around) <= point.value[0] * (1 + 1e-9)
        leaf = around[0] if rng.random() < 0.6 else tree.leaves[rng.integers(len(tree.leaves))]
        cut = None
        if len(leaf.region.boxes) and rng.random() < 0.4:
            uav, axis = int(rng.integers(len(leaf.region.boxes))), int(rng.integers(2))
            low, high = leaf.region.boxes[uav, 2 * axis : 2 * axis + 2]
            cut = Cut(uav, axis, float(rng.uniform(low, high)))
        elif leaf.kind == 2:
            continue
        tree.leaves = [x for x in tree.leaves if x is not leaf] + tree.expand(leaf, cut)


@pytest.mark.randomised
@pytest.mark.parametrize("changes", WORLDS)
def test_no_plan_costs_less_than_the_chain_of_its_slots(changes):
    """The plan known, greedy's and random ones, over the same slots; whatever is refined."""
    for seed in seeds(2):
        instance = episode(seed, **changes)
        devices = instance.scenario.n_devices
        plans = [greedy(instance, budget_s=np.inf, seed=0).plan]
        plans += [random(instance, budget_s=np.inf, seed=i).plan for i in range(20)]
        costs = [judge(instance, plan).slot_cost * devices for plan in plans]
        data = [wide_data(instance, t) for t in range(instance.n_slots)]
        for worst in (costs[0], max(costs, key=sum)):
            chain = chain_of(data, worst, np.zeros(3), instance.scenario.uav_reach_m, 1e-4)
            chain.update()
            for _ in range(15):
                assert chain.bound <= min(c.sum() for c in costs) * (1 + 1e-9)
                if not chain.path or not chain.refine():
                    break
                chain.update()


def test_the_chain_sees_what_single_slots_do_not():
    """Slow UAVs: after 200 rounds the gap is at most half of what slot bounds leave."""
    instance = world("paper", 810_013, n_slots=10, **SLOW)
    off = hindsight(instance, budget_s=np.inf, seed=0, slot_bound_s=np.inf, window_s=0.0, gap=2e-4)
    cost = float(judge(instance, off.plan).cost)
    costs = judge(instance, off.plan).slot_cost * 10
    data = [wide_data(instance, t) for t in range(10)]
    alone = np.array(off.certificate["slot_bounds"]) * 10
    chain = chain_of(data, costs, alone, instance.scenario.uav_reach_m, 1e-4)
    chain.update()
    for _ in range(200):
        assert off.lower_bound <= chain.bound / 100 <= cost * (1 + 1e-12)
        chain.refine()
        chain.update()
    assert cost - chain.bound / 100 <= (cost - off.lower_bound) / 2


def test_hindsight_counts_windows_once():
    """Its bound is the slots' mean and what windows add, never above the plan's cost."""
    instance = world("paper", 810_013, n_slots=10, **SLOW)
    limits = {"slot_bound_s": np.inf, "window_s": np.inf, "gap": 2e-4}
    found = hindsight(instance, budget_s=np.inf, seed=0, **limits)
    certificate = found.certificate
    bounds, total = np.array(certificate["slot_bounds"]), 0.0
    assert certificate["windows"]
    for window in certificate["windows"]:
        slots = slice(window["first"], window["last"] + 1)
        total += window["lower_bound"] - bounds[slots].sum()
    assert found.lower_bound == pytest.approx(bounds.mean() + total / 10, rel=1e-9)
    assert found.lower_bound <= judge(instance, found.plan).cost


@examples(60)
@given(st.integers(0, 10_000))
def test_boxes_are_near_when_any_of_their_points_are(seed):
    """Points within reach of each other lie in near boxes; far boxes have none."""
    rng = np.random.default_rng(seed)

    def leaf(boxes):
        none = np.zeros(0)
        region = Region(none.astype(int), boxes.copy(), np.zeros((0, 2), np.int64))
        start = Start(none, none.astype(int), none)
        return Leaf(0.0, region, start, boxes[:, ::2], 0.0, 2, -1)

    corners = rng.uniform(0, 300, (2, 2, 2, 2))
    low, high = corners.min(axis=1), corners.max(axis=1)
    boxes = [
        np.stack([a[:, 0], b[:, 0], a[:, 1], b[:, 1]], axis=1)
        for a, b in zip(low, high, strict=True)
    ]
    reach_m = float(rng.uniform(10, 150))
    near = near_boxes([leaf(boxes[0])], [leaf(boxes[1])], reach_m)[0, 0]
    here, there = (rng.uniform(low[i], high[i], (400, 2, 2)) for i in range(2))
    apart = np.hypot(*np.moveaxis(there - here, -1, 0))
    if (apart <= reach_m).all(axis=1).any():
        assert near
    gaps = np.maximum(np.maximum(low[0] - high[1], low[1] - high[0]), 0.0)
    assert near == bool((np.hypot(*gaps.T) <= reach_m * (1 + 1e-6)).all())


@examples(60)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_cuts_leave_no_way_between_places_too_far_apart(seed, steps):
    """Both places lie on their sides, and from cut to cut it is farther than the reach."""
    rng = np.random.default_rng(seed)
    here, there = rng.uniform(0, 500, (2, 2))
    cuts = separating(here, there, steps, 0, 40.0)
    farthest = np.abs(there - here).max()
    assert bool(cuts) == (farthest > steps * 40.0 + 0.4)
    if cuts:
        axis = cuts[0].axis
        sign = np.sign(there[axis] - here[axis])
        lines = sign * np.array([cut.at_m for cut in cuts])
        assert sign * here[axis] < lines[0]
        assert lines[-1] < sign * there[axis]
        assert (np.diff(lines) > 40.0).all()


def test_windows_surround_what_motion_makes_dearer():
    """Neighbours join, long runs are cut, slots with loose bounds of their own are left alone."""
    cost = np.ones(30)
    regret, bound = np.zeros(30), np.full(30, 0.9999)
    regret[[3, 4, 20]] = 0.01
    bound[[3, 4]] = 0.99
    bound[20] = 0.9
    assert windows(regret, cost, bound) == [(2, 5)]
    regret[8:28], bound[8:28] = 0.01, 0.99
    found = windows(regret, cost, bound)
    assert [t for a, b in found for t in range(a, b + 1)] == [*range(2, 6), *range(7, 29)]
    assert max(b - a + 1 for a, b in found) <= LONGEST
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(found))

"""The compiled projector and referee are those of `satedge.problem`: bit for bit, and to 1e-12."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.compiled import projector, referee
from satedge.compiled.slots import (
    BLOCK,
    Decisions,
    greatest_squared_m2,
    law_of,
    scratch_for,
    slots_of,
)
from satedge.problem.constraints import kept
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan, PlanError
from satedge.problem.projector import Changes, project_slots, slot_keys
from satedge.problem.referee import Verdict, judge
from satedge.problem.scenario import PRESETS, preset
from support.plans import random_plan, raw_plan
from support.randomised import examples
from support.worlds import ODD_WORLDS, nobody_asks, printed, scenarios, world

NONSENSE = [np.nan, np.inf, -np.inf, -1.0, 0.5, 1e9, 1e-30]


def spoilt(plan: Plan, rng: np.random.Generator, share: float = 0.1) -> Plan:
    """The plan with nonsense in some places."""

    def some(values: np.ndarray) -> np.ndarray:
        return np.where(
            rng.random(values.shape) < share, rng.choice(NONSENSE, values.shape), values
        )

    foreign = rng.random(plan.server.shape) < share
    server = np.where(foreign, rng.choice([-7, -1, 10_000], plan.server.shape), plan.server)
    return Plan(server, some(plan.power_W), some(plan.uav_xy_m))


def compiled_projection(
    instance: Instance, previous_xy_m: np.ndarray, raw: Plan, keys: np.ndarray
) -> tuple[Plan, Changes]:
    """What `project_slots` returns, by the kernel, in blocks."""
    s, n = instance.scenario, instance.n_slots
    k, m = s.n_devices, s.n_uavs
    before = np.array(previous_xy_m)
    done = Decisions(np.empty((n, k), np.int64), np.empty((n, k)), np.empty((n, m, 2)), before)
    shapes = (n, k), (n, k), (n, m), (n, k)
    changed = projector.Changed(*(np.empty(shape, bool) for shape in shapes))
    numbers = (np.array(x, float) for x in (raw.server, raw.power_W, raw.uav_xy_m))
    given_ = projector.Raw(*numbers, keys.view(np.int64))
    slots, row, scratch = slots_of(instance), np.arange(n), scratch_for(s)
    for first in range(0, n, BLOCK):
        stop = min(first + BLOCK, n)
        projector.project_all(slots, row, given_, scratch, done, changed, first, stop)
    plan = Plan(done.server, done.power_W, done.uav_xy_m)
    return plan, Changes(changed.resampled, changed.clipped, changed.held, changed.unservable)


def assert_same_projection(instance: Instance, raw: Plan, seed: int) -> None:
    """Positions, servers, powers and changes, bit for bit; each slot on its own."""
    rng = np.random.default_rng(seed)
    side = instance.scenario.area_side_m
    previous = rng.uniform(0, side, raw.uav_xy_m.shape)
    keys = slot_keys(seed, np.arange(instance.n_slots))
    expected = project_slots(instance, previous, raw, keys)
    found = compiled_projection(instance, previous, raw, keys)
    for mine, theirs in zip(found, expected, strict=True):
        for name, value in vars(theirs).items():
            np.testing.assert_array_equal(getattr(mine, name), value, err_msg=name)


def assert_same_verdict(found: Verdict, expected: Verdict) -> None:
    """Every figure to 1e-12, relative to what it is made of; every flag."""
    for field in fields(Verdict):
        mine, theirs = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "violations":
            assert mine.keys() == theirs.keys()
            for name, amount in theirs.items():
                np.testing.assert_allclose(mine[name], amount, 1e-12, 1e-12, err_msg=name)
        elif theirs.dtype == bool:
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
        else:
            with np.errstate(invalid="ignore"):
                latency_s = np.nan_to_num(expected.latency_s, posinf=0.0, neginf=0.0)
            small = 1e-12 * np.abs(latency_s).max(initial=1.0)
            np.testing.assert_allclose(mine, theirs, 1e-12, small, err_msg=field.name)
    np.testing.assert_array_equal(found.admissible, expected.admissible)


WORLDS = st.tuples(st.sampled_from(list(PRESETS)), scenarios(), st.integers(0, 10_000))


@examples(60)
@given(WORLDS, st.booleans())
def test_projections_are_equal_bit_for_bit(drawn, nonsense):
    """Whatever is asked for, in every preset, with other sharing, leakage, scope and path loss."""
    name, changes, seed = drawn
    rng = np.random.default_rng(seed)
    instance = world(name, seed, n_slots=3, **changes)
    raw = raw_plan(instance, rng)
    assert_same_projection(instance, spoilt(raw, rng) if nonsense else raw, seed)


@examples(60)
@given(WORLDS, st.sampled_from(["admissible", "raw", "nonsense"]))
def test_verdicts_are_equal(drawn, kind):
    """Of admissible plans, of such as break everything, and of numbers that are none."""
    name, changes, seed = drawn
    rng = np.random.default_rng(seed)
    instance = world(name, seed, n_slots=3, **changes)
    plan = random_plan(instance, rng) if kind == "admissible" else raw_plan(instance, rng)
    plan = spoilt(plan, rng) if kind == "nonsense" else plan
    assert_same_verdict(referee.judge(instance, plan), judge(instance, plan))


@pytest.mark.parametrize("changes", ODD_WORLDS)
def test_odd_worlds_are_no_exception(changes):
    """No UAVs, no satellites, one device, no requests, UAVs that keep apart, and the like."""
    rng = np.random.default_rng(0)
    for seed in range(5):
        instance = printed("paper", seed, n_slots=4, **changes)
        raw = raw_plan(instance, rng)
        assert_same_projection(instance, raw, seed)
        for plan in (raw, random_plan(instance, rng)):
            assert_same_verdict(referee.judge(instance, plan), judge(instance, plan))


def test_slots_without_a_visible_satellite_or_any_request():
    """All satellites are out of sight; nobody asks."""
    rng = np.random.default_rng(1)
    dark = printed("paper", 0, n_slots=3, elevation_min_deg=89.0, cross_track_m=1e6)
    assert (dark.access == -1).all()
    for instance in (dark, nobody_asks(world("paper", 0, n_slots=3))):
        raw = raw_plan(instance, rng)
        assert_same_projection(instance, raw, 3)
        for plan in (raw, random_plan(instance, rng)):
            assert_same_verdict(referee.judge(instance, plan), judge(instance, plan))


def test_outages_and_refusals_are_bounded_alike():
    """Least powers make outages, and some requests are refused: C_out is what they cost."""
    instance = world("paper", 2, n_slots=20)
    plan = random_plan(instance, np.random.default_rng(2), decades=(-6.0, -5.0))
    found, expected = referee.judge(instance, plan), judge(instance, plan)
    assert expected.outage.sum() > 20
    assert expected.refused.sum() > 5
    assert_same_verdict(found, expected)
    bounded = expected.outage | expected.refused
    np.testing.assert_array_equal(found.device_cost[bounded], instance.outage_cost[bounded])


def test_deadlines_of_no_cost_and_ends_of_tolerances():
    """UAVs at the edge of their coverage, and powers at their limits, are judged alike."""
    instance = world("paper", 1, n_slots=50, uav_coverage_m=100.0)
    rng = np.random.default_rng(0)
    plan = random_plan(instance, rng)
    rim = instance.device_xy_m[:, :3] + [100.0 * (1 + 1e-9), 0.0]
    powers = rng.choice([1e-6, 1e-6 * (1 - 1e-9), 1.0, 1 + 1e-9, 1 + 2e-9], plan.power_W.shape)
    edge = Plan(plan.server, powers, rim)
    assert_same_verdict(referee.judge(instance, edge), judge(instance, edge))
    assert_same_projection(instance, edge, 0)


def test_stacks_of_plans():
    """Leading axes, more slots than a block has, and positions from elsewhere."""
    instance = world("paper", 3, n_slots=20)
    rng = np.random.default_rng(4)
    plan = random_plan(instance, rng, stacked=(2, 5))
    found, expected = referee.judge(instance, plan), judge(instance, plan)
    assert found.device_cost.shape == (2, 5, 20, 10)
    assert_same_verdict(found, expected)
    before = rng.uniform(0, 500, plan.uav_xy_m.shape)
    assert_same_verdict(referee.judge(instance, plan, before), judge(instance, plan, before))


def test_a_slot_is_judged_alike_alone_and_among_others():
    """Bit for bit, wherever blocks begin."""
    instance = world("contended", 5, n_slots=BLOCK + 40)
    plan = random_plan(instance, np.random.default_rng(6))
    whole = referee.judge(instance, plan)
    for t in (0, 1, BLOCK - 1, BLOCK, BLOCK + 39):
        at = instance.uav_xy_m if t == 0 else plan.uav_xy_m[t - 1]
        alone = referee.judge(instance.window(t, t + 1, at), plan.slots(t, t + 1))
        for field in fields(Verdict):
            if field.name != "violations":
                mine, theirs = getattr(alone, field.name)[0], getattr(whole, field.name)[t]
                np.testing.assert_array_equal(mine, theirs)


def test_plans_that_do_not_fit_are_refused():
    """In the referee's words."""
    instance = world("tiny")
    plan = random_plan(instance, np.random.default_rng(0))
    with pytest.raises(PlanError, match="power_W has shape"):
        referee.judge(instance, replace(plan, power_W=plan.power_W[:, :2]))


@pytest.mark.parametrize("radius_m", [1.0, 30.0, 250.0, 310.0, 1e5])
def test_squared_radii_are_as_tolerant_as_radii(radius_m):
    """The greatest square of a distance that is kept: the next number is not."""
    squared = greatest_squared_m2(radius_m)
    assert kept(np.sqrt(squared) - radius_m, radius_m)
    assert not kept(np.sqrt(np.nextafter(squared, np.inf)) - radius_m, radius_m)


def test_the_law_is_the_scenarios():
    """Every scope has its number."""
    for number, scope in enumerate(("all", "tier", "server")):
        assert law_of(preset("paper", interference_scope=scope)).scope == number

"""Any raw decision becomes an admissible plan; an admissible plan is left as it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.generation.generate import generate
from satedge.problem.instance import join
from satedge.problem.plan import Plan
from satedge.problem.projector import project, project_slots, reachable, slot_keys
from satedge.problem.referee import available, judge
from satedge.problem.scenario import PRESETS, preset
from support.randomised import examples

NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0, -1.0, 3.0, 1e308])
)


def raw_plan(data, instance):
    s = instance.scenario
    t = instance.n_slots

    def numbers(*shape):
        size = int(np.prod(shape))
        values = data.draw(st.lists(NUMBERS, min_size=size, max_size=size))
        return np.array(values, float).reshape(shape)

    return Plan(numbers(t, s.n_devices), numbers(t, s.n_devices), numbers(t, s.n_uavs, 2))


@examples(80)
@given(
    st.data(),
    st.sampled_from(list(PRESETS)),
    st.sampled_from([0.0, 40.0]),
    st.sampled_from([0, 1, 3]),
    st.integers(0, 500),
)
def test_anything_becomes_admissible_and_stays(data, name, separation, n_uavs, seed):
    """Any numbers give an admissible plan, and projecting that again changes nothing."""
    changes = {"n_devices": 3, "n_uavs": n_uavs, "n_satellites": 2, "n_slots": 2}
    scenario = preset(name, requests="as-printed", uav_separation_m=separation, **changes)
    instance = generate(scenario, seed)
    plan, _ = project(instance, raw_plan(data, instance), seed)
    assert judge(instance, plan).admissible
    again, changes = project(instance, plan, seed + 1)
    for part in ("server", "power_W", "uav_xy_m"):
        assert np.array_equal(getattr(again, part), getattr(plan, part))
    assert not changes.server.any()
    assert not changes.power.any()
    assert not changes.motion.any()


def test_the_record_says_what_was_changed():
    """One bad server, one bad power and one far flight are told, and nothing else."""
    instance = generate(preset("paper", n_slots=1, arrivals="every-slot"), 3)
    stay = instance.uav_xy_m[None]
    server = np.full((1, 10), 6)
    power = np.full((1, 10), 0.5)
    target = stay.copy()
    server[0, 2] = 99
    power[0, 4] = 7.0
    target[0, 1] = (1e9, -1e9)
    plan, changes = project(instance, Plan(server, power, target))
    assert np.flatnonzero(changes.server).tolist() == [2]
    assert np.flatnonzero(changes.power).tolist() == [4]
    assert np.flatnonzero(changes.motion).tolist() == [1]
    assert plan.power_W[0, 4] == instance.scenario.power_max_W
    assert np.hypot(*(plan.uav_xy_m[0, 1] - stay[0, 1])) <= instance.scenario.uav_reach_m * (
        1 + 1e-9
    )


def test_replacements_are_uniform_over_the_available_servers():
    """Redrawn servers follow the uniform law over what is available, never the cheapest."""
    instance = generate(preset("paper", n_slots=1, arrivals="every-slot", accuracy_max=0.31), 1)
    mask = available(instance, instance.uav_xy_m[None])[0, 0]
    counts = np.zeros(7)
    draws = 7000
    for seed in range(draws):
        raw = Plan(np.full((1, 10), -1), np.ones((1, 10)), instance.uav_xy_m[None])
        counts[project(instance, raw, seed)[0].server[0, 0]] += 1
    expected = draws / mask.sum()
    assert (counts[~mask] == 0).all()
    chi2 = ((counts[mask] - expected) ** 2 / expected).sum()
    assert chi2 < 22.5  # 99.9 % point at 6 degrees of freedom


def test_draws_depend_on_seed_slot_and_device_alone():
    """The same slots in another order, or in a batch, are projected to the same plan."""
    instance = generate(preset("paper", n_slots=6), 9)
    raw = Plan(np.full((6, 10), np.nan), np.full((6, 10), np.nan), np.full((6, 3, 2), np.nan))
    whole, _ = project(instance, raw, seed=5)
    order = np.array([3, 1, 4])
    before = np.broadcast_to(instance.uav_xy_m, (3, 3, 2))
    part, _ = project_slots(
        instance.rows(order),
        before,
        Plan(*(a[order] for a in vars(raw).values())),
        slot_keys(5, order),
    )
    assert np.array_equal(part.server, whole.server[order])
    other, _ = project(instance, raw, seed=6)
    assert not np.array_equal(other.server, whole.server)


@examples(30)
@given(st.integers(0, 1000), st.floats(0, 2 * np.pi))
def test_reachable_holds_everything_some_motion_makes_available(seed, angle):
    """No server is available after a motion without being reachable before it."""
    instance = generate(preset("paper", n_slots=1, uav_coverage_m=120.0), seed)
    start = instance.uav_xy_m[None]
    step = 60.0 * np.array([np.cos(angle), np.sin(angle)]) * (1 - 1e-9)
    after = np.clip(start + step, 0, 500)
    assert not (available(instance, after) & ~reachable(instance, start)).any()


def test_joined_instances_are_a_pool_of_slots():
    """Rows of a pool carry the arrays and coefficients of their instance."""
    scenario = preset("tiny", n_slots=5)
    parts = [generate(scenario, seed) for seed in range(3)]
    pool = join(parts)
    row = pool.rows(np.array([7]))
    alone = parts[1].rows(np.array([2]))
    for name in ("input_bit", "uav_altitude_m", "satellite_gain"):
        assert np.array_equal(getattr(row, name), getattr(alone, name))
    for name, value in vars(row.coefficients).items():
        assert np.array_equal(value, getattr(alone.coefficients, name))


def test_a_projected_power_keeps_its_value_inside_the_limits():
    """Clipping touches only what is outside."""
    instance = generate(preset("tiny", n_slots=1, arrivals="every-slot"), 0)
    power = np.array([[1e-9, 0.3, 2.0]])
    raw = Plan(np.full((1, 3), 2), power, instance.uav_xy_m[None])
    plan, _ = project(instance, raw)
    assert plan.power_W[0] == pytest.approx([1e-6, 0.3, 1.0])

"""Any raw decision becomes an admissible plan; an admissible plan is left as it is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.generation.generate import generate
from satedge.problem.instance import join
from satedge.problem.plan import Plan
from satedge.problem.projector import _mix, project, project_slots, reachable, slot_keys
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
    draws = 7000
    slots = np.zeros(draws, np.int64)
    at = np.broadcast_to(instance.uav_xy_m, (draws, 3, 2))
    raw = Plan(np.full((draws, 10), -2), np.ones((draws, 10)), at)
    keys = slot_keys(np.arange(draws, dtype=np.uint64), slots)
    plan, _ = project_slots(instance.rows(slots), at, raw, keys)
    counts = np.bincount(plan.server[:, 0], minlength=7)
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


#: Servers drawn for eight devices and two slots under seeds 0 and 1: results rest on them.
DRAWN = {
    0: [[4, 6, 1, 4, 5, 4, 1, 6], [6, 4, 2, 2, 4, 3, 4, 3]],
    1: [[3, 3, 6, 3, 5, 5, 5, 0], [4, 4, 5, 6, 3, 5, 2, 5]],
}


def test_draws_are_the_same_on_every_machine():
    """SplitMix64 gives its published numbers, and the draws of a seed never change."""
    golden = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + n * golden) % 2**64 for n in range(3)], np.uint64)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert _mix(states).tolist() == published
    changes = {"n_devices": 8, "n_slots": 2, "arrivals": "every-slot", "accuracy_max": 0.31}
    instance = generate(preset("paper", **changes), 0)
    raw = Plan(np.full((2, 8), -2), np.ones((2, 8)), np.tile(instance.uav_xy_m, (2, 1, 1)))
    for seed, servers in DRAWN.items():
        assert project(instance, raw, seed)[0].server.tolist() == servers
    assert project(instance, raw)[0].server.tolist() == DRAWN[0]


def test_neighbouring_seeds_differ_however_large():
    """Seeds are whole numbers of 64 bits, not rounded to the 53 of a float."""
    keys = [slot_keys(seed, np.arange(2)) for seed in (2**63, 2**63 + 1)]
    assert (keys[0] != keys[1]).all()


def test_a_stack_is_projected_as_its_plans():
    """Leading axes change nothing: neither plans, nor draws, nor what is recorded as changed."""
    instance = generate(preset("paper", n_slots=3, uav_separation_m=60.0), 2)
    rng = np.random.default_rng(0)
    raw = Plan(
        rng.integers(-1, 8, (4, 3, 10)),
        rng.uniform(-0.5, 1.5, (4, 3, 10)),
        instance.uav_xy_m + rng.uniform(-80, 80, (4, 3, 3, 2)),
    )
    together, changes = project(instance, raw, seed=3)
    for i in range(4):
        one = Plan(*(value[i] for value in vars(raw).values()))
        alone, its_changes = project(instance, one, seed=3)
        for name, value in vars(alone).items():
            assert np.array_equal(getattr(together, name)[i], value)
        for name, value in vars(its_changes).items():
            assert np.array_equal(getattr(changes, name)[i], value)
        assert its_changes.motion.shape == (3, 3)
        assert its_changes.server.shape == its_changes.power.shape == (3, 10)


def test_uavs_sent_back_send_back_the_next():
    """The first two crowd each other; each sent back is in the way of the next, not of the last."""
    start = np.array(
        [[100.0, 100.0], [140.0, 100.0], [180.0, 100.0], [220.0, 100.0], [400.0, 400.0]]
    )
    instance = generate(preset("paper", n_uavs=5, n_slots=1, uav_separation_m=30.0), 0)
    instance = replace(instance, uav_xy_m=start)
    target = start + np.array([[1.0, 0.0], [-15.0, 0.0], [-20.0, 0.0], [-25.0, 0.0], [9.0, 9.0]])
    raw = Plan(np.full((1, 10), -1), np.ones((1, 10)), target[None])
    plan, changes = project(instance, raw)
    assert judge(instance, plan).admissible
    assert changes.motion.tolist() == [[True, True, True, True, False]]
    assert plan.uav_xy_m[0].tolist() == [*start[:4].tolist(), [409.0, 409.0]]


def test_numbers_of_single_precision_are_the_doubles_they_are():
    """What a network gives is converted before anything is compared or computed."""
    instance = generate(preset("paper", n_slots=1, arrivals="every-slot", power_max_W=0.1), 3)
    rng = np.random.default_rng(0)
    single = Plan(
        np.full((1, 10), 6, np.float32),
        rng.uniform(0, 0.1001, (1, 10)).astype(np.float32),
        rng.uniform(0, 500, (1, 3, 2)).astype(np.float32),
    )
    plan = project(instance, single)[0]
    double = project(instance, Plan(*(v.astype(float) for v in vars(single).values())))[0]
    for name, value in vars(double).items():
        assert getattr(plan, name).dtype == value.dtype
        assert np.array_equal(getattr(plan, name), value)


def test_what_is_no_server_is_drawn_anew():
    """Fractions, other negative numbers than -1, numbers too great and none at all."""
    changes = {"n_devices": 9, "n_uavs": 0, "n_satellites": 1, "accuracy_max": 0.31}
    instance = generate(preset("paper", n_slots=1, arrivals="every-slot", **changes), 0)
    wishes = [0.0, 0.5, 1.0, -2.0, -0.5, np.nan, np.inf, -np.inf, 1e308]
    raw = Plan(np.array([wishes]), np.ones((1, 9)), np.zeros((1, 0, 2)))
    plan, changes = project(instance, raw)
    assert plan.server.tolist() == [[0] * 9]
    assert changes.server.tolist() == [[w != 0 for w in wishes]]


def test_a_refusal_stays():
    """Server -1 is a decision, whole or as a float: it is not drawn anew, and sends nothing."""
    instance = generate(preset("paper", n_slots=1, arrivals="every-slot"), 3)
    wishes = np.where(np.arange(10) == 4, -1.0, 6.0)[None]
    plan, changes = project(instance, Plan(wishes, np.ones((1, 10)), instance.uav_xy_m[None]))
    assert plan.server.tolist() == wishes.tolist()
    assert plan.power_W[0, 4] == 0
    assert not any(changed.any() for changed in vars(changes).values())


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

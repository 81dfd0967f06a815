"""The referee against a second writing of the model, and the meaning of its verdicts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.generation.generate import generate
from satedge.problem.plan import Plan, PlanError, stack
from satedge.problem.projector import project
from satedge.problem.referee import (
    TOLERANCE,
    available,
    judge,
    previous_positions,
    uav_gains,
    uplink_sinr,
)
from satedge.problem.scenario import PRESETS, preset
from support.plain_model import device, elastic_cost, most_cost, slot_cost
from support.plans import random_plan, raw_plan
from support.randomised import examples
from support.worlds import scenarios

SCENARIOS = scenarios(
    isl_topology=st.sampled_from(["chain", "ring", "grid"]),
    accuracy_min=st.just(0.0),
    accuracy_max=st.sampled_from([0.2, 0.378]),
    n_devices=st.integers(1, 6),
    n_slots=st.integers(1, 3),
)


@examples(60)
@given(st.sampled_from(list(PRESETS)), SCENARIOS, st.integers(0, 10_000))
def test_agrees_with_plain_loops(name, changes, seed):
    """Cost, latency and energy equal a second writing of the formulas to 1e-9 relative."""
    instance = generate(preset(name).replace(**changes), seed)
    plan = random_plan(instance, np.random.default_rng(seed))
    verdict = judge(instance, plan)
    assert verdict.admissible
    assert verdict.cost == pytest.approx(sum(verdict.slot_cost) / instance.n_slots)
    for t in range(instance.n_slots):
        servers, powers, xy = plan.server[t].tolist(), plan.power_W[t], plan.uav_xy_m[t]
        expected = slot_cost(instance, t, servers, powers, xy)
        assert verdict.slot_cost[t] == pytest.approx(expected, rel=1e-9)
        for k in np.flatnonzero(plan.server[t] >= 0):
            latency, energy, late_from = device(instance, t, k, servers, powers, xy)
            assert verdict.latency_s[t, k] == pytest.approx(latency, rel=1e-9)
            assert verdict.energy_J[t, k] == pytest.approx(energy, rel=1e-9)
            overrun = max(0.0, latency - late_from)
            assert verdict.overrun_s[t, k] == pytest.approx(overrun, abs=1e-8 * latency)
            beyond = elastic_cost(instance, t, k, servers, powers, xy) - most_cost(instance, t, k)
            assert verdict.outage[t, k] == (beyond > 1e-9 * most_cost(instance, t, k))
    assert np.array_equal(verdict.refused, instance.active & (plan.server < 0))


@pytest.mark.parametrize("exponent", [2.0, 2.5, 3.0])
@pytest.mark.parametrize("n_uavs", [0, 1, 3])
def test_every_server_agrees_with_plain_loops(n_uavs, exponent):
    """However many UAVs there are, however their channels fade: a lone request on each server."""
    changes = {"n_devices": 1, "n_uavs": n_uavs, "accuracy_max": 0.31, "arrivals": "every-slot"}
    changes |= {"uav_coverage_m": 1000.0, "path_loss_exponent": exponent}
    instance = generate(preset("paper", n_slots=1, **changes), 0)
    stay = instance.uav_xy_m[None]
    servers = np.flatnonzero(available(instance, stay)[0, 0])
    assert servers.tolist() == list(range(n_uavs + 4))
    for server in servers:
        verdict = judge(instance, Plan(np.array([[server]]), np.array([[0.1]]), stay))
        latency, energy, _ = device(instance, 0, 0, [server], [0.1], stay[0])
        assert verdict.latency_s[0, 0] == pytest.approx(latency, rel=1e-9)
        assert verdict.energy_J[0, 0] == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("decide", [raw_plan, random_plan])
def test_a_stack_is_judged_as_its_plans(decide):
    """Judging a stack of plans, broken or not, gives exactly what judging each one gives."""
    changes = {"uav_separation_m": 50.0, "compute_sharing": "shared", "accuracy_max": 0.31}
    instance = generate(preset("paper", n_slots=4, **changes), 3)
    stacked = decide(instance, np.random.default_rng(0), stacked=(5,))
    stacked.power_W[2:4, 0, 0] = 7.0
    together = judge(instance, stacked)
    for i in range(5):
        plan = Plan(stacked.server[i], stacked.power_W[i], stacked.uav_xy_m[i])
        alone = judge(instance, plan)
        assert np.array_equal(together.device_cost[i], alone.device_cost)
        for name in ("cost", "slot_admissible", "admissible", "feasible", "missed"):
            assert np.array_equal(getattr(together, name)[i], getattr(alone, name))
        assert set(together.violations) == set(alone.violations)
        for name, amount in together.violations.items():
            assert np.array_equal(amount[i], alone.violations[name])
    if decide is random_plan:
        assert together.admissible.tolist() == [True, True, False, False, True]
    again = stack([Plan(stacked.server[0], stacked.power_W[0], stacked.uav_xy_m[0])])
    assert judge(instance, again).cost.shape == (1,)


#: Who disturbs each of six senders: on UAVs 0, 0 and 1, on satellites 3 and 4, and silent.
DISTURBED_BY = {
    "all": [{1, 2, 3, 4}, {0, 2, 3, 4}, {0, 1, 3, 4}, {0, 1, 2, 4}, {0, 1, 2, 3}, set()],
    "tier": [{1, 2}, {0, 2}, {0, 1}, {4}, {3}, set()],
    "server": [{1}, {0}, set(), {4}, {3}, set()],
}


@pytest.mark.parametrize("scope", DISTURBED_BY)
@pytest.mark.parametrize("leakage", [0.0, 0.3])
def test_who_disturbs_whom(scope, leakage):
    """Signal over the leaked power of those in scope and noise; all satellites share a receiver."""
    changes = {"interference_scope": scope, "interference_leakage": leakage}
    instance = generate(preset("paper", n_slots=1, n_devices=6, **changes), 1)
    server = np.array([0, 0, 1, 3, 4, -1])
    power_W = np.array([0.1, 0.9, 0.4, 1.0, 0.2, 0.6])
    gains = uav_gains(instance, instance.uav_xy_m[None])
    found = uplink_sinr(instance, server[None], power_W[None], gains)[0]
    heard_W = np.c_[gains[0], instance.satellite_gain[0]] * power_W[:, None]
    for k, others in enumerate(DISTURBED_BY[scope]):
        at = min(server[k], 3)
        leaked_W = leakage * sum(heard_W[j, at] for j in others)
        sinr = heard_W[k, at] / (leaked_W + instance.scenario.noise_W) if server[k] >= 0 else 0.0
        assert found[k] == pytest.approx(sinr, rel=1e-12)


def test_every_constraint_has_an_amount_in_every_slot():
    """Names do not depend on the plan, and amounts are told slot by slot."""
    instance = generate(preset("tiny", n_slots=2, arrivals="every-slot"), 1)
    plan = random_plan(instance, np.random.default_rng(0))
    names = ["assignment", "accuracy", "coverage", "visibility", "power_min", "power_max"]
    names += ["motion", "area"]
    assert list(judge(instance, plan).violations) == names
    plan.server[1], plan.power_W[1] = -2, 0.0
    assert judge(instance, plan).violations["assignment"].tolist() == [0.0, 3.0]
    apart = generate(preset("tiny", n_slots=2, uav_separation_m=1e-3), 1)
    assert list(judge(apart, plan).violations) == [*names, "separation"]


def test_a_request_that_nobody_hears_is_an_outage():
    """A channel that faded to nothing gives no rate: late for ever, at the cost of a refusal."""
    changes = {"arrivals": "every-slot", "accuracy_min": 0.0, "accuracy_max": 0.2}
    instance = generate(preset("tiny", n_slots=1, uav_coverage_m=1e3, **changes), 1)
    instance = replace(instance, uav_fading=np.zeros_like(instance.uav_fading))
    plan = random_plan(instance, np.random.default_rng(0))
    plan.server[0], plan.power_W[0] = 0, 0.5
    verdict = judge(instance, plan)
    assert verdict.admissible
    assert verdict.missed.all()
    assert not verdict.feasible
    assert verdict.overrun_s[0, 0] == verdict.latency_s[0, 0] == np.inf
    assert verdict.outage.all()
    assert np.array_equal(verdict.device_cost, instance.outage_cost)


def crowd(n_late: int):
    """A slot of three requests on the satellite, `n_late` of them too quiet to be in time."""
    changes = {"arrivals": "every-slot", "interference_leakage": 1.0, "accuracy_max": 0.31}
    instance = generate(preset("tiny", n_slots=1, **changes), 1)
    power_W = np.where(np.arange(3) < n_late, 1e-6, 1.0)[None]
    return instance, Plan(
        np.full((1, 3), 1 + int(instance.access[0])), power_W, instance.uav_xy_m[None]
    )


def test_an_outage_still_interferes_and_spends_what_it_spends():
    """It costs C_out; its latency and energy are told, and others hear it."""
    instance, plan = crowd(1)
    verdict = judge(instance, plan)
    assert verdict.admissible
    assert verdict.outage[0, 0]
    assert not verdict.refused.any()
    assert verdict.device_cost[0, 0] == instance.outage_cost[0, 0]
    assert verdict.missed[0, 0]
    assert verdict.overrun_s[0, 0] > 10 * instance.deadline_s[0, 0]
    assert verdict.energy_J[0, 0] > 0
    refusing = Plan(
        plan.server * [1, 1, 1] - [[1 + plan.server[0, 0], 0, 0]],
        plan.power_W * [0, 1, 1],
        plan.uav_xy_m,
    )
    without = judge(instance, refusing)
    assert without.admissible
    assert without.refused.tolist() == [[True, False, False]]
    assert without.device_cost[0, 0] == verdict.device_cost[0, 0]
    assert (without.upload_s[0, 1:] < verdict.upload_s[0, 1:]).all()


@examples(40)
@given(st.sampled_from(list(PRESETS)), SCENARIOS, st.integers(0, 10_000))
def test_refusing_an_outage_makes_nobody_dearer(name, changes, seed):
    """Interference and load only fall: refusals instead of outages raise no device's cost."""
    instance = generate(preset(name).replace(**changes), seed)
    plan = random_plan(instance, np.random.default_rng(seed))
    verdict = judge(instance, plan)
    sends = (plan.server >= 0) & ~verdict.outage
    refusing = Plan(
        np.where(sends, plan.server, -1), np.where(sends, plan.power_W, 0.0), plan.uav_xy_m
    )
    refused = judge(instance, refusing)
    assert refused.admissible
    assert not refused.outage.any()
    assert (refused.device_cost <= verdict.device_cost * (1 + 1e-12)).all()


def test_slots_out_of_order_are_judged_from_given_positions():
    """Rows of an instance in any order cost what they cost in their places."""
    instance = generate(preset("paper", n_slots=6), 5)
    plan = random_plan(instance, np.random.default_rng(1))
    order = np.array([4, 0, 5, 2])
    before = previous_positions(instance, plan.uav_xy_m)[order]
    part = Plan(plan.server[order], plan.power_W[order], plan.uav_xy_m[order])
    verdict = judge(instance.rows(order), part, previous_xy_m=before)
    assert np.array_equal(verdict.slot_cost, judge(instance, plan).slot_cost[order])
    assert verdict.admissible


def broken(change, **scenario):
    """Violations of a good plan after `change(instance, server, power, xy)`, in slot 1."""
    instance = generate(preset("paper", n_slots=3, arrivals="every-slot", **scenario), 11)
    plan = random_plan(instance, np.random.default_rng(2))
    server, power, xy = plan.server.copy(), plan.power_W.copy(), plan.uav_xy_m.copy()
    xy[1:] = xy[0]
    plan = project(instance, Plan(server, power, xy))[0]
    server, power, xy = plan.server.copy(), plan.power_W.copy(), plan.uav_xy_m.copy()
    change(instance, server, power, xy)
    verdict = judge(instance, Plan(server, power, xy))
    assert not verdict.admissible
    assert not verdict.feasible
    return {name: amount for name, amount in verdict.violations.items() if (amount > 0).any()}


def test_a_plan_over_its_power_budget_is_inadmissible_however_cheap():
    """A watt too many is told as power_max, by its amount."""

    def change(instance, server, power, xy):
        power[1, 0] = instance.scenario.power_max_W + 0.25

    found = broken(change)
    assert list(found) == ["power_max"]
    assert found["power_max"] == pytest.approx([0.0, 0.25, 0.0])


def test_a_silent_sender_is_inadmissible():
    """A sender below the least power is told as power_min, and its cost is not finite."""

    def change(instance, server, power, xy):
        power[1, 0] = 0.0

    assert list(broken(change)) == ["power_min"]


def test_refusing_a_request_that_has_a_server_is_admissible_and_not_feasible():
    """Server -1 is open to every request, at C_out, and P1 with hard deadlines is not kept."""
    instance = generate(preset("paper", n_slots=3, arrivals="every-slot"), 11)
    plan = random_plan(instance, np.random.default_rng(2))
    assert available(instance, plan.uav_xy_m)[1, 0].any()
    plan.server[1, 0], plan.power_W[1, 0] = -1, 0.0
    verdict = judge(instance, plan)
    assert verdict.admissible
    assert not verdict.feasible
    assert verdict.refused[1, 0]
    assert np.array_equal(verdict.refused, plan.server < 0)
    assert verdict.device_cost[1, 0] == instance.outage_cost[1, 0]


def test_a_server_below_the_accuracy_floor_is_inadmissible():
    """The amount is the missing accuracy."""

    def change(instance, server, power, xy):
        k = int(instance.accuracy_floor[1].argmax())
        worst = instance.scenario.n_uavs
        server[1, k] = worst
        expected.append(instance.accuracy_floor[1, k] - instance.server_accuracy[worst])

    expected: list[float] = []
    found = broken(change, accuracy_min=0.69, accuracy_max=0.7)
    assert list(found) == ["accuracy"]
    assert found["accuracy"][1] == pytest.approx(expected[0])


def test_a_uav_out_of_reach_or_area_is_told_in_metres():
    """Motion beyond V_max * slot and positions outside the square are violations."""

    def change(instance, server, power, xy):
        server[:], power[:] = instance.scenario.n_uavs + 3, 1.0
        xy[1, 0] = (-7.0, 250.0)

    found = broken(change)
    assert set(found) == {"area", "motion"}
    assert found["area"][1] == pytest.approx(7.0)


def test_a_device_out_of_coverage_is_told_in_metres():
    """Distance beyond the coverage radius is the amount."""

    def change(instance, server, power, xy):
        distance = np.hypot(*(instance.device_xy_m[1, 0] - xy[1, 0]))
        server[1, 0] = 0
        expected.append(distance - instance.scenario.uav_coverage_m)

    expected: list[float] = []
    found = broken(change, uav_coverage_m=1.0, accuracy_min=0.3, accuracy_max=0.4)
    assert list(found) == ["coverage"]
    assert found["coverage"][1] == pytest.approx(expected[0])


def test_an_invisible_satellite_is_inadmissible():
    """Without any satellite in view, using one breaks visibility."""
    scenario = preset("tiny", cross_track_m=2.9e6, requests="as-printed", accuracy_max=0.5)
    instance = generate(scenario.replace(n_slots=1), 0)
    assert (instance.access == -1).all()
    server = np.where(instance.active, 1, -1)
    power = np.where(instance.active, 1.0, 0.0)
    verdict = judge(instance, Plan(server, power, instance.uav_xy_m[None]))
    assert verdict.violations["visibility"].sum() > 0
    assert not verdict.admissible


def test_uavs_too_near_each_other_are_told_when_separation_is_on():
    """The amount is the missing distance."""

    def change(instance, server, power, xy):
        server[:], power[:] = instance.scenario.n_uavs + 3, 1.0
        xy[1, 1] = xy[1, 0] + np.array([3.0, 4.0])

    found = broken(change, uav_separation_m=30.0, uav_speed_max_mps=300.0)
    assert found["separation"][1] == pytest.approx(25.0)


def test_an_idle_device_costs_nothing_and_must_not_send():
    """Idle: server -1, no power, no cost."""
    instance = generate(preset("tiny", n_slots=40, arrival_rate_min=0, arrival_rate_max=0.1), 1)
    assert not instance.active.all()
    plan = random_plan(instance, np.random.default_rng(0))
    verdict = judge(instance, plan)
    assert (verdict.device_cost[~instance.active] == 0).all()
    server = plan.server.copy()
    server[~instance.active] = 1
    bad = judge(instance, Plan(server, plan.power_W, plan.uav_xy_m))
    assert bad.violations["assignment"].sum() == (~instance.active).sum()
    assert np.array_equal(bad.device_cost[instance.active], verdict.device_cost[instance.active])


def test_an_unservable_request_costs_the_fixed_penalty_and_is_not_feasible():
    """A request out of everyone's reach is refused, at deadline_penalty * eta_l * T_max."""
    scenario = preset("tiny", requests="as-printed", accuracy_min=0.9, accuracy_max=0.95, n_slots=1)
    instance = generate(scenario, 0)
    plan = random_plan(instance, np.random.default_rng(0))
    verdict = judge(instance, plan)
    assert verdict.admissible
    assert verdict.refused.all()
    assert not verdict.feasible
    assert verdict.device_cost == pytest.approx(scenario.penalty_per_s * instance.deadline_s)


def test_numbers_that_are_none_are_violations_not_crashes():
    """NaN and infinite decisions are inadmissible, by infinite amounts; costs stay bounded."""
    instance = generate(preset("paper", n_slots=1), 2)
    plan = random_plan(instance, np.random.default_rng(0))
    for bad in (np.nan, np.inf, -np.inf):
        power = plan.power_W.copy()
        power[0, 0] = bad
        verdict = judge(instance, Plan(plan.server, power, plan.uav_xy_m))
        assert not verdict.admissible
        worst = max(float(amount[0]) for amount in verdict.violations.values())
        assert worst == np.inf
        xy = np.full_like(plan.uav_xy_m, bad)
        verdict = judge(instance, Plan(plan.server, plan.power_W, xy))
        assert not verdict.admissible
        assert verdict.violations["motion"] == verdict.violations["area"] == np.inf
        assert (verdict.device_cost <= instance.outage_cost).all()


def test_a_plan_of_the_wrong_shape_is_refused_with_what_is_allowed():
    """Shapes and kinds are told."""
    instance = generate(preset("tiny", n_slots=2), 0)
    good = random_plan(instance, np.random.default_rng(0))
    with pytest.raises(PlanError, match=r"power_W has shape \(1, 3\): allowed is \(2, 3\)"):
        judge(instance, Plan(good.server, good.power_W[:1], good.uav_xy_m))
    with pytest.raises(PlanError, match="whole numbers"):
        judge(instance, Plan(good.server.astype(float), good.power_W, good.uav_xy_m))


@examples(30)
@given(st.integers(0, 1000), st.floats(1.01, 3.0))
def test_more_interference_never_helps(seed, factor):
    """Raising one device's power raises nobody else's rate."""
    instance = generate(preset("paper", n_slots=1, arrivals="every-slot"), seed)
    plan = random_plan(instance, np.random.default_rng(seed))
    louder = plan.power_W.copy()
    louder[0, 0] *= factor
    before = judge(instance, plan)
    after = judge(instance, Plan(plan.server, louder, plan.uav_xy_m))
    rest = slice(1, None)
    assert (after.upload_s[0, rest] >= before.upload_s[0, rest] * (1 - 1e-12)).all()
    assert after.upload_s[0, 0] <= before.upload_s[0, 0]


def test_overruns_are_counted_beyond_rounding_only():
    """A latency equal to its deadline up to rounding is in time."""
    instance = generate(preset("tiny", n_slots=1, arrivals="every-slot"), 4)
    plan = random_plan(instance, np.random.default_rng(0))
    latency = judge(instance, plan).latency_s
    for change, late in ((1 + 0.1 * TOLERANCE, False), (1 + 1e-6, True)):
        deadlines = latency / change
        beyond = np.repeat(deadlines[..., None], 3, axis=-1)
        same = replace(instance, tabulated=replace(instance.coefficients, overrun_from_s=beyond))
        assert judge(same, plan).missed.all() == late

"""Simple methods: admissible everywhere, causal, repeatable, and what each of them promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.heuristics.local_search import disturbance_W, local_search, neighbours
from minlp.heuristics.simple import (
    INVERSION_MIN_W,
    _longest_first,
    constant,
    constant_decision,
    greedy,
    greedy_decision,
    inversion,
    inversion_decision,
    nearest,
    random,
    random_decision,
    spread,
    spread_decision,
    towards_requests,
)
from satedge.problem.referee import available, judge, uav_gains, uplink_sinr
from satedge.problem.scenario import PRESETS
from support.randomised import examples, seeds
from support.worlds import ODD_WORLDS, printed

METHODS = (random, nearest, constant, inversion, spread, greedy, local_search)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("changes", ODD_WORLDS)
def test_every_plan_is_admissible_and_repeatable(method, changes):
    """Whatever the fleet, scope or compute mode; nothing is left to the projector's draws."""
    instance = printed("paper", 7, n_slots=3, **changes)
    first = method(instance, budget_s=np.inf, seed=3)
    again = method(instance, budget_s=np.inf, seed=3)
    assert judge(instance, first.plan).admissible
    assert not first.info["resampled"]
    assert np.array_equal(first.plan.server, again.plan.server)
    assert np.array_equal(first.plan.power_W, again.plan.power_W)


@pytest.mark.parametrize("method", METHODS)
def test_decisions_do_not_depend_on_the_future(method):
    """Causal: the first slots of an episode are decided as if no others followed."""
    instance = printed("paper", 2, n_slots=4)
    whole = method(instance, budget_s=np.inf, seed=1).plan
    start = method(instance.window(0, 2), budget_s=np.inf, seed=1).plan
    assert np.array_equal(whole.server[:2], start.server)
    assert np.array_equal(whole.uav_xy_m[:2], start.uav_xy_m)


def test_random_draws_servers_and_powers_uniformly():
    """With UAVs held in place every available server is drawn equally often, to sampling error."""
    slot = printed("paper", 4, uav_speed_max_mps=0.0)
    rng = np.random.default_rng(0)
    plans = [random_decision(slot, rng) for _ in range(4000)]
    servers = np.stack([p.server[0] for p in plans])
    mask = available(slot, slot.uav_xy_m[None])[0]
    for k in range(slot.scenario.n_devices):
        share = np.bincount(servers[:, k], minlength=mask.shape[1]) / len(plans)
        assert share == pytest.approx(mask[k] / mask[k].sum(), abs=0.035)
    power_W = np.stack([p.power_W[0] for p in plans])
    assert np.quantile(power_W, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.02)


def test_random_uses_the_whole_reach_disc():
    """Uniform in area: half of all flights go beyond 1/sqrt(2) of the reach."""
    slot = printed("paper", 4, area_side_m=1e5)
    rng = np.random.default_rng(0)
    steps = np.concatenate([random_decision(slot, rng).uav_xy_m[0] for _ in range(2000)])
    far = np.hypot(*(steps - np.tile(slot.uav_xy_m, (2000, 1))).T)
    assert far.max() <= slot.scenario.uav_reach_m
    assert np.median(far) == pytest.approx(slot.scenario.uav_reach_m / np.sqrt(2), rel=0.02)


def test_nearest_takes_the_nearest_available_uav():
    """No available UAV is nearer than the one taken, and a satellite only stands in for none."""
    instance = printed("paper", 11, n_slots=5)
    plan = nearest(instance, budget_s=np.inf, seed=0).plan
    s = instance.scenario
    mask = available(instance, plan.uav_xy_m)[..., : s.n_uavs]
    away = instance.device_xy_m[:, :, None] - plan.uav_xy_m[:, None]
    distance = np.where(mask, np.hypot(away[..., 0], away[..., 1]), np.inf)
    for t, k in zip(*np.nonzero(plan.server >= 0), strict=True):
        if plan.server[t, k] < s.n_uavs:
            assert distance[t, k, plan.server[t, k]] == distance[t, k].min()
        else:
            assert not mask[t, k].any()
    assert np.array_equal(plan.uav_xy_m, np.tile(instance.uav_xy_m, (5, 1, 1)))


@pytest.mark.parametrize("changes", ODD_WORLDS)
def test_constant_takes_the_first_satellite_at_full_power(changes):
    """No available satellite has a lower number; a UAV only stands in for none; UAVs stay."""
    instance = printed("paper", 11, n_slots=5, **changes)
    plan, s = constant(instance, budget_s=np.inf, seed=0).plan, instance.scenario
    mask = available(instance, plan.uav_xy_m)
    for t, k in zip(*np.nonzero(instance.active), strict=True):
        by_satellite = s.n_uavs + np.flatnonzero(mask[t, k, s.n_uavs :])
        by_uav = np.flatnonzero(mask[t, k, : s.n_uavs])
        first = [*by_satellite, *by_uav, -1][0]
        assert plan.server[t, k] == first
        assert plan.power_W[t, k] == (s.power_max_W if first >= 0 else 0)
    assert np.array_equal(plan.uav_xy_m, np.tile(instance.uav_xy_m, (5, 1, 1)))


def test_inversion_receives_the_noise_within_its_limits():
    """Between the limits of its power every signal arrives as strong as the noise."""
    powers, received = [], []
    for seed in range(30):
        slot = printed("paper", seed, antenna_gain_dB=35.0)
        s, plan = slot.scenario, inversion_decision(slot)
        assert np.array_equal(plan.server, constant_decision(slot).server)
        gains = np.append(
            uav_gains(slot, plan.uav_xy_m)[0], slot.satellite_gain[0, :, None], axis=1
        )
        for k in np.flatnonzero(plan.server[0] >= 0):
            powers.append(plan.power_W[0, k])
            received.append(gains[k, min(plan.server[0, k], s.n_uavs)] * powers[-1] / s.noise_W)
    power_W, snr = np.array(powers), np.array(received)
    between = (power_W > INVERSION_MIN_W) & (power_W < 1.0)
    assert power_W.min() >= INVERSION_MIN_W
    assert power_W.max() <= 1.0
    assert between.sum() > 10
    assert snr[between] == pytest.approx(1.0, rel=1e-12)
    assert (snr[power_W == INVERSION_MIN_W] >= 1).all()
    assert (snr[power_W == 1.0] <= 1).all()


@examples(40)
@given(st.sampled_from(list(PRESETS)), st.integers(0, 10_000))
def test_spread_takes_the_server_with_the_fewest_requests(name, seed):
    """The last request of each server found no available one with fewer; UAVs stay, and only what
    has no available server is refused."""
    slot = printed(name, seed)
    plan, mask = spread_decision(slot), available(slot, slot.uav_xy_m[None])[0]
    assert np.array_equal(plan.uav_xy_m[0], slot.uav_xy_m)
    assert np.array_equal(plan.server[0] >= 0, mask.any(axis=-1))
    server = plan.server[0]
    load = np.bincount(server[server >= 0], minlength=slot.scenario.n_servers)
    last = {i: k for k in _longest_first(slot) for i in [server[k]] if i >= 0}
    for i, k in last.items():
        assert load[i] - 1 <= load[mask[k]].min()


@examples(40)
@given(st.sampled_from(list(PRESETS)), st.integers(0, 10_000))
def test_greedy_flies_towards_its_requests_and_loses_none(name, seed):
    """After the flight all of a UAV's requests are covered and their centroid is no farther."""
    slot = printed(name, seed)
    server = greedy_decision(slot).server
    reached = towards_requests(slot, server)[0]
    for m in range(slot.scenario.n_uavs):
        own = slot.device_xy_m[0, server[0] == m]
        if len(own):
            before, after = own.mean(axis=0) - slot.uav_xy_m[m], own.mean(axis=0) - reached[m]
            assert np.hypot(*after) <= np.hypot(*before) + 1e-9
            away = np.hypot(*(own - reached[m]).T)
            assert (away <= slot.scenario.uav_coverage_m * (1 + 1e-9)).all()


@examples(40)
@given(st.sampled_from(["all", "tier", "server"]), st.integers(0, 10_000))
def test_disturbance_is_what_the_sinr_divides_by(scope, seed):
    """At everybody's own receiver it gives back the referee's SINR."""
    slot = printed("as-printed", seed, interference_scope=scope)
    plan = random_decision(slot, np.random.default_rng(seed))
    gains = uav_gains(slot, plan.uav_xy_m)
    disturbance = disturbance_W(slot, plan, gains)[0]
    sinr = uplink_sinr(slot, plan.server, plan.power_W, gains)[0]
    for k in np.flatnonzero(plan.server[0] >= 0):
        r = min(plan.server[0, k], slot.scenario.n_uavs)
        lane = np.append(gains[0, k], slot.satellite_gain[0, k])
        expected = lane[r] * plan.power_W[0, k] / (disturbance[k, r] + slot.scenario.noise_W)
        assert sinr[k] == pytest.approx(expected, rel=1e-9)


def test_neighbours_are_all_moves_all_swaps_and_sixteen_flights_a_uav():
    """Each changes what it should and nothing else."""
    slot = printed("paper", 5)
    plan = greedy_decision(slot)
    near = neighbours(slot, plan)
    mask = available(slot, plan.uav_xy_m)[0]
    sends = plan.server[0] >= 0
    moves = int(mask.sum() - sends.sum())
    pairs = sum(
        plan.server[0, j] != plan.server[0, k]
        for j in np.flatnonzero(sends)
        for k in np.flatnonzero(sends)
        if j < k
    )
    assert len(near.server) == moves + pairs + 16 * slot.scenario.n_uavs
    changed = (near.server != plan.server).sum(axis=(1, 2))
    assert (changed[:moves] == 1).all()
    assert (changed[moves : moves + pairs] == 2).all()
    assert (changed[moves + pairs :] == 0).all()
    steps = np.hypot(*(near.uav_xy_m - slot.uav_xy_m).transpose(3, 0, 1, 2))
    assert steps.max() <= slot.scenario.uav_reach_m * (1 + 1e-9)


@pytest.mark.randomised
def test_local_search_never_loses_to_greedy_and_streams_falling_costs():
    """It starts from greedy's decision; on one slot every incumbent reported is cheaper."""
    for seed in seeds(6):
        slot = printed("paper", seed)
        plans = []
        found = local_search(slot, budget_s=np.inf, seed=0, report=plans.append)
        costs = [judge(slot, progress.plan).cost for progress in plans]
        start = judge(slot, greedy(slot, budget_s=np.inf, seed=0).plan).cost
        assert costs[0] == pytest.approx(start)
        assert (np.diff(costs) <= 1e-12).all()
        assert judge(slot, found.plan).cost == pytest.approx(min(costs))


def test_no_time_still_gives_a_plan():
    """A budget of nothing: the plan is greedy's, and the status says so."""
    instance = printed("paper", 1, n_slots=3)
    found = local_search(instance, budget_s=0.0, seed=0)
    assert found.status == "stopped"
    assert judge(instance, found.plan).admissible

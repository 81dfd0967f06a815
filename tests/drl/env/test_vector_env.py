"""The batch of environments: its reward is the referee's, its rows are independent."""

import dataclasses
from math import log, log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drl.env.pool import FIRST_TRAINING_SEED, Pool, training_episodes
from drl.env.spaces import (
    LIMIT,
    best_available,
    decode,
    from_disc,
    from_power_W,
    headings,
    to_disc,
    to_power_W,
)
from drl.env.vector_env import OffloadingBatch
from satedge.problem.generation.generate import generate
from satedge.problem.instance import InstanceError
from satedge.problem.plan import Plan, concatenate
from satedge.problem.projector import project_slots, reachable, slot_keys
from satedge.problem.referee import available, judge
from satedge.problem.rollout import rollout
from satedge.problem.scenario import PRESETS, preset
from support.plain_model import slot_cost
from support.randomised import examples
from support.worlds import scenarios

#: Without UAVs, without satellites, and as it comes; fleets of satellites reach all accuracies.
FLEETS = st.sampled_from([{}, {"n_uavs": 0}, {"n_satellites": 0, "requests": "as-printed"}])


def episodes(name="tiny", n=3, **changes):
    return training_episodes(preset(name, **{"n_slots": 4, **changes}), n)


def random_actions(batch, rng):
    """Any servers, and continuous parts all over the box."""
    server = rng.integers(0, batch.n_servers, (batch.n_envs, batch.n_devices))
    continuous = rng.uniform(-1, 1, (batch.n_envs, batch.n_continuous)).astype(np.float32)
    return server, continuous


def play(batch, n_steps, rng):
    return [batch.step(*random_actions(batch, rng)) for _ in range(n_steps)]


@examples(25)
@given(st.sampled_from(list(PRESETS)), FLEETS, st.integers(0, 10_000))
def test_reward_is_the_referees(name, fleet, seed):
    """r = K beta_r / sum of C, where the cost is the referee's word on the whole episode's plan."""
    if name == "published":
        fleet = {}
    pool = episodes(name, 2, **fleet)
    scenario = pool[0].scenario
    batch = OffloadingBatch(pool, 2, seed)
    batch.reset([0, 1])
    steps = play(batch, 4, np.random.default_rng(seed))
    for i, instance in enumerate(pool):
        plan = concatenate([Plan(*(x[i : i + 1] for x in vars(s.plan).values())) for s in steps])
        verdict = judge(instance, plan)
        assert verdict.admissible
        for t, step in enumerate(steps):
            total = verdict.device_cost[t].sum()
            expected = scenario.n_devices * scenario.reward_scale / total if total else 0.0
            assert step.reward[i] == pytest.approx(expected, rel=1e-12)
            assert step.info["cost"][i] == pytest.approx(verdict.slot_cost[t], rel=1e-12)
            assert step.info["latency_s"][i] == pytest.approx(
                verdict.latency_s[t].mean(), rel=1e-12
            )
            assert step.info["energy_J"][i] == pytest.approx(verdict.energy_J[t].sum(), rel=1e-12)
            assert step.info["misses"][i] == verdict.missed[t].sum()
            assert step.info["refused"][i] == verdict.refused[t].sum()
            assert step.info["outages"][i] == verdict.outage[t].sum()
            expected = slot_cost(instance, t, plan.server[t], plan.power_W[t], plan.uav_xy_m[t])
            assert step.info["cost"][i] == pytest.approx(expected, rel=1e-9)


@examples(30)
@given(st.sampled_from(list(PRESETS)), scenarios(), st.integers(0, 10_000))
def test_the_kernel_is_the_written_path(name, changes, seed):
    """Plans bit for bit as by `project_slots`, figures to 1e-12 as by `judge`, observations as
    the encoder writes them, in every preset, with other sharing, leakage, scope and path loss."""
    batch = OffloadingBatch(episodes(name, 3, **changes), 3, seed)
    obs, mask, _ = batch.reset()
    rng = np.random.default_rng(seed)
    for t in range(3):
        slots, before = batch.slots, batch.uav_xy_m
        seen = batch.encoder.exogenous(slots)
        np.testing.assert_array_equal(mask, batch.encoder.complete(seen, slots, batch.slot, before))
        np.testing.assert_allclose(obs, seen, rtol=0, atol=3e-7)
        server, continuous = random_actions(batch, rng)
        raw = decode(batch.scenario, server, continuous, before)
        keys = slot_keys(np.arange(seed, seed + 3).astype(np.uint64), np.full(3, t))
        plan, changed = project_slots(slots, before, raw, keys)
        verdict = judge(slots, plan, previous_xy_m=before)
        step = batch.step(server, continuous)
        for field, value in vars(plan).items():
            np.testing.assert_array_equal(getattr(step.plan, field), value)
        close(step.verdict.device_cost, verdict.device_cost)
        close(step.info["cost"], verdict.slot_cost)
        close(step.info["latency_s"], verdict.latency_s.mean(axis=-1))
        close(step.info["energy_J"], verdict.energy_J.sum(axis=-1))
        for figure, flags in (
            ("misses", verdict.missed), ("refused", verdict.refused), ("outages", verdict.outage),
            ("resampled", changed.server), ("clipped", changed.power), ("held", changed.motion),
        ):  # fmt: skip
            np.testing.assert_array_equal(step.info[figure], flags.sum(axis=-1))
        np.testing.assert_array_equal(step.resampled, changed.server)
        obs, mask = step.obs, step.mask


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_batch_may_be_split_anywhere():
    """300 environments, in blocks of any size: the same bits, whatever neighbours there are."""
    pool = Pool(episodes("contended", 5))
    whole = OffloadingBatch(pool, 300, 7)
    whole.reset()
    rng = np.random.default_rng(0)
    actions = [random_actions(whole, rng) for _ in range(5)]
    steps = [whole.step(*a) for a in actions]
    for first, stop in ((0, 1), (1, 130), (130, 300)):
        part = OffloadingBatch(pool, stop - first, 7 + first)
        part.reset()
        for (server, continuous), theirs in zip(actions, steps, strict=True):
            mine = part.step(server[first:stop], continuous[first:stop])
            for field in ("obs", "mask", "reward", "final_obs"):
                found = getattr(mine, field)
                np.testing.assert_array_equal(found, getattr(theirs, field)[first:stop])
            costs = theirs.verdict.device_cost[first:stop]
            np.testing.assert_array_equal(mine.verdict.device_cost, costs)


@pytest.mark.parametrize("refusal", [False, True])
def test_only_environments_that_allow_it_refuse(refusal):
    """The option after the servers refuses where it is open, and -1 nowhere: it is resampled."""
    batch = OffloadingBatch(episodes("paper", 1, arrivals="every-slot"), 3, refusal=refusal)
    _, mask, _ = batch.reset()
    s = batch.n_servers
    assert batch.n_options == mask.shape[-1] == s + refusal
    assert mask[..., s:].all()
    options = np.full((3, batch.n_devices), s - 1)
    options[1], options[2] = s, -1
    step = batch.step(options, np.ones((3, batch.n_continuous)))
    assert step.info["refused"].tolist() == [0, batch.n_devices if refusal else 0, 0]
    assert (step.info["resampled"][1] == 0) == refusal
    assert step.info["resampled"][2] == batch.n_devices
    if refusal:
        refused = batch.pool.slots.rows(slice(0, 1)).outage_cost
        assert step.info["cost"][1] == pytest.approx(refused.mean(), rel=1e-12)
        assert step.mask[..., s].all()


def test_played_as_plans_minus_one_refuses():
    """What stands for a refusal in plans does so for policies; masks have no column for it."""
    batch = OffloadingBatch(episodes("paper", 1, arrivals="every-slot"), 1, as_plans=True)
    _, mask, _ = batch.reset()
    assert mask.shape[-1] == batch.n_options == batch.n_servers
    step = batch.step(np.full((1, batch.n_devices), -1), np.ones((1, batch.n_continuous)))
    assert (step.info["refused"][0], step.info["resampled"][0]) == (batch.n_devices, 0)


def test_an_outage_costs_what_a_refusal_costs():
    """Requests sent at the least power come too late; the reward counts them at their bound."""
    batch = OffloadingBatch(episodes("paper", 1, arrivals="every-slot"), 1)
    batch.reset()
    server = np.full((1, batch.n_devices), batch.n_servers - 1)
    step = batch.step(server, np.full((1, batch.n_continuous), -1.0))
    late = step.verdict.outage[0]
    assert step.info["outages"] == late.sum() > 0
    most = batch.pool.slots.outage_cost[0]
    assert np.array_equal(step.verdict.device_cost[0][late], most[late])
    assert step.info["cost"] <= most.mean()


@pytest.mark.parametrize("name", ["tiny", "paper", "as-printed"])
def test_equals_a_rollout(name):
    """The first episode under a seed is the rollout of the same decisions under that seed."""
    instance = generate(preset(name, n_slots=6), 5)
    batch = OffloadingBatch([instance], 1, 9)
    batch.reset()
    steps = play(batch, 6, np.random.default_rng(0))
    rng = np.random.default_rng(0)

    def act(slot, t):
        server, continuous = random_actions(batch, rng)
        power = to_power_W(slot.scenario, continuous[:, : batch.n_devices])
        move = to_disc(continuous[:, batch.n_devices :].astype(float).reshape(1, -1, 2))
        return Plan(server, power, slot.uav_xy_m + slot.scenario.uav_reach_m * move)

    outcome = rollout(instance, act, seed=9)
    for t, step in enumerate(steps):
        for mine, theirs in zip(vars(step.plan).values(), vars(outcome.plan).values(), strict=True):
            np.testing.assert_array_equal(mine[0], theirs[t])
    assert sum(int(s.info["resampled"][0]) for s in steps) == len(outcome.info["resampled"])


@pytest.mark.parametrize("name", list(PRESETS))
def test_rows_do_not_depend_on_their_neighbours(name):
    """Environment i of a batch under seed s is, bit for bit, a batch of one under seed s + i."""
    pool = Pool(episodes(name, 3))
    many = OffloadingBatch(pool, 5, 40)
    first = many.reset()
    rng = np.random.default_rng(1)
    actions = [random_actions(many, rng) for _ in range(10)]
    steps = [many.step(*a) for a in actions]
    for i in range(5):
        alone = OffloadingBatch(pool, 1, 40 + i)
        for mine, theirs in zip(alone.reset(), first, strict=True):
            np.testing.assert_array_equal(mine[0], theirs[i])
        for (server, continuous), theirs in zip(actions, steps, strict=True):
            mine = alone.step(server[i : i + 1], continuous[i : i + 1])
            for field in ("obs", "mask", "active", "reward", "truncated", "final_obs"):
                np.testing.assert_array_equal(getattr(mine, field)[0], getattr(theirs, field)[i])
            for figure, value in mine.info.items():
                assert value[0] == theirs.info[figure][i]


@examples(40)
@given(st.data(), st.sampled_from(["tiny", "paper"]), FLEETS)
def test_garbage_is_made_admissible(data, name, fleet):
    """Whatever numbers come in, what is carried out breaks no constraint and scores finite."""
    batch = OffloadingBatch(episodes(name, 1, **fleet), 2, 0)
    batch.reset()
    numbers = st.floats(width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -7.0])
    server = data.draw(hnp.arrays(float, (2, batch.n_devices), elements=numbers))
    continuous = data.draw(hnp.arrays("f4", (2, batch.n_continuous), elements=numbers))
    for _ in range(3):
        step = batch.step(server, continuous)
        assert step.verdict.slot_admissible.all()
        assert np.isfinite(step.reward).all()
        assert np.isfinite(step.obs).all()
        assert np.abs(step.obs).max() <= LIMIT


def test_the_box_itself_is_never_clipped():
    """Every action of the box keeps powers and reach; UAVs are held back at the border only."""
    batch = OffloadingBatch(episodes("paper", 4), 64, 2)
    batch.reset()
    rng = np.random.default_rng(3)
    before = batch.uav_xy_m
    corners = rng.choice([-1.0, 1.0], (64, batch.n_continuous)).astype(np.float32)
    step = batch.step(np.zeros((64, 10), int), corners)
    assert not step.info["clipped"].any()
    moved = step.plan.uav_xy_m - before
    on_border = ((step.plan.uav_xy_m <= 0) | (step.plan.uav_xy_m >= 500)).any(axis=-1)
    reach = np.hypot(moved[..., 0], moved[..., 1])
    np.testing.assert_allclose(reach[~on_border], batch.scenario.uav_reach_m, rtol=1e-12)
    assert (step.info["held"] == on_border.sum(axis=-1)).all()


def test_all_idle_earns_nothing():
    """Reward and cost are 0 in a slot without requests, and no server is used."""
    instance = generate(preset("tiny", n_slots=2), 0)
    nothing = np.zeros_like(instance.input_bit)
    idle = dataclasses.replace(
        instance,
        active=nothing.astype(bool),
        input_bit=nothing,
        output_words=nothing.astype(int),
        deadline_s=nothing,
        accuracy_floor=nothing,
    )
    batch = OffloadingBatch([idle], 1)
    obs, mask, active = batch.reset()
    assert not mask.any()
    assert not active.any()
    assert (batch.encoder.split(obs)["devices"][..., :4] == 0).all()
    step = batch.step(*random_actions(batch, np.random.default_rng(0)))
    assert step.reward[0] == step.info["cost"][0] == step.info["resampled"][0] == 0
    assert (step.plan.server == -1).all()


def test_the_end_of_an_episode():
    """The final observation is the last slot seen from the new positions, at slot index T; the
    next one is the next episode's first."""
    pool = episodes("paper", 3)
    batch = OffloadingBatch(pool, 3, 5)
    batch.reset([2, 0, 1])
    *_, step = play(batch, 4, np.random.default_rng(0))
    assert step.truncated.all()
    assert step.info["instance"].tolist() == [2, 0, 1]
    final, fresh = batch.encoder.split(step.final_obs), batch.encoder.split(step.obs)
    assert (final["slot"] == np.float32(2 * 4 / 4 - 1)).all()
    assert (fresh["slot"] == -1).all()
    last = OffloadingBatch(pool, 3, 5)
    last.reset([2, 0, 1])
    before_last = play(last, 3, np.random.default_rng(0))[-1]
    same = batch.encoder.split(before_last.obs)
    np.testing.assert_array_equal(final["devices"], same["devices"])
    np.testing.assert_array_equal(final["satellites"], same["satellites"])
    positions = (final["uavs"][..., :2].astype(float) + 1) * 250
    np.testing.assert_allclose(positions, step.plan.uav_xy_m, atol=1e-4)
    starts = np.stack([pool[i].uav_xy_m for i in batch.instance])
    np.testing.assert_array_equal(batch.uav_xy_m, starts)
    assert (batch.slot == 0).all()


def test_without_autoreset_the_end_is_final():
    """Stepping past the end, or before the first reset, is refused."""
    batch = OffloadingBatch(episodes(n_slots=1), 2, autoreset="off")
    actions = random_actions(batch, np.random.default_rng(0))
    with pytest.raises(RuntimeError, match="call reset"):
        batch.step(*actions)
    batch.reset()
    step = batch.step(*actions)
    assert step.truncated.all()
    assert step.obs is step.final_obs
    with pytest.raises(RuntimeError, match="call reset"):
        batch.step(*actions)


def test_episodes_of_different_length_end_by_themselves():
    """A pool may mix one-slot problems and episodes; each environment ends at its own T."""
    whole = generate(preset("tiny", n_slots=5), 1)
    batch = OffloadingBatch([whole, whole.window(2, 3)], 2)
    batch.reset([0, 1])
    step = play(batch, 1, np.random.default_rng(0))[0]
    assert step.truncated.tolist() == [False, True]
    np.testing.assert_array_equal(step.obs[0], step.final_obs[0])


def test_goes_on_from_a_saved_state():
    """A restored batch continues bit for bit, over the end of an episode too."""
    pool = Pool(episodes("paper", 5))
    batch = OffloadingBatch(pool, 4, 8)
    batch.reset()
    play(batch, 3, np.random.default_rng(0))
    state = batch.state()
    straight = play(batch, 6, np.random.default_rng(1))
    other = OffloadingBatch(pool, 4, 0)
    other.restore(state)
    resumed = play(other, 6, np.random.default_rng(1))
    for a, b in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.reward, b.reward)


def test_draws_every_instance():
    """Instances are drawn uniformly: 4000 draws of 8 stay within five standard deviations."""
    batch = OffloadingBatch(episodes(n=8, n_slots=1), 1000, 0)
    counts = np.zeros(8)
    for _ in range(4):
        batch.reset()
        counts += np.bincount(batch.instance, minlength=8)
    assert np.abs(counts - 500).max() < 5 * np.sqrt(4000 * 1 / 8 * 7 / 8)


def test_training_seeds_start_apart():
    """Training episodes have consecutive seeds from FIRST_TRAINING_SEED on."""
    assert [i.seed for i in episodes(n=3)] == [FIRST_TRAINING_SEED + i for i in range(3)]


# --- observations


@examples(15)
@given(st.sampled_from(list(PRESETS)), st.integers(0, 1000))
def test_features_are_what_the_table_says(name, seed):
    """Every feature of a random device, written a second time from the instance's numbers."""
    instance = generate(preset(name, n_slots=3), seed)
    s = instance.scenario
    batch = OffloadingBatch([instance], 1)
    batch.reset()
    play(batch, 2, np.random.default_rng(seed))
    parts = {n: p[0] for n, p in batch.encoder.split(batch._observe()[0]).items()}
    at, k, t = batch.uav_xy_m[0], seed % s.n_devices, 2

    def scaled(value, low, high):
        half = (high - low) / 2
        return min(max((value - (high + low) / 2) / half, -2), 2)

    if instance.active[t, k]:
        words = s.output_words
        assert parts["devices"][k, :4] == pytest.approx(
            [
                scaled(instance.input_bit[t, k], s.input_min_bit, s.input_max_bit),
                scaled(instance.output_words[t, k], min(words), max(words)),
                scaled(instance.deadline_s[t, k], s.deadline_min_s, s.deadline_max_s),
                scaled(instance.accuracy_floor[t, k], s.accuracy_min, s.accuracy_max),
            ],
            abs=1e-6,
        )
    assert parts["idle"][k] == (not instance.active[t, k])
    assert parts["devices"][k, 4:] == pytest.approx(instance.device_xy_m[t, k] / 250 - 1, abs=1e-6)
    for m in range(s.n_uavs):
        away = np.hypot(*(instance.device_xy_m[t, k] - at[m]))
        distance = np.hypot(away, instance.uav_altitude_m[t, m])
        gain_dB = -50 - 20 * log10(distance) + 10 * log10(instance.uav_fading[t, k, m])
        ends = [-50 - 20 * log10(np.hypot(500 * 2**0.5, 60)), -50 - 20 * log10(40)]
        assert parts["links"][k, m] == pytest.approx(scaled(gain_dB, *ends), abs=1e-5)
        assert parts["uavs"][m, :2] == pytest.approx(at[m] / 250 - 1, abs=1e-6)
        altitude = scaled(instance.uav_altitude_m[t, m], 40, 60)
        assert parts["uavs"][m, 2] == pytest.approx(altitude, abs=1e-6)
    gain_dB = 10 * log10(instance.satellite_gain[t, k])
    at_25_dB, at_90_dB = s.antenna_gain_dB - 158.745, s.antenna_gain_dB - 152.448
    ends = [at_25_dB - 15, at_90_dB + 3]  # free space at 25 and 90 degrees, 2 GHz
    assert parts["links"][k, -1] == pytest.approx(scaled(gain_dB, *ends), abs=1e-3)
    for n in range(s.n_satellites):
        logs = log(1 + instance.window_s[t, n] / 3) / log(1 + 246.32 / 3)
        assert parts["satellites"][n, 0] == pytest.approx(2 * logs - 1, abs=1e-4)
        assert parts["satellites"][n, 1] == (instance.access[t] == n)
    assert parts["slot"][0] == pytest.approx(2 * t / 3 - 1, abs=1e-6)


def test_no_link_is_the_lower_limit():
    """Without a visible satellite the gain is the lower limit and every window -1."""
    instance = generate(preset("tiny", n_slots=1, elevation_min_deg=89, cross_track_m=1e6), 0)
    assert instance.access[0] == -1
    batch = OffloadingBatch([instance], 1)
    parts = batch.encoder.split(batch.reset()[0])
    assert (parts["links"][..., -1] == -LIMIT).all()
    assert (parts["satellites"][..., 0] == -1).all()
    assert not parts["satellites"][..., 1].any()


@pytest.mark.parametrize("name", list(PRESETS))
def test_observations_are_about_normal(name):
    """Nothing leaves [-2, 2], and all but one number in fifty lie in [-1, 1]."""
    batch = OffloadingBatch(training_episodes(preset(name, n_slots=20), 5), 5)
    obs = np.concatenate(
        [batch.reset([0, 1, 2, 3, 4])[0]]
        + [s.obs for s in play(batch, 19, np.random.default_rng(0))]
    )
    assert obs.dtype == np.float32
    assert obs.shape[-1] == batch.obs_dim
    assert np.abs(obs).max() <= LIMIT
    assert (np.abs(obs) <= 1).mean() > 0.98


def test_the_reference_fixes_the_meaning():
    """Under a reference, a fixed deadline of 2.25 s reads as it did among deadlines of 2-3 s."""
    train = preset("tiny", n_slots=1)
    fixed = train.replace(deadline_min_s=2.25, deadline_max_s=2.25)
    parts = {}
    for name, reference in (("own", None), ("train", train)):
        batch = OffloadingBatch(Pool([generate(fixed, 0)], reference), 1)
        parts[name] = batch.encoder.split(batch.reset()[0])["devices"][0, :, 2]
    np.testing.assert_allclose(parts["train"], -0.5, atol=1e-6)
    np.testing.assert_allclose(parts["own"], 0.0, atol=1e-6)


@pytest.mark.parametrize("name", ["paper", "as-printed"])
def test_the_mask_is_what_motion_can_reach(name):
    """The mask is `reachable`, and holds every server that is available after any motion."""
    pool = episodes(name, 3, uav_coverage_m=150.0)
    batch = OffloadingBatch(pool, 3)
    obs, mask, active = batch.reset([0, 1, 2])
    rng = np.random.default_rng(0)
    for _ in range(3):
        slots = batch.slots
        np.testing.assert_array_equal(mask, reachable(slots, batch.uav_xy_m))
        np.testing.assert_array_equal(batch.encoder.split(obs)["available"], mask)
        np.testing.assert_array_equal(batch.encoder.split(obs)["idle"], ~active)
        step = batch.step(*random_actions(batch, rng))
        assert not (available(slots, step.plan.uav_xy_m) & ~mask).any()
        obs, mask, active = step.obs, step.mask, step.active


# --- actions


@given(hnp.arrays(float, (7, 2), elements=st.floats(-1, 1)))
def test_square_to_disc_and_back(square):
    """The square maps into the disc, its edges onto the circle, and back to where it was."""
    disc = to_disc(square)
    radius = np.hypot(disc[:, 0], disc[:, 1])
    assert (radius <= 1 + 1e-12).all()
    on_edge = np.abs(square).max(axis=1) == 1
    np.testing.assert_allclose(radius[on_edge], 1.0, atol=1e-12)
    np.testing.assert_allclose(from_disc(disc), square, atol=2e-8)


def test_disc_to_square_and_back():
    """Every point of the disc is the image of its square."""
    rng = np.random.default_rng(0)
    disc = rng.uniform(-1, 1, (1000, 2))
    disc = disc[np.hypot(disc[:, 0], disc[:, 1]) <= 1]
    np.testing.assert_allclose(to_disc(from_disc(disc)), disc, atol=1e-12)


def test_power_levels_are_geometric():
    """-1 is the least power, 0 the geometric mean, 1 the greatest; and back."""
    s = preset("paper")
    powers = to_power_W(s, np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_allclose(powers, [1e-6, 1e-3, 1.0], rtol=1e-12)
    np.testing.assert_allclose(from_power_W(s, powers), [-1, 0, 1], atol=1e-12)
    assert from_power_W(s, np.zeros(1))[0] == -1


def test_headings_are_full_steps():
    """Stay, then full steps in directions an eighth of a turn apart, from east on."""
    disc = to_disc(headings(8).astype(float))
    angle = np.arange(8) * np.pi / 4
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    np.testing.assert_allclose(disc, np.vstack([np.zeros(2), circle]), atol=1e-6)


def test_best_available_takes_no_other():
    """The best score among the available wins; without any, no server."""
    scores = np.array([[3.0, 2.0, 1.0], [0.0, 0.0, 9.0]])
    mask = np.array([[False, True, True], [False, False, False]])
    assert best_available(scores, mask).tolist() == [1, -1]


# --- pools


def test_pools_refuse_what_does_not_fit():
    """No episodes, two scenarios, other models, a reference of another size, no such instance."""
    tiny, paper = generate(preset("tiny", n_slots=1), 0), generate(preset("paper", n_slots=1), 0)
    with pytest.raises(InstanceError, match="at least one"):
        Pool([])
    with pytest.raises(InstanceError, match=r"instances\[1\].scenario"):
        Pool([tiny, paper])
    better = dataclasses.replace(tiny, server_accuracy=tiny.server_accuracy + 0.1)
    with pytest.raises(InstanceError, match=r"instances\[1\].server_accuracy"):
        Pool([tiny, better])
    with pytest.raises(InstanceError, match=r"reference\.n_devices = 10"):
        Pool([tiny], paper.scenario)
    with pytest.raises(InstanceError, match=r"allowed is 0\.\.0"):
        OffloadingBatch([tiny], 2).reset([0, 1])

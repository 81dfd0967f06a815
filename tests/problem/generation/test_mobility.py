"""Device tracks: inside the square, no faster than allowed, the same for fewer devices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from satedge.problem.generation.mobility import MOBILITY_KINDS, continued, tracks
from support.randomised import examples

DEFAULT = {
    "n_slots": 100,
    "slot_s": 3.0,
    "side_m": 500.0,
    "speed_min_mps": 0.5,
    "speed_max_mps": 1.5,
    "pause_max_s": 30.0,
}
moving = pytest.mark.parametrize("kind", ["random-waypoint", "gauss-markov"])


def streams(seed, n_devices):
    return [np.random.default_rng([seed, k]) for k in range(n_devices)]


@st.composite
def settings_of_tracks(draw):
    slowest = draw(st.floats(0, 5))
    return {
        "n_slots": draw(st.integers(1, 60)),
        "slot_s": draw(st.floats(0.1, 10)),
        "side_m": draw(st.floats(20, 1000)),
        "speed_min_mps": slowest,
        "speed_max_mps": slowest + draw(st.floats(0, 20)),
        "pause_max_s": draw(st.sampled_from([0.0, 3.0, 100.0])),
        "memory": draw(st.floats(0, 0.99)),
    }


@examples(150)
@given(
    st.sampled_from(MOBILITY_KINDS),
    settings_of_tracks(),
    st.integers(0, 2**32),
    st.integers(0, 6),
)
def test_devices_stay_inside_and_within_their_speed(kind, options, seed, n_devices):
    """No track leaves the square or moves further in a slot than its top speed allows."""
    path = tracks(streams(seed, n_devices), kind, **options)
    assert path.shape == (options["n_slots"], n_devices, 2)
    assert path.dtype == np.float64
    assert np.all((path >= 0) & (path <= options["side_m"]))
    moved = np.linalg.norm(np.diff(path, axis=0), axis=-1)
    rounding_m = 1e-12 * options["side_m"] * options["n_slots"]
    assert np.all(moved <= options["speed_max_mps"] * options["slot_s"] + rounding_m)


@examples(60)
@given(
    st.sampled_from(MOBILITY_KINDS),
    settings_of_tracks(),
    st.integers(0, 2**32),
    st.integers(0, 5),
    st.integers(1, 60),
)
def test_fewer_devices_or_slots_change_no_position(kind, options, seed, fewer, n_slots):
    """The first devices and the first slots of a large episode are those of a small one."""
    large = tracks(streams(seed, 5), kind, **options)
    n_slots = min(n_slots, options["n_slots"])
    small = tracks(streams(seed, fewer), kind, **{**options, "n_slots": n_slots})
    np.testing.assert_array_equal(small, large[:n_slots, :fewer])


@examples(30)
@given(settings_of_tracks(), st.integers(0, 2**32))
def test_static_devices_stand_still(options, seed):
    """Static devices, and any device whose top speed is 0, keep their first position."""
    path = tracks(streams(seed, 4), "static", **options)
    np.testing.assert_array_equal(path, np.broadcast_to(path[0], path.shape))
    frozen = {**options, "speed_min_mps": 0.0, "speed_max_mps": 0.0}
    for kind in MOBILITY_KINDS:
        np.testing.assert_array_equal(tracks(streams(seed, 4), kind, **frozen), path)


def test_all_kinds_start_at_the_same_uniform_places():
    """The start is uniform in the square and does not depend on the kind of motion."""
    starts = {kind: tracks(streams(5, 2000), kind, **DEFAULT)[0] for kind in MOBILITY_KINDS}
    np.testing.assert_array_equal(starts["random-waypoint"], starts["static"])
    np.testing.assert_allclose(starts["gauss-markov"], starts["static"], atol=1e-9)
    for axis in (0, 1):
        assert stats.kstest(starts["static"][:, axis] / 500.0, "uniform").pvalue > 1e-3


@moving
def test_devices_do_move_at_the_speeds_allowed(kind):
    """Without pauses and edges every device moves by its speed in every slot."""
    options = {**DEFAULT, "pause_max_s": 0.0, "side_m": 1e6}
    moved = np.linalg.norm(np.diff(tracks(streams(1, 20), kind, **options), axis=0), axis=-1)
    assert np.all(moved >= 0.5 * 3.0 - 1e-6)
    assert np.all(moved <= 1.5 * 3.0 + 1e-6)
    assert moved.mean() == pytest.approx(3.0, abs=0.5)


def test_waypoint_legs_are_straight_and_pauses_as_long_as_drawn():
    """A device paces straight to the drawn point, waits the drawn time, then leaves."""
    options = {**DEFAULT, "n_slots": 4000, "slot_s": 1.0}
    path = tracks(streams(9, 1), "random-waypoint", **options)[:, 0]
    rng = np.random.default_rng([9, 0])
    place, clock = 500.0 * rng.random(2), 0.0
    for to_x, to_y, speed, pause in rng.random((8, 4)):
        target = 500.0 * np.array([to_x, to_y])
        arrival = clock + np.linalg.norm(target - place) / (0.5 + speed)
        for slot in range(int(np.ceil(clock)), int(arrival) + 1):
            share = (slot - clock) / (arrival - clock)
            np.testing.assert_allclose(path[slot], place + share * (target - place), atol=1e-8)
        for slot in range(int(np.ceil(arrival)), int(arrival + 30.0 * pause) + 1):
            np.testing.assert_allclose(path[slot], target, atol=1e-8)
        place, clock = target, arrival + 30.0 * pause


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.95])
def test_gauss_markov_speeds_have_the_memory_asked_for(memory):
    """Speeds centre on the middle of their range and stay on one side of it as `memory` says.

    Clipping is symmetric and keeps sides, so for a Gaussian process of correlation rho the mean
    is exact and successive speeds agree in side with probability 1/2 + arcsin(rho) / pi
    (Sheppard 1899). Devices are independent: their spread gives the standard error.
    """
    options = {**DEFAULT, "side_m": 1e9, "speed_min_mps": 0.0, "speed_max_mps": 200.0}
    path = tracks(streams(2, 1000), "gauss-markov", memory=memory, **options)
    speed = np.linalg.norm(np.diff(path, axis=0), axis=-1) / 3.0
    agree = ((speed[1:] > 100.0) == (speed[:-1] > 100.0)).mean(axis=0)
    for measured, expected in (
        (speed.mean(axis=0), 100.0),
        (agree, 0.5 + np.arcsin(memory) / np.pi),
    ):
        error = measured.std(ddof=1) / np.sqrt(measured.size)
        assert abs(measured.mean() - expected) < 4 * error


def test_edges_reflect():
    """A device in a small square reaches every quarter, at full pace wherever no edge is near."""
    options = {**DEFAULT, "side_m": 30.0, "n_slots": 2000}
    path = tracks(streams(4, 1), "gauss-markov", **options)[:, 0]
    assert len({(x > 15.0, y > 15.0) for x, y in path}) == 4
    moved = np.linalg.norm(np.diff(path, axis=0), axis=-1)
    clear = np.all(np.abs(path[:-1] - 15.0) < 15.0 - 4.5, axis=1)
    assert np.all(moved[clear] >= 1.5 - 1e-9)
    assert np.any(moved[~clear] < 1.5)


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        ("teleport", {}, "static, random-waypoint, gauss-markov"),
        ("static", {"speed_min_mps": 2.0}, "speed_min_mps=2.0"),
        ("static", {"speed_min_mps": -0.1}, "speed_min_mps=-0.1"),
        ("static", {"speed_max_mps": np.nan}, "speed_max_mps=nan"),
        ("static", {"side_m": 0.0}, "side_m"),
        ("random-waypoint", {"pause_max_s": -1.0}, "pause_max_s"),
        ("gauss-markov", {"memory": 1.0}, "memory"),
    ],
)
def test_impossible_motion_is_refused_by_name(kind, change, named):
    """What no device can do is refused with the value and what is allowed."""
    with pytest.raises(ValueError, match=named):
        tracks(streams(0, 2), kind, **{**DEFAULT, **change})


@pytest.mark.parametrize("n_seen", [1, 2, 15])
def test_what_continues_a_track_has_its_law(n_seen):
    """Devices seen for some slots are then spread as their true tracks are, near and far ahead."""
    options = {**DEFAULT, "side_m": 100.0}
    truth = tracks(streams(5, 1500), "random-waypoint", **{**options, "n_slots": n_seen + 40})
    drawn = continued(
        streams(6, 1500), "random-waypoint", truth[:n_seen], **{**options, "n_slots": 40}
    )
    for ahead in (1, 6, 39):
        for axis in (0, 1):
            seen, made = truth[n_seen + ahead, :, axis], drawn[ahead, :, axis]
            assert stats.ks_2samp(seen, made).pvalue > 1e-3
        here = truth[n_seen - 1]
        far = [np.hypot(*(xy - here).T) for xy in (truth[n_seen + ahead], drawn[ahead])]
        assert stats.ks_2samp(*far).pvalue > 1e-3


def test_a_device_on_its_way_keeps_line_and_speed():
    """Until it may have arrived, nothing else is possible."""
    options = {**DEFAULT, "n_slots": 12}
    seen = np.array([[[100.0, 100.0]], [[103.0, 100.0]]])
    drawn = np.stack(
        [continued(streams(i, 1), "random-waypoint", seen, **options) for i in range(50)]
    )
    first = drawn[:, 0, 0]
    on_line = np.isclose(first, [106.0, 100.0]).all(axis=-1)
    assert on_line.mean() > 0.9
    assert (first[:, 0] >= 100.0).all()


def test_a_pause_lasts_no_longer_than_the_longest():
    """Seen at rest for nine of ten seconds, a device leaves within the next."""
    options = {**DEFAULT, "n_slots": 2, "pause_max_s": 10.0}
    seen = np.full((4, 1, 2), 40.0)
    drawn = np.stack(
        [continued(streams(i, 1), "random-waypoint", seen, **options) for i in range(30)]
    )
    assert (drawn[:, 0] != 40.0).any(axis=(1, 2)).all()


@pytest.mark.parametrize("kind", ["static", "gauss-markov"])
def test_other_devices_stay_or_repeat_their_step(kind):
    """Static ones stay; Gauss-Markov ones go on as they went, and are reflected."""
    seen = np.array([[[490.0, 20.0]], [[494.0, 18.0]]])
    drawn = continued(streams(0, 1), kind, seen, **{**DEFAULT, "n_slots": 2})[:, 0]
    expected = [[498.0, 16.0], [498.0, 14.0]] if kind == "gauss-markov" else [[494.0, 18.0]] * 2
    assert drawn == pytest.approx(np.array(expected))

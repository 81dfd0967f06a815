"""Circular orbits: the closed forms, the windows they promise, the phases that suit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.satellites import orbit
from support.randomised import examples

DEFAULT = {
    "n_satellites": 4,
    "planes": 1,
    "altitude_m": 500e3,
    "min_elevation_deg": 25.0,
    "spacing_deg": 13.0,
    "plane_spacing_deg": 5.0,
    "cross_track_m": 0.0,
}
ISL = {"isl_topology": "chain", "isl_min_altitude_m": 80e3}
EPISODE_S = np.arange(100) * 3.0


def passes(times_s, phase_deg=5.0, **changes):
    return orbit.circular_passes(times_s, phase_deg=phase_deg, **{**DEFAULT, **ISL, **changes})


@st.composite
def designs(draw):
    """A constellation in which passes over the site are possible but not certain."""
    planes = draw(st.integers(1, 3))
    return {
        "planes": planes,
        "n_satellites": planes * draw(st.integers(1, 5)),
        "altitude_m": draw(st.floats(300e3, 2000e3)),
        "min_elevation_deg": draw(st.floats(0, 60)),
        "spacing_deg": draw(st.floats(1, 90)),
        "plane_spacing_deg": draw(st.floats(0.5, 90)),
        "cross_track_m": draw(st.floats(-1500e3, 1500e3)),
    }


# --- closed forms


def test_circular_orbit_at_500_km():
    """At 500 km a satellite flies 7616.56 m/s and returns after 5668.14 s."""
    assert orbit.orbital_speed_mps(500e3) == pytest.approx(7616.56, abs=0.005)
    assert orbit.period_s(500e3) == pytest.approx(5668.14, abs=0.005)


@pytest.mark.parametrize(
    ("elevation_deg", "duration_s", "range_km"),
    [(10, 442.64, 1694.6), (25, 246.32, 1031.8), (30, 207.26, 909.4)],
)
def test_whole_pass_and_slant_range(elevation_deg, duration_s, range_km):
    """Eqs. (4)-(5) with theta the minimum elevation give the whole pass at 500 km."""
    assert orbit.pass_duration_s(500e3, elevation_deg) == pytest.approx(duration_s, abs=0.005)
    assert orbit.slant_range_m(500e3, elevation_deg) == pytest.approx(range_km * 1e3, abs=50)


def test_slant_range_at_the_zenith_is_the_altitude():
    """A satellite overhead is as far as it is high."""
    assert orbit.slant_range_m(500e3, 90) == pytest.approx(500e3, rel=1e-12)


# --- geometry of passes


def reference_elevation_and_range(design, phase_deg, time_s):
    """Elevation and range of each satellite, one at a time, from vectors and a dot product."""
    earth, radius = 6371e3, 6371e3 + design["altitude_m"]
    angle = design["cross_track_m"] / earth
    zenith = np.array([np.cos(angle), np.sin(angle), 0.0])
    rate = np.sqrt(3.986004418e14 / radius**3)
    per_plane = design["n_satellites"] // design["planes"]
    rows = []
    for i in range(design["n_satellites"]):
        along = np.deg2rad(phase_deg - design["spacing_deg"] * (i % per_plane)) + rate * time_s
        node = np.deg2rad(design["plane_spacing_deg"] * (i // per_plane))
        outward = np.array([np.cos(node), np.sin(node), 0.0])
        place = radius * (np.cos(along) * outward + np.sin(along) * np.array([0.0, 0.0, 1.0]))
        sight = place - earth * zenith
        distance = np.linalg.norm(sight)
        rows.append((np.rad2deg(np.arcsin(sight @ zenith / distance)), distance))
    return np.array(rows).T


@examples(40)
@given(designs(), st.floats(0, 360), st.floats(0, 6000))
def test_elevation_and_range_follow_from_the_vectors(design, phase_deg, time_s):
    """Elevation and range are those of the line from the site to the satellite."""
    seen = passes([time_s], phase_deg, **design)
    elevation, distance = reference_elevation_and_range(design, phase_deg, time_s)
    # arcsin near 1 keeps half the digits, hence 1e-5 degrees.
    np.testing.assert_allclose(seen.elevation_deg[0], elevation, atol=1e-5)
    np.testing.assert_allclose(seen.range_m[0], distance, rtol=1e-9)


@examples(40)
@given(designs(), st.floats(0, 360), st.floats(0, 6000))
def test_window_ends_when_the_elevation_reaches_the_minimum(design, phase_deg, time_s):
    """A satellite above the minimum stays so for its window and not a millisecond longer."""
    least = design["min_elevation_deg"]
    seen = passes([time_s], phase_deg, **design)
    window = seen.window_s[0]
    # Satellites within rounding of the minimum may count either way.
    clear = np.abs(seen.elevation_deg[0] - least) > 1e-9
    np.testing.assert_array_equal((window > 0)[clear], (seen.elevation_deg[0] > least)[clear])
    for n in np.flatnonzero(window > 0.01):
        fractions = time_s + np.append(np.linspace(0, 1, 50) * (window[n] - 1e-3), window[n] + 1e-3)
        later = passes(fractions, phase_deg, **design).elevation_deg[:, n]
        assert np.all(later[:-1] > least)
        assert later[-1] < least


def test_a_satellite_just_risen_overhead_has_the_whole_pass_before_it():
    """The window at the start of a central pass is the whole pass of Eqs. (4)-(5)."""
    omega = np.rad2deg(orbit.coverage_angle_rad(500e3, 25.0))
    seen = passes([0.0], phase_deg=-omega * (1 - 1e-12), n_satellites=1)
    assert seen.window_s[0, 0] == pytest.approx(orbit.pass_duration_s(500e3, 25.0), rel=1e-9)


def test_a_site_off_the_track_sees_a_shorter_and_lower_pass():
    """An offset of 500 km shortens the pass; beyond the coverage radius there is none."""
    angle = 500e3 / orbit.EARTH_RADIUS_M
    omega = orbit.coverage_angle_rad(500e3, 25.0)
    half = np.arccos(np.cos(omega) / np.cos(angle))
    expected = half / (2 * np.pi) * orbit.period_s(500e3)
    seen = passes([0.0], 0.0, n_satellites=1, cross_track_m=500e3)
    assert seen.window_s[0, 0] == pytest.approx(expected, rel=1e-9)
    assert seen.elevation_deg[0, 0] < 90
    beyond = passes(np.arange(0, 6000, 5.0), 0.0, n_satellites=1, cross_track_m=900e3)
    assert omega * orbit.EARTH_RADIUS_M < 900e3
    assert not beyond.window_s.any()


def test_each_satellite_trails_the_one_before():
    """A satellite stands where its forerunner stood, one spacing's flight earlier."""
    lag_s = 13.0 / 360.0 * orbit.period_s(500e3)
    now, later = passes([0.0]), passes([lag_s])
    np.testing.assert_allclose(later.elevation_deg[0, 1:], now.elevation_deg[0, :-1], atol=1e-9)


def test_planes_repeat_the_first_one_further_east():
    """A site under plane 1 sees that plane as a site under plane 0 sees plane 0."""
    shift_m = np.deg2rad(5.0) * orbit.EARTH_RADIUS_M
    seen = passes(EPISODE_S, n_satellites=8, planes=2, cross_track_m=shift_m)
    alone = passes(EPISODE_S)
    np.testing.assert_allclose(seen.elevation_deg[:, 4:], alone.elevation_deg, atol=1e-9)
    np.testing.assert_allclose(seen.window_s[:, 4:], alone.window_s, atol=1e-6)


def test_the_accessible_satellite_is_the_highest_visible_one():
    """Access goes to the highest satellite above the minimum, to nobody when none is."""
    seen = passes(np.arange(0, 6000, 3.0))
    for row in range(len(seen.access)):
        visible = [n for n in range(4) if seen.elevation_deg[row, n] > 25.0]
        highest = max(visible, key=lambda n, r=row: seen.elevation_deg[r, n], default=-1)
        assert seen.access[row] == highest
    assert (seen.access == -1).any()
    assert seen.access.dtype == seen.isl_hops.dtype == np.int64


def test_no_satellites():
    """Without satellites there are rows without columns and nobody to reach."""
    seen = passes(EPISODE_S, n_satellites=0)
    for array in (seen.elevation_deg, seen.range_m, seen.window_s, seen.isl_hops):
        assert array.shape == (100, 0)
    assert seen.isl_distance_m.shape == (100, 0)
    np.testing.assert_array_equal(seen.access, np.full(100, -1))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"planes": 3}, "planes=3"),
        ({"planes": 0}, "planes=0"),
        ({"n_satellites": -1}, "n_satellites=-1"),
        ({"altitude_m": 0.0}, "altitude_m"),
        ({"min_elevation_deg": 90.0}, "min_elevation_deg"),
        ({"isl_topology": "star"}, "chain, ring, grid"),
    ],
)
def test_impossible_designs_are_refused_by_name(change, named):
    """A design without geometry is refused with the value and what is allowed."""
    with pytest.raises(ValueError, match=named):
        passes([0.0], **change)


# --- phases with somebody always in sight


def test_default_design_always_sees_a_satellite_and_hands_over():
    """Every phase of the default design keeps a satellite in sight for 300 s and hands over."""
    low, high = orbit.phase_interval_deg(horizon_s=300.0, **DEFAULT)
    assert high - low == pytest.approx(35.59, abs=0.01)
    for phase in np.linspace(low + 1e-9, high - 1e-9, 101):
        access = passes(np.arange(0, 300.5, 0.5), phase).access
        assert access.min() >= 0
        assert len(np.unique(access)) >= 2


@examples(60)
@given(designs(), st.floats(30, 900), st.floats(0.001, 0.999))
def test_phases_inside_the_interval_keep_a_satellite_in_sight(design, horizon_s, share):
    """Inside the interval somebody is visible throughout, just outside not (unless all are)."""
    low, high = orbit.phase_interval_deg(horizon_s=horizon_s, **design)
    times = np.linspace(0, horizon_s, 200)
    start = passes([0.0], low + share * (high - low), **design)
    always = passes(times, low + share * (high - low), **design).access.min() >= 0
    revolution = np.linspace(0, orbit.period_s(design["altitude_m"]), 1440)
    if passes(revolution, 0.0, **design).access.max() < 0:
        assert (low, high) == (0.0, 360.0)
        return
    assert start.access[0] >= 0
    if (low, high) == (0.0, 360.0):
        assert always
        return
    assert -180 <= (low + high) / 2 < 180
    # Just past either end the sight is lost at once (low) or at the end of the horizon (high).
    end = horizon_s if always else 0.0
    margin = 1e-7
    assert passes([0.0], low - margin, **design).access[0] == -1
    assert passes([end], high + margin, **design).access[0] == -1


def test_a_horizon_nobody_can_cover_falls_back_to_sight_at_the_start():
    """Two satellites cannot cover an hour: the phases returned see one at time 0."""
    design = {**DEFAULT, "n_satellites": 2}
    low, high = orbit.phase_interval_deg(horizon_s=3600.0, **design)
    omega = np.rad2deg(orbit.coverage_angle_rad(500e3, 25.0))
    assert (low, high) == pytest.approx((-omega, 13 + omega))


def test_any_phase_does_where_none_is_better():
    """A full belt always covers the site, and no satellites never do."""
    belt = {**DEFAULT, "n_satellites": 36, "spacing_deg": 10.0}
    assert orbit.phase_interval_deg(horizon_s=300.0, **belt) == (0.0, 360.0)
    none = {**DEFAULT, "n_satellites": 0}
    assert orbit.phase_interval_deg(horizon_s=300.0, **none) == (0.0, 360.0)


def test_negative_phase_and_full_turns_change_nothing():
    """Phases that differ by whole turns are the same constellation."""
    same = [passes(EPISODE_S, phase) for phase in (5.0, 365.0, -355.0)]
    for other in same[1:]:
        np.testing.assert_allclose(other.window_s, same[0].window_s, atol=1e-6)
        np.testing.assert_array_equal(other.access, same[0].access)


@examples(100)
@given(designs(), st.floats(0, 360))
def test_the_phase_is_seen_in_the_windows(design, phase_deg):
    """From windows alone, all that satellites show and will show; NaN where none is visible."""
    changes = {k: v for k, v in design.items() if k in DEFAULT}
    shown = passes([0.0, 60.0], phase_deg, **changes)
    found_deg = orbit.seen_phase_deg(shown.window_s[0], **{**DEFAULT, **changes})
    if not (shown.window_s[0] > 0).any():
        assert np.isnan(found_deg)
        return
    again = passes([0.0, 60.0], found_deg, **changes)
    assert again.elevation_deg == pytest.approx(shown.elevation_deg, abs=1e-6)
    assert again.window_s == pytest.approx(shown.window_s, abs=1e-3)

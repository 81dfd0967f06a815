"""Orbital elements: SGP4 against its verification set, the sky over a site."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.satellites import topocentric
from satedge.problem.satellites.elements import (
    ElementsError,
    StaleElementsWarning,
    propagate,
    read_elements,
    sgp4_passes,
    write_walker_tle,
)
from support.randomised import examples

DATA = Path(__file__).parent / "data"
NOON = datetime(2025, 7, 16, 12, tzinfo=UTC)
MUNICH = {"latitude_deg": 48.1, "longitude_deg": 11.6, "altitude_m": 520.0}
REQUEST = {
    **MUNICH,
    "min_elevation_deg": 25.0,
    "isl_topology": "chain",
    "isl_min_altitude_m": 80e3,
}


def written(tmp_path, content, name="elements.txt"):
    path = tmp_path / name
    path.write_text(content)
    return path


# --- SGP4 against its verification set


def verification_elements():
    """Pairs of lines of the set that the sgp4 package ships, by satellite number."""
    text = files("sgp4").joinpath("SGP4-VER.TLE").read_text()
    lines = [line for line in text.splitlines() if line[:2] in ("1 ", "2 ")]
    return {int(lines[i][2:7]): lines[i : i + 2] for i in range(0, len(lines), 2)}


def verification_positions():
    """Printed minutes (T,) and positions in km (T, 3) by satellite number."""
    table, rows = {}, []
    for line in files("sgp4").joinpath("tcppver.out").read_text().splitlines():
        words = line.split()
        if words[-1] == "xx":
            rows = table.setdefault(int(words[0]), [])
        else:
            rows.append([float(word) for word in words[:4]])
    return {number: np.array(rows) for number, rows in table.items()}


MADE_UP = {33333, 33334, 33335}
"""Test cases of the verification set whose lines were edited and carry wrong checksums."""


def test_positions_equal_the_verification_set(tmp_path):
    """Every verification satellite lies where its authors printed it, to 1e-6 km."""
    elements, positions = verification_elements(), verification_positions()
    numbers = sorted(set(elements) - MADE_UP)
    text = "\n".join(line for number in numbers for line in elements[number])
    records = read_elements(written(tmp_path, text))
    assert len(records) == len(numbers) >= 25
    for number, record in zip(numbers, records, strict=True):
        printed = positions[number]
        found, _ = propagate([record], record.epoch, 60.0 * printed[:, 0])
        np.testing.assert_allclose(found[:, 0] / 1e3, printed[:, 1:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("number", sorted(MADE_UP))
def test_edited_verification_elements_fail_their_checksum(tmp_path, number):
    """Lines edited by hand without a new checksum are refused."""
    text = "\n".join(verification_elements()[number])
    with pytest.raises(ElementsError, match=r"line \d: checksum '\d': must be \d"):
        read_elements(written(tmp_path, text))


def test_a_decayed_satellite_is_an_error_with_name_and_time(tmp_path):
    """SGP4's own failure names the satellite, the moment and the reason."""
    text = "\n".join(["SL-12 DEB", *verification_elements()[29141]])
    (record,) = read_elements(written(tmp_path, text))
    with pytest.raises(ElementsError, match=r"SL-12 DEB: SGP4 fails at 2006-.* UTC: .*decayed"):
        propagate([record], record.epoch, 60.0 * np.array([0.0, 1000.0]))


# --- the sky over a site


def test_sidereal_time_of_the_textbook():
    """1992 August 20, 12:14 UT1: 152.578787810 degrees (Vallado, example 3-5).

    The book's Julian date is one double, which resolves 1.7e-7 degrees of the Earth's turn; in
    exact fractions the polynomial gives 152.57878785166.
    """
    day_jd = 2451544.5 + (datetime(1992, 8, 20) - datetime(2000, 1, 1)).days
    angle = topocentric.sidereal_angle_rad(day_jd, np.array([(12 * 60 + 14) / 1440]))
    assert np.rad2deg(angle[0]) == pytest.approx(152.578787810, abs=1.7e-7)
    assert np.rad2deg(angle[0]) == pytest.approx(152.57878785166, abs=1e-9)


def test_mir_over_minneapolis():
    """Mir on 1995 November 18, 12:46 UTC, stood 81.52 degrees over 45 N 93 W.

    Kelso, Orbital Coordinate Systems II, Satellite Times 2(2), 1995.
    """
    day_jd = 2451544.5 + (datetime(1995, 11, 18) - datetime(2000, 1, 1)).days
    angle = topocentric.sidereal_angle_rad(day_jd, np.array([(12 * 60 + 46) / 1440]))
    mir = 1e3 * np.array([[[-4400.594, 1932.870, 4760.712]]])
    site = topocentric.site_and_zenith(45.0, -93.0, 0.0)
    elevation, _ = topocentric.elevation_and_range(mir, angle, *site)
    assert elevation[0, 0] == pytest.approx(81.52, abs=0.005)


@examples(100)
@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-400, 9000))
def test_sites_lie_at_their_height_over_the_ellipsoid(latitude, longitude, height):
    """Going down the zenith by the height ends on the ellipsoid, at a right angle to it."""
    site, zenith = topocentric.site_and_zenith(latitude, longitude, height)
    a = topocentric.EQUATOR_RADIUS_M
    b = a * (1 - topocentric.FLATTENING)
    x, y, z = site - height * zenith
    assert (x * x + y * y) / a**2 + z * z / b**2 == pytest.approx(1.0, abs=1e-12)
    gradient = np.array([x / a**2, y / a**2, z / b**2])
    np.testing.assert_allclose(gradient / np.linalg.norm(gradient), zenith, atol=1e-12)


def test_passes_equal_those_of_skyfield():
    """Three days of ISS passes: elevation, range, every rise and setting as Skyfield has them."""
    sky = json.loads((DATA / "iss_over_munich.json").read_text())
    records = read_elements(DATA / sky["elements"])
    request = {**REQUEST, "epoch": datetime.fromisoformat(sky["start"])}
    seen = sgp4_passes(records, sky["sample_times_s"], **request)
    np.testing.assert_allclose(seen.elevation_deg[:, 0], sky["elevation_deg"], atol=1e-7)
    np.testing.assert_allclose(seen.range_m[:, 0], 1e3 * np.array(sky["range_km"]), atol=0.01)
    for rise, fall in zip(sky["rises_s"], sky["falls_s"], strict=True):
        slots = np.concatenate([[rise - 1e-3], np.arange(rise + 1e-3, fall - 1e-3, 3.0)])
        window = sgp4_passes(records, np.append(slots, fall + 1e-3), **request).window_s[:, 0]
        assert window[0] == 0
        np.testing.assert_allclose(slots[1:] + window[1:-1], fall, atol=1e-3)
        assert window[-1] == 0


def test_windows_do_not_depend_on_the_slots_asked_for():
    """One slot, sparse slots and dense slots see the same end of a pass."""
    records = read_elements(DATA / "iss.tle")
    request = {**REQUEST, "epoch": datetime(2019, 12, 9, 18, tzinfo=UTC)}
    dense = sgp4_passes(records, 78600 + np.arange(120) * 3.0, **request)
    sparse = sgp4_passes(records, 78600 + np.arange(4) * 90.0, **request)
    alone = sgp4_passes(records, [78690.0], **request)
    np.testing.assert_allclose(sparse.window_s, dense.window_s[::30], atol=1e-6)
    np.testing.assert_allclose(alone.window_s[0], dense.window_s[30], atol=1e-6)
    assert alone.window_s[0, 0] > 100
    np.testing.assert_array_equal(dense.access, np.where(dense.window_s[:, 0] > 0, 0, -1))


def test_a_satellite_that_never_sets_has_the_longest_window(tmp_path):
    """A geostationary satellite overhead keeps the window at its cap."""
    write_walker_tle(
        tmp_path / "belt.tle",
        n_satellites=36,
        planes=1,
        phasing=0,
        altitude_m=35793e3,
        inclination_deg=0.0,
        epoch=NOON,
    )
    records = read_elements(tmp_path / "belt.tle")
    request = {**REQUEST, "latitude_deg": 0.0, "epoch": NOON}
    seen = sgp4_passes(records, [0.0, 3.0], window_cap_s=7200.0, **request)
    assert np.all(seen.elevation_deg.max(axis=1) > 80)
    assert np.all(seen.window_s[seen.elevation_deg > 30] == 7200.0)


def test_the_epoch_may_carry_any_zone():
    """The same moment in another zone, or in UTC without a zone, gives the same arrays."""
    records, times = read_elements(DATA / "iss.tle"), 60.0 * np.arange(100)
    moment = datetime(2019, 12, 10, 10, tzinfo=UTC)
    east = moment.astimezone(timezone(timedelta(hours=5.5)))
    first = sgp4_passes(records, times, epoch=moment, **REQUEST)
    for epoch in (east, moment.replace(tzinfo=None)):
        other = sgp4_passes(records, times, epoch=epoch, **REQUEST)
        np.testing.assert_array_equal(other.window_s, first.window_s)
    assert first.window_s.any()


def test_no_records_give_rows_without_columns():
    """Without satellites nobody is reached."""
    for topology in ("chain", "ring", "grid"):
        request = {**REQUEST, "isl_topology": topology, "epoch": NOON}
        seen = sgp4_passes([], [0.0, 3.0], **request)
        assert seen.elevation_deg.shape == seen.isl_hops.shape == (2, 0)
        np.testing.assert_array_equal(seen.access, [-1, -1])


def test_stale_elements_warn_and_name_the_worst():
    """Elements eight days old warn, six days old do not; the limit is a parameter."""
    records = read_elements(DATA / "iss.tle")
    later = records[0].epoch + timedelta(days=8)
    with pytest.warns(StaleElementsWarning, match=r"1 of 1 .* 7 days .* ISS \(ZARYA\) by 8\.0"):
        sgp4_passes(records, [0.0], epoch=later, **REQUEST)
    with pytest.warns(StaleElementsWarning):
        sgp4_passes(records, [0.0], epoch=records[0].epoch - timedelta(days=8), **REQUEST)
    with pytest.warns(StaleElementsWarning):
        sgp4_passes(records, [0.0, 2 * 86400.0], epoch=later - timedelta(days=2), **REQUEST)
    sgp4_passes(records, [0.0], epoch=later - timedelta(days=2), **REQUEST)
    sgp4_passes(records, [0.0], epoch=later, stale_after_days=9.0, **REQUEST)


@pytest.mark.parametrize(
    ("times", "change", "named"),
    [
        ([], {}, "times_s"),
        ([3.0, 0.0], {}, "times_s"),
        ([0.0], {"latitude_deg": 91.0}, "latitude_deg"),
        ([0.0], {"min_elevation_deg": -1.0}, "min_elevation_deg"),
        ([0.0], {"isl_topology": "star"}, "chain, ring, grid"),
    ],
)
def test_inadmissible_requests_are_refused_by_name(times, change, named):
    """A request without an answer is refused with what is allowed."""
    records = read_elements(DATA / "iss.tle")
    with pytest.raises(ValueError, match=named):
        sgp4_passes(records, times, epoch=records[0].epoch, **{**REQUEST, **change})

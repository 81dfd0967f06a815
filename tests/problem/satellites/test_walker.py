"""Synthetic constellations: where they fly, and the links found between their satellites."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from satedge.problem.satellites import topocentric
from satedge.problem.satellites.elements import (
    propagate,
    read_elements,
    sgp4_passes,
    write_walker_tle,
)
from satedge.problem.satellites.isl import isl_paths, plane_links
from satedge.problem.satellites.orbit import EARTH_RADIUS_M

NOON = datetime(2025, 7, 16, 12, tzinfo=UTC)
REQUEST = {
    "latitude_deg": 48.1,
    "longitude_deg": 11.6,
    "altitude_m": 520.0,
    "min_elevation_deg": 0.0,
    "isl_min_altitude_m": 80e3,
    "epoch": NOON,
}


def walker(tmp_path, **changes):
    design = {
        "n_satellites": 8,
        "planes": 2,
        "phasing": 1,
        "altitude_m": 500e3,
        "inclination_deg": 53.0,
        "epoch": NOON,
    }
    path = tmp_path / "walker.tle"
    write_walker_tle(path, **{**design, **changes})
    return read_elements(path)


def test_walker_satellites_fly_where_they_should(tmp_path):
    """Mean radius, inclination, nodes and phases of a Walker delta 53: 24/4/1 at 500 km."""
    records = walker(tmp_path, n_satellites=24, planes=4)
    assert [record.epoch for record in records] == [NOON] * 24
    assert records[7].name == "WALKER 2-2"
    position, velocity = propagate(records, NOON, np.linspace(0, 5700, 200))
    radius = np.linalg.norm(position, axis=-1)
    assert np.abs(radius - EARTH_RADIUS_M - 500e3).max() < 12e3
    assert radius.mean() - EARTH_RADIUS_M == pytest.approx(500e3, abs=2e3)
    normal = np.cross(position[0], velocity[0])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    node = np.rad2deg(np.arctan2(normal[:, 0], -normal[:, 1])) % 360
    np.testing.assert_allclose(np.rad2deg(np.arccos(normal[:, 2])), 53.0, atol=0.1)
    expected_node = 90.0 * (np.arange(24) // 6)
    np.testing.assert_allclose((node - expected_node + 180) % 360, 180.0, atol=0.1)
    latitude = np.rad2deg(np.arcsin(position[0, :, 2] / radius[0]))
    along = 60.0 * (np.arange(24) % 6) + 360.0 / 24 * (np.arange(24) // 6)
    expected = np.rad2deg(np.arcsin(np.sin(np.deg2rad(53.0)) * np.sin(np.deg2rad(along))))
    np.testing.assert_allclose(latitude, expected, atol=0.15)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"planes": 3}, "planes=3"),
        ({"planes": 0}, "planes=0"),
        ({"n_satellites": 0}, "n_satellites=0"),
        ({"phasing": 2}, "phasing=2"),
        ({"altitude_m": 0.0}, "altitude_m"),
        ({"inclination_deg": 181.0}, "inclination_deg"),
    ],
)
def test_impossible_walker_designs_are_refused(tmp_path, change, named):
    """A constellation that cannot be is refused by name and nothing is written."""
    with pytest.raises(ValueError, match=named):
        walker(tmp_path, **change)
    assert not (tmp_path / "walker.tle").exists()


@pytest.mark.parametrize("moment", ["2024-12-31T23:59:59.999999", "2024-02-29T06:00:00"])
def test_walker_epochs_round_to_the_format(tmp_path, moment):
    """Epochs survive to half of 0.864 ms, across the end of a leap year too."""
    epoch = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    read = walker(tmp_path, epoch=epoch)[0].epoch
    assert abs(read - epoch) <= timedelta(microseconds=433)


def test_ring_and_chain_follow_the_planes_whatever_the_order(tmp_path):
    """Links found from the orbits are those of the constellation, in any order of the file."""
    records = walker(tmp_path, n_satellites=30, planes=3, altitude_m=800e3)
    shuffle = np.random.default_rng(1).permutation(30)
    site = {**REQUEST, "isl_topology": "ring"}
    times = np.arange(20) * 60.0
    seen = sgp4_passes([records[i] for i in shuffle], times, **site)
    planes = [np.arange(10) + 10 * p for p in range(3)]
    access = np.where(seen.access >= 0, shuffle[seen.access], -1)
    hops, distance = isl_paths(
        propagate(records, NOON, times)[0],
        plane_links(planes, "ring"),
        access,
        topocentric.EQUATOR_RADIUS_M + 80e3,
    )
    np.testing.assert_array_equal(seen.isl_hops, hops[:, shuffle])
    np.testing.assert_allclose(seen.isl_distance_m, distance[:, shuffle], rtol=1e-12)
    assert hops.max() == 5
    # A chain is the same ring opened at one place.
    chain = sgp4_passes(records, times, **{**site, "isl_topology": "chain"})
    assert chain.isl_hops.max() > 5


def test_the_grid_reaches_every_plane(tmp_path):
    """At 1000 km, 12 planes of 12: the grid reaches all satellites, the ring one plane."""
    records = walker(tmp_path, n_satellites=144, planes=12, altitude_m=1000e3)
    ring = sgp4_passes(records, [0.0], isl_topology="ring", **REQUEST)
    grid = sgp4_passes(records, [0.0], isl_topology="grid", **REQUEST)
    assert (ring.isl_hops >= 0).sum() == 12
    assert (grid.isl_hops >= 0).all()

"""Inter-satellite links: topologies, lines of sight, and the paths over them."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.satellites import orbit
from satedge.problem.satellites.isl import isl_paths, plane_links
from support.randomised import examples


def passes(phase_deg, **changes):
    design = {
        "n_satellites": 4,
        "planes": 1,
        "altitude_m": 500e3,
        "min_elevation_deg": 25.0,
        "spacing_deg": 13.0,
        "plane_spacing_deg": 5.0,
        "cross_track_m": 0.0,
        "isl_topology": "chain",
        "isl_min_altitude_m": 80e3,
    }
    return orbit.circular_passes([0.0], phase_deg=phase_deg, **{**design, **changes})


def test_links_of_each_topology():
    """Chains stay in their plane, rings close it, grids join equal ranks of adjacent planes."""
    planes = [np.array([0, 1, 2]), np.array([3, 4, 5])]
    chain = {(0, 1), (1, 2), (3, 4), (4, 5)}
    expected = {
        "chain": chain,
        "ring": chain | {(2, 0), (5, 3)},
        "grid": chain | {(0, 3), (1, 4), (2, 5)},
    }
    for topology, links in expected.items():
        assert {tuple(link) for link in plane_links(planes, topology).tolist()} == links


def test_default_chain_and_ring_paths():
    """Along a 13 degree chain each hop is a chord; a ring shortens four satellites to two hops."""
    chord = 2 * 6871e3 * np.sin(np.deg2rad(6.5))
    chain = passes(0.0)
    assert chain.access[0] == 0
    np.testing.assert_array_equal(chain.isl_hops[0], [0, 1, 2, 3])
    np.testing.assert_allclose(chain.isl_distance_m[0], chord * np.arange(4), rtol=1e-12)
    ring = passes(0.0, isl_topology="ring")
    np.testing.assert_array_equal(ring.isl_hops[0], [0, 1, 2, 1])
    assert ring.isl_distance_m[0, 3] == pytest.approx(2 * 6871e3 * np.sin(np.deg2rad(19.5)))


def test_a_link_that_dips_into_the_atmosphere_does_not_exist():
    """At 500 km a chord of 40.2 degrees still clears 80 km, one of 40.4 degrees does not."""
    clear, blocked = (passes(0.0, spacing_deg=s, n_satellites=2) for s in (40.2, 40.4))
    lowest = 6871e3 * np.cos(np.deg2rad([20.1, 20.2])) - 6371e3
    assert lowest[0] > 80e3 > lowest[1]
    assert clear.isl_hops[0, 1] == 1
    assert blocked.isl_hops[0, 1] == -1
    assert np.isinf(blocked.isl_distance_m[0, 1])


def test_nothing_is_reached_without_an_accessible_satellite():
    """When no satellite is visible every hop count is -1 and every distance infinite."""
    hidden = passes(180.0)
    assert hidden.access[0] == -1
    np.testing.assert_array_equal(hidden.isl_hops, np.full((1, 4), -1))
    assert np.isinf(hidden.isl_distance_m).all()


def reference_paths(positions, links, source, min_radius_m):
    """Dijkstra on (hops, length), and sight tested on many points of each link."""
    neighbours = {}
    for a, b in links:
        points = np.linspace(positions[a], positions[b], 2001)
        if np.linalg.norm(points, axis=1).min() >= min_radius_m:
            length = np.linalg.norm(positions[a] - positions[b])
            neighbours.setdefault(a, []).append((b, length))
            neighbours.setdefault(b, []).append((a, length))
    best, queue = {}, [(0, 0.0, source)] if source >= 0 else []
    while queue:
        hops, length, node = heapq.heappop(queue)
        if node in best:
            continue
        best[node] = (hops, length)
        for other, step in neighbours.get(node, []):
            heapq.heappush(queue, (hops + 1, length + step, other))
    return best


@examples(60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(0, 20))
def test_paths_equal_dijkstra_on_hops_then_length(seed, n_satellites, n_links):
    """Paths have the fewest hops and among those the least length, on any graph."""
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(3, n_satellites, 3))
    positions *= 7e6 / np.linalg.norm(positions, axis=-1, keepdims=True)
    links = rng.integers(0, n_satellites, size=(n_links, 2))
    links = links[links[:, 0] != links[:, 1]]
    access = rng.integers(-1, n_satellites, size=3)
    hops, distance = isl_paths(positions, links, access, 4e6)
    for t in range(3):
        expected = reference_paths(positions[t], links.tolist(), int(access[t]), 4e6)
        for n in range(n_satellites):
            count, length = expected.get(n, (-1, np.inf))
            assert hops[t, n] == count
            assert distance[t, n] == pytest.approx(length, rel=1e-12)

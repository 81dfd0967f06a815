"""Satellite passes over a site: circular planes, visibility windows, inter-satellite paths.

The model is the paper's (Yan et al., Drones 2025, 9(7), 500, Eqs. (4)-(5)): a spherical Earth
that does not rotate and satellites on circular orbits. The paper calls theta in Eq. (5) the
elevation; read as the actual one it gives a window of zero at the zenith, so here theta is the
minimum elevation and Eqs. (4)-(5) give the whole pass. What decisions need is the remaining
window: the time until the satellite sinks below the minimum elevation.

Frame: the z axis is where the planes cross, a quarter of a revolution ahead of the site; plane p
meets the equator of that frame at longitude p * plane_spacing, the site lies on the equator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from satedge.problem.satellites.isl import Floats, Ints, isl_paths, plane_links

EARTH_RADIUS_M = 6371e3
"""Mean radius of the Earth."""
GM = 3.986004418e14
"""Standard gravitational parameter of the Earth (m^3/s^2, WGS84)."""


@dataclass(frozen=True)
class Passes:
    """What N satellites show to one site at T times."""

    elevation_deg: Floats
    """(T, N) elevation above the site's horizon, negative below it."""
    range_m: Floats
    """(T, N) distance from the site."""
    window_s: Floats
    """(T, N) time left until the elevation falls below the minimum; 0 when it is below."""
    access: Ints
    """(T,) the visible satellite of highest elevation (lowest index on ties), -1 when none."""
    isl_hops: Ints
    """(T, N) hops from the accessible satellite: 0 for itself, -1 unreachable or no access."""
    isl_distance_m: Floats
    """(T, N) length of that path: 0 for the accessible satellite, inf where unreachable."""


def orbital_speed_mps(altitude_m: float) -> float:
    """Speed on a circular orbit, sqrt(GM / r)."""
    return float(np.sqrt(GM / (EARTH_RADIUS_M + altitude_m)))


def period_s(altitude_m: float) -> float:
    """Period of a circular orbit (Kepler's third law)."""
    return float(2 * np.pi * (EARTH_RADIUS_M + altitude_m) / orbital_speed_mps(altitude_m))


def coverage_angle_rad(altitude_m: float, min_elevation_deg: float) -> float:
    """Angle at the Earth's centre between the site and a satellite at this elevation, Eq. (5)."""
    theta = np.deg2rad(min_elevation_deg)
    ratio = EARTH_RADIUS_M / (EARTH_RADIUS_M + altitude_m)
    return float(np.arccos(ratio * np.cos(theta)) - theta)


def pass_duration_s(altitude_m: float, min_elevation_deg: float) -> float:
    """Duration of a whole pass through the zenith, Eq. (4): arc over speed."""
    arc_m = 2 * (EARTH_RADIUS_M + altitude_m) * coverage_angle_rad(altitude_m, min_elevation_deg)
    return arc_m / orbital_speed_mps(altitude_m)


def slant_range_m(altitude_m: float, elevation_deg: float) -> float:
    """Distance of a satellite seen at this elevation (law of cosines at the Earth's centre)."""
    theta = np.deg2rad(elevation_deg)
    radius_m = EARTH_RADIUS_M + altitude_m
    across_m = EARTH_RADIUS_M * np.cos(theta)
    return float(np.sqrt(radius_m**2 - across_m**2) - EARTH_RADIUS_M * np.sin(theta))


def circular_passes(
    times_s: npt.ArrayLike,
    *,
    n_satellites: int,
    planes: int,
    altitude_m: float,
    min_elevation_deg: float,
    spacing_deg: float,
    plane_spacing_deg: float,
    cross_track_m: float,
    phase_deg: float,
    isl_topology: str,
    isl_min_altitude_m: float,
) -> Passes:
    """Passes of satellites on circular orbits over a site, Earth rotation off.

    Satellites are numbered plane by plane; in its plane each trails the one before it by
    `spacing_deg`. `phase_deg` is the angle along the track of the first satellite of every plane
    past the point nearest to the site at time 0; `cross_track_m` is the distance on the ground of
    the site from the track of plane 0, positive towards plane 1.

    `times_s`: (T,). Raises ValueError for sizes that do not fit, a minimum elevation outside
    [0, 90), an altitude that is not positive, or an unknown topology.
    """
    _check_design(n_satellites, planes, altitude_m, min_elevation_deg)
    times = np.asarray(times_s, dtype=np.float64)
    per_plane = n_satellites // planes
    links = plane_links([np.arange(per_plane) + p * per_plane for p in range(planes)], isl_topology)
    index = np.arange(n_satellites)
    plane_rad = np.deg2rad(plane_spacing_deg) * (index // max(per_plane, 1))
    start_rad = np.deg2rad(phase_deg - spacing_deg * (index % max(per_plane, 1)))
    rate = 2 * np.pi / period_s(altitude_m)
    along_rad = start_rad + rate * times[:, None]
    across_rad = plane_rad - cross_track_m / EARTH_RADIUS_M

    elevation, range_m = _seen_from_site(altitude_m, along_rad, across_rad)
    half_rad, far = _half_pass(altitude_m, min_elevation_deg, across_rad)
    window = _ahead_rad(along_rad, half_rad, far) / rate
    positions = (EARTH_RADIUS_M + altitude_m) * _directions(along_rad, plane_rad)
    return assemble_passes(elevation, range_m, window, positions, links, isl_min_altitude_m)


def phase_interval_deg(
    *,
    horizon_s: float,
    n_satellites: int,
    planes: int,
    altitude_m: float,
    min_elevation_deg: float,
    spacing_deg: float,
    plane_spacing_deg: float,
    cross_track_m: float,
) -> tuple[float, float]:
    """Phases of `circular_passes` for which some satellite is visible all through [0, horizon_s].

    The longest such interval (low, high), its middle in [-180, 180); (0, 360) when every phase
    will do. Where no phase covers the horizon: the longest interval of phases with a satellite
    visible at time 0. Where the site is never seen at all (or there are no satellites): (0, 360),
    since no phase is better than another. Raises ValueError as `circular_passes` does.
    """
    _check_design(n_satellites, planes, altitude_m, min_elevation_deg)
    per_plane = max(n_satellites // planes, 1)
    index = np.arange(n_satellites)
    across_rad = _across_rad(index // per_plane, plane_spacing_deg, cross_track_m)
    half_rad, far = _half_pass(altitude_m, min_elevation_deg, across_rad)
    seen = half_rad >= 0
    centre_rad = np.deg2rad(spacing_deg) * (index % per_plane) + np.where(far, np.pi, 0.0)
    low, high = _longest_arc_deg(centre_rad[seen], half_rad[seen])
    if high - low >= 360:
        return 0.0, 360.0
    travelled_deg = 360.0 * horizon_s / period_s(altitude_m)
    if high - low >= travelled_deg:
        high -= travelled_deg
    turns = np.floor((0.5 * (low + high) + 180.0) / 360.0)
    return float(low - 360.0 * turns), float(high - 360.0 * turns)


def seen_phase_deg(
    window_s: npt.ArrayLike,
    *,
    n_satellites: int,
    planes: int,
    altitude_m: float,
    min_elevation_deg: float,
    spacing_deg: float,
    plane_spacing_deg: float,
    cross_track_m: float,
) -> float:
    """The phase of `circular_passes` at a time whose remaining windows (N,) are seen.

    It follows from the longest of them; NaN where no satellite is visible.
    """
    _check_design(n_satellites, planes, altitude_m, min_elevation_deg)
    window = np.asarray(window_s, dtype=np.float64)
    if not (window > 0).any():
        return float("nan")
    n, per_plane = int(window.argmax()), n_satellites // planes
    across_rad = _across_rad(np.array([n // per_plane]), plane_spacing_deg, cross_track_m)
    half_rad, far = _half_pass(altitude_m, min_elevation_deg, across_rad)
    past_rad = float(half_rad[0] - window[n] * 2 * np.pi / period_s(altitude_m))
    past_deg = np.rad2deg(past_rad) + (180.0 if far[0] else 0.0)
    return float(past_deg + spacing_deg * (n % per_plane))


def _check_design(
    n_satellites: int, planes: int, altitude_m: float, min_elevation_deg: float
) -> None:
    """Refuse what has no geometry."""
    if n_satellites < 0 or planes < 1 or n_satellites % planes:
        raise ValueError(
            f"n_satellites={n_satellites}, planes={planes}: "
            "planes must be at least 1 and divide n_satellites"
        )
    if not altitude_m > 0:
        raise ValueError(f"altitude_m={altitude_m}: must be positive")
    if not 0 <= min_elevation_deg < 90:
        raise ValueError(f"min_elevation_deg={min_elevation_deg}: must lie in [0, 90)")


def _seen_from_site(
    altitude_m: float, along_rad: Floats, across_rad: Floats
) -> tuple[Floats, Floats]:
    """Elevation (deg) and range (m), (T, N), from angles along (T, N) and across (N,) the track."""
    radius_m = EARTH_RADIUS_M + altitude_m
    cos_central = np.cos(along_rad) * np.cos(across_rad)
    # hypot of the two legs: 1 - cos^2 would lose half the digits near the zenith.
    sin_central = np.hypot(np.sin(along_rad), np.cos(along_rad) * np.sin(across_rad))
    up_m = radius_m * cos_central - EARTH_RADIUS_M
    out_m = radius_m * sin_central
    return np.rad2deg(np.arctan2(up_m, out_m)), np.hypot(up_m, out_m)


def _across_rad(plane: npt.NDArray[np.int64], spacing_deg: float, cross_track_m: float) -> Floats:
    """Angles from the site to the tracks of planes (N,)."""
    angle: Floats = np.deg2rad(spacing_deg) * plane - cross_track_m / EARTH_RADIUS_M
    return angle


def _half_pass(
    altitude_m: float, min_elevation_deg: float, across_rad: Floats
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Half the pass along the track (N,), -1 where there is none, and whether it is the far side.

    A satellite is visible where cos(along) cos(across) >= cos(omega), omega of Eq. (5).
    """
    nearest = np.cos(across_rad)
    limit = np.cos(coverage_angle_rad(altitude_m, min_elevation_deg))
    ratio = limit / np.maximum(np.abs(nearest), limit)
    return np.where(np.abs(nearest) < limit, -1.0, np.arccos(ratio)), nearest < 0


def _directions(along_rad: Floats, plane_rad: Floats) -> Floats:
    """(T, N, 3) Unit vectors from the centre of Earth."""
    level = np.cos(along_rad)
    parts = level * np.cos(plane_rad), level * np.sin(plane_rad), np.sin(along_rad)
    return np.stack(parts, axis=-1)


def _ahead_rad(along_rad: Floats, half_rad: Floats, far: npt.NDArray[np.bool_]) -> Floats:
    """Angle along the track until the pass ends, (T, N); 0 outside of passes."""
    # Nearest approach is at along = 0, or half a revolution on for planes beyond the pole.
    past_rad = np.mod(along_rad + np.where(far, 0.0, np.pi), 2 * np.pi) - np.pi
    return np.where(np.abs(past_rad) <= half_rad, half_rad - past_rad, 0.0)


def _longest_arc_deg(centre_rad: Floats, half_rad: Floats) -> tuple[float, float]:
    """Longest arc in the union of arcs centre +- half on the circle; (0, 360) if there is none."""
    if not centre_rad.size:
        return 0.0, 360.0
    half_deg = np.rad2deg(half_rad)
    start = np.mod(np.rad2deg(centre_rad) - half_deg, 360.0)
    arcs = [
        (s + turn, s + turn + 2 * h)
        for turn in (0.0, 360.0)
        for s, h in zip(start, half_deg, strict=True)
    ]
    arcs.sort()
    low, high = arcs[0]
    best_low, best_high = low, high
    for s, e in arcs[1:]:
        low, high = (low, max(high, e)) if s < high else (s, e)
        # The margin lets the first of several equal arcs win whatever the rounding.
        if high - low > best_high - best_low + 1e-9:
            best_low, best_high = low, high
    return best_low, best_high


def assemble_passes(
    elevation_deg: Floats,
    range_m: Floats,
    window_s: Floats,
    positions_m: Floats,
    links: Ints,
    isl_min_altitude_m: float,
    earth_radius_m: float = EARTH_RADIUS_M,
) -> Passes:
    """Choose the accessible satellite of each time and find the paths from it."""
    n_times, n_satellites = elevation_deg.shape
    access = np.full(n_times, -1, dtype=np.int64)
    if n_satellites:
        height = np.where(window_s > 0, elevation_deg, -np.inf)
        access = np.where(np.any(window_s > 0, axis=1), np.argmax(height, axis=1), -1)
    hops, distance_m = isl_paths(positions_m, links, access, earth_radius_m + isl_min_altitude_m)
    return Passes(elevation_deg, range_m, window_s, access, hops, distance_m)

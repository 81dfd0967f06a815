"""Passes over a site of satellites known by their orbital elements, propagated with SGP4."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from satedge.problem.satellites.element_files import ElementsError, ElementSet, read_elements
from satedge.problem.satellites.isl import Floats, Ints, plane_links
from satedge.problem.satellites.orbit import Passes, assemble_passes
from satedge.problem.satellites.topocentric import (
    EQUATOR_RADIUS_M,
    elevation_and_range,
    sidereal_angle_rad,
    site_and_zenith,
)
from satedge.problem.satellites.walker import write_walker_tle

__all__ = [
    "ElementSet",
    "ElementsError",
    "StaleElementsWarning",
    "propagate",
    "read_elements",
    "sgp4_passes",
    "write_walker_tle",
]

_SCAN_STEP_S = 10.0
"""A sight lost for less than this between two slots goes unnoticed."""
_SCAN_BLOCK_S = 600.0
"""Looked at together: a low pass lasts about as long. Changes no window."""
_ZOOM_POINTS = 65
_ZOOMS = 3
"""A bracket of one scan step shrinks to 10 s / 64^3 = 40 us, then a straight line."""
_SAME_PLANE_RAD = np.deg2rad(1.0)
"""Normals this near are of one plane. Open: planes of constellations are tens of degrees apart."""


class StaleElementsWarning(UserWarning):
    """Elements were taken far from their epoch: SGP4 errors grow by kilometres a day."""


def sgp4_passes(
    records: Sequence[ElementSet],
    times_s: npt.ArrayLike,
    *,
    epoch: datetime,
    latitude_deg: float,
    longitude_deg: float,
    altitude_m: float,
    min_elevation_deg: float,
    isl_topology: str,
    isl_min_altitude_m: float,
    stale_after_days: float = 7.0,
    window_cap_s: float = 86400.0,
) -> Passes:
    """Passes of satellites over a WGS84 site, Earth rotation on.

    `times_s` (T,), strictly increasing, counts from `epoch` (UTC; without a zone it is UTC). The
    site is given by geodetic latitude, longitude (east) and height. Windows end at the first time
    the elevation falls below the minimum, to better than a millisecond, or at `window_cap_s`.

    Links: satellites whose orbit normals lie within a degree share a plane, ordered by argument
    of latitude at the first time (a chain is open at its widest gap); the grid joins each
    satellite to the one of nearest argument of latitude in the next plane by node.

    Warns with StaleElementsWarning when the epoch of a record is further than `stale_after_days`
    from a requested time. Raises ElementsError when SGP4 cannot propagate a record, ValueError
    for inadmissible arguments.
    """
    times = np.asarray(times_s, dtype=np.float64)
    _check_request(times, latitude_deg, min_elevation_deg)
    start = _utc(epoch)
    _warn_if_stale(records, start, times, stale_after_days)
    sky = _Sky(records, start, latitude_deg, longitude_deg, altitude_m)
    elevation, range_m, positions = sky.look(times)
    window = np.zeros_like(elevation)
    for n in np.flatnonzero((elevation >= min_elevation_deg).any(axis=0)):
        window[:, n] = _windows(sky, int(n), times, min_elevation_deg, window_cap_s)
    links = _links(propagate(records, start, times[:1]), isl_topology)
    return assemble_passes(
        elevation, range_m, window, positions, links, isl_min_altitude_m, EQUATOR_RADIUS_M
    )


def _check_request(times_s: Floats, latitude_deg: float, min_elevation_deg: float) -> None:
    """Refuse what has no answer."""
    if times_s.ndim != 1 or not times_s.size or not np.all(np.diff(times_s) > 0):
        raise ValueError("times_s: must be a non-empty, strictly increasing vector")
    if not -90 <= latitude_deg <= 90:
        raise ValueError(f"latitude_deg={latitude_deg}: must lie in [-90, 90]")
    if not 0 <= min_elevation_deg < 90:
        raise ValueError(f"min_elevation_deg={min_elevation_deg}: must lie in [0, 90)")


def _warn_if_stale(
    records: Sequence[ElementSet], start: datetime, times_s: Floats, stale_after_days: float
) -> None:
    """One warning that names the worst record."""

    def age_days(record: ElementSet) -> float:
        ages = [start + timedelta(seconds=float(t)) - record.epoch for t in times_s[[0, -1]]]
        return max(abs(age) / timedelta(days=1) for age in ages)

    stale = [record for record in records if age_days(record) > stale_after_days]
    if stale:
        worst = max(stale, key=age_days)
        warnings.warn(
            f"{len(stale)} of {len(records)} element sets are more than {stale_after_days:g} days "
            f"from {start:%Y-%m-%d %H:%M} UTC; {worst.name} by {age_days(worst):.1f} days",
            StaleElementsWarning,
            stacklevel=3,
        )


class _Sky:
    """Satellites as a site sees them; times count in seconds from `start` (UTC)."""

    def __init__(
        self,
        records: Sequence[ElementSet],
        start: datetime,
        latitude_deg: float,
        longitude_deg: float,
        altitude_m: float,
    ) -> None:
        self.records, self.start = records, start
        self.site_m, self.zenith = site_and_zenith(latitude_deg, longitude_deg, altitude_m)

    def look(self, times_s: Floats, n: int | None = None) -> tuple[Floats, Floats, Floats]:
        """Elevation (T, N), range (T, N) and TEME positions (T, N, 3), of all or the n-th alone."""
        records = self.records if n is None else [self.records[n]]
        position_m, _ = propagate(records, self.start, times_s)
        angle_rad = sidereal_angle_rad(*_julian(self.start, times_s))
        elevation, range_m = elevation_and_range(position_m, angle_rad, self.site_m, self.zenith)
        return elevation, range_m, position_m


def propagate(
    records: Sequence[ElementSet], epoch: datetime, times_s: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """TEME positions (T, N, 3) in metres and velocities in m/s at `times_s` (T,) from `epoch`.

    Raises ElementsError with the satellite, the time and SGP4's reason.
    """
    from sgp4.api import SGP4_ERRORS, SatrecArray

    times = np.asarray(times_s, dtype=np.float64)
    if not records:
        return np.zeros((len(times), 0, 3)), np.zeros((len(times), 0, 3))
    satellites = SatrecArray([record.satrec for record in records])
    day_jd, day = _julian(epoch, times)
    error, position_km, velocity_km_s = satellites.sgp4(np.full_like(day, day_jd), day)
    if error.any():
        which, when = np.argwhere(error)[0]
        moment = _utc(epoch) + timedelta(seconds=float(times[when]))
        raise ElementsError(
            f"{records[which].name}: SGP4 fails at {moment:%Y-%m-%d %H:%M:%S} UTC: "
            f"{SGP4_ERRORS.get(int(error[which, when]), 'unknown reason')}"
        )
    return 1e3 * position_km.swapaxes(0, 1), 1e3 * velocity_km_s.swapaxes(0, 1)


def _utc(moment: datetime) -> datetime:
    """The moment in UTC; without a zone it is UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _julian(epoch: datetime, times_s: Floats) -> tuple[float, Floats]:
    """Julian date of the epoch's midnight, and days since then of each time (T,)."""
    start = _utc(epoch)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    day_jd = 2451544.5 + (midnight - datetime(2000, 1, 1, tzinfo=UTC)).days
    return day_jd, ((start - midnight) / timedelta(seconds=1) + times_s) / 86400.0


def _windows(
    sky: _Sky, n: int, times_s: Floats, min_elevation_deg: float, window_cap_s: float
) -> Floats:
    """Remaining windows (T,) of satellite n, by scanning ahead and closing in on each setting."""
    scan = np.union1d(times_s, np.arange(times_s[0], times_s[-1], _SCAN_STEP_S))
    up = sky.look(scan, n)[0][:, 0] >= min_elevation_deg
    while up[-1] and scan[-1] < times_s[-1] + window_cap_s:
        ahead = scan[-1] + np.arange(_SCAN_STEP_S, _SCAN_BLOCK_S, _SCAN_STEP_S)
        scan = np.append(scan, ahead)
        up = np.append(up, sky.look(ahead, n)[0][:, 0] >= min_elevation_deg)
    falls = np.flatnonzero(up[:-1] & ~up[1:])
    sets_s = [_crossing(sky, n, scan[k], scan[k + 1], min_elevation_deg) for k in falls]
    slot = np.searchsorted(scan, times_s)
    next_set_s = np.append(sets_s, np.inf)[np.searchsorted(falls, slot)]
    return np.where(up[slot], np.minimum(next_set_s - times_s, window_cap_s), 0.0)


def _crossing(sky: _Sky, n: int, up_s: float, down_s: float, min_elevation_deg: float) -> float:
    """First time after `up_s` at which satellite n falls below the minimum."""
    for _ in range(_ZOOMS):
        scan = np.linspace(up_s, down_s, _ZOOM_POINTS)
        excess = sky.look(scan, n)[0][:, 0] - min_elevation_deg
        # Both ends are known; only the inner points may move them.
        first = 1 + int(np.argmax(np.append(excess[1:-1] < 0, True)))
        up_s, down_s = scan[first - 1], scan[first]
    above, below = max(excess[first - 1], 0.0), min(excess[first], 0.0)
    return float(up_s + (down_s - up_s) * above / max(above - below, np.finfo(float).tiny))


def _links(states: tuple[Floats, Floats], topology: str) -> Ints:
    """Links (E, 2) by planes found from positions and velocities (1, N, 3)."""
    position, velocity = states[0][0], states[1][0]
    normal = np.cross(position, velocity)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    planes, nodes, latitude = [], [], np.zeros(len(position))
    for group in _planes(normal):
        # The first member's axes serve the plane: single nodes scatter near the equator.
        axis = normal[group[0]]
        node = np.arctan2(axis[0], -axis[1])
        ascending = np.array([np.cos(node), np.sin(node), 0.0])
        ahead = np.cross(axis, ascending)
        latitude[group] = np.arctan2(position[group] @ ahead, position[group] @ ascending)
        planes.append(group[_open_order(latitude[group])])
        nodes.append(node)
    links = plane_links(planes, topology if topology != "grid" else "chain")
    if topology != "grid":
        return links
    across = [
        (a, planes[right][np.argmax(np.cos(latitude[planes[right]] - latitude[a]))])
        for left, right in pairwise(_open_order(np.array(nodes)))
        for a in planes[left]
    ]
    return np.concatenate([links, np.array(across, dtype=np.int64).reshape(-1, 2)])


def _planes(normal: Floats) -> list[Ints]:
    """Satellites grouped by orbit normal (N, 3): each joins the first group it is close to."""
    groups: list[list[int]] = []
    for n, axis in enumerate(normal):
        for group in groups:
            if axis @ normal[group[0]] >= np.cos(_SAME_PLANE_RAD):
                group.append(n)
                break
        else:
            groups.append([n])
    return [np.array(group) for group in groups]


def _open_order(angle_rad: Floats) -> Ints:
    """Order around the circle, starting after the widest gap."""
    order = np.argsort(angle_rad, kind="stable")
    if len(order) < 2:
        return order
    gap = np.mod(np.diff(angle_rad[order], append=angle_rad[order[0]] + 2 * np.pi), 2 * np.pi)
    # Rounded, so that equal gaps open at the same place whatever the last digits.
    return np.roll(order, -1 - int(np.argmax(np.round(gap, 3))))

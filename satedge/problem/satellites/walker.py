"""Synthetic Walker constellations, written as two-line element sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from satedge.problem.io.folder import write_atomically
from satedge.problem.satellites.element_files import tle_checksum
from satedge.problem.satellites.orbit import EARTH_RADIUS_M


def write_walker_tle(
    path: str | Path,
    *,
    n_satellites: int,
    planes: int,
    phasing: int,
    altitude_m: float,
    inclination_deg: float,
    epoch: datetime,
) -> None:
    """Write a synthetic Walker delta constellation i: N/P/F as three-line element sets.

    Circular orbits whose mean radius is the mean Earth radius plus `altitude_m`; SGP4 moves them
    a few kilometres about it (J2). Planes are spread evenly over 360 degrees of node, satellites
    evenly in their plane, and a satellite leads its neighbour in the plane to the west by
    360 F / N degrees (Walker 1984). `epoch`, UTC, is rounded to the format's 0.864 ms.

    Raises ValueError unless P divides N, 0 <= F < P, 1 <= N <= 99999, altitude is positive and
    inclination lies in [0, 180].
    """
    _check(n_satellites, planes, phasing, altitude_m, inclination_deg)
    per_plane = n_satellites // planes
    motion, stamp = _kozai_mean_motion(altitude_m, inclination_deg), _tle_epoch(epoch)
    lines = []
    for index in range(n_satellites):
        plane, rank = divmod(index, per_plane)
        node_deg = 360.0 * plane / planes
        anomaly_deg = (360.0 * rank / per_plane + 360.0 * phasing * plane / n_satellites) % 360.0
        one = f"1 {index + 1:05d}U 00000A   {stamp}  .00000000  00000-0  00000-0 0  999"
        two = (
            f"2 {index + 1:05d} {inclination_deg:8.4f} {node_deg:8.4f} 0000000 {0:8.4f} "
            f"{anomaly_deg:8.4f} {motion:11.8f}{0:5d}"
        )
        lines += [f"WALKER {plane + 1}-{rank + 1}", f"{one}{tle_checksum(one)}"]
        lines += [f"{two}{tle_checksum(two)}"]
    write_atomically(Path(path), ("\n".join(lines) + "\n").encode("ascii"))


def _check(
    n_satellites: int, planes: int, phasing: int, altitude_m: float, inclination_deg: float
) -> None:
    """Refuse what is no constellation, or none that element sets can hold."""
    if not (1 <= n_satellites <= 99999 and planes >= 1 and n_satellites % planes == 0):
        raise ValueError(
            f"n_satellites={n_satellites}, planes={planes}: must be 1 to 99999 satellites in "
            "planes of equal number"
        )
    if not 0 <= phasing < planes:
        raise ValueError(f"phasing={phasing}: must lie in [0, {planes - 1}]")
    if not (altitude_m > 0 and 0 <= inclination_deg <= 180):
        raise ValueError(
            f"altitude_m={altitude_m}, inclination_deg={inclination_deg}: must be positive and "
            "in [0, 180]"
        )


def _kozai_mean_motion(altitude_m: float, inclination_deg: float) -> float:
    """Mean motion (revolutions a day) that SGP4 turns into this mean radius.

    Hoots and Roehrich, Spacetrack Report No. 3 (1980), section 6, solved to first order in J2
    for a circular orbit, with the WGS72 constants of SGP4.
    """
    gm_m3_s2, equator_m, j2 = 3.986008e14, 6378135.0, 0.001082616
    radius_m = EARTH_RADIUS_M + altitude_m
    cosine = np.cos(np.deg2rad(inclination_deg))
    delta = 0.75 * j2 * (3 * cosine**2 - 1) * (equator_m / radius_m) ** 2
    return float(np.sqrt(gm_m3_s2 / radius_m**3) * (1 + delta) * 86400 / (2 * np.pi))


def _tle_epoch(epoch: datetime) -> str:
    """Epoch as YYDDD.DDDDDDDD; without a zone it is UTC."""
    moment = epoch.replace(tzinfo=UTC) if epoch.tzinfo is None else epoch.astimezone(UTC)
    unit = timedelta(microseconds=864)  # the eighth decimal of a day
    century = datetime(2000, 1, 1, tzinfo=UTC)
    moment = century + unit * round((moment - century) / unit)
    fraction, year = moment - datetime(moment.year, 1, 1, tzinfo=UTC), moment.year % 100
    day, rest = divmod(fraction, timedelta(days=1))
    return f"{year:02d}{day + 1:03d}.{rest // unit:08d}"

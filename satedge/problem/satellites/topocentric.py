"""What a site on the rotating Earth sees of positions in the TEME frame of SGP4.

The site is turned into that frame by Greenwich mean sidereal time, with UT1 taken as UTC (they
differ by at most 0.9 s, 0.4 km of Earth rotation) and polar motion left out (under 15 m): below
the kilometre that element sets are good for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EQUATOR_RADIUS_M = 6378137.0
"""Semi-major axis of the Earth, WGS84."""
FLATTENING = 1 / 298.257223563
"""WGS84."""


def sidereal_angle_rad(day_jd: float, day: Floats) -> Floats:
    """Greenwich mean sidereal time at Julian date day_jd + day (UT1), IAU 1982.

    Aoki et al., Astron. Astrophys. 105 (1982); Vallado, Fundamentals of Astrodynamics, 4th
    edition, Eq. (3-47).
    """
    century = ((day_jd - 2451545.0) + day) / 36525.0
    seconds = (
        67310.54841
        + (876600.0 * 3600 + 8640184.812866) * century
        + 0.093104 * century**2
        - 6.2e-6 * century**3
    )
    return np.asarray(np.mod(seconds, 86400.0) * (2 * np.pi / 86400.0))


def site_and_zenith(
    latitude_deg: float, longitude_deg: float, altitude_m: float
) -> tuple[Floats, Floats]:
    """Earth-fixed position (3,) in metres and zenith (3,) of a geodetic site, WGS84."""
    latitude, longitude = np.deg2rad(latitude_deg), np.deg2rad(longitude_deg)
    east = np.array([np.cos(longitude), np.sin(longitude)])
    zenith = np.append(np.cos(latitude) * east, np.sin(latitude))
    squeeze = (1 - FLATTENING) ** 2
    curvature_m = EQUATOR_RADIUS_M / np.sqrt(1 - (1 - squeeze) * np.sin(latitude) ** 2)
    return curvature_m * zenith * [1, 1, squeeze] + altitude_m * zenith, zenith


def elevation_and_range(
    position_m: Floats, sidereal_rad: Floats, site_m: Floats, zenith: Floats
) -> tuple[Floats, Floats]:
    """Elevation (T, N) in degrees and range (T, N) of TEME positions (T, N, 3) over a site."""
    sight = position_m - _turned(site_m, sidereal_rad)[:, None]
    range_m = np.linalg.norm(sight, axis=-1)
    up_m = np.sum(sight * _turned(zenith, sidereal_rad)[:, None], axis=-1)
    return np.rad2deg(np.arcsin(up_m / range_m)), range_m


def _turned(vector: Floats, angle_rad: Floats) -> Floats:
    """The vector (3,) turned about the pole by each angle (T,): (T, 3)."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    x, y, z = vector
    return np.stack([cosine * x - sine * y, sine * x + cosine * y, np.full_like(cosine, z)], -1)

"""What a device's options are worth by themselves, read from observations of any size.

The observation (drl.env.spaces.Encoder) is turned back into the quantities that decide, device by
device and server by server: execution and relay, the time left for the upload, the gain. Networks
that share their weights over devices and servers then need not learn the model's formulas, nor
which server is which. What is not observed is approximated: distances of satellites as if their
track crossed the zenith, links along a chain, a UAV's download at DOWN_bit_per_Hz.
Arrays (..., K, S) of either library; K devices, M UAVs, N satellites, S = M + N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from drl.core.library import Array, library
from drl.env.spaces import Encoder, middle_and_half
from satedge.problem.coefficients import SPEED_OF_LIGHT_MPS
from satedge.problem.satellites.orbit import EARTH_RADIUS_M, pass_duration_s
from satedge.problem.scenario import Scenario

#: Rate of a UAV's download: it takes a tenth of a millisecond.
DOWN_bit_per_Hz = 3.0

#: Seconds left for the upload count at least as much; less means late whatever the rate.
SHORTEST_S = 0.02


@dataclass(frozen=True, eq=False)
class Options:
    """Slots, leading axes free."""

    away_m: Array
    """(..., K, M, 2) from the UAVs, before they move, to the devices."""
    slant_m2: Array
    """(..., K, M) squared distance between them, altitude included."""
    altitude_m2: Array
    """(..., 1, M) squared altitude."""
    request: Array
    """(..., K, 4) size, words, deadline, floor as observed: about [-1, 1]."""
    deadline_s: Array
    """(..., K, 1)"""
    altitude: Array
    """(..., M) as observed."""
    window: Array
    """(..., N) as observed."""
    receiver_log_gain: Array
    """(..., K, M + 1) log of gain over noise at 1 W: UAVs, then the accessible satellite."""
    log_gain: Array
    """(..., K, S) the same by server."""
    execute_s: Array
    """(..., K, S) on an unshared server."""
    fixed_cost: Array
    """(..., K, S) cost of all but the upload, on an unshared server."""
    slack_s: Array
    """(..., K, S) what deadline and all but the upload leave for it; negative: nothing."""
    upload_bit_per_Hz: Array
    """(..., K, S) input over bandwidth: seconds at 1 bit/s/Hz."""
    margin: Array
    """(..., K, S) accuracy of the server above the floor."""
    hops: Array
    """(..., N) links from the accessible satellite, along the chain."""


class Reader:
    """Reads observations of one scenario's size and ranges."""

    def __init__(self, scenario: Scenario) -> None:
        s = self.scenario = scenario
        encoder, models = Encoder(s), s.models()
        per_s, per_J = s.latency_weight_per_s, s.energy_weight_per_J
        self.places = [(encoder.places[n], encoder.shapes[n]) for n in _READ]
        below, n = np.arange(s.n_servers) < s.n_uavs, s.n_servers
        speed_TFLOPS = np.where(below, s.uav_TFLOPS, s.satellite_TFLOPS)
        down_s = below * s.token_bit / (DOWN_bit_per_Hz * s.uav_bandwidth_Hz)
        self.word_s = np.array(models.work_TFLOP) / speed_TFLOPS
        self.word_known_s = self.word_s + down_s
        compute_W = np.where(below, s.uav_compute_W, s.satellite_compute_W)
        energy_J = self.word_s * compute_W + down_s * s.uav_power_W
        self.word_cost = per_s * self.word_known_s + per_J * energy_J
        self.typical_cost = float(
            self.word_s.mean() * np.mean(s.output_words) * (per_s + per_J * compute_W.mean())
        )
        self.relay_cost = per_s + per_J * s.isl_power_W
        self.way_cost = 2 * per_s + per_J * s.satellite_power_W
        self.per_Hz = 1 / np.where(below, s.uav_bandwidth_Hz, s.satellite_bandwidth_Hz)
        self.accuracy = np.array(models.accuracy)
        self.receiver = np.minimum(np.arange(n), s.n_uavs)
        self.index = np.arange(s.n_satellites)
        sizes = np.array([s.n_devices / 20, s.n_uavs / 5, s.n_satellites / 5])
        self.fixed = np.column_stack([below, np.tile(sizes, (n, 1))])
        self._orbits()
        words = s.output_words
        ends = (
            (s.input_min_bit, s.input_max_bit),
            (min(words), max(words)),
            (s.deadline_min_s, s.deadline_max_s),
            (s.accuracy_min, s.accuracy_max),
        )
        self.middle, self.half = np.array([middle_and_half(*e) for e in ends]).T
        self.window_range = middle_and_half(0.0, encoder.whole_window())
        self.altitude_range = middle_and_half(s.uav_altitude_min_m, s.uav_altitude_max_m)
        ranges = [encoder.uav_range_dB()] * s.n_uavs + [encoder.satellite_range_dB()]
        gain = np.array([middle_and_half(*r) for r in ranges]) * (math.log(10) / 10)
        self.gain_middle, self.gain_half = gain[:, 0] - math.log(s.noise_W), gain[:, 1]
        self._constants: dict[Any, SimpleNamespace] = {}

    def _orbits(self) -> None:
        """Length of a link of the chain, and what tells the distance of a satellite from its
        window."""
        s = self.scenario
        radius_m = EARTH_RADIUS_M + s.satellite_altitude_m
        step_m = 2 * radius_m * math.sin(math.radians(s.satellite_spacing_deg) / 2)
        self.hop_s = step_m / SPEED_OF_LIGHT_MPS
        least = math.radians(s.elevation_min_deg)
        self.pass_rad = math.acos(EARTH_RADIUS_M / radius_m * math.cos(least)) - least
        self.whole_s = pass_duration_s(s.satellite_altitude_m, s.elevation_min_deg)
        self.square_s2 = (EARTH_RADIUS_M**2 + radius_m**2) / SPEED_OF_LIGHT_MPS**2
        self.product_s2 = 2 * EARTH_RADIUS_M * radius_m / SPEED_OF_LIGHT_MPS**2

    def constants(self, like: Array) -> SimpleNamespace:
        """The arrays of this object, of the library and on the device of another array."""
        key = getattr(like, "device", None)
        if key not in self._constants:
            arrays = {n: v for n, v in vars(self).items() if isinstance(v, np.ndarray)}
            made = {n: _of_library(v, like) for n, v in arrays.items()}
            self._constants[key] = SimpleNamespace(**made)
        return self._constants[key]

    def read(self, obs: Array) -> Options:
        """Flat observations (..., D)."""
        s, m, xp, c = self.scenario, self.scenario.n_uavs, library(obs), self.constants(obs)
        devices, links, uavs, satellites = (
            obs[..., place].reshape(*obs.shape[:-1], *shape) for place, shape in self.places
        )
        side = s.area_side_m / 2
        value = devices[..., :4] * c.half + c.middle
        bits, words, deadline_s = value[..., :1], value[..., 1:2], value[..., 2:3]  # (..., K, 1)
        log_gain = links * c.gain_half + c.gain_middle
        hops, window_s = self._orbit(satellites)
        angle = xp.clip(window_s * (2 / self.whole_s) - 1, -1, 1) * self.pass_rad
        way_s = xp.sqrt(self.square_s2 - self.product_s2 * xp.cos(angle))[..., None]
        relay_s = hops[..., None, :] * (bits * (1 / s.isl_rate_bps) + 2 * self.hop_s)
        above = relay_s * self.relay_cost + way_s * self.way_cost
        in_sight_s = xp.minimum(deadline_s, window_s[..., None]) - relay_s - 2 * way_s
        until_s = xp.columns(deadline_s.shape[:-1], [deadline_s] * m + [in_sight_s])
        middle_m, half_m = self.altitude_range
        altitude_m2 = (uavs[..., None, :, 2] * half_m + middle_m) ** 2
        away_m = (devices[..., :, None, 4:] - uavs[..., None, :, :2]) * side
        return Options(
            away_m=away_m,
            slant_m2=xp.total(away_m**2, -1) + altitude_m2,
            altitude_m2=altitude_m2,
            request=devices[..., :4],
            deadline_s=deadline_s,
            altitude=uavs[..., 2],
            window=satellites[..., 0],
            receiver_log_gain=log_gain,
            log_gain=log_gain[..., c.receiver],
            execute_s=words * c.word_s,
            fixed_cost=words * c.word_cost + xp.pad(above, m, 0),
            slack_s=until_s - words * c.word_known_s,
            upload_bit_per_Hz=bits * c.per_Hz,
            margin=c.accuracy - value[..., 3:],
            hops=hops,
        )

    def _orbit(self, satellites: Array) -> tuple[Array, Array]:
        """(..., N) links from the accessible satellite, 0 without one; its window, (..., 1)."""
        xp, index = library(satellites), self.constants(satellites).index
        flags = satellites[..., 1]
        seen = xp.total(flags, -1, True)
        hops = abs(index - xp.total(flags * index, -1, True)) * seen
        scaled = xp.total(satellites[..., 0] * flags, -1, True)
        middle, half = self.window_range
        return hops, xp.expm1(scaled * half + middle) * self.scenario.slot_s


#: Parts of observations that are read.
_READ = ("devices", "links", "uavs", "satellites")


def _of_library(value: NDArray[Any], like: Array) -> Array:
    """The same numbers: whole ones as they are, others in single precision."""
    numbers = value if value.dtype.kind == "i" else value.astype(np.float32)
    return numbers if isinstance(like, np.ndarray) else torch.from_numpy(numbers).to(like.device)

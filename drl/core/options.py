"""What a device's options are worth by themselves, read from observations of any size.

The observation (drl.env.spaces.Encoder) is turned back into the quantities that decide, device by
device and server by server: execution and relay, the time left for the upload, the gain. Networks
that share their weights over devices and servers then need not learn the model's formulas, nor
which server is which. What is not observed is approximated: distances of satellites as if their
track crossed the zenith, links along a chain, a UAV's download at DOWN_bit_per_Hz.
Plain tensors (..., K, S), any device; K devices, M UAVs, N satellites, S = M + N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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

    away_m: Tensor
    """(..., K, M, 2) from the UAVs, before they move, to the devices."""
    slant_m2: Tensor
    """(..., K, M) squared distance between them, altitude included."""
    altitude_m2: Tensor
    """(..., 1, M) squared altitude."""
    request: Tensor
    """(..., K, 4) size, words, deadline, floor as observed: about [-1, 1]."""
    deadline_s: Tensor
    """(..., K, 1)"""
    altitude: Tensor
    """(..., M) as observed."""
    window: Tensor
    """(..., N) as observed."""
    receiver_log_gain: Tensor
    """(..., K, M + 1) log of gain over noise at 1 W: UAVs, then the accessible satellite."""
    log_gain: Tensor
    """(..., K, S) the same by server."""
    execute_s: Tensor
    """(..., K, S) on an unshared server."""
    fixed_cost: Tensor
    """(..., K, S) cost of all but the upload, on an unshared server."""
    slack_s: Tensor
    """(..., K, S) what deadline and all but the upload leave for it; negative: nothing."""
    upload_bit_per_Hz: Tensor
    """(..., K, S) input over bandwidth: seconds at 1 bit/s/Hz."""
    margin: Tensor
    """(..., K, S) accuracy of the server above the floor."""
    hops: Tensor
    """(..., N) links from the accessible satellite, along the chain."""


class Reader:
    """Reads observations of one scenario's size and ranges."""

    def __init__(self, scenario: Scenario) -> None:
        s = self.scenario = scenario
        self.encoder = Encoder(s)
        models = s.models()
        speed = [s.uav_TFLOPS] * s.n_uavs + [s.satellite_TFLOPS] * s.n_satellites
        power = [s.uav_compute_W] * s.n_uavs + [s.satellite_compute_W] * s.n_satellites
        band = [s.uav_bandwidth_Hz] * s.n_uavs + [s.satellite_bandwidth_Hz] * s.n_satellites
        self.accuracy = torch.tensor(models.accuracy, dtype=torch.float32)
        self.word_s = torch.tensor(models.work_TFLOP, dtype=torch.float32) / torch.tensor(speed)
        self.compute_W = torch.tensor(power)
        self.band_Hz = torch.tensor(band)
        radius_m = EARTH_RADIUS_M + s.satellite_altitude_m
        step_m = 2 * radius_m * math.sin(math.radians(s.satellite_spacing_deg) / 2)
        self.receiver = torch.arange(s.n_servers).clamp(max=s.n_uavs)
        down_s = torch.tensor([s.token_bit / (DOWN_bit_per_Hz * s.uav_bandwidth_Hz)] * s.n_uavs)
        down_s = nn.functional.pad(down_s, (0, s.n_satellites))
        self.word_known_s = self.word_s + down_s
        energy_J = self.word_s * self.compute_W + down_s * s.uav_power_W
        per_s, per_J = s.latency_weight_per_s, s.energy_weight_per_J
        self.word_cost = per_s * self.word_known_s + per_J * energy_J
        self.relay_cost = per_s + per_J * s.isl_power_W
        self.way_cost = 2 * per_s + per_J * s.satellite_power_W
        self.hop_s = step_m / SPEED_OF_LIGHT_MPS
        least = math.radians(s.elevation_min_deg)
        self.pass_rad = math.acos(EARTH_RADIUS_M / radius_m * math.cos(least)) - least
        self.whole_s = pass_duration_s(s.satellite_altitude_m, s.elevation_min_deg)
        self.square_s2 = (EARTH_RADIUS_M**2 + radius_m**2) / SPEED_OF_LIGHT_MPS**2
        self.product_s2 = 2 * EARTH_RADIUS_M * radius_m / SPEED_OF_LIGHT_MPS**2
        self.altitude_range = middle_and_half(s.uav_altitude_min_m, s.uav_altitude_max_m)
        words = s.output_words
        ends = (
            (s.input_min_bit, s.input_max_bit),
            (min(words), max(words)),
            (s.deadline_min_s, s.deadline_max_s),
            (s.accuracy_min, s.accuracy_max),
        )
        pairs = torch.tensor([middle_and_half(*e) for e in ends], dtype=torch.float32)
        self.middle, self.half = pairs[:, 0], pairs[:, 1]
        ranges = [self.encoder.uav_range_dB()] * s.n_uavs + [self.encoder.satellite_range_dB()]
        gains = torch.tensor([middle_and_half(*r) for r in ranges], dtype=torch.float64)
        natural = math.log(10) / 10
        self.window_range = middle_and_half(0.0, self.encoder.whole_window())
        noise = 10 * math.log10(s.noise_W)
        self.gain_middle = ((gains[:, 0] - noise) * natural).float()
        self.gain_half = (gains[:, 1] * natural).float()

    def read(self, obs: Tensor) -> Options:
        """Flat observations (..., D)."""
        s, m = self.scenario, self.scenario.n_uavs
        devices, links, uavs, satellites = (
            obs[..., self.encoder.places[name]].reshape(*obs.shape[:-1], *self.encoder.shapes[name])
            for name in ("devices", "links", "uavs", "satellites")
        )
        side = s.area_side_m / 2
        value = devices[..., :4] * self.half + self.middle
        bits, words, deadline_s, floor = value.split(1, dim=-1)  # (..., K, 1)
        log_gain = links * self.gain_half + self.gain_middle
        hops, window_s = self._orbit(satellites)
        angle = (window_s * (2 / self.whole_s) - 1).clamp(-1, 1) * self.pass_rad
        way_s = (self.square_s2 - self.product_s2 * angle.cos()).sqrt()[..., None]  # (..., 1, 1)
        relay_s = hops[..., None, :] * (bits / s.isl_rate_bps + 2 * self.hop_s)
        above = relay_s * self.relay_cost + way_s * self.way_cost
        known_s = words * self.word_known_s + nn.functional.pad(relay_s + 2 * way_s, (m, 0))
        in_sight_s = torch.minimum(deadline_s, window_s[..., None]).expand_as(relay_s)
        until_s = torch.cat([deadline_s.expand(*deadline_s.shape[:-1], m), in_sight_s], dim=-1)
        middle_m, half_m = self.altitude_range
        altitude_m2 = (uavs[..., None, :, 2] * half_m + middle_m) ** 2
        away_m = (devices[..., :, None, 4:] - uavs[..., None, :, :2]) * side
        return Options(
            away_m=away_m,
            slant_m2=(away_m**2).sum(dim=-1) + altitude_m2,
            altitude_m2=altitude_m2,
            request=devices[..., :4],
            deadline_s=deadline_s,
            altitude=uavs[..., 2],
            window=satellites[..., 0],
            receiver_log_gain=log_gain,
            log_gain=log_gain[..., self.receiver],
            execute_s=words * self.word_s,
            fixed_cost=words * self.word_cost + nn.functional.pad(above, (m, 0)),
            slack_s=until_s - known_s,
            upload_bit_per_Hz=bits / self.band_Hz,
            margin=self.accuracy - floor,
            hops=hops,
        )

    def _orbit(self, satellites: Tensor) -> tuple[Tensor, Tensor]:
        """(..., N) links from the accessible satellite, 0 without one; its window, (..., 1)."""
        flags = satellites[..., 1]
        index = torch.arange(flags.shape[-1], dtype=flags.dtype, device=flags.device)
        seen = flags.sum(dim=-1, keepdim=True)
        hops = (index - (flags * index).sum(dim=-1, keepdim=True)).abs() * seen
        scaled = (satellites[..., 0] * flags).sum(dim=-1, keepdim=True)
        middle, half = self.window_range
        return hops, torch.expm1(scaled * half + middle) * self.scenario.slot_s

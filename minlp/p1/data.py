"""What P1 of one slot is made of: admissible pairs, constants, and ranges of all link gains.

Shared by the Pyomo model, the MILP relaxation and the enumeration. Gains are in units of the
noise: a power in W times a gain is a signal-to-noise ratio. Receivers 0..M-1 are the UAVs,
receiver M is the accessible satellite. Ranges are valid for every plan that the referee admits,
its tolerance included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from minlp.convex.lone_sender import LoneSender, Upload, lone_sender
from satedge.problem.instance import Instance
from satedge.problem.referee import TOLERANCE
from satedge.problem.scenario import Scenario

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Relative margin by which computed bounds are lowered: far above the rounding of the few
#: operations that make them.
MARGIN = 1e-10


@dataclass(frozen=True, eq=False)
class SlotTerms:
    """One slot. K devices (idle ones have no pairs), M UAVs, S servers, R = M + 1 receivers."""

    instance: Instance
    """The slot as an instance of its own, UAVs where they start."""
    devices: tuple[int, ...]
    """Devices with a request."""
    pair: Mask
    """(K, S) The server may take the device's request after some admissible motion."""
    uav_gain: Array
    """(K, M) Gain over noise at 1 m. Eqs. (6)-(7)."""
    satellite_gain: Array
    """(K,) Gain over noise to the accessible satellite."""
    squared_low_m2: Array
    """(K, M) Least squared slant distance over the reachable positions."""
    squared_high_m2: Array
    """(K, M) Greatest squared slant distance over the reachable positions."""
    reach_m: float
    """How far a UAV moves at most; 0 where positions are given."""
    constant_s: Array
    """(K, S) Latency of a lone request besides upload and UAV download."""
    constant_J: Array
    """(K, S) Energy besides upload and UAV download."""
    load_s: Array
    """(K, S) Upload time at one nat per second and hertz: u ln 2 / B."""

    @property
    def scenario(self) -> Scenario:
        """The instance's."""
        return self.instance.scenario

    @property
    def deadline_s(self) -> Array:
        """(K, S) D: latency beyond it is an overrun."""
        return self.instance.coefficients.overrun_from_s[0]

    @property
    def forgiving_deadline_s(self) -> Array:
        """(K, S) D and what the referee forgives: no overrun where it sees none, for bounds."""
        return self.deadline_s * (1 + 1.01 * TOLERANCE)

    @property
    def propagation_s(self) -> float:
        """d/c to the accessible satellite."""
        return float(self.instance.coefficients.up_propagation_s[0])

    @property
    def refusal_cost(self) -> Array:
        """(K,) Cost of a refused request, and the most that any costs."""
        return self.instance.outage_cost[0]

    @property
    def receiver(self) -> NDArray[np.int64]:
        """(S,) Receiver of each server."""
        return np.minimum(np.arange(self.scenario.n_servers), self.scenario.n_uavs)

    @cached_property
    def gain_range(self) -> tuple[Array, Array]:
        """Least and greatest gain over noise of every link, (K, R) each."""
        half = self.scenario.path_loss_exponent / 2
        low = self.uav_gain * self.squared_high_m2**-half
        high = self.uav_gain * self.squared_low_m2**-half
        sky = self.satellite_gain[:, None]
        return np.hstack([low, sky]) * (1 - MARGIN), np.hstack([high, sky]) * (1 + MARGIN)

    @cached_property
    def served_gain_low(self) -> Array:
        """(K, S) Least gain over noise at the own receiver: a UAV serves within its coverage."""
        s = self.scenario
        edge = (s.uav_coverage_m * (1 + TOLERANCE)) ** 2 + self.instance.uav_altitude_m[0] ** 2
        farthest = np.minimum(self.squared_high_m2, np.maximum(edge, self.squared_low_m2))
        low = self.uav_gain * farthest ** (-s.path_loss_exponent / 2)
        lanes = np.hstack([low, self.satellite_gain[:, None]]) * (1 - MARGIN)
        return np.asarray(lanes[:, self.receiver])

    @cached_property
    def download_load_s(self) -> Array:
        """(K,) UAV download time at one nat per second and hertz. Eq. (16)."""
        s = self.scenario
        return s.token_bit * self.instance.output_words[0] * np.log(2) / s.uav_bandwidth_Hz

    @cached_property
    def download_low_s(self) -> Array:
        """(K, S) Least UAV download time: best own, least interfering gain; satellites 0."""
        low, high = (g[:, : self.scenario.n_uavs] for g in self.gain_range)
        return self._download_s(high, low) * (1 - MARGIN)

    @cached_property
    def download_high_s(self) -> Array:
        """(K, S) Greatest UAV download time, in coverage or not; satellites 0."""
        low, high = (g[:, : self.scenario.n_uavs] for g in self.gain_range)
        return self._download_s(low, high) * (1 + MARGIN)

    def _download_s(self, own: Array, other: Array) -> Array:
        """(K, S) from gains over noise (K, M) of the own and of the other UAVs. Eqs. (9), (16)."""
        s = self.scenario
        rest = np.maximum(other.sum(axis=1, keepdims=True) - other, 0.0)
        time = np.zeros((s.n_devices, s.n_servers))
        with np.errstate(divide="ignore", invalid="ignore"):
            sinr = own / (s.interference_leakage * rest + 1 / s.uav_power_W)
            needed = self.download_load_s[:, None] / np.log1p(sinr)
        time[:, : s.n_uavs] = np.where(self.download_load_s[:, None] > 0, needed, 0.0)
        return time

    @cached_property
    def dominated(self) -> Mask:
        """(K, S) Satellites that another one beats for the device in every plan.

        All satellites share receiver, rate and deadline; with dedicated compute only the
        constant parts differ, so one that is slower and more expensive is never needed.
        """
        s = self.scenario
        out = np.zeros_like(self.pair)
        if s.compute_sharing == "shared":
            return out
        cost = s.latency_weight_per_s * self.constant_s + s.energy_weight_per_J * self.constant_J
        for k in self.devices:
            for b in range(s.n_uavs, s.n_servers):
                for a in range(s.n_uavs, s.n_servers):
                    if a == b or not (self.pair[k, a] and self.pair[k, b]) or out[k, a]:
                        continue
                    ahead = (cost[k, a], self.constant_s[k, a]), (cost[k, b], self.constant_s[k, b])
                    tie = ahead[0] == ahead[1] and a < b
                    better = ahead[0] != ahead[1] and all(
                        x <= y for x, y in zip(*ahead, strict=True)
                    )
                    out[k, b] |= tie or better
        return out

    def lone_optimum(self, deadline_s: Array, wait_s: Array | float = 0.0) -> LoneSender:
        """(..., K, S) The cheapest powers without interference, at the best gains; their costs.

        What exceeds `deadline_s` (K, S) is an overrun; `wait_s` (..., K, S) is spent waiting for
        the others on the server. No plan serves device k on server s for less than `lower`, if the
        deadline is the forgiving one; cost and `lower` are inf where the pair is not admissible.
        Eqs. (12)-(30), (31).
        """
        s = self.scenario
        above = np.arange(s.n_servers) >= s.n_uavs
        fixed_s = self.constant_s + self.download_low_s + wait_s
        fixed_J = self.constant_J + s.uav_power_W * self.download_low_s
        upload = Upload(
            load_s=self.load_s,
            snr_per_W=self.gain_range[1][:, self.receiver],
            propagation_s=np.where(above, self.propagation_s, 0.0),
            slack_s=deadline_s - fixed_s,
            latency_weight=s.latency_weight_per_s,
            energy_weight=s.energy_weight_per_J,
            overrun_weight=s.penalty_per_s,
        )
        low, high = s.power_min_W * (1 - TOLERANCE), s.power_max_W * (1 + TOLERANCE)
        alone = lone_sender(upload, low, high)
        base = s.latency_weight_per_s * fixed_s + s.energy_weight_per_J * fixed_J
        cost = np.where(self.pair, base + alone.cost, np.inf)
        return LoneSender(alone.power_W, cost, np.where(self.pair, base + alone.lower, np.inf))

    @cached_property
    def lone_least(self) -> Array:
        """(K, S) Least cost of each pair in any plan; inf where the pair is not admissible.

        A late request is forgiven, too, what the referee forgives of a deadline, so that the cost
        is convex: its least cost may lie a billionth of the deadline's price lower than need be.
        """
        return self.lone_optimum(self.forgiving_deadline_s).lower * (1 - MARGIN)

    @cached_property
    def loaded_least(self) -> Array:
        """(N, K, S) `lone_least` beside c - 1 of the slot's N requests, c - 1 the first index."""
        beside = np.arange(len(self.devices))[:, None, None]
        wait_s = beside * self.instance.coefficients.execute_s[0]
        return self.lone_optimum(self.forgiving_deadline_s, wait_s).lower * (1 - MARGIN)

    @cached_property
    def device_least(self) -> Array:
        """(K,) Least cost of each device in any plan; 0 when idle."""
        best = np.minimum(self.lone_least.min(axis=1, initial=np.inf), self.refusal_cost)
        return np.where(self.instance.active[0], best, 0.0)


def slot_terms(
    instance: Instance, slot: int, uav_xy_m: Array | None = None, reach_m: float | None = None
) -> SlotTerms:
    """The parts of P1 of one slot, the UAVs starting at `uav_xy_m` (M, 2).

    `reach_m` replaces how far they may move; 0 fixes them there.
    """
    one = instance.window(slot, slot + 1, uav_xy_m)
    s, c = one.scenario, one.coefficients
    reach_m = s.uav_reach_m if reach_m is None else reach_m
    horizontal_low, horizontal_high = _reach(one, reach_m)
    altitude = one.uav_altitude_m[0] ** 2
    pair = c.accurate[0] & c.linked[0]
    cover_m = s.uav_coverage_m * (1 + TOLERANCE)
    pair[:, : s.n_uavs] &= horizontal_low <= cover_m
    sky = np.zeros((s.n_devices, s.n_servers))
    sky[:, s.n_uavs :] = 1.0
    constant_s = c.execute_s[0] + c.relay_s[0]
    constant_s += sky * (c.download_s[0][:, None] + c.up_propagation_s[0])
    beta_0 = 10 ** (s.uav_reference_gain_dB / 10)
    return SlotTerms(
        instance=one,
        devices=tuple(int(k) for k in np.flatnonzero(one.active[0])),
        pair=pair,
        uav_gain=beta_0 * one.uav_fading[0] / s.noise_W,
        satellite_gain=one.satellite_gain[0] / s.noise_W,
        squared_low_m2=horizontal_low**2 + altitude,
        squared_high_m2=horizontal_high**2 + altitude,
        reach_m=reach_m,
        constant_s=constant_s,
        constant_J=c.execute_J[0] + c.relay_J[0] + sky * c.download_J[0][:, None],
        load_s=one.input_bit[0][:, None] * np.log(2) / c.bandwidth_Hz,
    )


def _reach(one: Instance, reach_m: float) -> tuple[Array, Array]:
    """Least and greatest horizontal distance (K, M) over the reachable positions."""
    s = one.scenario
    reach_m, slack = reach_m * (1 + TOLERANCE), s.area_side_m * TOLERANCE
    low = np.maximum(one.uav_xy_m - reach_m, -slack)
    high = np.minimum(one.uav_xy_m + reach_m, s.area_side_m + slack)
    device = one.device_xy_m[0][:, None, :]
    outside = np.maximum(np.maximum(low - device, device - high), 0.0)
    across = np.maximum(np.abs(device - low), np.abs(device - high))
    away = device - one.uav_xy_m
    distance = np.hypot(away[..., 0], away[..., 1])
    nearest = np.maximum(np.hypot(outside[..., 0], outside[..., 1]), distance - reach_m)
    farthest = np.minimum(np.hypot(across[..., 0], across[..., 1]), distance + reach_m)
    return nearest * (1 - 1e-14), farthest * (1 + 1e-14)

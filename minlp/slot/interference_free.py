"""Requests without interference: what each costs alone on a server, and the bound that follows.

Without interference the uplink of a device is a one-dimensional convex problem in its log-power
p = ln P (upload time is convex in p, and so is P times it). Its optimum gives greedy methods a
power and bounds a floor: other senders only lengthen the upload.

`independent_bound` relaxes interference, sharing of compute, and that a UAV is in one place at a
time. Each request then picks its server, power and UAV position for itself; the cheapest it can get
is a lower bound on its elastic cost in any admissible plan. Where UAVs start from their places
before slot 0, slot t can be reached with (t + 1) * V_max * slot of flight, so that the bounds of
all slots hold together and their mean bounds the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satedge.problem.instance import Instance
from satedge.problem.referee import TOLERANCE

Array = NDArray[np.float64]

#: Halvings of the bracket of ln P: 60 reach the resolution of floats from any width below 100.
HALVINGS = 60

#: Margin under computed costs, relative to the sum of all absolute terms of cost and derivative.
#: Their factors (exp, log1p, sums of a few terms) have relative errors below 50 * 2^-53, about
#: 6e-15; the sign of a derivative lost in rounding costs that times a width below 40.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class LoneSender:
    """Optimal lone uploads; all arrays broadcast to one shape."""

    power_W: Array
    cost: Array
    """Weighted upload: latency, energy and overrun; inf where the gain is 0."""
    lower: Array
    """Certified: no admissible power costs less, rounding included."""


@dataclass(frozen=True, eq=False)
class Upload:
    """Data of lone uploads; arrays broadcast against each other."""

    load_s: Array
    """bits * ln 2 / bandwidth."""
    snr_per_W: Array
    """gain / noise."""
    propagation_s: Array
    """Time for which the sender pays beyond the upload. Eq. (21)."""
    slack_s: Array
    """Upload time from which the request is late; may be negative."""
    latency_weight: float
    energy_weight: float
    overrun_weight: float

    def at(self, log_power: Array) -> tuple[Array, Array, Array]:
        """Cost, right derivative in ln P, and the sum of the absolute terms of both.

        Eqs. (8), (10), (12), (13), (19), (21).
        """
        power_W = np.exp(log_power)
        log_snr = log_power + np.log(self.snr_per_W)
        nats = np.where(log_snr > -30, np.logaddexp(0.0, log_snr), np.exp(log_snr))
        upload_s = self.load_s / nats
        ratio = np.where(log_snr > -30, np.exp(log_snr - nats) / nats, 1.0)
        late_s = upload_s - self.slack_s
        paid_J = power_W * (upload_s + self.propagation_s)
        cost = self.latency_weight * upload_s + self.energy_weight * paid_J
        cost = cost + self.overrun_weight * np.maximum(late_s, 0.0)
        price = self.latency_weight + self.energy_weight * power_W
        price = price + np.where(late_s > 0, self.overrun_weight, 0.0)
        slope = self.energy_weight * paid_J - price * upload_s * ratio
        worst_price = price + self.overrun_weight
        size = 2 * (worst_price * upload_s + self.energy_weight * paid_J)
        return cost, slope, size + self.overrun_weight * np.abs(self.slack_s)


def lone_sender(upload: Upload, power_min_W: float, power_max_W: float) -> LoneSender:
    """Minimise every entry by bisection on the sign of the derivative in ln P.

    `lower` is the tangent at the left end a of the final bracket, taken at its right end. By
    convexity, nothing left of a is cheaper than a (the slope there is <= 0), and nothing right of
    the bracket is cheaper than its right end, which lies above the tangent.
    """
    shape = np.broadcast(upload.load_s, upload.snr_per_W, upload.propagation_s, upload.slack_s)
    left = np.full(shape.shape, np.log(power_min_W))
    right = np.full(shape.shape, np.log(power_max_W))
    with np.errstate(all="ignore"):
        for _ in range(HALVINGS):
            middle = 0.5 * (left + right)
            falls = upload.at(middle)[1] < 0
            left, right = np.where(falls, middle, left), np.where(falls, right, middle)
        cost, slope, size = upload.at(left)
        cost_right = upload.at(right)[0]
        lower = cost + np.minimum(slope, 0.0) * (right - left) - ROUNDING * size
    best = np.where(cost_right < cost, right, left)
    cost = np.minimum(cost, cost_right)
    hopeless = ~(np.asarray(upload.snr_per_W) > 0) & np.ones(shape.shape, bool)
    cost = np.where(hopeless | np.isnan(cost), np.inf, cost)
    lower = np.where(hopeless, np.inf, np.where(np.isnan(lower), -np.inf, lower))
    power_W = np.clip(np.exp(best), power_min_W, power_max_W)
    return LoneSender(power_W, cost, lower)


@dataclass(frozen=True, eq=False)
class ServerCosts:
    """Every request on every server as if it were alone. All (T, K, S)."""

    power_W: Array
    cost: Array
    """Weighted latency, energy and overrun."""
    lower: Array
    """Certified: no admissible decision with these gains serves the request there for less."""
    latency_s: Array
    """Latency without the upload."""


def _all_but_upload(instance: Instance, gains: Array) -> tuple[Array, Array]:
    """Latency and energy (T, K, S) of execution, relay and undisturbed download. Eqs. (13)-(25)."""
    s, c = instance.scenario, instance.coefficients
    m = s.n_uavs
    fixed_s, fixed_J = c.execute_s + c.relay_s, c.execute_J + c.relay_J
    with np.errstate(all="ignore"):
        rate = s.uav_bandwidth_Hz * np.log1p(gains * (s.uav_power_W / s.noise_W)) / np.log(2)
        answer_s = (s.token_bit * instance.output_words)[..., None] / rate
    answer_s = np.where(instance.active[..., None], answer_s, 0.0)
    fixed_s[..., :m] += answer_s
    fixed_J[..., :m] += s.uav_power_W * answer_s
    fixed_s[..., m:] += (c.download_s + c.up_propagation_s[:, None])[..., None]
    fixed_J[..., m:] += c.download_J[..., None]
    return fixed_s, fixed_J


def server_costs(
    instance: Instance, gains: Array, disturbance_W: Array | None = None, tolerance: float = 0.0
) -> ServerCosts:
    """Lone costs with power gains `gains` (T, K, M) to the UAVs, on servers of their own.

    `disturbance_W` (T, K, M+1), 0 if left out, is received beside the noise at every UAV and at
    the accessible satellite, whatever the request sends. `tolerance` widens power limits and
    deadlines by what the referee forgives, for bounds. Entries of servers that a request may not
    use are computed all the same.
    """
    s, c = instance.scenario, instance.coefficients
    m = s.n_uavs
    fixed_s, fixed_J = _all_but_upload(instance, gains)
    # A latency is late when it exceeds D by more than the tolerance times itself.
    slack_s = c.overrun_from_s * (1 + 2 * tolerance) - fixed_s
    gain = np.concatenate([gains, instance.satellite_gain[..., None]], axis=-1)
    if disturbance_W is not None:
        gain = gain * s.noise_W / (s.noise_W + disturbance_W)
    receiver = np.minimum(np.arange(s.n_servers), m)
    propagation_s = np.where(receiver == m, c.up_propagation_s[:, None], 0.0)[:, None, :]
    upload = Upload(
        load_s=instance.input_bit[..., None] * (np.log(2) / c.bandwidth_Hz),
        snr_per_W=gain[..., receiver] / s.noise_W,
        propagation_s=propagation_s,
        slack_s=slack_s,
        latency_weight=s.latency_weight_per_s,
        energy_weight=s.energy_weight_per_J,
        overrun_weight=s.penalty_per_s,
    )
    low, high = s.power_min_W * (1 - tolerance), s.power_max_W * (1 + tolerance)
    lone = lone_sender(upload, low, high)
    base = s.latency_weight_per_s * fixed_s + s.energy_weight_per_J * fixed_J
    lower = (base + lone.lower) * (1 - ROUNDING)
    return ServerCosts(lone.power_W, base + lone.cost, lower, fixed_s)


def independent_bound(instance: Instance) -> Array:
    """Lower bounds on the elastic cost of every slot, mean over all K devices: (T,).

    Holds for all scopes, leakages and compute modes, and for whatever the referee's tolerance
    forgives in powers, motion, coverage and deadlines.
    """
    bound: Array = device_bounds(instance).mean(axis=-1) * (1 - ROUNDING)
    return bound


def device_bounds(instance: Instance) -> Array:
    """Lower bounds on the cost of every request, refusal included: (T, K); 0 for idle devices."""
    s, c = instance.scenario, instance.coefficients
    near_m = least_distances(instance)
    costs = server_costs(instance, gains_at(instance, near_m), tolerance=2 * TOLERANCE)
    mask = np.broadcast_to(c.accurate & c.linked[:, None, :], costs.lower.shape).copy()
    mask[..., : s.n_uavs] &= near_m <= s.uav_coverage_m * (1 + 2 * TOLERANCE)
    served = np.where(mask, costs.lower, np.inf).min(axis=-1, initial=np.inf)
    refusal = s.penalty_per_s * instance.deadline_s * (1 - ROUNDING)
    return np.where(instance.active, np.minimum(served, refusal), 0.0)


def least_distances(instance: Instance) -> Array:
    """Least horizontal distance that each UAV can have to each device: (T, K, M).

    The area is convex and holds device and UAV: the nearest point lies on the line between them.
    """
    s = instance.scenario
    away = instance.device_xy_m[:, :, None, :] - instance.uav_xy_m
    distance = np.hypot(away[..., 0], away[..., 1])
    slots = np.arange(1, instance.n_slots + 1)
    reach = slots * s.uav_reach_m * (1 + 2 * TOLERANCE) + 2 * TOLERANCE * s.area_side_m
    near: Array = np.maximum(0.0, distance - reach[:, None, None])
    return near


def gains_at(instance: Instance, distance_m: Array) -> Array:
    """Power gains to UAVs at horizontal distances (T, K, M). Eqs. (6)-(7)."""
    s = instance.scenario
    squared = distance_m**2 + instance.uav_altitude_m[:, None, :] ** 2
    decay = squared ** (-s.path_loss_exponent / 2)
    gain: Array = 10 ** (s.uav_reference_gain_dB / 10) * decay * instance.uav_fading
    return gain * (1 + ROUNDING)

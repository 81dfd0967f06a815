"""Requests without interference: what each costs alone on a server, and the bound that follows.

The optimum of a lone upload (`minlp.convex.lone_sender`) gives greedy methods a power and bounds a
floor: other senders only lengthen the upload.

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

from minlp.convex.lone_sender import ROUNDING, Upload, lone_sender
from satedge.problem.instance import Instance
from satedge.problem.referee import TOLERANCE

Array = NDArray[np.float64]


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
    refusal = instance.outage_cost * (1 - ROUNDING)
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

"""One slot of P1 as flat arrays for compiled code: sending devices, their options, geometry.

An option of a device is a server reduced to what matters: the receiver that hears the device (a
UAV, or the one accessible satellite), the cost and latency that no other decision changes, and
the upload load. With dedicated compute satellites share a receiver, so one that is neither
quicker nor cheaper than another is dominated and left out. The last option is to refuse the
request, at the cost of an outage. That is all that bounded outage takes: whoever refuses in the
place of an outage makes nobody else's cost greater, so that the least elastic cost with this
option is the least bounded cost, and what bounds the one bounds the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.kernels import IntMatrix, IntVector, Matrix, Record, Vector, kernel
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.projector import reachable
from satedge.problem.referee import TOLERANCE
from satedge.problem.scenario import Scenario

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

SCOPES = {"all": 0, "tier": 1, "server": 2}

#: Receiver of the option to refuse a request, the last one of every device.
NOT_SENT = -1


class SlotData(Record):
    """n sending devices, M UAVs, O options (rows padded, see n_options). Costs are sums."""

    n_options: IntVector  # (n,)
    receiver: IntMatrix  # (n, O) 0..M-1 UAV, M satellite, NOT_SENT
    server: IntMatrix  # (n, O) of the instance, -1 for NOT_SENT
    fixed_cost: Matrix  # (n, O) all but upload, shared execution and UAV download
    execute_s: Matrix  # (n, O) execution when alone
    slack_s: Matrix  # (n, O) time left for upload, shared execution and UAV download
    load_s: Matrix  # (n, M + 1) bits ln 2 / bandwidth, by receiver
    propagation_s: Vector  # (M + 1,) paid for by the sender, by receiver
    answer_bit: Vector  # (n,)
    log_fading: Matrix  # (n, M) ln(beta_0 |h|^2)
    log_satellite: Vector  # (n,) ln gain
    device_xy_m: Matrix  # (n, 2)
    altitude_m: Vector  # (M,)
    start_xy_m: Matrix  # (M, 2)
    reach_m: float
    coverage_m: float
    side_m: float
    separation_m: float
    path_loss_exponent: float
    latency_weight: float
    energy_weight: float
    overrun_weight: float
    log_leakage: float  # -inf for 0
    log_noise: float
    log_power_min: float
    log_power_max: float
    uav_power_W: float
    uav_bandwidth_Hz: float
    scope: int
    shared: bool


def slot_data(instance: Instance, slot: int = 0) -> SlotData:
    """Data of one slot, the UAVs starting at `instance.uav_xy_m`. Idle devices are left out.

    All arrays are fresh: read-only ones would be another type to compiled code.
    """
    devices = np.flatnonzero(instance.active[slot])
    return SlotData(
        **_choices(instance, slot, devices),
        **_channels(instance, slot, devices),
        **_constants(instance.scenario),
    )


def _choices(instance: Instance, slot: int, devices: IntArray) -> dict[str, Any]:
    """Fields on the options of the sending devices (n,), rows padded."""
    view = instance.rows(slice(slot, slot + 1))
    mask = reachable(view, instance.uav_xy_m[None])[0, devices]
    options = [_options(instance, slot, int(k), mask[i]) for i, k in enumerate(devices)]
    width = max((len(rows) for rows in options), default=1)
    table = np.zeros((5, len(devices), width))
    table[0] = -2
    for i, rows in enumerate(options):
        table[:, i, : len(rows)] = np.array(rows).T
    return {
        "n_options": np.array([len(rows) for rows in options], np.int64),
        "receiver": table[0].astype(np.int64),
        "server": table[1].astype(np.int64),
        "fixed_cost": table[2].copy(),
        "execute_s": table[3].copy(),
        "slack_s": table[4].copy(),
    }


def _channels(instance: Instance, slot: int, devices: IntArray) -> dict[str, Any]:
    """Fields on what the sending devices (n,) send, over which channels, and from where."""
    s = instance.scenario
    bands = np.r_[np.full(s.n_uavs, s.uav_bandwidth_Hz), s.satellite_bandwidth_Hz]
    beta = s.uav_reference_gain_dB / 10 * np.log(10)
    return {
        "load_s": instance.input_bit[slot, devices][:, None] * np.log(2) / bands,
        "propagation_s": np.r_[np.zeros(s.n_uavs), instance.coefficients.up_propagation_s[slot]],
        "answer_bit": s.token_bit * instance.output_words[slot, devices].astype(float),
        "log_fading": np.log(np.maximum(instance.uav_fading[slot, devices], 1e-300)) + beta,
        "log_satellite": np.log(np.maximum(instance.satellite_gain[slot, devices], 1e-300)),
        "device_xy_m": np.array(instance.device_xy_m[slot, devices]),
        "altitude_m": np.array(instance.uav_altitude_m[slot]),
        "start_xy_m": np.array(instance.uav_xy_m),
    }


def _constants(s: Scenario) -> dict[str, Any]:
    """Fields that are the same in all slots: limits, weights, noise and the rules of sharing."""
    with np.errstate(divide="ignore"):
        log_leakage = float(np.log(s.interference_leakage))
    return {
        "reach_m": s.uav_reach_m,
        "coverage_m": s.uav_coverage_m,
        "side_m": s.area_side_m,
        "separation_m": s.uav_separation_m,
        "path_loss_exponent": s.path_loss_exponent,
        "latency_weight": s.latency_weight_per_s,
        "energy_weight": s.energy_weight_per_J,
        "overrun_weight": s.penalty_per_s,
        "log_leakage": log_leakage,
        "log_noise": float(np.log(s.noise_W)),
        "log_power_min": float(np.log(s.power_min_W)),
        "log_power_max": float(np.log(s.power_max_W)),
        "uav_power_W": s.uav_power_W,
        "uav_bandwidth_Hz": s.uav_bandwidth_Hz,
        "scope": SCOPES[s.interference_scope],
        "shared": s.compute_sharing == "shared",
    }


def forgiving(data: SlotData, deadline_s: Array) -> SlotData:
    """The slot with limits as wide as the referee's tolerance leaves them: for bounds.

    A latency counts as late only if it exceeds its deadline by more than the tolerance times
    itself; `deadline_s` (n,) are at least the devices' deadlines. Discs have their own slack.
    """
    return replace(
        data,
        slack_s=data.slack_s + 2 * TOLERANCE * deadline_s[:, None],
        log_power_min=data.log_power_min - 2 * TOLERANCE,
        log_power_max=data.log_power_max + 2 * TOLERANCE,
    )


def _options(
    instance: Instance, slot: int, k: int, mask: NDArray[np.bool_]
) -> list[tuple[float, ...]]:
    """Rows (receiver, server, fixed cost, execution, slack) of device k."""
    s, c = instance.scenario, instance.coefficients
    m = s.n_uavs
    rows: list[tuple[float, ...]] = []
    for server in np.flatnonzero(mask):
        above = server >= m
        alone_s, alone_J = c.execute_s[slot, k, server], c.execute_J[slot, k, server]
        latency_s = c.relay_s[slot, k, server]
        energy_J = alone_J + c.relay_J[slot, k, server]
        if above:
            latency_s += c.up_propagation_s[slot] + c.download_s[slot, k]
            energy_J += c.download_J[slot, k]
        shared = s.compute_sharing == "shared"
        if not shared:
            latency_s += alone_s
            alone_s = 0.0
        cost = s.latency_weight_per_s * latency_s + s.energy_weight_per_J * energy_J
        slack_s = c.overrun_from_s[slot, k, server] - latency_s
        rows.append((float(m if above else server), float(server), cost, alone_s, slack_s))
    if s.compute_sharing == "dedicated":
        rows = _undominated(rows, m)
    rows.append((NOT_SENT, NO_SERVER, instance.outage_cost[slot, k], 0.0, np.inf))
    return rows


def _undominated(rows: list[tuple[float, ...]], m: int) -> list[tuple[float, ...]]:
    """Without satellites that another one beats in both cost and slack."""
    kept: list[tuple[float, ...]] = []
    for row in sorted(rows, key=lambda r: (r[0], r[2], -r[4])):
        beaten = row[0] == m and any(r[0] == m and r[4] >= row[4] for r in kept)
        if not beaten:
            kept.append(row)
    return kept


def plan_of(
    instance: Instance,
    slot: int,
    data: SlotData,
    choice: IntArray,
    log_power: Array,
    uav_xy_m: Array,
) -> Plan:
    """The one-slot plan of option indices (n,), log-powers (n,) and positions (M, 2)."""
    k = instance.scenario.n_devices
    server, power_W = np.full((1, k), NO_SERVER), np.zeros((1, k))
    devices = np.flatnonzero(instance.active[slot])
    rows = np.arange(len(devices))
    server[0, devices] = data.server[rows, choice]
    sends = server[0, devices] >= 0
    s = instance.scenario
    clipped = np.clip(np.exp(log_power), s.power_min_W, s.power_max_W)
    power_W[0, devices] = np.where(sends, clipped, 0.0)
    return Plan(server, power_W, uav_xy_m[None].copy())


@kernel
def option_with(data: SlotData, k: int, server: int) -> int:
    """Index of device k's option with a server, -1 if it has none."""
    for o in range(data.n_options[k]):
        if data.server[k, o] == server:
            return o
    return -1

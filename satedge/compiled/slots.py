"""Instances as kernels read them: a record of the law and one of the slots' numbers."""

from __future__ import annotations

import weakref

import numpy as np
from numpy.typing import NDArray

from satedge.kernels import (
    BoolCube,
    BoolMatrix,
    Cube,
    IntMatrix,
    IntVector,
    Matrix,
    Record,
    Tensor,
    Vector,
    kernel,
)
from satedge.problem.constraints import TOLERANCE, kept
from satedge.problem.instance import Instance
from satedge.problem.scenario import Scenario

#: Last axis of `Slots.option`.
EXECUTE_S, EXECUTE_J, RELAY_S, RELAY_J, OVERRUN_FROM_S = range(5)

#: Kernels take so many slots at a time, whose numbers then stay near the processor.
BLOCK = 128

#: Whose signals interfere, as a number.
SCOPES = ("all", "tier", "server")


class Law(Record):
    """What the scenario says, in its units."""

    n_uavs: int
    scope: int
    """Position in SCOPES."""
    shared: bool
    """Requests on one server share it."""
    tolerance: float
    leakage: float
    noise_W: float
    gain_at_1m: float
    path_loss_exponent: float
    uav_power_W: float
    uav_bandwidth_Hz: float
    satellite_bandwidth_Hz: float
    power_min_W: float
    power_max_W: float
    coverage_m: float
    served_m2: float
    """Greatest squared distance within the coverage."""
    reachable_m2: float
    """Greatest squared distance within coverage and reach."""
    reach_m: float
    separation_m: float
    side_m: float
    latency_weight_per_s: float
    energy_weight_per_J: float
    penalty_per_s: float


class Slots(Record):
    """T slots. See Instance and Coefficients, whose numbers these are."""

    law: Law
    active: BoolMatrix
    """(T, K)"""
    allowed: BoolCube
    """(T, K, S) Accurate and linked."""
    linked: BoolMatrix
    """(T, S)"""
    input_bit: Matrix
    """(T, K)"""
    answer_bit: Matrix
    """(T, K)"""
    floor: Matrix
    """(T, K) Accuracy floors."""
    most: Matrix
    """(T, K) C_out."""
    east_m: Matrix
    """(T, K) Devices."""
    north_m: Matrix
    """(T, K)"""
    altitude_m: Matrix
    """(T, M)"""
    fading: Cube
    """(T, M, K)"""
    satellite_gain: Matrix
    """(T, K)"""
    propagation_s: Vector
    """(T,)"""
    download_s: Matrix
    """(T, K) From a satellite."""
    download_J: Matrix
    """(T, K)"""
    option: Tensor
    """(T, K, S, 5) EXECUTE_S, EXECUTE_J, RELAY_S, RELAY_J, OVERRUN_FROM_S."""
    accuracy: Vector
    """(S,)"""


class Decisions(Record):
    """Plans of B slots, and where their UAVs come from."""

    server: IntMatrix
    """(B, K)"""
    power_W: Matrix
    """(B, K)"""
    uav_xy_m: Cube
    """(B, M, 2)"""
    before_xy_m: Cube
    """(B, M, 2)"""


class Scratch(Record):
    """What is computed on the way, of the B = BLOCK slots that are taken at a time."""

    squared_m2: Cube
    """(B, M, K) Horizontal distances of devices and UAVs."""
    gain: Cube
    """(B, M + 1, K)"""
    available: BoolCube
    """(B, K, S)"""
    served: IntMatrix
    """(B, K) Servers of those who send."""
    rate: Cube
    """(B, 2, K) SINR of uploads and of the answers of UAVs, then log(1 + SINR)."""


def scratch_for(scenario: Scenario) -> Scratch:
    """Room for a block."""
    k, m = scenario.n_devices, scenario.n_uavs
    return Scratch(
        squared_m2=np.empty((BLOCK, m, k)),
        gain=np.empty((BLOCK, m + 1, k)),
        available=np.empty((BLOCK, k, scenario.n_servers), bool),
        served=np.empty((BLOCK, k), np.int64),
        rate=np.empty((BLOCK, 2, k)),
    )


def law_of(s: Scenario) -> Law:
    """The law of a scenario."""
    return Law(
        n_uavs=s.n_uavs,
        scope=SCOPES.index(s.interference_scope),
        shared=s.compute_sharing == "shared",
        tolerance=TOLERANCE,
        leakage=float(s.interference_leakage),
        noise_W=s.noise_W,
        gain_at_1m=float(10 ** (s.uav_reference_gain_dB / 10)),
        path_loss_exponent=float(s.path_loss_exponent),
        uav_power_W=float(s.uav_power_W),
        uav_bandwidth_Hz=float(s.uav_bandwidth_Hz),
        satellite_bandwidth_Hz=float(s.satellite_bandwidth_Hz),
        power_min_W=float(s.power_min_W),
        power_max_W=float(s.power_max_W),
        coverage_m=float(s.uav_coverage_m),
        served_m2=greatest_squared_m2(s.uav_coverage_m),
        reachable_m2=greatest_squared_m2(s.uav_coverage_m + s.uav_reach_m),
        reach_m=float(s.uav_reach_m),
        separation_m=float(s.uav_separation_m),
        side_m=float(s.area_side_m),
        latency_weight_per_s=float(s.latency_weight_per_s),
        energy_weight_per_J=float(s.energy_weight_per_J),
        penalty_per_s=float(s.penalty_per_s),
    )


def greatest_squared_m2(radius_m: float) -> float:
    """The greatest square of a distance that counts as kept, so that kernels need no root."""
    squared = ((1 + TOLERANCE) * radius_m) ** 2
    while kept(np.sqrt(squared) - radius_m, radius_m):
        squared = np.nextafter(squared, np.inf)
    while not kept(np.sqrt(squared) - radius_m, radius_m):
        squared = np.nextafter(squared, 0.0)
    return float(squared)


_made: weakref.WeakKeyDictionary[Instance, Slots] = weakref.WeakKeyDictionary()


def slots_of(instance: Instance) -> Slots:
    """The slots of an instance, copied once for as long as it lives."""
    if instance not in _made:
        _made[instance] = _copied(instance)
    return _made[instance]


def _copied(instance: Instance) -> Slots:
    i, s, c = instance, instance.scenario, instance.coefficients
    options = (c.execute_s, c.execute_J, c.relay_s, c.relay_J, c.overrun_from_s)
    return Slots(
        law=law_of(s),
        active=_own(i.active),
        allowed=_own(c.accurate & c.linked[:, None, :]),
        linked=_own(c.linked),
        input_bit=_own(i.input_bit),
        answer_bit=_own(s.token_bit * i.output_words.astype(float)),
        floor=_own(i.accuracy_floor),
        most=_own(i.outage_cost),
        east_m=_own(i.device_xy_m[..., 0]),
        north_m=_own(i.device_xy_m[..., 1]),
        altitude_m=_own(i.uav_altitude_m),
        fading=_own(i.uav_fading.swapaxes(1, 2)),
        satellite_gain=_own(i.satellite_gain),
        propagation_s=_own(c.up_propagation_s),
        download_s=_own(c.download_s),
        download_J=_own(c.download_J),
        option=_own(np.stack(options, axis=-1)),
        accuracy=_own(i.server_accuracy),
    )


def _own(array: NDArray) -> NDArray:
    """A copy in C order that may be written to, as kernels want it."""
    return np.array(array, order="C")


@kernel
def measure(slots: Slots, row: IntVector, at: Cube, squared: Cube, first: int, stop: int) -> None:
    """Squared horizontal distances (B, M, K) of devices and UAVs at (B, M, 2) in slots row (B,)."""
    east, north = slots.east_m, slots.north_m
    for b in range(first, stop):
        i = b - first
        t = row[b]
        for m in range(squared.shape[1]):
            x, y = at[b, m, 0], at[b, m, 1]
            for k in range(squared.shape[2]):
                dx, dy = east[t, k] - x, north[t, k] - y
                squared[i, m, k] = dx * dx + dy * dy


@kernel
def find_gains(
    slots: Slots, row: IntVector, squared: Cube, gain: Cube, first: int, stop: int
) -> None:
    """Power gains (B, M + 1, K) to UAVs and, last, to the accessible satellite. Eqs. (6)-(7)."""
    altitude, fading, above = slots.altitude_m, slots.fading, slots.satellite_gain
    at_1m, exponent = slots.law.gain_at_1m, slots.law.path_loss_exponent
    n_uavs = squared.shape[1]
    for b in range(first, stop):
        i = b - first
        t = row[b]
        for m in range(n_uavs):
            height = altitude[t, m] * altitude[t, m]
            for k in range(squared.shape[2]):
                gain[i, m, k] = squared[i, m, k] + height
            if exponent == 2.0:
                for k in range(squared.shape[2]):
                    gain[i, m, k] = at_1m * (1.0 / gain[i, m, k]) * fading[t, m, k]
            else:
                for k in range(squared.shape[2]):
                    decay = gain[i, m, k] ** (-exponent / 2)
                    gain[i, m, k] = at_1m * decay * fading[t, m, k]
        for k in range(squared.shape[2]):
            gain[i, n_uavs, k] = above[t, k]


@kernel
def find_available(
    slots: Slots,
    row: IntVector,
    squared: Cube,
    greatest_m2: float,
    mask: BoolCube,
    first: int,
    stop: int,
) -> None:
    """Servers (B, K, S) that may be used, UAVs where their squared distance is at most this."""
    n_devices, n_servers = mask.shape[1], mask.shape[2]
    allowed = slots.allowed.reshape(-1, n_devices * n_servers)
    flat = mask.reshape(-1, n_devices * n_servers)
    for b in range(first, stop):
        i = b - first
        t = row[b]
        for j in range(n_devices * n_servers):
            flat[i, j] = allowed[t, j]
        for m in range(squared.shape[1]):
            for k in range(n_devices):
                mask[i, k, m] &= squared[i, m, k] <= greatest_m2

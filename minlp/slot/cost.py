"""What a decided slot costs, device by device, compiled: the referee's equations on slot data."""

from __future__ import annotations

import numpy as np

from minlp.slot.data import NOT_SENT, SlotData
from minlp.slot.geometry import log_gain
from satedge.kernels import IntVector, Matrix, Vector, kernel

LN2 = float(np.log(2.0))


@kernel
def interferes(scope: int, target: int, receiver: int, n_uavs: int) -> bool:
    """Whether who sends to `target` interferes with those heard at `receiver`. Eqs. (8), (10)."""
    if target == NOT_SENT:
        return False
    if scope == 1:
        return (target == n_uavs) == (receiver == n_uavs)
    return scope == 0 or target == receiver


@kernel
def log_gains(data: SlotData, uav_xy_m: Matrix) -> Matrix:
    """(n, M + 1), the satellite last. Eqs. (6)-(7)."""
    n, n_uavs = data.log_fading.shape
    gains = np.empty((n, n_uavs + 1))
    for k in range(n):
        for m in range(n_uavs):
            gains[k, m] = log_gain(data, k, m, uav_xy_m[m, 0], uav_xy_m[m, 1])
        gains[k, n_uavs] = data.log_satellite[k]
    return gains


@kernel
def chosen_receivers(data: SlotData, choice: IntVector) -> IntVector:
    """Receiver of every device under option indices (n,)."""
    receiver = np.empty(choice.shape[0], np.int64)
    for k in range(choice.shape[0]):
        receiver[k] = data.receiver[k, choice[k]]
    return receiver


@kernel
def loads_of(data: SlotData, choice: IntVector) -> IntVector:
    """Requests on each server, by its index in the instance; none counted if dedicated."""
    count = no_loads(data)
    if data.shared:
        for k in range(choice.shape[0]):
            if data.server[k, choice[k]] >= 0:
                count[data.server[k, choice[k]]] += 1
    return count


@kernel
def no_loads(data: SlotData) -> IntVector:
    """A count of 0 for each server that some device may have."""
    most = 0
    for k in range(data.server.shape[0]):
        for o in range(data.n_options[k]):
            most = max(most, data.server[k, o])
    return np.zeros(most + 1, np.int64)


@kernel
def download_s(data: SlotData, k: int, m: int, low: Matrix, high: Matrix) -> float:
    """Least download time of device k from UAV m, log gains in [low, high] (n, M + 1)."""
    if data.answer_bit[k] == 0.0:
        return 0.0
    others = 0.0
    for j in range(data.altitude_m.shape[0]):
        if j != m:
            others += np.exp(low[k, j])
    noise = np.exp(data.log_noise)
    disturbed = np.exp(data.log_leakage) * data.uav_power_W * others + noise
    sinr = np.exp(high[k, m]) * data.uav_power_W / disturbed
    return data.answer_bit[k] * LN2 / (data.uav_bandwidth_Hz * np.log1p(sinr))


@kernel
def option_terms(
    data: SlotData, k: int, o: int, loads: IntVector, decided: bool, low: Matrix, high: Matrix
) -> tuple[float, float]:
    """(least cost of all but the upload, greatest slack for it) of an option.

    `loads` counts the requests on every server, this one among them if `decided`; log gains
    lie in [low, high] (n, M + 1).
    """
    cost, slack = data.fixed_cost[k, o], data.slack_s[k, o]
    r = data.receiver[k, o]
    wait = 0.0
    if data.shared and r != NOT_SENT:
        load = loads[data.server[k, o]] + (0 if decided else 1)
        wait += data.execute_s[k, o] * load
    if r >= 0 and r < data.altitude_m.shape[0]:
        down = download_s(data, k, r, low, high)
        wait += down
        cost += data.energy_weight * data.uav_power_W * down
    return cost + data.latency_weight * wait, slack - wait


@kernel
def received_W(
    data: SlotData, k: int, r: int, receiver: IntVector, log_power: Vector, gains: Matrix
) -> float:
    """Interference and noise that device k meets at receiver r. Eqs. (8), (10)."""
    n_uavs = data.altitude_m.shape[0]
    heard = 0.0
    for j in range(receiver.shape[0]):
        if j != k and interferes(data.scope, receiver[j], r, n_uavs):
            heard += np.exp(gains[j, r] + log_power[j])
    return np.exp(data.log_leakage) * heard + np.exp(data.log_noise)


@kernel
def option_cost(
    data: SlotData,
    k: int,
    o: int,
    receiver: IntVector,
    loads: IntVector,
    log_power: Vector,
    gains: Matrix,
) -> float:
    """Elastic cost of device k under option o, others as in `receiver`; log gains (n, M + 1)."""
    r = data.receiver[k, o]
    if r == NOT_SENT:
        return data.fixed_cost[k, o]
    total_W = received_W(data, k, r, receiver, log_power, gains)
    upload_s = data.load_s[k, r] / np.log1p(np.exp(gains[k, r] + log_power[k]) / total_W)
    fixed, slack = option_terms(data, k, o, loads, True, gains, gains)
    power_W = np.exp(log_power[k])
    cost = fixed + data.latency_weight * upload_s
    cost += data.energy_weight * power_W * (upload_s + data.propagation_s[r])
    return cost + data.overrun_weight * max(0.0, upload_s - slack)


@kernel
def device_costs(data: SlotData, choice: IntVector, log_power: Vector, xy: Matrix) -> Vector:
    """Elastic cost (n,) of every device under option indices, log-powers and positions (M, 2)."""
    n = choice.shape[0]
    gains = log_gains(data, xy)
    receiver = chosen_receivers(data, choice)
    loads = loads_of(data, choice)
    costs = np.empty(n)
    for k in range(n):
        costs[k] = option_cost(data, k, choice[k], receiver, loads, log_power, gains)
    return costs

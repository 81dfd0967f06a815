"""Descent over UAV positions with powers re-solved, compiled.

`polish` is the spectral projected gradient method (Birgin, Martinez, Raydan, SIAM J. Optim. 10(4),
2000) on V(q) of `slot.value`, all UAVs at once; downlink interference, and separation where it is
on, are part of it.
"""

from __future__ import annotations

import numpy as np

from minlp.convex.problem import upload_time
from minlp.slot.cost import LN2, chosen_receivers, interferes, log_gains
from minlp.slot.data import SlotData
from minlp.slot.region import area_box, discs_of, nearest_position, repair
from minlp.slot.value import Point, copy_point, settle_powers
from satedge.kernels import Cube, Matrix, kernel
from satedge.kernels.arrays import assign_rows, dot


@kernel
def _gain_slope(data: SlotData, k: int, m: int, uav_xy_m: Matrix) -> tuple[float, float]:
    """Slope of the log gain of device k at UAV m. Eq. (6)."""
    dx, dy = uav_xy_m[m, 0] - data.device_xy_m[k, 0], uav_xy_m[m, 1] - data.device_xy_m[k, 1]
    scale = -data.path_loss_exponent / (dx * dx + dy * dy + data.altitude_m[m] ** 2)
    return scale * dx, scale * dy


@kernel
def position_slope(data: SlotData, point: Point) -> Matrix:
    """dV/dq (M, 2) where powers and multipliers are those of the minimum."""
    n, n_uavs = data.log_fading.shape
    slope = np.zeros((n_uavs, 2))
    gains = log_gains(data, point.uav_xy_m)
    received = np.empty(n)
    for k in range(n):
        m = data.receiver[k, point.choice[k]]
        if not 0 <= m < n_uavs:
            continue
        own_W = np.exp(point.log_power[k])
        price = data.latency_weight + data.energy_weight * own_W + point.multiplier[k]
        total = np.exp(data.log_noise)
        for j in range(n):
            r = data.receiver[j, point.choice[j]]
            received[j] = 0.0
            if j != k and interferes(data.scope, r, m, n_uavs):
                received[j] = np.exp(data.log_leakage + gains[j, m] + point.log_power[j])
                total += received[j]
        log_sinr = point.log_power[k] + gains[k, m] - np.log(total)
        _h, fall, _bend = upload_time(data.load_s[k, m], log_sinr)
        sx, sy = _gain_slope(data, k, m, point.uav_xy_m)
        slope[m, 0] -= price * fall * sx
        slope[m, 1] -= price * fall * sy
        for j in range(n):
            if received[j] > 0.0:
                sx, sy = _gain_slope(data, j, m, point.uav_xy_m)
                slope[m, 0] += price * fall * received[j] / total * sx
                slope[m, 1] += price * fall * received[j] / total * sy
        price += data.energy_weight * (data.uav_power_W - own_W)
        _add_download_slope(data, gains, k, m, price, point.uav_xy_m, slope)
    return slope


@kernel
def _add_download_slope(
    data: SlotData, gains: Matrix, k: int, m: int, price: float, uav_xy_m: Matrix, slope: Matrix
) -> None:
    """Price times the slope of the answer's time in all UAV positions. Eqs. (9), (16)."""
    n_uavs = gains.shape[1] - 1
    total = np.exp(data.log_noise)
    for j in range(n_uavs):
        if j != m:
            total += np.exp(data.log_leakage + gains[k, j]) * data.uav_power_W
    log_sinr = gains[k, m] + np.log(data.uav_power_W / total)
    load_s = data.answer_bit[k] * LN2 / data.uav_bandwidth_Hz
    _time, fall, _bend = upload_time(load_s, log_sinr)
    for j in range(n_uavs):
        sx, sy = _gain_slope(data, k, j, uav_xy_m)
        weight = -1.0
        if j != m:
            weight = np.exp(data.log_leakage + gains[k, j]) * data.uav_power_W / total
        slope[j, 0] += price * fall * weight * sx
        slope[j, 1] += price * fall * weight * sy


@kernel
def _step(
    data: SlotData,
    reach: Cube,
    point: Point,
    step: Matrix,
    promised: float,
    relative_gap: float,
    trial: Point,
) -> bool:
    """Armijo backtracking along a step (M, 2) that promises a slope; the result is in `trial`."""
    scale = 1.0
    for _halving in range(12):
        copy_point(point, trial)
        assign_rows(trial.uav_xy_m, point.uav_xy_m + scale * step)
        if repair(data, reach, chosen_receivers(data, trial.choice), trial.uav_xy_m):
            value = settle_powers(data, trial, 0.1 * relative_gap, np.inf)
            if value <= point.value[0] + 1e-4 * scale * promised:
                return True
        scale *= 0.4
    return False


@kernel
def polish(data: SlotData, reach: Cube, point: Point, relative_gap: float, max_steps: int) -> None:
    """Descend V over positions in place, from admissible positions with settled powers.

    Stops when a projected step promises less than relative_gap of the value.
    """
    n_uavs = point.uav_xy_m.shape[0]
    trial = Point(
        point.choice.copy(), point.log_power.copy(), point.multiplier.copy(),
        point.uav_xy_m.copy(), point.value.copy(),
    )  # fmt: skip
    widest = 0.0
    for m in range(n_uavs):
        for i in range(reach.shape[1]):
            widest = max(widest, reach[m, i, 2])
    if widest == 0.0:
        return
    receiver, area = chosen_receivers(data, point.choice), area_box(data)
    slope = position_slope(data, point)
    steepest = np.sqrt(dot(slope, slope))
    length = 0.3 * widest / max(steepest, 1e-300)
    for _ in range(max_steps):
        target = point.uav_xy_m - length * slope
        for m in range(n_uavs):
            discs = discs_of(data, reach, receiver, m)
            x, y, _fine = nearest_position(discs, area, target[m, 0], target[m, 1])
            target[m, 0], target[m, 1] = x, y
        step = target - point.uav_xy_m
        promised = dot(slope, step)
        if not promised < -relative_gap * abs(point.value[0]):
            break
        if not _step(data, reach, point, step, promised, relative_gap, trial):
            break
        new_slope = position_slope(data, trial)
        went = trial.uav_xy_m - point.uav_xy_m
        curve = dot(went, new_slope - slope)
        length = 4.0 * length
        if curve > 0.0:
            length = min(length, dot(went, went) / curve)
        copy_point(trial, point)
        slope = new_slope

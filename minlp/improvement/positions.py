"""Where UAVs may be, and descent over their positions with powers re-solved, compiled.

`nearest_position` is the exact projection on what reach, area and coverage leave to one UAV: an
intersection of discs and a square. `polish` is the spectral projected gradient method (Birgin,
Martinez, Raydan, SIAM J. Optim. 10(4), 2000) on V(q) of `slot.value`, all UAVs at once; downlink
interference, and separation where it is on, are part of it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from minlp.convex.problem import upload_time
from minlp.slot.data import NOT_SENT, Array, IntArray, SlotData
from minlp.slot.value import (
    EDGE,
    INNER,
    LN2,
    Point,
    copy_point,
    disturbs,
    log_gains,
    settle_powers,
)


@njit(cache=True, error_model="numpy")
def start_reach(data: SlotData) -> Array:
    """(M, 1, 3) rows (x, y, radius): the reach of every UAV from where it starts."""
    reach = np.empty((data.start_xy_m.shape[0], 1, 3))
    reach[:, 0, :2] = data.start_xy_m
    reach[:, 0, 2] = data.reach_m
    return reach


@njit(cache=True, error_model="numpy")
def discs_of(data: SlotData, reach: Array, choice: IntArray, m: int) -> Array:
    """Rows (x, y, radius): the reach of UAV m, then the coverage around each of its devices.

    `reach` (M, R, 3) holds the discs in which every UAV has to end, whatever it serves.
    """
    n, count = choice.shape[0], reach.shape[1]
    rows = np.empty((n + count, 3))
    rows[:count] = reach[m]
    for k in range(n):
        if data.receiver[k, choice[k]] == m:
            rows[count, 0], rows[count, 1] = data.device_xy_m[k]
            rows[count, 2] = data.coverage_m
            count += 1
    return rows[:count]


@njit(cache=True, error_model="numpy")
def inside(discs: Array, side_m: float, x: float, y: float) -> bool:
    if x < 0.0 or y < 0.0 or x > side_m or y > side_m:
        return False
    for i in range(discs.shape[0]):
        if np.hypot(x - discs[i, 0], y - discs[i, 1]) > discs[i, 2] * (1 + EDGE):
            return False
    return True


@njit(cache=True, error_model="numpy")
def _crossings(discs: Array, side_m: float, i: int, j: int, points: Array) -> int:
    """Points where boundaries i and j meet, into rows of points; how many.

    Boundaries 0..D-1 are circles, D..D+3 the lines x = 0, x = side, y = 0, y = side.
    """
    count = discs.shape[0]
    if i >= count:
        if (i - count) // 2 == (j - count) // 2:
            return 0
        points[0, 0] = side_m * ((i - count) % 2)
        points[0, 1] = side_m * ((j - count) % 2)
        return 1
    cx, cy, radius = discs[i, 0], discs[i, 1], discs[i, 2] * INNER
    if j >= count:
        across = (j - count) // 2 == 0  # the line is x = level
        level = side_m * ((j - count) % 2)
        off = level - (cx if across else cy)
        if abs(off) > radius:
            return 0
        half = np.sqrt(radius * radius - off * off)
        for sign in range(2):
            along = (cy if across else cx) + (2 * sign - 1) * half
            points[sign, 0] = level if across else along
            points[sign, 1] = along if across else level
        return 2
    dx, dy = discs[j, 0] - cx, discs[j, 1] - cy
    other = discs[j, 2] * INNER
    d2 = dx * dx + dy * dy
    d = np.sqrt(d2)
    if d == 0.0 or d > radius + other or d < abs(radius - other):
        return 0
    share = 0.5 * (1.0 + (radius * radius - other * other) / d2)
    half = np.sqrt(max(radius * radius / d2 - share * share, 0.0))
    for sign in range(2):
        turn = (2 * sign - 1) * half
        points[sign, 0] = cx + share * dx - turn * dy
        points[sign, 1] = cy + share * dy + turn * dx
    return 2


@njit(cache=True, error_model="numpy")
def nearest_position(discs: Array, side_m: float, x: float, y: float) -> tuple[float, float, bool]:
    """The point of the discs and the square nearest to (x, y), and whether there is any.

    The nearest point of a convex set outside of which (x, y) lies is on one boundary, as the
    projection on it, or where two meet.
    """
    if inside(discs, side_m, x, y):
        return x, y, True
    count = discs.shape[0]
    points = np.empty((2, 2))
    best, bx, by = np.inf, x, y
    for i in range(count + 4):
        if i < count:
            cx, cy = discs[i, 0], discs[i, 1]
            scale = discs[i, 2] * INNER / max(np.hypot(x - cx, y - cy), 1e-300)
            points[0, 0], points[0, 1] = cx + (x - cx) * scale, cy + (y - cy) * scale
        else:
            points[0, 0], points[0, 1] = x, y
            points[0, (i - count) // 2] = side_m * ((i - count) % 2)
        found = 1
        for j in range(i, count + 4):
            if j > i:
                found = _crossings(discs, side_m, i, j, points)
            for p in range(found):
                away = np.hypot(points[p, 0] - x, points[p, 1] - y)
                if away < best and inside(discs, side_m, points[p, 0], points[p, 1]):
                    best, bx, by = away, points[p, 0], points[p, 1]
    return bx, by, best < np.inf


@njit(cache=True, error_model="numpy")
def repair(data: SlotData, reach: Array, choice: IntArray, uav_xy_m: Array) -> bool:
    """Bring every UAV to the nearest place where it may serve its devices; False if none is.

    Also False where UAVs are too near each other, or where a device is refused by a UAV above it.
    """
    n_uavs = uav_xy_m.shape[0]
    for m in range(n_uavs):
        discs = discs_of(data, reach, choice, m)
        x, y, fine = nearest_position(discs, data.side_m, uav_xy_m[m, 0], uav_xy_m[m, 1])
        if not fine:
            return False
        uav_xy_m[m, 0], uav_xy_m[m, 1] = x, y
        for j in range(m):
            apart = np.hypot(x - uav_xy_m[j, 0], y - uav_xy_m[j, 1])
            if data.separation_m > 0.0 and apart < data.separation_m:
                return False
    return refusals_hold(data, choice, uav_xy_m)


@njit(cache=True, error_model="numpy")
def refusals_hold(data: SlotData, choice: IntArray, uav_xy_m: Array) -> bool:
    """Whether every device left unserved has no UAV that could take it."""
    for k in range(choice.shape[0]):
        if data.receiver[k, choice[k]] != NOT_SENT:
            continue
        for o in range(data.n_options[k]):
            m = data.receiver[k, o]
            if m == NOT_SENT:
                continue
            dx = uav_xy_m[m, 0] - data.device_xy_m[k, 0]
            dy = uav_xy_m[m, 1] - data.device_xy_m[k, 1]
            if np.hypot(dx, dy) <= data.coverage_m * (1 + 2e-9):
                return False
    return True


@njit(cache=True, error_model="numpy")
def _gain_slope(data: SlotData, k: int, m: int, uav_xy_m: Array) -> tuple[float, float]:
    """Slope of the log gain of device k at UAV m. Eq. (6)."""
    dx, dy = uav_xy_m[m, 0] - data.device_xy_m[k, 0], uav_xy_m[m, 1] - data.device_xy_m[k, 1]
    scale = -data.path_loss_exponent / (dx * dx + dy * dy + data.altitude_m[m] ** 2)
    return scale * dx, scale * dy


@njit(cache=True, error_model="numpy")
def position_slope(data: SlotData, point: Point) -> Array:
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
            if j != k and disturbs(data.scope, r, m, n_uavs):
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


@njit(cache=True, error_model="numpy")
def _add_download_slope(
    data: SlotData, gains: Array, k: int, m: int, price: float, uav_xy_m: Array, slope: Array
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


@njit(cache=True, error_model="numpy")
def _step(
    data: SlotData,
    reach: Array,
    point: Point,
    step: Array,
    promised: float,
    relative_gap: float,
    trial: Point,
) -> bool:
    """Armijo backtracking along a step (M, 2) that promises a slope; the result is in `trial`."""
    scale = 1.0
    for _halving in range(12):
        copy_point(point, trial)
        trial.uav_xy_m[:] = point.uav_xy_m + scale * step
        if repair(data, reach, trial.choice, trial.uav_xy_m):
            value = settle_powers(data, trial, 0.1 * relative_gap, np.inf)
            if value <= point.value[0] + 1e-4 * scale * promised:
                return True
        scale *= 0.4
    return False


@njit(cache=True, error_model="numpy")
def polish(data: SlotData, reach: Array, point: Point, relative_gap: float, max_steps: int) -> None:
    """Descend V over positions in place, from admissible positions with settled powers.

    Stops when a projected step promises less than relative_gap of the value.
    """
    n_uavs = point.uav_xy_m.shape[0]
    trial = Point(
        point.choice.copy(), point.log_power.copy(), point.multiplier.copy(),
        point.uav_xy_m.copy(), point.value.copy(),
    )  # fmt: skip
    if n_uavs == 0 or reach[:, :, 2].max() == 0.0:
        return
    slope = position_slope(data, point)
    steepest = np.sqrt((slope**2).sum())
    length = 0.3 * reach[:, :, 2].max() / max(steepest, 1e-300)
    for _ in range(max_steps):
        target = point.uav_xy_m - length * slope
        for m in range(n_uavs):
            discs = discs_of(data, reach, point.choice, m)
            x, y, _fine = nearest_position(discs, data.side_m, target[m, 0], target[m, 1])
            target[m, 0], target[m, 1] = x, y
        step = target - point.uav_xy_m
        promised = (slope * step).sum()
        if not promised < -relative_gap * abs(point.value[0]):
            break
        if not _step(data, reach, point, step, promised, relative_gap, trial):
            break
        new_slope = position_slope(data, trial)
        went = trial.uav_xy_m - point.uav_xy_m
        curve = (went * (new_slope - slope)).sum()
        length = 4.0 * length
        if curve > 0.0:
            length = min(length, (went**2).sum() / curve)
        copy_point(trial, point)
        slope = new_slope

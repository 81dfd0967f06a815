"""Linear costs of every option around a known plan, compiled: what the assignment MILP sums up.

An option costs what its device would pay with the best power against today's disturbance at that
receiver, plus the harm of that power to all others, at the price they put on disturbance
(interference prices: Huang, Berry, Honig, IEEE JSAC 24(5), 2006). At the known plan the prices are
the exact first derivatives of everybody else's cost.
"""

from __future__ import annotations

import numpy as np

from minlp.convex.problem import upload_time
from minlp.slot.cost import download_s, interferes, log_gains
from minlp.slot.data import NOT_SENT, SlotData
from minlp.slot.region import area_box, nearest_position
from minlp.slot.value import Point
from satedge.kernels import BoolCube, Matrix, Vector, kernel

#: Halvings of the bracket of ln P; a price needs no more than a few digits.
HALVINGS = 30


@kernel
def upload_cost(
    data: SlotData, log_power: float, log_snr: float, load: float, propagation: float, slack: float
) -> tuple[float, float]:
    """Cost of an upload at a log-power, log_snr the SINR at 1 W, and its right derivative."""
    h, fall, _bend = upload_time(load, log_power + log_snr)
    power_W = np.exp(log_power)
    paid = data.energy_weight * power_W * (h + propagation)
    price = data.latency_weight + data.energy_weight * power_W
    cost = data.latency_weight * h + paid
    if h > slack:
        price += data.overrun_weight
        cost += data.overrun_weight * (h - slack)
    return cost, paid - price * fall


@kernel
def best_power(
    data: SlotData, log_snr: float, load: float, propagation: float, slack: float, harm: float
) -> float:
    """Log-power of least upload cost plus harm * power, by bisection on the derivative."""
    low, high = data.log_power_min, data.log_power_max
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        _cost, slope = upload_cost(data, middle, log_snr, load, propagation, slack)
        if slope + harm * np.exp(middle) < 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@kernel
def disturbance_prices(data: SlotData, point: Point, gains: Matrix) -> Vector:
    """Cost that a watt of disturbance, received by device i, adds to its cost: (n,)."""
    n, n_uavs = data.log_fading.shape
    prices = np.zeros(n)
    for k in range(n):
        r = data.receiver[k, point.choice[k]]
        if r == NOT_SENT:
            continue
        total = np.exp(data.log_noise)
        for j in range(n):
            sender = data.receiver[j, point.choice[j]]
            if j != k and interferes(data.scope, sender, r, n_uavs):
                total += np.exp(data.log_leakage + gains[j, r] + point.log_power[j])
        log_sinr = point.log_power[k] + gains[k, r] - np.log(total)
        _h, fall, _bend = upload_time(data.load_s[k, r], log_sinr)
        price = data.latency_weight + data.energy_weight * np.exp(point.log_power[k])
        prices[k] = (price + point.multiplier[k]) * fall / total
    return prices


@kernel
def option_costs(data: SlotData, point: Point, priced: bool) -> tuple[Matrix, Matrix]:
    """(cost, lateness in s) of every option (n, O); cost without overruns if compute is shared.

    `branch_and_bound.core_bound` counts today's disturbance and harm; otherwise everybody is alone.
    """
    n, n_uavs = data.log_fading.shape
    gains = log_gains(data, point.uav_xy_m)
    prices = disturbance_prices(data, point, gains) if priced else np.zeros(n)
    cost, late = np.full(data.receiver.shape, np.inf), np.zeros(data.receiver.shape)
    for k in range(n):
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            cost[k, o] = data.fixed_cost[k, o]
            if r == NOT_SENT:
                continue
            total, harm = np.exp(data.log_noise), 0.0
            for j in range(n):
                at = data.receiver[j, point.choice[j]]
                if not priced or j == k or at == NOT_SENT:
                    continue
                if interferes(data.scope, at, r, n_uavs):
                    total += np.exp(data.log_leakage + gains[j, r] + point.log_power[j])
                if interferes(data.scope, r, at, n_uavs):
                    harm += prices[j] * np.exp(data.log_leakage + gains[k, at])
            down = download_s(data, k, r, gains, gains) if r < n_uavs else 0.0
            slack = data.slack_s[k, o] - down - data.execute_s[k, o]
            log_snr = gains[k, r] - np.log(total)
            load, propagation = data.load_s[k, r], data.propagation_s[r]
            p = best_power(data, log_snr, load, propagation, slack, harm)
            paid, _slope = upload_cost(data, p, log_snr, load, propagation, slack)
            h, _fall, _bend = upload_time(load, p + log_snr)
            late[k, o] = h - slack
            cost[k, o] += paid + harm * np.exp(p)
            cost[k, o] += data.latency_weight * (down + data.execute_s[k, o])
            if r < n_uavs:
                cost[k, o] += data.energy_weight * data.uav_power_W * down
            if data.shared:
                cost[k, o] -= data.overrun_weight * max(late[k, o], 0.0)
    return cost, late


@kernel
def crowding(data: SlotData, load_s: float, log_snr: float) -> Vector:
    """Extra cost (n + 1,) of 0..n equally strong senders at one receiver over lone ones.

    Each has SINR 1 / (leakage (c - 1) + noise over received power). Convex in the count c.
    """
    n = data.log_fading.shape[0]
    extra = np.zeros(n + 1)
    noise = np.exp(-log_snr)
    alone, _fall, _bend = upload_time(load_s, log_snr)
    for c in range(2, n + 1):
        disturbed = np.exp(data.log_leakage) * (c - 1) + noise
        h, _fall, _bend = upload_time(load_s, -np.log(disturbed))
        extra[c] = c * data.latency_weight * (h - alone)
    return extra


@kernel
def conflicts(data: SlotData) -> BoolCube:
    """(n, n, M) pairs of devices that no reachable position of a UAV covers together."""
    n, n_uavs = data.log_fading.shape
    apart = np.zeros((n, n, n_uavs), np.bool_)
    discs, area = np.empty((3, 3)), area_box(data)
    discs[1:, 2] = data.coverage_m
    for m in range(n_uavs):
        discs[0, 0], discs[0, 1], discs[0, 2] = (
            data.start_xy_m[m, 0], data.start_xy_m[m, 1], data.reach_m
        )  # fmt: skip
        for j in range(n):
            for k in range(j):
                for a, i in ((1, j), (2, k)):
                    discs[a, 0], discs[a, 1] = data.device_xy_m[i, 0], data.device_xy_m[i, 1]
                x = 0.5 * (discs[1, 0] + discs[2, 0])
                y = 0.5 * (discs[1, 1] + discs[2, 1])
                _x, _y, fine = nearest_position(discs, area, x, y)
                apart[j, k, m] = apart[k, j, m] = not fine
    return apart

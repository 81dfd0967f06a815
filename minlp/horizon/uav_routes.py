"""Routes of one UAV through all slots by dynamic programming, compiled.

With everybody else where they are, the cost of a slot is estimated as a function of the place of
one UAV: every device takes its cheapest option at today's disturbance and prices
(`improvement.prices`). The cheapest route over a grid, with steps no longer than the reach, is then
exact for that estimate (Bellman 1957); the old place of each slot is a node as well, so that a
route leaves it only where that pays.
"""

from __future__ import annotations

import numpy as np

from minlp.improvement.prices import best_power, disturbance_prices, option_costs, upload_cost
from minlp.slot.cost import LN2, interferes, log_gains
from minlp.slot.data import NOT_SENT, SlotData
from minlp.slot.geometry import log_gain
from minlp.slot.region import covers
from minlp.slot.value import Point
from satedge.kernels import IntVector, Matrix, Vector, kernel
from satedge.kernels.arrays import assign, assign_rows, least_at


@kernel
def place_costs(data: SlotData, point: Point, m: int, places: Matrix) -> Vector:
    """Estimated slot cost with UAV m at each of places (G, 2): (G,)."""
    n, n_uavs = data.log_fading.shape
    gains = log_gains(data, point.uav_xy_m)
    prices = disturbance_prices(data, point, gains)
    cost, _late = option_costs(data, point, True)
    elsewhere, option = np.full(n, np.inf), np.full(n, -1)
    harm = np.zeros(n)
    for k in range(n):
        for o in range(data.n_options[k]):
            r = data.receiver[k, o]
            if r == m:
                option[k] = o
            elif not 0 <= r < n_uavs or covers(data, k, point.uav_xy_m[r], 0.0):
                elsewhere[k] = min(elsewhere[k], cost[k, o])
        for j in range(n):
            at = data.receiver[j, point.choice[j]]
            if j != k and at != NOT_SENT and interferes(data.scope, m, at, n_uavs):
                harm[k] += prices[j] * np.exp(data.log_leakage + gains[k, at])
    total = np.zeros(places.shape[0])
    for g in range(places.shape[0]):
        for k in range(n):
            least = elsewhere[k]
            if option[k] >= 0 and covers(data, k, places[g], 0.0):
                least = min(least, _cost_at(data, point, k, option[k], m, places[g], harm[k]))
            total[g] += least
    return total


@kernel
def _cost_at(
    data: SlotData, point: Point, k: int, o: int, m: int, place: Vector, harm: float
) -> float:
    """Cost of device k at UAV m in a place, against today's signals. Eqs. (8), (9), (12)."""
    n, n_uavs = data.log_fading.shape
    total = np.exp(data.log_noise)
    for j in range(n):
        at = data.receiver[j, point.choice[j]]
        if j != k and interferes(data.scope, at, m, n_uavs):
            heard = log_gain(data, j, m, place[0], place[1]) + point.log_power[j]
            total += np.exp(data.log_leakage + heard)
    own = log_gain(data, k, m, place[0], place[1])
    down_snr = np.exp(own - data.log_noise) * data.uav_power_W
    down = data.answer_bit[k] * LN2 / (data.uav_bandwidth_Hz * np.log1p(down_snr))
    slack = data.slack_s[k, o] - down - data.execute_s[k, o]
    load, propagation = data.load_s[k, m], data.propagation_s[m]
    log_snr = own - np.log(total)
    p = best_power(data, log_snr, load, propagation, slack, harm)
    paid, _slope = upload_cost(data, p, log_snr, load, propagation, slack)
    fixed = data.fixed_cost[k, o] + data.latency_weight * (down + data.execute_s[k, o])
    return fixed + paid + harm * np.exp(p) + data.energy_weight * data.uav_power_W * down


@kernel
def best_route(
    cost: Matrix, places: Matrix, old: Matrix, start: Vector, reach_m: float
) -> IntVector:
    """Cheapest nodes (T,): rows of places (G, 2), or G for the old place (T, 2) of the slot.

    cost (T, G + 1), the old place last; steps of at most `reach_m` from start (2,) on.
    """
    n_slots, nodes = cost.shape
    total = np.full((n_slots, nodes), np.inf)
    came = np.zeros((n_slots, nodes), np.int64)
    here = np.empty((nodes, 2))
    assign_rows(here, places)
    before = here.copy()
    for t in range(n_slots):
        assign(here[-1], old[t])
        if t > 0:
            assign(before[-1], old[t - 1])
        for g in range(nodes):
            if t == 0:
                near = np.hypot(here[g, 0] - start[0], here[g, 1] - start[1]) <= reach_m
                total[0, g] = cost[0, g] if near else np.inf
                continue
            best = np.inf
            for f in range(nodes):
                dx, dy = here[g, 0] - before[f, 0], here[g, 1] - before[f, 1]
                stays = f == nodes - 1 and g == nodes - 1
                if total[t - 1, f] < best and (stays or dx * dx + dy * dy <= reach_m**2):
                    best = total[t - 1, f]
                    came[t, g] = f
            total[t, g] = best + cost[t, g]
    route = np.empty(n_slots, np.int64)
    route[-1] = least_at(total[-1])
    for t in range(n_slots - 1, 0, -1):
        route[t - 1] = came[t, route[t]]
    return route

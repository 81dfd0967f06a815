"""What places of UAVs are worth in sampled futures: where each should fly, and what that costs.

In every slot of every future a request takes its cheapest server from where the UAVs then are, as
if it were alone: recourse without interference and on servers of their own, so that a slot costs
what its requests cost. What a UAV asks for a request depends on their distance alone, and is
tabulated. What a satellite asks is the request's cost at its usual gain and an excess by the
channel; channels being alike for all devices, every request is charged the mean over the excesses
of all (an expectation by conditioning), or rare deep fades would draw UAVs to whoever met one.

UAVs fly straight to their destination and stay there; destinations are chosen one UAV at a time,
over a grid and then a finer one around the best. So one path of every UAV is good for all futures
on average, and servers and powers follow each of them (two-stage stochastic programming; Birge and
Louveaux, Introduction to Stochastic Programming, 2011).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from minlp.slot.interference_free import gains_at, server_costs
from satedge.problem.instance import Instance

Array = NDArray[np.float64]

#: Distances at which costs are tabulated, from 0 to the coverage radius.
DISTANCES = 9

#: Cells of the grid of destinations along a side of the area, and of the finer one.
CELLS, FINER = 10, 5

#: Turns of all UAVs in the choice of destinations.
TURNS = 2


class Places:
    """Costs of sampled futures as functions of UAV places."""

    def __init__(self, futures: Instance, n_slots: int) -> None:
        """`futures` holds draws of `n_slots` slots one after the other (`Seen.futures`)."""
        s = futures.scenario
        self.scenario, self.n_slots = s, n_slots
        self.devices_m = self._by_draw(futures.device_xy_m)
        tables = [lone_costs(futures, far) for far in np.linspace(0.0, s.uav_coverage_m, DISTANCES)]
        by_uav = np.stack([table[..., : s.n_uavs] for table in tables], axis=-1)
        self.by_uav = np.moveaxis(self._by_draw(by_uav), -2, 0)
        """(M, F, H, K, DISTANCES) costs of requests of F futures at UAVs, by distance."""
        usual = dataclasses.replace(futures, satellite_gain=_usual_gain(futures))
        self.usual = self._by_draw(_elsewhere(lone_costs(usual, 0.0), futures))
        """(F, H, K) costs at the cheapest satellite of usual gain, or refused."""
        met = self._by_draw(_elsewhere(tables[0], futures)) - self.usual
        self.asked = self._by_draw(futures.active)
        excess = np.sort(met[self.asked]) if self.asked.any() else np.zeros(1)
        count = np.arange(len(excess), 0, -1) - 1
        self.excess, self.capped = excess, (excess.cumsum() + excess * count) / len(excess)
        """(n,) excesses by the channel, and the mean of the excesses capped at each of them."""

    def _by_draw(self, values: NDArray) -> NDArray:
        return values.reshape(-1, self.n_slots, *values.shape[1:])

    def at_uav(self, m: int, path_m: Array) -> Array:
        """(F, H, K) costs at UAV m on a path (H, 2); inf where it covers a device no more."""
        s = self.scenario
        away = self.devices_m - path_m[:, None]
        step = np.hypot(away[..., 0], away[..., 1]) * ((DISTANCES - 1) / s.uav_coverage_m)
        low = np.minimum(step.astype(np.int64), DISTANCES - 2)
        share = step - low
        table = self.by_uav[m]
        near = np.take_along_axis(table, low[..., None], axis=-1)[..., 0]
        far = np.take_along_axis(table, low[..., None] + 1, axis=-1)[..., 0]
        return np.where(share <= 1.0, near + share * (far - near), np.inf)

    def expected(self, by_uav: Array) -> float:
        """Mean over futures of what all slots cost, given the cheapest UAV's costs (F, H, K)."""
        saved = by_uav - self.usual
        capped = np.interp(saved, self.excess, self.capped)
        paid = np.where(saved < self.excess[0], saved, capped)
        return float(((self.usual + paid) * self.asked).sum()) / len(paid)

    def straight(self, start_m: Array, goal_m: Array) -> Array:
        """(H, 2) places after each slot on the way to a goal, from where the slot before ends."""
        away = goal_m - start_m
        far = max(float(np.hypot(*away)), 1e-12)
        flown = np.minimum(self.scenario.uav_reach_m * np.arange(1, self.n_slots + 1), far) / far
        return np.asarray(start_m + flown[:, None] * away)

    def cost(self, start_m: Array, goals_m: Array) -> float:
        """Mean over futures of what all slots cost, sum over devices; UAVs from, to (M, 2)."""
        return self.expected(self._without(-1, start_m, goals_m))

    def destinations(self, start_m: Array, goals_m: Array) -> Array:
        """(M, 2) where UAVs at `start_m` should fly to, from a guess; never worse than that."""
        best = goals_m.copy()
        for _ in range(TURNS if len(start_m) > 1 else 1):
            for m in range(len(start_m)):
                others = self._without(m, start_m, best)
                best[m] = self._destination(m, start_m, best[m], others)
        return best

    def _without(self, m: int, start_m: Array, goals_m: Array) -> Array:
        """(F, H, K) costs at the cheapest UAV but the m-th."""
        least = np.full(self.usual.shape, np.inf)
        for i in range(len(start_m)):
            if i != m:
                least = np.minimum(least, self.at_uav(i, self.straight(start_m[i], goals_m[i])))
        return least

    def _destination(self, m: int, start_m: Array, goal_m: Array, others: Array) -> Array:
        side_m = self.scenario.area_side_m
        ticks = (np.arange(CELLS) + 0.5) * side_m / CELLS
        grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        first = self._best(m, start_m[m], np.vstack([goal_m, start_m[m], grid]), others)
        fine = (np.arange(FINER) - FINER // 2) * (side_m / CELLS / FINER)
        around = first + np.stack(np.meshgrid(fine, fine), axis=-1).reshape(-1, 2)
        near = np.vstack([first, np.clip(around, 0.0, side_m)])
        return self._best(m, start_m[m], near, others)

    def _best(self, m: int, from_m: Array, goals_m: Array, others: Array) -> Array:
        paths = (self.straight(from_m, goal) for goal in goals_m)
        costs = [self.expected(np.minimum(others, self.at_uav(m, path))) for path in paths]
        return np.asarray(goals_m[int(np.argmin(costs))])


def lone_costs(instance: Instance, away_m: float | Array) -> Array:
    """(T, K, S) costs of lone requests with all UAVs at a horizontal distance, one for all slots or
    (T, 1, 1); 0 when idle.

    Refusing costs no more, so that no entry is above that.
    """
    s, c = instance.scenario, instance.coefficients
    far = np.full((instance.n_slots, s.n_devices, s.n_uavs), away_m)
    cost = server_costs(instance, gains_at(instance, far)).cost
    usable = c.accurate & c.linked[:, None, :]
    return np.minimum(np.where(usable, cost, np.inf), instance.outage_cost[..., None])


def _elsewhere(costs: Array, instance: Instance) -> Array:
    """(T, K) costs at the cheapest satellite, or refused."""
    by_satellite = costs[..., instance.scenario.n_uavs :].min(axis=-1, initial=np.inf)
    return np.minimum(by_satellite, instance.outage_cost)


def _usual_gain(instance: Instance) -> Array:
    """(T, K) of every slot the median gain of its devices."""
    gain = instance.satellite_gain
    return np.repeat(np.median(gain, axis=1)[:, None], gain.shape[1], axis=1)

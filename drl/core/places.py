"""What the places of UAVs are worth to later slots, as far as devices can be foreseen, and the
places that are best for a slot and for those after it.

The value is a sum over devices and later slots of what a request saves if a UAV can serve it:

    V = saving * sum over tau, k of max over m of ramp((radius - |path_m - device_k|) / width)

where radius and width grow with tau, and a device keeps its velocity for a time that fades with
`lead_s`. A UAV flies straight to a destination and stays there. The seven numbers are learned
(`drl.training.ahead`); a radius beyond that of coverage stands for what a UAV still reaches once it
sees who needs it. Everything is computed for E episodes side by side, candidates on the last axis.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from satedge.problem.scenario import Scenario

Array = NDArray[np.floating]

#: Later slots at which places are looked at; each stands for those nearest to it.
LATER = np.array([1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25])

#: Destinations: a lattice of so many cells along a side, then steps around the best, in cells.
CELLS, FINER = 7, (0.3, 0.1)

#: Directions of candidate flights, the whole reach and half of it.
TURNS = 12

#: A place this much inside of a disc is in it, rounding or not.
INSIDE = 1 - 1e-5


@dataclass(frozen=True)
class Weights:
    """What is learned."""

    saving: float = 1.5
    """Cost that a request saves by a UAV that covers it, on average."""
    radius: float = 1.06
    """Distance at which half of that is left, over the radius of coverage."""
    radius_growth: float = 0.0
    """Of the radius, per later slot."""
    width: float = 0.06
    """Over which the saving falls from all to nothing, twice, over the radius of coverage."""
    width_growth: float = 0.02
    lead_s: float = 30.0
    """Time after which a device is expected to have left its line."""
    fade: float = 1.0
    """Weight of a later slot against the one before it."""

    def vector(self) -> NDArray[np.float64]:
        """(7,) all of them."""
        return np.array(astuple(self))

    @classmethod
    def of(cls, vector: NDArray[np.float64]) -> Weights:
        """The reverse."""
        return cls(*map(float, vector))


NAMES = tuple(field.name for field in fields(Weights))


@dataclass(frozen=True)
class Requests:
    """The slot's requests as if each were alone, of E episodes."""

    near: Array
    """(E, M, K) cost at UAV m right above."""
    far: Array
    """(E, M, K) at the edge of its coverage."""
    elsewhere: Array
    """(E, K) at the cheapest satellite, or refused; 0 when idle, as the others."""
    device_xy_m: Array
    """(E, K, 2)."""

    def at(self, m: int, places_m: Array, coverage_m: float) -> Array:
        """(E, K, C) costs at UAV m at places (E, 2, C); inf where it does not cover."""
        away = places_m[:, None] - self.device_xy_m[..., None]
        share = (away**2).sum(axis=2) / coverage_m**2
        near, far = self.near[:, m, :, None], self.far[:, m, :, None]
        return np.where(share <= 1.0, near + share * (far - near), np.inf)


class Ahead:
    """Later slots as they are foreseen from one slot of E episodes."""

    def __init__(
        self, s: Scenario, weights: Weights, device_xy_m: Array, step_m: Array, left: int
    ) -> None:
        """Devices at (E, K, 2), moved by `step_m` since the slot before; so many slots follow."""
        self.scenario, w = s, weights
        lead = max(w.lead_s / s.slot_s, 1e-3)
        going = (lead * (1 - np.exp(-LATER / lead))).astype(device_xy_m.dtype)
        to_m = device_xy_m[:, None] + step_m[:, None] * going[:, None, None]
        self.device_xy_m = np.clip(to_m, 0.0, s.area_side_m)
        """(E, H, K, 2)."""
        width_m = s.uav_coverage_m * np.maximum(w.width + w.width_growth * LATER, 1e-3)
        edge_m = s.uav_coverage_m * (w.radius + w.radius_growth * LATER) + width_m
        kind = device_xy_m.dtype
        self.slope = (0.5 / width_m).astype(kind)[:, None, None]
        self.level = (edge_m * 0.5 / width_m).astype(kind)[:, None, None]
        weight = w.saving * standing_for(left, w.fade)
        self.weight = np.repeat(weight, s.n_devices).astype(kind)
        self.flown_m = (s.uav_reach_m * LATER).astype(kind)[:, None]

    def covered(self, places_m: Array, goals_m: Array) -> Array:
        """(E, H K, C) shares of the saving, a UAV flying from (E, 2, C) to (E, 2, C)."""
        away = goals_m - places_m
        far = np.sqrt((away**2).sum(axis=1, keepdims=True)) + 1e-6
        share = np.minimum(self.flown_m / far, 1.0)
        x, y = (places_m[:, i, None] + share * away[:, i, None] for i in (0, 1))
        dx = x[:, :, None] - self.device_xy_m[..., 0, None]
        dy = y[:, :, None] - self.device_xy_m[..., 1, None]
        found = np.clip(self.level - np.sqrt(dx * dx + dy * dy) * self.slope, 0.0, 1.0)
        return found.reshape(len(found), -1, found.shape[-1])

    def worth(self, covered: Array, others: Array) -> Array:
        """(E, C) of a UAV's shares (E, H K, C) beside those of the others (E, H K)."""
        return self.weight @ np.maximum(covered, others[..., None])


def standing_for(left: int, fade: float) -> NDArray[np.float64]:
    """(H,) weights of LATER, all of the `left` slots that follow."""
    later = np.arange(1, left + 1)
    nearest = np.abs(later[:, None] - LATER).argmin(axis=1)
    return np.bincount(nearest, fade**later, len(LATER)).astype(float)


def destinations(ahead: Ahead, start_m: Array, goals_m: Array) -> Array:
    """(E, M, 2) where UAVs at (E, M, 2) should fly, found around goals of before, one by one."""
    goals_m = goals_m.copy()
    n_uavs = start_m.shape[1]
    kept = [ahead.covered(start_m[:, m, :, None], goals_m[:, m, :, None]) for m in range(n_uavs)]
    for m in range(n_uavs):
        others = _beside(kept, m)
        for offsets_m in (None, *_around(ahead.scenario.area_side_m)):
            tried_m = _tried(ahead, start_m[:, m], goals_m[:, m], offsets_m)
            covered = ahead.covered(start_m[:, m, :, None], tried_m)
            best = ahead.worth(covered, others).argmax(axis=-1)
            goals_m[:, m] = _picked(tried_m, best)
            kept[m] = _picked(covered, best)[..., None]
    return goals_m


def _beside(kept: list[Array], m: int) -> Array:
    """(E, H K) the most that any UAV but the m-th covers."""
    rest = [k[..., 0] for i, k in enumerate(kept) if i != m]
    return np.maximum.reduce(rest) if rest else np.zeros_like(kept[m][..., 0])


def _picked(candidates: Array, best: NDArray[np.int64]) -> Array:
    """(E, X) of (E, X, C), each episode its own."""
    return np.take_along_axis(candidates, best[:, None, None], axis=-1)[..., 0]


def _around(side_m: float) -> list[Array]:
    """Offsets (2, 9) around a destination, coarser and finer."""
    square = np.stack(np.meshgrid([0.0, -1.0, 1.0], [0.0, -1.0, 1.0])).reshape(2, -1)
    return [share * side_m / CELLS * square for share in FINER]


def _tried(ahead: Ahead, start_m: Array, goal_m: Array, offsets_m: Array | None) -> Array:
    """(E, 2, C) destinations: around a goal, or the goal, the start and the lattice."""
    side_m = ahead.scenario.area_side_m
    if offsets_m is not None:
        return np.clip(goal_m[..., None] + offsets_m.astype(goal_m.dtype), 0.0, side_m)
    ticks = (np.arange(CELLS) + 0.5) * side_m / CELLS
    grid = np.stack(np.meshgrid(ticks, ticks)).reshape(1, 2, -1).astype(goal_m.dtype)
    grid = np.broadcast_to(grid, (len(goal_m), *grid.shape[1:]))
    return np.concatenate([goal_m[..., None], start_m[..., None], grid], axis=-1)


def places(ahead: Ahead, requests: Requests, start_m: Array, goals_m: Array) -> Array:
    """(E, M, 2) where UAVs are best in the slot, its requests and later slots counted together.

    One UAV at a time, all from where they stand and all from where their goals are: the better.
    """
    s, n_uavs = ahead.scenario, start_m.shape[1]
    tried, costs, covered = [], [], []
    for m in range(n_uavs):
        near_m = within_reach(s, requests.device_xy_m, start_m[:, m], goals_m[:, m])
        tried.append(near_m)
        costs.append(requests.at(m, near_m, s.uav_coverage_m))
        covered.append(ahead.covered(near_m, goals_m[:, m, :, None]))
    found = [_descent(ahead, requests.elsewhere, costs, covered, first) for first in (0, 1)]
    better = found[1][1] < found[0][1]
    chosen = np.where(better, found[1][0], found[0][0])
    return np.stack([_picked(tried[m], chosen[m]) for m in range(n_uavs)], axis=1)


#: Turns of all UAVs in the choice of places.
SWEEPS = 2


def _descent(
    ahead: Ahead, elsewhere: Array, costs: list[Array], covered: list[Array], first: int
) -> tuple[NDArray[np.int64], Array]:
    """Candidates (M, E) that no UAV alone betters, from the `first` of each, and the sum (E,)."""
    n_uavs = len(costs)
    chosen = np.full((n_uavs, len(elsewhere)), first)
    paid, kept = [c[..., first] for c in costs], [c[..., first, None] for c in covered]
    total = np.zeros(len(elsewhere))
    for m in [*range(n_uavs)] * SWEEPS:
        least = np.minimum.reduce([elsewhere, *(p for i, p in enumerate(paid) if i != m)])
        sums = np.minimum(costs[m], least[..., None]).sum(axis=1)
        sums = sums - ahead.worth(covered[m], _beside(kept, m))
        chosen[m] = sums.argmin(axis=-1)
        total = np.take_along_axis(sums, chosen[m][:, None], axis=-1)[:, 0]
        paid[m], kept[m] = _picked(costs[m], chosen[m]), _picked(covered[m], chosen[m])[..., None]
    return chosen, total


def within_reach(s: Scenario, device_xy_m: Array, start_m: Array, goal_m: Array) -> Array:
    """(E, 2, C) places for a UAV: where it is, a step to its goal, around, and at the edges of
    where it covers a device, seen from both."""
    step_m = goal_m - start_m
    far = np.sqrt((step_m**2).sum(axis=-1, keepdims=True)) + 1e-6
    nearer_m = start_m + step_m * np.minimum(1.0, INSIDE * s.uav_reach_m / far)
    turns = 2 * np.pi * np.arange(TURNS) / TURNS
    ring = np.concatenate([r * np.stack([np.cos(turns), np.sin(turns)]) for r in (1.0, 0.5)], -1)
    around_m = start_m[..., None] + (INSIDE * s.uav_reach_m * ring).astype(start_m.dtype)
    edges = []
    for from_m in (start_m, nearer_m):
        away = from_m[:, None] - device_xy_m
        far = np.sqrt((away**2).sum(axis=-1, keepdims=True)) + 1e-6
        edge_m = device_xy_m + away * np.minimum(1.0, INSIDE * s.uav_coverage_m / far)
        edges.append(np.moveaxis(edge_m, 1, -1))
    tried = np.concatenate([start_m[..., None], nearer_m[..., None], around_m, *edges], axis=-1)
    off_m = tried - start_m[..., None]
    reached = (off_m**2).sum(axis=1, keepdims=True) <= s.uav_reach_m**2
    return np.clip(np.where(reached, tried, start_m[..., None]), 0.0, s.area_side_m)

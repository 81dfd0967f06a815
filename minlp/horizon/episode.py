"""A plan of many slots as points, and the moves that improve it with the future known.

Every slot has its data with all options that some motion from the start could reach; where the
UAVs may really be in a slot is the intersection of the discs around their places before and after.
Costs are elastic sums over devices; the referee judges what leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minlp.alternating.solve import HOPE_STEPS, POSITION_GAP, POSITION_STEPS, Settings
from minlp.horizon.uav_routes import best_route, place_costs
from minlp.improvement.neighbourhood import kick, neighbour_count, place, sweep
from minlp.improvement.positions import polish
from minlp.improvement.prices import option_costs
from minlp.slot.data import Array, SlotData, plan_of, slot_data
from minlp.slot.region import EDGE, apart, nearest_position
from minlp.slot.value import Point, copied, point_of, settle_powers
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan, concatenate

#: Relative accuracy of powers.
POWER_GAP = 1e-8

#: Targets beyond the reach by no more than this share of it count as on its edge.
EDGE_SHARE = 1e-5

#: Turns of neighbourhoods and positions at most: each gains, so that few are ever needed.
MAX_TURNS = 50

#: Speed that a scenario may have at most.
FASTEST_MPS = 300.0

#: Cells of a route's grid along each side of the area.
GRID_CELLS = 20


@dataclass
class Tour:
    """Points of all slots, in motion from slot to slot. Built by `tour_of`."""

    instance: Instance
    data: list[SlotData]
    points: list[Point]

    @property
    def values(self) -> Array:
        """(T,) elastic cost of every slot, sum over devices."""
        return np.array([p.value[0] for p in self.points])

    @property
    def uav_xy_m(self) -> Array:
        """(T, M, 2)"""
        return np.stack([p.uav_xy_m for p in self.points])

    def plan(self) -> Plan:
        """The whole plan."""
        return concatenate(
            [
                plan_of(self.instance, t, d, p.choice, p.log_power, p.uav_xy_m)
                for t, (d, p) in enumerate(zip(self.data, self.points, strict=True))
            ]
        )

    def reach(self, t: int, uav_xy_m: Array | None = None) -> Array:
        """(M, R, 3) discs in which the UAVs of slot t must be, for neighbours at `uav_xy_m`."""
        xy = self.uav_xy_m if uav_xy_m is None else uav_xy_m
        before = self.instance.uav_xy_m if t == 0 else xy[t - 1]
        centres = [before] if t + 1 == len(xy) else [before, xy[t + 1]]
        radius = np.full((len(before), 1), self.instance.scenario.uav_reach_m)
        return np.stack([np.hstack([c, radius]) for c in centres], axis=1)

    def fits(self, t: int, point: Point) -> bool:
        """Whether UAVs keep apart in slot t."""
        return bool(apart(self.data[t], point.uav_xy_m))

    def improve_slot(self, t: int, rng: np.random.Generator) -> bool:
        """Servers, powers and positions of one slot between its neighbours; True if it gained."""
        point, reach = self.points[t], self.reach(t)
        before = point.value[0]
        if len(point.choice):
            descend(self.data[t], reach, point, rng)
        return bool(point.value[0] < before * (1 - 1e-7))

    def pull(self, t: int, target_xy_m: Array, rng: np.random.Generator) -> bool:
        """Bend the tour so that slot t happens at `target_xy_m` (M, 2); keep it if it pays."""
        s = self.instance.scenario
        bent = bent_path(
            self.uav_xy_m, self.instance.uav_xy_m, t, target_xy_m, s.uav_reach_m, s.area_side_m
        )
        if bent is None:
            return False
        return self.follow(bent, rng)

    def reroute(self, m: int, rng: np.random.Generator, cells: int = GRID_CELLS) -> int:
        """Send UAV m along its cheapest route, stretch by stretch where that pays; how many did."""
        s = self.instance.scenario
        ticks = (np.arange(cells) + 0.5) * (s.area_side_m / cells)
        places = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        old, start = self.uav_xy_m, self.instance.uav_xy_m[m]
        places = places[np.hypot(*(places - start).T) <= len(old) * s.uav_reach_m]
        cost = np.zeros((len(old), len(places) + 1))
        for t, (data, point) in enumerate(zip(self.data, self.points, strict=True)):
            if len(point.choice):
                cost[t] = place_costs(data, point, m, np.vstack([places, old[t, m]]))
        route = best_route(cost, places, old[:, m].copy(), start.copy(), s.uav_reach_m)
        gained = 0
        for stretch in _stretches(route != len(places)):
            path = self.uav_xy_m
            path[stretch, m] = places[route[stretch]]
            gained += self.follow(path, rng)
        return gained

    def follow(self, path_xy_m: Array, rng: np.random.Generator) -> bool:
        """Move the UAVs to a path (T, M, 2) that keeps the speed limit; keep it if it pays."""
        moved = np.flatnonzero((path_xy_m != self.uav_xy_m).any(axis=(1, 2)))
        trial = []
        saved = self.values[moved].sum()
        for i in moved:
            point = reseated(self.data[i], self.points[i], path_xy_m[i])
            if len(point.choice):
                still = fixed_places(path_xy_m[i])
                if not np.isfinite(place(self.data[i], still, point, POWER_GAP, np.inf)):
                    return False
                descend(self.data[i], still, point, rng)
            else:
                point.value[0] = 0.0
            trial.append(point)
            saved -= point.value[0]
        if saved <= 1e-9 * self.values.sum():
            return False
        for i, point in zip(moved, trial, strict=True):
            self.points[i] = point
        return True


def tour_of(instance: Instance, plan: Plan, data: list[SlotData] | None = None) -> Tour:
    """The tour of an admissible plan."""
    data = data or [wide_data(instance, t) for t in range(instance.n_slots)]
    points = []
    for t in range(instance.n_slots):
        point = point_of(data[t], instance.rows(slice(t, t + 1)), plan.slots(t, t + 1))
        point.value[0] = np.inf if len(point.choice) else 0.0
        if len(point.choice):
            settle_powers(data[t], point, POWER_GAP, np.inf)
        points.append(point)
    return Tour(instance, data, points)


def widened(instance: Instance, t: int) -> Instance:
    """Slot t as an instance whose UAVs fly t + 1 slots at once: what `t` can be reached from 0.

    Reach beyond the diagonal of the area adds nothing.
    """
    s = instance.scenario
    diagonal = 1.001 * np.sqrt(2) * s.area_side_m  # and a little, for rounding
    reach_m = min((t + 1) * s.uav_reach_m, diagonal)
    slot = instance.rows(slice(t, t + 1), name=f"{instance.name}@{t} from 0")
    if reach_m <= s.uav_reach_m:
        return slot
    speed_mps = min(FASTEST_MPS, reach_m)
    return slot.with_scenario(s.replace(uav_speed_max_mps=speed_mps, slot_s=reach_m / speed_mps))


def wide_data(instance: Instance, t: int) -> SlotData:
    """Slot t with every option that some motion from the start reaches."""
    return slot_data(widened(instance, t))


def descend(data: SlotData, reach: Array, point: Point, rng: np.random.Generator) -> None:
    """Neighbourhoods and positions of a placed point until nothing improves."""
    count = neighbour_count(data)
    for _ in range(MAX_TURNS):
        polish(data, reach, point, POSITION_GAP, POSITION_STEPS)
        if not sweep(data, reach, point, rng.permutation(count), Settings.hope, HOPE_STEPS, count):
            break


def free_point(
    data: SlotData, reach: Array, start: Point, rng: np.random.Generator, kicks: int
) -> Point:
    """The best point found near `start` when only `reach` limits the UAVs."""
    best = copied(start)
    descend(data, reach, best, rng)
    for _ in range(kicks):
        trial = copied(best)
        devices = rng.permutation(len(trial.choice))[: rng.integers(2, 5)]
        kick(data, trial, devices, rng.random(len(devices)))
        if np.isfinite(place(data, reach, trial, POWER_GAP, np.inf)):
            descend(data, reach, trial, rng)
            if trial.value[0] < best.value[0]:
                best = trial
    return best


def fixed_places(uav_xy_m: Array) -> Array:
    """(M, 1, 3) discs so small that the UAVs stay where they are."""
    return np.hstack([uav_xy_m, np.full((len(uav_xy_m), 1), 1e-6)])[:, None, :]


def reseated(data: SlotData, point: Point, uav_xy_m: Array) -> Point:
    """The point with UAVs elsewhere; devices that are no longer covered take the cheapest left."""
    moved = copied(point)
    moved.uav_xy_m[:] = uav_xy_m
    if not len(point.choice):
        return moved
    n_uavs = len(uav_xy_m)
    away = np.hypot(*(data.device_xy_m[:, None] - uav_xy_m).transpose(2, 0, 1))
    covered = np.hstack([away <= data.coverage_m * (1 + EDGE), np.ones((len(away), 2), bool)])
    fine = covered[np.arange(len(away))[:, None], data.receiver % (n_uavs + 2)]
    cost, _late = option_costs(data, moved, True)
    cost = np.where(fine, cost, np.inf)
    lost = ~fine[np.arange(len(away)), point.choice]
    moved.choice[lost] = cost[lost].argmin(axis=1)
    return moved


def bent_path(
    uav_xy_m: Array, start_xy_m: Array, t: int, target_xy_m: Array, reach_m: float, side_m: float
) -> Array | None:
    """The path (T, M, 2) bent so that slot t is at the target; None if that is out of reach.

    A target on the very edge of what can be reached is drawn in a little. Until t every place is
    the nearest to its old one from which the target can still be reached; afterwards, the nearest
    that can be reached.
    """
    bent = uav_xy_m.copy()
    near_m = reach_m * (1 - 1e-6)  # leaves the discs an intersection with an inside
    area = np.array([0.0, side_m, 0.0, side_m])
    away = target_xy_m - start_xy_m
    share = (t + 1) * near_m / np.maximum(np.hypot(*away.T), 1e-300)
    if (share < 1 - EDGE_SHARE).any():
        return None
    target_xy_m = np.where(share[:, None] < 1, start_xy_m + share[:, None] * away, target_xy_m)
    bent[t] = target_xy_m
    for s in range(len(bent)):
        for m in range(bent.shape[1] if s != t else 0):
            before = start_xy_m[m] if s == 0 else bent[s - 1, m]
            discs = np.array([[*before, reach_m], [*target_xy_m[m], (t - s) * near_m]])
            x, y, fine = nearest_position(discs[: 2 if s < t else 1], area, *bent[s, m])
            if not fine:
                return None
            bent[s, m] = x, y
        if s > t and (bent[s] == uav_xy_m[s]).all():
            break
    return bent


def _stretches(flags: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Runs of consecutive true entries."""
    slots = np.flatnonzero(flags)
    return [run for run in np.split(slots, np.flatnonzero(np.diff(slots) > 1) + 1) if len(run)]

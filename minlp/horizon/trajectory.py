"""All positions of all slots at once: successive convex programs over the horizon (CVXPY).

For fixed servers the cost of a tour is the sum of the slots' values V_t(q_t), coupled only by the
speed limit. Around a tour each V_t is replaced by its second-order model, with the curvature made
convex (negative eigenvalues dropped), and the second-order cone program

    min  sum_t g_t . d_t + d_t' H_t d_t / 2
    s.t. |q_t + d_t - q_{t-1} - d_{t-1}| <= reach, every served device covered, in the area,
         |d_t| <= trust

moves the whole path. A step is kept if the true cost, powers settled anew, falls; otherwise the
trust region shrinks (Conn, Gould, Toint, Trust-Region Methods, 2000, chapter 12).
"""

from __future__ import annotations

import warnings
from typing import Any

import cvxpy
import numpy as np
import scipy.sparse as sp

from minlp.horizon.episode import POWER_GAP, Tour
from minlp.improvement.positions import position_slope
from minlp.slot.data import Array, SlotData
from minlp.slot.value import Point, copied, settle_powers

cp: Any = cvxpy  # its atoms are gathered at import, where type checkers do not see them

#: Radii are kept this much short, so that the solver's tolerance stays inside the referee's.
SHORT = 1 - 1e-7

#: Convex steps at most, each a conic program of all slots; most gains come with the first few.
STEPS = 8
#: The trust region's first radius, as a share of the reach, and where it gives up.
TRUST, LEAST_TRUST = 0.5, 0.01
#: What is left of the region after a step that did not gain: three such and it gives up.
SHRINK = 0.25
#: Relative gain of a step below which it is the last.
LEAST_GAIN = 1e-7


def smooth(tour: Tour, steps: int = STEPS) -> int:
    """Move all positions of a tour together, in place; how many steps were kept."""
    reach_m = tour.instance.scenario.uav_reach_m
    trust_m, kept = TRUST * reach_m, 0
    if reach_m == 0 or tour.instance.scenario.n_uavs == 0:
        return 0
    for _ in range(steps):
        path = proposed_path(tour, trust_m)
        trial = None if path is None else moved(tour, path)
        gain = 0.0 if trial is None else tour.values.sum() - sum(p.value[0] for p in trial)
        if trial is not None and gain > 0.0:
            tour.points[:] = trial
            kept += 1
            if gain < LEAST_GAIN * tour.values.sum():
                break
            trust_m = min(2 * trust_m, reach_m)
        else:
            trust_m *= SHRINK
            if trust_m < LEAST_TRUST * reach_m:
                break
    return kept


def moved(tour: Tour, path_xy_m: Array) -> list[Point] | None:
    """The tour's points on another path with powers settled; None if it is not admissible."""
    s = tour.instance.scenario
    steps = np.diff(np.concatenate([tour.instance.uav_xy_m[None], path_xy_m]), axis=0)
    if (np.hypot(steps[..., 0], steps[..., 1]) > s.uav_reach_m).any():
        return None
    points = []
    for t, (data, point) in enumerate(zip(tour.data, tour.points, strict=True)):
        twin = copied(point)
        twin.uav_xy_m[:] = path_xy_m[t]
        pairs = served_pairs(data, point)
        away = path_xy_m[t][pairs[:, 0]] - data.device_xy_m[pairs[:, 1]]
        if (np.hypot(away[:, 0], away[:, 1]) > data.coverage_m).any():
            return None
        if len(point.choice) and not tour.fits(t, twin):
            return None
        if len(point.choice):
            settle_powers(data, twin, POWER_GAP, np.inf)
        points.append(twin)
    return points


def proposed_path(tour: Tour, trust_m: float) -> Array | None:
    """(T, M, 2) the cheapest path of the convex model, or None where the solver gives up."""
    s = tour.instance.scenario
    old = tour.uav_xy_m
    n_slots, n_uavs = old.shape[:2]
    slopes, roots = second_order(tour)
    scale = 1.0 / max(float(np.abs(slopes).sum(axis=1).max()), 1e-300)
    move = cp.Variable((n_slots * n_uavs, 2))
    flat = cp.vec(move, order="C")
    cost = (scale * slopes.ravel()) @ flat
    cost += 0.5 * cp.sum_squares(np.sqrt(scale) * roots @ flat)
    place = move + old.reshape(-1, 2)
    following = sp.eye(n_slots * n_uavs) - sp.eye(n_slots * n_uavs, k=-n_uavs)
    origin = np.zeros((n_slots * n_uavs, 2))
    origin[:n_uavs] = tour.instance.uav_xy_m
    constraints = [
        cp.norm(following.tocsr() @ place - origin, axis=1) <= s.uav_reach_m * SHORT,
        cp.norm(move, axis=1) <= trust_m,
        place >= 0,
        place <= s.area_side_m,
    ]
    rows, centres = coverage(tour)
    if len(rows):
        constraints.append(cp.norm(place[rows] - centres, axis=1) <= s.uav_coverage_m * SHORT)
    problem = cp.Problem(cp.Minimize(cost), constraints)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an inaccurate answer is not taken
            problem.solve(solver="CLARABEL")
    except cvxpy.error.SolverError:
        return None
    if problem.status != cvxpy.OPTIMAL or move.value is None:
        return None
    path = old + move.value.reshape(old.shape)
    return np.clip(path, 0.0, s.area_side_m)


def second_order(tour: Tour) -> tuple[Array, Any]:
    """Slopes (T, 2M) and a sparse block-diagonal R with R'R the convex part of the curvature."""
    slopes, blocks = [], []
    for data, point in zip(tour.data, tour.points, strict=True):
        size = 2 * len(point.uav_xy_m)
        if not len(point.choice):
            slopes.append(np.zeros(size))
            blocks.append(np.zeros((size, size)))
            continue
        slope, rows = curvature(data, point)
        values, vectors = np.linalg.eigh(rows)
        slopes.append(slope)
        blocks.append(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)
    return np.array(slopes), sp.block_diag(blocks, format="csr")


def curvature(data: SlotData, point: Point, step_m: float = 1.0) -> tuple[Array, Array]:
    """Slope (2M,) and its symmetric derivative (2M, 2M) in the positions, by differences."""
    slope = position_slope(data, point).ravel()
    rows = np.zeros((len(slope), len(slope)))
    for i in range(len(slope)):
        twin = copied(point)
        twin.uav_xy_m.ravel()[i] += step_m
        settle_powers(data, twin, POWER_GAP, np.inf)
        rows[i] = (position_slope(data, twin).ravel() - slope) / step_m
    return slope, 0.5 * (rows + rows.T)


def coverage(tour: Tour) -> tuple[list[int], Array]:
    """Rows of (T * M) places and the devices (rows, 2) that each has to cover."""
    n_uavs = tour.instance.scenario.n_uavs
    rows: list[int] = []
    centres: list[Array] = []
    for t, (data, point) in enumerate(zip(tour.data, tour.points, strict=True)):
        for m, k in served_pairs(data, point):
            rows.append(t * n_uavs + int(m))
            centres.append(data.device_xy_m[k])
    return rows, np.array(centres).reshape(-1, 2)


def served_pairs(data: SlotData, point: Point) -> Array:
    """(n, 2) pairs (UAV, device)."""
    receiver = data.receiver[np.arange(len(point.choice)), point.choice]
    devices = np.flatnonzero((receiver >= 0) & (receiver < len(point.uav_xy_m)))
    return np.column_stack([receiver[devices], devices])

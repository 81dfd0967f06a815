"""Positions for fixed servers and powers: planar global search, and successive convex programs.

With servers and powers fixed, the upload times at UAV m depend on its own position alone, so that
the uplink part of the trajectory problem (33) splits into M problems in the plane, over the
intersection of reach disc, area and the coverage discs of its own devices. Two ways to solve one:

- `planar_search`, compiled: a grid over the reach disc, zooming in on its best three cells. It
  finds the global optimum where the grid separates the valleys (they are as wide as the UAV is
  high, and grid cells a tenth of the reach).
- `SuccessiveConvex`, CVXPY: at the last position the log of the wanted gain is replaced by a
  concave quadratic from below, log gains of disturbers by -alpha/2 log(affine) from above, and
  the rate, convex in log SINR, by its tangent from below. All are tight there, so every program
  is a restriction and costs fall monotonically to a stationary point. From a start in another
  valley that point can cost more than the planar optimum; from the planar optimum it stays.

Downloads of UAVs, which other UAVs disturb, are held at their last values, and so are the other
UAVs where a separation is demanded; the referee's cost of the whole decides.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from minlp.convex.problem import upload_time
from minlp.slot.cost import chosen_receivers, interferes, log_gains
from minlp.slot.data import Array, IntArray, SlotData
from minlp.slot.geometry import log_gain
from minlp.slot.region import area_box, clear, discs_of, nearest_position, repair, start_reach
from minlp.slot.value import Point, power_problem
from satedge.kernels import Cube, Matrix, Vector, kernel
from satedge.kernels.arrays import assign, assign_rows, holds

#: Points of the grid along each side of the reach disc's square, and cells that are zoomed into.
GRID = 21
CELLS = 3

#: Log of a disturbance, over the wanted power, that is as good as none and keeps cones scaled.
SILENT = -60.0


@kernel
def upload_slack(data: SlotData, point: Point) -> Vector:
    """(n,) time left for each upload at the point's positions; inf where nothing is sent."""
    slack = np.full(point.choice.shape[0], np.inf)
    problem, senders, _constant = power_problem(data, point.choice, log_gains(data, point.uav_xy_m))
    for a in range(senders.shape[0]):
        slack[senders[a]] = problem.slack_s[a]
    return slack


@kernel
def uplink_cost(data: SlotData, point: Point, slack: Vector, m: int, x: float, y: float) -> float:
    """Weighted uploads and overruns of the devices of UAV m, were it at (x, y). Eqs. (8), (12)."""
    n, n_uavs = data.log_fading.shape
    heard, total = np.zeros(n), 0.0
    for j in range(n):
        r = data.receiver[j, point.choice[j]]
        if interferes(data.scope, r, m, n_uavs):
            heard[j] = np.exp(log_gain(data, j, m, x, y) + point.log_power[j])
            total += heard[j]
    cost, noise, leakage = 0.0, np.exp(data.log_noise), np.exp(data.log_leakage)
    for k in range(n):
        if data.receiver[k, point.choice[k]] != m:
            continue
        sinr = heard[k] / (leakage * max(total - heard[k], 0.0) + noise)
        h, _fall, _bend = upload_time(data.load_s[k, m], np.log(sinr))
        price = data.latency_weight + data.energy_weight * np.exp(point.log_power[k])
        cost += price * h + data.overrun_weight * max(h - slack[k], 0.0)
    return cost


@kernel
def _cost_near(
    data: SlotData, point: Point, slack: Vector, discs: Matrix, m: int, xy: Vector
) -> float:
    """`uplink_cost` at the admissible position nearest to xy (2,), which is moved there."""
    x, y, fine = nearest_position(discs, area_box(data), xy[0], xy[1])
    xy[0], xy[1] = x, y
    if not fine or not clear(data, point.uav_xy_m, m, x, y):
        return np.inf
    return uplink_cost(data, point, slack, m, x, y)


@kernel
def _zoom(
    data: SlotData,
    point: Point,
    slack: Vector,
    discs: Matrix,
    m: int,
    cell: Vector,
    width: float,
    resolution_m: float,
) -> None:
    """Improve a cell (cost, x, y) in place by ever finer grids around its best place."""
    xy = np.empty(2)
    while width > resolution_m:
        mx, my = cell[1], cell[2]
        for i in range(-2, 3):
            for j in range(-2, 3):
                xy[0], xy[1] = mx + 0.5 * width * i, my + 0.5 * width * j
                trial = _cost_near(data, point, slack, discs, m, xy)
                if trial < cell[0]:
                    cell[0], cell[1], cell[2] = trial, xy[0], xy[1]
        width *= 0.5


@kernel
def best_position(
    data: SlotData, reach: Cube, point: Point, slack: Vector, m: int, resolution_m: float
) -> tuple[float, float, float]:
    """(x, y, uplink cost) of the best place of UAV m, located to the resolution."""
    discs = discs_of(data, reach, chosen_receivers(data, point.choice), m)
    centre = reach[m, 0]
    for i in range(1, reach.shape[1]):
        if reach[m, i, 2] < centre[2]:
            centre = reach[m, i]
    radius = centre[2]
    xy = point.uav_xy_m[m].copy()
    bx, by = xy
    best = _cost_near(data, point, slack, discs, m, xy)
    cells = np.full((CELLS, 3), np.inf)
    for i in range(GRID):
        for j in range(GRID):
            xy[0] = centre[0] + radius * (2.0 * i / (GRID - 1) - 1.0)
            xy[1] = centre[1] + radius * (2.0 * j / (GRID - 1) - 1.0)
            cost = _cost_near(data, point, slack, discs, m, xy)
            last = cells[CELLS - 1]
            if cost < last[0]:
                last[0], last[1], last[2] = cost, xy[0], xy[1]
                for c in range(CELLS - 1, 0, -1):
                    if cells[c, 0] < cells[c - 1, 0]:
                        held = cells[c].copy()
                        assign(cells[c], cells[c - 1])
                        assign(cells[c - 1], held)
    for c in range(CELLS):
        if cells[c, 0] < np.inf:
            width = 2.0 * radius / (GRID - 1)
            _zoom(data, point, slack, discs, m, cells[c], width, resolution_m)
            if cells[c, 0] < best:
                best, bx, by = cells[c]
    return bx, by, best


@kernel
def planar_search(data: SlotData, reach: Cube, point: Point, resolution_m: float) -> None:
    """Send every UAV with requests to its best place for the point's powers, one by one."""
    if not np.isfinite(point.value[0]):
        return
    slack = upload_slack(data, point)
    before = point.uav_xy_m.copy()
    receiver = chosen_receivers(data, point.choice)
    for m in range(before.shape[0]):
        if holds(receiver, m):
            x, y, _cost = best_position(data, reach, point, slack, m, resolution_m)
            point.uav_xy_m[m, 0], point.uav_xy_m[m, 1] = x, y
    if not repair(data, reach, receiver, point.uav_xy_m):
        assign_rows(point.uav_xy_m, before)


class SuccessiveConvex:
    """The planar problem of one UAV as a parametrised convex program, compiled once (DPP)."""

    def __init__(self, n_devices: int, path_loss_exponent: float = 2.0) -> None:
        """For up to `n_devices` senders."""
        import cvxpy

        cp: Any = cvxpy  # its atoms are gathered at import, where type checkers do not see them
        n, half = n_devices, 0.5 * path_loss_exponent
        self.n, self.half = n, half
        self.move = cp.Variable(2)
        disturber, log_sinr = cp.Variable(n), cp.Variable(n)
        self.toward = cp.Parameter((n, 2))
        """2 (q0 - x_j) / D_j: the slope of D_j(q) / D_j at q0."""
        self.inverse = cp.Parameter(n, nonneg=True)
        self.cross = cp.Parameter((n, n))
        self.noise = cp.Parameter(n)
        self.rate0, self.rate1 = cp.Parameter(n), cp.Parameter(n, nonneg=True)
        self.load, self.price = cp.Parameter(n, nonneg=True), cp.Parameter(n, nonneg=True)
        self.penalty, self.slack = cp.Parameter(n, nonneg=True), cp.Parameter(n)
        self.centre, self.radius = cp.Parameter((n + 1, 2)), cp.Parameter(n + 1, nonneg=True)
        self.low, self.high = cp.Parameter(2), cp.Parameter(2)
        turned = self.toward @ self.move
        constraints: list[Any] = [disturber <= cp.log(1 + turned)]
        constraints += [self.low <= self.move, self.move <= self.high]
        length2 = cp.sum_squares(self.move)
        for k in range(n):
            heard = cp.log_sum_exp(
                cp.hstack([self.cross[k] - half * disturber, self.noise[k : k + 1]])
            )
            wanted = -half * (turned[k] + self.inverse[k] * length2)
            constraints.append(log_sinr[k] + heard <= wanted)
        for i in range(n + 1):
            constraints.append(cp.norm(self.move - self.centre[i]) <= self.radius[i])
        rate, upload, late = cp.Variable(n), cp.Variable(n), cp.Variable(n, nonneg=True)
        constraints += [
            rate <= self.rate0 + cp.multiply(self.rate1, log_sinr),
            upload >= cp.inv_pos(rate),
            late >= cp.multiply(self.load, upload) - self.slack,
        ]
        cost = cp.sum(cp.multiply(self.price, upload)) + cp.sum(cp.multiply(self.penalty, late))
        self.problem = cp.Problem(cp.Minimize(cost), constraints)

    def solve(
        self, data: SlotData, point: Point, m: int, *, tol: float = 1e-9, max_programs: int = 60
    ) -> tuple[Array, float]:
        """(position (2,), uplink cost) reached from the point's position of UAV m."""
        self.reach = start_reach(data)
        slack = upload_slack(data, point)
        xy = point.uav_xy_m[m].copy()
        cost = uplink_cost(data, point, slack, m, *xy)
        for _ in range(max_programs):
            self._state(data, point, slack, m, xy)
            with warnings.catch_warnings():
                # An inaccurate answer is no matter: the true cost of its position decides.
                warnings.simplefilter("ignore", UserWarning)
                self.problem.solve(solver="CLARABEL")
            if self.move.value is None:
                break
            x, y, fine = nearest_position(
                discs_of(data, self.reach, chosen_receivers(data, point.choice), m),
                area_box(data),
                *(xy + self.move.value),
            )
            reached = uplink_cost(data, point, slack, m, x, y) if fine else np.inf
            if reached >= cost - tol * abs(cost):
                break
            xy, cost = np.array([x, y]), reached
        return xy, cost

    def _state(self, data: SlotData, point: Point, slack: Array, m: int, xy: Array) -> None:
        """Parameters of the program around `xy`. Devices beyond the slot's weigh nothing."""
        heard, signal, own = _heard_at(data, point, m, xy)
        count, n = len(signal), self.n
        away = xy - data.device_xy_m
        squared = (away**2).sum(axis=1) + data.altitude_m[m] ** 2
        # Disturbance and noise over the wanted power, in logs; e^-60 is as good as nothing.
        cross, noise = np.full((n, n), SILENT), np.zeros(n)
        ratio = data.log_leakage + heard[None, :] - signal[:, None]
        cross[:count, :count] = np.maximum(ratio, SILENT)
        np.fill_diagonal(cross, SILENT)
        noise[:count] = data.log_noise - signal
        log_sinr = -np.log(np.exp(cross).sum(axis=1) + np.exp(noise))
        softplus = np.logaddexp(0.0, log_sinr)
        tangent = np.exp(log_sinr - softplus)
        load_s = np.where(own, data.load_s[:, m], 0.0)
        price = data.latency_weight + data.energy_weight * np.exp(point.log_power)
        padding = ((0, n - count), (0, 0))
        self.toward.value = np.pad(2 * away / squared[:, None], padding)
        self.inverse.value = np.pad(1 / squared, padding[0])
        self.cross.value, self.noise.value = cross, noise
        self.rate1.value, self.rate0.value = tangent, softplus - tangent * log_sinr
        self.load.value = np.pad(load_s, padding[0])
        self.price.value = np.pad(load_s * price, padding[0])
        self.penalty.value = np.pad(np.where(own, data.overrun_weight, 0.0), padding[0])
        self.slack.value = np.pad(np.where(own, slack, 1.0), padding[0], constant_values=1.0)
        self._limits(data, point.choice, m, xy)

    def _limits(self, data: SlotData, choice: IntArray, m: int, xy: Array) -> None:
        """Discs and area relative to `xy`; unused discs are as wide as the area."""
        discs = discs_of(data, self.reach, chosen_receivers(data, choice), m)
        centre, radius = np.zeros((self.n + 1, 2)), np.full(self.n + 1, 10 * data.side_m)
        centre[: len(discs)] = discs[:, :2] - xy
        radius[: len(discs)] = discs[:, 2]
        self.centre.value, self.radius.value = centre, radius
        self.low.value, self.high.value = -xy, data.side_m - xy


def _heard_at(data: SlotData, point: Point, m: int, xy: Array) -> tuple[Array, Array, Array]:
    """Log of what UAV m at `xy` receives from disturbers and from all, and its own devices."""
    n, n_uavs = data.log_fading.shape
    receiver = data.receiver[np.arange(n), point.choice]
    squared = ((xy - data.device_xy_m) ** 2).sum(axis=1) + data.altitude_m[m] ** 2
    signal = data.log_fading[:, m] - 0.5 * data.path_loss_exponent * np.log(squared)
    signal = signal + point.log_power
    heard = np.array([interferes(data.scope, int(r), m, n_uavs) for r in receiver])
    return np.where(heard, signal, -np.inf), signal, receiver == m

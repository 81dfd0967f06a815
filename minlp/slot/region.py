"""Where UAVs may be, compiled: discs of reach and coverage, separation, and the nearest such place.

A UAV is held by the discs of its reach and of the coverage of each device that sends to it, and
by the square area. `nearest_position` is the exact projection on that set; `common_point` decides,
with a margin for rounding, whether discs meet at all.
"""

from __future__ import annotations

import numpy as np

from minlp.slot.data import SlotData
from satedge.kernels import Cube, IntVector, Matrix, Vector, kernel
from satedge.kernels.arrays import assign_rows

#: A disc is shrunk by this much before projecting, so that rounding stays inside it.
INNER = 1 - 1e-12

#: Relative excess over a disc's radius that still counts as inside; the referee forgives 1e-9.
EDGE = 1e-10


@kernel
def start_reach(data: SlotData) -> Cube:
    """(M, 1, 3) rows (x, y, radius): the reach of every UAV from where it starts."""
    reach = np.empty((data.start_xy_m.shape[0], 1, 3))
    for m in range(reach.shape[0]):
        reach[m, 0, 0], reach[m, 0, 1] = data.start_xy_m[m]
        reach[m, 0, 2] = data.reach_m
    return reach


@kernel
def discs_of(data: SlotData, reach: Cube, receiver: IntVector, m: int) -> Matrix:
    """Rows (x, y, radius): the reach of UAV m, then the coverage around each device sending to it.

    `reach` (M, R, 3) holds the discs in which every UAV has to end, whatever it serves.
    """
    n, count = receiver.shape[0], reach.shape[1]
    rows = np.empty((n + count, 3))
    assign_rows(rows, reach[m])
    for k in range(n):
        if receiver[k] == m:
            rows[count, 0], rows[count, 1] = data.device_xy_m[k]
            rows[count, 2] = data.coverage_m
            count += 1
    return rows[:count]


@kernel
def in_all(discs: Matrix, x: float, y: float, slack: float) -> bool:
    """Whether a point lies in all discs, radii longer by a relative slack."""
    for i in range(discs.shape[0]):
        if np.hypot(x - discs[i, 0], y - discs[i, 1]) > discs[i, 2] * (1 + slack):
            return False
    return True


@kernel
def common_point(discs: Matrix, slack: float) -> tuple[float, float, bool]:
    """A point of all discs, radii longer by a relative slack, if there is one.

    The border of a non-empty intersection has a corner, where two circles meet, or it is the
    circle of the disc that lies in all others: corners and centres are all there is to try.
    """
    count = discs.shape[0]
    for i in range(count):
        if in_all(discs, discs[i, 0], discs[i, 1], slack):
            return discs[i, 0], discs[i, 1], True
    for i in range(count):
        for j in range(i):
            dx, dy = discs[j, 0] - discs[i, 0], discs[j, 1] - discs[i, 1]
            d = np.hypot(dx, dy)
            a, b = discs[i, 2] * (1 + slack), discs[j, 2] * (1 + slack)
            if d > a + b:
                return 0.0, 0.0, False
            if d < abs(a - b) or d == 0.0:
                continue
            along = 0.5 * (d + (a - b) * (a + b) / d)
            across = np.sqrt(max(a * a - along * along, 0.0))
            for side in (-1.0, 1.0):
                x = discs[i, 0] + (along * dx - side * across * dy) / d
                y = discs[i, 1] + (along * dy + side * across * dx) / d
                if in_all(discs, x, y, slack + 1e-11):
                    return x, y, True
    return 0.0, 0.0, False


@kernel
def inside(discs: Matrix, box: Vector, x: float, y: float) -> bool:
    """Whether a point lies in the box (4,) and, to rounding, in all discs."""
    if x < box[0] or x > box[1] or y < box[2] or y > box[3]:
        return False
    return in_all(discs, x, y, EDGE)


@kernel
def _crossings(discs: Matrix, box: Vector, i: int, j: int, points: Matrix) -> int:
    """Points where boundaries i and j meet, into rows of points; how many.

    Boundaries 0..D-1 are circles, D..D+3 the edges of the box in its order.
    """
    count = discs.shape[0]
    if i >= count:
        if (i - count) // 2 == (j - count) // 2:
            return 0
        points[0, 0], points[0, 1] = box[i - count], box[j - count]
        return 1
    cx, cy, radius = discs[i, 0], discs[i, 1], discs[i, 2] * INNER
    if j >= count:
        across = (j - count) // 2 == 0  # the line is x = level
        level = box[j - count]
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


@kernel
def nearest_position(discs: Matrix, box: Vector, x: float, y: float) -> tuple[float, float, bool]:
    """The point of the discs and the box nearest to (x, y), and whether there is any.

    The nearest point of a convex set outside of which (x, y) lies is on one boundary, as the
    projection on it, or where two meet.
    """
    if inside(discs, box, x, y):
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
            points[0, (i - count) // 2] = box[i - count]
        found = 1
        for j in range(i, count + 4):
            if j > i:
                found = _crossings(discs, box, i, j, points)
            for p in range(found):
                away = np.hypot(points[p, 0] - x, points[p, 1] - y)
                if away < best and inside(discs, box, points[p, 0], points[p, 1]):
                    best, bx, by = away, points[p, 0], points[p, 1]
    return bx, by, best < np.inf


@kernel
def repair(data: SlotData, reach: Cube, receiver: IntVector, uav_xy_m: Matrix) -> bool:
    """Bring every UAV to the nearest place where it may serve its devices; False if none is.

    Also False where UAVs are too near each other.
    """
    area = area_box(data)
    for m in range(uav_xy_m.shape[0]):
        discs = discs_of(data, reach, receiver, m)
        x, y, fine = nearest_position(discs, area, uav_xy_m[m, 0], uav_xy_m[m, 1])
        if not fine:
            return False
        uav_xy_m[m, 0], uav_xy_m[m, 1] = x, y
    return apart(data, uav_xy_m)


@kernel
def covers(data: SlotData, k: int, xy: Vector, slack: float) -> bool:
    """Whether a UAV at `xy` (2,) covers device k, its radius longer by a relative slack."""
    dx, dy = xy[0] - data.device_xy_m[k, 0], xy[1] - data.device_xy_m[k, 1]
    return np.hypot(dx, dy) <= data.coverage_m * (1 + slack)


@kernel
def clear(data: SlotData, uav_xy_m: Matrix, m: int, x: float, y: float) -> bool:
    """Whether UAV m at (x, y) keeps the separation from all others."""
    if data.separation_m > 0.0:
        for j in range(uav_xy_m.shape[0]):
            away = np.hypot(x - uav_xy_m[j, 0], y - uav_xy_m[j, 1])
            if j != m and away < data.separation_m:
                return False
    return True


@kernel
def apart(data: SlotData, uav_xy_m: Matrix) -> bool:
    """Whether all UAVs keep the separation."""
    for m in range(uav_xy_m.shape[0]):
        if not clear(data, uav_xy_m, m, uav_xy_m[m, 0], uav_xy_m[m, 1]):
            return False
    return True


@kernel
def area_box(data: SlotData) -> Vector:
    """The area as a box (x low, x high, y low, y high)."""
    return np.array([0.0, data.side_m, 0.0, data.side_m])


@kernel
def reach_boxes(data: SlotData) -> Matrix:
    """Boxes (M, 4) around what every UAV reaches in the area."""
    n_uavs = data.start_xy_m.shape[0]
    boxes = np.empty((n_uavs, 4))
    for m in range(n_uavs):
        for axis in range(2):
            boxes[m, 2 * axis] = max(data.start_xy_m[m, axis] - data.reach_m, 0.0)
            boxes[m, 2 * axis + 1] = min(data.start_xy_m[m, axis] + data.reach_m, data.side_m)
    return boxes

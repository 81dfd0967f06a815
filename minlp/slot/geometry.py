"""Gains and discs over boxes of UAV positions, compiled: intervals, affine bounds, projections.

With D = r^2 + z^2 the log gain is const - alpha/2 ln D. Its gradient is -alpha (q - x)/D and its
Hessian has the eigenvalues -alpha/D (tangential) and alpha (r^2 - z^2)/D^2 (radial). The second
is the greater one where it is positive, and is greatest, alpha/(8 z^2), at r^2 = 3 z^2. A quadratic
that is not negative where a UAV may be, and vanishes at the border, makes the log gain concave or
convex at no cost on the border, where optima mostly lie (the alpha-BB underestimators of
Androulakis, Maranas, Floudas, J. Global Optim. 7(4), 1995, with discs beside boxes).
"""

from __future__ import annotations

import numpy as np

from minlp.slot.data import SlotData
from satedge.kernels import Matrix, Vector, kernel

#: Admissible positions may exceed a disc by the referee's rounding slack; bounds allow for it.
RADIUS_SLACK = 1 + 4e-9

#: A box of UAV positions is (x low, x high, y low, y high) in metres.


@kernel
def squared_distances(box: Vector, x: float, y: float) -> tuple[float, float]:
    """Least and greatest squared horizontal distance between a box (4,) and a point."""
    near_x = max(box[0] - x, x - box[1], 0.0)
    near_y = max(box[2] - y, y - box[3], 0.0)
    far_x = max(x - box[0], box[1] - x)
    far_y = max(y - box[2], box[3] - y)
    return near_x**2 + near_y**2, far_x**2 + far_y**2


@kernel
def spread(data: SlotData, k: int, m: int, box: Vector) -> tuple[float, float]:
    """Least and greatest squared horizontal distance of device k to UAV m in its box and reach."""
    x, y = data.device_xy_m[k, 0], data.device_xy_m[k, 1]
    near, far = squared_distances(box, x, y)
    away = np.hypot(x - data.start_xy_m[m, 0], y - data.start_xy_m[m, 1])
    reach = data.reach_m * RADIUS_SLACK
    if away > reach:
        near = min(max(near, (away - reach) ** 2), far)
    return near, max(min(far, (away + reach) ** 2), near)


@kernel
def log_gain(data: SlotData, k: int, m: int, x: float, y: float) -> float:
    """Log gain of device k at UAV m in (x, y)."""
    dx, dy = x - data.device_xy_m[k, 0], y - data.device_xy_m[k, 1]
    squared = dx * dx + dy * dy + data.altitude_m[m] ** 2
    return data.log_fading[k, m] - 0.5 * data.path_loss_exponent * np.log(squared)


@kernel
def gain_interval(data: SlotData, k: int, m: int, box: Vector) -> tuple[float, float]:
    """Least and greatest log gain of device k at UAV m anywhere in the box."""
    near, far = spread(data, k, m, box)
    z = data.altitude_m[m] ** 2
    half = 0.5 * data.path_loss_exponent
    return (
        data.log_fading[k, m] - half * np.log(far + z),
        data.log_fading[k, m] - half * np.log(near + z),
    )


@kernel
def room(box: Vector, discs: Matrix, x: float, y: float) -> Vector:
    """(value, slope x, slope y) at (x, y) of the least of some quadratics of Hessian -2 I, none of
    which is negative where box and discs (rows x, y, radius) hold.
    """
    least = np.empty(3)
    least[0] = (x - box[0]) * (box[1] - x) + (y - box[2]) * (box[3] - y)
    least[1], least[2] = box[0] + box[1] - 2.0 * x, box[2] + box[3] - 2.0 * y
    for i in range(discs.shape[0]):
        dx, dy = x - discs[i, 0], y - discs[i, 1]
        radius = discs[i, 2] * RADIUS_SLACK
        value = radius * radius - dx * dx - dy * dy
        if value < least[0]:
            least[0], least[1], least[2] = value, -2.0 * dx, -2.0 * dy
    return least


@kernel
def gain_above(
    data: SlotData, k: int, m: int, box: Vector, space: Vector, x: float, y: float
) -> tuple[float, float, float]:
    """(value at (x, y), slope x, slope y) of an affine function nowhere below the log gain.

    Two candidates: the tangent of log gain + bend/2 * space, which is concave, and the tangent of
    the chord of ln D over the distances of the box, which is concave in the position. `space` is
    the `room` at (x, y), a point of the box.
    """
    half = 0.5 * data.path_loss_exponent
    z = data.altitude_m[m] ** 2
    dx, dy = x - data.device_xy_m[k, 0], y - data.device_xy_m[k, 1]
    here = dx * dx + dy * dy
    near, far = spread(data, k, m, box)
    least, most = near, far
    if np.hypot(x - data.start_xy_m[m, 0], y - data.start_xy_m[m, 1]) > data.reach_m:
        # the way from (x, y) leads through parts of the box that lie out of reach
        least, most = squared_distances(box, data.device_xy_m[k, 0], data.device_xy_m[k, 1])
    peak = min(max(least, 3.0 * z), most)
    bend = max(0.0, 2.0 * half * (peak - z) / (peak + z) ** 2)
    slope = -2.0 * half / (here + z)
    value = data.log_fading[k, m] - half * np.log(here + z) + 0.5 * bend * space[0]
    sx, sy = slope * dx + 0.5 * bend * space[1], slope * dy + 0.5 * bend * space[2]
    if far > near * (1 + 1e-9) + 1e-9:
        fall = half * (np.log(far + z) - np.log(near + z)) / (far - near)
        chord = data.log_fading[k, m] - half * np.log(near + z) - fall * (here - near)
        if chord < value:
            value, sx, sy = chord, -2.0 * fall * dx, -2.0 * fall * dy
    return value, sx, sy


@kernel
def gain_below(
    data: SlotData, k: int, m: int, space: Vector, x: float, y: float
) -> tuple[float, float, float]:
    """(value at (x, y), slope x, slope y) of an affine function nowhere above the log gain.

    -ln D lies above its tangent at D(x, y), which falls with |q - (x, y)|^2; that is at most what
    `space`, the `room` at (x, y), has there to first order.
    """
    alpha = data.path_loss_exponent
    dx, dy = x - data.device_xy_m[k, 0], y - data.device_xy_m[k, 1]
    squared = dx * dx + dy * dy + data.altitude_m[m] ** 2
    loss = 0.5 * alpha / squared
    value = data.log_fading[k, m] - 0.5 * alpha * np.log(squared) - loss * space[0]
    return value, -2.0 * loss * dx - loss * space[1], -2.0 * loss * dy - loss * space[2]


@kernel
def shrink_to_disc(box: Vector, x: float, y: float, radius: float) -> bool:
    """Cut a box to the bounding box of its part in a disc, in place; False when none is left."""
    radius *= RADIUS_SLACK
    for _ in range(2):
        near_y = max(box[2] - y, y - box[3], 0.0)
        near_x = max(box[0] - x, x - box[1], 0.0)
        if near_x**2 + near_y**2 > radius**2 * (1 + 1e-12):
            return False
        wide = np.sqrt(max(radius**2 - near_y**2, 0.0))
        tall = np.sqrt(max(radius**2 - near_x**2, 0.0))
        slack = 1e-9 * radius
        box[0] = max(box[0], x - wide - slack)
        box[1] = min(box[1], x + wide + slack)
        box[2] = max(box[2], y - tall - slack)
        box[3] = min(box[3], y + tall + slack)
        if box[0] > box[1] or box[2] > box[3]:
            return False
    return True

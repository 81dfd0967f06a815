"""What it would cost a device to choose otherwise, compiled: certified prices of its options.

A node's convex problem F has one row a device, for the options in its core. Let y be the point of
F's bound and c_k the gradient of row k there. For an option o outside the core, with cost f_ko,

    price_ko = min_{z in the box} (f_ko(z) - c_k . z) - (f_k(y) - c_k . y).

Every plan of the node costs at least F's bound plus, for each device, the price of its option
(zero in the core): the plan's cost is the sum of f_k(z) + price_k at least, linearised. So

    bound of the node = bound of F + sum_k min(0, min_o price_ko),

and an option whose price lifts that past the cutoff can be dropped. This is Lagrangian
decomposition (Guignard and Kim, Math. Programming 39, 1987): each device decides on a copy of all
powers and positions, and pays c_k for moving its copy away from y.

Where servers share their compute, an option is a server *and* its load: the price of (k, o, c) is
that of option o if c requests share its server, and which loads go together is the business of
`loads`. Only the slack for the upload depends on c, and the cost is convex in it with a slope
between 0 and -rho: each certified solution is a line below it, and often exact at the next slack.

The minimum over the copies is one-dimensional. With L the log disturbance that option o suffers,
ln(sum_j a_j e^{p_j} + noise), the copies of the others' powers maximise sum_j c_j p_j for given L:
a_j e^{p_j} = c_j e^tau within its limits. So tau is the only unknown beside the own power, and the
optimality condition ln(df/dL) = L - tau is monotone in it. Whatever tau and p come out, the value
is bounded by the gradient inequality of `convex.certificate`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minlp.branch_and_bound.receivers import VANISH, receivers, surely_interferes
from minlp.branch_and_bound.relaxation import OUTWARD
from minlp.branch_and_bound.rows import ratios_at
from minlp.convex.problem import ConvexProblem, Point, upload_time
from minlp.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel
from minlp.slot.cost import no_loads, option_terms
from minlp.slot.data import NOT_SENT, SlotData
from minlp.slot.geometry import room
from minlp.slot.region import discs_of, start_reach

#: Rounding, relative to the sum of absolute terms; each carries a relative error below 1e-13
#: (exponents stay below 100, and so few operations follow that the count of
#: `convex.certificate` covers them).
MARGIN = 4e-12

#: What loads out of their span cost more, for heuristics: bounds leave them out.
OUT_OF_SPAN = 1e9

#: Slacks of a device and receiver for which its upload's cost is kept.
MOST_LINES = 16

#: Prices of an overrun that are tried between none and the full one.
PRICE_STEPS = 3

#: Accuracy of ln(df/dL) and of p; the gradient inequality pays for what is missing.
CLOSE = 1e-6


#: Boxes narrower than this share of the altitude have intervals of gains.
NARROW = 1e-3


class Limits(Record):
    """Where copies of the powers may be, in logs and in W. n devices."""

    lower: Vector  # (n,)
    upper: Vector  # (n,)
    least: Vector  # (n,)
    most: Vector  # (n,)


class Place(Record):
    """Where a copy of a UAV's position is, and what reach and noise change around it."""

    xy: Vector  # (2,) from the centre of the UAV's box
    bend: Matrix  # (n + 1, 2) slopes of ln reach and, last, of ln noise
    pay: Vector  # (2,) what the copy pays
    half: Vector  # (2,) of the box


class Frame(Record):
    """Boxes of UAVs, for copies of their positions. Positions count from the boxes' centres."""

    boxes: Matrix  # (M, 4)
    centre: Matrix  # (M, 2)
    half: Matrix  # (M, 2) 0 where gains are intervals over the box instead
    discs: Cube  # (M, n + 1, 3) rows x, y, radius that hold of decided devices and reach
    n_discs: IntVector  # (M,)


class View(Record):
    """What all devices of a node see."""

    data: SlotData
    bits: IntVector  # (n,) receivers that devices may have
    low: Matrix  # (n, M + 1) gains over the boxes
    high: Matrix
    limits: Limits
    frame: Frame


class Slopes(Record):
    """What copies pay."""

    power: Matrix  # (n, n) for log-powers
    place: Cube  # (n, M + 1, 2) for positions, from the centres of boxes


class Upload(Record):
    """An upload by device k among copies of all powers. n devices."""

    k: int
    load_s: float
    propagation_s: float
    noise: float  # over the own gain
    latency_weight: float
    energy_weight: float
    overrun_weight: float
    slope: Vector  # (n,) c, what copies of the log-powers pay
    reach: Vector  # (n,) a, disturbance of a watt over the own gain
    limits: Limits
    place: Place


class Workspace(Record):
    """What is known of one device's uploads."""

    line: Cube  # (M + 1, L, 8): see `Least`, and the slack
    count: IntVector  # (M + 1,) lines of each receiver
    reach: Matrix  # (M + 1, n) disturbance there by a watt of each device
    noise: Vector  # (M + 1,) over the own gain; below 0 where not known yet
    bend: Cube  # (M + 1, n + 1, 2) slopes of their logs in the UAV's position
    ratio: Vector  # (n + 1,)
    alone: IntVector  # (S,) no loads


class Copies(Record):
    """What options cost at given slopes, and which copies of powers and positions attain it."""

    cost: Cube  # (n, O, C) least f_ko - c_k . z, certified; inf where not allowed
    power: Cube  # (n, O, C) copy of the own log-power
    scale: Cube  # (n, O, C) tau, which stands for the copies of the others'
    rise_x: Cube  # (n, O, C) slope of the cost in the copy of the UAV's position
    rise_y: Cube
    xy: Cube  # (n, M, 2) copies of positions
    curve: Cube  # (n, M, 2) curvature of the cost in them, roughly


@kernel
def limits_of(power_low: Vector, power_high: float) -> Limits:
    """All log-powers between their least (n,) and the greatest."""
    upper = np.full(power_low.shape[0], power_high)
    return Limits(power_low, upper, np.exp(power_low), np.exp(upper))


@kernel
def new_copies(data: SlotData, start: Vector) -> Copies:
    """Nothing known yet; the copies of own log-powers are at `start` (n + 2M,)."""
    n, width = data.receiver.shape
    shape = (n, width, n if data.shared else 1)
    n_uavs = data.altitude_m.shape[0]
    found = Copies(
        np.full(shape, np.inf), np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros((n, n_uavs, 2)), np.zeros((n, n_uavs, 2)),
    )  # fmt: skip
    for k in range(n):
        found.power[k] = start[k]
    return found


@kernel
def new_slopes(n: int, n_uavs: int) -> Slopes:
    """Nobody pays."""
    return Slopes(np.zeros((n, n)), np.zeros((n, n_uavs + 1, 2)))


@kernel
def copied(slopes: Slopes) -> Slopes:
    """Slopes of their own."""
    return Slopes(slopes.power.copy(), slopes.place.copy())


@kernel
def assign_slopes(to: Slopes, slopes: Slopes) -> None:
    """Overwrite slopes."""
    to.power[:], to.place[:] = slopes.power, slopes.place


@kernel
def place_at(start: Vector, frame: Frame, xy: Cube) -> None:
    """Copies of positions `xy` (n, M, 2) to those of a point (n + 2M,)."""
    n = xy.shape[0]
    for m in range(xy.shape[1]):
        for axis in range(2):
            half = frame.half[m, axis]
            away = start[n + 2 * m + axis] - frame.centre[m, axis]
            xy[:, m, axis] = min(max(away, -half), half)


@kernel
def still(n: int, n_uavs: int) -> Frame:
    """Positions without copies: gains are intervals over the boxes."""
    return Frame(
        np.zeros((n_uavs, 4)), np.zeros((n_uavs, 2)), np.zeros((n_uavs + 1, 2)),
        np.zeros((n_uavs, 0, 3)), np.zeros(n_uavs, np.int64),
    )  # fmt: skip


@kernel
def frame_of(data: SlotData, single: IntVector, boxes: Matrix) -> Frame:
    """Copies of positions in wide boxes; `single` (n,) has the receivers of decided devices."""
    n, n_uavs = data.log_fading.shape
    frame = Frame(
        boxes, np.zeros((n_uavs, 2)), np.zeros((n_uavs + 1, 2)),
        np.zeros((n_uavs, n + 1, 3)), np.zeros(n_uavs, np.int64),
    )  # fmt: skip
    reach = start_reach(data)
    for m in range(n_uavs):
        discs = discs_of(data, reach, single, m)
        frame.n_discs[m] = discs.shape[0]
        frame.discs[m, : discs.shape[0]] = discs
        for axis in range(2):
            low, high = boxes[m, 2 * axis], boxes[m, 2 * axis + 1]
            frame.centre[m, axis] = 0.5 * (low + high)
            frame.half[m, axis] = 0.5 * (high - low) * (1 + 1e-12)
        if max(frame.half[m, 0], frame.half[m, 1]) < NARROW * data.altitude_m[m]:
            frame.half[m] = 0.0
    return frame


@kernel
def new_workspace(data: SlotData) -> Workspace:
    n, n_receivers = data.load_s.shape
    return Workspace(
        np.zeros((n_receivers, MOST_LINES, 8)), np.zeros(n_receivers, np.int64),
        np.zeros((n_receivers, n)), np.empty(n_receivers),
        np.zeros((n_receivers, n + 1, 2)), np.empty(n + 1), no_loads(data),
    )  # fmt: skip


@kernel
def price_options(
    data: SlotData,
    allowed: IntVector,
    core: IntVector,
    loads: IntVector,
    spans: IntMatrix,
    low: Matrix,
    high: Matrix,
    boxes: Matrix,
    power_low: Vector,
    problem: ConvexProblem,
    constant: Vector,
    point: Point,
    y: Vector,
    slopes: Matrix,
) -> Cube:
    """Prices (n, O, C), C = n loads of the server if it is shared, else 1; inf where not allowed.

    0 in the core, with shared compute at the loads (S,) there. Servers have loads in `spans`
    (S, 2). `point` is evaluated at y (d,), gains lie in [low, high] (n, M + 1) over the boxes.
    What is no number counts as -inf. `slopes` (n, n) becomes what devices pay for log-powers.
    """
    _single, bits = receivers(data, allowed)
    found, work, n_uavs = new_copies(data, y), new_workspace(data), data.altitude_m.shape[0]
    limits = limits_of(power_low, data.log_power_max)
    seen = View(data, bits, low, high, limits, still(allowed.shape[0], n_uavs))
    pay = np.zeros((n_uavs + 1, 2))
    for k in range(allowed.shape[0]):
        wanted = allowed[k] if data.shared else allowed[k] & ~core[k]
        paid, size = _own_cost(problem, constant, point, k, y, slopes[k])
        if wanted != 0:
            drift = _position_gain(data, problem, boxes, point, k, y)
            costs_of(seen, k, wanted, spans, slopes[k], pay, work, found)
        for o in range(data.n_options[k]):
            if core[k] >> o & 1 == 0:
                if wanted >> o & 1:
                    for c in range(found.cost.shape[2]):
                        found.cost[k, o, c] = _lowered(found.cost[k, o, c], paid + drift, size)
            elif data.receiver[k, o] == NOT_SENT or not data.shared:
                found.cost[k, o] = 0.0
            else:
                for c in range(found.cost.shape[2]):
                    found.cost[k, o, c] = _lowered(found.cost[k, o, c], paid + drift, size)
                found.cost[k, o, loads[data.server[k, o]] - 1] = 0.0
    return found.cost


@kernel
def costs_of(
    seen: View,
    k: int,
    wanted: int,
    spans: IntMatrix,
    slope: Vector,
    pay: Matrix,
    work: Workspace,
    found: Copies,
) -> None:
    """Least costs of device k's `wanted` options, and the copies, into `found`.

    Copies of log-powers pay the slopes (n,), those of positions `pay` (M + 1, 2). The solver begins
    at the copies that are there.
    """
    data, limits, frame = seen.data, seen.limits, seen.frame
    n_uavs = data.altitude_m.shape[0]
    work.count[:], work.noise[:] = 0, -1.0
    drift = (np.abs(pay) * frame.half).sum() * (1 + MARGIN)
    for o in range(data.n_options[k]):
        if wanted >> o & 1 == 0:
            continue
        r = data.receiver[k, o]
        if r == NOT_SENT:
            gone = np.maximum(slope * limits.lower, slope * limits.upper)
            size = abs(data.fixed_cost[k, o]) + np.abs(gone).sum() + drift
            found.cost[k, o] = data.fixed_cost[k, o] - gone.sum() - drift - MARGIN * size
            continue
        cost, slack_s = option_terms(data, k, o, work.alone, False, seen.low, seen.high)
        if work.noise[r] < 0.0:
            look(seen, k, r, found.xy[k], work)
        place = np.zeros(2)
        if r < n_uavs:
            place[:] = found.xy[k, r]
        upload = Upload(
            k, data.load_s[k, r], data.propagation_s[r], work.noise[r],
            data.latency_weight, data.energy_weight, data.overrun_weight,
            slope, work.reach[r], limits, Place(place, work.bend[r], pay[r], frame.half[r]),
        )  # fmt: skip
        cost -= drift - np.abs(pay[r] * frame.half[r]).sum() * (1 - MARGIN)
        s = data.server[k, o]
        for c in range(1, found.cost.shape[2] + 1):
            wait_s = data.execute_s[k, o] * (c - 1)
            start = found.power[k, o, c - 1]
            best = _upload_cost(work, upload, r, slack_s - wait_s, start)
            known = cost + data.latency_weight * wait_s
            found.cost[k, o, c - 1] = known + best.value - MARGIN * (abs(known) + drift)
            found.power[k, o, c - 1], found.scale[k, o, c - 1] = best.p, best.tau
            found.rise_x[k, o, c - 1], found.rise_y[k, o, c - 1] = best.rise_x, best.rise_y
            if data.shared and not spans[s, 0] <= c <= spans[s, 1]:
                found.cost[k, o, c - 1] += OUT_OF_SPAN


@kernel
def look(seen: View, k: int, r: int, xy: Matrix, work: Workspace) -> None:
    """What device k hears at receiver r, with its UAVs at `xy` (M, 2), into the workspace."""
    data, bits, low, high, frame = seen.data, seen.bits, seen.low, seen.high, seen.frame
    n = work.ratio.shape[0] - 1
    if frame.half[r, 0] == 0.0 and frame.half[r, 1] == 0.0:
        work.noise[r] = disturbance(data, k, r, bits, low, high, work.reach[r])
        work.bend[r] = 0.0
        return
    x, y = frame.centre[r, 0] + xy[r, 0], frame.centre[r, 1] + xy[r, 1]
    space = room(frame.boxes[r], frame.discs[r, : frame.n_discs[r]], x, y)
    box = frame.boxes[r]
    ratios_at(data, k, r, bits, box, space, x, y, low, high, work.ratio, work.bend[r])
    for j in range(n):
        work.reach[r, j] = np.exp(work.ratio[j] - OUTWARD)
    work.noise[r] = np.exp(work.ratio[n] - OUTWARD)


@kernel
def _lowered(cost: float, paid: float, size: float) -> float:
    """A price, rounding included; -inf where it is no number."""
    value = cost - paid - MARGIN * (abs(cost) + size)
    return -np.inf if np.isnan(value) else value


@kernel
def _upload_cost(
    work: Workspace, upload: Upload, r: int, slack_s: float, start: float
) -> Least:
    """Certified least of an upload's cost at a slack: the highest of the lines of receiver r.

    A line is exact, and no other is needed, where nothing overruns on it, or all to its left does.
    """
    rho, best, value = upload.overrun_weight, -1, -np.inf
    for i in range(work.count[r]):
        line = work.line[r, i]
        theta, slack = line[1], line[7]
        here = line[0] + theta * (slack - slack_s) - MARGIN * theta * (abs(slack) + abs(slack_s))
        if here > value:
            best, value = i, here
        if (theta == 0.0 and slack_s >= line[2]) or (theta == rho and slack_s <= slack):
            return _on_line(work.line[r, best], value)
    found = least_upload(upload, slack_s, start)
    if work.count[r] < MOST_LINES:
        line = work.line[r, work.count[r]]
        line[0], line[1], line[2], line[3] = found.value, found.theta, found.upload_s, found.p
        line[4], line[5], line[6] = found.tau, found.rise_x, found.rise_y
        line[7] = slack_s
        work.count[r] += 1
    return found if found.value >= value else _on_line(work.line[r, best], value)


@kernel
def _on_line(line: Vector, value: float) -> Least:
    return Least(value, line[1], line[2], line[3], line[4], line[5], line[6])


@kernel
def disturbance(
    data: SlotData, k: int, r: int, bits: IntVector, low: Matrix, high: Matrix, reach: Vector
) -> float:
    """Noise over own gain at receiver r, and in `reach` (n,) the least disturbance by a watt of j.

    The noise is lowered by the powers that vanish, see `receivers.vanishing`.
    """
    n, n_uavs = data.log_fading.shape
    leak = np.exp(data.log_leakage - high[k, r])
    for j in range(n):
        heard = j != k and surely_interferes(data.scope, bits[j], r, n_uavs)
        reach[j] = leak * np.exp(low[j, r]) if heard else 0.0
    return np.exp(data.log_noise - high[k, r]) * (1.0 - 2.0 * VANISH)


@kernel
def _own_cost(
    problem: ConvexProblem, constant: Vector, point: Point, k: int, y: Vector, slope: Vector
) -> tuple[float, float]:
    """(f_k(y) - c . y over the powers, sum of absolute terms); slope (n,) becomes c."""
    n = slope.shape[0]
    energy = problem.energy_weight[k] * point.power[k]
    price = problem.latency_weight[k] + energy + point.multiplier[k]
    rate = price * point.fall[k]
    total = price * point.upload[k] + energy * problem.propagation_s[k]
    late = point.multiplier[k] * problem.slack_s[k] if point.multiplier[k] > 0.0 else 0.0
    paid = constant[k] + total - late
    size = abs(constant[k]) + total + abs(late)
    for j in range(n):
        slope[j] = rate * point.share[k, j]
    slope[k] = energy * (point.upload[k] + problem.propagation_s[k]) - rate
    for j in range(n):
        paid -= slope[j] * y[j]
        size += abs(slope[j]) * (abs(y[j]) + problem.upper[j] - problem.lower[j])
    return paid, size


@kernel
def _position_gain(
    data: SlotData, problem: ConvexProblem, boxes: Matrix, point: Point, k: int, y: Vector
) -> float:
    """Greatest of c . (q - q(y)) over box and reach of the UAV that row k of the core hears."""
    n, m = problem.load_s.shape[0], problem.receiver[k]
    if m < 0:
        return 0.0
    energy = problem.energy_weight[k] * point.power[k]
    rate = (problem.latency_weight[k] + energy + point.multiplier[k]) * point.fall[k]
    gain, toward, length = 0.0, 0.0, 0.0
    for axis in range(2):
        c, here = rate * point.slope[k, n + axis], y[n + 2 * m + axis]
        gain += max(c * (boxes[m, 2 * axis] - here), c * (boxes[m, 2 * axis + 1] - here))
        toward += c * (data.start_xy_m[m, axis] - here)
        length += c * c
    return min(gain, toward + np.sqrt(length) * data.reach_m * (1 + 1e-8))


class Least(NamedTuple):
    """The least cost of an upload, and where it is attained."""

    value: float
    theta: float
    upload_s: float
    p: float
    tau: float
    rise_x: float  # slope in the copy of the UAV's position
    rise_y: float


@kernel
def least_upload(upload: Upload, slack_s: float, start: float) -> Least:
    """Certified least of the upload's cost minus slope . p over all powers.

    p_k starts from `start`. theta in [0, rho] is the price of the overrun: the cost at another
    slack is above the line of slope -theta. The value is concave in theta, and the upload time
    falls with it: theta is 0 if that is in time, rho if that is late, else where the two meet.
    """
    rho = upload.overrun_weight
    low, high, miss_low = 0.0, rho, 1.0
    best = Least(-np.inf, rho, 0.0, start, 0.0, 0.0, 0.0)
    if slack_s > 0.0:
        best = _least_at_price(upload, slack_s, 0.0, start)
        miss_low = best.upload_s - slack_s
        if miss_low <= 0.0 or rho == 0.0:
            return best
    other = _least_at_price(upload, slack_s, rho, best.p)
    if other.value > best.value:
        best = other
    miss_high = other.upload_s - slack_s
    if miss_high >= 0.0 or slack_s <= 0.0:
        return best
    for _ in range(PRICE_STEPS):
        share = min(max(miss_low / (miss_low - miss_high), 0.05), 0.95)
        middle = low + share * (high - low)
        other = _least_at_price(upload, slack_s, middle, other.p)
        if other.value > best.value:
            best = other
        miss = other.upload_s - slack_s
        if abs(miss) < CLOSE * slack_s:
            break
        if miss > 0.0:
            low, miss_low, miss_high = middle, miss, 0.5 * miss_high
        else:
            high, miss_high, miss_low = middle, miss, 0.5 * miss_low
    return best


@kernel
def _least_at_price(upload: Upload, slack_s: float, theta: float, start: float) -> Least:
    """The same with each second beyond the slack at price theta."""
    limits = upload.limits
    heard = (upload.reach * np.sqrt(limits.least * limits.most)).sum()
    total, free = heard + upload.noise, 0.0
    p, steep = _own_power(upload, theta, np.log(total), start)
    tau = np.log(total) - np.log(steep)
    left, right = -60.0, 60.0
    for _ in range(40):
        heard, free = _heard(upload, tau)
        total = heard + upload.noise
        level = np.log(total)
        p, steep = _own_power(upload, theta, level, p)
        miss = np.log(steep) - level + tau
        if abs(miss) < CLOSE or right - left < CLOSE:
            break
        if miss > 0.0:
            right = tau
        else:
            left = tau
        step = tau - miss / max(1.0 - 0.5 * free / total, 0.25)
        tau = step if left < step < right else 0.5 * (left + right)
    return _value(upload, slack_s, tau, p, theta)


@kernel
def place_copies(
    limits: Limits,
    slope: Vector,
    reach: Matrix,
    k: int,
    r: int,
    p: float,
    tau: float,
    copy: Vector,
) -> None:
    """The copies (n,) that device k's own log-power p and tau stand for at receiver r."""
    scale = np.exp(tau)
    for j in range(copy.shape[0]):
        if j == k and r != NOT_SENT:
            copy[j] = p
        elif r != NOT_SENT and reach[r, j] > 0.0:
            copy[j] = np.log(slope[j] * scale / reach[r, j]) if slope[j] > 0.0 else -np.inf
            copy[j] = min(max(copy[j], limits.lower[j]), limits.upper[j])
        else:
            copy[j] = limits.upper[j] if slope[j] > 0.0 else limits.lower[j]


@kernel
def _copy(upload: Upload, j: int, scale: float) -> float:
    """Disturbance by a copy of device j's power; `scale` is e^tau."""
    wished, reach = upload.slope[j] * scale, upload.reach[j]
    return min(max(wished, reach * upload.limits.least[j]), reach * upload.limits.most[j])


@kernel
def _heard(upload: Upload, tau: float) -> tuple[float, float]:
    """Disturbance by copies of the others' powers at tau, and its part not at a limit."""
    heard, free, scale = 0.0, 0.0, np.exp(tau)
    for j in range(upload.slope.shape[0]):
        if upload.reach[j] > 0.0:
            got = _copy(upload, j, scale)
            heard += got
            if got == upload.slope[j] * scale:
                free += got
    return heard, free


@kernel
def _own_power(upload: Upload, theta: float, level: float, start: float) -> tuple[float, float]:
    """(p, df/dL) minimising f - c_k p at log disturbance `level` and overrun price theta."""
    p, _h, fall = _newton_power(upload, level, start, theta)
    steep = (upload.latency_weight + upload.energy_weight * np.exp(p) + theta) * fall
    return p, max(steep, 1e-300)


@kernel
def _newton_power(
    upload: Upload, level: float, start: float, theta: float
) -> tuple[float, float, float]:
    """(p, h, -dh/ds) of the least f - c_k p for a fixed theta, within the limits of p."""
    lower, upper = upload.limits.lower[upload.k], upload.limits.upper[upload.k]
    left, right = lower, upper
    p = min(max(start, lower), upper)
    h, fall = 0.0, 0.0
    for _ in range(50):
        h, fall, bend = upload_time(upload.load_s, p - level)
        energy = upload.energy_weight * np.exp(p)
        paid = energy * (h + upload.propagation_s)
        price = upload.latency_weight + energy + theta
        rise = paid - price * fall - upload.slope[upload.k]
        if rise > 0.0:
            right = p
        else:
            left = p
        step = p - rise / max(paid - 2.0 * energy * fall + price * bend, 1e-300)
        step = min(max(step, left), right)
        if abs(step - p) < CLOSE:
            break
        if (step <= left and left > lower) or (step >= right and right < upper):
            step = 0.5 * (left + right)
        p = step
    return p, h, fall


@kernel
def _value(upload: Upload, slack_s: float, tau: float, p: float, theta: float) -> Least:
    """Gradient inequality for f - c . p at the copies that tau stands for."""
    k, slope, scale, n = upload.k, upload.slope, np.exp(tau), upload.slope.shape[0]
    total = _heard(upload, tau)[0] + upload.noise
    h, fall, _bend = upload_time(upload.load_s, p - np.log(total))
    energy = upload.energy_weight * np.exp(p)
    price = upload.latency_weight + energy + theta
    steep, cost = price * fall, price * h + energy * upload.propagation_s
    late = theta * slack_s if theta > 0.0 else 0.0
    value = cost - late - slope[k] * p
    rise = energy * (h + upload.propagation_s) - steep - slope[k]
    low, high = upload.limits.lower[k], upload.limits.upper[k]
    value += min(rise * (low - p), rise * (high - p))
    place = upload.place
    bend = place.bend
    bend_x, bend_y = upload.noise * bend[n, 0], upload.noise * bend[n, 1]
    size = cost + abs(late) + abs(slope[k] * p) + (abs(rise) + steep) * (high - low)
    for j in range(slope.shape[0]):
        low, high = upload.limits.lower[j], upload.limits.upper[j]
        if j != k and upload.reach[j] == 0.0:
            value -= max(slope[j] * low, slope[j] * high)
        elif j != k:
            got = _copy(upload, j, scale)
            bend_x += got * bend[j, 0]
            bend_y += got * bend[j, 1]
            copy = np.log(got / upload.reach[j])
            rise = steep * got / total - slope[j]
            value += min(rise * (low - copy), rise * (high - copy)) - slope[j] * copy
            size += (steep * got / total + slope[j]) * (high - low) + abs(slope[j] * copy)
    rise_x, rise_y = -place.pay[0], -place.pay[1]
    rise_x += steep * bend_x / total
    rise_y += steep * bend_y / total
    value -= abs(rise_x) * place.half[0] + rise_x * place.xy[0] + place.pay[0] * place.xy[0]
    value -= abs(rise_y) * place.half[1] + rise_y * place.xy[1] + place.pay[1] * place.xy[1]
    size += (abs(rise_x) + abs(place.pay[0])) * place.half[0]
    size += (abs(rise_y) + abs(place.pay[1])) * place.half[1]
    return Least(value - MARGIN * size, theta, h, p, tau, rise_x, rise_y)

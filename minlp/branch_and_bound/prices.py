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

import numpy as np

from minlp.branch_and_bound.receivers import VANISH, receivers, surely_interferes
from minlp.convex.problem import ConvexProblem, Point, upload_time
from minlp.slot.cost import no_loads, option_terms
from minlp.slot.data import NOT_SENT, SlotData
from satedge.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel

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
    lower: Vector  # (n,) limits of the log-powers
    upper: Vector  # (n,)
    least: Vector  # (n,) the same in W
    most: Vector  # (n,)


class Lines(Record):
    """Certified uploads of one device, as lines in the slack, by receiver."""

    line: Cube  # (M + 1, L, 4): value at the slack, theta, slack, upload time
    count: IntVector  # (M + 1,)


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
) -> Cube:
    """Prices (n, O, C), C = n loads of the server if it is shared, else 1; inf where not allowed.

    0 in the core, with shared compute at the loads (S,) there. Servers have loads in `spans`
    (S, 2). `point` is evaluated at y (d,), gains lie in [low, high] (n, M + 1) over the boxes.
    What is no number counts as -inf.
    """
    n, width = data.receiver.shape
    _single, bits = receivers(data, allowed)
    price = np.full((n, width, n if data.shared else 1), np.inf)
    lower, upper, slope = power_low, np.full(n, data.log_power_max), np.empty(n)
    copies = (lower, upper, np.exp(lower), np.exp(upper))
    alone = no_loads(data)
    lines = Lines(np.zeros((low.shape[1], MOST_LINES, 4)), np.zeros(low.shape[1], np.int64))
    reach, noise = np.zeros((low.shape[1], n)), np.empty(low.shape[1])
    for k in range(n):
        paid = size = drift = 0.0
        if data.shared or allowed[k] != core[k]:
            paid, size = _own_cost(problem, constant, point, k, y, slope)
            drift = _position_gain(data, problem, boxes, point, k, y)
        for r in range(low.shape[1]):
            lines.count[r], noise[r] = 0, -1.0
        for o in range(data.n_options[k]):
            in_core, r = core[k] >> o & 1 == 1, data.receiver[k, o]
            if in_core and (r == NOT_SENT or not data.shared):
                price[k, o] = 0.0
            elif allowed[k] >> o & 1 == 0:
                continue
            elif r == NOT_SENT:
                gone = np.maximum(slope * lower, slope * upper).sum()
                price[k, o] = _lowered(data.fixed_cost[k, o] - gone, paid + drift, size)
            else:
                cost, slack_s = option_terms(data, k, o, alone, False, low, high)
                if noise[r] < 0.0:
                    noise[r] = _disturbance(data, k, r, bits, low, high, reach[r])
                upload = Upload(
                    k, data.load_s[k, r], data.propagation_s[r], noise[r],
                    data.latency_weight, data.energy_weight, data.overrun_weight,
                    slope, reach[r], copies[0], copies[1], copies[2], copies[3],
                )  # fmt: skip
                s = data.server[k, o]
                for c in range(1, price.shape[2] + 1):
                    wait_s = data.execute_s[k, o] * (c - 1)
                    if in_core and c == loads[s]:
                        price[k, o, c - 1] = 0.0
                    else:
                        value = cost + data.latency_weight * wait_s
                        value += _upload_cost(lines, upload, r, slack_s - wait_s, y[k])
                        price[k, o, c - 1] = _lowered(value, paid + drift, size)
                    if data.shared and not spans[s, 0] <= c <= spans[s, 1]:
                        price[k, o, c - 1] += OUT_OF_SPAN
    return price


@kernel
def _lowered(cost: float, paid: float, size: float) -> float:
    """A price, rounding included; -inf where it is no number."""
    value = cost - paid - MARGIN * (abs(cost) + size)
    return -np.inf if np.isnan(value) else value


@kernel
def _upload_cost(lines: Lines, upload: Upload, r: int, slack_s: float, start: float) -> float:
    """Certified least of an upload's cost at a slack: the highest of the lines of receiver r.

    A line is exact, and no other is needed, where nothing overruns on it, or all to its left does.
    """
    rho, best = upload.overrun_weight, -np.inf
    for i in range(lines.count[r]):
        value, theta = lines.line[r, i, 0], lines.line[r, i, 1]
        slack, upload_s = lines.line[r, i, 2], lines.line[r, i, 3]
        value += theta * (slack - slack_s) - MARGIN * theta * (abs(slack) + abs(slack_s))
        best = max(best, value)
        if (theta == 0.0 and slack_s >= upload_s) or (theta == rho and slack_s <= slack):
            return best
    value, theta, upload_s = least_upload(upload, slack_s, start)
    if lines.count[r] < MOST_LINES:
        i = lines.count[r]
        lines.line[r, i, 0], lines.line[r, i, 1] = value, theta
        lines.line[r, i, 2], lines.line[r, i, 3] = slack_s, upload_s
        lines.count[r] += 1
    return max(best, value)


@kernel
def _disturbance(
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


@kernel
def least_upload(upload: Upload, slack_s: float, start: float) -> tuple[float, float, float]:
    """(certified least of the upload's cost minus slope . p over all powers, theta, upload time).

    p_k starts from `start`. theta in [0, rho] is the price of the overrun: the cost at another
    slack is above the line of slope -theta. The value is concave in theta, and the upload time
    falls with it: theta is 0 if that is in time, rho if that is late, else where the two meet.
    """
    rho = upload.overrun_weight
    low, high, miss_low, miss_high = 0.0, rho, 1.0, -1.0
    value, theta, upload_s, p = -np.inf, rho, 0.0, start
    if slack_s > 0.0:
        value, upload_s, p = _least_at_price(upload, slack_s, 0.0, start)
        theta, miss_low = 0.0, upload_s - slack_s
        if miss_low <= 0.0 or rho == 0.0:
            return value, theta, upload_s
    other, time, p = _least_at_price(upload, slack_s, rho, p)
    if other > value:
        value, theta, upload_s = other, rho, time
    miss_high = time - slack_s
    if miss_high >= 0.0 or slack_s <= 0.0:
        return value, theta, upload_s
    for _ in range(PRICE_STEPS):
        share = min(max(miss_low / (miss_low - miss_high), 0.05), 0.95)
        middle = low + share * (high - low)
        other, time, p = _least_at_price(upload, slack_s, middle, p)
        if other > value:
            value, theta, upload_s = other, middle, time
        miss = time - slack_s
        if abs(miss) < CLOSE * slack_s:
            break
        if miss > 0.0:
            low, miss_low, miss_high = middle, miss, 0.5 * miss_high
        else:
            high, miss_high, miss_low = middle, miss, 0.5 * miss_low
    return value, theta, upload_s


@kernel
def _least_at_price(
    upload: Upload, slack_s: float, theta: float, start: float
) -> tuple[float, float, float]:
    """(certified least, upload time, p_k) with each second beyond the slack at price theta."""
    heard = (upload.reach * np.sqrt(upload.least * upload.most)).sum()
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
    value, upload_s = _value(upload, slack_s, tau, p, theta)
    return value, upload_s, p


@kernel
def _copy(upload: Upload, j: int, scale: float) -> float:
    """Disturbance by a copy of device j's power; `scale` is e^tau."""
    wished, reach = upload.slope[j] * scale, upload.reach[j]
    return min(max(wished, reach * upload.least[j]), reach * upload.most[j])


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
    lower, upper = upload.lower[upload.k], upload.upper[upload.k]
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
def _value(
    upload: Upload, slack_s: float, tau: float, p: float, theta: float
) -> tuple[float, float]:
    """Gradient inequality for f - c . p at the copies that tau stands for, and the upload time."""
    k, slope, scale = upload.k, upload.slope, np.exp(tau)
    total = _heard(upload, tau)[0] + upload.noise
    h, fall, _bend = upload_time(upload.load_s, p - np.log(total))
    energy = upload.energy_weight * np.exp(p)
    price = upload.latency_weight + energy + theta
    steep, cost = price * fall, price * h + energy * upload.propagation_s
    late = theta * slack_s if theta > 0.0 else 0.0
    value = cost - late - slope[k] * p
    rise = energy * (h + upload.propagation_s) - steep - slope[k]
    low, high = upload.lower[k], upload.upper[k]
    value += min(rise * (low - p), rise * (high - p))
    size = cost + abs(late) + abs(slope[k] * p) + (abs(rise) + steep) * (high - low)
    for j in range(slope.shape[0]):
        low, high = upload.lower[j], upload.upper[j]
        if j != k and upload.reach[j] == 0.0:
            value -= max(slope[j] * low, slope[j] * high)
        elif j != k:
            got = _copy(upload, j, scale)
            copy = np.log(got / upload.reach[j])
            rise = steep * got / total - slope[j]
            value += min(rise * (low - copy), rise * (high - copy)) - slope[j] * copy
            size += (steep * got / total + slope[j]) * (high - low) + abs(slope[j] * copy)
    return value - MARGIN * size, h

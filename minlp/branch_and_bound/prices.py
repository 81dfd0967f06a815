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
from minlp.convex.problem import ConvexProblem, Point, upload_time
from minlp.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel
from minlp.slot.cost import no_loads, option_terms
from minlp.slot.data import NOT_SENT, SlotData

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


class Limits(Record):
    """Where copies of the powers may be, in logs and in W. n devices."""

    lower: Vector  # (n,)
    upper: Vector  # (n,)
    least: Vector  # (n,)
    most: Vector  # (n,)


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


class Workspace(Record):
    """What is known of one device's uploads."""

    line: Cube  # (M + 1, L, 6): value at the slack, theta, slack, upload time, p_k, tau
    count: IntVector  # (M + 1,) lines of each receiver
    reach: Matrix  # (M + 1, n) disturbance there by a watt of each device
    noise: Vector  # (M + 1,) over the own gain; below 0 where not known yet
    alone: IntVector  # (S,) no loads


class Copies(Record):
    """What options cost at given slopes, and which copies of the powers attain it."""

    cost: Cube  # (n, O, C) least f_ko - c_k . z, certified; inf where not allowed
    power: Cube  # (n, O, C) copy of the own log-power
    scale: Cube  # (n, O, C) tau, which stands for the copies of the others'


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
    found = Copies(np.full(shape, np.inf), np.zeros(shape), np.zeros(shape))
    for k in range(n):
        found.power[k] = start[k]
    return found


@kernel
def new_workspace(data: SlotData) -> Workspace:
    n, n_receivers = data.load_s.shape
    return Workspace(
        np.zeros((n_receivers, MOST_LINES, 6)), np.zeros(n_receivers, np.int64),
        np.zeros((n_receivers, n)), np.empty(n_receivers), no_loads(data),
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
    found, work = new_copies(data, y), new_workspace(data)
    limits = limits_of(power_low, data.log_power_max)
    for k in range(allowed.shape[0]):
        wanted = allowed[k] if data.shared else allowed[k] & ~core[k]
        paid, size = _own_cost(problem, constant, point, k, y, slopes[k])
        if wanted != 0:
            drift = _position_gain(data, problem, boxes, point, k, y)
            costs_of(data, k, wanted, spans, bits, low, high, slopes[k], limits, work, found)
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
    data: SlotData,
    k: int,
    wanted: int,
    spans: IntMatrix,
    bits: IntVector,
    low: Matrix,
    high: Matrix,
    slope: Vector,
    limits: Limits,
    work: Workspace,
    found: Copies,
) -> None:
    """Least costs of device k's `wanted` options at slopes (n,), and the copies, into `found`.

    The solver begins at the copies that are there.
    """
    reach, noise = work.reach, work.noise
    work.count[:], noise[:] = 0, -1.0
    for o in range(data.n_options[k]):
        if wanted >> o & 1 == 0:
            continue
        r = data.receiver[k, o]
        if r == NOT_SENT:
            gone = np.maximum(slope * limits.lower, slope * limits.upper)
            size = abs(data.fixed_cost[k, o]) + np.abs(gone).sum()
            found.cost[k, o] = data.fixed_cost[k, o] - gone.sum() - MARGIN * size
            continue
        cost, slack_s = option_terms(data, k, o, work.alone, False, low, high)
        if noise[r] < 0.0:
            noise[r] = disturbance(data, k, r, bits, low, high, reach[r])
        upload = Upload(
            k, data.load_s[k, r], data.propagation_s[r], noise[r],
            data.latency_weight, data.energy_weight, data.overrun_weight,
            slope, reach[r], limits,
        )  # fmt: skip
        s = data.server[k, o]
        for c in range(1, found.cost.shape[2] + 1):
            wait_s = data.execute_s[k, o] * (c - 1)
            start = found.power[k, o, c - 1]
            value, p, tau = _upload_cost(work, upload, r, slack_s - wait_s, start)
            known = cost + data.latency_weight * wait_s
            found.cost[k, o, c - 1] = known + value - MARGIN * abs(known)
            found.power[k, o, c - 1], found.scale[k, o, c - 1] = p, tau
            if data.shared and not spans[s, 0] <= c <= spans[s, 1]:
                found.cost[k, o, c - 1] += OUT_OF_SPAN


@kernel
def _lowered(cost: float, paid: float, size: float) -> float:
    """A price, rounding included; -inf where it is no number."""
    value = cost - paid - MARGIN * (abs(cost) + size)
    return -np.inf if np.isnan(value) else value


@kernel
def _upload_cost(
    work: Workspace, upload: Upload, r: int, slack_s: float, start: float
) -> tuple[float, float, float]:
    """(certified least of an upload's cost at a slack: the highest of receiver r's lines, p, tau).

    A line is exact, and no other is needed, where nothing overruns on it, or all to its left does.
    """
    rho, best, p, tau = upload.overrun_weight, -np.inf, start, 0.0
    for i in range(work.count[r]):
        value, theta = work.line[r, i, 0], work.line[r, i, 1]
        slack, upload_s = work.line[r, i, 2], work.line[r, i, 3]
        value += theta * (slack - slack_s) - MARGIN * theta * (abs(slack) + abs(slack_s))
        if value > best:
            best, p, tau = value, work.line[r, i, 4], work.line[r, i, 5]
        if (theta == 0.0 and slack_s >= upload_s) or (theta == rho and slack_s <= slack):
            return best, p, tau
    found = least_upload(upload, slack_s, start)
    if work.count[r] < MOST_LINES:
        line = work.line[r, work.count[r]]
        line[0], line[1], line[2] = found.value, found.theta, slack_s
        line[3], line[4], line[5] = found.upload_s, found.p, found.tau
        work.count[r] += 1
    if found.value > best:
        return found.value, found.p, found.tau
    return best, p, tau


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


@kernel
def least_upload(upload: Upload, slack_s: float, start: float) -> Least:
    """Certified least of the upload's cost minus slope . p over all powers.

    p_k starts from `start`. theta in [0, rho] is the price of the overrun: the cost at another
    slack is above the line of slope -theta. The value is concave in theta, and the upload time
    falls with it: theta is 0 if that is in time, rho if that is late, else where the two meet.
    """
    rho = upload.overrun_weight
    low, high, miss_low = 0.0, rho, 1.0
    best = Least(-np.inf, rho, 0.0, start, 0.0)
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
    value, upload_s = _value(upload, slack_s, tau, p, theta)
    return Least(value, theta, upload_s, p, tau)


@kernel
def place_copies(upload: Upload, p: float, tau: float, copy: Vector) -> None:
    """The copies (n,) that p and tau stand for."""
    limits, scale = upload.limits, np.exp(tau)
    for j in range(copy.shape[0]):
        if j == upload.k:
            copy[j] = p
        elif upload.reach[j] > 0.0:
            copy[j] = np.log(_copy(upload, j, scale) / upload.reach[j])
        else:
            copy[j] = limits.upper[j] if upload.slope[j] > 0.0 else limits.lower[j]


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
    low, high = upload.limits.lower[k], upload.limits.upper[k]
    value += min(rise * (low - p), rise * (high - p))
    size = cost + abs(late) + abs(slope[k] * p) + (abs(rise) + steep) * (high - low)
    for j in range(slope.shape[0]):
        low, high = upload.limits.lower[j], upload.limits.upper[j]
        if j != k and upload.reach[j] == 0.0:
            value -= max(slope[j] * low, slope[j] * high)
        elif j != k:
            got = _copy(upload, j, scale)
            copy = np.log(got / upload.reach[j])
            rise = steep * got / total - slope[j]
            value += min(rise * (low - copy), rise * (high - copy)) - slope[j] * copy
            size += (steep * got / total + slope[j]) * (high - low) + abs(slope[j] * copy)
    return value - MARGIN * size, h

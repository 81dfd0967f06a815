"""The least cost of an upload among copies of all powers, compiled and certified.

Device k pays slopes c for copies p of all log-powers, its own among them, and minimises
f(p_k, L) - c . p, where L is the log disturbance ln(sum_j a_j e^{p_j} + noise). For a given L the
copies of the others' powers maximise sum_j c_j p_j: a_j e^{p_j} = c_j e^tau within their limits. So
tau is the only unknown beside the own power, and the optimality condition ln(df/dL) = L - tau is
monotone in it. Whatever tau and p come out, the value is bounded by the gradient inequality of
`convex.certificate`. Where a and the noise are exponentials of a copy of the UAV's position, the
same inequality covers that copy's box.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minlp.convex.problem import upload_time
from minlp.slot.data import NOT_SENT
from satedge.kernels import Matrix, Record, Vector, kernel

#: Rounding, relative to the sum of absolute terms; each carries a relative error below 1e-13
#: (exponents stay below 100, and so few operations follow that the count of
#: `convex.certificate` covers them).
MARGIN = 4e-12

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


class Place(Record):
    """Where a copy of a UAV's position is, and what reach and noise change around it."""

    xy: Vector  # (2,) from the centre of the UAV's box
    bend: Matrix  # (n + 1, 2) slopes of ln reach and, last, of ln noise
    pay: Vector  # (2,) what the copy pays
    half: Vector  # (2,) of the box


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
def limits_of(power_low: Vector, power_high: float) -> Limits:
    """All log-powers between their least (n,) and the greatest."""
    upper = np.full(power_low.shape[0], power_high)
    return Limits(power_low, upper, np.exp(power_low), np.exp(upper))


@kernel
def unmoved(n: int) -> Place:
    """No copy of a position: reach and noise hold wherever the UAV is."""
    return Place(np.zeros(2), np.zeros((n + 1, 2)), np.zeros(2), np.zeros(2))


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
        best = least_at_price(upload, slack_s, 0.0, start)
        miss_low = best.upload_s - slack_s
        if miss_low <= 0.0 or rho == 0.0:
            return best
    other = least_at_price(upload, slack_s, rho, best.p)
    if other.value > best.value:
        best = other
    miss_high = other.upload_s - slack_s
    if miss_high >= 0.0 or slack_s <= 0.0:
        return best
    for _ in range(PRICE_STEPS):
        share = min(max(miss_low / (miss_low - miss_high), 0.05), 0.95)
        middle = low + share * (high - low)
        other = least_at_price(upload, slack_s, middle, other.p)
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
def least_at_price(upload: Upload, slack_s: float, theta: float, start: float) -> Least:
    """The same with each second beyond the slack at price theta."""
    limits = upload.limits
    heard = (upload.reach * np.sqrt(limits.least * limits.most)).sum()
    total, free = heard + upload.noise, 0.0
    p, steep = own_power(upload, theta, np.log(total), start)
    tau = np.log(total) - np.log(steep)
    left, right = -60.0, 60.0
    for _ in range(40):
        heard, free = heard_from(upload, tau)
        total = heard + upload.noise
        level = np.log(total)
        p, steep = own_power(upload, theta, level, p)
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
def heard_from(upload: Upload, tau: float) -> tuple[float, float]:
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
def own_power(upload: Upload, theta: float, level: float, start: float) -> tuple[float, float]:
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
    total = heard_from(upload, tau)[0] + upload.noise
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

"""The bound of a region, from numbers that a proof gives; docs/proofs.md derives it.

Row k is the cost of device k over the options of its core, a convex function of all log-powers p
and positions q. Any point y and any multipliers give a bound, by the gradient inequality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satedge.verify import interval as iv
from satedge.verify.interval import Array, Interval
from satedge.verify.model import Mask, Model
from satedge.verify.region import Regions, distances2, gain_tables, held, option_terms

Index = NDArray[np.int64]

#: Share of the noise by which rows lower it, for devices that refuse: they send next to nothing.
VANISH = 1e-13


@dataclass(eq=False)
class Numbers:
    """What a proof says of L regions."""

    core: Mask  # (L, n, O)
    near: Array  # (L, M, 2) where gains are linearised
    power: Array  # (L, n) y, log-powers
    place: Array  # (L, M, 2) y, positions
    late: Array  # (L, n) lambda
    disc: Array  # (L, M, 1 + n) mu
    guess: Array  # (L, n, O, 3) tau, p, theta of options outside the core


@dataclass(eq=False)
class Rows:
    """Of L regions: the rows at y, with their gradients."""

    constant: Array  # (L, n)
    value: Interval  # (L, n) f_k(y) - lambda_k slack_k
    slope: Interval  # (L, n, n) gradient in p
    drift: Interval  # (L, n, M, 2) gradient in q
    low: Array  # (L, n) least log-powers
    gains: tuple[Array, Array]  # (L, n, R)
    sure: Mask  # (L, n, R) whether j disturbs r if it sends at all
    terms: tuple[Array, Array]  # option_terms
    noise: Interval


def bounds(model: Model, regions: Regions, given: Numbers, floor: Array) -> tuple[Array, Array]:
    """(bound of each region (L,), of its plans in which device k takes option o (L, n, O))."""
    rows = rows_at(model, regions, given, floor)
    base = _base(model, regions, given, rows)
    price = _prices(model, regions, given, rows)
    free = np.where(regions.allowed, price, np.inf)
    lost = np.minimum(free.min(-1), 0.0)
    total = (Interval(base) + Interval(lost).sum()).lo
    with np.errstate(invalid="ignore"):
        option = (Interval(total)[:, None, None] - Interval(lost)[..., None] + Interval(free)).lo
    return np.where(np.isnan(total), -np.inf, total), np.where(np.isnan(option), -np.inf, option)


def rows_at(model: Model, regions: Regions, given: Numbers, floor: Array) -> Rows:
    """Rows and gradients at y."""
    m, n = model.n_uavs, model.n
    low, high, near, far = gain_tables(model, regions.box)
    terms = option_terms(model, low, high)
    hears = _heard(model, regions.allowed)
    sure = _surely(model, hears)
    noise = model.noise * (1 - VANISH) if model.leak > 0 else model.noise
    least = _vanishing(model, regions.allowed, high, floor)
    core, refuses = given.core, given.core[..., -1]
    to = _heard(model, core)
    alone = (to.sum(-1) == 1) & to[..., :m].any(-1) & ~refuses  # one UAV hears the core
    own, own_slope, other, other_slope = _tangents(model, regions, given, low, high, near, far)
    pick = np.where(alone, to.argmax(-1), 0)
    lead, index = np.arange(len(core))[:, None], np.arange(n)[None]
    step = Interval(given.place) - Interval(given.near)  # (L, M, 2)
    leak = iv.log(model.leak) if model.leak > 0 else Interval(0.0)
    # rows that several receivers, or the satellite, hear: the least ratio over them
    inf = np.where(to, 0.0, np.inf)
    ratio = iv.log(noise) - Interval(np.where(to, high, 0.0))
    flat_n = (ratio.lo + inf).min(-1)
    pair = (
        leak
        + Interval(np.where(to[:, :, None], low[:, None], 0.0))
        - Interval(np.where(to, high, 0.0))[:, :, None]
    )
    flat_c = (pair.lo + inf[:, :, None]).min(-1)  # (L, k, j)
    flat_sure = (sure[:, None] | ~to[:, :, None]).all(-1) & np.asarray(to.any(-1))[..., None]
    disturbs, log_n, log_c = flat_sure, Interval(flat_n), Interval(flat_c)
    slope_n = Interval(np.zeros((len(core), n, 2)))
    slope_c = Interval(np.zeros((len(core), n, n, 2)))
    if m:
        here, tilt = own[lead, index, pick], own_slope[lead, index, pick]
        move = step[lead, pick]  # (L, n, 2)
        value = here + (tilt * move).sum(-1)
        there = _swapped(other, pick)
        lean = _swapped(other_slope, pick)
        relative = lean - tilt[:, :, None]
        tangent_c = leak + there - here[..., None] + (relative * move[:, :, None]).sum(-1)
        log_n = iv.where(alone, iv.log(noise) - value, log_n)
        log_c = iv.where(alone[..., None], tangent_c, log_c)
        disturbs = np.where(alone[..., None], _swapped_mask(sure, pick), disturbs)
        slope_n = iv.where(alone[..., None], -tilt, slope_n)
        slope_c = iv.where(alone[..., None, None], relative, slope_c)
    disturbs = disturbs & ~np.eye(n, dtype=bool) & (model.leak > 0)
    power = given.power
    with np.errstate(over="ignore", invalid="ignore"):
        w = iv.where(disturbs, iv.exp(iv.where(disturbs, log_c, 0.0) + power[:, None]), 0.0)
        w0 = iv.exp(iv.where(refuses, 0.0, log_n))
        total = w.sum() + w0
        sinr = iv.exp(power) / total
        sends = ~refuses
        load = np.where(core[..., :-1], model.load_s.lo[:, model.receiver[:-1]], np.inf).min(-1)
        load = Interval(np.where(sends, load, 0.0))
        nats = iv.log1p(sinr)
        h = load / nats
        fall = h * (sinr / (sinr + 1.0)) / nats
        cost, slack = terms
        constant = np.where(core, cost, np.inf).min(-1)
        slack = np.where(core[..., :-1], slack[..., :-1], -np.inf).max(-1)
        slack = np.where(sends, slack, 0.0)
        goes_up = (core[..., :m].any(-1)) | ~sends
        propagation = np.where(goes_up, 0.0, model.propagation.lo)
        joule = iv.exp(power) * np.where(sends, model.energy, 0.0)
        late = np.where(sends, np.clip(given.late, 0.0, model.late_low), 0.0)
        weight = joule + np.where(sends, model.latency, 0.0) + late
        value = weight * h + joule * propagation - Interval(late) * slack
        rate = weight * fall
        share = w / total[..., None]
        slope = share * rate[..., None]
        own_part = joule * (h + propagation) - rate
        eye = np.eye(n, dtype=bool)
        slope = iv.where(eye, own_part[..., None], slope)
        drift_k = ((share[..., None] * slope_c).sum(2) + slope_n * (w0 / total)[..., None]) * rate[
            ..., None
        ]
    drift = Interval(np.zeros((len(core), n, m, 2)))
    if m:
        mine = (np.arange(m) == pick[..., None]) & alone[..., None]
        drift = iv.where(mine[..., None], drift_k[:, :, None], 0.0)
    return Rows(constant, value, slope, drift, least, (low, high), sure, terms, noise)


def _swapped(table: Interval, pick: NDArray[np.int64]) -> Interval:
    """(L, k, j, ...) entries of (L, j, M, ...) at the UAV of row k."""
    lead = np.arange(len(pick))[:, None, None]
    j = np.arange(pick.shape[1])[None, None]
    return table[lead, j, pick[:, :, None]]


def _swapped_mask(table: Mask, pick: NDArray[np.int64]) -> Mask:
    lead = np.arange(len(pick))[:, None, None]
    j = np.arange(pick.shape[1])[None, None]
    return np.asarray(table[lead, j, pick[:, :, None]])


def _heard(model: Model, allowed: Mask) -> Mask:
    """(L, n, R) receivers of allowed options."""
    m = model.n_uavs
    return np.concatenate([allowed[..., :m], np.asarray(allowed[..., m:-1].any(-1))[..., None]], -1)


def _surely(model: Model, hears: Mask) -> Mask:
    """(L, n, R) whether a device disturbs a receiver if it sends. (8), (10)."""
    sends, m = np.asarray(hears.any(-1)), model.n_uavs
    if model.scenario.interference_scope == "all":
        return np.repeat(sends[..., None], m + 1, -1)
    if model.scenario.interference_scope == "server":
        return hears & (hears.sum(-1) == 1)[..., None]
    below = sends & ~hears[..., m]
    above = hears[..., m] & ~hears[..., :m].any(-1)
    return np.concatenate([np.repeat(below[..., None], m, -1), above[..., None]], -1)


def _vanishing(model: Model, allowed: Mask, high: Array, floor: Array) -> Array:
    """(L, n) least log-powers: of senders, or so low that refusing adds VANISH of the noise."""
    low = np.broadcast_to(floor, allowed.shape[:2])
    if model.leak == 0:
        return low
    nothing = iv.log(model.noise * (VANISH * (1 - 1e-9) / model.n)) - iv.log(model.leak)
    return np.where(allowed[..., -1], np.minimum(low, (nothing - Interval(high.max(-1))).lo), low)


def _tangents(
    model: Model, regions: Regions, given: Numbers, low: Array, high: Array, near: Array, far: Array
) -> tuple[Interval, Interval, Interval, Interval]:
    """Affine bounds of log gains at `given.near`, a point of the box: above (L, n, M) with slopes
    (L, n, M, 2), and below alike."""
    m = model.n_uavs
    q, box = given.near, regions.box
    d = Interval(q)[:, None] - Interval(model.place)[None, :, None]  # (L, n, M, 2)
    here = d.square().sum(-1)
    z, fade, half = model.height2, model.log_fading, model.half
    space, tilt = _room(model, regions, q)
    inside = _within(model, q)
    wide_near, wide_far = distances2(model, box)
    least = np.where(inside[:, None], near, np.minimum(near, wide_near))
    most = np.where(inside[:, None], far, np.maximum(far, wide_far))
    peak = np.clip(3 * z.lo, least, most)
    top = Interval(peak) - z
    bend = (top * (2 * half) / (Interval(peak) + z).square()).hi * (1 + 1e-9)
    bend = np.maximum(bend, 0.0) * 0.5
    level = fade - iv.log(here + z) * half
    fall0 = Interval(2 * half) / (here + z)
    above = level + Interval(bend) * space[:, None]
    slope = -(d * fall0[..., None]) + tilt[:, None] * bend[..., None]
    chorded = far > near * (1 + 1e-9) + 1e-9
    width = np.where(chorded, far - near, 1.0)
    gap = iv.where(chorded, Interval(far) - Interval(near), width)
    start = iv.log(Interval(near) + z)
    fall = (iv.log(Interval(far) + z) - start) * half / gap
    chord = fade - start * half - fall * (here - Interval(near))
    better = chorded & (chord.hi < above.hi)
    above = iv.where(better, chord, above)
    slope = iv.where(better[..., None], -(d * 2.0 * fall[..., None]), slope)
    flat = ~(above.hi < high[..., :m])
    above = iv.where(flat, high[..., :m], above)
    slope = iv.where(flat[..., None], 0.0, slope)
    loss = Interval(half) / (here + z)
    below = level - loss * space[:, None]
    lean = -(d * 2.0 + tilt[:, None]) * loss[..., None]
    flat = ~(below.lo > low[..., :m])
    below = iv.where(flat, low[..., :m], below)
    lean = iv.where(flat[..., None], 0.0, lean)
    return above, slope, below, lean


def _within(model: Model, q: Array) -> Mask:
    """(L, M) whether points are surely within reach."""
    away2 = (Interval(q) - Interval(model.start)).square().sum(-1)
    return np.asarray(away2.hi <= iv.down(model.radius[0] ** 2))


def _room(model: Model, regions: Regions, q: Array) -> tuple[Interval, Interval]:
    """Value (L, M) and slope (L, M, 2) at q of a quadratic with Hessian -2 I that is not negative
    where box and discs hold: the least of theirs."""
    box = Interval(regions.box)
    low, high = box[..., 0], box[..., 1]
    value = ((q - low) * (high - q)).sum(-1)
    slope = low + high - 2.0 * q
    discs = held(model, regions.allowed)
    for d in range(discs.shape[-1]):
        if not discs[..., d].any():
            continue
        centre = model.start if d == 0 else model.place[d - 1]
        away = Interval(q) - Interval(centre)
        other = iv.up(model.radius[d] ** 2) - away.square().sum(-1)
        better = discs[..., d] & (other.hi < value.hi)
        value = iv.where(better, other, value)
        slope = iv.where(better[..., None], away * -2.0, slope)
    return value, slope


def _base(model: Model, regions: Regions, given: Numbers, rows: Rows) -> Array:
    """(L,) bound of the sum of rows: gradient inequality, with mu for the discs that hold."""
    m = model.n_uavs
    total = (Interval(rows.constant) + rows.value).sum()
    g = rows.slope.sum(1)
    y = given.power
    total = total + Interval(_corners(g, Interval(rows.low) - y, Interval(model.p_high) - y)).sum()
    if m:
        gq = rows.drift.sum(1)  # (L, M, 2)
        mu = np.maximum(given.disc, 0.0) * held(model, regions.allowed)
        for d in range(mu.shape[-1]):
            if not mu[..., d].any():
                continue
            centre = model.start if d == 0 else model.place[d - 1]
            away = Interval(given.place) - Interval(centre)
            excess = away.square().sum(-1) - iv.up(model.radius[d] ** 2)
            total = total + (excess * mu[..., d]).sum()
            gq = gq + away * (2.0 * mu[..., d])[..., None]
        q, box = given.place, Interval(regions.box)
        part = _corners(gq, box[..., 0] - q, box[..., 1] - q)
        total = total + Interval(part.reshape(len(part), -1)).sum()
    return total.lo


def _corners(g: Interval, left: Interval, right: Interval) -> Array:
    """Lower end of min(g left, g right)."""
    return np.minimum((g * left).lo, (g * right).lo)


def _prices(model: Model, regions: Regions, given: Numbers, rows: Rows) -> Array:
    """(L, n, O) prices of options: 0 in the core."""
    m, y = model.n_uavs, given.power
    price = np.where(given.core, 0.0, np.inf)
    ask = regions.allowed & ~given.core
    if not ask.any():
        return price
    row, k, o = np.nonzero(ask)
    c = rows.slope[row, k]  # (N, n)
    low, high = rows.low[row], np.full((len(row), model.n), model.p_high)
    paid = Interval(rows.constant[row, k]) + rows.value[row, k] - (c * y[row]).sum()
    if m:
        q = given.place[row]
        dq, box = rows.drift[row, k], Interval(regions.box[row])
        most = -_corners(-dq, box[..., 0] - q, box[..., 1] - q)
        toward = (dq * (Interval(model.start) - q)).sum() + iv.sqrt(
            dq.square().sum()
        ) * model.radius[0]
        most = np.minimum(Interval(most).sum().hi, toward.hi)
        used = (np.abs(dq.lo) + np.abs(dq.hi)).sum(-1) > 0
        paid = paid + Interval(np.where(used, most, 0.0)).sum()
    r = model.receiver[o]
    refused = r < 0
    value = _lone_value(model, given, rows, row, k, o, c, low, high)
    gone = (
        Interval(rows.terms[0][row, k, o])
        + Interval(np.minimum((-c * low).lo, (-c * high).lo)).sum()
    )
    found = (iv.where(refused, gone, value) - paid).lo
    price[row, k, o] = np.where(np.isnan(found), -np.inf, found)
    return price


def disturbances(
    model: Model, rows: Rows, row: Index, k: Index, o: Index
) -> tuple[Interval, Interval]:
    """(N, n) least disturbance by a watt of each other device, and (N,) noise, by own gain."""
    r = np.maximum(model.receiver[o], 0)
    low, high = rows.gains
    own = high[row, k, r]
    noise = iv.exp(iv.log(rows.noise) - Interval(own))
    if model.leak == 0:
        return Interval(np.zeros((len(row), model.n))), noise
    hit = rows.sure[row, :, r] & (np.arange(model.n) != k[:, None])
    a = iv.exp(Interval(low[row, :, r]) - Interval(own)[:, None] + iv.log(model.leak))
    return iv.where(hit, a, 0.0), noise


def _lone_value(
    model: Model, given: Numbers, rows: Rows, row: Index, k: Index, o: Index,
    c: Interval, low: Array, high: Array,
) -> Interval:  # fmt: skip
    """Lower end of the least of an option's cost minus c . p, p copies of all log-powers."""
    a, noise = disturbances(model, rows, row, k, o)
    tau, p, theta = np.moveaxis(given.guess[row, k, o], -1, 0)
    p = np.clip(p, low[np.arange(len(row)), k], model.p_high)
    theta = np.clip(theta, 0.0, model.late_low)
    copies = copies_of(0.5 * (a.lo + a.hi), 0.5 * (c.lo + c.hi), tau, low, high)
    i = np.arange(len(row))
    hit = a.hi > 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        w = iv.where(hit, a * iv.exp(copies), 0.0)
        total = w.sum() + noise
        sinr = iv.exp(p) / total
        nats = iv.log1p(sinr)
        r = np.maximum(model.receiver[o], 0)
        h = model.load_s[k, r] / nats
        fall = h * (sinr / (sinr + 1.0)) / nats
        joule = iv.exp(p) * model.energy
        propagation = iv.where(r == model.n_uavs, model.propagation, 0.0)
        weight = joule + model.latency + theta
        value = weight * h + joule * propagation - Interval(theta) * rows.terms[1][row, k, o]
        value = value + rows.terms[0][row, k, o]
        steep = weight * fall
        rise = (w / total[:, None]) * steep[:, None] - c
        own = joule * (h + propagation) - steep - c[i, k]
        mine = np.arange(model.n) == k[:, None]
        at = np.where(mine, p[:, None], copies)
        rise = iv.where(mine, own[:, None], rise)
        part = (-(c * at)) + Interval(_corners(rise, Interval(low) - at, Interval(high) - at))
    return value + part.sum()


def copies_of(a: Array, c: Array, tau: Array, low: Array, high: Array) -> Array:
    """(N, n) log-powers a_j e^p_j = c_j e^tau within their limits; any would do."""
    with np.errstate(all="ignore"):
        wish = np.log(np.maximum(c, 1e-300)) + tau[:, None] - np.log(np.maximum(a, 1e-300))
    # who is not heard goes to the end at which the gradient inequality is exact
    wish = np.where(a > 0, wish, 0.0)
    return np.clip(np.nan_to_num(wish), low, high)

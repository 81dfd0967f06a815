"""The row of each device at a point: its cost over its core, relaxed to a convex function.

Row k bounds the cost of device k if it takes an option of its core, at the load that its server has
there. It is convex in all log-powers p and, if one UAV hears the core, in that UAV's position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import Index, Mask, Model, upload
from satedge.verify.kernel.region import Regions, disc, distances2, gain_tables, held, option_terms

#: Share of the noise by which rows lower it, for devices that refuse: they send next to nothing.
VANISH = 1e-13


@dataclass(eq=False)
class Numbers:
    """What a proof says of L regions. Any numbers give a bound."""

    core: Mask  # (L, n, O)
    near: Array  # (L, M, 2) where gains are linearised
    power: Array  # (L, n) y, log-powers
    place: Array  # (L, M, 2) y, positions
    late: Array  # (L, n) lambda
    disc: Array  # (L, M, 1 + n) mu
    dual: Array  # (L, n) u
    at: Index  # (N, 3) region, device and receiver of lines
    line: Array  # (N, 3) their tau, p and theta


@dataclass(eq=False)
class Rows:
    """Of L regions."""

    core: Mask  # (L, n, O)
    load: Index  # (L, S) requests on a server if all take their core
    value: Interval  # (L, n) f_k(y) - lambda_k slack_k
    slope: Interval  # (L, n, n) gradient in p
    drift: Interval  # (L, n, M, 2) gradient in q
    low: Array  # (L, n) least log-powers
    gains: tuple[Array, Array]  # (L, n, R)
    sure: Mask  # (L, n, R) whether j disturbs r if it sends at all
    terms: tuple[Array, Array]  # option_terms
    noise: Interval


def rows_at(model: Model, regions: Regions, given: Numbers, floor: Array) -> Rows:
    """Rows and gradients at y = (given.power, given.place)."""
    allowed, m, n = regions.allowed, model.m, model.n
    low, high, near, far = gain_tables(model, regions.box)
    hears = _heard(m, allowed)
    sure, noise = _surely(model, hears), model.noise * (1 - VANISH * (model.leak > 0))
    least = np.broadcast_to(floor, hears.shape[:2])
    if model.leak > 0:  # n senders of this power add less than VANISH of the noise anywhere
        nothing = iv.log(model.noise * (VANISH * (1 - 1e-9) / n)) - iv.log(model.leak)
        least = np.where(allowed[..., -1], np.minimum(least, (nothing - high.max(-1)).lo), least)
    core = given.core & allowed
    core = np.where(core.any(-1, keepdims=True), core, allowed)
    to, sends = _heard(m, core), ~core[..., -1]
    log_n, log_c, slope_n, slope_c, pick = _ratios(
        model, regions, given, (low, high, near, far), to, sure, noise
    )
    disturbs = np.isfinite(log_c.lo) & ~np.eye(n, dtype=bool)
    w = iv.where(disturbs, iv.exp(iv.where(disturbs, log_c, 0.0) + given.power[:, None]), 0.0)
    late = np.clip(given.late, 0.0, model.late_cap)
    load = np.where(core[..., :-1], model.load_s.lo[:, model.receiver], np.inf).min(-1, initial=1e9)
    away = iv.where(np.asarray(to[..., :m].any(-1)), 0.0, model.propagation)
    w0 = iv.exp(iv.where(sends, log_n, 0.0))
    _time, cost, own, parts = upload(
        model, Interval(load), away, late, Interval(given.power), w, w0
    )
    count = np.maximum(core[..., :-1].sum(1), 1)
    terms = option_terms(model, low, high)
    more = Interval(model.wait_s.lo) * (count - 1.0)[:, None]  # (L, n, S)
    constant = np.append((more * model.latency + terms[0][..., :-1]).lo, terms[0][..., -1:], -1)
    slack = np.where(core[..., :-1], (terms[1][..., :-1] - more).hi, -np.inf).max(-1, initial=-1e9)
    value = iv.where(sends, cost - Interval(late) * np.where(sends, slack, 0.0), 0.0)
    value = value + np.where(core, constant, np.inf).min(-1)
    slope = iv.where(np.eye(n, dtype=bool), own[..., None], parts[..., :n])
    pull = (parts[..., :n, None] * slope_c).sum(2) + parts[..., n, None] * slope_n  # (L, n, 2)
    mine = (np.arange(m) == pick[..., None])[..., None] & sends[..., None, None]
    return Rows(
        core, count, value, iv.where(sends[..., None], slope, 0.0),
        iv.where(mine, pull[:, :, None], 0.0), least, (low, high), sure, terms, noise,
    )  # fmt: skip


def _heard(m: int, allowed: Mask) -> Mask:
    """(L, n, R) receivers of allowed options."""
    return np.append(allowed[..., :m], np.asarray(allowed[..., m:-1].any(-1))[..., None], -1)


def _surely(model: Model, hears: Mask) -> Mask:
    """(L, n, R) whether a device disturbs a receiver if it sends at all. (8), (10)."""
    m, scope = model.m, model.scenario.interference_scope
    if scope == "server":
        return hears & (hears.sum(-1) == 1)[..., None]
    sends, below = np.asarray(hears.any(-1)), ~hears[..., m]
    if scope == "tier":
        uav, satellite = sends & below, ~(hears[..., :m].any(-1) | below)
        return np.append(np.repeat(uav[..., None], m, -1), satellite[..., None], -1)
    return np.repeat(sends[..., None], m + 1, -1)


def _ratios(
    model: Model, regions: Regions, given: Numbers, gains: tuple[Array, Array, Array, Array],
    to: Mask, sure: Mask, noise: Interval,
) -> tuple[Interval, Interval, Interval, Interval, Index]:  # fmt: skip
    """Logs of noise (L, n) and of the others' disturbance by a watt (L, k, j) over the own gain,
    their slopes in q, and the UAV in whose position rows are affine, -1 for none.

    -inf where j need not disturb k. Rows that several receivers hear take the least over them.
    """
    low, high, _near, _far = gains
    leak = iv.log(model.leak) if model.leak > 0 else Interval(-np.inf)
    log_n = Interval(np.where(to, (iv.log(noise) - high).lo, np.inf).min(-1))
    pair = (leak + Interval(low)[:, None] - Interval(high)[:, :, None]).lo  # (L, k, j, R)
    flat = np.where(to[:, :, None], np.where(sure[:, None], pair, -np.inf), np.inf)
    shape, m = log_n.lo.shape, model.m
    slope_n, slope_c = Interval(np.zeros((*shape, 2))), Interval(np.zeros((*shape, shape[1], 2)))
    log_c = Interval(flat.min(-1))
    pick: Index = np.where((to.sum(-1) == 1) & ~to[..., m], to.argmax(-1), -1)
    if not m:
        return log_n, log_c, slope_n, slope_c, pick
    near = np.clip(given.near, regions.box[..., 0], regions.box[..., 1])
    above, tilt, below, lean = _tangents(model, regions, near, *gains)
    row, k, j = np.arange(len(to))[:, None, None], np.arange(shape[1])[:, None], np.arange(shape[1])
    u = np.maximum(pick, 0)[..., None]
    step = (Interval(given.place) - near)[row[..., 0], u[..., 0]]
    own, own_tilt = above[row, k, u][..., 0], tilt[row, k, u][..., 0, :]
    other, relative = below[row, j, u], lean[row, j, u] - own_tilt[:, :, None]
    mine = pick >= 0
    tangent = leak + other - own[..., None] + (relative * step[:, :, None]).sum()
    tangent = iv.where(sure[row, j, u], tangent, -np.inf)
    log_n = iv.where(mine, iv.log(noise) - own - (own_tilt * step).sum(), log_n)
    log_c = iv.where(mine[..., None], tangent, log_c)
    slope_n = iv.where(mine[..., None], -own_tilt, slope_n)
    return log_n, log_c, slope_n, iv.where(mine[..., None, None], relative, slope_c), pick


def _tangents(
    model: Model, regions: Regions, q: Array, low: Array, high: Array, near: Array, far: Array
) -> tuple[Interval, Interval, Interval, Interval]:
    """Affine bounds of log gains at q, a point of the box: above (L, n, M) with slopes
    (L, n, M, 2), and below alike. docs/proofs.md, "Tangents"."""
    m, z, fade, half = model.m, model.height2, model.log_fading, model.half
    d = Interval(q)[:, None] - model.place[:, None]  # (L, n, M, 2)
    here = d.square().sum()
    space, tilt = _room(model, regions, q)
    away2 = (Interval(q) - model.start).square().sum()
    wide = distances2(model, regions.box)  # the way from a q out of reach leads through all of it
    inside = (away2.hi <= model.radius2[0])[:, None]
    least, most = (np.where(inside, a, b) for a, b in zip((near, far), wide, strict=True))
    peak = Interval(np.clip(3 * z.lo, least, most))
    bend = ((peak - z) * half / (peak + z).square()).hi * (1 + 1e-9)
    bend = np.maximum(bend, 0.0)
    level, fall = fade - iv.log(here + z) * half, Interval(half) / (here + z)
    above = level + Interval(bend) * space[:, None]
    slope = tilt[:, None] * bend[..., None] - d * (fall * 2.0)[..., None]
    chorded = far > near * (1 + 1e-9) + 1e-9
    start, width = iv.log(Interval(near) + z), iv.where(chorded, Interval(far) - near, 1.0)
    drop = (iv.log(Interval(far) + z) - start) * half / width
    chord = fade - start * half - drop * (here - near)
    better = chorded & (chord.hi < above.hi)
    above = iv.where(better, chord, above)
    slope = iv.where(better[..., None], d * (drop * -2.0)[..., None], slope)
    flat = ~(above.hi < high[..., :m])
    above, slope = iv.where(flat, high[..., :m], above), iv.where(flat[..., None], 0.0, slope)
    below, lean = level - fall * space[:, None], -(d * 2.0 + tilt[:, None]) * fall[..., None]
    flat = ~(below.lo > low[..., :m])
    return above, slope, iv.where(flat, low[..., :m], below), iv.where(flat[..., None], 0.0, lean)


def _room(model: Model, regions: Regions, q: Array) -> tuple[Interval, Interval]:
    """Value (L, M) and slope (L, M, 2) at q of a quadratic with Hessian -2 I that is not negative
    where box and discs hold: the least of theirs."""
    low, high = Interval(regions.box[..., 0]), Interval(regions.box[..., 1])
    value, slope = ((q - low) * (high - q)).sum(), low + high - 2.0 * q
    discs = held(model, regions.allowed)
    for d in np.flatnonzero(discs.any((0, 1))):
        centre, square = disc(model, int(d))
        away = Interval(q) - centre
        other = square - away.square().sum()
        better = discs[..., d] & (other.hi < value.hi)
        value, slope = (
            iv.where(better, other, value),
            iv.where(better[..., None], away * -2.0, slope),
        )
    return value, slope

"""The bound of a region, by Lagrangian decomposition; docs/proofs.md derives it.

Every device has copies of all log-powers p and positions q, and pays w p + d q for moving them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import Index, Mask, Model, upload
from satedge.verify.kernel.region import Regions, disc, distances2, gain_tables, held, option_terms

#: Share of the noise by which it is lowered, for devices that refuse: they send next to nothing.
VANISH = 1e-13

#: Stands for the price of what is not allowed.
NEVER = 1e30


@dataclass(eq=False)
class Numbers:
    """What a proof says of L regions, with N lines. Any numbers give a bound."""

    box: Array  # (L, M, 2, 2) boxes to go by if they hold the region's
    place: Array  # (L, M, 2) where what is paid is evaluated
    power_pay: Array  # (L, n, n) w
    place_pay: Array  # (L, n, M, 2) d
    disc: Array  # (L, M, 1 + n) mu
    dual: Array  # (L, n) u
    at: Index  # (N, 4) region, device, receiver; and how gains are linearised: by the box's room,
    # 0, by a disc's, from 1, or not at all, -1
    line: Array  # (N, 3) tau, p and theta
    near: Array  # (N, 2) where gains are linearised
    here: Array  # (N, 2) where a line with such gains is evaluated


@dataclass(eq=False)
class Setting:
    """What holds in L regions."""

    gains: tuple[Array, Array, Array, Array]  # gain_tables
    sure: Mask  # (L, n, R) whether a device disturbs a receiver if it sends at all
    low: Array  # (L, n) least log-powers
    noise: Interval


def setting(model: Model, regions: Regions, floor: Array) -> Setting:
    """Whoever may be refused sends at a power so low that all of them add less than VANISH of the
    noise anywhere, which is lowered by as much. (8), (10)."""
    gains, allowed, m = gain_tables(model, regions.box), regions.allowed, model.m
    hears = np.append(allowed[..., :m], np.asarray(allowed[..., m:-1].any(-1))[..., None], -1)
    uav, satellite = np.asarray(hears[..., :m].any(-1)), hears[..., m]
    sure = np.repeat((uav | satellite)[..., None], m + 1, -1)
    if model.scenario.interference_scope == "server":
        sure = hears & (hears.sum(-1) == 1)[..., None]
    if model.scenario.interference_scope == "tier":
        sure[..., :m], sure[..., m] = (uav & ~satellite)[..., None], satellite & ~uav
    if model.leak == 0:
        return Setting(gains, sure & False, np.repeat(floor[None], len(allowed), 0), model.noise)
    nothing = iv.log(model.noise * (VANISH * (1 - 1e-9) / model.n)) - iv.log(model.leak)
    faint = np.minimum(floor, (nothing - gains[1].max(-1)).lo)
    return Setting(
        gains, sure, np.where(allowed[..., -1], faint, floor), model.noise * (1 - VANISH)
    )


def bounds(
    model: Model, regions: Regions, given: Numbers, floor: Array
) -> tuple[Array, Array, Array]:
    """Bounds of regions (L,), of plans with an option (L, n, O), with a load (L, S, n + 1)."""
    low = np.minimum(regions.box[..., 0], given.box[..., 0])
    high = np.maximum(regions.box[..., 1], given.box[..., 1])
    regions = Regions(regions.allowed, np.stack([low, high], -1), regions.span)
    within = setting(model, regions, floor)
    price = prices(model, regions, given, within)
    return joined(_base(model, regions, given, within), price, given.dual, regions.span)


def _base(model: Model, regions: Regions, given: Numbers, within: Setting) -> Interval:
    """(L,) the least of what all devices pay, with mu for the discs that hold."""
    q, box = given.place, regions.box
    total = _least(Interval(given.power_pay).sum(1), within.low, model.p_high, 0.0).sum()
    pay = Interval(given.place_pay).sum(1)  # (L, M, 2)
    total = total + (pay * q).sum().sum()
    mu = np.maximum(given.disc, 0.0) * held(model, regions.allowed)
    for d in np.flatnonzero(mu.any((0, 1))):
        centre, square = disc(model, int(d))
        away = Interval(q) - centre
        total = total + ((away.square().sum() - square) * mu[..., d]).sum()
        pay = pay + away * (2.0 * mu[..., d])[..., None]
    return total + _least(pay, box[..., 0], box[..., 1], q).sum().sum()


def _least(g: Interval, low: Any, high: Any, at: Any) -> Interval:
    """The least of g (z - at) for z in [low, high]."""
    return Interval(np.minimum((g * (Interval(low) - at)).lo, (g * (Interval(high) - at)).lo))


def _least_move(model: Model, g: Interval, at: Array, box: Array) -> Interval:
    """(...,) the least of g (q - at) (..., M, 2) for q in box and reach."""
    inside = _least(g, box[..., 0], box[..., 1], at).sum()
    reach = iv.sqrt(g.square().sum()) * iv.up(np.sqrt(model.radius2[0]))
    toward = (g * (Interval(model.start) - at)).sum() - reach
    return Interval(np.maximum(inside.lo, toward.lo)).sum()


def prices(model: Model, regions: Regions, given: Numbers, within: Setting) -> Array:
    """(L, n, O, n) least costs of options at loads 1..n of their server, less what is paid."""
    cost, slack = option_terms(model, *within.gains[:2])
    price = np.full((*regions.allowed.shape, model.n), -np.inf)
    w, d, q = -Interval(given.power_pay), -Interval(given.place_pay), given.place[:, None]
    gone = _least(w, within.low[:, None], model.p_high, 0.0).sum() + (d * q).sum().sum()
    gone = gone + _least_move(model, d, q, regions.box[:, None]) + cost[..., -1]
    price[:, :, -1] = gone.lo[..., None]
    row, k, r, _room = given.at.T
    value, theta = _lines(model, regions, given, within)
    wait = Interval(model.wait_s.lo)[k][..., None] * np.arange(model.n)  # (N, S, n)
    found = wait * model.latency + (wait - slack[row, k, :-1, None]) * theta[:, None, None]
    found = found + cost[row, k, :-1, None] + value[:, None, None]
    heard = (model.receiver == r[:, None])[..., None] & ~np.isnan(found.lo)
    np.maximum.at(price[:, :, :-1], (row, k), np.where(heard, found.lo, -np.inf))
    return np.where(regions.allowed[..., None], price, NEVER)


def _lines(
    model: Model, regions: Regions, given: Numbers, within: Setting
) -> tuple[Interval, Array]:
    """(N,): least of an upload's cost less what is paid, each second at theta more; and theta."""
    row, k, r, room = given.at.T
    tau, p, theta = given.line.T
    n, who, low, high = model.n, np.arange(len(k)), within.low[row], model.p_high
    theta, p = np.clip(theta, 0.0, model.late_cap), np.clip(p, low[who, k], high)
    c, d, q = given.power_pay[row, k], given.place_pay[row, k], given.place[row]
    own, others = Interval(within.gains[1][row, k, r]), Interval(within.gains[0][row, :, r])
    pull = Interval(np.zeros((len(k), n + 1, 2)))  # slopes of logs of disturbances and of noise
    affine = (room >= 0) & (r < model.m)
    if affine.any():
        u = np.minimum(r, model.m - 1)
        q[who, u] = np.where(affine[:, None], given.here, q[who, u])
        near = np.clip(given.near, regions.box[row, u, :, 0], regions.box[row, u, :, 1])
        above, tilt, below, lean = tangents(model, regions, row, u, near, room, within.gains)
        step = (Interval(given.here) - near)[:, None]
        own = iv.where(affine, (above + (tilt * step).sum())[who, k], own)
        others = iv.where(affine[:, None], below + (lean * step).sum(), others)
        bend = iv.append(lean, 0.0, 1) - tilt[who, k][:, None]
        pull = iv.where(affine[:, None, None], bend, pull)
    mine = np.arange(n) == k[:, None]
    hit = within.sure[row, :, r] & ~mine
    leak = iv.log(model.leak if model.leak > 0 else 1.0)
    a = iv.where(hit, iv.exp(leak + others - own[:, None]), 0.0)
    wish = np.log(np.maximum(c, 1e-300)) + tau[:, None] - np.log(np.maximum(a.hi, 1e-300))
    copy = np.clip(np.where(hit, np.nan_to_num(wish), 0.0), low, high)  # any point would do
    _time, cost, steep, parts = upload(
        model, model.load_s[k, r], iv.where(r == model.m, model.propagation, 0.0), theta,
        Interval(p), iv.where(hit, a * iv.exp(copy), 0.0), iv.exp(iv.log(within.noise) - own),
    )  # fmt: skip
    rise = iv.where(mine, steep[:, None], parts[:, :n]) - c
    at = np.where(mine, p[:, None], copy)
    value = cost + (_least(rise, low, high, at) - Interval(c) * at).sum()
    moved = (parts[..., None] * pull).sum(1)  # (N, 2)
    move = iv.where((np.arange(model.m) == r[:, None])[..., None], moved[:, None], 0.0) - d
    value = value - (Interval(d) * q).sum().sum()
    return value + _least_move(model, move, q, regions.box[row]), theta


def tangents(
    model: Model, regions: Regions, row: Index, u: Index, q: Array, room: Index,
    gains: tuple[Array, ...],
) -> tuple[Interval, Interval, Interval, Interval]:  # fmt: skip
    """Affine bounds of the log gains of all devices to UAVs u (N,) of regions `row` (N,) at points
    q (N, 2) of their boxes: above (N, n) with slopes (N, n, 2), and below alike; `room` (N,) as in
    Numbers. docs/proofs.md, "Tangents"."""
    low, high, near, far = (x[row, :, u] for x in gains)
    z, fade, half = model.height2[u][:, None], model.log_fading.T[u], model.half
    d = Interval(q)[:, None] - model.place  # (N, n, 2)
    here = d.square().sum()
    space, tilt = _room(model, regions, row, u, q, room)
    away2 = (Interval(q) - model.start[u]).square().sum()
    wide = distances2(model, regions.box)  # the way from a q out of reach leads through all of it
    inside = (away2.hi <= model.radius2[0])[:, None]
    least, most = (
        np.where(inside, x, y[row, :, u]) for x, y in zip((near, far), wide, strict=True)
    )
    peak = Interval(np.clip(3 * z.lo, least, most))
    bend = np.maximum(((peak - z) * half / (peak + z).square()).hi * (1 + 1e-9), 0.0)
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
    flat = ~(above.hi < high)
    above, slope = iv.where(flat, high, above), iv.where(flat[..., None], 0.0, slope)
    below, lean = level - fall * space[:, None], -(d * 2.0 + tilt[:, None]) * fall[..., None]
    flat = ~(below.lo > low)
    return above, slope, iv.where(flat, low, below), iv.where(flat[..., None], 0.0, lean)


def _room(
    model: Model, regions: Regions, row: Index, u: Index, q: Array, room: Index
) -> tuple[Interval, Interval]:
    """Value (N,) and slope (N, 2) at q of a quadratic with Hessian -2 I that is not negative where
    box and discs hold: that of the box, or of the disc asked for if it holds."""
    low, high = (Interval(regions.box[row, u, :, end]) for end in (0, 1))
    d = np.clip(room - 1, 0, model.n)
    by = (room > 0) & held(model, regions.allowed)[row, u, d]
    away = Interval(q) - np.where((d == 0)[:, None], model.start[u], model.place[d - 1])
    value = iv.where(by, model.radius2[d] - away.square().sum(), ((q - low) * (high - q)).sum())
    return value, iv.where(by[:, None], away * -2.0, low + high - 2.0 * q)


def joined(base: Interval, price: Array, dual: Array, span: Index) -> tuple[Array, Array, Array]:
    """Lagrangian dual of the load problem at u; what holding an option or a load adds to it.

    sum_k u_k + sum_s min_c (sum of the c least of price[k, s, c] - u_k) + sum_k min(0, refusal).
    """
    n = price.shape[1]
    reduced = np.minimum(iv.down(price - dual[..., None, None]), NEVER)
    reduced = np.where(np.isnan(reduced), -np.inf, reduced)
    refuse, servers = reduced[:, :, -1, 0], reduced[:, :, :-1]
    order, c, loads = np.sort(servers, axis=1), np.arange(n), np.arange(n + 1)
    sums = np.cumsum(order, 1) - (n + 2) * 2.0**-52 * np.cumsum(np.abs(order), 1)
    sums = iv.down(sums[:, c, :, c].transpose(1, 2, 0))  # (L, S, n), c + 1 requests
    inside = (span[..., :1] <= loads) & (loads <= span[..., 1:])
    value = np.where(inside, np.insert(sums, 0, 0.0, -1), NEVER)
    least, refused = value.min(-1, initial=NEVER), np.minimum(refuse, 0.0)
    total = base + Interval(dual).sum() + Interval(least).sum() + Interval(refused).sum()
    last = order[:, c, :, c].transpose(1, 2, 0)
    held = iv.down(value[:, None, :, 1:] + iv.down(np.maximum(servers - last[:, None], 0.0)))
    held = np.where(inside[:, None, :, 1:], held, NEVER).min(-1)  # (L, n, S)
    option = (total[:, None, None] + held - least[:, None]).lo
    alone = (total[:, None] + np.maximum(refuse, 0.0)).lo
    load = (total[:, None, None] + value - least[..., None]).lo
    return total.lo, np.append(option, alone[..., None], -1), load

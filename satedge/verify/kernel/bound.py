"""The bound of a region: sum of rows, prices of other options and loads, and what devices can
choose together. docs/proofs.md derives it."""

from __future__ import annotations

from typing import Any

import numpy as np

from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import Index, Model, upload
from satedge.verify.kernel.region import Regions, disc, held
from satedge.verify.kernel.rows import Numbers, Rows, rows_at

#: Stands for the price of what is not allowed.
NEVER = 1e30


def bounds(
    model: Model, regions: Regions, given: Numbers, floor: Array
) -> tuple[Array, Array, Array]:
    """Bounds of regions (L,), of plans with an option (L, n, O), with a load (L, S, n + 1)."""
    rows = rows_at(model, regions, given, floor)
    price = prices(model, regions, given, rows)
    return _joined(_base(model, regions, given, rows), price, given.dual, regions.span)


def _base(model: Model, regions: Regions, given: Numbers, rows: Rows) -> Array:
    """(L,) bound of the sum of rows: gradient inequality, with mu for the discs that hold."""
    y, q, box = given.power, given.place, regions.box
    total = rows.value.sum() + _least(rows.slope.sum(1), rows.low, model.p_high, y).sum()
    pull = rows.drift.sum(1)  # (L, M, 2)
    mu = np.maximum(given.disc, 0.0) * held(model, regions.allowed)
    for d in np.flatnonzero(mu.any((0, 1))):
        centre, square = disc(model, int(d))
        away = Interval(q) - centre
        total = total + ((away.square().sum() - square) * mu[..., d]).sum()
        pull = pull + away * (2.0 * mu[..., d])[..., None]
    return (total + _least(pull, box[..., 0], box[..., 1], q).sum().sum()).lo


def _least(g: Interval, low: Any, high: Any, at: Array) -> Interval:
    """The least of g (z - at) for z in [low, high]."""
    return Interval(np.minimum((g * (Interval(low) - at)).lo, (g * (Interval(high) - at)).lo))


def prices(model: Model, regions: Regions, given: Numbers, rows: Rows) -> Array:
    """(L, n, O, n) prices of options at loads 1..n of their server: 0 in the core."""
    n, receiver = model.n, model.receiver
    cost, slack = rows.terms
    c = rows.slope
    low = rows.low[:, None]  # copies of all powers, a set for every device
    paid = rows.value + _gain(model, regions, given, rows) - (c * given.power[:, None]).sum()
    price = np.full((*regions.allowed.shape, n), -np.inf)
    gone = Interval(np.minimum((-c * low).lo, (-c * model.p_high).lo)).sum() - paid
    price[:, :, -1] = (gone + cost[..., -1]).lo[..., None]
    row, k, r = given.at.T
    value, theta = _line(model, given, rows)
    others = np.arange(n)
    wait = Interval(model.wait_s.lo)[k][..., None] * others  # (N, S, n)
    late = (wait - slack[row, k, :-1, None]) * theta[:, None, None] + wait * model.latency
    found = late + (value - paid[row, k])[:, None, None] + cost[row, k, :-1, None]
    heard = (receiver == r[:, None])[..., None] & ~np.isnan(found.lo)
    np.maximum.at(price[:, :, :-1], (row, k), np.where(heard, found.lo, -np.inf))
    same = (others + 1 == rows.load[..., None])[:, None] | (model.wait_s.hi == 0)[..., None]
    core = rows.core[..., None] & np.insert(same, same.shape[2], True, 2)
    return np.where(regions.allowed[..., None], np.where(core, 0.0, price), NEVER)


def _gain(model: Model, regions: Regions, given: Numbers, rows: Rows) -> Array:
    """(L, n) the most that row k's slope in q may gain over box and reach of its UAV."""
    dq, q, box = rows.drift, given.place[:, None], regions.box[:, None]
    most = (-_least(-dq, box[..., 0], box[..., 1], q)).sum()  # (L, n, M)
    toward = (dq * (Interval(model.start) - q)).sum()
    length = iv.sqrt(dq.square().sum()) * iv.up(np.sqrt(model.radius2[0]))
    used = (dq.lo != 0).any(-1) | (dq.hi != 0).any(-1)
    best = np.where(used, np.minimum(most.hi, (toward + length).hi), 0.0)
    return Interval(best).sum().hi


def _line(model: Model, given: Numbers, rows: Rows) -> tuple[Interval, Array]:
    """(N,): least of an upload's cost minus slope . p over copies p of all log-powers, each second
    at a price of theta more; and theta."""
    row, k, r = given.at.T
    n, who = model.n, np.arange(len(k))
    tau, p, theta = given.line.T
    low, high = rows.low[row], model.p_high
    theta, p = np.clip(theta, 0.0, model.late_cap), np.clip(p, low[who, k], high)
    own = rows.gains[1][row, k, r]
    c, noise = rows.slope[row, k], iv.exp(iv.log(rows.noise) - own)
    mine = np.arange(n) == k[:, None]
    hit = rows.sure[row, :, r] & ~mine & (model.leak > 0)
    leak = iv.log(model.leak if model.leak > 0 else 1.0)
    a = iv.where(hit, iv.exp(leak + rows.gains[0][row, :, r] - own[:, None]), 0.0)
    wish = np.log(np.maximum(c.hi, 1e-300)) + tau[:, None] - np.log(np.maximum(a.hi, 1e-300))
    copy = np.clip(np.where(hit, np.nan_to_num(wish), 0.0), low, high)  # any point would do
    w = iv.where(hit, a * iv.exp(copy), 0.0)
    away = iv.where(r == model.m, model.propagation, 0.0)
    load = model.load_s[k, r]
    _time, cost, steep, parts = upload(model, load, away, theta, Interval(p), w, noise)
    rise = iv.where(mine, steep[:, None], parts[:, :n]) - c
    at = np.where(mine, p[:, None], copy)
    return cost + (_least(rise, low, high, at) - c * at).sum(), theta


def _joined(base: Array, price: Array, dual: Array, span: Index) -> tuple[Array, Array, Array]:
    """Lagrangian dual of the load problem at u; what holding an option or a load adds to it.

    sum_k u_k + sum_s min_c (sum of the c least of price[k, s, c] - u_k) + sum_k min(0, refusal).
    """
    n = price.shape[1]
    reduced = np.minimum(iv.down(price - dual[..., None, None]), NEVER)
    reduced = np.where(np.isnan(reduced), -np.inf, reduced)
    refuse, servers = reduced[:, :, -1, 0], reduced[:, :, :-1]
    order, c = np.sort(servers, axis=1), np.arange(n)
    sums = np.cumsum(order, 1) - (n + 2) * 2.0**-52 * np.cumsum(np.abs(order), 1)
    sums = iv.down(sums[:, c, :, c].transpose(1, 2, 0))  # (L, S, n), c + 1 requests
    last = order[:, c, :, c].transpose(1, 2, 0)
    loads = np.arange(n + 1)
    inside = (span[..., :1] <= loads) & (loads <= span[..., 1:])
    value = np.where(inside, np.insert(sums, 0, 0.0, -1), NEVER)
    least = value.min(-1, initial=NEVER)
    total = Interval(dual).sum() + Interval(least).sum() + Interval(np.minimum(refuse, 0.0)).sum()
    total = total + base
    swap = iv.down(np.maximum(servers - last[:, None], 0.0))
    held = iv.down(value[:, None, :, 1:] + swap)
    held = np.where(inside[:, None, :, 1:], held, NEVER).min(-1)  # (L, n, S)
    option = (total[:, None, None] + held - least[:, None]).lo
    alone = (total[:, None] + np.maximum(refuse, 0.0)).lo
    load = (total[:, None, None] + value - least[..., None]).lo
    return total.lo, np.append(option, alone[..., None], -1), load

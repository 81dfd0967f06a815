"""The bound of a region, by Lagrangian decomposition; docs/proofs.md derives it.

Every device has copies of all log-powers p and positions q, and pays w p + d q for moving them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import Index, Mask, Model, option_terms, upload
from satedge.verify.kernel.region import Regions, View, held

#: Stands for the price of what is not allowed.
NEVER = 1e30


class Numbers(NamedTuple):
    """What a proof says of L regions, with N lines. Any numbers give a bound."""

    box: Array  # (L, M, 2, 2) boxes to go by if they hold the region's
    place: Array  # (L, M, 2) where what is paid for discs is evaluated
    power_pay: Array  # (L, n, n) w
    place_pay: Array  # (L, n, M, 2) d
    disc: Array  # (L, M, 1 + n) mu
    dual: Array  # (L, n) u
    at: Index  # (N, 4) region, device, receiver; and how gains are linearised: by the box's room,
    # 0, by a disc's, from 1, or not at all, -1
    line: Array  # (N, 3) tau, p and theta
    near: Array  # (N, 2) where gains are linearised
    here: Array  # (N, M, 2) where a line is evaluated


def bounds(model: Model, regions: Regions, given: Numbers) -> tuple[Array, Array, Array]:
    """Bounds of regions (L,), of plans with an option (L, n, O), with a load (L, O, n + 1)."""
    view = View(model, widened(regions, given.box))
    return joined(_paid(model, view, given), prices(model, view, given), given.dual, regions.span)


def widened(regions: Regions, box: Array) -> Regions:
    """Regions with boxes so wide that they hold others, too."""
    low, high = np.minimum(box, regions.box)[..., 0], np.maximum(box, regions.box)[..., 1]
    return regions._replace(box=np.stack([low, high], -1))


def _paid(model: Model, view: View, given: Numbers) -> Interval:
    """(L,) the least of what all devices pay, with mu for the discs that hold."""
    q, mu = given.place, np.maximum(given.disc, 0.0) * held(model, view.allowed)
    away = Interval(q[:, :, None]) - model.centre  # (L, M, 1 + n, 2)
    w, d = Interval(given.power_pay).sum(1), Interval(given.place_pay).sum(1)
    paid = _least(w, view.low, view.high).sum() + (d * q).sum().sum()
    paid = paid + ((away.square().sum() - model.radius2) * mu).sum().sum()
    return paid + _least_place(model, d + (away * (2.0 * mu[..., None])).sum(2), view.box, q)


def _least(slope: Interval, low: Any, high: Any) -> Interval:
    """The least of slopes times steps within limits."""
    return Interval(np.minimum((slope * low).lo, (slope * high).lo))


def _least_place(model: Model, slope: Interval, box: Array, at: Array) -> Interval:
    """(...,) the least of slopes times steps from `at` (..., M, 2) to places in box and reach."""
    inside = _least(slope, Interval(box[..., 0]) - at, Interval(box[..., 1]) - at).sum()
    reach = iv.sqrt(slope.square().sum()) * iv.sqrt(model.radius2[0])
    around = (slope * (Interval(model.centre[:, 0]) - at)).sum() - reach
    return Interval(np.fmax(inside.lo, around.lo)).sum()


def prices(model: Model, view: View, given: Numbers) -> Array:
    """(L, n, O, n) least costs of options at loads 1..n of their server, less what is paid."""
    (cost, slack), (row, k, r, _room) = option_terms(model, view.gain), given.at.T
    value, theta = _lines(model, view, given)
    wait = model.wait_s[k][..., None] * np.arange(model.n)  # (N, O, n)
    found = wait * model.latency + (wait - slack[row, k][..., None]) * theta[:, None, None]
    found = found + cost[row, k][..., None] + value[:, None, None]
    heard = ((model.receiver == r[:, None]) & (k >= 0)[:, None])[..., None] & ~np.isnan(found.lo)
    price = np.full((*view.allowed.shape, model.n), -np.inf)
    np.maximum.at(price, (row, k), np.where(heard, found.lo, -np.inf))
    return np.where(view.allowed[..., None], price, NEVER)


def _lines(model: Model, view: View, given: Numbers) -> tuple[Interval, Array]:
    """(N,): least of an upload's cost less what is paid, each second at theta more; and theta."""
    (row, k, r, room), (tau, p, theta) = given.at.T, given.line.T
    n, who, low, high = model.n, np.arange(len(k)), view.low[row], view.high[row]
    theta, p = np.clip(theta, 0.0, model.late_cap), np.clip(p, low[who, k], high[who, k])
    w, d = given.power_pay[row, k], given.place_pay[row, k]
    own, others = Interval(view.gain.hi[row, k, r]), Interval(view.gain.lo[row, :, r])
    bend = Interval(np.zeros((len(k), n + 1, 2)))  # slopes of logs of disturbances and of noise
    affine = (room >= 0) & (r < model.m)
    if affine.any():
        u = np.minimum(r, model.m - 1)
        near = np.clip(given.near, view.box[row, u, :, 0], view.box[row, u, :, 1])
        above, tilt, below, lean = tangents(model, view, row, u, near, room)
        step = (Interval(given.here[who, u]) - near)[:, None]
        own = iv.where(affine, (above + (tilt * step).sum())[who, k], own)
        others = iv.where(affine[:, None], below + (lean * step).sum(), others)
        turn = iv.append(lean, 0.0, axis=1) - tilt[who, k][:, None]
        bend = iv.where(affine[:, None, None], turn, bend)
    mine = np.arange(n) == k[:, None]
    hit = view.sure[row, :, r] & ~mine
    a = iv.where(hit, iv.exp(others - own[:, None] + model.log_leak), 0.0)
    wish = np.log(np.maximum(w, 1e-300)) + tau[:, None] - np.log(np.maximum(a.hi, 1e-300))
    copy = np.clip(np.where(hit, np.nan_to_num(wish), 0.0), low, high)  # any point would do
    _time, cost, steep, parts = upload(
        model, model.load_s[k, r], model.away_s[r], theta,
        Interval(p), iv.where(hit, a * iv.exp(copy), 0.0), iv.exp(iv.log(view.noise) - own),
    )  # fmt: skip
    rise, at = iv.where(mine, steep[:, None], parts[:, :n]), np.where(mine, p[:, None], copy)
    move = (parts[..., None] * bend).sum(1)[:, None]  # slopes in q_r
    move = iv.where((np.arange(model.m) == r[:, None])[..., None], move, 0.0)
    paid = (Interval(w) * at).sum() + (Interval(d) * given.here).sum().sum()
    powers = _least(rise - w, Interval(low) - at, Interval(high) - at).sum()
    places = _least_place(model, move - d, view.box[row], given.here)
    return cost - paid + powers + places, theta


def tangents(
    model: Model, view: View, row: Index, u: Index, q: Array, room: Index
) -> tuple[Interval, Interval, Interval, Interval]:
    """Affine bounds of the gains of all devices to UAVs u (N,) of regions `row` (N,) at points
    q (N, 2) of their boxes: above (N, n) with slopes (N, n, 2), and below alike; `room` (N,) as in
    Numbers. docs/proofs.md, "Tangents"."""
    least, greatest = view.gain.lo[row, :, u], view.gain.hi[row, :, u]
    near, far = (x[row, :, u] for x in view.spread)
    z, half, away = model.height2[u, None], model.half, Interval(q)[:, None] - model.place
    here, fade = away.square().sum(), model.log_fading[np.arange(model.n), u[:, None]]
    # a quadratic of Hessian -2 I that is not negative where box and discs hold: the power of the
    # circle around the box, or of the disc asked for if it holds
    low, high, d = view.box[row, u, :, 0], view.box[row, u, :, 1], np.clip(room - 1, 0, model.n)
    held_by = (room > 0) & held(model, view.allowed)[row, u, d]
    half_box = (Interval(high) - low) * 0.5
    centre = iv.where(held_by[:, None], model.centre[u, d], half_box + low)
    square = iv.where(held_by, model.radius2[d], half_box.square().sum())
    space = (square - (Interval(q) - centre).square().sum())[:, None]
    tilt = ((Interval(q) - centre) * -2.0)[:, None]
    # the way from a q out of reach leads through all of the box
    inside = ((Interval(q) - model.centre[u, 0]).square().sum().hi <= model.radius2[0])[:, None]
    ends = (np.where(inside, x, y[row, :, u]) for x, y in zip((near, far), view.wide, strict=True))
    peak = Interval(np.clip(3 * z.lo, *ends))
    bend = iv.maximum((peak - z) * half / (peak + z).square() * (1 + 1e-9), 0.0).hi
    level, fall = fade - iv.log(here + z) * half, Interval(half) / (here + z)
    start, wide = iv.log(Interval(near) + z), far > near * (1 + 1e-9) + 1e-9
    drop = (iv.log(Interval(far) + z) - start) * half / iv.where(wide, Interval(far) - near, 1.0)
    chord = fade - start * half - drop * (here - near)
    bent, sunk = level + space * bend, level - fall * space
    # at q; how much each falls with |q - x|^2; and how it leans with the quadratic
    above = _either(wide & (chord.hi < bent.hi), (chord, drop, 0.0), (bent, fall, bend))
    above = _either(above[0].hi < greatest, above, (greatest, 0.0, 0.0))
    below = _either(sunk.lo > least, (sunk, fall, -fall), (least, 0.0, 0.0))
    up, down = (tilt * y[..., None] - away * (x * 2.0)[..., None] for _, x, y in (above, below))
    return above[0], up, below[0], down


def _either(which: Mask, a: Sequence[Any], b: Sequence[Any]) -> list[Interval]:
    """Some of the one, some of the other."""
    return [iv.where(which, x, y) for x, y in zip(a, b, strict=True)]


def joined(paid: Interval, price: Array, dual: Array, span: Index) -> tuple[Array, Array, Array]:
    """Lagrangian dual of the load problem at u; what holding an option or a load adds to it.

    sum_k u_k + sum_o min_c (sum of the c least of price[k, o, c] - u_k). Refusals are an option as
    any other, at prices that do not depend on how many there are.
    """
    n = price.shape[1]
    reduced = np.minimum(iv.down(price - dual[..., None, None]), NEVER)
    order, c, loads = np.sort(reduced, axis=1), np.arange(n), np.arange(n + 1)
    sums = np.cumsum(order, 1) - (n + 2) * 2.0**-52 * np.cumsum(np.abs(order), 1)
    sums, last = (x[:, c, :, c].transpose(1, 2, 0) for x in (iv.down(sums), order))  # (L, O, n)
    inside = (span[..., :1] <= loads) & (loads <= span[..., 1:])
    value = np.where(inside, np.insert(sums, 0, 0.0, -1), NEVER)
    least = value.min(-1, initial=NEVER)
    total = paid + Interval(dual).sum() + Interval(least).sum()
    forced = iv.down(value[:, None, :, 1:] + iv.down(np.maximum(reduced - last[:, None], 0.0)))
    forced = np.where(inside[:, None, :, 1:], forced, NEVER).min(-1)  # (L, n, O)
    option = total[:, None, None] + forced - least[:, None]
    return total.lo, option.lo, (total[:, None, None] + value - least[..., None]).lo

"""Regions of plans, many at a time, cut to what may hold; and what holds in all of a region."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import KEPT, TOLERANCE, Index, Mask, Model, option_terms, upload

#: Share of the noise by which it is lowered, for devices that refuse: they send next to nothing.
VANISH = 1e-13


class Regions(NamedTuple):
    """L regions; without the first axis, one."""

    allowed: Mask  # (L, n, O) options
    box: Array  # (L, M, 2, 2) [axis, end] of positions
    span: Index  # (L, O, 2) least and greatest load
    power: Array  # (L, n, 2) least and greatest log-powers of who sends

    def take(self, index: Any) -> Regions:
        """Some of them, or one."""
        return Regions(*(part[index] for part in self))

    @staticmethod
    def everything(model: Model) -> Regions:
        """The one of all plans."""
        side, start = model.scenario.area_side_m, Interval(model.centre[:, 0])
        reach = iv.sqrt(model.radius2[0])
        low = np.maximum((start - reach).lo, -iv.up(TOLERANCE * side))
        high = np.minimum((start + reach).hi, iv.up(side * (1 + TOLERANCE)))
        span = np.array([[0, model.n]] * model.n_options)
        return Regions(model.usable.copy(), np.stack([low, high], -1), span, model.power)


def held(model: Model, allowed: Mask) -> Mask:
    """(L, M, 1 + n) discs that hold a UAV: its reach, and the coverage of who must send to it."""
    only = allowed[..., : model.m] & (allowed.sum(-1) == 1)[..., None]
    return np.insert(np.swapaxes(only, 1, 2), 0, True, -1)


def distances2(model: Model, box: Array) -> tuple[Array, Array]:
    """(L, n, M) least and greatest squared ground distance between devices and boxes, outward."""
    box, place = box[:, None], Interval(model.place[:, None])  # (L, 1, M, 2, 2)
    below, above = Interval(box[..., 0]) - place, place - box[..., 1]
    near, far = iv.maximum(iv.maximum(below, above), 0.0), iv.maximum(-below, -above)
    return near.square().sum().lo, far.square().sum().hi


def tighten(model: Model, apart: Mask, regions: Regions) -> Mask:
    """Cut boxes to discs and drop options out of reach or load, in place; which are empty (L,)."""
    allowed, box, span, power = regions
    active: Any = True
    while np.any(active):  # regions that stay as they are keep their boxes: numbers are for them
        before, discs = allowed.copy(), held(model, allowed) & np.reshape(active, (-1, 1, 1))
        for d in np.flatnonzero(discs.any((0, 1))):
            _cut(model, box, discs[..., d], int(d))
        two = np.einsum("lmi,lmj,mijk->lmk", *(discs.astype(float),) * 2, apart.astype(float)) > 0
        far = two[..., 1:] | np.swapaxes(distances2(model, box)[0] > model.radius2[-1], 1, 2)
        allowed[..., : model.m] &= ~np.swapaxes(far, 1, 2)
        _count(regions)
        active = (allowed != before).any((1, 2))
    low, high = Interval(box[..., 0]), Interval(box[..., 1])
    wide = iv.maximum(high[:, :, None] - low[:, None], high[:, None] - low[:, :, None])
    near = (model.scenario.uav_separation_m * (1 - 2 * TOLERANCE)) ** 2  # too near: (5)
    crowded = (wide.square().sum().hi < near) & ~np.eye(model.m, dtype=bool)
    crossed = (ends[..., 0] > ends[..., 1] for ends in (box, span[:, :, None], power[:, :, None]))
    idle = ~allowed.any(-1, keepdims=True)
    return np.any([np.any(x, axis=(1, 2)) for x in (idle, crowded, *crossed)], axis=0)


def _cut(model: Model, box: Array, which: Mask, d: int) -> None:
    """Cut boxes to their part in disc d of the UAVs in `which` (L, M), in place: inside out if
    there is none."""
    centre = Interval(model.centre[:, d])
    for _ in range(2):
        near = iv.maximum(Interval(box[..., 0]) - centre, centre - box[..., 1])
        left2 = Interval(model.radius2[d]) - iv.maximum(near, 0.0).square().lo[..., ::-1]
        wide = iv.where(left2.hi >= 0, iv.sqrt(left2), -np.inf)
        low, high = (centre - wide).lo, (centre + wide).hi
        box[..., 0] = np.where(which[..., None], np.maximum(box[..., 0], low), box[..., 0])
        box[..., 1] = np.where(which[..., None], np.minimum(box[..., 1], high), box[..., 1])


def _count(regions: Regions) -> None:
    """Loads by who must and who may have an option, and the reverse, in place."""
    allowed, (low, high) = regions.allowed, np.moveaxis(regions.span, -1, 0)
    before = ~allowed
    while (allowed != before).any():
        before, only = allowed.copy(), allowed & (allowed.sum(-1) == 1)[..., None]
        must, may = only.sum(1), allowed.sum(1)
        low[:], high[:] = np.maximum(low, must), np.minimum(high, may)
        wanted = allowed & (low == may)[:, None]  # whoever may be there must
        allowed &= only | (high != must)[:, None]  # or nobody else may
        often = wanted.sum(-1, keepdims=True)  # in two places at once nobody is
        allowed &= (often == 0) | (wanted & (often == 1))


def separated(model: Model, weights: Array, ids: Index) -> Mask:
    """(M, D, D, D) whether three of the discs have no common point, as weights (N, 3) of discs
    (N, 3) prove: sum w_i (|q - c_i|^2 - R_i^2) >= sum w_i (|c_i - c|^2 - R_i^2) > 0 at any q."""
    apart, w = np.zeros((model.m, *[model.n + 1] * 3), bool), Interval(np.maximum(weights, 0.0))
    share, centre = w / w.sum()[:, None], Interval(model.centre)[:, ids]  # (M, N, 3, 2)
    mean = (centre * share[..., None]).sum(2)
    excess = (centre - mean[:, :, None]).square().sum() - model.radius2[ids]
    uav, which = np.nonzero((excess * share).sum().lo > 0)
    apart[(uav, *ids[which].T)] = True
    return apart


class View:
    """What holds in L regions.

    Whoever may be refused sends at a power so low that all of them add less than VANISH of the
    noise anywhere, which is lowered by as much.
    """

    def __init__(self, model: Model, regions: Regions) -> None:
        self.allowed, self.box, self.span, power = regions
        self.wide = near, far = distances2(model, self.box)  # of places out of reach too
        away = iv.sqrt((Interval(model.place)[:, None] - model.centre[:, 0]).square().sum())
        reach = iv.sqrt(model.radius2[0])
        near = np.minimum(np.maximum(near, iv.maximum(away - reach, 0.0).square().lo), far)
        self.spread = near, np.maximum(np.minimum(far, (away + reach).square().hi), near)
        log_z2 = iv.log(Interval(*self.spread) + model.height2)
        gain = iv.append(model.log_fading - log_z2 * model.half, model.log_satellite[:, None])
        self.gain = iv.append(gain, 0.0)  # (L, n, R); (6)-(7)
        # (L, n, R) whether a device disturbs a receiver wherever it sends to; (8), (10)
        self.sure = self.allowed[..., :-1].any(-1, keepdims=True) & ~(self.allowed @ model.deaf)
        self.noise = model.noise * (1 - VANISH * (model.scenario.interference_leakage > 0))
        nothing = iv.log(model.noise * (VANISH * (1 - 1e-9) / max(model.n, 1))) - model.log_leak
        faint = np.where(self.allowed[..., -1], (nothing - gain.hi.max(-1)).lo, np.inf)
        self.low, self.high = np.minimum(power[..., 0], faint), power[..., 1]  # (L, n) log-powers


def cost_of(model: Model, server: Index, power_W: Array, xy: Array) -> float:
    """Upper end of a plan's cost, summed over devices; NaN if it breaks a constraint. (2)-(30).

    The plan, of servers (n,), -1 for a refusal, powers (n,) and positions (M, 2), is a region in
    which nothing is left to decide.
    """
    rows, whole = np.arange(model.n), Regions.everything(model)
    shapes = server.shape == power_W.shape == rows.shape and xy.shape == whole.box.shape[:2]
    if not shapes or ((server < -1) | (server >= model.n_options - 1)).any():
        return np.nan
    taken = np.eye(model.n_options, dtype=bool)[server]  # (n, O), at -1 the last
    point = whole._replace(allowed=taken, box=np.stack([xy, xy], -1))
    view, r = View(model, point.take(None)), model.receiver[server]
    gain, hit = view.gain[0], view.sure[0][:, r].T & ~np.eye(model.n, dtype=bool)
    own, p = gain[rows, r], iv.log(np.where(server < 0, 1.0, power_W))
    w = iv.exp(gain[rows, r[:, None]] - own[:, None] + model.log_leak + p)  # (k, j), over own
    time, spent, _own, _parts = upload(
        model, model.load_s[rows, r], model.away_s[r], 0.0, p, iv.where(hit, w, 0.0),
        iv.exp(iv.log(model.noise) - own),
    )  # fmt: skip
    wait = model.wait_s[rows, server] * (taken.sum(0)[server] - 1.0)
    cost, slack = (terms[rows, server] for terms in option_terms(model, gain))
    late = iv.maximum(time + wait - slack, 0.0)
    away2 = (Interval(xy[:, None]) - model.centre).square().sum().lo
    gap2 = (Interval(xy)[:, None] - xy).square().sum().hi + np.diag(np.full(model.m, np.inf))
    kept = (
        (model.usable & taken).any(-1),
        (model.power[:, 0] <= p.lo) & (p.hi <= model.power[:, 1]) | (server < 0),
        (whole.box[..., 0] <= xy) & (xy <= whole.box[..., 1]),
        (away2 <= model.radius2) | ~held(model, taken[None])[0],
        gap2 >= (model.scenario.uav_separation_m * (1 - KEPT)) ** 2,
        (late.hi <= KEPT * model.finish_s[rows, server]) | (not model.hard),
    )
    total = spent + cost + wait * model.latency + late * model.late
    found = float(Interval(np.minimum(total.hi, model.refusal.hi)).sum().hi)
    return found if all(x.all() for x in kept) else np.nan

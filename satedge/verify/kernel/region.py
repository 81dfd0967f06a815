"""Regions of plans, many at a time: options of devices, boxes of UAVs and loads of servers, cut to
what may hold; and what costs too much alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import TOLERANCE, Index, Mask, Model, download_s


@dataclass(eq=False)
class Regions:
    """L regions."""

    allowed: Mask  # (L, n, O)
    box: Array  # (L, M, 2, 2) [axis, end]
    span: Index  # (L, S, 2) least and greatest load

    def take(self, index: Index) -> Regions:
        """Some of them, as copies."""
        return Regions(self.allowed[index], self.box[index], self.span[index])


def held(model: Model, allowed: Mask) -> Mask:
    """(L, M, 1 + n) discs that hold a UAV: its reach, and the coverage of who must send to it."""
    only = allowed[..., : model.m] & (allowed.sum(-1) == 1)[..., None]
    return np.insert(np.swapaxes(only, 1, 2), 0, True, -1)


def disc(model: Model, d: int) -> tuple[Array, float]:
    """(centres (M, 2) or (2,), squared radius) of the d-th disc of each UAV."""
    return (model.start if d == 0 else model.place[d - 1]), model.radius2[d]


def distances2(model: Model, box: Array) -> tuple[Array, Array]:
    """(L, n, M) least and greatest squared ground distance between devices and boxes, outward."""
    box, place = box[:, None], model.place[:, None]  # (L, 1, M, 2, 2)
    below, above = Interval(box[..., 0]) - place, Interval(place) - box[..., 1]
    near, far = iv.maximum(below, above), iv.maximum(-below, -above)
    return iv.maximum(near, 0.0).square().sum().lo, iv.maximum(far, 0.0).square().sum().hi


def tighten(model: Model, apart: Mask, regions: Regions) -> Mask:
    """Cut boxes to discs and drop options out of reach or load, in place; which are empty (L,)."""
    allowed, box, m = regions.allowed, regions.box, model.m
    empty, active = np.zeros(len(allowed), bool), np.ones(len(allowed), bool)
    while active.any():  # boxes of regions that stay as they are keep theirs: numbers are for them
        before, discs = allowed.copy(), held(model, allowed) & active[:, None, None]
        for d in np.flatnonzero(discs.any((0, 1))):
            empty |= _cut(model, box, discs[..., d], int(d))
        two = np.einsum("lmi,lmj,mijk->lmk", *(discs.astype(float),) * 2, apart.astype(float)) > 0
        allowed[..., :m] &= ~np.swapaxes(two[..., 1:], 1, 2)
        allowed[..., :m] &= ~(distances2(model, box)[0] > model.radius2[-1])
        empty |= (two & discs).any((1, 2)) | _count(regions) | ~allowed.any(-1).all(-1)
        active = (allowed != before).any((1, 2))
    return empty | _crowded(model, box)


def _crowded(model: Model, box: Array) -> Mask:
    """(L,) where two UAVs are too close wherever they are in their boxes (L, M, 2, 2). (5)."""
    low, high = Interval(box[..., 0]), Interval(box[..., 1])
    wide = iv.maximum(high[:, :, None] - low[:, None], high[:, None] - low[:, :, None])
    apart = Interval(model.scenario.uav_separation_m) * (1 - TOLERANCE)
    close = wide.square().sum().hi < apart.square().lo
    return np.asarray((close & ~np.eye(model.m, dtype=bool)).any((1, 2)))


def _cut(model: Model, box: Array, which: Mask, d: int) -> Mask:
    """Cut boxes to their part in disc d of the UAVs in `which` (L, M), in place; who is empty."""
    centre, square = disc(model, d)
    for _ in range(2):
        near = iv.maximum(Interval(box[..., 0]) - centre, Interval(centre) - box[..., 1])
        near2 = iv.maximum(near, 0.0).square().lo
        wide = iv.sqrt(Interval(square) - near2[..., ::-1])
        low, high = (Interval(centre) - wide).lo, (wide + centre).hi
        box[..., 0] = np.where(which[..., None], np.maximum(box[..., 0], low), box[..., 0])
        box[..., 1] = np.where(which[..., None], np.minimum(box[..., 1], high), box[..., 1])
    none = (iv.down(near2.sum(-1)) > square) & which
    return np.asarray(none.any(-1) | (box[..., 0] > box[..., 1]).any((1, 2)))


def _count(regions: Regions) -> Mask:
    """Loads by who must and who may be on a server, and the reverse, in place; who is empty."""
    servers, span = regions.allowed[..., :-1], regions.span
    empty, before = np.zeros(len(span), bool), ~servers
    while (servers != before).any():
        before, only = servers.copy(), servers & (regions.allowed.sum(-1) == 1)[..., None]
        must, may = only.sum(1), servers.sum(1)
        span[..., 0], span[..., 1] = np.maximum(span[..., 0], must), np.minimum(span[..., 1], may)
        wanted = servers & (span[..., 0] == may)[:, None]  # whoever may be there must
        empty |= (span[..., 0] > span[..., 1]).any(-1) | (wanted.sum(-1) > 1).any(-1)
        servers &= only | (span[..., 1] != must)[:, None]  # or nobody else may
        needed = np.insert(wanted, wanted.shape[-1], False, -1)
        regions.allowed &= needed | ~wanted.any(-1)[..., None]
    return empty


def separated(model: Model, weights: Array, ids: Index) -> Mask:
    """(M, D, D, D) whether three of the discs surely have no common point. (3), motion.

    For w >= 0 of sum 1 and c = sum w_i c_i, any q has sum w_i (|q - c_i|^2 - R_i^2) >=
    sum w_i (|c_i - c|^2 - R_i^2): where that is positive, q is not in all discs. Weights (N, 3) of
    discs (N, 3) come from anywhere; by Helly's theorem triples suffice.
    """
    apart = np.zeros((model.m, *[model.n + 1] * 3), bool)
    w = Interval(np.maximum(weights, 0.0))
    share = w / w.sum()[:, None]
    for m in range(model.m):
        c = Interval(np.insert(model.place, 0, model.start[m], 0)[ids])
        mean = (c * share[..., None]).sum(1)
        excess = (c - mean[:, None]).square().sum() - model.radius2[ids]
        for order in permutations(ids[(excess * share).sum().lo > 0].T):
            apart[m][order] = True
    return apart


def gain_tables(model: Model, box: Array) -> tuple[Array, Array, Array, Array]:
    """Least and greatest log gains (L, n, R) over boxes and reach; squared distances. (6)-(7)."""
    near, far = distances2(model, box)
    away = iv.sqrt((Interval(model.place)[:, None] - model.start).square().sum())
    reach = iv.sqrt(model.radius2[0])
    near = np.minimum(np.maximum(near, iv.maximum(away - reach, 0.0).square().lo), far)
    far = np.maximum(np.minimum(far, (away + reach).square().hi), near)
    low = model.log_fading - iv.log(Interval(far) + model.height2) * model.half
    high = model.log_fading - iv.log(Interval(near) + model.height2) * model.half
    low, high = iv.append(low, model.log_satellite), iv.append(high, model.log_satellite)
    return low.lo, high.hi, near, far


def option_terms(model: Model, low: Array, high: Array) -> tuple[Array, Array]:
    """(L, n, O): least cost of all but the upload, alone on the server; greatest time for it."""
    wait = download_s(model, iv.exp(high[..., : model.m]), iv.exp(low[..., : model.m])).lo
    wait = np.insert(wait, [model.m] * (model.n_options - 1 - model.m), 0.0, -1)  # (L, n, S)
    price = Interval(model.energy) * model.scenario.uav_power_W + model.latency
    cost = iv.append(Interval(wait) * price + model.fixed, model.refusal)
    return cost.lo, iv.append(Interval(model.slack_s) - wait, 0.0).hi


def alone(model: Model, p: Array) -> Array:
    """(n, O) least cost of options at log-powers up to p (n,) without interference.

    It falls with p. The energy of an upload is least at vanishing power.
    """
    low, high, _near, _far = gain_tables(model, model.box()[None])
    cost, slack = option_terms(model, low, high)
    r = model.receiver
    ratio, load = iv.exp(Interval(high[0][:, r]) - iv.log(model.noise)), model.load_s[:, r]
    time = load / iv.log1p(ratio * iv.exp(p)[:, None])
    late = iv.maximum(time - slack[0, :, :-1], 0.0) * model.late_cap
    sends = time * model.latency + load / ratio * model.energy + late + cost[0, :, :-1]
    return np.insert(sends.lo, model.n_options - 1, cost[0, :, -1], -1)


def expensive(model: Model, least: Array, bound: float, cost: Array) -> Mask:
    """(n, O) where a cost of device k and the least (n,) of all others give `bound`."""
    others = Interval(np.where(np.eye(model.n, dtype=bool), 0.0, least)).sum()
    return np.asarray((Interval(cost) + others[:, None]).lo >= bound)

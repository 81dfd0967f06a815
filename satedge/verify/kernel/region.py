"""Regions of plans, many at a time: options of devices, boxes of UAVs and loads of servers, cut to
what may hold; and the root, from which options and powers are left out that cost too much."""

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
    low, high = box[:, None, ..., 0], box[:, None, ..., 1]  # (L, 1, M, 2)
    place = model.place[:, None]
    near = np.maximum(np.maximum(iv.down(low - place), iv.down(place - high)), 0.0)
    far = np.maximum(np.maximum(iv.up(place - low), iv.up(high - place)), 0.0)
    return Interval(near).square().sum().lo, Interval(far).square().sum().hi


def tighten(model: Model, apart: Mask, regions: Regions) -> Mask:
    """Cut boxes to discs and drop options out of reach or load, in place; which are empty (L,)."""
    allowed, box, m = regions.allowed, regions.box, model.m
    empty, active = np.zeros(len(allowed), bool), np.ones(len(allowed), bool)
    while active.any():  # boxes of regions that stay as they are keep theirs: numbers are for them
        before, discs = allowed.copy(), held(model, allowed) & active[:, None, None]
        for d in np.flatnonzero(discs.any((0, 1))):
            empty |= _cut(model, box, discs[..., d], int(d))
        two = np.einsum("lmi,lmj,mijk->lmk", *(discs.astype(float),) * 2, apart.astype(float)) > 0
        empty |= (two & discs).any((1, 2))
        allowed[..., :m] &= ~np.swapaxes(two[..., 1:], 1, 2)
        allowed[..., :m] &= ~(distances2(model, box)[0] > model.radius2[-1])
        empty |= _count(regions) | (~allowed.any(-1)).any(-1) | _too_near(model, box)
        active = (allowed != before).any((1, 2))
    return empty


def _cut(model: Model, box: Array, which: Mask, d: int) -> Mask:
    """Cut boxes to their part in disc d of the UAVs in `which` (L, M), in place; who is empty."""
    centre, square = disc(model, d)
    for _ in range(2):
        near = np.maximum(iv.down(box[..., 0] - centre), iv.down(centre - box[..., 1]))
        near2 = np.maximum(iv.down(np.maximum(near, 0.0) ** 2), 0.0)
        wide = iv.up(np.sqrt(np.maximum(iv.up(square - near2[..., ::-1]), 0.0)))
        low, high = iv.down(centre - wide), iv.up(centre + wide)
        box[..., 0] = np.where(which[..., None], np.maximum(box[..., 0], low), box[..., 0])
        box[..., 1] = np.where(which[..., None], np.minimum(box[..., 1], high), box[..., 1])
    none = (iv.down(near2.sum(-1)) > square) & which
    return np.asarray(none.any(-1) | (box[..., 0] > box[..., 1]).any((1, 2)))


def _count(regions: Regions) -> Mask:
    """Loads by who must and who may be on a server, and the reverse, in place; who is empty."""
    servers, span = regions.allowed[..., :-1], regions.span
    empty = np.zeros(len(span), bool)
    while True:
        before, only = servers.copy(), servers & (regions.allowed.sum(-1) == 1)[..., None]
        must, may = only.sum(1), servers.sum(1)
        span[..., 0], span[..., 1] = np.maximum(span[..., 0], must), np.minimum(span[..., 1], may)
        wanted = servers & (span[..., 0] == may)[:, None]  # whoever may be there must
        empty |= (span[..., 0] > span[..., 1]).any(-1) | (wanted.sum(-1) > 1).any(-1)
        servers &= only | (span[..., 1] != must)[:, None]  # or nobody else may
        needed = np.insert(wanted, wanted.shape[-1], False, -1)
        regions.allowed &= needed | ~wanted.any(-1)[..., None]
        if (servers == before).all():
            return empty


def _too_near(model: Model, box: Array) -> Mask:
    """(L,) whether two boxes lie within less than the separation of each other entirely."""
    limit = iv.down((model.scenario.uav_separation_m * (1 - 2 * TOLERANCE)) ** 2)
    low, high = box[..., 0], box[..., 1]
    wide = np.maximum(
        iv.up(high[:, :, None] - low[:, None]), iv.up(high[:, None] - low[:, :, None])
    )
    far2 = Interval(np.maximum(wide, 0.0)).square().sum().hi
    return np.asarray(((far2 < limit) & ~np.eye(model.m, dtype=bool)).any((1, 2)))


def separated(model: Model, weights: Array, ids: Index) -> Mask:
    """(M, D, D, D) whether three of the discs surely have no common point. (3), motion.

    For w >= 0 of sum 1 and c = sum w_i c_i, any q has sum w_i (|q - c_i|^2 - R_i^2) >=
    sum w_i (|c_i - c|^2 - R_i^2): where that is positive, q is not in all discs. Weights (N, 3) of
    discs (N, 3) come from anywhere; by Helly's theorem triples suffice.
    """
    d = model.n + 1
    apart = np.zeros((model.m, d, d, d), bool)
    w = np.maximum(weights, 0.0)
    share = Interval(w) / Interval(w).sum()[:, None]
    for m in range(model.m):
        c = Interval(np.concatenate([model.start[m : m + 1], model.place])[ids])
        mean = (c * share[..., None]).sum(1)
        excess = (c - mean[:, None]).square().sum() - model.radius2[ids]
        found = ids[(excess * share).sum().lo > 1e-9]
        for order in permutations(found.T):
            apart[m][order] = True
    return apart


def gain_tables(model: Model, box: Array) -> tuple[Array, Array, Array, Array]:
    """Least and greatest log gains (L, n, R) over boxes and reach; squared distances. (6)-(7)."""
    near, far = distances2(model, box)
    away = iv.sqrt((Interval(model.place)[:, None] - model.start).square().sum())
    reach = iv.up(np.sqrt(model.radius2[0]))
    lone = np.maximum(iv.down(away.lo - reach), 0.0)
    near = np.minimum(np.maximum(near, np.maximum(iv.down(lone**2), 0.0)), far)
    far = np.maximum(np.minimum(far, iv.up(iv.up(away.hi + reach) ** 2)), near)
    low = model.log_fading - iv.log(Interval(far) + model.height2) * model.half
    high = model.log_fading - iv.log(Interval(near) + model.height2) * model.half
    low, high = iv.append(low, model.log_satellite), iv.append(high, model.log_satellite)
    return low.lo, high.hi, near, far


def option_terms(model: Model, low: Array, high: Array) -> tuple[Array, Array]:
    """(L, n, O): least cost of all but the upload, alone on the server; greatest time for it."""
    m = model.m
    wait = download_s(model, iv.exp(high[..., :m]), iv.exp(low[..., :m]))
    joules = Interval(model.energy) * model.scenario.uav_power_W + model.latency
    cost = np.broadcast_to(model.fixed.lo, (*low.shape[:2], model.n_options - 1)).copy()
    slack = np.broadcast_to(model.slack_s, cost.shape).copy()
    cost[..., :m] = (model.fixed[:, :m] + wait * joules).lo
    slack[..., :m] = iv.up(slack[..., :m] - np.maximum(wait.lo, 0.0))
    cost = np.append(cost, np.broadcast_to(model.refusal.lo, low.shape[:2])[..., None], -1)
    return cost, np.insert(slack, model.n_options - 1, 0.0, -1)


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
    return np.append(sends.lo, cost[0, :, -1:], -1)


def expensive(model: Model, least: Array, bound: float, cost: Array) -> Mask:
    """(n, ...) where a cost (n, ...) of a device and the least (n,) of all others give `bound`."""
    others = Interval(np.where(np.eye(model.n, dtype=bool), 0.0, least)).sum()
    return np.asarray((Interval(cost) + others.lo.reshape(-1, *[1] * (cost.ndim - 1))).lo >= bound)

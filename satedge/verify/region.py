"""Regions of plans, many at a time: options of devices and boxes of UAVs, cut to what may hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satedge.verify import interval as iv
from satedge.verify.interval import Array, Interval
from satedge.verify.model import TOLERANCE, Mask, Model


@dataclass(eq=False)
class Regions:
    """L regions."""

    allowed: Mask  # (L, n, O)
    box: Array  # (L, M, 2, 2) [axis, end]

    def take(self, index: slice | NDArray[np.int64]) -> Regions:
        """Some of them, as copies."""
        return Regions(self.allowed[index].copy(), self.box[index].copy())


def held(model: Model, allowed: Mask) -> Mask:
    """(L, M, 1 + n) discs that hold a UAV: its reach, and the coverage of who must send to it."""
    decided = allowed[..., : model.n_uavs] & (allowed.sum(-1) == 1)[..., None]
    shape = (len(allowed), model.n_uavs, 1)
    return np.concatenate([np.ones(shape, bool), np.swapaxes(decided, 1, 2)], -1)


def distances2(model: Model, box: Array) -> tuple[Array, Array]:
    """(L, n, M) least and greatest squared ground distance between devices and boxes, outward."""
    low, high = box[..., 0][:, None], box[..., 1][:, None]  # (L, 1, M, 2)
    place = model.place[None, :, None, :]
    near = np.maximum(np.maximum(iv.down(low - place), iv.down(place - high)), 0.0)
    far = np.maximum(iv.up(place - low), iv.up(high - place))
    return (
        np.maximum(Interval(near).square().sum(-1).lo, 0.0),
        Interval(np.maximum(far, 0.0)).square().sum(-1).hi,
    )


def tighten(model: Model, regions: Regions) -> Mask:
    """Cut boxes to discs and drop options out of reach, in place; which are empty (L,)."""
    allowed, box = regions.allowed, regions.box
    empty = np.zeros(len(allowed), bool)
    while True:
        discs = held(model, allowed)
        for d in range(discs.shape[-1]):
            if discs[..., d].any():
                empty |= _shrink(model, box, discs[..., d], d)
        apart = model.apart
        for m in range(model.n_uavs):
            h = discs[:, m].astype(float)
            two = np.einsum("li,lj,ijk->lk", h, h, apart[m].astype(float)) > 0
            empty |= (two & discs[:, m]).any(-1)
            out = two[:, 1:]
            allowed[:, :, m] &= ~out
        near, _far = distances2(model, box)
        allowed[..., : model.n_uavs] &= ~(near > iv.up(model.radius[1] ** 2))
        empty |= (~allowed.any(-1)).any(-1) | _too_near(model, box)
        if (held(model, allowed) == discs).all():
            return empty


def _shrink(model: Model, box: Array, which: Mask, d: int) -> Mask:
    """Cut boxes to their part in disc d of the UAVs in `which` (L, M), in place; who is empty."""
    centre = model.start if d == 0 else np.broadcast_to(model.place[d - 1], model.start.shape)
    square = iv.up(model.radius[d] ** 2)
    with np.errstate(invalid="ignore"):
        for _ in range(2):
            near = np.maximum(iv.down(box[..., 0] - centre), iv.down(centre - box[..., 1]))
            near2 = np.maximum(Interval(np.maximum(near, 0.0)).square().lo, 0.0)
            wide = iv.up(np.sqrt(np.maximum(iv.up(square - near2[..., ::-1]), 0.0)))
            low = np.maximum(box[..., 0], iv.down(centre - wide))
            high = np.minimum(box[..., 1], iv.up(centre + wide))
            box[..., 0] = np.where(which[..., None], low, box[..., 0])
            box[..., 1] = np.where(which[..., None], high, box[..., 1])
    none = (iv.down(near2.sum(-1)) > square) & which
    crossed = (box[..., 0] > box[..., 1]).any(-1)
    return np.asarray((none | crossed).any(-1))


def _too_near(model: Model, box: Array) -> Mask:
    """(L,) whether two boxes lie within less than the separation of each other entirely."""
    near = np.zeros(len(box), bool)
    limit = model.scenario.uav_separation_m * (1 - 2 * TOLERANCE)
    for a in range(model.n_uavs if limit > 0 else 0):
        for b in range(a):
            wide = np.maximum(
                iv.up(box[:, a, :, 1] - box[:, b, :, 0]), iv.up(box[:, b, :, 1] - box[:, a, :, 0])
            )
            near |= Interval(np.maximum(wide, 0)).square().sum(-1).hi < iv.down(limit**2)
    return near


def gain_tables(model: Model, box: Array) -> tuple[Array, Array, Array, Array]:
    """Least and greatest log gains (L, n, R) over boxes and reach; squared distances. (6)-(7)."""
    near, far = distances2(model, box)
    away2 = (Interval(model.place)[:, None] - Interval(model.start)).square().sum(-1)
    away, reach = iv.sqrt(away2), model.radius[0]
    lone = np.maximum(iv.down(away.lo - reach), 0.0)
    near = np.minimum(np.maximum(near, np.maximum(iv.down(lone**2), 0.0)), far)
    far = np.maximum(np.minimum(far, iv.up(iv.up(away.hi + reach) ** 2)), near)
    fade, z = model.log_fading, model.height2
    low = (fade - iv.log(Interval(far) + z) * model.half).lo
    high = (fade - iv.log(Interval(near) + z) * model.half).hi
    last = np.broadcast_to(model.log_satellite.lo[:, None], (len(box), model.n, 1))
    top = np.broadcast_to(model.log_satellite.hi[:, None], (len(box), model.n, 1))
    return np.concatenate([low, last], -1), np.concatenate([high, top], -1), near, far


def downloads(model: Model, low: Array, high: Array) -> Array:
    """(L, n, M) least download times from UAVs, gains in [low, high]. (9), (16)."""
    m, s = model.n_uavs, model.scenario
    own, others = iv.exp(high[..., :m]).hi, np.maximum(iv.exp(low[..., :m]).lo, 0.0)
    heard = (
        np.stack([others[..., [j for j in range(m) if j != i]].sum(-1) for i in range(m)], -1)
        if m
        else others
    )
    total = Interval(heard * (1 - 1e-14)) * model.leak * s.uav_power_W + model.noise
    sinr = Interval(own) * s.uav_power_W / total
    return np.maximum((model.answer_s[:, None] / iv.log1p(sinr)).lo, 0.0)


def option_terms(model: Model, low: Array, high: Array) -> tuple[Array, Array]:
    """(L, n, O): least cost of all but the upload, and greatest time left for it."""
    wait = np.zeros((len(low), model.n, model.n_options))
    wait[..., : model.n_uavs] = downloads(model, low, high)
    price = Interval(model.energy) * model.scenario.uav_power_W + model.latency
    cost = (Interval(model.fixed.lo) + Interval(wait) * price).lo
    return cost, iv.up(model.slack - wait)


def lone_costs(model: Model, box: Array) -> Array:
    """(n, O) least cost of every option without interference: of the upload at full power in time,
    and at vanishing power in energy."""
    low, high, _near, _far = gain_tables(model, box[None])
    cost, slack = option_terms(model, low, high)
    r = model.receiver[:-1]
    ratio = iv.exp(Interval(high[0][:, r]) - iv.log(model.noise)).hi
    upload = model.load_s[:, r] / iv.log1p(Interval(ratio) * iv.exp(model.p_high))
    joules = model.load_s[:, r] / Interval(ratio)
    late = iv.maximum(upload - slack[0][:, :-1], 0.0)
    sends = Interval(cost[0][:, :-1]) + upload * model.latency + joules * model.energy
    return np.c_[(sends + late * model.late_low).lo, cost[0][:, -1]]


def least_powers(model: Model, lone: Array, allowed: Mask, bound: float) -> Array:
    """(n,) log-powers below which a device that sends costs, with the others' least, `bound`.

    Bisection finds them; the cost at the power found is checked, and it falls with power.
    """
    low, high, _near, _far = gain_tables(model, model.box[None])
    cost, slack = option_terms(model, low, high)
    least = np.where(allowed, lone, np.inf).min(-1)
    others = np.array([Interval(np.delete(least, k)).sum().lo for k in range(model.n)])
    r = model.receiver[:-1]

    def total(p: Array) -> Array:
        ratio = iv.exp(Interval(p)[:, None] + Interval(high[0][:, r]) - iv.log(model.noise)).hi
        upload = model.load_s[:, r] / iv.log1p(np.maximum(ratio, 1e-300))
        late = iv.maximum(upload - slack[0][:, :-1], 0.0)
        sends = Interval(cost[0][:, :-1]) + upload * model.latency + late * model.late_low
        value = np.where(allowed[:, :-1], (sends + others[:, None]).lo, np.inf)
        return np.asarray(value.min(-1))

    left, right = np.full(model.n, model.p_low), np.full(model.n, model.p_high)
    for _ in range(50):
        middle = 0.5 * (left + right)
        expensive = total(middle) >= bound
        left, right = np.where(expensive, middle, left), np.where(expensive, right, middle)
    return left

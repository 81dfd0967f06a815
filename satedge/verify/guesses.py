"""What the check of a proof tries and then proves for itself: none of this is trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from satedge.verify.kernel.bound import Setting, tangents
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import Index, Mask, Model, upload
from satedge.verify.kernel.region import Regions, alone, expensive


def disc_weights(model: Model) -> tuple[Array, Index]:
    """Weights (N, 3) worth trying for pairs and triples (N, 3) of discs that may lie apart."""
    d = model.n + 1
    pairs = np.array([(i, j, j) for i in range(d) for j in range(i)], int).reshape(-1, 3)
    triples = [(i, j, k) for i in range(d) for j in range(i) for k in range(j)]
    weights, ids = [np.zeros((0, 3))], [np.zeros((0, 3), int)]
    for start in model.start:
        centres = np.concatenate([start[None], model.place])
        w, which = _of_pairs(centres, model.radius2, pairs)
        weights.append(w)
        ids.append(which)
        w, which = _of_triples(centres, model.radius2, np.array(triples, int).reshape(-1, 3))
        weights.append(w)
        ids.append(which)
    return np.concatenate(weights), np.concatenate(ids)


def _of_pairs(centres: Array, radius2: Array, ids: Index) -> tuple[Array, Index]:
    gap2 = ((centres[ids[:, 0]] - centres[ids[:, 1]]) ** 2).sum(-1)
    share = 0.5 - (radius2[ids[:, 0]] - radius2[ids[:, 1]]) / (2 * np.maximum(gap2, 1e-18))
    share = np.clip(share, 0, 1)
    return np.stack([share, 1 - share, 0 * share], -1), ids


def _of_triples(centres: Array, radius2: Array, ids: Index) -> tuple[Array, Index]:
    """The point x of equal power |x - c_i|^2 - R_i^2 is the weighted mean that is wanted."""
    p = centres[ids]
    edge = p[:, 1:] - p[:, :1]
    power = (p**2).sum(-1) - radius2[ids]
    fine = np.abs(edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]) > 1e-6
    p, edge, power, ids = p[fine], edge[fine], power[fine], ids[fine]
    x = np.linalg.solve(2 * edge, (power[:, 1:] - power[:, :1])[..., None])[..., 0]
    rest = np.linalg.solve(np.swapaxes(edge, 1, 2), (x - p[:, 0])[..., None])[..., 0]
    w = np.concatenate([1 - rest.sum(-1, keepdims=True), rest], -1)
    good = (w >= 0).all(-1)
    return w[good], ids[good]


def least_powers(model: Model, allowed: Mask, bound: float) -> Array:
    """(n,) log-powers below which a device that sends costs, with the others' least, `bound`."""
    lone = np.where(allowed, alone(model, np.full(model.n, model.p_high)), np.inf).min(-1)
    left, right = np.full(model.n, model.p_low), np.full(model.n, model.p_high)
    for _ in range(40):
        middle = 0.5 * (left + right)
        cost = np.where(allowed, alone(model, middle), np.inf)[:, :-1]
        dear = expensive(model, lone, bound, cost).all(-1)
        left, right = np.where(dear, middle, left), np.where(dear, right, middle)
    return left


@dataclass(eq=False)
class Rows:
    """The costs of L regions' devices over their cores, relaxed to convex functions, at a point."""

    load: Index  # (L, S) requests on a server if all take their core
    pick: Index  # (L, n) the one UAV that hears the core, or -1
    log_noise: Array  # (L, n) over the own gain
    log_other: Array  # (L, n, n) of a watt of j over the own gain of k, -inf where j may be silent
    power_slope: Array  # (L, n, n)
    place_slope: Array  # (L, n, M, 2)


def rows_at(
    model: Model, regions: Regions, within: Setting, core: Mask, near: Array, room: Index,
    power: Array, place: Array, late: Array,
) -> Rows:  # fmt: skip
    """Rows over the core (L, n, O), gains linearised at `near`, at log-powers (L, n), positions
    (L, M, 2) and prices of an overrun (L, n). Their slopes are what devices best pay."""
    m, n = model.m, model.n
    core = np.where(core.any(-1, keepdims=True), core, regions.allowed)
    to = np.append(core[..., :m], np.asarray(core[..., m:-1].any(-1))[..., None], -1)
    sends = ~core[..., -1]
    pick = np.where((to.sum(-1) == 1) & ~to[..., m] & sends, to.argmax(-1), -1)
    log_n, log_c, pull = _ratios(model, regions, within, to, pick, near, room, place)
    heard = np.isfinite(log_c) & ~np.eye(n, dtype=bool)
    w = np.where(heard, np.exp(np.where(heard, log_c, 0.0) + power[:, None]), 0.0)
    load = np.where(core[..., :-1], model.load_s.lo[:, model.receiver], np.inf).min(-1, initial=1e9)
    away = np.where(core[..., :m].any(-1), 0.0, model.propagation.lo)
    w0 = np.exp(np.where(sends, log_n, 0.0))
    _time, _cost, own, parts = upload(
        model, Interval(load), Interval(away), np.clip(late, 0.0, model.late_cap), Interval(power),
        Interval(w), Interval(w0),
    )  # fmt: skip
    share = np.where(sends[..., None], 0.5 * (parts.lo + parts.hi), 0.0)
    slope = np.where(
        np.eye(n, dtype=bool), (sends * 0.5 * (own.lo + own.hi))[..., None], share[..., :n]
    )
    drift = (share[..., None] * pull).sum(2)[:, :, None]
    drift = np.where((np.arange(m) == pick[..., None])[..., None], drift, 0.0)
    return Rows(np.maximum(core[..., :-1].sum(1), 1), pick, log_n, log_c, slope, drift)


def _ratios(
    model: Model,
    regions: Regions,
    within: Setting,
    to: Mask,
    pick: Index,
    near: Array,
    room: Index,
    place: Array,
) -> tuple[Array, Array, Array]:
    """Logs of noise (L, n) and of a watt of others (L, k, j) over the own gain, and their slopes
    in the position of the one UAV that hears the core (L, n, n + 1, 2), the noise's last.

    Where several receivers hear it, the least over them.
    """
    low, high = within.gains[:2]
    m, n = model.m, model.n
    noise, leak = np.log(within.noise.lo), np.log(model.leak) if model.leak > 0 else -np.inf
    log_n = np.where(to, noise - high, np.inf).min(-1)
    pair = leak + low[:, None] - high[:, :, None]  # (L, k, j, R)
    pair = np.where(within.sure[:, None], pair, -np.inf)
    log_c = np.where(to[:, :, None], pair, np.inf).min(-1)
    pull = np.zeros((len(to), n, n + 1, 2))
    if not m:
        return log_n, log_c, pull
    near = np.clip(near, regions.box[..., 0], regions.box[..., 1])
    size = len(to), m
    each, u = np.divmod(np.arange(size[0] * m), m)
    found = tangents(model, regions, each, u, near.reshape(-1, 2), room.ravel(), within.gains)
    above, tilt, below, lean = (
        np.swapaxes((0.5 * (t.lo + t.hi)).reshape(*size, n, *t.lo.shape[2:]), 1, 2) for t in found
    )  # (L, n, M) and slopes
    row, k, j = np.arange(len(to))[:, None, None], np.arange(n)[:, None], np.arange(n)
    u = np.maximum(pick, 0)[..., None]
    step = (place - near)[row[..., 0], u[..., 0]]
    own_tilt = tilt[row, k, u][..., 0, :]
    own = above[row, k, u][..., 0] + (own_tilt * step).sum(-1)
    other = below[row, j, u] + (lean[row, j, u] * step[:, :, None]).sum(-1)
    one = pick >= 0
    sure = within.sure[row, j, u]
    log_n = np.where(one, noise - own, log_n)
    log_c = np.where(one[..., None], np.where(sure, leak + other - own[..., None], -np.inf), log_c)
    pull = np.insert(lean[row, j, u], n, 0.0, 2) - own_tilt[:, :, None]
    return log_n, log_c, np.where(one[..., None, None], pull, 0.0)

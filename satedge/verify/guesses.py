"""What the check of a proof tries and then proves for itself: none of this is trusted."""

from __future__ import annotations

import numpy as np

from satedge.verify.kernel.interval import Array
from satedge.verify.kernel.model import Index, Mask, Model
from satedge.verify.kernel.region import alone, expensive


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
        dear = expensive(model, lone, bound, cost.min(-1, initial=np.inf))
        left, right = np.where(dear, middle, left), np.where(dear, right, middle)
    return left

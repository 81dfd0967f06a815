"""What the check of a proof tries and then proves for itself: none of this is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from satedge.verify.kernel.bound import tangents
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import Index, Mask, Model, option_terms, upload
from satedge.verify.kernel.region import Regions, View, separated, tighten
from satedge.verify.kernel.tree import Node

#: Halvings in search of powers.
HALVINGS = 40

#: What powers too low to be worth it cost beyond the bound, relative: for roundings.
BEYOND = 1e-14


def disc_weights(model: Model) -> tuple[Array, Index]:
    """Weights (N, 3) worth trying for pairs and triples (N, 3), in all orders, of discs that may
    lie apart."""
    d = model.n + 1
    pairs = np.array([(i, j, j) for i in range(d) for j in range(i)], int).reshape(-1, 3)
    triples = [(i, j, k) for i in range(d) for j in range(i) for k in range(j)]
    weights, ids = [np.zeros((0, 3))], [np.zeros((0, 3), int)]
    for centres in model.centre:
        w, which = _of_pairs(centres, model.radius2, pairs)
        weights.append(w)
        ids.append(which)
        w, which = _of_triples(centres, model.radius2, np.array(triples, int).reshape(-1, 3))
        weights.append(w)
        ids.append(which)
    orders = np.array(list(permutations(range(3))))
    found = (np.concatenate(x)[:, orders].reshape(-1, 3) for x in (weights, ids))
    return next(found), next(found)


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


def first_nodes(
    model: Model, discs: tuple[Array, Index], keep: Mask, bound: float, first: int
) -> list[Node]:
    """What the tree begins with, to be put behind the `first` nodes of a file: a root that drops
    options which alone cost too much, unless they are to be kept, and a leaf for every device that
    sends at a power so low that this costs too much.

    Nobody pays for anything, so that the bound is the sum of what devices cost at least.
    """
    regions = Regions.everything(model).take(None)
    middle = regions.box[0].mean(-1)
    tighten(model, separated(model, *discs), regions)
    allowed, view = regions.allowed[0], View(model, regions)
    alone = _Alone(model, view)
    top = model.power[:, 1]
    cost = alone.least(top, allowed)
    least = cost.min(-1)
    left, right = model.power[:, 0], top
    rest = bound * (1 + BEYOND) - (least.sum() - least)
    for _ in range(HALVINGS):
        p = 0.5 * (left + right)
        dear = (alone.least(p, allowed)[:, :-1] >= rest[:, None]).all(-1)
        left, right = np.where(dear, p, left), np.where(dear, right, p)
    dear = (alone.least(left, allowed)[:, :-1] >= rest[:, None]).all(-1)
    given = {
        "pay": np.zeros((model.n, model.n + 2 * model.m)),
        "near": np.repeat(middle[None], model.n, 0),
        "room": np.zeros((model.n, model.m), int),
        "discs": [],
        "lines": alone.lines(allowed),
    }
    keep = keep | ~(cost >= rest[:, None])
    root = Node([{**given, "dual": least}], left=keep, floor=np.where(dear, left, -np.inf))
    root.children = [*range(first, first + model.n), 0]
    enough = np.where(np.eye(model.n, dtype=bool), rest - 0.5 * BEYOND * bound, least)
    return [*(Node([{**given, "dual": dual}]) for dual in enough), root]


class _Alone:
    """The least costs of devices without interference; an overrun has no price, or the full one."""

    def __init__(self, model: Model, view: View) -> None:
        self.model = model
        self.ratio = view.gain.hi[0, :, : model.m + 1] - np.log(model.noise.lo)
        self.load = model.load_s.lo[:, : model.m + 1]
        cost, slack = option_terms(model, view.gain)
        self.cost, self.slack = cost.lo[0], slack.hi[0, :, :-1]

    def least(self, p: Array, allowed: Mask) -> Array:
        """(n, O) of all options at log-powers up to p (n,); the energy of an upload is least at
        vanishing power."""
        time = self.load / np.log1p(np.exp(p[:, None] + self.ratio))
        joules = self.model.energy * self.load * np.exp(-self.ratio)
        r = self.model.receiver[:-1]
        late = self.model.late_cap * np.maximum(time[:, r] - self.slack, 0.0)
        sends = (self.model.latency * time + joules)[:, r] + late + self.cost[:, :-1]
        return np.where(allowed, np.append(sends, self.cost[:, -1:], -1), np.inf)

    def _best_power(self, theta: float) -> Array:
        """(n, M + 1) log-powers of the least cost of an upload, each second at theta more."""
        model, shape = self.model, self.load.shape
        away = model.away_s.lo[:-1]
        left, right = (np.broadcast_to(x[:, None], shape) for x in model.power.T)
        for _ in range(HALVINGS):
            p = 0.5 * (left + right)
            joule, sinr = model.energy * np.exp(p), np.exp(p + self.ratio)
            time = self.load / np.log1p(sinr)
            fall = (model.latency + joule + theta) * time * sinr / (1 + sinr) / np.log1p(sinr)
            rises = joule * (time + away) > fall
            left, right = np.where(rises, left, p), np.where(rises, p, right)
        return p

    def lines(self, allowed: Mask) -> list[list[float]]:
        """As in files."""
        pairs = {(k, self.model.receiver[o]) for k, o in np.argwhere(allowed[:, :-1]).tolist()}
        powers = {theta: self._best_power(theta) for theta in (0.0, self.model.late_cap)}
        return [[k, r, 0, 0.0, p[k, r], theta] for theta, p in powers.items() for k, r in pairs]


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
    model: Model, view: View, core: Mask, near: Array, room: Index,
    power: Array, place: Array, late: Array,
) -> Rows:  # fmt: skip
    """Rows over the core (L, n, O), gains linearised at `near`, at log-powers (L, n), positions
    (L, M, 2) and prices of an overrun (L, n). Their slopes are what devices best pay."""
    m, n = model.m, model.n
    core = np.where(core.any(-1, keepdims=True), core, view.allowed)
    to = np.append(core[..., :m], np.asarray(core[..., m:-1].any(-1))[..., None], -1)
    sends = ~core[..., -1]
    pick = np.where((to.sum(-1) == 1) & ~to[..., m] & sends, to.argmax(-1), -1)
    log_n, log_c, pull = _ratios(model, view, to, pick, near, room, place)
    heard = np.isfinite(log_c) & ~np.eye(n, dtype=bool)
    w = np.where(heard, np.exp(np.where(heard, log_c, 0.0) + power[:, None]), 0.0)
    load = np.where(core[..., :-1], model.load_s.lo[:, model.receiver[:-1]], np.inf).min(
        -1, initial=1e9
    )
    away = np.where(core[..., :m].any(-1), 0.0, model.away_s.lo[m])
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
    model: Model, view: View, to: Mask, pick: Index, near: Array, room: Index, place: Array
) -> tuple[Array, Array, Array]:
    """Logs of noise (L, n) and of a watt of others (L, k, j) over the own gain, and their slopes
    in the position of the one UAV that hears the core (L, n, n + 1, 2), the noise's last.

    Where several receivers hear it, the least over them.
    """
    m, n = model.m, model.n
    low, high = (x[..., : m + 1] for x in (view.gain.lo, view.gain.hi))
    noise, leak, surely = np.log(view.noise.lo), model.log_leak.lo, view.sure[..., : m + 1]
    log_n = np.where(to, noise - high, np.inf).min(-1)
    pair = leak + low[:, None] - high[:, :, None]  # (L, k, j, R)
    pair = np.where(surely[:, None], pair, -np.inf)
    log_c = np.where(to[:, :, None], pair, np.inf).min(-1)
    pull = np.zeros((len(to), n, n + 1, 2))
    if not m:
        return log_n, log_c, pull
    near = np.clip(near, view.box[..., 0], view.box[..., 1])
    size = len(to), m
    each, u = np.divmod(np.arange(size[0] * m), m)
    found = tangents(model, view, each, u, near.reshape(-1, 2), room.ravel())
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
    sure = view.sure[row, j, u]
    log_n = np.where(one, noise - own, log_n)
    log_c = np.where(one[..., None], np.where(sure, leak + other - own[..., None], -np.inf), log_c)
    pull = np.insert(lean[row, j, u], n, 0.0, 2) - own_tilt[:, :, None]
    return log_n, log_c, np.where(one[..., None, None], pull, 0.0)

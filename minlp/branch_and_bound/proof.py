"""The tree of a search as a proof of its bound, for `satedge verify`.

The search is over: what is left is to write down, for every region that was closed, the numbers of
its bound. Those of prices are searched for here, by bisection in the verifier's own rows.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from minlp.branch_and_bound.record import Recorder, Visit
from minlp.branch_and_bound.search import Limits, Search
from minlp.slot.data import Array, IntArray, SlotData
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Report, ignore
from satedge.verify.certificate import Numbers, Rows, disturbances, rows_at
from satedge.verify.model import Mask, Model, incumbent_cost
from satedge.verify.proof import FORMAT, Checker, ProofError, numbers, unsupported, verify
from satedge.verify.region import Regions, tighten

#: What the bound asked for gives away of the solver's, first and for each region that misses it.
LESS, TRIES = 1e-9, 4


def prove_slot(
    instance: Instance, slot: int, limits: Limits, report: Report = ignore
) -> tuple[Outcome, dict[str, Any], dict[str, float]]:
    """Branch and bound on a slot: outcome, proof of its bound, and times in seconds.

    Raises ProofError where there is no bound to prove.
    """
    reason = unsupported(instance) or ("hard deadlines have no proofs yet" if limits.hard else "")
    if reason:
        raise ProofError(reason)
    search = Search(instance, slot, limits, report)
    search.recorder = Recorder()
    began = clock.now()
    outcome = search.run()
    solved = clock.now()
    bound = search.lower_bound()
    if outcome.plan is None or not np.isfinite(bound):
        raise ProofError(f"slot {slot}: the search ended without a plan and a bound to prove")
    proof = _written(instance, slot, search, bound)
    return outcome, proof, {"solve_s": solved - began, "write_s": clock.now() - solved}


def _written(instance: Instance, slot: int, search: Search, bound: float) -> dict[str, Any]:
    data, recorder, plan = search.data, search.recorder, search.plan
    assert recorder is not None
    assert plan is not None
    devices = np.flatnonzero(instance.active[slot])
    n_servers = instance.scenario.n_servers
    options = [
        [int(s) if s >= 0 else n_servers for s in data.server[k, : data.n_options[k]]]
        for k in range(len(devices))
    ]
    proof: dict[str, Any] = {
        "format": FORMAT,
        "instance_sha256": instance.content_sha256,
        "slot": slot,
        "options": options,
        "plan": {
            "server": plan.server[0, devices].tolist(),
            "power_W": plan.power_W[0, devices].tolist(),
            "uav_xy_m": plan.uav_xy_m[0].tolist(),
        },
    }
    root = recorder.root.allowed
    proof["root"] = [] if root is None else _bits(data, root, n_servers)
    model = Model(instance, slot, options)
    proof["cost"], _broken = incumbent_cost(model, proof["plan"])
    for attempt in range(TRIES):
        proof["bound"] = bound - LESS * 10**attempt * abs(bound)
        proof["nodes"] = _nodes(data, recorder.root, proof["bound"], n_servers)
        with np.errstate(all="ignore"):
            _Writer(instance, proof).check()
        result = verify(instance, proof)
        if result.valid:
            return proof
    raise ProofError(f"slot {slot}: the bound could not be proven: {result.reason}")


def _nodes(data: SlotData, root: Visit, bound: float, n_servers: int) -> list[dict[str, Any]]:
    """Nodes in order of breadth; what lies below a region that is closed is left out."""
    nodes: list[dict[str, Any]] = []
    queue = deque([root])
    while queue:
        visit = queue.popleft()
        node: dict[str, Any] = {}
        nodes.append(node)
        found = visit.found
        if found is None or visit.allowed is None or visit.left is None:
            continue
        closed = found.lower_bound >= bound
        dropped = bool((visit.allowed != visit.left).any())
        if closed or dropped or not visit.children:
            node["numbers"] = _numbers(data, visit, n_servers)
        if closed:
            continue
        if dropped:
            node["left"] = _bits(data, visit.left, n_servers)
        if visit.cut is not None:
            node["split"] = dict(zip(("uav", "axis", "at"), visit.cut, strict=True))
        elif visit.device >= 0:
            row = visit.device
            parts = [_option_bits(data, row, part, n_servers) for part in visit.parts]
            node["split"] = {"device": row, "parts": parts}
        queue.extend(visit.children)
    return nodes


def _option_bits(data: SlotData, k: int, mask: int, n_servers: int) -> int:
    """Options of a device as bits of servers, refusal last."""
    servers = [int(data.server[k, o]) for o in range(data.n_options[k]) if int(mask) >> o & 1]
    return sum(1 << (s if s >= 0 else n_servers) for s in servers)


def _bits(data: SlotData, allowed: IntArray, n_servers: int) -> list[int]:
    return [_option_bits(data, k, int(mask), n_servers) for k, mask in enumerate(allowed)]


def _numbers(data: SlotData, visit: Visit, n_servers: int) -> dict[str, Any]:
    assert visit.found is not None
    found = visit.found.best
    n = len(found.core)
    discs = []
    for (m, x, y, _radius), weight in zip(found.disc, found.weight, strict=True):
        place = [i for i in range(n) if data.device_xy_m[i, 0] == x and data.device_xy_m[i, 1] == y]
        start = data.start_xy_m[int(m)]
        d = 0 if x == start[0] and y == start[1] else 1 + place[0]
        if weight > 0:
            discs.append([int(m), d, float(weight)])
    return {
        "core": _bits(data, found.core, n_servers),
        "near": found.near.tolist(),
        "power": found.y[:n].tolist(),
        "place": found.y[n:].reshape(-1, 2).tolist(),
        "late": found.multiplier.tolist(),
        "discs": discs,
        "prices": [],
    }


class _Writer(Checker):
    """Walks the tree as the verifier does, and fills in what prices of options need."""

    def evaluate(self, ids: list[int], regions: Regions) -> tuple[Array, Array, Mask]:
        """As the verifier's, of regions whose nodes then have all their numbers."""
        cut = regions.take(slice(None))  # the check cuts its own
        empty = tighten(self.model, cut)
        which = [i for i, node in enumerate(ids) if self.nodes[node].get("numbers")]
        which = [i for i in which if not empty[i]]
        if which:
            part = cut.take(np.array(which))
            raw = [self.nodes[ids[i]]["numbers"] for i in which]
            given = numbers(self.model, part, raw)
            rows = rows_at(self.model, part, given, self.floor)
            ask = part.allowed & ~given.core
            ask[..., -1] = False
            for i, k, o, three in _guesses(self.model, given, rows, ask):
                raw[i]["prices"].append([k, o, *three])
        return super().evaluate(ids, regions)


def _guesses(model: Model, given: Numbers, rows: Rows, ask: Any) -> list[Any]:
    """(region, device, option, (tau, p, theta)) near the least cost of each option asked for."""
    row, k, o = np.nonzero(ask)
    if not len(row):
        return []
    a, noise = disturbances(model, rows, row, k, o)
    c = 0.5 * (rows.slope.lo + rows.slope.hi)[row, k]
    a_mid, noise_mid = 0.5 * (a.lo + a.hi), 0.5 * (noise.lo + noise.hi)
    r = model.receiver[o]
    upload = _Upload(
        model, a_mid, noise_mid, c, c[np.arange(len(row)), k], model.load_s.lo[k, r],
        np.where(r == model.n_uavs, model.propagation.lo, 0.0), rows.low[row], rows.low[row, k],
    )  # fmt: skip
    slack = rows.terms[1][row, k, o]
    left, right = np.zeros(len(row)), np.full(len(row), float(model.late_low))
    tau0, p0, h0 = upload.least(left)
    tau1, p1, h1 = upload.least(right)
    early, late = h0 <= slack, h1 >= slack
    for _ in range(12):
        theta = 0.5 * (left + right)
        tau, p, h = upload.least(theta)
        left, right = np.where(h > slack, theta, left), np.where(h > slack, right, theta)
    theta = np.where(early, 0.0, np.where(late, float(model.late_low), theta))
    tau = np.where(early, tau0, np.where(late, tau1, tau))
    p = np.where(early, p0, np.where(late, p1, p))
    three = np.stack([tau, p, theta], -1).tolist()
    return [(int(i), int(d), int(e), t) for i, d, e, t in zip(row, k, o, three, strict=True)]


class _Upload:
    """Uploads among copies of powers, N at a time; see `minlp.branch_and_bound.prices`."""

    def __init__(self, model: Model, a: Array, noise: Array, c: Array, own: Array, load: Array,
                 propagation: Array, low: Array, least: Array) -> None:  # fmt: skip
        self.model, self.a, self.noise, self.c = model, a, noise, c
        self.own, self.load, self.propagation = own, load, propagation
        self.floor, self.top = a * np.exp(low), a * np.exp(model.p_high)
        self.low = least

    def least(self, theta: Array) -> tuple[Array, Array, Array]:
        """(tau, p, upload time) of the least cost, each second beyond the slack at price theta."""
        left, right = np.full(len(theta), -60.0), np.full(len(theta), 60.0)
        for _ in range(36):
            tau = 0.5 * (left + right)
            heard = np.clip(self.c * np.exp(tau)[:, None], self.floor, self.top)
            level = np.log(np.where(self.a > 0, heard, 0.0).sum(-1) + self.noise)
            p, h, steep = self._power(theta, level)
            high = np.log(np.maximum(steep, 1e-300)) - level + tau > 0
            left, right = np.where(high, left, tau), np.where(high, tau, right)
        return tau, p, h

    def _power(self, theta: Array, level: Array) -> tuple[Array, Array, Array]:
        """(p, h, df/dlevel) at a log disturbance, by bisection of df/dp = c."""
        left, right = self.low, np.full(len(theta), self.model.p_high)
        for _ in range(26):
            p = 0.5 * (left + right)
            h, steep, joule = self._terms(theta, p - level, p)
            up = joule * (h + self.propagation) - steep - self.own > 0
            left, right = np.where(up, left, p), np.where(up, p, right)
        h, steep, _joule = self._terms(theta, p - level, p)
        return p, h, steep

    def _terms(self, theta: Array, s: Array, p: Array) -> tuple[Array, Array, Array]:
        sinr = np.exp(s)
        nats = np.log1p(sinr)
        h = self.load / nats
        joule = self.model.energy * np.exp(p)
        steep = (self.model.latency + joule + theta) * h * (sinr / (1 + sinr)) / nats
        return h, steep, joule

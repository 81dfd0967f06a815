"""The numbers that a proof's nodes lack, found in the verifier's own rows (`proof`).

The search's point and multipliers of a node are given. Lines are solved for here, and what the load
problem pays is the search's; where that does not prove what the node says, the multipliers of the
linear relaxation that the fault asks for are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minlp.branch_and_bound.copies import MOST_LINES
from minlp.branch_and_bound.lines import upload_lines
from minlp.branch_and_bound.load_dual import Target, best_dual
from minlp.branch_and_bound.upload import Upload, limits_of, unmoved
from minlp.slot.data import Array, SlotData
from satedge.verify.guesses import Rows
from satedge.verify.kernel.bound import Numbers, bounds, prices, tangents, widened
from satedge.verify.kernel.model import Mask, Model, option_terms
from satedge.verify.kernel.region import Regions, View
from satedge.verify.kernel.tree import Checker, Node
from satedge.verify.proof import boxes, cores, numbers, rows_of

#: Boxes that differ by less, in metres, are the same: the verifier's rounds outward.
SAME_M = 1e-5


def _wanted(node: Node, regions: Regions, i: int, n: int) -> list[Target]:
    """Which bounds of region i have to reach the bound of the proof: of all of it, or of what is
    dropped from it."""
    if not node.children:
        return [(0,)]
    wanted: list[Target] = []
    if node.left is not None:
        wanted += [(1, k, o) for k, o in np.argwhere(regions.allowed[i] & ~node.left).tolist()]
    if node.span is not None:
        loads, old, new = np.arange(n + 1), regions.span[i], node.span
        outside = (loads < new[:, :1]) | (loads > new[:, 1:])
        dropped = (loads >= old[:, :1]) & (loads <= old[:, 1:]) & outside
        wanted += [(2, s, c) for s, c in np.argwhere(dropped).tolist()]
    return wanted


@dataclass(frozen=True, eq=False)
class _Sender:
    """What the devices of one region, i, hear and pay."""

    view: View
    pay: Array  # (n, n) for log-powers
    heard: tuple[Array, Array]  # as of `_heard`
    slack: Array  # (n, O)
    i: int


class Filling(Checker):
    """Walks the tree as the verifier does, and fills in what nodes lack."""

    data: SlotData

    def __init__(self, model: Model, claim: Any, data: SlotData) -> None:
        super().__init__(model, claim)
        self.data, self.worst = data, np.inf

    def evaluate(self, ids: Sequence[int], regions: Regions) -> tuple[Mask, list[Array]]:
        """As the verifier's; values that have to reach the bound and do not are noted instead."""
        empty, found = super().evaluate(ids, regions)
        total = found[0]
        for i in np.flatnonzero(~(empty | (total >= self.bound))).tolist():
            node = self.claim.nodes[ids[i]]
            wanted = _wanted(node, regions, i, self.model.n)
            if self.data.shared and node.given:
                bounds_of_it = [x[i : i + 1] for x in found]
                self._mend(node, regions.take(np.array([i])), wanted, bounds_of_it)
            for target in wanted:
                at = (i, *target[1:])
                value = float(found[target[0]][at])
                self.worst = self.worst if value >= self.worst else value
                found[target[0]][at] = np.inf
            total[i] = total[i] if node.children else np.inf
        return empty, found

    def _mend(self, node: Node, region: Regions, wanted: list[Target], found: list[Array]) -> None:
        """Add what the load problem best pays to prove what is wanted, where that is not proven.

        `found` are the bounds of the region, raised in place.
        """
        for given in node.given:
            at = numbers(self.model, region, [given])
            price = prices(self.model, View(self.model, widened(region, at.box)), at)[0]
            for target in wanted:
                if found[target[0]][(0, *target[1:])] >= self.bound:
                    continue
                at = at._replace(dual=best_dual(price, region.span[0, :-1], target)[None])
                for old, new in zip(found, bounds(self.model, region, at), strict=True):
                    np.maximum(old, new, out=old)
                given.setdefault("more", []).append(at.dual[0].tolist())

    def filled(self, regions: Regions, given: list[dict[str, Any]]) -> Numbers:
        """The numbers of nodes, with lines and what the load problem pays."""
        for node, box in zip(given, regions.box, strict=True):
            if "box" in node and np.abs(node["box"] - box).max(initial=0.0) < SAME_M:
                del node["box"]
        found = numbers(self.model, regions, given)
        regions = widened(regions, boxes(regions, given))
        view = View(self.model, regions)
        slack = option_terms(self.model, view.gain)[1].hi
        heard = _heard(self.model, given, view)
        rows: list[Rows | None] = [None] * len(given)
        for i, node in enumerate(given):
            one = np.array([i])
            if "pay" not in node:
                rows[i] = rows_of(self.model, regions.take(one), [node], found.place[one])
            if not node["lines"]:
                who = _Sender(view, found.power_pay[i], heard, slack[i], i)
                node["lines"] = self._lines(who, node, rows[i])
        found = numbers(self.model, regions, given)
        price = prices(self.model, view, found)
        for i, node in enumerate(given):
            if "u" in node:
                paid = np.array(node.pop("u"))
                node["dual"] = self._dual(price[i], regions.allowed[i], paid, node, rows[i])
        return found._replace(dual=np.array([node["dual"] for node in given]))

    def _lines(self, at: _Sender, node: dict[str, Any], rows: Rows | None) -> list[list[float]]:
        """Lines of a region: [device, receiver, whether gains are linearised, tau, p, theta].

        With rows, one more for each device that touches its own, where the search was.
        """
        model, found, wait = self.model, [], self.model.wait_s.lo
        core = cores(model, [node])[0] if rows else None
        for k in range(model.n):
            for r in range(model.m + 1):
                slacks = []
                for s in np.flatnonzero(at.view.allowed[at.i, k] & (model.receiver == r)):
                    low, high = at.view.span[at.i, s] if self.data.shared else (1, 1)
                    known = 0
                    if rows and core is not None and core[k, s] and rows.pick[0, k] == r:
                        known = rows.load[0, s] if self.data.shared else 1
                    loads = [c for c in range(max(low, 1), high + 1) if c != known]
                    slacks += [at.slack[k, s] - wait[k, s] * (c - 1) for c in loads]
                upload, tilted = self._upload(at, k, r), int(rows is None and r < model.m)
                slacks.sort()
                for first in range(0, len(slacks), MOST_LINES):
                    lines = upload_lines(upload, np.array(slacks[first : first + MOST_LINES]))
                    found += [[k, r, tilted, *line] for line in lines.tolist()]
            if rows and rows.pick[0, k] >= 0:
                found.append([k, int(rows.pick[0, k]), 1, *_row_line(rows, k, node)])
        return found

    def _upload(self, at: _Sender, k: int, r: int) -> Upload:
        """Device k's upload to receiver r, as the verifier has it."""
        model, n, i = self.model, self.model.n, at.i
        own, others = at.heard[0][i, k, r], at.heard[1][i, k, r]
        heard = at.view.sure[i, :, r] & (np.arange(n) != k)
        a = np.where(heard, np.exp(others - own + model.log_leak.lo), 0.0)
        limits = limits_of(at.view.low[i].copy(), float(at.view.high[i].max()))
        rho = self.data.overrun_weight if model.hard else model.late_cap
        return Upload(
            k, float(model.load_s.lo[k, r]), float(model.away_s.lo[r]),
            float(at.view.noise.lo * np.exp(-own)), model.latency, model.energy, rho,
            at.pay[k].copy(), a, limits, unmoved(n),
        )  # fmt: skip

    def _dual(
        self, price: Array, allowed: Mask, paid: Array, node: dict[str, Any], rows: Rows | None
    ) -> list[float]:
        """(n,) what the load problem pays: for each alone its least price.

        With shared compute what the search paid, which was over the price of the core if there are
        rows; and a lot for whoever has one option, so that he is among the cheapest.
        """
        real = np.where(allowed[..., None] & np.isfinite(price), price, np.nan)
        if not self.data.shared:
            return np.nan_to_num(np.nanmin(real[..., 0], axis=1)).tolist()
        if rows:
            n, option = len(price), cores(self.model, [node])[0].argmax(-1)
            at = np.append(rows.load[0], 1)[option] - 1
            paid = paid + np.nan_to_num(real[np.arange(n), option, np.minimum(at, n - 1)])
        wide = np.nanmax(np.abs(real), initial=1.0) + np.abs(paid).max()
        return np.where(allowed.sum(-1) == 1, 4.0 * wide, paid).tolist()


def _row_line(rows: Rows, k: int, node: dict[str, Any]) -> list[float]:
    """(tau, p, theta) at which device k's line touches its row where the search was."""
    pays, power = rows.power_slope[0, k].copy(), np.array(node["power"])
    pays[k] = 0.0
    j = int(pays.argmax())
    tau = rows.log_other[0, k, j] + power[j] - np.log(pays[j]) if pays[j] > 0 else 0.0
    return [float(tau), node["power"][k], node["late"][k]]


def _heard(model: Model, given: list[dict[str, Any]], view: View) -> tuple[Array, Array]:
    """Logs of own gains (L, n, R), and of others' (L, n, R, n), where lines are made: over the box,
    or where better slopes have the copies of positions."""
    n, m, low, high = model.n, model.m, view.gain.lo, view.gain.hi
    own, others = high.copy(), np.repeat(np.swapaxes(low, 1, 2)[:, None], n, 1)
    which = [i for i, g in enumerate(given) if "pay" in g]
    if m and which:
        row, u = np.repeat(which, n * m), np.tile(np.arange(m), n * len(which))
        k = np.tile(np.repeat(np.arange(n), m), len(which))
        near = np.array([given[i]["near"] for i in which]).reshape(-1, 2)
        near = np.clip(near, view.box[row, u, :, 0], view.box[row, u, :, 1])
        room = np.array([given[i]["room"] for i in which]).ravel()
        above, _tilt, below, _lean = tangents(model, view, row, u, near, room)
        own[row, k, u], others[row, k, u] = above.hi[np.arange(len(k)), k], below.lo
    return own, others

"""The tree of a search as a proof of its bound, for `satedge verify`.

The search is over: what is left is to write down, for every region that was closed, the numbers of
its bound. Those of prices (`lines`) and what the load problem pays are found here, in the
verifier's own rows.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np

from minlp.branch_and_bound.lines import upload_lines
from minlp.branch_and_bound.load_dual import best_dual
from minlp.branch_and_bound.presolve import Region
from minlp.branch_and_bound.receivers import receivers
from minlp.branch_and_bound.record import Recorder, Visit
from minlp.branch_and_bound.search import Limits, Search
from minlp.branch_and_bound.upload import Upload, limits_of, unmoved
from minlp.slot.data import Array, SlotData
from minlp.slot.geometry import RADIUS_SLACK
from minlp.slot.region import discs_of, start_reach
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Report, ignore
from satedge.verify.guesses import Rows, rows_at
from satedge.verify.kernel.bound import Numbers, Setting, bounds, prices, setting
from satedge.verify.kernel.model import Mask, Model
from satedge.verify.kernel.plan import cost_of
from satedge.verify.kernel.region import Regions, option_terms
from satedge.verify.kernel.tree import Checker
from satedge.verify.proof import (
    FORMAT,
    ProofError,
    claim_of,
    cores,
    decision,
    numbers,
    verify,
    widened,
)

#: What the bound gives away of the solver's at once, and how much of it may go where the verifier
#: finds less in some region; relative.
LESS, MOST = 1e-9, 1e-4

#: Boxes that differ by less, in metres, are the same: the verifier's rounds outward.
SAME_M = 1e-5

#: How often the bound is lowered to what the regions allow.
TRIES = 4


def prove_slot(
    instance: Instance, slot: int, limits: Limits, report: Report = ignore
) -> tuple[Outcome, dict[str, Any], dict[str, float]]:
    """Branch and bound on a slot: outcome, proof, and seconds passed and used.

    With hard deadlines it proves that no plan meets them if that is what the search found. Raises
    ProofError where there is nothing to prove.
    """
    search = Search(instance, slot, limits, report)
    search.recorder = Recorder()
    began, used = clock.now(), time.process_time()
    outcome = search.run()
    solved, used = clock.now(), time.process_time() - used
    bound = search.lower_bound()
    if not np.isfinite(bound) or (outcome.plan is None and outcome.status != "infeasible"):
        raise ProofError(f"slot {slot}: the search ended without a plan and a bound to prove")
    proof = _Writer(instance, slot, search, bound).written()
    times = {"solve_s": solved - began, "solve_cpu_s": used, "write_s": clock.now() - solved}
    return outcome, proof, times


class _Writer:
    """Writes down one search."""

    def __init__(self, instance: Instance, slot: int, search: Search, bound: float) -> None:
        assert search.recorder is not None
        self.instance, self.data, self.bound = instance, search.data, bound
        self.n_servers = instance.scenario.n_servers
        self.model = Model(instance, slot, search.limits.hard)
        self.options = self._options()
        self.proof: dict[str, Any] = {
            "format": FORMAT, "instance_sha256": instance.content_sha256, "slot": slot,
            "hard": search.limits.hard, "bound": bound, "cost": None, "plan": None,
        }  # fmt: skip
        root = search.recorder.root
        kept = root.before.allowed if root.before else np.zeros(self.model.n, np.int64)
        self.proof["root"] = self._bits(kept)
        if search.plan is not None:
            self._add_plan(search.plan)
        self.proof["nodes"] = self._nodes(root)

    def written(self) -> dict[str, Any]:
        """The proof, with the greatest bound that the verifier accepts."""
        goal, reason = self.bound - LESS * abs(self.bound), ""
        for _ in range(TRIES):
            self.proof["bound"] = goal
            worst = self._complete()
            if worst >= goal:
                result = verify(self.instance, self.proof)
                if result.valid:
                    return self.proof
                reason = result.reason
                break
            reason = f"a region is worth {worst!r}, the bound is {self.bound!r}"
            goal = worst - 1e-12 * abs(worst)
            if goal < self.bound - MOST * abs(self.bound):
                break
        raise ProofError(f"slot {self.proof['slot']}: the bound could not be proven: {reason}")

    def _complete(self) -> float:
        """Fill in what nodes lack; the least value of a region that has to reach the bound."""
        model, claim = claim_of(self.instance, self.proof)
        checker = _Filling(model, claim, self.data)
        claim.numbers = checker.filled
        with np.errstate(all="ignore"):
            checker.check()
        return checker.worst

    def _add_plan(self, plan: Plan) -> None:
        devices = self.model.devices
        self.proof["plan"] = {
            "server": plan.server[0, devices].tolist(),
            "power_W": plan.power_W[0, devices].tolist(),
            "uav_xy_m": plan.uav_xy_m[0].tolist(),
        }
        with np.errstate(all="ignore"):
            self.proof["cost"] = cost_of(self.model, decision(self.model, self.proof["plan"]))

    def _options(self) -> list[list[int]]:
        """Bits of the servers for which each option of the search stands.

        A satellite that the search left out is no better than one that it kept.
        """
        found = []
        for k in range(len(self.data.n_options)):
            count = self.data.n_options[k]
            servers = [int(s) if s >= 0 else self.n_servers for s in self.data.server[k, :count]]
            bits = [1 << s for s in servers]
            kept = [i for i in range(count) if self.model.m <= servers[i] < self.n_servers]
            for s in range(self.model.m, self.n_servers):
                if not self.model.usable[k, s] or s in servers or not kept:
                    continue
                cost, slack = self.model.fixed.lo[k], self.model.slack_s[k]
                bits[min(kept, key=lambda i: _better(cost, slack, servers[i], s))] |= 1 << s
            found.append(bits)
        return found

    def _bits_of(self, k: int, mask: int) -> int:
        """Options of a device as bits of servers, refusal last."""
        return sum(bits for o, bits in enumerate(self.options[k]) if int(mask) >> o & 1)

    def _bits(self, allowed: Any) -> list[int]:
        return [self._bits_of(k, mask) for k, mask in enumerate(allowed)]

    def _nodes(self, root: Visit) -> list[dict[str, Any]]:
        """Nodes in order of breadth; what lies below a region that is closed is left out."""
        nodes: list[dict[str, Any]] = [{}]
        queue = deque([(root, nodes[0])])
        while queue:
            visit, node = queue.popleft()
            found, before, after = visit.found, visit.before, visit.after
            if found is None or before is None or after is None:
                continue
            fewer = bool((before.allowed != after.allowed).any())
            lighter = bool((before.spans != after.spans).any())
            closed = found.lower_bound >= self.bound or not visit.children
            if closed or fewer or lighter:
                node["numbers"] = self._numbers(visit)
            if closed and self.data.shared:
                node["numbers"]["leaf"] = True
            if closed:
                continue
            if fewer:
                node["left"] = self._bits(after.allowed)
            if lighter:
                idle = [[0, self.model.n]] * (self.n_servers - len(after.spans))
                node["span"] = after.spans.tolist() + idle
            children = list(range(len(nodes), len(nodes) + len(visit.children)))
            if visit.cut is not None:
                split: dict[str, Any] = dict(zip(("uav", "axis", "at"), visit.cut, strict=True))
            else:
                parts = [self._bits_of(visit.device, part) for part in visit.parts]
                split = {"device": visit.device, "parts": parts}
            node["split"] = split | {"children": children}
            nodes += [{} for _ in children]
            queue.extend(zip(visit.children, nodes[children[0] :], strict=True))
        return nodes

    def _rooms(self, region: Region, near: Array) -> list[int]:
        """(M,) by which room gains were linearised: the box's, reach's or that of a device."""
        data, found = self.data, []
        decided, _bits = receivers(data, region.allowed)
        for m, box in enumerate(region.boxes):
            who = np.flatnonzero(decided == m)
            discs = discs_of(data, start_reach(data), decided, m)
            which = _least_room(box, discs, near[m])
            found.append(which if which < 2 else 2 + int(who[which - 2]))
        return found

    def _numbers(self, visit: Visit) -> dict[str, Any]:
        assert visit.found is not None
        assert visit.before is not None
        found, data = visit.found.best, self.data
        n = len(found.core)
        discs = []
        for (m, x, y, _radius), weight in zip(found.disc, found.weight, strict=True):
            start = data.start_xy_m[int(m)]
            here = np.flatnonzero((data.device_xy_m == (x, y)).all(-1))
            d = 0 if x == start[0] and y == start[1] else 1 + int(here[0])
            if weight > 0:
                discs.append([int(m), d, float(weight)])
        return {
            "core": self._bits(found.core),
            "box": visit.before.boxes.reshape(-1, 2, 2).tolist(),
            "near": found.near.tolist(),
            "room": self._rooms(visit.before, found.near),
            "power": found.y[:n].tolist(),
            "place": found.y[n:].reshape(-1, 2).tolist(),
            "late": found.multiplier.tolist(),
            "discs": discs,
            "dual": [0.0] * n,
            "u": found.assigned.dual.tolist(),
            "lines": [],
        }


def _least_room(box: Array, discs: Array, near: Array) -> int:
    """Which room at a point the search took: 0 for the box's, else that of a disc, from 1."""
    best = (near[0] - box[0]) * (box[1] - near[0]) + (near[1] - box[2]) * (box[3] - near[1])
    which = 0
    for i, (x, y, radius) in enumerate(discs):
        value = (radius * RADIUS_SLACK) ** 2 - (near[0] - x) ** 2 - (near[1] - y) ** 2
        if value < best:
            best, which = value, 1 + i
    return which


def _better(cost: Array, slack: Array, kept: int, other: int) -> float:
    """How far a satellite is from being as good as another, in cost and slack."""
    return float(max(cost[kept] - cost[other], slack[other] - slack[kept]))


class _Filling(Checker):
    """Walks the tree as the verifier does, and fills in what nodes lack."""

    data: SlotData

    def __init__(self, model: Model, claim: Any, data: SlotData) -> None:
        super().__init__(model, claim)
        self.data, self.worst = data, np.inf

    def evaluate(self, ids: list[int], regions: Regions) -> tuple[Mask, Array, Array, Array]:
        """As the verifier's; values that have to reach the bound and do not are noted instead."""
        empty, total, option, load = super().evaluate(ids, regions)
        for i in np.flatnonzero(~(empty | (total >= self.bound))):
            node, allowed = self.claim.nodes[ids[i]], regions.allowed[i]
            if not node.children:
                self.worst, total[i] = min(self.worst, total[i]), np.inf
                continue
            if node.left is not None:
                dropped = allowed & ~node.left
                self.worst = min(self.worst, option[i][dropped].min(initial=np.inf))
                option[i][dropped] = np.inf
            if node.span is not None:
                loads, old, new = np.arange(self.model.n + 1), regions.span[i], node.span
                outside = (loads < new[:, :1]) | (loads > new[:, 1:])
                dropped = (loads >= old[:, :1]) & (loads <= old[:, 1:]) & outside
                self.worst = min(self.worst, load[i][dropped].min(initial=np.inf))
                load[i][dropped] = np.inf
        return empty, total, option, load

    def filled(self, regions: Regions, given: list[dict[str, Any]], floor: Array) -> Numbers:
        """The numbers of nodes, with lines and what the load problem pays."""
        for node, box in zip(given, regions.box, strict=True):
            if "box" in node and np.abs(node["box"] - box).max(initial=0.0) < SAME_M:
                del node["box"]
        found = numbers(self.model, regions, given, floor)
        regions = widened(regions, given)
        within = setting(self.model, regions, floor)
        core = cores(self.model, given)
        late = np.array([node["late"] for node in given])
        power = np.array([node["power"] for node in given])
        rows = rows_at(
            self.model, regions, within, core, found.near, found.room, power, found.place, late
        )
        slack = option_terms(self.model, *within.gains[:2])[1]
        for i, node in enumerate(given):
            if not node["lines"]:
                node["lines"] = self._lines(regions, within, rows, core[i], slack[i], i, node)
        found = numbers(self.model, regions, given, floor)
        price = prices(self.model, regions, found, within)
        for i, node in enumerate(given):
            if "u" in node:
                paid = node.pop("u")
                node["dual"] = self._dual(price[i], regions.allowed[i], core[i], rows.load[i], paid)
        found.dual = np.array([node["dual"] for node in given])
        if self.data.shared:
            total = bounds(self.model, regions, found, floor)[0]
            for i, node in enumerate(given):
                if node.pop("leaf", False) and not total[i] >= self.bound:
                    node["dual"] = best_dual(price[i], regions.span[i]).tolist()
            found.dual = np.array([node["dual"] for node in given])
        return found

    def _lines(
        self,
        regions: Regions,
        within: Setting,
        rows: Rows,
        core: Mask,
        slack: Array,
        i: int,
        node: dict[str, Any],
    ) -> list[list[float]]:
        """Lines of region i: [device, receiver, whether gains are linearised, tau, p, theta]."""
        model, found, wait = self.model, [], self.model.wait_s.lo
        for k in range(model.n):
            for r in range(model.m + 1):
                slacks = []
                for s in np.flatnonzero(regions.allowed[i, k, :-1] & (model.receiver == r)):
                    low, high = regions.span[i, s] if self.data.shared else (1, 1)
                    at = rows.load[i, s] if self.data.shared else 1
                    known = at if core[k, s] and rows.pick[i, k] == r else 0
                    loads = [c for c in range(max(low, 1), high + 1) if c != known]
                    slacks += [slack[k, s] - wait[k, s] * (c - 1) for c in loads]
                if slacks:
                    lines = upload_lines(self._upload(within, rows, i, k, r), np.array(slacks))
                    found += [[k, r, 0, *line] for line in lines.tolist()]
            if rows.pick[i, k] >= 0:
                found.append([k, int(rows.pick[i, k]), 1, *self._row_line(rows, i, k, node)])
        return found

    def _row_line(self, rows: Rows, i: int, k: int, node: dict[str, Any]) -> list[float]:
        """(tau, p, theta) at which device k's line touches its row where the search was."""
        pays, power = rows.power_slope[i, k].copy(), np.array(node["power"])
        pays[k] = 0.0
        j = int(pays.argmax())
        tau = rows.log_other[i, k, j] + power[j] - np.log(pays[j]) if pays[j] > 0 else 0.0
        return [float(tau), node["power"][k], node["late"][k]]

    def _upload(self, within: Setting, rows: Rows, i: int, k: int, r: int) -> Upload:
        """Device k's upload to receiver r in region i, as the verifier has it."""
        model, n = self.model, self.model.n
        low, high = within.gains[:2]
        heard = within.sure[i, :, r] & (np.arange(n) != k)
        a = np.where(heard, model.leak * np.exp(low[i, :, r] - high[i, k, r]), 0.0)
        slope = rows.power_slope[i, k].copy()
        limits = limits_of(within.low[i].copy(), float(model.p_high))
        rho = self.data.overrun_weight if model.hard else model.late_cap
        return Upload(
            k, float(model.load_s.lo[k, r]), float(model.propagation.lo) if r == model.m else 0.0,
            float(within.noise.lo * np.exp(-high[i, k, r])), model.latency, model.energy, rho,
            slope, a, limits, unmoved(n),
        )  # fmt: skip

    def _dual(
        self, price: Array, allowed: Mask, core: Mask, load: Array, paid: list[float]
    ) -> list[float]:
        """(n,) what the load problem pays: for each alone its least price.

        With shared compute what the search paid, over the price of the core; and a lot for whoever
        has one option, so that he is among the cheapest.
        """
        real = np.where(allowed[..., None] & np.isfinite(price), price, np.nan)
        if not self.data.shared:
            return np.nan_to_num(np.nanmin(real[..., 0], axis=1)).tolist()
        n, option = len(price), core.argmax(-1)
        at = np.append(load, 1)[option] - 1
        own = np.nan_to_num(real[np.arange(n), option, np.minimum(at, n - 1)])
        dual = own + np.array(paid)
        wide = np.nanmax(np.abs(real), initial=1.0) + np.abs(dual).max()
        return np.where(allowed.sum(-1) == 1, 4.0 * wide, dual).tolist()

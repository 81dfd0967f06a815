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

from minlp.branch_and_bound.filling import Filling
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.presolve import Region
from minlp.branch_and_bound.receivers import receivers
from minlp.branch_and_bound.record import Recorder, Visit
from minlp.branch_and_bound.search import Search
from minlp.slot.data import Array
from minlp.slot.geometry import RADIUS_SLACK
from minlp.slot.region import discs_of, start_reach
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Report, ignore
from satedge.verify.kernel.model import Model
from satedge.verify.kernel.region import cost_of
from satedge.verify.proof import FORMATS, ProofError, claim_of, decision, sets, verify

#: What the bound gives away of the solver's at once, and how much of it may go where the verifier
#: finds less in some region; relative.
LESS, MOST = 1e-9, 1e-4

#: How often the bound is lowered to what the regions allow.
TRIES = 4


def prove_slot(
    instance: Instance, slot: int, limits: Limits, report: Report = ignore
) -> tuple[Outcome, dict[str, Any], dict[str, float]]:
    """Branch and bound on a slot: outcome, proof, and seconds passed and used.

    With hard deadlines it proves that no plan meets them if that is what the search found. Where
    the verifier sees less in better slopes than the search did (chord and tangent of a gain tie
    where a copy lies in a corner), it is the proof of a search without them. Raises ProofError
    where there is nothing to prove.
    """
    try:
        return _proven(instance, slot, limits, report, True)
    except ProofError:
        return _proven(instance, slot, limits, report, False)


def _proven(
    instance: Instance, slot: int, limits: Limits, report: Report, climbs: bool
) -> tuple[Outcome, dict[str, Any], dict[str, float]]:
    """The proof of a search that climbs to better slopes or does not."""
    search = Search(instance, slot, limits, report)
    search.recorder, search.climbs = Recorder(), climbs
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
            "format": FORMATS[-1], "instance_sha256": instance.content_sha256, "slot": slot,
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
            if np.isneginf(worst):
                reason = "a region that the search found empty is not empty for the verifier"
            if goal < self.bound - MOST * abs(self.bound):
                break
        raise ProofError(f"slot {self.proof['slot']}: the bound could not be proven: {reason}")

    def _complete(self) -> float:
        """Fill in what nodes lack; the least value of a region that has to reach the bound."""
        model, claim = claim_of(self.instance, self.proof)
        for node, given in zip(claim.nodes, self.proof["nodes"], strict=False):
            node.given = sets(given)
            for numbers in node.given:
                numbers.pop("more", None)
        checker = Filling(model, claim, self.data)
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
            self.proof["cost"] = cost_of(self.model, *decision(self.proof["plan"]))

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
                cost, slack = self.model.fixed.lo[k], self.model.slack_s.hi[k]
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
                if len(found.copies):
                    node["lifted"] = self._lifted(visit)
                if not closed or not len(found.copies) or found.best.lower_bound >= self.bound:
                    node["numbers"] = self._numbers(visit)
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

    def _lifted(self, visit: Visit) -> dict[str, Any]:
        """The better slopes of a node, and where copies of positions were. Pays for positions are
        from the boxes' centres; nobody misses the last digits of what sums to zero anyway."""
        assert visit.found is not None
        assert visit.before is not None
        slopes, boxes, n = visit.found.slopes, visit.before.boxes, len(visit.found.best.core)
        centre = boxes.reshape(-1, 2, 2).mean(-1)
        places = slopes.place[:, : len(boxes)]
        pay = np.concatenate([slopes.power, places.reshape(n, -1)], 1)
        near = centre + visit.found.copies
        return {
            "box": boxes.reshape(-1, 2, 2).tolist(),
            "pay": [[float(f"{x:.9g}") for x in row] for row in pay],
            "near": near.tolist(),
            "room": [self._rooms(visit.before, xy) for xy in near],
            "discs": [],
            "dual": [0.0] * n,
            "u": (visit.found.dual - (places * centre).sum((1, 2))).tolist(),
            "lines": [],
        }

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

"""The verdict: that the leaves of a tree hold all plans, and that each costs at least the bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from satedge.verify.kernel.bound import Numbers, bounds
from satedge.verify.kernel.interval import Array
from satedge.verify.kernel.model import Index, Mask, Model
from satedge.verify.kernel.plan import Decision, cost_of
from satedge.verify.kernel.region import Regions, alone, expensive, separated, tighten

#: Most regions that are checked together.
BATCH = 128


@dataclass(eq=False)
class Node:
    """What a proof says of one region."""

    given: Sequence[Any] = ()  # sets of numbers, as `Claim.numbers` takes them: the best one counts
    left: Mask | None = None  # (n, O) options that stay
    span: Index | None = None  # (S, 2) loads that stay
    children: Sequence[int] = ()  # the region is divided:
    device: int = -1  # by options (O,) of this device
    parts: Sequence[Mask] = ()
    cut: tuple[int, int, float] | None = None  # or at a UAV, axis and coordinate


@dataclass(eq=False)
class Claim:
    """What a proof claims, and what it gives the check to go by: all of it may be wrong."""

    bound: float
    cost: float
    plan: Decision | None  # None: that no plan meets all deadlines
    keep: Mask  # (n, O) options that stay at the root in spite of their cost
    floor: Callable[[Model, Mask, float], Array]  # log-powers (n,) of allowed options and a bound
    discs: tuple[Array, Index]  # weights and discs of `separated`
    nodes: Sequence[Node]
    numbers: Callable[[Regions, list[Any], Array], Numbers]  # of regions, from `given` and floor


@dataclass(frozen=True)
class Result:
    """What a check found. Costs are sums over devices; the cost is infinite without a plan."""

    valid: bool
    reason: str
    cost: float = np.inf
    bound: float = -np.inf
    nodes: int = 0

    @property
    def gap(self) -> float:
        """(cost - bound) / cost; 0 where no plan is claimed to exist."""
        return (self.cost - self.bound) / self.cost if 0 < self.cost < np.inf else 0.0


class Checker:
    """The check of one claim."""

    def __init__(self, model: Model, claim: Claim) -> None:
        self.model, self.claim, self.bound = model, claim, claim.bound
        self.apart = separated(model, *claim.discs)
        self.queue: deque[tuple[int, Mask, Array, Index]] = deque()

    def check(self) -> Result:
        """The result; the first region that fails, and why."""
        cost = np.inf if self.claim.plan is None else cost_of(self.model, self.claim.plan)
        if self.claim.plan is not None and not abs(self.claim.cost - cost) <= 1e-9 * cost:
            return Result(False, f"incumbent: costs {cost!r}, claimed is {self.claim.cost!r}")
        sure = self.model.hard and self.bound > self.model.ceiling()
        if not self.bound <= cost < np.inf and not (self.claim.plan is None and sure):
            return Result(False, f"bound {self.bound!r}: above the incumbent, or what could be one")
        self.queue.append((0, *self.root()))
        count = 0
        while self.queue:
            batch = [self.queue.popleft() for _ in range(min(BATCH, len(self.queue)))]
            count += len(batch)
            if count > len(self.claim.nodes):
                return Result(False, f"more regions than the {len(self.claim.nodes)} nodes")
            ids, *parts = zip(*batch, strict=True)
            reason = self._part(list(ids), Regions(*map(np.array, parts)))
            if reason:
                return Result(False, reason)
        return Result(True, "", cost, self.bound, count)

    def root(self) -> tuple[Mask, Array, Index]:
        """All plans that may cost less than the bound; and least log-powers of their senders."""
        model, bound = self.model, self.bound
        span = np.array([[0, model.n]] * (model.n_options - 1), int).reshape(-1, 2)
        first = Regions(model.usable[None].copy(), model.box()[None], span[None].copy())
        tighten(model, self.apart, first)
        allowed = first.allowed[0]
        lone = np.where(allowed, alone(model, np.full(model.n, model.p_high)), np.inf)
        least, floor = lone.min(-1), self.claim.floor(model, allowed, bound)
        low = np.where(allowed, alone(model, floor), np.inf)[:, :-1]
        sure = expensive(model, least, bound, low).all(-1)
        self.floor = np.clip(np.where(sure, floor, -np.inf), model.p_low, model.p_high)
        allowed &= self.claim.keep | ~expensive(model, least, bound, lone)
        return allowed, model.box(), span

    def evaluate(self, ids: list[int], regions: Regions) -> tuple[Mask, Array, Array, Array]:
        """Which are empty (L,), after tightening in place, and their bounds as in `bounds`."""
        empty, (count, n, width) = tighten(self.model, self.apart, regions), regions.allowed.shape
        shapes = (count,), (count, n, width), (count, width - 1, n + 1)
        total, option, load = (np.full(shape, -np.inf) for shape in shapes)
        sets = [(i, g) for i in np.flatnonzero(~empty) for g in self.claim.nodes[ids[i]].given]
        if sets:
            which, part = [i for i, _ in sets], regions.take(np.array([i for i, _ in sets]))
            numbers = self.claim.numbers(part, [g for _, g in sets], self.floor)
            found = bounds(self.model, part, numbers, self.floor)
            for best, new in zip((total, option, load), found, strict=True):
                np.maximum.at(best, which, new)
        return empty, total, option, load

    def _part(self, ids: list[int], regions: Regions) -> str:
        """Check regions and queue their children; why one fails."""
        empty, total, option, load = self.evaluate(ids, regions)
        loads = np.arange(self.model.n + 1)
        for i in np.flatnonzero(~(empty | (total >= self.bound))):
            node, left, span = self.claim.nodes[ids[i]], regions.allowed[i], regions.span[i]
            keep = left if node.left is None else node.left
            new = span if node.span is None else node.span
            stay, rest = ((x[:, :1] <= loads) & (loads <= x[:, 1:]) for x in (span, new))
            dropped = (option[i] >= self.bound)[left & ~keep].all()
            if not (dropped and (load[i] >= self.bound)[stay & ~rest].all()):
                return f"node {ids[i]}: the bound of what it drops is below {self.bound!r}"
            left = left & keep
            fault = left.any(-1).all() and self._divide(ids[i], left, regions.box[i], new)
            if fault:
                return f"node {ids[i]}: bound {float(total[i])!r} < {self.bound!r}, {fault}"
        return ""

    def _divide(self, at: int, left: Mask, box: Array, span: Index) -> str:
        """Queue the children of a region; why they do not cover it."""
        node = self.claim.nodes[at]
        if any(not at < child < len(self.claim.nodes) for child in node.children):
            return "a child is no later node"
        parts = [(left.copy(), box.copy(), span) for _ in node.children]
        if node.cut is not None:
            (m, axis, value), (below, above) = node.cut, parts
            covered = box[m, axis, 0] <= value <= box[m, axis, 1]
            below[1][m, axis, 1] = above[1][m, axis, 0] = value
        else:
            covered = not (left[node.device] & ~np.any(node.parts, axis=0)).any()
            for (allowed, _box, _span), part in zip(parts, node.parts, strict=True):
                allowed[node.device] &= part
        self.queue.extend((c, *part) for c, part in zip(node.children, parts, strict=True))
        return "" if covered and parts else "not divided, or not into all of it"

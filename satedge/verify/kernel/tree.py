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

    left: Mask | None = None  # (n, O) options that stay
    span: Index | None = None  # (S, 2) loads that stay
    device: int = -1  # whose options are divided into `parts`,
    parts: Sequence[Mask] = ()  # (O,) each
    cut: tuple[int, int, float] | None = None  # or the UAV, axis and coordinate of a box's cut
    children: Sequence[int] = ()
    given: Any = None  # its numbers, as `Claim.numbers` takes them


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
        """(cost - bound) / cost, 0 where no plan is claimed to exist."""
        return (self.cost - self.bound) / self.cost if 0 < self.cost < np.inf else 0.0


class Checker:
    """The check of one claim."""

    def __init__(self, model: Model, claim: Claim) -> None:
        self.model, self.claim, self.bound = model, claim, claim.bound
        self.apart = separated(model, *claim.discs)

    def check(self) -> Result:
        """The result; the first region that fails, and why."""
        model, claim = self.model, self.claim
        cost = np.inf
        if claim.plan is not None:
            cost = cost_of(model, claim.plan)
            if not abs(claim.cost - cost) <= 1e-9 * cost:
                return Result(False, f"incumbent: costs {cost!r}, claimed is {claim.cost!r}")
        elif not (model.hard and self.bound > model.ceiling()):
            return Result(False, "no plan, and a bound below what plans in time may cost")
        if not (np.isfinite(self.bound) and self.bound <= cost):
            return Result(False, f"bound {self.bound!r}: above the incumbent")
        queue, count = deque([(0, *self.root())]), 0
        while queue:
            batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
            count += len(batch)
            if count > len(claim.nodes):
                return Result(False, f"more regions than the {len(claim.nodes)} nodes")
            ids, *parts = zip(*batch, strict=True)
            reason = self._part(list(ids), Regions(*map(np.array, parts)), queue)
            if reason:
                return Result(False, reason)
        return Result(True, "", cost, self.bound, count)

    def root(self) -> tuple[Mask, Array, Index]:
        """All plans that may cost less than the bound; and least log-powers of their senders."""
        model, claim, span = (
            self.model,
            self.claim,
            [[0, self.model.n]] * (self.model.n_options - 1),
        )
        first = Regions(model.usable[None].copy(), model.box()[None], np.array([span], int))
        tighten(model, self.apart, first)
        allowed = first.allowed[0]
        lone = np.where(allowed, alone(model, np.full(model.n, model.p_high)), np.inf)
        least, floor = lone.min(-1), claim.floor(model, allowed, self.bound)
        low = np.where(allowed, alone(model, floor), np.inf)[:, :-1].min(-1, initial=np.inf)
        floor = np.where(expensive(model, least, self.bound, low), floor, -np.inf)
        self.floor = np.clip(floor, model.p_low, model.p_high)
        dear = expensive(model, least, self.bound, lone) & ~claim.keep
        return allowed & ~dear, model.box(), np.array(span, int)

    def evaluate(self, ids: list[int], regions: Regions) -> tuple[Mask, Array, Array, Array]:
        """Which are empty (L,), after tightening in place, and their bounds as in `bounds`."""
        empty = tighten(self.model, self.apart, regions)
        shape, n = regions.allowed.shape, self.model.n
        total, option = np.full(len(ids), -np.inf), np.full(shape, -np.inf)
        load = np.full((len(ids), shape[2] - 1, n + 1), -np.inf)
        given = [self.claim.nodes[i].given for i in ids]
        which = [i for i in np.flatnonzero(~empty) if given[i] is not None]
        if which:
            part = regions.take(np.array(which))
            numbers = self.claim.numbers(part, [given[i] for i in which], self.floor)
            total[which], option[which], load[which] = bounds(self.model, part, numbers, self.floor)
        return empty, total, option, load

    def _part(self, ids: list[int], regions: Regions, queue: deque) -> str:
        """Check regions and queue their children; why one fails."""
        empty, total, option, load = self.evaluate(ids, regions)
        for i in np.flatnonzero(~(empty | (total >= self.bound))):
            node, left, span = self.claim.nodes[ids[i]], regions.allowed[i], regions.span[i]
            keep = left if node.left is None else node.left
            if not (option[i] >= self.bound)[left & ~keep].all():
                return f"node {ids[i]}: an option is dropped whose bound is below {self.bound!r}"
            loads, new = np.arange(self.model.n + 1), span if node.span is None else node.span
            inside = [(x[:, :1] <= loads) & (loads <= x[:, 1:]) for x in (span, new)]
            if not (load[i] >= self.bound)[inside[0] & ~inside[1]].all():
                return f"node {ids[i]}: a load is dropped whose bound is below {self.bound!r}"
            left = left & keep
            fault = (
                ""
                if not left.any(-1).all()
                else self._divide(ids[i], left, regions.box[i], new, queue)
            )
            if fault:
                return f"node {ids[i]}: bound {float(total[i])!r} < {self.bound!r}, {fault}"
        return ""

    def _divide(self, at: int, left: Mask, box: Array, span: Index, queue: deque) -> str:
        """Queue the children of a region; why they do not cover it."""
        node = self.claim.nodes[at]
        if any(not at < child < len(self.claim.nodes) for child in node.children):
            return "a child is no later node"
        if node.cut is not None:
            m, axis, value = node.cut
            halves = [box.copy(), box.copy()]
            halves[0][m, axis, 1], halves[1][m, axis, 0] = value, value
            if not box[m, axis, 0] <= value <= box[m, axis, 1] or len(node.children) != 2:
                return "its halves do not cover its box"
            queue.extend(
                (c, left, half, span) for c, half in zip(node.children, halves, strict=True)
            )
            return ""
        if len(node.parts) != len(node.children) or not node.parts:
            return "not divided"
        if (left[node.device] & ~np.any(node.parts, axis=0)).any():
            return f"its children leave out options of device {node.device}"
        for child, part in zip(node.children, node.parts, strict=True):
            allowed = left.copy()
            allowed[node.device] &= part
            queue.append((child, allowed, box, span))
        return ""

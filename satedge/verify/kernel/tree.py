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
from satedge.verify.kernel.region import Regions, cost_of, separated, tighten

#: Most regions that are checked together.
BATCH = 128


@dataclass(eq=False)
class Node:
    """What a proof says of one region."""

    given: Sequence[Any] = ()  # sets of numbers, as `Claim.numbers` takes them: the best one counts
    left: Mask | None = None  # (n, O) options that stay
    span: Index | None = None  # (O, 2) loads that stay
    children: Sequence[int] = ()  # the region is divided:
    device: int = -1  # by options of this device,
    parts: Sequence[Mask] = ()  # (O,) a child;
    cut: tuple[int, int, float] | None = None  # at a UAV, axis and coordinate;
    floor: Array | None = None  # (n,) by who sends at less: a child a device, and one for nobody


@dataclass(eq=False)
class Claim:
    """What a proof claims, and what it gives the check to go by: all of it may be wrong."""

    bound: float
    plan: tuple[Index, Array, Array] | None  # as `cost_of` takes it; None: none is in time
    discs: tuple[Array, Index]  # weights and discs of `separated`
    nodes: Sequence[Node]  # the last is the root
    numbers: Callable[[Regions, list[Any]], Numbers]  # of regions, from `given`


class Checker:
    """The check of one claim."""

    def __init__(self, model: Model, claim: Claim) -> None:
        self.model, self.claim, self.visits = model, claim, 0
        self.bound, self.nodes = claim.bound, claim.nodes
        self.cost = np.inf if claim.plan is None else cost_of(model, *claim.plan)
        self.apart = separated(model, *claim.discs)
        self.queue = deque([(len(self.nodes) - 1, Regions.everything(model))])

    def check(self) -> str:
        """The first region that fails, and why; nothing if the claim is proven."""
        nobody = self.claim.plan is None and self.model.hard and self.bound > self.model.ceiling()
        if not (self.bound <= self.cost < np.inf or nobody):
            return f"bound {self.bound!r}: above the incumbent, or what could be one"
        reason = ""
        while self.queue and not reason:
            batch = [self.queue.popleft() for _ in range(min(BATCH, len(self.queue)))]
            self.visits += len(batch)
            if self.visits > len(self.nodes):
                return f"more regions than the {len(self.nodes)} nodes"
            ids, regions = zip(*batch, strict=True)
            reason = self._part(ids, _together(regions))
        return reason

    def evaluate(self, ids: Sequence[int], regions: Regions) -> tuple[Mask, list[Array]]:
        """Which are empty (L,), after tightening in place, and their bounds as in `bounds`."""
        empty, (size, n, width) = tighten(self.model, self.apart, regions), regions.allowed.shape
        best = [np.full(x, -np.inf) for x in ((size,), (size, n, width), (size, width, n + 1))]
        sets = [(i, g) for i, at in enumerate(ids) if not empty[i] for g in self.nodes[at].given]
        if sets:
            which, given = (list(x) for x in zip(*sets, strict=True))
            part = regions.take(which)
            numbers = self.claim.numbers(part, given)
            for known, new in zip(best, bounds(self.model, part, numbers), strict=True):
                np.fmax.at(known, which, new)  # a set that gives NaN proves nothing
        return empty, best

    def _part(self, ids: Sequence[int], regions: Regions) -> str:
        """Check regions and queue their children; why one fails."""
        empty, (total, option, load) = self.evaluate(ids, regions)
        loads = np.arange(self.model.n + 1)
        for i in np.flatnonzero(~(empty | (total >= self.bound))).tolist():
            node, region = self.nodes[ids[i]], regions.take(i)
            left = region.allowed if node.left is None else node.left
            span = region.span if node.span is None else node.span
            stay, rest = ((x[:, :1] <= loads) & (loads <= x[:, 1:]) for x in (region.span, span))
            dropped = option[i][region.allowed & ~left], load[i][stay & ~rest]
            if not all((x >= self.bound).all() for x in dropped):
                return f"node {ids[i]}: the bound of what it drops is below {self.bound!r}"
            region = region._replace(allowed=region.allowed & left, span=span)
            if region.allowed.any(-1).all() and not (node.children and self._divided(node, region)):
                return f"node {ids[i]}: bound {float(total[i])!r} < {self.bound!r}, not divided"
        return ""

    def _divided(self, node: Node, region: Regions) -> bool:
        """Queue the children of a region; whether they cover it."""
        parts, covered = _together([region] * len(node.children)), True
        if node.cut is not None:
            m, axis, value = node.cut
            parts.box[0, m, axis, 1] = parts.box[1, m, axis, 0] = value
        elif node.floor is not None:
            covered, k = len(node.children) == self.model.n + 1, np.arange(self.model.n)
            parts.allowed[k, k, -1] = False
            parts.power[k, k, 1] = np.minimum(parts.power[k, k, 1], node.floor)
            parts.power[-1, :, 0] = np.maximum(parts.power[-1, :, 0], node.floor)
        else:
            covered = not (region.allowed[node.device] & ~np.any(node.parts, axis=0)).any()
            parts.allowed[:, node.device] &= node.parts
        self.queue.extend((c, parts.take(i)) for i, c in enumerate(node.children))
        return covered


def _together(regions: Sequence[Regions]) -> Regions:
    """As copies."""
    return Regions(*(np.stack(part) for part in zip(*regions, strict=True)))

"""The tree of one slot, all its leaves kept: a partition of the slot's plans with certified bounds.

Branch and bound for a single slot drops what is more expensive than its incumbent. Over a horizon a
slot may have to cost more than it could alone, so here every leaf stays until no plan of the whole
horizon can use it. Bounds and branching are those of `branch_and_bound.node`; costs are sums over
devices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from minlp.branch_and_bound.branching import Start
from minlp.branch_and_bound.loads import full_spans
from minlp.branch_and_bound.node import DEVICE, NOTHING, evaluate_node
from minlp.branch_and_bound.presolve import (
    Region,
    copied,
    least_powers,
    lone_costs,
    outer_boxes,
    tighten,
)
from minlp.branch_and_bound.receivers import receivers, require_masks
from minlp.slot.data import Array, IntArray, SlotData

#: A leaf whose candidate costs no more than this above its bound, relatively, is as good as exact.
EXACT = 1e-5

#: A box is small beside one that has an edge this many times longer.
SMALL = 0.05


class Cut(NamedTuple):
    """The line on which a UAV's box falls into two."""

    uav: int
    axis: int
    at_m: float

    def splits(self, leaf: Leaf) -> bool:
        """Whether both sides of it have more than a millimetre."""
        low, high = leaf.region.boxes[self.uav, 2 * self.axis : 2 * self.axis + 2]
        return bool(low + 1e-3 < self.at_m < high - 1e-3)


@dataclass(frozen=True, eq=False)
class Leaf:
    """Plans with these options and positions cost at least `bound`."""

    bound: float
    region: Region
    """What they may choose."""
    start: Start
    """Where the solver ended."""
    xy_m: Array
    """(M, 2) positions of a candidate, which costs `cost`."""
    cost: float
    kind: int
    index: int

    @property
    def loss(self) -> float:
        """What branching could gain at most, as far as is known."""
        return self.cost - self.bound if self.kind != NOTHING else 0.0

    def loose(self, share: float = EXACT) -> bool:
        """Whether branching could gain more than that share of the bound."""
        return self.loss > share * abs(self.bound)


def middle(leaf: Leaf) -> Cut:
    """Across the longest edge of the UAV to branch on, or of the widest where that one is small.

    A small box loses nothing by itself: what is lost then comes from where other UAVs disturb.
    """
    edges = leaf.region.boxes[:, 1::2] - leaf.region.boxes[:, 0::2]
    uav = leaf.index
    if edges[uav].max() < SMALL * edges.max():
        uav = int(edges.max(axis=1).argmax())
    axis = int(edges[uav].argmax())
    return Cut(uav, axis, float(leaf.region.boxes[uav, 2 * axis : 2 * axis + 2].mean()))


@dataclass
class SlotTree:
    """Leaves of a slot. No plan with a cost below `ceiling` is lost. Built by `slot_tree`."""

    data: SlotData
    ceiling: float
    floor: Array
    """(n,) log-powers below which a plan costs more than the ceiling."""
    gap: float
    leaves: list[Leaf] = field(default_factory=list)
    nodes: int = 0

    def expand(self, leaf: Leaf, cut: Cut | None = None) -> list[Leaf]:
        """What a leaf falls into: both sides of a cut, or by the leaf's own branching."""
        parts = self._parts(leaf) if cut is None else self._sides(leaf, cut)
        found = (self._evaluated(part, leaf) for part in parts)
        return [child for child in found if child is not None]

    def _evaluated(self, region: Region, parent: Leaf) -> Leaf | None:
        """A leaf with its bound; None where it is empty or more expensive than the ceiling."""
        if not tighten(self.data, region):
            return None
        self.nodes += 1
        aim = 0.1 * self.gap * (abs(parent.bound) if np.isfinite(parent.bound) else 1e-3)
        start = parent.start
        found = evaluate_node(
            self.data, region, self.floor, start.point, start.choice, start.dual, start.slopes, 0,
            np.inf, aim, False,
        )  # fmt: skip
        bound = max(found.lower_bound, parent.bound)
        if bound >= self.ceiling:
            return None
        point = np.r_[found.log_power, found.xy_m.ravel()]
        after = Start(point, found.choice, found.dual)
        kind, target = found.kind, found.target
        return Leaf(bound, region, after, found.xy_m, found.candidate_cost, kind, target)

    def _parts(self, leaf: Leaf) -> list[Region]:
        if leaf.kind != DEVICE:
            return self._sides(leaf, middle(leaf))
        parts = []
        for o in range(int(self.data.n_options[leaf.index])):
            if leaf.region.allowed[leaf.index] >> o & 1:
                parts.append(copied(leaf.region))
                parts[-1].allowed[leaf.index] = 1 << o
        return parts

    def _sides(self, leaf: Leaf, cut: Cut) -> list[Region]:
        low, high = copied(leaf.region), copied(leaf.region)
        low.boxes[cut.uav, 2 * cut.axis + 1] = high.boxes[cut.uav, 2 * cut.axis] = cut.at_m
        return [low, high]

    def decided(self, leaf: Leaf) -> IntArray:
        """UAVs that certainly serve somebody."""
        single, _bits = receivers(self.data, leaf.region.allowed)
        return np.unique(single[(single >= 0) & (single < len(leaf.region.boxes))])


def slot_tree(data: SlotData, ceiling: float, gap: float) -> SlotTree:
    """The tree of a slot with its root alone.

    `ceiling` is what the slot costs at most in any plan of interest, and an idle slot has one
    leaf at no cost, its UAVs anywhere within reach.
    """
    require_masks(data)
    boxes = outer_boxes(data)
    n = len(data.n_options)
    spans = full_spans(data)
    begin = Start(np.zeros(0), np.zeros(0, np.int64), np.zeros(0))
    anywhere = Region(np.zeros(0, np.int64), boxes, spans)
    whole = Leaf(0.0, anywhere, begin, data.start_xy_m.copy(), 0.0, NOTHING, -1)
    if n == 0:
        return SlotTree(data, np.inf, np.zeros(0), gap, [whole])
    lone = lone_costs(data, boxes)
    tree = SlotTree(data, ceiling, least_powers(data, lone, boxes, ceiling * (1 + 1e-9)), gap)
    least = lone.min(axis=1)
    keep = least.sum() - least[:, None] + lone <= ceiling * (1 + 1e-9)
    keep &= np.isfinite(lone)
    bits = 1 << np.arange(lone.shape[1], dtype=np.int64)
    point = np.r_[np.full(n, data.log_power_max), data.start_xy_m.ravel()]
    begin = Start(point, lone.argmin(axis=1), np.zeros(n))
    region = Region((keep * bits).sum(axis=1), boxes.copy(), spans)
    root = Leaf(-np.inf, region, begin, whole.xy_m, np.inf, NOTHING, -1)
    if (region.allowed > 0).all():
        found = tree._evaluated(copied(region), root)
        tree.leaves = [] if found is None else [found]
    return tree

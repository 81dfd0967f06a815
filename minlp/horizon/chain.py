"""A certified bound on a whole horizon: the cheapest chain of slot leaves that motion allows.

Every slot's plans are partitioned into leaves, each with a bound and a box for every UAV
(`leaves`). A plan of the horizon lies in one leaf of every slot, and consecutive ones have boxes no
farther apart than a UAV flies in a slot. So the cheapest chain of leaves of which neighbours are
that near, found by dynamic programming (Bellman 1957), bounds every plan. It is raised by
refining the leaves of the cheapest chain: by branch and bound where a leaf's own bound is loose,
by halving a UAV's box where the chain's positions are farther apart than the UAV flies.

A leaf through which no chain is cheaper than the known plan is dropped. Costs are sums over
devices.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from minlp.horizon.leaves import EXACT, Cut, Leaf, SlotTree, slot_tree
from minlp.slot.data import Array, SlotData
from satedge.problem import clock

#: Boxes this much farther apart than the reach still count as near: the referee's tolerance.
NEAR_M = 1e-5

#: A leaf that may lose more than this share of its bound is branched before boxes are halved.
BRANCH_FIRST = 1e-3

#: Places this share of the reach too far apart are not worth a cut.
MISSED = 0.01

Flags = NDArray[np.bool_]


@dataclass
class Chain:
    """Layers of leaves, one a slot. Built by `chain_of`."""

    trees: list[SlotTree]
    reach_m: float
    slot_costs: Array
    """(T,) of the known plan."""
    near: list[Flags] = field(default_factory=list)
    """(L_t, L_{t+1}) whether leaves of t and t + 1 may follow each other."""
    path: list[int] = field(default_factory=list)
    """Leaves of the cheapest chain."""
    bound: float = -np.inf

    @property
    def upper(self) -> float:
        """Cost of the known plan."""
        return float(self.slot_costs.sum())

    def update(self) -> None:
        """The cheapest chain, and its cost as bound; leaves that cannot matter are dropped."""
        ahead = self._onward()
        here = ahead[0]
        best = float(here.min(initial=np.inf))
        self.bound = max(self.bound, min(best, self.upper))
        if not best < self.upper:
            return
        self.path = [int(here.argmin())]
        for t, near in enumerate(self.near):
            here = np.where(near[self.path[t]], ahead[t + 1], np.inf)
            self.path.append(int(here.argmin()))
        self._prune(ahead)

    def _bounds(self, t: int) -> Array:
        return np.array([leaf.bound for leaf in self.trees[t].leaves])

    def _onward(self) -> list[Array]:
        """(L_t,) for every slot: cost of the cheapest chain from each leaf to the end."""
        ahead = [self._bounds(len(self.trees) - 1)]
        for t in reversed(range(len(self.near))):
            after = np.where(self.near[t], ahead[0], np.inf).min(axis=1, initial=np.inf)
            ahead.insert(0, self._bounds(t) + after)
        return ahead

    def _prune(self, ahead: list[Array]) -> None:
        """Drop leaves through which every chain costs at least the known plan."""
        before = np.zeros(len(ahead[0]))
        for t in range(len(ahead)):
            keep = before + ahead[t] < self.upper
            bounds = self._bounds(t)
            if t < len(self.near):
                through = np.where(self.near[t], (before + bounds)[:, None], np.inf)
                before = through.min(axis=0, initial=np.inf)
                self.near[t] = self.near[t][keep]
            if t > 0:
                self.near[t - 1] = self.near[t - 1][:, keep]
            self.path[t] = int(np.flatnonzero(keep).searchsorted(self.path[t]))
            leaves = self.trees[t].leaves
            self.trees[t].leaves = [leaves[i] for i in np.flatnonzero(keep)]

    def replace(self, t: int, i: int, children: list[Leaf]) -> None:
        """Put children in the place of leaf i of slot t."""
        tree = self.trees[t]
        tree.leaves = tree.leaves[:i] + tree.leaves[i + 1 :] + children
        if t > 0:
            fresh = near_boxes(self.trees[t - 1].leaves, children, self.reach_m)
            kept = np.delete(self.near[t - 1], i, axis=1)
            self.near[t - 1] = np.hstack([kept, fresh])
        if t < len(self.near):
            fresh = near_boxes(children, self.trees[t + 1].leaves, self.reach_m)
            self.near[t] = np.vstack([np.delete(self.near[t], i, axis=0), fresh])

    def cuts(self) -> dict[int, Cut]:
        """Slot -> where to cut its leaf of the chain, one a slot, if places are too far apart."""
        on_path = self.on_path()
        found: dict[int, Cut] = {}
        for m, stops in enumerate(self.stops()):
            for s, t in itertools.pairwise(stops):
                places = on_path[s].xy_m[m], on_path[t].xy_m[m]
                for u, cut in enumerate(separating(*places, t - s, m, self.reach_m), s):
                    if cut.splits(on_path[u]):
                        found.setdefault(u, cut)
        return found

    def on_path(self) -> list[Leaf]:
        """The leaves of the cheapest chain."""
        return [tree.leaves[i] for tree, i in zip(self.trees, self.path, strict=True)]

    def stops(self) -> list[list[int]]:
        """For every UAV the slots in which it certainly serves somebody on the cheapest chain."""
        serving = [t.decided(x) for t, x in zip(self.trees, self.on_path(), strict=True)]
        uavs = range(len(self.trees[0].data.start_xy_m))
        return [[t for t, busy in enumerate(serving) if m in busy] for m in uavs]

    def refine(self) -> int:
        """Expand leaves of the cheapest chain, one a slot; how many.

        Only slots that the chain has cheaper than the known plan, and those beside them: what is
        saved in a slot is paid for in its neighbours.
        """
        cuts = self.cuts()
        expanded = 0
        for t in map(int, np.flatnonzero(self._active())):
            tree, i = self.trees[t], self.path[t]
            leaf, cut = tree.leaves[i], cuts.get(t)
            if leaf.loose(BRANCH_FIRST) or (cut is None and leaf.loose()):
                cut = None
            elif cut is None:
                continue
            self.replace(t, i, tree.expand(leaf, cut))
            expanded += 1
        return expanded

    def _active(self) -> Flags:
        on_path = zip(self.trees, self.path, strict=True)
        bounds = np.array([tree.leaves[i].bound for tree, i in on_path])
        cheap = bounds < self.slot_costs * (1 - EXACT)
        beside = cheap.copy()
        beside[1:] |= cheap[:-1]
        beside[:-1] |= cheap[1:]
        return beside


def separating(from_xy_m: Array, to_xy_m: Array, steps: int, uav: int, reach_m: float) -> list[Cut]:
    """Cuts in each of `steps` + 1 slots after which no chain passes from one place to the other.

    Along the axis of the greater distance d: the first cut a little beyond the start, the last a
    little before the goal, the others at equal distances between, each more than the reach.
    Nothing where the flight is possible, or impossible on the diagonal alone.
    """
    away = to_xy_m - from_xy_m
    axis = int(np.abs(away).argmax())
    excess = abs(float(away[axis])) - steps * reach_m
    if excess <= MISSED * reach_m:
        return []
    sign = np.sign(away[axis])
    first, last = from_xy_m[axis] + 0.25 * sign * excess, to_xy_m[axis] - 0.25 * sign * excess
    return [Cut(uav, axis, float(x)) for x in np.linspace(first, last, steps + 1)]


def near_boxes(before: list[Leaf], after: list[Leaf], reach_m: float) -> Flags:
    """(B, A) whether every UAV may fly from its box in one leaf to its box in the other."""
    n_uavs = len((before or after)[0].region.boxes) if before or after else 0
    if not before or not after or n_uavs == 0:
        return np.ones((len(before), len(after)), bool)
    a, b = (np.stack([leaf.region.boxes for leaf in leaves]) for leaves in (before, after))
    a, b = a[:, None], b[None]
    dx = np.maximum(np.maximum(a[..., 0] - b[..., 1], b[..., 0] - a[..., 1]), 0.0)
    dy = np.maximum(np.maximum(a[..., 2] - b[..., 3], b[..., 2] - a[..., 3]), 0.0)
    within = dx**2 + dy**2 <= (reach_m * (1 + 1e-8) + NEAR_M) ** 2
    return np.asarray(within.all(axis=-1))


def chain_of(
    data: list[SlotData], slot_costs: Array, slot_bounds: Array, reach_m: float, gap: float
) -> Chain:
    """The chain of slots whose known plan costs `slot_costs` (T,) and bounds are `slot_bounds`.

    Both are sums over devices. In a plan that is cheaper than the known one a slot costs at most
    its bound and the whole gap more.
    """
    room = float((slot_costs - slot_bounds).sum())
    trees = []
    for slot, bound in zip(data, slot_bounds.tolist(), strict=True):
        tree = slot_tree(slot, bound + room * (1 + 1e-6) + 1e-9, gap)
        tree.leaves = [dataclasses.replace(x, bound=max(x.bound, bound)) for x in tree.leaves]
        trees.append(tree)
    near = [near_boxes(a.leaves, b.leaves, reach_m) for a, b in itertools.pairwise(trees)]
    return Chain(trees, reach_m, slot_costs, near)


def chain_bound(chain: Chain, gap: float, stop_at: float) -> float:
    """Raise the bound until it is within the relative gap of the plan, or time is up."""
    chain.update()
    while chain.bound < chain.upper * (1 - gap) and clock.now() < stop_at:
        if not chain.refine():
            break
        chain.update()
    return chain.bound

"""Open nodes of branch and bound, and how they are divided."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from minlp.branch_and_bound.copies import Slopes, new_slopes
from minlp.branch_and_bound.node import DEVICE, Evaluation
from minlp.branch_and_bound.presolve import Region, copied
from minlp.slot.data import Array, IntArray, SlotData


@dataclass(frozen=True, eq=False)
class Start:
    """Where a child's convex problem, choice of servers and load problem begin."""

    point: Array
    """(n + 2M,) log-powers and positions."""
    choice: IntArray
    """(n,) option indices."""
    dual: Array
    """(n,) what the load problem pays for each device."""
    slopes: Slopes = field(default_factory=lambda: new_slopes(0, 0))
    """What copies of powers and positions pay; no rows where that is not known."""


@dataclass(frozen=True, order=True)
class Node:
    """An open node, ordered by its bound."""

    lower_bound: float
    serial: int
    region: Region = field(compare=False)
    start: Start = field(compare=False)
    kind: int = field(compare=False)
    index: int = field(compare=False)
    parts: list[int] = field(compare=False)


def twins_of(data: SlotData) -> list[IntArray]:
    """Groups of servers that nobody can tell apart: rows (n, S) of the options that lead there."""
    if not data.shared or len(data.n_options) == 0:
        return []
    n, n_servers = len(data.n_options), int(data.server.max()) + 1
    groups: dict[bytes, list[IntArray]] = {}
    for s in range(n_servers):
        at = np.full(n, -1)
        facts = np.zeros((n, 5))
        for k, o in zip(*np.nonzero(data.server == s), strict=True):
            if o < data.n_options[k]:
                at[k] = o
                facts[k] = (
                    1.0, data.receiver[k, o], data.fixed_cost[k, o], data.execute_s[k, o],
                    data.slack_s[k, o],
                )  # fmt: skip
        groups.setdefault(facts.tobytes(), []).append(np.r_[at, s])
    return [np.array(group).T for group in groups.values() if len(group) > 1]


def without_twins(region: Region, k: int, twins: list[IntArray]) -> int:
    """Bits of device k's options less those of servers that no one can tell from another here.

    Where the region stays the same if two servers change names, plans with k on the second are
    plans with k on the first under other names, of the same cost.
    """
    left = int(region.allowed[k])
    for group in twins:
        options, servers = group[:-1], group[-1]
        open_ = (options >= 0) & (region.allowed[:, None] >> np.maximum(options, 0) & 1 == 1)
        seen: set[bytes] = set()
        for i, s in enumerate(servers):
            state = open_[:, i].tobytes() + region.spans[s].tobytes()
            if state in seen and open_[k, i]:
                left &= ~(1 << int(options[k, i]))
            seen.add(state)
    return left


def parts_of(region: Region, found: Evaluation, twins: list[IntArray]) -> list[int]:
    """Bits of the options of the device to branch on, a child each."""
    left = without_twins(region, found.target, twins)
    first, rest = left & found.first, left & ~found.first
    if found.whole:
        parts = [first, rest]
    else:
        parts = [first] + [1 << o for o in range(rest.bit_length()) if rest >> o & 1]
    return [part for part in parts if part]


def children_of(node: Node) -> list[Region]:
    """Regions of the children: parts of a device, or halves of a box."""
    if node.kind == DEVICE:
        children = []
        for part in node.parts:
            children.append(copied(node.region))
            children[-1].allowed[node.index] = part
        return children
    low, high = copied(node.region), copied(node.region)
    box = node.region.boxes[node.index]
    axis = 0 if box[1] - box[0] >= box[3] - box[2] else 2
    middle = 0.5 * (box[axis] + box[axis + 1])
    low.boxes[node.index, axis + 1] = high.boxes[node.index, axis] = middle
    return [low, high]

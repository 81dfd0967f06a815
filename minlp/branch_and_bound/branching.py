"""Open nodes of branch and bound, and how they are divided."""

from __future__ import annotations

from dataclasses import dataclass, field

from minlp.branch_and_bound.node import DEVICE, Evaluation
from minlp.branch_and_bound.presolve import Region, copied
from minlp.branch_and_bound.prices import Slopes
from minlp.slot.data import Array, IntArray


@dataclass(frozen=True, eq=False)
class Start:
    """Where a child's convex problem, choice of servers and load problem begin."""

    point: Array
    """(n + 2M,) log-powers and positions."""
    choice: IntArray
    """(n,) option indices."""
    dual: Array
    """(n,) what the load problem pays for each device."""
    slopes: Slopes
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


def parts_of(allowed: IntArray, found: Evaluation) -> list[int]:
    """Bits of the options of the device to branch on, a child each."""
    left = int(allowed[found.target])
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

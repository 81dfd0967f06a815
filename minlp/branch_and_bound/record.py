"""What a search did, node by node, kept for a proof of its bound (`proof`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from minlp.branch_and_bound.branching import Node
from minlp.branch_and_bound.node import DEVICE, Evaluation
from minlp.branch_and_bound.presolve import Region, copied


@dataclass(eq=False)
class Visit:
    """One region of the tree: its bound, what was dropped from it, and how it was divided."""

    found: Evaluation | None = None  # None where the region is empty
    before: Region | None = None  # tightened, before options and loads were dropped
    after: Region | None = None
    device: int = -1
    parts: list[int] = field(default_factory=list)
    cut: tuple[int, int, float] | None = None  # UAV, axis and coordinate
    children: list[Visit] = field(default_factory=list)


class Recorder:
    """Keeps the tree of a search; visits come in the order in which children are made."""

    def __init__(self) -> None:
        self.root = Visit()
        self._of_node: dict[int, Visit] = {}
        self._of_region: dict[int, Visit] = {}
        self._now = self.root

    def tightened(self, region: Region) -> None:
        """The region now visited is not empty."""
        self._now.before = copied(region)
        self._of_region[id(region)] = self._now

    def visited(self, region: Region, found: Evaluation) -> None:
        """The bound of a region is known, and what was dropped from it."""
        self._now = self._of_region.pop(id(region))
        self._now.found, self._now.after = found, copied(region)

    def opened(self, serial: int) -> None:
        """The region now visited became an open node."""
        self._of_node[serial] = self._now

    def divided(self, node: Node, children: list[Region]) -> list[Visit]:
        """A node is divided; `begin` says which of its children is visited next."""
        visit = self._of_node.pop(node.serial)
        visit.children = [Visit() for _ in children]
        if node.kind == DEVICE:
            visit.device, visit.parts = node.index, node.parts
        else:
            low, high = children[0].boxes[node.index], children[1].boxes[node.index]
            axis = 0 if low[1] == high[0] else 1
            visit.cut = (node.index, axis, float(low[2 * axis + 1]))
        return visit.children

    def begin(self, visit: Visit) -> None:
        """The next region visited is this one."""
        self._now = visit

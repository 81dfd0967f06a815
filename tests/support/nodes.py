"""Nodes of searches over all presets and scopes, for tests of what rounding takes off bounds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from minlp.branch_and_bound.core_bound import Priced
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.presolve import Region
from minlp.branch_and_bound.receivers import receivers, vanishing
from minlp.branch_and_bound.record import Recorder, Visit
from minlp.branch_and_bound.relaxation import assemble, gain_tables
from minlp.branch_and_bound.search import Search
from minlp.convex.problem import ConvexProblem
from minlp.slot.cost import loads_of
from minlp.slot.data import Array, IntArray
from satedge.problem.plan import ignore
from satedge.problem.scenario import PRESETS
from support.worlds import world

SCOPES = ("all", "tier", "server")


def searches(nodes: int) -> Iterator[Search]:
    """Searches of at most so many nodes: presets and scopes in turn, every second one with full
    leakage, every fifth one with hard deadlines."""
    names = list(PRESETS)
    for seed in count():
        changes: dict[str, Any] = {"interference_scope": SCOPES[(seed + seed // len(names)) % 3]}
        if seed % 2:
            changes["interference_leakage"] = 1.0
        instance = world(names[seed % len(names)], seed, **changes)
        search = Search(instance, 0, Limits(gap=1e-4, max_nodes=nodes, hard=seed % 5 == 4), ignore)
        search.recorder = Recorder()
        search.run()
        yield search


def visits_of(search: Search) -> Iterator[tuple[Visit, Region, Priced]]:
    """Nodes with a bound: what was tightened, and what the bound was made of."""
    assert search.recorder is not None
    stack = [search.recorder.root]
    while stack:
        visit = stack.pop()
        stack += visit.children
        if visit.found is not None:
            assert visit.before is not None
            yield visit, visit.before, visit.found.best


def limits_in(search: Search, region: Region) -> tuple[Array, Array, IntArray, Array]:
    """Gains over the boxes, least and greatest, bits of receivers, and least log-powers."""
    low, high = gain_tables(search.data, region.boxes)
    _single, bits = receivers(search.data, region.allowed)
    return low, high, bits, vanishing(search.data, bits, search.floor, high)


def problem_of(search: Search, region: Region, best: Priced) -> tuple[ConvexProblem, Array]:
    """The convex problem of a node, and its constants (n,)."""
    choice = np.array([int(core & -core).bit_length() - 1 for core in best.core], np.int64)
    least = limits_in(search, region)[3]
    return assemble(
        search.data, region.allowed, best.core, loads_of(search.data, choice), region.boxes,
        least, best.near,
    )  # fmt: skip

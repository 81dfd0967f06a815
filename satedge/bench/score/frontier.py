"""Cost against decision time: what each method needs a slot, and which nobody beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from satedge.bench.score.stats import Interval, mean_interval
from satedge.bench.score.summary import Line, label, rows_of

#: Kind of the methods whose plans something else finishes, whatever family they are of.
FINISHED = "finished"


@dataclass(frozen=True)
class Place:
    """Where a method under one budget stands."""

    name: str
    method: str
    kind: str
    """Its family, or FINISHED."""
    time_s: Interval
    """Decision time a slot: mean over runs, and its interval."""
    excess: Interval
    """Over the reference of its part."""
    runs: int
    front: bool = False
    """Nobody is at least as quick and as cheap, and better in one of both."""


def places(lines: Sequence[Line], scored: pd.DataFrame) -> list[Place]:
    """Methods of one part, quickest first, of those that decide without knowing later slots and
    have a plan for every instance. `scored` are the rows of the part."""
    whole = max((v.instances for v in lines), default=0)
    shown = [
        v for v in lines
        if v.family != "bound" and not v.hindsight and math.isfinite(v.excess)
        and v.plans == v.runs and v.instances == whole
    ]  # fmt: skip
    found = sorted((_place(v, lines, scored) for v in shown), key=lambda p: p.time_s.value)
    front = on_front([(p.time_s.value, p.excess.value) for p in found])
    return [replace(p, front=mark) for p, mark in zip(found, front, strict=True)]


def _place(line: Line, lines: Sequence[Line], scored: pd.DataFrame) -> Place:
    rows = rows_of(line, scored)
    known, time_s = line.excess_interval, mean_interval(rows["wall_s"] / rows["n_slots"])
    return Place(
        name=label(line, lines),
        method=line.method,
        kind=FINISHED if line.finished else line.family,
        time_s=replace(time_s, low=max(0.0, time_s.low)),
        excess=Interval(line.excess, known.low, known.high),
        runs=line.plans,
    )


def on_front(spots: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether nobody is at least as good as (time, cost) in both, and better in one."""
    return [
        not any(other[0] <= own[0] and other[1] <= own[1] and other != own for other in spots)
        for own in spots
    ]

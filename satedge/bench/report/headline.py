"""The headline: one table for all worlds, and the contrasts of a final analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from satedge.bench.methods.table import proper_name
from satedge.bench.report.tables import NONE, Cell, Column, Table, Value
from satedge.bench.score.contrasts import Contrast
from satedge.bench.score.headline import Standing
from satedge.bench.score.stats import Interval

COLUMNS = (
    Column("world"),
    Column("method"),
    Column("controllable excess", "%", ".1f", key="controllable_excess"),
    Column("95 % interval", form="s", key="controllable_interval"),
    Column("excess", "%", ".3g", key="excess"),
    Column("certified gap", "%", ".3g", key="gap"),
    Column("time per slot", "ms", ".2g", key="slot_ms"),
    Column("deadline misses", "%", ".2f", key="deadline_misses"),
    Column("refused", "%", ".2f", key="refused"),
    Column("seeds", form="d"),
    Column("episodes", form="d"),
)

CAPTION = (
    "Controllable excess: (cost - reference) / (fixed rule - reference) of mean bounded costs, 0 % "
    "the reference, 100 % the fixed rule of the world; its interval draws episodes and, of "
    "learners, seeds, and takes reference and rule as they are."
)


def headline_table(found: Sequence[Standing]) -> Table:
    """A line for each method of each world."""
    rows = [_row(s) for s in found]
    return Table(COLUMNS, rows, caption=CAPTION, name="headline")


def shown_name(s: Standing) -> str:
    """A method as readers see it."""
    return proper_name(s.method) if s.family == "learned" else s.method


def _row(s: Standing) -> tuple[Value, ...]:
    return (
        s.world,
        shown_name(s),
        s.controllable.value,
        _interval(s.controllable, 1),
        s.excess.value,
        s.gap,
        1000 * s.slot_s,
        s.misses,
        s.refused,
        s.seeds,
        s.episodes,
    )


def _interval(v: Interval, digits: int, sign: str = "") -> Cell:
    """In percent; 0 has no minus sign."""
    if not math.isfinite(v.low):
        return Cell(NONE)
    low, high = (round(100 * x, digits) + 0.0 for x in (v.low, v.high))
    return Cell(f"[{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]", v.low)


CONTRASTS = (
    "Mean bounded cost of the first over that of the second, less 1, on the episodes of both, by "
    "two-way bootstrap; p adjusted by Holm for all contrasts, the corrected interval at the "
    "confidence at which Holm tests each. One beats the other only where that interval leaves "
    "out 0."
)


def contrast_table(found: Sequence[Contrast]) -> Table:
    """A line for each contrast, with its verdict."""
    columns = (
        Column("part"),
        Column("contrast"),
        Column("difference", "%", "+.2f", key="difference"),
        Column("95 % interval", form="s"),
        Column("corrected interval", form="s"),
        Column("p (Holm)", form=".2g", key="p_holm"),
        Column("episodes", form="d"),
        Column("verdict"),
    )
    rows = [
        (
            c.part,
            f"{c.method} over {c.other}",
            c.ratio.difference.value,
            _interval(c.ratio.difference, 2, "+"),
            _interval(c.corrected, 2, "+"),
            c.p,
            c.episodes,
            c.verdict,
        )
        for c in found
    ]
    return Table(columns, rows, caption=CONTRASTS, name="contrasts")

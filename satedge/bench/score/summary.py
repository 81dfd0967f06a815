"""One line per method of a comparison: what the tables show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.bench.run.rows import Rows
from satedge.bench.score import stats
from satedge.bench.score.score import Scores, score
from satedge.bench.score.stats import Interval

NAN = float("nan")


def column(head: str, unit: str = "", form: str = ".4g", doc: str = "") -> Any:
    """Declare a column: heading, unit ('%' scales by 100), number format, meaning."""
    return field(default=NAN, metadata={"head": head, "unit": unit, "form": form, "doc": doc})


@dataclass(frozen=True)
class Line:
    """A method under one budget in one group of cells; NaN where there is nothing to say."""

    group: str
    budget_s: float
    method: str
    family: str
    hindsight: bool
    cpu_clock: bool
    """Budget and times are processor seconds."""
    seeds: int
    instances: int
    cells: int
    plans: int
    """Cells with an admissible plan."""
    statuses: dict[str, int]
    reasons: tuple[str, ...]
    excess_interval: Interval

    cost: float = column("cost", form=".4f", doc="cost")
    excess: float = column("excess", "%", ".3f", "excess")
    over_hindsight: float = column("over hindsight", "%", ".3f", "over hindsight")
    part_excess: float = column(
        "excess, decisions' part", "%", ".2f", "excess in the part decisions change"
    )
    gap: float = column("gap", "%", ".4f", "gap")
    gap_median: float = column("median gap", "%", ".4f", "gap")
    gap_max: float = column("largest gap", "%", ".4f", "gap")
    part_gap: float = column("gap, decisions' part", "%", ".3f", "gap in the part decisions change")
    own_gap: float = column("own gap", "%", ".4f", "own gap")
    bound: float = column("own bound", form=".4f", doc="lower bound")
    normalised: float = column("normalised", form=".4f", doc="normalised")
    latency_s: float = column("latency", "s", ".4f", "latency")
    energy_J: float = column("energy", "J", ".2f", "energy")
    reward: float = column("reward", form=".4f", doc="reward")
    late: float = column("late", "%", ".2f", "late")
    unserved: float = column("unserved", "%", ".2f", "unserved")
    feasible: float = column("feasible", "%", ".0f", "feasible")
    redrawn: float = column("redrawn", "%", ".2f", "redrawn")
    kept_cost: float = column("cost without redrawn", form=".4f", doc="cost without redrawn")
    primal_s: float = column("primal integral", "s", ".3g", "primal integral")
    time_s: float = column("time", "s", ".3g", "time")
    time_per_slot_s: float = column("time per slot", "s", ".3g", "time")
    contended: float = column("contended", "%", ".0f", "contended")
    peak_MB: float = column("memory", "MB", ".0f", "memory")

    @property
    def troubles(self) -> dict[str, int]:
        """Endings other than done."""
        return {k: v for k, v in self.statuses.items() if k != "done"}


#: Declared columns by name.
COLUMNS = {f.name: f.metadata for f in fields(Line) if "head" in f.metadata}


def summarise(
    rows: Rows, scores: Scores | None = None, primal_s: NDArray[np.float64] | None = None
) -> list[Line]:
    """Lines of all groups; within a group the best excess first.

    `primal_s` (rows,) are primal integrals, where they are known.
    """
    scores = scores or score(rows)
    primal_s = np.full(len(rows), NAN) if primal_s is None else primal_s
    budgets_s, budget = np.unique(rows["budget_s"], return_inverse=True)
    key = rows["group"] * len(rows.words["method"]) + rows["method"]
    names, index = np.unique(key * len(budgets_s) + budget, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(names) + 1))
    lines = [_line(rows, scores, primal_s, order[a:b]) for a, b in pairwise(starts)]
    groups = rows.words["group"]
    return sorted(lines, key=lambda v: (groups.index(v.group), _rank(v), v.budget_s))


def by_comparison(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """(group, lines of the methods that ran)."""
    ran = [line for line in lines if line.statuses.get("skipped", 0) < line.cells]
    return [(group, list(part)) for group, part in groupby(ran, key=lambda v: v.group)]


def largest(lines: Sequence[Line]) -> list[Line]:
    """Of every method the line of its largest budget."""
    most = {v.method: max(o.budget_s for o in lines if o.method == v.method) for v in lines}
    return [v for v in lines if v.budget_s == most[v.method]]


def label(line: Line, lines: Sequence[Line]) -> str:
    """The method, with its budget where it has several in the comparison."""
    several = len({v.budget_s for v in lines if v.method == line.method}) > 1
    return f"{line.method}, {line.budget_s:g} s" if several else line.method


def _rank(line: Line) -> tuple[bool, float, str]:
    return (not np.isfinite(line.excess), line.excess, line.method)


def _line(rows: Rows, s: Scores, primal_s: NDArray[np.float64], member: NDArray[np.int64]) -> Line:
    part = rows.where(member)
    good = member[s.usable[member]]
    kept = rows.where(good)
    first = part.row(0)
    gap = s.gap[good][np.isfinite(s.gap[good])]
    requests, ran = kept["requests"].sum(), part.where(~part.equals("status", "skipped"))
    return Line(
        group=first["group"],
        budget_s=first["budget_s"],
        method=first["method"],
        family=first["family"],
        hindsight=bool(part["hindsight"].any()),
        cpu_clock=bool(part["cpu_clock"].any()),
        seeds=len(np.unique(part["seed"])),
        instances=len(np.unique(part["instance_sha256"])),
        cells=len(part),
        plans=len(good),
        statuses=_counts(part.text("status")),
        reasons=tuple(dict.fromkeys(filter(None, part.text("reason")))),
        excess_interval=_interval(kept, s.excess[good], first["family"]),
        cost=_mean(kept["cost"]),
        excess=_mean(s.excess[good]),
        over_hindsight=_mean(s.over_hindsight[good]),
        part_excess=_mean(s.part_excess[good]),
        gap=_mean(gap),
        gap_median=float(np.median(gap)) if gap.size else NAN,
        gap_max=float(gap.max(initial=-np.inf)) if gap.size else NAN,
        part_gap=_mean(s.part_gap[good]),
        own_gap=_mean(s.own_gap[member]),
        bound=_mean(part["lower_bound"]),
        normalised=_mean(s.normalised[good]),
        latency_s=_mean(kept["latency_s"]),
        energy_J=_mean(kept["energy_J"]),
        reward=_mean(kept["reward"]),
        late=_share(kept["deadline_misses"], requests),
        unserved=_share(kept["unserved"], requests),
        feasible=_mean(kept["feasible"].astype(float)),
        redrawn=_share(kept["redrawn"], requests),
        kept_cost=_mean(kept["kept_cost"]) if kept["redrawn"].any() else NAN,
        primal_s=_mean(primal_s[member]),
        time_s=stats.shifted_geometric_mean(ran["wall_s"]),
        time_per_slot_s=_mean(ran["wall_s"] / ran["n_slots"]),
        contended=_mean(ran["contended"].astype(float)),
        peak_MB=float(np.nanmax(part["peak_MB"], initial=0.0)) or NAN,
    )


def _interval(kept: Rows, excess: NDArray[np.float64], family: str) -> Interval:
    """Over training seeds for learners, over instances for the others."""
    if not len(kept):
        return Interval(NAN, NAN, NAN)
    learned = family == "learned"
    units = kept["seed" if learned else "instance_sha256"]
    _, index = np.unique(units, return_inverse=True)
    means = np.bincount(index, weights=excess) / np.bincount(index)
    if learned:
        return stats.interquartile_interval(means[:, None])
    return stats.mean_interval(means)


def _counts(values: list[str]) -> dict[str, int]:
    return {v: values.count(v) for v in dict.fromkeys(values)}


def _mean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else NAN


def _share(counts: NDArray[np.float64], whole: float) -> float:
    return float(np.nansum(counts) / whole) if len(counts) and whole > 0 else NAN

"""One line per method of a comparison: what the tables show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.score import stats
from satedge.bench.score.stats import Interval
from satedge.problem.referee import COST_VERSION

NAN = float("nan")

#: Family of the methods that have training seeds.
LEARNED = "learned"


def column(head: str, unit: str = "", form: str = ".4g", doc: str = "") -> Any:
    """Declare a column: heading, unit ('%' scales by 100), number format, meaning."""
    return field(default=NAN, metadata={"head": head, "unit": unit, "form": form, "doc": doc})


@dataclass(frozen=True)
class Line:
    """A method under one budget in one part of a study; NaN where there is nothing to say."""

    group: str
    budget_s: float
    method: str
    family: str
    hindsight: bool
    cpu_clock: bool
    """Budget and times are processor seconds."""
    seeds: int
    instances: int
    runs: int
    plans: int
    """Runs with an admissible plan."""
    statuses: dict[str, int]
    reasons: tuple[str, ...]
    excess_interval: Interval
    reference: str = "suite"
    """What the excess is measured against: best known plans of the suite, or the study's best."""
    earlier_cost: bool = False
    """Judged by an earlier version of the cost, at least some of it."""
    finished: bool = False
    """Something else finishes its plans, by its setting `finish`."""

    cost: float = column("cost", form=".4f", doc="cost")
    cost_median: float = column("median cost", form=".4f", doc="median cost")
    cost_worst: float = column("CVaR 5 %", form=".4f", doc="CVaR")
    excess: float = column("excess", "%", ".3f", "excess")
    over_hindsight: float = column("over hindsight", "%", ".3f", "over hindsight")
    excess_over_floor: float = column("excess over floor", "%", ".2f", "excess over floor")
    gap: float = column("gap", "%", ".4f", "gap")
    gap_median: float = column("median gap", "%", ".4f", "gap")
    gap_max: float = column("largest gap", "%", ".4f", "gap")
    controllable_gap: float = column("controllable gap", "%", ".3f", "controllable gap")
    own_gap: float = column("own gap", "%", ".4f", "own gap")
    bound: float = column("own bound", form=".4f", doc="lower bound")
    normalised: float = column("normalised", form=".4f", doc="normalised")
    latency_s: float = column("latency", "s", ".4f", "latency")
    energy_J: float = column("energy", "J", ".2f", "energy")
    reward: float = column("reward", form=".4f", doc="reward")
    deadline_misses: float = column("deadline misses", "%", ".2f", "deadline misses")
    refused: float = column("refused", "%", ".2f", "refused")
    outages: float = column("outages", "%", ".2f", "outages")
    feasible: float = column("feasible", "%", ".0f", "feasible")
    resampled: float = column("resampled", "%", ".2f", "resampled")
    cost_without_resampled: float = column(
        "cost without resampled", form=".4f", doc="cost without resampled"
    )
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


#: What the excess of a line is measured against, in words.
REFERENCES = {"suite": "the best known plans", "study": "the best causal plans of this study"}


def summarise(scored: pd.DataFrame) -> list[Line]:
    """Lines of all groups; within a group the best excess first.

    `scored` are rows with their scores, and where they are known with primal integrals `primal_s`
    and `slot_costs`, the costs of the slots of each plan.
    """
    order = {group: place for place, group in enumerate(scored["group"].unique())}
    parts = scored.groupby(["group", "method", "budget_s"], sort=False)
    lines = [_line(part) for _, part in parts]
    return sorted(lines, key=lambda v: (order[v.group], _rank(v), v.budget_s))


def by_comparison(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """(group, lines of the methods that ran)."""
    ran = [line for line in lines if line.statuses.get("skipped", 0) < line.runs]
    return [(group, list(part)) for group, part in groupby(ran, key=lambda v: v.group)]


def largest(lines: Sequence[Line]) -> list[Line]:
    """Of every method the line of its largest budget."""
    most = {v.method: max(o.budget_s for o in lines if o.method == v.method) for v in lines}
    return [v for v in lines if v.budget_s == most[v.method]]


def rows_of(line: Line, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one group that a line sums up."""
    return rows[(rows["method"] == line.method) & (rows["budget_s"] == line.budget_s)]


def label(line: Line, lines: Sequence[Line]) -> str:
    """The method, with its budget where it has several in the comparison."""
    several = len({v.budget_s for v in lines if v.method == line.method}) > 1
    return f"{line.method}, {line.budget_s:g} s" if several else line.method


def _rank(line: Line) -> tuple[bool, float, str]:
    return (not np.isfinite(line.excess), line.excess, line.method)


def _line(part: pd.DataFrame) -> Line:
    plans, ran = part[part["usable"]], part[part["status"] != "skipped"]
    return Line(
        **{n: part[n].iloc[0] for n in ("group", "budget_s", "method", "family")},
        hindsight=bool(part["hindsight"].any()),
        cpu_clock=bool(part["cpu_clock"].any()),
        earlier_cost=bool((part["cost_version"] != COST_VERSION).any()),
        reference=str(part["reference_of"].iloc[0]),
        finished=_is_finished(part["settings"].iloc[0]),
        seeds=part["seed"].nunique(),
        instances=part["instance_sha256"].nunique(),
        runs=len(part),
        plans=len(plans),
        statuses=part["status"].value_counts(sort=False).to_dict(),
        reasons=tuple(filter(None, part["reason"].unique())),
        excess_interval=_interval(plans),
        bound=_mean(part["lower_bound"]),
        own_gap=_mean(part["own_gap"]),
        primal_s=_mean(part["primal_s"]) if "primal_s" in part else NAN,
        time_s=stats.shifted_geometric_mean(ran["wall_s"]),
        time_per_slot_s=_mean(ran["wall_s"] / ran["n_slots"]),
        contended=_mean(ran["contended"]),
        peak_MB=float(part["peak_MB"].max()) or NAN,
        **_of_plans(plans),
    )


def _is_finished(settings: str) -> bool:
    told: str = json.loads(settings or "{}").get("finish", "none")
    return told != "none"


def _of_plans(plans: pd.DataFrame) -> dict[str, Any]:
    """The columns of a line that its plans decide."""
    names = (
        "cost", "gap", "controllable_gap", "normalised", "latency_s", "energy_J", "reward",
        "feasible",
    )  # fmt: skip
    means = {n: _mean(plans[n]) for n in names}
    cost, reference, floor = plans["cost"], plans["reference"], plans["floor"]
    slots = _slot_costs(plans)
    requests = plans["requests"].sum()
    gap = plans["gap"][np.isfinite(plans["gap"])]
    return means | {
        "cost_median": float(np.median(slots)) if slots.size else NAN,
        "cost_worst": stats.conditional_value_at_risk(slots),
        "excess": _excess(cost, reference),
        "over_hindsight": _excess(cost, plans["best_hindsight"]),
        "excess_over_floor": _excess(cost - floor, reference - floor),
        "gap_median": float(gap.median()),
        "gap_max": float(gap.max()),
        "deadline_misses": _share(plans["deadline_misses"], requests),
        "refused": _share(plans["refused"], requests),
        "outages": _share(plans["outages"], requests),
        "resampled": _share(plans["resampled"], requests),
        "cost_without_resampled": (
            _mean(plans["cost_without_resampled"]) if plans["resampled"].any() else NAN
        ),
    }


def by_seed(part: pd.DataFrame, column: str = "cost", by: str = "instance_sha256") -> pd.DataFrame:
    """(seeds, instances) values of one line, on the instances on which every seed has a plan.

    Several runs of a seed on an instance count as their mean. `by`: what tells instances apart.
    """
    plans = part[part["usable"]]
    means = plans.groupby(["seed", by])[column].mean()
    return means.unstack().dropna(axis=1)


def _interval(plans: pd.DataFrame) -> Interval:
    """Of the excess, on the instances on which every seed has a plan."""
    cost = by_seed(plans)
    best = plans.groupby("instance_sha256")["reference"].first()[cost.columns].dropna()
    if best.empty:
        return Interval(NAN, NAN, NAN)
    drawn = (plans["family"].iloc[0] == LEARNED, False)
    return stats.ratio_of_means(cost[best.index], best.to_numpy()[None], drawn).difference


def _excess(costs: pd.Series, best: pd.Series) -> float:
    """Ratio of the means less 1, where the best is known; 0 where both are 0."""
    known = np.isfinite(best)
    mean, least = _mean(costs[known]), _mean(best[known])
    if mean == least:
        return 0.0
    return mean / least - 1 if least else np.inf


def _slot_costs(plans: pd.DataFrame) -> NDArray[np.float64]:
    """Of all slots of the plans; none unless they are known of every plan."""
    single = (plans["n_slots"] == 1).all()
    if single or "slot_costs" not in plans:
        return plans["cost"].to_numpy(float) if single else np.empty(0)
    found = plans["slot_costs"]
    return np.concatenate(list(found)) if len(found) and found.notna().all() else np.empty(0)


def _mean(values: pd.Series) -> float:
    """Of what is finite. NumPy's: pandas' own sums differ in the last digit."""
    numbers = values.to_numpy(float)
    finite = numbers[np.isfinite(numbers)]
    return float(finite.mean()) if finite.size else NAN


def _share(counts: pd.Series, whole: float) -> float:
    known = counts.notna().any() and whole > 0
    return float(np.nansum(counts) / whole) if known else NAN

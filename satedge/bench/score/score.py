"""The scores of every row, and the gate.

All follow from the referee's costs and the certified bounds of one run; a bound found by any
method holds for every plan of the same instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from satedge.bench.run.rows import FLAG, NUMBER, TEXT, Column
from satedge.bench.run.supervisor import ANSWERED
from satedge.bench.score.best_known import Record, references

#: How far a certified bound may exceed a judged cost, relative: rounding, not error.
GATE = 1e-6

#: The method whose cost is 1 on the normalised scale.
RANDOM = "minlp.heuristics.simple:random"

DEFINITIONS: dict[str, str] = {
    "cost": (
        "Mean over slots and devices of eta_l * latency + eta_e * energy, plus the penalty of "
        "missed deadlines, and at most what refusing the request costs; judged by one referee from "
        "the plan alone."
    ),
    "lower bound": (
        "A certified value below which no admissible plan can cost: the best one that any method "
        "of the study proved for the instance, or that is stored with its suite."
    ),
    "gap": "(cost - lower bound) / |cost|: how far the plan can be from the optimum at most.",
    "own gap": (
        "The same with the bound that the method itself proved; for methods that give a bound "
        "only, (best known cost - bound) / best known cost."
    ),
    "controllable gap": (
        "(cost - lower bound) / (cost - floor), the gap of the controllable cost; the floor is the "
        "cheapest compute cost of each request among servers that meet its accuracy, which nobody "
        "can avoid."
    ),
    "excess": (
        "cost / reference - 1, against the best known causal plan of the instance, which is stored "
        "with its suite and the same for every study. Of several instances the ratio of the "
        "means, as of the scores that follow."
    ),
    "over best here": (
        "The same where a comparison has instances of which no best known plan is stored: against "
        "the best plan of this study by a method that does not know later slots. Another study may "
        "have another."
    ),
    "over hindsight": (
        "The same against the best plan by a method that knows the whole episode, which no causal "
        "method can count on reaching."
    ),
    "excess over floor": (
        "(cost - floor) / (reference - floor) - 1: the excess of the controllable cost."
    ),
    "normalised": (
        "(cost - best known) / (cost of random - best known): 0 best, 1 random. Best known is the "
        "lowest cost in the study or stored with the suite."
    ),
    "latency": (
        "Mean over requests sent, outages included, of upload, execution, relay and download."
    ),
    "energy": "Sum over devices, mean over slots.",
    "reward": (
        "Mean over slots of beta_r over the slot's cost, eq. (34): more is better, and the mean "
        "of 1/cost is not 1 over the mean cost."
    ),
    "deadline misses": (
        "Share of requests whose latency overruns the deadline or the satellite's window."
    ),
    "feasible": "No constraint is broken, every request is served, and no deadline missed.",
    "time": "Shifted geometric mean (shift 1 s) of the elapsed time on one thread.",
    "interval": (
        "95 % two-way bootstrap interval of the excess: instances are drawn again, the same for "
        "all methods, and of a learned method its training seeds, too. None of a single instance "
        "or a single training seed."
    ),
    "median cost": "Median over the slots of all plans of a slot's bounded cost.",
    "CVaR": (
        "Conditional value at risk of a slot's bounded cost: the mean of the most expensive 5 % "
        "of the slots of all plans."
    ),
    "refused": "Share of requests that the plan leaves without a server.",
    "outages": (
        "Share of requests that are sent, but would cost more than refusing them; they cost as "
        "much as that."
    ),
    "contended": "Share of runs that waited for a core for over 5 % of their time.",
    "memory": "Largest resident memory of a run's process and of those it started.",
    "primal integral": (
        "Seconds of primal gap until the budget: 1 without an incumbent, then the relative "
        "distance of the incumbent to the best known cost."
    ),
    "performance profile": "Share of instances on which a method is within a factor of the best.",
    "cost without resampled": (
        "What the plans would cost if every request cost the average of those that were not "
        "resampled."
    ),
    "resampled": "Share of decisions that were unavailable and resampled by the projector.",
}


#: What `score` adds to the rows, with unit and meaning; shares are fractions.
SCORES: tuple[Column, ...] = (
    Column("usable", FLAG, "", "there is an admissible plan, and the run's status counts"),
    Column("best_bound", NUMBER, "", "best certified bound of the instance, here or in its record"),
    Column("best_cost", NUMBER, "", "lowest cost of the instance, here or in its record"),
    Column("reference", NUMBER, "", "what excess is measured against"),
    Column("reference_of", TEXT, "", "suite: the best known causal plan; study: the best here"),
    Column("best_hindsight", NUMBER, "", "lowest cost here of methods that know later slots"),
    Column("gap", NUMBER, "", DEFINITIONS["gap"]),
    Column("own_gap", NUMBER, "", DEFINITIONS["own gap"]),
    Column("controllable_gap", NUMBER, "", DEFINITIONS["controllable gap"]),
    Column("excess", NUMBER, "", DEFINITIONS["excess"]),
    Column("over_hindsight", NUMBER, "", DEFINITIONS["over hindsight"]),
    Column("excess_over_floor", NUMBER, "", DEFINITIONS["excess over floor"]),
    Column("normalised", NUMBER, "", DEFINITIONS["normalised"]),
)


def score(rows: pd.DataFrame, known: Mapping[str, Record] | None = None) -> pd.DataFrame:
    """The rows with their scores; NaN where there is no admissible plan or no bound.

    `known` are the best known values by the hash of their instance, those of the suites by default.
    Columns beside those of the rows are SCORES. `excess` is below 0 for a plan that knows later
    slots and uses that.
    """
    instance = rows.groupby("instance_sha256").ngroup()

    def of_instance(values: pd.Series, choose: str) -> pd.Series:
        """The least, greatest or mean value of each row's instance."""
        return values.where(np.isfinite(values)).groupby(instance).transform(choose)

    usable = rows["status"].isin(ANSWERED) & rows["admissible"] & np.isfinite(rows["cost"])
    cost, floor = rows["cost"].where(usable), rows["floor"]
    bound = _believed(rows, of_instance)
    value, proved = _recorded(rows, references() if known is None else known)
    best_bound = of_instance(bound.fillna(proved).clip(lower=proved), "max")
    best_cost = of_instance(cost, "min").clip(upper=value).fillna(value)
    causal = of_instance(cost.mask(rows["hindsight"]), "min")
    stored = value.notna().groupby(rows["group"]).transform("all")
    reference = value.where(stored, causal)
    hindsight = of_instance(cost.where(rows["hindsight"]), "min")
    random = of_instance(cost.where(rows["entry"] == RANDOM), "mean")
    return rows.assign(
        usable=usable,
        best_bound=best_bound,
        best_cost=best_cost,
        reference=reference,
        reference_of=np.where(stored, "suite", "study"),
        best_hindsight=hindsight,
        gap=_gap(cost, best_bound),
        own_gap=_gap(cost.where(usable, best_cost), bound),
        controllable_gap=((cost - best_bound) / (cost - floor)).where(cost > floor, 0 * cost),
        excess=_relative(cost, reference),
        over_hindsight=_relative(cost, hindsight),
        excess_over_floor=_relative(cost - floor, reference - floor),
        normalised=((cost - best_cost) / (random - best_cost)).where(
            random > best_cost, 0 * (cost + random)
        ),
    )


def _recorded(rows: pd.DataFrame, known: Mapping[str, Record]) -> tuple[pd.Series, pd.Series]:
    """Value and bound of every row's instance in the records; NaN where there is none."""
    marks = {sha: (r.best, r.bound) for sha, r in known.items()}
    value = {sha: best.value for sha, (best, _) in marks.items() if best is not None}
    bound = {sha: bound.value for sha, (_, bound) in marks.items() if bound is not None}
    sha = rows["instance_sha256"]
    return sha.map(value).astype(float), sha.map(bound).astype(float)


def _believed(rows: pd.DataFrame, of_instance: Callable[..., pd.Series]) -> pd.Series:
    """The certified bounds, without those that a judged plan disproves: the gate tells of them.

    One method's false bound must not spoil the gaps of the others, nor may the claim of a run that
    failed or that left no certificate. Rows of before certificates were told have "" there.
    """
    certified = ~rows["status"].isin(("failed", "crashed")) & (rows["certificate"] != "none")
    bound = rows["lower_bound"].where(certified)
    least = of_instance(rows["cost"].where(rows["admissible"]), "min")
    return bound.mask(bound > least + GATE * least.abs())


def _gap(cost: pd.Series, bound: pd.Series) -> pd.Series:
    """(cost - bound) / |cost|; 0 where both are 0."""
    return ((cost - bound) / cost.abs()).mask(cost == bound, 0.0)


def _relative(cost: pd.Series, best: pd.Series) -> pd.Series:
    """cost / best - 1; 0 where both are 0."""
    return (cost / best - 1).mask(cost == best, 0.0)


@dataclass(frozen=True)
class Breach:
    """A certified bound above a judged cost of the same instance."""

    instance: str
    bound: float
    bound_by: str
    cost: float
    cost_by: str

    def __str__(self) -> str:
        return (
            f"{self.instance}: {self.bound_by} certifies {self.bound:.9g}, "
            f"yet a plan of {self.cost_by} costs {self.cost:.9g}"
        )


def gate(rows: pd.DataFrame, tolerance: float = GATE) -> list[Breach]:
    """Every instance on which the greatest certified bound exceeds the least judged cost.

    All admissible plans count, those of failed rows too: a bound must hold for any of them.
    """
    cost = rows["cost"].where(rows["admissible"] & np.isfinite(rows["cost"]), np.inf)
    bound = rows["lower_bound"].where(np.isfinite(rows["lower_bound"]), -np.inf)
    made = rows.loc[cost.groupby(rows["instance_sha256"]).idxmin()]
    proved = rows.loc[bound.groupby(rows["instance_sha256"]).idxmax()]
    return [
        Breach(plan.instance, proof.lower_bound, proof.method, plan.cost, plan.method)
        for plan, proof in zip(made.itertuples(), proved.itertuples(), strict=True)
        if bound[proof.Index] > cost[plan.Index] + tolerance * abs(cost[plan.Index])
    ]

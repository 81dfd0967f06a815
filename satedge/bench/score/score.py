"""The scores of every row, and the gate.

All follow from the referee's costs and the certified bounds of one run; a bound found by any
method holds for every plan of the same instance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satedge.bench.run.rows import Rows

Array = NDArray[np.float64]

#: How far a certified bound may exceed a judged cost, relative: rounding, not error.
GATE = 1e-6

#: Statuses whose last incumbent counts as the method's answer.
ANSWERED = ("done", "timeout", "killed-memory")

#: The method whose cost is 1 on the normalised scale.
RANDOM = "minlp.heuristics.simple:random"

DEFINITIONS: dict[str, str] = {
    "cost": (
        "Mean over slots and devices of eta_l * latency + eta_e * energy, plus the penalty of "
        "late and unserved requests; judged by one referee from the plan alone."
    ),
    "lower bound": (
        "A certified value below which no admissible plan can cost; the best one that any method "
        "of the run proved for the instance."
    ),
    "gap": "(cost - lower bound) / |cost|: how far the plan can be from the optimum at most.",
    "own gap": (
        "The same with the bound that the method itself proved; for methods that give a bound "
        "only, (best known cost - bound) / best known cost."
    ),
    "gap in the part decisions change": (
        "(cost - lower bound) / (cost - floor); the floor is the cheapest compute cost of each "
        "request among servers that meet its accuracy, which nobody can avoid."
    ),
    "excess": (
        "cost / best causal cost of the instance - 1: against the best plan of the run by a method "
        "that does not know later slots."
    ),
    "over hindsight": (
        "The same against the best plan by a method that knows the whole episode, which no causal "
        "method can count on reaching."
    ),
    "excess in the part decisions change": (
        "(cost - floor) / (best causal cost - floor) - 1: the excess without what everybody pays."
    ),
    "normalised": "(cost - best known) / (cost of random - best known): 0 best, 1 random.",
    "latency": "Mean over served requests of upload, execution, relay and download.",
    "energy": "Sum over devices, mean over slots.",
    "reward": (
        "Mean over slots of beta_r over the slot's cost, eq. (34): more is better, and the mean "
        "of 1/cost is not 1 over the mean cost."
    ),
    "late": "Share of requests whose latency overruns the deadline or the satellite's window.",
    "feasible": "No constraint is broken, every request is served, and none is late.",
    "time": "Shifted geometric mean (shift 1 s) of the elapsed time on one thread.",
    "interval": (
        "Centre of the excess and its 95 % bootstrap interval: for solvers the mean, drawn over "
        "instances; for learners the interquartile mean, drawn over training seeds."
    ),
    "unserved": "Share of requests that the plan leaves without a server.",
    "contended": "Share of cells that waited for a core for over 5 % of their time.",
    "memory": "Largest resident memory of a cell's process and of those it started.",
    "primal integral": (
        "Seconds of primal gap until the budget: 1 without an incumbent, then the relative "
        "distance of the incumbent to the best known cost."
    ),
    "performance profile": "Share of instances on which a method is within a factor of the best.",
    "cost without redrawn": (
        "What the plans would cost if every request cost what those cost on average whose choice "
        "the projector kept."
    ),
    "redrawn": "Share of decisions that were unavailable and drawn anew by the projector.",
}


@dataclass(frozen=True)
class Scores:
    """Scores of every row; NaN where there is no admissible plan or no bound. All (rows,)."""

    usable: NDArray[np.bool_]
    """The row has an admissible plan and an ending that counts."""
    best_bound: Array
    best_cost: Array
    gap: Array
    own_gap: Array
    part_gap: Array
    excess: Array
    """Over the best causal plan; below 0 for one that knows later slots and uses it."""
    over_hindsight: Array
    part_excess: Array
    normalised: Array


def score(rows: Rows) -> Scores:
    """All scores of a run's rows."""
    instance, n = rows["instance_sha256"], len(rows.words["instance_sha256"])
    cost, bound = rows["cost"], _believed(rows, instance, n)
    usable = _usable(rows)
    best_bound = _extreme(np.maximum, -np.inf, instance, n, bound, np.isfinite(bound))
    best_cost = _extreme(np.minimum, np.inf, instance, n, cost, usable)
    knows = rows["hindsight"]
    causal = _extreme(np.minimum, np.inf, instance, n, cost, usable & ~knows)
    hindsight = _extreme(np.minimum, np.inf, instance, n, cost, usable & knows)
    random = _random_cost(rows, usable, instance, n)
    cost = np.where(usable, cost, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Scores(
            usable=usable,
            best_bound=best_bound,
            best_cost=best_cost,
            gap=_gap(cost, best_bound),
            own_gap=_gap(np.where(usable, cost, best_cost), bound),
            part_gap=np.where(
                cost > rows["floor"], (cost - best_bound) / (cost - rows["floor"]), 0.0 * cost
            ),
            excess=_relative(cost, causal),
            over_hindsight=_relative(cost, hindsight),
            part_excess=_relative(cost - rows["floor"], causal - rows["floor"]),
            normalised=np.where(
                random > best_cost, (cost - best_cost) / (random - best_cost), 0.0 * (cost + random)
            ),
        )


def _usable(rows: Rows) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = (
        rows.equals("status", *ANSWERED) & rows["admissible"] & np.isfinite(rows["cost"])
    )
    return usable


def _believed(rows: Rows, instance: NDArray[np.int64], n: int) -> Array:
    """The certified bounds, without those that a judged plan disproves: the gate tells of them.

    One method's false bound must not spoil the gaps of the others.
    """
    bound, cost = rows["lower_bound"], rows["cost"]
    least = _extreme(np.minimum, np.inf, instance, n, cost, rows["admissible"] & np.isfinite(cost))
    believed: Array = np.where(bound > least + GATE * np.abs(least), np.nan, bound)
    return believed


def _extreme(
    choose: np.ufunc,
    start: float,
    index: NDArray[np.int64],
    n: int,
    values: Array,
    mask: NDArray[np.bool_],
) -> Array:
    """The greatest or least masked value of each instance, for every row; NaN without one."""
    found = np.full(n, start)
    choose.at(found, index[mask], values[mask])
    found[~np.isfinite(found)] = np.nan
    return found[index]


def _random_cost(
    rows: Rows, usable: NDArray[np.bool_], instance: NDArray[np.int64], n: int
) -> Array:
    mask = usable & rows.equals("entry", RANDOM)
    count = np.bincount(instance[mask], minlength=n)
    total = np.bincount(instance[mask], weights=rows["cost"][mask], minlength=n)
    with np.errstate(invalid="ignore"):
        mean: Array = (total / count)[instance]
    return mean


def _gap(cost: Array, bound: Array) -> Array:
    """(cost - bound) / |cost|; 0 where both are 0."""
    gap: Array = np.where(cost == bound, 0.0, (cost - bound) / np.abs(cost))
    return gap


def _relative(cost: Array, best: Array) -> Array:
    relative: Array = np.where(cost == best, 0.0, cost / best - 1)
    return relative


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


def gate(rows: Rows, tolerance: float = GATE) -> list[Breach]:
    """Every instance on which the greatest certified bound exceeds the least judged cost.

    All admissible plans count, those of failed rows too: a bound must hold for any of them.
    """
    present, instance = np.unique(rows["instance_sha256"], return_inverse=True)
    cost = np.where(rows["admissible"] & np.isfinite(rows["cost"]), rows["cost"], np.inf)
    bound = np.where(np.isfinite(rows["lower_bound"]), rows["lower_bound"], -np.inf)
    breaches = []
    order = np.argsort(instance, kind="stable")
    starts = np.searchsorted(instance[order], np.arange(len(present) + 1))
    for i in range(len(present)):
        member = order[starts[i] : starts[i + 1]]
        low, high = member[cost[member].argmin()], member[bound[member].argmax()]
        if bound[high] <= cost[low] + tolerance * abs(cost[low]):
            continue
        made, proved = rows.row(int(low)), rows.row(int(high))
        breaches.append(
            Breach(
                made["instance"],
                proved["lower_bound"],
                proved["method"],
                made["cost"],
                made["method"],
            )
        )
    return breaches

"""What needs every stored record: judging all plans again, and integrals of their traces.

A table must not rest on numbers that nobody can repeat.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.bench.run.record import numbers, plan_of
from satedge.bench.run.rows import Rows
from satedge.bench.run.store import Store
from satedge.bench.score.score import Scores
from satedge.bench.score.stats import primal_integral
from satedge.problem.instance import Instance
from satedge.problem.plan import PlanError

#: Judged numbers that must come out the same, to this relative tolerance.
NUMBERS = ("cost", "latency_s", "energy_J", "overrun_s", "deadline_misses", "unserved")
TOLERANCE = 1e-9


def rejudge(store: Store, rows: Rows) -> list[str]:
    """Lines saying which stored plans judge otherwise than their rows say; none when all agree."""

    @lru_cache(maxsize=64)
    def instance(sha256: str) -> Instance:
        return store.instance(sha256)

    problems = []
    keys = zip(rows.text("key"), rows.text("instance_sha256"), rows.text("status"), strict=True)
    for key, sha256, status in sorted(keys, key=lambda v: v[1]):
        if status != "skipped":
            problems += _compare(store.read(key), instance(sha256))
    return problems


def primal_integrals(store: Store, rows: Rows, scores: Scores) -> NDArray[np.float64]:
    """Seconds of primal gap until the budget for every row: (rows,); NaN for what did not run."""
    found = np.full(len(rows), np.nan)
    for i in range(len(rows)):
        row, best = rows.row(i), scores.best_cost[i]
        if row["status"] == "skipped" or not np.isfinite(best) or row["family"] == "bound":
            continue
        trace = [point for point in store.read(row["key"])["trace"] if point[1] is not None]
        times, costs = [p[0] for p in trace], [p[1] for p in trace]
        found[i] = primal_integral(times, costs, float(best), row["budget_s"])
    return found


def _compare(record: dict[str, Any], instance: Instance) -> list[str]:
    row, plan = record["row"], plan_of(record)
    if plan is None:
        return []
    name = f"{row['method']} on {row['instance']}, seed {row['seed']:g}"
    try:
        again = numbers(instance, plan)
    except PlanError as error:
        return [f"{name}: its stored plan does not fit: {error}"]
    return [
        f"{name}: {key} is recorded as {row[key]!r}, judged again as {again[key]!r}"
        for key in NUMBERS
        if not _same(row[key], again[key])
    ]


def _same(recorded: float | None, judged: float) -> bool:
    if recorded is None:
        return not math.isfinite(judged)
    return math.isclose(recorded, judged, rel_tol=TOLERANCE, abs_tol=1e-12)

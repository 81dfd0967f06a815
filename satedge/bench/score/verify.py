"""What needs every stored record: judging all plans again, and integrals of their traces.

A table must not rest on numbers that nobody can repeat.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from satedge.bench.run.record import numbers, plan_of
from satedge.bench.run.store import Store
from satedge.bench.score.stats import primal_integral
from satedge.problem.instance import Instance
from satedge.problem.plan import PlanError

#: Judged numbers that must come out the same, to this relative tolerance.
NUMBERS = ("cost", "latency_s", "energy_J", "overrun_s", "deadline_misses", "unserved")
TOLERANCE = 1e-9


def rejudge(store: Store, rows: pd.DataFrame) -> list[str]:
    """Lines saying which stored plans judge otherwise than their rows say; none when all agree."""

    @lru_cache(maxsize=64)
    def instance(sha256: str) -> Instance:
        return store.instance(sha256)

    problems = []
    ran = rows[rows["status"] != "skipped"].sort_values("instance_sha256", kind="stable")
    for row in ran.itertuples():
        problems += _compare(store.read(row.key), instance(row.instance_sha256))
    return problems


def primal_integrals(store: Store, scored: pd.DataFrame) -> pd.Series:
    """Seconds of primal gap until the budget, of every row that ran and may have a plan."""
    ran = (scored["status"] != "skipped") & (scored["family"] != "bound")
    found = {}
    for row in scored[ran & np.isfinite(scored["best_cost"])].itertuples():
        trace = [point for point in store.read(row.key)["trace"] if point[1] is not None]
        times, costs = [p[0] for p in trace], [p[1] for p in trace]
        found[row.Index] = primal_integral(times, costs, row.best_cost, row.budget_s)
    return pd.Series(found, dtype=float)


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

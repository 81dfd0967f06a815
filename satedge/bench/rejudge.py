"""Judging every stored plan again: a table must not rest on numbers nobody can repeat."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from satedge.bench.records import numbers, plan_of
from satedge.bench.store import Store
from satedge.bench.table_data import Rows
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

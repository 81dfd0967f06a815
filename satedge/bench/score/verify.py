"""What needs every stored record: checking that a run tells the truth, and integrals of traces.

A table must not rest on numbers that nobody can repeat.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from satedge.bench.run.messages import MessageError
from satedge.bench.run.record import plan_of, recomputed
from satedge.bench.run.rows import NAMES, from_records
from satedge.bench.run.store import Store, StoreError
from satedge.bench.score.best_known import SUITES, Record, read_records
from satedge.bench.score.score import GATE, gate
from satedge.bench.score.stats import primal_integral
from satedge.problem.instance import Instance
from satedge.problem.io.files import FileError
from satedge.problem.plan import PlanError
from satedge.problem.referee import COST_VERSION, judge

#: What an earlier cost says otherwise of plans with refused requests or outages.
COSTED = ("cost", "reward", "cost_without_resampled", "admissible", "violations", "status")

#: Recomputed numbers must come out the same, to this relative tolerance.
TOLERANCE = 1e-9


def findings(store: Store, rows: pd.DataFrame) -> list[str]:
    """What is wrong with the rows of a study, a line each; none when all is as it says.

    Every row is compared with its run file and recomputed from it, every plan judged again; rows
    of an earlier cost are, as far as it agrees with the present one. No bound of any run may lie
    above a cost that any run has seen on the same instance, nor may either contradict the best
    known values of the suites.
    """
    instance = lru_cache(maxsize=64)(store.instance)
    found = [f"{store.root / 'study.toml'}: altered since the run"] * store.study_is_altered()
    records, seen = [], []
    ran = rows[rows["status"] != "skipped"].sort_values("instance_sha256", kind="stable")
    for row in ran.itertuples():
        try:
            record = store.read(row.key)
            found += contradictions(record, instance(row.instance_sha256))
        except (StoreError, FileError) as error:
            found.append(str(error))
            continue
        records.append(record["row"])
        seen.append(row._asdict() | _extremes(record))
    found += _differences(ran, from_records(records))
    extremes = from_records(seen)
    return found + [str(b) for b in gate(extremes)] + list(_against_best_known(extremes))


def mixture(rows: pd.DataFrame) -> str:
    """What keeps rows from being published: more than one commit, or changed files; else ""."""
    commits = sorted(rows.loc[rows["status"] != "skipped", "commit"].unique())
    if len(commits) > 1:
        return f"rows of {len(commits)} commits ({', '.join(commits)}): allowed is one"
    dirty = [c for c in commits if not c or c.endswith("+")]
    return f"rows of commit {dirty[0]!r}: allowed is one without changed files" if dirty else ""


def primal_integrals(store: Store, scored: pd.DataFrame) -> pd.Series:
    """Seconds of primal gap until the budget, of every row that ran and may have a plan."""
    ran = (scored["status"] != "skipped") & (scored["family"] != "bound")
    found = {}
    for row in scored[ran & np.isfinite(scored["best_cost"])].itertuples():
        trace = [point for point in store.read(row.key)["trace"] if point[1] is not None]
        times, costs = [p[0] for p in trace], [p[1] for p in trace]
        found[row.Index] = primal_integral(times, costs, row.best_cost, row.budget_s)
    return pd.Series(found, dtype=float)


def slot_costs(store: Store, scored: pd.DataFrame) -> pd.Series:
    """(slots,) costs of every plan of several slots that counts and was judged by today's cost."""
    instance = lru_cache(maxsize=64)(store.instance)
    today = scored["usable"] & (scored["cost_version"] == COST_VERSION)
    found = {}
    for row in scored[today & (scored["n_slots"] > 1)].itertuples():
        plan = plan_of(store.read(row.key))
        if plan is not None:
            found[row.Index] = judge(instance(row.instance_sha256), plan).slot_cost
    return pd.Series(found, index=scored.index, dtype=object)


def contradictions(record: dict[str, Any], instance: Instance) -> list[str]:
    """Where a record's row says other than its plan, trace, identity and instance."""
    row, trace = record["row"], record["trace"]
    name, earlier = _name(row), row.get("cost_version") != COST_VERSION
    try:
        again = recomputed(record, instance)
    except (PlanError, MessageError) as error:
        return [f"{name}: what it stores does not fit: {error}"]
    if earlier:
        again = _then(again)
    lines = [
        f"{name}: {key} is recorded as {row.get(key)!r}, judged again as {value!r}"
        for key, value in again.items()
        if not _same(row.get(key), value)
    ]
    if again.get("admissible") and not (trace and _same(trace[-1][1], again["cost"])):
        lines.append(f"{name}: its trace does not end with the cost of its plan, {again['cost']!r}")
    return lines


def _then(again: dict[str, Any]) -> dict[str, Any]:
    """Of what is recomputed, what an earlier cost must have said, too: all but the outages.

    Where requests are refused or in outage, costs and what follows from them differ.
    """
    differ = ("outages", *COSTED) if again["outages"] or again["refused"] else ("outages",)
    return {key: value for key, value in again.items() if key not in differ}


def _name(row: dict[str, Any]) -> str:
    return f"{row['method']} on {row['instance']}, seed {row['seed']:g}"


def _same(recorded: Any, again: Any) -> bool:
    numbers = (int, float)
    if not isinstance(recorded, numbers) or not isinstance(again, numbers):
        return bool(recorded == again)
    return math.isclose(recorded, again, rel_tol=TOLERANCE, abs_tol=1e-12)


def _differences(rows: pd.DataFrame, told: pd.DataFrame) -> Iterator[str]:
    """Where the table says other than the run files; the part of a run is the study's to say."""
    here = rows.set_index("key").reindex(told["key"])
    there = told.set_index("key")
    for column in (n for n in NAMES if n not in ("key", "group")):
        equal = (here[column] == there[column]) | (here[column].isna() & there[column].isna())
        for key in equal.index[~equal]:
            yield (
                f"{_name(there.loc[key])}: {column} is {there.at[key, column]!r} in its file, "
                f"{here.at[key, column]!r} in the table"
            )


def _extremes(record: dict[str, Any]) -> dict[str, Any]:
    """The least admissible cost and the greatest bound that a run has ever seen."""
    row = record["row"]
    costs = [cost for _, cost, _ in record["trace"] if cost is not None]
    bounds = [bound for _, _, bound in record["trace"] if bound is not None]
    if row.get("admissible") and row.get("cost") is not None:
        costs.append(row["cost"])
    if row.get("lower_bound") is not None:
        bounds.append(row["lower_bound"])
    return {
        "admissible": bool(costs),
        "cost": min(costs, default=None),
        "lower_bound": max(bounds, default=None),
    }


def _against_best_known(extremes: pd.DataFrame) -> Iterator[str]:
    """Bounds above the best known cost of an instance, costs below the best known bound.

    An earlier cost may bound what the present one undercuts.
    """
    known: dict[str, Record] = {r.sha256: r for s in SUITES for r in read_records(s).values()}
    comparable = extremes["cost_version"] == COST_VERSION
    for row in extremes[comparable & extremes["instance_sha256"].isin(known)].itertuples():
        best, bound = known[row.instance_sha256].best, known[row.instance_sha256].bound
        name = _name(row._asdict())
        if best is not None and row.lower_bound > best.value + GATE * abs(best.value):
            yield f"{name}: bound {row.lower_bound!r} above the best known cost {best.value!r}"
        if bound is not None and row.cost < bound.value - GATE * abs(bound.value):
            yield f"{name}: cost {row.cost!r} below the best known bound {bound.value!r}"

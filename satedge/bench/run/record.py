"""What is stored of a run: the referee's numbers, the plan, and where they come from.

A record is a JSON object. Its `row` is flat and is what tables read; the rest (plan, trace,
certificate, log) is for judging again and for looking closer.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.bench.run.messages import check_resampled
from satedge.bench.run.processes import MEASURED_BY
from satedge.bench.run.rows import check_row, is_number
from satedge.bench.run.supervisor import Point, Run, Timing
from satedge.bench.study import held_out, provenance
from satedge.bench.study.cell import Cell
from satedge.problem.constraints import kept
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan, PlanError
from satedge.problem.referee import Verdict, judge

SCHEMA_VERSION = 2

#: Share of a run spent waiting for a core beyond which its time counts as contended.
CONTENDED = 0.05

#: Powers and positions may be any finite numbers; sums that they make infinite are.
_OVERFLOWS = np.errstate(over="ignore", invalid="ignore")

PHASES = ("upload", "execute", "relay", "download")

#: What the referee says of a plan; unknown without one.
JUDGED = (
    "cost", "admissible", "feasible", "latency_s", "energy_J", "deadline_misses", "overrun_s",
    "reward", "refused", "outages", "by_satellites", "window_misses",
    *(f"{p}_{u}" for p in PHASES for u in ("s", "J")), "violations",
)  # fmt: skip

#: Of these, what records of before it was counted do not have.
LATER = ("by_satellites", "window_misses")


def floor(instance: Instance) -> float:
    """The part of the cost that no decision changes, per slot and device.

    Sum over requests of the smallest compute cost (execution time and energy, eqs. (14)-(15),
    (22)-(23), under the weights) among servers that meet the accuracy, and at most what refusing
    it costs.
    """
    s, c = instance.scenario, instance.coefficients
    cost = s.latency_weight_per_s * c.execute_s + s.energy_weight_per_J * c.execute_J
    least = np.where(c.accurate, cost, np.inf).min(axis=-1)
    return float(np.minimum(least, instance.outage_cost).mean())


@_OVERFLOWS
def numbers(instance: Instance, plan: Plan) -> dict[str, Any]:
    """The referee's numbers on one plan. Raises PlanError when it does not fit the instance."""
    v = judge(instance, plan)
    served = instance.active & ~v.refused
    n_served = max(1, int(served.sum()))
    above = served & (plan.server >= instance.scenario.n_uavs)
    in_time = kept(v.latency_s - instance.deadline_s, instance.deadline_s)
    row: dict[str, Any] = {
        "cost": float(v.cost),
        "admissible": bool(v.admissible),
        "feasible": bool(v.feasible),
        "latency_s": float(np.where(served, v.latency_s, 0.0).sum() / n_served),
        "energy_J": float(v.energy_J.sum(axis=-1).mean()),
        "deadline_misses": int(v.missed.sum()),
        "overrun_s": float(v.overrun_s.sum()),
        "reward": float(_reward(instance, v).mean()),
        "refused": int(v.refused.sum()),
        "outages": int(v.outage.sum()),
        "by_satellites": int(above.sum()),
        "window_misses": int((above & v.missed & in_time).sum()),
    }
    for phase in PHASES:
        spent_s = np.where(served, getattr(v, f"{phase}_s"), 0.0)
        row[f"{phase}_s"] = float(spent_s.sum() / n_served)
        row[f"{phase}_J"] = float(getattr(v, f"{phase}_J").sum(axis=-1).mean())
    row["violations"] = violations(v)
    return row


@_OVERFLOWS
def cost_without_resampled(instance: Instance, plan: Plan, resampled: Any) -> float:
    """What the plan would cost if all requests cost what those cost that were not resampled.

    `resampled`: (slot, device) pairs of the requests whose server the projector replaced, as
    `rollout` reports them. NaN where all were, or nothing is known.
    """
    others = instance.active.copy()
    if not isinstance(resampled, (list, tuple)):
        return math.nan
    for t, k in resampled:
        others[t, k] = False
    if not others.any():
        return math.nan
    cost = judge(instance, plan).device_cost
    return float(cost[others].mean() * instance.active.mean())


def _reward(instance: Instance, verdict: Verdict) -> NDArray[np.float64]:
    """(T,) K beta_r / sum_k C_k, eq. (34) with the bounded cost; 0 where all are idle."""
    total = verdict.device_cost.sum(axis=-1)
    scale = instance.scenario.n_devices * instance.scenario.reward_scale
    return np.where(total > 0, scale / np.where(total > 0, total, 1.0), 0.0)


def violations(verdict: Verdict) -> dict[str, float]:
    """Constraints that are broken, with the greatest amount."""
    worst = {name: float(amount.max()) for name, amount in verdict.violations.items()}
    return {name: amount for name, amount in worst.items() if amount > 0}


def make_record(cell: Cell, run: Run) -> dict[str, Any]:
    """Judge what a run left and describe it."""
    outcome = run.outcome
    plan = outcome.plan if outcome is not None and outcome.plan is not None else _last(run.points)
    row = {**_identity(cell), **_ending(cell, run)}
    try:
        judged = numbers(cell.instance, plan) if plan is not None else {}
        trace = _trace(cell.instance, run.points, row["wall_s"], plan, row["lower_bound"])
    except (PlanError, AttributeError, TypeError) as error:
        judged, trace, plan = {}, [], None
        row |= {"status": "failed", "reason": f"its plan does not fit: {error}"}
    row |= judged
    if judged and plan is not None and outcome is not None:
        resampled = outcome.info.get("resampled", ())
        row["cost_without_resampled"] = cost_without_resampled(cell.instance, plan, resampled)
    row["policy"] = _policy(outcome.info if outcome is not None else {})
    row["violations"] = json.dumps(row.get("violations", {}))
    _refuse_inadmissible(row, judged)
    return {
        "schema_version": SCHEMA_VERSION,
        "row": {name: plain(value) for name, value in row.items()},
        "plan": plan.to_dict() if plan is not None else None,
        "trace": plain(trace),
        "certificate": plain(outcome.certificate) if outcome else {},
        "info": plain(outcome.info) if outcome else {},
        "log": run.log,
        "measured_by": MEASURED_BY,
        "versions": provenance.versions(cell.method.needs),
    }


def plan_of(record: dict[str, Any]) -> Plan | None:
    """The plan kept in a record."""
    kept = record["plan"]
    return None if kept is None else Plan.from_dict(kept)


#: Parts of a record, of its identity and of its row, that checks rest on, with what they are.
_PARTS = {
    "row": (dict,), "identity": (dict,), "plan": (dict, NoneType), "trace": (list,),
    "certificate": (dict,), "info": (dict,),
}  # fmt: skip
_IDENTITY = {"label": (str,), "entry": (str,), "settings": (dict,), "seed": (int,),
             "budget_s": (int, float)}  # fmt: skip
_ROW = {
    **dict.fromkeys(("key", "method", "instance", "instance_sha256", "status"), (str,)),
    "seed": (int, float),
}


def check_record(record: dict[str, Any]) -> None:
    """Raise ValueError, or PlanError, for a part of a record that no run has written."""
    declared = ((record, _PARTS), (record["identity"], _IDENTITY), (record["row"], _ROW))
    for place, parts in declared:
        for name, kinds in parts.items():
            if name not in place or type(place[name]) not in kinds:
                raise ValueError(f"{name} = {place.get(name)!r}"[:100])
    check_row(record["row"])
    plan_of(record)
    for number, point in enumerate(record["trace"]):
        fits = type(point) is list and len(point) == 3 and is_number(point[0])
        if not fits or not all(value is None or is_number(value) for value in point[1:]):
            raise ValueError(f"trace[{number}] = {point!r}"[:100])


def skipped(cell: Cell, reason: str) -> dict[str, Any]:
    """The row of a run that cannot be done here."""
    row = {**_identity(cell), "status": "skipped", "reason": reason, "violations": "{}"}
    return {name: plain(value) for name, value in row.items()}


def _identity(cell: Cell) -> dict[str, Any]:
    method = cell.method
    return {
        "key": cell.key,
        "group": cell.group,
        "method": cell.name,
        "entry": method.entry,
        "family": method.family,
        "hindsight": method.hindsight and cell.instance.n_slots > 1,
        "settings": _settings_text(method.settings),
        "instance": cell.instance.name,
        "cost_version": cell.identity["cost_version"],
        **_about(cell.instance),
        "seed": cell.seed,
        "budget_s": cell.budget_s,
    }


def _settings_text(settings: Mapping[str, Any]) -> str:
    return json.dumps(plain(dict(settings)), sort_keys=True)


def _about(instance: Instance) -> dict[str, Any]:
    """What a row says of its instance, but for the name: equal instances may have several."""
    s = instance.scenario
    return {
        "instance_sha256": instance.content_sha256,
        "n_slots": instance.n_slots,
        "n_devices": s.n_devices,
        "n_uavs": s.n_uavs,
        "n_satellites": s.n_satellites,
        "requests": int(instance.active.sum()),
        "floor": floor(instance),
    }


def recomputed(record: dict[str, Any], instance: Instance) -> dict[str, Any]:
    """What the row of a record must say by its other parts: identity, plan, trace, info.

    Raises PlanError when the plan does not fit the instance, MessageError when what was resampled
    does not.
    """
    check_resampled(record["info"].get("resampled", []), instance)
    identity, plan, trace = record["identity"], plan_of(record), record["trace"]
    row = {
        "key": provenance.digest(identity),
        "method": identity["label"],
        "entry": identity["entry"],
        "settings": _settings_text(identity["settings"]),
        "seed": identity["seed"],
        "budget_s": identity["budget_s"],
        "cpu_clock": identity.get("clock") == "cpu",
        "cost_version": identity.get("cost_version"),
        "resampled": _resampled(record["info"]),
        "certificate": certificate_kind(record["certificate"]),
        **_about(instance),
    }
    if trace and trace[-1][1:] != [None, None]:
        row |= {"wall_s": trace[-1][0], "lower_bound": trace[-1][2]}
    judged: dict[str, Any] = dict.fromkeys(JUDGED)
    if plan is not None:
        judged = numbers(instance, plan)
    if plan is not None and "cost_without_resampled" in record["row"]:
        resampled = record["info"].get("resampled", ())
        row["cost_without_resampled"] = cost_without_resampled(instance, plan, resampled)
    if "policy" in record["row"]:
        row["policy"] = _policy(record["info"])
    row |= {n: v for n, v in judged.items() if n not in LATER or n in record["row"]}
    row["violations"] = json.dumps(judged["violations"] or {})
    if plan is not None and not judged["admissible"]:
        row["status"] = "failed"
    return {name: plain(value) for name, value in row.items()}


def _policy(info: Mapping[str, Any]) -> str:
    """Hash of the weights of the policy that was played; empty without one."""
    told = info.get("policy")
    return str(told.get("sha256", "")) if isinstance(told, dict) else ""


def certificate_kind(certificate: Mapping[str, Any]) -> str:
    """What a bound rests on; "none" without a certificate, as of a run that was killed."""
    return str(certificate.get("kind", "unnamed")) if certificate else "none"


def _ending(cell: Cell, run: Run) -> dict[str, Any]:
    outcome, timing = run.outcome, run.timing
    status, reason = run.status, run.reason
    claimed = [float(p.lower_bound) for p in run.points if p.lower_bound is not None]
    if outcome is not None and outcome.lower_bound is not None:
        claimed.append(float(outcome.lower_bound))
    bounds = [b for b in claimed if math.isfinite(b)]
    absurd = [b for b in claimed if math.isnan(b) or b == math.inf]
    if absurd:
        status, reason = "failed", f"claims a lower bound of {absurd[0]}"
    elif outcome and outcome.plan is None and not bounds and not outcome.certificate:
        status, reason = "failed", "returned neither a plan nor a bound nor a certificate"
    return {
        "status": status,
        "reason": reason,
        "method_status": outcome.status if outcome else "",
        "certificate": certificate_kind(outcome.certificate if outcome else {}),
        "lower_bound": max(bounds, default=math.nan),
        "wall_s": timing.wall_s,
        "cpu_s": timing.cpu_s,
        "wait_s": timing.wait_s,
        "contended": _contended(timing),
        "cpu_clock": cell.limits.clock == "cpu",
        "peak_MB": run.peak_MB,
        "started_unix": time.time() - timing.wall_s,
        "resampled": _resampled(outcome.info if outcome else {}),
        "commit": provenance.commit(),
        "rules": rules.sha256 if (rules := held_out.opened()) else "",
        **provenance.machine(),
    }


def _contended(timing: Timing) -> bool:
    """It waited for a core, whatever the clock: waiting lengthens elapsed times, and who runs
    meanwhile takes caches and clock frequency, which lengthens processor times."""
    waited_s = timing.wait_s
    return waited_s is not None and waited_s > CONTENDED * max(timing.wall_s, 0.1)


def _resampled(info: dict[str, Any]) -> int:
    """Decisions that the projector replaced, as a rolled-out policy reports them."""
    resampled = info.get("resampled", ())
    return len(resampled) if isinstance(resampled, (list, tuple)) else 0


def _refuse_inadmissible(row: dict[str, Any], judged: dict[str, Any]) -> None:
    """A plan that breaks a constraint is a failure, and its cost is no cost."""
    if not judged or judged["admissible"]:
        return
    broken = ", ".join(f"{name} by {amount:g}" for name, amount in judged["violations"].items())
    row |= {"status": "failed", "reason": f"its plan breaks {broken}"}


def _last(points: list[Point]) -> Plan | None:
    return next((p.plan for p in reversed(points) if p.plan is not None), None)


def _trace(
    instance: Instance, points: list[Point], end_s: float, plan: Plan | None, bound: float
) -> list[list[float]]:
    """[seconds, judged cost, best bound] of everything streamed, then of the end."""
    best, cost, rows = -math.inf, math.inf, []
    for point in points:
        if point.plan is not None:
            cost = _cost(instance, point.plan)
        if point.lower_bound is not None and math.isfinite(point.lower_bound):
            best = max(best, point.lower_bound)
        rows.append([point.wall_s, cost, best])
    if plan is not None or math.isfinite(bound):
        final = _cost(instance, plan) if plan is not None else math.inf
        rows.append([end_s, final, bound if math.isfinite(bound) else best])
    return rows


@_OVERFLOWS
def _cost(instance: Instance, plan: Plan) -> float:
    verdict = judge(instance, plan)
    return float(verdict.cost) if verdict.admissible else math.inf


def plain(value: Any) -> Any:
    """`value` as strict JSON: numpy types unwrapped, numbers that are not finite as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    return repr(value)

"""Best known values and bounds of the suites, as the solver libraries keep them in .solu files.

One file per suite, `instances/records/SUITE.json`: for every instance the cheapest plan that
anyone found and the highest certified bound, with who and when. Values enter only after judging:
the plan's cost is the referee's, a bound needs a certificate and must not exceed the value. Any
later run may improve a record; `verify_records` judges all plans again.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import json
import math
from functools import cache
from pathlib import Path
from typing import Any, Literal

from satedge.bench.study.suites import SUITES as GENERATED
from satedge.bench.study.suites import load_suite
from satedge.paths import INSTANCES, RECORDS
from satedge.problem.fields import Declared, declared, param
from satedge.problem.instance import Instance
from satedge.problem.io.files import read_instance
from satedge.problem.io.folder import write_atomically
from satedge.problem.io.jsonfile import FileError, check_keys, parsed, read_bytes, shown
from satedge.problem.plan import Outcome, Plan, PlanError
from satedge.problem.referee import judge

#: Suites with records. Values of episodes are those of causal plans: nobody is compared with plans
#: of methods that know later slots. Of `contended-episodes` bounds alone are kept.
SUITES = (
    "tiny",
    "slots",
    "slots-balanced",
    "contended",
    "contended-balanced",
    "contended-episodes",
    "paper",
    "foresight",
    "foresight-faint",
)

#: Relative amount by which a bound may exceed a value before one of them must be wrong.
CONTRADICTION = 1e-6

#: Relative gap within which a record counts as optimal.
OPTIMAL_GAP = 1e-6


class RecordError(ValueError):
    """A record does not hold, or an outcome contradicts it."""


@declared(RecordError)
class Mark(Declared):
    """A value and where it comes from."""

    value: float = param(doc="A mean cost per slot and device, or a bound on it.")
    who: str = param(doc="Method and settings.")
    when: str = param(doc="Date, ISO 8601.")


@declared(RecordError)
class Bettered(Declared):
    """A value or bound that a better one replaced."""

    kind: Literal["value", "bound"] = param(doc="What it was.")
    value: float = param(doc="As in Mark.")
    who: str = param(doc="As in Mark.")
    when: str = param(doc="As in Mark.")


@declared(RecordError)
class Record(Declared):
    """What is known of one instance. Costs are means per slot and device."""

    instance: str = param(doc="Its name.")
    sha256: str = param(doc="Hash of its content.")
    best: Mark | None = param(None, doc="The cheapest plan's cost.")
    plan: dict[str, Any] | None = param(None, doc="That plan, JSON values.")
    bound: Mark | None = param(None, doc="The highest certified bound.")
    certificate: dict[str, Any] | None = param(None, doc="Its certificate: what kind it is.")
    history: tuple[Bettered, ...] = param((), doc="What was known before, the oldest first.")

    @property
    def gap(self) -> float:
        """(best - bound) / |best|; inf where one is missing."""
        if self.best is None or self.bound is None:
            return math.inf
        if self.best.value == self.bound.value:
            return 0.0
        return (self.best.value - self.bound.value) / abs(self.best.value)

    @property
    def optimal(self) -> bool:
        """Proven to OPTIMAL_GAP."""
        return self.gap <= OPTIMAL_GAP


def improve(
    record: Record, instance: Instance, outcome: Outcome, who: str, when: str | None = None
) -> Record:
    """The record, with what the outcome betters. Raises RecordError for a contradiction.

    The plan is judged, and must be admissible to count. A bound counts with a certificate only.
    """
    _same(record, instance)
    when = when or datetime.date.today().isoformat()
    better = record
    if outcome.plan is not None:
        verdict = judge(instance, outcome.plan)
        cost = float(verdict.cost)
        if bool(verdict.admissible) and (record.best is None or cost < record.best.value):
            better = dataclasses.replace(
                better,
                best=Mark(cost, who, when),
                plan=outcome.plan.to_dict(),
                history=(*better.history, *_bettered("value", record.best)),
            )
    bound, kind = outcome.lower_bound, outcome.certificate.get("kind", "none")
    known = -math.inf if record.bound is None else record.bound.value
    if bound is not None and kind != "none" and known < bound < math.inf:
        mark = Mark(float(bound), who, when)
        history = (*better.history, *_bettered("bound", record.bound))
        better = dataclasses.replace(
            better, bound=mark, certificate={"kind": kind}, history=history
        )
    if better.gap < -CONTRADICTION:
        assert better.best is not None
        assert better.bound is not None
        raise RecordError(
            f"{record.instance}: bound {better.bound.value!r} of {better.bound.who} exceeds the "
            f"cost {better.best.value!r} of a plan of {better.best.who}"
        )
    return better


def _bettered(kind: Literal["value", "bound"], mark: Mark | None) -> tuple[Bettered, ...]:
    return () if mark is None else (Bettered(kind, mark.value, mark.who, mark.when),)


def _same(record: Record, instance: Instance) -> None:
    if record.sha256 != instance.content_sha256:
        raise RecordError(f"{record.instance}: the record is of another instance")


def verify(record: Record, instance: Instance) -> None:
    """Judge the plan again and compare with bound and value. Raises RecordError."""
    _same(record, instance)
    if record.best is not None:
        if record.plan is None:
            raise RecordError(f"{record.instance}: a value without a plan")
        verdict = judge(instance, plan_of(record))
        cost = float(verdict.cost)
        if not bool(verdict.admissible):
            broken = [name for name, amount in verdict.violations.items() if amount.max() > 0]
            raise RecordError(f"{record.instance}: the plan breaks {', '.join(broken)}")
        if not math.isclose(cost, record.best.value, rel_tol=1e-9):
            raise RecordError(
                f"{record.instance}: value {record.best.value!r}, the plan costs {cost!r}"
            )
    if record.gap < -CONTRADICTION:
        raise RecordError(f"{record.instance}: the bound exceeds the value")


def plan_of(record: Record) -> Plan:
    """The plan of a record. Raises RecordError."""
    try:
        return Plan.from_dict(record.plan)
    except PlanError as error:
        raise RecordError(f"{record.instance}: {error}") from None


def instances_of(suite: str, root: Path = INSTANCES) -> dict[str, Instance]:
    """The suite's instances by name: its files, or where it has none what it generates."""
    files = {path.stem: read_instance(path) for path in sorted((root / suite).glob("*.json"))}
    if files or suite not in GENERATED or GENERATED[suite].committed:
        return files
    return {instance.name: instance for instance in load_suite(suite, root)}


@cache
def references() -> dict[str, Record]:
    """Of every recorded instance, by its hash, what costs of any study are compared with."""
    return {r.sha256: r for suite in SUITES for r in read_records(suite).values()}


def _file(suite: str, root: Path | None) -> Path:
    return (RECORDS if root is None else root / "records") / f"{suite}.json"


def read_records(suite: str, root: Path | None = None) -> dict[str, Record]:
    """The suite's records by instance; empty where there is no file. Raises RecordError.

    `root` holds the folder `records`; default: the clone's instances, or the wheel's own records.
    """
    path = _file(suite, root)
    if not path.exists():
        return {}
    records: dict[str, Record] = {}
    try:
        document = parsed(read_bytes(path))
        if not isinstance(document, dict):
            raise FileError(f"holds {shown(document)}: allowed is an object")
        check_keys(document, ("records",))
        rows = document["records"]
        if not isinstance(rows, list):
            raise FileError(f"records = {shown(rows)}: allowed is a list")
        for number, row in enumerate(rows):
            record = _record(f"records[{number}]", row)
            if record.instance in records:
                raise RecordError(f"{shown(record.instance)} stands twice: allowed is once")
            records[record.instance] = record
    except (FileError, RecordError) as error:
        raise RecordError(f"{path}: {error}") from None
    return records


def _record(place: str, row: Any) -> Record:
    if not isinstance(row, dict):
        raise FileError(f"{place} = {shown(row)}: allowed is an object")
    try:
        marks = {n: Mark(**v) for n, v in row.items() if n in _MARKS and isinstance(v, dict)}
        past = row.get("history", [])
        if not isinstance(past, list) or not all(isinstance(mark, dict) for mark in past):
            raise FileError(f"{place}.history = {shown(past)}: allowed is a list of objects")
        return Record(**{**row, **marks, "history": tuple(Bettered(**mark) for mark in past)})
    except RecordError as error:
        raise RecordError(f"{place}: {error}") from None


_MARKS = ("best", "bound")


def write_records(suite: str, records: dict[str, Record], root: Path | None = None) -> None:
    """Write the suite's file, a record a line, whole or not at all."""
    path = _file(suite, root)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps(_row(records[name])) for name in sorted(records)]
    text = '{"records": [\n' + ",\n".join(rows) + "\n]}\n"
    write_atomically(path, text.encode())


def _row(record: Record) -> dict[str, Any]:
    row = dataclasses.asdict(record)
    return row if record.history else {k: v for k, v in row.items() if k != "history"}


def verify_records(suites: tuple[str, ...] = SUITES, root: Path = INSTANCES) -> dict[str, int]:
    """Verify every record of the suites; how many there are of each. Raises RecordError."""
    counts = {}
    for suite in suites:
        instances, records = instances_of(suite, root), read_records(suite, root)
        for name, record in records.items():
            if name not in instances:
                raise RecordError(f"{suite}: record of {name}, which is no instance of it")
            verify(record, instances[name])
        counts[suite] = len(records)
    return counts


def improve_suite(
    suite: str,
    entry: str,
    budget_s: float,
    root: Path = INSTANCES,
    bound_only: bool = False,
    **settings: Any,
) -> dict[str, Record]:
    """Run the method `module:function` on every instance of a suite and keep what is better.

    `bound_only` leaves its plans aside, for methods that know later slots. The file is written
    after each instance, so that a stopped run loses nothing.
    """
    module, function = entry.split(":")
    solve = getattr(importlib.import_module(module), function)
    who = " ".join([entry, f"budget_s={budget_s:g}", *(f"{k}={v}" for k, v in settings.items())])
    records = read_records(suite, root)
    for name, instance in instances_of(suite, root).items():
        known = records.get(name, Record(name, instance.content_sha256))
        if known.optimal:
            continue
        outcome = solve(instance, budget_s=budget_s, seed=0, **settings)
        if bound_only:
            outcome = dataclasses.replace(outcome, plan=None)
        records[name] = improve(known, instance, outcome, who)
        write_records(suite, records, root)
    return records


def solu(records: dict[str, Record]) -> str:
    """The records as a .solu file: =opt= where proven, else =best= and =bestdual=."""
    lines = []
    for name, record in sorted(records.items()):
        if record.best is not None and record.optimal:
            lines.append(f"=opt= {name} {record.best.value!r}")
            continue
        if record.best is not None:
            lines.append(f"=best= {name} {record.best.value!r}")
        if record.bound is not None:
            lines.append(f"=bestdual= {name} {record.bound.value!r}")
    return "\n".join(lines) + "\n"

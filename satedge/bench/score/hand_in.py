"""Making a submission: plans of a method that is run, or of a folder, and what they are from.

The head is written last: a folder without it is no submission, and can be made again.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from satedge.bench.methods.table import Method, MethodError, missing
from satedge.bench.run.local import execute
from satedge.bench.run.record import numbers, plan_of
from satedge.bench.run.worker_process import WorkerProcess
from satedge.bench.study import provenance
from satedge.bench.study.cell import Cell
from satedge.bench.study.limits import Limits
from satedge.bench.study.suites import load_suite
from satedge.problem.clock import Clock
from satedge.problem.instance import Instance
from satedge.problem.io.files import read_plan, write_plan
from satedge.problem.io.submission import (
    HEAD,
    Claim,
    Kind,
    Submission,
    SubmissionError,
    write_submission,
)
from satedge.problem.plan import Plan
from satedge.problem.referee import COST_VERSION

#: The class of a method on the leaderboard, by its family.
KIND_OF: Mapping[str, Kind] = {
    "exact": "exact",
    "learned": "learned",
    "classical": "heuristic",
    "heuristic": "heuristic",
    "user": "heuristic",
}

#: What times of methods run here count: they are comparable even on a shared machine.
CLOCK: Clock = "cpu"


@dataclass(frozen=True)
class Solved:
    """An instance with a plan of it, or with why there is none."""

    instance: Instance
    plan: Plan | None
    time_s: float | None = None
    lower_bound: float | None = None
    reason: str = ""


def run_method(method: Method, suite: str, seed: int, budget_s: float) -> Iterator[Solved]:
    """A method on every instance of a suite, in a process of its own. Raises MethodError."""
    reason = missing(method)
    if reason:
        raise MethodError(f"method {method.name} cannot run here: {reason}")
    if method.family == "bound":
        raise MethodError(f"method {method.name!r}: allowed is one that finds plans")
    with WorkerProcess() as worker:
        for instance in load_suite(suite):
            limits = Limits(clock=CLOCK)
            record = execute(worker, Cell(method, instance, seed, budget_s, limits=limits))
            row = record["row"]
            fine = row.get("admissible") and row["status"] not in ("failed", "crashed")
            plan = plan_of(record) if fine else None
            reason = "" if plan is not None else row["reason"] or row["status"]
            bound = row["lower_bound"] if row["certificate"] != "none" else None
            yield Solved(instance, plan, row["wall_s"], bound, reason)


def plans_in(folder: Path, suite: str) -> Iterator[Solved]:
    """The plans FOLDER/INSTANCE.json or .json.gz of a suite. Raises FileError."""
    for instance in load_suite(suite):
        names = (folder / f"{instance.name}{ending}" for ending in (".json", ".json.gz"))
        path = next((p for p in names if p.is_file()), None)
        if path is None:
            yield Solved(instance, None, reason=f"{folder} has no {instance.name}.json")
        else:
            yield Solved(instance, read_plan(path, instance))


def hand_in(
    folder: Path,
    about: Callable[[dict[str, Claim]], Submission],
    solved: Iterable[Solved],
) -> Submission:
    """Write a submission; `about` makes its head of what is said of each instance.

    Raises SubmissionError where there is one already, or no plan to hand in.
    """
    if (folder / HEAD).exists():
        raise SubmissionError(f"{folder}: holds a submission: allowed is another folder")
    (folder / "plans").mkdir(parents=True, exist_ok=True)
    claims: dict[str, Claim] = {}
    for one in solved:
        if one.plan is not None:
            name = one.instance.name
            write_plan(one.plan, folder / "plans" / f"{name}.json", one.instance)
            claims[name] = _claim(one)
    if not claims:
        raise SubmissionError(f"{folder}: no plan to hand in: allowed is at least one")
    submission = about(claims)
    write_submission(submission, folder)
    return submission


def _claim(one: Solved) -> Claim:
    assert one.plan is not None
    cost = numbers(one.instance, one.plan)["cost"]
    return Claim(one.instance.content_sha256, cost, one.time_s, one.lower_bound)


def origin(needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a head says of today, the code and the machine."""
    return {
        "cost_version": COST_VERSION,
        "date": datetime.date.today().isoformat(),
        "commit": provenance.commit(),
        "versions": provenance.versions(needs),
        "hardware": hardware(),
    }


def hardware() -> dict[str, str]:
    """Processor, cores, memory and system; the machine's name is nobody's business."""
    about = provenance.machine()
    return {
        "cpu": about["cpu"],
        "cores": str(os.cpu_count() or 1),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": about["system"],
    }

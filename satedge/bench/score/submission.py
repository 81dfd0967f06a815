"""What a submission is worth: every plan judged here, every proof checked, nothing believed.

Costs and gaps are the referee's; times, and by which method a plan was found, remain what the
submission claims, unless its method is run again and comes out the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from satedge.bench.methods.table import FORMER_NAMES, TABLE, MethodError, missing
from satedge.bench.run.record import numbers
from satedge.bench.score.best_known import (
    CONTRADICTION,
    Record,
    RecordError,
    improve,
    read_records,
    write_records,
)
from satedge.bench.study.suites import SUITES, load_suite
from satedge.paths import PACKAGE, RECORDS
from satedge.problem.instance import Instance
from satedge.problem.io.files import FileError
from satedge.problem.io.submission import (
    HEAD,
    Claim,
    Submission,
    SubmissionError,
    read_submission,
    read_submitted_plan,
    read_submitted_proof,
)
from satedge.problem.plan import Outcome, Plan
from satedge.problem.referee import COST_VERSION
from satedge.verify.proof import ProofError
from satedge.verify.proof import verify as verify_proof

Status = Literal["accepted", "better", "refused"]

#: A cost counts as the claimed one, or below a best known one, by more than this, relative.
TOLERANCE = 1e-9

#: Longest time limit, in seconds, under which a method is run again.
MOST_BUDGET_S = 3600.0

#: A method that is run again may cost so much more, relative: its time limit ends it elsewhere.
REPRODUCED = 1e-3


@dataclass(frozen=True)
class Finding:
    """What is found of one instance of the suite. Costs are means per slot and device."""

    instance: str
    status: Status
    """Better: than the best known plan."""
    reason: str = ""
    """Why it is refused, or what else there is to say."""
    cost: float = math.nan
    best: float = math.nan
    """Best known cost before this plan."""
    bound: float = math.nan
    """The highest certified bound: best known, or proved by the submission."""
    time_s: float = math.nan
    """As claimed."""
    deadline_misses: int = 0
    proved: bool = False
    """A proof of the submission was verified."""
    plan: Plan | None = field(default=None, repr=False, compare=False)
    own_bound: float = math.nan
    """What that proof certifies."""

    @property
    def gap(self) -> float:
        """(cost - bound) / |cost|, certified."""
        return (self.cost - self.bound) / abs(self.cost) if self.cost else math.nan


@dataclass(frozen=True)
class Checked:
    """A submission with what was found of it."""

    folder: Path
    submission: Submission
    findings: tuple[Finding, ...]
    again: tuple[str, ...] | None = None
    """Where the method, run again, came out worse, a line each; None: it was not run."""
    repeated: int = 0
    """Instances on which it was run again."""

    @property
    def told(self) -> str:
        """Whether its method was run again here, and came out the same."""
        if self.again is None:
            return "claimed"
        return "not reproduced" if self.again else "reproduced"

    def count(self, status: Status) -> int:
        """Findings of a status."""
        return sum(f.status == status for f in self.findings)

    @property
    def plans(self) -> list[Finding]:
        """Those that count."""
        return [f for f in self.findings if f.status != "refused"]


def check_submission(folder: Path) -> Checked:
    """Judge a folder, offline. Raises SubmissionError where it is no submission at all."""
    submission = read_submission(folder)
    if submission.suite not in SUITES:
        raise SubmissionError(
            f"{folder / HEAD}: suite = {submission.suite!r}: allowed is one of {', '.join(SUITES)}"
        )
    instances = load_suite(submission.suite)
    known = read_records(submission.suite)
    strangers = sorted(submission.instances.keys() - {i.name for i in instances})
    if strangers:
        raise SubmissionError(
            f"{folder / HEAD}: instances: {strangers[0]!r} is none of {submission.suite}"
        )
    comparable = submission.cost_version == COST_VERSION
    findings = tuple(
        _finding(folder, i, submission.instances.get(i.name), known, comparable) for i in instances
    )
    return Checked(folder, submission, findings)


def _finding(
    folder: Path,
    instance: Instance,
    claim: Claim | None,
    known: dict[str, Record],
    comparable: bool,
) -> Finding:
    """What one instance's files are worth; `comparable`: today's cost is claimed."""
    name = instance.name
    if claim is None:
        return Finding(name, "refused", "no plan of it is handed in")
    if claim.sha256 != instance.content_sha256:
        return Finding(name, "refused", "sha256: it is of another instance of this name")
    try:
        plan = read_submitted_plan(folder, instance)
        judged = numbers(instance, plan)
    except FileError as error:
        return Finding(name, "refused", str(error))
    broken = [f"{what} by {amount:g}" for what, amount in judged["violations"].items()]
    if broken:
        return Finding(name, "refused", f"its plan breaks {', '.join(broken)}")
    cost = judged["cost"]
    if comparable and not math.isclose(cost, claim.cost, rel_tol=TOLERANCE):
        return Finding(
            name, "refused", f"cost = {claim.cost!r}: its plan costs {cost!r}; was it altered?"
        )
    found = Finding(
        name,
        "accepted",
        cost=cost,
        time_s=math.nan if claim.time_s is None else claim.time_s,
        deadline_misses=judged["deadline_misses"],
        plan=plan,
    )
    return _against(_with_proof(found, folder, instance), known.get(name))


def _with_proof(found: Finding, folder: Path, instance: Instance) -> Finding:
    """With the bound that a proof in the folder certifies; a bad proof costs nothing but itself."""
    try:
        proof = read_submitted_proof(folder, instance)
        if proof is None:
            return found
        result = verify_proof(instance, proof)
    except (FileError, ProofError) as error:
        return replace(found, reason=f"its proof does not count: {error}")
    if not result.valid:
        return replace(found, reason=f"its proof is wrong: {result.reason}")
    bound = result.bound / instance.scenario.n_devices
    if instance.n_slots > 1:
        return replace(found, reason="its proof does not count: it is of one slot of several")
    return replace(found, bound=bound, own_bound=bound, proved=True)


def _against(found: Finding, record: Record | None) -> Finding:
    """Compared with what is known of the instance."""
    if record is None:
        return found
    best = math.nan if record.best is None else record.best.value
    bound = math.nan if record.bound is None else record.bound.value
    found = replace(found, best=best, bound=max((found.bound, bound), key=_or_low))
    if found.cost < best * (1 - TOLERANCE):
        found = replace(found, status="better")
    if found.cost < found.bound - CONTRADICTION * abs(found.bound):
        wrong = "it lies below the certified bound: one of the two is wrong, please report it"
        found = replace(found, reason=wrong)
    return found


def _or_low(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def enter(checked: Checked) -> int:
    """Enter better plans and proved bounds into the suite's records; how many these better.

    Raises RecordError where the suite keeps no records, or something contradicts them.
    """
    suite = checked.submission.suite
    if RECORDS.is_relative_to(PACKAGE):
        raise RecordError("records are entered in a clone: SATEDGE_HOME may name one")
    records = read_records(suite)
    if not records:
        raise RecordError(f"{suite}: no records are kept of it")
    instances = {i.name: i for i in load_suite(suite)}
    if any(instance.n_slots > 1 for instance in instances.values()):
        raise RecordError(
            f"{suite}: references of episodes are causal plans; no folder shows that its own are"
        )
    before = dict(records)
    for f in checked.plans:
        bound = f.own_bound if f.proved else None
        certificate = {"kind": "verified-proof"} if f.proved else {}
        outcome = Outcome(f.plan, "finished", bound, certificate)
        who = f"{checked.submission.name} (handed in)"
        known = records.get(f.instance) or Record(f.instance, instances[f.instance].content_sha256)
        records[f.instance] = improve(known, instances[f.instance], outcome, who)
    write_records(suite, records)
    return sum(record != before.get(name) for name, record in records.items())


# --- running the method again


def run_again(checked: Checked, count: int) -> Checked:
    """The same with its method run again on some accepted instances, evenly spread.

    Only methods of this package are run, with the submission's settings, seed and budget. Raises
    MethodError where that cannot be done here.
    """
    lines = tuple(_again(checked, count))
    return replace(checked, again=lines, repeated=min(count, len(checked.plans)))


def _again(checked: Checked, count: int) -> Iterator[str]:
    from satedge.bench.run.local import execute
    from satedge.bench.run.worker_process import WorkerProcess
    from satedge.bench.study.cell import Cell
    from satedge.bench.study.limits import Limits

    s, method = checked.submission, _own_method(checked.submission)
    plans = checked.plans
    chosen = [plans[i * len(plans) // count] for i in range(count)] if count < len(plans) else plans
    instances = {i.name: i for i in load_suite(s.suite)}
    with WorkerProcess() as worker:
        for found in chosen:
            limits = Limits(clock=s.clock)
            budget_s = min(s.budget_s or MOST_BUDGET_S, MOST_BUDGET_S)
            row = execute(
                worker, Cell(method, instances[found.instance], s.seed, budget_s, limits=limits)
            )["row"]
            if not row.get("admissible") or row["cost"] > found.cost * (1 + REPRODUCED):
                ended = f"costs {row['cost']!r}" if row.get("admissible") else row["status"]
                yield f"{found.instance}: handed in at {found.cost!r}, run again it {ended}"


def _own_method(submission: Submission) -> Any:
    """The method of this package that a submission names. Raises MethodError."""
    own = {m.name: m for m in TABLE}
    name = FORMER_NAMES.get(submission.method, submission.method)
    if name not in own or submission.budget_s is None:
        raise MethodError(
            f"{submission.name}: method {submission.method!r} is none of this package, and others "
            "are not run again"
        )
    for key, value in submission.settings.items():
        if not _harmless(key, value):
            raise MethodError(
                f"{submission.name}: setting {key} = {value!r}: allowed to run again are numbers, "
                "and names of policies"
            )
    method = own[name].with_settings(**submission.settings)
    reason = missing(method)
    if reason:
        raise MethodError(f"{submission.name}: method {method.name} cannot run here: {reason}")
    return method


def _harmless(name: str, value: Any) -> bool:
    """A setting that can name no program and no file but a policy of the library.

    That of `general` names a solver, and a solver may be any program.
    """
    if name == "policy":
        return isinstance(value, str) and re.fullmatch(r"[\w+-]+(/[\w+-]+)*", value) is not None
    return isinstance(value, (bool, int, float))

"""The process in which a general solver runs: it may hang, crash or print what it likes.

Touches the file that its argument names when it is ready; reads paths of jobs from standard
input, one a line; the answer to a job appears whole beside it,
under the name that the job gives. Ends with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pickle
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minlp.p1 import model as p1
from minlp.p1.solvers import CONTINUOUS, Claim, SolverMissing, availability, call
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import judge

#: What the cutoff lies above the known plan, relatively: a solver may find none that is better.
SLACK = 1e-6


@dataclass(frozen=True)
class Job:
    """One slot to be solved."""

    instance: Instance
    """One slot, UAVs where they come from."""
    start: Plan
    """A known plan: its cost is the cutoff, its servers the first incumbent."""
    solver: str
    formulation: str
    download: str
    end: float
    """When the solver should be done, by `time.monotonic`, which processes share."""
    least_s: float
    """What it gets at least, however long it took to get here."""
    seed: int
    options: dict[str, Any]
    answer: str
    """Where the answer goes: a JSON file."""


def solve_job(job: Job) -> dict[str, Any]:
    """Claim and plan of a job as JSON values."""
    reason = availability(job.solver)
    if reason:
        raise SolverMissing(reason)
    cutoff = float(judge(job.instance, job.start).cost) * (1 + SLACK)
    build: dict[str, Any] = {
        "formulation": job.formulation, "download": job.download, "cutoff": cutoff
    }  # fmt: skip
    model = p1.build(job.instance, **build)
    with contextlib.suppress(ValueError):  # a start on a dominated server is no start
        p1.model_cost_at(model, job.start)
    limit_s = max(job.least_s, job.end - time.monotonic())
    began = _cpu_s()
    if job.solver in CONTINUOUS:
        claim = _rounded(job, model, limit_s / 2)
    else:
        claim = call(model, job.solver, limit_s, job.seed, job.options)
    found = claim.cost is not None and p1.assigned(model)
    plan = p1.plan_of(model).to_dict() if found else None
    seconds = _cpu_s() - began
    return {"claim": {**asdict(claim), "cpu_s": seconds}, "plan": plan}


def _cpu_s() -> float:
    """CPU seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


def _rounded(job: Job, model: Any, limit_s: float) -> Claim:
    """Relax integrality, solve, fix the servers that weigh most, and solve again."""
    import pyomo.environ as pyo

    relaxed = pyo.TransformationFactory("core.relax_integer_vars").create_using(model)
    claim = call(relaxed, job.solver, limit_s, job.seed, job.options)
    if claim.cost is None:
        return claim
    for name in ("serves", "refuses"):
        for index, variable in getattr(model, name).items():
            variable.set_value(pyo.value(getattr(relaxed, name)[index]), skip_validation=True)
    for source, target in zip(
        relaxed.component_data_objects(pyo.Var), model.component_data_objects(pyo.Var), strict=True
    ):
        target.set_value(source.value, skip_validation=True)
    server = p1.plan_of(model).server[0]
    for (k, b), variable in model.serves.items():
        variable.fix(int(server[k] == b))
    for k, variable in model.refuses.items():
        variable.fix(int(server[k] < 0))
    # what is binary still, loads of shared servers, follows from the servers
    pyo.TransformationFactory("core.relax_integer_vars").apply_to(model)
    claim = call(model, job.solver, limit_s, job.seed, job.options)
    return Claim(claim.termination, claim.cost, None, claim.nodes, claim.version)


def _end_with_parent() -> None:
    """Linux: be killed when the parent is."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """Serve jobs until standard input ends."""
    _end_with_parent()
    Path(sys.argv[1]).touch()
    for line in sys.stdin:
        job: Job = pickle.loads(Path(line.strip()).read_bytes())
        try:
            answer = solve_job(job)
        except SolverMissing as missing:
            answer = {"error": str(missing)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        partial = Path(job.answer + ".part")
        partial.write_text(json.dumps(answer))
        os.replace(partial, job.answer)

"""P1 handed whole to a general solver, slot by slot: the peers of the methods here.

The solver runs in a process of its own, is told a time limit and killed a little after it, and
its output is kept aside. Nothing that it claims is believed: its plan is judged by the referee; its
bound is kept as "claimed" and is no certified bound. What contradicts the referee is recorded. A
solver that is not there, crashes, hangs, or has no admissible plan of a slot has failed: no other
plan takes the place of its own.

The model is the formulation that served SCIP and Gurobi best (see `p1.rates_log`), with all cuts,
the cost of a simple known plan as cutoff and its servers as first incumbent. By default a UAV's
download time is replaced by its lower bound in the model (never in the judgement): it changes the
cost by about 1e-6, and spares the solvers most of their nonlinear terms.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minlp.general.child import Job
from minlp.p1.start import start_plan
from satedge import isolated
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Report, ignore
from satedge.problem.projector import project
from satedge.problem.referee import judge
from satedge.problem.rollout import rollout

Array = NDArray[np.float64]

#: Seconds that a solver may take beyond its limit before it is killed.
GRACE_S = 3.0

#: Seconds within which the process must have started.
START_S = 60.0

#: Relative difference between a claim and the referee beyond which the claim is called wrong.
CLAIM_TOLERANCE = 1e-4


class SolverFailed(RuntimeError):
    """A general solver has no plan of a slot: which, and why."""


def solve(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    solver: str = "scip",
    formulation: str = "log-power",
    download: str = "bound",
    options: dict[str, Any] | None = None,
    grace_s: float = GRACE_S,
) -> Outcome:
    """Plans of a general solver by its Pyomo name; `info["slots"]` holds claims and judgements.

    `options` go to the solver under its own names. Status: "optimal" when the solver claims it
    for every slot and the referee finds nothing against it. Raises SolverFailed.
    """
    settings = {
        "solver": solver, "formulation": formulation, "download": download,
        "seed": seed, "options": options or {},
    }  # fmt: skip
    began = clock.now()
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="satedge-") as folder, Child(Path(folder)) as child:

        def act(slot: Instance, t: int) -> Plan:
            left_s = budget_s - (clock.now() - began)
            share_s = left_s / (instance.n_slots - t)
            if share_s <= 0:
                raise SolverFailed(f"slot {t}: its {budget_s:g} s were over before")
            plan, record = _solve_slot(child, slot, t, share_s, grace_s, settings)
            records.append(record)
            return plan

        outcome = rollout(instance, act, seed=seed, report=report)
    return _outcome(outcome, records, settings)


def _solve_slot(
    child: Child, slot: Instance, t: int, share_s: float, grace_s: float, settings: dict[str, Any]
) -> tuple[Plan, dict[str, Any]]:
    """The solver's plan of a slot and the record of it. Raises SolverFailed."""
    answer = child.ask(slot, start_plan(slot), share_s, grace_s, settings)
    if "error" in answer:
        print(child.log_tail())
        raise SolverFailed(f"slot {t}: {answer['error']}")
    record: dict[str, Any] = {"slot": t, **answer["claim"]}
    claimed, shape = answer["plan"], (1, slot.scenario.n_devices)
    if claimed is None:
        raise SolverFailed(f"slot {t}: no plan within {share_s:.3g} s ({record['termination']})")
    raw = Plan(
        np.array(claimed["server"], np.int64).reshape(shape),
        np.array(claimed["power_W"], float).reshape(shape),
        np.array(claimed["uav_xy_m"], float).reshape(1, -1, 2),
    )
    plan, changes = project(slot, tidy(slot, raw))
    if changes.server.any():
        devices = ", ".join(str(k) for k in np.flatnonzero(changes.server[0]))
        raise SolverFailed(f"slot {t}: its plan has no admissible server for device {devices}")
    judged = float(judge(slot, plan).cost)
    return plan, record | {"judged": judged, "wrong": _wrong(record, judged)}


def _wrong(record: dict[str, Any], judged: float) -> list[str]:
    """What the referee has against a claim."""
    found = []
    slack = CLAIM_TOLERANCE * abs(judged)
    if not abs(record["cost"] - judged) <= slack:
        found.append(f"claims cost {record['cost']:.9g}, judged {judged:.9g}")
    if record["bound"] is not None and not record["bound"] <= judged + slack:
        found.append(f"claims bound {record['bound']:.9g} above a plan of cost {judged:.9g}")
    return found


def _claims_optimum(record: dict[str, Any]) -> bool:
    told = str(record["termination"])
    return "optimal" in told.lower() or told == "convergenceCriteriaSatisfied"


def tidy(slot: Instance, raw: Plan) -> Plan:
    """Positions moved into the coverage of the served and into reach where they miss it by no
    more than a solver's tolerance, so that the projector need not draw servers anew."""
    s = slot.scenario
    xy = np.array(raw.uav_xy_m[0], float)
    for m in range(s.n_uavs):
        served = slot.device_xy_m[0][raw.server[0] == m]
        discs = [(slot.uav_xy_m[m], s.uav_reach_m), *((w, s.uav_coverage_m) for w in served)]
        for _ in range(50):
            moved = np.clip(xy[m], 0.0, s.area_side_m)
            for centre, radius in discs:
                away = moved - centre
                far = float(np.hypot(*away))
                if radius < far <= radius * (1 + 1e-4):
                    moved = centre + away * (radius * (1 - 1e-12) / far)
            if (moved == xy[m]).all():
                break
            xy[m] = moved
    return Plan(raw.server, raw.power_W, xy[None])


def _outcome(outcome: Outcome, records: list[dict[str, Any]], settings: dict[str, Any]) -> Outcome:
    bounds = [r["bound"] for r in records]
    claimed = None if None in bounds else float(np.mean(np.array(bounds, float)))
    status = outcome.status
    if all(_claims_optimum(r) for r in records):
        status = "finished" if any(r["wrong"] for r in records) else "optimal"
    version = next((r["version"] for r in records if r["version"]), "")
    return Outcome(
        plan=outcome.plan,
        status=status,
        certificate={
            "kind": "none",
            "solver": settings["solver"],
            "version": version,
            "claimed_bound": claimed,
        },
        info={**outcome.info, **settings, "slots": records},
    )


class Child:
    """The solver's process, started when needed and started again after it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"
        self._process: subprocess.Popen[str] | None = None
        self._jobs = 0

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def ask(
        self,
        slot: Instance,
        start: Plan,
        share_s: float,
        grace_s: float,
        settings: dict[str, Any],
    ) -> dict[str, Any]:
        """The answer to a job within `share_s` and a little, or {"error": why there is none}."""
        # starting the process and building the model come out of the share, within reason
        end, least_s = time.monotonic() + share_s, 0.2 * share_s
        process = self._running()
        self._jobs += 1
        path, answer = (self._folder / f"{self._jobs}.{kind}" for kind in ("job", "json"))
        job = Job(
            instance=slot,
            start=start,
            end=end - min(0.3, 0.1 * share_s),
            least_s=least_s,
            answer=str(answer),
            **settings,
        )
        path.write_bytes(pickle.dumps(job))
        killed_at = max(end, time.monotonic() + least_s) + grace_s
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: seen below
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
        while not answer.exists():
            if process.poll() is not None:
                return {"error": f"the solver's process died with code {process.returncode}"}
            if time.monotonic() > killed_at:
                self._kill()
                return {"error": f"killed {grace_s:g} s after its limit of {share_s:.3g} s"}
            time.sleep(0.005)
        return dict(json.loads(answer.read_text()))

    def log_tail(self) -> str:
        """The end of what the process printed."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or not self._alive():
            one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
            ready = self._folder / "ready"
            ready.unlink(missing_ok=True)
            with self._log.open("a") as log:
                self._process = subprocess.Popen(
                    isolated.command("minlp.general.child", ready),
                    stdin=subprocess.PIPE, stdout=log, stderr=log, text=True,
                    env={**os.environ, **one},
                )  # fmt: skip
            stop_at = time.monotonic() + START_S
            while not ready.exists() and self._alive() and time.monotonic() < stop_at:
                time.sleep(0.005)
        return self._process

    def _kill(self) -> None:
        """End the process and whatever it started."""
        import psutil

        if self._process is None:
            return
        try:
            started = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            started = []
        self._process.kill()
        for other in started:
            try:
                other.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

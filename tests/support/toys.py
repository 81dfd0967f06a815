"""Methods for tests of the bench: one does its duty, the others misbehave in one way each."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from satedge.bench.study.provenance import digest
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report, ignore
from satedge.problem.projector import project
from satedge.problem.rollout import idle_decision, rollout


def plan_of(instance: Instance) -> Plan:
    """An admissible plan."""
    return project(instance, idle_decision(instance))[0]


def record_of(serial: int, certificate: dict[str, Any], **row: Any) -> dict[str, Any]:
    """What a folder stores of a run without a plan; runs of other numbers have other keys."""
    identity = {"label": "toy", "entry": "toy:toy", "settings": {}, "seed": serial, "budget_s": 1}
    about = {"method": "toy", "instance": "i", "instance_sha256": "", "status": "done"}
    told = {"key": digest(identity), **about, "seed": serial, **row}
    whole = {"row": told, "identity": identity, "plan": None}
    return {**whole, "trace": [], "certificate": certificate, "info": {}}


def good(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    note: str = "",
    permits: str = "",
) -> Outcome:
    """An admissible plan and a bound of 0.

    Leaves a line in the file `note`, if it is named: instance, seed and the process above. Goes on
    when the file `permits` allows as many lines.
    """
    if note:
        with Path(note).open("a") as out:
            out.write(f"{instance.name} {seed} {os.getppid()}\n")
    while permits and len(Path(note).read_text().splitlines()) > int(Path(permits).read_text()):
        time.sleep(0.01)
    return replace(rollout(instance, lambda s, _: idle_decision(s), seed=seed), lower_bound=0.0)


def streams(instance: Instance, *, budget_s: float, seed: int, report: Report = ignore) -> Outcome:
    """Streams a poor plan, a bound, a better plan, and never ends."""
    best = plan_of(instance)
    poor = replace(best, power_W=best.power_W * 1e-3)
    report(Progress(poor))
    report(Progress(lower_bound=0.25))
    report(Progress(best))
    time.sleep(1e6)
    raise AssertionError


def spins(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Computes for ever without a word."""
    while True:
        pass


def family(instance: Instance, *, budget_s: float, seed: int, pid_file: str = "") -> Outcome:
    """Starts a process of its own, in a session of its own, and waits for it."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1e6)"], start_new_session=True
    ) as child:
        Path(pid_file).write_text(str(child.pid))
        child.wait()
    raise AssertionError


def hungry(instance: Instance, *, budget_s: float, seed: int, report: Report = ignore) -> Outcome:
    """Takes memory without end."""
    report(Progress(plan_of(instance)))
    kept = []
    while True:
        kept.append(np.ones(1_000_000))
        time.sleep(0.001)


def crashes(instance: Instance, *, budget_s: float, seed: int, report: Report = ignore) -> Outcome:
    """Ends its process."""
    report(Progress(plan_of(instance)))
    print("about to die", flush=True)
    os._exit(7)


def aborts(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Dies of a signal."""
    os.abort()


def raises(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Has a bug."""
    raise ZeroDivisionError("by zero,\nsadly")


def wrong_type(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Returns what is no outcome."""
    return 5  # type: ignore[return-value]


def nothing(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Returns neither plan nor bound."""
    return Outcome(None)


def cheats(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Sends with more power than there is."""
    best = plan_of(instance)
    return Outcome(replace(best, power_W=best.power_W * 1e3))


def misfit(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """A plan of another shape."""
    return Outcome(plan_of(instance).slots(0, 0))


def lies(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Claims a bound that its own plan disproves."""
    return Outcome(plan_of(instance), lower_bound=1e9)


def absurd(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Claims a bound that is no number."""
    return Outcome(plan_of(instance), lower_bound=float("nan"))


def unsendable(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Keeps something that no other process can have."""
    return Outcome(plan_of(instance), info={"lock": lambda: None})


def noisy(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Prints from Python and from below it."""
    print("a word from Python")
    os.write(1, b"a word from C\n")
    sys.stderr.write("a complaint\n")
    return Outcome(plan_of(instance))


def threads(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Tells how many threads numerics may use."""
    return Outcome(plan_of(instance), info={"threads": os.environ.get("OMP_NUM_THREADS")})


class Heavy:
    """Not a function."""


started, warm_from_s = 0, 0.0


def warm_up() -> None:
    """Called once per worker, before the first cell's clock starts."""
    global started, warm_from_s
    started += 1
    time.sleep(0.2)
    warm_from_s = time.perf_counter()


def warmth(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Tells how often the module was warmed up, until when, and in which process."""
    info = {"started": started, "pid": os.getpid(), "warm_from_s": warm_from_s}
    return Outcome(plan_of(instance), info=info)


def two_clocks(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Sleeps, and tells how long its clock says that took."""
    began = clock.now()
    time.sleep(0.5)
    return Outcome(plan_of(instance), info={"waited_s": clock.now() - began})

"""Worker processes: limits are enforced from outside, and what was streamed is kept."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from satedge import preparation
from satedge.bench.methods import table as methods
from satedge.bench.run import supervisor
from satedge.bench.run.local import execute
from satedge.bench.run.supervisor import Interrupted
from satedge.bench.run.worker import Job
from satedge.bench.run.worker_process import WorkerProcess
from satedge.bench.study.cell import Cell
from satedge.bench.study.limits import Limits
from satedge.problem.instance import Instance
from satedge.problem.referee import judge
from support import toys
from support.waiting import has_streamed, time_is_up, wait_for


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess() as found:
        yield found


def run(worker: WorkerProcess, instance: Instance, name: str, budget_s: float = 5.0, **settings):
    limits = Limits(grace_s=0.3, memory_MB=settings.pop("memory_MB", 4000.0))
    method = methods.find(f"support.toys:{name}").with_settings(**settings)
    return execute(worker, Cell(method, instance, 3, budget_s, limits=limits))


def test_plan_is_judged_by_the_referee(worker: WorkerProcess, slot: Instance) -> None:
    """A method returns a plan and a bound; its cost comes from the referee."""
    record = run(worker, slot, "good")
    row = record["row"]
    assert (row["status"], row["lower_bound"]) == ("done", 0.0)
    assert row["cost"] == float(judge(slot, toys.plan_of(slot)).cost)
    assert row["admissible"]
    assert record["trace"][-1][1] == row["cost"]


def test_timeout_is_scored_on_the_last_incumbent(
    worker: WorkerProcess, slot: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method killed at its limit is scored on what it streamed last, with its best bound."""
    time_is_up(monkeypatch, has_streamed)
    record = run(worker, slot, "streams")
    row = record["row"]
    assert row["status"] == "timeout"
    assert row["cost"] == float(judge(slot, toys.plan_of(slot)).cost)
    assert row["lower_bound"] == 0.25
    first, *_, last = record["trace"]
    assert first[1] > last[1] == row["cost"]


def test_worker_that_never_speaks_is_killed(worker: WorkerProcess, slot: Instance) -> None:
    """Budget plus grace is the end, also for code that never lets go."""
    row = run(worker, slot, "spins", budget_s=0.2)["row"]
    assert row["status"] == "timeout"
    assert row.get("cost") is None
    assert row["wall_s"] >= 0.2 + 0.3


def gone(pid: int) -> bool:
    """No such process, or nothing of it but its entry."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_children_die_with_their_worker(
    worker: WorkerProcess, slot: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A solver started by a method does not outlive it, even in a session of its own."""
    pid_file = tmp_path / "pid"
    time_is_up(monkeypatch, lambda _: pid_file.exists() and pid_file.read_text())
    assert run(worker, slot, "family", pid_file=str(pid_file))["row"]["status"] == "timeout"
    child = int(pid_file.read_text())
    wait_for(lambda: gone(child))


def test_memory_limit(worker: WorkerProcess, slot: Instance) -> None:
    """Too much memory ends a method, and its last incumbent still counts."""
    row = run(worker, slot, "hungry", budget_s=3600.0, memory_MB=300.0)["row"]
    assert row["status"] == "killed-memory"
    assert "the limit is 300 MB" in row["reason"]
    assert row["admissible"]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("crashes", "crashed", "exit code 7"),
        ("aborts", "crashed", "SIGABRT"),
        ("raises", "failed", "ZeroDivisionError: by zero, sadly"),
        ("wrong_type", "failed", "returned int"),
        ("nothing", "failed", "neither a plan nor a bound"),
        ("cheats", "failed", "breaks power_max"),
        ("misfit", "failed", "does not fit"),
        ("absurd", "failed", "lower bound of nan"),
        ("unsendable", "failed", "cannot be sent"),
        ("Heavy", "failed", "takes the keyword argument"),
    ],
)
def test_failures_are_rows_with_a_reason(
    worker: WorkerProcess, slot: Instance, name: str, status: str, words: str
) -> None:
    """Whatever goes wrong in a method is told in its row, and the next cell runs as ever."""
    row = run(worker, slot, name)["row"]
    assert row["status"] == status
    assert words in row["reason"]
    assert "\n" not in row["reason"]
    assert run(worker, slot, "good")["row"]["status"] == "done"


def test_crash_keeps_the_log(worker: WorkerProcess, slot: Instance) -> None:
    """What a method printed before it died is kept, and only its own words."""
    run(worker, slot, "noisy")
    assert run(worker, slot, "crashes")["log"] == "about to die\n"


def test_output_is_captured(
    worker: WorkerProcess, slot: Instance, capfd: pytest.CaptureFixture[str]
) -> None:
    """Methods may print; it ends in the record, not on the terminal."""
    log = run(worker, slot, "noisy")["log"]
    assert {"a word from Python", "a word from C", "a complaint"} <= set(log.splitlines())
    assert capfd.readouterr() == ("", "")


def test_unknown_setting_is_refused(worker: WorkerProcess, slot: Instance) -> None:
    """Settings are checked against the callable's keyword arguments."""
    with pytest.raises(
        methods.MethodError,
        match=r"did you mean permits\?\); allowed: note, pe",
    ):
        run(worker, slot, "good", permit=1)
    with pytest.raises(methods.MethodError, match="given by the bench"):
        run(worker, slot, "good", seed=1)


def test_one_thread(worker: WorkerProcess, slot: Instance) -> None:
    """Numerics get one thread, so that times compare."""
    assert run(worker, slot, "threads")["info"] == {"threads": "1"}


def test_worker_stays_warm_and_warming_is_not_timed(slot: Instance) -> None:
    """Imports and `warm_up` are paid once per worker, before the clock of the budget starts."""
    own = replace(methods.find("support.toys:warmth"), family="classical")
    with WorkerProcess() as worker:
        first = execute(worker, Cell(own, slot, 0, 5.0))
        ended_s = time.perf_counter()
        second = execute(worker, Cell(own, slot, 1, 5.0))
    assert first["info"] == second["info"]
    assert first["info"]["started"] == 1
    assert first["row"]["wall_s"] <= ended_s - first["info"]["warm_from_s"]


def test_compiling_is_told_and_not_timed(
    slot: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cold cache a method has its whole budget, however short, once its kernels are ready."""
    said: list[str] = []
    monkeypatch.setattr(preparation, "_listener", said.append)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    limits = Limits(grace_s=0.3)
    cell = Cell(methods.find("support.toy_kernels:solve"), slot, 0, 0.2, limits=limits)
    with WorkerProcess() as worker:
        record = execute(worker, cell)
    assert record["row"]["status"] == "done"
    assert record["info"] == {"before": len(said) - 1, "within": 0, "found": 27.0}
    assert said[0] == f"compiling kernels, once: 0 of {len(said) - 1}"
    assert said[-1] == ""


def test_stop_kills_at_once(slot: Instance) -> None:
    """An interrupted cell leaves no process and no record."""
    before = set(psutil.Process().children())
    stop = threading.Event()
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    cell = Cell(methods.find("support.toys:spins"), slot, 0, 60.0)
    with WorkerProcess() as worker, pytest.raises(Interrupted):
        execute(worker, cell, stop)
    timer.join()
    assert set(psutil.Process().children()) <= before


def job(name: str, instance: Instance, budget_s: float) -> Job:
    return Job(methods.find(name), instance, 0, budget_s)


def test_processor_clock(slot: Instance) -> None:
    """Under the clock "cpu" a method's own clock, its limit and its times are processor seconds."""
    limits = Limits(grace_s=0.2, clock="cpu")
    with WorkerProcess() as worker:
        told = worker.run(job("support.toys:two_clocks", slot, 5.0), limits)
        assert told.outcome is not None
        assert told.outcome.info["waited_s"] < 0.2, "sleeping half a second is no processor time"
        assert told.timing.wall_s < 0.4
        began = time.perf_counter()
        spun = worker.run(job("support.toys:spins", slot, 0.3), limits)
        assert spun.status == "timeout"
        assert spun.timing.wall_s >= 0.5
        assert time.perf_counter() - began >= 0.5
        plain = worker.run(job("support.toys:two_clocks", slot, 5.0), Limits())
        assert plain.outcome is not None
        assert plain.outcome.info["waited_s"] >= 0.5, "another clock, another worker"


def test_processor_clock_ends_what_sleeps(slot: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that computes nothing does not last for ever."""
    monkeypatch.setattr(supervisor, "STALL", 0.0)
    monkeypatch.setattr(supervisor, "STALL_S", 0.6)
    with WorkerProcess() as worker:
        run = worker.run(job("support.toys:streams", slot, 0.5), Limits(grace_s=0.0, clock="cpu"))
    assert run.status == "timeout"
    assert run.timing.wall_s < 0.5, "its processor seconds were not used up"

"""SIGKILL at random moments: whatever was killed, the same command ends as if nothing had been.

Slow: three kills of each; with SATEDGE_EXAMPLES=5 they are 25.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from satedge.bench.run.store import Store
from satedge.bench.score.verify import findings
from satedge.problem.generation.generate import generate
from satedge.problem.io.files import write_instance
from satedge.problem.scenario import preset
from support.clusters import ENVIRONMENT, Cluster, benchmark
from support.randomised import MORE, SEED
from support.waiting import PATIENCE_S

#: Kills of each.
KILLS = 5 * MORE or 3


def policies(folder: Path) -> Any:
    """Weights by name, and the log but for times."""
    found = {p.name: p.read_bytes() for p in folder.rglob("policies/*/*.safetensors")}
    lines = (folder / "curve.csv").read_text().splitlines()
    return found, [line for line in lines if ",seconds," not in line]


def rows(folder: Path) -> Any:
    """The table of a run, but for what is measured, and what `satedge check` finds."""
    store = Store(folder)
    table = store.gather()
    assert findings(store, table) == []
    return table[["key", "status", "cost", "lower_bound", "settings"]].to_csv()


class Runner:
    """`satedge benchmark` itself is killed."""

    told = staticmethod(rows)

    def __init__(self, folder: Path) -> None:
        (folder / "instances").mkdir()
        for seed in range(4):
            instance = generate(preset("tiny", n_slots=1), seed, name=f"i{seed}")
            write_instance(instance, folder / "instances" / f"{seed}.json")
        self.study = folder / "study.toml"
        self.study.write_text(
            f"[[part]]\nname = 'g'\nsuites = ['{folder / 'instances'}']\nseeds = [0, 1]\n"
            "budgets_s = [60]\nmethods = ['greedy', 'nearest', 'support.toys:good']\n"
        )

    def start(self, out: Path) -> subprocess.Popen[str]:
        return benchmark(self.study, out)

    def kill(self, process: subprocess.Popen[str], _: random.Random) -> bool:
        """Whether it came in time."""
        process.kill()
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def close(self) -> None:
        """Nothing is left."""


class Worker(Runner):
    """A process below it is killed; its run is a row of its own, to be done again."""

    def start(self, out: Path) -> subprocess.Popen[str]:
        return benchmark(self.study, out, "--again", "crashed", "--again", "failed")

    def kill(self, process: subprocess.Popen[str], rng: random.Random) -> bool:
        struck = False
        while not struck and process.poll() is None:
            with suppress(psutil.Error, IndexError):  # it has none, or the one chosen has ended
                rng.choice(psutil.Process(process.pid).children(recursive=True)).kill()
                struck = True
            time.sleep(0.01)
        process.communicate(timeout=PATIENCE_S)
        return struck


class Training(Runner):
    """A training is killed."""

    told = staticmethod(policies)

    def __init__(self, folder: Path) -> None:
        """Without files of its own."""

    def start(self, out: Path) -> subprocess.Popen[str]:
        words = f"train ppo -p tiny --set n_slots=5 --epochs 200 -o {out}".split()
        return subprocess.Popen(
            [sys.executable, "-m", "satedge", *words],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


class Scheduler(Runner):
    """The scheduler of a cluster is killed, and started anew with a worker."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder, self.cluster = folder, Cluster(folder)

    def start(self, out: Path) -> subprocess.Popen[str]:
        if self.cluster.scheduler.poll() is not None:
            self.cluster.close()
            self.cluster = Cluster(self.folder)
        return benchmark(self.study, out, "--scheduler-file", self.cluster.file)

    def kill(self, process: subprocess.Popen[str], _: random.Random) -> bool:
        os.killpg(self.cluster.scheduler.pid, signal.SIGKILL)
        self.cluster.scheduler.wait()
        _, error = process.communicate(timeout=PATIENCE_S)
        assert process.returncode in (0, 2), error
        assert "Traceback" not in error
        return process.returncode == 2

    def close(self) -> None:
        self.cluster.close()


def ends(process: subprocess.Popen[str], within_s: float) -> bool:
    """Whether a process ends in time, and well."""
    try:
        _, error = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        return False
    assert process.returncode == 0, error
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Runner, Worker, Training, Scheduler])
def test_killed_at_any_moment_it_resumes_to_the_same(kind: type[Runner], tmp_path: Path) -> None:
    """KILLS kills at moments drawn from the whole duration; tables or weights are those of a run
    that nobody disturbed."""
    victim, rng = kind(tmp_path), random.Random(f"{kind.__name__} {SEED}")
    began = time.perf_counter()
    assert ends(victim.start(tmp_path / "sound"), PATIENCE_S)
    took_s, sound = time.perf_counter() - began, kind.told(tmp_path / "sound")
    kills = n_runs = 0
    try:
        while kills < KILLS:
            n_runs += 1
            out, ended = tmp_path / f"run-{n_runs}", False
            while not ended and kills < KILLS:
                process = victim.start(out)
                ended = ends(process, rng.uniform(0, took_s))
                kills += not ended and victim.kill(process, rng)
            assert ended or ends(victim.start(out), PATIENCE_S)
            if kind is Worker:  # the last one may have killed a worker and told it
                assert ends(victim.start(out), PATIENCE_S)
            assert kind.told(out) == sound
    finally:
        victim.close()
    print(f"{kind.__name__}: {kills} kills in {n_runs} runs, all ended as the undisturbed one")

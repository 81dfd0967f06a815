"""What has to be trained before a study's learners can play: one training job a policy folder.

Policies lie under results/policies/PRESET/NAME/seed-N; PRESET is a scenario preset, or PRESET/Kn
for that preset with n devices. Jobs run under results/runs/train until they end, and the
selected policies are then copied to that library.
"""

from __future__ import annotations

import re
import shlex
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from satedge import paths
from satedge.bench.methods.table import Method
from satedge.bench.score.training_logs import LOG, run_times
from satedge.bench.study.study import Entry, Study, TrainingPlan, instances, method_of
from satedge.problem.scenario import Scenario, preset

#: Where trainings run, each in PRESET/NAME.
RUNS = Path("results/runs/train")

_POLICY = re.compile(r"(?P<name>[^/]+)(?:/seed-(?P<seed>\d+))?")
_PLACE = re.compile(r"(?P<preset>[^/]+)(?:/K(?P<n>\d+))?")


@dataclass(frozen=True)
class TrainingJob:
    """A training of one learner in one scenario, for the seeds that a study wants."""

    method: str
    """The learner that is trained."""
    name: str
    """Folder of its policies; the learner's name, unless its settings differ."""
    place: str
    """PRESET or PRESET/Kn."""
    seeds: tuple[int, ...]
    plan: TrainingPlan
    found: tuple[int, ...] = ()
    """Seeds whose policies are there already."""

    @property
    def missing(self) -> tuple[int, ...]:
        """Seeds to train."""
        return tuple(s for s in self.seeds if s not in self.found)

    @property
    def library(self) -> Path:
        """Where its policies belong."""
        return paths.POLICIES / self.place / self.name

    def trainings(self) -> list[tuple[Path, tuple[int, ...]]]:
        """Folder and seeds of each training: missing seeds that follow each other train together.

        Seeds added to earlier ones train apart, so that a checkpoint always means the same seeds.
        """
        cut: list[tuple[int, ...]] = []
        for seed in self.missing:
            if cut and cut[-1][-1] == seed - 1:
                cut[-1] = (*cut[-1], seed)
            else:
                cut.append((seed,))
        apart = [f"-from-{seeds[0]}" if seeds[0] != self.seeds[0] else "" for seeds in cut]
        return [(RUNS / self.place / (self.name + a), s) for a, s in zip(apart, cut, strict=True)]

    def world(self) -> tuple[str, dict[str, str]]:
        """Preset and changes of the scenario to train in."""
        parts = _PLACE.fullmatch(self.place)
        assert parts is not None
        return parts["preset"], {"n_devices": parts["n"]} if parts["n"] else {}

    def scenario(self) -> Scenario:
        """The scenario to train in. Raises ScenarioError."""
        name, changes = self.world()
        return preset(name, **changes)

    def command(self, folder: Path, seeds: tuple[int, ...]) -> str:
        """One of its trainings by hand."""
        name, changes = self.world()
        words = ["satedge", "train", self.method, "--preset", name]
        words += [w for k, v in changes.items() for w in ("--set", f"{k}={v}")]
        words += ["--seed", str(seeds[0]), "--runs", str(len(seeds))]
        words += ["--epochs", str(self.plan.epochs), "--updates", str(self.plan.updates)]
        words += ["--together", str(self.plan.together)] if self.plan.together > 1 else []
        words += [
            w for k, v in self.plan.settings.items() for w in ("--setting", f"{k}={_toml(v)}")
        ]
        return shlex.join([*words, "--out", str(folder)])


def training_jobs(study: Study) -> list[TrainingJob]:
    """Every policy folder that the study's learners play from, in the order of the study."""
    wanted: dict[tuple[str, str], TrainingJob] = {}
    for method, entry in _players(study):
        where = _where(method)
        if where is None:
            continue
        place, name, seed = where
        new = TrainingJob(method.name, name, place, (seed,), entry.training)
        known = wanted.setdefault((place, name), new)
        if seed not in known.seeds:
            wanted[place, name] = replace(known, seeds=tuple(sorted((*known.seeds, seed))))
    return [replace(c, found=_found(c)) for c in wanted.values()]


def _players(study: Study) -> Iterator[tuple[Method, Entry]]:
    """Learned methods as the study's runs play them."""
    for part in study.parts:
        learned = [e for e in part.entries if e.method.family == "learned"]
        for instance in instances(part) if learned else ():
            for entry in learned:
                for seed in entry.seeds:
                    yield method_of(entry, instance, seed), entry


def _where(method: Method) -> tuple[str, str, int] | None:
    """(place, name, seed) of a policy of the library; None for a file of the user's own."""
    policy = _POLICY.fullmatch(str(method.settings.get("policy", "")))
    place = str(method.settings.get("preset", "paper"))
    if policy is None or _PLACE.fullmatch(place) is None:
        return None
    return place, policy["name"], int(policy["seed"] or 0)


def _found(job: TrainingJob) -> tuple[int, ...]:
    return tuple(s for s in job.seeds if (job.library / f"seed-{s}.json").is_file())


def expected_s(job: TrainingJob) -> float | None:
    """Seconds that its missing seeds take, by what a seed's epoch took the learner elsewhere."""
    logs = sorted(paths.POLICIES.glob(f"**/{job.method}/{LOG}"))
    times = [s / epochs for log in logs for s, epochs in run_times(log).values()]
    if not times:
        return None
    return statistics.median(times) * job.plan.epochs * len(job.missing)


def train_missing(
    job: TrainingJob, train: Callable[..., Path], collect: Callable[[Path, Path], str]
) -> str:
    """Train the missing seeds and collect the selected policies; resumes where it was stopped.

    `train` and `collect` are those of the learners' package. Returns a line on the outcome.
    """
    told = ""
    for folder, seeds in job.trainings():
        train(
            job.method,
            scenario=job.scenario(),
            seeds=seeds,
            out_dir=folder,
            settings=dict(job.plan.settings),
            epochs=job.plan.epochs,
            updates_per_epoch=job.plan.updates,
            together=job.plan.together,
        )
        told = collect(folder, job.library)
    return told


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

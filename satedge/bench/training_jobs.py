"""What has to be trained before a study's learners can play: one training job a policy folder.

Policies lie under results/policies/PRESET/NAME/seed-N; PRESET is a scenario preset, or PRESET/Kn
for that preset with n devices. A policy that the manifest there knows is made again by the
manifest's command; how others are trained the study says. Every training is a command, run as it
stands, and the policies of the seeds that are missed are then copied to that library.
"""

from __future__ import annotations

import json
import re
import shlex
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from satedge import paths
from satedge.bench.methods import policies
from satedge.bench.methods.table import Method
from satedge.bench.score.training_logs import LOG, run_times
from satedge.bench.study.study import Entry, Study, TrainingPlan, instances, method_of

_POLICY = re.compile(r"(?P<name>[^/]+)(?:/seed-(?P<seed>\d+))?")
_PLACE = re.compile(r"(?P<preset>[^/]+)(?:/K(?P<n>\d+))?")


@dataclass(frozen=True)
class Training:
    """A command that trains, and the seeds of it that a study lacks."""

    command: str
    wanted: tuple[int, ...]
    """Those whose policies are kept; the command may train others with them."""

    @property
    def folder(self) -> Path:
        """Where it works."""
        return Path(self._option("--out"))

    @property
    def seeds(self) -> int:
        """How many it trains side by side."""
        return int(self._option("--runs", "1"))

    @property
    def epochs(self) -> int:
        """Of every seed."""
        return int(self._option("--epochs", str(TrainingPlan().epochs)))

    def _option(self, name: str, default: str = "") -> str:
        words = shlex.split(self.command)
        return words[words.index(name) + 1] if name in words else default


@dataclass(frozen=True)
class TrainingJob:
    """The trainings of one learner in one scenario, for the seeds that a study wants."""

    method: str
    """The learner that is trained."""
    name: str
    """Folder of its policies; the learner's name, unless its settings differ."""
    place: str
    """PRESET or PRESET/Kn."""
    seeds: tuple[int, ...]
    plan: TrainingPlan
    """Of seeds that the manifest does not know."""
    found: tuple[int, ...] = ()
    """Seeds whose policies are there already."""
    known: Mapping[int, policies.Entry] = field(default_factory=dict)
    """Seed -> what the manifest says of a policy that it has a command of."""

    @property
    def missing(self) -> tuple[int, ...]:
        """Seeds to train."""
        return tuple(s for s in self.seeds if s not in self.found)

    @property
    def library(self) -> Path:
        """Where its policies belong."""
        return paths.POLICIES / self.place / self.name

    def trainings(self) -> list[Training]:
        """What makes the missing seeds: the manifest's commands, each once, then the study's own.

        Of the latter those that follow each other train together, and apart from seeds that were
        trained earlier, so that a checkpoint always means the same seeds.
        """
        again: dict[str, tuple[int, ...]] = {}
        anew: list[tuple[int, ...]] = []
        for seed in self.missing:
            if seed in self.known:
                command = self.known[seed]["command"]
                again[command] = (*again.get(command, ()), seed)
            elif anew and anew[-1][-1] == seed - 1:
                anew[-1] = (*anew[-1], seed)
            else:
                anew.append((seed,))
        remade = [Training(command, seeds) for command, seeds in again.items()]
        return [*remade, *(Training(self._command(seeds), seeds) for seeds in anew)]

    def _command(self, seeds: tuple[int, ...]) -> str:
        """By the study's plan; what its numbers are by default goes without saying."""
        parts = _PLACE.fullmatch(self.place)
        assert parts is not None
        words = ["satedge", "train", self.method, "--preset", parts["preset"]]
        words += ["--set", f"n_devices={parts['n']}"] if parts["n"] else []
        words += ["--seed", str(seeds[0]), "--runs", str(len(seeds))]
        for option in ("epochs", "updates", "together", "validate_every"):
            value = getattr(self.plan, option)
            if value != getattr(TrainingPlan(), option):
                words += [f"--{option.replace('_', '-')}", str(value)]
        for key, value in self.plan.settings.items():
            words += ["--setting", f"{key}={_toml(value)}"]
        words += [word for path in self.plan.labels for word in ("--labels", path)]
        out = policies.run_folder(self.place, self.name, seeds[0])
        return shlex.join([*words, "--out", out.as_posix()])


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
    return [replace(c, found=_found(c), known=_known(c)) for c in wanted.values()]


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


def _known(job: TrainingJob) -> dict[int, policies.Entry]:
    told = policies.told(job.name, job.place)
    mine = {s: told.get(f"{job.name}/seed-{s}") for s in job.seeds}
    return {s: entry for s, entry in mine.items() if entry and entry["command"]}


def expected_s(job: TrainingJob) -> float | None:
    """Seconds that its missing seeds take, by what a seed's epoch took the learner elsewhere."""
    mine = job.library / LOG
    logs = [mine] if mine.is_file() else sorted(paths.POLICIES.glob(f"**/{job.method}/{LOG}"))
    times = [s / epochs for log in logs for s, epochs in run_times(log).values()]
    if not times:
        return None
    return statistics.median(times) * sum(t.epochs * t.seeds for t in job.trainings())


def train_missing(
    job: TrainingJob,
    run: Callable[[str], None],
    collect: Callable[[Path, Path, Sequence[int]], str],
) -> str:
    """Train the missing seeds and collect the selected policies; resumes where it was stopped.

    `run` runs a command, `collect` is that of the learners' package. Returns lines on the outcome.
    """
    told = []
    for training in job.trainings():
        run(training.command)
        told.append(collect(training.folder, job.library, training.wanted))
        told += [line for seed in training.wanted if (line := _difference(job, seed))]
    return "\n".join(told)


def _difference(job: TrainingJob, seed: int) -> str:
    """Whether other weights were made than those that the manifest has."""
    path = job.library / f"seed-{seed}.json"
    if seed not in job.known or policies.hash_of(path) == job.known[seed]["sha256"]:
        return ""
    return f"{path}: not to the byte the policy of the manifest: processors round differently"


def _toml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

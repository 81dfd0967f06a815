"""Learned methods: what the provenance and the logs of their policies say of the training."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from satedge.bench.methods.table import Method, policy_files
from satedge.bench.run.rows import Rows

#: What is read of a training: figures of its log, on validation episodes.
FIGURES = (
    "validation_reward",
    "validation_cost",
    "validation_latency_s",
    "validation_energy_J",
)

#: Log of a training beside its policies: epoch, seed, figure, value.
LOG = "curve.csv"

Curve = Mapping[float, float]
Times = dict[int, tuple[float, int]]
"""By seed the seconds and the last epoch of its training."""


@dataclass(frozen=True)
class Training:
    """One trained policy."""

    method: str
    seed: int
    training_s: float
    """Its share of the time of all runs that were trained together; NaN where unknown."""
    curves: Mapping[str, Curve]
    """One of FIGURES -> epoch -> value on the validation episodes."""
    learner: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the learner, as it was trained."""


def trainings(rows: Rows) -> list[Training]:
    """The policies that a run used, each once, by method and seed."""
    found: dict[Path, Training] = {}
    mine = rows.where(rows.equals("family", "learned") & ~rows.equals("status", "skipped"))
    used = zip(mine.text("method"), mine.text("entry"), mine.text("settings"), strict=True)
    for method, entry, settings in dict.fromkeys(used):
        played = Method(method, entry, "learned", "", settings=json.loads(settings))
        for path in policy_files(played):
            if path.suffix == ".json" and path not in found:
                found[path] = _training(method, path)
    return list(found.values())


def _training(method: str, path: Path) -> Training:
    told = _provenance(path)
    seed = int(told.get("seed", 0))
    log = path.with_name(LOG)
    known_s, _ = run_times(log).get(seed, (float("nan"), 0))
    seconds = told.get("training_s", known_s)
    curves = _log(log)[1].get(seed, {})
    if not curves:
        curves = {"validation_cost": {float(r[0]): r[1] for r in told.get("validation_curve", [])}}
    learner, settings = str(told.get("method", "")), told.get("settings", {})
    return Training(method, seed, float(seconds), curves, learner, settings)


def _provenance(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def run_times(log: Path) -> Times:
    """By seed its share of the seconds of all runs trained together, and its last epoch."""
    times = _log(log)[0]
    # Runs that are trained together share every second, so that their sums are equal.
    spent = [seconds for seconds, _ in times.values()]
    return {seed: (s / spent.count(s), epoch) for seed, (s, epoch) in times.items()}


@lru_cache(maxsize=64)
def _log(path: Path) -> tuple[Times, dict[int, dict[str, dict[float, float]]]]:
    """By seed the seconds and the last epoch of its training, and the curves of FIGURES."""
    times: Times = {}
    curves: dict[int, dict[str, dict[float, float]]] = {}
    if not path.is_file():
        return times, curves
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            seed, figure, value = int(row["seed"]), row["figure"], float(row["value"])
            if figure == "seconds":
                times[seed] = times.get(seed, (0.0, 0))[0] + value, int(row["epoch"])
            elif figure in FIGURES:
                curve = curves.setdefault(seed, {}).setdefault(figure, {})
                curve[float(row["epoch"])] = value
    return times, curves


def training_times(found: Iterable[Training]) -> dict[str, float]:
    """Mean training seconds by method, where known."""
    times: dict[str, list[float]] = {}
    for training in found:
        if np.isfinite(training.training_s):
            times.setdefault(training.method, []).append(training.training_s)
    return {method: float(np.mean(values)) for method, values in times.items()}

"""Learned methods: what the provenance and the logs of their policies say of the training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satedge.bench.methods.table import Method, policy_files

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


def trainings(rows: pd.DataFrame) -> list[Training]:
    """The policies that a run used, each once, by method and seed."""
    found: dict[Path, Training] = {}
    learned = rows[(rows["family"] == "learned") & (rows["status"] != "skipped")]
    used = learned[["method", "entry", "settings"]].drop_duplicates()
    for method, entry, settings in used.itertuples(index=False):
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
    curves = _curves(log, seed)
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
    rows = _log(log)
    spent = rows[rows["figure"] == "seconds"].groupby("seed")
    seconds = spent["value"].sum()
    # Runs that are trained together share every second, so that their sums are equal.
    share = seconds / seconds.groupby(seconds).transform("size")
    epochs = spent["epoch"].last().astype(int)
    return dict(zip(seconds.index, zip(share, epochs, strict=True), strict=True))


def _curves(log: Path, seed: int) -> dict[str, Curve]:
    """The FIGURES of one run against its epochs."""
    rows = _log(log)
    mine = rows[(rows["seed"] == seed) & rows["figure"].isin(FIGURES)]
    parts = mine.groupby("figure", sort=False)
    return {str(name): part.set_index("epoch")["value"].to_dict() for name, part in parts}


@lru_cache(maxsize=64)
def _log(path: Path) -> pd.DataFrame:
    """Epoch, seed, figure and value of a training's log; no rows without a file."""
    if not path.is_file():
        return pd.DataFrame({"epoch": [], "seed": [], "figure": [], "value": []})
    return pd.read_csv(path, dtype={"epoch": float})


def training_times(found: Iterable[Training]) -> dict[str, float]:
    """Mean training seconds by method, where known."""
    times: dict[str, list[float]] = {}
    for training in found:
        if np.isfinite(training.training_s):
            times.setdefault(training.method, []).append(training.training_s)
    return {method: float(np.mean(values)) for method, values in times.items()}

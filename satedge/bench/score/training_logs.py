"""Learned methods: what the provenance and the logs of their policies say of the training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BeforeValidator

from satedge import paths
from satedge.bench.methods import policies
from satedge.bench.methods.table import Method, policy_files
from satedge.problem.fields import Declared, Extended, Wording, as_tuple, declared, param
from satedge.problem.io.curve import read_curve
from satedge.problem.io.folder import SEAL, is_sealed
from satedge.problem.io.jsonfile import FileError, parsed, read_bytes, shown

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
#: Epochs with a value each, as JSON has them.
_Points = Annotated[
    tuple[Annotated[tuple[Extended, Extended], BeforeValidator(as_tuple)], ...],
    BeforeValidator(as_tuple),
    Wording("a list of pairs of epoch and cost"),
]

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
    world: str = "paper"
    """Preset under which the policy is kept."""


def trainings(rows: pd.DataFrame) -> list[Training]:
    """The policies that a run used, each once, by method and seed.

    Of one that is not there, its manifest and the log of its folder tell as much.
    """
    found: dict[Path, Training] = {}
    learned = rows[(rows["family"] == "learned") & (rows["status"] != "skipped")]
    used = learned[["method", "entry", "settings"]].drop_duplicates()
    for method, entry, settings in used.itertuples(index=False):
        played = Method(method, entry, "learned", "", settings=json.loads(settings))
        preset, policy = (
            str(played.settings.get(k, d)) for k, d in (("preset", "paper"), ("policy", ""))
        )
        world = preset.partition("/")[0]
        there = [p for p in policy_files(played) if p.suffix == ".json"]
        if there:
            known = {p: _provenance(p) for p in there if p not in found}
        else:
            kept = policies.told(policy, preset)
            known = {paths.POLICIES / preset / n: _kept(entry) for n, entry in kept.items()}
        found |= {p: _training(method, p, world, t) for p, t in known.items() if p not in found}
    return list(found.values())


def _training(method: str, path: Path, world: str, told: _Told) -> Training:
    log = path.with_name(LOG)
    known_s, _ = run_times(log).get(told.seed, (float("nan"), 0))
    seconds = known_s if told.training_s is None else told.training_s
    curves = _curves(log, told.seed)
    if not curves:
        curves = {"validation_cost": dict(told.validation_curve)}
    return Training(method, told.seed, float(seconds), curves, told.method, told.settings, world)


@declared(FileError)
class _Told(Declared):
    """What is used of a policy's JSON."""

    seed: int = param(0, doc="Of its run.")
    training_s: Extended | None = param(None, "s", doc="Its share of the time of the training.")
    validation_curve: _Points = param((), doc="Epochs and costs.")
    method: str = param("", doc="Name of the learner.")
    settings: dict[str, Any] = param({}, doc="Its settings.")


def _provenance(path: Path) -> _Told:
    """What the JSON of a policy says; nothing where there is none. Raises FileError."""
    if not path.is_file():
        return _Told()
    try:
        told = parsed(read_bytes(path))
        if not isinstance(told, dict):
            raise FileError(f"holds {shown(told)}: allowed is an object")
        if SEAL in told and not is_sealed(told):
            raise FileError(f"{SEAL} is not the hash of what it says: altered since written")
        return _Told(**{f.name: told[f.name] for f in fields(_Told) if f.name in told})
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def _kept(entry: policies.Entry) -> _Told:
    """What the manifest says of a policy."""
    return _Told(**{key: entry[key] for key in ("seed", "method", "settings")})


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
    rows = read_curve(path) if path.is_file() else []
    found = {"epoch": [float(r.epoch) for r in rows], "seed": [r.seed for r in rows]}
    return pd.DataFrame(
        {**found, "figure": [r.figure for r in rows], "value": [r.value for r in rows]}
    )


def training_times(found: Iterable[Training]) -> dict[str, float]:
    """Mean training seconds by method, where known."""
    times: dict[str, list[float]] = {}
    for training in found:
        if np.isfinite(training.training_s):
            times.setdefault(training.method, []).append(training.training_s)
    return {method: float(np.mean(values)) for method, values in times.items()}

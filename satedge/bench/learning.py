"""Learned methods: what their policies' provenance says of the training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from satedge.bench import methods, stats, style
from satedge.bench.table_data import Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Training:
    """One trained policy."""

    method: str
    seed: int
    training_s: float
    """NaN where the provenance does not say."""
    curve: tuple[tuple[float, float], ...]
    """(epoch, validation cost)."""


def trainings(rows: Rows) -> list[Training]:
    """The policies that a run used, each once, by method and seed."""
    found: dict[Path, Training] = {}
    mine = rows.where(rows.equals("family", "learned") & ~rows.equals("status", "skipped"))
    used = zip(mine.text("method"), mine.text("entry"), mine.text("settings"), strict=True)
    for method, entry, settings in dict.fromkeys(used):
        played = methods.Method(method, entry, "learned", "", settings=json.loads(settings))
        for path in methods.policy_files(played):
            if path.suffix == ".json" and path not in found:
                found[path] = _training(method, _read(path))
    return list(found.values())


def _read(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _training(method: str, told: Mapping[str, Any]) -> Training:
    curve = tuple((float(row[0]), float(row[1])) for row in told.get("validation_curve", []))
    seconds = float(told.get("training_s", "nan"))
    return Training(method, int(told.get("seed", 0)), seconds, curve)


def training_times(found: Iterable[Training]) -> dict[str, float]:
    """Mean training seconds by method, where known."""
    times: dict[str, list[float]] = {}
    for training in found:
        if np.isfinite(training.training_s):
            times.setdefault(training.method, []).append(training.training_s)
    return {method: float(np.mean(values)) for method, values in times.items()}


def learning_chart(found: list[Training]) -> Figure | None:
    """Validation cost against epochs: mean over seeds, and the range of a 95 % interval."""
    by_method: dict[str, list[Training]] = {}
    for training in found:
        if len(training.curve) > 1:
            by_method.setdefault(training.method, []).append(training)
    if not by_method:
        return None
    figure = style.new_figure(7.4, 4.0)
    ax = figure.subplots()
    looks = style.looks(list(by_method))
    for method, runs in by_method.items():
        colour, _, dashes = looks[method]
        epochs = sorted(set.intersection(*({e for e, _ in run.curve} for run in runs)))
        costs = np.array([[dict(run.curve)[e] for e in epochs] for run in runs])
        bands = [stats.mean_interval(column) for column in costs.T]
        label = f"{method} ({len(runs)} seed{'s' * (len(runs) > 1)})"
        ax.plot(epochs, [b.value for b in bands], color=colour, ls=dashes, label=label)
        low, high = [b.low for b in bands], [b.high for b in bands]
        ax.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)
    ax.set(xlabel="epochs of one episode", ylabel="cost on validation episodes", yscale="log")
    style.decades(ax.yaxis)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure

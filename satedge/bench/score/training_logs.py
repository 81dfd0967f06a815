"""Learned methods: what the provenance and the logs of their policies say of the training."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from satedge.bench.methods import table as methods
from satedge.bench.report.figures import style
from satedge.bench.run.rows import Rows
from satedge.bench.score import stats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What is drawn of a training: figure in the log -> label.
PANELS = {
    "validation_reward": "reward",
    "validation_cost": "cost",
    "validation_latency_s": "latency, s",
    "validation_energy_J": "energy per slot, J",
}

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
    """Figure of PANELS -> epoch -> value on the validation episodes."""
    learner: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the learner, as it was trained."""


def trainings(rows: Rows) -> list[Training]:
    """The policies that a run used, each once, by method and seed."""
    found: dict[Path, Training] = {}
    mine = rows.where(rows.equals("family", "learned") & ~rows.equals("status", "skipped"))
    used = zip(mine.text("method"), mine.text("entry"), mine.text("settings"), strict=True)
    for method, entry, settings in dict.fromkeys(used):
        played = methods.Method(method, entry, "learned", "", settings=json.loads(settings))
        for path in methods.policy_files(played):
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
    """By seed the seconds and the last epoch of its training, and the curves of PANELS."""
    times: Times = {}
    curves: dict[int, dict[str, dict[float, float]]] = {}
    if not path.is_file():
        return times, curves
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            seed, figure, value = int(row["seed"]), row["figure"], float(row["value"])
            if figure == "seconds":
                times[seed] = times.get(seed, (0.0, 0))[0] + value, int(row["epoch"])
            elif figure in PANELS:
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


def learning_chart(found: list[Training]) -> Figure | None:
    """Figures 3 and 4: reward, cost, latency, energy on validation episodes against epochs."""
    panels = [p for p in PANELS if any(len(t.curves.get(p, {})) > 1 for t in found)]
    if not panels:
        return None
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = style.new_figure(1.9 + 3.4 * columns, 0.4 + 2.7 * rows)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for ax, panel in zip(axes, panels, strict=False):
        _draw_panel(ax, panel, found)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _draw_panel(ax: Axes, panel: str, found: list[Training]) -> None:
    """Mean over seeds with a 95 % interval, one line per method."""
    by_method: dict[str, list[Curve]] = {}
    for training in found:
        if len(training.curves.get(panel, {})) > 1:
            by_method.setdefault(training.method, []).append(training.curves[panel])
    looks = style.looks(list(by_method))
    for method, runs in by_method.items():
        colour, _, dashes = looks[method]
        epochs = sorted(set.intersection(*(set(run) for run in runs)))
        bands = [stats.mean_interval([run[e] for run in runs]) for e in epochs]
        label = f"{method} ({len(runs)} seed{'s' * (len(runs) > 1)})"
        ax.plot(epochs, [b.value for b in bands], color=colour, ls=dashes, label=label)
        low, high = [b.low for b in bands], [b.high for b in bands]
        ax.fill_between(epochs, low, high, color=colour, alpha=0.12, lw=0)
    ax.set(xlabel="epochs of one episode", ylabel=PANELS[panel])
    if panel != "validation_reward":
        ax.set_yscale("log")
        style.decades(ax.yaxis)

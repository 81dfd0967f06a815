"""Learning curves of the policies that a study plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from satedge.bench.report.figures.looks import decades, looks_of
from satedge.bench.score import stats
from satedge.bench.score.training_logs import FIGURES, Curve, Training
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Labels of what is drawn of a training.
LABELS = dict(zip(FIGURES, ("reward", "cost", "latency, s", "energy per slot, J"), strict=True))


def learning_chart(found: list[Training]) -> Figure | None:
    """Figures 3 and 4: reward, cost, latency, energy on validation episodes against epochs."""
    panels = [p for p in FIGURES if any(len(t.curves.get(p, {})) > 1 for t in found)]
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
    """Mean over seeds with a 95 % interval, one line per method and world."""
    by_method: dict[str, list[Curve]] = {}
    several = len({t.world for t in found}) > 1
    for training in found:
        if len(training.curves.get(panel, {})) > 1:
            name = f"{training.method}, {training.world}" if several else training.method
            by_method.setdefault(name, []).append(training.curves[panel])
    looks = looks_of(list(by_method))
    for method, runs in by_method.items():
        colour, _, dashes = looks[method]
        epochs = sorted(set.intersection(*(set(run) for run in runs)))
        bands = [stats.mean_interval([run[e] for run in runs]) for e in epochs]
        label = f"{method} ({len(runs)} seed{'s' * (len(runs) > 1)})"
        ax.plot(epochs, [b.value for b in bands], color=colour, ls=dashes, label=label)
        low, high = [b.low for b in bands], [b.high for b in bands]
        ax.fill_between(epochs, low, high, color=colour, alpha=0.12, lw=0)
    ax.set(xlabel="epochs of one episode", ylabel=LABELS[panel])
    if panel != "validation_reward":
        ax.set_yscale("log")
        decades(ax.yaxis)

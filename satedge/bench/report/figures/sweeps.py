"""Charts along an axis: the sweeps of figures 5 to 7, and scaling with the number of devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.report.figures.looks import decades, looks_of
from satedge.bench.score.sweeps import PAPER_ENDS, Sweep, sweeps
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

LABELS = {
    "devices": "IoT devices, K",
    "deadline": "deadline of all requests, s",
    "accuracy": "accuracy floor of all requests",
}
FIGURES = {"devices": 5, "deadline": 6, "accuracy": 7}


def sweep_chart(sweep: Sweep) -> Figure:
    """Latency and energy along the axis, one line per method; the paper's numbers as crosses."""
    figure = style.new_figure(8.6, 3.7)
    panels = figure.subplots(1, 2)
    looks = looks_of(list(sweep.latency_s))
    for ax, data, label in (
        (panels[0], sweep.latency_s, "mean latency, s"),
        (panels[1], sweep.energy_J, "energy per slot, J"),
    ):
        for method, means in data.items():
            colour, marker, dashes = looks[method]
            ax.plot(sweep.values, means, color=colour, marker=marker, ls=dashes, label=method)
        ax.set(xlabel=LABELS[sweep.axis], ylabel=label)
        ax.set_xticks(sweep.values)
        _leave_out_the_absurd(ax, data)
    if sweep.axis == "accuracy":
        for i, ax in enumerate(panels):
            ends = [PAPER_ENDS[v][i] for v in PAPER_ENDS]
            ax.plot(list(PAPER_ENDS), ends, "x", color=style.BLACK, ms=8, mew=2,
                    label="paper (fitted ends)")  # fmt: skip
    panels[1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _leave_out_the_absurd(ax: Axes, data: Mapping[str, Array]) -> None:
    """Methods far off the others leave the frame instead of flattening it."""
    drawn = [v for v in data.values() if np.isfinite(v).any()]
    tops = sorted(float(np.nanmax(v)) for v in drawn)
    if len(tops) > 2 and tops[-1] > 3 * tops[len(tops) // 2]:
        near = [v for v in drawn if np.nanmax(v) <= 3 * tops[len(tops) // 2]]
        low, high = min(map(np.nanmin, near)), max(map(np.nanmax, near))
        room = 0.15 * (high - low)
        ax.set_ylim(low - room, high + room)


def scaling_chart(scored: pd.DataFrame) -> Figure | None:
    """Median certified gap and time against the number of devices, one line per method.

    Of methods that give bounds only the gap is their bound's to the best plan.
    """
    sizes = np.unique(scored["n_devices"])
    if len(sizes) < 3 or sweeps(scored):
        return None
    ran = scored[scored["status"] != "skipped"]
    gap = ran["gap"].where(np.isfinite(ran["gap"]), ran["own_gap"])
    points = ran.assign(gap=gap.where(np.isfinite(gap))).groupby(["method", "n_devices"])
    names = list(scored["method"].unique())
    looks = looks_of(names)
    gaps, times = (points[n].median().unstack() for n in ("gap", "wall_s"))
    figure = style.new_figure(8.6, 3.7)
    left, right = figure.subplots(1, 2)
    for method in names:
        colour, marker, dashes = looks[method]
        look: dict[str, Any] = {"color": colour, "marker": marker, "ls": dashes, "label": method}
        if method in gaps.index:
            left.plot(sizes, gaps.loc[method].clip(lower=1e-8) * 100, **look)
            right.plot(sizes, times.loc[method], **look)
    left.set(xlabel=LABELS["devices"], ylabel="median certified gap, %", yscale="log")
    right.set(xlabel=LABELS["devices"], ylabel="median time, s", yscale="log")
    for ax in (left, right):
        ax.set_xticks(sizes)
        decades(ax.yaxis)
    right.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure

"""Charts along an axis: the sweeps of figures 5 to 7, and scaling with the number of devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.report.figures.looks import SHADE, counted, decades, frame, looks_of, note
from satedge.bench.score.stats import median_interval
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
    counts = [max(n, default=0) for n in sweep.counts.values()]
    names, same = counted(list(sweep.latency_s), counts)
    frames: list[list[Any]] = []
    for ax, data, name, label in (
        (panels[0], sweep.latency_s, "latency_s", "mean latency, s"),
        (panels[1], sweep.energy_J, "energy_J", "energy per slot, J"),
    ):
        for (method, means), text in zip(data.items(), names, strict=True):
            colour, marker, dashes = looks[method]
            ax.plot(sweep.values, means, color=colour, marker=marker, ls=dashes, label=text)
            low, high = sweep.intervals[name][method]
            ax.fill_between(sweep.values, low, high, color=colour, alpha=SHADE, lw=0)
        ax.set(xlabel=LABELS[sweep.axis], ylabel=label)
        ax.set_xticks(sweep.values)
        frames.append(_near(data))
    if sweep.axis == "accuracy":
        for i, ax in enumerate(panels):
            ends = [PAPER_ENDS[v][i] for v in PAPER_ENDS]
            frames[i].append(ends)
            ax.plot(list(PAPER_ENDS), ends, "x", color=style.BLACK, ms=8, mew=2,
                    label="paper (fitted ends)")  # fmt: skip
    for ax, values in zip(panels, frames, strict=True):
        frame(ax, values)
    panels[1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    note(panels[1], same)
    return figure


def _near(data: Mapping[str, Array]) -> list[Array]:
    """The methods that are not far off the others: these would flatten them."""
    drawn = [v for v in data.values() if np.isfinite(v).any()]
    tops = sorted(float(np.nanmax(v)) for v in drawn)
    most = 3 * tops[len(tops) // 2] if len(tops) > 2 else np.inf
    return [v for v in drawn if np.nanmax(v) <= most]


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
    figure = style.new_figure(8.6, 3.7)
    left, right = figure.subplots(1, 2)
    ran_here = [m for m in names if (ran["method"] == m).any()]
    counts = ran.groupby(["method", "n_devices"]).size().groupby("method").max()
    texts, same = counted(ran_here, [int(counts[m]) for m in ran_here])
    for method, text in zip(ran_here, texts, strict=True):
        _medians(left, points["gap"], method, sizes, looks[method], text, (1e-8, 100.0))
        _medians(right, points["wall_s"], method, sizes, looks[method], text, (0.0, 1.0))
    note(right, same)
    left.set(xlabel=LABELS["devices"], ylabel="median certified gap, %", yscale="log")
    right.set(xlabel=LABELS["devices"], ylabel="median time, s", yscale="log")
    for ax in (left, right):
        ax.set_xticks(sizes)
        decades(ax.yaxis)
    right.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _medians(
    ax: Axes,
    points: Any,
    method: str,
    sizes: Array,
    look: tuple[str, str, object],
    text: str,
    shown: tuple[float, float],
) -> None:
    """Medians at every size with their intervals; `shown`: the least value, and the scale."""
    colour, marker, dashes = look
    known = {size: median_interval(v) for (m, size), v in points if m == method}
    rows = np.array([(known[s].value, known[s].low, known[s].high) if s in known else (np.nan,) * 3
                     for s in sizes]).T  # fmt: skip
    middle, low, high = shown[1] * np.maximum(rows, shown[0])
    line: dict[str, Any] = {"color": colour, "marker": marker, "ls": dashes, "label": text}
    ax.plot(sizes, middle, **line)
    ax.fill_between(sizes, low, high, color=colour, alpha=SHADE, lw=0)

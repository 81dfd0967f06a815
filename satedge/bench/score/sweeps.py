"""Sweeps of figures 5 to 7 and scaling with size: one point per scenario value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from satedge.bench.report.figures import style
from satedge.bench.run.rows import Rows
from satedge.bench.study.suites import SUITES, SWEEPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

LABELS = {
    "devices": "IoT devices, K",
    "deadline": "deadline of all requests, s",
    "accuracy": "accuracy floor of all requests",
}
FIGURES = {"devices": 5, "deadline": 6, "accuracy": 7}

#: Figure 7's ends as the text of 5.3 states them: accuracy floor -> (latency s, energy J).
PAPER_ENDS = {0.3: (1.41, 377.0), 0.7: (2.19, 782.0)}


@dataclass(frozen=True)
class Sweep:
    """Means of every method along one axis."""

    axis: str
    values: tuple[float, ...]
    latency_s: Mapping[str, Array]
    """Method -> (values,) mean latency per request; NaN where there is no plan."""
    energy_J: Mapping[str, Array]
    """Method -> (values,) energy per slot."""
    late: Mapping[str, Array]
    """Method -> (values,) share of late requests."""


@cache
def places() -> dict[str, tuple[str, float]]:
    """Instance name -> (axis, value) of the suites that are sweeps."""
    found = {}
    for suite in SUITES.values():
        for recipe in suite.recipes:
            if recipe.axis and recipe.value is not None:
                found[recipe.name] = (recipe.axis, recipe.value)
    return found


def sweeps(rows: Rows, usable: NDArray[np.bool_]) -> list[Sweep]:
    """The sweeps that a run's rows contain."""
    known = places()
    where = [known.get(name.partition("@")[0], ("", 0.0)) for name in rows.text("instance")]
    axes = np.array([axis for axis, _ in where], object)
    value = np.array([v for _, v in where])
    found = []
    for axis, (_, values) in SWEEPS.items():
        mine = usable & (axes == axis)
        if mine.any():
            found.append(_sweep(axis, values, rows.where(mine), value[mine]))
    return found


def _sweep(axis: str, values: tuple[float, ...], rows: Rows, value: Array) -> Sweep:
    latency: dict[str, Array] = {}
    energy: dict[str, Array] = {}
    late: dict[str, Array] = {}
    for method in dict.fromkeys(rows.where(~rows.equals("family", "bound")).text("method")):
        mine = rows.equals("method", method)
        points = [mine & (value == v) for v in values]
        latency[method] = np.array([_mean(rows["latency_s"][p]) for p in points])
        energy[method] = np.array([_mean(rows["energy_J"][p]) for p in points])
        late[method] = np.array(
            [_mean(rows["deadline_misses"][p] / np.maximum(rows["requests"][p], 1)) for p in points]
        )
    return Sweep(axis, values, latency, energy, late)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")


def sweep_chart(sweep: Sweep) -> Figure:
    """Latency and energy along the axis, one line per method; the paper's numbers as crosses."""
    figure = style.new_figure(8.6, 3.7)
    panels = figure.subplots(1, 2)
    looks = style.looks(list(sweep.latency_s))
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


def _leave_out_the_absurd(ax, data: Mapping[str, Array]) -> None:  # type: ignore[no-untyped-def]
    """Methods far off the others leave the frame instead of flattening it."""
    drawn = [v for v in data.values() if np.isfinite(v).any()]
    tops = sorted(float(np.nanmax(v)) for v in drawn)
    if len(tops) > 2 and tops[-1] > 3 * tops[len(tops) // 2]:
        near = [v for v in drawn if np.nanmax(v) <= 3 * tops[len(tops) // 2]]
        low, high = min(map(np.nanmin, near)), max(map(np.nanmax, near))
        room = 0.15 * (high - low)
        ax.set_ylim(low - room, high + room)


def scaling_chart(rows: Rows, gap: Array) -> Figure | None:
    """Median certified gap and time against the number of devices, one line per method."""
    sizes = np.unique(rows["n_devices"])
    if len(sizes) < 3 or sweeps(rows, np.isfinite(rows["cost"])):
        return None
    figure = style.new_figure(8.6, 3.7)
    left, right = figure.subplots(1, 2)
    names = list(dict.fromkeys(rows.text("method")))
    looks = style.looks(names)
    for method in names:
        mine = rows.equals("method", method) & ~rows.equals("status", "skipped")
        colour, marker, dashes = looks[method]
        look = {"color": colour, "marker": marker, "ls": dashes, "label": method}
        gaps = [_median(gap[mine & (rows["n_devices"] == k)]) for k in sizes]
        times = [_median(rows["wall_s"][mine & (rows["n_devices"] == k)]) for k in sizes]
        left.plot(sizes, np.maximum(gaps, 1e-8) * 100, **look)
        right.plot(sizes, times, **look)
    left.set(xlabel=LABELS["devices"], ylabel="median certified gap, %", yscale="log")
    right.set(xlabel=LABELS["devices"], ylabel="median time, s", yscale="log")
    for ax in (left, right):
        ax.set_xticks(sizes)
        style.decades(ax.yaxis)
    right.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _median(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")

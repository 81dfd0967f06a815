"""Curves of one comparison: gap against time, and profiles over instances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.report.figures.charts import LEAST_GAP
from satedge.bench.report.figures.looks import decades, looks_of
from satedge.bench.score import stats
from satedge.bench.score.summary import Line, label, largest, rows_of
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Trace = Sequence[Sequence[float | None]]

#: (method, budget) -> the (trace, best bound) of each run.
Traces = Mapping[tuple[str, float], list[tuple[Trace, float]]]

#: Times at which curves are sampled, per decade.
PER_DECADE = 40

#: Own certified gap at which an instance counts as solved.
SOLVED = 1e-3


def gap_at(trace: Trace, bound: float, times_s: Array) -> Array:
    """Certified gap of the incumbent at given times: (times,); inf before the first one.

    `trace` rows are (seconds, judged cost, own bound); the gap is measured to `bound`.
    """
    seconds = np.array([row[0] for row in trace], float)
    costs = np.array([math.inf if row[1] is None else row[1] for row in trace], float)
    last = np.searchsorted(seconds, times_s, side="right") - 1
    cost = np.where(last >= 0, costs[np.maximum(last, 0)] if len(costs) else math.inf, math.inf)
    with np.errstate(invalid="ignore"):
        gap: Array = np.where(np.isfinite(cost), (cost - bound) / np.abs(cost), math.inf)
    return gap


def time_chart(
    lines: Sequence[Line], traces: Traces, training_s: Mapping[str, float]
) -> Figure | None:
    """Median certified gap against computing time, one line per method.

    `training_s` is the training time of learned methods, drawn as a mark of its own.
    """
    lines = largest(lines)
    shown = [v for v in lines if traces.get((v.method, v.budget_s))]
    if not shown:
        return None
    figure = style.new_figure(7.4, 4.4)
    ax = figure.subplots()
    looks = looks_of([label(v, lines) for v in shown])
    for line in shown:
        name = label(line, lines)
        colour, marker, dashes = looks[name]
        times, gaps = _median_curve(traces[line.method, line.budget_s])
        if not len(times):
            continue
        look: dict[str, Any] = {"color": colour, "ls": dashes, "marker": marker}
        ax.plot(
            times, gaps, drawstyle="steps-post", label=name, markevery=[0, -1], mec="white", **look
        )
        if line.method in training_s:
            _training_mark(ax, times[-1], gaps[-1], training_s[line.method], colour, marker)
    ax.set(xscale="log", yscale="log", xlabel="computing time, s, one thread")
    ax.set_ylabel("median certified gap, %")
    _clip_low(ax)
    decades(ax.xaxis)
    decades(ax.yaxis)
    if any(line.method in training_s for line in shown):
        ax.plot([], [], "o", mfc="white", mec=style.BLACK, ls=":", color=style.BLACK, lw=0.8,
                label="training, once")  # fmt: skip
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _median_curve(runs: list[tuple[Trace, float]]) -> tuple[Array, Array]:
    """Times and median gap in percent, from the moment half of the runs have a plan."""
    ends = [row[0] for trace, _ in runs for row in trace if row[0] is not None]
    if not ends:
        return np.empty(0), np.empty(0)
    low, high = math.log10(max(min(ends), 1e-4)), math.log10(max(*ends, 2e-4))
    times = np.logspace(low, high, max(2, int((high - low) * PER_DECADE)))
    gaps = np.median([gap_at(t, b, times) for t, b in runs if math.isfinite(b)], axis=0)
    fine = np.isfinite(gaps)
    return times[fine], 100 * np.maximum(gaps[fine], LEAST_GAP)


def _training_mark(
    ax: Axes, time_s: float, gap: float, training_s: float, colour: str, marker: str
) -> None:
    ax.plot([time_s, training_s], [gap, gap], color=colour, lw=0.8, ls=":")
    ax.plot(training_s, gap, marker=marker, mfc="white", mec=colour, ls="none")


def _clip_low(ax: Axes) -> None:
    low, high = ax.get_ylim()
    if low < 200 * LEAST_GAP:
        ax.set_ylim(50 * LEAST_GAP, high)


def solved_chart(lines: Sequence[Line], traces: Traces) -> Figure | None:
    """Data profile: share of instances that a method certifies to SOLVED within a time."""
    lines = largest(lines)
    shown = [v for v in lines if math.isfinite(v.own_gap) and (v.method, v.budget_s) in traces]
    times = {label(v, lines): _solved_s(traces[v.method, v.budget_s]) for v in shown}
    times = {name: found for name, found in times.items() if np.isfinite(found).any()}
    if not times:
        return None
    figure = style.new_figure(7.4, 4.0)
    ax = figure.subplots()
    looks = looks_of(list(times))
    ends = np.concatenate([found[np.isfinite(found)] for found in times.values()])
    grid = np.geomspace(max(ends.min() / 2, 1e-4), 2 * ends.max(), 300)
    for name, found in times.items():
        colour, _, dashes = looks[name]
        share = stats.data_profile(found[:, None], grid)[:, 0]
        ax.plot(grid, 100 * share, drawstyle="steps-post", color=colour, ls=dashes, label=name)
    ax.set(xscale="log", ylim=(-2, 102), xlabel="computing time, s, one thread")
    ax.set_ylabel(f"instances certified to {100 * SOLVED:g} %, %")
    decades(ax.xaxis)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _solved_s(runs: list[tuple[Trace, float]]) -> Array:
    """First time at which each run's own bound certifies its incumbent to SOLVED; else inf."""
    found = []
    for trace, _ in runs:
        known = [(t, c, b) for t, c, b in trace if c is not None and b is not None]
        solved = [t for t, cost, bound in known if cost - bound <= SOLVED * abs(cost)]
        found.append(min((t for t in solved if t is not None), default=math.inf))
    return np.array(found)


def profile_chart(lines: Sequence[Line], scored: pd.DataFrame) -> Figure | None:
    """Performance profile on the controllable cost (cost minus floor)."""
    measure, names = _measure(lines, scored)
    if measure.shape[1] < 2 or not np.isfinite(measure).any():
        return None
    ratios = np.logspace(0, 1, 400)
    shares = stats.performance_profile(measure, ratios)
    figure = style.new_figure(7.4, 4.0)
    ax = figure.subplots()
    looks = looks_of(names)
    for i, name in enumerate(names):
        colour, marker, dashes = looks[name]
        ax.plot(
            ratios, 100 * shares[:, i], drawstyle="steps-post", color=colour, ls=dashes,
            marker=marker, markevery=(40 + 7 * i, 130), mec="white", label=name,
        )  # fmt: skip
    ax.set(xscale="log", xlim=(1, ratios[-1]), ylim=(-2, 102))
    ax.set_xticks([1, 1.2, 1.5, 2, 3, 5, 10], minor=False)
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    ax.set(xlabel="factor of the least controllable cost", ylabel="share of instances, %")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _measure(lines: Sequence[Line], scored: pd.DataFrame) -> tuple[Array, list[str]]:
    """(instances, methods) cost minus floor, the mean over seeds; inf without a plan."""
    lines = largest(lines)
    whole = max(v.instances for v in lines)
    shown = [v for v in lines if v.plans and v.family != "bound" and v.instances == whole]
    columns = []
    for line in shown:
        plans = rows_of(line, scored)
        plans = plans[plans["usable"]]
        above = (plans["cost"] - plans["floor"]).groupby(plans["instance_sha256"]).mean()
        columns.append(above.reindex(scored["instance_sha256"].unique()))
    measure = np.array(columns, float).reshape(len(shown), -1).T
    return np.where(np.isfinite(measure), measure, np.inf), [label(v, lines) for v in shown]

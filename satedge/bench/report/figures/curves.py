"""Curves of one comparison: gap against time, and profiles over instances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.report.figures.charts import LEAST_GAP
from satedge.bench.report.figures.looks import SHADE, counted, decades, looks_of, note
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

#: Gaps above it are drawn at it: that of a plan above a bound of 0.
_MOST_GAP = 1.0

#: Times at which curves are sampled, per decade.
PER_DECADE = 40

#: Own certified gap at which an instance counts as solved.
SOLVED = 1e-3


def gap_at(trace: Trace, bound: float | None, times_s: Array) -> Array:
    """Gap of the incumbent at given times: (times,); inf before the first one.

    `trace` rows are (seconds, judged cost, own bound). The gap is measured to `bound`, or without
    one to the method's own bound of that moment: then it is certified then and there.
    """
    seconds = np.array([row[0] for row in trace], float)
    costs = np.array([math.inf if row[1] is None else row[1] for row in trace], float)
    own = np.array([-math.inf if row[2] is None else row[2] for row in trace], float)
    last = np.searchsorted(seconds, times_s, side="right") - 1
    if not len(trace):
        return np.full(np.shape(times_s), math.inf)
    cost = np.where(last >= 0, costs[np.maximum(last, 0)], math.inf)
    below = own[np.maximum(last, 0)] if bound is None else np.full(cost.shape, bound)
    with np.errstate(invalid="ignore"):
        gap: Array = np.where(np.isfinite(cost), (cost - below) / np.abs(cost), math.inf)
    return gap


def time_chart(
    lines: Sequence[Line], traces: Traces, training_s: Mapping[str, float]
) -> Figure | None:
    """Median gap against computing time, one line per method.

    Thick where the method's own bound of that moment certifies it; thin is the distance to the
    best bound of all, which is known only afterwards. `training_s` is the training time of learned
    methods, drawn as a mark of its own.
    """
    lines = largest(lines)
    shown = [v for v in lines if traces.get((v.method, v.budget_s))]
    if not shown:
        return None
    figure = style.new_figure(7.4, 4.4)
    ax = figure.subplots()
    looks = looks_of([label(v, lines) for v in shown])
    runs = [traces[v.method, v.budget_s] for v in shown]
    names, same = counted([label(v, lines) for v in shown], [len(r) for r in runs])
    for line, mine, name in zip(shown, runs, names, strict=True):
        look = looks[label(line, lines)]
        end = _median_curves(ax, mine, name, look)
        if end is not None and line.method in training_s:
            _training_mark(ax, *end, training_s[line.method], look[0], look[1])
    ax.set(xscale="log", yscale="log", xlabel="computing time, s, one thread")
    ax.set_ylabel("median gap, %")
    _clip_low(ax)
    decades(ax.xaxis)
    decades(ax.yaxis)
    _explain(ax, any(line.method in training_s for line in shown))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    note(ax, same)
    return figure


def _median_curves(
    ax: Axes, runs: list[tuple[Trace, float]], name: str, look: tuple[str, str, object]
) -> tuple[float, float] | None:
    """A thin curve to the best bound, a thick one where it is certified; where the first ends."""
    colour, marker, dashes = look
    times, middle, low, high = _medians(runs, own=False)
    if not len(times):
        return None
    thin: dict[str, Any] = {"color": colour, "ls": dashes, "drawstyle": "steps-post"}
    ax.plot(
        times, middle, lw=0.9, marker=marker, markevery=[0, -1], mec="white", label=name, **thin
    )
    ax.fill_between(times, low, high, step="post", color=colour, alpha=SHADE, lw=0)
    at, certified, _, _ = _medians(runs, own=True)
    if len(at):
        ax.plot(at, certified, color=colour, ls=dashes, lw=2.4, drawstyle="steps-post")
    return float(times[-1]), float(middle[-1])


def _medians(runs: list[tuple[Trace, float]], own: bool) -> tuple[Array, Array, Array, Array]:
    """Times, median gap in percent and its interval, from when half of the runs have a gap."""
    ends = [row[0] for trace, _ in runs for row in trace if row[0] is not None]
    bounded = [(t, None if own else b) for t, b in runs if own or math.isfinite(b)]
    if not ends or not bounded:
        return (np.empty(0),) * 4
    low, high = math.log10(max(min(ends), 1e-4)), math.log10(max(*ends, 2e-4))
    times = np.logspace(low, high, max(2, int((high - low) * PER_DECADE)))
    gaps = np.array([gap_at(trace, bound, times) for trace, bound in bounded])
    known = [stats.median_interval(column) for column in gaps.T]
    found = np.array([(k.value, k.low, k.high) for k in known]).T
    fine = np.isfinite(found[0])
    middle, least, most = 100 * np.clip(found[:, fine], LEAST_GAP, _MOST_GAP)
    return times[fine], middle, least, most


def _explain(ax: Axes, trained: bool) -> None:
    """What thick and thin lines and hollow marks are, for the legend."""
    ax.plot([], [], color=style.GREY, lw=2.4, label="certified at that moment")
    ax.plot([], [], color=style.GREY, lw=0.9, label="to the best bound, known later")
    if trained:
        ax.plot([], [], "o", mfc="white", mec=style.BLACK, ls=":", color=style.BLACK, lw=0.8,
                label="training, once")  # fmt: skip


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
    names, same = counted(list(times), [len(found) for found in times.values()])
    for name, found, text in zip(times, times.values(), names, strict=True):
        share = stats.data_profile(found[:, None], grid)[:, 0]
        _share_curve(ax, grid, share, len(found), looks[name], text)
    note(ax, same)
    ax.set(xscale="log", ylim=(-2, 102), xlabel="computing time, s, one thread")
    ax.set_ylabel(f"instances certified to {100 * SOLVED:g} %, %")
    decades(ax.xaxis)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _share_curve(
    ax: Axes, at: Array, share: Array, n: int, look: tuple[str, str, object], name: str, **more: Any
) -> None:
    """A share of n instances in percent, with its interval wherever it is neither none nor all."""
    colour, _, dashes = look
    steps: dict[str, Any] = {"color": colour, "ls": dashes, "drawstyle": "steps-post", **more}
    ax.plot(at, 100 * share, label=name, **steps)
    low, high = stats.share_interval(share, n)
    some = (share > 0) & (share < 1)
    shade: dict[str, Any] = {"color": colour, "alpha": SHADE, "lw": 0}
    ax.fill_between(at, 100 * low, 100 * high, where=some, step="post", **shade)


def _solved_s(runs: list[tuple[Trace, float]]) -> Array:
    """First time at which each run's own bound certifies its incumbent to SOLVED; else inf."""
    found = []
    for trace, _ in runs:
        known = [(t, c, b) for t, c, b in trace if c is not None and b is not None]
        solved = [t for t, cost, bound in known if cost - bound <= SOLVED * abs(cost)]
        found.append(min((t for t in solved if t is not None), default=math.inf))
    return np.array(found)


def profile_chart(lines: Sequence[Line], scored: pd.DataFrame) -> Figure | None:
    """Performance profile on the controllable cost (cost minus floor), where methods are.

    The axis is the excess over the least; what is not above it at all begins at the left edge.
    """
    measure, names = _measure(lines, scored)
    if measure.shape[1] < 2 or not np.isfinite(measure).any():
        return None
    above = _range(measure)
    shares = stats.performance_profile(measure, 1 + above)
    figure = style.new_figure(7.4, 4.0)
    ax = figure.subplots()
    looks = looks_of(names)
    for i, name in enumerate(names):
        marks = {"marker": looks[name][1], "markevery": (10 + 7 * i, 130), "mec": "white"}
        _share_curve(ax, 100 * above, shares[:, i], len(measure), looks[name], name, **marks)
    ax.set(xscale="log", xlim=(100 * above[0], 100 * above[-1]), ylim=(-2, 102))
    decades(ax.xaxis)
    ax.set(xlabel="controllable cost above the least, %", ylabel="share of instances, %")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    note(ax, f"n = {len(measure)} instances")
    return figure


#: Excess below which methods count as equal in a profile.
_EQUAL = 1e-6


def _range(measure: Array) -> Array:
    """(R,) excesses from the least to the greatest that any method has, a little beyond both."""
    m = np.maximum(measure, 1e-12)
    ratios = m / m.min(axis=1, keepdims=True) - 1
    some = ratios[np.isfinite(ratios) & (ratios > _EQUAL)]
    low, high = (some.min(), some.max()) if some.size else (_EQUAL, 1.0)
    return np.geomspace(max(low / 2, _EQUAL), 2 * high, 400)


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

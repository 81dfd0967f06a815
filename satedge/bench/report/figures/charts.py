"""Charts of one comparison: excess, certified gaps, where the cost comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from satedge.bench.report.figures.looks import (
    FAMILIES,
    counted,
    decades,
    family_handles,
    note,
    patch,
    percents,
)
from satedge.bench.run.record import PHASES
from satedge.bench.score.stats import mean_interval, median_interval
from satedge.bench.score.summary import REFERENCES, Line, label, largest, rows_of
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Gaps below it are drawn at it: beyond the accuracy of the arithmetic.
LEAST_GAP = 1e-8

#: Percents of excess about 0 within which the axis is linear, and beyond which logarithmic.
LINEAR = 1e-3

_PHASE_COLOURS = dict(zip(PHASES, (style.SKY, style.BLUE, style.ORANGE, style.GREEN), strict=True))


def excess_chart(lines: Sequence[Line]) -> Figure | None:
    """Mean excess over the reference, with its interval, per method.

    Plans that know later slots may lie below it; they stand left of 0.
    """
    shown = [v for v in lines if math.isfinite(v.excess) and v.family != "bound"]
    if len(shown) < 2:
        return None
    figure, ax = _rows_figure(len(shown))
    for y, line in enumerate(reversed(shown)):
        colour = FAMILIES.get(line.family, style.ORANGE)
        low, high = (100 * v for v in (line.excess_interval.low, line.excess_interval.high))
        ax.plot([low, high], [y, y], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        ax.plot(100 * line.excess, y, "o", color=colour, ms=6, mec="white", mew=0.8)
        ax.annotate(
            f"{line.cost:.6g}", (1.01, y), xycoords=("axes fraction", "data"), va="center",
            fontsize=8, color=style.BLACK,
        )  # fmt: skip
    ax.set_xscale("symlog", linthresh=LINEAR, linscale=1.0)
    ax.axvspan(-LINEAR, LINEAR, color=style.FAINT, lw=0, zorder=0)
    ax.annotate(
        "linear", (0, 0), xytext=(0, 2), xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="center", fontsize=6.5, color=style.GREY,
    )  # fmt: skip
    if np.nanmin([[v.excess, v.excess_interval.low] for v in shown]) >= 0:
        ax.set_xlim(left=0)
    percents(ax.xaxis)
    ax.set(xlabel=f"excess over {REFERENCES[shown[0].reference]}, %")
    ax.annotate("cost", (1.01, 1.01), xycoords="axes fraction", va="bottom", fontsize=8,
                fontweight="bold")  # fmt: skip
    _name_rows(ax, shown, lines)
    _family_legend(ax, shown)
    return figure


def gap_chart(lines: Sequence[Line], scored: pd.DataFrame) -> Figure | None:
    """The certified gap on every instance, one dot each, with the median, per method."""
    shown = [v for v in lines if math.isfinite(v.gap)]
    if not shown:
        return None
    figure, ax = _rows_figure(len(shown))
    jitter = np.random.default_rng(0)
    for y, line in enumerate(reversed(shown)):
        gap = rows_of(line, scored)["gap"]
        values = gap[np.isfinite(gap)].clip(lower=LEAST_GAP) * 100
        colour = FAMILIES.get(line.family, style.ORANGE)
        offset = jitter.uniform(-0.22, 0.22, len(values))
        ax.plot(values, y + offset, "o", ms=3.4, color=colour, alpha=0.45, mew=0)
        middle = median_interval(values)
        ax.plot([middle.low, middle.high], [y, y], color=style.BLACK, lw=0.9)
        ax.plot([middle.value] * 2, [y - 0.34, y + 0.34], color=style.BLACK, lw=1.8)
    ax.set_xscale("log")
    ax.set(xlabel="certified gap to the best bound, %")
    low = ax.get_xlim()[0]
    if low < 2e2 * LEAST_GAP:
        ax.set_xlim(left=50 * LEAST_GAP)
    decades(ax.xaxis)
    _name_rows(ax, shown, lines)
    _family_legend(ax, shown)
    return figure


def phase_chart(lines: Sequence[Line], scored: pd.DataFrame) -> Figure | None:
    """Mean latency and energy of every method, split into their phases."""
    lines = largest(lines)
    shown = [v for v in lines if v.plans and v.family != "bound"]
    if not shown:
        return None
    figure = style.new_figure(7.4, 1.15 + 0.27 * len(shown))
    left, right = figure.subplots(1, 2, sharey=True)
    axis_of = {"s": "latency_s", "J": "energy_J"}
    for ax, unit, axis_label in (
        (left, "s", "latency per request, s"),
        (right, "J", "energy per slot, J"),
    ):
        for y, line in enumerate(reversed(shown)):
            mine = rows_of(line, scored)
            start = 0.0
            for phase in PHASES:
                width = mine[f"{phase}_{unit}"][mine["usable"]].mean()
                ax.barh(y, width, left=start, height=0.62, color=_PHASE_COLOURS[phase], lw=0)
                start += width
            _whisker(ax, y, mine[axis_of[unit]][mine["usable"]])
        ax.set(xlabel=axis_label)
        _limit_to_sane(ax, [v.latency_s if unit == "s" else v.energy_J for v in shown])
    _name_rows(left, shown, lines)
    handles = [patch(_PHASE_COLOURS[p], p) for p in PHASES]
    figure.legend(handles=handles, loc="outside upper left", ncols=4)
    return figure


def _whisker(ax: Axes, y: int, totals: pd.Series) -> None:
    """The 95 % interval of a mean, over runs."""
    known = mean_interval(totals)
    ax.plot([known.low, known.high], [y, y], color=style.BLACK, lw=1.0)


def _limit_to_sane(ax: Axes, totals: Sequence[float]) -> None:
    """Let one absurd method leave the frame instead of flattening all others."""
    median = float(np.median(totals))
    if max(totals) > 5 * median:
        ax.set_xlim(0, 2 * median)
        for y, total in enumerate(reversed(totals)):
            if total > 2 * median:
                ax.annotate(f"{total:.3g} →", (0.985, y), xycoords=("axes fraction", "data"),
                            ha="right", va="center", fontsize=7, color="white")  # fmt: skip


def _rows_figure(n_rows: int) -> tuple[Figure, Axes]:
    figure = style.new_figure(7.0, 1.25 + 0.27 * n_rows)
    ax = figure.subplots()
    ax.grid(axis="y", visible=False)
    return figure, ax


def _name_rows(ax: Axes, shown: Sequence[Line], lines: Sequence[Line]) -> None:
    names, same = counted([label(v, lines) for v in shown], [v.plans for v in shown])
    ax.set_yticks(range(len(shown)), names[::-1])
    note(ax, same)
    ax.set_ylim(-0.6, len(shown) - 0.4)
    ax.tick_params(axis="y", length=0)


def _family_legend(ax: Axes, shown: Sequence[Line]) -> None:
    handles = family_handles({v.family for v in shown})
    ax.legend(handles=handles, ncols=len(handles), loc="lower left", bbox_to_anchor=(0, 1.0))

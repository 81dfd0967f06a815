"""Cost against decision time of every causal method, and the front that nobody beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from satedge.bench.report.figures.looks import FAMILIES, MARKERS, counted, note, percents, shades
from satedge.bench.report.frontier import LEAST
from satedge.bench.score.frontier import FINISHED, Place
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Seconds between which the axis of times reaches at least: what a slot may take, and more.
TIMES_S = (1e-4, 10.0)

#: Percents of excess below which the axis is linear.
LINEAR = 1e-3

#: Kinds in the order of the legend, and their colours; each method has a shade of its own.
KINDS = {
    "heuristic": FAMILIES["heuristic"],
    "learned": FAMILIES["learned"],
    FINISHED: style.PINK,
    "classical": FAMILIES["classical"],
    "exact": FAMILIES["exact"],
    "user": FAMILIES["user"],
}


def frontier_chart(places: Sequence[Place], reference: str) -> Figure | None:
    """Excess over a reference (in words) against the time a slot; None for few methods."""
    if len(places) < LEAST:
        return None
    figure = style.new_figure(8.6, max(4.4, 1.2 + 0.17 * (len(places) + 2 * len(KINDS))))
    ax = figure.subplots()
    looks = _looks(places)
    for place in places:
        _draw(ax, place, *looks[place.method])
    _draw_budgets(ax, places, looks)
    _draw_front(ax, places)
    _axes(ax, places, reference)
    _legend(ax, places, looks)
    return figure


def _looks(places: Sequence[Place]) -> dict[str, tuple[str, str]]:
    """Colour and marker of every method."""
    found: dict[str, tuple[str, str]] = {}
    for kind, colour in KINDS.items():
        mine = list(dict.fromkeys(p.method for p in places if p.kind == kind))
        for i, (method, shade) in enumerate(zip(mine, shades(colour, len(mine)), strict=True)):
            found[method] = shade, MARKERS[i % len(MARKERS)]
    return found


def _draw(ax: Axes, place: Place, colour: str, marker: str) -> None:
    x, y, at, known = place.time_s.value, 100 * place.excess.value, place.time_s, place.excess
    line: dict[str, Any] = {"color": colour, "lw": 1.4, "alpha": 0.6, "solid_capstyle": "butt"}
    if math.isfinite(at.low + at.high):
        ax.plot([max(at.low, TIMES_S[0] / 10), at.high], [y, y], **line)
    if math.isfinite(known.low + known.high):
        ax.plot([x, x], [100 * known.low, 100 * known.high], **line)
    edge, width = (style.BLACK, 1.3) if place.front else ("white", 0.6)
    ax.plot(x, y, marker, color=colour, ms=7, mec=edge, mew=width, zorder=3)


def _draw_budgets(ax: Axes, places: Sequence[Place], looks: dict[str, tuple[str, str]]) -> None:
    """A thin line through one method's places under several budgets."""
    for method, (colour, _) in looks.items():
        mine = [p for p in places if p.method == method]
        if len(mine) > 1:
            spots = [p.time_s.value for p in mine], [100 * p.excess.value for p in mine]
            ax.plot(*spots, color=colour, lw=0.8, zorder=1)


def _draw_front(ax: Axes, places: Sequence[Place]) -> None:
    """Steps: the least excess to be had within a time, named at its corners."""
    from matplotlib.patheffects import withStroke

    front = [p for p in places if p.front]
    times = [*(p.time_s.value for p in front), max(TIMES_S[1], front[-1].time_s.value)]
    least = [100 * p.excess.value for p in front]
    ax.step(times, [*least, least[-1]], where="post", color=style.BLACK, lw=0.9, zorder=2)
    for place in front:
        ax.annotate(
            place.name, (place.time_s.value, 100 * place.excess.value), xytext=(6, 5),
            textcoords="offset points", fontsize=7, color=style.BLACK, zorder=4,
            path_effects=[withStroke(linewidth=2.0, foreground="#ffffff")],
        )  # fmt: skip


def _axes(ax: Axes, places: Sequence[Place], reference: str) -> None:
    """Both axes; intervals that reach below the best known plans leave the frame."""
    ax.set_xscale("log")
    times = [p.time_s.value for p in places]
    ax.set_xlim(min(TIMES_S[0], *times) / 1.2, 1.2 * max(TIMES_S[1], *times))
    ax.xaxis.set_major_formatter(lambda v, _: f"{v:g} s" if v >= 0.1 else f"{1e3 * v:g} ms")
    ax.set_yscale("symlog", linthresh=LINEAR, linscale=0.6)
    ax.axhspan(-LINEAR, LINEAR, color=style.FAINT, lw=0, zorder=0)
    ax.annotate(
        "linear", (0, LINEAR / 2), xytext=(2, 0), va="center", fontsize=6.5, color=style.GREY,
        xycoords=("axes fraction", "data"), textcoords="offset points",
    )  # fmt: skip
    if min(p.excess.value for p in places) >= 0:
        ax.set_ylim(bottom=0)
    percents(ax.yaxis)
    ax.set(xlabel="decision time a slot, one thread", ylabel=f"excess over {reference}, %")


def _legend(ax: Axes, places: Sequence[Place], looks: dict[str, tuple[str, str]]) -> None:
    """Methods under the names of their kinds."""
    from matplotlib.lines import Line2D

    methods = list(dict.fromkeys(p.method for p in places))
    runs = [max(p.runs for p in places if p.method == m) for m in methods]
    names, same = counted(methods, runs)
    text = dict(zip(methods, names, strict=True))
    handles = [Line2D([], [], color=style.BLACK, lw=0.9, marker="o", mfc="none", mew=1.3)]
    labels = ["Pareto front"]
    for kind in KINDS:
        mine = list(dict.fromkeys(p.method for p in places if p.kind == kind))
        if mine:
            handles.append(Line2D([], [], ls="none"))
            labels.append(kind)
        for method in mine:
            colour, marker = looks[method]
            handles.append(
                Line2D([], [], color=colour, marker=marker, ls="none", ms=6, mec="white")
            )
            labels.append(text[method])
    legend = ax.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    for shown in legend.get_texts():
        if shown.get_text() in KINDS:
            shown.set_fontweight("bold")
    note(ax, same)

"""The headline drawn: controllable excess by world, and against the time of a decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from satedge.bench.report.figures.looks import FAMILIES, family_handles
from satedge.bench.report.headline import shown_name
from satedge.bench.score.frontier import on_front
from satedge.bench.score.headline import Standing
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Percents up to which the axis of the controllable excess is linear.
LINEAR = 100.0
#: Marks from there on.
TICKS = (100, 1000, 10_000, 100_000)


def by_world(found: Sequence[Standing]) -> dict[str, list[Standing]]:
    """Those whose excess is known, world by world."""
    worlds: dict[str, list[Standing]] = {}
    for s in found:
        if np.isfinite(s.controllable.value):
            worlds.setdefault(s.world, []).append(s)
    return worlds


def excess_figure(found: Sequence[Standing]) -> Figure:
    """A panel for each world: dots with 95 % intervals, the cheapest method on top."""
    worlds = by_world(found)
    most = max(map(len, worlds.values()))
    figure = style.new_figure(3.2 * len(worlds), 0.9 + 0.2 * most)
    for ax, (world, part) in zip(_panels(figure, worlds), worlds.items(), strict=True):
        for y, s in enumerate(reversed(part)):
            v, colour = s.controllable, FAMILIES[s.family]
            ax.plot([100 * v.low, 100 * v.high], [y, y], color=colour, lw=4, alpha=0.35)
            ax.plot(100 * v.value, y, "o", color=colour)
        ax.set_yticks(range(len(part)), [shown_name(s) for s in reversed(part)])
        ax.set(title=world, xlabel="controllable excess, %", ylim=(-0.6, most - 0.4))
        _scale(ax, "x", part)
        ax.axvline(100, color=style.GREY, lw=0.8, ls=":")
        ax.grid(axis="y", visible=False)
    return figure


def time_figure(found: Sequence[Standing]) -> Figure:
    """A panel for each world: controllable excess against the decision time of a slot. Named are
    those that nobody beats in both."""
    worlds = by_world(found)
    figure = style.new_figure(3.6 * len(worlds), 3.8)
    for ax, (world, part) in zip(_panels(figure, worlds), worlds.items(), strict=True):
        spots = [(1000 * s.slot_s, 100 * s.controllable.value) for s in part]
        for s, at, front in zip(part, spots, on_front(spots), strict=True):
            ax.plot(*at, "o", color=FAMILIES[s.family])
            if front:
                ax.annotate(
                    shown_name(s), at, (2, 5), textcoords="offset points", fontsize=7, rotation=40
                )
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
        ax.set(title=world, xlabel="time per slot, ms", ylabel="controllable excess, %")
        ax.margins(x=0.25, y=0.15)
        _scale(ax, "y", part)
        ax.set_ylim(bottom=min(-0.1 * LINEAR, *(y for _, y in spots)))
        ax.axhline(100, color=style.GREY, lw=0.8, ls=":")
    handles = family_handles({s.family for s in found})
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _panels(figure: Figure, worlds: dict[str, list[Standing]]) -> Sequence[Axes]:
    panels: Sequence[Axes] = figure.subplots(1, len(worlds), squeeze=False)[0]
    return panels


def _scale(ax: Axes, axis: str, part: Sequence[Standing]) -> None:
    """Logarithmic beyond the fixed rule where somebody is far beyond it."""
    if max(s.controllable.value for s in part) > 3 * LINEAR / 100:
        getattr(ax, f"set_{axis}scale")("symlog", linthresh=LINEAR, linscale=1.5)
        lines = ax.xaxis if axis == "x" else ax.yaxis
        most = 100 * max(s.controllable.value for s in part)
        lines.set_major_locator(FixedLocator([0, 50, *(t for t in TICKS if t < 4 * most)]))
        lines.set_minor_locator(NullLocator())
        lines.set_major_formatter(lambda v, _: f"{v:g}")

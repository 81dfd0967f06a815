"""The parts of a study side by side, as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING

from satedge.bench.report.figures.looks import SHADE, counted, looks_of, note
from satedge.bench.report.parts import grid, value_of
from satedge.bench.score.summary import Line
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Percents of excess up to which the axis is linear.
LINEAR = 1.0


def part_chart(lines: Sequence[Line]) -> Figure | None:
    """Excess and missed deadlines of every method, part by part."""
    parts, found = grid(lines)
    if not parts:
        return None
    figure = style.new_figure(8.6, 4.0 + 0.012 * max(map(len, parts)))
    looks = looks_of(list(found))
    most = [max((v.plans for v in row.values()), default=0) for row in found.values()]
    names, same = counted(list(found), most)
    for ax, measure in zip(figure.subplots(1, 2), ("excess", "deadline_misses"), strict=True):
        for (method, row), name in zip(found.items(), names, strict=True):
            colour, marker, dashes = looks[method]
            values = [value_of(row.get(p), measure) for p in parts]
            ax.plot(range(len(parts)), values, color=colour, marker=marker, ls=dashes,
                    lw=1.0, mec="white", label=name)  # fmt: skip
            if measure == "excess":
                known = [row[p].excess_interval if p in row else None for p in parts]
                low, high = ([100 * getattr(k, end) if k else nan for k in known]
                             for end in ("low", "high"))  # fmt: skip
                ax.fill_between(range(len(parts)), low, high, color=colour, alpha=SHADE, lw=0)
        ax.set_xticks(range(len(parts)), parts, rotation=35, ha="right")
        if measure == "excess":
            ax.set_yscale("symlog", linthresh=LINEAR, linscale=0.5)
            ax.axhspan(0, LINEAR, color=style.FAINT, lw=0, zorder=0)
            ax.annotate("linear", (0, LINEAR / 2), xytext=(2, 0), va="center", fontsize=6.5,
                        xycoords=("axes fraction", "data"), textcoords="offset points",
                        color=style.GREY)  # fmt: skip
            ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        ax.set(ylabel={"excess": "excess, %"}.get(measure, "deadline misses, % of requests"))
        shown = [value_of(row.get(p), measure) for row in found.values() for p in parts]
        ax.set_ylim(0, 1.3 * max((v for v in shown if isfinite(v)), default=1.0) or 1.0)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    note(ax, same)
    return figure

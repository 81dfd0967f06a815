"""The parts of a study side by side, as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from satedge.bench.report.figures.looks import looks_of
from satedge.bench.report.parts import grid, value_of
from satedge.bench.score.summary import Line
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def part_chart(lines: Sequence[Line]) -> Figure | None:
    """Excess and missed deadlines of every method, part by part."""
    parts, found = grid(lines)
    if not parts:
        return None
    figure = style.new_figure(8.6, 4.0 + 0.012 * max(map(len, parts)))
    looks = looks_of(list(found))
    for ax, measure in zip(figure.subplots(1, 2), ("excess", "deadline_misses"), strict=True):
        for method, row in found.items():
            colour, marker, dashes = looks[method]
            values = [value_of(row.get(p), measure) for p in parts]
            ax.plot(range(len(parts)), values, color=colour, marker=marker, ls=dashes,
                    lw=1.0, mec="white", label=method)  # fmt: skip
        ax.set_xticks(range(len(parts)), parts, rotation=35, ha="right")
        if measure == "excess":
            ax.set_yscale("symlog", linthresh=1.0, linscale=0.5)
            ax.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        ax.set(ylabel={"excess": "excess, %"}.get(measure, "deadline misses, % of requests"))
        ax.set_ylim(bottom=0)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure

"""Figure 8: what AD-SAC loses when one half of its actions changes its kind, and the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from satedge.bench.score.paper_claims import ABLATION, learners
from satedge.bench.score.summary import Line
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def ablation_chart(lines: Sequence[Line]) -> Figure | None:
    """Latency and energy over AD-SAC's in percent, ours as dots, the paper's as crosses."""
    group = learners(lines)
    shown = [m for m in ABLATION if m in group]
    if "adsac" not in group or not shown:
        return None
    full = group["adsac"]
    figure = style.new_figure(7.0, 1.3 + 0.45 * len(shown))
    for i, ax in enumerate(figure.subplots(1, 2, sharey=True)):
        name, base = (("latency", full.latency_s), ("energy", full.energy_J))[i]
        for y, method in enumerate(reversed(shown)):
            value = (group[method].latency_s, group[method].energy_J)[i]
            ax.plot(100 * (value / base - 1), y, "o", color=style.RED, label="" if y else "ours")
            ax.plot(ABLATION[method][i], y, "x", color=style.BLACK, ms=8, mew=2,
                    label="" if y else "paper")  # fmt: skip
        ax.axvline(0, color=style.GREY, lw=0.8)
        ax.set(xlabel=f"{name} over adsac, %", ylim=(-0.6, len(shown) - 0.4))
        ax.set_yticks(range(len(shown)), list(reversed(shown)))
        ax.grid(axis="y", visible=False)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure

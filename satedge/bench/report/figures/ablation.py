"""Figure 8: what AD-SAC loses when one half of its actions changes its kind, and the paper's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from satedge.bench.report.figures.looks import counted, note
from satedge.bench.score.claims.evidence import SEEDS
from satedge.bench.score.claims.statements import ABLATION
from satedge.bench.score.stats import Interval, ratio_of_means
from satedge.bench.score.summary import LEARNED, Line, by_seed, rows_of
from satedge.drawing import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def ablation_chart(lines: Sequence[Line], scored: pd.DataFrame) -> Figure | None:
    """Latency and energy over AD-SAC's in percent, ours as dots, the paper's as crosses.

    Intervals are of episodes and, on both sides, training seeds drawn again.
    """
    group = _learners(lines)
    shown = [m for m in ABLATION if m in group]
    if "adsac" not in group or not shown:
        return None
    full = group["adsac"]
    names, same = counted(list(reversed(shown)), [group[m].plans for m in reversed(shown)])
    figure = style.new_figure(7.0, 1.3 + 0.45 * len(shown))
    for i, ax in enumerate(figure.subplots(1, 2, sharey=True)):
        name, base = (("latency", full.latency_s), ("energy", full.energy_J))[i]
        for y, method in enumerate(reversed(shown)):
            value = (group[method].latency_s, group[method].energy_J)[i]
            known = _interval(scored, group[method], full, ("latency_s", "energy_J")[i])
            ax.plot([100 * known.low, 100 * known.high], [y, y], color=style.RED, lw=4, alpha=0.35)
            ax.plot(100 * (value / base - 1), y, "o", color=style.RED, label="" if y else "ours")
            ax.plot(ABLATION[method][i], y, "x", color=style.BLACK, ms=8, mew=2,
                    label="" if y else "paper")  # fmt: skip
        ax.axvline(0, color=style.GREY, lw=0.8)
        ax.set(xlabel=f"{name} over adsac, %", ylim=(-0.6, len(shown) - 0.4))
        ax.set_yticks(range(len(shown)), names)
        ax.grid(axis="y", visible=False)
    note(figure.axes[1], same)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _learners(lines: Sequence[Line]) -> dict[str, Line]:
    """Learned methods with seeds enough, of whichever group has most of them."""
    groups: dict[str, dict[str, Line]] = {}
    for line in lines:
        if line.family == LEARNED and line.plans and line.seeds >= SEEDS:
            groups.setdefault(line.group, {})[line.method] = line
    return max(groups.values(), key=len, default={})


def _interval(scored: pd.DataFrame, line: Line, base: Line, column: str) -> Interval:
    """Of the ratio of means less 1, on the instances that both have plans for."""
    ours, theirs = (
        by_seed(rows_of(v, scored[scored["group"] == v.group]), column) for v in (line, base)
    )
    both = ours.columns.intersection(theirs.columns)
    if both.empty:
        return Interval(math.nan, math.nan, math.nan)
    return ratio_of_means(ours[both], theirs[both], (True, True)).difference

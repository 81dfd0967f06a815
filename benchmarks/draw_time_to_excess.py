"""What learners cost at equal slots and at equal processor time, and when they come within 5, 1 and
0.2 % of the optimum.

    python benchmarks/draw_time_to_excess.py REFERENCE OUT.svg FOLDER ...

A FOLDER has a curve.csv, as results/policies/paper/NAME and results/learning/curves/NAME have;
REFERENCE is the cost of the exact solution of every slot of the validation episodes. What counts is
the selected policy, the best in validation so far; seconds are a seed's share of what the seeds
trained together took. The figure has one line a learner, mean over seeds; printed are two tables,
of costs with 95 % intervals over seeds (mean_interval), and of times.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import NullFormatter

from satedge.bench.methods.table import proper_name
from satedge.bench.report.figures.looks import LINE_COLOURS
from satedge.bench.score.stats import mean_interval
from satedge.drawing.style import house, new_figure, save
from satedge.problem.io.curve import read_curve
from satedge.problem.scenario import preset

LEVELS, TICKS = (5.0, 1.0, 0.2), (1, 2, 5, 10, 20, 50, 100, 200)
#: Where costs are compared: slots that a seed has played, processor seconds that it has taken.
SLOTS, SECONDS = (30_000, 100_000, 500_000, 1_000_000), (10, 20, 45)


class Run(NamedTuple):
    """One seed at its T looks at policies: (T,) slots so far, seconds so far, cost of the selected
    policy."""

    slots: np.ndarray
    seconds: np.ndarray
    cost: np.ndarray

    def at(self, axis, value):
        """What is selected when so much has been played or spent; NaN where training ended before,
        or nothing had been looked at."""
        along = getattr(self, axis)
        seen = np.flatnonzero(along <= value)
        ended = along[-1] + np.diff(along).mean() < value
        return np.nan if ended or not len(seen) else self.cost[seen[-1]]


def runs(path):
    """Of every seed of a log."""
    found = {}
    for row in read_curve(path):
        if row.figure in ("seconds", "validation_cost"):
            found.setdefault(row.seed, {}).setdefault(row.figure, {})[row.epoch] = row.value
    beside = {s: sum(r["seconds"] == found[s]["seconds"] for r in found.values()) for s in found}
    length = preset("paper").n_slots
    return [
        Run(
            np.array(sorted(run["validation_cost"])) * length,
            np.cumsum([v for _, v in sorted(run["seconds"].items())]) / beside[seed],
            np.minimum.accumulate([v for _, v in sorted(run["validation_cost"].items())]),
        )
        for seed, run in sorted(found.items())
    ]


def mean_over(seeds):
    """Seconds (T,) and costs (T,), mean over seeds, as far as all of them go."""
    n = min(len(run.cost) for run in seeds)
    return (
        np.mean([x[:n] for x in column], axis=0) for column in list(zip(*seeds, strict=True))[1:]
    )


def reached(seconds, excess, level):
    """When a level was first kept below; empty where it never was."""
    below = np.flatnonzero(excess <= level)
    return f"{seconds[below[0]]:.0f}" if len(below) else "-"


def told(costs):
    """A mean with its interval, of the seeds that came so far if all did."""
    if np.isnan(costs).any():
        return ""
    mean = mean_interval(costs)
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def budgets(found):
    """The table of costs at equal slots and at equal seconds."""
    marks = [("slots", x) for x in SLOTS] + [("seconds", x) for x in SECONDS]
    heads = [f"{x:,} slots" if axis == "slots" else f"{x} s" for axis, x in marks]
    print(f"| learner | seeds | {' | '.join(heads)} |")
    print("| --- |" + " ---: |" * (len(marks) + 1))
    for name, seeds in found.items():
        cells = [told([run.at(axis, x) for run in seeds]) for axis, x in marks]
        print(f"| `{name}` | {len(seeds)} | {' | '.join(cells)} |")


def times(found, reference):
    """The table of times until a level is kept."""
    print("\n| learner | " + " | ".join(f"{x} %" for x in LEVELS) + " | at the end | s |")
    print("| --- |" + " ---: |" * (len(LEVELS) + 2))
    for name, seeds in found.items():
        seconds, costs = mean_over(seeds)
        excess = 100 * (costs / reference - 1)
        until = " | ".join(reached(seconds, excess, level) for level in LEVELS)
        print(f"| `{name}` | {until} | {excess[-1]:.2f} % | {seconds[-1]:.0f} |")


def draw(found, reference, out):
    """The figure."""
    figure = new_figure(8.2, 4.4)
    ax = figure.subplots()
    for (name, seeds), colour in zip(found.items(), LINE_COLOURS, strict=False):
        seconds, costs = mean_over(seeds)
        label = proper_name(name.replace("-cured", ", cured").replace("-long", ", long"))
        label = label.replace("-myopic", ", myopic").replace("sb3-ppo", "Stable-Baselines3's PPO")
        style = {"marker": ".", "markersize": 4, "linestyle": "--" if "sb3" in name else "-"}
        ax.plot(seconds, 100 * (costs / reference - 1), label=label, color=colour, **style)
    for level in LEVELS:
        ax.axhline(level, color="0.7", linewidth=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="processor seconds a seed")
    ax.set_ylabel("excess over myopic-exact, validation (%)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    ax.set_xticks(TICKS)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    save(figure, out)


def main(reference, out, folders):
    """Both tables and the figure."""
    found = {folder.name: runs(folder / "curve.csv") for folder in folders}
    found = dict(sorted(found.items(), key=lambda item: np.mean([r.cost[-1] for r in item[1]])))
    budgets(found)
    times(found, reference)
    draw(found, reference, out)


if __name__ == "__main__":
    with house():
        main(float(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])

"""How much processor time a learner takes until its policy costs 5, 1 and 0.2 % too much.

    python benchmarks/draw_time_to_excess.py FOLDER REFERENCE OUT.svg [NAME ...]

FOLDER has a folder with a curve.csv for each NAME (default: all), as results/policies/paper has;
REFERENCE is the cost of the exact solution of every slot of the validation episodes. What counts is
the selected policy, the best in validation so far; seconds are a seed's share of what the seeds
trained together took. The figure has one line a learner, mean over seeds; printed is a table.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.ticker import NullFormatter

from satedge.bench.methods.table import proper_name
from satedge.drawing.style import house, new_figure, save
from satedge.problem.io.curve import read_curve

LEVELS, SECONDS = (5.0, 1.0, 0.2), (1, 2, 5, 10, 20, 50, 100)


def curve(path):
    """Seconds of a seed (T,), and excess costs of the selected policies (seeds, T)."""
    seconds, costs = {}, {}
    for row in read_curve(path):
        if row.figure == "seconds":
            seconds.setdefault(row.seed, {})[row.epoch] = row.value
        elif row.figure == "validation_cost":
            costs.setdefault(row.seed, {})[row.epoch] = row.value
    beside = {s: sum(seconds[s] == other for other in seconds.values()) for s in seconds}
    spent = [np.cumsum([v for _, v in sorted(seconds[s].items())]) / beside[s] for s in costs]
    found = [np.minimum.accumulate([v for _, v in sorted(costs[s].items())]) for s in costs]
    n = min(len(x) for x in found)
    return np.mean([x[:n] for x in spent], axis=0), np.array([x[:n] for x in found])


def reached(seconds, excess, level):
    """When a level was first kept below; empty where it never was."""
    below = np.flatnonzero(excess <= level)
    return f"{seconds[below[0]]:.0f}" if len(below) else "-"


def main(folder, reference, out, names):
    """The figure, and a line of the table for each learner."""
    figure = new_figure(6.4, 4.0)
    ax = figure.subplots()
    print("| learner | seeds | " + " | ".join(f"{x} %" for x in LEVELS) + " | at the end | s |")
    print("| --- |" + " ---: |" * (len(LEVELS) + 3))
    for name in names or sorted(p.parent.name for p in folder.glob("*/curve.csv")):
        seconds, costs = curve(folder / name / "curve.csv")
        excess = 100 * (costs.mean(axis=0) / reference - 1)
        ax.plot(
            seconds,
            excess,
            label=proper_name(name.replace("-cured", ", cured")),
            marker=".",
            markersize=4,
        )
        times = " | ".join(reached(seconds, excess, level) for level in LEVELS)
        print(f"| {name} | {len(costs)} | {times} | {excess[-1]:.2f} % | {seconds[-1]:.0f} |")
    for level in LEVELS:
        ax.axhline(level, color="0.7", linewidth=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="processor seconds a seed")
    ax.set_ylabel("excess over myopic-exact, validation (%)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    ax.set_xticks(SECONDS)
    ax.legend()
    save(figure, out)


if __name__ == "__main__":
    with house():
        main(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])

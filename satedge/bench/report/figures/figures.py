"""All figures of a study: as PDF and SVG files, each with a title and a caption in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from satedge import preparation
from satedge.bench.report.figures import ablation, charts, curves, learning, parts
from satedge.bench.report.figures.frontier import frontier_chart
from satedge.bench.report.figures.sweeps import FIGURES, LABELS, scaling_chart, sweep_chart
from satedge.bench.run.record import plan_of
from satedge.bench.run.store import Store, slug
from satedge.bench.score.frontier import places
from satedge.bench.score.summary import REFERENCES, Line, by_comparison
from satedge.bench.score.sweeps import sweeps
from satedge.bench.score.training_logs import training_times, trainings
from satedge.drawing import style
from satedge.drawing.figure import draw_map
from satedge.drawing.slot_map import slot_map

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Groups of which a map is drawn, the first ones; the page draws one for any plan.
MAPS = 4

#: Runs of one method whose traces are read for the time chart.
TRACES = 300


@dataclass(frozen=True)
class Picture:
    """A drawn figure."""

    name: str
    group: str
    title: str
    caption: str
    files: tuple[Path, ...]
    """PDF and SVG."""


@dataclass(frozen=True)
class Sketch:
    """A figure that can be drawn."""

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure | None]
    """None when the study has no data for it."""


@dataclass(frozen=True)
class _Group:
    """The rows of one group with their scores, and its lines."""

    store: Store
    rows: pd.DataFrame
    lines: list[Line]


def write_figures(store: Store, scored: pd.DataFrame, lines: list[Line]) -> list[Picture]:
    """Draw everything the study has data for into figures/. Returns what was drawn."""
    drawn: list[Picture] = []
    with style.house():
        for group, sketch in _sketches(store, scored, lines):
            preparation.say(f"drawing {group}: {sketch.title}")
            figure = sketch.draw()
            if figure is None:
                continue
            stem = f"{slug(group)}-{sketch.name}"
            files = tuple(style.save_both(figure, store.root / "figures", stem))
            drawn.append(Picture(stem, group, sketch.title, sketch.caption, files))
    return drawn


def _sketches(
    store: Store, scored: pd.DataFrame, lines: list[Line]
) -> Iterator[tuple[str, Sketch]]:
    """Groups with their sketches, then what belongs to the whole study."""
    for place, (name, part) in enumerate(by_comparison(lines)):
        group = _Group(store, scored[scored["group"] == name], part)
        for sketch in (*_of_quality(group), *_of_time(group), *_of_plans(group)[place >= MAPS :]):
            yield name, sketch
    yield "all", _parts(lines)
    yield "training", _training(scored)
    for sketch in (_ablation(lines, scored), *_sweeps(scored)):
        yield "paper", sketch


def _parts(lines: list[Line]) -> Sketch:
    return Sketch(
        "parts",
        "Part by part",
        "The same methods in every part of the study: excess with its 95 % interval, and the share "
        "of requests that miss their deadline. Below the mark the axis is linear, above it "
        "logarithmic.",
        partial(parts.part_chart, lines),
    )


def _training(scored: pd.DataFrame) -> Sketch:
    return Sketch(
        "curves",
        "Learning curves",
        "Validation episodes during training: mean over seeds and a 95 % interval over "
        "seeds alone, on the same episodes. A slot that costs a thousand times as much as others "
        "lifts the mean cost and hardly lowers the reward.",
        partial(learning.learning_chart, trainings(scored)),
    )


def _ablation(lines: list[Line], scored: pd.DataFrame) -> Sketch:
    return Sketch(
        "figure-8",
        "Figure 8: ablations",
        "Mean latency and energy over AD-SAC's: ours, and what the paper states. Bands are 95 % "
        "intervals, episodes and training seeds drawn again.",
        partial(ablation.ablation_chart, lines, scored),
    )


def _sweeps(scored: pd.DataFrame) -> list[Sketch]:
    return [
        Sketch(
            f"figure-{FIGURES[sweep.axis]}",
            f"Figure {FIGURES[sweep.axis]}: {LABELS[sweep.axis]}",
            "Mean latency per request and energy per slot, the same draws at every point, with "
            "95 % intervals over episodes. "
            "Learned methods are retrained for each number of devices, and evaluated without "
            "retraining along the other axes.",
            partial(sweep_chart, sweep),
        )
        for sweep in sweeps(scored)
    ]


def _of_quality(group: _Group) -> list[Sketch]:
    lines, rows = group.lines, group.rows
    return [
        Sketch(
            "excess",
            "Cost per method",
            f"Mean cost over the mean of {REFERENCES[lines[0].reference]}, less 1, and its 95 % "
            "interval: instances are drawn again, and of learners their training seeds, too. The "
            "mean cost stands at the right. In the shaded strip the axis is linear, beyond it "
            "logarithmic.",
            partial(charts.excess_chart, lines),
        ),
        Sketch(
            "gap",
            "Certified gap per method",
            "Each dot is one run: how far its cost can be from the optimum at most, by the best "
            "certified bound of its instance. The bar is the median, the line its 95 % interval "
            "(the whole range where there are less than six runs).",
            partial(charts.gap_chart, lines, rows),
        ),
        Sketch(
            "profile",
            "Performance profile",
            "Share of instances on which the controllable cost of a method is at most so much "
            "above the least, with 95 % intervals of what is neither none nor all; of the methods "
            "that ran on all instances. "
            "Where a method is the best itself it counts from the left edge on.",
            partial(curves.profile_chart, lines, rows),
        ),
    ]


def _of_time(group: _Group) -> list[Sketch]:
    lines, traces = group.lines, _traces(group)
    training_s = training_times(trainings(group.rows))
    reference = REFERENCES[lines[0].reference]
    return [
        Sketch(
            "frontier",
            "Cost against decision time",
            f"Mean excess over {reference} and mean time a slot, with 95 % intervals, of methods "
            "that do not know later slots and have a plan for every instance. Ringed and joined by "
            "steps is the Pareto front: nobody else is both as quick and as cheap. Below the mark "
            "the axis of excess is linear, above it logarithmic.",
            partial(frontier_chart, places(lines, group.rows), reference),
        ),
        Sketch(
            "time",
            "Gap against time",
            "Median gap of the incumbent against computing time. Thick: certified by the method's "
            "own bound of that moment. Thin, with its 95 % interval: to the best bound of all "
            "methods, known only later. A hollow mark is the training time of a learned method, "
            "spent once before.",
            partial(curves.time_chart, lines, traces, training_s),
        ),
        Sketch(
            "solved",
            "Solved within a time",
            f"Share of instances that a method itself certifies to {100 * curves.SOLVED:g} %, "
            "with 95 % intervals.",
            partial(curves.solved_chart, lines, traces),
        ),
        Sketch(
            "scaling",
            "Scaling",
            "Median certified gap and median time against the number of devices; of methods that "
            "give bounds only, the distance of their bound to the best plan. Bands are 95 % "
            "intervals of the medians.",
            partial(scaling_chart, group.rows),
        ),
    ]


def _of_plans(group: _Group) -> list[Sketch]:
    """The map first: it may be left out."""
    return [
        Sketch(
            "map",
            "One slot, as the best plan serves it",
            "Devices, UAVs before and after moving, links with transmit powers, and satellites.",
            partial(_best_map, group),
        ),
        Sketch(
            "phases",
            "Where latency and energy come from",
            "Mean latency per request and mean energy per slot, by phase; the line is the 95 % "
            "interval of the sum.",
            partial(charts.phase_chart, group.lines, group.rows),
        ),
    ]


def _traces(group: _Group) -> curves.Traces:
    """Traces by (method, budget), with the best bound of each run's instance; none without the
    files of the runs."""
    rows = group.rows if group.store.has_runs else group.rows[:0]
    bounded = rows[np.isfinite(rows["best_bound"]) & (rows["status"] != "skipped")]
    found: dict[tuple[str, float], list[tuple[curves.Trace, float]]] = {}
    for row in bounded.itertuples():
        runs = found.setdefault((row.method, row.budget_s), [])
        if len(runs) < TRACES:
            trace = group.store.read(row.key)["trace"]
            if any(point[1] is not None for point in trace):
                runs.append((trace, row.best_bound))
    return {key: runs for key, runs in found.items() if runs}


def _best_map(group: _Group) -> Figure | None:
    """The first instance's busiest slot under its cheapest plan."""
    plans = group.rows[group.rows["usable"]]
    if plans.empty or not group.store.has_runs:
        return None
    same = plans[plans["instance_sha256"] == plans["instance_sha256"].iloc[0]]
    best = same.loc[same["cost"].idxmin()]
    plan = plan_of(group.store.read(best["key"]))
    instance = group.store.instance(best["instance_sha256"])
    assert plan is not None
    slot = int(instance.active.sum(axis=1).argmax())
    title = f"{instance.name}, slot {slot}, under {best['method']}"
    return draw_map(slot_map(instance, plan, slot), title)

"""All figures of a run: as PDF and SVG files, each with a title and a caption in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from satedge.bench.report.figures import (
    ablation,
    charts,
    curves,
    learning,
    maps,
    parts,
    style,
)
from satedge.bench.report.figures.sweeps import FIGURES, LABELS, scaling_chart, sweep_chart
from satedge.bench.run.record import plan_of
from satedge.bench.run.rows import Rows
from satedge.bench.run.store import Store, slug
from satedge.bench.score.score import Scores
from satedge.bench.score.summary import Line, by_comparison
from satedge.bench.score.sweeps import sweeps
from satedge.bench.score.training_logs import training_times, trainings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Groups of which a map is drawn, the first ones; the page draws one for any plan.
MAPS = 4

#: Cells of one method whose traces are read for the time chart.
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
    """None when the run has no data for it."""


def write_figures(store: Store, rows: Rows, scores: Scores, lines: list[Line]) -> list[Picture]:
    """Draw everything the run has data for into figures/. Returns what was drawn."""
    drawn: list[Picture] = []
    with style.house():
        for group, sketches in _all(store, rows, scores, lines):
            for sketch in sketches:
                figure = sketch.draw()
                if figure is None:
                    continue
                stem = f"{slug(group)}-{sketch.name}"
                files = tuple(style.save_both(figure, store.root / "figures", stem))
                drawn.append(Picture(stem, group, sketch.title, sketch.caption, files))
    return drawn


def _all(
    store: Store, rows: Rows, scores: Scores, lines: list[Line]
) -> Iterator[tuple[str, list[Sketch]]]:
    """Groups with their sketches, then what belongs to the whole run."""
    for place, (group, part) in enumerate(by_comparison(lines)):
        chosen = np.flatnonzero(rows.equals("group", group))
        sketches = _comparison(_Group(store, rows.where(chosen), scores, part, chosen))
        yield group, [s for s in sketches if s.name != "map" or place < MAPS]
    caption = (
        "The same methods in every part of the study: excess over the best causal plan of the "
        "part, and late requests."
    )
    draw_parts = lambda: parts.part_chart(lines)  # noqa: E731
    yield "all", [Sketch("parts", "Part by part", caption, draw_parts)]
    found = trainings(rows)
    caption = (
        "Validation episodes during training: mean over seeds and a 95 % interval. A slot that "
        "costs a thousand times as much as others lifts the mean cost and hardly lowers the reward."
    )
    draw = lambda: learning.learning_chart(found)  # noqa: E731
    yield "training", [Sketch("curves", "Learning curves", caption, draw)]
    caption = "Mean latency and energy over AD-SAC's: ours, and what the paper states."
    draw_ablation = lambda: ablation.ablation_chart(lines)  # noqa: E731
    yield "paper", [Sketch("figure-8", "Figure 8: ablations", caption, draw_ablation)]
    yield (
        "paper",
        [
            Sketch(
                f"figure-{FIGURES[sweep.axis]}",
                f"Figure {FIGURES[sweep.axis]}: {LABELS[sweep.axis]}",
                "Mean latency per request and energy per slot, the same draws at every point. "
                "Learned methods are retrained for each number of devices, and evaluated without "
                "retraining along the other axes.",
                lambda sweep=sweep: sweep_chart(sweep),  # type: ignore[misc]
            )
            for sweep in sweeps(rows, scores.usable)
        ],
    )


class _Group:
    """The rows of one group with what the charts need of them."""

    def __init__(
        self,
        store: Store,
        rows: Rows,
        scores: Scores,
        lines: list[Line],
        chosen: NDArray[np.int64],
    ) -> None:
        self.store, self.rows, self.lines = store, rows, lines
        self.usable = scores.usable[chosen]
        self.gap = scores.gap[chosen]
        self.own_gap = scores.own_gap[chosen]
        self.bound = scores.best_bound[chosen]

    def traces(self) -> dict[tuple[str, float], list[tuple[curves.Trace, float]]]:
        """Traces by (method, budget), with the best bound of each cell's instance."""
        found: dict[tuple[str, float], list[tuple[curves.Trace, float]]] = {}
        for i in np.flatnonzero(np.isfinite(self.bound)):
            row = self.rows.row(int(i))
            cells = found.setdefault((row["method"], row["budget_s"]), [])
            if row["status"] != "skipped" and len(cells) < TRACES:
                trace = self.store.read(row["key"])["trace"]
                if any(point[1] is not None for point in trace):
                    cells.append((trace, float(self.bound[i])))
        return {key: cells for key, cells in found.items() if cells}

    def best_map(self) -> Figure | None:
        """The first instance's busiest slot under its cheapest plan."""
        if not self.usable.any():
            return None
        shas = self.rows["instance_sha256"]
        mine = np.flatnonzero(self.usable & (shas == shas[self.usable][0]))
        best = self.rows.row(int(mine[self.rows["cost"][mine].argmin()]))
        plan = plan_of(self.store.read(best["key"]))
        instance = self.store.instance(best["instance_sha256"])
        assert plan is not None
        slot = int(instance.active.sum(axis=1).argmax())
        return maps.draw_map(instance, plan, slot, f"{instance.name} under {best['method']}")


def _comparison(group: _Group) -> list[Sketch]:
    return [*_of_quality(group), *_of_time(group), *_of_plans(group)]


def _of_quality(group: _Group) -> list[Sketch]:
    lines, rows = group.lines, group.rows
    return [
        Sketch(
            "excess",
            "Cost per method",
            "Mean excess over the best causal plan of each instance, and its 95 % interval: over "
            "instances, for learners the interquartile mean's over seeds. The mean cost stands at "
            "the right.",
            lambda: charts.excess_chart(lines),
        ),
        Sketch(
            "gap",
            "Certified gap per method",
            "Each dot is one cell: how far its cost can be from the optimum at most, by the best "
            "certified bound of its instance. The bar is the median.",
            lambda: charts.gap_chart(lines, rows, group.gap),
        ),
        Sketch(
            "profile",
            "Performance profile",
            "Share of instances on which a method is within a factor of the best, measured on "
            "the part of the cost that decisions change; of the methods that ran on all instances.",
            lambda: curves.profile_chart(lines, rows, group.usable),
        ),
    ]


def _of_time(group: _Group) -> list[Sketch]:
    lines, traces = group.lines, group.traces()
    training_s = training_times(trainings(group.rows))
    return [
        Sketch(
            "time",
            "Gap against time",
            "Median certified gap of the incumbent against computing time. A hollow mark is the "
            "training time of a learned method, spent once before.",
            lambda: curves.time_chart(lines, traces, training_s),
        ),
        Sketch(
            "solved",
            "Solved within a time",
            f"Share of instances that a method itself certifies to {100 * curves.SOLVED:g} %.",
            lambda: curves.solved_chart(lines, traces),
        ),
        Sketch(
            "scaling",
            "Scaling",
            "Median certified gap and median time against the number of devices; of methods that "
            "give bounds only, the distance of their bound to the best plan.",
            lambda: scaling_chart(
                group.rows, np.where(np.isfinite(group.gap), group.gap, group.own_gap)
            ),
        ),
    ]


def _of_plans(group: _Group) -> list[Sketch]:
    lines, rows = group.lines, group.rows
    return [
        Sketch(
            "phases",
            "Where latency and energy come from",
            "Mean latency per request and mean energy per slot, by phase.",
            lambda: charts.phase_chart(lines, rows, group.usable),
        ),
        Sketch(
            "map",
            "One slot, as the best plan serves it",
            "Devices, UAVs before and after moving, links with transmit powers, and satellites.",
            group.best_map,
        ),
    ]

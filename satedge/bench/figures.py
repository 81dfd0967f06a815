"""All figures of a run: as PDF and SVG files, each with a title and a caption in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from satedge.bench import charts, curves, maps, style, tables
from satedge.bench.records import plan_of
from satedge.bench.score import Scores
from satedge.bench.store import Store
from satedge.bench.summary import Line
from satedge.bench.table_data import Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def write_figures(store: Store, rows: Rows, scores: Scores, lines: list[Line]) -> list[Picture]:
    """Draw everything the run has data for into figures/. Returns what was drawn."""
    folder = store.root / "figures"
    drawn = []
    with style.house():
        for group, part in tables.by_comparison(lines):
            chosen = rows.equals("group", group)
            drawings = _comparison(store, rows, scores, part, chosen)
            for name, title, caption, figure in drawings:
                stem = f"{_slug(group)}-{name}"
                files = tuple(style.save_both(figure, folder, stem))
                drawn.append(Picture(stem, group, title, caption, files))
    return drawn


def _comparison(
    store: Store, rows: Rows, scores: Scores, lines: list[Line], chosen: np.ndarray
) -> Iterator[tuple[str, str, str, Figure]]:
    """(name, title, caption, figure) of every figure of one group."""
    here = rows.where(chosen)
    usable = scores.usable[chosen]
    figure = charts.excess_chart(lines)
    if figure is not None:
        yield (
            "excess",
            "Cost per method",
            "Mean excess over the best known cost of each instance, with its 95 % interval; "
            "the mean cost stands at the right.",
            figure,
        )
    figure = charts.gap_chart(lines, here, scores.gap[chosen])
    if figure is not None:
        yield (
            "gap",
            "Certified gap per method",
            "Each dot is one cell: how far its cost can be from the optimum at most, by the best "
            "certified bound of its instance. The bar is the median.",
            figure,
        )
    cells = _traces(store, here, scores.best_bound[chosen])
    figure = curves.time_chart(lines, cells, training_times(here))
    if figure is not None:
        yield (
            "time",
            "Gap against time",
            "Median certified gap of the incumbent against computing time. A hollow mark is the "
            "training time of a learned method, spent once before.",
            figure,
        )
    figure = curves.profile_chart(lines, here, usable)
    if figure is not None:
        yield (
            "profile",
            "Performance profile",
            "Share of instances on which a method is within a factor of the best, measured on "
            "the part of the cost that decisions change.",
            figure,
        )
    figure = charts.phase_chart(lines, here, usable)
    if figure is not None:
        yield (
            "phases",
            "Where latency and energy come from",
            "Mean latency per request and mean energy per slot, by phase.",
            figure,
        )
    figure = _best_map(store, here, usable)
    if figure is not None:
        yield (
            "map",
            "One slot, as the best plan serves it",
            "Devices, UAVs before and after moving, links with transmit powers, and satellites.",
            figure,
        )


def _traces(
    store: Store, rows: Rows, bound: np.ndarray
) -> dict[tuple[str, float], list[tuple[curves.Trace, float]]]:
    """Traces by (method, budget), with the best bound of each cell's instance."""
    found: dict[tuple[str, float], list[tuple[curves.Trace, float]]] = {}
    for i in np.flatnonzero(np.isfinite(bound)):
        row = rows.row(int(i))
        cells = found.setdefault((row["method"], row["budget_s"]), [])
        if row["status"] != "skipped" and len(cells) < TRACES:
            trace = store.read(row["key"])["trace"]
            if any(point[1] is not None for point in trace):
                cells.append((trace, float(bound[i])))
    return {key: cells for key, cells in found.items() if cells}


def training_times(rows: Rows) -> dict[str, float]:
    """Training seconds of learned methods, from the provenance of their policies."""
    del rows
    return {}


def _best_map(store: Store, rows: Rows, usable: np.ndarray) -> Figure | None:
    """The first instance's first slot under its cheapest plan."""
    if not usable.any():
        return None
    shas = rows["instance_sha256"]
    mine = np.flatnonzero(usable & (shas == shas[usable][0]))
    best = rows.row(int(mine[rows["cost"][mine].argmin()]))
    plan, instance = plan_of(store.read(best["key"])), store.instance(best["instance_sha256"])
    assert plan is not None
    slot = int(instance.active.sum(axis=1).argmax())
    title = f"{instance.name} under {best['method']}"
    return maps.draw_map(instance, plan, slot, title)


def _slug(text: str) -> str:
    """A file name from a group's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "group"

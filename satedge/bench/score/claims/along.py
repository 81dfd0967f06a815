"""Figures 5 to 7: what grows or falls along a sweep, who is lowest, and where the steps are; and
section 5.3: what windows have time for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pandas as pd

from satedge.bench.score.claims.evidence import Evidence, Part, counted, known, ratio
from satedge.bench.score.stats import Interval, Ratio, mean_interval
from satedge.bench.study.suites import SWEEPS

Parts = Callable[[Evidence, str], list[Part]]

#: Whose plans stand for the optimum in figure 7: the calibration's method, else the next.
OPTIMUM = ("alternate", "local-search", "myopic-exact")
#: Between these floors the paper sees its sharpest step.
STEP = (0.5, 0.6)


def _at(rows: pd.DataFrame, method: str, value: float) -> pd.DataFrame:
    return _of(rows[rows["value"] == value], method)


def _of(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    return rows[rows["method"] == method]


def _change(rows: pd.DataFrame, axis: str, method: str, ends: Sequence[float], col: str) -> Ratio:
    """Of a column at the second value over the first, episode by episode.

    The policies are the same ones, but for other numbers of devices.
    """
    first, last = (_at(rows, method, v) for v in ends)
    return ratio(last, first, col, "draw", same_policies=axis != "devices")


def trend(axis: str, column: str, sign: int, methods: Sequence[str]) -> Parts:
    """From end to end of an axis, of those methods that are there; sign -1: stated to fall."""

    def parts(e: Evidence, policies: str) -> list[Part]:
        rows, ends = e.sweep(axis), SWEEPS[axis][1]
        if not counted(rows, column):
            return []
        order = (ends[0], ends[-1]) if sign > 0 else (ends[-1], ends[0])
        here = [m for m in known(rows) if m in methods]
        return [Part(m, _change(rows, axis, m, order, column)) for m in here]

    return parts


def lowest(axis: str, column: str, rivals: Sequence[str]) -> Parts:
    """Of every rival over AD-SAC, at every value of an axis."""

    def parts(e: Evidence, policies: str) -> list[Part]:
        rows = e.sweep(axis)
        here = known(rows) if counted(rows, column) else []
        if "adsac" not in here:
            return []
        return [
            Part(f"{m} at {v:g}", ratio(_at(rows, m, v), _at(rows, "adsac", v), column))
            for m in rivals
            if m in here
            for v in SWEEPS[axis][1]
        ]

    return parts


def optimum(e: Evidence) -> str:
    """The method whose plans stand for the optimum: it has plans at every floor."""
    rows, values = e.sweep("accuracy"), set(SWEEPS["accuracy"][1])
    whole = [m for m in OPTIMUM if set(rows.loc[rows["method"] == m, "value"]) == values]
    return whole[0] if whole else ""


def number(value: float, column: str, unit: str) -> Parts:
    """The mean of a column at an accuracy floor, in the plans of OPTIMUM."""

    def parts(e: Evidence, policies: str) -> list[Part]:
        method = optimum(e)
        if not method:
            return []
        each = _at(e.sweep("accuracy"), method, value).groupby("draw")[column].mean()
        return [Part(method, Ratio(mean_interval(each), float("nan")), unit)]

    return parts


def increase(column: str, ends: Sequence[float], method: str = "adsac") -> Parts:
    """Of a column between two accuracy floors."""

    def parts(e: Evidence, policies: str) -> list[Part]:
        rows = e.sweep("accuracy")
        if method not in known(rows) or not counted(rows, column):
            return []
        return [Part(method, _change(rows, "accuracy", method, ends, column))]

    return parts


def in_window(methods: Sequence[str]) -> Parts:
    """Of their requests on satellites the share that the window has time for, on episodes.

    Those that overrun their deadline as well are left to the deadline. Where no method at all
    overruns a window, windows are no limit, and there is no interval.
    """

    def parts(e: Evidence, policies: str) -> list[Part]:
        rows = e.episodes
        if not counted(rows, "window_misses"):
            return []
        sent = rows.assign(count=rows["by_satellites"])
        kept = rows.assign(count=rows["by_satellites"] - rows["window_misses"])
        here = [m for m in known(rows) if m in methods]
        if not rows["window_misses"].any():
            nothing = Ratio(Interval(0.0, float("nan"), float("nan")), float("nan"))
            return [Part(f"{m}, where no method overruns a window", nothing) for m in here]
        return [
            Part(m, ratio(_of(kept, m), _of(sent, m), "count", same_policies=True)) for m in here
        ]

    return parts


def sharpest(column: str) -> Parts:
    """The ratio over STEP over that of every other step, in the plans of OPTIMUM.

    Of a step over another there is an estimate, and an interval from the episodes.
    """

    def parts(e: Evidence, policies: str) -> list[Part]:
        method, values = optimum(e), SWEEPS["accuracy"][1]
        if not method:
            return []
        rows = e.sweep("accuracy")
        rows = rows[rows["method"] == method]
        table = rows.pivot_table(column, "draw", "value").dropna()
        growth = {(a, b): table[b] / table[a] for a, b in pairwise(values)}
        return [
            Part(
                f"{method}, over {a:g} to {b:g}",
                ratio(_frame(growth[STEP]), _frame(other), "growth"),
            )
            for (a, b), other in growth.items()
            if (a, b) != STEP
        ]

    return parts


def _frame(values: pd.Series) -> pd.DataFrame:
    """A number an episode, as rows of one seed."""
    return pd.DataFrame(
        {
            "growth": values.to_numpy(),
            "instance_sha256": values.index,
            "seed": 0,
            "usable": True,
            "family": "heuristic",
        }
    )

"""Sweeps of figures 5 to 7: the means of every method at each value of a scenario field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from satedge.bench.run.rows import Rows
from satedge.bench.study.suites import SUITES, SWEEPS

Array = NDArray[np.float64]

#: Figure 7's ends as the text of 5.3 states them: accuracy floor -> (latency s, energy J).
PAPER_ENDS = {0.3: (1.41, 377.0), 0.7: (2.19, 782.0)}


@dataclass(frozen=True)
class Sweep:
    """Means of every method along one axis."""

    axis: str
    values: tuple[float, ...]
    latency_s: Mapping[str, Array]
    """Method -> (values,) mean latency per request; NaN where there is no plan."""
    energy_J: Mapping[str, Array]
    """Method -> (values,) energy per slot."""
    late: Mapping[str, Array]
    """Method -> (values,) share of late requests."""


@cache
def places() -> dict[str, tuple[str, float]]:
    """Instance name -> (axis, value) of the suites that are sweeps."""
    found = {}
    for suite in SUITES.values():
        for recipe in suite.recipes:
            if recipe.axis and recipe.value is not None:
                found[recipe.name] = (recipe.axis, recipe.value)
    return found


def sweeps(rows: Rows, usable: NDArray[np.bool_]) -> list[Sweep]:
    """The sweeps that a run's rows contain."""
    known = places()
    where = [known.get(name.partition("@")[0], ("", 0.0)) for name in rows.text("instance")]
    axes = np.array([axis for axis, _ in where], object)
    value = np.array([v for _, v in where])
    found = []
    for axis, (_, values) in SWEEPS.items():
        mine = usable & (axes == axis)
        if mine.any():
            found.append(_sweep(axis, values, rows.where(mine), value[mine]))
    return found


def _sweep(axis: str, values: tuple[float, ...], rows: Rows, value: Array) -> Sweep:
    latency: dict[str, Array] = {}
    energy: dict[str, Array] = {}
    late: dict[str, Array] = {}
    for method in dict.fromkeys(rows.where(~rows.equals("family", "bound")).text("method")):
        mine = rows.equals("method", method)
        points = [mine & (value == v) for v in values]
        latency[method] = np.array([_mean(rows["latency_s"][p]) for p in points])
        energy[method] = np.array([_mean(rows["energy_J"][p]) for p in points])
        late[method] = np.array(
            [_mean(rows["deadline_misses"][p] / np.maximum(rows["requests"][p], 1)) for p in points]
        )
    return Sweep(axis, values, latency, energy, late)


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else float("nan")

"""Sweeps of figures 5 to 7: the means of every method at each value of a scenario field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.score.stats import mean_interval
from satedge.bench.study.suites import SUITES, SWEEPS

Array = NDArray[np.float64]

#: Figure 7's ends as the text of 5.3 states them: accuracy floor -> (latency s, energy J).
PAPER_ENDS = {0.3: (1.41, 377.0), 0.7: (2.19, 782.0)}


MEASURES = ("latency_s", "energy_J", "miss_share")


@dataclass(frozen=True)
class Sweep:
    """Means of every method along one axis."""

    axis: str
    values: tuple[float, ...]
    latency_s: Mapping[str, Array]
    """Method -> (values,) mean latency per request; NaN where there is no plan."""
    energy_J: Mapping[str, Array]
    """Method -> (values,) energy per slot."""
    miss_share: Mapping[str, Array]
    """Method -> (values,) share of requests that miss their deadline."""
    intervals: Mapping[str, Mapping[str, tuple[Array, Array]]] = field(default_factory=dict)
    """Of "latency_s" and "energy_J": method -> ends of the 95 % interval over episodes."""
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Method -> plans at every value."""


@cache
def places() -> dict[str, tuple[str, float]]:
    """Instance name -> (axis, value) of the suites that are sweeps."""
    found = {}
    for suite in SUITES.values():
        for recipe in suite.recipes:
            if recipe.axis and recipe.value is not None:
                found[recipe.name] = (recipe.axis, recipe.value)
    return found


def placed(scored: pd.DataFrame) -> pd.DataFrame:
    """The rows with `axis` ("" where on no sweep), `value` and `draw`, the same at every value."""
    known, names = places(), scored["instance"].str.partition("@")[0]
    where = [known.get(name, ("", 0.0)) for name in names]
    return scored.assign(
        axis=[axis for axis, _ in where],
        value=[value for _, value in where],
        draw=[name.rpartition("-")[2] for name in names],
    )


def sweeps(scored: pd.DataFrame) -> list[Sweep]:
    """The sweeps that a study's rows contain."""
    rows = placed(scored)
    rows = rows[rows["usable"] & (rows["family"] != "bound")]
    rows["miss_share"] = rows["deadline_misses"] / rows["requests"].clip(lower=1)
    found = []
    for axis, (_, values) in SWEEPS.items():
        points = rows[rows["axis"] == axis].groupby(["method", "value"], sort=False)
        if len(points):
            latency, energy, missed = (_means(points[n], values) for n in MEASURES)
            ends = {n: _ends(rows[rows["axis"] == axis], n, values) for n in MEASURES[:2]}
            sizes = points.size().unstack(fill_value=0).reindex(columns=values, fill_value=0)
            counts = {str(m): tuple(int(n) for n in row) for m, row in sizes.iterrows()}
            found.append(Sweep(axis, values, latency, energy, missed, ends, counts))
    return found


def _ends(
    rows: pd.DataFrame, name: str, values: tuple[float, ...]
) -> dict[str, tuple[Array, Array]]:
    """By method the ends of the interval of a mean at every value; seeds of an episode count once.

    NaN where there are less than two episodes.
    """
    each = rows.groupby(["method", "value", "instance"], sort=False)[name].mean()
    found = {}
    for method, mine in each.groupby("method", sort=False):
        at = {value: mean_interval(v) for value, v in mine.groupby("value")}
        pairs = [(at[v].low, at[v].high) if v in at else (np.nan, np.nan) for v in values]
        low, high = np.array(pairs).T
        found[str(method)] = (low, high)
    return found


def _means(points: Any, values: tuple[float, ...]) -> dict[str, Array]:
    """By method the means at every value; NaN where there is no plan."""
    table = points.mean().unstack().reindex(columns=values)
    return {str(method): means.to_numpy() for method, means in table.iterrows()}

"""What a world comes down to: every causal method between its reference and its fixed rule.

The controllable excess of a method is (cost - reference) / (fixed rule - reference) of mean
bounded costs on the episodes of all three: 0 the reference, 1 the fixed rule. The reference is
stored with the suite, or a method that the study names; so is the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from satedge.bench.score import stats
from satedge.bench.score.stats import Interval
from satedge.bench.score.summary import LEARNED, by_seed

#: The reference that is stored with a suite.
STORED = "best known"


@dataclass(frozen=True)
class World:
    """Where a headline comes from."""

    name: str
    folder: str
    """Of results."""
    part: str
    """Of the study."""
    reference: str
    """A method of the part, or STORED."""
    rule: str
    """The fixed rule of the world."""


@dataclass(frozen=True)
class Standing:
    """A method in a world; NaN where there is nothing to say."""

    world: str
    method: str
    family: str
    seeds: int
    episodes: int
    controllable: Interval
    """Controllable excess; its interval takes reference and rule as they are on the episodes."""
    excess: Interval
    """Mean cost over the reference's, less 1, by two-way bootstrap."""
    gap: float
    """Mean certified gap, by the best bound of an episode."""
    slot_s: float
    """Decision time of a slot, mean."""
    misses: float
    refused: float


def standings(scored: pd.DataFrame, world: World) -> list[Standing]:
    """Causal methods with plans, the cheapest first; none where reference or rule are unknown."""
    rows = scored[(scored["group"] == world.part) & (scored["family"] != "bound")]
    rows = rows[~rows["hindsight"] & (rows["status"] != "skipped")]
    reference, rule = _reference(rows, world), _costs(rows, world.rule)
    if reference.empty or rule.empty:
        return []
    methods = rows["method"].unique()
    found = [_standing(rows[rows["method"] == m], world, reference, rule) for m in methods]
    told = [s for s in found if s.episodes]
    return sorted(told, key=lambda s: (not np.isfinite(s.excess.value), s.excess.value))


def _costs(rows: pd.DataFrame, method: str) -> pd.Series:
    """By episode the mean cost over seeds."""
    return by_seed(rows[rows["method"] == method]).mean()


def _reference(rows: pd.DataFrame, world: World) -> pd.Series:
    if world.reference != STORED:
        return _costs(rows, world.reference)
    kept = rows[rows["reference_of"] == "suite"]
    return kept.groupby("instance_sha256")["reference"].first()


def _standing(part: pd.DataFrame, world: World, reference: pd.Series, rule: pd.Series) -> Standing:
    mine, ran = by_seed(part), part[part["usable"]]
    both = mine.columns.intersection(reference.index).intersection(rule.index)
    family = str(part["family"].iloc[0])
    excess = Interval(np.nan, np.nan, np.nan)
    if len(both):
        base = reference[both].to_numpy()[None]
        drawn = (family == LEARNED, False)
        excess = stats.ratio_of_means(mine[both].to_numpy(), base, drawn).difference
    span = float(rule[both].mean() / reference[both].mean() - 1) if len(both) else np.nan
    ends = (v / span if span > 0 else np.nan for v in (excess.value, excess.low, excess.high))
    ran = ran[ran["instance_sha256"].isin(both)]
    requests = ran["requests"].sum()
    gaps = ran["gap"][np.isfinite(ran["gap"])]
    return Standing(
        world.name,
        str(part["method"].iloc[0]),
        family,
        part["seed"].nunique(),
        len(both),
        Interval(*ends),
        excess,
        float(gaps.mean()) if len(gaps) else np.nan,
        float((ran["wall_s"] / ran["n_slots"]).mean()) if len(ran) else np.nan,
        float(ran["deadline_misses"].sum() / requests) if requests else np.nan,
        float(ran["refused"].sum() / requests) if requests else np.nan,
    )


def worlds_of(
    folder: str, reference: dict[str, str], rule: dict[str, str], parts: Sequence[str]
) -> list[World]:
    """Worlds of a final analysis: a part each, where it names a reference and a rule."""
    return [
        World(part, folder, part, reference[part], rule[part])
        for part in parts
        if part in reference
    ]

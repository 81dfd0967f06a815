"""Comparisons in pairs, on numbers small enough to see through."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from satedge.bench.report.pairwise import all_pairs, pair_tables
from satedge.bench.report.tables import csv as as_csv
from satedge.bench.run.rows import from_records
from satedge.bench.score.pairwise import Pair, difference, pairs
from satedge.bench.score.score import score
from satedge.bench.score.summary import summarise


def rows(costs: dict[str, list[list[float]]], learned: tuple[str, ...] = ()) -> pd.DataFrame:
    """Scored rows of method -> (seeds, instances) costs."""
    records = [
        {
            "key": f"{method}{seed}{i}", "group": "g", "method": method, "status": "done",
            "family": "learned" if method in learned else "exact", "seed": seed,
            "instance_sha256": str(i), "cost": cost, "admissible": True, "budget_s": 1.0,
        }
        for method, table in costs.items()
        for seed, row in enumerate(table)
        for i, cost in enumerate(row)
    ]  # fmt: skip
    return score(from_records(records))


def one_pair(scored: pd.DataFrame) -> Pair:
    (pair,) = pairs(scored, summarise(scored))
    return pair


def test_pair_of_solvers_is_paired_by_instance() -> None:
    """A costs 10 % more on every instance: the interval has no width, though instances differ."""
    pair = one_pair(rows({"b": [[1.0, 50.0]], "a": [[1.1, 55.0]]}))
    assert (pair.method, pair.other, pair.units, pair.instances) == ("b", "a", "instances", 2)
    assert pair.difference.value == pytest.approx(1 / 1.1 - 1)
    assert pair.difference.low == pytest.approx(pair.difference.high)
    assert pair.improvement == 1.0


def test_pair_with_a_learner_has_seeds_as_units() -> None:
    """Seeds that are 0 % and 20 % above an exact method: 10 % on average, from 0 to 20 %."""
    pair = one_pair(rows({"x": [[10.0, 20.0]], "rl": [[10.0, 20.0], [12.0, 24.0]]}, ("rl",)))
    assert pair.units == "seeds"
    flipped = difference(np.array([[10.0, 20.0], [12.0, 24.0]]), np.array([[10.0, 20.0]]), True)
    assert (flipped.value, flipped.low, flipped.high) == pytest.approx((0.1, 0.0, 0.2))
    assert pair.improvement == 0.75


def test_pairs_use_common_instances_only() -> None:
    """An instance that one of the two did not solve does not count."""
    both = rows({"a": [[1.0, 2.0]], "b": [[1.0, float("nan")]]})
    pair = one_pair(both)
    assert pair.instances == 1
    assert pair.difference.value == 0.0
    (line,) = csv.DictReader(io.StringIO(as_csv(all_pairs(both, summarise(both)))))
    assert line["probability_of_improvement"] == "0.5"


def test_table_against_the_best() -> None:
    """Every method against the cheapest: 1, 2 against 2, 2 is 50 % more on average, never less."""
    given = rows({"best": [[1.0, 2.0]], "b": [[2.0, 2.0]], "c": [[4.0, 8.0]]})
    (table,) = pair_tables(given, summarise(given))
    assert table.title.endswith("against best")
    found = {row[0]: row[1:] for row in table.rows}
    assert found["b"] == (50.0, 0.0, 100.0, 0.25, 2.0, "instances")
    assert found["c"] == (300.0, 300.0, 300.0, 0.0, 2.0, "instances")

"""Comparisons in pairs, on numbers small enough to see through."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from satedge.bench.report.pairwise import all_pairs, pair_tables
from satedge.bench.report.tables import csv as as_csv
from satedge.bench.run.rows import from_records
from satedge.bench.score.pairwise import Pair, pairs
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
    assert (pair.method, pair.other, pair.drawn, pair.instances) == ("b", "a", "instances", 2)
    found = pair.ratio.difference
    assert found.value == pytest.approx(1 / 1.1 - 1)
    assert found.low == pytest.approx(found.high)
    assert pair.improvement == 1.0
    assert pair.verdict == "cheaper"


def test_pair_with_a_learner_draws_its_seeds() -> None:
    """Seeds 0 % and 20 % above an exact method: 10 %, and two seeds do not tell it from 0."""
    pair = one_pair(rows({"x": [[10.0, 20.0]], "rl": [[10.0, 20.0], [12.0, 24.0]]}, ("rl",)))
    assert (pair.method, pair.drawn) == ("x", "seeds and instances")
    found = pair.ratio.difference
    assert found.value == pytest.approx(1 / 1.1 - 1)
    assert found.low < found.value < 0 < found.high
    assert pair.improvement == 0.75
    assert pair.verdict == "no difference shown"


def test_learners_with_unequal_numbers_of_seeds() -> None:
    """No seed is repeated to make them equal: the one with two seeds has its spread."""
    wide = [[10.0, 20.0, 30.0], [30.0, 60.0, 90.0]]
    narrow = [[20.0 + s, 40.0 + s, 60.0 + s] for s in (0.0, 0.1, 0.2, 0.3)]
    pair = one_pair(rows({"a": narrow, "b": wide}, ("a", "b")))
    assert abs(pair.ratio.difference.value) < 0.01
    assert pair.ratio.difference.low < -0.5 < 0.5 < pair.ratio.difference.high


def test_a_single_seed_of_a_learner_shows_no_difference() -> None:
    """However much it differs, another training might have come out otherwise."""
    pair = one_pair(rows({"x": [[10.0, 20.0]], "rl": [[90.0, 99.0]]}, ("rl",)))
    assert np.isnan([pair.ratio.difference.low, pair.ratio.p, pair.adjusted_p]).all()
    assert pair.verdict == "no difference shown"


def test_verdicts_are_adjusted_for_their_number() -> None:
    """A difference that one comparison would show, several together do not."""
    noise = np.random.default_rng(0).normal(size=(6, 20))
    costs = {f"m{i}": [list(10 + row)] for i, row in enumerate(noise)}
    costs["m0"] = [list(10 + noise[1] + 0.12 + 0.25 * noise[2])]
    scored = rows(costs)
    found = pairs(scored, summarise(scored))
    assert len(found) == 15
    assert all(p.adjusted_p >= p.ratio.p for p in found)
    (pair,) = (p for p in found if {p.method, p.other} == {"m0", "m1"})
    assert pair.ratio.p < 0.05 < pair.adjusted_p
    assert pair.verdict == "no difference shown"


def test_pairs_use_common_instances_only() -> None:
    """An instance that one of the two did not solve does not count."""
    both = rows({"a": [[1.0, 2.0]], "b": [[1.0, float("nan")]]})
    pair = one_pair(both)
    assert pair.instances == 1
    assert pair.ratio.difference.value == 0.0
    assert pair.verdict == "no difference shown"
    (line,) = csv.DictReader(io.StringIO(as_csv(all_pairs(both, summarise(both)))))
    assert line["probability_of_improvement"] == "0.5"


def test_table_against_the_best() -> None:
    """Every method against the cheapest, of mean 1.5: 2, 2 is a third more, 4, 8 four times."""
    given = rows({"best": [[1.0, 2.0]], "b": [[2.0, 2.0]], "c": [[4.0, 8.0]]})
    (table,) = pair_tables(given, summarise(given))
    assert table.title.endswith("against best")
    heads = [c.head for c in table.columns]
    found = {row[0]: dict(zip(heads, row, strict=True)) for row in table.rows}
    assert found["b"]["difference %"] == pytest.approx(33.3333)
    assert found["b"]["verdict"] == "no difference shown"
    assert [found["c"][h] for h in ("difference %", "low", "high")] == [300.0] * 3
    assert (found["c"]["verdict"], found["c"]["p (Holm)"]) == ("more expensive", 0.0)
    assert [found["b"][h] for h in ("probability", "instances")] == [0.25, 2.0]

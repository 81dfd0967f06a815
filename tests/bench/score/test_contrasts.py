"""What is said of two methods after the correction for all that are compared."""

import math

import numpy as np
import pandas as pd
import pytest

from satedge.bench.score import stats
from satedge.bench.score.contrasts import Contrast, contrasts
from satedge.bench.score.headline import STORED, World, standings
from satedge.bench.score.stats import Interval, Ratio


def rows(costs: dict[str, np.ndarray], family: str = "heuristic") -> pd.DataFrame:
    """A row for every seed and episode of (seeds, episodes) costs, by method."""
    found = [
        {"group": "g", "method": m, "family": family, "seed": s, "instance_sha256": f"e{e}",
         "usable": True, "hindsight": False, "status": "done", "cost": c, "gap": 0.1,
         "wall_s": 0.2, "n_slots": 10, "requests": 50.0, "deadline_misses": 5.0, "refused": 1.0,
         "reference": 1.0, "reference_of": "suite"}
        for m, values in costs.items()
        for s, episodes in enumerate(values)
        for e, c in enumerate(episodes)
    ]  # fmt: skip
    return pd.DataFrame(found)


def test_the_corrected_interval_and_holm_say_the_same() -> None:
    """An interval leaves out 0 exactly where the adjusted p is below 5 %."""
    rng = np.random.default_rng(5)
    for shift in np.linspace(0.0, 0.2, 15):
        costs = {
            name: 1 + shift * i + 0.2 * rng.normal(size=(1, 30)) for i, name in enumerate("abcd")
        }
        asked = [("g", "a", "b"), ("g", "a", "c"), ("g", "a", "d"), ("g", "b", "c")]
        for c in contrasts(rows(costs), asked):
            inside = c.corrected.low <= 0 <= c.corrected.high
            assert (c.p >= 0.05) == inside
            assert c.corrected.low <= c.ratio.difference.low + 1e-12


def test_confidences_of_holm() -> None:
    """0.01, 0.02 and 0.04 of three pass 5/3, 5/2 and 5 %; after a failure its level stays."""
    assert stats.holm_confidences([0.04, 0.01, math.nan, 0.02]) == pytest.approx(
        [0.95, 1 - 0.05 / 3, 0.95, 0.975]
    )
    assert stats.holm_confidences([0.001, 0.04, 0.03]) == pytest.approx(
        [1 - 0.05 / 3, 0.975, 0.975]
    )


def test_words_follow_the_corrected_interval() -> None:
    """One beats the other, nothing is shown, or what there is lies below 3 %."""

    def verdict(low: float, high: float) -> str:
        ratio = Ratio(Interval(0.0, math.nan, math.nan), 0.5)
        return Contrast("g", "a", "b", 9, ratio, Interval(0.0, low, high), 0.5).verdict

    assert verdict(-0.3, -0.1) == "a beats b"
    assert verdict(0.1, 0.3) == "b beats a"
    assert verdict(-0.1, 0.3) == "no difference shown"
    assert verdict(-0.01, 0.02) == "no difference of 3 % or more"
    assert verdict(math.nan, math.nan) == "no difference shown"


def test_only_common_episodes_count() -> None:
    """A method that played two of four episodes is compared on these."""
    whole = rows({"a": np.array([[1.0, 2.0, 3.0, 4.0]])})
    half = rows({"b": np.array([[2.0, 4.0]])})
    (found,) = contrasts(pd.concat([whole, half]), [("g", "a", "b")])
    assert found.episodes == 2
    assert found.ratio.difference.value == pytest.approx(-0.5)


def test_controllable_excess_lies_between_reference_and_rule() -> None:
    """Costs 1, 1.5 and 2 of reference, method and rule: 0, 50 and 100 %; excess 0, 50, 100 %."""
    shape = np.ones((1, 4))
    scored = rows({"best": shape, "mine": 1.5 * shape, "rule": 2 * shape})
    found = standings(scored, World("w", "f", "g", "best", "rule"))
    assert [s.method for s in found] == ["best", "mine", "rule"]
    assert [s.controllable.value for s in found] == pytest.approx([0.0, 0.5, 1.0])
    assert [s.excess.value for s in found] == pytest.approx([0.0, 0.5, 1.0])
    mine = found[1]
    assert (mine.slot_s, mine.misses, mine.refused) == pytest.approx((0.02, 0.1, 0.02))
    stored = standings(scored.assign(reference=0.5), World("w", "f", "g", STORED, "rule"))
    assert [s.controllable.value for s in stored] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_a_world_without_its_rule_has_no_headline() -> None:
    """Nothing is made up for want of data."""
    scored = rows({"best": np.ones((1, 4))})
    assert standings(scored, World("w", "f", "g", "best", "rule")) == []

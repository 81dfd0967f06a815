"""Every statistic against an example small enough to compute by hand."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from satedge.bench.score import stats


def test_shifted_geometric_mean() -> None:
    """Times 0 and 3 with shift 1: sqrt(1 * 4) - 1 = 1."""
    assert stats.shifted_geometric_mean([0.0, 3.0]) == pytest.approx(1.0)
    assert stats.shifted_geometric_mean([2.0, 8.0], shift=0.0) == pytest.approx(4.0)
    assert math.isnan(stats.shifted_geometric_mean([]))


def test_performance_profile() -> None:
    """Ratios to the best are (1, 2), (3, 1), (1, inf): shares follow by counting."""
    measure = [[10.0, 20.0], [6.0, 2.0], [5.0, math.inf]]
    shares = stats.performance_profile(measure, [1.0, 2.0, 3.0, 100.0])
    assert_allclose(shares, [[2 / 3, 1 / 3], [2 / 3, 2 / 3], [1.0, 2 / 3], [1.0, 2 / 3]])


def test_performance_profile_counts_unsolved_problems_against_all() -> None:
    """A problem that nobody solves is within no factor of anything."""
    shares = stats.performance_profile([[1.0, 1.0], [math.inf, math.inf]], [1.0, 1e9])
    assert_allclose(shares, 0.5)


def test_data_profile() -> None:
    """Of two problems the first method solves both within 2 s, the second one within 1 s."""
    shares = stats.data_profile([[0.5, 1.0], [2.0, math.inf]], [0.5, 1.0, 2.0])
    assert_allclose(shares, [[0.5, 0.0], [0.5, 0.5], [1.0, 0.5]])


def test_primal_integral() -> None:
    """Gap 1 for 2 s, 0.5 for 3 s, 0 for 5 s of ten: 2 + 1.5 = 3.5 gap-seconds."""
    assert stats.primal_integral([2.0, 5.0], [20.0, 10.0], 10.0, 10.0) == pytest.approx(3.5)
    assert stats.primal_integral([], [], 10.0, 4.0) == 4.0
    assert stats.primal_integral([1.0], [math.inf], 10.0, 4.0) == 4.0
    assert stats.primal_integral([1.0, 9.0], [10.0, 5.0], 10.0, 4.0) == pytest.approx(1.0)
    assert stats.primal_integral([0.0], [0.0], 0.0, 4.0) == 0.0


def test_interquartile_mean() -> None:
    """Of eight values the two least and the two greatest are left out."""
    assert stats.interquartile_mean([100, 1, 2, 3, 4, 5, 6, -50]) == pytest.approx(3.5)


def test_interquartile_interval_resamples_seeds_within_tasks() -> None:
    """Tasks that differ while seeds agree leave no uncertainty; seeds that differ do."""
    agree = stats.interquartile_interval(np.array([[1.0, 5.0], [1.0, 5.0], [1.0, 5.0]]))
    assert (agree.value, agree.low, agree.high) == (3.0, 3.0, 3.0)
    differ = stats.interquartile_interval(np.array([[0.0], [1.0], [2.0], [3.0]]))
    assert differ.value == 1.5
    assert 0.0 <= differ.low < 1.5 < differ.high <= 3.0


def test_interquartile_interval_of_two_seeds() -> None:
    """Two seeds resample to (0,0), (0,1), (1,0), (1,1): the interval is the whole range."""
    found = stats.interquartile_interval(np.array([[0.0], [1.0]]))
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


def test_interquartile_interval_agrees_with_rliable() -> None:
    """The stratified bootstrap is the one that rliable publishes, where it is installed."""
    rly = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    scores = np.random.default_rng(1).normal(size=(8, 3))
    try:
        point, ends = rly.get_interval_estimates(
            {"m": scores}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=5000
        )
    except TypeError as error:
        pytest.skip(f"rliable does not run with the installed arch: {error}")
    ours = stats.interquartile_interval(scores)
    assert ours.value == pytest.approx(point["m"][0])
    assert_allclose([ours.low, ours.high], ends["m"][:, 0], atol=0.06)


def test_mean_interval() -> None:
    """Equal values leave no uncertainty; two values give the whole range at 95 %."""
    same = stats.mean_interval([2.0, 2.0, 2.0])
    assert (same.value, same.low, same.high) == (2.0, 2.0, 2.0)
    two = stats.mean_interval([0.0, 1.0])
    assert (two.value, two.low, two.high) == (0.5, 0.0, 1.0)
    assert math.isnan(stats.mean_interval([]).value)


def test_paired_difference_uses_the_pairs() -> None:
    """A constant difference is certain, however much the instances vary."""
    theirs = np.array([1.0, 50.0, -7.0])
    found = stats.paired_difference(theirs - 2.0, theirs)
    assert_allclose([found.value, found.low, found.high], -2.0)


def test_probability_of_improvement() -> None:
    """One task, runs (1, 3) against (2, 3): wins 1<2, 1<3, half of 3=3, none of 3<2: 2.5/4."""
    ours, theirs = np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]])
    assert stats.probability_of_improvement(ours, theirs) == 0.625
    assert stats.probability_of_improvement(theirs, ours) == 0.375

"""Every statistic against an example small enough to compute by hand."""

import math
import tracemalloc
from collections.abc import Callable
from typing import Any

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


def test_performance_profile_of_small_measures() -> None:
    """Factors are of the measures as they are, far below 1 too; equal measures are within 1."""
    shares = stats.performance_profile([[0.001, 0.004], [0.3, 0.3]], [1.0, 4.0])
    assert_allclose(shares, [[1.0, 0.5], [1.0, 1.0]])


def test_performance_profile_forgives_rounding_only() -> None:
    """A measure that is three times the best but for its last digits is within a factor of 3."""
    three = np.array([3.0], np.float32)
    assert stats.performance_profile([[1.0, 3.0 * (1 + 5e-13)]], three).tolist() == [[1.0, 1.0]]
    assert stats.performance_profile([[1.0, 3.0 * (1 + 2e-12)]], three).tolist() == [[1.0, 0.0]]


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


def test_primal_gap_is_one_at_most() -> None:
    """Costs of opposite signs are twice their size apart, and count as no incumbent does."""
    assert stats.primal_integral([1.0], [3.0], -3.0, 4.0) == 4.0


def test_a_trace_has_a_cost_for_every_time() -> None:
    """Times without costs are refused, not left out."""
    with pytest.raises(ValueError, match="shorter"):
        stats.primal_integral([1.0, 2.0], [10.0], 10.0, 4.0)


def test_interquartile_mean() -> None:
    """Of eight values the two least and the two greatest are left out."""
    assert stats.interquartile_mean([100, 1, 2, 3, 4, 5, 6, -50]) == pytest.approx(3.5)
    assert math.isnan(stats.interquartile_mean([]))


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


#: Scores (seeds, tasks) and what rliable 1.2.0 says of them, which does not run beside our pins
#: (its arch 7.2.0 fails on pandas 3; this was pandas 2.3.3): mean ends of four runs, 0.002 apart,
#: of `library.get_interval_estimates({"m": np.array(scores)},
#: lambda x: np.array([metrics.aggregate_iqm(x)]), reps=50_000)`.
RLIABLE = {
    "three tasks": (
        [
            [0.35, 0.82, 0.33],
            [-1.3, 0.91, 0.45],
            [-0.54, 0.58, 0.36],
            [0.29, 0.03, 0.55],
            [-0.74, -0.16, -0.48],
            [0.6, 0.04, -0.29],
            [-0.78, -0.26, 0.01],
            [-0.28, 1.29, 1.01],
        ],
        (0.1425, -0.12042, 0.40396),
    ),
    "one task": (
        [[-2.71], [-1.89], [-0.17], [-0.42], [0.21]],
        (-0.82666667, -2.43666667, 0.08333333),
    ),
}


@pytest.mark.parametrize(("scores", "published"), RLIABLE.values(), ids=RLIABLE)
def test_interquartile_interval_agrees_with_rliable(
    scores: list[list[float]],
    published: tuple[float, float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stratified bootstrap is the one that rliable publishes."""
    monkeypatch.setattr(stats, "RESAMPLES", 50_000)
    ours = stats.interquartile_interval(scores)
    assert ours.value == pytest.approx(published[0], abs=1e-8)
    assert_allclose([ours.low, ours.high], published[1:], atol=0.003)


def test_mean_interval() -> None:
    """Equal values leave no uncertainty; two values give the whole range at 95 %."""
    same = stats.mean_interval([2.0, 2.0, 2.0])
    assert (same.value, same.low, same.high) == (2.0, 2.0, 2.0)
    two = stats.mean_interval([0.0, 1.0])
    assert (two.value, two.low, two.high) == (0.5, 0.0, 1.0)
    none = stats.mean_interval([math.nan, math.inf])
    assert all(math.isnan(v) for v in (none.value, none.low, none.high))


def test_mean_interval_is_of_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenths of a binomial: P(0) = 0.35, P(<= 1) = 0.74, P(<= 2) = 0.93, P(<= 3) = 0.987."""
    values = [0] * 9 + [1]
    found = stats.mean_interval([*values, math.nan])
    assert_allclose([found.value, found.low, found.high], [0.1, 0.0, 0.3])
    monkeypatch.setattr(stats, "CONFIDENCE", 0.8)
    found = stats.mean_interval(values)
    assert_allclose([found.low, found.high], [0.0, 0.2])


@pytest.mark.parametrize("interval", [stats.mean_interval, stats.interquartile_interval])
def test_intervals_draw_by_their_seed(
    interval: Callable[..., stats.Interval], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same RESAMPLES draws for the same seed, 0 if none is given; two draws span less."""
    values = np.linspace(0.0, 1.0, 41) ** 2
    scores = values if interval is stats.mean_interval else values[:, None]
    many = interval(scores)
    assert many == interval(scores, seed=0) != interval(scores, seed=1)
    monkeypatch.setattr(stats, "RESAMPLES", 2)
    two = interval(scores)
    assert 0 < two.high - two.low < 0.9 * (many.high - many.low)


def test_an_interval_of_many_values_takes_little_memory() -> None:
    """A thousand resamples of 30 000 values are 240 MB at once; they are drawn in parts."""
    tracemalloc.start()
    found = stats.mean_interval(np.arange(30_001) / 30_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.low < found.value == 0.5 < found.high
    assert peak < 100e6


@pytest.mark.parametrize(
    "statistic",
    [
        stats.shifted_geometric_mean,
        stats.interquartile_mean,
        stats.mean_interval,
        lambda v: stats.interquartile_interval(v[:, None]),
        lambda v: stats.performance_profile(v[None], [3.0]).tolist(),
    ],
)
def test_numbers_of_single_precision_are_the_doubles_they_are(
    statistic: Callable[[np.ndarray], Any],
) -> None:
    """What is stored in four bytes is computed with in eight: 0.3 / 0.1 is above 3 there."""
    single = np.array([0.1, 0.3, 0.7, 1.9, 5.3], np.float32)
    assert statistic(single) == statistic(single.astype(float))


def test_the_ends_of_an_interval_cut_off_equal_shares() -> None:
    """Of 0..1000, 25 lie below the lower end at 95 %, and 25 above the upper one."""
    low, high = stats._ends(np.arange(1001.0))
    assert (low, high) == (pytest.approx(25.0), pytest.approx(975.0))


def test_probability_of_improvement() -> None:
    """One task, runs (1, 3) against (2, 3): wins 1<2, 1<3, half of 3=3, none of 3<2: 2.5/4."""
    ours, theirs = np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]])
    assert stats.probability_of_improvement(ours, theirs) == 0.625
    assert stats.probability_of_improvement(theirs, ours) == 0.375


def test_probability_of_improvement_agrees_with_rliable() -> None:
    """rliable 1.2.0, metrics.probability_of_improvement(theirs, ours), where more is better."""
    ours = [[0, 2, -1], [0, 2, 1], [1, -1, -2], [0, 0, -1]]
    theirs = [[-1, 0, -1], [0, 0, 0], [-1, 1, 1], [0, -1, 1], [-1, 1, -1]]
    assert stats.probability_of_improvement(ours, theirs) == pytest.approx(0.40833333, abs=1e-8)

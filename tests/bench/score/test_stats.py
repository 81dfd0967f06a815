"""Every statistic against an example small enough to compute by hand."""

import math
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import ttest_ind

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


def test_conditional_value_at_risk() -> None:
    """Of 1..40 the worst 5 % are 39 and 40; of 30 one and a half count: (30 + 29 / 2) / 1.5."""
    cvar = stats.conditional_value_at_risk
    assert cvar(np.arange(1, 41)) == pytest.approx(39.5)
    assert cvar(np.arange(1, 31)) == pytest.approx((30 + 29 / 2) / 1.5)
    assert cvar([3.0, 7.0, 5.0]) == 7.0
    assert cvar([1.0, 2.0, 3.0, 4.0], share=0.5) == 3.5
    assert math.isnan(cvar([]))


def test_mean_interval_is_as_wide_as_that_of_t() -> None:
    """0, 1, 2: mean 1, standard error 1 / sqrt(3), t of 2 degrees of freedom 4.3027."""
    found = stats.mean_interval([0.0, math.nan, 1.0, 2.0, math.inf])
    assert found.value == 1.0
    assert found.high - found.low == pytest.approx(2 * 4.30265 / math.sqrt(3), rel=1e-5)
    same = stats.mean_interval([2.0, 2.0, 2.0])
    assert (same.value, same.low, same.high) == (2.0, 2.0, 2.0)


def test_mean_interval_leans_to_the_long_tail() -> None:
    """Costs with a long upper tail leave more room above the mean than below it."""
    found = stats.mean_interval([1.0] * 9 + [11.0])
    assert found.value == 2.0
    assert found.high - 2.0 > 1.5 * (2.0 - found.low)


def test_difference_of_means_is_that_of_scipy() -> None:
    """Welch's interval; samples without spread differ by what they differ."""
    x, y = [1.0, 2.0, 4.0], [0.5, 0.7, 0.6, 1.4]
    known = ttest_ind(x, y, equal_var=False).confidence_interval()
    found = stats.difference_of_means(x, y)
    assert_allclose([found.low, found.high], [known.low, known.high])
    assert stats.difference_of_means([2.0, 2.0], [1.0, 1.0]) == stats.Interval(1.0, 1.0, 1.0)


@pytest.mark.parametrize("values", [[], [3.0], [3.0, math.nan]])
def test_a_single_value_has_no_interval(values: list[float]) -> None:
    """What was drawn once tells nothing of its spread."""
    found = stats.mean_interval(values)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_ratio_of_means_by_hand() -> None:
    """Means 3 and 2: +50 %. Of the logarithm the standard error is that of x/3 - y/2.

    x = (2, 4), y = (2, 2): the two values are -1/3 and 1/3, so 1/3, and t of 1 degree 12.706.
    """
    found = stats.ratio_of_means([[2.0, 4.0]], [[2.0, 2.0]])
    assert found.difference.value == pytest.approx(0.5)
    width = math.log1p(found.difference.high) - math.log1p(found.difference.low)
    assert width == pytest.approx(2 * 12.7062 / 3, rel=1e-5)


def test_seeds_add_to_the_spread() -> None:
    """Seeds with means 1 and 3 on equal episodes: 1/2 by seeds alone, of means over 2."""
    ours, theirs = [[1.0, 1.0, 1.0], [3.0, 3.0, 3.0]], [[1.0, 1.0, 1.0]]
    found = stats.ratio_of_means(ours, theirs, (True, False)).difference
    width = math.log1p(found.high) - math.log1p(found.low)
    assert width == pytest.approx(2 * 12.7062 / 2, rel=1e-5)
    averaged = stats.ratio_of_means(ours, theirs).difference
    assert (averaged.value, averaged.low, averaged.high) == (1.0, 1.0, 1.0)


def test_episodes_are_paired_and_seeds_are_not() -> None:
    """Episodes that are dear to both cancel out; the order of seeds says nothing."""
    episode = np.linspace(1.0, 9.0, 12)
    same = stats.ratio_of_means(1.1 * episode[None], episode[None])
    assert same.difference.low == pytest.approx(0.1) == same.difference.high
    assert same.p == 0.0
    seeds = np.array([0.9, 1.0, 1.2])[:, None]
    ours, theirs = seeds * episode, seeds[:2] * episode
    found = stats.ratio_of_means(ours, theirs, (True, True))
    turned = stats.ratio_of_means(ours[::-1], theirs, (True, True))
    assert found.difference.high - found.difference.low == pytest.approx(
        turned.difference.high - turned.difference.low, rel=0.1
    )
    assert found.difference.low < 0 < found.difference.high
    assert found.p > 0.05


@pytest.mark.parametrize(
    ("ours", "theirs", "drawn"),
    [
        ([[2.0]], [[1.0]], (False, False)),
        ([[2.0], [3.0]], [[1.0]], (True, False)),
        ([[2.0, 3.0]], [[1.0, 1.0]], (True, False)),
        ([[2.0, 3.0], [2.5, 2.5]], [[1.0, 1.5]], (True, True)),
    ],
)
def test_one_seed_or_episode_gives_no_interval(
    ours: list[list[float]], theirs: list[list[float]], drawn: tuple[bool, bool]
) -> None:
    """The ratio is told, how sure it is is not."""
    found = stats.ratio_of_means(ours, theirs, drawn)
    assert found.difference.value == pytest.approx(np.mean(ours) / np.mean(theirs) - 1)
    assert math.isnan(found.difference.low)
    assert math.isnan(found.difference.high)
    assert math.isnan(found.p)


def test_the_sign_follows_the_means() -> None:
    """Ratios 2 and 0.5 average to 1.25, yet the mean of 20, 50 is below that of 10, 100."""
    found = stats.ratio_of_means([[20.0, 50.0]], [[10.0, 100.0]])
    assert found.difference.value == pytest.approx(70 / 110 - 1)


def test_p_and_interval_say_the_same() -> None:
    """p is below 5 % exactly where the interval leaves out 0."""
    rng = np.random.default_rng(3)
    for shift in np.linspace(-0.3, 0.3, 41):
        ours = 1 + shift + 0.2 * rng.normal(size=(4, 10))
        found = stats.ratio_of_means(ours, np.ones((1, 10)), (True, False))
        inside = found.difference.low <= 0 <= found.difference.high
        assert (found.p >= 0.05) == inside


def test_resamples_of_nothing_leave_no_interval() -> None:
    """One of three seeds has 0: every 27th resample draws it alone, and 0 has no logarithm."""
    ours, theirs = np.array([[3.0, 3.0], [2.9, 3.1], [0.0, 0.0]]), np.ones((3, 2))
    for found, value in (
        (stats.ratio_of_means(ours, theirs, (True, True)), 1.0),
        (stats.ratio_of_means(theirs, ours, (True, True)), -0.5),
    ):
        assert found.difference.value == pytest.approx(value)
        assert math.isnan(found.difference.low)
        assert math.isnan(found.difference.high)
        assert math.isnan(found.p)


def test_ratio_of_samples() -> None:
    """Means 3 and 1, relative values (2/3, 4/3) and (1, 1): standard error 1/3, 1 degree."""
    found = stats.ratio_of_samples([2.0, 4.0], [1.0, 1.0])
    assert found.difference.value == pytest.approx(2.0)
    half = math.log1p(found.difference.high) - math.log(3)
    assert half == pytest.approx(12.7062 / 3, rel=1e-5)
    assert found.p == pytest.approx(2 * (0.5 - math.atan(3 * math.log(3)) / math.pi))
    assert math.isnan(stats.ratio_of_samples([2.0], [1.0, 2.0]).p)
    assert math.isnan(stats.ratio_of_samples([0.0, 0.0], [1.0, 2.0]).difference.value)
    same = stats.ratio_of_samples([1.0, 1.0], [1.0, 1.0])
    assert (same.difference, same.p) == (stats.Interval(0.0, 0.0, 0.0), 1.0)


def test_equivalence_is_symmetric() -> None:
    """A ratio of 1.03 the one way is one of 1/1.03 the other way."""
    assert stats.equivalent(stats.Interval(0.0, -0.0291, 0.0299), 0.03)
    assert not stats.equivalent(stats.Interval(0.0, -0.0292, 0.0), 0.03)
    assert not stats.equivalent(stats.Interval(0.0, math.nan, math.nan), 0.03)


def test_the_same_policies_are_paired() -> None:
    """What a seed is worth cancels where both sides are of the same policies."""
    seeds = np.array([0.5, 1.0, 2.0])[:, None]
    episode = 1 + 0.1 * np.arange(6.0)
    ours, theirs = 1.2 * seeds * episode, seeds * episode
    apart = stats.ratio_of_means(ours, theirs, (True, True)).difference
    paired = stats.ratio_of_means(ours, theirs, (True, True), same_seeds=True).difference
    assert apart.low < 0 < apart.high
    assert paired.low == pytest.approx(0.2) == paired.high


def test_paired_intervals_cover_what_they_promise() -> None:
    """The same policies at two points of equal cost, which a seed and an episode shift apart."""
    rng, hits = np.random.default_rng(11), 0
    for _ in range(2000):
        of_seed, of_episode = rng.normal(size=(5, 1)), rng.normal(size=20)
        sides = [
            1
            + 0.1 * of_seed
            + 0.05 * rng.normal(size=(5, 1))
            + 0.1 * of_episode
            + 0.02 * rng.normal(size=20)
            + 0.01 * rng.normal(size=(5, 20))
            for _ in range(2)
        ]
        found = stats.ratio_of_means(*sides, (True, True), same_seeds=True).difference
        hits += found.low <= 0 <= found.high
    assert 0.93 <= hits / 2000 <= 0.97


def test_holm() -> None:
    """Sorted 0.01, 0.02, 0.04 of three: 3 * 0.01, 2 * 0.02, 0.04; none falls below the last."""
    assert stats.holm([0.04, 0.01, math.nan, 0.02]) == pytest.approx(
        [0.04, 0.03, math.nan, 0.04], nan_ok=True
    )
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]
    assert stats.holm([]) == []


def covered(n_seeds: tuple[int, int], n_episodes: int, effects: Sequence[float], n: int) -> float:
    """Share of `n` worlds of equal methods whose interval has 0 in it.

    `effects`: standard deviations by seed, by episode (half of it common to both methods), and
    of what a seed does on an episode. The cost is 1 on average.
    """
    rng = np.random.default_rng(7)
    of_seed, of_episode, noise = effects
    hits = 0
    for _ in range(n):
        common = rng.normal(size=n_episodes)
        costs = [
            1
            + of_seed * rng.normal(size=(s, 1)) * (s > 1)
            + of_episode * (common + rng.normal(size=n_episodes)) / math.sqrt(2)
            + noise * rng.normal(size=(s, n_episodes))
            for s in n_seeds
        ]
        found = stats.ratio_of_means(*costs, (n_seeds[0] > 1, n_seeds[1] > 1)).difference
        hits += found.low <= 0 <= found.high
    return hits / n


WORLDS = [
    ((5, 1), 30, (0.05, 0.1, 0.05)),
    ((5, 3), 50, (0.05, 0.1, 0.05)),
    ((10, 5), 50, (0.02, 0.15, 0.05)),
    ((5, 5), 20, (0.1, 0.02, 0.02)),
    ((1, 1), 40, (0.0, 0.1, 0.05)),
]


@pytest.mark.parametrize(("n_seeds", "n_episodes", "effects"), WORLDS)
def test_intervals_cover_what_they_promise(
    n_seeds: tuple[int, int], n_episodes: int, effects: tuple[float, float, float]
) -> None:
    """95 % intervals hold the truth in 93 to 97 % of worlds, with few seeds too."""
    assert 0.93 <= covered(n_seeds, n_episodes, effects, 2000) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("n_seeds", "n_episodes", "effects"), WORLDS)
def test_intervals_cover_in_many_worlds(
    n_seeds: tuple[int, int], n_episodes: int, effects: tuple[float, float, float]
) -> None:
    """The same of thirty thousand worlds, where chance is a tenth of a percent."""
    assert 0.935 <= covered(n_seeds, n_episodes, effects, 30_000) <= 0.965


def test_intervals_draw_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """RESAMPLES draws, the same in every process; in blocks they are as many."""
    values = np.linspace(0.0, 1.0, 41) ** 2
    found = stats.mean_interval(values)
    stats._weights.cache_clear()
    assert stats.mean_interval(values) == found
    weights = np.concatenate([w for (w,) in stats._resamples(41)])
    assert weights.shape == (stats.RESAMPLES, 41)
    assert_allclose(weights.sum(axis=1), 1.0)
    assert weights.mean() == pytest.approx(1 / 41)
    monkeypatch.setattr(stats, "BLOCK", 41 * 300)
    assert [len(w) for (w,) in stats._resamples(41)] == [300, 300, 300, 100]


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
        stats.conditional_value_at_risk,
        stats.mean_interval,
        lambda v: stats.ratio_of_means(v[None], v[None, ::-1]),
        lambda v: stats.performance_profile(v[None], [3.0]).tolist(),
    ],
)
def test_numbers_of_single_precision_are_the_doubles_they_are(
    statistic: Callable[[np.ndarray], Any],
) -> None:
    """What is stored in four bytes is computed with in eight: 0.3 / 0.1 is above 3 there."""
    single = np.array([0.1, 0.3, 0.7, 1.9, 5.3], np.float32)
    assert statistic(single) == statistic(single.astype(float))


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


def test_median_interval() -> None:
    """Of ten values the second and the ninth: 1 - 2 * 11 / 1024 = 97.9 %; of five all there is."""
    found = stats.median_interval(np.arange(10.0)[::-1])
    assert (found.value, found.low, found.high) == (4.5, 1.0, 8.0)
    few = stats.median_interval([3.0, 1.0, math.inf, 2.0, 5.0])
    assert (few.value, few.low, few.high) == (3.0, 1.0, math.inf)
    assert math.isnan(stats.median_interval([math.nan]).value)


def test_share_interval() -> None:
    """Wilson's of 0 and of half of ten, by hand."""
    low, high = stats.share_interval([0.0, 0.5], 10)
    assert_allclose(low, [0.0, 0.236593], atol=1e-6)
    assert_allclose(high, [0.277533, 0.763407], atol=1e-6)

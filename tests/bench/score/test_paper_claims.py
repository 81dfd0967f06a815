"""Verdicts on the paper's statements, on numbers made up for the purpose."""

import numpy as np
import pytest

from satedge.bench.score.paper_claims import claims
from satedge.bench.score.stats import Interval
from satedge.bench.score.summary import Line
from satedge.bench.score.sweeps import Sweep
from satedge.bench.score.training_logs import Training

NAN = float("nan")


def line(method: str, seeds: int = 5, **values: float) -> Line:
    nothing = Interval(NAN, NAN, NAN)
    head = ("g", 1.0, method, "learned", False, False, seeds, 5, 5, 5, {"done": 5}, (), nothing)
    return Line(*head, **values)


def sweep(axis: str, values: tuple[float, ...], latency: list[float], energy: list[float]) -> Sweep:
    zero = {"best": np.zeros(len(values))}
    return Sweep(axis, values, {"best": np.array(latency)}, {"best": np.array(energy)}, zero)


def test_ablation_is_measured_against_adsac() -> None:
    """7 % and 25 % are near 7.4 % and 24.3 %; 0 % and 0 % are not near 11.7 % and 13.5 %."""
    lines = [
        line("adsac", latency_s=1.0, energy_J=100.0),
        line("adsac-d", latency_s=1.07, energy_J=125.0),
        line("adsac-c", latency_s=1.0, energy_J=100.0),
    ]
    found = claims(lines, [])
    assert [(c.figure, c.verdict) for c in found] == [
        ("Figure 8", "reproduced"),
        ("Figure 8", "not reproduced"),
    ]
    assert found[0].ours == "latency +7.0 %, energy +25.0 %"


def test_rewards_below_and_above() -> None:
    """10 % below lies within the range, 5 % above does not: partly."""
    lines = [line("adsac", reward=1.0), line("ppo", reward=0.9), line("ddpg", reward=1.05)]
    (claim,) = claims(lines, [])
    assert claim.verdict == "partly"
    assert claim.ours == "ddpg 5.0 % above, ppo 10.0 % below"


def test_few_seeds_say_nothing() -> None:
    """One seed of a learner is an anecdote, not a verdict."""
    lines = [line("adsac", 1, reward=1.0), line("ppo", 1, reward=0.9)]
    assert claims(lines, []) == []


@pytest.mark.parametrize(
    ("latency", "energy", "verdicts"),
    [
        ([1.4, 1.4, 1.4, 1.9, 2.2], [370.0, 370, 370, 700, 790], ["fitted", "fitted"]),
        ([1.0, 1.4, 1.4, 1.9, 2.2], [370.0, 370, 370, 700, 500], ["not reproduced", "fitted"]),
    ],
)
def test_figure_7(latency: list[float], energy: list[float], verdicts: list[str]) -> None:
    """Ends within a tenth of the paper's are fitted, never reproduced; steps are found."""
    found = claims([], [sweep("accuracy", (0.3, 0.4, 0.5, 0.6, 0.7), latency, energy)])
    ends = [c.verdict for c in found if " at accuracy " in c.paper]
    assert ends[:2] == verdicts
    (step,) = [c for c in found if "sharpest step of latency" in c.paper]
    assert (step.verdict == "fitted") == (np.diff(latency).argmax() == 2)


def test_trends_of_figures_5_and_6() -> None:
    """Growth is judged between the ends of the axis, for every method."""
    found = claims([], [sweep("devices", (5, 20), [1.0, 2.0], [100.0, 90.0])])
    assert [c.verdict for c in found] == ["reproduced", "not reproduced"]
    found = claims([], [sweep("deadline", (2.0, 3.0), [1.0, 2.0], [100.0, 90.0])])
    assert [c.verdict for c in found] == ["reproduced", "reproduced"]


def trained(rate: float, *rewards: tuple[float, ...]) -> list[Training]:
    """Three seeds of AD-SAC with the same curve of rewards, 25 epochs apart."""
    curve = {25.0 * i: value for i, value in enumerate(rewards[0])}
    settings = {"critic_rate": rate}
    return [
        Training("a", seed, 1.0, {"validation_reward": curve}, "adsac", settings)
        for seed in range(3)
    ]


def test_critic_rates() -> None:
    """Slower: less reward in the first half. Oscillating: greater steps in the second half."""
    good = trained(0.001, (0.4, 0.6, 0.8, 0.8))
    slow, wild = trained(0.0001, (0.1, 0.2, 0.4, 0.5)), trained(0.01, (0.4, 0.6, 0.2, 0.9))
    told = claims([], [], [*good, *slow, *wild])
    assert [(c.figure, c.verdict) for c in told] == [("Figure 4", "reproduced")] * 2
    assert "first half of 75 epochs 0.150 against 0.500" in told[0].ours
    assert "0.700 against 0.000" in told[1].ours
    assert claims([], [], [*good, *slow[:2]]) == [], "two seeds are too few"


def test_a_verdict_on_critic_rates_needs_an_interval() -> None:
    """Seeds that differ more than the rates do show nothing; the contrary contradicts."""
    good = [trained(0.001, (level,) * 4)[i] for i, level in enumerate((0.5, 0.7, 0.9))]
    slow = [trained(0.0001, (level,) * 4)[i] for i, level in enumerate((0.4, 0.6, 0.8))]
    (claim,) = claims([], [], [*good, *slow])
    assert claim.verdict == "inconclusive"
    faster = trained(0.0001, (2.0, 2.0, 2.0, 2.0))
    (claim,) = claims([], [], [*good, *faster])
    assert claim.verdict == "contradicted"

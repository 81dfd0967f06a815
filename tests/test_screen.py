"""The sensitivity screen: its design is balanced, its analysis finds what was put in."""

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import screen


def test_every_pair_of_factors_is_balanced():
    """32 runs, every level as often as any other, and every pair of levels too."""
    settings = screen.design()
    assert len(settings) == 32
    assert len({tuple(s.values()) for s in settings}) == 32
    for one, other in combinations(screen.FACTORS, 2):
        pairs = [(s[one], s[other]) for s in settings]
        n = len(screen.FACTORS[one][1]) * len(screen.FACTORS[other][1])
        assert {pairs.count(p) for p in set(pairs)} == {32 // n}, (one, other)
        assert len(set(pairs)) == n


def rows(advantage):
    """A row of AD-SAC and of two rivals for every setting, AD-SAC ahead by a factor."""
    found = []
    for number, setting in enumerate(screen.design()):
        rewards = {"adsac": advantage(setting), "ppo": 0.9, "hybrid-ppo": 1.0}
        for learner, reward in rewards.items():
            values = {"reward": reward}
            found.append(
                {"run": number, "learner": learner, "seed": 0, "setting": setting, "final": values,
                 "selected": values, "constant": learner == "adsac"}
            )  # fmt: skip
    return found


def test_effects_are_found():
    """Leakage 1 costs AD-SAC a fifth, section 5.1 wins a tenth; nothing else does anything."""
    rng = np.random.default_rng(2)

    def advantage(s):
        return (
            1.1
            * 0.8 ** (s["leakage"] == 1)
            * 1.1 ** (s["settings"] == "section-5.1")
            * np.exp(0.001 * rng.normal())
        )

    found = rows(advantage)
    response = {n: float(np.log(r["adsac"])) for n, r in screen.levels(found).items()}
    told = screen.effects(response, dict(enumerate(screen.design())))
    assert len(told) == 16
    estimates = {(f, level): (value, low, high) for f, level, value, low, high in told}
    assert estimates["leakage", 1.0][0] == pytest.approx(np.log(0.8), abs=0.003)
    assert estimates["settings", "section-5.1"][0] == pytest.approx(np.log(1.1), abs=0.003)
    rest = [v for k, v in estimates.items() if k[0] not in ("leakage", "settings")]
    assert all(abs(value) < 0.003 for value, _, _ in rest)
    assert all(high - low < 0.01 for _, low, high in told_ends(told))


def told_ends(told):
    return [(value, low, high) for _, _, value, low, high in told]


def test_shares_and_collapse_are_counted():
    """Ahead in 24 of 32 settings; every policy of AD-SAC is constant."""
    lines = screen.analyse(rows(lambda s: 0.95 if s["leakage"] == 1 else 1.1))
    assert "final: AD-SAC ends highest: 24 of 32 [0.58, 0.87]" in lines
    assert "final: Hybrid-PPO is the best of the rest: 32 of 32 [0.89, 1.00]" in lines
    assert "adsac: 32 of 32 selected policies are constant" in lines
    assert "ppo: 0 of 32 selected policies are constant" in lines


def test_a_screen_resumes(tmp_path, monkeypatch):
    """Two settings of two learners at toy size; what has a row is not trained again."""
    size = (2, ["adsac", "ppo"], 1, 2, "tiny")
    screen.run(tmp_path, *size)
    found = screen.read(tmp_path / "rows.jsonl")
    assert [(r["run"], r["learner"]) for r in found] == [
        (0, "adsac"), (0, "ppo"), (1, "adsac"), (1, "ppo"),
    ]  # fmt: skip
    assert all(np.isfinite(r["final"]["reward"]) and len(r["sha256"]) == 64 for r in found)
    monkeypatch.setattr(screen, "trained", None)
    screen.run(tmp_path, *size)
    assert screen.read(tmp_path / "rows.jsonl") == found
    assert screen.analyse(found)[-1].startswith("1 seeds a setting")

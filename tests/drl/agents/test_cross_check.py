"""Our PPO, DDPG and AD-SAC reach what Stable-Baselines3's PPO, DDPG and SAC reach on a standard
control task."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from satedge.paths import ROOT

SCRIPT = ROOT / "benchmarks" / "compare_sb3.py"


@pytest.fixture(scope="module")
def comparison() -> ModuleType:
    """The script that prints the whole table; here its subjects run with fewer seeds."""
    spec = importlib.util.spec_from_file_location("compare_sb3", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("method", ["PPO", "DDPG", "SAC"])
def test_returns_are_those_of_stable_baselines3(comparison: ModuleType, method: str) -> None:
    """Over two seeds the mean return on Pendulum-v1 is at least Stable-Baselines3's less 15 % of
    what that gained on a random policy, which is most of the way to a pendulum that stands."""
    settings, task = getattr(comparison, f"{method}_CONTROL")
    seeds = (0, 1)
    at_random = comparison.random_on_control()
    theirs = np.mean(comparison.sb3_on_control(settings, task, seeds).figures["return"])
    assert theirs > at_random / 2
    ours = np.mean(comparison.ours_on_control(settings, task, seeds).figures["return"])
    assert ours >= theirs - 0.15 * (theirs - at_random)

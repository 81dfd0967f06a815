"""Sizes that no memory or disk holds are refused in one line, before anything of them is made."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from drl.core.replay import Replay
from drl.core.settings import SettingsError
from satedge.bench.study import study as studies
from satedge.bench.study.study import StudyError, cells
from satedge.bench.study.study_file import parse_study
from satedge.cli import main
from satedge.problem.generation.generate import MAX_NUMBERS, generate, numbers
from satedge.problem.instance import Instance
from satedge.problem.scenario import preset


def nothing_is_made(*_: Any, **__: Any) -> Any:
    raise AssertionError("something was made")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--episodes 99999999999", "a whole number in [1, 1e+06]"),
        ("--episodes " + "9" * 4000, "a whole number in [1, 1e+06]"),
        ("--slots 100001", "a whole number in [1, 100000]"),
        ("--set n_devices=201", "n_devices = 201: allowed is an integer in [1, 200]"),
        ("--set n_slots=" + "9" * 250, "allowed is an integer in [1, 100000]"),
        ("--set n_devices=200 --slots 100000", "n_slots = 100000: allowed is at most"),
        ("--episodes 1000000 --slots 100000", "--episodes: 1000000 of 100000 slots: allowed is"),
        ("--seed " + "9" * 20, "a whole number in [0, 9.0072e+15]"),
    ],
)
def test_generate(
    words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Whatever the sizes: one line, and no array of an instance."""
    monkeypatch.setattr(Instance, "__post_init__", nothing_is_made)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**12))
    monkeypatch.setattr(sys, "argv", f"satedge generate --out {tmp_path} {words}".split())
    monkeypatch.setattr("satedge.problem.generation.generate.stream", nothing_is_made)
    assert main() == 2
    error = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert told in error
    assert len(error) < 600
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fleet", [(10, 3, 4), (200, 50, 200), (1, 0, 1)])
def test_the_longest_episode_is_what_is_told(fleet: tuple[int, int, int]) -> None:
    """What the message allows is allowed, and one slot more is not."""
    names = ("n_devices", "n_uavs", "n_satellites")
    world = preset("paper", **dict(zip(names, fleet, strict=True)), satellite_planes=1)
    most = min(100_000, MAX_NUMBERS // numbers(world.replace(n_slots=1)))
    assert numbers(world.replace(n_slots=most)) <= MAX_NUMBERS
    if most < 100_000:
        with pytest.raises(ValueError, match=f"allowed is at most {most} with"):
            generate(world.replace(n_slots=most + 1), 0)


PART = "[[part]]\nmethods = ['greedy']\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("generate = [{ seeds = '0-99999999999' }]", "'first-last' of at most 100000"),
        ("generate = [{ seeds = '0-999999' }]", "'first-last' of at most 100000"),
        ("generate = [{ seeds = '5-4' }]", "'first-last' of at most 100000"),
        ("generate = [{ seeds = [" + "9" * 400 + "] }]", "a list of integers in"),
        ("generate = [{ seeds = [" + "9" * 5000 + "] }]", "is no TOML"),
        ("generate = [{ seeds = '0-99999' }]", "100000 instances: allowed is at most 4845 of"),
        (
            "generate = [{ seeds = [0], set = { n_slots = 100001 } }]",
            "n_slots = 100001: allowed is an integer in [1, 100000]",
        ),
        (f"suites = ['tiny']\nmemory_MB = {'9' * 400}", "memory_MB"),
        (f"suites = ['tiny']\ntake = {'9' * 400}\nbudgets_s = [1e999]", "budgets_s"),
    ],
)
def test_studies(text: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges and sums of sizes are weighed before an instance is made."""
    monkeypatch.setattr(studies, "build", nothing_is_made)
    with pytest.raises(StudyError) as error:
        cells(parse_study(f"{PART}{text}\n", "s"))
    assert told in str(error.value)
    assert len(str(error.value)) < 700
    assert "\n" not in str(error.value)


def test_runs_are_counted_before_they_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds times budgets times instances, of every method."""
    text = f"{PART}suites = ['tiny']\ntake = 2\nseeds = [0, 1, 2]\nbudgets_s = [1, 2]\n"
    assert len(cells(parse_study(text, "s"))) == 12
    monkeypatch.setattr(studies, "MAX_RUNS", 11)
    monkeypatch.setattr(studies, "_cell", nothing_is_made)
    with pytest.raises(StudyError, match=r"12 runs .* allowed is at most 11"):
        cells(parse_study(text, "s"))


def test_a_replay_is_weighed_before_it_is_made() -> None:
    """By the size of what is kept and the number of runs."""
    replay = Replay(10**8)
    with pytest.raises(SettingsError, match="buffer = 100000000: allowed is at most 10737418 "):
        replay.add({"state": torch.zeros(2, 100)})

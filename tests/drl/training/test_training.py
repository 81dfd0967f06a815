"""Truths about training: resumable to the bit, deterministic, and able to find an optimum."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drl.agents.registry import METHODS, settings_of
from drl.core.settings import SettingsError
from drl.training import checkpoint, train
from drl.training.checkpoint import CheckpointError
from drl.training.labels import Recipe, make
from drl.training.policy import PolicyError, load, solve, solve_random
from satedge.bench.score.training_logs import run_times
from satedge.problem.generation.generate import TRAIN_SEEDS, generate
from satedge.problem.instance import Instance
from satedge.problem.io.folder import BusyError, only_one
from satedge.problem.plan import Outcome, Plan
from satedge.problem.referee import available, judge
from satedge.problem.rollout import idle_decision
from satedge.problem.scenario import Scenario, preset

SMALL = preset("tiny", n_slots=5)
LIMITS: dict[str, Any] = {
    "scenario": SMALL,
    "train_seeds": range(1_000_000, 1_000_004),
    "validation_seeds": range(20_000, 20_002),
    "updates_per_epoch": 2,
    "validate_every": 2,
    "checkpoint_every": 1,
    "progress": False,
}
QUICK: dict[str, Any] = {"hidden": (16, 16), "batch": 8}
PPO: dict[str, Any] = QUICK | {"rollout_epochs": 3, "passes": 2}


IMITATION: dict[str, Any] = {"width": 8, "rounds": 1, "batch": 8}


#: Labels for the learner that imitates.
TAUGHT: dict[str, tuple[str, ...]] = {}


@pytest.fixture(scope="module", autouse=True)
def _labels(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("labels") / "toy.safetensors"
    recipe = Recipe(SMALL.to_dict(), "toy", {}, slots_each=4)
    make(path, recipe, 12, lambda slot: Outcome(idle_decision(slot)), None, lambda *_: None)
    TAUGHT["labels"] = (str(path),)


def run(method: str, folder: Path, epochs: int = 6, **more: Any) -> Path:
    quick = IMITATION if method == "imitation" else PPO if "ppo" in method else QUICK
    given = TAUGHT if method == "imitation" else {}
    limits = {"seeds": (0, 5), "settings": quick} | LIMITS | given | more
    return train.train(method, out_dir=folder, epochs=epochs, **limits)


def curve(folder: Path) -> dict[tuple[str, ...], float]:
    with open(folder / "curve.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {(e, s, f): float(v) for e, s, f, v in rows if f != "seconds"}


@pytest.mark.parametrize(
    ("method", "together"), [*((m, 1) for m in sorted(METHODS)), ("adsac", 2), ("ppo", 3)]
)
def test_a_killed_training_resumes_to_the_bit(
    method: str, together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the fifth round and resumed, it ends with the weights and log of the whole, which
    has gone through three blocks of fresh episodes."""
    monkeypatch.setattr(train, "BLOCK", 2 * together)
    more = {"together": together, "epochs": 6 * together, "train_seeds": TRAIN_SEEDS}
    whole = run(method, tmp_path / "whole", **more)
    episode, played = train.Trainer._episode, 0

    def stopping(self: train.Trainer) -> dict[str, np.ndarray]:
        nonlocal played
        played += 1
        if played == 5:
            raise KeyboardInterrupt
        return episode(self)

    monkeypatch.setattr(train.Trainer, "_episode", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(method, tmp_path / "cut", **more)
    run(method, tmp_path / "cut", **more)
    expected, _ = checkpoint.read(whole / "checkpoint.safetensors")
    found, _ = checkpoint.read(tmp_path / "cut" / "checkpoint.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert curve(tmp_path / "cut") == curve(whole)


def test_the_same_seed_gives_the_same_policy(tmp_path: Path) -> None:
    """Two trainings write the same bytes; another seed writes others."""
    files = [run("adsac", tmp_path / n, 4) / "policies/adsac/seed-0.safetensors" for n in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    other = files[0].with_name("seed-5.safetensors")
    assert other.read_bytes() != files[0].read_bytes()


def test_a_run_does_not_depend_on_those_beside_it(tmp_path: Path) -> None:
    """The figures of seed 5 are the same with and without seed 0, up to rounding."""
    both = curve(run("adsac", tmp_path / "both", 3))
    alone = curve(run("adsac", tmp_path / "alone", 3, seeds=(5,)))
    for key, value in alone.items():
        assert both[key] == pytest.approx(value, rel=1e-3, abs=1e-4), key


def test_divergence_stops_with_the_last_good_checkpoint(tmp_path: Path) -> None:
    """A learning rate beyond all reason ends in one clear error, not in a policy of NaN."""
    run("ddpg", tmp_path, 2)
    good = (tmp_path / "checkpoint.safetensors").read_bytes()
    state, text = checkpoint.read(tmp_path / "checkpoint.safetensors")
    state["actor/net.layers.0.weight"][:] = torch.nan
    checkpoint.write(tmp_path / "checkpoint.safetensors", state, text)
    with pytest.raises(train.TrainingError, match=r"ddpg diverged in epoch 3: .* is not finite"):
        run("ddpg", tmp_path, 4)
    assert len(good) == len((tmp_path / "checkpoint.safetensors").read_bytes())


def test_checkpoints_of_other_trainings_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    """One line says which file and why."""
    run("ddpg", tmp_path, 2)
    with pytest.raises(CheckpointError, match="of another training"):
        run("ddpg", tmp_path, 4, updates_per_epoch=3)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged or not one of ours"):
        run("ddpg", tmp_path, 4)


def test_no_flipped_bit_of_a_checkpoint_is_taken(tmp_path: Path) -> None:
    """Of 300 bits flipped anywhere, 100 of them in the header, all are refused."""
    path, rng = tmp_path / "checkpoint.safetensors", np.random.default_rng(1)
    tensors = {"a": torch.arange(40.0), "b/c": torch.ones(2, 3, dtype=torch.int64)}
    checkpoint.write(path, tensors, {"epoch": 3, "curve": [[1, 2.5]]})
    data = path.read_bytes()
    found, text = checkpoint.read(path)
    assert text == {"epoch": 3, "curve": [[1, 2.5]]}
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    header = 8 + int.from_bytes(data[:8], "little")
    for place in [*rng.integers(header, size=100), *rng.integers(len(data), size=200)]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="damaged or not one of ours"):
            checkpoint.read(path)


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is told in one line; leftovers of killed writers are gone at the next start."""
    with only_one(tmp_path):
        for resume in (True, False):
            with pytest.raises(BusyError, match="another run is at work in this folder"):
                run("ddpg", tmp_path, 2, resume=resume)
    left, foreign = tmp_path / ".curve.csv.0123abcd.part", tmp_path / "film.part"
    left.touch()
    foreign.touch()
    run("ddpg", tmp_path, 2)
    assert not left.exists()
    assert foreign.exists()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("hidden", 64, "a list of whole numbers"),
        ("hidden", [64, 0.5], "a list of whole numbers"),
        ("hidden", [], "1 to 16 widths, each from 1 to 8192"),
        ("gamma", "high", "a number"),
        ("gamma", float("nan"), "a number"),
        ("batch", 0.5, r"an integer in \[1, 65536\]"),
        ("batch", True, r"an integer in \[1, 65536\]"),
        ("centre", 1, "true or false"),
        ("layout", 3, "one of hybrid, discrete, continuous"),
    ],
)
def test_settings_of_another_type_are_refused(name: str, value: Any, allowed: str) -> None:
    """As a command line or a file may bring them."""
    with pytest.raises(SettingsError, match=rf"{name} = .*: allowed is {allowed}"):
        settings_of("adsac", **{name: value})


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Before anything is made."""
    with pytest.raises(SettingsError, match="device = 'abacus': allowed is cpu"):
        run("ddpg", tmp_path / "out", device="abacus")
    assert not (tmp_path / "out").exists()


def test_unknown_names_and_bad_values_are_refused() -> None:
    """The message names the setting and what is allowed."""
    with pytest.raises(
        SettingsError, match=r"method = 'sac' .did you mean adsac.*: allowed is one of adsac"
    ):
        settings_of("sac")
    with pytest.raises(SettingsError, match=r"gamma = 1\.0: allowed is a number in \[0, 1\)"):
        settings_of("adsac", gamma=1.0)
    with pytest.raises(SettingsError, match=r"unknown setting 'gama'; .*did you mean gamma\?"):
        settings_of("adsac", gama=0.9)
    assert settings_of("adsac", "section-5.1").batch == 128


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_policy_file_plays_what_was_trained(method: str, tmp_path: Path) -> None:
    """The file costs to the last bit what its validation says, and the same through the rollout of
    instances, where single slots round otherwise than batches."""
    folder = run(method, tmp_path, 3)
    path = folder / "policies" / method / "seed-0.safetensors"
    policy = load(str(path))
    episodes = [generate(SMALL, s) for s in LIMITS["validation_seeds"]]
    found = train.evaluate(policy.actor, episodes, 1)["validation_cost"]
    assert float(found[0]) == policy.provenance["validation_cost"]
    costs = []
    for i, episode in enumerate(episodes):
        outcome = solve(episode, seed=i, policy=str(path))
        verdict = judge(episode, outcome.plan)  # type: ignore[arg-type]
        assert verdict.admissible
        costs.append(float(verdict.cost))
    assert np.mean(costs) == pytest.approx(float(found[0]), rel=1e-5)


def test_damaged_foreign_and_misfitting_policies_are_refused(tmp_path: Path) -> None:
    """A flipped bit, a missing file, another format, another number of devices: one line each."""
    folder = run("ddpg", tmp_path, 2) / "policies" / "ddpg"
    path = folder / "seed-0.safetensors"
    bigger = generate(SMALL.replace(n_devices=4), 0)
    with pytest.raises(PolicyError, match=r"is for n_devices = 3: the instance has 4"):
        solve(bigger, policy=str(path))
    load.cache_clear()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(PolicyError, match="does not match the hash"):
        load(str(path))
    path.with_suffix(".json").write_text('{"format": "other", "version": 1}')
    with pytest.raises(PolicyError, match="allowed is format satedge-policy"):
        load(str(path))
    with pytest.raises(PolicyError, match="or a path"):
        load(str(tmp_path / "nothing"))


def test_random_play_is_admissible_and_seeded() -> None:
    """The Random baseline repeats itself under a seed and differs under another."""
    instance = generate(SMALL, 3)
    plans = [solve_random(instance, seed=s).plan for s in (1, 1, 2)]
    assert all(judge(instance, p).admissible for p in plans if p is not None)
    powers = [p.power_W for p in plans if p is not None]
    assert np.array_equal(powers[0], powers[1])
    assert not np.array_equal(powers[0], powers[2])


def separable_optimum(instance: Instance) -> float:
    """Without leakage and motion every request is alone: its best server, its best power."""
    s = instance.scenario
    power_W = np.geomspace(s.power_min_W, s.power_max_W, 3000)
    shape = (len(power_W), instance.n_slots, s.n_devices)
    at = np.broadcast_to(instance.uav_xy_m, (len(power_W), instance.n_slots, s.n_uavs, 2))
    allowed = available(instance, at[0])
    best = np.full(shape[1:], np.inf)
    for server in range(s.n_servers):
        plan = Plan(np.full(shape, server), np.broadcast_to(power_W[:, None, None], shape), at)
        cost = judge(instance, plan).device_cost.min(axis=0)
        best = np.where(allowed[..., server], np.minimum(best, cost), best)
    return float(np.where(instance.active, best, 0.0).mean())


@pytest.mark.parametrize(
    ("method", "epochs", "changes"),
    [("adsac+", 40, {}), ("adsac", 150, {"gamma": 0.0, "actor_rate": 3e-4})],
)
def test_a_tiny_instance_is_solved_within_one_percent(
    method: str, epochs: int, changes: dict[str, Any], tmp_path: Path
) -> None:
    """The learned policy costs at most 1 % more than the proven optimum of the instance."""
    changed: dict[str, Any] = {
        "n_slots": 3,
        "interference_leakage": 0.0,
        "uav_speed_max_mps": 0.0,
        "arrivals": "every-slot",
    }
    scenario: Scenario = preset("tiny", **changed)
    settings = {"hidden": (64, 64), "buffer": 2000} | changes
    limits = LIMITS | {"scenario": scenario, "updates_per_epoch": 6, "validate_every": 10}
    limits |= {"train_seeds": range(7, 8), "validation_seeds": range(7, 8), "checkpoint_every": 999}
    train.train(method, out_dir=tmp_path, seeds=(0,), epochs=epochs, settings=settings, **limits)
    path = tmp_path / "policies" / method / "seed-0.safetensors"
    instance = generate(scenario, 7)
    cost = float(judge(instance, solve(instance, policy=str(path)).plan).cost)  # type: ignore[arg-type]
    optimum = separable_optimum(instance)
    assert optimum <= cost * (1 + 1e-6)
    assert cost <= 1.01 * optimum


@pytest.mark.parametrize("together", [1, 3])
def test_the_log_holds_the_whole_time(
    together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its seconds sum up to the training's, however many episodes are played at once."""
    ticks = iter(range(1000))
    monkeypatch.setattr(train.time, "process_time", lambda: float(next(ticks)))
    folder = run("ppo", tmp_path, 6, together=together, seeds=(0,))
    with open(folder / "curve.csv", newline="") as file:
        rows = [row for row in csv.reader(file) if row[2] == "seconds"]
    assert sum(float(row[3]) for row in rows) == 6 / together  # a tick a block
    assert run_times(folder / "curve.csv") == {0: (6 / together, 6)}

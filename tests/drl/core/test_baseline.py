"""Truths about exogenous baselines: what they see, what they explain, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from drl.agents.registry import METHODS, build_learner
from drl.core.baseline import Baseline, slopes
from drl.core.layout import Sizes
from drl.core.nets import Streams
from drl.core.observation import exogenous, pieces
from drl.core.replay import Batch, Replay
from drl.env.spaces import Encoder
from drl.env.vector_env import OffloadingBatch
from drl.training.policy import sizes_of
from drl.training.train import Plan, Trainer
from satedge.problem.generation.generate import generate
from satedge.problem.scenario import preset

WORLD = preset("paper", n_slots=12)
SIZES = sizes_of(WORLD)


def test_pieces_are_those_of_the_encoder() -> None:
    """Every piece of a flat observation, in the encoder's order and shapes."""
    encoder = Encoder(WORLD)
    flat = np.arange(2 * encoder.size, dtype=np.float32).reshape(2, -1)
    ours, theirs = pieces(torch.from_numpy(flat), SIZES), encoder.split(flat)
    for mine, name in zip(ours, encoder.shapes, strict=True):
        assert np.array_equal(mine.numpy().reshape(theirs[name].shape), theirs[name]), name


def test_no_action_changes_what_is_exogenous() -> None:
    """Two random plays of one episode see the same there in every slot, and differ elsewhere."""
    env, rng = OffloadingBatch([generate(WORLD, 1)], 2), np.random.default_rng(0)
    obs, mask, _ = env.reset(instances=0, seed=0)
    places = exogenous(SIZES).numpy()
    others = np.setdiff1d(np.arange(SIZES.obs_dim), places)
    differ = np.zeros(len(others), bool)
    for _ in range(WORLD.n_slots - 1):
        server = np.where(mask, rng.random(mask.shape), -1.0).argmax(axis=-1)
        step = env.step(server, rng.uniform(-1, 1, (2, env.n_continuous)))
        obs, mask = step.obs, step.mask
        assert np.array_equal(obs[0, places], obs[1, places])
        differ |= obs[0, others] != obs[1, others]
    assert len(others) == 3 * (2 + 10 + 10)
    assert differ.mean() > 0.6


def test_slopes_are_those_of_least_squares() -> None:
    """Of two runs and two values each, within what the small penalty does."""
    x, true = torch.randn(2, 5000, 4), torch.randn(2, 4, 2)
    torch.testing.assert_close(slopes(x, x @ true), true, rtol=0.01, atol=0.01)


def filled(rows: int) -> tuple[Replay, Streams, Tensor]:
    """A replay of one run, and the weights of a linear value of what is exogenous."""
    replay, g = Replay(rows), torch.Generator().manual_seed(1)
    for _ in range(rows):
        replay.add({"next_obs": torch.randn(1, SIZES.obs_dim, generator=g)})
    weight = torch.randn(SIZES.obs_dim, generator=g) / 10
    return replay, Streams([0]), weight


@pytest.mark.parametrize("agents", [1, 2])
def test_a_baseline_explains_the_exogenous_part_only(agents: int) -> None:
    """Of a value linear in the whole state it takes what is exogenous and leaves the rest."""
    replay, streams, weight = filled(3000)
    free = torch.zeros(SIZES.obs_dim)
    free[exogenous(SIZES)] = 1.0

    def following(batch: Batch) -> Tensor:
        return (batch["next_obs"] @ weight).repeat(agents, 1)

    baseline = Baseline(SIZES, on=True)
    batch = replay.sample(streams, 500)
    value = following(batch)
    assert float(baseline(batch["next_obs"], value).abs().max()) == 0  # not fitted yet
    baseline.fit(replay, streams, following)
    found = baseline(batch["next_obs"], value)
    wanted = (batch["next_obs"] @ (weight * free)).repeat(agents, 1)
    left = (batch["next_obs"] @ (weight * (1 - free))).repeat(agents, 1)
    assert found.shape == value.shape == (agents, 500)
    assert float((found - wanted).square().mean()) < 0.2 * float(left.square().mean())


def learned(folder: Path, method: str, exogenous: bool, **changes: Any) -> Trainer:
    quick: dict[str, Any] = {"hidden": (8, 8), "batch": 8, "gamma": 0.9, "exogenous": exogenous}
    quick |= {"rollout_epochs": 1, "passes": 1} if "ppo" in method else {}
    plan = Plan(method, METHODS[method].replace(**quick | changes), WORLD, (0, 1))
    trainer = Trainer(plan, folder, pool=[generate(WORLD, 1_000_000)])
    trainer._episode()
    trainer.learner.learn(2)
    return trainer


CREDIT = {"credit": "devices", "reward": "cost", "synthetic": 0.0}


@pytest.mark.parametrize(
    ("method", "changes"),
    [*((m, {}) for m in sorted(METHODS) if m != "imitation"), ("adsac", CREDIT)],
)
def test_every_learner_that_looks_ahead_learns_with_it(
    method: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    """Weights stay finite and are others than without; both runs differ."""
    with_it, without = (learned(tmp_path, method, on, **changes).learner for on in (True, False))
    ours, theirs = (torch.cat([p.detach().flatten(1) for p in x.actor.parameters()], 1)
                    for x in (with_it, without))  # fmt: skip
    assert bool(ours.isfinite().all())
    assert not torch.equal(ours, theirs)
    assert not torch.equal(ours[0], ours[1])


def test_targets_lose_what_is_exogenous_and_no_more(tmp_path: Path) -> None:
    """DDPG's target is that without a baseline, less gamma times what it explains."""
    trainer = learned(tmp_path, "ddpg", True)
    learner: Any = trainer.learner
    batch = learner.replay.sample(learner.streams, 6)
    following = learner._following(batch)
    explained = learner.baseline(batch["next_obs"], following)
    assert float(explained.abs().max()) > 0
    wanted = batch["reward"] + 0.9 * (following - explained)
    torch.testing.assert_close(learner._backup(batch), wanted)


def test_advantages_of_ppo_lose_noise_and_returns_do_not() -> None:
    """Where rewards are a linear function of what comes, nothing is left for advantages; returns
    are those without a baseline."""
    settings = METHODS["ppo"].replace(hidden=(8, 8), exogenous=True, gamma=0.0, centre=False)
    learner: Any = build_learner(settings, SIZES, Streams([0]))
    g, n = torch.Generator().manual_seed(0), 4000
    with torch.no_grad():
        for p in learner.value.parameters():
            p.zero_()
    obs, next_obs = (torch.randn(1, n, SIZES.obs_dim, generator=g) for _ in range(2))
    places = exogenous(SIZES)
    reward = (next_obs[..., places] @ torch.randn(len(places), generator=g)) / 10
    mask = torch.ones(1, n, SIZES.n_devices, SIZES.n_servers, dtype=torch.bool)
    numbers = torch.zeros(1, n, learner.layout.n_continuous)
    data = {"obs": obs, "next_obs": next_obs, "reward": reward, "mask": mask, "numbers": numbers}
    data |= {"active": mask[..., 0], "choice": torch.zeros(1, n, 0).long(), "end": torch.zeros(n)}
    found = learner.prepare(data)
    assert float(found["advantage"].std()) < 0.02 * float(reward.std())
    torch.testing.assert_close(found["return"], reward)


def test_sizes_without_uavs_have_everything_exogenous() -> None:
    """Nothing moves, so no action changes what is seen."""
    k, s = 2, 3
    size = k * 6 + k + 2 * s + 1 + k + k * s
    assert len(exogenous(Sizes(k, s, 0, size))) == size

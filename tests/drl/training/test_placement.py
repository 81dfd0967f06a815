"""Where a resumed training keeps its tensors, told without a second device: on torch's `meta`
device tensors have a place but no values, and a tensor that was left on the CPU is found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from drl.agents.registry import METHODS
from drl.core.nets import adam
from drl.core.replay import Replay
from drl.training import checkpoint
from drl.training.train import Plan, Trainer
from satedge.problem.generation.generate import generate
from satedge.problem.scenario import preset

SMALL = preset("tiny", n_slots=4)


def slots(n: int, device: str = "cpu") -> list[dict[str, Tensor]]:
    return [{"obs": torch.full((2, 3), float(i), device=device)} for i in range(n)]


def test_replay_rollout_and_optimiser_come_back_where_they_learn() -> None:
    """What files hold on the CPU goes to the device of the plan, and to that of the weights."""
    replay = Replay(5)
    for slot in slots(3):
        replay.add(slot)
    weight = nn.Parameter(torch.ones(2, 3))
    optimiser = adam([{"params": [weight], "lr": 0.1}])
    weight.sum().backward()
    optimiser.step()
    saved = checkpoint.gather({"replay": replay, "rollout": slots(2), "optimiser": optimiser})

    moved = nn.Parameter(torch.ones(2, 3, device="meta"))
    parts: dict[str, Any] = {
        "replay": Replay(5),
        "rollout": [],
        "optimiser": adam([{"params": [moved], "lr": 0.1}]),
    }
    checkpoint.spread(saved, parts, "meta")
    state = parts["optimiser"].state[moved]
    kept = {n: v for n, v in parts["replay"].state().items() if n != "@position"}
    found = [*kept.values(), *(v for slot in parts["rollout"] for v in slot.values())]
    assert len(found) == 3
    assert set(state) == {"step", "exp_avg", "exp_avg_sq"}
    assert all(value.device.type == "meta" for value in [*found, *state.values()])
    assert parts["replay"].size == 3


@pytest.mark.parametrize("method", sorted({*METHODS} - {"imitation"}))
def test_a_trainer_resumes_on_the_device_of_its_plan(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replay or the rollout is put on it, of every learner that plays."""
    quick = {"hidden": (8, 8)} | ({"rollout_epochs": 2} if "ppo" in method else {})
    plan = Plan(method, METHODS[method].replace(**quick), SMALL, (0, 1))
    trainer = Trainer(plan, tmp_path, pool=[generate(SMALL, 1_000_000)])
    trainer._episode()
    trainer.learner.learn(1)
    trainer.save()
    again = Trainer(plan, tmp_path, pool=[generate(SMALL, 1_000_000)])
    again.plan = plan.replace(device="meta")
    again.resume()
    kept = {n: p for n, p in again.learner.parts().items() if isinstance(p, Replay | list)}
    state = {n: v for n, v in checkpoint.gather(kept).items() if not n.endswith("@position")}
    assert state
    assert all(value.device.type == "meta" for value in state.values())

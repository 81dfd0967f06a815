"""What learners from elsewhere rely on: spaces, dtypes, keys of info, the same slots for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import RecordEpisodeStatistics
from gymnasium.wrappers.vector import RecordEpisodeStatistics as RecordVectorStatistics

import drl
from drl.env.pool import training_episodes
from drl.env.spaces import from_disc, from_power_W
from minlp.heuristics.simple import greedy
from satedge.problem.generation.generate import generate
from satedge.problem.instance import InstanceError
from satedge.problem.referee import judge
from satedge.problem.scenario import PRESETS, preset

ID = "satedge/Offloading-v0"
PAGE = Path(drl.__file__).parents[1] / "docs" / "environment.md"


def make(name: str = "paper", n_slots: int = 4) -> gym.Env:
    return gym.make(ID, instances=training_episodes(preset(name, n_slots=n_slots), 2))


def leaves(space: spaces.Space) -> Iterator[spaces.Space]:
    if isinstance(space, spaces.Dict):
        for part in space.values():
            yield from leaves(part)
    else:
        yield space


def test_spaces_are_native() -> None:
    """Dict and nothing nested in a Tuple; boxes float32, those of actions [-1, 1]; flags int8."""
    env = make()
    parts = [*leaves(env.observation_space), *leaves(env.action_space)]
    assert all(isinstance(p, spaces.Box | spaces.MultiBinary | spaces.MultiDiscrete) for p in parts)
    for part in parts:
        if isinstance(part, spaces.Box):
            assert part.dtype == np.float32
        if isinstance(part, spaces.MultiBinary):
            assert part.dtype == np.int8
    assert isinstance(env.action_space, spaces.Dict)
    assert env.action_space["server"] == spaces.MultiDiscrete([7] * 10)
    assert env.action_space["power"] == spaces.Box(-1, 1, (10,), np.float32)
    assert env.action_space["displacement"] == spaces.Box(-1, 1, (3, 2), np.float32)


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_step_keeps_to_the_spaces(name: str) -> None:
    """Observations lie in their space with its dtypes; the mask is int8 in info, bool by call,
    and what the observation shows."""
    env = make(name)
    obs, info = env.reset(seed=0)
    for _ in range(4):
        assert obs in env.observation_space
        assert info["action_mask"].dtype == np.int8
        masks = env.get_wrapper_attr("action_masks")()
        assert masks.dtype == bool
        np.testing.assert_array_equal(masks, info["action_mask"])
        np.testing.assert_array_equal(masks, obs["available"])
        obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
    assert obs in env.observation_space


def listed(section: str) -> list[str]:
    """Names in the first column of a table of the page."""
    text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_info_is_what_the_page_lists() -> None:
    """Every key of `info`, and every constraint under `violations`, by name; numbers are plain."""
    env = gym.make(ID, scenario=preset("paper", uav_separation_m=10.0), instances=1)
    _, first = env.reset(seed=0)
    assert set(first) == {"instance", "instance_name", "action_mask"}
    *_, info = env.step(env.action_space.sample())
    assert sorted(info) == sorted(listed("Info"))
    page = PAGE.read_text()
    for constraint, amount in info["violations"].items():
        assert type(amount) is float
        assert f"`{constraint}`" in page
    counts = ("misses", "refused", "outages", "resampled", "clipped", "held", "instance")
    assert all(type(info[name]) is int for name in counts)
    assert all(type(info[name]) is float for name in ("cost", "latency_s", "energy_J"))
    assert type(info["instance_name"]) is str


def test_a_solvers_plan_can_be_played() -> None:
    """Greedy's plan of an instance, as actions of the environment reset to it, costs what the
    referee says of it, slot by slot: solvers and agents face the same slots."""
    instance = generate(preset("paper", n_slots=12), 4)
    s = instance.scenario
    plan: Any = greedy(instance, budget_s=np.inf, seed=0).plan
    expected = judge(instance, plan)
    env = gym.make(ID, instances=[generate(s, 3), instance])
    env.reset(seed=0, options={"instance": 1})
    at = instance.uav_xy_m
    for t in range(12):
        move = from_disc((plan.uav_xy_m[t] - at) / s.uav_reach_m)
        action = {
            "server": np.maximum(plan.server[t], 0),
            "power": from_power_W(s, plan.power_W[t]).astype(np.float32),
            "displacement": np.clip(move, -1, 1).astype(np.float32),
        }
        *_, info = env.step(action)
        assert info["instance_name"] == instance.name
        assert info["cost"] == pytest.approx(expected.slot_cost[t], rel=1e-4)
        assert info["misses"] == expected.missed[t].sum()
        assert info["resampled"] == 0
        at = plan.uav_xy_m[t]


def test_gymnasiums_own_wrappers_work() -> None:
    """Episode statistics, single and native vector, are sums of the rewards."""
    env = RecordEpisodeStatistics(make())
    env.reset(seed=0)
    steps = [env.step(env.action_space.sample()) for _ in range(4)]
    assert steps[-1][-1]["episode"]["r"] == pytest.approx(sum(step[1] for step in steps))
    pool = training_episodes(preset("tiny", n_slots=3), 2)
    vector = RecordVectorStatistics(gym.make_vec(ID, num_envs=2, instances=pool))
    vector.reset(seed=0)
    rewards = [vector.step(vector.action_space.sample()) for _ in range(3)]
    total = sum(step[1] for step in rewards)
    np.testing.assert_allclose(rewards[-1][-1]["episode"]["r"], total)


def test_the_name_may_say_where_it_is_registered() -> None:
    """`drl:` before the name imports the package, for programs that only take a name."""
    assert gym.make(f"drl:{ID}", scenario="tiny", instances=1).unwrapped.batch.n_devices == 3


def test_many_environments_take_many_instances_and_seeds() -> None:
    """One for all, or one each, by position or name; other numbers of them are refused."""
    pool = training_episodes(preset("tiny", n_slots=2), 3)
    env = gym.make_vec(ID, num_envs=2, instances=pool)
    names = ["seed-1000002", "seed-1000000"]
    for wanted, expected in (("seed-1000001", [1, 1]), (names, [2, 0]), (np.array([1, 2]), [1, 2])):
        assert env.reset(seed=0, options={"instance": wanted})[1]["instance"].tolist() == expected
    assert env.reset(seed=[4, 5])[0]["devices"].shape[0] == 2
    with pytest.raises(InstanceError, match="one position, or 2"):
        env.reset(options={"instance": [0, 1, 2]})
    for seed in ([1, 2, 3], [1, None], 0.5):
        with pytest.raises(ValueError, match="an integer, or 2 of them"):
            env.reset(seed=seed)


@pytest.mark.parametrize("wanted", ["seed-7", 0.5, True, [None], {"a": 1}])
def test_no_instance_is_guessed(wanted: Any) -> None:
    """What is neither a name nor a whole position is refused, not rounded to one."""
    with pytest.raises(InstanceError, match="allowed is one of seed-1000000, seed-1000001, or its"):
        make().reset(seed=0, options={"instance": wanted})

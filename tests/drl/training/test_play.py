"""Truths about episodes that a run plays at once."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from drl.agents.ppo import Ppo
from drl.agents.registry import build_learner, settings_of
from drl.core.learner import Learner
from drl.core.nets import Streams
from drl.core.settings import SettingsError
from drl.env.pool import FreshEpisodes
from drl.training.play import Stage
from drl.training.policy import sizes_of
from drl.training.train import Plan
from satedge.problem.scenario import preset

TINY, SLOTS = preset("tiny", n_slots=5), 5


def learner(method: str, seeds: tuple[int, ...]) -> Learner:
    chosen = settings_of(method, hidden=(16, 16), batch=8)
    return build_learner(chosen, sizes_of(TINY), Streams(seeds))


def stage(seeds: tuple[int, ...], together: int) -> Stage:
    return Stage(FreshEpisodes(TINY, range(1000), 8), seeds, together, "cpu")


def test_the_learner_sees_one_whole_episode_after_the_other() -> None:
    """What follows a slot is the next one, up to the episode's end; episodes differ."""
    agent = learner("hybrid-ppo", (0, 5))
    assert isinstance(agent, Ppo)
    figures = stage((0, 5), 3).play(agent)
    rows = agent.rollout
    assert [float(row["end"]) for row in rows] == [0.0, 0.0, 0.0, 0.0, 1.0] * 3
    for t, (row, following) in enumerate(pairwise(rows)):
        same = torch.equal(row["next_obs"], following["obs"])
        assert same == ((t + 1) % SLOTS != 0)
    first = [rows[i]["obs"] for i in range(0, 15, 5)]
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    reward = torch.stack([row["reward"] for row in rows]).mean(dim=0)
    torch.testing.assert_close(torch.from_numpy(figures["reward"]).float(), reward)


@pytest.mark.parametrize(("together", "rounds"), [(1, 30), (4, 9), (3, 9)])
def test_no_run_plays_an_episode_twice(together: int, rounds: int) -> None:
    """Over several blocks of eight; runs take a block's episodes in orders of their own."""
    agent, playing = learner("ddpg", (0, 5)), stage((0, 5), together)
    seen: list[list[int]] = [[], []]
    for _ in range(rounds):
        playing.play(agent)
        env = playing.env
        seeds = [env.pool.instances[i].seed for i in env.instance]
        for run, mine in enumerate(seen):
            mine += seeds[run * together : (run + 1) * together]
    assert all(len(set(mine)) == rounds * together for mine in seen)
    assert max(seen[0]) >= 24
    assert seen[0][:8] != seen[1][:8]


def test_seeds_come_again_only_when_all_have_been() -> None:
    """Ten seeds in blocks of four: the third block ends with the first two."""
    blocks = FreshEpisodes(TINY, range(20, 30), 4)
    seeds = [i.seed for number in range(3) for i in blocks(number).instances]
    assert seeds == [*range(20, 30), 20, 21]


@pytest.mark.parametrize("method", ["adsac", "adsac+", "d3qn", "ddpg"])
def test_a_run_at_once_does_not_depend_on_those_beside_it(method: str) -> None:
    """Two episodes at once: a run's replay is the same alone and beside another."""
    both, alone = learner(method, (0, 5)), learner(method, (5,))
    stage((0, 5), 2).play(both)
    stage((5,), 2).play(alone)
    mine, theirs = alone.parts()["replay"].state(), both.parts()["replay"].state()
    assert int(mine["@position"][0]) >= 2 * SLOTS
    for name in ("obs", "choice", "numbers", "reward", "next_obs"):
        torch.testing.assert_close(mine[name][0], theirs[name][1])


def test_rounds_that_do_not_fit_are_refused() -> None:
    """A round's episodes divide the epochs, and PPO's rollout."""
    with pytest.raises(SettingsError, match="divisor of epochs"):
        Plan("adsac", settings_of("adsac"), TINY, (0,), epochs=10, together=3)
    with pytest.raises(SettingsError, match="divisor of rollout_epochs"):
        Plan("ppo", settings_of("ppo"), TINY, (0,), epochs=12, together=4)
    with pytest.raises(SettingsError, match="together = 0"):
        Plan("adsac", settings_of("adsac"), TINY, (0,), together=0)

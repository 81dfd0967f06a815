"""Our learners beside Stable-Baselines3's on this problem, behind the wrappers, at equal slots.

    python benchmarks/compare_sb3_offloading.py

As in compare_sb3.py, with the training episodes of `drl.training.train` to learn from and its
validation episodes to be judged by; powers start at 10 mW on both sides, as for all our learners.

Three seeds after 15,000 slots, means over the slots of the validation episodes, two cores shared
with other work:

| | reward | cost | late requests a slot | s a seed |
| --- | --- | --- | --- | --- |
| PPO, ours, scores | 0.638 [0.622, 0.653] | 72 [41, 89] | 1.88 [1.77, 1.95] | 6 |
| PPO, Stable-Baselines3, scores | 0.592 [0.555, 0.614] | 85 [79, 88] | 2.13 [2.00, 2.28] | 17 |
| DDPG, ours, scores | 0.426 [0.088, 0.618] | 221 [73, 516] | 3.45 [1.61, 6.84] | 25 |
| DDPG, Stable-Baselines3, scores | 0.116 [0.100, 0.141] | 1292 [454, 2925] | 4.57 [2.9, 6.8] | 55 |
| PPO, ours, discrete | 0.551 [0.491, 0.597] | 100 [68, 144] | 2.39 [2.07, 2.85] | 11 |
| MaskablePPO, sb3-contrib, discrete | 0.474 [0.430, 0.507] | 88 [86, 92] | 2.71 [2.51, 2.98] | 71 |
| D3QN, ours, discrete | 0.573 [0.506, 0.617] | 110 [62, 197] | 2.17 [1.93, 2.63] | 8 |
| AD-SAC-D, ours, discrete | 0.744 [0.728, 0.762] | 92 [63, 143] | 1.10 [0.99, 1.15] | 13 |
"""

import time
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from compare_sb3 import Found, Task, sb3_model, tell
from sb3_contrib import MaskablePPO

import drl  # noqa: F401 (registers the environment)
from drl.agents.ppo import Ppo
from drl.agents.registry import settings_of
from drl.core.layout import Layout, lift
from drl.core.nets import Streams
from drl.core.products import fast_products
from drl.env.pool import Pool
from drl.env.wrappers import DiscreteActions, FlatObservation, ScoreActions
from drl.training.policy import sizes_of
from drl.training.train import VALIDATION_SEEDS, Plan, Trainer, evaluate
from satedge.problem.generation.generate import TRAIN_SEEDS, generate
from satedge.problem.scenario import preset

PAPER = preset("paper")
SLOTS = 15_000
SMALL = {"hidden": (128, 128)}
#: Ten updates an episode of 100 slots; DDPG, which learns nothing in so few, one a slot. PPO's
#: rollout is ten episodes.
OFF_POLICY = Task(SLOTS, every=100, updates=10)
DDPG_TASK = Task(SLOTS, every=100, updates=100)
ON_POLICY = Task(SLOTS, every=1000)


class Lifted(gym.ActionWrapper):
    """Scores with powers from 10 mW on, as all our learners have."""

    def action(self, action):
        batch = self.unwrapped.batch
        n_scores = batch.n_devices * batch.n_servers
        numbers = lift(torch.from_numpy(action[n_scores:]), batch.n_devices)
        return np.concatenate([action[:n_scores], numbers.numpy()])


def offloading(pool, discrete):
    """The environment with flat observations and scores, or with everything discrete."""
    base = gym.make("satedge/Offloading-v0", instances=pool)
    return FlatObservation(DiscreteActions(base) if discrete else Lifted(ScoreActions(base)))


def ours_on_offloading(method, settings, task, seeds, kind=None):
    """Validation figures of our policies; `kind` is a layout that the method does not come in."""
    trainer = Trainer(Plan(method, settings, PAPER, tuple(seeds)), Path())
    if kind is not None:
        trainer.learner = Ppo(settings, Layout(kind, sizes_of(PAPER)), Streams(seeds))
    began = time.process_time()
    for _ in range(task.steps // PAPER.n_slots):
        trainer._episode()
        with fast_products():
            trainer.learner.learn(task.updates)
    seconds = time.process_time() - began
    found = evaluate(trainer.learner.actor, trainer.judges, len(seeds))
    return Found({n: list(found[f"validation_{n}"]) for n in ("reward", "cost", "misses")}, seconds)


def sb3_on_offloading(settings, task, seeds, kind=None):
    """The same figures of Stable-Baselines3's policies, by default on scores."""
    seeds_to_play = TRAIN_SEEDS[: SLOTS // PAPER.n_slots], VALIDATION_SEEDS
    train, judges = (Pool([generate(PAPER, s) for s in r]) for r in seeds_to_play)
    discrete = kind is not None
    found = Found({"reward": [], "cost": [], "misses": []})
    for seed in seeds:
        model = sb3_model(settings, task, offloading(train, discrete), seed, kind)
        began = time.process_time()
        model.learn(task.steps)
        found.seconds += time.process_time() - began
        for name, value in play_offloading(model, offloading(judges, discrete), discrete).items():
            found.figures[name].append(value)
    return found


def play_offloading(model, env, discrete):
    """Means over the slots of all episodes, as `drl.training.train.evaluate` has them."""
    rows = []
    for i in range(len(env.unwrapped.batch.pool.instances)):
        obs, _ = env.reset(seed=i, options={"instance": i})
        ended = False
        while not ended:
            masks = {"action_masks": env.get_wrapper_attr("action_masks")()} if discrete else {}
            action, _ = model.predict(obs, deterministic=True, **masks)
            obs, reward, _, ended, info = env.step(action)
            rows.append((reward, info["cost"], info["misses"]))
    return dict(zip(("reward", "cost", "misses"), np.mean(rows, axis=0).tolist(), strict=True))


def compare_offloading(seeds=range(3)):
    """The table of this problem: scores first, then everything discrete."""
    ppo = settings_of("ppo", **SMALL)
    ddpg = settings_of("ddpg", **SMALL).replace(critic_rate=1e-4)  # theirs has one rate
    d3qn, adsac_d = settings_of("d3qn", **SMALL), settings_of("adsac-d", **SMALL)
    print(f"satedge/Offloading-v0, paper, {SLOTS} slots")
    for name, settings, task in (("PPO", ppo, ON_POLICY), ("DDPG", ddpg, DDPG_TASK)):
        tell(f"{name}, ours, scores", ours_on_offloading(name.lower(), settings, task, seeds))
        tell(f"{name}, Stable-Baselines3, scores", sb3_on_offloading(settings, task, seeds))
    tell("PPO, ours, discrete", ours_on_offloading("ppo", ppo, ON_POLICY, seeds, "discrete"))
    found = sb3_on_offloading(ppo, ON_POLICY, seeds, MaskablePPO)
    tell("MaskablePPO, sb3-contrib, discrete", found)
    tell("D3QN, ours, discrete", ours_on_offloading("d3qn", d3qn, OFF_POLICY, seeds))
    tell("AD-SAC-D, ours, discrete", ours_on_offloading("adsac-d", adsac_d, OFF_POLICY, seeds))


if __name__ == "__main__":
    torch.set_num_threads(1)
    compare_offloading()

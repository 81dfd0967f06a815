"""Gradient updates a second against Stable-Baselines3, PPO's speed, and the time of a decision.

    make bench

Seconds are those of the processor on one thread; subjects take turns and the best turn of each
counts, so a busy machine disturbs little, and all of them alike. An update of AD-SAC covers both
agents (value, soft Q, policy, temperature) and the maximum a posteriori step; Stable-Baselines3's
SAC has one agent and two critics. Same layers (3 x 256), batch (64), observation and action sizes.
"""

import time
from contextlib import nullcontext
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.logger import Logger

from drl.agents.registry import build_learner, settings_of
from drl.core.nets import Streams
from drl.core.products import fast_products
from drl.env.spaces import Encoder
from drl.training.policy import Policy, names, sizes_of, solve
from drl.training.train import Plan, Trainer
from satedge.problem.generation.generate import generate
from satedge.problem.scenario import preset

PAPER = preset("paper")
TURNS = 12


def rates(turns):
    """Best work per processor second of each subject; a turn returns the work it did."""
    best = dict.fromkeys(turns, 0.0)
    for _ in range(TURNS):
        for name, turn in turns.items():
            began = time.process_time()
            work = turn()
            best[name] = max(best[name], work / (time.process_time() - began))
    return best


def table(title, found, unit):
    print(f"\n{title}")
    for name, rate in found.items():
        print(f"{name:>34}: {rate:9.1f} {unit}")


def sb3_turn(obs_dim, n_actions, products=nullcontext):
    """Ten updates of Stable-Baselines3's SAC on a full replay buffer.

    `products`: in which torch multiplies; as it comes, Stable-Baselines3 has torch's default.
    """

    class Still(gym.Env):
        observation_space = gym.spaces.Box(-1, 1, (obs_dim,), np.float32)
        action_space = gym.spaces.Box(-1, 1, (n_actions,), np.float32)

        def reset(self, *, seed=None, options=None):
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 0.0, False, False, {}

    net = {"net_arch": [256, 256, 256]}
    model = SAC("MlpPolicy", Still(), batch_size=64, buffer_size=2000, policy_kwargs=net, seed=0)
    model.set_logger(Logger(None, []))
    model.learn(300)

    def turn():
        with products():
            model.train(gradient_steps=10, batch_size=64)
        return 10

    return turn


def learner_turn(method, runs, **changes):
    """Updates of our learner on a replay buffer filled by playing; the work counts every run."""
    plan = Plan(method, settings_of(method, **changes), PAPER, tuple(range(runs)))
    trainer = Trainer(plan, Path("/nonexistent"), pool=training_pool())
    trainer._episode()

    def turn():
        with fast_products():
            trainer.learner.learn(2)
        return 2 * runs

    return turn


_POOL = []


def training_pool():
    if not _POOL:
        _POOL.extend(generate(PAPER, 1_000_000 + i) for i in range(4))
    return _POOL


def product_turn(runs, products=fast_products, dtype=torch.float32):
    """Products of the hidden layers' size, in 1e9 floating-point operations."""
    x, weight = (torch.randn(runs, n, 256).to(dtype) for n in (64, 256))

    def turn():
        with products():
            for _ in range(50):
                torch.bmm(x, weight)
        return 50 * 2 * runs * 64 * 256 * 256 / 1e9

    return turn


def operations(method):
    """Floating-point operations of one run's update in 1e9, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    plan = Plan(method, settings_of(method), PAPER, (0,))
    trainer = Trainer(plan, Path("/nonexistent"), pool=training_pool())
    trainer._episode()
    with FlopCounterMode(display=False) as counter:
        trainer.learner.learn(1)
    return counter.get_total_flops() / 1e9


def test_updates_per_second(benchmark):
    """Both agents and the MPO step, against one Stable-Baselines3 SAC in the same run."""
    sizes = sizes_of(PAPER)
    n_actions = sizes.n_devices * (sizes.n_servers + 1) + 2 * sizes.n_uavs
    turns = {
        "Stable-Baselines3 SAC": sb3_turn(sizes.obs_dim, n_actions),
        "the same with oneDNN": sb3_turn(sizes.obs_dim, n_actions, fast_products),
        "adsac, one run": learner_turn("adsac", 1),
        "adsac, five runs": learner_turn("adsac", 5),
        "the same, MPO step in bfloat16": learner_turn("adsac", 5, mpo_precision="bfloat16"),
        "adsac without MPO, five runs": learner_turn("adsac", 5, mpo=False),
        "adsac+, five runs": learner_turn("adsac+", 5),
        "ddpg, five runs": learner_turn("ddpg", 5),
        "d3qn, five runs": learner_turn("d3qn", 5),
    }
    found = rates(turns)
    table("run-updates per processor second", found, "1/s")
    product = rates(
        {
            "float32, oneDNN": product_turn(5),
            "float32, torch's default": product_turn(5, nullcontext),
            "bfloat16": product_turn(5, nullcontext, torch.bfloat16),
        }
    )
    table("matrix products 64 x 256 x 256, five runs", product, "GFLOP/s")
    share = found["adsac, five runs"] * operations("adsac") / product["float32, oneDNN"]
    ratio = found["adsac, five runs"] / found["Stable-Baselines3 SAC"]
    half = found["the same, MPO step in bfloat16"] / found["Stable-Baselines3 SAC"]
    print(f"adsac, five runs: {ratio:.2f} of one SAC on one core, {2 * ratio:.2f} on two,")
    print(f"with the MPO step in bfloat16 {half:.2f} and {2 * half:.2f};")
    print(f"{share:.0%} of the processor's time at the rate of matrix products")
    benchmark.extra_info.update({name: round(rate, 1) for name, rate in found.items()})
    benchmark.extra_info.update(ratio_on_one_core=round(ratio, 2), product_share=round(share, 2))
    benchmark.pedantic(turns["adsac, five runs"], rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("method", ["ppo", "hybrid-ppo"])
def test_ppo_steps_per_second(method, benchmark):
    """Environment steps a second of playing and learning together: five runs, whole rollouts."""
    settings = settings_of(method)
    found = {}
    for together in (1, settings.rollout_epochs):
        plan = Plan(method, settings, PAPER, tuple(range(5)), together=together)
        trainer = Trainer(plan, Path("/nonexistent"), pool=training_pool())

        def turn(trainer=trainer, rounds=settings.rollout_epochs // together):
            for _ in range(rounds):
                trainer._episode()
                trainer._learn()
            return settings.rollout_epochs * PAPER.n_slots * 5

        began = time.process_time()
        found[f"{together} at once"] = turn() / (time.process_time() - began)
    table(f"environment steps per processor second, {method}, five runs", found, "1/s")
    benchmark.extra_info.update({name: round(rate) for name, rate in found.items()})
    benchmark.pedantic(lambda: None, rounds=1)
    assert max(found.values()) >= 2100


@pytest.mark.parametrize("method", ["adsac", "adsac+", "ddpg", "d3qn", "ppo"])
def test_a_decision_takes_at_most_a_millisecond(method, benchmark):
    """From a slot's data to raw decisions, observation included."""
    torch.set_num_threads(1)
    actor = build_learner(settings_of(method), sizes_of(PAPER), Streams([0])).actor
    policy = Policy(actor, Encoder(PAPER), {})
    slot = generate(PAPER, 1).window(3, 4)
    policy.act(slot, 3)

    def turn():
        for _ in range(20):
            policy.act(slot, 3)
        return 20

    rate = rates({method: turn})[method]
    table("decisions per processor second", {method: rate}, "1/s")
    benchmark.pedantic(turn, rounds=3)
    assert rate >= 1000


def test_a_trained_episode(benchmark):
    """Rollout of a committed policy through an episode of 100 slots, projector included."""
    known = names("paper")
    if not known:
        pytest.skip("no trained policies under results/policies/paper")
    instance = generate(PAPER, 1)
    benchmark(lambda: solve(instance, policy=known[0]))

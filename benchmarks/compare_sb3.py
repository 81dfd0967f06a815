"""Our PPO, DDPG and AD-SAC beside Stable-Baselines3's PPO, DDPG and SAC on gymnasium's Pendulum-v1.

    python benchmarks/compare_sb3.py

Same network, rates, batch, number of steps and of updates. Seeds of ours are trained together in
one batched network, those of Stable-Baselines3 one after the other. What remains different: ours
squeezes PPO's Gaussian by tanh where theirs clips it, clips the gradients of policy and value apart
where theirs clips them together, and starts its last layer small. Seconds are those of the
processor on one thread. Intervals are bootstrapped over seeds.

Five seeds, mean return of 20 episodes of each final policy (a random one: -1112), two cores shared
with other work; AD-SAC's continuous agent alone, with its MPO step, beside SAC:

| | PPO, 61,440 steps | DDPG, 10,000 | AD-SAC-C, 10,000 | s a seed |
| --- | --- | --- | --- | --- |
| ours | -168 [-218, -139] | -123 [-124, -122] | -121 [-122, -120] | 6, 5, 9 |
| centred | -144 [-146, -140] | -123 [-124, -121] | -121 [-122, -120] | 6, 5, 8 |
| theirs | -244 [-429, -147] | -122 [-124, -121] | -122 [-124, -121] | 25, 15, 26 |
"""

import time
from dataclasses import dataclass, field

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import DDPG, PPO, SAC
from stable_baselines3.common.noise import NormalActionNoise

from drl.agents.ad_sac import AdSac, AdSacSettings
from drl.agents.ddpg import Ddpg, DdpgSettings
from drl.agents.ppo import Ppo, PpoSettings
from drl.core.layout import Layout, Sizes
from drl.core.learner import Action, Transition, View
from drl.core.nets import Streams
from drl.core.products import fast_products
from satedge.bench.score.stats import mean_interval

CONTROL = "Pendulum-v1"
#: Seeds of the episodes that a trained policy plays.
JUDGES = range(10_000, 10_020)


@dataclass(frozen=True)
class Task:
    """How long to train: `updates` gradient updates every `every` steps, after `start` steps at
    random. PPO's updates follow from its passes and batch."""

    steps: int
    every: int
    updates: int = 1
    start: int = 0


@dataclass
class Found:
    """What a subject reached: figures by name, one value a seed, and seconds of all seeds."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0


PPO_CONTROL = (
    PpoSettings(
        hidden=(64, 64),
        actor_rate=1e-3,
        critic_rate=1e-3,
        gamma=0.9,
        batch=64,
        rollout_epochs=1,
        passes=10,
        log_std=0.0,
    ),
    Task(steps=61_440, every=2048),
)
DDPG_CONTROL = (
    DdpgSettings(
        hidden=(64, 64),
        actor_rate=1e-3,
        critic_rate=1e-3,
        gamma=0.98,
        batch=128,
        buffer=20_000,
        noise=0.1,
    ),
    Task(steps=10_000, every=1, start=500),
)
SAC_CONTROL = (
    AdSacSettings(
        layout="continuous",
        hidden=(64, 64),
        gamma=0.98,
        batch=128,
        buffer=20_000,
        temperature=0.1,
    ),
    Task(steps=10_000, every=1, start=500),
)
LEARNERS = {PpoSettings: Ppo, DdpgSettings: Ddpg, AdSacSettings: AdSac}


class Plain(Layout):
    """Numbers in [-1, 1] and nothing else: the layout of a standard control task."""

    @property
    def n_continuous(self) -> int:
        return self.sizes.n_devices

    def dim_weight(self, mask: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(active, dtype=torch.float32)


def view_of(obs, n_numbers):
    """Observations (R, D) of R runs as learners see them; `active` has the numbers' shape."""
    runs = len(obs)
    active = torch.ones(runs, 1, n_numbers, dtype=torch.bool)
    seen = torch.from_numpy(np.asarray(obs, np.float32))[:, None]
    return View(seen, active[..., None], active)


def train_control(settings, task, seeds):
    """Our learner on the control task, all seeds together."""
    envs = [gym.make(CONTROL) for _ in seeds]
    box = envs[0].action_space
    sizes = Sizes(box.shape[0], 1, 0, envs[0].observation_space.shape[0])
    kind = LEARNERS[type(settings)]
    learner = kind(settings, Plain("continuous", sizes), Streams(seeds))
    obs = [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    for step in range(1, task.steps + 1):
        view = view_of(obs, sizes.n_devices)
        action = learner.act(view)
        if step <= task.start:
            numbers = 2 * learner.streams.uniform(1, sizes.n_devices) - 1
            action = Action(action.choice, numbers)
        moves = action.numbers[:, 0].numpy() * box.high
        made = [env.step(move) for env, move in zip(envs, moves, strict=True)]
        obs, ended = [m[0] for m in made], made[0][3]
        reward = torch.tensor([[m[1]] for m in made], dtype=torch.float32)
        following = view_of(obs, sizes.n_devices)
        cost = torch.zeros(len(seeds), 1, sizes.n_devices)
        learner.observe(Transition(view, action, reward, following, cost, ended))
        if ended:
            obs = [env.reset()[0] for env in envs]
        if step > task.start and step % task.every == 0:
            with fast_products():
                learner.learn(task.updates)
    return learner


def play_control(decide, run=0):
    """Mean return of the deterministic policy over the judges' episodes."""
    env = gym.make(CONTROL)
    returns = []
    for seed in JUDGES:
        obs, ended, total = env.reset(seed=seed)[0], False, 0.0
        while not ended:
            obs, reward, _, ended, _ = env.step(decide(obs, run))
            total += float(reward)
        returns.append(total)
    return float(np.mean(returns))


def ours_on_control(settings, task, seeds):
    """Returns of our policies, one a seed."""
    began = time.process_time()
    learner = train_control(settings, task, seeds)
    seconds = time.process_time() - began
    high = gym.make(CONTROL).action_space.high

    @torch.no_grad()
    def decide(obs, run):
        view = view_of(np.repeat(obs[None], len(seeds), axis=0), len(high))
        return learner.actor.decide(view.obs, view.mask, view.active)[1][run, 0].numpy() * high

    return Found({"return": [play_control(decide, r) for r in range(len(seeds))]}, seconds)


def sb3_model(settings, task, env, seed, kind=None):
    """Stable-Baselines3's learner with our settings."""
    s, net = settings, {"net_arch": list(settings.hidden), "activation_fn": torch.nn.ReLU}
    shared = {"batch_size": s.batch, "gamma": s.gamma, "seed": seed, "device": "cpu"}
    shared["learning_rate"] = s.actor_rate
    replayed = {
        "buffer_size": s.buffer,
        "learning_starts": task.start,
        "tau": s.tau,
        "train_freq": (task.every, "step"),
        "gradient_steps": task.updates,
        "policy_kwargs": net,
    }
    if isinstance(s, DdpgSettings):
        n = env.action_space.shape[0]
        noise = NormalActionNoise(np.zeros(n), np.full(n, s.noise))
        return DDPG("MlpPolicy", env, action_noise=noise, **replayed, **shared)
    if isinstance(s, AdSacSettings):
        n = env.action_space.shape[0]
        entropy = {"ent_coef": f"auto_{s.temperature}", "target_entropy": n * s.continuous_entropy}
        return SAC("MlpPolicy", env, **entropy, **replayed, **shared)
    if kind is None:
        kind, net = PPO, net | {"log_std_init": s.log_std}
    return kind(
        "MlpPolicy",
        env,
        n_steps=task.every,
        n_epochs=s.passes,
        gae_lambda=s.gae_lambda,
        clip_range=s.clip,
        ent_coef=s.entropy_bonus,
        vf_coef=s.value_weight / 2,  # ours halves the squared error
        max_grad_norm=s.gradient_limit,
        policy_kwargs=net,
        **shared,
    )


def sb3_on_control(settings, task, seeds):
    """Returns of Stable-Baselines3's policies, one a seed."""
    found = Found({"return": []})
    for seed in seeds:
        model = sb3_model(settings, task, gym.make(CONTROL), seed)
        began = time.process_time()
        model.learn(task.steps)
        found.seconds += time.process_time() - began

        def decide(obs, _, model=model):
            return model.predict(obs, deterministic=True)[0]

        found.figures["return"].append(play_control(decide))
    return found


def random_on_control():
    """Return of a policy that draws its actions uniformly."""
    space = gym.make(CONTROL).action_space
    space.seed(0)
    return play_control(lambda obs, run: space.sample())


def compare_control(seeds=range(5)):
    """The table of the control task, a subject at a time."""
    print(f"{CONTROL}: a uniformly random policy returns {random_on_control():.0f}")
    tasks = {"PPO": (PPO_CONTROL, "PPO"), "DDPG": (DDPG_CONTROL, "DDPG")}
    tasks["AD-SAC-C"] = SAC_CONTROL, "SAC"
    for name, ((settings, task), theirs) in tasks.items():
        tell(f"{name}, ours", ours_on_control(settings.replace(centre=False), task, seeds))
        tell(f"{name}, ours, rewards centred", ours_on_control(settings, task, seeds))
        tell(f"{theirs}, Stable-Baselines3", sb3_on_control(settings, task, seeds))


def tell(name, found):
    """One line of the table: means with intervals over seeds, seconds a seed."""
    parts = []
    for figure, values in found.figures.items():
        mean = mean_interval(values)
        parts.append(f"{figure} {mean.value:9.4g} [{mean.low:.4g}, {mean.high:.4g}]")
    seconds = found.seconds / len(values)
    print(f"{name:>36}: {'  '.join(parts)}  {seconds:.0f} s a seed", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    compare_control()

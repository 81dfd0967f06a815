"""What a critic of AD-SAC knows: does it see what another server would do to the reward?

    python benchmarks/critic_insight.py FOLDER [FOLDER ...]

FOLDER is that of a training (`satedge train adsac --out FOLDER`); its checkpoint is read. In every
slot of the validation episodes the policies' most probable action is played, then the same slot
once more with one random device sent to another random server. The referee says what that did to
the reward, the critics (mean of both agents') what they believe it did to the return. Later slots
hardly depend on a server, so the two should agree but for noise.

Printed, means over runs:

- reward: of the most probable actions;
- blind: 1 minus the correlation of believed and true changes;
- better, found: share of changes that are truly better, and of these the share believed so;
- signal, noise: standard deviations of true changes, and of the discounted value of the next slot
  over the replay, which critics learn on top of the reward;
- dead: share of the critics' units, layer by layer, that no slot of the replay switches on.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from drl.agents.registry import METHODS
from drl.env.vector_env import OffloadingBatch
from drl.training import checkpoint
from drl.training.train import Plan, Trainer
from satedge.problem.generation.generate import generate
from satedge.problem.scenario import Scenario


def restored(folder):
    """The trainer of a folder with the networks and the replay of its checkpoint."""
    state, text = checkpoint.read(folder / "checkpoint.safetensors")
    told = text["plan"]
    limits = {n: told[n] for n in ("epochs", "updates_per_epoch", "validate_every")}
    settings = type(METHODS[told["method"]]).from_dict(told["settings"])
    world = Scenario.from_dict(told["scenario"])
    plan = Plan(told["method"], settings, world, tuple(text["seeds"]), **limits)
    trainer = Trainer(plan, folder, pool=[generate(world, plan.train_seeds[0])])
    parts = trainer.learner.parts()
    checkpoint.spread(
        state, {name: parts[name] for name in ("actor", "critic", "target", "replay")}
    )
    return trainer


def kept(trainer):
    """Everything in the replay, by field."""
    replay = trainer.learner.replay
    fields = replay.state().items()
    return {name: value[:, : replay.size] for name, value in fields if name[0] != "@"}


def changed(choice, mask, active, rng):
    """Choices (E, K) with one device's server changed in every environment where one can be, and
    where that was."""
    other, done = choice.copy(), np.zeros(len(choice), bool)
    for i, device in enumerate(rng.integers(0, choice.shape[1], len(choice))):
        free = np.flatnonzero(mask[i, device] & (np.arange(mask.shape[2]) != choice[i, device]))
        if active[i, device] and len(free):
            other[i, device], done[i] = rng.choice(free), True
    return other, done


def insight(trainer):
    """Rewards, believed and true changes of every run."""
    learner, runs, n = trainer.learner, len(trainer.plan.seeds), len(trainer.judges)
    env, rng = OffloadingBatch(trainer.judges, runs * n), np.random.default_rng(0)
    obs, mask, active = env.reset(instances=np.tile(np.arange(n), runs), seed=0)
    rewards, believed, true = [], [[] for _ in range(runs)], [[] for _ in range(runs)]
    for _ in range(trainer.judges[0].n_slots):
        seen = [torch.from_numpy(x).unflatten(0, (runs, n)) for x in (obs, mask, active)]
        choice, numbers = learner.actor.decide(*seen)
        other, done = changed(choice.flatten(0, 1).numpy(), mask, active, rng)
        state, found, values = env.state(), [], []
        for servers in (torch.from_numpy(other).view_as(choice), choice):
            env.restore(state)
            decided = learner.layout.decode(servers, numbers, seen[1])
            found.append(env.step(*(x.flatten(0, 1).numpy() for x in decided)))
            action = learner.layout.chosen(servers, numbers, *seen[1:])[:, None]
            values.append(learner.critic.several(seen[0], action).view(-1, runs * n))
        change = found[0].reward - found[1].reward
        belief = (values[0] - values[1]).mean(dim=0).numpy()
        rewards.append(found[1].reward.reshape(runs, n).mean(axis=1))
        for run, which in enumerate(done.reshape(runs, n)):
            believed[run].extend(belief.reshape(runs, n)[run, which])
            true[run].extend(change.reshape(runs, n)[run, which])
        obs, mask, active = found[1].obs, found[1].mask, found[1].active
    return np.mean(rewards, axis=0), believed, true


def dead(trainer):
    """Share of dead units of every hidden layer of the critics."""
    learner, batch = trainer.learner, kept(trainer)
    action = learner.layout.chosen(
        batch["choice"], batch["numbers"], batch["mask"], batch["active"]
    )
    obs, action = (torch.cat([x] * learner.n_agents) for x in (batch["obs"], action))
    x = torch.baddbmm(learner.critic.seen(obs), action, learner.critic.action).relu()
    shares = [float((x.amax(dim=1) == 0).float().mean())]
    for layer in learner.critic.mlp.layers[1:-1]:
        x = layer(x).relu()
        shares.append(float((x.amax(dim=1) == 0).float().mean()))
    return shares


@torch.no_grad()
def tell(folder):
    """One line."""
    trainer = restored(folder)
    reward, believed, true = insight(trainer)
    pairs = [(np.array(b), np.array(t)) for b, t in zip(believed, true, strict=True)]
    blind = np.mean([1 - np.corrcoef(b, t)[0, 1] for b, t in pairs])
    better = np.mean([(t > 0).mean() for _, t in pairs])
    found = np.mean([(b > 0)[t > 0].mean() for b, t in pairs])
    following = trainer.learner.target(
        torch.cat([kept(trainer)["next_obs"]] * trainer.learner.n_agents)
    )
    noise = trainer.plan.settings.gamma * float(following.std(dim=1).mean())
    signal = np.mean([t.std() for _, t in pairs])
    units = " ".join(f"{share:.0%}" for share in dead(trainer))
    print(
        f"{folder.name:>24} reward {reward.mean():.3f} | blind {blind:.2f} | better {better:.0%}, "
        f"found {found:.0%} | signal {signal:.3f}, noise {noise:.3f} | dead {units}",
        flush=True,
    )


if __name__ == "__main__":
    for given in sys.argv[1:]:
        tell(Path(given))

"""PPO and Hybrid-PPO: clipped policy gradients on a rollout. Schulman et al. 2017.

PPO takes servers as scores, so that its whole action is continuous. Hybrid-PPO (Fan et al. 2019,
arXiv:1903.01344, as used for partial offloading) has categorical heads for servers and a Gaussian
for the numbers on one trunk: one network has to learn both kinds of decision, and the probability
ratio is that of the joint action. Both have a value network beside the policy, advantages by
generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438) and, at an episode's end
by time limit, the value of the state that followed. Orthogonal first weights, rates that fall and
normalisation are settings, off by default as the paper names none of them (Engstrom et al. 2020,
arXiv:2005.12729; Andrychowicz et al. 2021, arXiv:2006.05990).

With `exogenous` the advantages, but not the returns, are those of temporal differences less what
the exogenous parts of both states explain of them (drl.core.baseline).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from drl.core.actors import INDIFFERENT, Trunk, no_choice
from drl.core.agent import Agent
from drl.core.baseline import Baseline
from drl.core.layout import Layout
from drl.core.learner import Action, Transition, View
from drl.core.nets import Critic, Streams, adam, clip_by_run
from drl.core.replay import Batch, flat
from drl.core.settings import Settings, SettingsError
from satedge.problem.fields import declared, param

#: The squeezed Gaussian's numbers are kept this far from the ends, so that tanh can be undone.
EDGE = 1e-6


@declared(SettingsError, "setting")
class PpoSettings(Settings):
    """PPO; with `hybrid` categorical and Gaussian heads on one trunk."""

    hybrid: bool = param(False, "-", "Fan et al. 2019", "Hybrid-PPO; else scores of servers.")
    actor_rate: float = param(
        3e-4, "-", "Schulman et al. 2017", "Adam's rate for the policy.", above=0
    )
    critic_rate: float = param(
        3e-4, "-", "Schulman et al. 2017", "Adam's rate for the value network.", above=0
    )
    rollout_epochs: int = param(
        10, "episode", "open", "Episodes of 100 slots between updates.", low=1
    )
    passes: int = param(10, "-", "open", "Passes over them.", low=1)
    clip: float = param(0.2, "-", "Schulman et al. 2017", "Clip of the probability ratio.", above=0)
    gae_lambda: float = param(
        0.95,
        "-",
        "Schulman et al. 2016",
        "Of generalised advantage estimation.",
        low=0,
        high=1,
    )
    entropy_bonus: float = param(0.0, "-", "open", "Weight of the entropy in the loss.", low=0)
    value_weight: float = param(0.5, "-", "open", "Weight of the value loss.", low=0)
    gradient_limit: float = param(0.5, "-", "open", "Greatest norm of a run's gradient.", above=0)
    log_std: float = param(
        -0.5,
        "-",
        "open",
        "First log standard deviation of the Gaussian, the same in all states.",
    )
    orthogonal: bool = param(
        False, "-", "Engstrom et al. 2020", "Orthogonal first weights with gain sqrt(2)."
    )
    anneal_epochs: int = param(
        0,
        "episode",
        "Engstrom et al. 2020",
        "Episodes over which both rates fall linearly to 0; 0 keeps them as they are.",
        low=0,
    )
    normalise: bool = param(
        False, "-", "Ba et al. 2016", "Layer normalisation in both networks' hidden layers."
    )


class Ppo:
    """R runs of PPO; the layout decides whether there are heads."""

    def __init__(self, settings: PpoSettings, layout: Layout, streams: Streams) -> None:
        self.settings, self.layout, self.streams = settings, layout, streams
        s = settings
        self.actor = Trunk(layout, s.hidden, streams, s.log_std, s.normalise)
        size = layout.sizes.obs_dim
        self.value = Critic(streams, size, 0, s.hidden, normalise=s.normalise)
        if s.orthogonal:
            self.actor.net.orthogonal(streams, INDIFFERENT)
            self.value.mlp.orthogonal(streams, 1.0)
        self.optimiser = adam(
            [
                {"params": list(self.actor.parameters()), "lr": s.actor_rate},
                {"params": list(self.value.parameters()), "lr": s.critic_rate},
            ]
        )
        self.baseline = Baseline(layout.sizes, s.exogenous)
        self.rollout: list[Batch] = []
        self.epochs = torch.zeros((), dtype=torch.int64)

    @torch.no_grad()
    def act(self, view: View) -> Action:
        """Draw from the policy."""
        heads, numbers = self.actor.policies(view.obs, view.mask, view.active)
        choice = no_choice(view.obs)
        if heads is not None:
            choice = heads.draw(self.streams.uniform(*heads.weight.shape[1:]))
        raw = numbers.sample_raw(self.streams.normal(*numbers.mean.shape[1:]))
        return Action(choice, raw.tanh().clamp(EDGE - 1, 1 - EDGE))

    def observe(self, transition: Transition) -> None:
        """Keep the slot until the rollout is complete."""
        kept = flat(transition)
        self.rollout.append(kept | {"end": kept["reward"].new_tensor(float(transition.truncated))})

    def learn(self, updates: int) -> dict[str, Tensor]:
        """End an epoch; when the rollout is complete, pass over it. `updates` is not used."""
        self.epochs += 1
        if int(self.epochs) % self.settings.rollout_epochs:
            return {}
        data = self.prepare({name: self._column(name) for name in self.rollout[0]})
        self.rollout.clear()
        self._anneal()
        figures: dict[str, Tensor] = {}
        n_slots = data["reward"].shape[1]
        runs = torch.arange(len(self.streams), device=data["reward"].device)[:, None]
        for _ in range(self.settings.passes):
            order = self.streams.uniform(n_slots).argsort(dim=1)
            for part in order.split(self.settings.batch, dim=1):
                figures = self.update({name: value[runs, part] for name, value in data.items()})
        return figures

    @torch.no_grad()
    def prepare(self, data: Batch) -> Batch:
        """Add old log-probabilities, advantages and returns to a rollout, (R, T) each."""
        end = data.pop("end")
        value = self.value(data["obs"])
        following = self.value(data["next_obs"])
        s, reward = self.settings, data["reward"]
        if s.centre:  # as in drl.core.replay.learn_from, over the rollout
            reward = reward - reward.mean(dim=1, keepdim=True)
        steps = (value, following, end, s.gamma, s.gae_lambda)
        gain = advantages(reward, *steps)
        difference = reward + s.gamma * following - value
        noise = self.baseline.explained(data["obs"], data["next_obs"], difference)
        log_prob, _ = self.log_prob_and_entropy(data)
        names = ("obs", "mask", "active", "choice", "numbers", "reward")
        return {name: data[name] for name in names} | {
            "old_log_prob": log_prob,
            "advantage": advantages(reward - noise, *steps) if s.exogenous else gain,
            "return": gain + value,
        }

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One step on a part of the rollout. Returns figures, (R,) each."""
        loss, figures = self.losses(batch)
        self.optimiser.zero_grad()
        loss.backward()
        for network in (self.actor, self.value):
            clip_by_run(network.parameters(), self.settings.gradient_limit)
        self.optimiser.step()
        return figures

    def losses(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum over runs of the clipped surrogate, the value loss and the entropy bonus."""
        s = self.settings
        log_prob, entropy = self.log_prob_and_entropy(batch)
        advantage = batch["advantage"]
        centred = advantage - advantage.mean(dim=1, keepdim=True)
        scaled = centred / (advantage.std(dim=1, keepdim=True) + 1e-8)
        surrogate = clipped_surrogate(log_prob, batch["old_log_prob"], scaled, s.clip)
        error = self.value(batch["obs"]) - batch["return"]
        value_loss = 0.5 * error.square().mean(dim=-1)
        loss = -surrogate.mean(dim=-1) + s.value_weight * value_loss
        loss = loss - s.entropy_bonus * entropy.mean(dim=-1)
        figures = {"value_loss": value_loss.detach(), "entropy": entropy.detach().mean(dim=-1)}
        return loss.sum(), figures

    def log_prob_and_entropy(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(R, B) of the actions taken: heads and numbers together.

        The entropy is that of the heads and of the Gaussian before its squeeze.
        """
        heads, numbers = self.actor.policies(batch["obs"], batch["mask"], batch["active"])
        raw = batch["numbers"].clamp(EDGE - 1, 1 - EDGE).atanh()
        log_prob, entropy = numbers.log_prob_raw(raw), numbers.entropy_raw()
        if heads is not None:
            log_prob, entropy = (
                log_prob + heads.log_prob(batch["choice"]),
                entropy + heads.entropy(),
            )
        return log_prob, entropy

    def _anneal(self) -> None:
        """Set the rates of the rollouts that have been played so far."""
        s = self.settings
        left = 1.0
        if s.anneal_epochs:
            left = max(0.0, 1 - (int(self.epochs) - s.rollout_epochs) / s.anneal_epochs)
        for group, rate in zip(
            self.optimiser.param_groups, (s.actor_rate, s.critic_rate), strict=True
        ):
            group["lr"] = rate * left

    def _column(self, name: str) -> Tensor:
        return torch.stack([slot[name] for slot in self.rollout], dim=-1 if name == "end" else 1)

    def parts(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "actor": self.actor,
            "value": self.value,
            "optimiser": self.optimiser,
            "streams": self.streams,
            "rollout": self.rollout,
            "epochs": self.epochs,
        }


def advantages(
    reward: Tensor, value: Tensor, following: Tensor, end: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """(R, T) A_t = delta_t + gamma lambda A_{t+1}, delta_t = r_t + gamma V(s_{t+1}) - V(s_t).

    `reward`, `value`, `following` (R, T); `end` (T,) is 1 where an episode ended by its time
    limit: its last state still has a future, V(s_{t+1}), but the sum stops there.
    Schulman et al. 2016, eq. (16).
    """
    delta = reward + gamma * following - value
    out = torch.empty_like(delta)
    later = torch.zeros_like(delta[:, 0])
    for t in reversed(range(delta.shape[1])):
        later = delta[:, t] + gamma * gae_lambda * (1 - end[t]) * later
        out[:, t] = later
    return out


def clipped_surrogate(log_prob: Tensor, old: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """min(ratio A, clip(ratio, 1 - clip, 1 + clip) A). Schulman et al. 2017, eq. (7)."""
    ratio = (log_prob - old).exp()
    return torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


AGENT = Agent(
    methods={"ppo": PpoSettings(), "hybrid-ppo": PpoSettings(hybrid=True)},
    kind=lambda s: "hybrid" if s.hybrid else "continuous",
    learner=Ppo,
    actor=lambda s, layout, streams: Trunk(layout, s.hidden, streams, normalise=s.normalise),
)

"""DDPG: a deterministic policy and its critic. Lillicrap et al. 2016 (arXiv:1509.02971).

Servers are scores in [-1, 1], the best available one is taken; powers and displacements are
numbers as they are. The critic sees the scores, not the choice they lead to.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from drl.core.actors import ScoringActor, no_choice
from drl.core.agent import Agent
from drl.core.layout import Layout
from drl.core.learner import Action, Transition, View
from drl.core.nets import Critic, Streams, adam, clone, follow
from drl.core.replay import Batch, Replay, flat, learn_from
from drl.core.settings import Settings, SettingsError
from satedge.problem.fields import declared, param


@declared(SettingsError, "setting")
class DdpgSettings(Settings):
    """DDPG on scores of servers."""

    actor_rate: float = param(
        1e-4,
        "-",
        "Lillicrap et al. 2016",
        "Adam's rate for policies. At Table 2's 1e-3 the tanh saturates within ten epochs here.",
        above=0,
    )
    noise: float = param(
        0.2,
        "-",
        "open",
        "Standard deviation of the Gaussian noise added while exploring.",
        low=0,
    )


class Ddpg:
    """R runs of DDPG."""

    def __init__(self, settings: DdpgSettings, layout: Layout, streams: Streams) -> None:
        self.settings, self.layout, self.streams = settings, layout, streams
        s, size, action = settings, layout.sizes.obs_dim, layout.n_continuous
        self.actor = ScoringActor(layout, s.hidden, streams)
        self.slow_actor = clone(self.actor, ScoringActor(layout, s.hidden, streams))
        self.critic = Critic(streams, size, action, s.hidden)
        self.slow_critic = clone(self.critic, Critic(streams, size, action, s.hidden))
        self.optimiser = adam(
            [
                {"params": list(self.actor.parameters()), "lr": s.actor_rate},
                {"params": list(self.critic.parameters()), "lr": s.critic_rate},
            ]
        )
        self.replay = Replay(s.buffer)

    @torch.no_grad()
    def act(self, view: View) -> Action:
        """The policy's numbers with Gaussian noise."""
        numbers = self.actor(view.obs)
        noise = self.settings.noise * self.streams.normal(*numbers.shape[1:])
        return Action(no_choice(view.obs), (numbers + noise).clamp(-1, 1))

    def observe(self, transition: Transition) -> None:
        """Keep the transition."""
        self.replay.add(flat(transition))

    def learn(self, updates: int) -> dict[str, Tensor]:
        """`updates` updates of both networks and their slow copies."""
        return learn_from(self.replay, self.streams, self.settings, updates, self.update)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One update. Returns figures, (R,) each."""
        loss, figures = self.losses(batch)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        follow(self.slow_actor, self.actor, self.settings.tau)
        follow(self.slow_critic, self.critic, self.settings.tau)
        return figures

    def losses(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum over runs: half the squared error of the critic, minus the policy's value."""
        weight = self.layout.dim_weight(batch["mask"], batch["active"])
        error = self.critic(batch["obs"], batch["numbers"] * weight) - self._backup(batch)
        q_loss = 0.5 * error.square().mean(dim=-1)
        numbers = self.actor(batch["obs"]) * weight
        q = self.critic(batch["obs"], numbers, frozen=True).mean(dim=-1)
        return (q_loss - q).sum(), {"q_loss": q_loss.detach(), "q": q.detach()}

    @torch.no_grad()
    def _backup(self, batch: Batch) -> Tensor:
        """(R, B) r + gamma Q'(s', pi'(s')) of the slow copies."""
        weight = self.layout.dim_weight(batch["next_mask"], batch["next_active"])
        numbers = self.slow_actor(batch["next_obs"]) * weight
        following: Tensor = self.slow_critic(batch["next_obs"], numbers)
        return batch["reward"] + self.settings.gamma * following

    def parts(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "actor": self.actor,
            "critic": self.critic,
            "slow_actor": self.slow_actor,
            "slow_critic": self.slow_critic,
            "optimiser": self.optimiser,
            "replay": self.replay,
            "streams": self.streams,
        }


AGENT = Agent(
    methods={"ddpg": DdpgSettings()},
    kind=lambda s: "continuous",
    learner=Ddpg,
    actor=lambda s, layout, streams: ScoringActor(layout, s.hidden, streams),
)

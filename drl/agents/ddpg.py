"""DDPG and TD3: a deterministic policy and its critics. Lillicrap et al. 2016 (arXiv:1509.02971).

TD3 (Fujimoto et al. 2018, arXiv:1802.09477) is DDPG with three settings: the lesser of two critics'
values as target, noise on the action that the target is the value of, and a policy that moves,
with the slow copies, in every other update.

Servers are scores in [-1, 1], the best available one is taken; powers and displacements are
numbers as they are. The critic sees the scores, not the choice they lead to.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from drl.core.actors import ScoringActor, no_choice
from drl.core.agent import Agent
from drl.core.baseline import Baseline
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
    critics: int = param(
        1, "-", "Fujimoto et al. 2018", "Critics, whose least value is the target.", low=1, high=16
    )
    smoothing: float = param(
        0.0,
        "-",
        "Fujimoto et al. 2018: 0.2",
        "Standard deviation of the noise on the target's action, cut at `smoothing_limit`.",
        low=0,
    )
    smoothing_limit: float = param(0.5, "-", "Fujimoto et al. 2018", "Greatest such noise.", low=0)
    policy_every: int = param(
        1, "-", "Fujimoto et al. 2018: 2", "Updates of the critics for one of the policy.", low=1
    )


class Ddpg:
    """R runs of DDPG or, by its settings, TD3."""

    def __init__(self, settings: DdpgSettings, layout: Layout, streams: Streams) -> None:
        self.settings, self.layout, self.streams = settings, layout, streams
        s, size, action = settings, layout.sizes.obs_dim, layout.n_continuous
        self.actor = ScoringActor(layout, s.hidden, streams)
        self.slow_actor = clone(self.actor, ScoringActor(layout, s.hidden, streams))
        twins = streams.repeat(s.critics)
        self.critic = Critic(twins, size, action, s.hidden)
        self.slow_critic = clone(self.critic, Critic(twins, size, action, s.hidden))
        self.optimiser = adam(
            [
                {"params": list(self.actor.parameters()), "lr": s.actor_rate},
                {"params": list(self.critic.parameters()), "lr": s.critic_rate},
            ]
        )
        self.replay = Replay(s.buffer)
        self.baseline = Baseline(layout.sizes, s.exogenous)
        self.updates = torch.zeros((), dtype=torch.int64)

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
        """`updates` updates of the critics, and of the policy where it is its turn."""
        self.baseline.fit(self.replay, self.streams, self._following)
        return learn_from(self.replay, self.streams, self.settings, updates, self.update)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One update. Returns figures, (R,) each."""
        self.updates += 1
        turn = int(self.updates) % self.settings.policy_every == 0
        loss, figures = self.losses(batch, turn)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        if turn:
            follow(self.slow_actor, self.actor, self.settings.tau)
            follow(self.slow_critic, self.critic, self.settings.tau)
        return figures

    def losses(self, batch: Batch, turn: bool = True) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum over runs: half the squared error of the critics and, if it is the policy's `turn`,
        minus its value by the first of them."""
        obs, weight = batch["obs"], self.layout.dim_weight(batch["mask"], batch["active"])
        error = self._by_critic(self.critic, obs, batch["numbers"] * weight) - self._backup(batch)
        q_loss = 0.5 * error.square().mean(dim=-1).sum(dim=0)
        figures = {"q_loss": q_loss.detach()}
        if not turn:
            return q_loss.sum(), figures
        numbers = self.actor(obs) * weight
        q = self._by_critic(self.critic, obs, numbers, frozen=True)[0].mean(dim=-1)
        return (q_loss - q).sum(), figures | {"q": q.detach()}

    def _by_critic(
        self, critic: nn.Module, obs: Tensor, numbers: Tensor, frozen: bool = False
    ) -> Tensor:
        """(C, R, B) Values of actions by each of C critics."""
        n = self.settings.critics
        values: Tensor = critic(obs.repeat(n, 1, 1), numbers.repeat(n, 1, 1), frozen)
        return values.unflatten(0, (n, -1))

    @torch.no_grad()
    def _backup(self, batch: Batch) -> Tensor:
        """(R, B) r + gamma times the value of the state that followed, less the baseline's."""
        following = self._following(batch)
        following = following - self.baseline(batch["next_obs"], following)
        return batch["reward"] + self.settings.gamma * following

    @torch.no_grad()
    def _following(self, batch: Batch) -> Tensor:
        """(R, B) Least Q'(s', pi'(s') + noise) of the slow copies."""
        s, obs = self.settings, batch["next_obs"]
        weight = self.layout.dim_weight(batch["next_mask"], batch["next_active"])
        numbers = self.slow_actor(obs)
        if s.smoothing:
            noise = s.smoothing * self.streams.normal(*numbers.shape[1:])
            limit = s.smoothing_limit
            numbers = (numbers + noise.clamp(-limit, limit)).clamp(-1, 1)
        return self._by_critic(self.slow_critic, obs, numbers * weight).amin(dim=0)

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
            "updates": self.updates,
        }


AGENT = Agent(
    methods={
        "ddpg": DdpgSettings(),
        "td3": DdpgSettings(critics=2, smoothing=0.2, policy_every=2),
    },
    kind=lambda s: "continuous",
    learner=Ddpg,
    actor=lambda s, layout, streams: ScoringActor(layout, s.hidden, streams),
)

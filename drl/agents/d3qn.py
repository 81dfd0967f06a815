"""D3QN: a dueling double deep Q-network with one branch per decision. Tavakoli et al. 2018.

Branching (BDQ, arXiv:1711.08946): a state value and, for each device's server, each device's power
level and each UAV's heading, advantages. A joint Q-table would have 7^10 columns for the servers
alone. The target is the mean over branches, double in the sense of van Hasselt et al. 2016.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from drl.core.actors import BranchingQ, no_numbers
from drl.core.agent import Agent
from drl.core.baseline import Baseline
from drl.core.layout import Layout
from drl.core.learner import Action, Transition, View
from drl.core.nets import Streams, adam, clone, follow
from drl.core.replay import Batch, Replay, flat, learn_from
from drl.core.settings import Settings, SettingsError
from satedge.problem.fields import declared, param


@declared(SettingsError, "setting")
class D3qnSettings(Settings):
    """Branching dueling double Q-network."""

    epsilon_start: float = param(
        1.0, "-", "open", "Share of branches that act at random in the first slot.", low=0, high=1
    )
    epsilon_end: float = param(0.02, "-", "open", "The share after `epsilon_slots`.", low=0, high=1)
    epsilon_slots: int = param(
        20_000, "slot", "open", "Slots over which the share falls linearly.", low=1
    )


class D3qn:
    """R runs of D3QN."""

    def __init__(self, settings: D3qnSettings, layout: Layout, streams: Streams) -> None:
        self.settings, self.layout, self.streams = settings, layout, streams
        self.actor = BranchingQ(layout, settings.hidden, streams)
        self.slow = clone(self.actor, BranchingQ(layout, settings.hidden, streams))
        rate = settings.critic_rate
        self.optimiser = adam([{"params": list(self.actor.parameters()), "lr": rate}])
        self.replay = Replay(settings.buffer)
        self.baseline = Baseline(layout.sizes, settings.exogenous)
        self.slots = torch.zeros((), dtype=torch.int64)

    @property
    def epsilon(self) -> float:
        """Share of branches that act at random now."""
        s = self.settings
        done = min(1.0, int(self.slots) / s.epsilon_slots)
        return s.epsilon_start + done * (s.epsilon_end - s.epsilon_start)

    @torch.no_grad()
    def act(self, view: View) -> Action:
        """The best options, each branch by itself at random with probability epsilon."""
        allowed, _ = self.layout.head_mask(view.mask, view.active)
        best = self.actor(view.obs, allowed).argmax(dim=-1)
        noise = self.streams.uniform(*allowed.shape[1:]).masked_fill(~allowed, -1.0)
        chance = self.streams.uniform(*best.shape[1:])
        choice = torch.where(chance < self.epsilon, noise.argmax(dim=-1), best)
        return Action(choice, no_numbers(view.obs))

    def observe(self, transition: Transition) -> None:
        """Keep the transition."""
        self.slots += 1
        self.replay.add(flat(transition))

    def learn(self, updates: int) -> dict[str, Tensor]:
        """`updates` updates of the network and its slow copy."""
        self.baseline.fit(self.replay, self.streams, self._following)
        return learn_from(self.replay, self.streams, self.settings, updates, self.update)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One update. Returns figures, (R,) each."""
        loss, figures = self.losses(batch)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        follow(self.slow, self.actor, self.settings.tau)
        return figures

    def losses(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum over runs of half the squared error, mean over branches that acted."""
        allowed, weight = self.layout.head_mask(batch["mask"], batch["active"])
        values = self.actor(batch["obs"], allowed)
        q = values.gather(-1, batch["choice"][..., None])[..., 0]
        error = (q - self._backup(batch)[..., None]).square() * weight
        acting = weight.sum(dim=-1).clamp(min=1)
        q_loss = 0.5 * (error.sum(dim=-1) / acting).mean(dim=-1)
        return q_loss.sum(), {"q_loss": q_loss.detach(), "q": q.detach().mean(dim=(-2, -1))}

    @torch.no_grad()
    def _backup(self, batch: Batch) -> Tensor:
        """(R, B) r + gamma times the value of the state that followed, less the baseline's."""
        following = self._following(batch)
        following = following - self.baseline(batch["next_obs"], following)
        backup: Tensor = batch["reward"] + self.settings.gamma * following
        return backup

    @torch.no_grad()
    def _following(self, batch: Batch) -> Tensor:
        """(R, B) Mean over branches of the slow value of the fast network's choice."""
        allowed, weight = self.layout.head_mask(batch["next_mask"], batch["next_active"])
        best = self.actor(batch["next_obs"], allowed).argmax(dim=-1, keepdim=True)
        following = self.slow(batch["next_obs"], allowed).gather(-1, best)[..., 0]
        mean: Tensor = (following * weight).sum(dim=-1) / weight.sum(dim=-1).clamp(min=1)
        return mean

    def parts(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "actor": self.actor,
            "slow": self.slow,
            "optimiser": self.optimiser,
            "replay": self.replay,
            "streams": self.streams,
            "slots": self.slots,
        }


AGENT = Agent(
    methods={"d3qn": D3qnSettings()},
    kind=lambda s: "discrete",
    learner=D3qn,
    actor=lambda s, layout, streams: BranchingQ(layout, s.hidden, streams),
)

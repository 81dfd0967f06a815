"""AD-SAC+: the two agents of AD-SAC with what this problem turned out to need.

What differs from drl.agents.ad_sac (docs/learning.md measures each):

- every device's own cost is learned, not one number for all ten: the objective is their sum, so
  the critic is a sum of per-device values (van Seijen et al. 2017), each seeing the joint action;
- one set of weights serves all devices (drl.core.device_nets), so a slot teaches ten times;
- a device's critic answers for each of its servers at once, so mu's gradient is an exact mean over
  its own options (Delalleau et al. 2019, Christodoulou 2019); what its choice does to the others
  still goes through the straight-through draw;
- nu moves the UAVs first, mu then chooses among the servers that are still in reach, so that the
  projector has next to nothing to change;
- the discount is a setting; a slot's cost hardly depends on earlier ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from drl.core.agent import Agent
from drl.core.baseline import Baseline
from drl.core.device_nets import DeviceActor, DeviceCritic
from drl.core.distributions import NEVER, Heads, TanhGaussian, entropy_ceiling
from drl.core.layout import Layout
from drl.core.learner import Action, Transition, View, cost_reward
from drl.core.nets import Streams, adam, clone, follow
from drl.core.replay import Batch, Replay, flat, learn_from
from drl.core.settings import CostSettings, SettingsError
from satedge.problem.fields import Widths, declared, param


@declared(SettingsError, "setting")
class AdSacPlusSettings(CostSettings):
    """AD-SAC+."""

    hidden: Widths = param((128, 128), "-", "open", "Widths of the layers that all devices share.")
    gamma: float = param(
        0.0, "-", "open", "Discount; slots couple through UAV motion only.", low=0, below=1
    )
    device_costs: bool = param(
        True,
        "-",
        "open",
        "Learn each device's own cost; else the reward (34), the same for all devices.",
    )
    own_mean: bool = param(
        True,
        "-",
        "Christodoulou 2019",
        "mu's gradient is the exact mean over a device's own options; else that of one draw.",
    )
    motion_first: bool = param(
        True,
        "-",
        "open",
        "mu chooses among the servers that stay in reach once nu has moved the UAVs.",
    )
    entropy_rate: float = param(1e-3, "-", "Table 2", "Adam's rate for the temperatures.", above=0)
    temperature: float = param(0.05, "-", "open", "First temperature of both agents.", above=0)
    discrete_entropy: float = param(
        0.2,
        "-",
        "open",
        "Entropy target of a head as a share of log n, n its available options.",
        low=0,
        high=1,
    )
    continuous_entropy: float = param(-1.0, "nat", "open", "Entropy target of a number in [-1, 1].")


class AdSacPlus:
    """R runs of AD-SAC+."""

    def __init__(self, settings: AdSacPlusSettings, layout: Layout, streams: Streams) -> None:
        self.settings, self.layout, self.streams = settings, layout, streams
        s = settings
        self.actor = DeviceActor(layout, s.hidden, streams, s.motion_first)
        self.critic = DeviceCritic(layout, s.hidden, streams)
        self.slow = clone(self.critic, DeviceCritic(layout, s.hidden, streams))
        start = torch.full((2, len(streams)), s.temperature, device=streams.device).log()
        self.log_temperature = nn.Parameter(start)
        self.optimiser = adam(
            [
                {"params": list(self.actor.parameters()), "lr": s.actor_rate},
                {"params": list(self.critic.parameters()), "lr": s.critic_rate},
                {"params": [self.log_temperature], "lr": s.entropy_rate},
            ]
        )
        self.replay = Replay(s.buffer)
        self.baseline = Baseline(layout.sizes, s.exogenous and s.gamma > 0)

    @torch.no_grad()
    def act(self, view: View) -> Action:
        """Draw from both policies."""
        heads, raw, _ = self._play(view.obs, view.mask, view.active)
        return Action(heads.draw(self.streams.uniform(*heads.weight.shape[1:])), raw.tanh())

    def observe(self, transition: Transition) -> None:
        """Keep the transition with every device's reward."""
        reward = cost_reward(transition, self.settings)
        if not self.settings.device_costs:
            reward = transition.reward.expand_as(reward)
        self.replay.add(flat(transition) | {"reward": reward})

    def learn(self, updates: int) -> dict[str, Tensor]:
        """`updates` updates of every network."""
        self.baseline.fit(self.replay, self.streams, self._following)
        return learn_from(self.replay, self.streams, self.settings, updates, self.update)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One update. Returns figures, (R,) each."""
        loss, figures = self.losses(batch)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        if self.settings.gamma > 0:
            follow(self.slow, self.critic, self.settings.tau)
        return figures

    def losses(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum over runs of the critic's, the policies' and the temperatures' losses.

        Devices are summed, as the objective is: the scale of a device's decision does not depend
        on how many there are.
        """
        _, weight = self.layout.head_mask(batch["mask"], batch["active"])
        hot = self.layout.one_hot(batch["choice"])
        values = self.critic(batch["obs"], hot, batch["numbers"], weight)
        q = (values * hot).sum(dim=-1)
        q_loss = 0.5 * ((q - self._backup(batch)).square() * weight).sum(dim=-1).mean(dim=-1)
        policy_loss, above_mu, above_nu = self._policy_loss(batch, weight)
        temperature = self.log_temperature.exp()
        surplus = torch.stack([above_mu, above_nu]).mean(dim=-1)
        loss = (q_loss + policy_loss).sum() + (temperature * surplus).sum()
        figures = {"q_loss": q_loss, "surplus_mu": surplus[0], "surplus_nu": surplus[1]}
        figures |= {"temperature_mu": temperature[0], "temperature_nu": temperature[1]}
        return loss, {name: value.detach() for name, value in figures.items()}

    def _play(
        self, obs: Tensor, mask: Tensor, active: Tensor
    ) -> tuple[Heads, Tensor, TanhGaussian]:
        """nu's draw before its squeeze, and mu's heads given where it sends the UAVs."""
        numbers = self.actor.numbers(obs, mask, active)
        raw = numbers.sample_raw(self.streams.normal(*numbers.mean.shape[1:]))
        return self.actor.heads(obs, mask, active, raw.tanh()), raw, numbers

    def _policy_loss(self, batch: Batch, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(R,) minus the soft value; each agent's entropy above its target, (R, B)."""
        s = self.settings
        heads, raw, numbers = self._play(batch["obs"], batch["mask"], batch["active"])
        hot = heads.sample_straight_through(self.streams.gumbel(*heads.log_p.shape[1:]), 1.0)
        values = self.critic(batch["obs"], hot, raw.tanh(), weight, frozen=True)
        chances = heads.log_p.exp() if s.own_mean else hot
        mean_q = ((chances * values).sum(dim=-1) * weight).sum(dim=-1)
        log_mu, log_nu = -heads.entropy(), numbers.log_prob(raw)
        a_mu, a_nu = self.log_temperature.exp().detach()[..., None]
        loss = (a_mu * log_mu + a_nu * log_nu - mean_q).mean(dim=-1)
        ceiling = entropy_ceiling(heads.log_p > NEVER / 2, heads.weight)
        above_mu = -log_mu - s.discrete_entropy * ceiling
        above_nu = -log_nu - s.continuous_entropy * numbers.weight.sum(dim=-1)
        return loss, above_mu.detach(), above_nu.detach()

    @torch.no_grad()
    def _backup(self, batch: Batch) -> Tensor:
        """(R, B, K) r_k + gamma times the value of the state that followed, less the baseline's."""
        reward = batch["reward"]
        if self.settings.gamma == 0:
            return reward
        following = self._following(batch)
        following = following - self.baseline(batch["next_obs"], following)
        return reward + self.settings.gamma * following

    @torch.no_grad()
    def _following(self, batch: Batch) -> Tensor:
        """(R, B, K) Every device's value under the policies, without entropy."""
        heads, raw, _ = self._play(batch["next_obs"], batch["next_mask"], batch["next_active"])
        choice = heads.draw(self.streams.uniform(*heads.weight.shape[1:]))
        hot = self.layout.one_hot(choice)
        values = self.slow(batch["next_obs"], hot, raw.tanh(), heads.weight)
        mean: Tensor = (heads.log_p.exp() * values).sum(dim=-1) * heads.weight
        return mean

    def parts(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "actor": self.actor,
            "critic": self.critic,
            "slow": self.slow,
            "temperature": nn.ParameterList([self.log_temperature]),
            "optimiser": self.optimiser,
            "replay": self.replay,
            "streams": self.streams,
        }


AGENT = Agent(
    methods={"adsac+": AdSacPlusSettings()},
    kind=lambda s: "hybrid",
    learner=AdSacPlus,
    actor=lambda s, layout, streams: DeviceActor(layout, s.hidden, streams, s.motion_first),
)

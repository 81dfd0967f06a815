"""AD-SAC: two soft actor-critic agents for one hybrid action. Section 4, eqs. (43)-(55).

Agent mu chooses servers (K masked categorical heads), agent nu powers and displacements
(tanh-Gaussian). Each has a value network V, its slow target, a soft Q network and a policy; both Q
see the state and the JOINT action, which is what couples the agents. A maximum a posteriori step
integrates the two policies (drl.agents.mpo).

Differences from the paper: temperatures multiply the log-probabilities, which (45)-(50) print
without (Table 2 has their learning rate); the three losses of an update use the parameters before
it, as in Haarnoja et al. 2018, where algorithm 1 lists them one after the other; the expected
log-probability of the heads is exact (minus their entropy) instead of that of one draw.

Settings that the paper does not have, off by default: `credit` (every device's own cost is learned,
van Seijen et al. 2017, arXiv:1706.04208) and `exogenous` (drl.core.baseline).

With layout "discrete" only mu is left (AD-SAC-D), with "continuous" only nu (AD-SAC-C).
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from drl.agents.mpo import Fit, Integration
from drl.core.actors import TwoAgents, no_choice, no_numbers
from drl.core.agent import Agent
from drl.core.baseline import Baseline
from drl.core.distributions import Heads, TanhGaussian, entropy_ceiling
from drl.core.layout import Kind, Layout
from drl.core.learner import Action, Transition, View, cost_reward
from drl.core.nets import Critic, Streams, adam, clone, follow
from drl.core.replay import Batch, Replay, flat, learn_from, unavailable
from drl.core.settings import CostSettings, SettingsError
from satedge.problem.fields import declared, param

Policies = tuple[Heads | None, TanhGaussian | None]


@declared(SettingsError, "setting")
class AdSacSettings(CostSettings):
    """AD-SAC, section 4. Every ingredient can be switched off."""

    layout: Kind = param(
        "hybrid",
        "-",
        "section 5",
        "hybrid is AD-SAC, discrete AD-SAC-D, continuous AD-SAC-C.",
    )
    entropy_rate: float = param(1e-3, "-", "Table 2", "Adam's rate for the temperatures.", above=0)
    reward: Literal["inverse", "cost"] = param(
        "inverse",
        "-",
        "open",
        "inverse is (34); cost minus the mean of the devices' capped costs.",
    )
    credit: Literal["joint", "devices"] = param(
        "joint",
        "-",
        "van Seijen et al. 2017",
        "joint: critics learn one reward of all devices. devices: they have a value of each device "
        "and learn its own capped cost, policies climb the sum; goes with the reward cost.",
    )
    automatic_temperature: bool = param(
        True, "-", "open", "Tune the temperatures to the entropy targets; else keep them."
    )
    temperature: float = param(
        0.02, "-", "open", "First temperature of both agents; rewards here are of order 1.", above=0
    )
    discrete_entropy: float = param(
        0.3,
        "-",
        "open",
        "Entropy target of a head as a share of log n, n its available options.",
        low=0,
        high=1,
    )
    continuous_entropy: float = param(
        -1.0,
        "nat",
        "open; -1 is the habit of continuous SAC",
        "Entropy target of a number in [-1, 1].",
    )
    relaxation: float = param(
        1.0, "-", "open", "Temperature of the Gumbel-softmax relaxation.", above=0
    )
    synthetic: float = param(
        0.1,
        "1/slot",
        "algorithm 1 line 6; open",
        "Synthetic transitions for an unavailable server; 0 is off. With one a slot, half the "
        "rewards in the replay are 0 and mu learns to shun the servers that are often "
        "unavailable, which are the cheap ones (docs/learning.md).",
        low=0,
    )
    mpo: bool = param(True, "-", "(51)-(55)", "The maximum a posteriori step.")
    mpo_actions: int = param(16, "-", "open", "Joint actions drawn a state.", low=1)
    mpo_precision: Literal["float32", "bfloat16"] = param(
        "float32", "-", "open", "Of the products that value these actions; sums are float32."
    )
    mpo_bound: float = param(
        0.1, "nat", "(52); open", "KL bound of the reweighted from the current policy.", above=0
    )
    mpo_discrete_bound: float = param(
        0.005, "nat", "(54); open", "chi_mu, for all heads together.", above=0
    )
    mpo_continuous_bound: float = param(
        0.005, "nat", "(55); open", "chi_nu, for all numbers together.", above=0
    )
    mpo_multiplier: float = param(
        10.0, "-", "open", "First Lagrange multiplier of both policies' bounds.", above=0
    )
    mpo_rate: float = param(
        1e-4,
        "-",
        "open",
        "Adam's rate of the weighted-likelihood step. At the policies' own rate this step, which "
        "knows no entropy, drives nu into the corners of its range.",
        above=0,
    )
    mpo_dual_rate: float = param(
        1e-2, "-", "open", "Adam's rate for eta and the multipliers.", above=0
    )

    def __post_init__(self) -> None:
        # Algorithm 1 gives unavailable choices reward 0, the worst of (34) and the best of costs.
        if self.reward == "cost" and self.synthetic != 0:
            raise SettingsError(
                f'synthetic = {self.synthetic}: allowed is only 0 with reward "cost"'
            )
        if self.credit == "devices" and self.reward != "cost":
            raise SettingsError(
                f'reward = {self.reward!r}: allowed is only "cost" with credit "devices"'
            )


class AdSac:
    """R runs of AD-SAC."""

    def __init__(self, settings: AdSacSettings, layout: Layout, streams: Streams) -> None:
        self.settings, self.layout, self.streams = settings, layout, streams
        s = settings
        self.actor = TwoAgents(layout, s.hidden, streams)
        self.n_agents = int(layout.n_heads > 0) + int(layout.n_continuous > 0)
        # Leading axis A * R: the networks of mu's runs, then those of nu's.
        agents = streams.repeat(self.n_agents)
        size = layout.sizes.obs_dim
        self.n_shares = layout.sizes.n_devices if s.credit == "devices" else 1
        self.critic = Critic(agents, size, layout.features, s.hidden, self.n_shares)
        self.value = Critic(agents, size, 0, s.hidden, self.n_shares)
        self.target = clone(self.value, Critic(agents, size, 0, s.hidden, self.n_shares))
        start = torch.full((len(agents),), s.temperature, device=streams.device).log()
        self.log_temperature = nn.Parameter(start, requires_grad=s.automatic_temperature)
        self.integration = self._integration()
        self.optimiser, self.mpo_optimiser = self._optimisers()
        self.replay = Replay(s.buffer)
        self.baseline = Baseline(layout.sizes, s.exogenous)
        self.slots = torch.zeros((), dtype=torch.int64)

    def act(self, view: View) -> Action:
        """Draw from both policies."""
        with torch.no_grad():
            heads, numbers = self.actor.policies(view.obs, view.mask, view.active)
            return Action(
                no_choice(view.obs) if heads is None else heads.draw(self._uniform(heads)),
                no_numbers(view.obs)
                if numbers is None
                else numbers.sample_raw(self._normal(numbers)).tanh(),
            )

    def observe(self, transition: Transition) -> None:
        """Keep the transition and its synthetic companions."""
        kept = flat(transition)
        if self.settings.reward == "cost":
            own = cost_reward(transition, self.settings)
            kept["reward"] = own if self.n_shares > 1 else own.mean(dim=-1)
        self.replay.add(kept)
        if self.layout.n_heads:
            rate, before = self.settings.synthetic, int(self.slots)
            for _ in range(int(rate * (before + 1)) - int(rate * before)):
                self.replay.add(unavailable(kept, self.streams))
        self.slots += 1

    def learn(self, updates: int) -> dict[str, Tensor]:
        """Algorithm 1, lines 8-13, `updates` times."""
        self.baseline.fit(self.replay, self.streams, self._following)
        return learn_from(self.replay, self.streams, self.settings, updates, self.update)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One update of every network. Returns figures, (R,) each."""
        policies = self.actor.policies(batch["obs"], batch["mask"], batch["active"])
        loss, figures = self.losses(batch, policies)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        follow(self.target, self.value, self.settings.tau)
        if self.settings.mpo:
            self._integrate(batch, policies)
        return figures

    def losses(self, batch: Batch, policies: Policies) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum over runs and agents of (45)-(50) and the temperatures' loss.

        With a value for each device, entropy is shared among them and squared errors are summed.
        """
        s, obs = self.settings, self._every(batch["obs"])
        action, log_prob, target_entropy = self._draw(batch, policies)
        temperature = self.log_temperature.exp()[:, None]
        seen = self.critic.seen(obs)
        q = self.critic.of(seen.detach(), action, frozen=True)

        soft = soft_value(q, *self._shared(log_prob, temperature)).detach()
        value_error = (self.value(obs) - soft).square()
        value_loss = 0.5 * self._total(value_error).mean(dim=-1)  # (45), (46)
        taken = self._every(self._taken(batch))
        q_error = (self.critic.of(seen, taken) - self._backup(batch)).square()
        q_loss = 0.5 * self._total(q_error).mean(dim=-1)  # (47), (48)
        q = self._total(q)
        policy_loss = (temperature.detach() * log_prob - q).mean(dim=-1)  # (49), (50)
        surplus = (-log_prob - target_entropy).detach()
        loss = (value_loss + q_loss + policy_loss).sum()
        if s.automatic_temperature:
            loss = loss + (temperature * surplus).mean(dim=-1).sum()
        figures = {"q_loss": q_loss, "entropy": -log_prob.mean(dim=-1), "q": q.mean(dim=-1)}
        figures["temperature"] = temperature[:, 0]
        return loss, self._by_agent(figures)

    def parts(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "actor": self.actor,
            "critic": self.critic,
            "value": self.value,
            "target": self.target,
            "temperature": nn.ParameterList([self.log_temperature]),
            "integration": self.integration,
            "optimiser": self.optimiser,
            "mpo_optimiser": self.mpo_optimiser,
            "replay": self.replay,
            "streams": self.streams,
            "slots": self.slots,
        }

    # --- pieces of an update

    @torch.no_grad()
    def _backup(self, batch: Batch) -> Tensor:
        """(AR, B) or (AR, B, K) r + gamma V'(s'), less the baseline's part."""
        following = self._following(batch)
        following = following - self.baseline(batch["next_obs"], following)
        return self._every(batch["reward"]) + self.settings.gamma * following

    @torch.no_grad()
    def _following(self, batch: Batch) -> Tensor:
        """V' of the states that followed, by every agent's slow network."""
        following: Tensor = self.target(self._every(batch["next_obs"]))
        return following

    def _total(self, each: Tensor) -> Tensor:
        """(AR, B) The sum over devices, where each has its own."""
        return each if self.n_shares == 1 else each.sum(dim=-1)

    def _shared(self, log_prob: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (AR, B) and temperatures (AR, 1) beside values: K equal shares."""
        if self.n_shares == 1:
            return log_prob, temperature
        return log_prob[..., None] / self.n_shares, temperature[..., None]

    def _draw(self, batch: Batch, policies: Policies) -> tuple[Tensor, Tensor, Tensor]:
        """Fresh joint actions (AR, B, features), through which each agent's gradient reaches its
        own policy only; expected log-probabilities and entropy targets (AR, B)."""
        s, seen = self.settings, (batch["mask"], batch["active"])
        heads, numbers = policies
        hot = squeezed = None
        log_probs: list[Tensor] = []
        targets: list[Tensor] = []
        if heads is not None:
            hot = heads.sample_straight_through(self._gumbel(heads), s.relaxation)
            log_probs.append(-heads.entropy())
            allowed, weight = self.layout.head_mask(*seen)
            targets.append(s.discrete_entropy * entropy_ceiling(allowed, weight))
        if numbers is not None:
            raw = numbers.sample_raw(self._normal(numbers))
            squeezed = raw.tanh()
            log_probs.append(numbers.log_prob(raw))
            targets.append(s.continuous_entropy * numbers.weight.sum(dim=-1))
        if hot is None or squeezed is None:
            action = self.layout.joint(hot, squeezed, *seen)
        else:
            of_mu = self.layout.joint(hot, squeezed.detach(), *seen)
            of_nu = self.layout.joint(hot.detach(), squeezed, *seen)
            action = torch.cat([of_mu, of_nu])
        return action, torch.cat(log_probs), torch.cat(targets)

    def _integrate(self, batch: Batch, old: Policies) -> None:
        """The maximum a posteriori step, (51)-(55), from the policies before the update."""
        n = self.settings.mpo_actions
        now = self.actor.policies(batch["obs"], batch["mask"], batch["active"])
        choice = raw = None
        fits: list[Fit] = []
        kls: list[Tensor] = []
        if old[0] is not None and now[0] is not None:
            heads = old[0].detach()
            choice = heads.draw(self._uniform(heads, n))
            fits.append(partial(now[0].weighted_log_prob, choice=choice))
            kls.append(now[0].kl_from(heads))
        if old[1] is not None and now[1] is not None:
            numbers = old[1].detach()
            raw = numbers.sample_raw(self._normal(numbers, n))
            fits.append(partial(now[1].weighted_log_prob_raw, raw=raw))
            kls.append(now[1].kl_from(numbers))
        loss = self.integration.loss(self._mean_q(batch, choice, raw), fits, kls)
        self.mpo_optimiser.zero_grad()
        loss.backward()
        self.mpo_optimiser.step()

    @torch.no_grad()
    def _mean_q(self, batch: Batch, choice: Tensor | None, raw: Tensor | None) -> Tensor:
        """Q^ of (51): the mean of both agents' soft Q, (R, n, B)."""
        mask, active = batch["mask"][:, None], batch["active"][:, None]
        numbers = None if raw is None else raw.tanh()
        actions = self.layout.chosen(choice, numbers, mask, active)
        precision = getattr(torch, self.settings.mpo_precision)
        q = self.critic.several(batch["obs"], actions, precision)
        return q.unflatten(0, (self.n_agents, -1)).mean(dim=0)

    def _taken(self, batch: Batch) -> Tensor:
        choice = batch["choice"] if self.layout.n_heads else None
        numbers = batch["numbers"] if self.layout.n_continuous else None
        return self.layout.chosen(choice, numbers, batch["mask"], batch["active"])

    def _every(self, x: Tensor) -> Tensor:
        """(R, ...) for every agent: (AR, ...)."""
        return x if self.n_agents == 1 else torch.cat([x] * self.n_agents)

    def _by_agent(self, figures: dict[str, Tensor]) -> dict[str, Tensor]:
        """(AR,) figures by the agent's name."""
        names = ["mu"] * (self.layout.n_heads > 0) + ["nu"] * (self.layout.n_continuous > 0)
        return {
            f"{figure}_{agent}": value.detach().unflatten(0, (self.n_agents, -1))[i]
            for figure, value in figures.items()
            for i, agent in enumerate(names)
        }

    def _uniform(self, heads: Heads, *n: int) -> Tensor:
        return self.streams.uniform(*n, *heads.weight.shape[1:])

    def _gumbel(self, heads: Heads) -> Tensor:
        return self.streams.gumbel(*heads.log_p.shape[1:])

    def _normal(self, numbers: TanhGaussian, *n: int) -> Tensor:
        return self.streams.normal(*n, *numbers.mean.shape[1:])

    def _integration(self) -> Integration:
        s = self.settings
        bounds = [s.mpo_discrete_bound] * (self.layout.n_heads > 0)
        bounds += [s.mpo_continuous_bound] * (self.layout.n_continuous > 0)
        return Integration(
            len(self.streams),
            bound=s.mpo_bound,
            policy_bounds=bounds,
            multiplier=s.mpo_multiplier,
            device=self.streams.device,
        )

    def _optimisers(self) -> tuple[torch.optim.Adam, torch.optim.Adam]:
        s = self.settings
        policy: dict[str, object] = {"params": list(self.actor.parameters()), "lr": s.actor_rate}
        critics = [*self.critic.parameters(), *self.value.parameters()]
        groups = [policy, {"params": critics, "lr": s.critic_rate}]
        if s.automatic_temperature:
            groups.append({"params": [self.log_temperature], "lr": s.entropy_rate})
        duals = {"params": list(self.integration.parameters()), "lr": s.mpo_dual_rate}
        mpo: dict[str, object] = {"params": policy["params"], "lr": s.mpo_rate}
        return adam(groups), adam([mpo, duals])


def soft_value(q: Tensor, log_prob: Tensor, temperature: Tensor) -> Tensor:
    """V = E[Q - alpha log pi], the target of (45), (46): entropy is worth something."""
    return q - temperature * log_prob


AGENT = Agent(
    methods={
        "adsac": AdSacSettings(),
        "adsac-d": AdSacSettings(layout="discrete"),
        "adsac-c": AdSacSettings(layout="continuous"),
    },
    kind=lambda s: s.layout,
    learner=AdSac,
    actor=lambda s, layout, streams: TwoAgents(layout, s.hidden, streams),
)

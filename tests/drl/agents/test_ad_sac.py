"""Truths about the two agents of AD-SAC and their losses."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from drl.agents.ad_sac import AdSac, AdSacSettings, soft_value
from drl.core.distributions import Heads, TanhGaussian
from drl.core.layout import Layout, Sizes
from drl.core.learner import Action, Transition, View
from drl.core.nets import Streams
from drl.core.replay import Batch, Replay, learn_from, unavailable
from drl.core.settings import SettingsError

K, S, M, D, B = 3, 4, 1, 6, 5


def sizes(n_devices: int = K) -> Sizes:
    return Sizes(n_devices, S, M, D)


def learner(kind: str = "hybrid", runs: tuple[int, ...] = (0,), **changes: Any) -> AdSac:
    settings = AdSacSettings(hidden=(8, 8), layout=kind, batch=B).replace(**changes)
    assert isinstance(settings, AdSacSettings)
    return AdSac(settings, Layout(kind, sizes()), Streams(runs))  # type: ignore[arg-type]


def batch(layout: Layout, runs: int = 1, seed: int = 0) -> Batch:
    g, k = torch.Generator().manual_seed(seed), layout.sizes.n_devices
    mask = torch.rand(runs, B, k, S, generator=g) < 0.6
    mask[..., 0] = True
    active = torch.rand(runs, B, k, generator=g) < 0.8
    seen = {"mask": mask, "active": active, "next_mask": mask, "next_active": active}
    allowed = layout.head_mask(mask, active)[0] if layout.n_heads else mask[..., :0, :]
    return seen | {
        "obs": torch.randn(runs, B, D, generator=g),
        "next_obs": torch.randn(runs, B, D, generator=g),
        "reward": torch.rand(runs, B, generator=g),
        "choice": (torch.rand(allowed.shape, generator=g) * allowed).argmax(dim=-1)
        if layout.n_heads
        else torch.zeros(runs, B, 0, dtype=torch.int64),
        "numbers": torch.rand(runs, B, layout.n_continuous, generator=g) * 2 - 1,
    }


def constant(network: torch.nn.Module, value: list[float]) -> None:
    """Make a critic answer `value[i]` in run or agent i, whatever it sees."""
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        last = list(network.parameters())[-1]
        last.copy_(torch.tensor(value).view(-1, 1, 1))


@pytest.mark.parametrize("n_devices", [2, 3])
def test_soft_value_of_the_hybrid_policy_is_brute_force(n_devices: int) -> None:
    """E[Q - a_mu log pi_mu - a_nu log pi_nu] over S^K joint choices and a grid of numbers."""
    generator = torch.Generator().manual_seed(n_devices)
    double = {"generator": generator, "dtype": torch.float64}
    policy = Heads.masked(
        torch.randn(n_devices, S, **double),  # type: ignore[call-overload]
        torch.rand(n_devices, S, **double) < 0.8,  # type: ignore[call-overload]
        torch.ones(n_devices, dtype=torch.float64),
    )
    choices = torch.tensor(list(product(range(S), repeat=n_devices)))
    q = torch.randn(len(choices), **double)  # type: ignore[call-overload]
    n = 4000
    x = ((torch.arange(n, dtype=torch.float64) + 0.5) * 2 / n - 1)[:, None]
    ones = torch.ones_like(x)
    numbers = TanhGaussian(0.3 * ones, -0.7 * ones, ones)
    density = numbers.log_prob(x.atanh()).exp()
    a_mu, a_nu, expected = 0.7, 0.2, 0.0
    for row, value in zip(choices.tolist(), q.tolist(), strict=True):
        p = math.prod(float(policy.log_p[k, c].exp()) for k, c in enumerate(row))
        if p > 0:
            bonus = a_mu * math.log(p) + a_nu * density.log()
            expected += p * float((density * (value + x[:, 0] * row[0] - bonus)).sum()) * 2 / n

    p = Heads(policy.log_p.expand(len(choices), -1, -1), policy.weight).log_prob(choices).exp()
    mean_x = float((density * x[:, 0]).sum()) * 2 / n
    mean_q = (p * (q + mean_x * choices[:, 0])).sum()
    mean_log_nu = (density * density.log()).sum() * 2 / n
    of_mu = soft_value(mean_q, -policy.entropy(), torch.tensor(a_mu).double())
    of_both = soft_value(of_mu, mean_log_nu, torch.tensor(a_nu).double())
    assert float(of_both) == pytest.approx(expected, rel=1e-6)


def test_entropy_makes_a_state_worth_more() -> None:
    """The sign: a uniform policy over n options adds alpha log n to its value."""
    value = soft_value(torch.tensor(1.0), -torch.tensor(4.0).log(), torch.tensor(0.5))
    assert float(value) == pytest.approx(1 + 0.5 * math.log(4))


def test_losses_of_the_discrete_agent_by_hand() -> None:
    """(45), (47), (49) and the temperature's loss with constant networks and uniform heads."""
    agent = learner("discrete", temperature=0.2, gamma=0.9, discrete_entropy=0.5)
    data = batch(agent.layout)
    constant(agent.critic, [2.0])
    constant(agent.value, [1.5])
    constant(agent.target, [3.0])
    constant(agent.actor.mu, [0.0])  # type: ignore[arg-type]
    policies = agent.actor.policies(data["obs"], data["mask"], data["active"])
    total, figures = agent.losses(data, policies)

    allowed, weight = agent.layout.head_mask(data["mask"], data["active"])
    entropy = (allowed.sum(-1).double().log() * weight).sum(-1)[0]
    value_loss = (0.5 * (1.5 - (2.0 + 0.2 * entropy)) ** 2).mean()
    q_loss = (0.5 * (2.0 - (data["reward"][0] + 0.9 * 3.0)) ** 2).mean()
    policy_loss = (-0.2 * entropy - 2.0).mean()
    temperature_loss = (0.2 * (entropy - 0.5 * entropy)).mean()
    expected = value_loss + q_loss + policy_loss + temperature_loss
    assert float(total.detach()) == pytest.approx(float(expected), rel=1e-5)
    assert float(figures["q_loss_mu"]) == pytest.approx(float(q_loss), rel=1e-5)
    assert float(figures["entropy_mu"]) == pytest.approx(float(entropy.mean()), rel=1e-5)


def test_losses_of_the_continuous_agent_by_hand() -> None:
    """(46), (48), (50) with constant networks: a standard Gaussian squeezed by tanh."""
    agent = learner("continuous", temperature=0.2, gamma=0.9, continuous_entropy=-0.5)
    data = batch(agent.layout)
    constant(agent.critic, [2.0])
    constant(agent.value, [1.5])
    constant(agent.target, [3.0])
    constant(agent.actor.nu, [0.0])  # type: ignore[arg-type]
    state = agent.streams.generators[0].get_state()
    policies = agent.actor.policies(data["obs"], data["mask"], data["active"])
    total, _ = agent.losses(data, policies)

    agent.streams.generators[0].set_state(state)
    raw = agent.streams.normal(B, agent.layout.n_continuous)[0].double()
    slope = (1 - raw.tanh() ** 2).log()
    weight = agent.layout.dim_weight(data["mask"], data["active"])[0]
    log_prob = ((-0.5 * raw**2 - 0.5 * math.log(2 * math.pi) - slope) * weight).sum(-1)
    value_loss = (0.5 * (1.5 - (2.0 - 0.2 * log_prob)) ** 2).mean()
    q_loss = (0.5 * (2.0 - (data["reward"][0] + 0.9 * 3.0)) ** 2).mean()
    policy_loss = (0.2 * log_prob - 2.0).mean()
    temperature_loss = (0.2 * (-log_prob + 0.5 * weight.sum(-1))).mean()
    expected = value_loss + q_loss + policy_loss + temperature_loss
    assert float(total.detach()) == pytest.approx(float(expected), rel=1e-4)


def test_both_agents_losses_add_up() -> None:
    """With networks that answer differently for mu and nu, each agent meets its own."""
    agent = learner(gamma=0.9, automatic_temperature=False)
    data = batch(agent.layout)
    constant(agent.critic, [2.0, -1.0])
    constant(agent.target, [3.0, 0.5])
    _, figures = agent.losses(data, agent.actor.policies(*seen(data)))
    for name, q, target in (("mu", 2.0, 3.0), ("nu", -1.0, 0.5)):
        expected = (0.5 * (q - (data["reward"] + 0.9 * target)) ** 2).mean()
        assert float(figures[f"q_loss_{name}"]) == pytest.approx(float(expected), rel=1e-5)
        assert float(figures[f"q_{name}"]) == pytest.approx(q, rel=1e-5)


def seen(data: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return data["obs"], data["mask"], data["active"]


def test_loss_gradients_of_critics_and_numbers_are_finite_differences() -> None:
    """In double precision, for Q, V, the temperatures and nu, whose draws are differentiable."""
    agent = learner("continuous")
    for part in (agent.actor, agent.critic, agent.value, agent.target):
        part.double()
    agent.log_temperature.data = agent.log_temperature.data.double()
    data = {k: v.double() if v.is_floating_point() else v for k, v in batch(agent.layout).items()}
    noise = torch.randn(1, B, agent.layout.n_continuous, dtype=torch.float64)
    agent._normal = lambda numbers, *n: noise  # type: ignore[method-assign]
    parameters = [*agent.actor.parameters(), *agent.critic.parameters(), agent.log_temperature]

    def loss() -> Tensor:
        return agent.losses(data, agent.actor.policies(*seen(data)))[0]

    # V's target and the temperature's surplus are constants of their losses by definition, and
    # the policy's gradient goes through a frozen Q: each is checked against its own loss below.
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    for gradient in gradients:
        assert gradient is not None
        assert torch.isfinite(gradient).all()

    def policy_loss(*weights: Tensor) -> Tensor:
        own = dict(zip(dict(agent.actor.named_parameters()), weights, strict=True))
        _, numbers = torch.func.functional_call(agent.actor, own, seen(data), tie_weights=False)  # type: ignore[attr-defined]
        raw = numbers.sample_raw(noise)
        action = agent.layout.joint(None, raw.tanh(), data["mask"], data["active"])
        q = agent.critic(data["obs"], action)
        return (agent.log_temperature.exp().detach() * numbers.log_prob(raw) - q).mean()

    agent.actor.forward = agent.actor.policies  # type: ignore[method-assign]
    own = tuple(p.detach().clone().requires_grad_() for p in agent.actor.parameters())
    assert torch.autograd.gradcheck(policy_loss, own, atol=1e-6)
    expected = torch.autograd.grad(policy_loss(*own), own)
    for mine, reference in zip(gradients, expected, strict=False):
        torch.testing.assert_close(mine, reference)


def test_each_agent_learns_from_its_own_critic_only() -> None:
    """Q_mu moves mu and not nu; Q_nu moves nu and not mu."""
    agent = learner(automatic_temperature=False, temperature=1e-12)
    data = batch(agent.layout)
    for silent, still, moving in (
        (0, agent.actor.mu, agent.actor.nu),
        (1, agent.actor.nu, agent.actor.mu),
    ):
        assert still is not None
        assert moving is not None
        fresh = learner(automatic_temperature=False, temperature=1e-12)
        agent.critic.load_state_dict(fresh.critic.state_dict())
        with torch.no_grad():
            for p in agent.critic.parameters():
                p[silent].zero_()
        agent.actor.zero_grad()
        agent.losses(data, agent.actor.policies(*seen(data)))[0].backward()
        assert (
            max(float(p.grad.abs().max()) for p in still.parameters() if p.grad is not None) < 1e-9
        )
        assert (
            max(float(p.grad.abs().max()) for p in moving.parameters() if p.grad is not None) > 1e-6
        )


@pytest.mark.parametrize("kind", ["hybrid", "discrete", "continuous"])
def test_runs_together_equal_runs_alone(kind: str) -> None:
    """Three updates of two runs in one batch equal each run by itself."""
    together = learner(kind, (3, 8))
    data = batch(together.layout, runs=2)
    for _ in range(3):
        together.update(data)
    for run, seed in enumerate((3, 8)):
        alone = learner(kind, (seed,))
        for _ in range(3):
            alone.update({name: value[run : run + 1] for name, value in data.items()})
        for mine, both in zip(alone.actor.parameters(), together.actor.parameters(), strict=True):
            torch.testing.assert_close(mine, both[run : run + 1], rtol=1e-4, atol=1e-6)
        chosen = slice(run, None, 2)
        for mine, both in zip(alone.critic.parameters(), together.critic.parameters(), strict=True):
            torch.testing.assert_close(mine, both[chosen], rtol=1e-4, atol=1e-6)


def test_ingredients_can_be_switched_off() -> None:
    """Without MPO its multipliers rest; with fixed temperatures they rest; without synthetic
    samples replay holds one transition a slot, with two it holds three."""
    off = learner(mpo=False, automatic_temperature=False, synthetic=0)
    on = learner(synthetic=2)
    for agent in (off, on):
        view = View(*(x[:, :1] for x in seen(batch(agent.layout))))
        action = agent.act(view)
        agent.observe(Transition(view, action, torch.ones(1, 1), view, torch.ones(1, 1, K), False))
        before = [p.clone() for p in (*agent.integration.parameters(), agent.log_temperature)]
        agent.update(batch(agent.layout))
        after = [*agent.integration.parameters(), agent.log_temperature]
        moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert all(moved) if agent is on else not any(moved)
    assert (off.replay.size, on.replay.size) == (1, 3)


def test_synthetic_transitions_name_one_unavailable_server() -> None:
    """One active device gets a server outside its mask and the reward is 0; else all is kept."""
    layout = Layout("hybrid", sizes())
    data = batch(layout, runs=200)
    kept = {name: value[:, 0] for name, value in data.items()}
    kept["mask"][0] = True
    made = unavailable(kept, Streams(range(200)))
    changed = (made["choice"] != kept["choice"]).sum(dim=1)
    wrong = ~kept["mask"].gather(-1, made["choice"][..., None])[..., 0]
    possible = (~kept["mask"] & kept["active"][..., None]).flatten(1).any(dim=1)
    assert not possible[0]
    assert torch.equal(changed == 1, possible)
    assert torch.equal((wrong & kept["active"]).sum(dim=1) == 1, possible)
    assert (made["reward"][possible] == 0).all()
    assert torch.equal(made["reward"][~possible], kept["reward"][~possible])
    assert torch.equal(made["next_obs"], kept["next_obs"])


def test_actions_are_available_and_in_range() -> None:
    """Exploring and deciding, servers are in the mask and numbers in [-1, 1]."""
    agent = learner()
    data = batch(agent.layout)
    acts = data["active"]
    explored = agent.act(View(*seen(data)))
    decided = Action(*agent.actor.decide(*seen(data)))
    for action in (explored, decided):
        allowed = data["mask"].gather(-1, action.choice[..., None])[..., 0]
        assert allowed[acts].all()
        assert action.numbers.abs().max() <= 1


def test_replay_is_a_ring() -> None:
    """Full, it forgets the oldest; draws are of what is in it, each run its own."""
    replay = Replay(4)
    for i in range(6):
        replay.add({"x": torch.tensor([float(i), 10.0 + i])})
    drawn = replay.sample(Streams([0, 1]), 200)["x"]
    assert set(drawn[0].tolist()) == {2.0, 3.0, 4.0, 5.0}
    assert set(drawn[1].tolist()) == {12.0, 13.0, 14.0, 15.0}


@pytest.mark.parametrize("shape", [(2,), (2, K)])
def test_centred_rewards_differ_by_their_mean_alone(shape: tuple[int, ...]) -> None:
    """Every run's rewards are seen less the mean of all that this run keeps, so that they keep
    their differences; without centring they are seen as they are."""
    replay = Replay(8)
    for i in range(3):
        replay.add({"reward": torch.tensor([1.0, 10.0]).view(2, *[1] * len(shape[1:])) * (i + 1)})
    seen: dict[bool, list[Tensor]] = {True: [], False: []}
    for centre, kept in seen.items():

        def update(data: Batch, kept: list[Tensor] = kept) -> dict[str, Tensor]:
            kept.append(data["reward"])
            return {}

        learn_from(replay, Streams([0, 1]), AdSacSettings(centre=centre, batch=6), 4, update)
    for plain, centred in zip(seen[False], seen[True], strict=True):
        means = torch.tensor([2.0, 20.0]).view(2, *[1] * (plain.dim() - 1))
        torch.testing.assert_close(plain - centred, means.expand_as(plain))


def test_costs_can_take_the_place_of_the_reward() -> None:
    """With reward "cost" replay keeps minus the mean of the devices' capped costs, in units."""
    agent = learner(mpo=False, synthetic=0, reward="cost", cost_scale=2.0, cost_cap=8.0)
    view = View(*(x[:, :1] for x in seen(batch(agent.layout))))
    costs = torch.arange(K).float().view(1, 1, K) * 6  # 0, 6, 12, ...: capped at 8
    agent.observe(Transition(view, agent.act(view), torch.ones(1, 1), view, costs, False))
    kept = agent.replay.sample(agent.streams, 1)["reward"]
    expected = -sum(min(6.0 * k, 8.0) for k in range(K)) / K / 2.0
    assert float(kept) == pytest.approx(expected)
    with pytest.raises(SettingsError, match="only 0"):
        AdSacSettings(reward="cost")

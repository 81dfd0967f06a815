"""Truths about DDPG, D3QN, PPO and Hybrid-PPO: losses and targets by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from drl.agents.d3qn import D3qn, D3qnSettings
from drl.agents.ddpg import Ddpg, DdpgSettings
from drl.agents.ppo import Ppo, PpoSettings, advantages, clipped_surrogate
from drl.core.actors import BranchingQ, Trunk
from drl.core.distributions import NEVER
from drl.core.layout import Layout, Sizes
from drl.core.learner import Transition, View
from drl.core.nets import Streams
from drl.core.replay import Batch

K, S, M, D, B = 2, 3, 1, 4, 6
SIZES = Sizes(K, S, M, D)
HIDDEN = (8, 8)


def batch(kind: str, runs: int = 1) -> Batch:
    layout = Layout(kind, SIZES)  # type: ignore[arg-type]
    g = torch.Generator().manual_seed(0)
    mask = torch.rand(runs, B, K, S, generator=g) < 0.6
    mask[..., 0] = True
    active = torch.rand(runs, B, K, generator=g) < 0.8
    seen = {
        "mask": mask,
        "active": active,
        "next_mask": mask.flip(1),
        "next_active": active.flip(1),
    }
    n_heads = layout.n_heads
    allowed = layout.head_mask(mask, active)[0] if n_heads else mask[..., :0, :]
    choice = (torch.rand(allowed.shape, generator=g) * allowed).argmax(dim=-1) if n_heads else None
    return seen | {
        "obs": torch.randn(runs, B, D, generator=g),
        "next_obs": torch.randn(runs, B, D, generator=g),
        "reward": torch.rand(runs, B, generator=g),
        "choice": torch.zeros(runs, B, 0, dtype=torch.int64) if choice is None else choice,
        "numbers": torch.rand(runs, B, layout.n_continuous, generator=g) * 1.8 - 0.9,
    }


def constant(network: torch.nn.Module, value: list[float]) -> None:
    """Make a network of one run answer `value`, whatever it sees."""
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        list(network.parameters())[-1].copy_(torch.tensor(value).view(1, 1, -1))


def d3qn(runs: tuple[int, ...] = (0,), **changes: Any) -> D3qn:
    settings = D3qnSettings(hidden=HIDDEN, gamma=0.9, **changes)
    return D3qn(settings, Layout("discrete", SIZES), Streams(runs))


def test_ddpg_losses_by_hand() -> None:
    """Half the squared distance from r + gamma Q'(s', pi'(s')), minus Q(s, pi(s))."""
    learner = Ddpg(
        DdpgSettings(hidden=HIDDEN, gamma=0.9), Layout("continuous", SIZES), Streams([0])
    )
    constant(learner.critic.mlp, [2.0])
    constant(learner.slow_critic.mlp, [3.0])
    data = batch("continuous")
    loss, figures = learner.losses(data)
    expected = (0.5 * (2.0 - (data["reward"] + 0.9 * 3.0)) ** 2).mean()
    assert float(figures["q_loss"]) == pytest.approx(float(expected), rel=1e-5)
    assert float(loss.detach()) == pytest.approx(float(expected) - 2.0, rel=1e-5)


def test_ddpg_policy_climbs_the_critic() -> None:
    """The policy's gradient is that of -Q(s, pi(s)), by finite differences in double precision."""
    learner = Ddpg(DdpgSettings(hidden=HIDDEN), Layout("continuous", SIZES), Streams([0]))
    for part in (learner.actor, learner.critic, learner.slow_actor, learner.slow_critic):
        part.double()
    data = {k: v.double() if v.is_floating_point() else v for k, v in batch("continuous").items()}
    learner.losses(data)[0].backward()
    weight, step = next(iter(learner.actor.parameters())), 1e-6
    gradient = weight.grad
    assert gradient is not None
    for index in ((0, 0, 0), (0, 2, 5), (0, 3, 7)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[index] += sign * step
                values.append(float(learner.losses(data)[0]))
                weight[index] -= sign * step
        numeric = (values[0] - values[1]) / (2 * step)
        assert float(gradient[index]) == pytest.approx(numeric, rel=1e-4, abs=1e-9)


def td3(**changes: Any) -> Ddpg:
    settings = DdpgSettings(hidden=HIDDEN, gamma=0.9, batch=4, critics=2, policy_every=2)
    return Ddpg(settings.replace(**changes), Layout("continuous", SIZES), Streams([0]))


def test_td3_learns_from_the_lesser_critic_and_climbs_the_first() -> None:
    """Both critics, 2 and 5, learn r + gamma min(3, 1); the policy's value is 2."""
    learner = td3()
    for critic, values in ((learner.critic, [2.0, 5.0]), (learner.slow_critic, [3.0, 1.0])):
        constant(critic.mlp, [0.0])
        with torch.no_grad():
            critic.mlp.layers[-1].bias[:, 0, 0] = torch.tensor(values)
    data = batch("continuous")
    _, figures = learner.losses(data)
    target = data["reward"] + 0.9 * 1.0
    wanted = sum(0.5 * ((value - target) ** 2).mean() for value in (2.0, 5.0))
    assert float(figures["q_loss"]) == pytest.approx(float(wanted), rel=1e-5)
    assert float(figures["q"]) == pytest.approx(2.0)


def test_td3_moves_its_policy_and_slow_copies_in_every_other_update() -> None:
    """The critics move in both."""
    learner, data = td3(), batch("continuous")
    nets = {n: getattr(learner, n) for n in ("actor", "slow_actor", "critic", "slow_critic")}
    moved = []
    for _ in range(4):
        before = {n: torch.cat([p.flatten() for p in net.parameters()]) for n, net in nets.items()}
        learner.update(data)
        after = {n: torch.cat([p.flatten() for p in net.parameters()]) for n, net in nets.items()}
        moved.append({n for n in nets if not torch.equal(before[n], after[n])})
    assert moved == [{"critic"}, set(nets), {"critic"}, set(nets)]


def test_td3_smooths_the_action_that_its_target_values() -> None:
    """By noise of the deviation asked for, cut at its limit; the critic here sees the numbers."""
    learner, n = td3(critics=1, smoothing=0.4, smoothing_limit=0.3), 20_000
    constant(learner.slow_actor.net, [0.0] * learner.layout.n_continuous)
    kept: list[Tensor] = []

    def critic(obs: Tensor, numbers: Tensor, frozen: bool = False) -> Tensor:
        kept.append(numbers)
        return numbers.sum(dim=-1)

    learner.slow_critic = critic  # type: ignore[assignment]
    data = {k: v[:, :1].expand(1, n, *v.shape[2:]) for k, v in batch("continuous").items()}
    learner._following(data)
    noise = kept[0][kept[0] != 0]
    assert float(noise.abs().max()) == pytest.approx(0.3)
    inside = torch.randn(200_000, generator=torch.Generator().manual_seed(2)).mul(0.4)
    assert float(noise.std()) == pytest.approx(float(inside.clamp(-0.3, 0.3).std()), rel=0.02)


def test_dueling_values_have_the_state_value_as_mean() -> None:
    """Over allowed options the mean of Q is V; options not allowed can never be the best."""
    layout = Layout("discrete", SIZES)
    network, data = BranchingQ(layout, HIDDEN, Streams([0])), batch("discrete")
    allowed, _ = layout.head_mask(data["mask"], data["active"])
    values = network(data["obs"], allowed)
    value = network.net(data["obs"])[..., 0]
    mean = values.masked_fill(~allowed, 0).sum(-1) / allowed.sum(-1)
    torch.testing.assert_close(mean, value[..., None].expand_as(mean))
    assert (values[~allowed] == NEVER).all()
    assert allowed.gather(-1, values.argmax(-1, keepdim=True)).all()


def test_d3qn_loss_by_hand() -> None:
    """Mean over acting branches of half the squared distance from r + gamma mean_h Q'_h."""
    learner = d3qn()
    heads, options = learner.layout.n_heads, learner.layout.n_options
    constant(learner.actor.net, [1.0] + [0.0] * heads * options)
    constant(learner.slow.net, [2.0] + [0.0] * heads * options)
    data = batch("discrete")
    _, figures = learner.losses(data)
    expected = (0.5 * (1.0 - (data["reward"] + 0.9 * 2.0)) ** 2).mean()
    assert float(figures["q_loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_d3qn_target_is_double() -> None:
    """The fast network chooses the option, the slow one says what it is worth."""
    learner = d3qn()
    heads, options = learner.layout.n_heads, learner.layout.n_options
    fast, slow = torch.zeros(heads, options), torch.zeros(heads, options)
    fast[:, 0], slow[:, 0], slow[:, 1] = 1.0, 4.0, 9.0
    constant(learner.actor.net, [0.0, *fast.flatten().tolist()])
    constant(learner.slow.net, [0.0, *slow.flatten().tolist()])
    data = batch("discrete")
    allowed, weight = learner.layout.head_mask(data["next_mask"], data["next_active"])
    total = (slow * allowed).sum(-1)
    worth = 4.0 - total / allowed.sum(-1)
    mean = (worth * weight).sum(-1) / weight.sum(-1)
    torch.testing.assert_close(learner._backup(data), data["reward"] + 0.9 * mean)


def test_epsilon_falls_to_its_end() -> None:
    """From 1 to the least share over the given slots, and no further."""
    learner = d3qn(epsilon_slots=100, epsilon_end=0.1)
    seen = []
    for slots in (0, 50, 100, 1000):
        learner.slots.fill_(slots)
        seen.append(learner.epsilon)
    assert seen == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_exploring_at_random_is_uniform_over_allowed_options() -> None:
    """With epsilon 1 every available server comes equally often, others never."""
    learner, n = d3qn(), 3000
    data = {k: v[:, :1].expand(1, n, *v.shape[2:]) for k, v in batch("discrete").items()}
    choice = learner.act(View(data["obs"], data["mask"], data["active"])).choice
    allowed, _ = learner.layout.head_mask(data["mask"], data["active"])
    share = torch.nn.functional.one_hot(choice, learner.layout.n_options).float().mean(dim=(0, 1))
    expected = allowed[0, 0] / allowed[0, 0].sum(-1, keepdim=True)
    assert ((share - expected).abs() <= 5 * (expected * (1 - expected) / n).sqrt()).all()


def test_advantages_by_hand() -> None:
    """Three slots, the second ends an episode: its future is bootstrapped, the sum stops."""
    reward, value = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.5, 1.0, 1.5]])
    following, end = torch.tensor([[1.0, 4.0, 2.0]]), torch.tensor([0.0, 1.0, 0.0])
    found = advantages(reward, value, following, end, 0.9, 0.5)
    last = 3.0 + 0.9 * 2.0 - 1.5
    second = 2.0 + 0.9 * 4.0 - 1.0
    first = 1.0 + 0.9 * 1.0 - 0.5 + 0.45 * second
    torch.testing.assert_close(found, torch.tensor([[first, second, last]]))


def test_the_surrogate_is_clipped_on_one_side() -> None:
    """A good action gains nothing beyond 1 + clip; a bad one is pulled back without limit."""
    ratio = torch.tensor([1.5, 0.5, 1.5, 0.5])
    advantage = torch.tensor([1.0, 1.0, -1.0, -1.0])
    found = clipped_surrogate(ratio.log(), torch.zeros(4), advantage, 0.2)
    torch.testing.assert_close(found, torch.tensor([1.2, 0.5, -1.5, -0.8]))


@pytest.mark.parametrize("kind", ["hybrid", "continuous"])
def test_ppo_losses_by_hand(kind: str) -> None:
    """At the old policy the ratio is 1, so the surrogate is the mean scaled advantage, 0."""
    settings = PpoSettings(hidden=HIDDEN, entropy_bonus=0.01, value_weight=0.5, log_std=-0.5)
    learner = Ppo(settings, Layout(kind, SIZES), Streams([0]))  # type: ignore[arg-type]
    data = batch(kind)
    constant(learner.value.mlp, [2.0])
    log_prob, entropy = learner.log_prob_and_entropy(data)
    full = data | {
        "old_log_prob": log_prob.detach(),
        "advantage": torch.randn(1, B),
        "return": torch.full((1, B), 5.0),
    }
    loss, figures = learner.losses(full)
    assert float(figures["value_loss"]) == pytest.approx(4.5)
    expected = 0.5 * 4.5 - 0.01 * float(entropy.detach().mean())
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_ppo_log_probability_is_that_of_heads_and_gaussian() -> None:
    """Hand-computed for a trunk that answers zeros: log n per head, a Gaussian at atanh."""
    learner = Ppo(PpoSettings(hidden=HIDDEN, log_std=-0.5), Layout("hybrid", SIZES), Streams([0]))
    assert isinstance(learner.actor, Trunk)
    constant(learner.actor.net, [0.0] * (K * S + K + 2 * M))
    data = batch("hybrid")
    log_prob, _ = learner.log_prob_and_entropy(data)
    acts = data["active"] & data["mask"].any(-1)
    of_heads = -(data["mask"].sum(-1).clamp(min=1).double().log() * acts).sum(-1)
    raw = data["numbers"].double().atanh()
    density = -0.5 * (raw / math.exp(-0.5)) ** 2 + 0.5 - 0.5 * math.log(2 * math.pi)
    weight = torch.cat([acts.double(), torch.ones(1, B, 2 * M)], dim=-1)
    expected = of_heads + (density * weight).sum(-1)
    torch.testing.assert_close(log_prob.detach().double(), expected, rtol=1e-4, atol=1e-4)


def steps(learner: Any, n: int, runs: int, kind: str) -> None:
    data = batch(kind, runs)
    for i in range(n):
        j = i % B
        view = View(
            data["obs"][:, j : j + 1], data["mask"][:, j : j + 1], data["active"][:, j : j + 1]
        )
        action = learner.act(view)
        reward = data["reward"][:, j : j + 1]
        learner.observe(Transition(view, action, reward, view, view.active.float(), i == n - 1))


def weights(learner: Any, run: int) -> list[Tensor]:
    return [p[run] for p in learner.actor.parameters()]


@pytest.mark.parametrize("method", ["ddpg", "td3", "d3qn", "ppo", "ppo-modern", "hybrid-ppo"])
def test_runs_together_equal_runs_alone(method: str) -> None:
    """Two runs in one batch learn what each learns by itself."""
    kind = {"d3qn": "discrete", "hybrid-ppo": "hybrid"}.get(method, "continuous")

    def trained(seeds: tuple[int, ...], rows: slice) -> Any:
        layout, streams = Layout(kind, SIZES), Streams(seeds)  # type: ignore[arg-type]
        learner: Any
        if method == "ddpg":
            learner = Ddpg(DdpgSettings(hidden=HIDDEN, batch=4), layout, streams)
        elif method == "td3":
            twins = DdpgSettings(hidden=HIDDEN, batch=4, critics=2, smoothing=0.2, policy_every=2)
            learner = Ddpg(twins, layout, streams)
        elif method == "d3qn":
            learner = D3qn(D3qnSettings(hidden=HIDDEN, batch=4), layout, streams)
        else:
            settings = PpoSettings(hidden=HIDDEN, batch=4, rollout_epochs=1, passes=2)
            if method == "ppo-modern":
                settings = settings.replace(orthogonal=True, normalise=True, anneal_epochs=9)
            learner = Ppo(settings, layout, streams)
        data = {name: value[rows] for name, value in batch(kind, 2).items()}
        for j in range(B):
            view = View(*(data[n][:, j : j + 1] for n in ("obs", "mask", "active")))
            action = learner.act(view)
            reward = data["reward"][:, j : j + 1]
            learner.observe(Transition(view, action, reward, view, view.active.float(), j == B - 1))
        learner.learn(3)
        return learner

    together = trained((3, 8), slice(0, 2))
    for run, seed in enumerate((3, 8)):
        alone = trained((seed,), slice(run, run + 1))
        for mine, both in zip(weights(alone, 0), weights(together, run), strict=True):
            torch.testing.assert_close(mine, both, rtol=1e-4, atol=1e-5)


def test_ppo_rates_fall_to_nothing() -> None:
    """Linearly over the episodes asked for, from the settings' own; both groups, and no further."""
    settings = PpoSettings(hidden=HIDDEN, batch=4, rollout_epochs=2, passes=1, anneal_epochs=8)
    learner = Ppo(settings.replace(critic_rate=1e-3), Layout("hybrid", SIZES), Streams([0]))
    found: list[float] = []
    for _ in range(10):
        steps(learner, 3, 1, "hybrid")
        if learner.learn(0):
            found += [group["lr"] for group in learner.optimiser.param_groups]
    shares = (1.0, 0.75, 0.5, 0.25, 0.0)
    assert found == pytest.approx([rate * x for x in shares for rate in (3e-4, 1e-3)])


def test_ppo_starts_orthogonal_where_asked_to() -> None:
    """Policy and value; the policy's output favours nothing."""
    learner = Ppo(
        PpoSettings(hidden=HIDDEN, orthogonal=True), Layout("hybrid", SIZES), Streams([0])
    )
    for net, gain in ((learner.actor.net, 1e-4), (learner.value.mlp, 1.0)):
        last = net.layers[-1].weight[0]
        gram = last.mT @ last if last.shape[0] >= last.shape[1] else last @ last.mT
        torch.testing.assert_close(gram, gain * torch.eye(len(gram)), rtol=1e-4, atol=1e-5)


def test_ppo_learns_only_when_its_rollout_is_complete() -> None:
    """Between rollouts nothing changes; afterwards the rollout is empty."""
    settings = PpoSettings(hidden=HIDDEN, batch=4, rollout_epochs=2, passes=1)
    learner = Ppo(settings, Layout("hybrid", SIZES), Streams([0]))
    before = [p.clone() for p in learner.actor.parameters()]
    steps(learner, 5, 1, "hybrid")
    assert learner.learn(10) == {}
    assert all(torch.equal(a, b) for a, b in zip(before, learner.actor.parameters(), strict=True))
    steps(learner, 5, 1, "hybrid")
    assert set(learner.learn(10)) == {"value_loss", "entropy"}
    assert learner.rollout == []
    assert not all(
        torch.equal(a, b) for a, b in zip(before, learner.actor.parameters(), strict=True)
    )

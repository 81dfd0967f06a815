"""Every learner's gradients are finite differences, in double precision.

A loss is a sum in which targets are constants and critics are frozen while policies climb them, so
the whole loss is not what any one network descends. Here every network's gradient, as `losses`
leaves it, is compared with differences of the objective that it is meant to descend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from drl.agents.ad_sac import AdSac, AdSacSettings
from drl.agents.ad_sac_plus import AdSacPlus, AdSacPlusSettings
from drl.agents.d3qn import D3qn, D3qnSettings
from drl.agents.ddpg import Ddpg, DdpgSettings
from drl.agents.ppo import Ppo, PpoSettings
from drl.core.distributions import Heads
from drl.core.layout import Layout, Sizes
from drl.core.nets import Streams
from drl.core.replay import Batch

K, S, M, B = 3, 4, 1, 7
D = K * 6 + K * (M + 1) + 3 * M + 2 * (S - M) + 1 + K + K * S
SIZES = Sizes(K, S, M, D, reach=0.2, coverage=1.0)
HIDDEN = (12, 12)

Objective = Callable[[], Tensor]


def batch(layout: Layout, reward_shape: tuple[int, ...] = (1, B)) -> Batch:
    g = torch.Generator().manual_seed(3)
    mask, active = torch.rand(1, B, K, S, generator=g) < 0.6, torch.rand(1, B, K, generator=g) < 0.8
    mask[..., 0] = True
    seen = {"mask": mask, "active": active, "next_mask": mask.flip(1)}
    choice = torch.zeros(1, B, 0, dtype=torch.int64)
    if layout.n_heads:
        allowed, _ = layout.head_mask(mask, active)
        choice = (torch.rand(allowed.shape, generator=g) * allowed).argmax(dim=-1)
    numbers = torch.rand(1, B, layout.n_continuous, generator=g) * 1.8 - 0.9
    return seen | {
        "next_active": active.flip(1),
        "obs": torch.randn(1, B, D, generator=g).double(),
        "next_obs": torch.randn(1, B, D, generator=g).double(),
        "reward": torch.rand(reward_shape, generator=g).double(),
        "choice": choice,
        "numbers": numbers.double(),
    }


def doubled(learner: Any) -> Any:
    """The learner with every network in double precision and policies that are not indifferent."""
    g = torch.Generator().manual_seed(4)
    for part in learner.parts().values():
        if isinstance(part, nn.Module):
            part.double()
    with torch.no_grad():
        for parameter in learner.actor.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=g).double()
    return learner


def repeatable(learner: Any, objective: Objective) -> Objective:
    """The objective under the same draws every time."""

    def again() -> Tensor:
        for generator in learner.streams.generators:
            generator.manual_seed(11)
        return objective()

    return again


def check(parameters: Iterable[nn.Parameter], objective: Objective) -> None:
    """Along a random direction of each parameter, its gradient is the objective's slope."""
    g, step = torch.Generator().manual_seed(5), 1e-6
    for parameter in parameters:
        assert parameter.grad is not None
        direction = torch.randn(parameter.shape, generator=g).double()
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * step * direction
                values.append(float(objective()))
                parameter -= sign * step * direction
        slope = (values[0] - values[1]) / (2 * step)
        found = float((parameter.grad * direction).sum())
        assert found == pytest.approx(slope, rel=1e-4, abs=1e-8)
        assert abs(slope) > 1e-7  # else the comparison says nothing


@pytest.fixture
def relaxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Straight-through draws as their relaxation, whose gradient they have by construction
    (tests/drl/core/test_distributions.py): differences need a smooth draw."""

    def soft(self: Heads, gumbel: Tensor, temperature: float) -> Tensor:
        return ((self.log_p + gumbel) / temperature).softmax(dim=-1)

    monkeypatch.setattr(Heads, "sample_straight_through", soft)


def test_ddpg() -> None:
    """The critic descends its squared error, the policy minus its value."""
    layout = Layout("continuous", SIZES)
    learner = doubled(Ddpg(DdpgSettings(hidden=HIDDEN), layout, Streams([0])))
    data = batch(layout)
    learner.losses(data)[0].backward()
    check(learner.critic.parameters(), lambda: learner.losses(data)[1]["q_loss"].sum())
    check(learner.actor.parameters(), lambda: -learner.losses(data)[1]["q"].sum())


def test_d3qn() -> None:
    """The branching network descends its squared error against a constant target."""
    layout = Layout("discrete", SIZES)
    learner = doubled(D3qn(D3qnSettings(hidden=HIDDEN), layout, Streams([0])))
    data = batch(layout)
    target = learner._backup(data)
    learner._backup = lambda _: target
    learner.losses(data)[0].backward()
    check(learner.actor.parameters(), lambda: learner.losses(data)[0])


@pytest.mark.parametrize("kind", ["continuous", "hybrid", "discrete"])
def test_ppo(kind: str) -> None:
    """Policy and value descend the clipped surrogate, the entropy bonus and the value loss, also
    where some ratios are beyond the clip."""
    layout = Layout(kind, SIZES)  # type: ignore[arg-type]
    settings = PpoSettings(hidden=HIDDEN, entropy_bonus=0.1)
    learner = doubled(Ppo(settings, layout, Streams([0])))
    data, g = batch(layout), torch.Generator().manual_seed(6)
    log_prob = learner.log_prob_and_entropy(data)[0].detach()
    data["old_log_prob"] = log_prob + 0.3 * torch.randn(1, B, generator=g).double()
    data |= {n: torch.randn(1, B, generator=g).double() for n in ("advantage", "return")}
    ratio = (log_prob - data["old_log_prob"]).exp()
    assert ((ratio < 0.8) | (ratio > 1.2)).any()
    learner.losses(data)[0].backward()
    trained = [p for p in learner.actor.parameters() if p.numel()]
    check([*trained, *learner.value.parameters()], lambda: learner.losses(data)[0])


@pytest.mark.parametrize(
    ("kind", "credit"),
    [("hybrid", "joint"), ("discrete", "joint"), ("continuous", "joint"), ("hybrid", "devices")],
)
@pytest.mark.usefixtures("relaxed")
def test_ad_sac(kind: str, credit: str) -> None:
    """(45)-(50): each Q its squared error, each V its own, each policy alpha log pi - Q of its own
    critic, each temperature its surplus of entropy."""
    layout = Layout(kind, SIZES)  # type: ignore[arg-type]
    each = credit == "devices"
    own: dict[str, Any] = {"credit": credit, "reward": "cost", "synthetic": 0.0} if each else {}
    settings = AdSacSettings(hidden=HIDDEN, layout=kind, temperature=0.3, **own)
    learner = doubled(AdSac(settings, layout, Streams([0])))
    data = batch(layout, (1, B, K) if each else (1, B))

    seen = data["mask"], data["active"]

    def losses() -> tuple[Tensor, dict[str, Tensor]]:
        return learner.losses(data, learner.actor.policies(data["obs"], *seen))

    def policy_loss(agent: str) -> Tensor:
        _, f = losses()
        return -(f[f"temperature_{agent}"] * f[f"entropy_{agent}"] + f[f"q_{agent}"]).sum()

    repeatable(learner, lambda: losses()[0])().backward()
    agents = {"mu": learner.actor.mu, "nu": learner.actor.nu}
    agents = {name: network for name, network in agents.items() if network is not None}
    check(
        learner.critic.parameters(),
        repeatable(learner, lambda: sum(losses()[1][f"q_loss_{n}"].sum() for n in agents)),  # type: ignore[arg-type, return-value]
    )
    check(learner.value.parameters(), repeatable(learner, lambda: losses()[0]))

    def surplus() -> Tensor:
        f = losses()[1]
        entropy = torch.cat([f[f"entropy_{name}"] for name in agents])
        targets = learner._draw(data, learner.actor.policies(data["obs"], *seen))[2].mean(dim=-1)
        return (learner.log_temperature.exp() * (entropy - targets)).sum()

    check([learner.log_temperature], repeatable(learner, surplus))
    for name, network in agents.items():
        check(network.parameters(), repeatable(learner, lambda name=name: policy_loss(name)))  # type: ignore[misc]


@pytest.mark.parametrize("own_mean", [True, False])
@pytest.mark.usefixtures("relaxed")
def test_ad_sac_plus(own_mean: bool) -> None:
    """The critic descends its squared error, both policies minus the soft value of all devices,
    the temperatures their surplus of entropy."""
    layout = Layout("hybrid", SIZES)
    settings = AdSacPlusSettings(hidden=HIDDEN, temperature=0.3, own_mean=own_mean, gamma=0.9)
    learner = doubled(AdSacPlus(settings, layout, Streams([0])))
    data = batch(layout, (1, B, K))
    weight = layout.head_mask(data["mask"], data["active"])[1].double()
    repeatable(learner, lambda: learner.losses(data)[0])().backward()
    q_loss = repeatable(learner, lambda: learner.losses(data)[1]["q_loss"].sum())
    check(learner.critic.parameters(), q_loss)
    # The backup draws before the policies do: the same draws need the same order.
    policies = repeatable(
        learner, lambda: (learner._backup(data), learner._policy_loss(data, weight)[0].sum())[1]
    )
    check(learner.actor.parameters(), policies)

    def surplus() -> Tensor:
        figures = learner.losses(data)[1]
        above = torch.cat([figures["surplus_mu"], figures["surplus_nu"]])
        return (learner.log_temperature.exp()[:, 0] * above).sum()

    check([learner.log_temperature], repeatable(learner, surplus))

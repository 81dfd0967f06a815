"""The losses of AD-SAC+ by hand, entropies and temperatures included."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from drl.agents.ad_sac_plus import AdSacPlus, AdSacPlusSettings
from drl.core.device_nets import covered
from drl.core.layout import Layout, Sizes
from drl.core.nets import Streams
from drl.core.replay import Batch

K, S, M, B = 3, 4, 1, 6
D = K * 6 + K * (M + 1) + 3 * M + 2 * (S - M) + 1 + K + K * S
LAYOUT = Layout("hybrid", Sizes(K, S, M, D, reach=0.2, coverage=1.0))
A_MU, A_NU = 0.7, 0.3


def learner(**changes: Any) -> AdSacPlus:
    """Both temperatures apart; policies of equal options and standard Gaussians; Q is 2."""
    subject = AdSacPlus(AdSacPlusSettings(hidden=(8, 8)).replace(**changes), LAYOUT, Streams([0]))  # type: ignore[arg-type]
    with torch.no_grad():
        for p in [*subject.actor.parameters(), *subject.critic.parameters()]:
            p.zero_()
        subject.critic.net.body.layers[-1].bias.fill_(2.0)
        subject.log_temperature.copy_(torch.tensor([[A_MU], [A_NU]]).log())
    return subject


def batch() -> Batch:
    g = torch.Generator().manual_seed(2)
    mask, active = torch.rand(1, B, K, S, generator=g) < 0.7, torch.rand(1, B, K, generator=g) < 0.7
    mask[..., S - 1] = True
    obs = torch.rand(1, B, D, generator=g) * 2 - 1
    return {
        "obs": obs,
        "mask": mask,
        "active": active,
        "next_obs": obs,
        "next_mask": mask,
        "next_active": active,
        "choice": torch.full((1, B, K), S - 1),
        "numbers": torch.zeros(1, B, K + 2 * M),
        "reward": -torch.rand(1, B, K, generator=g),
    }


def parts(subject: AdSacPlus, data: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """By hand, (B,) each: minus both log-probabilities, each agent's greatest or unit share of its
    entropy target, and the devices that act. The draws are those that `losses` will make."""
    state = subject.streams.generators[0].get_state()
    raw = subject.streams.normal(B, K + 2 * M)
    subject.streams.generators[0].set_state(state)
    left = covered(data["obs"], data["mask"], raw.tanh(), LAYOUT.sizes)
    assert (left.sum() < data["mask"].sum()) == subject.settings.motion_first
    acts = data["active"][0].double()
    entropy_mu = (left[0].sum(-1).double().log() * acts).sum(-1)
    weight = torch.cat([acts, torch.ones(B, 2 * M).double()], dim=-1)
    x = raw[0].double()
    density = -0.5 * x**2 - 0.5 * math.log(2 * math.pi) - (1 - x.tanh() ** 2).log()
    return entropy_mu, -(density * weight).sum(-1), entropy_mu, weight.sum(-1), acts.sum(-1)


def test_losses_by_hand() -> None:
    """Half the squared error; minus the value of all devices and the entropies, at their
    temperatures; the temperatures times the entropies' surplus over their targets."""
    subject, data = learner(discrete_entropy=0.2, continuous_entropy=-1.0), batch()
    of_mu, of_nu, ceiling, dims, devices = parts(subject, data)
    loss, figures = subject.losses(data)
    q_loss = (0.5 * (2.0 - data["reward"][0]) ** 2 * data["active"][0]).sum(-1).mean()
    policy_loss = (-A_MU * of_mu - A_NU * of_nu - 2.0 * devices).mean()
    surplus_mu, surplus_nu = (of_mu - 0.2 * ceiling).mean(), (of_nu + dims).mean()
    expected = q_loss + policy_loss + A_MU * surplus_mu + A_NU * surplus_nu
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-5)
    found = [float(figures[n]) for n in ("q_loss", "surplus_mu", "surplus_nu")]
    expected_figures = [float(x) for x in (q_loss, surplus_mu, surplus_nu)]
    assert found == pytest.approx(expected_figures, rel=1e-5)
    assert [float(figures[f"temperature_{n}"]) for n in ("mu", "nu")] == pytest.approx([A_MU, A_NU])


def test_temperatures_fall_while_there_is_entropy_to_spare() -> None:
    """Equal options and wide Gaussians are above their targets: a step lowers both; with targets
    that nothing reaches, it raises both."""
    for changes, sign in (
        ({"discrete_entropy": 0.1, "continuous_entropy": -3.0}, -1),
        ({"discrete_entropy": 1.0, "continuous_entropy": 3.0}, 1),
    ):
        subject, data = learner(**changes), batch()
        with torch.no_grad():
            # mu favours one option, so that it stays below a target of all of log n
            subject.actor.mu.body.layers[-1].bias[..., S - 1] = 2.0 if sign > 0 else 0.0
        subject.update(data)
        change = subject.log_temperature.exp()[:, 0] - torch.tensor([A_MU, A_NU])
        assert (sign * change > 0).all()


def test_without_device_means_one_draw_counts() -> None:
    """The value climbed is that of the drawn servers, whose values differ, not their mean."""
    values = torch.tensor([1.0, 2.0, 4.0, 8.0])
    data = batch()
    for own_mean in (True, False):
        subject = learner(own_mean=own_mean)
        with torch.no_grad():
            subject.critic.net.body.layers[-1].bias[0, 0] = values
            subject.log_temperature.fill_(-60.0)
        state = subject.streams.generators[0].get_state()
        heads, _, _ = subject._play(data["obs"], data["mask"], data["active"])
        gumbel = subject.streams.gumbel(*heads.log_p.shape[1:])
        subject.streams.generators[0].set_state(state)
        drawn = values[(heads.log_p + gumbel).argmax(dim=-1)]
        mean = (heads.log_p.exp() * values).sum(dim=-1)
        worth = (mean if own_mean else drawn) * heads.weight
        loss, _, _ = subject._policy_loss(data, heads.weight)
        torch.testing.assert_close(loss, -worth.sum(dim=-1).mean(dim=-1))

"""What V learns is the soft value of the hybrid policy, found a second time by enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from drl.agents.ad_sac import AdSac, AdSacSettings
from drl.core.layout import Layout, Sizes
from drl.core.nets import Streams


@pytest.mark.parametrize("n_devices", [2, 3])
def test_v_learns_the_brute_force_soft_value(n_devices: int) -> None:
    """What (45), (46) pull V to, averaged over draws, is E[Q] plus the temperature times the
    agent's own entropy, over every joint choice and a quadrature of all numbers."""
    layout = Layout("hybrid", Sizes(n_devices, 3, 0, 4))
    settings = AdSacSettings(hidden=(8, 8))
    subject = AdSac(settings, layout, Streams([n_devices]))
    g, n = torch.Generator().manual_seed(0), 30_000
    with torch.no_grad():
        for p in [*subject.actor.parameters(), *subject.critic.parameters()]:
            p += 0.4 * torch.randn(p.shape, generator=g)
        subject.log_temperature.copy_(torch.tensor([0.7, 0.2]).log())
        for p in subject.value.parameters():
            p.zero_()
    mask = torch.rand(1, 1, n_devices, 3, generator=g) < 0.8
    mask[..., 0] = True
    obs, active = torch.randn(1, 1, 4, generator=g), torch.ones(1, 1, n_devices, dtype=torch.bool)

    many = {"obs": obs, "mask": mask, "active": active}
    many |= {f"next_{name}": value for name, value in many.items()}
    many |= {"reward": torch.zeros(1, 1), "choice": torch.zeros(1, 1, n_devices).long()}
    many |= {"numbers": torch.zeros(1, 1, n_devices)}
    many = {name: v.expand(1, n, *v.shape[2:]) for name, v in many.items()}
    policies = subject.actor.policies(many["obs"], many["mask"], many["active"])
    subject.losses(many, policies)[0].backward()
    found = -subject.value.mlp.layers[-1].bias.grad[:, 0, 0]  # V is 0: the gradient is V - soft

    expected = brute_force(subject, obs, mask, active)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.01)


@torch.no_grad()
def brute_force(subject: AdSac, obs: Tensor, mask: Tensor, active: Tensor) -> Tensor:
    """(2,) soft values of mu and nu in one state."""
    layout, k = subject.layout, subject.layout.sizes.n_devices
    heads, numbers = subject.actor.policies(obs, mask, active)
    assert heads is not None
    assert numbers is not None
    node, weight = (torch.from_numpy(x).float() for x in np.polynomial.hermite_e.hermegauss(16))
    grid = torch.cartesian_prod(*[node] * k)
    density = torch.cartesian_prod(*[weight / weight.sum()] * k).prod(dim=-1)
    raw = numbers.sample_raw(grid[None])
    total = torch.zeros(2)
    for row in product(range(3), repeat=k):
        choice = torch.tensor(row).expand(1, 1, k)
        p = float(heads.log_prob(choice).exp())
        if p == 0:
            continue
        hot = layout.one_hot(choice).expand(1, len(grid), -1, -1)
        seen = [x.expand(1, len(grid), *x.shape[2:]) for x in (mask, active)]
        action = layout.joint(hot, raw.tanh(), *seen)
        q = subject.critic(*(x.expand(2, len(grid), -1) for x in (obs, action)))
        bonus = -torch.stack([heads.log_prob(choice).expand(1, len(grid)), numbers.log_prob(raw)])
        temperature = subject.log_temperature.exp()[:, None]
        total += p * ((q + temperature * bonus[:, 0]) * density).sum(dim=-1)
    return total

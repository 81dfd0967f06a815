"""Truths about maximum a posteriori policy optimisation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from drl.agents.mpo import Integration, action_weights, dual, weight_kl
from drl.core.distributions import Heads, TanhGaussian
from drl.core.nets import Streams


def test_dual_is_the_formula() -> None:
    """eta bound + eta mean_s log mean_a exp(Q / eta), by hand for two actions and one state."""
    q, eta = torch.tensor([[[1.0], [3.0]]]), torch.tensor([2.0])
    expected = 2 * 0.1 + 2 * np.log((np.exp(0.5) + np.exp(1.5)) / 2)
    assert float(dual(q, eta, 0.1)) == pytest.approx(expected, rel=1e-6)


def test_the_dual_minimum_uses_the_whole_bound() -> None:
    """At the eta that minimises the dual, the reweighting has exactly the KL it is allowed."""
    q = torch.randn(1, 16, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = minimize_scalar(
        lambda x: float(dual(q, torch.tensor([np.exp(x)]), 0.2)),
        bounds=(-5, 3),
        method="bounded",
        options={"xatol": 1e-9},
    )
    weights = action_weights(q, torch.tensor([np.exp(found.x)]))
    assert float(weight_kl(weights)) == pytest.approx(0.2, rel=1e-4)


def test_large_values_do_not_overflow() -> None:
    """Adding a constant to Q adds it to the dual and leaves the weights."""
    q, eta = torch.rand(1, 8, 4, dtype=torch.float64), torch.tensor([1e-3], dtype=torch.float64)
    shifted = q + 1e4
    torch.testing.assert_close(dual(shifted, eta, 0.1), dual(q, eta, 0.1) + 1e4)
    torch.testing.assert_close(
        action_weights(shifted, eta), action_weights(q, eta), rtol=1e-6, atol=0
    )


def test_the_gradient_is_that_of_finite_differences() -> None:
    """Of the dual in eta."""
    q = torch.randn(2, 4, 3, dtype=torch.float64)
    eta = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: dual(q, e, 0.1), (eta,))


def test_fits_are_those_of_the_reweighted_actions() -> None:
    """Each policy's loss is minus the sum over actions of softmax(Q / eta) times log-probability,
    in the mean over states."""
    integration = Integration(2, bound=0.1, policy_bounds=[0.05])
    q, log_prob = (torch.randn(2, 4, 3) for _ in range(2))
    kl = torch.full((2, 3), 0.05)  # at its bound: what the multiplier adds is 0 in sum
    found = integration.loss(q, [lambda w: (w * log_prob).sum(dim=1)], [kl])
    eta, price = integration.eta(), integration.multipliers[0]()
    weights = (q / eta[:, None, None]).softmax(dim=1)
    expected = dual(q, eta, 0.1) - (weights * log_prob).sum(dim=1).mean(dim=-1) + 0.05 * price
    torch.testing.assert_close(found, expected.sum())


def test_multipliers_rise_while_the_bound_is_broken_and_fall_below_it() -> None:
    """Gradient descent on the loss raises a multiplier iff the KL is above its bound."""
    integration = Integration(2, bound=0.1, policy_bounds=[0.05])
    kl = torch.tensor([[0.2], [0.01]], requires_grad=True)
    q = torch.randn(2, 4, 1)
    integration.loss(q, [torch.zeros_like], [kl]).backward()
    gradient = integration.multipliers[0].raw.grad
    assert gradient is not None
    assert gradient[0] < 0 < gradient[1]
    torch.testing.assert_close(kl.grad, integration.multipliers[0]()[:, None].detach())


class Bandit(nn.Module):
    """A policy without states: one head of options and one number."""

    def __init__(self, n_options: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(1, 1, 1, n_options))
        self.mean = nn.Parameter(torch.zeros(1, 1, 1))
        self.log_std = nn.Parameter(torch.zeros(1, 1, 1))

    def policies(self) -> tuple[Heads, TanhGaussian]:
        one, allowed = torch.ones(1, 1, 1), torch.ones_like(self.logits, dtype=torch.bool)
        return Heads.masked(self.logits, allowed, one), TanhGaussian(self.mean, self.log_std, one)


def climb(reward: object, n_options: int, steps: int) -> tuple[Bandit, list[Tensor]]:
    """Steps of the integration against a known reward(choice, number); KL of each step."""
    assert callable(reward)
    policy, streams = Bandit(n_options), Streams([0])
    integration = Integration(1, bound=0.3, policy_bounds=[0.01, 0.01])
    optimiser = torch.optim.Adam(
        [
            {"params": policy.parameters(), "lr": 0.02},
            {"params": integration.parameters(), "lr": 0.05},
        ]
    )
    divergences = []
    old = tuple(p.detach() for p in policy.policies())
    for step in range(steps):
        if step % 5 == 0:  # a target policy that follows now and then, as in the reference
            old = tuple(p.detach() for p in policy.policies())
        choice = old[0].draw(streams.uniform(32, 1, 1))
        raw = old[1].sample_raw(streams.normal(32, 1, 1))
        now = policy.policies()
        kls = [new.kl_from(before) for new, before in zip(now, old, strict=True)]
        q = reward(choice[..., 0], raw[..., 0].tanh())
        fits = [
            partial(now[0].weighted_log_prob, choice=choice),
            partial(now[1].weighted_log_prob_raw, raw=raw),
        ]
        optimiser.zero_grad()
        integration.loss(q, fits, kls).backward()
        optimiser.step()
        divergences.append(torch.stack([k.detach().mean() for k in kls]))
    return policy, divergences


def test_a_bandit_is_solved() -> None:
    """The best of five arms ends with most of the probability."""
    means = torch.tensor([0.1, 0.5, 0.2, 0.9, 0.7])
    policy, _ = climb(lambda choice, number: means[choice], 5, 600)
    assert policy.logits.softmax(dim=-1)[0, 0, 0, 3] > 0.9


def test_a_hybrid_problem_is_solved_within_its_bounds() -> None:
    """max of m[d] - (x - 0.4)^2 is at d = 2, x = 0.4; each step keeps its KL bounds, on average."""
    means = torch.tensor([0.0, 0.3, 0.6])
    policy, divergences = climb(lambda d, x: means[d] - (x - 0.4) ** 2, 3, 800)
    heads, numbers = policy.policies()
    assert heads.mode().item() == 2
    assert heads.log_p.exp().max() > 0.9
    assert numbers.mode().item() == pytest.approx(0.4, abs=0.05)
    assert (torch.stack(divergences).mean(dim=0) < 0.01).all()

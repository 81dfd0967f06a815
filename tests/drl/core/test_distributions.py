"""Truths about the two kinds of policy."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from drl.core.distributions import Heads, TanhGaussian, entropy_ceiling

MASK = torch.tensor(
    [[True, False, True, True], [False, True, False, False], [True, True, False, True]]
)


def heads(n_heads: int = 3, seed: int = 0) -> Heads:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n_heads, 4, generator=generator, dtype=torch.float64)
    return Heads.masked(logits, MASK[:n_heads], torch.ones(n_heads, dtype=torch.float64))


def gaussian(seed: int = 0) -> TanhGaussian:
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    return TanhGaussian(draw[0], 0.3 * draw[1] - 0.5, torch.ones(3, dtype=torch.float64))


def joint_choices(policy: Heads) -> Tensor:
    n_heads, n_options = policy.log_p.shape
    return torch.tensor(list(product(range(n_options), repeat=n_heads)))


def test_masked_options_have_probability_exactly_zero() -> None:
    """An unavailable server has probability 0 in single precision too, whatever its logit."""
    logits = torch.zeros(3, 4)
    logits[0, 1] = 80.0
    policy = Heads.masked(logits, MASK, torch.ones(3))
    assert (policy.log_p.exp()[~MASK] == 0).all()
    torch.testing.assert_close(policy.log_p.exp().sum(dim=-1), torch.ones(3))


@pytest.mark.parametrize("n_heads", [1, 2, 3])
def test_probabilities_of_joint_choices_sum_to_one(n_heads: int) -> None:
    """exp(log_prob) over all joint choices sums to one."""
    policy = heads(n_heads)
    every = Heads(policy.log_p.expand(4**n_heads, -1, -1), policy.weight)
    total = every.log_prob(joint_choices(policy)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.parametrize("n_heads", [2, 3])
def test_entropy_is_minus_the_mean_log_probability(n_heads: int) -> None:
    """The sum of head entropies equals brute force over all joint choices."""
    policy = heads(n_heads)
    every = Heads(policy.log_p.expand(4**n_heads, -1, -1), policy.weight)
    log_prob = every.log_prob(joint_choices(policy))
    torch.testing.assert_close(policy.entropy(), -(log_prob.exp() * log_prob).sum())


def test_heads_of_weight_zero_count_for_nothing() -> None:
    """An idle device adds nothing to log-probability, entropy, ceiling or divergence."""
    policy, other = heads(3), heads(3, seed=1)
    weight = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    some, kept = Heads(policy.log_p, weight), [0, 2]
    part = Heads(policy.log_p[kept], weight[kept])
    choice = torch.tensor([0, 1, 3])
    torch.testing.assert_close(some.log_prob(choice), part.log_prob(choice[kept]))
    torch.testing.assert_close(some.entropy(), part.entropy())
    torch.testing.assert_close(
        some.kl_from(other), part.kl_from(Heads(other.log_p[kept], weight[kept]))
    )
    expected = torch.log(torch.tensor(3.0)) * 2
    torch.testing.assert_close(entropy_ceiling(MASK, weight.float()), expected)


def test_draws_follow_the_probabilities_and_never_the_masked() -> None:
    """Frequencies of 40,000 draws agree within 5 standard errors; masked options never come."""
    policy, n = heads(3), 40_000
    many = Heads(policy.log_p.expand(n, -1, -1), policy.weight)
    uniform = torch.rand(n, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    counts = torch.nn.functional.one_hot(many.draw(uniform), 4).double().mean(dim=0)
    p = policy.log_p.exp()
    assert ((counts - p).abs() <= 5 * (p * (1 - p) / n).sqrt()).all()


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-24])
def test_draws_at_the_ends_are_allowed_options(uniform: float) -> None:
    """The least and the greatest uniform number still give available options."""
    logits = torch.randn(50, 3, 4, generator=torch.Generator().manual_seed(1))
    policy = Heads.masked(logits, MASK.expand(50, 3, 4), torch.ones(50, 3))
    choice = policy.draw(torch.full((50, 3), uniform))
    assert MASK.expand(50, 3, 4).gather(-1, choice[..., None]).all()


def test_straight_through_draws_are_one_hot_and_allowed() -> None:
    """Forward, the relaxed draw is an exact one."""
    policy = heads(3)
    noise = -torch.log(
        -torch.log(torch.rand(500, 3, 4, generator=torch.Generator().manual_seed(2)))
    )
    hot = Heads(policy.log_p.expand(500, -1, -1), policy.weight).sample_straight_through(noise, 0.5)
    torch.testing.assert_close(hot.sum(dim=-1), torch.ones(500, 3, dtype=torch.float64))
    torch.testing.assert_close(hot.amax(dim=-1), torch.ones(500, 3, dtype=torch.float64))
    assert (hot * ~MASK == 0).all()


def test_straight_through_gradient_is_that_of_the_relaxation() -> None:
    """Backward, it is softmax((log p + g) / temperature)."""
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    noise, value = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    policy = Heads.masked(logits, MASK, torch.ones(3))
    (policy.sample_straight_through(noise, 0.7) * value).sum().backward()
    relaxed = ((Heads.masked(logits, MASK, torch.ones(3)).log_p + noise) / 0.7).softmax(dim=-1)
    (expected,) = torch.autograd.grad((relaxed * value).sum(), logits)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, expected)


def test_divergence_of_heads_is_brute_force() -> None:
    """KL(old || new) over joint choices."""
    new, old = heads(3), heads(3, seed=1)
    choices = joint_choices(old)
    p = Heads(old.log_p.expand(64, -1, -1), old.weight).log_prob(choices)
    q = Heads(new.log_p.expand(64, -1, -1), new.weight).log_prob(choices)
    torch.testing.assert_close(new.kl_from(old), (p.exp() * (p - q)).sum())


def test_density_of_the_squeezed_gaussian_integrates_to_one() -> None:
    """exp(log_prob) over (-1, 1), by the midpoint rule."""
    n = 200_000
    numbers = (torch.arange(n, dtype=torch.float64) + 0.5) * 2 / n - 1
    for mean, log_std in ((0.0, 0.0), (1.2, -1.0), (-0.5, 0.4)):
        full = torch.full((n, 1), 1.0, dtype=torch.float64)
        policy = TanhGaussian(mean * full, log_std * full, full)
        total = policy.log_prob(numbers.atanh()[:, None]).exp().sum() * 2 / n
        assert float(total) == pytest.approx(1.0, abs=1e-4)


def test_density_equals_the_reference() -> None:
    """Torch's own transformed distribution says the same."""
    policy = gaussian()
    base = torch.distributions.Normal(policy.mean, policy.log_std.exp())
    reference = torch.distributions.TransformedDistribution(
        base, [torch.distributions.transforms.TanhTransform()]
    )
    raw = policy.sample_raw(torch.randn(3, dtype=torch.float64))
    torch.testing.assert_close(policy.log_prob(raw), reference.log_prob(raw.tanh()).sum())


def test_density_is_finite_far_out() -> None:
    """Where tanh is 1 to the last bit, the log-density is still a number."""
    policy = TanhGaussian(torch.full((2,), 30.0), torch.zeros(2), torch.ones(2))
    assert torch.isfinite(policy.log_prob(policy.sample_raw(torch.zeros(2))))


def test_divergence_and_entropy_of_gaussians_equal_the_reference() -> None:
    """Closed forms against torch.distributions."""
    new, old = gaussian(), gaussian(seed=1)
    p, q = (torch.distributions.Normal(g.mean, g.log_std.exp()) for g in (old, new))
    torch.testing.assert_close(new.kl_from(old), torch.distributions.kl_divergence(p, q).sum())
    torch.testing.assert_close(new.entropy_raw(), q.entropy().sum())


def test_gradients_are_finite_differences() -> None:
    """Log-probabilities, entropies and divergences, in double precision."""
    choice, raw, weight = torch.tensor([0, 1, 3]), torch.randn(3).double(), torch.ones(3).double()
    old_heads, old_gaussian = heads(3, seed=5), gaussian(5)

    def of_heads(logits: Tensor) -> tuple[Tensor, ...]:
        policy = Heads.masked(logits, MASK, weight)
        return policy.log_prob(choice), policy.entropy(), policy.kl_from(old_heads)

    def of_gaussian(mean: Tensor, log_std: Tensor) -> tuple[Tensor, ...]:
        policy = TanhGaussian(mean, log_std, weight)
        drawn = policy.log_prob(policy.sample_raw(raw))
        return policy.log_prob(raw), drawn, policy.kl_from(old_gaussian)

    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    parameters = [torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(of_heads, (logits,))
    assert torch.autograd.gradcheck(of_gaussian, parameters)


def in_runs(n_states: int = 5) -> tuple[Heads, TanhGaussian, list[Tensor]]:
    """Policies (R, B, ...) with two idle parts, and the tensors that gradients are taken to."""
    draw = torch.Generator().manual_seed(3)
    shapes = [(2, n_states, 3, 4), (2, n_states, 3), (2, n_states, 3)]
    leaves = [torch.randn(s, generator=draw, dtype=torch.float64).requires_grad_() for s in shapes]
    weight = torch.ones(2, n_states, 3, dtype=torch.float64)
    weight[0, 1, 2] = weight[1, 0, 0] = 0.0
    policies = Heads.masked(leaves[0], MASK, weight), TanhGaussian(*leaves[1:], weight)
    return *policies, leaves


def test_several_draws_are_those_of_one_at_a_time() -> None:
    """n draws a state beside one policy a state."""
    policy, numbers, _ = in_runs()
    noise = torch.rand(2, 7, 5, 3, dtype=torch.float64)
    one_by_one = torch.stack([policy.draw(u) for u in noise.unbind(1)], dim=1)
    assert torch.equal(policy.draw(noise), one_by_one)
    raw = torch.stack([numbers.sample_raw(u) for u in noise.unbind(1)], dim=1)
    torch.testing.assert_close(numbers.sample_raw(noise), raw)


def test_weighted_log_probabilities_are_weighted_sums() -> None:
    """Of n draws: the same value and the same gradient as draw by draw."""
    policy, numbers, leaves = in_runs()
    weights = torch.rand(2, 7, 5, dtype=torch.float64)
    choice = policy.draw(torch.rand(2, 7, 5, 3, dtype=torch.float64))
    raw = torch.randn(2, 7, 5, 3, dtype=torch.float64)
    at_once = [
        policy.weighted_log_prob(weights, choice),
        numbers.weighted_log_prob_raw(weights, raw),
    ]
    each = zip(weights.unbind(1), choice.unbind(1), raw.unbind(1), strict=True)
    singly = [(w * policy.log_prob(c), w * numbers.log_prob_raw(r)) for w, c, r in each]
    for found, parts in zip(at_once, zip(*singly, strict=True), strict=True):
        torch.testing.assert_close(found, sum(parts))
    expected = sum(part.sum() for parts in singly for part in parts)
    gradients = (
        torch.autograd.grad(total, leaves, retain_graph=True)
        for total in (sum(found.sum() for found in at_once), expected)
    )
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted)

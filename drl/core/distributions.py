"""The two kinds of policy: masked categorical heads, and a Gaussian squeezed by tanh.

Both are plain values: tensors in, tensors out; noise is handed in, so that every run draws from
its own generator. Leading axes are free, written '...'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

#: Logit of an option that is not allowed: exp of it is exactly 0, and gradients stay finite.
NEVER = -1e9

#: Range of log standard deviations: the habit of soft actor-critics (Yarats and Kostrikov,
#: pytorch_sac, 2020), narrower than the [-20, 2] of Haarnoja et al. 2018.
LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0


@dataclass(frozen=True, eq=False)
class Heads:
    """H independent categorical choices; those of weight 0 act on nothing and count for nothing."""

    log_p: Tensor
    """(..., H, C) log-probabilities."""
    weight: Tensor
    """(..., H) 1 or 0."""

    @classmethod
    def masked(cls, logits: Tensor, allowed: Tensor, weight: Tensor) -> Heads:
        """Probability exactly 0 where `allowed` (..., H, C) is false."""
        return cls(_options_first(F.log_softmax, logits.masked_fill(~allowed, NEVER)), weight)

    @cached_property
    def p(self) -> Tensor:
        """(..., H, C) probabilities."""
        return self.log_p.exp()

    def detach(self) -> Heads:
        """The same choices, without gradients."""
        return Heads(self.log_p.detach(), self.weight)

    def mode(self) -> Tensor:
        """(..., H) most probable options."""
        return self.log_p.argmax(dim=-1)

    @torch.no_grad()
    def draw(self, uniform: Tensor) -> Tensor:
        """Exact draws by inverting the distribution function: int64 of the shape of `uniform`.

        `uniform` is (..., H), or (R, n, ..., H) for n draws of a policy (R, ..., H).
        """
        below = self.p.movedim(-1, 0).cumsum(dim=0)
        below = below.reshape(len(below), *_beside(below[0], uniform).shape)
        level = uniform * below[-1]
        # Bytes, option by option: sums of booleans, or over a short last axis, take thrice as long.
        choice = torch.zeros_like(level, dtype=torch.uint8)
        for bound in below:
            choice += bound <= level
        return choice.long()

    def sample_straight_through(self, gumbel: Tensor, temperature: float) -> Tensor:
        """(..., H, C) one-hot draws whose gradient is that of the relaxed ones.

        Gumbel-softmax, Jang et al. 2017: forward an exact draw, backward softmax(. / temperature).
        """
        noisy = self.log_p + gumbel
        soft = _options_first(F.softmax, noisy / temperature)
        hard = F.one_hot(noisy.argmax(dim=-1), noisy.shape[-1]).to(soft.dtype)
        return hard + (soft - soft.detach())

    def log_prob(self, choice: Tensor) -> Tensor:
        """(...) of the joint choice (..., H): the sum over heads that act."""
        chosen = self.log_p.gather(-1, choice[..., None])[..., 0]
        return (chosen * self.weight).sum(dim=-1)

    def weighted_log_prob(self, weights: Tensor, choice: Tensor) -> Tensor:
        """(R, B) sum over n joint choices (R, n, B, H) of `weights` (R, n, B) times `log_prob`."""
        shape = (*self.log_p.shape[:-1], choice.shape[1])
        each = weights.movedim(1, -1)[..., None, :].expand(shape)
        total = torch.zeros(self.log_p.shape, dtype=weights.dtype, device=weights.device)
        total.scatter_add_(-1, choice.movedim(1, -1), each)
        return ((total * self.log_p).sum(dim=-1) * self.weight).sum(dim=-1)

    def entropy(self) -> Tensor:
        """(...) Entropy of the joint choice; exactly minus the mean log-probability."""
        per_head = -(self.p * self.log_p).sum(dim=-1)
        return (per_head * self.weight).sum(dim=-1)

    def kl_from(self, old: Heads) -> Tensor:
        """(...) KL(old || self), summed over heads that act."""
        per_head = (old.p * (old.log_p - self.log_p)).sum(dim=-1)
        return (per_head * self.weight).sum(dim=-1)


def entropy_ceiling(allowed: Tensor, weight: Tensor) -> Tensor:
    """(...) Greatest entropy the heads can have: sum of log n, n the allowed options of a head."""
    return (allowed.sum(dim=-1).clamp(min=1).float().log() * weight).sum(dim=-1)


@dataclass(frozen=True, eq=False)
class TanhGaussian:
    """Z independent Gaussians squeezed into (-1, 1); numbers of weight 0 count for nothing."""

    mean: Tensor
    """(..., Z) before the squeeze."""
    log_std: Tensor
    """(..., Z)"""
    weight: Tensor
    """(..., Z) 1 or 0."""

    @classmethod
    def of(cls, out: Tensor, weight: Tensor) -> TanhGaussian:
        """From a network's output (..., 2Z): means, then log standard deviations."""
        mean, log_std = out.chunk(2, dim=-1)
        return cls(mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX), weight)

    def detach(self) -> TanhGaussian:
        """The same distribution, without gradients."""
        return TanhGaussian(self.mean.detach(), self.log_std.detach(), self.weight)

    def mode(self) -> Tensor:
        """(..., Z) the squeezed mean, what a deterministic policy plays."""
        return self.mean.tanh()

    def sample_raw(self, normal: Tensor) -> Tensor:
        """Reparameterised draws before the squeeze, of the shape of `normal`: (..., Z), or
        (R, n, ..., Z) for n draws of a policy (R, ..., Z)."""
        return _beside(self.mean, normal) + _beside(self.log_std.exp(), normal) * normal

    def log_prob(self, raw: Tensor) -> Tensor:
        """(...) density of tanh(raw): the Gaussian's over the slope of tanh, which is
        4 / (e^x + e^-x)^2, in the form that does not overflow."""
        slope = 2 * (math.log(2) - raw - F.softplus(-2 * raw))
        return ((self._gaussian_log_prob(raw) - slope) * self.weight).sum(dim=-1)

    def log_prob_raw(self, raw: Tensor) -> Tensor:
        """(...) density of the Gaussian at raw; differs from `log_prob` by what no parameter
        changes, so weighted-likelihood steps may use it."""
        return (self._gaussian_log_prob(raw) * self.weight).sum(dim=-1)

    def weighted_log_prob_raw(self, weights: Tensor, raw: Tensor) -> Tensor:
        """(R, B) sum over n draws (R, n, B, Z) of `weights` (R, n, B) times `log_prob_raw`.

        By the draws' moments about the mean as it is, so that gradients meet (R, B, Z) only.
        """
        off = raw - self.mean.detach()[:, None]
        share = weights[..., None]
        total, first = weights.sum(dim=1)[..., None], (share * off).sum(dim=1)
        second = (share * off.square()).sum(dim=1)
        moved = self.mean - self.mean.detach()
        spread = second - 2 * moved * first + moved.square() * total
        constant = self.log_std + 0.5 * math.log(2 * math.pi)
        per_dim = -0.5 * spread * (-2 * self.log_std).exp() - total * constant
        return (per_dim * self.weight).sum(dim=-1)

    def entropy_raw(self) -> Tensor:
        """(...) of the Gaussian before the squeeze, in closed form."""
        per_dim = self.log_std + 0.5 * math.log(2 * math.pi * math.e)
        return (per_dim * self.weight).sum(dim=-1)

    def kl_from(self, old: TanhGaussian) -> Tensor:
        """(...) KL(old || self): the squeeze leaves it as it is between the Gaussians."""
        ratio = (2 * (old.log_std - self.log_std)).exp()
        shift = (old.mean - self.mean) ** 2 * (-2 * self.log_std).exp()
        per_dim = 0.5 * (ratio + shift - 1) + self.log_std - old.log_std
        return (per_dim * self.weight).sum(dim=-1)

    def _gaussian_log_prob(self, raw: Tensor) -> Tensor:
        z = (raw - self.mean) * (-self.log_std).exp()
        return -0.5 * z * z - self.log_std - 0.5 * math.log(2 * math.pi)


def _options_first(softmax: Callable[..., Tensor], logits: Tensor) -> Tensor:
    """softmax over the last axis (..., C), its options outermost in memory: five times as fast as
    along a short last axis."""
    return softmax(logits.movedim(-1, 0).contiguous(), dim=0).movedim(0, -1)


def _beside(value: Tensor, draws: Tensor) -> Tensor:
    """(R, ...) of a policy as (R, 1, ...) beside several draws (R, n, ...) of it."""
    return value if draws.dim() == value.dim() else value[:, None]

"""What is left of a learner once it has learned: networks that decide.

An actor maps observations (R, B, D), masks (R, B, K, S) and activity (R, B, K) to the deterministic
action of its layout: `decide` -> (choice (R, B, H), numbers (R, B, Z)). This is all that a policy
file holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from drl.core.distributions import NEVER, Heads, TanhGaussian
from drl.core.layout import Layout
from drl.core.nets import MLP, Streams

#: Scale of a policy's first output weights, as usual for DDPG and PPO: no decision is favoured.
INDIFFERENT = 0.01


class TwoAgents(nn.Module):
    """The policies of AD-SAC: `mu` gives the heads, `nu` the numbers; either may be missing."""

    def __init__(self, layout: Layout, hidden: Sequence[int], streams: Streams) -> None:
        super().__init__()
        self.layout = layout
        size, out = layout.sizes.obs_dim, layout.n_heads * layout.n_options
        self.mu = MLP(streams, size, hidden, out, INDIFFERENT) if layout.n_heads else None
        self.nu = (
            MLP(streams, size, hidden, 2 * layout.n_continuous, INDIFFERENT)
            if layout.n_continuous
            else None
        )

    def policies(
        self, obs: Tensor, mask: Tensor, active: Tensor
    ) -> tuple[Heads | None, TanhGaussian | None]:
        """The distributions of both agents."""
        heads = numbers = None
        if self.mu is not None:
            shape = (self.layout.n_heads, self.layout.n_options)
            heads = Heads.masked(
                self.mu(obs).unflatten(-1, shape), *self.layout.head_mask(mask, active)
            )
        if self.nu is not None:
            weight = self.layout.dim_weight(mask, active)
            numbers = TanhGaussian.of(self.nu(obs), weight)
        return heads, numbers

    def decide(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """Most probable options and the squeezed mean."""
        heads, numbers = self.policies(obs, mask, active)
        return (
            no_choice(obs) if heads is None else heads.mode(),
            no_numbers(obs) if numbers is None else numbers.mode(),
        )


class ScoringActor(nn.Module):
    """DDPG's policy: numbers by tanh, scores of servers among them."""

    def __init__(self, layout: Layout, hidden: Sequence[int], streams: Streams) -> None:
        super().__init__()
        self.layout = layout
        self.net = MLP(streams, layout.sizes.obs_dim, hidden, layout.n_continuous, INDIFFERENT)

    def forward(self, obs: Tensor) -> Tensor:
        """(R, B, Z) in (-1, 1)."""
        out: Tensor = self.net(obs).tanh()
        return out

    def decide(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """The numbers; no heads."""
        return no_choice(obs), self(obs)


class BranchingQ(nn.Module):
    """D3QN's values: Q_h(s, c) = V(s) + A_h(s, c) - mean of A_h over allowed c, for each head h.

    Tavakoli et al. 2018, eq. (1), with the mean over allowed options only.
    """

    def __init__(self, layout: Layout, hidden: Sequence[int], streams: Streams) -> None:
        super().__init__()
        self.layout = layout
        out = 1 + layout.n_heads * layout.n_options
        self.net = MLP(streams, layout.sizes.obs_dim, hidden, out)

    def forward(self, obs: Tensor, allowed: Tensor) -> Tensor:
        """(R, B, H, C); options that are not allowed have the value NEVER."""
        out = self.net(obs)
        advantage = out[..., 1:].unflatten(-1, (self.layout.n_heads, self.layout.n_options))
        total = advantage.masked_fill(~allowed, 0.0).sum(dim=-1, keepdim=True)
        mean = total / allowed.sum(dim=-1, keepdim=True)
        values = out[..., :1, None] + advantage - mean
        return values.masked_fill(~allowed, NEVER)

    def decide(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """The best option of every head; no numbers."""
        allowed, _ = self.layout.head_mask(mask, active)
        return self(obs, allowed).argmax(dim=-1), no_numbers(obs)


class Trunk(nn.Module):
    """PPO's policy: heads (if any) and the mean of a Gaussian on one trunk, free deviations."""

    def __init__(
        self,
        layout: Layout,
        hidden: Sequence[int],
        streams: Streams,
        log_std: float = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.layout = layout
        n_logits = layout.n_heads * layout.n_options
        out = n_logits + layout.n_continuous
        size = layout.sizes.obs_dim
        self.net = MLP(streams, size, hidden, out, INDIFFERENT, normalise)
        shape = (len(streams), 1, layout.n_continuous)
        self.log_std = nn.Parameter(torch.full(shape, log_std, device=streams.device))

    def policies(
        self, obs: Tensor, mask: Tensor, active: Tensor
    ) -> tuple[Heads | None, TanhGaussian]:
        """The distributions; the Gaussian is squeezed by tanh like every other here."""
        layout = self.layout
        out = self.net(obs)
        n_logits = layout.n_heads * layout.n_options
        heads = None
        if layout.n_heads:
            logits = out[..., :n_logits].unflatten(-1, (layout.n_heads, layout.n_options))
            heads = Heads.masked(logits, *layout.head_mask(mask, active))
        mean = out[..., n_logits:]
        weight = layout.dim_weight(mask, active)
        return heads, TanhGaussian(mean, self.log_std.expand_as(mean), weight)

    def decide(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """Most probable options and the squeezed mean."""
        heads, numbers = self.policies(obs, mask, active)
        return (no_choice(obs) if heads is None else heads.mode()), numbers.mode()


def no_choice(obs: Tensor) -> Tensor:
    """(..., 0) int64: a layout without heads."""
    return obs.new_zeros((*obs.shape[:-1], 0), dtype=torch.int64)


def no_numbers(obs: Tensor) -> Tensor:
    """(..., 0): a layout without numbers."""
    return obs.new_zeros((*obs.shape[:-1], 0))

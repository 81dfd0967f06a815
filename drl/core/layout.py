"""What learners choose: heads of discrete options and continuous numbers, and what they mean.

The environment takes one server per device and K + 2M numbers in [-1, 1] (log-scale powers, then
displacements). Three layouts describe a learner's own action:

- "hybrid": one head of servers per device, the K + 2M numbers as they are;
- "discrete": the same heads, and one head of power levels per device, one of headings per UAV;
- "continuous": a score per device and server (the best available one is taken), then the numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from drl.env.spaces import headings
from satedge.problem.scenario import Scenario

Kind = Literal["hybrid", "discrete", "continuous"]

#: Least power that learners use, on the environment's log scale of [-1, 1]: 10 mW with the limits
#: 1e-6 W and 1 W. Over the whole range, 60 dB, one device in a hopeless upload makes the reward
#: (34) vanish, whatever the nine others do, and nothing is learned (docs/learning.md).
LEAST_POWER = 1 / 3

#: Power levels of the discrete layout: 10 mW, 32 mW, 0.1 W, 0.32 W and 1 W.
POWER_LEVELS = torch.linspace(LEAST_POWER, 1.0, 5)

#: Stay, or go as far as a slot allows in one of eight directions: (9, 2).
HEADINGS = torch.from_numpy(headings(8))


@dataclass(frozen=True)
class Sizes:
    """What fixes the shapes of a learner's networks."""

    n_devices: int
    """K"""
    n_servers: int
    """S = M + N"""
    n_uavs: int
    """M"""
    obs_dim: int
    """Length of the flat observation."""
    reach: float = 0.0
    """Farthest move of a UAV in a slot, in halves of the area's side (the observation's scale)."""
    coverage: float = math.inf
    """Radius in which a UAV serves, in the same unit."""
    scenario: Scenario | None = None
    """The scenario whose ranges observations are in, for networks that know the model."""


@dataclass(frozen=True)
class Layout:
    """The action of a learner: H heads of at most C options, and Z numbers in [-1, 1]."""

    kind: Kind
    sizes: Sizes

    @cached_property
    def head_sizes(self) -> tuple[int, ...]:
        """Options of each of the H heads; those of servers come first."""
        k, s, m = self.sizes.n_devices, self.sizes.n_servers, self.sizes.n_uavs
        if self.kind == "continuous":
            return ()
        if self.kind == "hybrid":
            return (s,) * k
        return (s,) * k + (len(POWER_LEVELS),) * k + (len(HEADINGS),) * m

    @property
    def n_heads(self) -> int:
        """H."""
        return len(self.head_sizes)

    @property
    def n_options(self) -> int:
        """C, the options of the largest head; smaller ones are padded with options never taken."""
        return max(self.head_sizes, default=0)

    @property
    def n_continuous(self) -> int:
        """Z."""
        k, s, m = self.sizes.n_devices, self.sizes.n_servers, self.sizes.n_uavs
        if self.kind == "discrete":
            return 0
        return k + 2 * m + (k * s if self.kind == "continuous" else 0)

    @property
    def features(self) -> int:
        """Length of the joint action as critics see it: one-hot heads, then the numbers."""
        return self.n_heads * self.n_options + self.n_continuous

    def head_mask(self, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """Allowed options (..., H, C) and weight (..., H) of each head, 0 where nothing acts.

        `mask` (..., K, S) bool, `active` (..., K) bool. A device without an available server has
        weight 0 and its options are all allowed, so that its probabilities stay finite.
        """
        k, m, c = self.sizes.n_devices, self.sizes.n_uavs, self.n_options
        acts = active & mask.any(dim=-1)
        servers = torch.nn.functional.pad(mask | ~acts[..., None], (0, c - mask.shape[-1]))
        weight = self.head_weight(mask, active)
        if self.kind == "hybrid":
            return servers, weight
        options = torch.arange(c, device=mask.device) < self._sizes_tensor(mask.device)[k:, None]
        rest = options.expand(*mask.shape[:-2], k + m, c)
        return torch.cat([servers, rest], dim=-2), weight

    def head_weight(self, mask: Tensor, active: Tensor) -> Tensor:
        """(..., H) 1 for heads that act, else 0; see `head_mask`."""
        acts = active & mask.any(dim=-1)
        if self.kind == "hybrid":
            return acts.float()
        always = acts.new_ones(*acts.shape[:-1], self.sizes.n_uavs)
        return torch.cat([acts, acts, always], dim=-1).float()

    def dim_weight(self, mask: Tensor, active: Tensor) -> Tensor:
        """(..., Z) 1 for numbers that matter: scores of options to choose from, powers that send.

        A score of an unavailable server, like any number of an idle device, changes nothing.
        """
        if self.kind == "discrete":
            return torch.zeros(*active.shape[:-1], 0, device=active.device)
        acts = active & mask.any(dim=-1)
        moves = torch.ones(
            *acts.shape[:-1], 2 * self.sizes.n_uavs, dtype=torch.bool, device=acts.device
        )
        parts = [acts, moves]
        if self.kind == "continuous":
            parts.insert(0, (mask & acts[..., None]).flatten(-2))
        return torch.cat(parts, dim=-1).float()

    def one_hot(self, choice: Tensor) -> Tensor:
        """(..., H) indices -> (..., H, C)."""
        return torch.nn.functional.one_hot(choice, self.n_options).float()

    def joint(
        self, hot: Tensor | None, numbers: Tensor | None, mask: Tensor, active: Tensor
    ) -> Tensor:
        """What critics see of an action (one-hot heads, numbers): (..., features).

        Heads and numbers that act on nothing are 0, whatever their values.
        """
        parts = []
        if hot is not None:
            parts.append((hot * self.head_weight(mask, active)[..., None]).flatten(-2))
        if numbers is not None:
            parts.append(numbers * self.dim_weight(mask, active))
        return torch.cat(parts, dim=-1)

    def chosen(
        self, choice: Tensor | None, numbers: Tensor | None, mask: Tensor, active: Tensor
    ) -> Tensor:
        """`joint` of options (..., H) instead of one-hot heads; without gradients.

        Further axes of actions may stand before those of `mask` and `active` that are 1.
        """
        given = choice if numbers is None else numbers
        assert given is not None
        action = torch.zeros(*given.shape[:-1], self.features, device=given.device)
        n_hot = self.n_heads * self.n_options
        if choice is not None:
            hot = action[..., :n_hot].unflatten(-1, (self.n_heads, self.n_options))
            weight = self.head_weight(mask, active).expand(choice.shape)
            hot.scatter_(-1, choice[..., None], weight[..., None])
        if numbers is not None:
            torch.mul(numbers, self.dim_weight(mask, active), out=action[..., n_hot:])
        return action

    def decode(self, choice: Tensor, numbers: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Server (..., K) int64 and the environment's numbers (..., K + 2M) in [-1, 1]."""
        k, s = self.sizes.n_devices, self.sizes.n_servers
        if self.kind == "hybrid":
            return choice, lift(numbers, k)
        if self.kind == "discrete":
            power = POWER_LEVELS.to(choice.device)[choice[..., k : 2 * k]]
            moves = HEADINGS.to(choice.device)[choice[..., 2 * k :]].flatten(-2)
            return choice[..., :k], torch.cat([power, moves], dim=-1)
        scores = numbers[..., : k * s].unflatten(-1, (k, s))
        server = scores.masked_fill(~mask, -math.inf).argmax(dim=-1)
        return server, lift(numbers[..., k * s :], k)

    def _sizes_tensor(self, device: torch.device) -> Tensor:
        return torch.tensor(self.head_sizes, device=device)


def lift(numbers: Tensor, n_devices: int) -> Tensor:
    """The environment's numbers (..., K + 2M): powers in [-1, 1] become LEAST_POWER to 1."""
    power = LEAST_POWER + (1 - LEAST_POWER) * (numbers[..., :n_devices] + 1) / 2
    return torch.cat([power, numbers[..., n_devices:]], dim=-1)

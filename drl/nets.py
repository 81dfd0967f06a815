"""Networks of several runs side by side: every parameter has a leading axis R, one entry a run.

Five seeds trained together are five independent networks in one batched matrix product. A run's
numbers never touch another's: weights start from its own generator, noise comes from its own
generator, losses are summed over runs, and Adam works element by element.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn


class Streams:
    """One random generator a run; what a run draws does not depend on the runs beside it."""

    def __init__(self, seeds: Sequence[int], device: str = "cpu") -> None:
        self.device = device
        self.generators = [torch.Generator(device).manual_seed(int(s)) for s in seeds]

    def __len__(self) -> int:
        return len(self.generators)

    def repeat(self, times: int) -> Streams:
        """The same generators over again: a leading axis of `times` * R."""
        wider = Streams([], self.device)
        wider.generators = self.generators * times
        return wider

    def normal(self, *shape: int) -> Tensor:
        """(R, *shape) standard normal."""
        return self._draw(torch.randn, shape)

    def uniform(self, *shape: int) -> Tensor:
        """(R, *shape) in [0, 1)."""
        return self._draw(torch.rand, shape)

    def gumbel(self, *shape: int) -> Tensor:
        """(R, *shape) standard Gumbel."""
        tiny = torch.finfo(torch.float32).tiny
        return -torch.log(-torch.log(self.uniform(*shape).clamp(tiny, 1 - 2**-24)))

    def integers(self, high: int, *shape: int) -> Tensor:
        """(R, *shape) int64 in 0..high-1."""
        draws = [
            torch.randint(high, shape, generator=g, device=self.device) for g in self.generators
        ]
        return torch.stack(draws)

    def _draw(self, draw: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        return torch.stack([draw(shape, generator=g, device=self.device) for g in self.generators])

    def state(self) -> dict[str, Tensor]:
        """Generator states, for a checkpoint."""
        return {str(i): g.get_state() for i, g in enumerate(self.generators)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue where `state` was taken."""
        for i, generator in enumerate(self.generators):
            generator.set_state(state[str(i)])


class Linear(nn.Module):
    """R affine maps (R, B, in) -> (R, B, out), started as torch.nn.Linear starts."""

    def __init__(self, streams: Streams, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter((2 * streams.uniform(n_in, n_out) - 1) * bound)
        self.bias = nn.Parameter((2 * streams.uniform(1, n_out) - 1) * bound)

    def forward(self, x: Tensor, frozen: bool = False) -> Tensor:
        """`frozen`: gradients reach x, not the parameters."""
        weight, bias = (p.detach() if frozen else p for p in (self.weight, self.bias))
        return torch.baddbmm(bias, x, weight)


class MLP(nn.Module):
    """R fully connected ReLU networks (R, B, in) -> (R, B, out)."""

    def __init__(
        self, streams: Streams, n_in: int, hidden: Sequence[int], n_out: int, last: float = 1.0
    ) -> None:
        """`last` scales the first weights of the output layer: small, nothing is favoured."""
        super().__init__()
        pairs = itertools.pairwise([n_in, *hidden, n_out])
        self.layers = nn.ModuleList([Linear(streams, a, b) for a, b in pairs])
        with torch.no_grad():
            for parameter in self.layers[-1].parameters():
                parameter.mul_(last)

    def forward(self, x: Tensor, frozen: bool = False) -> Tensor:
        *body, last = self.layers
        for layer in body:
            x = layer(x, frozen).relu_()
        out: Tensor = last(x, frozen)
        return out


class Critic(nn.Module):
    """R networks Q(s, a), or V(s) with `action` = 0: -> (R, B)."""

    def __init__(self, streams: Streams, state: int, action: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.n_state = state
        self.mlp = MLP(streams, state + action, hidden, 1)

    def forward(self, state: Tensor, action: Tensor | None = None, frozen: bool = False) -> Tensor:
        """State (R, B, D), action (R, B, A) or none -> (R, B)."""
        x = state if action is None else torch.cat([state, action], dim=-1)
        out: Tensor = self.mlp(x, frozen)[..., 0]
        return out

    @torch.no_grad()
    def several(self, state: Tensor, actions: Tensor) -> Tensor:
        """Values of n actions a state, (R, n, B, A) -> (R, n, B), without gradients.

        The state's share of the first layer is computed once. One action a state at a time keeps
        every product inside the cache, which is twice as fast as one large product.
        """
        first, *rest = self.mlp.layers
        assert isinstance(first, Linear)
        known = torch.baddbmm(first.bias, state, first.weight[:, : self.n_state])
        values = []
        for action in actions.unbind(dim=1):
            x = torch.baddbmm(known, action, first.weight[:, self.n_state :])
            for layer in rest:
                x = layer(x.relu_())
            values.append(x[..., 0])
        return torch.stack(values, dim=1)


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, tau: float) -> None:
    """Polyak: target <- (1 - tau) target + tau source."""
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), tau)


def clone(source: nn.Module, target: nn.Module) -> nn.Module:
    """`target` with the parameters of `source`, without gradients."""
    target.load_state_dict(source.state_dict())
    return target.requires_grad_(False)


def adam(groups: Iterable[dict[str, object]]) -> torch.optim.Adam:
    """Fused Adam over parameter groups {"params": ..., "lr": ...}."""
    return torch.optim.Adam(list(groups), fused=True)


@torch.no_grad()
def clip_by_run(parameters: Iterable[nn.Parameter], limit: float) -> None:
    """Scale each run's gradient to a norm of at most `limit`, run by run."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    squared = torch.stack([g.flatten(1).square().sum(dim=1) for g in gradients]).sum(dim=0)
    scale = (limit / (squared.sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))

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
from torch.nn.functional import layer_norm

#: Actions a state that `Critic.several` values at a time.
ACTIONS = 4


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
        self,
        streams: Streams,
        n_in: int,
        hidden: Sequence[int],
        n_out: int,
        last: float = 1.0,
        normalise: bool = False,
    ) -> None:
        """`last` scales the first weights of the output layer: small, nothing is favoured.
        `normalise`: sums of hidden layers get mean 0 and deviation 1 over units (Ba et al. 2016,
        arXiv:1607.06450, without gains and shifts of its own)."""
        super().__init__()
        self.normalise = normalise
        pairs = itertools.pairwise([n_in, *hidden, n_out])
        self.layers = nn.ModuleList([Linear(streams, a, b) for a, b in pairs])
        with torch.no_grad():
            for parameter in self.layers[-1].parameters():
                parameter.mul_(last)

    def forward(self, x: Tensor, frozen: bool = False) -> Tensor:
        """(R, B, in) -> (R, B, out); `frozen`: gradients reach x, not the parameters."""
        return self.beyond(self.layers[0](x, frozen), frozen)

    def beyond(self, x: Tensor, frozen: bool = False) -> Tensor:
        """What follows the first layer's sums (R, B, width), which are overwritten."""
        for layer in self.layers[1:]:
            if self.normalise:
                x = layer_norm(x, x.shape[-1:])
            x = layer(x.relu_(), frozen)
        return x

    @torch.no_grad()
    def orthogonal(self, streams: Streams, last: float) -> None:
        """Start again from orthogonal weights with gain sqrt(2), `last` in the output layer, and
        biases of 0. Saxe et al. 2014 (arXiv:1312.6120)."""
        for layer in self.layers:
            assert isinstance(layer, Linear)
            wide, tall = sorted(layer.weight.shape[1:])
            q, r = torch.linalg.qr(streams.normal(tall, wide))
            q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None]
            gain = last if layer is self.layers[-1] else math.sqrt(2)
            layer.weight.copy_(gain * (q if q.shape == layer.weight.shape else q.mT))
            layer.bias.zero_()


class Critic(nn.Module):
    """R networks Q(s, a), or V(s) with `action` = 0: -> (R, B), or (R, B, out) with several values.

    The first layer's weights are kept apart, those of the state and those of the action: the
    state's share serves every action, and no gradient is taken to a state.
    """

    def __init__(
        self,
        streams: Streams,
        state: int,
        action: int,
        hidden: Sequence[int],
        out: int = 1,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.mlp = MLP(streams, state + action, hidden, out, normalise=normalise)
        first = self.mlp.layers[0]
        assert isinstance(first, Linear)
        both = first.weight.detach()
        first.weight = nn.Parameter(both[:, :state].clone())
        if action:
            self.action = nn.Parameter(both[:, state:].clone())

    def forward(self, state: Tensor, action: Tensor | None = None, frozen: bool = False) -> Tensor:
        """State (R, B, D), action (R, B, A) or none -> (R, B) or (R, B, out)."""
        if action is not None:
            return self.of(self.seen(state, frozen), action, frozen)
        return _values_of(self.mlp(state, frozen))

    def seen(self, state: Tensor, frozen: bool = False) -> Tensor:
        """The state's share of the first layer, (R, B, D) -> (R, B, width)."""
        share: Tensor = self.mlp.layers[0](state, frozen)
        return share

    def of(self, seen: Tensor, action: Tensor, frozen: bool = False) -> Tensor:
        """Values of actions (R, B, A) beside what is `seen` of the state."""
        weight = self.action.detach() if frozen else self.action
        x = torch.baddbmm(seen, action.to(weight.dtype), weight)
        return _values_of(self.mlp.beyond(x, frozen))

    @torch.no_grad()
    def several(
        self, state: Tensor, actions: Tensor, precision: torch.dtype = torch.float32
    ) -> Tensor:
        """Values of n actions a state, (R, n, B, A) -> (AR, n, B), without gradients; the sum
        of several values.

        The critics may be those of A agents: A times R networks for R runs, agent by agent. The
        state's share of the first layer is computed once. A few actions at a time keep every
        product inside the cache. `precision` is that of factors and hidden layers; sums, and the
        last layer, are float32.
        """
        parts = [part.flatten(1, 2) for part in actions.to(precision).split(ACTIONS, dim=1)]
        layers = [list(layer.parameters()) for layer in self.mlp.layers]
        values = []
        for start in range(0, len(self.action), len(state)):
            own = slice(start, start + len(state))
            (first, bias), *rest = [(weight[own], shift[own]) for weight, shift in layers]
            rest[-1] = (rest[-1][0].sum(-1, keepdim=True), rest[-1][1].sum(-1, keepdim=True))
            seen = torch.baddbmm(bias, state, first)
            values.append(_values(seen, self.action[own], rest, parts, precision))
        return torch.cat(values)


def _values_of(out: Tensor) -> Tensor:
    """(R, B, 1) -> (R, B); several values as they are."""
    return out[..., 0] if out.shape[-1] == 1 else out


Affine = tuple[Tensor, Tensor]


def _values(
    seen: Tensor,
    weight: Tensor,
    layers: list[Affine],
    parts: list[Tensor],
    precision: torch.dtype,
) -> Tensor:
    """Values (R, n, B) of actions in parts (R, n' * B, A) each: see `Critic.several`."""
    *body, (last, shift_last) = layers
    n_runs, n_states, width = seen.shape
    seen, first = seen.to(precision)[:, None], weight.to(precision)
    body = [(w.to(precision), b.to(precision)) for w, b in body]
    values = []
    for part in parts:
        x = torch.bmm(part, first)
        x.view(n_runs, -1, n_states, width).add_(seen)
        for weight, shift in body:
            x = torch.baddbmm(shift, relu_(x), weight)
        value = torch.baddbmm(shift_last, relu_(x).float(), last)
        values.append(value.view(n_runs, -1, n_states))
    return torch.cat(values, dim=1)


def relu_(x: Tensor) -> Tensor:
    """In place. The bits of a bfloat16, taken as an integer, have its sign: five times as fast."""
    if x.dtype == torch.bfloat16:
        x.view(torch.int16).clamp_(min=0)
        return x
    return x.relu_()


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

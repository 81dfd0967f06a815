"""An exogenous baseline: what of the future no action changes, taken off what learners learn from.

Requests, channels and the motion of devices come as they come, and the value of the next slot
differs with them far more than with any decision. A function of the next state's exogenous part
may be taken off every target: this part has the same distribution whatever is done, so that the
order of actions stays, and the noise goes. Mao et al. 2019 (arXiv:1807.02264) call it an
input-dependent baseline, Dietterich et al. 2018 (arXiv:1806.01584) take the exogenous part off the
rewards. Here it is a linear regression of the next state's values, made anew for every `learn`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from drl.core.layout import Sizes
from drl.core.nets import Streams
from drl.core.observation import exogenous
from drl.core.replay import Batch, Replay

#: Transitions of the replay that values are regressed on.
SAMPLE = 2048

#: Penalty of squared coefficients, a transition: idle devices leave features that are always 0.
RIDGE = 1e-3


class Baseline:
    """Of R runs; 0 everywhere unless it is `on` and fitted."""

    def __init__(self, sizes: Sizes, on: bool) -> None:
        self.on = on
        self._places = exogenous(sizes) if on else torch.zeros(0, dtype=torch.int64)
        self._slope: Tensor | None = None

    @torch.no_grad()
    def fit(self, replay: Replay, streams: Streams, following: Callable[[Batch], Tensor]) -> None:
        """Regress the values `following` (A R, n) or (A R, n, Y) of the states that followed, A
        times R of them for R runs, on a sample of the replay."""
        if self.on:
            batch = replay.sample(streams, SAMPLE)
            value = following(batch)
            flat = value if value.dim() == 3 else value[..., None]
            self._slope = slopes(self._seen(batch["next_obs"], len(value)), flat)

    @torch.no_grad()
    def __call__(self, next_obs: Tensor, like: Tensor) -> Tensor:
        """What the exogenous part of states (R, B, D) explains, in the shape of `like`."""
        if self._slope is None:
            return torch.zeros_like(like)
        return (self._seen(next_obs, len(self._slope)) @ self._slope).view_as(like)

    def explained(self, obs: Tensor, next_obs: Tensor, value: Tensor) -> Tensor:
        """(R, T) What of `value` (R, T) the exogenous parts before and after explain; 0 if off."""
        if not self.on:
            return torch.zeros_like(value)
        both = torch.cat([self._seen(x, len(value)) for x in (obs, next_obs)], dim=-1)
        return (both @ slopes(both, value[..., None]))[..., 0]

    def _seen(self, obs: Tensor, n: int) -> Tensor:
        """(n, B, F + 1) Exogenous features and a 1, for A times R runs."""
        part = obs[..., self._places.to(obs.device)]
        part = torch.cat([part, torch.ones_like(part[..., :1])], dim=-1)
        return part.repeat(n // len(part), 1, 1)


def slopes(x: Tensor, y: Tensor) -> Tensor:
    """(R, F, Y) Ridge regression of y (R, n, Y) on x (R, n, F), by normal equations."""
    wide, target = x.double(), y.double()
    gram = wide.mT @ wide
    gram.diagonal(dim1=-2, dim2=-1).add_(RIDGE * x.shape[1])
    return torch.linalg.solve(gram, wide.mT @ target).to(y.dtype)

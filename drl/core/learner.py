"""What training asks of a learner, and the plain values they exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from drl.core.layout import Layout
from drl.core.nets import Streams
from drl.core.settings import CostSettings


@dataclass(frozen=True, eq=False)
class View:
    """What R runs see, one slot each: leading axes (R, 1)."""

    obs: Tensor
    """(R, 1, D)"""
    mask: Tensor
    """(R, 1, K, S) bool"""
    active: Tensor
    """(R, 1, K) bool"""


@dataclass(frozen=True, eq=False)
class Action:
    """What R runs do, in the learner's own layout."""

    choice: Tensor
    """(R, 1, H) int64"""
    numbers: Tensor
    """(R, 1, Z) float32 in [-1, 1]"""


@dataclass(frozen=True, eq=False)
class Transition:
    """One slot of R runs. Episodes end by their time limit, so there is always a next state."""

    view: View
    action: Action
    reward: Tensor
    """(R, 1)"""
    next_view: View
    device_cost: Tensor
    """(R, 1, K) The referee's cost of each device; the paper's learners do not use it."""
    truncated: bool
    """The episode ended here; all runs end together."""


class Actor(Protocol):
    """A network that decides, see `drl.core.actors`."""

    layout: Layout

    def decide(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """choice (R, B, H), numbers (R, B, Z)."""
        ...


class Learner(Protocol):
    """R independent runs of one method."""

    layout: Layout
    streams: Streams

    @property
    def actor(self) -> nn.Module:
        """An Actor."""
        ...

    def act(self, view: View) -> Action:
        """Explore."""
        ...

    def observe(self, transition: Transition) -> None:
        """Take note of a slot."""
        ...

    def learn(self, updates: int) -> dict[str, Tensor]:
        """End an epoch: `updates` gradient updates (on-policy learners: when their rollout is
        complete). Returns figures to log, (R,) each."""
        ...

    def parts(self) -> dict[str, Any]:
        """Everything that changes, by name: modules, optimisers, replay, streams, counters."""
        ...


def cost_reward(transition: Transition, settings: CostSettings) -> Tensor:
    """(R, K) minus every device's cost, capped, in units of `settings.cost_scale`."""
    cost = transition.device_cost[:, 0].clamp(max=settings.cost_cap)
    return -cost / settings.cost_scale

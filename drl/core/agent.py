"""What the registry has to know of a kind of learner: every agent's file ends with one `Agent`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import nn

from drl.core.layout import Kind, Layout
from drl.core.learner import Learner
from drl.core.nets import Streams
from drl.core.settings import Settings

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Agent(Generic[S]):
    """One class of settings, and what is made of them for R runs, R = len(streams)."""

    methods: Mapping[str, S]
    """Names of methods, and the settings that they start from."""
    kind: Callable[[S], Kind]
    """How the learner's own action is laid out."""
    learner: Callable[[S, Layout, Streams], Learner]
    actor: Callable[[S, Layout, Streams], nn.Module]
    """The actor alone, its weights to be loaded."""
    any_size: bool = False
    """Its weights serve any numbers of devices, UAVs and satellites."""

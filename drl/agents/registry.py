"""From settings to learners and actors: the one place that knows them all."""

from __future__ import annotations

from torch import nn

from drl.agents.ad_sac import AdSac
from drl.agents.ad_sac_plus import AdSacPlus
from drl.agents.d3qn import D3qn
from drl.agents.ddpg import Ddpg
from drl.agents.hybrid_ppo import hybrid_ppo
from drl.agents.ppo import Ppo
from drl.core.actors import BranchingQ, ScoringActor, Trunk, TwoAgents
from drl.core.device_nets import DeviceActor
from drl.core.layout import Kind, Layout, Sizes
from drl.core.learner import Learner
from drl.core.nets import Streams
from drl.core.settings import (
    AdSacPlusSettings,
    AdSacSettings,
    D3qnSettings,
    DdpgSettings,
    PpoSettings,
    Settings,
)


def layout_of(settings: Settings, sizes: Sizes) -> Layout:
    """How a method says what it does."""
    kind: Kind = "continuous"
    if isinstance(settings, AdSacSettings):
        kind = settings.layout  # type: ignore[assignment]
    elif isinstance(settings, D3qnSettings):
        kind = "discrete"
    elif isinstance(settings, AdSacPlusSettings) or getattr(settings, "hybrid", False):
        kind = "hybrid"
    return Layout(kind, sizes)


def build_learner(settings: Settings, sizes: Sizes, streams: Streams) -> Learner:
    """R runs of a method, R = len(streams)."""
    layout = layout_of(settings, sizes)
    if isinstance(settings, AdSacSettings):
        return AdSac(settings, layout, streams)
    if isinstance(settings, AdSacPlusSettings):
        return AdSacPlus(settings, layout, streams)
    if isinstance(settings, DdpgSettings):
        return Ddpg(settings, layout, streams)
    if isinstance(settings, D3qnSettings):
        return D3qn(settings, layout, streams)
    assert isinstance(settings, PpoSettings)
    return (
        hybrid_ppo(settings, sizes, streams) if settings.hybrid else Ppo(settings, layout, streams)
    )


def build_actor(settings: Settings, sizes: Sizes, streams: Streams) -> nn.Module:
    """The actor of a method, its weights to be loaded."""
    layout = layout_of(settings, sizes)
    if isinstance(settings, AdSacSettings):
        return TwoAgents(layout, settings.hidden, streams)
    if isinstance(settings, AdSacPlusSettings):
        return DeviceActor(layout, settings.hidden, streams, settings.motion_first)
    if isinstance(settings, DdpgSettings):
        return ScoringActor(layout, settings.hidden, streams)
    if isinstance(settings, D3qnSettings):
        return BranchingQ(layout, settings.hidden, streams)
    return Trunk(layout, settings.hidden, streams)

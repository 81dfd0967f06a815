"""From names and settings to learners and actors. A new agent is its own file and a line here."""

from __future__ import annotations

from typing import Any

from torch import nn

from drl.agents import ad_sac, ad_sac_plus, d3qn, ddpg, imitation, ppo
from drl.core.agent import Agent
from drl.core.layout import Layout, Sizes
from drl.core.learner import Learner
from drl.core.nets import Streams
from drl.core.settings import PRESETS, Settings, SettingsError
from satedge.nearest import did_you_mean

AGENTS: tuple[Agent[Any], ...] = (
    ad_sac.AGENT,
    ad_sac_plus.AGENT,
    ddpg.AGENT,
    d3qn.AGENT,
    ppo.AGENT,
    imitation.AGENT,
)

#: Names of the learned methods, and the settings that they start from.
METHODS: dict[str, Settings] = {n: s for agent in AGENTS for n, s in agent.methods.items()}

_AGENT_OF = {type(s): agent for agent in AGENTS for s in agent.methods.values()}


def settings_of(method: str, preset: str = "table-2", **changes: Any) -> Settings:
    """Settings of a method under a preset, with some fields changed. Raises SettingsError."""
    for name, value, known in (("method", method, METHODS), ("preset", preset, PRESETS)):
        if value not in known:
            hint = did_you_mean(value, known)
            raise SettingsError(f"{name} = {value!r}{hint}: allowed is one of {', '.join(known)}")
    return METHODS[method].replace(**PRESETS[preset] | changes)


def build_learner(settings: Settings, sizes: Sizes, streams: Streams) -> Learner:
    """R runs of a method, R = len(streams)."""
    agent = _AGENT_OF[type(settings)]
    return agent.learner(settings, Layout(agent.kind(settings), sizes), streams)


def build_actor(settings: Settings, sizes: Sizes, streams: Streams) -> nn.Module:
    """The actor of a method, its weights to be loaded."""
    agent = _AGENT_OF[type(settings)]
    return agent.actor(settings, Layout(agent.kind(settings), sizes), streams)


def fits_any_size(method: str) -> bool:
    """The method's weights serve any numbers of devices, UAVs and satellites."""
    return _AGENT_OF[type(METHODS[method])].any_size

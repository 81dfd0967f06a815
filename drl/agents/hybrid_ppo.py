"""Hybrid-PPO: PPO with categorical heads for servers and a Gaussian for the numbers on one trunk.

Fan et al. 2019 (arXiv:1903.01344) as used for partial offloading: one network has to learn both
kinds of decision. The probability ratio is that of the joint action. Everything else is PPO's.
"""

from __future__ import annotations

from drl.agents.ppo import Ppo
from drl.core.layout import Layout, Sizes
from drl.core.nets import Streams
from drl.core.settings import PpoSettings


def hybrid_ppo(settings: PpoSettings, sizes: Sizes, streams: Streams) -> Ppo:
    """R runs of PPO on the hybrid layout."""
    return Ppo(settings, Layout("hybrid", sizes), streams)

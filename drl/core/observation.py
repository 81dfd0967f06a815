"""What stands where in a flat observation, and which of it no action changes.

The order is that of `drl.env.spaces.Encoder`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from drl.core.layout import Sizes


class Pieces(NamedTuple):
    """Views of flat observations (..., D) in their shapes."""

    requests: Tensor
    """(..., K, 6)"""
    links: Tensor
    """(..., K, M + 1) Gains to every UAV, then to the satellites."""
    uavs: Tensor
    """(..., M, 3) Positions and altitude."""
    satellites: Tensor
    """(..., N, 2)"""
    slot: Tensor
    """(..., 1)"""
    idle: Tensor
    """(..., K, 1)"""
    available: Tensor
    """(..., K, S) UAVs first."""


def pieces(obs: Tensor, sizes: Sizes) -> Pieces:
    """Cut flat observations (..., D)."""
    k, s, m = sizes.n_devices, sizes.n_servers, sizes.n_uavs
    shapes = ((k, 6), (k, m + 1), (m, 3), (s - m, 2), (1,), (k, 1), (k, s))
    lengths = [torch.Size(shape).numel() for shape in shapes]
    cut = obs.split(lengths, dim=-1)
    return Pieces(*(part.unflatten(-1, shape) for part, shape in zip(cut, shapes, strict=True)))


def exogenous(sizes: Sizes) -> Tensor:
    """(F,) Where an observation has what no action changes: all but places of UAVs, gains to them
    and who is in their reach."""
    free = torch.ones(sizes.obs_dim, dtype=torch.bool)
    seen, m = pieces(free, sizes), sizes.n_uavs
    seen.uavs[..., :2] = seen.links[..., :m] = seen.available[..., :m] = False
    return free.nonzero()[:, 0]

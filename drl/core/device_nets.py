"""Networks that treat all devices alike: one set of weights, applied to each of them.

The flat observation is cut into what belongs to a device (request, links, mask) and what belongs
to all (UAVs, satellites, slot). A device sees its own part, the common part, and the mean of what
the others make of theirs, so that it can see them crowd a server. Zaheer et al. 2017
(arXiv:1703.06114).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from drl.core.distributions import Heads, TanhGaussian
from drl.core.layout import Layout, Sizes
from drl.core.nets import MLP, Linear, Streams
from drl.core.observation import pieces


def split(obs: Tensor, sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Flat observations (..., D) as devices' parts (..., K, 6 + M + 1 + 1 + S) and the common part
    (..., 3M + 2N + 1)."""
    seen = pieces(obs, sizes)
    own = torch.cat([seen.requests, seen.links, seen.idle, seen.available], dim=-1)
    common = [seen.uavs.flatten(-2), seen.satellites.flatten(-2), seen.slot]
    return own, torch.cat(common, dim=-1)


@torch.no_grad()
def covered(obs: Tensor, mask: Tensor, numbers: Tensor, sizes: Sizes) -> Tensor:
    """The servers of `mask` (..., K, S) that stay available once UAVs have moved.

    `numbers` (..., K + 2M) hold the displacements, so the motion is known before servers are
    chosen and no choice is lost to a UAV that turns away. Where nothing would be left, `mask`.
    """
    own, common = split(obs, sizes)
    k, m = sizes.n_devices, sizes.n_uavs
    square = numbers[..., k:].unflatten(-1, (m, 2))
    disc = square * (1 - square.flip(-1).square() / 2).sqrt()  # drl.env.spaces.to_disc
    at = common[..., : 3 * m].unflatten(-1, (m, 3))[..., :2]
    moved = (at + sizes.reach * disc).clamp(-1, 1)
    away = own[..., 4:6].unsqueeze(-2) - moved.unsqueeze(-3)
    near = away.norm(dim=-1) <= sizes.coverage * (1 - 1e-5)  # single precision
    kept = mask.clone()
    kept[..., :m] &= near
    return torch.where(kept.any(dim=-1, keepdim=True), kept, mask)


class DeviceNet(nn.Module):
    """Features of devices and of all -> (R, B, K, out) and, if asked for, (R, B, common_out)."""

    def __init__(
        self,
        streams: Streams,
        own: int,
        acted: int,
        common: int,
        hidden: Sequence[int],
        out: int,
        common_out: int = 0,
    ) -> None:
        """`acted` features are of actions: the others see them, a device's own output does not."""
        super().__init__()
        width = hidden[0]
        self.n_own = own
        self.own = Linear(streams, own, width)
        self.common = Linear(streams, common, width)
        self.other = Linear(streams, own + acted, width)
        self.body = MLP(streams, 2 * width, hidden[1:], out)
        self.all = MLP(streams, 2 * width, hidden[1:], common_out) if common_out else None

    def forward(
        self,
        own: Tensor,
        acted: Tensor | None,
        common: Tensor,
        weight: Tensor,
        frozen: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """own (R, B, K, F), acted (R, B, K, A), common (R, B, G), weight (R, B, K) of activity."""
        shared = self.common(common, frozen)
        mine = _rows(self.own, own, frozen) + shared[:, :, None]
        seen = own if acted is None else torch.cat([own, acted], dim=-1)
        told = (_rows(self.other, seen, frozen) + shared[:, :, None]).relu() * weight[..., None]
        total = told.sum(dim=2, keepdim=True) / told.shape[2]
        others = total - told / told.shape[2]
        out = _rows(self.body, torch.cat([mine.relu(), others], dim=-1), frozen)
        if self.all is None:
            return out, None
        return out, self.all(torch.cat([shared.relu(), total[:, :, 0]], dim=-1), frozen)


def _rows(net: nn.Module, x: Tensor, frozen: bool) -> Tensor:
    """A network of (R, rows, in) applied to (R, B, K, in)."""
    out: Tensor = net(x.flatten(1, 2), frozen)
    return out.unflatten(1, x.shape[1:3])


class DeviceActor(nn.Module):
    """Policies of AD-SAC+: mu's heads per device, nu's power per device and UAV displacements."""

    def __init__(
        self,
        layout: Layout,
        hidden: Sequence[int],
        streams: Streams,
        motion_first: bool = True,
    ) -> None:
        super().__init__()
        self.layout, self.motion_first = layout, motion_first
        own, common = feature_sizes(layout.sizes)
        servers, moves = layout.sizes.n_servers, 2 * layout.sizes.n_uavs
        self.mu = DeviceNet(streams, own, 0, common, hidden, servers)
        self.nu = DeviceNet(streams, own, 0, common, hidden, 2, 2 * moves)

    def numbers(self, obs: Tensor, mask: Tensor, active: Tensor) -> TanhGaussian:
        """nu: powers and displacements."""
        own, common = split(obs, self.layout.sizes)
        power, moves = self.nu(own, None, common, self.layout.head_mask(mask, active)[1])
        means, log_stds = (
            torch.cat([power[..., i], moves.chunk(2, dim=-1)[i]], dim=-1) for i in (0, 1)
        )
        weight = self.layout.dim_weight(mask, active)
        return TanhGaussian.of(torch.cat([means, log_stds], dim=-1), weight)

    def heads(self, obs: Tensor, mask: Tensor, active: Tensor, numbers: Tensor) -> Heads:
        """mu: servers, with `motion_first` among those that the displacements leave available."""
        own, common = split(obs, self.layout.sizes)
        left = covered(obs, mask, numbers, self.layout.sizes) if self.motion_first else mask
        allowed, weight = self.layout.head_mask(left, active)
        logits, _ = self.mu(own, None, common, weight)
        return Heads.masked(logits, allowed, weight)

    def decide(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """The squeezed mean, then the most probable servers."""
        numbers = self.numbers(obs, mask, active).mode()
        return self.heads(obs, mask, active, numbers).mode(), numbers


class DeviceCritic(nn.Module):
    """Q_k(s, c, a_-k, numbers) of every device k for each own server c, (R, B, K, S).

    A device's own power and all displacements are inputs, and what the others choose and send.
    """

    def __init__(self, layout: Layout, hidden: Sequence[int], streams: Streams) -> None:
        super().__init__()
        self.layout = layout
        own, common = feature_sizes(layout.sizes)
        servers, moves = layout.sizes.n_servers, 2 * layout.sizes.n_uavs
        self.net = DeviceNet(streams, own + 1, servers, common + moves, hidden, servers)

    def forward(
        self, obs: Tensor, hot: Tensor, numbers: Tensor, weight: Tensor, frozen: bool = False
    ) -> Tensor:
        """hot (R, B, K, S) one-hot servers, numbers (R, B, K + 2M), weight (R, B, K)."""
        own, common = split(obs, self.layout.sizes)
        k = self.layout.sizes.n_devices
        mine = torch.cat([own, numbers[..., :k, None]], dim=-1)
        shared = torch.cat([common, numbers[..., k:]], dim=-1)
        out, _ = self.net(mine, hot, shared, weight, frozen)
        q: Tensor = out
        return q


def feature_sizes(sizes: Sizes) -> tuple[int, int]:
    """Features of a device, and of all."""
    m, n = sizes.n_uavs, sizes.n_servers - sizes.n_uavs
    return 6 + m + 1 + 1 + sizes.n_servers, 3 * m + 2 * n + 1

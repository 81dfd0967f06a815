"""Servers for all devices at once, where requests that share a server wait for each other.

A network scores the servers of each device apart. Two devices may then both take the last place of
a server and miss their deadlines. `settled` moves and exchanges devices for as long as the sum of
costs falls; loads are counted, everything else is as the network expects it. NumPy, which takes a
third of torch's time for arrays so small. B slots, K devices, S servers; after them comes refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Cost of what is not available, in units in which a request costs about 1.
NEVER = np.float32(1e3)

#: Gains below it are rounding.
LEAST_GAIN = 1e-5

#: One request less, as many, one more.
_STEPS = np.array([-1, 0, 1], np.float32)[:, None, None, None]


@dataclass(frozen=True, eq=False)
class Prices:
    """What options cost by the number of requests on their server."""

    alone: Floats
    """(B, K, S) cost without others, overrun excluded."""
    execute_s: Floats
    """(B, K, S) what every other request on the server adds to the latency."""
    left_s: Floats
    """(B, K, S) what the deadline leaves when alone."""
    refusal: Floats
    """(B, K, 1) cost of a refusal, the most that a request costs."""
    available: Mask
    """(B, K, S)"""
    latency_weight: float
    penalty: float

    def of(self, slots: NDArray[np.int64], available: Mask) -> Prices:
        """Those of some slots, of `available` (B, K, S) servers."""
        names = ("alone", "execute_s", "left_s", "refusal")
        some = {name: getattr(self, name)[slots] for name in names}
        return replace(self, **some, available=available[slots])

    def at(self, load: Floats) -> Floats:
        """(..., B, K, S + 1) cost where `load` (..., B, 1, S + 1) requests are on the server."""
        waits_s = self.execute_s * (load[..., :-1] - 1)
        late_s = np.maximum(waits_s - self.left_s, 0)
        cost = self.alone + self.latency_weight * waits_s + self.penalty * late_s
        cost = np.where(self.available, np.minimum(cost, self.refusal), NEVER)
        refusal = np.broadcast_to(self.refusal, (*cost.shape[:-1], 1))
        return np.concatenate([cost, refusal], axis=-1)


def settled(prices: Prices, server: NDArray[np.int64], acts: Mask, steps: int) -> NDArray[np.int64]:
    """Servers (B, K) after at most so many moves or exchanges, the best one at a time.

    `acts` (B, K) says who sends. Server S is a refusal.
    """
    server = server.copy()
    slots, devices = np.arange(len(server))[:, None], np.arange(server.shape[1])
    for _ in range(steps):
        moves, swaps = _changes(prices, server, acts)
        flat = np.concatenate([moves.reshape(len(server), -1), swaps], axis=-1)
        best = flat.argmin(axis=-1)
        helps = np.flatnonzero(flat[slots[:, 0], best] < -LEAST_GAIN)
        if not len(helps):
            break
        _apply(server, helps, best[helps], moves.shape[-1], len(devices))
    return server


def _changes(
    prices: Prices, server: NDArray[np.int64], acts: Mask
) -> tuple[Floats, NDArray[np.float32]]:
    """What every move (B, K, S + 1) and every exchange (B, K * K) adds to the sum of costs."""
    n, k = server.shape
    slots, devices = np.arange(n)[:, None], np.arange(k)
    n_options = prices.alone.shape[-1] + 1
    hot = (server[..., None] == np.arange(n_options)) & acts[..., None]
    costs = prices.at(hot.sum(axis=-2, keepdims=True, dtype=np.float32) + _STEPS)
    whole = np.where(hot, costs, 0).sum(axis=-2, keepdims=True)
    less, now, more = costs
    spared = whole[0] - whole[1] - less
    idle = np.where(acts, 0, 2 * NEVER)[..., None]
    moves = spared[slots, devices, server][..., None] + (whole[2] - whole[1] + more) + idle
    moves[slots, devices, server] = 0.0
    crossed = now[slots[..., None], devices[:, None], server[:, None]]
    crossed = crossed - now[slots, devices, server][..., None] + idle
    return moves, (crossed + crossed.swapaxes(-1, -2)).reshape(n, -1)


def _apply(
    server: NDArray[np.int64],
    slots: NDArray[np.int64],
    change: NDArray[np.int64],
    n_options: int,
    n_devices: int,
) -> None:
    """Make a change in each of some slots: moves (device, option) first, then exchanges."""
    n_moves = n_devices * n_options
    moved = change < n_moves
    device, option = np.divmod(change[moved], n_options)
    server[slots[moved], device] = option
    at, (first, second) = slots[~moved], np.divmod(change[~moved] - n_moves, n_devices)
    server[at, first], server[at, second] = server[at, second], server[at, first]

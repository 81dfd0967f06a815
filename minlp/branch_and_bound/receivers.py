"""Who may hear whom at a node of branch and bound, compiled."""

from __future__ import annotations

import numpy as np

from minlp.slot.data import NOT_SENT, SlotData
from satedge.kernels import IntVector, Matrix, Vector, kernel

MIXED = -2
"""Receiver of a device whose allowed options have several."""


#: Share of the noise that devices which refuse may add to it in relaxations.
VANISH = 1e-13

#: Options of a device and receivers are bits of 64-bit integers; bit 62 is "not sent".
MAX_OPTIONS = 62


def require_masks(data: SlotData) -> None:
    """Refuse a slot in which some device has more options than a mask has bits."""
    if data.n_options.max(initial=0) > MAX_OPTIONS or data.load_s.shape[1] > MAX_OPTIONS:
        k = int(data.n_options.argmax())
        raise ValueError(
            f"options of device {k} = {data.n_options[k]}: branch and bound allows at most "
            f"{MAX_OPTIONS} (fewer satellites or UAVs, or dedicated compute)"
        )


@kernel
def receivers(data: SlotData, allowed: IntVector) -> tuple[IntVector, IntVector]:
    """(the one receiver, NOT_SENT, or MIXED (n,); bits of all allowed receivers (n,))."""
    n = allowed.shape[0]
    single, bits = np.empty(n, np.int64), np.zeros(n, np.int64)
    for k in range(n):
        single[k] = MIXED
        first = True
        for o in range(data.n_options[k]):
            if allowed[k] >> o & 1:
                r = data.receiver[k, o]
                if first:
                    single[k], first = r, False
                elif single[k] != r:
                    single[k] = MIXED
                if r != NOT_SENT:
                    bits[k] |= 1 << r
                else:
                    bits[k] |= 1 << 62
    return single, bits


@kernel
def may_refuse(bits: int) -> bool:
    """Whether the device has the option of not sending."""
    return (bits >> 62) & 1 == 1


@kernel
def surely_interferes(scope: int, bits: int, receiver: int, n_uavs: int) -> bool:
    """Whether a device with these allowed receivers interferes at a receiver if it sends at all.

    One that may refuse counts too: refusing is relaxed to sending at `vanishing` power.
    """
    sends = bits & ~(1 << 62)
    if sends == 0:
        return False
    if scope == 0:
        return True
    satellite = 1 << n_uavs
    if scope == 2:
        return sends == 1 << receiver
    return sends == satellite if receiver == n_uavs else (sends & satellite) == 0


@kernel
def vanishing(data: SlotData, bits: IntVector, power_low: Vector, high: Matrix) -> Vector:
    """Least log-powers (n,) of a node's relaxation, from those of devices that send.

    A device that may refuse may also send at a power so low that all of them together add less
    than VANISH of the noise anywhere, gains being at most `high` (n, M + 1): bounds lower the
    noise by that share, and refusing is then no better for the others than that power.
    """
    low = power_low.copy()
    for k in range(low.shape[0]):
        if may_refuse(bits[k]):
            strongest = -np.inf
            for r in range(high.shape[1]):
                strongest = max(strongest, data.log_leakage + high[k, r])
            low[k] = min(low[k], data.log_noise - strongest + np.log(VANISH / low.shape[0]))
    return low

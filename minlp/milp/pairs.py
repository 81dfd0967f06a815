"""Admissible pairs of a slot with the ranges that the relaxation needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minlp.milp.tangents import tangent_energy, tangent_power
from minlp.p1.bounds import Limits
from minlp.p1.data import SlotTerms


@dataclass(frozen=True, eq=False)
class Pair:
    """Ranges of one admissible pair."""

    device: int
    server: int
    receiver: int
    load_s: float
    gain: float  # greatest own gain over noise
    upload_s: tuple[float, float]
    stretch: float  # greatest delta, 1 for satellites
    around: tuple[int, ...]  # devices that may disturb
    disturbance: tuple[float, float]  # range of z

    @property
    def power_W(self) -> tuple[float, float]:
        """Range of gamma(h) / g."""
        return self.curve(tangent_power)

    @property
    def energy_J(self) -> tuple[float, float]:
        """Range of h gamma(h) / g."""
        return self.curve(tangent_energy)

    def curve(self, tangent: Any) -> tuple[float, float]:
        """Range over the upload times of a decreasing curve."""
        low, high = (tangent(self.load_s, self.gain, h) for h in self.upload_s[::-1])
        return low.at(self.upload_s[1]), high.at(self.upload_s[0]) * (1 + 1e-9)


def pairs_of(terms: SlotTerms, box: Limits) -> dict[tuple[int, int], Pair]:
    """(device, server) -> what holds within the box if the device uses the server."""
    s = terms.scenario
    gain_low, gain_high = terms.gain_range
    pairs = {}
    for k in terms.devices:
        for b in np.flatnonzero(box.allowed[k]):
            r = int(terms.receiver[b])
            around = tuple(
                j for j in terms.devices if j != k and disturbing_servers(terms, box, j, r).size
            )
            sure = [j for j in around if s.interference_scope == "all" and not box.refusal[j]]
            low = sum(box.least(box.power_low_W, j) * gain_low[j, r] for j in sure)
            high = sum(
                box.power_high_W[j][disturbing_servers(terms, box, j, r)].max() * gain_low[j, r]
                for j in around
            )
            stretch = 1.0
            if r < s.n_uavs:
                ratio = terms.squared_high_m2[k, r] / terms.squared_low_m2[k, r]
                stretch = float(ratio ** (s.path_loss_exponent / 2))
            pairs[k, int(b)] = Pair(
                k, int(b), r, float(terms.load_s[k, b]), float(gain_high[k, r]),
                (float(box.upload_low_s[k, b]), float(box.upload_high_s[k, b])), stretch, around,
                (float(low) * (1 - 1e-9), float(high) * (1 + 1e-9)),
            )  # fmt: skip
    return pairs


def disturbing_servers(terms: SlotTerms, box: Limits, j: int, r: int) -> NDArray[np.int64]:
    """Servers of device j whose signal disturbs those served by receiver r."""
    s = terms.scenario
    allowed = np.flatnonzero(box.allowed[j])
    if s.interference_scope == "all":
        return allowed
    if s.interference_scope == "tier":
        return allowed[(terms.receiver[allowed] == s.n_uavs) == (r == s.n_uavs)]
    return allowed[terms.receiver[allowed] == r]

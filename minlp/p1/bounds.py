"""Ranges of every variable of P1, from gain ranges and, where given, from a known cost.

With a `cutoff` (the cost of some plan) the ranges hold for every plan that costs no more: each
device can spend at most what the others leave over when all of them cost their least. That fixes
servers, bounds upload times from above and so powers from below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minlp.p1.data import MARGIN, SlotTerms
from satedge.problem.referee import TOLERANCE

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Limits:
    """Per device and server, (K, S) each; for pairs that are not allowed the numbers are idle."""

    allowed: NDArray[np.bool_]
    refusal: NDArray[np.bool_]
    """(K,) The request may be refused."""
    seats: NDArray[np.bool_]
    """(N, K, S) Device and server, the server serving c requests in all, c - 1 the first index;
    N = 0 where compute is dedicated."""
    upload_low_s: Array
    upload_high_s: Array
    power_low_W: Array
    power_high_W: Array

    def least(self, table: Array, k: int, empty: float = 0.0) -> float:
        """Smallest entry of a table (K, S) over the allowed servers of device k."""
        return float(table[k][self.allowed[k]].min(initial=np.inf if self.any(k) else empty))

    def most(self, table: Array, k: int, empty: float = 0.0) -> float:
        """Greatest entry of a table (K, S) over the allowed servers of device k."""
        return float(table[k][self.allowed[k]].max(initial=-np.inf if self.any(k) else empty))

    def seated(self) -> list[tuple[int, int, int]]:
        """(k, b, c) wherever device k may be one of c on server b."""
        return [(int(k), int(b), int(c) + 1) for c, k, b in np.argwhere(self.seats)]

    def any(self, k: int) -> bool:
        """Whether device k may use some server."""
        return bool(self.allowed[k].any())


def limits(terms: SlotTerms, cutoff: float | None = None, reduced: bool = True) -> Limits:
    """Ranges for all plans, or for those of mean cost at most `cutoff` per device.

    `reduced` also leaves out dominated satellites.
    """
    s = terms.scenario
    budget = _budget(terms, cutoff)
    allowed = terms.pair & np.isfinite(terms.lone_least) & (terms.lone_least <= budget[:, None])
    if reduced:
        allowed &= ~terms.dominated
    high_W, low_W = s.power_max_W * (1 + TOLERANCE), s.power_min_W * (1 - TOLERANCE)
    gain_low, gain_high = terms.served_gain_low, terms.gain_range[1][:, terms.receiver]
    heard = s.interference_leakage * high_W * terms.gain_range[1].sum(axis=0)[terms.receiver]
    with np.errstate(all="ignore"):
        quickest = terms.load_s / np.log1p(high_W * gain_high) * (1 - MARGIN)
        slowest = terms.load_s / np.log1p(low_W * gain_low / (1 + heard)) * (1 + MARGIN)
        slowest = np.minimum(slowest, _affordable_s(terms, budget))
        slowest = np.maximum(slowest, quickest)
        needed = np.expm1(terms.load_s / slowest) / gain_high * (1 - MARGIN)
        left = budget[:, None] - _constant_cost(terms) - s.latency_weight_per_s * quickest
        spent = np.where(s.energy_weight_per_J > 0, left / s.energy_weight_per_J, np.inf) / quickest
    power_low = np.clip(needed, low_W, high_W)
    power_high = np.clip(np.where(np.isnan(spent), np.inf, spent), power_low, high_W)
    return Limits(
        allowed=allowed,
        refusal=terms.instance.active[0] & ((terms.refusal_cost <= budget) | ~allowed.any(axis=1)),
        seats=_seats(terms, allowed, budget),
        upload_low_s=quickest,
        upload_high_s=slowest,
        power_low_W=power_low,
        power_high_W=power_high,
    )


def _seats(terms: SlotTerms, allowed: NDArray[np.bool_], budget: Array) -> NDArray[np.bool_]:
    """Loads (N, K, S) that a device affords on a server, and that enough devices do."""
    if terms.scenario.compute_sharing == "dedicated":
        return np.zeros((0, *allowed.shape), bool)
    afforded = allowed & (terms.loaded_least <= budget[:, None])
    enough = afforded.sum(axis=1) >= np.arange(1, len(afforded) + 1)[:, None]
    seats: NDArray[np.bool_] = afforded & enough[:, None, :]
    return seats


def _budget(terms: SlotTerms, cutoff: float | None) -> Array:
    """(K,) Most that each device may cost."""
    n_devices = terms.scenario.n_devices
    if cutoff is None:
        return np.full(n_devices, np.inf)
    least = terms.device_least
    total = cutoff * n_devices + 1e-9 * abs(cutoff) * n_devices
    return total - (least.sum() - least)


def _constant_cost(terms: SlotTerms) -> Array:
    """(K, S) Cost of a served request besides its upload and its overrun."""
    s, download_s = terms.scenario, terms.download_low_s
    latency_s = terms.constant_s + download_s
    energy_J = terms.constant_J + s.uav_power_W * download_s
    return s.latency_weight_per_s * latency_s + s.energy_weight_per_J * energy_J


def _affordable_s(terms: SlotTerms, budget: Array) -> Array:
    """(K, S) Longest upload within the budget: its latency and overrun alone must fit."""
    s = terms.scenario
    left = budget[:, None] - _constant_cost(terms)
    slack_s = terms.forgiving_deadline_s - terms.constant_s - terms.download_low_s
    in_time = left / s.latency_weight_per_s
    late = (left + s.penalty_per_s * slack_s) / (s.latency_weight_per_s + s.penalty_per_s)
    longest = np.where((slack_s >= 0) & (in_time <= slack_s), in_time, late)
    longest = np.where(np.isnan(longest), np.inf, longest)
    return np.maximum(longest, 0.0) * (1 + MARGIN)

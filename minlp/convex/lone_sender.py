"""The upload of a lone sender: the best power, its cost, and what no power costs less than.

Without interference the uplink of a device is a one-dimensional convex problem in its log-power
p = ln P (upload time is convex in p, and so is P times it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Halvings of the bracket of ln P: 60 reach the resolution of floats from any width below 100.
HALVINGS = 60

#: Margin under computed costs, relative to the sum of all absolute terms of cost and derivative.
#: Their factors (exp, log1p, sums of a few terms) have relative errors below 50 * 2^-53, about
#: 6e-15; the sign of a derivative lost in rounding costs that times a width below 40.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class LoneSender:
    """Optimal lone uploads; all arrays broadcast to one shape."""

    power_W: Array
    cost: Array
    """Weighted upload: latency, energy and overrun; inf where the gain is 0."""
    lower: Array
    """Certified: no admissible power costs less, rounding included."""


@dataclass(frozen=True, eq=False)
class Upload:
    """Data of lone uploads; arrays broadcast against each other."""

    load_s: Array
    """bits * ln 2 / bandwidth."""
    snr_per_W: Array
    """gain / noise."""
    propagation_s: Array
    """Time for which the sender pays beyond the upload. Eq. (21)."""
    slack_s: Array
    """Upload time from which the request is late; may be negative."""
    latency_weight: float
    energy_weight: float
    overrun_weight: float

    def at(self, log_power: Array) -> tuple[Array, Array, Array]:
        """Cost, right derivative in ln P, and the sum of the absolute terms of both.

        Eqs. (8), (10), (12), (13), (19), (21).
        """
        power_W = np.exp(log_power)
        log_snr = log_power + np.log(self.snr_per_W)
        nats = np.where(log_snr > -30, np.logaddexp(0.0, log_snr), np.exp(log_snr))
        upload_s = self.load_s / nats
        ratio = np.where(log_snr > -30, np.exp(log_snr - nats) / nats, 1.0)
        late_s = upload_s - self.slack_s
        paid_J = power_W * (upload_s + self.propagation_s)
        cost = self.latency_weight * upload_s + self.energy_weight * paid_J
        cost = cost + self.overrun_weight * np.maximum(late_s, 0.0)
        price = self.latency_weight + self.energy_weight * power_W
        price = price + np.where(late_s > 0, self.overrun_weight, 0.0)
        slope = self.energy_weight * paid_J - price * upload_s * ratio
        worst_price = price + self.overrun_weight
        size = 2 * (worst_price * upload_s + self.energy_weight * paid_J)
        return cost, slope, size + self.overrun_weight * np.abs(self.slack_s)


def lone_sender(upload: Upload, power_min_W: float, power_max_W: float) -> LoneSender:
    """Minimise every entry by bisection on the sign of the derivative in ln P.

    `lower` is the tangent at the left end a of the final bracket, taken at its right end. By
    convexity, nothing left of a is cheaper than a (the slope there is <= 0), and nothing right of
    the bracket is cheaper than its right end, which lies above the tangent.
    """
    shape = np.broadcast(upload.load_s, upload.snr_per_W, upload.propagation_s, upload.slack_s)
    left = np.full(shape.shape, np.log(power_min_W))
    right = np.full(shape.shape, np.log(power_max_W))
    with np.errstate(all="ignore"):
        for _ in range(HALVINGS):
            middle = 0.5 * (left + right)
            falls = upload.at(middle)[1] < 0
            left, right = np.where(falls, middle, left), np.where(falls, right, middle)
        cost, slope, size = upload.at(left)
        cost_right = upload.at(right)[0]
        lower = cost + np.minimum(slope, 0.0) * (right - left) - ROUNDING * size
    best = np.where(cost_right < cost, right, left)
    cost = np.minimum(cost, cost_right)
    hopeless = ~(np.asarray(upload.snr_per_W) > 0) & np.ones(shape.shape, bool)
    cost = np.where(hopeless | np.isnan(cost), np.inf, cost)
    lower = np.where(hopeless, np.inf, np.where(np.isnan(lower), -np.inf, lower))
    power_W = np.clip(np.exp(best), power_min_W, power_max_W)
    return LoneSender(power_W, cost, lower)

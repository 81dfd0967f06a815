"""Numbers that prove the least cost of an upload, compiled: for proofs (`proof`).

An upload with copies of all powers is bounded at any tau, p and theta (`upload`); these are found
to full accuracy, so that what the search found out with fewer digits is proven too.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.copies import MOST_LINES
from minlp.branch_and_bound.upload import Upload, heard_from, least_at_price, own_power
from minlp.convex.problem import upload_time
from satedge.kernels import Matrix, Vector, kernel

#: Most steps towards the price of an overrun.
STEPS = 60


@kernel
def upload_lines(upload: Upload, slack_s: Vector) -> Matrix:
    """Rows (tau, p, theta): one for each of the slacks (S,) at which no other one is exact."""
    rows, known = np.empty((MOST_LINES, 3)), np.empty((MOST_LINES, 2))
    count, rho = 0, upload.overrun_weight
    for slack in slack_s:
        exact = count == MOST_LINES
        for i in range(count):
            theta = rows[i, 2]
            exact |= theta == 0.0 and slack >= known[i, 0]
            exact |= theta == rho and slack <= known[i, 1]
        if exact:
            continue
        theta, time = _price_of_time(upload, slack)
        tau, p = _settled(upload, theta)
        rows[count, 0], rows[count, 1], rows[count, 2] = tau, p, theta
        known[count, 0], known[count, 1] = time, slack
        count += 1
    return rows[:count].copy()


@kernel
def _price_of_time(upload: Upload, slack_s: float) -> tuple[float, float]:
    """(theta, upload time): the price of an overrun, 0 to rho, at which the upload is in time.

    The time falls with the price. Regula falsi (Illinois).
    """
    rho = upload.overrun_weight
    found = least_at_price(upload, slack_s, 0.0, upload.limits.upper[upload.k])
    time = found.upload_s
    if time <= slack_s or rho == 0.0:
        return 0.0, time
    low, high, miss_low = 0.0, rho, time - slack_s
    found = least_at_price(upload, slack_s, rho, found.p)
    time = found.upload_s
    miss_high, theta = time - slack_s, rho
    for _ in range(STEPS):
        if miss_high >= 0.0 or slack_s <= 0.0:
            break
        theta = low + min(max(miss_low / (miss_low - miss_high), 0.02), 0.98) * (high - low)
        found = least_at_price(upload, slack_s, theta, found.p)
        time = found.upload_s
        miss = time - slack_s
        if abs(miss) < 1e-7 * slack_s:
            break
        if miss > 0.0:
            low, miss_low, miss_high = theta, miss, 0.5 * miss_high
        else:
            high, miss_high, miss_low = theta, miss, 0.5 * miss_low
    return theta, time


@kernel
def _settled(upload: Upload, theta: float) -> tuple[float, float]:
    """(tau, p) of the least cost with each second beyond the slack at price theta; by bisection."""
    left, right, tau, p = -60.0, 60.0, 0.0, upload.limits.upper[upload.k]
    for _ in range(50):
        tau = 0.5 * (left + right)
        level = np.log(heard_from(upload, tau)[0] + upload.noise)
        p, steep = own_power(upload, theta, level, p)
        if np.log(steep) - level + tau > 0.0:
            right = tau
        else:
            left = tau
    level = np.log(heard_from(upload, tau)[0] + upload.noise)
    return tau, _exact_power(upload, theta, level, p)


@kernel
def _exact_power(upload: Upload, theta: float, level: float, p: float) -> float:
    """Newton steps of `upload` from near the solution, to the last digits."""
    k = upload.k
    for _ in range(3):
        h, fall, bend = upload_time(upload.load_s, p - level)
        energy = upload.energy_weight * np.exp(p)
        paid, price = energy * (h + upload.propagation_s), upload.latency_weight + energy + theta
        rise = paid - price * fall - upload.slope[k]
        p -= rise / max(paid - 2.0 * energy * fall + price * bend, 1e-300)
        p = min(max(p, upload.limits.lower[k]), upload.limits.upper[k])
    return p

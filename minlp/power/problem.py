"""The power problem of one slot, its solution, and the certificate that there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# exp(600) is beyond every power limit: a smaller SINR target is a weaker demand, hence safe
LARGEST_EXPONENT = 600.0


@dataclass(frozen=True)
class PowerProblem:
    """One slot's senders, each with a receiver. Arrays: one entry or row per sender."""

    gain: Array  # (n, n) G[k, j]: power gain from sender j to the receiver of k
    interferes: NDArray[np.bool_]  # (n, n) whether j disturbs k; the diagonal is ignored
    leakage: float  # share of an interferer's received power that multiple access leaves, 0..1
    noise_W: float
    bandwidth_Hz: Array  # (n,)
    input_bit: Array  # (n,)
    propagation_s: Array  # (n,) one-way time during which the sender still pays for its power
    latency_weight: float  # per second
    energy_weight: float  # per joule
    penalty: float  # per second of overrun, elastic form
    slack_s: Array  # (n,) deadline less everything but the upload; may be negative or +inf
    power_min_W: float
    power_max_W: float
    hard: bool = False

    def __post_init__(self) -> None:
        n = len(self.input_bit)
        if np.shape(self.gain) != (n, n) or np.shape(self.interferes) != (n, n):
            raise ValueError(f"gain and interferes must have shape ({n}, {n})")
        own = np.diagonal(self.gain)
        if not (np.all(self.gain >= 0.0) and np.all(np.isfinite(self.gain)) and np.all(own > 0.0)):
            raise ValueError("gain must be finite, not negative, and positive on the diagonal")
        if not 0.0 < self.power_min_W <= self.power_max_W < np.inf:
            raise ValueError("0 < power_min_W <= power_max_W is required")
        if not (self.noise_W > 0.0 and 0.0 <= self.leakage <= 1.0):
            raise ValueError("noise_W must be positive and leakage within 0..1")
        if np.any(np.isnan(self.slack_s)):
            raise ValueError("slack_s must not be NaN")

    @property
    def load_s(self) -> Array:
        """(n,) upload time at one nat per second and hertz."""
        return self.input_bit * (np.log(2.0) / self.bandwidth_Hz)

    @property
    def relative_interference(self) -> Array:
        """F (n, n): what a watt of j does to k, over k's own gain; zero diagonal."""
        ratio = self.leakage * self.gain / np.diagonal(self.gain)[:, None]
        ratio[~self.interferes] = 0.0
        np.fill_diagonal(ratio, 0.0)
        return ratio

    @property
    def relative_noise_W(self) -> Array:
        """(n,) noise over own gain."""
        return self.noise_W / np.diagonal(self.gain)

    @property
    def target_sinr(self) -> Array:
        """gamma (n,): the SINR that just meets the deadline; 0 where there is none."""
        exponent = np.minimum(self.load_s / np.maximum(self.slack_s, 1e-300), LARGEST_EXPONENT)
        return np.expm1(exponent)

    def upload_s(self, power_W: Array) -> Array:
        """(n,) upload times at these powers (n,). Eq. (8) and (10)."""
        disturbed = self.relative_interference @ power_W + self.relative_noise_W
        return self.load_s / np.log1p(power_W / disturbed)

    def cost(self, power_W: Array, upload_s: Array | None = None) -> float:
        """Weighted latency and energy of the uploads, and in the elastic form their overruns.

        `upload_s` (n,) spares computing the upload times of these powers once more.
        """
        if upload_s is None:
            upload_s = self.upload_s(power_W)
        energy_J = power_W @ (upload_s + self.propagation_s)
        cost = self.latency_weight * upload_s.sum() + self.energy_weight * energy_J
        if not self.hard:
            cost += self.penalty * np.maximum(0.0, upload_s - self.slack_s).sum()
        return float(cost)


@dataclass(frozen=True)
class Certificate:
    """Why no powers meet all deadlines; `feasibility.verify_certificate` checks it in a few lines.

    execution: no time is left for the upload of `device`.
    spectral: `weight` proves that the spectral radius of A is at least 1: interference alone.
    power: `weight` proves that the least powers exceed the limit.
    """

    cause: str
    device: int  # the one without time, or whose least power exceeds the limit; -1 otherwise
    weight: Array  # (n,) w, empty for "execution"


@dataclass(frozen=True)
class PowerSolution:
    """Powers with a certified bound, or the certificate that there are none."""

    power_W: Array  # (n,), NaN if infeasible
    upload_s: Array  # (n,), NaN if infeasible
    objective: float  # inf if infeasible
    lower_bound: float
    status: str  # "optimal" (within tol), "infeasible" or "stopped" (bound and plan still valid)
    certificate: Certificate | None
    iterations: int
    multiplier: Array  # (n,) price of each deadline, per second


def infeasible(problem: PowerProblem, certificate: Certificate) -> PowerSolution:
    """The answer that there are no powers, with its proof."""
    nothing = np.full(len(problem.slack_s), np.nan)
    return PowerSolution(
        power_W=nothing,
        upload_s=nothing,
        objective=np.inf,
        lower_bound=np.inf,
        status="infeasible",
        certificate=certificate,
        iterations=0,
        multiplier=np.zeros(len(nothing)),
    )

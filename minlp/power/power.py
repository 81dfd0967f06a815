"""Power control for fixed servers and positions: certified optimum, or a proof that there is none.

In log-powers the problem is convex: the logarithm of the SINR is concave, upload time is convex
and decreasing in it, and power times upload time is log-convex. `minlp.convex.solve` solves it,
with a bound. Two forms: elastic (an overrun of the deadline costs `penalty` per second) and hard
(no overrun), which `minlp.power.feasibility` decides first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from minlp.convex.problem import ConvexProblem
from minlp.convex.solve import Minimum, minimise
from minlp.power.feasibility import Certificate, infeasibility, least_powers, verify_certificate

__all__ = [
    "Certificate",
    "PowerProblem",
    "PowerSolution",
    "solve_power",
    "solve_power_cvxpy",
    "verify_certificate",
]

Array = NDArray[np.float64]

# exp(600) is beyond every power limit: a smaller SINR target is a weaker demand, hence safe
LARGEST_EXPONENT = 600.0
OVERRUN_TOLERANCE = 1e-9


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


def _convex_form(problem: PowerProblem, overrun_weight: float) -> ConvexProblem:
    """The same problem as `minlp.convex.solve` takes it; positions do not enter."""
    n = len(problem.slack_s)
    with np.errstate(divide="ignore"):
        log_interference = np.log(problem.relative_interference)
    return ConvexProblem(
        np.full(n, np.log(problem.power_min_W)), np.full(n, np.log(problem.power_max_W)),
        log_interference, np.zeros((n, n, 2)),
        np.log(problem.relative_noise_W), np.zeros((n, 2)), np.full(n, -1),
        problem.load_s, np.full(n, problem.latency_weight), np.full(n, problem.energy_weight),
        np.array(problem.propagation_s, dtype=np.float64), np.full(n, overrun_weight),
        np.array(problem.slack_s, dtype=np.float64), np.zeros((0, 4)),
    )  # fmt: skip


def solve_power(
    problem: PowerProblem, *, tol: float = 1e-9, warm_start: PowerSolution | None = None
) -> PowerSolution:
    """The best powers to a relative gap of `tol`, with a bound, or a certificate.

    `warm_start` is a solution of a similar problem with as many senders.
    """
    if problem.hard:
        return _solve_hard(problem, tol, warm_start)
    minimum = _minimise(problem, problem.penalty, tol, warm_start)
    status = "optimal" if minimum.status == "converged" else "stopped"
    return _solution(problem, np.exp(minimum.y), minimum, minimum.lower_bound, status)


def _minimise(
    problem: PowerProblem, overrun_weight: float, tol: float, warm_start: PowerSolution | None
) -> Minimum:
    """The convex problem with overruns at this price."""
    form = _convex_form(problem, overrun_weight)
    if warm_start is None or warm_start.status == "infeasible":
        return minimise(form, relative_gap=tol)
    start = np.log(warm_start.power_W)
    return minimise(form, start, multiplier0=warm_start.multiplier, relative_gap=tol)


def _solution(
    problem: PowerProblem, power_W: Array, minimum: Minimum, bound: float, status: str
) -> PowerSolution:
    power_W = np.minimum(np.maximum(power_W, problem.power_min_W), problem.power_max_W)
    upload_s = problem.upload_s(power_W)
    return PowerSolution(
        power_W, upload_s, problem.cost(power_W, upload_s), bound, status, None,
        minimum.iterations, minimum.multiplier,
    )  # fmt: skip


def _solve_hard(
    problem: PowerProblem, tol: float, warm_start: PowerSolution | None
) -> PowerSolution:
    """Exact penalty: dear enough overruns vanish, and the elastic bound bounds the hard form."""
    certificate = infeasibility(problem)
    if certificate is not None:
        nothing = np.full(len(problem.slack_s), np.nan)
        return PowerSolution(
            nothing, nothing, np.inf, np.inf, "infeasible", certificate, 0, 0.0 * nothing
        )
    price = 1e3 * (problem.latency_weight + problem.energy_weight * problem.power_max_W)
    bound, best = -np.inf, None
    for _ in range(4):
        minimum = _minimise(problem, price, tol, warm_start)
        bound = max(bound, minimum.lower_bound)
        power_W = _without_overrun(problem, np.exp(minimum.y))
        best = _solution(problem, power_W, minimum, bound, "stopped")
        if best.objective - bound <= tol * abs(best.objective):
            return replace(best, status="optimal")
        price, warm_start = 30.0 * price, best
    assert best is not None
    return best


def _without_overrun(problem: PowerProblem, power_W: Array) -> Array:
    """Least powers (n,) above these that meet all deadlines; the least at all where none do."""
    for floor_W in (power_W, None):
        lifted = least_powers(problem, floor_W)
        if lifted is not None:
            lifted = np.minimum(lifted, problem.power_max_W)
            late = problem.upload_s(lifted) > problem.slack_s * (1.0 + OVERRUN_TOLERANCE)
            if not np.any(late):
                return lifted
    return power_W


def solve_power_cvxpy(problem: PowerProblem, *, tol: float = 1e-9) -> PowerSolution:
    """The same problem by successive convex programs in CVXPY: see `minlp.power.cvxpy_check`."""
    from minlp.power.cvxpy_check import successive_convex

    return successive_convex(problem, tol=tol)

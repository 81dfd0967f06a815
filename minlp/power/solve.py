"""Power control for fixed servers and positions: certified optimum, or a proof that there is none.

In log-powers the problem is convex: the logarithm of the SINR is concave, upload time is convex
and decreasing in it, and power times upload time is log-convex. `minlp.convex.solve` solves it,
with a bound. Two forms: elastic (an overrun of the deadline costs `penalty` per second) and hard
(no overrun), which `minlp.power.feasibility` decides first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minlp.convex.problem import ConvexProblem
from minlp.convex.solve import Minimum, minimise
from minlp.power.feasibility import infeasibility, least_powers
from minlp.power.problem import Array, PowerProblem, PowerSolution, infeasible

#: Exact penalty: a second of overrun costs this many times a second of sending at full power, and
#: more each time that this was too little; beyond the last price the cost would drown in rounding.
FIRST_PRICE, PRICE_STEP, N_PRICES = 1e3, 30.0, 4

#: An overrun of this share of the slack is rounding.
OVERRUN_TOLERANCE = 1e-9


def _convex_form(problem: PowerProblem, overrun_weight: float) -> ConvexProblem:
    """The same problem as `minlp.convex.solve` takes it; positions do not enter."""
    n = len(problem.slack_s)
    with np.errstate(divide="ignore"):
        log_interference = np.log(problem.relative_interference)
    return ConvexProblem(
        lower=np.full(n, np.log(problem.power_min_W)),
        upper=np.full(n, np.log(problem.power_max_W)),
        log_interference=log_interference,
        interference_slope=np.zeros((n, n, 2)),
        log_noise=np.log(problem.relative_noise_W),
        noise_slope=np.zeros((n, 2)),
        receiver=np.full(n, -1),
        load_s=problem.load_s,
        latency_weight=np.full(n, problem.latency_weight),
        energy_weight=np.full(n, problem.energy_weight),
        propagation_s=np.array(problem.propagation_s, dtype=np.float64),
        overrun_weight=np.full(n, overrun_weight),
        slack_s=np.array(problem.slack_s, dtype=np.float64),
        disc=np.zeros((0, 4)),
    )


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
        power_W=power_W,
        upload_s=upload_s,
        objective=problem.cost(power_W, upload_s),
        lower_bound=bound,
        status=status,
        certificate=None,
        iterations=minimum.iterations,
        multiplier=minimum.multiplier,
    )


def _solve_hard(
    problem: PowerProblem, tol: float, warm_start: PowerSolution | None
) -> PowerSolution:
    """Exact penalty: overruns at a high price vanish, the elastic bound bounds the hard form."""
    certificate = infeasibility(problem)
    if certificate is not None:
        return infeasible(problem, certificate)
    price = FIRST_PRICE * (problem.latency_weight + problem.energy_weight * problem.power_max_W)
    bound, best = -np.inf, None
    for _ in range(N_PRICES):
        minimum = _minimise(problem, price, tol, warm_start)
        bound = max(bound, minimum.lower_bound)
        power_W = _without_overrun(problem, np.exp(minimum.y))
        best = _solution(problem, power_W, minimum, bound, "stopped")
        if best.objective - bound <= tol * abs(best.objective):
            return replace(best, status="optimal")
        price, warm_start = PRICE_STEP * price, best
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

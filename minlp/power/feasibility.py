"""Whether powers in their limits can meet all deadlines, and a proof where they cannot.

Deadlines ask for SINRs gamma_k, that is for powers with P_min <= P <= P_max and

    P >= A P + b,   A = diag(gamma) F,   F_kj = leakage G_kj / G_kk,   b_k = gamma_k noise / G_kk

(Foschini and Miljanic, IEEE Trans. Veh. Technol. 42(4), 1993). All this is linear in P, so
infeasibility has a Farkas certificate: a vector w >= 0 for which w'(I - A) P >= w'b has no
solution in the limits. Where w'A >= w', which proves a spectral radius of A of at least 1, it has
none in any limits: interference alone forbids it.
"""

from __future__ import annotations

import numpy as np

from minlp.power.problem import Array, Certificate, PowerProblem

# relative rounding in gamma is below 600 * 3 * 2^-53, in sums of n products below (n + 4) 2^-53
CERTIFICATE_MARGIN = 1e-12


def _combination(problem: PowerProblem, weight: Array) -> tuple[Array, Array, Array]:
    """c = w' (I - A), the sum of absolute terms in it, and w * b."""
    gamma = problem.target_sinr
    pushed = (weight * gamma) @ problem.relative_interference
    return weight - pushed, weight + pushed, weight * gamma * problem.relative_noise_W


def verify_certificate(problem: PowerProblem, certificate: Certificate) -> bool:
    """Whether the certificate proves, with a margin for rounding, that no powers are feasible.

    Feasible powers have c'P >= w'b with c = w'(I - A); the left side is at most
    sum_j max(c_j P_min, c_j P_max). "spectral" demands c <= 0 as well: then no limit on the
    powers, however generous, would help.
    """
    if certificate.cause == "execution":
        return bool(problem.slack_s[certificate.device] <= 0.0)
    weight = certificate.weight
    if weight.shape != (len(problem.slack_s),) or not np.all(weight >= 0.0):
        return False
    c, size, gain = _combination(problem, weight)
    c = c + CERTIFICATE_MARGIN * size
    if certificate.cause == "spectral":
        return bool(np.sum(gain) > 0.0 and np.all(c <= 0.0))
    left = np.sum(np.maximum(c * problem.power_min_W, c * problem.power_max_W))
    return bool(left < np.sum(gain) * (1.0 - CERTIFICATE_MARGIN))


def least_powers(problem: PowerProblem, floor_W: Array | None = None) -> Array | None:
    """Least powers (n,) with P >= max(floor, A P + b), whatever the upper limit; None if none.

    The floor (n,) is the lower limit unless given. Policy iteration on the monotone map: rows
    bound by the floor join the linear system once they exceed it, which only raises the solution.
    """
    n = len(problem.slack_s)
    gamma = problem.target_sinr
    A = gamma[:, None] * problem.relative_interference
    b = gamma * problem.relative_noise_W
    if n and not np.all(_solve(np.eye(n) - A, np.ones(n)) > 0.0):
        return None
    floor = np.full(n, problem.power_min_W) if floor_W is None else floor_W
    power, above = floor.copy(), np.zeros(n, dtype=bool)
    for _ in range(n):
        grown = (A @ power + b > floor) & ~above
        if not np.any(grown):
            break
        above |= grown
        rows = np.ix_(above, above)
        right = b[above] + A[np.ix_(above, ~above)] @ power[~above]
        power[above] = _solve(np.eye(int(above.sum())) - A[rows], right)
    return power


def _solve(matrix: Array, right: Array) -> Array:
    """Solution, or NaN where the matrix is singular."""
    try:
        return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.full(len(right), np.nan)


def _perron_weight(A: Array) -> Array:
    """Left Perron vector of A >= 0, its negligible entries cleared."""
    values, vectors = np.linalg.eig(A.T)
    weight = np.abs(np.real(vectors[:, np.argmax(np.real(values))]))
    return np.where(weight > 1e-12 * weight.max(), weight, 0.0)


def infeasibility(problem: PowerProblem) -> Certificate | None:
    """A verified certificate that no powers meet all deadlines, or None."""
    n = len(problem.slack_s)
    if n == 0:
        return None
    worst = int(np.argmin(problem.slack_s))
    if problem.slack_s[worst] <= 0.0:
        return Certificate("execution", worst, np.empty(0))
    gamma = problem.target_sinr
    alone = int(np.argmax(gamma * problem.relative_noise_W))
    unit = np.eye(n)
    candidates = [Certificate("power", alone, unit[alone])]
    A = gamma[:, None] * problem.relative_interference
    least = least_powers(problem)
    if least is None:
        weight = _perron_weight(A)
        candidates += [Certificate("spectral", -1, weight), Certificate("power", -1, weight)]
    elif np.any(least > problem.power_max_W):
        above = least > problem.power_min_W
        top = int(np.argmax(least))
        weight = np.zeros(n)
        weight[above] = _solve((np.eye(n) - A)[np.ix_(above, above)].T, unit[top, above])
        candidates.append(Certificate("power", top, np.maximum(weight, 0.0)))
    return next((c for c in candidates if verify_certificate(problem, c)), None)

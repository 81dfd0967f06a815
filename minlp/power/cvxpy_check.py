"""The power problem by successive convex approximation in CVXPY: the check on `minlp.power.solve`.

1 / log(1 + e^s) is no atom of disciplined convex programming. As in SCALE (Papandreou and Evans,
IEEE Trans. Commun. 57(11), 2009) the rate log(1 + e^s) is replaced by its tangent in the log-SINR
s, which lies below it, is tight at the last point, and is concave in the log-powers because s is.
Every program is a restriction of the true problem, so costs fall monotonically; since the true
problem is convex, the point where they settle is its optimum. The deadlines of the hard form are
bounds on s, convex without approximation. No bound comes with the answer (-inf).

The program is built once per number of senders and form, with parameters (DPP), so that further
solves skip CVXPY's compilation.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cvxpy
import numpy as np

from minlp.power.feasibility import infeasibility, least_powers
from minlp.power.problem import Array, PowerProblem, PowerSolution, infeasible

cp: Any = cvxpy  # its atoms are gathered at import, where type checkers do not see them

# an interferer e^-60 below the noise is as good as silent, and keeps cones well scaled
SILENT = -60.0


@dataclass(frozen=True)
class _Program:
    """A parametrised program; arrays (n,) except `interference` (n, n)."""

    problem: cvxpy.Problem
    log_power: cvxpy.Variable
    interference: cvxpy.Parameter  # ln of interference over noise at 1 W
    log_noise: cvxpy.Parameter  # ln of noise over own gain
    tangent_value: cvxpy.Parameter  # of the rate at s = 0, over the tangent's slope
    tangent_inverse: cvxpy.Parameter  # 1 / slope
    load_s: cvxpy.Parameter
    log_load: cvxpy.Parameter
    propagation: cvxpy.Parameter  # propagation_s times energy_weight
    deadline: cvxpy.Parameter  # slack_s (elastic) or least log-SINR (hard)
    latency_weight: cvxpy.Parameter
    energy_weight: cvxpy.Parameter
    penalty: cvxpy.Parameter
    box: cvxpy.Parameter  # (2,) ends of the log-powers


@lru_cache(maxsize=32)
def _program(n: int, hard: bool) -> _Program:
    """Build the program of n senders."""
    log_power, rate = cp.Variable(n), cp.Variable(n)
    interference, box = cp.Parameter((n, n)), cp.Parameter(2)
    value, log_noise, log_load, deadline = (cp.Parameter(n) for _ in range(4))
    inverse, load, propagation = (cp.Parameter(n, nonneg=True) for _ in range(3))
    latency_weight, energy_weight, penalty = (cp.Parameter(nonneg=True) for _ in range(3))
    disturbed = log_noise + _log_disturbance(log_power, interference)
    upload, energy = cp.Variable(n), cp.Variable(n)  # own variables: DPP forbids nested products
    cost = latency_weight * cp.sum(upload) + energy_weight * cp.sum(energy)
    cost += cp.sum(cp.multiply(propagation, cp.exp(log_power)))
    constraints = [
        upload >= cp.multiply(load, cp.inv_pos(rate)),
        energy >= cp.exp(log_power - cp.log(rate) + log_load),
        disturbed <= log_power + value - cp.multiply(inverse, rate),
        log_power >= box[0],
        log_power <= box[1],
    ]
    if hard:
        constraints.append(disturbed <= log_power - deadline)
    else:
        overrun = cp.Variable(n, nonneg=True)
        constraints.append(overrun >= upload - deadline)
        cost += penalty * cp.sum(overrun)
    program = cp.Problem(cp.Minimize(cost), constraints)
    return _Program(
        problem=program,
        log_power=log_power,
        interference=interference,
        log_noise=log_noise,
        tangent_value=value,
        tangent_inverse=inverse,
        load_s=load,
        log_load=log_load,
        propagation=propagation,
        deadline=deadline,
        latency_weight=latency_weight,
        energy_weight=energy_weight,
        penalty=penalty,
        box=box,
    )


def _log_disturbance(log_power: cvxpy.Variable, interference: cvxpy.Parameter) -> Any:
    """(n,) ln(interference + noise) over noise, the noise term being e^0."""
    n = log_power.size
    received = cp.reshape(log_power, (1, n), order="C")
    exponents = np.ones((n, 1)) @ received + interference
    return cp.log_sum_exp(cp.hstack([exponents, np.zeros((n, 1))]), axis=1)


def _fill(program: _Program, problem: PowerProblem) -> None:
    """Everything but the tangent."""
    noise = problem.relative_noise_W
    ratio = problem.relative_interference / noise[:, None]
    program.interference.value = np.log(np.maximum(ratio, np.exp(SILENT)))
    program.log_noise.value = np.log(noise)
    program.load_s.value = problem.load_s
    program.log_load.value = np.log(problem.load_s)
    program.propagation.value = problem.energy_weight * problem.propagation_s
    if problem.hard:
        target = np.where(np.isinf(problem.slack_s), np.exp(SILENT), problem.target_sinr)
        program.deadline.value = np.log(target)
    else:
        program.deadline.value = np.minimum(problem.slack_s, 1e6)
    program.latency_weight.value = problem.latency_weight
    program.energy_weight.value = problem.energy_weight
    program.penalty.value = problem.penalty
    program.box.value = np.log([problem.power_min_W, problem.power_max_W])


def _tangent(program: _Program, problem: PowerProblem, power_W: Array) -> None:
    """rate <= a + b s tight at these powers, stored as s >= rate / b - a / b."""
    disturbed = problem.relative_interference @ power_W + problem.relative_noise_W
    sinr = power_W / disturbed
    slope = sinr / (1.0 + sinr)
    program.tangent_inverse.value = 1.0 / slope
    program.tangent_value.value = np.log1p(sinr) / slope - np.log(sinr)


def _start(problem: PowerProblem) -> Array:
    """Somewhere inside: the least powers where deadlines are hard, else high ones."""
    least = least_powers(problem) if problem.hard else None
    if least is None:
        return np.full(len(problem.slack_s), 0.1 * problem.power_max_W + 0.9 * problem.power_min_W)
    return np.minimum(least, problem.power_max_W)


def solve_power_cvxpy(
    problem: PowerProblem, *, tol: float = 1e-9, max_iter: int = 100
) -> PowerSolution:
    """Powers after the cost fell by less than `tol`, relatively, between two programs.

    Raises RuntimeError when the conic solver gives no answer to the first program.
    """
    certificate = infeasibility(problem) if problem.hard else None
    if certificate is not None:
        return infeasible(problem, certificate)
    n = len(problem.slack_s)
    program = _program(n, problem.hard)
    _fill(program, problem)
    power_W, status, step = _start(problem), "stopped", 0
    best = problem.cost(power_W)
    for step in range(1, max_iter + 1):
        _tangent(program, problem, power_W)
        found = _solve(program, problem)
        if found is None:
            break
        cost = problem.cost(found)
        fell = best - cost
        if cost < best or step == 1:
            power_W, best = found, cost
        if fell <= tol * abs(best) and step > 1:
            status = "optimal"
            break
    if step == 1 and status == "stopped":
        raise RuntimeError(f"the conic solver stopped with status {program.problem.status!r}")
    upload_s = problem.upload_s(power_W)
    return PowerSolution(
        power_W=power_W,
        upload_s=upload_s,
        objective=best,
        lower_bound=-np.inf,
        status=status,
        certificate=None,
        iterations=step,
        multiplier=np.zeros(n),
    )


def _solve(program: _Program, problem: PowerProblem) -> Array | None:
    """Powers of the present program within their limits, or None."""
    accuracy = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
    with warnings.catch_warnings():  # powers are judged by their true cost, not by the status
        warnings.filterwarnings("ignore", "Solution may be inaccurate")
        try:
            # A solver kept from earlier problems would scale this one as it scaled them.
            program.problem.solve(solver=cp.CLARABEL, warm_start=False, **accuracy)
        except cp.SolverError:
            return None
    if program.log_power.value is None:
        return None
    powers = np.exp(program.log_power.value)
    return np.clip(powers, problem.power_min_W, problem.power_max_W)

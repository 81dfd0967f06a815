"""Power control: the optimum, its CVXPY twin, and proofs that deadlines cannot be met."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog, minimize_scalar

from minlp.power.cvxpy_check import solve_power_cvxpy
from minlp.power.feasibility import infeasibility, least_powers, verify_certificate
from minlp.power.problem import Certificate, PowerProblem
from minlp.power.solve import solve_power
from support.randomised import seeds

LIGHT_M_S = 299_792_458.0
WEIGHTS = ((0.5, 0.5), (1.0 / 3.0, 1.0 / 80.0))


def random_slot(
    seed: int, *, leakage: float = 0.05, hard: bool = False, slack: tuple[float, float] = (0.1, 1.5)
) -> PowerProblem:
    """Ten devices on 500 m x 500 m, three UAVs, one satellite; gains as printed in the paper."""
    rng = np.random.default_rng(seed)
    n, uavs = 10, 3
    device, uav = rng.uniform(0.0, 500.0, (n, 2)), rng.uniform(0.0, 500.0, (uavs, 2))
    squared = ((device[:, None] - uav) ** 2).sum(axis=-1) + rng.uniform(40.0, 60.0, uavs) ** 2
    scatter = rng.normal(size=(2, n, uavs)) * np.sqrt(1.0 / 22.0)
    rician = (np.sqrt(10.0 / 11.0) + scatter[0]) ** 2 + scatter[1] ** 2
    range_m = rng.uniform(500e3, 1030e3)
    satellite = 1e4 * (LIGHT_M_S / (4.0 * np.pi * 2e9 * range_m)) ** 2 * rng.gamma(2.0, 0.5, n)
    gain = np.column_stack([1e-5 / squared * rician, satellite])
    receiver = rng.integers(0, uavs + 1, n)
    weights = WEIGHTS[seed % 2]
    return PowerProblem(
        gain=gain[:, receiver].T.copy(),
        interferes=np.ones((n, n), dtype=bool),
        leakage=leakage,
        noise_W=1e-13,
        bandwidth_Hz=np.where(receiver == uavs, 20e6, 10e6),
        input_bit=rng.uniform(5e6, 10e6, n),
        propagation_s=np.where(receiver == uavs, range_m / LIGHT_M_S, 0.0),
        latency_weight=weights[0],
        energy_weight=weights[1],
        penalty=100.0 * weights[0],
        slack_s=rng.uniform(*slack, n),
        power_min_W=1e-6,
        power_max_W=1.0,
        hard=hard,
    )


def equal_gains(n: int, slack_s: float, *, leakage: float = 1.0) -> PowerProblem:
    """n senders of 7.5 Mbit to one receiver, all with the same gain."""
    return PowerProblem(
        gain=np.full((n, n), 1e-9), interferes=np.ones((n, n), dtype=bool), leakage=leakage,
        noise_W=1e-13, bandwidth_Hz=np.full(n, 20e6), input_bit=np.full(n, 7.5e6),
        propagation_s=np.zeros(n), latency_weight=0.5, energy_weight=0.5, penalty=50.0,
        slack_s=np.full(n, slack_s), power_min_W=1e-6, power_max_W=1.0, hard=True,
    )  # fmt: skip


@pytest.mark.randomised
@pytest.mark.parametrize("seed", seeds(15))
def test_own_solver_and_cvxpy_agree(seed: int) -> None:
    """Two methods with nothing in common find the same cost, in every form and at any leakage."""
    slack = ((0.1, 1.5), (-0.02, 0.3), (0.4, 2.0))[seed % 3]
    leakage = (0.05, 0.0, 0.2, 1.0)[seed // 3 % 4]
    problem = random_slot(seed, leakage=leakage, hard=seed % 5 == 0, slack=slack)
    own, twin = solve_power(problem), solve_power_cvxpy(problem)
    assert own.status == twin.status
    assert own.status in ("optimal", "infeasible")
    if own.status == "optimal":
        assert twin.objective == pytest.approx(own.objective, rel=1e-6)
        assert own.lower_bound <= twin.objective * (1.0 + 1e-9)


@pytest.mark.randomised
@pytest.mark.parametrize("leakage", [0.0, 0.05, 0.2, 1.0])
def test_elastic_optimum_is_certified(leakage: float) -> None:
    """Cost and bound meet to 1e-9, powers keep their limits, and the cost is that of the powers."""
    for seed in seeds(40):
        problem = random_slot(seed, leakage=leakage, slack=(-0.1, 1.0))
        found = solve_power(problem)
        assert found.status == "optimal"
        assert 0.0 <= found.objective - found.lower_bound <= 1.1e-9 * found.objective
        assert np.all((found.power_W >= 1e-6) & (found.power_W <= 1.0))
        total = 0.0
        for k in range(10):
            noise = problem.noise_W + leakage * sum(
                problem.gain[k, j] * found.power_W[j] for j in range(10) if j != k
            )
            sinr = problem.gain[k, k] * found.power_W[k] / noise
            upload = problem.input_bit[k] / (problem.bandwidth_Hz[k] * np.log2(1.0 + sinr))
            assert found.upload_s[k] == pytest.approx(upload, rel=1e-12)
            joules = found.power_W[k] * (upload + problem.propagation_s[k])
            total += problem.latency_weight * upload + problem.energy_weight * joules
            total += problem.penalty * max(0.0, upload - problem.slack_s[k])
        assert found.objective == pytest.approx(total, rel=1e-12)


@pytest.mark.randomised
def test_no_other_powers_are_cheaper() -> None:
    """Random powers and small changes of the optimum never undercut the bound."""
    for seed in seeds(20):
        problem, rng = random_slot(seed), np.random.default_rng(seed)
        found = solve_power(problem)
        for _ in range(50):
            power = np.exp(rng.uniform(np.log(1e-6), 0.0, 10))
            close = np.clip(found.power_W * np.exp(1e-3 * rng.normal(size=10)), 1e-6, 1.0)
            assert problem.cost(power) >= found.lower_bound
            assert problem.cost(close) >= found.lower_bound


@pytest.mark.randomised
def test_without_leakage_senders_are_alone() -> None:
    """Orthogonal senders: the optimum is ten line searches."""
    for seed in seeds(10):
        problem = random_slot(seed, leakage=0.0)
        total = 0.0
        for k in range(10):

            def cost(p: float, k: int = k, problem: PowerProblem = problem) -> float:
                sinr = np.exp(p) * problem.gain[k, k] / problem.noise_W
                upload = problem.input_bit[k] / problem.bandwidth_Hz[k] / np.log2(1.0 + sinr)
                late = max(0.0, upload - problem.slack_s[k])
                joules = np.exp(p) * (upload + problem.propagation_s[k])
                time = problem.latency_weight * upload + problem.penalty * late
                return float(time + problem.energy_weight * joules)

            ends = (np.log(1e-6), 0.0)
            line = minimize_scalar(cost, bounds=ends, method="bounded", options={"xatol": 1e-10})
            total += min(line.fun, cost(0.0))
        assert solve_power(problem).objective == pytest.approx(total, rel=1e-8)


def test_warm_start_changes_effort_only() -> None:
    """Starting from the neighbour's solution gives the same cost in fewer steps."""
    cold_steps = warm_steps = 0
    for seed in range(20):
        problem = random_slot(seed)
        neighbour = replace(problem, input_bit=problem.input_bit * 1.02)
        cold = solve_power(neighbour)
        warm = solve_power(neighbour, warm_start=solve_power(problem))
        assert warm.objective == pytest.approx(cold.objective, rel=3e-9)
        cold_steps, warm_steps = cold_steps + cold.iterations, warm_steps + warm.iterations
    assert warm_steps < cold_steps


@pytest.mark.randomised
def test_hard_deadlines_are_kept_at_a_certified_cost() -> None:
    """A feasible hard problem ends without overrun, within 1e-9 of its bound."""
    feasible = binding = 0
    for seed in seeds(60):
        problem = random_slot(seed, hard=True, slack=(0.25, 1.2))
        found = solve_power(problem)
        if found.status == "infeasible":
            continue
        feasible += 1
        assert found.status == "optimal"
        assert np.all(found.upload_s <= problem.slack_s * (1.0 + 1e-9))
        assert found.objective - found.lower_bound <= 1.1e-9 * found.objective
        elastic = solve_power(replace(problem, hard=False))
        assert found.objective >= elastic.lower_bound
        binding += bool(np.any(found.upload_s > problem.slack_s * (1.0 - 1e-6)))
        least = least_powers(problem)
        assert least is not None
        assert np.all(found.power_W >= least * (1.0 - 1e-8))
    assert feasible >= 20
    assert binding >= 5


@pytest.mark.randomised
def test_feasibility_agrees_with_a_linear_program() -> None:
    """P >= A P + b within the limits is a linear program; HiGHS and the certificates agree."""
    seen = set()
    for seed in seeds(120):
        problem = random_slot(
            seed, hard=True, leakage=(0.02, 0.05, 0.1)[seed % 3], slack=(0.08, 1.5)
        )
        gamma = problem.target_sinr
        A = gamma[:, None] * problem.relative_interference
        b = gamma * problem.relative_noise_W
        program = linprog(np.ones(10), A_ub=A - np.eye(10), b_ub=-b, bounds=(1e-6, 1.0))
        certificate = infeasibility(problem)
        assert (program.status == 2) == (certificate is not None)
        if certificate is not None:
            assert verify_certificate(problem, certificate)
            seen.add(certificate.cause)
        else:
            least = least_powers(problem)
            assert least == pytest.approx(program.x, rel=1e-6, abs=1e-9)
    assert "spectral" in seen


def test_ten_equal_senders_cannot_beat_one_ninth() -> None:
    """At leakage 1 they reach an SINR of 1/9, 2.47 s for 7.5 Mbit: less is proven impossible."""
    limit = 7.5e6 / (20e6 * np.log2(1.0 + 1.0 / 9.0))
    assert limit == pytest.approx(2.467, abs=1e-3)
    tight = equal_gains(10, limit * 0.999)
    found = solve_power(tight)
    assert found.status == "infeasible"
    assert found.certificate is not None
    assert found.certificate.cause == "spectral"
    assert found.lower_bound == found.objective == np.inf
    loose = solve_power(equal_gains(10, limit * 1.001))
    assert loose.status == "optimal"
    assert np.all(loose.upload_s <= limit * 1.001 * (1.0 + 1e-9))


def test_a_lone_sender_needs_the_shannon_power() -> None:
    """One sender: the least power is (2^(u/(B t)) - 1) noise / gain, and the limit decides."""
    problem = equal_gains(1, 0.05)
    need = (2.0 ** (7.5e6 / (20e6 * 0.05)) - 1.0) * 1e-13 / 1e-9
    least = least_powers(problem)
    assert least == pytest.approx([need], rel=1e-12)
    assert infeasibility(replace(problem, power_max_W=need * (1 + 1e-9))) is None
    certificate = infeasibility(replace(problem, power_max_W=need * (1 - 1e-9)))
    assert certificate is not None
    assert certificate.cause == "power"


def test_no_time_left_is_its_own_cause() -> None:
    """A device whose execution uses up the deadline is named."""
    problem = random_slot(1, hard=True)
    slack = problem.slack_s.copy()
    slack[4] = -1e-9
    found = solve_power(replace(problem, slack_s=slack))
    assert found.certificate == Certificate("execution", 4, found.certificate.weight)
    assert np.all(np.isnan(found.power_W))


def test_powers_that_must_exceed_the_limit_together() -> None:
    """Alone each deadline could be met; with interference the least powers exceed the limit."""
    problem = equal_gains(4, 1.0, leakage=0.3)
    least = least_powers(problem)
    assert least is not None
    alone = problem.target_sinr * problem.relative_noise_W
    limit = 0.5 * (least.max() + alone.max())
    certificate = infeasibility(replace(problem, power_max_W=limit))
    assert certificate is not None
    assert certificate.cause == "power"
    assert infeasibility(replace(problem, power_max_W=least.max() * (1 + 1e-9))) is None


def test_false_certificates_are_refused() -> None:
    """Nothing proves a feasible problem infeasible, and a spoilt proof no longer proves."""
    rng = np.random.default_rng(0)
    problem = equal_gains(10, 2.6)
    for cause in ("spectral", "power", "execution"):
        for weight in [np.ones(10), np.zeros(10), *rng.exponential(size=(50, 10))]:
            assert not verify_certificate(problem, Certificate(cause, 0, weight))
    tight = equal_gains(10, 2.4)
    proof = infeasibility(tight)
    assert proof is not None
    assert verify_certificate(tight, proof)
    for spoilt in (-proof.weight, proof.weight[:9], np.where(np.arange(10) > 4, proof.weight, 0.0)):
        assert not verify_certificate(tight, Certificate("spectral", -1, spoilt))
    assert not verify_certificate(problem, proof)


def test_deadlines_at_infinity_and_seconds_too_short() -> None:
    """An infinite slack asks for nothing; one that overflows the SINR target is infeasible."""
    free = replace(random_slot(2, hard=True), slack_s=np.full(10, np.inf))
    found = solve_power(free)
    assert found.objective == pytest.approx(solve_power(replace(free, hard=False)).objective)
    hopeless = replace(free, slack_s=np.full(10, 1e-6))
    certificate = infeasibility(hopeless)
    assert certificate is not None
    assert certificate.cause == "power"


def test_bad_problems_are_refused() -> None:
    """Shapes, signs and limits are checked where a problem is made."""
    good = random_slot(0)
    with pytest.raises(ValueError, match="shape"):
        replace(good, gain=good.gain[:9])
    with pytest.raises(ValueError, match="positive on the diagonal"):
        replace(good, gain=np.zeros((10, 10)))
    with pytest.raises(ValueError, match="power_min_W"):
        replace(good, power_min_W=2.0)
    with pytest.raises(ValueError, match="leakage"):
        replace(good, leakage=1.5)
    with pytest.raises(ValueError, match="NaN"):
        replace(good, slack_s=np.full(10, np.nan))

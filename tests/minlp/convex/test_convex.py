"""The compiled convex kernel: value, derivatives, optimum and the proof of its bound."""

from __future__ import annotations

import decimal
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from numba import njit
from scipy.optimize import Bounds, NonlinearConstraint, minimize

from minlp.convex.problem import evaluate, gradients, hessian_of, new_point, upload_time
from minlp.convex.solve import ConvexProblem, convex_problem, minimise, minimise_kernel
from support.randomised import seeds


def random_problem(seed: int, *, priced: bool = True, scale: float = 1.0) -> ConvexProblem:
    """1-10 senders, 0-3 UAVs; powers and gains over many decades, some edges without length."""
    rng = np.random.default_rng(seed)
    n, uavs = int(rng.integers(1, 11)), int(rng.integers(0, 4))
    low_p = rng.uniform(-16.0, -4.0, n)
    low_q = rng.uniform(-500.0, 500.0, 2 * uavs)
    lower = np.concatenate([low_p, low_q])
    width_p = rng.choice([0.0, 0.1, 5.0, 14.0], n)
    width_q = rng.choice([0.0, 1e-6, 1.0, 50.0, 500.0], 2 * uavs)
    upper = lower + np.concatenate([width_p, width_q]) * scale
    receiver = rng.integers(-1, uavs, n) if uavs else np.full(n, -1)
    slope_c = rng.normal(size=(n, n, 2)) * rng.choice([0.0, 1e-3, 0.02])
    slope_n = rng.normal(size=(n, 2)) * rng.choice([0.0, 1e-3, 0.02])
    log_c = rng.uniform(-18.0, 2.0, (n, n))
    log_c[rng.random((n, n)) < rng.choice([0.0, 0.3, 1.0])] = -np.inf
    log_n = rng.uniform(-14.0, 4.0, n)
    for k in np.flatnonzero(receiver >= 0):  # gains are meant at the middle of the box
        i = n + 2 * receiver[k]
        middle = 0.5 * (lower[i : i + 2] + upper[i : i + 2])
        log_n[k] -= slope_n[k] @ middle
        log_c[k] -= slope_c[k] @ middle
    weight = 10.0 ** rng.uniform(-2.0, 0.0)
    slack = np.where(rng.random(n) < 0.2, np.inf, rng.uniform(-0.3, 2.0, n))
    return convex_problem(
        lower, upper, log_c, log_n, 10.0 ** rng.uniform(-2.0, 0.0, n),
        latency_weight=weight, energy_weight=10.0 ** rng.uniform(-2.0, 0.0),
        propagation_s=rng.choice([0.0, 3e-3], n),
        overrun_weight=100.0 * weight if priced else 0.0, slack_s=slack,
        receiver=receiver, interference_slope=slope_c, noise_slope=slope_n,
    )  # fmt: skip


def terms(problem: ConvexProblem, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Upload times (n,) and costs without overruns (n,), written a second time."""
    n = len(problem.load_s)
    upload, cost = np.empty(n), np.empty(n)
    for k in range(n):
        m = problem.receiver[k]
        q = y[n + 2 * m : n + 2 * m + 2] if m >= 0 else np.zeros(2)
        total = np.exp(problem.log_noise[k] + problem.noise_slope[k] @ q)
        for j in range(n):
            if j != k:
                gain = problem.log_interference[k, j] + problem.interference_slope[k, j] @ q
                total += np.exp(y[j] + gain)
        upload[k] = problem.load_s[k] / np.log1p(np.exp(y[k]) / total)
        joules = np.exp(y[k]) * (upload[k] + problem.propagation_s[k])
        cost[k] = problem.latency_weight[k] * upload[k] + problem.energy_weight[k] * joules
    return upload, cost


def total_cost(problem: ConvexProblem, y: np.ndarray) -> float:
    """F(y) from `terms`."""
    upload, cost = terms(problem, y)
    return float(np.sum(cost + problem.overrun_weight * np.maximum(0.0, upload - problem.slack_s)))


def random_points(problem: ConvexProblem, count: int, seed: int) -> np.ndarray:
    """(count, d) uniform points of the box."""
    rng = np.random.default_rng(seed)
    return rng.uniform(problem.lower, problem.upper, (count, len(problem.lower)))


@pytest.mark.randomised
@pytest.mark.parametrize("seed", seeds(20))
def test_value_equals_a_second_writing(seed: int) -> None:
    """The compiled F is the formula, at random points of random problems."""
    problem = random_problem(seed)
    point = new_point(len(problem.load_s), len(problem.lower), 0)
    for y in random_points(problem, 5, seed):
        assert evaluate(problem, y, point) == pytest.approx(total_cost(problem, y), rel=1e-11)


@pytest.mark.randomised
@pytest.mark.parametrize("seed", seeds(12))
def test_derivatives_equal_finite_differences(seed: int) -> None:
    """Gradient and Hessian are those of differences; the Hessian has no negative eigenvalue."""
    problem = random_problem(seed)
    n, d = len(problem.load_s), len(problem.lower)
    rng = np.random.default_rng(seed)
    point = new_point(n, d, 0)
    point.multiplier[:] = rng.uniform(0.0, 1.0, n) * problem.overrun_weight

    def gradient(y: np.ndarray) -> np.ndarray:
        evaluate(problem, y, point)
        gradients(problem, point)
        return point.gradient.copy()

    def value(y: np.ndarray) -> float:
        upload, cost = terms(problem, y)
        return float(np.sum(cost + point.multiplier * upload))

    y = random_points(problem, 1, seed)[0]
    steps = np.where(np.arange(d) < n, 1e-5, 1e-3)
    numeric = np.array([(value(y + s) - value(y - s)) / (2 * s.sum()) for s in np.diag(steps)])
    exact = gradient(y)
    assert np.allclose(numeric, exact, rtol=1e-6, atol=1e-7 * np.abs(exact).max())
    assert np.all(point.size >= np.abs(exact) * (1 - 1e-14))
    numeric_hessian = np.array(
        [(gradient(y + s) - gradient(y - s)) / (2 * s.sum()) for s in np.diag(steps)]
    )
    gradient(y)
    hessian_of(problem, point)
    hessian = np.triu(point.hessian) + np.triu(point.hessian, 1).T
    scale = np.abs(hessian).max()
    assert np.allclose(numeric_hessian, hessian, rtol=1e-5, atol=1e-7 * scale)
    assert np.linalg.eigvalsh(hessian).min() >= -1e-12 * scale


def test_upload_time_is_accurate_at_both_ends() -> None:
    """h and its derivatives keep their digits from s = -700 to 700."""
    with decimal.localcontext() as context:
        context.prec = 400
        for s in (-700.0, -45.0, -39.9, -1.0, -1e-9, 0.0, 2.0, 40.0, 700.0):
            e = Decimal(s).exp()
            nats, sigmoid = (1 + e).ln(), e / (1 + e)
            h = 1 / nats
            fall = sigmoid / nats**2
            bend = sigmoid * (2 * sigmoid - nats / (1 + e)) / nats**3
            exact = [float(h), float(fall), float(bend)]
            assert upload_time(1.0, s) == pytest.approx(exact, rel=1e-14)


def test_random_problems_are_solved_to_a_gap_of_1e_9() -> None:
    """The kernel closes the gap between F and its bound on 400 problems of all ranges.

    Steps are not safeguarded: one problem in some thousands is stopped short of it.
    """
    for seed in range(400):
        minimum = minimise(random_problem(seed))
        assert minimum.status == "converged", seed
        assert minimum.cost - minimum.lower_bound <= 1e-9 * minimum.cost
        assert minimum.cost == pytest.approx(total_cost(random_problem(seed), minimum.y), rel=1e-11)


@pytest.mark.randomised
@pytest.mark.parametrize("max_iter", [0, 1, 3, 100])
def test_the_bound_is_below_every_point(max_iter: int) -> None:
    """No feasible point costs less than the bound, which also holds for stopped runs."""
    for seed in seeds(30):
        problem = random_problem(seed)
        bound = minimise(problem, max_iter=max_iter).lower_bound
        costs = [total_cost(problem, y) for y in random_points(problem, 40, seed)]
        optimum = minimise(problem).y
        near = np.clip(
            optimum + np.random.default_rng(seed).normal(size=(20, len(optimum))) * 1e-3,
            problem.lower, problem.upper,
        )  # fmt: skip
        costs += [total_cost(problem, y) for y in near]
        assert bound <= min(costs)


@pytest.mark.randomised
def test_the_bound_holds_for_any_multipliers() -> None:
    """A warm start from nonsense costs time, not truth."""
    for seed in seeds(60):
        problem, rng = random_problem(seed), np.random.default_rng(seed)
        guess = rng.uniform(0.0, 2.0, len(problem.load_s)) * problem.overrun_weight
        start = random_points(problem, 1, seed)[0]
        best = minimise(problem)
        for max_iter in (0, 2, 100):
            other = minimise(problem, start, multiplier0=guess, max_iter=max_iter)
            assert other.lower_bound <= best.cost
            assert np.all((other.multiplier >= 0) & (other.multiplier <= problem.overrun_weight))
        assert other.status == "converged"


def exact_cost(problem: ConvexProblem, y: np.ndarray) -> Decimal:
    """F(y) with 60 digits, in exact arithmetic on the given doubles."""
    n, total = len(problem.load_s), Decimal(0)
    number = [Decimal(float(v)) for v in y]
    for k in range(n):
        m = problem.receiver[k]
        q = number[n + 2 * m : n + 2 * m + 2] if m >= 0 else [Decimal(0)] * 2
        slope = [Decimal(float(v)) for v in problem.noise_slope[k]]
        disturbed = (Decimal(float(problem.log_noise[k])) + slope[0] * q[0] + slope[1] * q[1]).exp()
        for j in range(n):
            if j != k and problem.log_interference[k, j] > -np.inf:
                slope = [Decimal(float(v)) for v in problem.interference_slope[k, j]]
                gain = Decimal(float(problem.log_interference[k, j]))
                disturbed += (number[j] + gain + slope[0] * q[0] + slope[1] * q[1]).exp()
        power = number[k].exp()
        upload = Decimal(float(problem.load_s[k])) / (1 + power / disturbed).ln()
        total += Decimal(float(problem.latency_weight[k])) * upload
        paid = upload + Decimal(float(problem.propagation_s[k]))
        total += Decimal(float(problem.energy_weight[k])) * power * paid
        if problem.slack_s[k] < np.inf:
            late = max(Decimal(0), upload - Decimal(float(problem.slack_s[k])))
            total += Decimal(float(problem.overrun_weight[k])) * late
    return total


@pytest.mark.randomised
def test_the_bound_survives_exact_arithmetic() -> None:
    """Where the box is a point nothing but the margin keeps the bound below the exact F."""
    with decimal.localcontext() as context:
        context.prec = 60
        for seed in seeds(40):
            problem = random_problem(seed)
            y = random_points(problem, 1, seed)[0]
            point = replace(problem, lower=y.copy(), upper=y.copy())
            minimum = minimise(point)
            exact = exact_cost(point, y)
            assert Decimal(minimum.lower_bound) <= exact
            optimum = minimise(problem)
            assert Decimal(optimum.lower_bound) <= exact_cost(problem, optimum.y)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_scipy_finds_nothing_better(seed: int) -> None:
    """SLSQP on the epigraph form ends nowhere below the kernel's bound or its minimum."""
    problem = random_problem(seed, scale=0.2)
    n, d = len(problem.load_s), len(problem.lower)
    minimum = minimise(problem)

    def objective(z: np.ndarray) -> float:
        return float(np.sum(terms(problem, z[:d])[1]) + problem.overrun_weight @ z[d:])

    slack = np.minimum(problem.slack_s, 1e3)
    room = NonlinearConstraint(lambda z: z[d:] - terms(problem, z[:d])[0] + slack, 0.0, np.inf)
    y = 0.5 * (problem.lower + problem.upper)
    start = np.concatenate([y, np.maximum(terms(problem, y)[0] - slack, 0.0)])
    bounds = Bounds(
        np.concatenate([problem.lower, np.zeros(n)]),
        np.concatenate([problem.upper, np.full(n, np.inf)]),
    )
    found = minimize(
        objective, start, method="SLSQP", bounds=bounds, constraints=room,
        options={"maxiter": 500, "ftol": 1e-12},
    )  # fmt: skip
    cost = total_cost(problem, np.clip(found.x[:d], problem.lower, problem.upper))
    assert minimum.lower_bound <= cost
    assert minimum.cost <= cost * (1 + 2e-5)
    assert minimum.cost - minimum.lower_bound <= 2e-9 * minimum.cost


@pytest.mark.randomised
def test_cutoff_stops_early() -> None:
    """A run told to prove a value stops as soon as it has, before it has converged."""
    for seed in seeds(30):
        problem = random_problem(seed)
        full = minimise(problem)
        cut = minimise(problem, cutoff=0.5 * full.cost)
        assert cut.lower_bound >= 0.5 * full.cost
        assert cut.status == "cutoff"
        assert cut.iterations <= full.iterations


def test_warm_start_saves_iterations() -> None:
    """The minimum of a problem is a good start for its neighbour, and the answer is the same."""
    cold_steps = warm_steps = 0
    for seed in range(40):
        problem = random_problem(seed)
        base = minimise(problem)
        noise = np.random.default_rng(seed).normal(size=len(problem.load_s))
        neighbour = replace(problem, log_noise=problem.log_noise + 0.05 * noise)
        cold = minimise(neighbour)
        warm = minimise(neighbour, base.y, multiplier0=base.multiplier)
        assert warm.status == cold.status == "converged"
        assert warm.cost == pytest.approx(cold.cost, rel=3e-9)
        cold_steps += cold.iterations
        warm_steps += warm.iterations
    assert warm_steps < 0.7 * cold_steps


def with_disc(problem: ConvexProblem) -> ConvexProblem:
    """The first UAV held in a disc around the middle of its box, if there is one."""
    n = len(problem.load_s)
    if len(problem.lower) == n:
        return problem
    centre = 0.5 * (problem.lower + problem.upper)[n : n + 2]
    radius = 0.4 * max(1.0, float(np.max((problem.upper - problem.lower)[n : n + 2])))
    return replace(problem, disc=np.array([[0.0, *centre, radius]]))


@pytest.mark.randomised
def test_positions_stay_in_discs() -> None:
    """With a disc the optimum lies in it and the bound is below all its points."""
    for seed in seeds(60):
        problem, n = with_disc(random_problem(seed)), len(random_problem(seed).load_s)
        minimum = minimise(problem)
        for _, x, y, radius in problem.disc:
            assert np.hypot(*(minimum.y[n : n + 2] - (x, y))) <= radius * (1 + 1e-6)
            for other in random_points(problem, 40, seed):
                if np.hypot(*(other[n : n + 2] - (x, y))) <= radius:
                    assert minimum.lower_bound <= total_cost(problem, other)


def test_discs_are_no_obstacle() -> None:
    """The gap closes with a disc, too; far smaller ones than any UAV's may be lost in rounding."""
    for seed in range(60):
        assert minimise(with_disc(random_problem(seed))).status == "converged", seed


def test_overflow_gives_no_bound_rather_than_nonsense() -> None:
    """Where F exceeds all doubles the answer is a bound of minus infinity, never NaN."""
    problem = convex_problem(
        [-5.0], [0.0], [[0.0]], [2000.0], [1.0], latency_weight=1.0, energy_weight=1.0
    )
    minimum = minimise(problem)
    assert minimum.lower_bound == -np.inf
    assert minimum.status == "stopped"


def test_overrun_without_load_is_a_constant() -> None:
    """A device with nothing to send and no time left costs its penalty, and the gap closes."""
    problem = convex_problem(
        [-5.0, -5.0], [0.0, 0.0], np.zeros((2, 2)), [-3.0, -3.0], [0.0, 1.0],
        latency_weight=1.0, energy_weight=1.0, overrun_weight=10.0, slack_s=[-0.5, 0.4],
    )  # fmt: skip
    minimum = minimise(problem)
    assert minimum.status == "converged"
    assert minimum.cost == pytest.approx(total_cost(problem, minimum.y), rel=1e-12)


@njit
def _solve_many(problem: ConvexProblem, count: int) -> float:
    y, multiplier = np.empty(problem.lower.shape[0]), np.zeros(problem.load_s.shape[0])
    gradient = np.empty(problem.lower.shape[0])
    total = 0.0
    for _ in range(count):
        y[:] = 0.5 * (problem.lower + problem.upper)
        cost, _bound, _iterations, _status = minimise_kernel(
            problem, y, multiplier, gradient, False, 1e-9, 0.0, np.inf, 100
        )
        total += cost
    return total


def test_compiled_code_can_call_the_kernel() -> None:
    """A jitted caller gets what the Python entry gets."""
    problem = random_problem(3)
    y0 = 0.5 * (problem.lower + problem.upper)
    assert _solve_many(problem, 3) == pytest.approx(3.0 * minimise(problem, y0).cost, rel=1e-14)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("lower", [1.0], "lower must not exceed"),
        ("log_noise", [np.nan], "log_noise must be finite"),
        ("load_s", [-1.0], "load_s must be finite and not negative"),
        ("slack_s", [np.nan], "slack_s"),
        ("receiver", [1], "receiver must lie in"),
        ("energy_weight", np.inf, "energy_weight"),
    ],
)
def test_bad_data_are_refused_by_name(field: str, value: object, message: str) -> None:
    """Data that would break convexity or finiteness never reach the kernel."""
    data = {
        "lower": [-5.0], "upper": [0.0], "log_interference": [[0.0]], "log_noise": [-3.0],
        "load_s": [1.0], "latency_weight": 1.0, "energy_weight": 1.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        convex_problem(**{**data, field: value})

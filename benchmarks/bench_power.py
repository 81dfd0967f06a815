"""How long the certified power and position problems take, against CVXPY in the same run.

    pytest benchmarks/bench_power.py --benchmark-disable-gc -p no:xdist

Ten senders, three UAVs, one satellite; powers 1e-6..1 W, noise 1e-13 W. Times are the processor's,
the best of a few turns for each slot, so that a busy machine disturbs little; medians over slots.
Every solve ends with a certified relative gap of 1e-9; CVXPY's twin ends at the same cost to 1e-6,
without a bound.
"""

import time
from dataclasses import replace

import numpy as np
import pytest

from minlp.convex.solve import convex_problem, minimise, minimise_kernel
from minlp.power.cvxpy_check import solve_power_cvxpy
from minlp.power.problem import PowerProblem
from minlp.power.solve import solve_power

SLOTS = 50
TURNS = 7


def slot(seed, leakage=0.05):
    """Devices, UAVs and satellite at random; gains by path loss and fading."""
    rng = np.random.default_rng(seed)
    device, uav = rng.uniform(0.0, 500.0, (10, 2)), rng.uniform(0.0, 500.0, (3, 2))
    height, orbit = rng.uniform(40.0, 60.0, 3), rng.uniform(500e3, 1030e3)
    squared = ((device[:, None] - uav) ** 2).sum(axis=-1) + height**2
    free_space = (299_792_458.0 / (4.0 * np.pi * 2e9 * orbit)) ** 2
    satellite = 1e4 * free_space * rng.gamma(2.0, 0.5, 10)
    gain = np.column_stack([1e-5 / squared * rng.gamma(6.0, 1.0 / 6.0, (10, 3)), satellite])
    receiver = rng.integers(0, 4, 10)
    problem = PowerProblem(
        gain=gain[:, receiver].T.copy(), interferes=np.ones((10, 10), dtype=bool),
        leakage=leakage, noise_W=1e-13, bandwidth_Hz=np.where(receiver == 3, 20e6, 10e6),
        input_bit=rng.uniform(5e6, 10e6, 10), propagation_s=np.where(receiver == 3, 2e-3, 0.0),
        latency_weight=0.5, energy_weight=0.5, penalty=50.0, slack_s=rng.uniform(0.1, 1.5, 10),
        power_min_W=1e-6, power_max_W=1.0,
    )  # fmt: skip
    return problem, receiver, device, uav, height


def joint(seed, half_width_m=30.0):
    """The same slot with UAVs in boxes: log gains replaced by tangents at the centres."""
    power, receiver, device, uav, height = slot(seed)
    centre = uav.ravel()
    noise = np.log(power.relative_noise_W)
    interference = np.log(power.relative_interference + np.eye(10))
    own_slope, cross = np.zeros((10, 2)), np.zeros((10, 10, 2))
    for k in np.flatnonzero(receiver < 3):
        m = receiver[k]
        away = uav[m] - device
        tangent = -2.0 * away / ((away**2).sum(axis=1) + height[m] ** 2)[:, None]
        own_slope[k], cross[k] = -tangent[k], tangent - tangent[k]
        noise[k] -= own_slope[k] @ uav[m]
        interference[k] -= cross[k] @ uav[m]
    return convex_problem(
        np.concatenate([np.full(10, np.log(1e-6)), centre - half_width_m]),
        np.concatenate([np.zeros(10), centre + half_width_m]),
        interference, noise, power.load_s, latency_weight=0.5, energy_weight=0.5,
        propagation_s=power.propagation_s, overrun_weight=50.0, slack_s=power.slack_s,
        receiver=np.where(receiver < 3, receiver, -1), interference_slope=cross,
        noise_slope=own_slope,
    )  # fmt: skip


def fixed(seed):
    """The same slot with UAVs where they are."""
    problem = joint(seed, half_width_m=0.0)
    return replace(
        problem,
        lower=problem.lower[:10].copy(), upper=problem.upper[:10].copy(),
        log_noise=np.log(slot(seed)[0].relative_noise_W),
        log_interference=np.log(slot(seed)[0].relative_interference + np.eye(10)),
        receiver=np.full(10, -1),
    )  # fmt: skip


def median_s(calls):
    """Median over the calls of the best processor time of a few turns."""
    best = []
    for call in calls:
        turns = []
        for _ in range(TURNS):
            start = time.process_time_ns()
            call()
            turns.append(time.process_time_ns() - start)
        best.append(min(turns) * 1e-9)
    return float(np.median(best))


def kernel_call(problem, start=None, multiplier=None):
    """One solve on prepared arrays, cold or from a given point."""
    warm = start is not None
    n, d = len(problem.load_s), len(problem.lower)
    first = np.concatenate([0.15 * problem.lower[:n] + 0.85 * problem.upper[:n],
                            0.5 * (problem.lower + problem.upper)[n:]])  # fmt: skip
    first = start if warm else first
    y, gradient, dual = np.empty(d), np.empty(d), np.zeros(n)

    def call():
        y[:] = first
        if warm:
            dual[:] = multiplier
        minimise_kernel(problem, y, dual, gradient, warm, 1e-9, 0.0, np.inf, 100)

    return call


def test_power_problem_against_cvxpy(benchmark):
    """At most 1 ms median through the Python entry, and a large multiple faster than the twin."""
    problems = [slot(seed)[0] for seed in range(SLOTS)]
    for problem in problems[:5]:
        twin = solve_power_cvxpy(problem)
        assert twin.objective == pytest.approx(solve_power(problem).objective, rel=1e-6)
    own = median_s([lambda p=p: solve_power(p) for p in problems])
    twin = median_s([lambda p=p: solve_power_cvxpy(p) for p in problems[:5]])
    print(f"\npower problem: {own * 1e6:.0f} us, CVXPY {twin * 1e3:.0f} ms, ratio {twin / own:.0f}")
    benchmark.extra_info.update(own_s=own, cvxpy_s=twin, ratio=twin / own)
    benchmark(solve_power, problems[0])
    assert own <= 1e-3
    assert twin / own >= 50.0


def test_kernel_on_fixed_positions(benchmark):
    """The compiled kernel alone, ten log-powers."""
    calls = [kernel_call(fixed(seed)) for seed in range(SLOTS)]
    calls[0]()
    median = median_s(calls)
    print(f"\nkernel, fixed positions: {median * 1e6:.0f} us")
    benchmark.extra_info.update(median_s=median)
    benchmark(calls[0])
    assert median <= 200e-6


def test_kernel_on_powers_and_positions(benchmark):
    """Ten log-powers and six coordinates, cold and from the minimum of a neighbouring box."""
    problems = [joint(seed) for seed in range(SLOTS)]
    parents = [minimise(problem) for problem in problems]
    halves = []
    for problem, parent in zip(problems, parents, strict=True):
        upper = problem.upper.copy()
        upper[10] = 0.5 * (problem.lower[10] + problem.upper[10])
        child = replace(problem, upper=upper)
        halves.append(kernel_call(child, np.minimum(parent.y, upper), parent.multiplier))
    cold = median_s([kernel_call(problem) for problem in problems])
    warm = median_s(halves)
    print(f"\nkernel, powers and positions: cold {cold * 1e6:.0f} us, warm {warm * 1e6:.0f} us")
    benchmark.extra_info.update(cold_s=cold, warm_s=warm)
    benchmark(halves[0])
    assert cold <= 400e-6
    assert warm <= cold

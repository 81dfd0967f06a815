"""A lower bound of the joint power and position problem from any point, proof against rounding.

The problem and its notation are in `problem`.

For any y, any lambda in [0, rho] and any mu >= 0 the function F_lambda, in which
lambda_k (h_k - slack_k) stands for the overrun penalty and mu (|q_m - c|^2 - R^2) is added for each
disc, is convex and nowhere above F where the discs hold. With g its gradient at y, every z in
the box [l, u] has

    F(z) >= F_lambda(z) >= F_lambda(y) + sum_i min(g_i (l_i - y_i), g_i (u_i - y_i)).

Rounding. All terms of F_lambda and g are products of factors whose relative errors follow from
those of the exponentials. With e = 2^-53 and A the largest |p_j| + |C| + |D||q| or |N| + |E||q| in
the box, an exponent carries an absolute error below 4 e A, a scaled exponential exp(a - a_max) a
relative one below (10 A + 2) e, L_k and s_k an absolute one below (14 A + 2 n + 10) e =: d, the
weights of the log-sum a relative one below 2 d; h, its derivatives and sigmoid ratios have
logarithmic derivatives at most 2 in s, hence at most 2 d + 8 e. A product of them stays below
4 d + 24 e, and sums of n + 2M of them, with the products by box widths, add 2 (n + 2M) e. The
bound is lowered by (64 A + 16 (n + 2M) + 128) e times the sum of the absolute values of all terms,
which exceeds that; a bound that is not finite becomes -inf.
"""

from __future__ import annotations

import numpy as np

from minlp.convex.problem import ConvexProblem, Point
from satedge.kernels import Vector, kernel

UNIT_ROUNDOFF = 2.0**-53


@kernel
def rounding_margin(problem: ConvexProblem) -> float:
    """The relative margin derived above, for every point of the box."""
    n, d = problem.load_s.shape[0], problem.lower.shape[0]
    lower, upper, receiver = problem.lower, problem.upper, problem.receiver
    C, D, N, E = (
        problem.log_interference, problem.interference_slope,
        problem.log_noise, problem.noise_slope,
    )  # fmt: skip
    worst = 0.0
    for k in range(n):
        qx = qy = 0.0
        if receiver[k] >= 0:
            i = n + 2 * receiver[k]
            qx = max(abs(lower[i]), abs(upper[i]))
            qy = max(abs(lower[i + 1]), abs(upper[i + 1]))
        worst = max(worst, abs(lower[k]), abs(upper[k]))
        worst = max(worst, abs(N[k]) + abs(E[k, 0]) * qx + abs(E[k, 1]) * qy)
        for j in range(n):
            if j != k and C[k, j] > -np.inf:
                a = max(abs(lower[j]), abs(upper[j])) + abs(C[k, j])
                worst = max(worst, a + abs(D[k, j, 0]) * qx + abs(D[k, j, 1]) * qy)
    return UNIT_ROUNDOFF * (64.0 * worst + 16.0 * d + 128.0)


@kernel
def bound_at(problem: ConvexProblem, y: Vector, margin: float, point: Point) -> float:
    """Certified lower bound of F over the box, from the evaluation and gradient at y."""
    value, size = 0.0, 0.0
    for k in range(problem.load_s.shape[0]):
        h, multiplier = point.upload[k], point.multiplier[k]
        energy = problem.energy_weight[k] * point.power[k]
        base = (problem.latency_weight[k] + energy + multiplier) * h
        base += energy * problem.propagation_s[k]
        late = multiplier * problem.slack_s[k] if multiplier > 0.0 else 0.0
        value += base - late
        size += base + abs(late)
    for i in range(problem.disc.shape[0]):
        value += point.disc_multiplier[i] * point.excess[i]
        centre = problem.disc[i, 1] ** 2 + problem.disc[i, 2] ** 2
        size += point.disc_multiplier[i] * (
            abs(point.excess[i]) + 4.0 * (centre + problem.disc[i, 3] ** 2)
        )
    for i in range(y.shape[0]):
        g, low, high = point.gradient[i], problem.lower[i], problem.upper[i]
        value += min(g * (low - y[i]), g * (high - y[i]))
        size += point.size[i] * (high - low)
    bound = value - margin * size
    return bound if np.isfinite(bound) else -np.inf

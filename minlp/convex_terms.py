"""Certified minimisation of the joint power and position problem, compiled.

Variables y = (p, q): log-powers p (n,) in ln W and UAV coordinates q (2M,), in a box. Device k
sends to receiver m_k, a UAV whose coordinates move its gains, or -1 (nothing depends on q):

    L_k(y) = ln(sum_{j != k} exp(p_j + C_kj + D_kj . q_mk) + exp(N_k + E_k . q_mk))
    s_k = p_k - L_k                          log SINR, concave in y
    h_k = t_k / log1p(exp(s_k))              upload time, convex in y
    f_k = wl_k h_k + we_k exp(p_k) (h_k + prop_k) + rho_k max(0, h_k - slack_k)

F = sum_k f_k is convex: 1 / log1p(exp(s)) is convex and decreasing, and ln h_k is convex, so that
exp(p_k) h_k is convex too.

Method. Projected Newton steps on a smoothed F in which each overrun penalty is an augmented
Lagrangian term, max over lambda in [0, rho] of lambda x - (lambda - lambda_0)^2 / (2 kappa), with
x = h - slack (Bertsekas, Constrained Optimization and Lagrange Multiplier Methods, 1982, sections
1.5, 3.2 and 5.3). A stiff smoothing would stall Newton; a coarse one with updates of lambda_0 is
exact and does not.

Bound. For any y and any lambda in [0, rho] the function F_lambda, in which lambda_k x_k stands for
rho_k max(0, x_k), is convex and nowhere above F. With g its gradient at y, every z in the box has

    F(z) >= F_lambda(y) + sum_i min(g_i (l_i - y_i), g_i (u_i - y_i)).

Rounding. All terms of F_lambda and g are products of factors whose relative errors are bounded by
that of the exponentials. With e = 2^-53 and A the largest |p_j| + |C| + |D||q| or |N| + |E||q|
that occurs, an exponent carries an absolute error below 4 e A, a scaled exponential exp(a - a_max)
a relative one below (10 A + 2) e, L_k and s_k an absolute one below (14 A + 2 n + 10) e =: d, the
weights of the log-sum a relative one below 2 d; h, its derivatives and sigmoid ratios have
logarithmic derivatives at most 2 in s, hence at most 2 d + 8 e. A product of them stays below
4 d + 24 e, and sums of n + 2M of them, with the products by box widths, add 2 (n + 2M) e. The
bound is lowered by ROUNDING(A) = (64 A + 16 (n + 2M) + 128) e times the sum of the absolute values
of all terms, which exceeds that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNIT_ROUNDOFF = 2.0**-53


class ConvexProblem(NamedTuple):
    """Data of F, C-contiguous; build it with `convex_problem`, or inside compiled code."""

    lower: Array  # (n + 2M,) box, ln W and coordinates
    upper: Array  # (n + 2M,)
    log_interference: Array  # C (n, n), -inf where j does not disturb k; diagonal ignored
    interference_slope: Array  # D (n, n, 2)
    log_noise: Array  # N (n,), noise over own gain
    noise_slope: Array  # E (n, 2)
    receiver: NDArray[np.int64]  # (n,) UAV index, or -1
    load_s: Array  # t (n,) = bits ln 2 / bandwidth
    latency_weight: Array  # wl (n,), per second
    energy_weight: Array  # we (n,), per joule
    propagation_s: Array  # prop (n,)
    overrun_weight: Array  # rho (n,), per second
    slack_s: Array  # (n,), may be negative or +inf


class Work(NamedTuple):
    """Scratch of one solve; `rows` name what each point evaluation leaves behind."""

    weight: Array  # (n, n + 1) shares of interference, and of noise, in exp(L_k)
    upload: Array  # (n,) h
    fall: Array  # (n,) -dh/ds
    bend: Array  # (n,) d2h/ds2
    power: Array  # (n,) exp(p)
    multiplier: Array  # (n,) lambda
    stiff: Array  # (n,) second derivative of the smoothed penalty, kappa or 0
    centre: Array  # (n,) lambda_0
    kappa: Array  # (n,)
    gradient: Array  # (d,)
    size: Array  # (d,) sums of absolute terms of the gradient
    hessian: Array  # (d, d) upper triangle
    factor: Array  # (d, d) upper triangle
    step: Array  # (d,)
    trial: Array  # (d,)
    rhs: Array  # (d,)
    held: Array  # (d,) moves of variables put on the border
    ridge: Array  # (d,)
    best: Array  # (d,)
    free: NDArray[np.int64]  # (d,)
    own: Array  # (n + 2,) gradient of L_k in (p, q_mk)


@njit(cache=True, error_model="numpy")
def workspace(n: int, d: int) -> Work:
    rows = np.zeros((8, n))
    cols = np.zeros((8, d))
    return Work(
        np.zeros((n, n + 1)),
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], rows[7],
        cols[0], cols[1], np.empty((d, d)), np.empty((d, d)), cols[2], cols[3], cols[4],
        cols[5], cols[6], cols[7],
        np.empty(d, np.int64), np.zeros(n + 2),
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _log_sinr(problem: ConvexProblem, y: Array, k: int, weight: Array) -> float:
    """s_k, and the shares of each sender and (last) of noise in exp(L_k); overflow-safe."""
    n = problem.load_s.shape[0]
    m = problem.receiver[k]
    top = problem.log_noise[k]
    if m >= 0:
        qx, qy = y[n + 2 * m], y[n + 2 * m + 1]
        top += problem.noise_slope[k, 0] * qx + problem.noise_slope[k, 1] * qy
    weight[k, n] = top
    for j in range(n):
        a = y[j] + problem.log_interference[k, j]
        if m >= 0:
            slope = problem.interference_slope[k, j]
            a += slope[0] * qx + slope[1] * qy
        if j == k or problem.log_interference[k, j] == -np.inf:
            a = -np.inf
        weight[k, j] = a
        top = max(top, a)
    total = 0.0
    for j in range(n + 1):
        share = np.exp(weight[k, j] - top)
        weight[k, j] = share
        total += share
    for j in range(n + 1):
        weight[k, j] /= total
    return y[k] - (top + np.log(total))


@njit(cache=True, error_model="numpy")
def _upload(load: float, s: float) -> tuple[float, float, float]:
    """h = load / log1p(e^s), -dh/ds and d2h/ds2, each to full relative accuracy."""
    if s > 0.0:
        small = np.exp(-s)
        nats = s + np.log1p(small)
        sigmoid, rest = 1.0 / (1.0 + small), small / (1.0 + small)
        ratio = sigmoid / nats
    elif s > -40.0:
        small = np.exp(s)
        nats = np.log1p(small)
        sigmoid, rest = small / (1.0 + small), 1.0 / (1.0 + small)
        ratio = sigmoid / nats
    else:  # log1p(e^s) = e^s to the last bit
        nats, rest, ratio = np.exp(s), 1.0, 1.0
    h = load / nats if load > 0.0 else 0.0
    fall = h * ratio
    return h, fall, fall * (2.0 * ratio - rest)


@njit(cache=True, error_model="numpy")
def evaluate(problem: ConvexProblem, y: Array, work: Work) -> tuple[float, float]:
    """(smoothed F, F) at y; leaves in `work` what derivatives and bound need."""
    smooth, cost = 0.0, 0.0
    for k in range(problem.load_s.shape[0]):
        s = _log_sinr(problem, y, k, work.weight)
        h, work.fall[k], work.bend[k] = _upload(problem.load_s[k], s)
        power = np.exp(y[k])
        base = problem.latency_weight[k] * h
        base += problem.energy_weight[k] * power * (h + problem.propagation_s[k])
        work.upload[k], work.power[k] = h, power
        work.multiplier[k] = work.stiff[k] = 0.0
        smooth += base
        cost += base
        rho = problem.overrun_weight[k]
        if rho > 0.0 and problem.slack_s[k] < np.inf:
            x = h - problem.slack_s[k]
            centre, kappa = work.centre[k], work.kappa[k]
            raw = centre + kappa * x
            multiplier = min(max(raw, 0.0), rho)
            if raw == multiplier:
                work.stiff[k] = kappa
            work.multiplier[k] = multiplier
            smooth += multiplier * x - (multiplier - centre) ** 2 / (2.0 * kappa)
            cost += rho * max(x, 0.0)
    return smooth, cost


@njit(cache=True, error_model="numpy")
def _own_gradient(problem: ConvexProblem, k: int, work: Work) -> tuple[float, float]:
    """Gradient of L_k into work.own; returns the absolute sums of its two position parts."""
    n = problem.load_s.shape[0]
    weight, own = work.weight, work.own
    for j in range(n):
        own[j] = weight[k, j]
    own[n] = weight[k, n] * problem.noise_slope[k, 0]
    own[n + 1] = weight[k, n] * problem.noise_slope[k, 1]
    size_x, size_y = abs(own[n]), abs(own[n + 1])
    if problem.receiver[k] >= 0:
        for j in range(n):
            x = weight[k, j] * problem.interference_slope[k, j, 0]
            y = weight[k, j] * problem.interference_slope[k, j, 1]
            own[n] += x
            own[n + 1] += y
            size_x += abs(x)
            size_y += abs(y)
    return size_x, size_y


@njit(cache=True, error_model="numpy")
def _add_gradient(problem: ConvexProblem, k: int, work: Work) -> None:
    """Gradient of the k-th term of F_lambda, and the sums of absolute terms beside it."""
    n = problem.load_s.shape[0]
    size_x, size_y = _own_gradient(problem, k, work)
    gradient, size, own = work.gradient, work.size, work.own
    energy = problem.energy_weight[k] * work.power[k]
    price = problem.latency_weight[k] + energy + work.multiplier[k]
    rate = price * work.fall[k]
    paid = energy * (work.upload[k] + problem.propagation_s[k])
    for j in range(n):
        gradient[j] += rate * own[j]
        size[j] += rate * own[j]
    gradient[k] += paid - rate
    size[k] += paid + rate
    m = problem.receiver[k]
    if m >= 0:
        i = n + 2 * m
        gradient[i] += rate * own[n]
        gradient[i + 1] += rate * own[n + 1]
        size[i] += rate * size_x
        size[i + 1] += rate * size_y


@njit(cache=True, error_model="numpy")
def _add_hessian(problem: ConvexProblem, k: int, work: Work) -> None:
    """Hessian of the k-th smoothed term, upper triangle; needs work.own of the same k."""
    n = problem.load_s.shape[0]
    hessian, own, weight = work.hessian, work.own, work.weight
    energy = problem.energy_weight[k] * work.power[k]
    price = problem.latency_weight[k] + energy + work.multiplier[k]
    fall = work.fall[k]
    alpha = price * work.bend[k] + work.stiff[k] * fall * fall
    beta = price * fall
    cross = energy * fall - alpha
    for i in range(n):
        lead = (alpha - beta) * own[i]
        for j in range(i, n):
            hessian[i, j] += lead * own[j]
        hessian[i, i] += beta * own[i]
        hessian[min(i, k), max(i, k)] += cross * own[i]
    hessian[k, k] += alpha + energy * (work.upload[k] + problem.propagation_s[k] - 2.0 * fall)
    m = problem.receiver[k]
    if m < 0:
        return
    x = n + 2 * m
    ex, ey = problem.noise_slope[k, 0], problem.noise_slope[k, 1]
    xx, xy, yy = weight[k, n] * ex * ex, weight[k, n] * ex * ey, weight[k, n] * ey * ey
    for i in range(n):
        dx, dy = problem.interference_slope[k, i, 0], problem.interference_slope[k, i, 1]
        wx, wy = own[i] * dx, own[i] * dy
        hessian[i, x] += beta * wx + (alpha - beta) * own[i] * own[n]
        hessian[i, x + 1] += beta * wy + (alpha - beta) * own[i] * own[n + 1]
        xx += wx * dx
        xy += wx * dy
        yy += wy * dy
    hessian[k, x] += cross * own[n]
    hessian[k, x + 1] += cross * own[n + 1]
    hessian[x, x] += beta * xx + (alpha - beta) * own[n] * own[n]
    hessian[x, x + 1] += beta * xy + (alpha - beta) * own[n] * own[n + 1]
    hessian[x + 1, x + 1] += beta * yy + (alpha - beta) * own[n + 1] * own[n + 1]


@njit(cache=True, error_model="numpy")
def derivatives(problem: ConvexProblem, work: Work) -> None:
    """Gradient of F_lambda and Hessian of the smoothed F at the point last evaluated."""
    d = problem.lower.shape[0]
    for i in range(d):
        work.gradient[i] = work.size[i] = 0.0
        for j in range(i, d):
            work.hessian[i, j] = 0.0
    for k in range(problem.load_s.shape[0]):
        _add_gradient(problem, k, work)
        _add_hessian(problem, k, work)


@njit(cache=True, error_model="numpy")
def magnitude(problem: ConvexProblem) -> float:
    """The largest sum of absolute values in any exponent over the box: A of the docstring."""
    n = problem.load_s.shape[0]
    worst = 0.0
    for k in range(n):
        m = problem.receiver[k]
        qx = qy = 0.0
        if m >= 0:
            i = n + 2 * m
            qx = max(abs(problem.lower[i]), abs(problem.upper[i]))
            qy = max(abs(problem.lower[i + 1]), abs(problem.upper[i + 1]))
        own = max(abs(problem.lower[k]), abs(problem.upper[k]))
        slope = problem.noise_slope[k]
        noise = abs(problem.log_noise[k]) + abs(slope[0]) * qx + abs(slope[1]) * qy
        worst = max(worst, own, noise)
        for j in range(n):
            if j != k and problem.log_interference[k, j] > -np.inf:
                slope = problem.interference_slope[k, j]
                a = max(abs(problem.lower[j]), abs(problem.upper[j]))
                a += abs(problem.log_interference[k, j]) + abs(slope[0]) * qx + abs(slope[1]) * qy
                worst = max(worst, a)
    return worst


@njit(cache=True, error_model="numpy")
def bound_at(problem: ConvexProblem, y: Array, rounding: float, work: Work) -> tuple[float, float]:
    """(certified lower bound, how far stationarity in the box is missed) at y.

    The bound is -inf if anything is not finite.
    """
    value, size, drop = 0.0, 0.0, 0.0
    for k in range(problem.load_s.shape[0]):
        h, multiplier = work.upload[k], work.multiplier[k]
        energy = problem.energy_weight[k] * work.power[k]
        base = (problem.latency_weight[k] + energy + multiplier) * h
        base += energy * problem.propagation_s[k]
        late = multiplier * problem.slack_s[k] if multiplier > 0.0 else 0.0
        value += base - late
        size += base + abs(late)
    for i in range(y.shape[0]):
        g = work.gradient[i]
        drop += min(g * (problem.lower[i] - y[i]), g * (problem.upper[i] - y[i]), 0.0)
        size += work.size[i] * (problem.upper[i] - problem.lower[i])
    bound = value + drop - rounding * size
    if not np.isfinite(bound):
        return -np.inf, np.inf
    return bound, -drop

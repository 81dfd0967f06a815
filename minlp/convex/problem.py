"""The joint power and position problem: value and derivatives, compiled.

Variables y = (p, q): log-powers p (n,) in ln W and UAV coordinates q (2M,), in a box. Device k
sends to receiver m_k, a UAV whose coordinates move its gains, or -1 (nothing depends on q):

    L_k(y) = ln(sum_{j != k} exp(p_j + C_kj + D_kj . q_mk) + exp(N_k + E_k . q_mk))
    s_k = p_k - L_k                          log SINR, concave in y
    h_k = t_k / log1p(exp(s_k))              upload time, convex in y
    f_k = wl_k h_k + we_k exp(p_k) (h_k + prop_k) + rho_k max(0, h_k - slack_k)

subject to |q_m - c|^2 <= R^2 for given discs. F = sum_k f_k is convex: 1 / log1p(exp(s)) is convex
and decreasing, and ln h_k is convex, so that exp(p_k) h_k is convex too.

The certified bound is in `certificate`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satedge.kernels import Cube, IntVector, Matrix, Record, Vector, kernel

Array = NDArray[np.float64]


class ConvexProblem(Record):
    """Data of F, all C-contiguous; Python callers use `minlp.convex.solve.convex_problem`."""

    lower: Vector  # (n + 2M,) box: ln W and coordinates
    upper: Vector  # (n + 2M,)
    log_interference: Matrix  # C (n, n), -inf where j does not disturb k; diagonal ignored
    interference_slope: Cube  # D (n, n, 2)
    log_noise: Vector  # N (n,), noise over own gain
    noise_slope: Matrix  # E (n, 2)
    receiver: IntVector  # (n,) UAV index, or -1
    load_s: Vector  # t (n,) = bits ln 2 / bandwidth
    latency_weight: Vector  # wl (n,), per second
    energy_weight: Vector  # we (n,), per joule
    propagation_s: Vector  # prop (n,)
    overrun_weight: Vector  # rho (n,), per second
    slack_s: Vector  # (n,), may be negative or +inf
    disc: Matrix  # (Q, 4) rows UAV index, centre x, centre y, R


class Point(Record):
    """What an evaluation leaves behind for derivatives and bound."""

    share: Matrix  # (n, n + 1) of each sender, and (last) of noise, in exp(L_k)
    upload: Vector  # (n,) h
    fall: Vector  # (n,) -dh/ds
    bend: Vector  # (n,) d2h/ds2
    power: Vector  # (n,) exp(p)
    multiplier: Vector  # (n,) lambda
    stiffness: Vector  # (n,) weight of grad h grad h' added to the Hessian
    slope: Matrix  # (n, n + 2) gradient of L_k in (p, q_mk)
    gradient: Vector  # (d,) of F_lambda
    size: Vector  # (d,) sums of the absolute terms of the gradient
    hessian: Matrix  # (d, d), upper triangle
    offset: Matrix  # (Q, 2) q_m - c
    excess: Vector  # (Q,) |q_m - c|^2 - R^2
    disc_multiplier: Vector  # (Q,) mu
    disc_stiffness: Vector  # (Q,) weight of grad excess grad excess' added to the Hessian


@kernel
def new_point(n: int, d: int, discs: int = 0) -> Point:
    """Scratch for n devices, d = n + 2M variables and a number of discs."""
    rows, cols = np.zeros((6, n)), np.zeros((2, d))
    return Point(
        np.empty((n, n + 1)),
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5],
        np.empty((n, n + 2)), cols[0], cols[1], np.empty((d, d)),
        np.zeros((discs, 2)), np.zeros(discs), np.zeros(discs), np.zeros(discs),
    )  # fmt: skip


@kernel
def _exponents(problem: ConvexProblem, y: Vector, share: Matrix) -> None:
    """The exponents of L_k; -inf where nothing is received."""
    n = share.shape[0]
    C, D = problem.log_interference, problem.interference_slope
    N, E, receiver = problem.log_noise, problem.noise_slope, problem.receiver
    for k in range(n):
        m = receiver[k]
        if m < 0:
            for j in range(n):
                share[k, j] = y[j] + C[k, j]
            share[k, n] = N[k]
        else:
            qx, qy = y[n + 2 * m], y[n + 2 * m + 1]
            for j in range(n):
                share[k, j] = y[j] + C[k, j] + (D[k, j, 0] * qx + D[k, j, 1] * qy)
            share[k, n] = N[k] + (E[k, 0] * qx + E[k, 1] * qy)
        share[k, k] = -np.inf


@kernel
def _normalise(row: Vector) -> float:
    """ln(sum(exp(row))), and each share of it in place of its exponent; overflow-safe."""
    size = row.shape[0]
    top = row[size - 1]
    for j in range(size):
        top = max(top, row[j])
    total = 0.0
    for j in range(size):
        row[j] = np.exp(row[j] - top)
        total += row[j]
    scale = 1.0 / total
    for j in range(size):
        row[j] *= scale
    return top + np.log(total)


@kernel
def upload_time(load: float, s: float) -> tuple[float, float, float]:
    """h = load / log1p(e^s), -dh/ds and d2h/ds2, each to full relative accuracy."""
    small = np.exp(-abs(s))
    share = 1.0 / (1.0 + small)
    if s > 0.0:
        nats, sigmoid, rest = s + np.log1p(small), share, small * share
    else:
        nats, sigmoid, rest = np.log1p(small), small * share, share
    ratio = sigmoid / nats if s > -40.0 else 1.0  # log1p(e^s) = e^s to the last bit
    h = load / nats if load > 0.0 else 0.0
    fall = h * ratio
    return h, fall, fall * (2.0 * ratio - rest)


@kernel
def evaluate(problem: ConvexProblem, y: Vector, point: Point) -> float:
    """F(y); fills share, upload, fall, bend, power, offset and excess."""
    n = problem.load_s.shape[0]
    for i in range(problem.disc.shape[0]):
        x = n + 2 * int(problem.disc[i, 0])
        dx, dy = y[x] - problem.disc[i, 1], y[x + 1] - problem.disc[i, 2]
        point.offset[i, 0], point.offset[i, 1] = dx, dy
        point.excess[i] = dx * dx + dy * dy - problem.disc[i, 3] ** 2
    share, upload, fall, bend = point.share, point.upload, point.fall, point.bend
    latency_weight, energy_weight = problem.latency_weight, problem.energy_weight
    propagation_s, overrun_weight = problem.propagation_s, problem.overrun_weight
    _exponents(problem, y, share)
    cost = 0.0
    for k in range(n):
        s = y[k] - _normalise(share[k])
        h, fall[k], bend[k] = upload_time(problem.load_s[k], s)
        power = np.exp(y[k])
        upload[k], point.power[k] = h, power
        cost += latency_weight[k] * h + energy_weight[k] * power * (h + propagation_s[k])
        late = h - problem.slack_s[k]
        if late > 0.0:
            cost += overrun_weight[k] * late
    return cost


@kernel
def inside(problem: ConvexProblem, point: Point) -> bool:
    """Whether the point last evaluated keeps all discs, up to 1e-7 of their areas."""
    for i in range(problem.disc.shape[0]):
        if point.excess[i] > 1e-7 * problem.disc[i, 3] ** 2:
            return False
    return True


@kernel
def _position_part(problem: ConvexProblem, k: int, rate: float, point: Point) -> None:
    """Slope of L_k in its receiver's position, and that part of the gradient."""
    n = problem.load_s.shape[0]
    share, slope, D, E = point.share, point.slope, problem.interference_slope, problem.noise_slope
    for axis in range(2):
        total = share[k, n] * E[k, axis]
        size = abs(total)
        for j in range(n):
            part = share[k, j] * D[k, j, axis]
            total += part
            size += abs(part)
        slope[k, n + axis] = total
        i = n + 2 * problem.receiver[k] + axis
        point.gradient[i] += rate * total
        point.size[i] += rate * size


@kernel
def gradients(problem: ConvexProblem, point: Point) -> None:
    """Gradient of F_lambda, the sums of absolute terms beside it, and the slopes of all L_k."""
    n = problem.load_s.shape[0]
    share, slope, gradient, size = point.share, point.slope, point.gradient, point.size
    receiver, propagation_s = problem.receiver, problem.propagation_s
    for i in range(gradient.shape[0]):
        gradient[i] = size[i] = 0.0
    for k in range(n):
        energy = problem.energy_weight[k] * point.power[k]
        rate = (problem.latency_weight[k] + energy + point.multiplier[k]) * point.fall[k]
        for j in range(n):
            slope[k, j] = share[k, j]
            gradient[j] += rate * share[k, j]
            size[j] += rate * share[k, j]
        paid = energy * (point.upload[k] + propagation_s[k])
        gradient[k] += paid - rate
        size[k] += paid + rate
        if receiver[k] >= 0:
            _position_part(problem, k, rate, point)
    for i in range(problem.disc.shape[0]):
        x = n + 2 * int(problem.disc[i, 0])
        for axis in range(2):
            part = 2.0 * point.disc_multiplier[i]
            gradient[x + axis] += part * point.offset[i, axis]
            reach = abs(point.offset[i, axis]) + 2.0 * abs(problem.disc[i, 1 + axis])
            size[x + axis] += part * reach


@kernel
def _position_curvature(
    problem: ConvexProblem, k: int, beta: float, lead: float, cross: float, point: Point
) -> None:
    """Rows of the Hessian that belong to the position of device k's receiver."""
    n = problem.load_s.shape[0]
    slope, hessian = point.slope, point.hessian
    D, E = problem.interference_slope, problem.noise_slope
    x = n + 2 * problem.receiver[k]
    gx, gy, noise = slope[k, n], slope[k, n + 1], point.share[k, n]
    xx, xy, yy = noise * E[k, 0] * E[k, 0], noise * E[k, 0] * E[k, 1], noise * E[k, 1] * E[k, 1]
    for i in range(n):
        w = slope[k, i]
        dx, dy = D[k, i, 0], D[k, i, 1]
        hessian[i, x] += w * (beta * dx + lead * gx)
        hessian[i, x + 1] += w * (beta * dy + lead * gy)
        xx += w * dx * dx
        xy += w * dx * dy
        yy += w * dy * dy
    hessian[k, x] += cross * gx
    hessian[k, x + 1] += cross * gy
    hessian[x, x] += beta * xx + lead * gx * gx
    hessian[x, x + 1] += beta * xy + lead * gx * gy
    hessian[x + 1, x + 1] += beta * yy + lead * gy * gy


@kernel
def hessian_of(problem: ConvexProblem, point: Point) -> None:
    """Hessian of F_lambda + sum_k stiffness_k/2 (grad h_k . dy)^2, discs alike; after `gradients`.

    With w the shares, v_j = (unit j, D_kj) and g = sum_j w_j v_j: the Hessian of L_k is
    sum_j w_j v_j v_j' - g g', that of h_k is bend (e_k - g)(e_k - g)' + fall Hessian(L_k).
    """
    n = problem.load_s.shape[0]
    hessian, slope, receiver = point.hessian, point.slope, problem.receiver
    hessian[:, :] = 0.0
    for k in range(n):
        energy = problem.energy_weight[k] * point.power[k]
        price = problem.latency_weight[k] + energy + point.multiplier[k]
        fall = point.fall[k]
        alpha = price * point.bend[k] + point.stiffness[k] * fall * fall
        beta = price * fall
        cross = energy * fall - alpha
        for i in range(n):
            lead = (alpha - beta) * slope[k, i]
            for j in range(i, n):
                hessian[i, j] += lead * slope[k, j]
            hessian[i, i] += beta * slope[k, i]
        for i in range(k):
            hessian[i, k] += cross * slope[k, i]
        for j in range(k + 1, n):
            hessian[k, j] += cross * slope[k, j]
        paid = energy * (point.upload[k] + problem.propagation_s[k])
        hessian[k, k] += alpha + paid - 2.0 * energy * fall
        if receiver[k] >= 0:
            _position_curvature(problem, k, beta, alpha - beta, cross, point)
    for i in range(problem.disc.shape[0]):
        x = n + 2 * int(problem.disc[i, 0])
        dx, dy, stiff = point.offset[i, 0], point.offset[i, 1], 4.0 * point.disc_stiffness[i]
        hessian[x, x] += 2.0 * point.disc_multiplier[i] + stiff * dx * dx
        hessian[x, x + 1] += stiff * dx * dy
        hessian[x + 1, x + 1] += 2.0 * point.disc_multiplier[i] + stiff * dy * dy

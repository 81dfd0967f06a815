"""Rows of a node's convex problem, compiled: noise and interference over the own gain."""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.receivers import surely_interferes
from minlp.convex.problem import ConvexProblem
from minlp.slot.data import SlotData
from minlp.slot.geometry import gain_above, gain_below
from satedge.kernels import IntVector, Matrix, Vector, kernel


@kernel
def interval_row(
    data: SlotData,
    k: int,
    heard: int,
    bits: IntVector,
    low: Matrix,
    high: Matrix,
    problem: ConvexProblem,
) -> None:
    """Ratios of device k, the least over the receivers in the bits `heard`."""
    n, n_uavs = data.log_fading.shape
    problem.log_noise[k] = np.inf
    for r in range(n_uavs + 1):
        if heard >> r & 1:
            problem.log_noise[k] = min(problem.log_noise[k], data.log_noise - high[k, r])
    if data.log_leakage == -np.inf:
        return
    for j in range(n):
        if j == k:
            continue
        least = np.inf
        for r in range(n_uavs + 1):
            if heard >> r & 1:
                if surely_interferes(data.scope, bits[j], r, n_uavs):
                    least = min(least, data.log_leakage + low[j, r] - high[k, r])
                else:
                    least = -np.inf
        problem.log_interference[k, j] = least


@kernel
def affine_row(
    data: SlotData,
    k: int,
    m: int,
    bits: IntVector,
    box: Vector,
    space: Vector,
    near: Vector,
    low: Matrix,
    high: Matrix,
    problem: ConvexProblem,
) -> None:
    """Ratios of device k at UAV m, as affine functions of its position around `near` (2,)."""
    n = data.log_fading.shape[0]
    ratio, slope = np.empty(n + 1), np.empty((n + 1, 2))
    ratios_at(data, k, m, bits, box, space, near[0], near[1], low, high, ratio, slope)
    for j in range(n + 1):
        at_zero = ratio[j] - slope[j, 0] * near[0] - slope[j, 1] * near[1]
        if j == n:
            problem.log_noise[k] = at_zero
            problem.noise_slope[k, 0], problem.noise_slope[k, 1] = slope[j, 0], slope[j, 1]
        elif ratio[j] > -np.inf:
            problem.log_interference[k, j] = at_zero
            problem.interference_slope[k, j, 0] = slope[j, 0]
            problem.interference_slope[k, j, 1] = slope[j, 1]


@kernel
def ratios_at(
    data: SlotData,
    k: int,
    m: int,
    bits: IntVector,
    box: Vector,
    space: Vector,
    x: float,
    y: float,
    low: Matrix,
    high: Matrix,
    ratio: Vector,
    slope: Matrix,
) -> None:
    """Logs (n + 1,) of what a watt of each device, and last the noise, is over k's gain at UAV m.

    At (x, y), a point of the box with `space` around it (`slot.geometry.room`); with the slopes
    (n + 1, 2) they are affine functions of the position, nowhere above the true ratios. -inf where
    nobody is heard.
    """
    n, n_uavs = data.log_fading.shape
    own, sx, sy = gain_above(data, k, m, box, space, x, y)
    if own >= high[k, m]:
        own, sx, sy = high[k, m], 0.0, 0.0
    ratio[n], slope[n, 0], slope[n, 1] = data.log_noise - own, -sx, -sy
    for j in range(n):
        ratio[j], slope[j, 0], slope[j, 1] = -np.inf, 0.0, 0.0
        silent = data.log_leakage == -np.inf or j == k
        if silent or not surely_interferes(data.scope, bits[j], m, n_uavs):
            continue
        other, ox, oy = gain_below(data, j, m, space, x, y)
        if other <= low[j, m]:
            other, ox, oy = low[j, m], 0.0, 0.0
        ratio[j] = data.log_leakage + other - own
        slope[j, 0], slope[j, 1] = ox - sx, oy - sy

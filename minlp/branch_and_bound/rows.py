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
    n, n_uavs = data.log_fading.shape
    x, y = near[0], near[1]
    value, sx, sy = gain_above(data, k, m, box, space, x, y)
    if value >= high[k, m]:
        value, sx, sy = high[k, m], 0.0, 0.0
    own = value - sx * x - sy * y
    problem.log_noise[k] = data.log_noise - own
    problem.noise_slope[k, 0], problem.noise_slope[k, 1] = -sx, -sy
    if data.log_leakage == -np.inf:
        return
    for j in range(n):
        if j == k or not surely_interferes(data.scope, bits[j], m, n_uavs):
            continue
        other, ox, oy = gain_below(data, j, m, space, x, y)
        if other <= low[j, m]:
            other, ox, oy = low[j, m], 0.0, 0.0
        other -= ox * x + oy * y
        problem.log_interference[k, j] = data.log_leakage + other - own
        problem.interference_slope[k, j, 0] = ox - sx
        problem.interference_slope[k, j, 1] = oy - sy

"""Small dense Cholesky factorisation and ratio test, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satedge.kernels import Matrix, Vector, kernel

Array = NDArray[np.float64]


@kernel
def cholesky(factor: Matrix) -> bool:
    """Upper triangle A -> U with A = U' U; the diagonal holds 1 / U_aa."""
    size = factor.shape[0]
    for a in range(size):
        pivot = factor[a, a]
        if not (pivot > 0.0 and pivot < np.inf):
            return False
        root = 1.0 / np.sqrt(pivot)
        factor[a, a] = root
        for b in range(a + 1, size):
            factor[a, b] *= root
        for c in range(a + 1, size):
            lead = factor[a, c]
            for b in range(c, size):
                factor[c, b] -= lead * factor[a, b]
    return True


@kernel
def back_substitute(factor: Matrix, x: Vector) -> None:
    """Solve U' U x = b in place."""
    size = factor.shape[0]
    for a in range(size):
        x[a] *= factor[a, a]
        for b in range(a + 1, size):
            x[b] -= factor[a, b] * x[a]
    for a in range(size - 1, -1, -1):
        total = x[a]
        for b in range(a + 1, size):
            total -= factor[a, b] * x[b]
        x[a] = total * factor[a, a]


@kernel
def longest_step(value: Vector, step: Vector, fraction: float) -> float:
    """The longest multiple of the step, at most 1, that keeps value + it * step positive."""
    length = 1.0
    for a in range(value.shape[0]):
        if step[a] * length < -fraction * value[a]:
            length = -fraction * value[a] / step[a]
    return length

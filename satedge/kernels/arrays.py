"""Small work on arrays for kernels, as loops: array expressions take far longer to compile."""

from __future__ import annotations

from satedge.kernels.compiled import kernel
from satedge.kernels.types import IntVector, Matrix, Vector


@kernel
def assign(target: Vector, source: Vector) -> None:
    """Copy source (n,) to the first n of target."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@kernel
def assign_indices(target: IntVector, source: IntVector) -> None:
    """Copy source (n,) to the first n of target."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@kernel
def assign_rows(target: Matrix, source: Matrix) -> None:
    """Copy source (n, m) to the first n rows of target."""
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@kernel
def least_at(values: Vector) -> int:
    """Index of the least of values (n,), the first of several."""
    least = 0
    for i in range(1, values.shape[0]):
        if values[i] < values[least]:
            least = i
    return least


@kernel
def dot(a: Matrix, b: Matrix) -> float:
    """Sum of the products of a and b (n, m)."""
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            total += a[i, j] * b[i, j]
    return total


@kernel
def holds(values: IntVector, value: int) -> bool:
    """Whether one of values (n,) is this one."""
    found = False
    for i in range(values.shape[0]):
        found |= values[i] == value
    return found

"""A few small kernels that call each other, and a method that runs them."""

from __future__ import annotations

import numpy as np

from satedge.kernels import Record, Vector, kernel
from satedge.kernels.compilation import compilation
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome
from support.toys import plan_of


class Line(Record):
    """y = slope x + offset at some x, and what came of it."""

    slope: float
    offset: float
    x: Vector
    y: Vector


@kernel
def value(line: Line, x: float) -> float:
    """The line at x."""
    return line.slope * x + line.offset


@kernel
def evaluate(line: Line) -> float:
    """Sets y; returns its sum."""
    total = 0.0
    for i in range(line.x.shape[0]):
        line.y[i] = value(line, line.x[i])
        total += line.y[i]
    return total


@kernel
def twice(line: Line) -> Line:
    """A line twice as high, at the same x."""
    return Line(2.0 * line.slope, 2.0 * line.offset, line.x, line.y.copy())


@kernel
def total(line: Line) -> float:
    """The sum of a line and twice the line."""
    return evaluate(line) + evaluate(twice(line))


def example() -> Line:
    """1 + 2x at 0, 1, 2: evaluate gives 9, total 27."""
    return Line(2.0, 1.0, np.arange(3.0), np.zeros(3))


def solve(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Tells how many kernels were compiled before, and how many in the run itself."""
    before = compilation.compiled
    found = total(example())
    info = {"before": before, "within": compilation.compiled - before, "found": found}
    return Outcome(plan_of(instance), info=info)

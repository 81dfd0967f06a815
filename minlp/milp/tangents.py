"""Straight lines that provably lie below the curves of the relaxation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Share of the size of its parts by which a line is lowered; rounding is below 1e-14 of it.
MARGIN = 1e-11

#: Points of the staircase under the capacity share.
N_STEPS = 300


@dataclass(frozen=True)
class Line:
    """constant + slope * h."""

    constant: float
    slope: float

    def at(self, upload_s: float) -> float:
        """Its value."""
        return self.constant + self.slope * upload_s


def _tangent(value: float, slope: float, upload_s: float) -> Line:
    """The tangent, lowered by the margin. A convex curve lies above it."""
    constant = value - slope * upload_s
    return Line(constant - MARGIN * (abs(value) + abs(slope) * upload_s), slope)


def tangent_power(load_s: float, gain: float, upload_s: float) -> Line:
    """Of gamma(h) / g = (exp(load / h) - 1) / g, convex and decreasing in h."""
    y = load_s / upload_s
    slope = -math.exp(y) * y / upload_s
    return _tangent(math.expm1(y) / gain, slope / gain, upload_s)


def tangent_energy(load_s: float, gain: float, upload_s: float) -> Line:
    """Of h gamma(h) / g: the perspective of exp - 1, hence convex; decreasing in h."""
    y = load_s / upload_s
    slope = math.expm1(y) - y * math.exp(y)
    return _tangent(upload_s * math.expm1(y) / gain, slope / gain, upload_s)


@dataclass(frozen=True, eq=False)
class Envelope:
    """A convex, piecewise linear function below a decreasing one: vertices from left to right."""

    upload_s: Array
    value: Array

    def at(self, upload_s: float) -> Line:
        """The piece at an upload time, as a line below the function over its whole range."""
        if len(self.upload_s) == 1:
            return Line(float(self.value[0]) - MARGIN, 0.0)
        i = int(np.searchsorted(self.upload_s, upload_s)) - 1
        i = min(max(i, 0), len(self.upload_s) - 2)
        left, right = self.upload_s[i : i + 2]
        slope = float((self.value[i + 1] - self.value[i]) / (right - left))
        constant = float(self.value[i]) - slope * float(left)
        return Line(constant - MARGIN * (1 + abs(slope) * float(right)), slope)


def capacity_share(load_s: float, leakage: float, upload_s: Array) -> Array:
    """psi(h) = leakage SINR / (1 + leakage SINR) with SINR = exp(load / h) - 1; decreasing."""
    y = np.minimum(load_s / upload_s, 700.0)
    grown = leakage * np.expm1(y)
    return np.asarray(grown / (1 + grown))


def capacity_lines(load_s: float, leakage: float, span_s: tuple[float, float]) -> Envelope:
    """Convex envelope of psi from below, which is concave for short uploads and convex for long.

    On a step h_i..h_(i+1) psi is at least psi(h_(i+1)), since it decreases. The lower convex hull
    of the points (h_i, psi(h_(i+1))) lies below that staircase: on the step it is at most the
    chord from (h_i, psi(h_(i+1))) to (h_(i+1), psi(h_(i+2))).
    """
    grid = (
        np.geomspace(span_s[0], span_s[1], N_STEPS)
        if span_s[1] > span_s[0]
        else np.array(span_s[:1])
    )
    grid[0], grid[-1] = span_s[0], span_s[-1]
    share = capacity_share(load_s, leakage, grid)
    steps = np.append(share[1:], share[-1])
    kept: list[int] = []
    for i in range(len(grid)):
        while len(kept) > 1 and _above(grid, steps, kept[-2], kept[-1], i):
            kept.pop()
        kept.append(i)
    return Envelope(grid[kept], steps[kept])


def _above(x: Array, y: Array, a: int, b: int, c: int) -> bool:
    """Whether point b lies on or above the chord from a to c."""
    return bool((y[b] - y[a]) * (x[c] - x[a]) >= (y[c] - y[a]) * (x[b] - x[a]))

"""Intervals of arrays, rounded outward.

IEEE 754 rounds +, -, *, / and square roots to nearest: the true value lies within one `nextafter`.
NumPy's exponentials and logarithms err by at most 4 units in the last place (its own tests of the
vectorised ones), libm's by fewer; results are widened by 2^-48, 16 units. NaN is never hidden: each
comparison of the verifier is written so that NaN fails it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_ULPS = 2.0**-48


def down(x: Any) -> Array:
    """The next number below."""
    return np.nextafter(x, -np.inf)


def up(x: Any) -> Array:
    """The next number above."""
    return np.nextafter(x, np.inf)


class Interval:
    """Arrays lo <= hi of one shape, with the true values between them."""

    __array_ufunc__ = None

    def __init__(self, lo: Any, hi: Any = None) -> None:
        self.lo = np.asarray(lo, float)
        self.hi = self.lo if hi is None else np.asarray(hi, float)

    def __getitem__(self, index: Any) -> Interval:
        return Interval(self.lo[index], self.hi[index])

    @property
    def T(self) -> Interval:
        return Interval(self.lo.T, self.hi.T)

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Any) -> Interval:
        b = of(other)
        return Interval(down(self.lo + b.lo), up(self.hi + b.hi))

    def __sub__(self, other: Any) -> Interval:
        return self + -of(other)

    def __rsub__(self, other: Any) -> Interval:
        return of(other) - self

    def __mul__(self, other: Any) -> Interval:
        b = of(other)
        ends = (self.lo * b.lo, self.lo * b.hi, self.hi * b.lo, self.hi * b.hi)
        return Interval(down(np.minimum.reduce(ends)), up(np.maximum.reduce(ends)))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Interval:
        """By what is positive; NaN elsewhere."""
        b = of(other)
        low, high = down(1.0 / b.hi), up(1.0 / b.lo)
        return self * Interval(np.where(b.lo > 0, low, np.nan), np.where(b.lo > 0, high, np.nan))

    def sum(self, axis: int = -1) -> Interval:
        """n terms: any order of additions errs by less than n eps times the sum of sizes."""
        error = (self.lo.shape[axis] + 2) * 2.0**-52
        low = self.lo.sum(axis) - error * np.abs(self.lo).sum(axis)
        return Interval(down(low), up(self.hi.sum(axis) + error * np.abs(self.hi).sum(axis)))

    def square(self) -> Interval:
        """x^2, never negative."""
        return maximum(self * self, 0.0)


def of(value: Any) -> Interval:
    """A number or an array as an interval that holds it alone."""
    return value if isinstance(value, Interval) else Interval(value)


def _rising(function: Any, x: Any) -> Interval:
    """An exponential or a logarithm; NaN where there is none."""
    low, high = function(of(x).lo), function(of(x).hi)
    return Interval(down(low - _ULPS * np.abs(low)), up(high + _ULPS * np.abs(high)))


def exp(x: Any) -> Interval:
    return maximum(_rising(np.exp, x), 0.0)


def log(x: Any) -> Interval:
    return _rising(np.log, x)


def log1p(x: Any) -> Interval:
    return _rising(np.log1p, x)


def sqrt(x: Any) -> Interval:
    """Of what is not negative but for rounding."""
    x = maximum(x, 0.0)
    return maximum(Interval(down(np.sqrt(x.lo)), up(np.sqrt(x.hi))), 0.0)


def maximum(a: Any, b: Any) -> Interval:
    return Interval(np.maximum(of(a).lo, of(b).lo), np.maximum(of(a).hi, of(b).hi))


def append(a: Any, b: Any, axis: int = -1) -> Interval:
    """`a` with one more entry along an axis, b."""
    n = of(a).lo.shape[axis]
    return Interval(np.insert(of(a).lo, n, of(b).lo, axis), np.insert(of(a).hi, n, of(b).hi, axis))


def where(condition: NDArray[np.bool_], a: Any, b: Any) -> Interval:
    return Interval(
        np.where(condition, of(a).lo, of(b).lo), np.where(condition, of(a).hi, of(b).hi)
    )

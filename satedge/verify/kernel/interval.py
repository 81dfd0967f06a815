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
    __slots__ = ("hi", "lo")

    def __init__(self, lo: Any, hi: Any = None) -> None:
        self.lo = np.asarray(lo, float)
        self.hi = self.lo if hi is None else np.asarray(hi, float)

    def __getitem__(self, index: Any) -> Interval:
        return Interval(self.lo[index], self.hi[index])

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Any) -> Interval:
        b = of(other)
        return Interval(down(self.lo + b.lo), up(self.hi + b.hi))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Interval:
        b = of(other)
        return Interval(down(self.lo - b.hi), up(self.hi - b.lo))

    def __rsub__(self, other: Any) -> Interval:
        return of(other) - self

    def __mul__(self, other: Any) -> Interval:
        b = of(other)
        ends = (self.lo * b.lo, self.lo * b.hi, self.hi * b.lo, self.hi * b.hi)
        low = np.minimum(np.minimum(ends[0], ends[1]), np.minimum(ends[2], ends[3]))
        high = np.maximum(np.maximum(ends[0], ends[1]), np.maximum(ends[2], ends[3]))
        return Interval(down(low), up(high))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Interval:
        """By what is positive; NaN elsewhere."""
        b = of(other)
        with np.errstate(all="ignore"):
            one = Interval(down(1.0 / b.hi), up(1.0 / b.lo))
        bad = ~(b.lo > 0)
        return self * Interval(np.where(bad, np.nan, one.lo), np.where(bad, np.nan, one.hi))

    def sum(self, axis: int = -1) -> Interval:
        """n terms: any order of additions errs by less than n eps times the sum of sizes."""
        n = self.lo.shape[axis]
        error = (n + 2) * 2.0**-52
        low, high = self.lo.sum(axis), self.hi.sum(axis)
        low = down(low - error * np.abs(self.lo).sum(axis))
        return Interval(low, up(high + error * np.abs(self.hi).sum(axis)))

    def square(self) -> Interval:
        """x^2, never negative."""
        product = self * self
        return Interval(np.maximum(product.lo, 0.0), product.hi)


def of(value: Any) -> Interval:
    """A number or an array as an interval that holds it alone."""
    return value if isinstance(value, Interval) else Interval(value)


def _widened(low: Array, high: Array) -> Interval:
    return Interval(down(low - _ULPS * np.abs(low)), up(high + _ULPS * np.abs(high)))


def exp(x: Any) -> Interval:
    x = of(x)
    found = _widened(np.exp(x.lo), np.exp(x.hi))
    return Interval(np.maximum(found.lo, 0.0), found.hi)


def log(x: Any) -> Interval:
    """Of what is positive; NaN below."""
    x = of(x)
    with np.errstate(all="ignore"):
        return _widened(np.log(x.lo), np.log(x.hi))


def log1p(x: Any) -> Interval:
    x = of(x)
    with np.errstate(all="ignore"):
        return _widened(np.log1p(x.lo), np.log1p(x.hi))


def sqrt(x: Any) -> Interval:
    x = of(x)
    return Interval(
        np.maximum(down(np.sqrt(np.maximum(x.lo, 0.0))), 0.0), up(np.sqrt(np.maximum(x.hi, 0.0)))
    )


def maximum(a: Any, b: Any) -> Interval:
    a, b = of(a), of(b)
    return Interval(np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi))


def append(a: Any, b: Any, axis: int = -1) -> Interval:
    """`a` with one more entry along an axis, b."""
    a, b = of(a), of(b)
    n = a.lo.shape[axis]
    return Interval(np.insert(a.lo, n, b.lo, axis), np.insert(a.hi, n, b.hi, axis))


def where(condition: NDArray[np.bool_], a: Any, b: Any) -> Interval:
    a, b = of(a), of(b)
    return Interval(np.where(condition, a.lo, b.lo), np.where(condition, a.hi, b.hi))

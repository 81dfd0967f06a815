"""Intervals of arrays, rounded outward.

IEEE 754 rounds +, -, *, / and square roots to nearest: the true value lies within one `nextafter`.
NumPy's exponentials and logarithms err by at most 4 units in the last place (its own tests of the
vectorised ones), libm's by fewer; results are widened by 2^-48, 16 units. NaN is never hidden: each
comparison of the verifier is written so that NaN fails it.
"""

from __future__ import annotations

from functools import partial
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

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Any) -> Interval:
        b = of(other)
        return Interval(down(self.lo + b.lo), up(self.hi + b.hi))

    def __sub__(self, other: Any) -> Interval:
        return self + -of(other)

    def __mul__(self, other: Any) -> Interval:
        b = of(other)
        ends = (self.lo * b.lo, self.lo * b.hi, self.hi * b.lo, self.hi * b.hi)
        return Interval(down(np.minimum.reduce(ends)), up(np.maximum.reduce(ends)))

    def __truediv__(self, other: Any) -> Interval:
        """By what is positive; NaN elsewhere."""
        b = of(other)
        low, high = (np.where(b.lo > 0, 1.0 / end, np.nan) for end in (b.hi, b.lo))
        return self * Interval(down(low), up(high))

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


def each(function: Any, *parts: Any) -> Interval:
    """What falls nowhere, or only moves entries, at both ends."""
    return Interval(function(*(of(x).lo for x in parts)), function(*(of(x).hi for x in parts)))


def _rising(function: Any, x: Any) -> Interval:
    """Of what rises and errs by so many units in the last place; NaN where it is not defined."""
    y = each(function, x)
    return Interval(down(y.lo - _ULPS * np.abs(y.lo)), up(y.hi + _ULPS * np.abs(y.hi)))


exp, log, log1p = (partial(_rising, function) for function in (np.exp, np.log, np.log1p))
maximum = partial(each, np.maximum)


def sqrt(x: Any) -> Interval:
    """Of what is not negative but for rounding."""
    y = each(np.sqrt, maximum(x, 0.0))
    return maximum(Interval(down(y.lo), up(y.hi)), 0.0)


def where(condition: NDArray[np.bool_], a: Any, b: Any) -> Interval:
    return each(partial(np.where, condition), a, b)


def append(a: Any, b: Any, count: int = 1, axis: int = -1) -> Interval:
    """`a` with more entries along an axis, all b."""
    at = [of(a).lo.shape[axis]] * count
    return each(lambda x, y: np.insert(x, at, y, axis), a, b)

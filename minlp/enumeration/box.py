"""Boxes of UAV positions for one combination of servers, with second-order bounds.

See `minlp.enumeration.solve` for the inequality.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from minlp.enumeration.point import Combination, Point, point_at
from minlp.power.problem import PowerSolution
from satedge.problem.plan import Plan
from satedge.problem.referee import TOLERANCE

Array = NDArray[np.float64]

#: Share of the absolute sum of all terms by which a bound is lowered: a thousand times the
#: rounding of the few hundred operations behind each term.
MARGIN = 1e-12

#: Boxes narrower than this are closed with the bound they have.
NARROWEST_M = 1e-7


@dataclass(frozen=True, eq=False)
class Box:
    """Positions low..high (M, 2) under one combination; bound and plan after evaluation."""

    combination: Combination
    low: Array
    high: Array
    bound: float = -np.inf
    plan: Plan | None = None
    loss: Array | None = None
    """(M, 2) How much of the bound each coordinate's width gives away."""
    powers: PowerSolution | None = None

    @property
    def divisible(self) -> bool:
        return bool((self.high - self.low).max(initial=0.0) > NARROWEST_M)


def root_box(combination: Combination) -> Box | None:
    """All reachable positions of the UAVs that matter; None where there are none."""
    one, s, reach_m = (
        combination.terms.instance, combination.terms.scenario, combination.terms.reach_m
    )  # fmt: skip
    wide = combination.movable[:, None] * reach_m * (1 + TOLERANCE)
    slack = TOLERANCE * s.area_side_m
    low = np.where(wide > 0, np.maximum(one.uav_xy_m - wide, -slack), one.uav_xy_m)
    high = np.where(wide > 0, np.minimum(one.uav_xy_m + wide, s.area_side_m + slack), one.uav_xy_m)
    box = Box(combination, low, high)
    return box if _possible(box) else None


def split(box: Box) -> list[Box]:
    """The two halves along the coordinate that loses most, without those that hold nothing."""
    assert box.loss is not None
    width = box.high - box.low
    m, axis = np.unravel_index(int(np.argmax(np.where(width > 0, box.loss, -1.0))), width.shape)
    middle = 0.5 * (box.low[m, axis] + box.high[m, axis])
    parts = []
    for side in ("low", "high"):
        ends = {"low": box.low.copy(), "high": box.high.copy()}
        ends["high" if side == "low" else "low"][m, axis] = middle
        part = replace(box, low=ends["low"], high=ends["high"])
        if _possible(part):
            parts.append(part)
    return parts


def _nearest(low: Array, high: Array, point: Array) -> float:
    """Least distance from a point (2,) to a box."""
    return float(np.hypot(*np.maximum(np.maximum(low - point, point - high), 0.0)))


def _farthest(low: Array, high: Array, point: Array) -> float:
    """Greatest distance from a point (2,) to a box."""
    return float(np.hypot(*np.maximum(np.abs(point - low), np.abs(point - high))))


def _possible(box: Box) -> bool:
    """Whether the box may hold admissible positions."""
    c, s = box.combination, box.combination.terms.scenario
    ends = list(zip(box.low, box.high, strict=True))
    for m, (low, high) in enumerate(ends):
        if any(_nearest(low, high, w) > radius * (1 + 1e-14) for w, radius in c.discs(m)):
            return False
    if s.uav_separation_m > 0:
        for a, b in itertools.combinations(range(s.n_uavs), 2):
            apart = np.maximum(ends[a][1] - ends[b][0], ends[b][1] - ends[a][0])
            if np.hypot(*apart) < s.uav_separation_m * (1 - 2 * TOLERANCE):
                return False
    return True


def _point_in(box: Box) -> Array:
    """(M, 2) The box's centre, moved into the discs where that is possible within the box."""
    xy = 0.5 * (box.low + box.high)
    for m in np.flatnonzero((box.high > box.low).any(axis=1)):
        for _ in range(20):
            before = xy[m].copy()
            for centre, radius in box.combination.discs(int(m)):
                away = xy[m] - centre
                far = float(np.hypot(*away))
                if far > radius * (1 - 1e-10):
                    xy[m] = centre + away * (radius * (1 - 1e-9) / far if far > 0 else 0.0)
            xy[m] = np.clip(xy[m], box.low[m], box.high[m])
            if np.allclose(before, xy[m], rtol=0, atol=1e-12):
                break
    return xy


def evaluate(box: Box) -> Box:
    """The box with its bound (never below the one it had), a plan in it, and where it loses."""
    c, s = box.combination, box.combination.terms.scenario
    xy = _point_in(box)
    inside = np.clip(xy, 0.0, s.area_side_m)
    point = point_at(c, xy, box.powers)
    power_W = np.zeros(s.n_devices)
    power_W[c.sender] = point.power_W
    plan = Plan(c.server[None], power_W[None], inside[None])
    decrease, loss = _position_decrease(box, point)
    lowest = point.value + point.power_decrease + decrease - MARGIN * point.size
    return replace(
        box,
        bound=max(box.bound, lowest if np.isfinite(lowest) else -np.inf),
        plan=plan,
        loss=loss,
        powers=point.powers,
    )


def _position_decrease(box: Box, point: Point) -> tuple[float, Array]:
    """Most that other positions in the box could take off, and the loss (M, 2) by coordinate."""
    c = box.combination
    total, loss = 0.0, np.zeros_like(box.low)
    for m in range(len(box.low)):
        if (box.high[m] <= box.low[m]).all():
            continue
        slope, curve, first = _expansion(c, m, point, box.low[m], box.high[m])
        down, up = box.low[m] - point.xy_m[m], box.high[m] - point.xy_m[m]
        choices = [_least(slope, curve, 0.0, down, up)]
        for centre, radius in c.discs(m):
            away = point.xy_m[m] - centre
            reached = float(np.hypot(*away))
            outward = -float(slope @ away) / reached if reached > 0 else 0.0
            if outward > 0 and _farthest(box.low[m], box.high[m], centre) > radius:
                weight = outward / (2 * reached)
                outside = weight * (reached**2 - radius**2)
                choices.append(
                    outside + _least(slope + 2 * weight * away, curve + 2 * weight, 0.0, down, up)
                )
        best = max(choices)
        total += max(best, first)
        width = box.high[m] - box.low[m]
        loss[m] = np.abs(slope) * width + np.abs(curve) * width**2
    return total, loss


def _least(slope: Array, curve: float, constant: float, down: Array, up: Array) -> float:
    """Minimum of slope . d + curve |d|^2 / 2 over down <= d <= up."""
    total = constant
    for g, a, b in zip(slope, down, up, strict=True):
        ends = [g * a + 0.5 * curve * a * a, g * b + 0.5 * curve * b * b]
        if curve > 0 and a < -g / curve < b:
            ends.append(-0.5 * g * g / curve)
        total += min(ends)
    return float(total)


def _expansion(
    c: Combination, m: int, point: Point, low: Array, high: Array
) -> tuple[Array, float, float]:
    """(gradient (2,), least curvature, first-order bound) of sum_j c_j G_jm over a box."""
    one, half = c.terms.instance, c.terms.scenario.path_loss_exponent / 2
    weight = point.slope[:, m]
    away = point.xy_m[m] - one.device_xy_m[0]  # (K, 2)
    square = one.uav_altitude_m[0, m] ** 2
    here = (away**2).sum(axis=1) + square
    slope = (weight * -2 * half / here) @ away
    outside = np.maximum(np.maximum(low - one.device_xy_m[0], one.device_xy_m[0] - high), 0.0)
    across = np.maximum(np.abs(one.device_xy_m[0] - low), np.abs(one.device_xy_m[0] - high))
    near, far = (outside**2).sum(axis=1), (across**2).sum(axis=1)
    # second derivatives of -ln(r^2 + z^2): at least -2 / D, at most 2 (r^2 - z^2) / D^2, which
    # grows up to r^2 = 3 z^2 and falls from there
    peak = np.clip(3 * square, near, far)
    most = 2 * half * (peak - square) / (peak + square) ** 2
    least = -2 * half / (near + square)
    curve = float((weight * np.where(weight > 0, least, most)).sum())
    gains = -half * np.log((np.where(weight > 0, far, near) + square) / here)
    return slope, curve, float((weight * gains).sum())

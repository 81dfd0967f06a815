"""Tracks of devices that move between slots inside a square."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOBILITY_KINDS = ("static", "random-waypoint", "gauss-markov")

_LEGS_PER_DRAW = 8
"""Legs drawn at a time. Changes no track: a stream gives the same numbers in any portions."""
_SLOWEST_MPS = 1e-100
"""A leg at speed 0, possible when the least speed is 0, would never end."""
_AT_REST = 0.05
"""A device that went less than this share of a slot's way at the least speed is at rest."""
_ON_LINE_M = 1e-4
"""Steps this little beside a line are on it: rounded positions allow no less."""
_HEADING_STD_RAD = np.pi / 4
"""Spread of headings around a device's own mean heading (Gauss-Markov). Open."""
_MEMORY = 0.85
"""Weight of the last speed and heading (Gauss-Markov). Open: half is forgotten in four slots."""


def tracks(
    rngs: Sequence[np.random.Generator],
    kind: str,
    *,
    n_slots: int,
    slot_s: float,
    side_m: float,
    speed_min_mps: float,
    speed_max_mps: float,
    pause_max_s: float,
    memory: float = _MEMORY,
) -> Floats:
    """Positions (T, K, 2) in metres of K devices, one random stream each, at the T slot starts.

    All start uniform in the square [0, side]^2, never leave it and move at most
    `speed_max_mps * slot_s` from one slot to the next. Neither fewer devices nor fewer slots
    change the positions that remain.

    static: no motion. random-waypoint (Johnson and Maltz 1996): straight to a uniform point at a
    uniform speed, a pause uniform in [0, `pause_max_s`], and on. gauss-markov (Liang and Haas
    1999, in speed and heading as Camp et al. 2002): both remember their last value with weight
    `memory` in [0, 1); the edges reflect.

    Raises ValueError for an unknown kind, speeds that are not 0 <= min <= max, a side that is
    not positive, a negative pause, or a memory outside [0, 1).
    """
    _check(kind, side_m, speed_min_mps, speed_max_mps, pause_max_s, memory)
    start_m = np.array([side_m * rng.random(2) for rng in rngs]).reshape(-1, 2)
    if kind == "static" or speed_max_mps == 0:
        return np.tile(start_m, (n_slots, 1, 1))
    if kind == "gauss-markov":
        return _gauss_markov(
            rngs, start_m, n_slots, slot_s, side_m, speed_min_mps, speed_max_mps, memory
        )
    return _random_waypoint(
        rngs, start_m, n_slots, slot_s, side_m, speed_min_mps, speed_max_mps, pause_max_s
    )


def continued(
    rngs: Sequence[np.random.Generator],
    kind: str,
    seen_m: Floats,
    *,
    n_slots: int,
    slot_s: float,
    side_m: float,
    speed_min_mps: float,
    speed_max_mps: float,
    pause_max_s: float,
) -> Floats:
    """A draw of the next positions (T, K, 2) of devices whose last ones `seen_m` (>= 1, K, 2) are.

    The law of `tracks` given what was seen. random-waypoint: a device in motion keeps its line and
    speed; its waypoint, uniform in the square, lies on that line with a density proportional to the
    distance from where the line began. One at rest goes on pausing for a uniform part of what is
    left of the longest pause.
    gauss-markov: the last step is repeated (mean speed and heading stay hidden), edges reflect.
    Raises ValueError as `tracks` does.
    """
    _check(kind, side_m, speed_min_mps, speed_max_mps, pause_max_s, _MEMORY)
    here_m = seen_m[-1]
    moving = kind != "static" and speed_max_mps > 0
    if not moving or (kind == "gauss-markov" and len(seen_m) == 1):
        return np.tile(here_m, (n_slots, 1, 1))
    if kind == "gauss-markov":
        steps = (here_m - seen_m[-2]) * np.arange(1, n_slots + 1)[:, None, None]
        return side_m - np.abs(np.mod(here_m + steps, 2 * side_m) - side_m)
    path = np.empty((n_slots, len(rngs), 2))
    times_s = slot_s * np.arange(1, n_slots + 1)
    limits = side_m, speed_min_mps, speed_max_mps, pause_max_s
    for k, rng in enumerate(rngs):
        arrive_s, rest_s, at_m = _end_of_leg(rng, seen_m[:, k], slot_s, *limits)
        after_s, x_m, y_m = _waypoints(rng, at_m, slot_s * (n_slots + 1), *limits)
        at_s = np.r_[0.0, arrive_s, arrive_s + rest_s + after_s]
        path[:, k, 0] = np.interp(times_s, at_s, np.r_[here_m[k, 0], at_m[0], x_m])
        path[:, k, 1] = np.interp(times_s, at_s, np.r_[here_m[k, 1], at_m[1], y_m])
    return np.clip(path, 0.0, side_m)


def _end_of_leg(
    rng: np.random.Generator,
    seen_m: Floats,
    slot_s: float,
    side_m: float,
    speed_min_mps: float,
    speed_max_mps: float,
    pause_max_s: float,
) -> tuple[float, float, Floats]:
    """When a device seen at (>= 1, 2) reaches its waypoint, how long it rests there, and where."""
    here_m, rest_s = seen_m[-1], pause_max_s * float(rng.random())
    if len(seen_m) == 1:
        return 0.0, 0.0, here_m
    steps_m = np.diff(seen_m, axis=0)
    lengths_m = np.hypot(steps_m[:, 0], steps_m[:, 1])
    length_m = float(lengths_m[-1])
    moved = np.flatnonzero(lengths_m > _AT_REST * slot_s * speed_min_mps)
    rested_s = slot_s * (len(lengths_m) - 1 - moved.max(initial=-1))
    if rested_s > 0:
        return 0.0, rest_s * max(0.0, 1 - rested_s / max(pause_max_s, slot_s)), here_m
    heading = steps_m[-1] / length_m
    back_m = float(np.hypot(*(here_m - _begun(seen_m, heading))))
    with np.errstate(divide="ignore"):
        walls_m = np.where(heading > 0, side_m - here_m, here_m) / np.abs(heading)
    beyond_m = back_m + float(walls_m.min())
    flown_m = np.sqrt(back_m**2 + float(rng.random()) * (beyond_m**2 - back_m**2))
    speed_mps = float(np.clip(length_m / slot_s, speed_min_mps, speed_max_mps))
    ahead_m = flown_m - back_m
    return ahead_m / max(speed_mps, _SLOWEST_MPS), rest_s, here_m + ahead_m * heading


def _begun(seen_m: Floats, heading: Floats) -> Floats:
    """The first of the positions from which on a device kept to its line."""
    for first in range(len(seen_m) - 2, 0, -1):
        step_m = seen_m[first] - seen_m[first - 1]
        across_m = abs(step_m[0] * heading[1] - step_m[1] * heading[0])
        if across_m > _ON_LINE_M or step_m @ heading <= 0:
            return seen_m[first]
    return seen_m[0]


def _check(
    kind: str,
    side_m: float,
    speed_min_mps: float,
    speed_max_mps: float,
    pause_max_s: float,
    memory: float,
) -> None:
    """Refuse what no device can do."""
    if kind not in MOBILITY_KINDS:
        raise ValueError(f"mobility={kind!r}: must be one of {', '.join(MOBILITY_KINDS)}")
    if not 0 <= speed_min_mps <= speed_max_mps:
        raise ValueError(
            f"speed_min_mps={speed_min_mps}, speed_max_mps={speed_max_mps}: must be 0 <= min <= max"
        )
    if not side_m > 0:
        raise ValueError(f"side_m={side_m}: must be positive")
    if not pause_max_s >= 0:
        raise ValueError(f"pause_max_s={pause_max_s}: must not be negative")
    if not 0 <= memory < 1:
        raise ValueError(f"memory={memory}: must lie in [0, 1)")


def _random_waypoint(
    rngs: Sequence[np.random.Generator],
    start_m: Floats,
    n_slots: int,
    slot_s: float,
    side_m: float,
    speed_min_mps: float,
    speed_max_mps: float,
    pause_max_s: float,
) -> Floats:
    """Positions (T, K, 2) on straight lines between turns."""
    times_s = slot_s * np.arange(n_slots)
    path = np.empty((n_slots, len(rngs), 2))
    for k, rng in enumerate(rngs):
        at_s, x_m, y_m = _waypoints(
            rng, start_m[k], slot_s * n_slots, side_m, speed_min_mps, speed_max_mps, pause_max_s
        )
        path[:, k, 0] = np.interp(times_s, at_s, x_m)
        path[:, k, 1] = np.interp(times_s, at_s, y_m)
    return np.clip(path, 0.0, side_m)


def _waypoints(
    rng: np.random.Generator,
    start_m: Floats,
    horizon_s: float,
    side_m: float,
    speed_min_mps: float,
    speed_max_mps: float,
    pause_max_s: float,
) -> tuple[Floats, Floats, Floats]:
    """Times, x and y of a device's turns up to the horizon: it arrives, pauses, departs."""
    at_s, x_m, y_m = [0.0], [float(start_m[0])], [float(start_m[1])]
    while at_s[-1] <= horizon_s:
        for to_x, to_y, speed, pause in rng.random((_LEGS_PER_DRAW, 4)).tolist():
            to_x, to_y = side_m * to_x, side_m * to_y
            speed_mps = max(speed_min_mps + (speed_max_mps - speed_min_mps) * speed, _SLOWEST_MPS)
            flight_m = ((to_x - x_m[-1]) ** 2 + (to_y - y_m[-1]) ** 2) ** 0.5
            arrival_s = at_s[-1] + flight_m / speed_mps
            at_s += [arrival_s, arrival_s + pause_max_s * pause]
            x_m += [to_x, to_x]
            y_m += [to_y, to_y]
    return np.array(at_s), np.array(x_m), np.array(y_m)


def _gauss_markov(
    rngs: Sequence[np.random.Generator],
    start_m: Floats,
    n_slots: int,
    slot_s: float,
    side_m: float,
    speed_min_mps: float,
    speed_max_mps: float,
    memory: float,
) -> Floats:
    """Positions (T, K, 2): first-order autoregressive speed and heading, reflecting edges.

    Speed has the mean and variance of the uniform law on [min, max] and is clipped to that
    range; heading varies around a mean drawn per device. The path is laid out in the plane and
    folded back into the square, which is what specular reflection at its edges does.
    """
    mean_heading = np.array([2 * np.pi * rng.random() for rng in rngs])
    noise = np.array([rng.standard_normal((n_slots, 2)) for rng in rngs])
    state = noise.reshape(-1, n_slots, 2).transpose(1, 0, 2).copy()
    state[1:] *= np.sqrt(1 - memory**2)
    for slot in range(1, n_slots):
        state[slot] += memory * state[slot - 1]
    spread_mps = (speed_max_mps - speed_min_mps) / np.sqrt(12)
    speed_mps = (speed_min_mps + speed_max_mps) / 2 + spread_mps * state[..., 0]
    step_m = slot_s * np.clip(speed_mps, speed_min_mps, speed_max_mps)
    heading = mean_heading + _HEADING_STD_RAD * state[..., 1]
    steps = np.stack([step_m * np.cos(heading), step_m * np.sin(heading)], axis=-1)
    path = start_m + np.concatenate([np.zeros_like(steps[:1]), np.cumsum(steps[:-1], axis=0)])
    return side_m - np.abs(np.mod(path, 2 * side_m) - side_m)

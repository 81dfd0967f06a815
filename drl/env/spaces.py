"""What agents see and what they say: observations and actions as arrays in about [-1, 1].

The state is that of eq. (32), with UAV positions, idle flags, slot index and the availability
mask; the action that of eq. (33). docs/environment.md tabulates units, bounds and normalisation.
Plain NumPy: leading axes are batches. K devices, M UAVs, N satellites, S = M + N servers.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from satedge.problem.generation.channel import free_space_gain
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.projector import reachable
from satedge.problem.referee import uav_gains
from satedge.problem.satellites.orbit import pass_duration_s, slant_range_m
from satedge.problem.scenario import Scenario

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Powers of discretised actions. With limits of 1e-6 W and 1 W they are 10 mW, 32 mW, 0.1 W,
#: 0.32 W and 1 W: lower ones do not reach a satellite in time.
POWER_LEVELS = (1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
#: Features are made for [-1, 1] and clipped here: room for fades and for foreign scenarios.
LIMIT = 2.0
#: Depth of fade and height of crest that the nominal range of a satellite gain leaves room for.
FADE_dB, CREST_dB = 15.0, 3.0


class Encoder:
    """Observations of slots, normalised by the ranges of a reference scenario.

    A trained policy keeps its reference: the same numbers then mean the same thing in a scenario
    with other ranges (fixed deadlines, say). Sizes K, M, N must agree.
    """

    def __init__(self, reference: Scenario) -> None:
        s = self.reference = reference
        k, m, n = s.n_devices, s.n_uavs, s.n_satellites
        self.shapes: dict[str, tuple[int, ...]] = {
            "devices": (k, 6),
            "links": (k, m + 1),
            "uavs": (m, 3),
            "satellites": (n, 2),
            "slot": (1,),
            "idle": (k,),
            "available": (k, m + n),
        }
        ends = np.cumsum([0, *(prod(shape) for shape in self.shapes.values())]).tolist()
        self.places = dict(zip(self.shapes, map(slice, ends[:-1], ends[1:]), strict=True))
        self.size: int = ends[-1]

    def split(self, flat: NDArray) -> dict[str, NDArray]:
        """Views of flat observations (..., size) by name, in their shapes."""
        lead = flat.shape[:-1]
        return {
            name: flat[..., self.places[name]].reshape(*lead, *shape)
            for name, shape in self.shapes.items()
        }

    def exogenous(self, slots: Instance) -> Floats:
        """The part of the observations of T slots that no decision changes: (T, size)."""
        s, active = self.reference, slots.active
        table = np.zeros((slots.n_slots, self.size), np.float32)
        part = self.split(table)
        words = s.output_words
        requests = (
            _scaled(slots.input_bit, s.input_min_bit, s.input_max_bit),
            _scaled(slots.output_words, min(words), max(words)),
            _scaled(slots.deadline_s, s.deadline_min_s, s.deadline_max_s),
            _scaled(slots.accuracy_floor, s.accuracy_min, s.accuracy_max),
        )
        for i, feature in enumerate(requests):
            part["devices"][..., i] = np.where(active, feature, 0.0)
        part["devices"][..., 4:] = _scaled(slots.device_xy_m, 0.0, s.area_side_m)
        part["links"][..., -1] = _scaled(_dB(slots.satellite_gain), *self.satellite_range_dB())
        low, high = s.uav_altitude_min_m, s.uav_altitude_max_m
        part["uavs"][..., 2] = _scaled(slots.uav_altitude_m, low, high)
        part["satellites"][..., 0] = self._window(slots.window_s)
        part["satellites"][..., 1] = slots.access[:, None] == np.arange(s.n_satellites)
        part["idle"][:] = ~active
        c, m = slots.coefficients, slots.scenario.n_uavs
        part["available"][..., m:] = (c.accurate & c.linked[:, None, :])[..., m:]
        return table

    def complete(
        self, table: Floats, slots: Instance, slot: NDArray[np.int64], uav_xy_m: Array
    ) -> Mask:
        """Write what depends on UAVs and time into rows of `exogenous`, (T, size).

        `slot` (T,) counts from the episode's start; `uav_xy_m` (T, M, 2) are the positions before
        the move. Returns the availability mask (T, K, S).
        """
        s, part = self.reference, self.split(table)
        mask = reachable(slots, uav_xy_m)
        gain_dB = _dB(uav_gains(slots, uav_xy_m))
        part["links"][..., :-1] = _scaled(gain_dB, *self.uav_range_dB())
        part["uavs"][..., :2] = _scaled(uav_xy_m, 0.0, s.area_side_m)
        part["slot"][..., 0] = _scaled(slot, 0, s.n_slots)
        part["available"][:] = mask
        return mask

    def uav_range_dB(self) -> tuple[float, float]:
        """Gains across the area's diagonal from the greatest altitude, and right overhead."""
        s = self.reference
        far_m = np.hypot(np.sqrt(2) * s.area_side_m, s.uav_altitude_max_m)
        decay = -10 * s.path_loss_exponent * np.log10([far_m, s.uav_altitude_min_m])
        low, high = s.uav_reference_gain_dB + decay
        return float(low), float(high)

    def satellite_range_dB(self) -> tuple[float, float]:
        """Gains at the least elevation in a deep fade, and in the zenith on a crest."""
        s = self.reference
        far_m = slant_range_m(s.satellite_altitude_m, s.elevation_min_deg)
        range_m = np.array([far_m, s.satellite_altitude_m])
        low, high = _dB(free_space_gain(range_m, s.carrier_Hz, s.antenna_gain_dB))
        return float(low) - FADE_dB, float(high) + CREST_dB

    def _window(self, window_s: Array) -> Array:
        """Remaining windows on a log scale: -1 unseen, 1 a whole pass through the zenith.

        Windows matter when they are about as long as a deadline; a linear scale would hide that.
        """
        return _scaled(np.log1p(window_s / self.reference.slot_s), 0.0, self.whole_window())

    def whole_window(self) -> float:
        """log(1 + slots) of a whole pass through the zenith, which is observed as 1."""
        s = self.reference
        whole_s = pass_duration_s(s.satellite_altitude_m, s.elevation_min_deg)
        return float(np.log1p(whole_s / s.slot_s))


def _scaled(value: NDArray, low: float, high: float) -> Array:
    """[low, high] to [-1, 1], clipped at `LIMIT`; where low = high, 0 to 2 low."""
    middle, half = middle_and_half(low, high)
    return np.clip((value - middle) / half, -LIMIT, LIMIT)


def middle_and_half(low: float, high: float) -> tuple[float, float]:
    """What becomes 0, and what is added to it to become 1."""
    middle = (low + high) / 2
    return middle, (high - low) / 2 or abs(middle) or 1.0


def _dB(gain: Array) -> Array:
    """Power gain in decibels; no link at all is -inf."""
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(gain))


# --- actions


def decode(scenario: Scenario, server: NDArray, continuous: NDArray, previous_xy_m: Array) -> Plan:
    """Raw plan of actions: servers (..., K), `continuous` (..., K + 2M), UAVs from (..., M, 2).

    `continuous[..., :K]` are powers on a log scale, -1 the least and 1 the greatest;
    `continuous[..., K:]` displacements in units of the reach, see `to_disc`. Nothing is checked
    here: numbers outside [-1, 1], finite or not, are the projector's business.
    """
    s = scenario
    values = np.asarray(continuous, float)
    square = values[..., s.n_devices :].reshape(*values.shape[:-1], s.n_uavs, 2)
    with np.errstate(over="ignore", invalid="ignore"):
        uav_xy_m = previous_xy_m + s.uav_reach_m * to_disc(square)
        return Plan(server, to_power_W(s, values[..., : s.n_devices]), uav_xy_m)


def to_power_W(scenario: Scenario, level: NDArray) -> Array:
    """Powers of levels, of any shape: -1 is power_min_W, 1 is power_max_W, geometric in between."""
    low, high = np.log(scenario.power_min_W), np.log(scenario.power_max_W)
    return np.exp(low + (high - low) * (np.asarray(level, float) + 1) / 2)


def from_power_W(scenario: Scenario, power_W: Array) -> Array:
    """The inverse of `to_power_W`, of any shape; 0 W is the least power."""
    low, high = np.log(scenario.power_min_W), np.log(scenario.power_max_W)
    log_power = np.log(np.maximum(power_W, scenario.power_min_W))
    return 2 * (log_power - low) / ((high - low) or 1.0) - 1


def to_disc(square: Array) -> Array:
    """[-1, 1]^2 onto the unit disc, (..., 2): edges become the circle, the centre stays.

    (a, b) -> (a sqrt(1 - b^2/2), b sqrt(1 - a^2/2)), smooth and one-to-one, so that no action of
    the square needs to be clipped to the reach (Fong, arXiv:1509.06344, elliptical grid mapping).
    What lies outside the square stays outside the disc, in about its direction.
    """
    shrink = np.sqrt(1 - np.clip(square[..., ::-1], -1, 1) ** 2 / 2)
    return np.asarray(square * shrink)


def from_disc(disc: Array) -> Array:
    """The inverse of `to_disc` on the unit disc, (..., 2)."""
    root = 2 * np.sqrt(2.0) * disc
    base = 2 + disc**2 - disc[..., ::-1] ** 2
    return np.asarray(
        (np.sqrt(np.maximum(base + root, 0.0)) - np.sqrt(np.maximum(base - root, 0.0))) / 2
    )


def best_available(scores: NDArray, mask: Mask) -> NDArray[np.int64]:
    """Servers (..., K) of highest score (..., K, S) among the available; -1 where none is."""
    choice = np.where(mask, scores, -np.inf).argmax(axis=-1)
    return np.where(mask.any(axis=-1), choice, -1)


def headings(n_headings: int) -> Floats:
    """Stay, and a full step in `n_headings` directions, as actions: (n_headings + 1, 2)."""
    angle = 2 * np.pi * np.arange(n_headings) / n_headings
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return from_disc(np.vstack([np.zeros(2), circle])).astype(np.float32)

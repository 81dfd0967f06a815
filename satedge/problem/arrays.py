"""The arrays of an instance: declared with shape, unit and range, and checked.

Arrays are read-only. K devices, M UAVs, N satellites, S = M + N servers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.problem.scenario import Scenario


class InstanceError(ValueError):
    """An instance is damaged. The message says field, value and what is allowed."""


def array(
    shape: str, unit: str, doc: str, *, kind: str = "f8", low: float = -np.inf, high: float = np.inf
) -> Any:
    """Declare an array field: shape in the letters T, K, M, N, S, range and unit."""
    metadata = {"shape": shape, "unit": unit, "doc": doc, "kind": kind, "low": low, "high": high}
    return field(metadata=metadata)


@dataclass(frozen=True, eq=False)
class Arrays:
    """What an instance holds. `check` says whether it fits together."""

    name: str
    scenario: Scenario
    seed: int

    active: NDArray[np.bool_] = array("TK", "-", "The device has a request.", kind="?")
    input_bit: NDArray[np.float64] = array("TK", "bit", "Input size u; 0 when idle.", low=0)
    output_words: NDArray[np.int64] = array(
        "TK", "words", "Output length o; 0 when idle.", kind="i8", low=0, high=10**9
    )
    deadline_s: NDArray[np.float64] = array("TK", "s", "T_max; 0 when idle.", low=0)
    accuracy_floor: NDArray[np.float64] = array("TK", "-", "a; 0 when idle.", low=0, high=1)
    device_xy_m: NDArray[np.float64] = array("TK2", "m", "Device positions.")
    uav_xy_m: NDArray[np.float64] = array("M2", "m", "UAV positions before slot 0.")
    uav_altitude_m: NDArray[np.float64] = array(
        "TM", "m", "UAV altitudes; the generator keeps each one fixed.", low=1e-3
    )
    uav_fading: NDArray[np.float64] = array("TKM", "-", "|h^|^2 of (7).", low=0)
    satellite_gain: NDArray[np.float64] = array(
        "TK", "-", "Power gain to the accessible satellite; 0 without one.", low=0, high=1
    )
    elevation_deg: NDArray[np.float64] = array(
        "TN", "deg", "Elevation at the area's centre.", low=-90, high=90
    )
    range_m: NDArray[np.float64] = array("TN", "m", "Slant range.", low=1e3)
    window_s: NDArray[np.float64] = array("TN", "s", "Remaining visibility; 0 unseen.", low=0)
    access: NDArray[np.int64] = array(
        "T", "-", "Accessible satellite in 0..N-1, -1 for none.", kind="i8", low=-1
    )
    isl_hops: NDArray[np.int64] = array(
        "TN", "-", "Hops from the accessible satellite, -1 unreachable.", kind="i8", low=-1
    )
    isl_distance_m: NDArray[np.float64] = array("TN", "m", "Length of that path.", low=0)
    server_accuracy: NDArray[np.float64] = array("S", "-", "Accuracy A.", low=0, high=1)
    server_work_TFLOP: NDArray[np.float64] = array("S", "TFLOP/word", "Work v.", low=1e-9)

    @property
    def sizes(self) -> dict[str, int]:
        """The letters of the shapes. T comes from `active`, the rest from the scenario."""
        s = self.scenario
        n_slots = int(np.shape(self.active)[0]) if np.ndim(self.active) else 0
        return {
            "T": n_slots,
            "K": s.n_devices,
            "M": s.n_uavs,
            "N": s.n_satellites,
            "S": s.n_servers,
            "2": 2,
        }

    @property
    def n_slots(self) -> int:
        """T."""
        return int(self.active.shape[0])

    def check(self) -> None:
        """Make all arrays read-only, of their declared types. Raises InstanceError."""
        sizes = self.sizes
        for declared in array_fields():
            value = _checked(declared.name, getattr(self, declared.name), declared.metadata, sizes)
            object.__setattr__(self, declared.name, value)
        self._check_requests()
        self._check_satellites()
        for name in ("device_xy_m", "uav_xy_m"):
            _check_range(name, getattr(self, name), 0.0, self.scenario.area_side_m)

    def checked_positions(self, uav_xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Other UAV positions (M, 2) in place of `uav_xy_m`. Raises InstanceError."""
        meta = next(f.metadata for f in array_fields() if f.name == "uav_xy_m")
        checked = _checked("uav_xy_m", uav_xy_m, meta, self.sizes)
        _check_range("uav_xy_m", checked, 0.0, self.scenario.area_side_m)
        return checked

    def _check_requests(self) -> None:
        idle = ~self.active
        for name in ("input_bit", "output_words", "deadline_s"):
            value = getattr(self, name)
            bad = np.argwhere(self.active & (value <= 0))
            if len(bad):
                raise _error(name, tuple(bad[0]), value[tuple(bad[0])], "more than 0 for a request")
            bad = np.argwhere(idle & (value != 0))
            if len(bad):
                raise _error(name, tuple(bad[0]), value[tuple(bad[0])], "0 for an idle device")

    def _check_satellites(self) -> None:
        n = self.scenario.n_satellites
        for t, a in enumerate(self.access):
            if a >= n:
                raise _error("access", (t,), a, f"-1..{n - 1}")
            if a >= 0 and (self.window_s[t, a] <= 0 or self.isl_hops[t, a] != 0):
                raise _error("access", (t,), a, "a satellite with a window and 0 hops")
        seen = self.access >= 0
        bad = np.argwhere((self.satellite_gain > 0) != seen[:, None])
        if len(bad):
            t, k = bad[0]
            rule = "more than 0 with an accessible satellite, 0 without"
            raise _error("satellite_gain", (t, k), self.satellite_gain[t, k], rule)
        bad = np.argwhere((self.isl_hops >= 0) & ~seen[:, None])
        if len(bad):
            t, i = bad[0]
            raise _error("isl_hops", (t, i), self.isl_hops[t, i], "-1 without an accessible one")


@cache
def array_fields() -> tuple[Any, ...]:
    """The declared array fields of an Instance, in order."""
    return tuple(f for f in fields(Arrays) if "shape" in f.metadata)


def _error(name: str, index: tuple[Any, ...], value: Any, allowed: str) -> InstanceError:
    place = "".join(f"[{int(i)}]" for i in index)
    return InstanceError(f"{name}{place} = {value}: allowed is {allowed}")


def _checked(name: str, raw: Any, meta: Any, sizes: dict[str, int]) -> NDArray[Any]:
    shape = tuple(sizes[letter] for letter in meta["shape"])
    if sizes["T"] < 1:
        raise InstanceError("active: allowed is at least one slot")
    try:
        given = np.asarray(raw)
        if given.size == 0:
            given = np.zeros(shape if 0 in shape else given.shape, meta["kind"])
        value = given.astype(meta["kind"], casting="same_kind")
    except (TypeError, ValueError):
        kind = {"f8": "numbers", "i8": "whole numbers", "?": "true and false"}[meta["kind"]]
        raise InstanceError(f"{name}: allowed is a {shape} array of {kind}") from None
    if value.shape != shape:
        raise InstanceError(
            f"{name} has shape {value.shape}: allowed is {shape}, ({', '.join(meta['shape'])})"
        )
    if meta["kind"] != "?":
        _check_range(name, value, meta["low"], meta["high"])
    value.setflags(write=False)
    return value


def _check_range(name: str, value: NDArray[Any], low: float, high: float) -> None:
    fine = np.isfinite(value) & (value >= low) & (value <= high)
    if not fine.all():
        index = tuple(np.argwhere(~fine)[0])
        ends = f"a finite number in [{low:g}, {high:g}]".replace("[-inf", "(-inf")
        raise _error(name, index, value[index], ends.replace("inf]", "inf)"))

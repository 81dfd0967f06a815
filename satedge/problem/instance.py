"""An instance: everything a decision maker is given for T slots, as arrays.

A one-slot problem and an episode of a hundred slots are the same type; `window` cuts one out of
the other. Arrays are read-only. K devices, M UAVs, N satellites, S = M + N servers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.problem.arrays import Arrays, InstanceError, array_fields
from satedge.problem.coefficients import Coefficients, coefficients
from satedge.problem.scenario import Scenario

__all__ = ["GENERATOR_VERSION", "Instance", "InstanceError", "array_fields", "join"]

#: Raised by every change that alters what a (scenario, seed) pair generates.
GENERATOR_VERSION = 1


@dataclass(frozen=True, eq=False, repr=False)
class Instance(Arrays):
    """P1 over T slots. Validated where it is made (raises InstanceError)."""

    tabulated: InitVar[Coefficients | None] = None
    """Coefficients of slots cut out of an instance, whose arrays need no further check."""

    def __post_init__(self, tabulated: Coefficients | None) -> None:
        if tabulated is None:
            self.check()
        else:
            object.__setattr__(self, "coefficients", tabulated)

    @cached_property
    def coefficients(self) -> Coefficients:
        """What does not depend on decisions, computed once. See `coefficients`."""
        return coefficients(self)

    @cached_property
    def outage_cost(self) -> NDArray[np.float64]:
        """(T, K) C_out, the most that a request costs: what refusing it costs, 0 when idle."""
        return self.scenario.penalty_per_s * self.deadline_s

    @cached_property
    def content_sha256(self) -> str:
        """Hash of scenario, seed and all arrays; the name is left out."""
        digest = hashlib.sha256()
        head = {"scenario": self.scenario.to_dict(), "seed": self.seed}
        digest.update(json.dumps(head, sort_keys=True).encode())
        for declared in array_fields():
            value = getattr(self, declared.name)
            little = value.astype(value.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{declared.name}{value.shape}".encode())
            digest.update(little.tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        slots = f"{self.n_slots} slot{'s' * (self.n_slots != 1)}"
        s = self.scenario
        servers = f"{s.n_uavs} UAVs, {s.n_satellites} satellites"
        return f"<Instance {self.name}: {slots}, {s.n_devices} devices, {servers}>"

    def _repr_html_(self) -> str:
        s = self.scenario
        told = {
            "instance": self.name, "slots": self.n_slots, "devices": s.n_devices,
            "UAVs": s.n_uavs, "satellites": s.n_satellites, "seed": self.seed,
            "requests": int(self.active.sum()), "sha256": f"{self.content_sha256[:12]}…",
        }  # fmt: skip
        cells = "".join(f"<tr><th>{k}</th><td>{escape(str(v))}</td></tr>" for k, v in told.items())
        return f"<table>{cells}</table>"

    def with_scenario(self, scenario: Scenario) -> Instance:
        """The same arrays in another scenario of the same sizes, checked and tabulated anew."""
        return dataclasses.replace(self, scenario=scenario)

    def window(
        self, start: int, stop: int, uav_xy_m: NDArray[np.float64] | None = None, name: str = ""
    ) -> Instance:
        """Slots start..stop-1 as an instance of their own, UAVs starting at `uav_xy_m` (M, 2).

        Raises InstanceError for an empty or foreign part, or positions outside the area.
        """
        if not 0 <= start < stop <= self.n_slots:
            raise InstanceError(
                f"window {start}:{stop}: allowed is a part of 0:{self.n_slots} with a slot in it"
            )
        at = self.uav_xy_m if uav_xy_m is None else self.checked_positions(uav_xy_m)
        return self.rows(slice(start, stop), at, name or f"{self.name}@{start}:{stop}")

    def rows(
        self, index: Any, uav_xy_m: NDArray[np.float64] | None = None, name: str = ""
    ) -> Instance:
        """Chosen slots, in any order, as an instance: the slots of a batch of environments.

        `index` is a slice, slots or a mask; `uav_xy_m` (M, 2) is where the UAVs start. The result
        is not validated again and shares memory where `index` is a slice.
        """
        arrays = {f.name: getattr(self, f.name) for f in array_fields()}
        arrays |= {n: arrays[n][index] for n in SLOT_ARRAYS}
        if uav_xy_m is not None:
            arrays["uav_xy_m"] = uav_xy_m
        known = self.coefficients.rows(index)
        return Instance(name, self.scenario, self.seed, **arrays, tabulated=known)


#: Arrays whose first axis is that of slots.
SLOT_ARRAYS = tuple(f.name for f in array_fields() if f.metadata["shape"][0] == "T")


def join(instances: Sequence[Instance], name: str = "joined") -> Instance:
    """Instances of one scenario one after the other along the slot axis, as a pool of slots.

    For `rows`: the result's own UAV start positions are the first instance's.
    """
    first = instances[0]
    arrays = {f.name: getattr(first, f.name) for f in array_fields()}
    arrays |= {n: np.concatenate([getattr(i, n) for i in instances]) for n in SLOT_ARRAYS}
    return Instance(name, first.scenario, first.seed, **arrays)

"""Plans and outcomes: what methods return. Costs are the referee's alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

#: What a method says of its own run; the referee decides whether it is true. `finished`: nothing
#: left to do, nothing proved. Whether a plan is feasible is not the method's to say.
Status = Literal["optimal", "finished", "infeasible", "stopped", "failed"]

#: Server of an idle device, and of a request that is refused.
NO_SERVER = -1


class PlanError(ValueError):
    """A plan does not fit its instance in shape or kind."""


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """Decisions of T slots, or stacks of them: every array may have leading axes."""

    server: NDArray[np.int64]
    """(..., T, K) in -1..S-1."""
    power_W: NDArray[np.float64]
    """(..., T, K) transmit powers, 0 where no server is used."""
    uav_xy_m: NDArray[np.float64]
    """(..., T, M, 2) UAV positions, reached at the start of the slot."""

    def __repr__(self) -> str:
        slots, uavs = np.shape(self.server), np.shape(self.uav_xy_m)
        if len(slots) < 2 or len(uavs) < 3:
            return f"<Plan of shape {slots}>"
        stack = f"{slots[:-2]} of " if slots[:-2] else ""
        many = f"{slots[-2]} slot{'s' * (slots[-2] != 1)}"
        return f"<Plan {stack}{many}, {slots[-1]} devices, {uavs[-2]} UAVs>"

    def slots(self, start: int, stop: int) -> Plan:
        """The part for slots start..stop-1."""
        return Plan(
            self.server[..., start:stop, :],
            self.power_W[..., start:stop, :],
            self.uav_xy_m[..., start:stop, :, :],
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "server": self.server.tolist(),
            "power_W": self.power_W.tolist(),
            "uav_xy_m": self.uav_xy_m.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Any) -> Plan:
        """The inverse of `to_dict`. Raises PlanError where numbers of other types stand, or none.

        Whether it fits an instance is for the referee to say.
        """
        try:
            server, power_W, uav_xy_m = (
                np.array(values[name]).astype(kind, casting="same_kind")
                for name, kind in (("server", "i8"), ("power_W", "f8"), ("uav_xy_m", "f8"))
            )
            return cls(server, power_W, uav_xy_m.reshape((*power_W.shape[:-1], -1, 2)))
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise PlanError(f"it holds no plan ({' '.join(str(error).split())})") from None


def stack(plans: list[Plan]) -> Plan:
    """Several plans of one instance along a new leading axis; their shapes must agree."""
    return Plan(
        np.stack([p.server for p in plans]),
        np.stack([p.power_W for p in plans]),
        np.stack([p.uav_xy_m for p in plans]),
    )


def concatenate(plans: list[Plan]) -> Plan:
    """Plans of consecutive slots as one, along the slot axis; other axes must agree."""
    return Plan(
        np.concatenate([p.server for p in plans], axis=-2),
        np.concatenate([p.power_W for p in plans], axis=-2),
        np.concatenate([p.uav_xy_m for p in plans], axis=-3),
    )


@dataclass(frozen=True)
class TracePoint:
    """Best plan and bound known at some moment of a run."""

    wall_s: float
    cost: float
    """Mean elastic cost per slot and device of the incumbent; inf without one."""
    lower_bound: float
    """Certified bound on the same quantity; -inf without one."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method returns: a plan, perhaps a bound with its certificate, never a cost."""

    plan: Plan | None
    status: Status = "finished"
    lower_bound: float | None = None
    """Valid for the elastic cost of the whole instance, per slot and device."""
    certificate: dict[str, Any] = field(default_factory=dict, repr=False)
    """How the bound (or infeasibility) can be checked: JSON values."""
    trace: tuple[TracePoint, ...] = field(default=(), repr=False)
    info: dict[str, Any] = field(default_factory=dict, repr=False)
    """Anything else worth keeping with the run: JSON values."""


@dataclass(frozen=True, eq=False)
class Progress:
    """An incumbent, a bound, or both, as they are found."""

    plan: Plan | None = None
    lower_bound: float | None = None


#: Methods call this with what they have found so far; a killed method is scored on the last call.
Report = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """A Report that keeps nothing."""

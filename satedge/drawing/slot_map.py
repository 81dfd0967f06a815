"""What a drawing of one slot shows: devices, UAVs before and after moving, links, satellites.

One function decides it for files, animations, the learners' environment and the report page.
Positions on the ground are metres; satellites stand in a row above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.referee import Verdict, judge

State = Literal["idle", "undecided", "refused", "served"]
STATES: tuple[State, ...] = get_args(State)
Place = tuple[float, float]

#: From Okabe and Ito's palette: warm for UAVs, cool for satellites. Longer fleets repeat them.
UAV_COLOURS = ("#E69F00", "#D55E00", "#8C6D1F", "#CC79A7")
SATELLITE_COLOURS = ("#0072B2", "#3C9FD8", "#009E73", "#5D4A9C")

#: Of a larger constellation only the satellites in sight or at work are shown, and so many of them.
ALL_SATELLITES, MOST_SATELLITES = 6, 8

#: Metres below which a UAV counts as resting.
RESTING_M = 1.0


@dataclass(frozen=True)
class Device:
    """A device and its link."""

    name: str
    xy_m: Place
    state: State
    server: int
    """Index of its server, by which it is coloured; -1 for none."""
    power_W: float
    strength: float
    """Of its link, from 0 (1 mW or less) to 3 (1 W or more)."""
    deadline_miss: bool


@dataclass(frozen=True)
class Uav:
    """A UAV before and after moving."""

    name: str
    before_xy_m: Place
    xy_m: Place
    moved: bool
    serves: bool
    trail_m: tuple[Place, ...]
    """Where it has been, from the start of the episode until now."""


@dataclass(frozen=True)
class Satellite:
    """A satellite in the row above the ground."""

    server: int
    place: float
    """In the row, from 0 to 1."""
    height: float
    """Of an arc over the row, from 0 to 1."""
    name: str
    note: str
    """Elevation or how it is reached, and its requests."""
    load: int
    """Requests that it serves."""
    access: bool
    """Devices send to this one; others are reached through it."""

    @property
    def relayed(self) -> bool:
        """Its requests come through the accessible satellite."""
        return self.load > 0 and not self.access


@dataclass(frozen=True)
class SlotMap:
    """Everything that is drawn of a slot."""

    side_m: float
    coverage_m: float
    colours: tuple[str, ...]
    """Of every server."""
    devices: tuple[Device, ...]
    uavs: tuple[Uav, ...]
    satellites: tuple[Satellite, ...]
    summary: str
    """The referee's figures, if a plan was decided."""

    @property
    def accessible(self) -> Satellite | None:
        """The satellite that devices send to, if it is shown."""
        return next((s for s in self.satellites if s.access), None)

    def as_json(self) -> dict[str, Any]:
        """For the page, which knows the side, the coverage and the colours of the instance.

        Devices: x, y, number of the state, server, strength, deadline missed. UAVs: x and y before,
        x, y, moved, serves. Satellites: server, place, height, name, note, load, accessible.
        """
        return {
            "devices": [_device_json(d) for d in self.devices],
            "uavs": [
                [*_rounded(u.before_xy_m), *_rounded(u.xy_m), int(u.moved), int(u.serves)]
                for u in self.uavs
            ],
            "satellites": [_satellite_json(s) for s in self.satellites],
        }


def _device_json(d: Device) -> list[float]:
    state = STATES.index(d.state)
    return [*_rounded(d.xy_m), state, d.server, round(d.strength, 2), int(d.deadline_miss)]


def _satellite_json(s: Satellite) -> list[float | str]:
    place = (round(s.place, 3), round(s.height, 3))
    return [s.server, *place, s.name, s.note, s.load, int(s.access)]


def server_colours(instance: Instance) -> tuple[str, ...]:
    """One colour per server."""
    s = instance.scenario
    uavs = [UAV_COLOURS[m % len(UAV_COLOURS)] for m in range(s.n_uavs)]
    others = [SATELLITE_COLOURS[n % len(SATELLITE_COLOURS)] for n in range(s.n_satellites)]
    return (*uavs, *others)


def slot_map(
    instance: Instance, plan: Plan | None, slot: int, verdict: Verdict | None = None
) -> SlotMap:
    """What to draw of a slot under a plan, or before one is decided.

    `verdict` is the referee's on the plan; it is asked where none is given.
    """
    if plan is not None and verdict is None:
        verdict = judge(instance, plan)
    s = instance.scenario
    return SlotMap(
        side_m=s.area_side_m,
        coverage_m=s.uav_coverage_m,
        colours=server_colours(instance),
        devices=tuple(_device(instance, plan, verdict, slot, k) for k in range(s.n_devices)),
        uavs=tuple(_uav(instance, plan, slot, m) for m in range(s.n_uavs)),
        satellites=_satellites(instance, _servers(instance, plan, slot), slot),
        summary=_summary(instance, verdict, slot) if verdict is not None else "",
    )


def _device(
    instance: Instance, plan: Plan | None, verdict: Verdict | None, slot: int, k: int
) -> Device:
    server, power_W = NO_SERVER, 0.0
    if plan is not None and instance.active[slot, k]:
        server, power_W = int(plan.server[slot, k]), float(plan.power_W[slot, k])
    if not instance.active[slot, k]:
        state: State = "idle"
    elif plan is None:
        state = "undecided"
    else:
        state = "served" if server >= 0 else "refused"
    strength = float(np.clip(np.log10(max(power_W, 1e-6)) + 3, 0, 3))
    missed = verdict is not None and bool(verdict.missed[slot, k])
    at = _place(instance.device_xy_m[slot, k])
    return Device(str(k), at, state, server, power_W, strength, missed)


def _uav(instance: Instance, plan: Plan | None, slot: int, m: int) -> Uav:
    trail = [_place(instance.uav_xy_m[m])]
    if plan is None:
        return Uav(f"UAV {m}", trail[0], trail[0], False, False, ())
    trail += [_place(at) for at in plan.uav_xy_m[: slot + 1, m]]
    before, now = trail[-2:]
    moved = float(np.hypot(now[0] - before[0], now[1] - before[1])) > RESTING_M
    serves = bool((plan.server[slot] == m).any())
    return Uav(f"UAV {m}", before, now, moved, serves, tuple(trail) if slot else ())


def _servers(instance: Instance, plan: Plan | None, slot: int) -> Any:
    """(K,) servers of the slot, -1 for none."""
    return (
        plan.server[slot] if plan is not None else np.full(instance.scenario.n_devices, NO_SERVER)
    )


def _satellites(instance: Instance, server: Any, slot: int) -> tuple[Satellite, ...]:
    n_uavs, n_satellites = instance.scenario.n_uavs, instance.scenario.n_satellites
    shown = list(range(n_satellites))
    if n_satellites > ALL_SATELLITES:
        at_work = {int(v) - n_uavs for v in server if v >= n_uavs}
        in_sight = set(np.flatnonzero(instance.window_s[slot] > 0).tolist())
        shown = sorted(at_work | in_sight)[:MOST_SATELLITES]
    places = [(i + 0.5) / len(shown) for i in range(len(shown))]
    return tuple(
        _satellite(instance, server, slot, n, place) for n, place in zip(shown, places, strict=True)
    )


def _satellite(instance: Instance, server: Any, slot: int, n: int, place: float) -> Satellite:
    index = instance.scenario.n_uavs + n
    load, access = int((server == index).sum()), n == int(instance.access[slot])
    visible = instance.window_s[slot, n] > 0
    note = f"{instance.elevation_deg[slot, n]:.0f}°" if visible else "out of sight"
    if load and not access:
        note = "by relay"
    if load:
        note += f" · {load} request{'s' * (load != 1)}"
    name = f"SAT {n}" + " · access" * access
    return Satellite(index, place, float(np.sin(np.pi * place)), name, note, load, access)


def _summary(instance: Instance, verdict: Verdict, slot: int) -> str:
    served = instance.active[slot] & ~verdict.refused[slot]
    latency = verdict.latency_s[slot][served].mean() if served.any() else 0.0
    missed = int(verdict.missed[slot].sum())
    return (
        f"cost {verdict.slot_cost[slot]:.3f}   mean latency {latency:.2f} s   "
        f"energy {verdict.energy_J[slot].sum():.0f} J   "
        f"deadline misses {missed} of {int(served.sum())}"
    )


def _place(at: Any) -> Place:
    return float(at[0]), float(at[1])


def _rounded(at: Place) -> list[float]:
    return [round(at[0], 1), round(at[1], 1)]

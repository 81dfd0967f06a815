"""P1, the part that both formulations share before the rates: servers and positions.

Lengths are in units of 100 m and gains in units of the noise, so that numbers are near 1. Sets:
pairs (k, s) of device and server, links (k, r) of device and receiver (M: accessible satellite).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyomo.environ as pyo

from minlp.p1.bounds import Limits
from minlp.p1.data import SlotTerms

#: Metres in the models' unit of length: coordinates and reach are then of order one.
UNIT_M = 100.0


@dataclass(frozen=True, eq=False)
class Slot:
    """Data of a model and the index sets made of it."""

    terms: SlotTerms
    limits: Limits
    elastic: bool
    cuts: bool
    cutoff: float | None

    @property
    def devices(self) -> tuple[int, ...]:
        """Devices that have a request."""
        return self.terms.devices

    @cached_property
    def servers(self) -> dict[int, list[int]]:
        """Servers that each device may use."""
        n = self.terms.scenario.n_servers
        return {k: [b for b in range(n) if self.limits.allowed[k, b]] for k in self.devices}

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """(device, server) wherever the device may use the server."""
        return [(k, b) for k in self.devices for b in self.servers[k]]

    @cached_property
    def links(self) -> list[tuple[int, int]]:
        """(device, receiver) wherever the device may send to the receiver."""
        return sorted({(k, int(self.terms.receiver[b])) for k, b in self.pairs})

    @cached_property
    def receivers(self) -> list[int]:
        """Receivers that some device may use."""
        return sorted({r for _, r in self.links})

    @cached_property
    def refusable(self) -> list[int]:
        """Requests that may be refused; none in the hard form."""
        return [k for k in self.devices if self.elastic and self.limits.refusal[k]]

    def servers_at(self, k: int, receivers: Any) -> list[int]:
        """Servers of device k behind any of the receivers."""
        return [b for b in self.servers[k] if self.terms.receiver[b] in receivers]

    def above(self, k: int) -> list[int]:
        """Satellites of device k."""
        return self.servers_at(k, (self.terms.scenario.n_uavs,))

    @cached_property
    def late(self) -> list[int]:
        """Devices that may overrun their deadline within the limits."""
        t = self.terms
        latest = self.limits.upload_high_s + t.constant_s + t.download_high_s - t.deadline_s
        shared = t.scenario.compute_sharing == "shared"
        return [k for k in self.devices if shared or self.limits.most(latest, k, -1.0) > -1e-9]


def add_common(model: pyo.ConcreteModel) -> None:
    """Servers and positions."""
    add_servers(model)
    one_server(model)
    add_motion(model)
    coverage(model)
    if model.slot.terms.scenario.uav_separation_m > 0:
        separation(model)


def add_servers(model: pyo.ConcreteModel) -> None:
    """Choice of servers. Pairs that break the accuracy floor (2), (31b), visibility (5), or
    that no motion brings into coverage (3), have no variable."""
    slot: Slot = model.slot
    model.serves = pyo.Var(slot.pairs, domain=pyo.Binary)
    model.refuses = pyo.Var(slot.refusable, domain=pyo.Binary)


def entry(component: Any, index: Any, otherwise: Any) -> Any:
    """A member of an indexed component, or something else where it has none (no dict's `get`)."""
    if index not in component:
        return otherwise
    return component[index]


def chosen(model: pyo.ConcreteModel, k: int, servers: list[int]) -> Any:
    """1 where device k uses one of the servers."""
    return sum(model.serves[k, b] for b in servers)


def refused(model: pyo.ConcreteModel, k: int) -> Any:
    """1 where the request of device k is refused."""
    return entry(model.refuses, k, 0)


def by_server(model: pyo.ConcreteModel, k: int, table: Any) -> Any:
    """Entry of a table (K, S) at the server of device k, 0 when refused."""
    return sum(float(table[k, b]) * model.serves[k, b] for b in model.slot.servers[k])


def one_server(model: pyo.ConcreteModel) -> None:
    """Each request has one server, or is refused. Eq. (1)."""

    def rule(m: Any, k: int) -> Any:
        if not m.slot.servers[k] and k not in m.refuses:
            return pyo.Constraint.Infeasible
        return chosen(m, k, m.slot.servers[k]) + refused(m, k) == 1

    model.one_server = pyo.Constraint(model.slot.devices, rule=rule)


def add_motion(model: pyo.ConcreteModel) -> None:
    """Displacement d of each UAV, in the area and at most its reach; q = |d|^2. Section 3.2."""
    t: SlotTerms = model.slot.terms
    start, side = t.instance.uav_xy_m / UNIT_M, t.scenario.area_side_m / UNIT_M
    reach, uavs = t.reach_m / UNIT_M, range(t.scenario.n_uavs)

    def within(_: Any, m: int, axis: int) -> tuple[float, float]:
        return max(-reach, -start[m, axis]), min(reach, side - start[m, axis])

    model.move = pyo.Var(uavs, (0, 1), bounds=within, initialize=0.0)
    model.square = pyo.Var(uavs, bounds=(0, reach**2), initialize=0.0)
    model.motion = pyo.Constraint(
        uavs, rule=lambda m, u: m.square[u] == m.move[u, 0] ** 2 + m.move[u, 1] ** 2
    )


def slant(model: pyo.ConcreteModel, k: int, m: int) -> Any:
    """Squared slant distance |w_k - q_m|^2 + z_m^2, affine in displacement and its square."""
    one = model.slot.terms.instance
    away = (one.uav_xy_m[m] - one.device_xy_m[0, k]) / UNIT_M
    constant = float(away @ away + (one.uav_altitude_m[0, m] / UNIT_M) ** 2)
    along = 2 * sum(float(away[axis]) * model.move[m, axis] for axis in (0, 1))
    return model.square[m] + along + constant


def coverage_square(terms: SlotTerms, m: int) -> float:
    """Squared slant distance at the edge of the coverage of UAV m. Eq. (3)."""
    edge = terms.scenario.uav_coverage_m**2 + terms.instance.uav_altitude_m[0, m] ** 2
    return float(edge) / UNIT_M**2


def coverage(model: pyo.ConcreteModel) -> None:
    """A UAV serves within its coverage radius. Eq. (3)."""
    t: SlotTerms = model.slot.terms

    def rule(m: Any, k: int, u: int) -> Any:
        edge, far = coverage_square(t, u), t.squared_high_m2[k, u] / UNIT_M**2
        if far <= edge:
            return pyo.Constraint.Skip
        return slant(m, k, u) <= far - (far - edge) * m.serves[k, u]

    near = [(k, b) for k, b in model.slot.pairs if b < t.scenario.n_uavs]
    model.coverage = pyo.Constraint(near, rule=rule)


def separation(model: pyo.ConcreteModel) -> None:
    """Least distance between UAVs after moving, an option beyond the paper."""
    t: SlotTerms = model.slot.terms
    start, least = t.instance.uav_xy_m / UNIT_M, t.scenario.uav_separation_m / UNIT_M

    def rule(m: Any, a: int, b: int) -> Any:
        apart = [start[a, i] - start[b, i] + m.move[a, i] - m.move[b, i] for i in (0, 1)]
        return apart[0] ** 2 + apart[1] ** 2 >= least**2

    couples = [(a, b) for b in range(t.scenario.n_uavs) for a in range(b)]
    model.separation = pyo.Constraint(couples, rule=rule)


def upload_bounds(slot: Slot, k: int) -> tuple[float, float]:
    """Range of the upload time of device k."""
    low = 0.0 if k in slot.refusable else slot.limits.least(slot.limits.upload_low_s, k)
    return low, slot.limits.most(slot.limits.upload_high_s, k)


def power_bounds(slot: Slot, k: int) -> tuple[float, float]:
    """Range of the power of device k where it sends."""
    box, s = slot.limits, slot.terms.scenario
    low = box.least(box.power_low_W, k, s.power_min_W)
    return low, max(low, box.most(box.power_high_W, k, s.power_max_W))


def sends_among(model: pyo.ConcreteModel, j: int, r: int) -> Any:
    """1 where the signal of device j disturbs those served by receiver r. Eqs. (8), (10).

    The number 1 when that is certain. By scope: every sender; those of the same tier; those of
    the same receiver.
    """
    slot: Slot = model.slot
    s = slot.terms.scenario
    if s.interference_scope == "all":
        return 1 if j not in model.refuses else 1 - model.refuses[j]
    same: tuple[int, ...] = (r,)
    if s.interference_scope == "tier" and r < s.n_uavs:
        same = tuple(range(s.n_uavs))
    return chosen(model, j, slot.servers_at(j, same))


def disturbers(slot: Slot, k: int, r: int) -> list[int]:
    """Devices that may disturb device k at receiver r."""
    s = slot.terms.scenario
    if s.interference_leakage == 0:
        return []
    same = range(s.n_uavs + 1)
    if s.interference_scope == "server" or (s.interference_scope == "tier" and r == s.n_uavs):
        same = range(r, r + 1)
    elif s.interference_scope == "tier":
        same = range(s.n_uavs)
    heard = slot.terms.gain_range[1][:, r] > 0
    return [j for j in slot.devices if j != k and heard[j] and slot.servers_at(j, same)]

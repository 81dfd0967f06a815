"""P1, the part that both formulations share after the rates: latency, energy, cost.

The rates bring `upload_s`, `upload_J` and `sky_W` (power towards satellites), and the functions
`noise_over_own` and `other_over_own` of a device and a UAV, for the download.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from minlp.p1.common import Slot, by_server, entry, refused
from minlp.p1.data import SlotTerms
from minlp.p1.seats import add_seats, waiting_s


def add_costs(model: pyo.ConcreteModel) -> None:
    """Download, sharing, latency, energy and objective; after the rates."""
    add_download(model)
    add_sharing(model)
    add_latency(model)
    deadline(model)
    add_energy(model)
    add_objective(model)
    if model.slot.cuts:
        lone_sender_cuts(model)


def add_download(model: pyo.ConcreteModel) -> None:
    """Time of a UAV's answer, all other UAVs disturbing it. Eqs. (9), (16)."""
    t: SlotTerms = model.slot.terms
    s = t.scenario
    pairs = [(k, b) for k, b in model.slot.pairs if b < s.n_uavs and t.download_load_s[k] > 0]
    if model.download == "bound" or not pairs:
        model.download_s = pyo.Expression(
            model.slot.devices, rule=lambda m, k: by_server(m, k, t.download_low_s)
        )
        return
    model.download_ms = pyo.Var(model.slot.devices, domain=pyo.NonNegativeReals)
    model.download_s = pyo.Expression(model.slot.devices, rule=lambda m, k: 1e-3 * m.download_ms[k])

    def rule(m: Any, k: int, u: int) -> Any:
        disturbed = m.noise_over_own(k, u) / s.uav_power_W
        if s.interference_leakage > 0:
            disturbed += s.interference_leakage * m.other_over_own(k, u)
        time_ms = 1e3 * float(t.download_load_s[k]) / pyo.log(1 + 1 / disturbed)
        return m.download_ms[k] >= time_ms - 1e3 * t.download_high_s[k, u] * (1 - m.serves[k, u])

    model.downlink = pyo.Constraint(pairs, rule=rule)
    if model.slot.cuts:
        model.downlink_least = pyo.Constraint(
            model.slot.devices,
            rule=lambda m, k: m.download_ms[k] >= by_server(m, k, 1e3 * t.download_low_s),
        )


def add_sharing(model: pyo.ConcreteModel) -> None:
    """Execution takes as many times longer as requests share the server. Eqs. (14), (22)."""
    slot: Slot = model.slot
    if slot.terms.scenario.compute_sharing == "dedicated":
        model.wait_s = pyo.Param(slot.devices, initialize=0.0)
        return
    add_seats(model, model.serves, slot.limits.seated())
    wait = waiting_s(model, slot.terms.instance.coefficients.execute_s[0])
    model.wait_s = pyo.Expression(
        slot.devices, rule=lambda m, k: sum(wait[k, b] for b in slot.servers[k])
    )


def add_latency(model: pyo.ConcreteModel) -> None:
    """T_k: upload, execution, relay, propagation, download. Eqs. (12)-(16), (19)-(24), (29)."""
    constant_s = model.slot.terms.constant_s
    model.latency_s = pyo.Expression(
        model.slot.devices,
        rule=lambda m, k: (
            m.upload_s[k] + by_server(m, k, constant_s) + m.wait_s[k] + m.download_s[k]
        ),
    )


def deadline(model: pyo.ConcreteModel) -> None:
    """Latency stays within deadline and window, or overruns them at a price. Eq. (31c), 5.3."""
    slot: Slot = model.slot
    late = slot.late if slot.elastic else []
    model.overrun_s = pyo.Var(late, domain=pyo.NonNegativeReals)

    def rule(m: Any, k: int) -> Any:
        overrun = entry(m.overrun_s, k, 0)
        return m.latency_s[k] <= by_server(m, k, slot.terms.deadline_s) + overrun

    bounded = slot.late if slot.elastic else slot.devices
    model.deadline = pyo.Constraint(bounded, rule=rule)


def add_energy(model: pyo.ConcreteModel) -> None:
    """E_k. Eqs. (13)-(18), (20)-(28), (30). The sender pays for propagation to a satellite."""
    t: SlotTerms = model.slot.terms
    model.energy_J = pyo.Expression(
        model.slot.devices,
        rule=lambda m, k: (
            m.upload_J[k]
            + (t.propagation_s * m.sky_W[k] if k in m.sky_W else 0)
            + by_server(m, k, t.constant_J)
            + t.scenario.uav_power_W * m.download_s[k]
        ),
    )


def add_objective(model: pyo.ConcreteModel) -> None:
    """Mean over all K devices of eta_l T_k + eta_e E_k and the penalties. Eq. (31)."""
    t: SlotTerms = model.slot.terms
    s = t.scenario

    def rule(m: Any, k: int) -> Any:
        cost = s.latency_weight_per_s * m.latency_s[k] + s.energy_weight_per_J * m.energy_J[k]
        if k in m.overrun_s:
            cost += s.penalty_per_s * m.overrun_s[k]
        return cost + float(t.refusal_cost[k]) * refused(m, k)

    model.cost = pyo.Expression(model.slot.devices, rule=rule)
    total = sum(model.cost[k] for k in model.slot.devices)
    model.objective = pyo.Objective(expr=total / s.n_devices)
    if model.slot.cutoff is not None and model.slot.devices:
        limit = model.slot.cutoff + 1e-9 * abs(model.slot.cutoff)
        model.known_plan = pyo.Constraint(expr=total / s.n_devices <= limit)


def lone_sender_cuts(model: pyo.ConcreteModel) -> None:
    """Valid cuts: no request is cheaper or quicker than without interference at the best
    position, nor slower than its limits say."""
    slot: Slot = model.slot
    t, box = slot.terms, slot.limits

    def alone(m: Any, k: int) -> Any:
        if t.scenario.compute_sharing == "dedicated":
            return by_server(m, k, t.lone_least)
        mine = ((i, b, c) for i, b, c in m.seat if i == k)
        return sum(float(t.loaded_least[c - 1, i, b]) * m.seat[i, b, c] for i, b, c in mine)

    model.lone_cost = pyo.Constraint(
        slot.devices,
        rule=lambda m, k: m.cost[k] >= alone(m, k) + float(t.refusal_cost[k]) * refused(m, k),
    )
    served = [k for k in slot.devices if slot.servers[k]]
    model.quickest = pyo.Constraint(
        served, rule=lambda m, k: m.upload_s[k] >= by_server(m, k, box.upload_low_s)
    )
    model.slowest = pyo.Constraint(
        served, rule=lambda m, k: m.upload_s[k] <= by_server(m, k, box.upload_high_s)
    )

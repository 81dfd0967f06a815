"""P1 with rates in powers: bilinear terms and one logarithm per device.

Received powers carry the path loss as a product, heard * squared distance = gain * power; the
SINR f of each link satisfies f * (noise + interference) <= heard, with f at most 0 where another
receiver is chosen; nats n <= ln(1 + sum of f); upload time h with h n >= load, written as a
rotated cone in the servers, which is tight since exactly one is chosen.
"""

from __future__ import annotations

import math
from typing import Any

import pyomo.environ as pyo

from minlp.p1.common import (
    UNIT_M,
    Slot,
    by_server,
    chosen,
    disturbers,
    entry,
    power_bounds,
    sends_among,
    slant,
    upload_bounds,
)


def add_rates(model: pyo.ConcreteModel) -> None:
    """Powers, received powers, SINR, upload time and energy."""
    add_powers(model)
    add_received(model)
    add_interference(model)
    add_sinr(model)
    add_upload(model)
    _download_ratios(model)


def fix_power(model: pyo.ConcreteModel, k: int, power_W: float) -> None:
    """Fix the power of a device."""
    model.power_W[k].fix(power_W)


def power_of(model: pyo.ConcreteModel, k: int) -> float:
    """The power of a device in W."""
    return float(pyo.value(model.power_W[k]))


def add_powers(model: pyo.ConcreteModel) -> None:
    """Powers within the limits of the chosen server, eq. (31d); the part that goes up."""
    slot: Slot = model.slot
    box = slot.limits
    served = [k for k in slot.devices if slot.servers[k]]
    model.power_W = pyo.Var(served, bounds=lambda _, k: (0, power_bounds(slot, k)[1]))
    model.power_most = pyo.Constraint(
        served, rule=lambda m, k: m.power_W[k] <= by_server(m, k, box.power_high_W)
    )
    model.power_least = pyo.Constraint(
        served, rule=lambda m, k: m.power_W[k] >= by_server(m, k, box.power_low_W)
    )
    above = [k for k in served if slot.above(k)]
    model.sky_W = pyo.Var(above, domain=pyo.NonNegativeReals)

    def sky(m: Any, k: int) -> Any:
        elsewhere = 1 - chosen(m, k, slot.above(k))
        return m.sky_W[k] >= m.power_W[k] - power_bounds(slot, k)[1] * elsewhere

    model.sky_power = pyo.Constraint(above, rule=sky)


def add_received(model: pyo.ConcreteModel) -> None:
    """Received power over noise at every receiver, g P. Eqs. (6)-(8), (10)."""
    slot: Slot = model.slot
    t, half = slot.terms, slot.terms.scenario.path_loss_exponent / 2
    gain_high = t.gain_range[1]
    heard = [(k, r) for k in model.power_W for r in slot.receivers]

    def most(_: Any, k: int, r: int) -> tuple[float, float]:
        return 0.0, power_bounds(slot, k)[1] * float(gain_high[k, r])

    def rule(m: Any, k: int, r: int) -> Any:
        if r == t.scenario.n_uavs:
            return m.heard[k, r] == float(t.satellite_gain[k]) * m.power_W[k]
        gain = float(t.uav_gain[k, r]) * UNIT_M ** (-2 * half)
        square = m.slant[k, r] if half == 1 else m.slant[k, r] ** half
        return m.heard[k, r] * square == gain * m.power_W[k]

    uavs = range(t.scenario.n_uavs)
    model.slant = pyo.Var(
        slot.devices,
        uavs,
        bounds=lambda _, k, m: (
            t.squared_low_m2[k, m] / UNIT_M**2,
            t.squared_high_m2[k, m] / UNIT_M**2,
        ),
    )
    model.distance = pyo.Constraint(
        slot.devices, uavs, rule=lambda m, k, u: m.slant[k, u] == slant(m, k, u)
    )
    model.heard = pyo.Var(heard, bounds=most)
    model.path_loss = pyo.Constraint(heard, rule=rule)


def add_interference(model: pyo.ConcreteModel) -> None:
    """Noise and interference over noise, of each link. Eqs. (8), (10).

    Where it depends on its server whether a device disturbs, its part is relaxed to 0 unless it
    does.
    """
    slot: Slot = model.slot
    leakage = slot.terms.scenario.interference_leakage
    links = {(k, r): disturbers(slot, k, r) for k, r in slot.links}
    gated = sorted({
        (j, r) for (_, r), js in links.items() for j in js
        if not isinstance(sends_among(model, j, r), int)
    })  # fmt: skip
    model.disturbs = pyo.Var(gated, domain=pyo.NonNegativeReals)
    model.gate = pyo.Constraint(
        gated,
        rule=lambda m, j, r: (
            m.disturbs[j, r] >= m.heard[j, r] - m.heard[j, r].ub * (1 - sends_among(m, j, r))
        ),
    )

    def part(m: Any, j: int, r: int) -> Any:
        return entry(m.disturbs, (j, r), m.heard[j, r])

    most = {
        (k, r): 1 + leakage * sum(model.heard[j, r].ub for j in js) for (k, r), js in links.items()
    }
    model.disturbance = pyo.Var(list(links), bounds=lambda _, k, r: (1, most[k, r]))
    model.total = pyo.Expression(
        list(links), rule=lambda m, k, r: 1 + leakage * sum(part(m, j, r) for j in links[k, r])
    )
    model.interference = pyo.Constraint(
        list(links), rule=lambda m, k, r: m.disturbance[k, r] == m.total[k, r]
    )


def add_sinr(model: pyo.ConcreteModel) -> None:
    """SINR at the chosen receiver, 0 elsewhere. Eqs. (8), (10)."""
    slot: Slot = model.slot
    model.sinr = pyo.Var(slot.links, bounds=lambda m, k, r: (0, m.heard[k, r].ub))
    model.sinr_least = pyo.Constraint(
        slot.links,
        rule=lambda m, k, r: m.sinr[k, r] * m.disturbance[k, r] <= m.heard[k, r],
    )
    model.sinr_chosen = pyo.Constraint(
        slot.links,
        rule=lambda m, k, r: (
            m.sinr[k, r] <= m.sinr[k, r].ub * chosen(m, k, slot.servers_at(k, (r,)))
        ),
    )


def add_upload(model: pyo.ConcreteModel) -> None:
    """Upload time and energy, u / R and P u / R. Eqs. (12)-(13), (19)-(20)."""
    slot: Slot = model.slot
    served = list(model.power_W)
    links = {k: [r for j, r in slot.links if j == k] for k in served}
    most = {k: max(math.log1p(model.sinr[k, r].ub) for r in links[k]) for k in served}
    spans = {k: upload_bounds(slot, k) for k in slot.devices}
    model.upload_s = pyo.Var(slot.devices, bounds=lambda _, k: spans[k])
    model.upload_J = pyo.Var(slot.devices, domain=pyo.NonNegativeReals)
    model.nats = pyo.Var(served, bounds=lambda _, k: (0, most[k]))
    model.rate = pyo.Constraint(
        served,
        rule=lambda m, k: m.nats[k] <= pyo.log(1 + sum(m.sinr[k, r] for r in links[k])),
    )
    root = slot.terms.load_s**0.5
    model.upload = pyo.Constraint(
        served, rule=lambda m, k: m.upload_s[k] * m.nats[k] >= by_server(m, k, root) ** 2
    )
    model.upload_energy = pyo.Constraint(
        served, rule=lambda m, k: m.upload_J[k] >= m.power_W[k] * m.upload_s[k]
    )


def _download_ratios(model: pyo.ConcreteModel) -> None:
    """Noise and other UAVs' gains over the own gain, for the download. Eq. (9)."""
    t = model.slot.terms
    half = t.scenario.path_loss_exponent / 2
    gain = t.uav_gain * UNIT_M ** (-2 * half)
    model.noise_over_own = lambda k, u: model.slant[k, u] ** half / float(gain[k, u])
    model.other_over_own = lambda k, u: sum(
        float(gain[k, j] / gain[k, u]) * (model.slant[k, u] / model.slant[k, j]) ** half
        for j in range(t.scenario.n_uavs)
        if j != u
    )

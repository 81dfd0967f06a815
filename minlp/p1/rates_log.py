"""P1 with rates in log-powers: for fixed servers and gains everything is convex.

Variables per device: log-power p, log-SINR v, log upload time l; per UAV link the log-gain G.
Products become sums: power times upload time is exp(p + l), interference over own signal is a sum
of exponentials, and the upload time satisfies l >= ln load - ln ln(1 + e^v), whose right side is
convex in v and additive in the server choice. A solver that sees only the parts of ln ln(1 + e^v)
relaxes it badly, so tangents of the whole function come with the model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyomo.environ as pyo

from minlp.p1.common import (
    UNIT_M,
    Slot,
    chosen,
    disturbers,
    entry,
    power_bounds,
    refused,
    sends_among,
    slant,
    upload_bounds,
)

#: Tangents of the log upload time over the range of each device's log-SINR.
N_TANGENTS = 20


def add_rates(model: pyo.ConcreteModel) -> None:
    """Log-gains, log-powers, SINR, upload time and energy."""
    add_gains(model)
    add_powers(model)
    add_interference(model)
    add_sinr(model)
    add_upload(model)


def fix_power(model: pyo.ConcreteModel, k: int, power_W: float) -> None:
    """Fix the power of a device."""
    model.log_power[k].fix(math.log(power_W))


def power_of(model: pyo.ConcreteModel, k: int) -> float:
    """The power of a device in W."""
    return math.exp(pyo.value(model.log_power[k]))


def gain_links(slot: Slot) -> list[tuple[int, int]]:
    """(device, UAV) whose gain matters: served there, or heard there, or by its answers."""
    uavs = range(slot.terms.scenario.n_uavs)
    positive = slot.terms.uav_gain > 0
    return [(k, m) for k in slot.devices for m in uavs if positive[k, m]]


def add_gains(model: pyo.ConcreteModel) -> None:
    """Log-gain over noise of UAV links: (c / g)^(2 / alpha) is the squared distance. Eq. (6)."""
    slot: Slot = model.slot
    t, half = slot.terms, slot.terms.scenario.path_loss_exponent / 2
    low, high = t.gain_range
    links = gain_links(slot)

    def bounds(_: Any, k: int, m: int) -> tuple[float, float]:
        return math.log(low[k, m]), math.log(high[k, m])

    def rule(model: Any, k: int, m: int) -> Any:
        level = math.log(t.uav_gain[k, m]) - 2 * half * math.log(UNIT_M)
        return pyo.exp((level - model.log_gain[k, m]) / half) == slant(model, k, m)

    model.log_gain = pyo.Var(links, bounds=bounds)
    model.path_loss = pyo.Constraint(links, rule=rule)
    model.noise_over_own = lambda k, u: pyo.exp(-model.log_gain[k, u])
    model.other_over_own = lambda k, u: sum(
        pyo.exp(model.log_gain[k, j] - model.log_gain[k, u])
        for j in range(t.scenario.n_uavs)
        if j != u and (k, j) in model.log_gain
    )


def level(model: pyo.ConcreteModel, k: int, r: int) -> Any:
    """Log received power over noise of device k at receiver r."""
    t = model.slot.terms
    own = model.log_gain[k, r] if r < t.scenario.n_uavs else math.log(t.satellite_gain[k])
    return model.log_power[k] + own


def add_powers(model: pyo.ConcreteModel) -> None:
    """Log-powers within their limits, eq. (31d), and the power that goes up to a satellite."""
    slot: Slot = model.slot
    served = [k for k in slot.devices if slot.servers[k]]

    def bounds(_: Any, k: int) -> tuple[float, float]:
        low, high = power_bounds(slot, k)
        return math.log(low), math.log(high)

    model.log_power = pyo.Var(served, bounds=bounds)
    model.sky_W = pyo.Var([k for k in served if slot.above(k)], domain=pyo.NonNegativeReals)

    def sky(m: Any, k: int) -> Any:
        elsewhere = 1 - chosen(m, k, slot.above(k))
        return m.sky_W[k] >= pyo.exp(m.log_power[k]) - power_bounds(slot, k)[1] * elsewhere

    model.sky_power = pyo.Constraint(list(model.sky_W), rule=sky)


def add_interference(model: pyo.ConcreteModel) -> None:
    """Log of noise and interference over noise, D, of each link. Eqs. (8), (10).

    exp(-D) + leakage sum of exp(level of j - D) <= 1, a convex set. Where it depends on its server
    whether a device disturbs, its exponential is relaxed to 0 unless it does.
    """
    slot: Slot = model.slot
    leakage = slot.terms.scenario.interference_leakage
    around = {(k, r): disturbers(slot, k, r) for k, r in slot.links}
    model.disturbance = pyo.Var(
        slot.links, bounds=lambda _, k, r: disturbance_range(slot, k, r, around[k, r])
    )

    def share(m: Any, k: int, r: int, j: int) -> Any:
        return pyo.exp(level(m, j, r) - m.disturbance[k, r])

    def most(m: Any, k: int, r: int, j: int) -> float:
        high = power_bounds(slot, j)[1] * float(slot.terms.gain_range[1][j, r])
        return high * math.exp(-m.disturbance[k, r].lb)

    gated = [
        (k, r, j)
        for k, r in slot.links
        for j in around[k, r]
        if not isinstance(sends_among(model, j, r), int)
    ]
    model.disturbs = pyo.Var(gated, domain=pyo.NonNegativeReals)
    model.gate = pyo.Constraint(
        gated,
        rule=lambda m, k, r, j: (
            m.disturbs[k, r, j] >= share(m, k, r, j) - most(m, k, r, j) * (1 - sends_among(m, j, r))
        ),
    )

    def rule(m: Any, k: int, r: int) -> Any:
        parts = [entry(m.disturbs, (k, r, j), share(m, k, r, j)) for j in around[k, r]]
        return pyo.exp(-m.disturbance[k, r]) + leakage * sum(parts) <= 1

    model.interference = pyo.Constraint(slot.links, rule=rule)


def disturbance_range(slot: Slot, k: int, r: int, around: list[int]) -> tuple[float, float]:
    """Range of the log of noise and interference over noise at a link."""
    low, high = (g[:, r] for g in slot.terms.gain_range)
    s = slot.terms.scenario
    power = {j: power_bounds(slot, j) for j in around}
    most = sum(power[j][1] * high[j] for j in around)
    sure = [j for j in around if j not in slot.refusable and s.interference_scope == "all"]
    least = sum(power[j][0] * low[j] for j in sure)
    return (
        math.log1p(s.interference_leakage * least),
        math.log1p(s.interference_leakage * most),
    )


def sinr_range(model: pyo.ConcreteModel, k: int, r: int) -> tuple[float, float]:
    """Range of the log-SINR of device k at receiver r, whoever else sends."""
    slot: Slot = model.slot
    gain_low, gain_high = (float(g[k, r]) for g in slot.terms.gain_range)
    low, high = power_bounds(slot, k)
    least, most = model.disturbance[k, r].bounds
    return math.log(low * gain_low) - most, math.log(high * gain_high) - least


def device_sinr_range(model: pyo.ConcreteModel, k: int) -> tuple[float, float]:
    """Range of the log-SINR of device k where it is served."""
    slot: Slot = model.slot
    links = [sinr_range(model, k, r) for j, r in slot.links if j == k]
    low, high = min(a for a, _ in links), max(b for _, b in links)
    load = slot.limits.least(slot.terms.load_s, k)
    needed = math.expm1(min(load / upload_bounds(slot, k)[1], 700.0))
    return min(max(low, math.log(needed) if needed > 0 else low), high), high


def add_sinr(model: pyo.ConcreteModel) -> None:
    """Log-SINR: own level less the disturbance at the chosen receiver. Eqs. (8), (10)."""
    slot: Slot = model.slot
    ranges = {k: device_sinr_range(model, k) for k in model.log_power}
    model.log_sinr = pyo.Var(list(ranges), bounds=lambda _, k: ranges[k])

    def rule(m: Any, k: int, r: int) -> Any:
        here = chosen(m, k, slot.servers_at(k, (r,)))
        slack = max(0.0, ranges[k][1] - sinr_range(m, k, r)[0])
        return m.log_sinr[k] <= level(m, k, r) - m.disturbance[k, r] + slack * (1 - here)

    model.sinr = pyo.Constraint(slot.links, rule=rule)
    if slot.cuts:
        _best_sinr_cuts(model, ranges)


def _best_sinr_cuts(model: pyo.ConcreteModel, ranges: dict[int, tuple[float, float]]) -> None:
    """Valid cut: log-SINR at most its greatest at the chosen receiver."""
    slot: Slot = model.slot

    def rule(m: Any, k: int) -> Any:
        best = sum(
            sinr_range(model, k, r)[1] * chosen(m, k, slot.servers_at(k, (r,)))
            for j, r in slot.links
            if j == k
        )
        return m.log_sinr[k] <= best + ranges[k][1] * refused(m, k)

    model.best_sinr = pyo.Constraint(list(ranges), rule=rule)


def log_inverse_rate(v: float) -> tuple[float, float]:
    """-ln ln(1 + e^v) and its slope; convex and decreasing."""
    nats = math.log1p(math.exp(v)) if v < 30 else v + math.exp(-v)
    return -math.log(nats), -1 / ((1 + math.exp(-v)) * nats)


def add_upload(model: pyo.ConcreteModel) -> None:
    """Upload time and energy, u / R and P u / R. Eqs. (12)-(13), (19)-(20)."""
    slot: Slot = model.slot
    served = list(model.log_power)
    spans = {k: upload_bounds(slot, k) for k in slot.devices}
    model.upload_s = pyo.Var(slot.devices, bounds=lambda _, k: spans[k])
    model.upload_J = pyo.Var(slot.devices, domain=pyo.NonNegativeReals)
    least = {k: slot.limits.least(slot.limits.upload_low_s, k) for k in served}
    model.log_upload = pyo.Var(
        served, bounds=lambda _, k: (math.log(least[k]), math.log(spans[k][1]))
    )

    def load(m: Any, k: int) -> Any:
        logs = {b: math.log(slot.terms.load_s[k, b]) for b in slot.servers[k]}
        total = sum(logs[b] * m.serves[k, b] for b in logs)
        return total + min(logs.values()) * refused(m, k)

    def energy_high(k: int) -> float:
        return power_bounds(slot, k)[1] * spans[k][1]

    model.rate = pyo.Constraint(
        served,
        rule=lambda m, k: (
            m.log_upload[k] >= load(m, k) - pyo.log(pyo.log(1 + pyo.exp(m.log_sinr[k])))
        ),
    )
    model.upload = pyo.Constraint(
        served,
        rule=lambda m, k: m.upload_s[k] >= pyo.exp(m.log_upload[k]) - spans[k][1] * refused(m, k),
    )
    model.upload_energy = pyo.Constraint(
        served,
        rule=lambda m, k: (
            m.upload_J[k]
            >= pyo.exp(m.log_power[k] + m.log_upload[k]) - energy_high(k) * refused(m, k)
        ),
    )
    if slot.cuts:
        _tangents(model, load)


def _tangents(model: pyo.ConcreteModel, load: Any) -> None:
    """Valid cuts: the log upload time lies above tangents of its convex function of log-SINR."""

    def rule(m: Any, k: int, i: int) -> Any:
        low, high = m.log_sinr[k].bounds
        if high - low < 1e-6 and i > 0:
            return pyo.Constraint.Skip
        at = float(np.linspace(low, high, N_TANGENTS)[i])
        value, slope = log_inverse_rate(at)
        return m.log_upload[k] >= load(m, k) + value + slope * (m.log_sinr[k] - at)

    model.rate_tangents = pyo.Constraint(list(model.log_power), range(N_TANGENTS), rule=rule)

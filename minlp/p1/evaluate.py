"""All variables of a P1 model set to what a plan makes them, by the referee's own formulas.

Objective and constraints are then the model's word on the plan, which tests compare with the
referee's.
"""

from __future__ import annotations

import math

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from minlp.p1.common import UNIT_M, Slot, disturbers, power_bounds, sends_among, slant
from minlp.p1.rates_log import level
from satedge.problem.plan import Plan
from satedge.problem.referee import TOLERANCE, Verdict, judge, uav_gains, uplink_sinr


def assign(model: pyo.ConcreteModel, plan: Plan) -> None:
    """Set every variable. `plan` is of one slot: server (1, K), power_W (1, K), ...

    Raises ValueError where the plan uses a server that the model does not offer.
    """
    slot: Slot = model.slot
    verdict = judge(slot.terms.instance, plan)
    _assign_servers(model, plan)
    _assign_positions(model, plan)
    if model.formulation == "power":
        _assign_powers(model, plan)
    else:
        _assign_logs(model, plan, verdict)
    _assign_costs(model, plan, verdict)


def _assign_servers(model: pyo.ConcreteModel, plan: Plan) -> None:
    slot: Slot = model.slot
    for k in slot.devices:
        server = int(plan.server[0, k])
        known = k in model.refuses if server < 0 else (k, server) in model.serves
        if not known:
            raise ValueError(f"server[{k}] = {server}: allowed is one of {slot.servers[k]}")
        for b in slot.servers[k]:
            _set(model.serves[k, b], int(b == server))
        if k in model.refuses:
            _set(model.refuses[k], int(server < 0))


def _set(variable: pyo.Var, value: float) -> None:
    variable.set_value(value, skip_validation=True)


def _assign_positions(model: pyo.ConcreteModel, plan: Plan) -> None:
    start = model.slot.terms.instance.uav_xy_m
    for (m, axis), variable in model.move.items():
        _set(variable, float(plan.uav_xy_m[0, m, axis] - start[m, axis]) / UNIT_M)
    for m, variable in model.square.items():
        _set(variable, pyo.value(model.move[m, 0]) ** 2 + pyo.value(model.move[m, 1]) ** 2)


def _assign_powers(model: pyo.ConcreteModel, plan: Plan) -> None:
    """Powers, received powers and SINR of the formulation in powers."""
    slot: Slot = model.slot
    one, noise_W = slot.terms.instance, slot.terms.scenario.noise_W
    gains = uav_gains(one, plan.uav_xy_m)[0] / noise_W
    sinr = uplink_sinr(one, plan.server, plan.power_W, gains[None] * noise_W)[0]
    heard = np.hstack([gains, slot.terms.satellite_gain[:, None]]) * plan.power_W[0][:, None]
    for (k, m), variable in model.slant.items():
        _set(variable, pyo.value(slant(model, k, m)))
    for k, variable in model.power_W.items():
        _set(variable, float(plan.power_W[0, k]))
    for (k, r), variable in model.heard.items():
        _set(variable, float(heard[k, r]))
    for (j, r), variable in model.disturbs.items():
        _set(variable, float(heard[j, r]) * pyo.value(sends_among(model, j, r)))
    for (k, r), variable in model.disturbance.items():
        _set(variable, pyo.value(model.total[k, r]))
    for (k, r), variable in model.sinr.items():
        own = plan.server[0, k] >= 0 and slot.terms.receiver[plan.server[0, k]] == r
        _set(variable, float(sinr[k]) if own else 0.0)
    for k, variable in model.nats.items():
        _set(variable, math.log1p(float(sinr[k])))


def _assign_logs(model: pyo.ConcreteModel, plan: Plan, verdict: Verdict) -> None:
    """Log-powers, log-gains and log-SINR of the formulation in log-powers."""
    slot: Slot = model.slot
    one, noise_W = slot.terms.instance, slot.terms.scenario.noise_W
    gains = uav_gains(one, plan.uav_xy_m)
    sinr = uplink_sinr(one, plan.server, plan.power_W, gains)[0]
    for (k, m), variable in model.log_gain.items():
        _set(variable, math.log(gains[0, k, m] / noise_W))
    for k in model.log_power:
        sends = plan.server[0, k] >= 0
        power = float(plan.power_W[0, k]) if sends else power_bounds(slot, k)[0]
        _set(model.log_power[k], math.log(power))
        _set(model.log_sinr[k], math.log(sinr[k]) if sends else model.log_sinr[k].ub)
        upload = _upload_s(slot, plan, verdict, k)
        _set(model.log_upload[k], math.log(upload) if sends else model.log_upload[k].lb)
    for (k, r), variable in model.disturbance.items():
        heard = {
            j: math.exp(pyo.value(level(model, j, r))) * pyo.value(sends_among(model, j, r))
            for j in disturbers(slot, k, r)
        }
        _set(variable, math.log1p(slot.terms.scenario.interference_leakage * sum(heard.values())))
        for j in heard:
            if (k, r, j) in model.disturbs:
                _set(model.disturbs[k, r, j], heard[j] / math.exp(pyo.value(variable)))


def _upload_s(slot: Slot, plan: Plan, verdict: Verdict, k: int) -> float:
    """Upload time without propagation."""
    above = plan.server[0, k] >= slot.terms.scenario.n_uavs
    return float(verdict.upload_s[0, k]) - (slot.terms.propagation_s if above else 0.0)


def _assign_costs(model: pyo.ConcreteModel, plan: Plan, verdict: Verdict) -> None:
    """Upload, download, sharing, overrun: shared by both formulations."""
    slot: Slot = model.slot
    terms, server = slot.terms, plan.server[0]
    for k in slot.devices:
        upload = _upload_s(slot, plan, verdict, k) if server[k] >= 0 else 0.0
        power = float(plan.power_W[0, k]) if server[k] >= 0 else 0.0
        _set(model.upload_s[k], upload)
        _set(model.upload_J[k], power * upload)
        if k in model.sky_W:
            _set(model.sky_W[k], power if server[k] >= terms.scenario.n_uavs else 0.0)
        below = 0 <= server[k] < terms.scenario.n_uavs
        if hasattr(model, "download_ms"):
            _set(model.download_ms[k], 1e3 * float(verdict.download_s[0, k]) if below else 0.0)
    if terms.scenario.compute_sharing == "shared":
        _assign_seats(model, server)
    for k, variable in model.overrun_s.items():
        _set(variable, 0.0)
        late_s = pyo.value(model.latency_s[k])
        excess = late_s - float(terms.deadline_s[k, server[k]]) if server[k] >= 0 else 0.0
        # the referee forgives what rounding could make
        _set(variable, excess if excess > TOLERANCE * late_s else 0.0)


def _assign_seats(model: pyo.ConcreteModel, server: NDArray[np.int64]) -> None:
    """Loads of shared servers under `server` (K,)."""
    load = {b: int((server == b).sum()) for b, _ in model.full}
    for (b, c), variable in model.full.items():
        _set(variable, int(load[b] == c))
    for (k, b, c), variable in model.seat.items():
        _set(variable, int(server[k] == b and load[b] == c))
    for k in model.slot.devices:
        b = int(server[k])
        if b >= 0 and (k, b, load[b]) not in model.seat:
            raise ValueError(f"server[{k}] = {b}: not offered for {load[b]} requests at once")

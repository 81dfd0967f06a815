"""A MILP relaxation of P1 of one slot, in Pyomo: every row holds for every admissible plan.

Per pair (k, s) the variables are those of a device that uses the server, and 0 otherwise: chosen
x, upload time h, power P and energy E of the upload, overrun v. With y = load / h the SINR that h
demands is gamma(h) = e^y - 1, and at receiver r

    P = gamma(h) (1 + leakage z) delta / g,    E = P h,

g the greatest reachable gain over noise, delta >= 1 how much less the own gain is at the UAV's
position, z the interference over noise, at least that of the others at their least gains.

Rows, all linear in x and the pair's variables (perspective form, so that they are the hull of
chosen or not):
 - tangents of gamma(h) / g and h gamma(h) / g, both convex: `free_W` and `free_J`;
 - products with delta and with 1 + leakage z by McCormick's inequalities;
 - tangents of delta, which is convex in the position;
 - receiver capacity: the sum over the served of psi = leakage SINR / (1 + leakage SINR) is at most
   1 - 1 / (greatest noise and interference over noise), psi by its convex envelope in h, since it
   is concave for short uploads;
 - with shared compute, loads of servers as in `p1.seats`, and what each request costs at least on
   each server at each load.

Every line is lowered by MARGIN times the size of its parts, for rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from minlp.milp.pairs import Pair, disturbing_servers, pairs_of
from minlp.milp.tangents import Line, capacity_lines, tangent_energy, tangent_power
from minlp.p1.bounds import limits
from minlp.p1.common import UNIT_M
from minlp.p1.data import SlotTerms
from minlp.p1.seats import add_seats, waiting_s

Array = NDArray[np.float64]

#: First tangents of each pair's curves.
N_TANGENTS = 4


def build_relaxation(terms: SlotTerms, cutoff: float | None = None) -> pyo.ConcreteModel:
    """The relaxation; with `cutoff` it holds for plans of at most that mean cost."""
    model = pyo.ConcreteModel(name=f"relaxation of P1 {terms.instance.name}")
    model.terms, model.limits = terms, limits(terms, cutoff)
    model.pairs = pairs_of(terms, model.limits)
    keys = list(model.pairs)
    model.x = pyo.Var(keys, domain=pyo.Binary)
    refusable = [k for k in terms.devices if model.limits.refusal[k]]
    model.refuses = pyo.Var(refusable, domain=pyo.Binary)
    _add_pair_variables(model, keys)
    _add_positions(model)
    _add_assignment(model)
    _add_power_rows(model)
    _add_interference(model)
    _add_capacity(model)
    _add_cost(model)
    model.cuts = pyo.ConstraintList()
    for key, pair in model.pairs.items():
        for h in np.geomspace(pair.upload_s[0], pair.upload_s[1], N_TANGENTS):
            add_tangents(model, key, float(h))
        if pair.stretch > 1:
            add_stretch(model, key, terms.instance.uav_xy_m[key[1]])
    return model


def _add_pair_variables(model: pyo.ConcreteModel, keys: list[tuple[int, int]]) -> None:
    """All bounded, as the certificate of the dual needs."""
    pairs, high_W = model.pairs, model.limits.power_high_W

    def up_to(highest: Any) -> Any:
        return pyo.Var(keys, bounds=lambda _, k, b: (0.0, float(highest(pairs[k, b]))))

    def energy(pair: Pair) -> float:
        return float(high_W[pair.device, pair.server]) * pair.upload_s[1]

    model.upload_s = up_to(lambda pair: pair.upload_s[1])
    model.free_W = up_to(lambda pair: pair.power_W[1])
    model.free_J = up_to(lambda pair: pair.energy_J[1])
    model.power_W = up_to(lambda pair: high_W[pair.device, pair.server])
    model.energy_J = up_to(energy)
    model.stretch = up_to(lambda pair: pair.stretch)
    model.disturbance = up_to(lambda pair: pair.disturbance[1])
    model.share = up_to(lambda pair: 1.0)
    model.span = pyo.ConstraintList()
    for (k, b), pair in pairs.items():
        x = model.x[k, b]
        model.span.add(model.upload_s[k, b] >= pair.upload_s[0] * x)
        model.span.add(model.upload_s[k, b] <= pair.upload_s[1] * x)
        model.span.add(model.stretch[k, b] >= x)
        model.span.add(model.power_W[k, b] <= float(high_W[k, b]) * x)
        model.span.add(model.disturbance[k, b] >= pair.disturbance[0] * x)


def _add_positions(model: pyo.ConcreteModel) -> None:
    """UAV positions in an octagon around the reachable disc, in the area. Units of 100 m."""
    terms: SlotTerms = model.terms
    s, uavs = terms.scenario, range(terms.scenario.n_uavs)
    start, reach = terms.instance.uav_xy_m / UNIT_M, terms.reach_m * (1 + 1e-8) / UNIT_M
    side = s.area_side_m * (1 + 1e-8) / UNIT_M

    def within(_: Any, m: int, axis: int) -> tuple[float, float]:
        return max(start[m, axis] - reach, -1e-6), min(start[m, axis] + reach, side)

    model.xy = pyo.Var(uavs, (0, 1), bounds=within)

    def corner(m: Any, u: int, i: int, j: int) -> Any:
        along = i * (m.xy[u, 0] - start[u, 0]) + j * (m.xy[u, 1] - start[u, 1])
        return along <= reach * 2**0.5

    model.octagon = pyo.Constraint(uavs, (-1, 1), (-1, 1), rule=corner)


def _add_assignment(model: pyo.ConcreteModel) -> None:
    """Eq. (1)."""

    def rule(m: Any, k: int) -> Any:
        chosen = [m.x[key] for key in m.pairs if key[0] == k]
        refused = [m.refuses[k]] if k in m.refuses else []
        return sum(chosen + refused) == 1 if chosen or refused else pyo.Constraint.Infeasible

    model.one_server = pyo.Constraint(model.terms.devices, rule=rule)


def _add_power_rows(model: pyo.ConcreteModel) -> None:
    """McCormick's inequalities of gamma(h) (1 + leakage z) delta / g, and of its energy."""
    leakage = model.terms.scenario.interference_leakage
    model.products = pyo.ConstraintList()
    for key, pair in model.pairs.items():
        x, stretch, z = model.x[key], model.stretch[key], model.disturbance[key]
        z_low, z_high = pair.disturbance
        for free, need, (low, high) in (
            (model.free_W[key], model.power_W[key], pair.power_W),
            (model.free_J[key], model.energy_J[key], pair.energy_J),
        ):
            over = leakage * low * (z - z_low * x)
            base = 1 + leakage * z_low
            model.products.add(need >= base * (free + low * (stretch - x)) + over)
            if z_high > z_low and leakage > 0:
                top = 1 + leakage * z_high
                model.products.add(need >= top * free + leakage * high * (z - z_high * x))
            if pair.stretch > 1:
                both = high * (stretch - pair.stretch * x) + pair.stretch * free
                model.products.add(need >= base * both + over)


def _add_interference(model: pyo.ConcreteModel) -> None:
    """z: what a chosen receiver hears of the others at their least gains. Eqs. (8), (10)."""
    terms: SlotTerms = model.terms
    gain_low = terms.gain_range[0]
    model.heard = pyo.ConstraintList()
    for key, pair in model.pairs.items():
        if not pair.around or terms.scenario.interference_leakage == 0:
            continue
        total = sum(
            float(gain_low[j, pair.receiver]) * model.power_W[j, b]
            for j in pair.around
            for b in disturbing_servers(terms, model.limits, j, pair.receiver)
        )
        most = pair.disturbance[1]
        model.heard.add(model.disturbance[key] >= total - most * (1 - model.x[key]))


def _add_capacity(model: pyo.ConcreteModel) -> None:
    """Receiver capacity: served shares of noise and interference sum to less than 1."""
    terms: SlotTerms = model.terms
    leakage = terms.scenario.interference_leakage
    gain_high = terms.gain_range[1]
    model.capacity = pyo.ConstraintList()
    model.envelope = {}
    for r in sorted({pair.receiver for pair in model.pairs.values()}):
        here = [key for key, pair in model.pairs.items() if pair.receiver == r]
        if leakage == 0 or len({k for k, _ in here}) < 2:
            continue
        strongest = [model.limits.most(model.limits.power_high_W, j) for j in terms.devices]
        heard = sum(p * gain_high[j, r] for p, j in zip(strongest, terms.devices, strict=True))
        limit = 1 - 1 / (1 + leakage * heard)
        model.capacity.add(sum(model.share[key] for key in here) <= min(1.0, limit + 1e-12))
        for key in here:
            pair = model.pairs[key]
            model.envelope[key] = capacity_lines(pair.load_s, leakage, pair.upload_s)


def _add_cost(model: pyo.ConcreteModel) -> None:
    """Elastic cost of all devices, each at least what it costs alone. Eq. (31)."""
    terms: SlotTerms = model.terms
    _add_delays(model)
    model.lone = pyo.ConstraintList()
    total: Any = 0.0
    for k in terms.devices:
        cost, alone = _device_cost(model, k), _least_cost(model, k)
        if k in model.refuses:
            cost += float(terms.refusal_cost[k]) * model.refuses[k]
            alone += float(terms.refusal_cost[k]) * model.refuses[k]
        model.lone.add(cost >= alone)
        total += cost
    model.objective = pyo.Objective(expr=total / terms.scenario.n_devices)


def _add_delays(model: pyo.ConcreteModel) -> None:
    """Waiting for shared compute, and overruns of a deadline as forgiving as the referee."""
    terms: SlotTerms = model.terms
    execute_s = terms.instance.coefficients.execute_s[0]
    model.wait_s = {}
    if terms.scenario.compute_sharing == "shared":
        add_seats(model, model.x, model.limits.seated())
        model.wait_s = waiting_s(model, execute_s)
    slack_s = terms.forgiving_deadline_s - terms.constant_s - terms.download_low_s
    longest_s = execute_s * max(len(terms.devices) - 1, 0)

    def latest(_: Any, k: int, b: int) -> tuple[float, float]:
        late_s = model.pairs[k, b].upload_s[1] + longest_s[k, b] - slack_s[k, b]
        return 0.0, float(max(late_s, 0.0))

    def late(m: Any, k: int, b: int) -> Any:
        over_s = m.upload_s[k, b] - float(slack_s[k, b]) * m.x[k, b]
        return m.overrun_s[k, b] >= over_s + m.wait_s.get((k, b), 0.0)

    keys = list(model.pairs)
    model.overrun_s = pyo.Var(keys, bounds=latest)
    model.late = pyo.Constraint(keys, rule=late)


def _device_cost(model: pyo.ConcreteModel, k: int) -> Any:
    """eta_l T_k + eta_e E_k and the overrun's price, for a served device."""
    terms: SlotTerms = model.terms
    s = terms.scenario
    eta_l, eta_J = s.latency_weight_per_s, s.energy_weight_per_J
    cost: Any = 0.0
    for key in _of(model, k):
        download_s = float(terms.download_low_s[key])
        fixed = eta_l * (float(terms.constant_s[key]) + download_s)
        fixed += eta_J * (float(terms.constant_J[key]) + s.uav_power_W * download_s)
        cost += fixed * model.x[key] + eta_l * model.upload_s[key] + eta_J * model.energy_J[key]
        cost += eta_l * model.wait_s.get(key, 0.0) + s.penalty_per_s * model.overrun_s[key]
        if key[1] >= s.n_uavs:
            cost += eta_J * terms.propagation_s * model.power_W[key]
    return cost


def _least_cost(model: pyo.ConcreteModel, k: int) -> Any:
    """What a served device costs without interference; with shared compute, at its load."""
    terms: SlotTerms = model.terms
    if terms.scenario.compute_sharing == "dedicated":
        return sum(float(terms.lone_least[key]) * model.x[key] for key in _of(model, k))
    return sum(
        float(terms.loaded_least[c - 1, i, b]) * variable
        for (i, b, c), variable in model.seat.items()
        if i == k
    )


def _of(model: pyo.ConcreteModel, k: int) -> list[tuple[int, int]]:
    return [key for key in model.pairs if key[0] == k]


def add_tangents(model: pyo.ConcreteModel, key: tuple[int, int], upload_s: float) -> None:
    """Rows of the curves of a pair at an upload time."""
    pair: Pair = model.pairs[key]
    for variable, tangent in ((model.free_W, tangent_power), (model.free_J, tangent_energy)):
        _below(model, variable[key], key, tangent(pair.load_s, pair.gain, upload_s))
    if key in model.envelope:
        _below(model, model.share[key], key, model.envelope[key].at(upload_s))


def _below(model: pyo.ConcreteModel, variable: Any, key: tuple[int, int], line: Line) -> Any:
    """Row: the variable lies above a line in the upload time, when chosen."""
    return model.cuts.add(
        variable >= line.constant * model.x[key] + line.slope * model.upload_s[key]
    )


def add_stretch(model: pyo.ConcreteModel, key: tuple[int, int], xy_m: Array) -> None:
    """Row: delta lies above its tangent at a position (2,), when chosen.

    delta = ((|q - w|^2 + z^2) / least)^(alpha / 2), convex in q for alpha >= 1.
    """
    terms: SlotTerms = model.terms
    k, m = key
    half = terms.scenario.path_loss_exponent / 2
    away = xy_m - terms.instance.device_xy_m[0, k]
    ratio = float(away @ away + terms.instance.uav_altitude_m[0, m] ** 2)
    ratio /= float(terms.squared_low_m2[k, m])
    value = ratio**half
    slope = 2 * half * value / ratio / float(terms.squared_low_m2[k, m]) * away * UNIT_M
    at = xy_m / UNIT_M
    steps = [model.xy[m, axis] - float(at[axis]) for axis in (0, 1)]
    top = value + sum(
        max(float(slope[i]) * (end - float(at[i])) for end in model.xy[m, i].bounds) for i in (0, 1)
    )
    margin = 1e-11 * (abs(value) + float(np.abs(slope) @ (np.abs(at) + 10.0)))
    line = value - margin + sum(float(slope[i]) * steps[i] for i in (0, 1))
    model.cuts.add(model.stretch[key] >= line - max(top, 0.0) * (1 - model.x[key]))

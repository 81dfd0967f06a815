"""P1 of one slot as a Pyomo model, for general solvers, export, and a second opinion on plans.

Section 3 of the paper. Two formulations of the same problem, see `rates_power` (rates in powers)
and `rates_log` (rates in log-powers, where only functions of one variable are not convex). Common
to both, and what makes bounds tight: every position enters through the displacement d of its UAV
and q = |d|^2, in which all squared distances are affine, so that one equation per UAV is not
convex.

The model says: the elastic form, or with `elastic=False` the hard one. Constraints that the plan
of a general solver may miss by its own tolerance are the referee's business, not the model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from minlp.p1 import rates_log as p1_log
from minlp.p1 import rates_power as p1_power
from minlp.p1.bounds import limits
from minlp.p1.common import UNIT_M, Slot, add_common
from minlp.p1.costs import add_costs
from minlp.p1.data import slot_terms
from minlp.p1.evaluate import assign
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan

Array = NDArray[np.float64]

FORMULATIONS = {"log-power": p1_log, "power": p1_power}


def build(
    instance: Instance,
    slot: int = 0,
    uav_xy_m: Array | None = None,
    *,
    elastic: bool = True,
    fixed: Mapping[str, Any] | None = None,
    formulation: str = "log-power",
    cuts: bool = True,
    cutoff: float | None = None,
    download: str = "exact",
) -> pyo.ConcreteModel:
    """P1 of a slot, the UAVs coming from `uav_xy_m` (M, 2), by default the instance's start.

    `fixed` may hold server (K,), power_W (K,) and uav_xy_m (M, 2). `cuts` adds valid inequalities
    and leaves out dominated satellites. `cutoff` is the cost of a known plan: what costs more is
    cut off. `download="bound"` puts a constant lower bound in the place of a UAV's download time,
    which changes the cost by about 1e-6 and spares the solver most of its nonlinear terms: a
    relaxation. Raises ValueError for an unknown name or a fixed position out of reach.
    """
    if formulation not in FORMULATIONS:
        raise ValueError(f"formulation {formulation!r}: allowed is {', '.join(FORMULATIONS)}")
    if download not in ("exact", "bound"):
        raise ValueError(f"download {download!r}: allowed is exact, bound")
    fixed = dict(fixed or {})
    unknown = set(fixed) - {"server", "power_W", "uav_xy_m"}
    if unknown:
        raise ValueError(f"fixed {unknown.pop()!r}: allowed is server, power_W, uav_xy_m")
    terms = slot_terms(instance, slot, uav_xy_m)
    if "uav_xy_m" in fixed:
        _check_reach(terms.instance, fixed["uav_xy_m"])
        terms = slot_terms(instance, slot, np.asarray(fixed["uav_xy_m"], float), reach_m=0.0)
    model = pyo.ConcreteModel(name=f"P1 {instance.name}@{slot}")
    model.slot = Slot(terms, limits(terms, cutoff, reduced=cuts), elastic, cuts, cutoff)
    model.formulation, model.download = formulation, download
    add_common(model)
    FORMULATIONS[formulation].add_rates(model)
    add_costs(model)
    _fix(model, fixed)
    return model


def _check_reach(start: Instance, uav_xy_m: Array) -> None:
    """Motion and area of fixed positions, section 3.2."""
    s = start.scenario
    step = np.asarray(uav_xy_m, float) - start.uav_xy_m
    if np.hypot(step[:, 0], step[:, 1]).max(initial=0.0) > s.uav_reach_m * (1 + 1e-9):
        raise ValueError(f"fixed uav_xy_m: allowed is a move of at most {s.uav_reach_m:g} m")


def _fix(model: pyo.ConcreteModel, fixed: Mapping[str, Any]) -> None:
    """Fix servers and powers of all requests."""
    if "server" in fixed:
        for (k, server), variable in model.serves.items():
            variable.fix(int(fixed["server"][k] == server))
        for k, variable in model.refuses.items():
            variable.fix(int(fixed["server"][k] == NO_SERVER))
    if "power_W" in fixed:
        for k in model.slot.devices:
            if fixed["power_W"][k] > 0:
                FORMULATIONS[model.formulation].fix_power(model, k, float(fixed["power_W"][k]))


def plan_of(model: pyo.ConcreteModel) -> Plan:
    """The plan that the variables hold: server (1, K), power_W (1, K), uav_xy_m (1, M, 2).

    Raises ValueError when variables have no values.
    """
    slot: Slot = model.slot
    s = slot.terms.scenario
    server = np.full(s.n_devices, NO_SERVER)
    power_W = np.zeros(s.n_devices)
    for k in slot.devices:
        weights = {b: pyo.value(model.serves[k, b]) for b in slot.servers[k]}
        weights[NO_SERVER] = pyo.value(model.refuses[k]) if k in model.refuses else 0.0
        most = max(weights, key=lambda b: weights[b])
        server[k] = most if weights[most] > 0 else NO_SERVER
        if server[k] >= 0:
            power_W[k] = FORMULATIONS[model.formulation].power_of(model, k)
    power_W = np.where(server >= 0, np.clip(power_W, s.power_min_W, s.power_max_W), 0.0)
    move_m = np.zeros((s.n_uavs, 2))
    for (m, axis), variable in model.move.items():
        move_m[m, axis] = UNIT_M * pyo.value(variable)
    return Plan(server[None], power_W[None], (slot.terms.instance.uav_xy_m + move_m)[None])


def assigned(model: pyo.ConcreteModel) -> bool:
    """Whether the values of the variables give each request one server, or refuse it. Eq. (1)."""
    slot: Slot = model.slot
    for k in slot.devices:
        total = sum(pyo.value(model.serves[k, b]) for b in slot.servers[k])
        total += pyo.value(model.refuses[k]) if k in model.refuses else 0.0
        if not abs(total - 1.0) < 1e-3:
            return False
    return True


def model_cost_at(model: pyo.ConcreteModel, plan: Plan) -> float:
    """The model's objective at a plan of the slot, all variables set to what the plan makes them.

    Equal to the referee's cost, except that `download="bound"` relaxes it. An outage costs here,
    too, what refusing costs; an optimum refuses instead, so that the model itself has no outages.
    """
    assign(model, plan)
    slot: Slot = model.slot
    costs = (min(pyo.value(model.cost[k]), slot.terms.refusal_cost[k]) for k in slot.devices)
    return float(sum(costs)) / slot.terms.scenario.n_devices


def violations(model: pyo.ConcreteModel) -> dict[str, float]:
    """How far the values of the variables miss each family of constraints, by its name.

    Amounts are relative to the larger of 1 and the constraint's own bound; 0 where all is kept.
    """
    worst: dict[str, float] = {}
    for constraint in model.component_data_objects(pyo.Constraint, active=True):
        body = pyo.value(constraint.body)
        low, high = pyo.value(constraint.lower), pyo.value(constraint.upper)
        amount = 0.0
        for bound, miss in ((low, 1.0), (high, -1.0)):
            if bound is not None:
                amount = max(amount, miss * (bound - body) / max(1.0, abs(bound)))
        name = constraint.parent_component().local_name
        worst[name] = max(worst.get(name, 0.0), amount)
    for variable in model.component_data_objects(pyo.Var):
        low, high = variable.bounds
        value = pyo.value(variable)
        amount = max(0.0, -np.inf if low is None else low - value)
        amount = max(amount, -np.inf if high is None else value - high)
        name = "bounds of " + variable.parent_component().local_name
        worst[name] = max(worst.get(name, 0.0), amount / max(1.0, abs(value)))
    return worst

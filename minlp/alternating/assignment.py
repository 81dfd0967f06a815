"""Servers of one slot by a MILP in Pyomo, solved by HiGHS through its persistent interface.

    min  sum c[k,s] x[k,s] + sum crowd[r] + sum wait[k,s,c] seat[k,s,c]
    s.t. every request has one server (or, where allowed, none)             eq. (1)
         crowd[r] >= line_i(load of receiver r), i = 0, 1, ...              receiver load
         seat, full as in `p1.seats`                                        shared compute only
         x[j,m] + x[k,m] <= 1 where UAV m cannot cover both                 eq. (3)
         at least n - radius devices keep their servers                     local branching

c, lines, wait and radius are mutable parameters: the model is built and loaded once for all
slots of an instance, and each solve hands HiGHS the changed numbers only. What they mean is up to
the caller; `solve` linearises interference around its incumbent (`improvement.prices`), and bends
the crowd terms so that they start from nothing there. Local branching: Fischetti, Lodi, Math. Prog.
98, 2003.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.contrib.solver.common.results import SolutionStatus
from pyomo.contrib.solver.solvers.highs import Highs

from minlp.p1.seats import add_seats
from satedge.problem.plan import NO_SERVER
from satedge.problem.scenario import Scenario

Array = NDArray[np.float64]

#: Slowest a solve may be before the best servers found so far are taken.
TIME_LIMIT_S = 1.0

#: Gap at which HiGHS stops: what the linear model misses of the cost is greater.
RELATIVE_GAP = 1e-4

#: HiGHS drops smaller coefficients with a warning; here they are dropped without.
NOTHING = 1e-8


@dataclass(frozen=True, eq=False)
class Costs:
    """Numbers of one assignment problem. S servers, then one column for refusing."""

    cost: Array
    """(K, S + 1), inf where not allowed; rows of inf for idle devices."""
    crowd: Array
    """(R, K + 1) extra cost of 0..K requests at each receiver, convex in the count."""
    conflict: NDArray[np.bool_]
    """(K, K, M) pairs that a UAV cannot cover together."""
    late_s: Array
    """(K, S) lateness alone on the server, negative if in time; used with shared compute."""
    execute_s: Array
    """(K, S) execution alone; used with shared compute."""


@dataclass
class Assignment:
    """The model of a scenario, kept by HiGHS between solves."""

    scenario: Scenario
    model: Any = field(init=False)
    solver: Any = field(init=False)
    faults: list[str] = field(default_factory=list)
    """Exceptions of the solver, and answers that are no assignment."""

    def __post_init__(self) -> None:
        self.model = _build(self.scenario)
        self.solver = Highs()
        updates = self.solver.config.auto_updates
        for name in updates:
            updates[name] = name == "update_parameters"
        config = self.solver.config
        config.threads, config.time_limit, config.rel_gap = 1, TIME_LIMIT_S, RELATIVE_GAP
        config.raise_exception_on_nonoptimal_result = False
        config.load_solutions = False

    def solve(
        self, costs: Costs, keep: NDArray[np.int64] | None = None, radius: int | None = None
    ) -> NDArray[np.int64] | None:
        """Servers (K,), -1 for none; None where there is no assignment.

        At most `radius` devices leave their servers `keep` (K,).
        """
        _load(self.model, self.scenario, costs, keep, radius)
        try:
            results = self.solver.solve(self.model)
        except Exception as error:  # a solver may raise anything; there is then no assignment
            self.faults.append(repr(error))
            return None
        if results.solution_status not in (SolutionStatus.optimal, SolutionStatus.feasible):
            return None
        results.solution_loader.load_vars()
        s = self.scenario
        found = [[self.model.x[k, i].value for i in range(s.n_servers + 1)] for k in self.model.K]
        values = np.array(found, dtype=float)
        chosen = values.argmax(axis=1)
        allowed = np.isfinite(costs.cost)
        active = allowed.any(axis=1)
        fine = allowed[np.arange(len(chosen)), chosen] & np.isfinite(values).all(axis=1)
        fine &= values.max(axis=1) > 0.5
        if not fine[active].all():
            self.faults.append(f"no assignment: {values[active & ~fine].tolist()}")
            return None
        return np.where(active & (chosen < s.n_servers), chosen, NO_SERVER)


def _build(s: Scenario) -> Any:
    """The model with all coefficients as mutable parameters."""
    model = pyo.ConcreteModel()
    model.K, model.S = pyo.RangeSet(0, s.n_devices - 1), pyo.RangeSet(0, s.n_servers)
    model.R, model.M = pyo.RangeSet(0, s.n_uavs), pyo.RangeSet(0, s.n_uavs - 1)
    for name, index, start in (
        ("cost", (model.K, model.S), 0.0),
        ("requests", (model.K,), 1.0),
        ("kept", (model.K, model.S), 0.0),
        ("slope", (model.R, model.K), 0.0),
        ("level", (model.R, model.K), 0.0),
    ):
        setattr(model, name, pyo.Param(*index, mutable=True, initialize=start))
    model.least_kept = pyo.Param(mutable=True, initialize=0.0)
    model.x = pyo.Var(model.K, model.S, domain=pyo.Binary)
    model.crowd = pyo.Var(model.R, domain=pyo.NonNegativeReals)
    model.count = pyo.Var(model.R, bounds=(0, s.n_devices))
    model.objective = pyo.Objective(expr=_objective(model, s))
    model.one_server = pyo.Constraint(
        model.K, rule=lambda m, k: sum(m.x[k, i] for i in m.S) == m.requests[k]
    )
    model.counting = pyo.Constraint(model.R, rule=lambda m, r: m.count[r] == _load_of(m, s, r))
    model.crowding = pyo.Constraint(
        model.R,
        model.K,
        rule=lambda m, r, i: m.crowd[r] >= m.level[r, i] + m.slope[r, i] * m.count[r],
    )
    model.nearby = pyo.Constraint(
        expr=sum(model.kept[k, i] * model.x[k, i] for k in model.K for i in model.S)
        >= model.least_kept
    )
    model.room = pyo.Param(model.K, model.K, model.M, mutable=True, initialize=2.0)
    model.together = pyo.Constraint(
        [(j, k, m) for j in model.K for k in model.K if j < k for m in model.M],
        rule=lambda mod, j, k, m: mod.x[j, m] + mod.x[k, m] <= mod.room[j, k, m],
    )
    return model


def _load_of(model: Any, s: Scenario, r: int) -> Any:
    """Requests at receiver r: a UAV, or the accessible satellite for all satellites."""
    servers = [r] if r < s.n_uavs else range(s.n_uavs, s.n_servers)
    return sum((model.x[k, i] for k in model.K for i in servers), start=0.0)


def _objective(model: Any, s: Scenario) -> Any:
    total = sum(model.cost[k, i] * model.x[k, i] for k in model.K for i in model.S)
    total += sum(model.crowd[r] for r in model.R)
    if s.compute_sharing == "shared":
        total += _sharing(model, s)
    return total


def _sharing(model: Any, s: Scenario) -> Any:
    """What each request pays for the c - 1 others on its server, one option per count c.

    Eqs. (14), (22) times the count, with the overruns that follow.
    """
    servers, counts = range(s.n_servers), range(1, s.n_devices + 1)
    model.wait = pyo.Param(model.K, servers, counts, mutable=True, initialize=0.0)
    uses = {(k, i): model.x[k, i] for k in model.K for i in servers}
    add_seats(model, uses, ((k, i, c) for k, i in uses for c in counts))
    return sum(model.wait[seat] * model.seat[seat] for seat in model.seat)


def _load(
    model: Any, s: Scenario, costs: Costs, keep: NDArray[np.int64] | None, radius: int | None
) -> None:
    """Numbers into the parameters."""
    allowed = np.isfinite(costs.cost)
    active = allowed.any(axis=1)
    finite = np.where(allowed, costs.cost, 0.0)
    # Dearer than all others together: taken only where nothing else is possible.
    refused = 1.0 + 2.0 * np.abs(finite).max(axis=1).sum()
    _set(model.cost, np.where(allowed, finite, refused))
    _set(model.requests, active.astype(float))
    slope = np.diff(costs.crowd, axis=1)
    _set(model.slope, slope)
    _set(model.level, costs.crowd[:, :-1] - slope * np.arange(slope.shape[1]))
    _set(model.room, np.where(costs.conflict, 1.0, 2.0))
    kept = np.zeros(allowed.shape)
    if keep is not None:
        column = np.where(keep >= 0, keep, s.n_servers)
        kept[np.arange(len(keep)), column] = active
    _set(model.kept, kept)
    loose = keep is None or radius is None
    model.least_kept.set_value(0.0 if loose else float(active.sum() - (radius or 0)))
    if s.compute_sharing == "shared":
        _set(model.wait, _waiting(s, costs))


def _waiting(s: Scenario, costs: Costs) -> Array:
    """(K, S, K) cost of sharing a server with 0..K-1 others, and of the overrun with them."""
    wait_s = costs.execute_s[:, :, None] * np.arange(s.n_devices)
    late_s = np.maximum(0.0, costs.late_s[:, :, None] + wait_s)
    return s.latency_weight_per_s * wait_s + s.penalty_per_s * late_s


def _set(param: Any, values: Array) -> None:
    """Values of an indexed parameter in the order of its (full, row-major) index."""
    values = np.where(np.abs(values) < NOTHING, 0.0, values)
    for data, value in zip(param.values(), values.ravel().tolist(), strict=True):
        if data.value != value:
            data.set_value(value)

"""Rows of loads: exact where servers are decided, and their best at fractions."""

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.contrib.solver.common.factory import SolverFactory

from minlp.p1 import model as p1
from minlp.p1.bounds import limits
from minlp.p1.data import slot_terms
from minlp.p1.seats import add_seats, waiting_s
from satedge.problem.plan import Plan
from support.randomised import seeds
from support.worlds import world

DEVICES, SERVERS = 5, 3


def loads_of(server, rng):
    """An LP over loads at decided servers, with random costs; its values of full, and waits."""
    execute_s = rng.uniform(0.1, 1, (DEVICES, SERVERS))
    model = pyo.ConcreteModel()
    uses = {(k, b): float(server[k] == b) for k in range(DEVICES) for b in range(SERVERS)}
    add_seats(model, uses, [(k, b, c) for k, b in uses for c in range(1, DEVICES + 1)])
    for variable in model.full.values():
        variable.domain = pyo.UnitInterval
    cost = sum(float(rng.normal()) * v for v in (*model.full.values(), *model.seat.values()))
    model.objective = pyo.Objective(expr=cost)
    SolverFactory("highs").solve(model)
    waits = {pair: pyo.value(wait) for pair, wait in waiting_s(model, execute_s).items()}
    return {key: pyo.value(v) for key, v in model.full.items()}, waits, execute_s


@pytest.mark.randomised
@pytest.mark.parametrize("seed", seeds(12))
def test_servers_decide_loads_and_waits(seed):
    """Whatever the costs, and though no load is declared integer."""
    rng = np.random.default_rng(seed)
    server = rng.integers(-1, SERVERS, DEVICES)
    full, waits, execute_s = loads_of(server, rng)
    for (b, c), value in full.items():
        assert value == pytest.approx(float((server == b).sum() == c), abs=1e-7)
    for (k, b), value in waits.items():
        others = (server == b).sum() - 1 if server[k] == b else 0
        assert value == pytest.approx(execute_s[k, b] * others, abs=1e-7)


def test_loads_that_no_cheap_plan_has_are_left_out():
    """A cutoff takes seats away; the first seat of an allowed pair stays."""
    terms = slot_terms(world("paper", 1, n_devices=6, compute_sharing="shared"), 0)
    every, few = limits(terms), limits(terms, 1.3 * float(terms.device_least.mean()))
    assert every.seats.sum() > few.seats.sum() > 0
    assert (few.seats[0] == few.allowed).all()
    assert not (few.seats & ~every.seats).any()
    assert limits(slot_terms(world("paper", 1), 0)).seats.shape[0] == 0


def test_a_plan_with_a_load_that_is_left_out_is_refused():
    """Everybody on one satellite is dearer than the cutoff allows."""
    instance = world("balanced", 1, n_devices=6, compute_sharing="shared", accuracy_max=0.31)
    terms = slot_terms(instance, 0)
    model = p1.build(instance, 0, cutoff=1.05 * float(terms.device_least.mean()))
    (b,) = {b for b, _ in model.full if b >= 3 and terms.pair[:, b].all()} & {3}
    plan = Plan(np.full((1, 6), b), np.full((1, 6), 0.1), instance.uav_xy_m[None])
    with pytest.raises(ValueError, match=r"server\[\d\] = 3: not offered for 6 requests"):
        p1.model_cost_at(model, plan)

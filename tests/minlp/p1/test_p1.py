"""P1 in Pyomo says of every plan what the referee says, in both formulations."""

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyomo.contrib.solver.common.factory import SolverFactory

from minlp.p1 import model as p1
from minlp.p1.data import slot_terms
from satedge.problem.plan import Plan
from satedge.problem.referee import judge
from satedge.problem.scenario import PRESETS
from support.plans import random_plan, without_outages
from support.randomised import examples
from support.worlds import nobody_asks, scenarios, world

SCENARIOS = scenarios(
    uav_coverage_m=st.sampled_from([120.0, 250.0]),
    uav_separation_m=st.sampled_from([0.0, 20.0]),
    n_devices=st.integers(1, 5),
)


def broken(model, tolerance):
    """Families of constraints that the values miss by more than a tolerance."""
    return {name: v for name, v in p1.violations(model).items() if not v <= tolerance}


def without_dominance(instance, plan):
    """Whether the reduced model still offers all servers of the plan."""
    terms = slot_terms(instance, 0)
    return not any(
        plan.server[0, k] >= 0 and terms.dominated[k, plan.server[0, k]] for k in terms.devices
    )


@examples(80)
@given(
    st.sampled_from(list(PRESETS)),
    SCENARIOS,
    st.integers(0, 10_000),
    st.sampled_from(list(p1.FORMULATIONS)),
)
def test_objective_and_constraints_agree_with_the_referee(name, changes, seed, formulation):
    """At any admissible plan the model's cost is the referee's to 1e-9, and nothing is broken.

    What is known of plans no dearer than one holds for the one without outages that is no dearer.
    """
    instance = world(name, seed, n_slots=2, n_uavs=2, n_satellites=2, **changes).window(1, 2)
    plan = random_plan(instance, np.random.default_rng(seed))
    verdict = judge(instance, plan)
    model = p1.build(instance, 0, formulation=formulation, cuts=False)
    assert p1.model_cost_at(model, plan) == pytest.approx(float(verdict.cost), rel=1e-9)
    assert broken(model, 1e-9) == {}
    again = p1.plan_of(model)
    assert (again.server == plan.server).all()
    assert again.power_W == pytest.approx(plan.power_W, rel=1e-9)
    assert again.uav_xy_m == pytest.approx(plan.uav_xy_m, abs=1e-9)
    if without_dominance(instance, plan):
        plan = without_outages(instance, plan)
        cost = float(judge(instance, plan).cost)
        assert cost <= verdict.cost * (1 + 1e-12)
        reduced = p1.build(instance, 0, formulation=formulation, cutoff=cost)
        assert p1.model_cost_at(reduced, plan) == pytest.approx(cost, rel=1e-9)
        assert broken(reduced, 1e-7) == {}


def slot_with(seed=0, **changes):
    """One slot of a small world with two UAVs and two satellites."""
    small = {"n_devices": 3, "n_uavs": 2, "n_satellites": 2}
    return world("balanced", seed, **small | changes)


@pytest.mark.parametrize("scope", ["all", "tier", "server"])
@pytest.mark.parametrize("formulation", list(p1.FORMULATIONS))
def test_nothing_is_cheaper_in_the_model_than_for_the_referee(scope, formulation):
    """With all decisions fixed, a solver's optimum of the model is the referee's cost: no
    constraint is missing."""
    pytest.importorskip("pyscipopt")
    instance = slot_with(3, interference_scope=scope, compute_sharing="shared")
    plan = random_plan(instance, np.random.default_rng(5), decades=(-1, 0))
    fixed = {name: value[0] for name, value in vars(plan).items()}
    model = p1.build(instance, 0, fixed=fixed, formulation=formulation, cuts=False)
    result = SolverFactory("scip_direct").solve(
        model, time_limit=600, solver_options={"limits/gap": 1e-9}
    )
    cost = float(judge(instance, plan).cost)
    assert result.incumbent_objective == pytest.approx(cost, rel=2e-6)
    assert result.objective_bound == pytest.approx(cost, rel=2e-6)


def test_late_plans_break_the_hard_form():
    """A late plan pays in the elastic form and breaks a constraint of the hard one."""
    instance = slot_with(1)
    plan = random_plan(instance, np.random.default_rng(0))
    slow = Plan(plan.server, np.where(plan.server >= 0, 1e-6, 0.0), plan.uav_xy_m)
    assert judge(instance, slow).missed.any()
    hard = p1.build(instance, 0, elastic=False, cuts=False)
    p1.model_cost_at(hard, slow)
    assert set(broken(hard, 1e-9)) == {"deadline"}


def test_every_request_may_be_refused_at_the_cost_of_an_outage():
    """The elastic model refuses whom it likes; the hard one nobody."""
    instance = slot_with(0)
    model = p1.build(instance, 0, cuts=False)
    assert set(model.refuses) == set(model.slot.devices)
    nobody = Plan(np.full((1, 3), -1), np.zeros((1, 3)), instance.uav_xy_m[None])
    refusal = instance.scenario.penalty_per_s * instance.deadline_s[0].mean()
    assert p1.model_cost_at(model, nobody) == pytest.approx(refusal, rel=1e-12)
    assert broken(model, 1e-9) == {}
    assert not len(p1.build(instance, 0, elastic=False).refuses)


def test_motion_area_coverage_and_separation_are_constraints():
    """What the referee calls a violation of positions, the model calls one too."""
    instance = slot_with(0, uav_coverage_m=100.0, uav_separation_m=50.0, n_satellites=0)
    model = p1.build(instance, 0, cuts=False)
    k, m = next(iter(model.coverage))
    server = np.array([[b[-1] if (b := model.slot.servers[j]) else -1 for j in range(3)]])
    server[0, k] = m
    power_W = np.where(server >= 0, 0.1, 0.0)
    far = instance.uav_xy_m - 2 * instance.uav_xy_m
    together = np.broadcast_to(instance.uav_xy_m[:1], (2, 2))
    for xy in (far, together):
        plan = Plan(server, power_W, np.asarray(xy, float)[None])
        worst = judge(instance, plan).violations
        p1.model_cost_at(model, plan)
        missed = broken(model, 1e-9)
        assert (worst["separation"][0] > 0) == ("separation" in missed)
        moved = worst["motion"][0] > 0 or worst["area"][0] > 0
        assert moved == bool({"bounds of square", "bounds of move"} & set(missed))
        uncovered = worst["coverage"][0] > 0
        assert uncovered == ("coverage" in missed)
    assert "separation" in missed


def test_download_may_be_relaxed():
    """A constant for the download never costs more, and hardly less."""
    instance = slot_with(2)
    plan = random_plan(instance, np.random.default_rng(1))
    cost = float(judge(instance, plan).cost)
    relaxed = p1.build(instance, 0, cuts=False, download="bound")
    assert cost * (1 - 1e-3) <= p1.model_cost_at(relaxed, plan) <= cost


def test_wrong_calls_are_refused_by_name():
    """Unknown names and unreachable fixed positions are refused, with what is allowed."""
    instance = slot_with(0)
    with pytest.raises(ValueError, match="log-power, power"):
        p1.build(instance, 0, formulation="cubic")
    with pytest.raises(ValueError, match="exact, bound"):
        p1.build(instance, 0, download="none")
    with pytest.raises(ValueError, match="server, power_W, uav_xy_m"):
        p1.build(instance, 0, fixed={"servers": [0, 0, 0]})
    with pytest.raises(ValueError, match="at most 60 m"):
        p1.build(instance, 0, fixed={"uav_xy_m": instance.uav_xy_m + 61.0})
    with pytest.raises(ValueError, match=r"server\[0\]"):
        p1.model_cost_at(
            p1.build(instance, 0),
            Plan(np.full((1, 3), 99), np.ones((1, 3)), instance.uav_xy_m[None]),
        )


def test_idle_slots_cost_nothing():
    """A slot without requests is a model without variables to choose, of cost 0."""
    nobody = nobody_asks(slot_with(0))
    model = p1.build(nobody, 0)
    assert pyo.value(model.objective) == 0
    nothing = Plan(np.full((1, 3), -1), np.zeros((1, 3)), nobody.uav_xy_m[None])
    assert p1.model_cost_at(model, nothing) == 0

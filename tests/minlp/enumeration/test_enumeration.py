"""The enumeration is an oracle: its bound lies below every plan, its plan at its bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.enumeration import solve as oracle
from minlp.enumeration.box import evaluate, root_box, split
from minlp.enumeration.point import Combination
from minlp.general import solve as general
from minlp.p1.data import slot_terms
from satedge.problem.plan import Plan, stack
from satedge.problem.projector import project
from satedge.problem.referee import TOLERANCE, judge
from support.randomised import examples, seeds
from support.worlds import nobody_asks, scenarios, tiny, world

SCENARIOS = scenarios(
    uav_coverage_m=st.sampled_from([80.0, 250.0]),
    latency_weight_per_s=st.sampled_from([0.5, 2.0]),
    energy_weight_per_J=st.sampled_from([0.0, 0.0125, 0.5]),
)


def around(instance, plan, rng, count):
    """Admissible plans near a plan and far from it."""
    s = instance.scenario
    scale = 10 ** rng.uniform(-4, 0, (count, 1, 1))
    server = np.broadcast_to(plan.server, (count, *plan.server.shape)).copy()
    anew = rng.random(server.shape) < 0.3 * (rng.random((count, 1, 1)) < 0.5)
    server[anew] = rng.integers(0, s.n_servers, anew.sum())
    power_W = np.maximum(plan.power_W, 1e-6) * np.exp(3 * scale * rng.normal(size=server.shape))
    xy = plan.uav_xy_m + 50 * scale[..., None] * rng.normal(size=(count, *plan.uav_xy_m.shape))
    return project(instance, Plan(server, power_W, xy))[0]


@examples(25)
@given(SCENARIOS, st.integers(0, 1000))
def test_no_plan_lies_below_the_bound(changes, seed):
    """Plans near the optimum and far from it cost at least the bound; the gap is as asked."""
    instance = tiny(seed, **changes)
    proof = oracle.prove(instance, relative_gap=1e-5)
    costs = judge(instance, around(instance, proof.plan, np.random.default_rng(seed), 300)).cost
    assert proof.lower_bound <= costs.min() * (1 + 1e-9)
    assert proof.cost == float(judge(instance, proof.plan).cost)
    assert proof.gap <= 1e-5


@examples(40)
@given(SCENARIOS, st.integers(0, 1000), st.integers(0, 5))
def test_every_box_bounds_its_plans(changes, seed, depth):
    """With given servers, the bound of a box lies below plans at any positions inside it."""
    instance = tiny(seed, n_uavs=2, n_satellites=1, accuracy_max=0.5, **changes)
    rng = np.random.default_rng(seed)
    terms = slot_terms(instance, 0)
    servers = np.array([
        rng.choice(options) if (options := np.flatnonzero(terms.pair[k])).size else -1
        for k in range(3)
    ])  # fmt: skip
    box = root_box(Combination.of(terms, servers))
    if box is None:
        return
    for _ in range(depth):
        parts = split(evaluate(box))
        if not parts:
            return
        box = parts[rng.integers(len(parts))]
    box = evaluate(box)
    xy = rng.uniform(box.low, box.high, (200, *box.low.shape))[:, None]
    power_W = np.where(servers >= 0, box.plan.power_W * np.exp(rng.normal(size=(200, 1, 3))), 0.0)
    plans = Plan(np.broadcast_to(servers, (200, 1, 3)), np.clip(power_W, 1e-6, 1), xy)
    plans = Plan(plans.server, np.where(servers >= 0, plans.power_W, 0.0), xy)
    verdict = judge(instance, stack([Plan(*parts) for parts in zip(
        plans.server, plans.power_W, plans.uav_xy_m, strict=True
    )]))  # fmt: skip
    costs = verdict.cost[verdict.admissible]
    assert box.bound / 3 <= costs.min(initial=np.inf) * (1 + 1e-9)


@pytest.mark.parametrize("seed", [1, 4])
def test_scip_finds_the_same_optimum(seed):
    """A general solver on the Pyomo model ends at the enumerated optimum."""
    pytest.importorskip("pyscipopt")
    instance = tiny(seed, latency_weight_per_s=1 / 3, energy_weight_per_J=1 / 80)
    proof = oracle.prove(instance)
    assert proof.gap <= 1e-6
    outcome = general.solve(instance, budget_s=600, seed=0)
    assert float(judge(instance, outcome.plan).cost) == pytest.approx(proof.cost, rel=5e-6)
    assert outcome.info["slots"][0]["bound"] <= proof.cost * (1 + 1e-5)


@examples(25)
@given(st.integers(0, 1000), st.sampled_from(["balanced", "paper", "published"]))
def test_separable_case_equals_enumeration(seed, name):
    """Without leakage and motion, device by device is the enumeration over all at once."""
    small = {"n_devices": 3, "n_uavs": 1, "n_satellites": 2}
    instance = world(name, seed, interference_leakage=0.0, **small)
    scenario = instance.scenario
    alone = oracle.separable(instance)
    together = oracle.prove(instance, fixed=True, relative_gap=1e-8)
    # Bounds hold for plans that use what the referee forgives of deadlines and power limits: of a
    # late request's latency a rounding each.
    verdict = judge(instance, alone.plan)
    late_s = verdict.latency_s[verdict.missed].sum() / scenario.n_devices
    forgiven = 2.02 * TOLERANCE * scenario.penalty_per_s * late_s / alone.cost
    assert alone.gap <= 1e-9 + forgiven
    assert together.gap <= 1e-8 + forgiven
    assert together.cost == pytest.approx(alone.cost, rel=2e-8)


@pytest.mark.randomised
def test_motion_never_hurts():
    """Fixed positions cost at least as much as free ones."""
    for seed in seeds(4):
        instance = tiny(seed)
        free, fixed = oracle.prove(instance), oracle.prove(instance, fixed=True)
        assert fixed.gap <= 1e-6
        assert free.lower_bound <= fixed.cost
        assert (fixed.plan.uav_xy_m[0] == instance.uav_xy_m).all()


@pytest.mark.randomised
def test_dominated_satellites_never_help():
    """Combinations with a dominated satellite are enumerated, and never win."""
    wins = seen = 0
    for seed in seeds(12):
        instance = tiny(seed, n_satellites=3, n_devices=2)
        dominated = slot_terms(instance, 0).dominated
        plan = oracle.prove(instance).plan
        chosen = [dominated[k, b] for k, b in enumerate(plan.server[0]) if b >= 0]
        wins += any(chosen)
        seen += dominated.any()
    assert wins == 0 < seen


def test_solve_states_its_certificate():
    """As a method: optimal, with a bound below its cost; over several slots without a bound."""
    outcome = oracle.solve(tiny(2), budget_s=np.inf, seed=0)
    assert outcome.status == "optimal"
    assert outcome.certificate["kind"] == "enumeration"
    cost = float(judge(tiny(2), outcome.plan).cost)
    assert cost * (1 - 1e-6) <= outcome.lower_bound <= cost
    two = world("tiny", 2, n_slots=2)
    assert oracle.solve(two, budget_s=np.inf, seed=0).lower_bound is None


def test_when_time_is_up_the_bound_still_holds():
    """A search cut short has a worse bound, not a wrong one."""
    instance = tiny(4)
    cut, full = oracle.prove(instance, budget_s=0.0), oracle.prove(instance)
    assert cut.lower_bound <= full.lower_bound <= full.cost <= cut.cost


def test_too_many_combinations_are_refused():
    """Large slots are not enumerated."""
    large = world("balanced", 0, n_devices=40, interference_leakage=0.3)
    with pytest.raises(ValueError, match="combinations"):
        oracle.prove(large)
    with pytest.raises(ValueError, match="leakage = 0"):
        oracle.separable(tiny())


def test_idle_slots_cost_nothing():
    """Nobody asks, nothing is paid."""
    proof = oracle.prove(nobody_asks(tiny()))
    assert proof.cost == proof.lower_bound == 0

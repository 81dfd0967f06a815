"""The relaxation holds for every admissible plan, and its bound whatever the LP solver says."""

import math

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from minlp.alternating.solve import alternate
from minlp.enumeration.solve import prove
from minlp.milp import solve as relax
from minlp.milp.duals import DISAGREEMENT, LinearProgram, LpAnswer, Solver
from minlp.milp.model import UNIT_M, add_stretch, add_tangents, build_relaxation
from minlp.milp.tangents import (
    capacity_lines,
    capacity_share,
    tangent_energy,
    tangent_power,
)
from minlp.p1.data import slot_terms
from satedge.problem.referee import judge, uav_gains
from support.plans import random_plan, without_outages
from support.randomised import examples, seeds
from support.worlds import scenarios, tiny, world

SCENARIOS = scenarios(
    path_loss_exponent=st.sampled_from([1.5, 2.0, 2.4]),
    uav_coverage_m=st.sampled_from([120.0, 250.0]),
)


def heard_of_others(terms, plan, pair):
    """Interference over noise at a pair's receiver, others at their least gains."""
    s, server, total = terms.scenario, plan.server[0], 0.0
    for j in pair.around:
        same_tier = (server[j] >= s.n_uavs) == (pair.server >= s.n_uavs)
        disturbs = {
            "all": True, "tier": same_tier, "server": terms.receiver[server[j]] == pair.receiver
        }[s.interference_scope]  # fmt: skip
        if server[j] >= 0 and disturbs:
            total += plan.power_W[0, j] * terms.gain_range[0][j, pair.receiver]
    return total


def place(model, instance, plan):
    """Set the relaxation's variables to what they stand for in a plan; None if it has no place."""
    terms, verdict, server = model.terms, judge(instance, plan), plan.server[0]
    s = terms.scenario
    for variable in model.component_data_objects(pyo.Var):
        variable.set_value(0.0)
    gains = np.hstack([
        uav_gains(instance, plan.uav_xy_m)[0] / s.noise_W, terms.satellite_gain[:, None]
    ])  # fmt: skip
    for (m, axis), variable in model.xy.items():
        variable.set_value(float(plan.uav_xy_m[0, m, axis]) / UNIT_M)
    for k in terms.devices:
        if server[k] < 0:
            model.refuses[k].set_value(1)
            continue
        key = (k, int(server[k]))
        if key not in model.pairs:
            return False
        pair, power = model.pairs[key], float(plan.power_W[0, k])
        above = server[k] >= s.n_uavs
        upload = float(verdict.upload_s[0, k]) - (terms.propagation_s if above else 0.0)
        sinr = math.expm1(pair.load_s / upload)
        values = {
            "x": 1, "upload_s": upload, "power_W": power, "energy_J": power * upload,
            "free_W": sinr / pair.gain, "free_J": upload * sinr / pair.gain,
            "stretch": pair.gain / gains[k, pair.receiver],
            "disturbance": heard_of_others(terms, plan, pair),
            "share": s.interference_leakage * sinr / (1 + s.interference_leakage * sinr),
        }  # fmt: skip
        for name, value in values.items():
            getattr(model, name)[key].set_value(float(value), skip_validation=True)
        model.overrun_s[key].set_value(float(verdict.overrun_s[0, k]))
    if s.compute_sharing == "shared":
        for b, c in model.full:
            model.full[b, c].set_value(int((server == b).sum() == c))
        for k, b, c in model.seat:
            model.seat[k, b, c].set_value(int(server[k] == b and (server == b).sum() == c))
    return True


@examples(60)
@given(st.sampled_from(["balanced", "paper", "as-printed"]), SCENARIOS, st.integers(0, 10_000))
def test_every_row_holds_at_every_plan(name, changes, seed):
    """Admissible plans satisfy all rows, and cost no less than the relaxation says."""
    instance = world(name, seed, n_devices=4, n_uavs=2, n_satellites=2, **changes)
    rng = np.random.default_rng(seed)
    plan = without_outages(instance, random_plan(instance, rng, decades=(-3, 0)))
    cost = float(judge(instance, plan).cost)
    model = build_relaxation(slot_terms(instance, 0), cost * (1 + 1e-9))
    for key, pair in model.pairs.items():
        add_tangents(model, key, float(rng.uniform(*pair.upload_s)))
        if pair.stretch > 1:
            add_stretch(model, key, instance.uav_xy_m[key[1]] + rng.uniform(-40, 40, 2))
    if not place(model, instance, plan):
        return  # it uses a dominated satellite
    for row in model.component_data_objects(pyo.Constraint):
        body = pyo.value(row.body)
        room = 1e-9 * max(1.0, abs(body))
        assert row.lower is None or body >= pyo.value(row.lower) - room, row.name
        assert row.upper is None or body <= pyo.value(row.upper) + room, row.name
    for variable in model.component_data_objects(pyo.Var):
        room = 1e-9 * max(1.0, abs(variable.value))
        assert variable.lb - room <= variable.value <= variable.ub + room, variable.name
    assert pyo.value(model.objective) <= cost * (1 + 1e-9)


@examples(20)
@given(SCENARIOS, st.integers(0, 1000))
def test_bound_lies_between_lone_senders_and_the_optimum(changes, seed):
    """Certified, at most the enumerated optimum, at least what lone senders cost."""
    instance = tiny(seed, **changes)
    answer = relax.relaxed(instance, 0, budget_s=np.inf, claim=False)
    proof = prove(instance, relative_gap=1e-5)
    lone = slot_terms(instance, 0).device_least.sum() / 3
    assert lone <= answer.lower_bound <= proof.cost * (1 + 1e-9)


@examples(100)
@given(
    st.floats(0.05, 2), st.floats(0.5, 5e4), st.floats(0.01, 10), st.floats(0.01, 10),
    st.floats(0.001, 1),
)  # fmt: skip
def test_lines_lie_below_their_curves(load, gain, at, elsewhere, leakage):
    """Tangents and pieces of the envelope underestimate, wherever they are taken."""
    at, elsewhere = max(at, load / 50), max(elsewhere, load / 50)
    sinr = math.expm1(load / elsewhere)
    assert tangent_power(load, gain, at).at(elsewhere) <= sinr / gain
    assert tangent_energy(load, gain, at).at(elsewhere) <= elsewhere * sinr / gain
    span = (min(at, elsewhere), max(at, elsewhere) * 1.001)
    envelope = capacity_lines(load, leakage, span)
    for h in np.geomspace(*span, 40):
        line = envelope.at(float(h))
        below = [line.at(x) for x in np.geomspace(*span, 7)]
        assert (below <= capacity_share(load, leakage, np.geomspace(*span, 7)) + 1e-15).all()


def small_program(rng):
    """A feasible random LP with a known point, and its optimum by another solver."""
    n, rows = 6, 8
    matrix, point = rng.normal(size=(rows, n)), rng.uniform(0, 1, n)
    program = LinearProgram(
        objective=rng.normal(size=n), offset=0.7, matrix=sparse.csr_matrix(matrix),
        row_low=matrix @ point - rng.uniform(0, 0.3, rows), row_high=np.full(rows, np.inf),
        low=np.zeros(n), high=np.ones(n), column={},
    )  # fmt: skip
    from scipy.optimize import linprog

    best = linprog(program.objective, A_ub=-matrix, b_ub=-program.row_low, bounds=[(0, 1)] * n)
    return program, best.fun + 0.7


@pytest.mark.randomised
@pytest.mark.parametrize("seed", seeds(20))
def test_any_multipliers_give_a_valid_bound(seed):
    """The LP's duals give its optimum; wrong ones, of whatever sign, never more."""
    rng = np.random.default_rng(seed)
    program, optimum = small_program(rng)
    answer = Solver(program).solve(program.low, program.high, 10)
    assert answer.bound <= optimum + 1e-12
    assert answer.bound == pytest.approx(optimum, abs=1e-9)
    for scale in (1e-6, 0.1, 10.0):
        wrong = scale * rng.normal(size=len(program.row_low))
        assert program.safe_bound(wrong, program.low, program.high) <= optimum + 1e-12
    assert program.safe_bound(np.full(8, np.nan), program.low, program.high) == -np.inf


def test_infeasibility_needs_a_proof():
    """A dual ray proves an empty LP; no multipliers prove a feasible one empty."""
    program, _ = small_program(np.random.default_rng(0))
    solver = Solver(program)
    solver.add_rows(sparse.csr_matrix(np.ones((1, 6))), np.array([7.0]))
    assert solver.solve(program.low, program.high, 10).bound == np.inf
    feasible, _ = small_program(np.random.default_rng(1))
    for seed in range(50):
        y = np.random.default_rng(seed).normal(size=8)
        assert feasible.safe_bound(y, feasible.low, feasible.high, costs=False) <= 0


@pytest.mark.parametrize(
    "answer",
    [
        LpAnswer(-np.inf, np.nan, None),
        LpAnswer(-np.inf, np.inf, None),
    ],
)
def test_a_failing_solver_leaves_the_weaker_bound(monkeypatch, answer):
    """Where HiGHS fails, or claims an infeasibility it cannot prove, lone senders bound."""
    monkeypatch.setattr(Solver, "solve", lambda *_: answer)
    instance = tiny(1)
    bound = relax.relaxed(instance, 0, claim=False).lower_bound
    assert bound == pytest.approx(slot_terms(instance, 0).device_least.sum() / 3, rel=1e-12)


def test_interruption_leaves_a_true_bound():
    """Without time the bound is worse, never wrong."""
    instance = world("balanced", 1)
    cut = relax.relaxed(instance, 0, budget_s=0.0)
    full = relax.relaxed(instance, 0, budget_s=np.inf, claim=False)
    assert cut.lower_bound <= full.lower_bound * (1 + 1e-9)


def test_the_solvers_own_bound_is_recorded_and_agrees():
    """HiGHS's MILP bound is near the certified one, and kept apart from it."""
    answer = relax.relaxed(tiny(2), 0, budget_s=np.inf)
    assert answer.claimed["bound"] == pytest.approx(answer.lower_bound, rel=1e-3)


def test_rounded_plans_are_admissible_and_near():
    """The rounded plan is within a few percent of the bound, on a slot and an episode."""
    slot = world("paper", 4, n_devices=5)
    outcome = relax.solve_rounded(slot, budget_s=np.inf, seed=0)
    verdict = judge(slot, outcome.plan)
    assert verdict.admissible
    assert outcome.lower_bound <= float(verdict.cost) <= 1.03 * outcome.lower_bound
    assert outcome.certificate["kind"] == "lp-duals"
    episode = world("tiny", 4, n_slots=3)
    outcome = relax.solve_rounded(episode, budget_s=np.inf, seed=0)
    assert judge(episode, outcome.plan).admissible
    assert outcome.lower_bound <= float(judge(episode, outcome.plan).cost)


def test_bound_of_an_episode_lets_uavs_reach_further():
    """Later slots are bounded over all positions that may be reached by then."""
    episode = world("tiny", 5, n_slots=3)
    outcome = relax.solve(episode, budget_s=np.inf, seed=0)
    assert outcome.plan is None
    assert outcome.lower_bound == pytest.approx(np.mean(outcome.certificate["slot_bounds"]))
    wide = relax.relaxed(episode, 2, reach_m=180.0, claim=False).lower_bound
    near = relax.relaxed(episode, 2, claim=False).lower_bound
    assert wide <= near * (1 + 1e-9)


def test_dominated_satellites_have_no_variables():
    """Some satellites are dominated, and none of those is offered by the relaxation."""
    dropped = 0
    for seed in range(4):
        terms = slot_terms(world("paper", seed), 0)
        offered = set(build_relaxation(terms).pairs)
        out = {(int(k), int(b)) for k, b in np.argwhere(terms.dominated)}
        assert not offered & out
        dropped += len(out)
    assert dropped > 0


def bound_without(component, instance):
    """The root LP's certified bound, with the rows of a component dropped, if it names one."""
    model = build_relaxation(slot_terms(instance, 0))
    if component:
        model.del_component(component)
    program = LinearProgram.of(model)
    return Solver(program).solve(program.low, program.high, 20).bound


@pytest.mark.parametrize("component", ["capacity", "heard"])
def test_capacity_and_interference_rows_pay(component):
    """With full leakage the root's bound falls without them, and nowhere rises."""
    changes = {"interference_leakage": 1.0, "interference_scope": "all"}
    gains = []
    for seed in range(3):
        instance = world("balanced", seed, n_devices=6, **changes)
        gains.append(bound_without("", instance) / bound_without(component, instance) - 1)
    assert min(gains) >= -1e-9
    assert max(gains) > 1e-3


@pytest.mark.parametrize("component", ["one_load", "filled"])
def test_rows_of_loads_pay(component):
    """With shared compute the root's bound falls without them."""
    gains = []
    for seed in range(3):
        instance = world("balanced", seed, n_devices=6, compute_sharing="shared")
        gains.append(bound_without("", instance) / bound_without(component, instance) - 1)
    assert min(gains) >= -DISAGREEMENT
    assert max(gains) > 1e-2


def test_shared_servers_are_bounded_closely():
    """With six requests on few servers the bound lies within a tenth of the best plan."""
    for name in ("paper", "balanced"):
        fast = {"uav_TFLOPS": 3.76, "satellite_TFLOPS": 6.66}
        instance = world(name, 3, n_devices=6, compute_sharing="shared", **fast)
        bound = relax.relaxed(instance, 0, budget_s=np.inf, claim=False).lower_bound
        best = float(judge(instance, alternate(instance, budget_s=1e6, seed=0).plan).cost)
        assert 0.9 * best <= bound <= best * (1 + 1e-9)


def test_refinement_at_the_solutions_raises_the_bound(monkeypatch):
    """One round of the LP bounds less than as many as it takes; both hold."""
    instance = world("balanced", 2, n_devices=4)
    refined = relax.relaxed(instance, 0, budget_s=np.inf, claim=False)
    monkeypatch.setattr(relax, "MAX_ROUNDS", 1)
    coarse = relax.relaxed(instance, 0, budget_s=np.inf, claim=False)
    assert coarse.lower_bound < refined.lower_bound * (1 - 1e-6)

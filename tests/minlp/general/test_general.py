"""A general solver's word counts for nothing: its plan is judged, its failures are recorded."""

import os
import stat
import sys

import numpy as np
import pytest

from minlp.general import solve as general
from minlp.p1 import solvers as general_solvers
from minlp.p1.start import start_plan
from satedge.problem.plan import Plan
from satedge.problem.referee import judge
from support.worlds import tiny, world

pytest.importorskip("pyscipopt")


@pytest.fixture
def fake_solver(tmp_path, monkeypatch):
    """Put an AMPL solver of one's own making on the path; returns the name Pyomo has for it."""

    def make(body):
        script = tmp_path / "knitroampl"
        version = "import sys\nif '-v' in sys.argv: sys.exit(print('Fake Knitro 1.2.3'))\n"
        script.write_text(f"#!{sys.executable}\n{version}{body}")
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return "knitroampl"

    return make


def test_scip_solves_a_tiny_slot():
    """SCIP proves its optimum of a tiny slot; the claim agrees with the referee."""
    instance = tiny()
    outcome = general.solve(instance, budget_s=600, seed=0)
    cost = float(judge(instance, outcome.plan).cost)
    (slot,) = outcome.info["slots"]
    assert outcome.status == "optimal"
    assert slot["cost"] == pytest.approx(cost, rel=1e-5)
    assert slot["bound"] <= cost * (1 + 1e-6)
    assert slot["wrong"] == []
    assert slot["nodes"] >= 1
    assert cost <= float(judge(instance, start_plan(instance)).cost)


def test_a_claimed_bound_is_no_certified_bound():
    """What the solver says of its bound is kept apart from `lower_bound`."""
    outcome = general.solve(tiny(1), budget_s=600, seed=0)
    assert outcome.lower_bound is None
    assert outcome.certificate["claimed_bound"] > 0


def test_episodes_go_slot_by_slot():
    """UAVs fly on from where they were, and every slot has a record."""
    instance = world("tiny", 3, n_slots=2)
    seen = []
    outcome = general.solve(instance, budget_s=600, seed=0, report=seen.append)
    assert judge(instance, outcome.plan).admissible
    assert [r["slot"] for r in outcome.info["slots"]] == [0, 1]
    assert (seen[-1].plan.server == outcome.plan.server).all()


def test_both_formulations_have_one_optimum():
    """Rates in powers and in log-powers lead SCIP to the same cost, in a hundred nodes each."""
    instance = tiny(2)
    costs = [
        float(judge(instance, general.solve(
            instance, budget_s=600, seed=0, formulation=name, options={"limits/nodes": 100}
        ).plan).cost)
        for name in ("log-power", "power")
    ]  # fmt: skip
    assert costs[0] == pytest.approx(costs[1], rel=1e-5)


def fails(solver, budget_s=600, n_slots=1, **settings):
    """Why a solver fails. Nothing that it has not found itself is handed on as its plan."""
    reported = []
    instance = tiny(n_slots=n_slots)
    with pytest.raises(general.SolverFailed) as told:
        general.solve(
            instance, budget_s=budget_s, seed=0, solver=solver, report=reported.append, **settings
        )
    assert reported == []
    assert "\n" not in str(told.value)
    return str(told.value)


def test_unknown_solver_fails_with_a_reason():
    """A solver that Pyomo does not know has failed, with the reason, and has no plan."""
    told = fails("cplexxx", budget_s=1000)
    assert told == "slot 0: solver 'cplexxx': Pyomo knows no solver of that name"


def test_availability_is_told():
    """What can be used says nothing; what cannot says why."""
    assert general_solvers.availability("scip") == ""
    assert "baron" in general_solvers.availability("baron")
    assert "no solver of that name" in general_solvers.availability("oracle")


@pytest.mark.skipif(not general_solvers.nlp_solver(), reason="no Ipopt and no ripopt here")
@pytest.mark.parametrize("solver", ["mindtpy", "ripopt"])
def test_solvers_built_on_a_local_one(solver):
    """MindtPy (HiGHS and a local solver) and rounding with the local solver alone find plans."""
    if reason := general_solvers.availability(solver):
        pytest.skip(reason)
    instance = tiny(4)
    outcome = general.solve(instance, budget_s=600, seed=0, solver=solver)
    assert outcome.status != "failed"
    cost = float(judge(instance, outcome.plan).cost)
    assert cost <= float(judge(instance, start_plan(instance)).cost)


def test_a_hanging_solver_is_killed(fake_solver):
    """A solver that ignores its limit is killed soon after, and has no plan."""
    name = fake_solver("import time\ntime.sleep(600)")
    told = fails(name, budget_s=3, grace_s=0.5)
    assert "killed" in told or "timed out" in told


def test_a_crash_is_recorded(fake_solver):
    """A solver that takes its process with it has failed."""
    name = fake_solver("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")
    assert "died" in fails(name)


def test_a_solver_without_a_solution_has_no_plan(fake_solver):
    """One that ends in good order and says nothing has not found the plan it was started from."""
    values = "chr(10).join(['VALUE'] * n_vars) + chr(10) + "
    assert values in LIAR
    nothing = LIAR.replace("str(n_vars)]", "'0']").replace(values, "")
    assert "no plan within" in fails(fake_solver(nothing))


def test_a_plan_of_one_slot_is_none_of_an_episode(fake_solver, monkeypatch):
    """Where the budget ends before the last slot, no stand-in plays the rest."""
    seconds = iter([0.0, 1.0, 9999.0])
    monkeypatch.setattr(general, "_solve_slot", lambda child, slot, *_: (start_plan(slot), {}))
    monkeypatch.setattr(general.clock, "now", lambda: next(seconds, 9999.0))
    assert "were over before" in fails("scip", n_slots=3)


def test_a_jump_of_the_clock_kills_nothing(monkeypatch):
    """Summer time, or a clock that is set right, is no hang of a solver."""
    jumps = iter([0.0, 0.0])
    monkeypatch.setattr(general.time, "time", lambda: next(jumps, 3600.0))
    assert general.solve(tiny(), budget_s=60, seed=0).plan is not None


LIAR = """
stub = [a for a in sys.argv[1:] if not a.startswith('-')][0]
stub = stub if stub.endswith('.nl') else stub + '.nl'
header = open(stub, errors='replace').read().split(chr(10))
n_vars, n_rows = (int(word) for word in header[1].split()[:2])
with open(stub[:-3] + '.sol', 'w') as sol:
    sol.write('all zero: optimal' + chr(10) * 2 + 'Options' + chr(10))
    sol.write(chr(10).join(['3', '1', '1', '0', str(n_rows), '0', str(n_vars), str(n_vars)]))
    sol.write(chr(10) + chr(10).join(['VALUE'] * n_vars) + chr(10) + 'objno 0 0' + chr(10))
"""


@pytest.mark.parametrize("value", ["0", "1e30", "nan"])
def test_a_lie_is_found_out(fake_solver, value):
    """A solution that breaks the model is no plan."""
    told = fails(fake_solver(LIAR.replace("VALUE", value)))
    assert "no admissible server" in told or "no plan" in told, told


def test_a_false_claim_is_kept_with_what_the_referee_says(monkeypatch):
    """An admissible plan counts at the referee's cost, whatever its solver claims."""
    plan = start_plan(tiny())
    cost = float(judge(tiny(), plan).cost)
    claim = {"termination": "optimal", "cost": 0.9 * cost, "bound": 1.1 * cost, "version": "1"}
    answer = {"claim": claim, "plan": plan.to_dict()}
    monkeypatch.setattr(general.Child, "ask", lambda *_: answer)
    outcome = general.solve(tiny(), budget_s=600, seed=0)
    (slot,) = outcome.info["slots"]
    assert (outcome.status, slot["judged"]) == ("finished", cost)
    assert [w.split()[1] for w in slot["wrong"]] == ["cost", "bound"]
    claim |= {"cost": cost, "bound": cost}
    assert general.solve(tiny(), budget_s=600, seed=0).status == "optimal"


def test_rounding_beyond_coverage_is_tidied():
    """A position that misses coverage by a solver's tolerance is moved in, a farther one not."""
    instance = tiny(5)
    w, z = instance.device_xy_m[0, 0], instance.scenario.uav_coverage_m
    near = instance.window(0, 1, np.clip(w[None] + [[0.6 * z, 0.8 * z]], 0, 500))
    away = near.uav_xy_m[0] - w
    for excess, moved in ((1e-6, True), (1e-2, False)):
        at = w + away * (z * (1 + excess) / np.hypot(*away))
        raw = Plan(np.array([[0, 1, 1]]), np.ones((1, 3)), at[None, None])
        near = instance.window(0, 1, np.clip(at[None], 0, 500))
        if not (near.uav_xy_m[0] == at).all():
            pytest.fail("choose another seed: the edge lies outside the area")
        tidied = general.tidy(near, raw).uav_xy_m[0, 0]
        assert (np.hypot(*(tidied - w)) <= z) == moved

"""Solvers that lie, crash, hang or return nonsense: noticed, recorded, and never in a bound."""

import highspy
import numpy as np
import pytest

from minlp.alternating import solve as alternate_module
from minlp.alternating.assignment import Assignment
from minlp.alternating.solve import alternate
from minlp.enumeration.solve import prove
from minlp.heuristics.simple import greedy
from minlp.milp import solve as relax
from minlp.milp.duals import Solver
from minlp.slot.interference_free import independent_bound
from satedge.problem.referee import judge
from support.worlds import tiny, world


class Wrapped:
    """A HiGHS whose answers are spoilt."""

    def __init__(self, highs, spoil):
        self._highs, self._spoil = highs, spoil

    def __getattr__(self, name):
        return self._spoil.get(name, lambda inner: inner)(getattr(self._highs, name))


def solution_with(**changes):
    """getSolution with some of its arrays replaced: name -> function of the true array."""

    def spoil(get):
        def spoilt():
            true = get()
            twin = highspy.HighsSolution()
            for name in ("col_value", "col_dual", "row_value", "row_dual"):
                change = changes.get(name, lambda values: values)
                setattr(twin, name, change(np.array(getattr(true, name))).tolist())
            return twin

        return spoilt

    return spoil


def crashing(_):
    def crash(*_):
        raise RuntimeError("out of luck")

    return crash


def info_with(**values):
    """getInfo with some numbers replaced."""

    def spoil(get):
        def spoilt():
            info = get()
            for name, value in values.items():
                setattr(info, name, value)
            return info

        return spoilt

    return spoil


SPOILT = {
    "wrong dual values": {"getSolution": solution_with(row_dual=lambda y: 3.0 * y + 1.0)},
    "duals that are no numbers": {"getSolution": solution_with(row_dual=lambda y: y * np.nan)},
    "a point that is no numbers": {"getSolution": solution_with(col_value=lambda x: x * np.nan)},
    "an optimum far too high": {"getInfo": info_with(objective_function_value=1e9)},
    "an optimum that is no number": {"getInfo": info_with(objective_function_value=np.nan)},
    "an exception": {"run": crashing},
    "a false infeasibility": {
        "getModelStatus": lambda _: lambda: highspy.HighsModelStatus.kInfeasible,
        "getDualRay": lambda _: lambda: (None, False, None),
    },
    "a false infeasibility with a ray": {
        "getModelStatus": lambda _: lambda: highspy.HighsModelStatus.kInfeasible,
        "getDualRay": lambda _: lambda: (None, True, np.ones(1000)),
    },
    "an unknown status": {"getModelStatus": lambda _: lambda: highspy.HighsModelStatus.kUnknown},
}


@pytest.mark.parametrize("fault", SPOILT)
def test_whatever_the_lp_solver_does_the_bound_holds_and_the_fault_is_told(monkeypatch, fault):
    """Never above the enumerated optimum, never below what lone senders prove."""
    load = Solver._load

    def spoilt_load(self):
        load(self)
        self._highs = Wrapped(self._highs, SPOILT[fault])

    monkeypatch.setattr(Solver, "_load", spoilt_load)
    slot = tiny(1)
    found = relax.solve(slot, budget_s=np.inf, seed=0)
    assert found.lower_bound <= prove(slot, relative_gap=1e-5).cost
    assert found.lower_bound >= independent_bound(slot).mean()
    assert found.certificate["faults"][0]


def test_a_sound_lp_solver_is_not_accused():
    """The same slots with the solver as it is: no fault is recorded."""
    for seed in range(3):
        found = relax.solve(tiny(seed), budget_s=np.inf, seed=0)
        assert found.certificate["faults"] == [[]]


@pytest.mark.parametrize(
    ("cost", "bound", "told"),
    [(1.0, 1e9, "claims the bound"), (1e-9, 1e-9, "claims the cost"), (1.0, np.nan, "the bound")],
)
def test_a_wrong_milp_claim_is_told_and_does_not_enter_the_bound(monkeypatch, cost, bound, told):
    """A bound above a plan's cost, a cost below the certified bound, no number at all."""
    slot = tiny(1)
    true = relax.relaxed(slot, 0, budget_s=np.inf)
    wrong = (true.lower_bound * cost if cost < 1 else None, bound)
    monkeypatch.setattr(relax, "milp_claim", lambda *_: wrong)
    answer = relax.relaxed(slot, 0, budget_s=np.inf)
    assert answer.lower_bound == pytest.approx(true.lower_bound, rel=1e-9)
    assert any(told in fault for fault in answer.faults)
    assert true.faults == ()


class Killed(BaseException):
    """Stands for a killed process."""


def test_a_solver_that_hangs_leaves_the_weaker_bound_reported(monkeypatch):
    """A process that is killed in the first LP has streamed what needs no solver."""

    def hang(*_):
        raise Killed

    monkeypatch.setattr(Solver, "solve", hang)
    seen, slot = [], tiny(1)
    with pytest.raises(Killed):
        relax.solve(slot, budget_s=np.inf, seed=0, report=seen.append)
    assert seen[-1].lower_bound == pytest.approx(independent_bound(slot).mean(), rel=1e-12)
    assert seen[-1].lower_bound <= prove(slot, relative_gap=1e-5).cost


@pytest.mark.parametrize("fault", ["exception", "nonsense", "not a number"])
def test_alternate_survives_its_milp_solver(monkeypatch, fault):
    """The plan is no worse than greedy's, admissible, and the faults are recorded."""
    load = alternate_module.Assignment.__post_init__

    def spoilt(self):
        load(self)
        solve = self.solver.solve

        def answer(model, **options):
            if fault == "exception":
                raise RuntimeError("out of luck")
            results = solve(model, **options)
            value = np.nan if fault == "not a number" else 0.25

            def nonsense():
                for variable in model.x.values():
                    variable.set_value(value, skip_validation=True)

            results.solution_loader.load_vars = nonsense
            return results

        self.solver.solve = answer

    monkeypatch.setattr(Assignment, "__post_init__", spoilt)
    slot = world("paper", 3, arrivals="every-slot")
    found = alternate(slot, budget_s=np.inf, seed=0, kicks=1)
    verdict = judge(slot, found.plan)
    assert verdict.admissible
    assert verdict.cost <= judge(slot, greedy(slot, budget_s=np.inf, seed=0).plan).cost * (1 + 1e-9)
    assert found.info["solver_faults"]


def test_alternate_records_no_fault_of_a_sound_solver():
    """Nothing is told where nothing was wrong."""
    slot = world("paper", 3, arrivals="every-slot")
    assert alternate(slot, budget_s=np.inf, seed=0, kicks=1).info["solver_faults"] == []

"""What pages say of general solvers is what was measured; none of it is typed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from minlp.convex.solve import minimise
from satedge.problem.generation.generate import generate
from satedge.problem.scenario import preset

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import bench_general  # noqa: E402
import bench_published  # noqa: E402

SCIP = {
    "world": "paper", "n_devices": 3, "peer": "scip", "tolerance": 1e-3, "seed": 0, "failed": "",
    "peer_s": 2.0, "peer_cost": 10.0, "peer_bound": 9.995, "peer_gap": 5e-4, "wrong": [],
    "same_s": 0.01, "same_cost": 10.0, "same_bound": 9.995,
    "tight_s": 0.005, "tight_cost": 10.001, "tight_bound": 9.992,
}  # fmt: skip


@pytest.mark.parametrize("page", bench_general.PAGES, ids=lambda p: p.name)
def test_pages_have_what_was_measured(page):
    """Their tables are written by the script from results/peers."""
    text = page.read_text("utf-8")
    assert bench_published.filled(bench_general.filled(text)) == text


def test_no_plan_of_a_solver_costs_less_than_a_certified_bound():
    """The referee's word on plans of others, against bounds of branch and bound."""
    for row in bench_general.read(bench_general.ROWS):
        if not row["failed"]:
            bound = max(row["same_bound"], row["tight_bound"])
            assert row["peer_cost"] >= bound * (1 - 1e-9), row


def test_a_bound_above_a_cheaper_plan_is_wrong():
    """Whoever found the plan; so is a claim that the referee contradicts."""
    assert not bench_general.is_wrong(SCIP)
    assert bench_general.is_wrong(SCIP | {"same_cost": 9.99})
    assert bench_general.is_wrong(SCIP | {"wrong": ["claims cost 9, judged 10"]})
    assert not bench_general.is_wrong(SCIP | {"peer_bound": None})


def test_a_line_counts_slots_and_compares_at_the_same_gap():
    """Three slots: one to the tolerance, one cut by the budget and lost, one without a plan."""
    late = SCIP | {"seed": 1, "peer_s": 60.0, "peer_gap": 0.02, "same_s": 75.0}
    failed = {k: SCIP[k] for k in ("world", "n_devices", "peer", "tolerance", "tight_s")}
    rows = [SCIP, late, failed | {"seed": 2, "failed": "no plan within 60 s (maxTimeLimit)"}]
    line = bench_general.whole_table(rows).splitlines()[-1]
    assert line == (
        "| paper | SCIP | 3 | 0.1 % | 1 of 3 | 1 (no plan in time) | 0 | 31 s | 1 % (2 %) | 38 s "
        "| 0.005 s | 100 (1) | 1 |"
    )
    assert bench_general.short_cell(rows) == "at least 100 (2)"
    assert bench_general.short_cell([SCIP] * 10) == "200"
    assert bench_general.short_cell(rows[2:]) == ""
    assert bench_general.short_table(rows).splitlines()[2:] == [
        "| `paper` | SCIP | at least 100 (2) |  |  |  |", "",
        "The solver is sooner in 1 of 2 runs.",
    ]  # fmt: skip


def test_powers_of_all_devices_are_one_convex_problem():
    """Every device sends, all hear each other, and the minimum is certified."""
    scenario = preset("paper", n_slots=1, arrivals="every-slot", interference_leakage=1.0)
    problem = bench_published.all_send(generate(scenario, 1))
    assert len(problem.load_s) == scenario.n_devices
    ear = np.isfinite(problem.log_interference) | np.eye(scenario.n_devices, dtype=bool)
    assert ear.all()
    minimum = minimise(problem, relative_gap=1e-9)
    assert minimum.status == "converged"
    assert minimum.cost * (1 - 1e-9) <= minimum.lower_bound <= minimum.cost

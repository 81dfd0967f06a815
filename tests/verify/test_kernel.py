"""What a verdict rests on: that it is small, alone, and right about costs and roundings."""

from __future__ import annotations

import ast
import subprocess
import sys
from decimal import Decimal, getcontext
from pathlib import Path

import numpy as np
import pytest

from satedge.problem.referee import judge
from satedge.verify import kernel
from satedge.verify.kernel import interval
from satedge.verify.kernel.model import Model
from satedge.verify.kernel.region import cost_of
from support.plans import random_plan
from support.worlds import ODD_WORLDS, world

FILES = sorted(Path(kernel.__file__).parent.glob("*.py"))

#: Most lines of the kernel's code.
LINES = 500


def _lines(source: str) -> int:
    """Lines of code, without blank ones, comments and docstrings."""
    kept = {i for i, line in enumerate(source.splitlines(), 1) if line.strip()[:1] not in ("", "#")}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            kept -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(kept)


def test_the_kernel_is_small() -> None:
    assert sum(_lines(path.read_text()) for path in FILES) <= LINES


def test_the_verifier_needs_no_solver() -> None:
    code = (
        "import sys, satedge.verify.proof as _; "
        "sys.exit(any(m.split('.')[0] in ('minlp', 'numba') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("changes", ODD_WORLDS, ids=str)
def test_plans_cost_what_the_referee_says(changes: dict[str, object]) -> None:
    rng = np.random.default_rng(5)
    for seed in range(3):
        instance = world("paper", seed, **changes)
        with np.errstate(all="ignore"):
            model = Model(instance, 0, False)
        for decades in ((-3.0, 0.0), (-1.0, 0.0)):
            plan = random_plan(instance, rng, decades=decades)
            verdict, k = judge(instance, plan), model.devices
            with np.errstate(all="ignore"):
                found = cost_of(model, plan.server[0, k], plan.power_W[0, k], plan.uav_xy_m[0])
            judged = float(verdict.device_cost.sum())
            assert verdict.admissible
            assert judged * (1 - 1e-13) <= found <= judged * (1 + 1e-8) + 1e-300


def test_plans_that_break_a_constraint_cost_nothing_that_counts() -> None:
    instance = world("paper", 0)
    plan = random_plan(instance, np.random.default_rng(6))
    with np.errstate(all="ignore"):
        model = Model(instance, 0, False)
        k = model.devices
        far = plan.uav_xy_m[0] + instance.scenario.uav_reach_m * 2
        assert np.isnan(cost_of(model, plan.server[0, k], plan.power_W[0, k], far))
        loud = np.full(len(k), instance.scenario.power_max_W * (1 + 1e-8))
        assert np.isnan(cost_of(model, np.full(len(k), 3), loud, plan.uav_xy_m[0]))


def test_intervals_hold_the_true_values() -> None:
    """Against fifty digits."""
    getcontext().prec = 50
    rng = np.random.default_rng(4)
    for x in rng.uniform(-60, 60, 300).tolist():
        found, y = interval.exp(x), abs(x) + 1e-3
        assert Decimal(float(found.lo)) <= Decimal(x).exp() <= Decimal(float(found.hi))
        logs, ones = interval.log(y), interval.log1p(y)
        assert Decimal(float(logs.lo)) <= Decimal(y).ln() <= Decimal(float(logs.hi))
        assert Decimal(float(ones.lo)) <= (1 + Decimal(y)).ln() <= Decimal(float(ones.hi))

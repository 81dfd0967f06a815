"""Any solver that Pyomo can reach, by name, on a P1 model; and whether it can be reached here.

Pyomo has two families of interfaces; names of the newer one win. What comes back is a claim.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import math
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory as NewFactory

from satedge.nearest import did_you_mean

#: Short names of the solvers that most people mean.
ALIASES = {"scip": "scip_direct", "gurobi": "gurobi_direct_minlp"}

#: Solvers for continuous problems: integrality is relaxed, the servers rounded, and solved again.
CONTINUOUS = ("ipopt", "ipopt_v2", "cyipopt", "conopt", "ripopt")

#: Packages that bring a solver to Pyomo when imported, where they are installed.
PLUGINS = {"ripopt": "pyomo_ripopt"}

#: Relative gap at which a solver may stop.
GAP = 1e-6


@dataclass(frozen=True)
class Claim:
    """What a solver says of its own run; None where it says nothing."""

    termination: str
    cost: float | None
    bound: float | None
    nodes: int | None
    version: str


class SolverMissing(RuntimeError):
    """A solver is unknown, not installed, or has no licence here."""


def resolve(solver: str) -> tuple[str, bool]:
    """Pyomo's name of a solver, and whether its newer interface has it. Raises SolverMissing."""
    name = ALIASES.get(solver, solver)
    if name in PLUGINS:
        with contextlib.suppress(ImportError):
            importlib.import_module(PLUGINS[name])
    if name in NewFactory:
        return name, True
    if name in pyo.SolverFactory:
        return name, False
    raise SolverMissing(f"solver {solver!r}: Pyomo knows no solver of that name")


def refusal(solver: str = "", **_: Any) -> str:
    """What is wrong with the settings of `general`: a solver of a name that nobody knows.

    One that is known but not here is no mistake: elsewhere it may be.
    """
    known = {*ALIASES, *CONTINUOUS, *PLUGINS, *NewFactory, *pyo.SolverFactory}
    if not solver or solver in known:
        return ""
    hint = did_you_mean(solver, [name for name in known if not name.startswith("_")])
    return f"solver {solver!r}{hint}: allowed is a solver that Pyomo knows by name"


def availability(solver: str) -> str:
    """Why a solver cannot be used here; empty when it can."""
    try:
        name, new = resolve(solver)
        made = NewFactory(name) if new else pyo.SolverFactory(name)
        if new:
            state = made.available()
            return "" if state else f"solver {solver!r}: {state.name}"
        found = made.available(exception_flag=False)
        if name.startswith("mindtpy") and not nlp_solver():
            found = False
    except SolverMissing as missing:
        return str(missing)
    except Exception as error:  # an interface may fail in any way of its own
        return f"solver {solver!r}: {type(error).__name__}: {error}"
    return "" if found else f"solver {solver!r}: not installed or without a licence"


def call(
    model: pyo.ConcreteModel, solver: str, limit_s: float, seed: int, options: dict[str, Any]
) -> Claim:
    """Solve a model; its variables then hold the solution, if there is one.

    `options` go to the solver under its own names. Raises whatever the solver raises.
    """
    name, new = resolve(solver)
    return (_call_new if new else _call_old)(model, name, limit_s, seed, options)


def _call_new(
    model: pyo.ConcreteModel, name: str, limit_s: float, seed: int, options: dict[str, Any]
) -> Claim:
    defaults: dict[str, Any] = {}
    if name.startswith("scip"):
        defaults = {"randomization/randomseedshift": seed % 2**31, "lp/threads": 1}
    elif name.startswith("gurobi"):
        defaults = {"Seed": seed % 2_000_000_000, "Threads": 1}
    made = NewFactory(name)
    settings: dict[str, Any] = {"time_limit": limit_s, "solver_options": {**defaults, **options}}
    if name.startswith(("scip", "gurobi")):
        settings |= {"rel_gap": GAP, "warmstart_discrete_vars": True}
    results = made.solve(
        model, load_solutions=False, raise_exception_on_nonoptimal_result=False, **settings
    )
    cost = _number(results.incumbent_objective)
    if cost is not None:
        _load(results.solution_loader)
    return Claim(
        termination=results.termination_condition.name,
        cost=cost,
        bound=_number(results.objective_bound),
        nodes=_nodes(results.extra_info),
        version=".".join(str(part) for part in made.version() or ()),
    )


def _load(loader: Any) -> None:
    load = getattr(loader, "load_vars", None) or loader.load_solution
    load()


def _nodes(extra: Any) -> int | None:
    for key in ("NNodes", "NodeCount"):
        if key in extra:
            return int(extra[key])
    return None


def _call_old(
    model: pyo.ConcreteModel, name: str, limit_s: float, seed: int, options: dict[str, Any]
) -> Claim:
    made, before = pyo.SolverFactory(name), _values(model)
    if name.startswith("mindtpy"):
        arguments: dict[str, Any] = {"time_limit": max(1, int(limit_s)), "tee": False}
        arguments |= {"mip_solver": "appsi_highs", "nlp_solver": nlp_solver()} | options
    else:
        arguments = {"timelimit": max(1, int(limit_s)), "options": options}
        if name == "baron":
            arguments["options"] = {"MaxTime": limit_s, "EpsR": GAP} | options
    results = made.solve(model, **arguments)
    cost = None
    if _values(model) != before:  # else no solution was loaded, and the start is none of its own
        with contextlib.suppress(ValueError):
            cost = _number(pyo.value(model.objective))
    version = made.version() if hasattr(made, "version") else None
    return Claim(
        termination=str(results.solver.termination_condition),
        cost=cost,
        bound=_number(results.problem.lower_bound),
        nodes=None,
        version=".".join(str(part) for part in version or ()),
    )


def _values(model: pyo.ConcreteModel) -> list[float | None]:
    return [variable.value for variable in model.component_data_objects(pyo.Var)]


def nlp_solver() -> str:
    """The solver that MindtPy may use for its continuous problems; empty where there is none.

    MindtPy knows only a few by name. Ripopt (a package with its binary) speaks Ipopt's protocol,
    so where Ipopt itself is missing it goes under that name on this process's search path.
    """
    if shutil.which("ipopt"):
        return "ipopt"
    with contextlib.suppress(ImportError):
        package = Path(importlib.import_module(PLUGINS["ripopt"]).__file__ or "").parent
        binary = package / "bin" / "ripopt"
        if binary.exists():
            folder = tempfile.mkdtemp(prefix="satedge-ipopt-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            (Path(folder) / "ipopt").symlink_to(binary)
            os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
            return "ipopt"
    return ""


def _number(value: Any) -> float | None:
    """A finite float, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and abs(number) < 1e19 else None

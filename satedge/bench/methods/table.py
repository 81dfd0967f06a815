"""The table of methods: name -> where it lives, what it needs, what it does.

Methods are reached by strings, so that the core starts without torch, pyomo or cvxpy. A method is
`solve(instance, *, budget_s, seed, report=ignore, **settings) -> Outcome`. Your own joins through
the entry-point group `satedge.methods` (name -> "module:function"), or by that string itself.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal, cast

from satedge import paths
from satedge.bench.methods import lookup, policies
from satedge.nearest import did_you_mean

Family = Literal["heuristic", "classical", "exact", "bound", "learned", "user"]

#: Keyword arguments that the bench fills in; everything else a method takes is a setting.
GIVEN = ("budget_s", "seed", "report")

#: How the reason begins for which a policy's learner cannot play.
UNTRAINED = "no trained policy"

_POLICY_FILES = (".json", ".safetensors")

#: What `finish` may be: steps that better the plan of a slot, 'module:function', of another package
#: than most who use them. Neither knows the other: `load` hands the function over.
FINISHES = {
    "none": "",
    "powers": "minlp.branch_and_bound.finish:powers",
    "search": "minlp.branch_and_bound.finish:search",
}

#: Modules that they need.
_FINISH_NEEDS = ("numba",)

#: Entry-point group through which installed packages add methods.
GROUP = "satedge.methods"


class MethodError(ValueError):
    """A method is unknown, missing here, or given settings that it does not take."""


@dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    entry: str
    """'module:function'."""
    family: Family
    doc: str
    needs: tuple[str, ...] = ()
    """Modules that must be importable."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments beyond those of GIVEN."""
    hindsight: bool = False
    """Decides a slot knowing later ones: compared with causal methods only as a bound on them."""
    folder: str = ""
    """Where a user's module lies that is not on the search path."""
    refusal: str = ""
    """'module:function' that says of settings what it has against them, if anything."""
    finishes: bool = False
    """It takes `finish`, one of FINISHES."""

    @property
    def finish(self) -> str:
        """The step that betters its plan of every slot, 'module:function'; empty for none."""
        return FINISHES[self.settings.get("finish", "none")] if self.finishes else ""

    def with_settings(self, **changes: Any) -> Method:
        """The same method with some settings changed. Raises MethodError for unknown ones."""
        if not changes:
            return self
        check_settings(self, changes)
        if self.refusal and all(map(lookup.importable, self.needs)):
            reason = load_entry(self.refusal)(**changes)
            if reason:
                raise MethodError(f"{self.name}: {reason}")
        return replace(self, settings={**self.settings, **changes})


def _row(
    name: str,
    entry: str,
    family: Family,
    needs: str,
    doc: str,
    *,
    hindsight: bool = False,
    refusal: str = "",
    finishes: bool = False,
    **kw: Any,
) -> Method:
    needed = tuple(needs.split())
    return Method(name, entry, family, doc, needed, kw, hindsight, "", refusal, finishes)


def _rule(name: str, doc: str) -> Method:
    return _row(name, f"minlp.heuristics.simple:{name}", "heuristic", "", doc, finishes=True)


def _learner(name: str, doc: str) -> Method:
    entry, needs = "drl.training.policy:solve", "torch safetensors"
    return _row(name, entry, "learned", needs, doc, finishes=True, policy=name)


TABLE: tuple[Method, ...] = (
    _rule("random", "Uniform admissible decisions."),
    _rule("nearest", "Nearest admissible server."),
    _rule("greedy", "Cheapest admissible server first."),
    _row(
        "local-search",
        "minlp.heuristics.local_search:local_search",
        "heuristic",
        "numba",
        "Moves and swaps of servers, powers and positions until none helps.",
    ),
    _row(
        "alternate",
        "minlp.alternating.solve:solve",
        "classical",
        "numba pyomo highspy",
        "Servers by MILP, powers by convex optimisation, positions, in turn.",
    ),
    _row(
        "relax",
        "minlp.milp.solve:solve",
        "bound",
        "pyomo highspy",
        "MILP relaxation: a certified lower bound.",
    ),
    _row(
        "relax-round",
        "minlp.milp.solve:solve_rounded",
        "classical",
        "pyomo highspy",
        "The relaxation's servers, with powers and positions made whole.",
    ),
    _row(
        "branch-and-bound",
        "minlp.branch_and_bound.solve:solve",
        "exact",
        "numba",
        "Certified optimum over servers, powers and positions.",
        refusal="minlp.branch_and_bound.limits:refusal",
    ),
    _row(
        "myopic-exact",
        "minlp.branch_and_bound.solve:rolling",
        "exact",
        "numba",
        "Branch and bound on each slot in turn, as if none followed.",
    ),
    _row(
        "drift",
        "minlp.foresight.drift:drift",
        "heuristic",
        "numba",
        "myopic-exact, then UAVs glide towards the devices, keeping whom they serve.",
    ),
    _row(
        "rolling-horizon",
        "minlp.foresight.rolling_horizon:rolling_horizon",
        "classical",
        "numba",
        "Each slot planned with sampled futures, never the true one.",
    ),
    _row(
        "ahead",
        "satedge.bench.methods.composed:ahead",
        "learned",
        "numba torch safetensors",
        "UAVs flown by a learned value of their places, then branch and bound where they are.",
        policy="ahead",
        preset="foresight",
    ),
    _row(
        "general",
        "minlp.general.solve:solve",
        "exact",
        "pyomo pyscipopt",
        "P1 handed whole to a general solver.",
        refusal="minlp.p1.solvers:refusal",
        solver="scip",
    ),
    _row(
        "horizon",
        "minlp.horizon.solve:solve",
        "exact",
        "numba",
        "A plan and a certified bound for all slots together, later ones known.",
        hindsight=True,
    ),
    _row(
        "independent-bound",
        "minlp.heuristics.independent_bound:solve",
        "bound",
        "",
        "Certified bound: each device alone, no interference, best reachable position.",
    ),
    _row(
        "slot-bound",
        "minlp.horizon.slot_bounds:solve",
        "bound",
        "numba",
        "Certified bound: every slot by branch and bound, UAVs anywhere they can be by then.",
    ),
    _rule("constant", "First available satellite, full power."),
    _rule("inversion", "First available satellite, power inverse to the channel's gain."),
    _rule("spread", "The available server with the fewest requests."),
    _learner("adsac", "Action-decoupled soft actor-critic of the paper."),
    _learner("adsac+", "Contextual bandit: one network for all devices is told each one's cost."),
    _learner("adsac-d", "AD-SAC with powers and motion discretised."),
    _learner("adsac-c", "AD-SAC with servers chosen by continuous scores."),
    _learner("ppo", "Proximal policy optimisation, continuous scores."),
    _learner("d3qn", "Branching duelling double deep Q-network."),
    _learner("ddpg", "Deep deterministic policy gradient, continuous scores."),
    _learner("td3", "Twin delayed DDPG, continuous scores."),
    _learner("hybrid-ppo", "PPO with categorical and Gaussian heads."),
    _learner("imitation", "One policy for all sizes that copies the exact method."),
)


#: Names that methods once had, in studies and commands of then.
FORMER_NAMES = {"exact-rolling": "myopic-exact"}


@cache
def table() -> dict[str, Method]:
    """All rows by name: the built-in ones, then those of installed packages."""
    rows = {m.name: m for m in TABLE}
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name in rows:
            raise MethodError(f"method {point.name!r} of {point.value}: the name is taken")
        rows[point.name] = Method(point.name, point.value, "user", f"From {point.value}.")
    return rows


def find(name: str) -> Method:
    """A row by its name or a former one, or a user's method by 'module:function', its module
    perhaps of the current folder. Raises MethodError."""
    row = table().get(FORMER_NAMES.get(name, name))
    if row is not None:
        return row
    if ":" in name:
        folder = lookup.folder_of(name)
        return Method(name, name, "user", "Named on the command line.", folder=folder)
    hint = did_you_mean(name, table())
    raise MethodError(
        f"method {name!r}{hint}: allowed is one of {', '.join(table())}, or module:function"
    )


#: Names in print of methods that have more than their first letter capital.
_IN_PRINT = {
    "adsac": "AD-SAC", "adsac+": "AD-SAC+", "adsac-d": "AD-SAC-D", "adsac-c": "AD-SAC-C",
    "ppo": "PPO", "d3qn": "D3QN", "ddpg": "DDPG", "td3": "TD3", "hybrid-ppo": "Hybrid-PPO",
}  # fmt: skip


def proper_name(label: str) -> str:
    """A method's name as papers print it; a label may go on after it. Others stay."""
    name = re.split("[ ,]", label, maxsplit=1)[0]
    if name not in table():
        return label
    return _IN_PRINT.get(name, name.replace("-", " ").capitalize()) + label[len(name) :]


def missing(method: Method) -> str:
    """Why a method cannot run here, in words; empty when it can. Imports nothing of it."""
    for need in (*method.needs, *(_FINISH_NEEDS if method.finish else ())):
        if not lookup.importable(need):
            return lookup.lacking(need)
    reason = lookup.definition(method.entry, method.folder).missing
    return reason or _missing_policy(method)


def _missing_policy(method: Method) -> str:
    policy = method.settings.get("policy")
    if method.family != "learned" or not isinstance(policy, str) or policy_files(method):
        return ""
    preset = method.settings.get("preset", "paper")
    hint = "" if paths.POLICIES.is_dir() else " (a clone has it: export SATEDGE_HOME=CLONE)"
    again = policies.remake(policy, str(preset))
    hint = f" (made again by: {again})" if again else hint
    return f"{UNTRAINED} {policy!r} under results/policies/{preset}{hint}"


def policy_files(method: Method) -> list[Path]:
    """Files behind the setting `policy`: a path, or a name under results/policies/<preset>."""
    policy = method.settings.get("policy")
    if not isinstance(policy, str) or not policy:
        return []
    library = paths.POLICIES / str(method.settings.get("preset", "paper"))
    for place in (library / policy, Path(policy)):
        if place.is_dir():
            return sorted(p for p in place.rglob("*") if p.suffix in _POLICY_FILES)
        files = [place, *(place.with_name(place.name + ending) for ending in _POLICY_FILES)]
        found = [p for p in files if p.is_file()]
        if found:
            return found
    return []


def parameters(
    method: Method, function: Callable[..., Any] | None = None
) -> tuple[tuple[str, ...], bool]:
    """Names of the settings a method takes, and whether it takes any others too.

    What only an import tells is not known of a user's method until a worker has its `function`.
    """
    found = lookup.definition(method.entry, method.folder)
    if found.missing:
        return (), True
    if found.parameters is None:
        if function is None and method.family == "user":
            return (), True
        found = lookup.inspected(function or load(method))
    return tuple(n for n in found.parameters or () if n not in GIVEN), found.open


def listing() -> list[dict[str, Any]]:
    """What is known of every method, as JSON values."""
    return [_told(method, missing(method)) for method in table().values()]


def _told(method: Method, reason: str) -> dict[str, Any]:
    usual = {"finish": "none"} if method.finishes else {}
    settings = (
        {} if reason else dict.fromkeys(parameters(method)[0]) | usual | dict(method.settings)
    )
    return {
        "name": method.name,
        "family": method.family,
        "doc": method.doc,
        "needs": list(method.needs),
        "available": not reason,
        "missing": reason,
        "entry": method.entry,
        "settings": settings,
        "hindsight": method.hindsight,
    }


def wants_report(function: Callable[..., Any]) -> bool:
    """The callable takes `report`."""
    found = lookup.inspected(function)
    return found.open or "report" in (found.parameters or ())


#: What a setting annotated so may be, and how to say it.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "str": ((str,), "text"),
}


def check_settings(
    method: Method, settings: Mapping[str, Any], function: Callable[..., Any] | None = None
) -> None:
    """Raise MethodError for what is no keyword argument of the method, or of another type."""
    names, anything = parameters(method, function)
    kinds = lookup.definition(method.entry, method.folder).kinds
    for name in settings:
        if name in GIVEN:
            raise MethodError(f"{method.name}: {name} is given by the bench, it is no setting")
        if name not in names and not anything:
            allowed = ", ".join(names) or "none"
            hint = did_you_mean(name, names)
            raise MethodError(f"{method.name}: unknown setting {name!r}{hint}; allowed: {allowed}")
        if name == "finish" and method.finishes:
            _check_finish(method, settings[name])
            continue
        types, allowed = _KINDS.get(kinds.get(name, ""), ((object,), ""))
        value = settings[name]
        kind = isinstance(value, types) and not (isinstance(value, bool) and int in types)
        if int in types and method.family != "user":  # no method of the table takes less
            allowed += " >= 0"
            kind = kind and value >= 0
        if not kind:
            raise MethodError(f"{method.name}: {name} = {value!r}: allowed is {allowed}")


def _check_finish(method: Method, value: Any) -> None:
    if value not in list(FINISHES):
        hint = did_you_mean(str(value), FINISHES)
        allowed = ", ".join(FINISHES)
        raise MethodError(f"{method.name}: finish = {value!r}{hint}: allowed is one of {allowed}")


def load(method: Method) -> Callable[..., Any]:
    """Import the callable. Raises MethodError with the reason when it cannot be had.

    A user's module may come from its folder, which everything else comes before.
    """
    if method.folder:
        lookup.let_in(method.folder)
    function = load_entry(method.entry)
    found = lookup.inspected(function)
    lacking = [n for n in ("budget_s", "seed") if n not in (found.parameters or ())]
    if lacking and not found.open:
        raise MethodError(f"{method.entry}: a method takes the keyword argument {lacking[0]}")
    return _finishing(function) if method.finishes else function


def _finishing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, taking the word for `finish` instead of the step itself."""

    @wraps(function)
    def composed(*given: Any, finish: str = "none", **settings: Any) -> Any:
        step = load_entry(FINISHES[finish]) if FINISHES[finish] else None
        return function(*given, finish=step, **settings)

    return composed


def load_entry(entry: str) -> Callable[..., Any]:
    """Import what 'module:function' names. Raises MethodError."""
    module, _, name = entry.partition(":")
    reason = lookup.stranger(module)
    if reason:
        raise MethodError(f"{entry}: {reason}")
    try:
        function = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise MethodError(f"{entry}: {lookup.lacking(error.name or module)}") from error
    except (ImportError, AttributeError) as error:
        raise MethodError(f"{entry}: {error}") from error
    if not callable(function):
        raise MethodError(f"{entry}: not callable")
    return cast(Callable[..., Any], function)

"""Tables of the reference, generated from the code so that they never fall behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from satedge.problem.fields import allowed

#: Scores as formulas, beside the sentences of `satedge.bench.score.score`; reference/scores.md
#: explains the symbols.
FORMULAS = {
    "cost": r"$C = \frac{1}{T K} \sum_t \sum_k C_{tk}$",
    "lower bound": r"$L = \max \ell$ over methods",
    "gap": r"$(C - L) / \lvert C \rvert$",
    "own gap": r"$(C - \ell) / \lvert C \rvert$, or $(C^\ast - \ell) / C^\ast$",
    "controllable gap": r"$(C - L) / (C - C_{\mathrm{floor}})$",
    "excess": r"$C / C_{\mathrm{ref}} - 1$",
    "over best here": r"$C / C_{\mathrm{causal}} - 1$",
    "over hindsight": r"$C / C_{\mathrm{hindsight}} - 1$",
    "excess over floor": (
        r"$(C - C_{\mathrm{floor}}) / (C_{\mathrm{ref}} - C_{\mathrm{floor}}) - 1$"
    ),
    "normalised": r"$(C - C^\ast) / (C_{\mathrm{random}} - C^\ast)$",
    "latency": r"$\sum T_k$ / requests sent",
    "energy": r"$\frac{1}{T} \sum_t \sum_k E_k$",
    "reward": r"$\frac{1}{T} \sum_t K \beta_r / \sum_k C_k$",
    "deadline misses": r"number of $V_k > 0$ / requests",
    "refused": "requests without a server / requests",
    "outages": r"requests sent with $C_k > C_k^{\mathrm{out}}$ / requests",
    "feasible": r"no violation, none refused, all $V_k = 0$",
    "time": r"$\exp(\mathrm{mean} \ln(x + 1\ \mathrm{s})) - 1\ \mathrm{s}$",
    "primal integral": (
        r"$\int \lvert C(x) - C^\ast \rvert / \max(\lvert C(x) \rvert, \lvert C^\ast \rvert) dx$, "
        "from 0 to the budget"
    ),
    "performance profile": r"share of instances with measure $\le r$ times the best",
    "resampled": "requests resampled / requests",
    "cost without resampled": (
        r"requests / $(T K)$ times the mean $C_{tk}$ of requests not resampled"
    ),
}

#: What settings of methods mean; those of learners in training have their own table.
SETTINGS = {
    "gap": "relative gap (incumbent - bound) / incumbent at which a slot counts as solved",
    "hard": "deadlines as constraints: the best plan that meets all, or a proof that none does",
    "max_nodes": "nodes of the search tree after which the search stops",
    "threads": "dives of the search at a time, each on a thread; one number, one tree",
    "slot_budget_s": "seconds for each slot",
    "tries": "neighbours whose powers are optimised in each round, most promising first",
    "rounds": "most rounds of servers, powers and positions from each start",
    "hope": "positions are polished for neighbours up to this much above the incumbent",
    "kicks": "restarts from the best point with a few devices sent to other servers",
    "passes": "passes over the slots of the episode to improve the plan",
    "slot_bound_s": "seconds for the bound of each slot",
    "policy": "a name under `results/policies/<preset>`, or a path; the method's own by default",
    "preset": "folder of `results/policies` in which names are looked up",
    "finish": "what betters the plan of every slot: `none`, `powers` (exact for its servers and "
    "positions) or `search` (steps from it while they help)",
    "solver": "Pyomo's name of the solver",
    "formulation": "`log-power` (rates in log-powers) or `power`",
    "download": "`bound` replaces a UAV's download time by its lower bound, `exact` keeps it",
    "options": "passed to the solver under its own names",
    "grace_s": "seconds beyond its limit before the solver is killed",
}


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table. A bar between backticks does not end a cell, any other is escaped."""

    def cell(value: object) -> str:
        parts = str(value).replace("\n", " ").split("`")
        parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
        return "`".join(parts)

    lines = [list(heads)]
    lines += [["---"] * len(lines[0])]
    lines += [[cell(value) for value in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(value: object) -> str:
    """`value` in code type; nothing for nothing."""
    text = shown(value)
    return f"`{text}`" if text else ""


def shown(value: object) -> str:
    """A default as a user would type it."""
    if isinstance(value, (tuple, list)):
        return ",".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def scenario() -> str:
    """Every field of a scenario."""
    from satedge.problem.scenario import Scenario

    rows = [
        (code(f.name), code(f.default), f.metadata["unit"], allowed(f), f.metadata["source"],
         f.metadata["doc"])
        for f in dataclasses.fields(Scenario)
    ]  # fmt: skip
    return table(("field", "default", "unit", "allowed", "source", "meaning"), rows)


def presets() -> str:
    """Every preset, with the fields it changes."""
    from satedge.problem.scenario import PRESETS, Scenario, preset

    rows = []
    for name, doc in PRESETS.items():
        values = {f: getattr(preset(name), f.name) for f in dataclasses.fields(Scenario)}
        changed = [f"`{f.name}={shown(v)}`" for f, v in values.items() if v != f.default]
        rows.append((code(name), doc, " ".join(changed) or "none"))
    return table(("preset", "content", "changes"), rows)


def catalogues() -> str:
    """The models that servers run, in the order in which UAVs and satellites take them."""
    from satedge.problem.catalogue import CATALOGUES

    rows = []
    for name, tiers in CATALOGUES.items():
        for tier, models in zip(("UAV", "satellite"), tiers, strict=True):
            for m in models:
                memory = shown(m.memory_GB) if m.memory_GB else "not stated"
                numbers = (shown(m.accuracy), f"{m.work_TFLOP:.4g}", memory)
                rows.append((code(name), tier, m.name, *numbers, m.source))
    heads = ("catalogue", "on", "model", "accuracy", "TFLOP a word", "memory GB", "source")
    return table(heads, rows)


def methods() -> str:
    """Every built-in method."""
    from satedge.bench.methods import table as bench

    rows = []
    for m in bench.TABLE:
        needs = " ".join(code(need) for need in m.needs) or "nothing more"
        doc = m.doc + (" Knows future slots." if m.hindsight else "")
        rows.append((code(m.name), m.family, doc, needs, code(m.entry)))
    return table(("method", "kind", "what it does", "needs", "function"), rows)


def method_settings() -> str:
    """Every setting of the built-in methods, with its default."""
    import inspect

    from satedge.bench.methods import table as bench

    rows, shown = [], ("adsac", "ahead")
    for m in bench.TABLE:
        names = [n for n in bench.parameters(m)[0] if m.family != "learned" or m.name in shown]
        declared = inspect.signature(bench.load(m)).parameters if names else {}
        who = code(m.name) + (" and other learners" if m.name == "adsac" else "")
        for name in names:
            rows.append((who, code(name), code(declared[name].default), SETTINGS.get(name, "")))
    return table(("method", "setting", "default", "what it does"), rows)


def learner_settings() -> str:
    """Every setting of `satedge train --setting`, by learner; what all share comes first."""
    from drl.agents.registry import METHODS
    from drl.core.settings import Settings

    shared = [f.name for f in dataclasses.fields(Settings)]
    parts = [f"**All learners** (defaults of `adsac`)\n\n{_settings(METHODS['adsac'], shared)}"]
    for kind in dict.fromkeys(type(s) for s in METHODS.values()):
        members = [name for name, s in METHODS.items() if type(s) is kind]
        first = METHODS[members[0]]
        own = [
            f.name
            for f in dataclasses.fields(first)
            if f.name not in shared or getattr(first, f.name) != getattr(Settings(), f.name)
        ]
        title = ", ".join(code(name) for name in members)
        parts.append(f"**{title}**\n\n{_settings(first, own)}")
    return "\n\n".join(parts)


def _settings(settings: Any, names: list[str]) -> str:
    fields = {f.name: f for f in dataclasses.fields(settings)}
    rows = [
        (code(n), code(getattr(settings, n)), fields[n].metadata["unit"], allowed(fields[n]),
         fields[n].metadata["source"], fields[n].metadata["doc"])
        for n in names
    ]  # fmt: skip
    return table(("setting", "default", "unit", "allowed", "source", "meaning"), rows)


def scores() -> str:
    """Every score, as a formula and in a sentence."""
    from satedge.bench.score.score import DEFINITIONS

    rows = [(name, text, FORMULAS.get(name, "")) for name, text in DEFINITIONS.items()]
    return table(("score", "meaning", "formula"), rows)


def rows() -> str:
    """Every column of the rows of a study."""
    from satedge.bench.run.rows import SCHEMA

    kinds = {"str": "text", "float64": "number", "bool": "true or false"}
    told = [(code(c.name), kinds[c.dtype], c.unit, c.doc) for c in SCHEMA]
    return table(("column", "type", "unit", "meaning"), told)


def score_columns() -> str:
    """What is added to the rows of a study that are read from Python."""
    from satedge.bench.score.score import SCORES

    return table(("column", "meaning"), [(code(c.name), c.doc) for c in SCORES])


def suites() -> str:
    """Every suite of instances."""
    from satedge.bench.study.suite_data import SUITES

    rows = [
        (code(name), len(s.recipes), s.title, "files" if s.committed else "generated when needed")
        for name, s in SUITES.items()
    ]
    return table(("suite", "instances", "content", "stored as"), rows)


def studies() -> str:
    """Every study that comes with the package."""
    from satedge.bench.study.study import cells
    from satedge.bench.study.study_file import builtin, load_study

    rows = []
    for name in builtin():
        study = load_study(name)
        parts = "; ".join(dict.fromkeys(part.name for part in study.parts))
        rows.append((code(name), study.title, parts, sum(1 for _ in cells(study))))
    return table(("study", "content", "parts", "runs"), rows)


def study_keys() -> str:
    """Every key of a study's file."""
    from satedge.bench.study import study_file as file

    tables = {
        "top level": file.StudyTable,
        "`[training]`, `train` of a method": file.TrainingPlan,
        "`[defaults]`, part": file.DefaultsTable,
        "part": file.PartTable,
        "`generate`": file.GenerateTable,
        "method": file.MethodTable,
    }
    rows, seen = [], set(dataclasses.fields(file.DefaultsTable))
    for where, kind in tables.items():
        for f in dataclasses.fields(kind):
            if kind is file.DefaultsTable or f not in seen:
                must = f.default is f.default_factory is dataclasses.MISSING
                known = f.default not in (dataclasses.MISSING, None)
                default = "required" if must else code(f.default) if known else ""
                rows.append((code(f.name), where, default, allowed(f), f.metadata["doc"]))
    return table(("key", "where", "default", "allowed", "meaning"), rows)


def arrays() -> str:
    """Every array of an instance file."""
    from satedge.problem.instance import array_fields

    kinds = {"f8": "number", "i8": "integer", "?": "true or false"}
    rows = [
        (code(f.name), f"({', '.join(f.metadata['shape'])})", kinds[f.metadata["kind"]],
         f.metadata["unit"], f.metadata["doc"])
        for f in array_fields()
    ]  # fmt: skip
    return table(("array", "shape", "type", "unit", "meaning"), rows)


def commands() -> str:
    """Every command with its arguments and options, as `--help` shows them."""
    import typer.main

    from satedge.cli import app

    group: Any = typer.main.get_command(app)
    return "\n\n".join(_command(name, command) for name, command in group.commands.items())


def _command(name: str, command: Any) -> str:
    import typing

    kinds = typing.get_type_hints(command.callback)
    words, rows = [], []
    for p in command.params:
        label = " ".join(code(o) for o in (*p.opts, *p.secondary_opts))
        if p.param_type_name == "argument":
            word = (p.metavar or p.name).upper()
            words.append(word if p.required else f"[{word}]")
            label = code(word)
        elif not p.is_flag:
            label += f" {p.metavar or _kind(kinds[p.name])}"
        rows.append((label, p.help or "", _default(p)))
    usage = " ".join(["satedge", name, *words, "[OPTIONS]"])
    about = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    options = table(("argument or option", "meaning", "default"), rows)
    return f"## {name}\n\n```text\n{usage}\n```\n\n{about}\n\n{options}"


def _kind(annotation: Any) -> str:
    """Placeholder for the value of an option of some type."""
    import typing

    plain = [t for t in typing.get_args(annotation) if t is not type(None)] or [annotation]
    return {"int": "N", "float": "NUMBER", "Path": "PATH", "datetime": "TIME"}.get(
        plain[0].__name__, "TEXT"
    )


def _default(p: Any) -> str:
    if p.required:
        return "required"
    off = p.default is None or p.default is False or p.default == ()
    return "" if off else code("on" if p.default is True else p.default)


TABLES: dict[str, Callable[[], str]] = {
    "scenario": scenario,
    "presets": presets,
    "catalogues": catalogues,
    "methods": methods,
    "method-settings": method_settings,
    "learner-settings": learner_settings,
    "scores": scores,
    "rows": rows,
    "score-columns": score_columns,
    "suites": suites,
    "studies": studies,
    "study-keys": study_keys,
    "arrays": arrays,
    "commands": commands,
}

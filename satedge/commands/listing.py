"""`satedge methods`, `scenario`, `suites` and `studies`: list what is available."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from satedge.commands import common, completion


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(methods)
    app.command()(scenario)
    app.command()(suites)
    app.command()(studies)


def methods(as_json: common.AsJson = False, wide: common.Wide = False) -> None:
    """List the methods: what they do, their settings, and what is missing here."""
    from satedge.bench.methods.table import listing

    found = listing()
    if as_json:
        common.print_json(found)
        return
    from satedge.bench.report.tables import Cell, Column, Table

    heads = ("method", "kind", "what it does", "here", *["settings"] * wide)
    rows = []
    for m in found:
        missing = Cell(f"missing: {m['missing']}", mark="warning")
        here = Cell("ready", mark="good") if m["available"] else missing
        settings = [", ".join(m["settings"])] * wide
        rows.append((m["name"], m["family"], m["doc"], here, *settings))
    common.show(Table([Column(head) for head in heads], rows), wide)
    print("Your own: --method module:function, or the entry-point group satedge.methods.")


def scenario(
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            "-p",
            help="Show the values of this preset.",
            autocompletion=completion.presets,
        ),
    ] = "paper",
    as_json: common.AsJson = False,
    wide: common.Wide = False,
) -> None:
    """List the fields of a scenario (value, unit, allowed range, source) and the presets."""
    import dataclasses

    from satedge.problem.fields import allowed
    from satedge.problem.scenario import PRESETS, Scenario
    from satedge.problem.scenario import preset as named

    values = named(preset)
    fields = [
        {
            "name": f.name,
            "unit": f.metadata["unit"],
            "value": getattr(values, f.name),
            "default": f.default,
            "allowed": allowed(f),
            "source": f.metadata["source"],
            "doc": f.metadata["doc"],
        }
        for f in dataclasses.fields(Scenario)
    ]
    if as_json:
        common.print_json({"preset": preset, "presets": PRESETS, "fields": fields})
        return
    from satedge.bench.report.tables import Cell, Column, Table

    heads = {"field": 0, "value": 0, "unit": 0, "allowed": 2, "source": 1, "what it is": 0}
    rows: list[list[str | Cell]] = []
    for f in fields:
        value = Cell(_shown(f["value"]), mark="strong" if f["value"] != f["default"] else "")
        words = (str(f[key]) for key in ("unit", "allowed", "source", "doc"))
        rows.append([str(f["name"]), value, *words])
    columns = [Column(head, spare=spare) for head, spare in heads.items()]
    common.show(Table(columns, rows, f"preset {preset}"), wide)
    common.show(Table([Column("preset"), Column("what it is")], list(PRESETS.items())), wide)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def suites(
    check: Annotated[
        bool, typer.Option("--check", help="Make all suites again, and compare with the manifest.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite all suites and their manifest.")
    ] = False,
    describe: Annotated[
        bool, typer.Option("--describe", help="Rewrite their description, croissant.json.")
    ] = False,
    as_json: common.AsJson = False,
    wide: common.Wide = False,
    proofs: Annotated[
        Path | None,
        typer.Option(
            help="Instead, prove all slots of the committed suites, verify the proofs, leave "
            "them in this folder and list them in instances/records/PROOFS.json."
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--suite", help="With --proofs, this suite; repeatable.")
    ] = None,
) -> None:
    """List the suites of instances, or check them against their manifest."""
    if proofs is not None:
        _prove(proofs, only or [])
        return
    if only:
        raise typer.BadParameter("allowed with --proofs", param_hint="--suite")
    if write or describe or check:
        _check(write, describe)
        return
    from satedge.bench.study.suite_data import SUITES

    found: list[dict[str, Any]] = [
        {
            "name": name,
            "instances": len(suite.recipes),
            "doc": suite.title,
            "presets": sorted({recipe.preset for recipe in suite.recipes}),
            "committed": suite.committed,
        }
        for name, suite in SUITES.items()
    ]
    if as_json:
        common.print_json(found)
        return
    from satedge.bench.report.tables import Column, Table

    columns = [Column("suite"), Column("instances", form="d"), Column("content"), Column("stored")]
    stored = {True: "files", False: "generated"}
    rows = [(s["name"], s["instances"], s["doc"], stored[s["committed"]]) for s in found]
    common.show(Table(columns, rows), wide)


def _check(write: bool, describe: bool) -> None:
    from satedge.bench.study.suites import check_suites, write_description, write_suites

    for path in write_suites() if write else write_description() if describe else ():
        print(path)
    problems = check_suites()
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)
    print("all suites are those of their manifest")


def studies(as_json: common.AsJson = False, wide: common.Wide = False) -> None:
    """List the studies that come with the package, for `satedge benchmark`."""
    from satedge.bench.study.study_file import builtin, load_study

    told = {name: load_study(name) for name in builtin()}
    found = [
        {"name": name, "doc": study.title, "parts": [part.name for part in study.parts]}
        for name, study in told.items()
    ]
    if as_json:
        common.print_json(found)
        return
    from satedge.bench.report.tables import Column, Table

    columns = [Column("study"), Column("content"), Column("parts")]
    rows = [(name, study.title, f"{len(study.parts)}") for name, study in told.items()]
    common.show(Table(columns, rows), wide)


def _prove(folder: Path, only: list[str]) -> None:
    """`suites --proofs`."""
    from satedge.bench.study.suite_data import SUITES
    from satedge.commands.proofs import NAME, make
    from satedge.paths import RECORDS
    from satedge.problem import clock

    of_slots = [name for name, suite in SUITES.items() if suite.committed]
    unknown = sorted(set(only) - set(of_slots))
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r}: allowed is {', '.join(of_slots)}", param_hint="--suite"
        )
    clock.count("cpu")
    problems = make(folder, only or of_slots, RECORDS / NAME)
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)

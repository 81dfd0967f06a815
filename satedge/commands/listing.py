"""`satedge methods`, `scenario` and `suites`: list what is available."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from satedge.commands import common


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(methods)
    app.command()(scenario)
    app.command()(suites)


def methods(as_json: common.AsJson = False) -> None:
    """List the methods: what they do, their settings, and what is missing here."""
    from satedge.bench.methods.table import missing, parameters
    from satedge.bench.methods.table import table as known

    rows = [(m, missing(m)) for m in known().values()]
    if as_json:
        common.print_json([_method(m, reason) for m, reason in rows])
        return
    from satedge.bench.report.tables import Cell, Column, Table

    heads = ("method", "kind", "what it does", "settings", "here")
    listed = []
    for m, reason in rows:
        settings = "" if reason else ", ".join(parameters(m)[0])
        here = Cell(f"missing: {reason}", mark="warning") if reason else Cell("ready", mark="good")
        listed.append((m.name, m.family, m.doc, settings, here))
    common.show(Table([Column(head) for head in heads], listed))
    print("Your own: --method module:function, or the entry-point group satedge.methods.")


def _method(m, reason: str) -> dict[str, object]:  # type: ignore[no-untyped-def]
    from satedge.bench.methods.table import parameters

    return {
        "name": m.name,
        "entry": m.entry,
        "family": m.family,
        "doc": m.doc,
        "needs": m.needs,
        "settings": {} if reason else dict.fromkeys(parameters(m)[0]) | dict(m.settings),
        "hindsight": m.hindsight,
        "available": not reason,
        "missing": reason,
    }


def scenario(
    preset: Annotated[
        str, typer.Option("--preset", "-p", help="Show the values of this preset.")
    ] = "paper",
    as_json: common.AsJson = False,
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
    from rich.markup import escape

    from satedge.bench.report.tables import Cell, Column, Table

    heads = ("field", "value", "unit", "allowed", "source", "what it is")
    rows: list[list[str | Cell]] = []
    for f in fields:
        value = Cell(_shown(f["value"]), mark="strong" if f["value"] != f["default"] else "")
        words = (str(f[key]) for key in ("unit", "allowed", "source", "doc"))
        rows.append([str(f["name"]), value, *words])
    common.show(Table([Column(head) for head in heads], rows, f"preset {preset}"))
    for name, doc in PRESETS.items():
        common.console().print(f"[bold]{name:<20}[/]{escape(doc)}")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def suites(
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite all suites and their manifest.")
    ] = False,
    proofs: Annotated[
        Path | None,
        typer.Option(
            help="Instead, prove all slots of the suites that have records, verify the proofs, "
            "leave them in this folder and list them in instances/records/PROOFS.json."
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--suite", help="With --proofs, this suite; repeatable.")
    ] = None,
) -> None:
    """Check all suites against their manifest; those not committed are generated."""
    from satedge.bench.study.suites import check_suites, write_suites

    if proofs is not None:
        _prove(proofs, only or [])
        return
    if only:
        raise typer.BadParameter("allowed with --proofs", param_hint="--suite")
    if write:
        for path in write_suites():
            print(path)
    problems = check_suites()
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)
    print("all suites are those of their manifest")


def _prove(folder: Path, only: list[str]) -> None:
    """`suites --proofs`."""
    from satedge.bench.score.best_known import SUITES
    from satedge.commands.proofs import NAME, make
    from satedge.paths import RECORDS

    unknown = sorted(set(only) - set(SUITES))
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r}: allowed is {', '.join(SUITES)}", param_hint="--suite"
        )
    problems = make(folder, only or list(SUITES), RECORDS / NAME)
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)

"""`satedge headline`: what all committed studies say together, in README and beside the results."""

from __future__ import annotations

from typing import Annotated

import typer

from satedge.commands import common

Check = Annotated[
    bool, typer.Option("--check", help="Write nothing; exit with 1 where README differs.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(headline)


def headline(check: Check = False, wide: common.Wide = False) -> None:
    """Write README's numbers anew from committed rows: the headline and the paper's statements.

    They are those of the held-out suites once these are played, until then of
    the study worlds. results/paper gets claims.md and headline.md, with every
    comparison behind a verdict in claims.csv.
    """
    from satedge.bench.report import whole
    from satedge.bench.report.comparison import claims_table
    from satedge.bench.report.headline import headline_table
    from satedge.paths import ROOT

    results, readme = ROOT / "results", ROOT / "README.md"
    if not readme.is_file():
        raise typer.BadParameter(f"{readme} is missing: allowed is a clone")
    if check:
        if whole.is_filled(readme, results):
            print("README is what the tables say")
            return
        print("README differs from the tables: satedge headline writes it anew")
        raise typer.Exit(1)
    common.show(headline_table(whole.headline(results)), wide)
    common.show(claims_table(whole.stated(results)), wide)
    paths = whole.write(results)
    if whole.fill(readme, results):
        paths.append(readme)
    print("written: " + ", ".join(str(p.relative_to(ROOT)) for p in paths))

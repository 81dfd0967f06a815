"""`satedge policies`: the trained policies of the tree, and how the others are made again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from satedge.commands import common


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(policies)


def policies(
    check: Annotated[
        bool, typer.Option("--check", help="Compare the policies with their manifests.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite the manifests by the policies that are there.")
    ] = False,
    as_json: common.AsJson = False,
    wide: common.Wide = False,
) -> None:
    """List the trained policies: every seed ever evaluated, and whether it is in the tree.

    --json has of each the hash of its weights and the command that makes it again.
    """
    from satedge.bench.methods import policies as library
    from satedge.bench.methods.table import load_entry

    if write:
        for world in library.worlds():
            print(library.write(world, load_entry("drl.training.remake:command_of")))
    if write or check:
        _check()
        return
    found = [
        {"world": world, "policy": name, **entry}
        for world in library.worlds()
        for name, entry in library.entries(world).items()
    ]
    if as_json:
        common.print_json(found)
    else:
        _show(found, wide)


def _check() -> None:
    from satedge.bench.methods import policies as library

    lines = [line for world in library.worlds() for line in library.problems(world)]
    size = sum(map(library.size_MB, library.worlds()))
    if size > library.MOST_MB:
        lines.append(f"results/policies: {size:.1f} MB: allowed is at most {library.MOST_MB} MB")
    for line in lines:
        print(line)
    if lines:
        raise typer.Exit(1)
    print(f"all policies are those of their manifests, {size:.1f} MB")


def _show(found: list[dict[str, Any]], wide: bool) -> None:
    """A row for each folder of policies."""
    from satedge.bench.methods import policies as library
    from satedge.bench.report.tables import Column, Table

    folders: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for policy in found:
        folders.setdefault((policy["world"], policy["policy"].rpartition("/")[0]), []).append(
            policy
        )
    rows = [
        (
            f"{world}/{name}",
            mine[0]["method"],
            len(mine),
            sum(p["committed"] for p in mine),
            library.size_MB(world, name),
            min(p["validation_cost"] for p in mine),
            max(p["epochs"] for p in mine),
        )
        for (world, name), mine in folders.items()
    ]
    columns = (
        *(Column(head) for head in ("policies", "learner")),
        *(Column(head, form="d") for head in ("seeds", "in the tree")),
        *(Column("size", "MB", ".1f"), Column("validation cost", form=".4f", spare=1)),
        Column("epochs", form="d", spare=2),
    )
    common.show(Table(columns, rows), wide)
    print("satedge policies --json has the commands that make them again.")

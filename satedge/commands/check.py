"""`satedge check`: whether a run's folder tells the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from satedge.commands import common


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    folder: Annotated[
        Path, typer.Argument(help="Folder of a study's results, as under results/runs.")
    ],
    as_json: common.AsJson = False,
) -> None:
    """Check a study's results; print what is wrong, a line each, and exit with 1 if anything is.

    Every file must be the one that was written. Every row is recomputed from
    its file and every plan judged again. No bound may lie above a cost that any
    run has seen, nor contradict the best known values.
    """
    from satedge.bench.run.store import Store, StoreError
    from satedge.bench.score.verify import findings
    from satedge.commands.terminal import printable

    store = Store(folder)
    if not store.cells.is_dir():
        raise StoreError(f"{folder}: no results are there (it has no folder cells)")
    found = store.look()
    lines = [*found.damaged.values(), *findings(store, found.rows)]
    if not found.current:
        lines.append(f"{folder / 'rows.parquet'}: is not what the files of the runs say")
    n_runs = int((found.rows["status"] != "skipped").sum()) + len(found.damaged)
    if as_json:
        told = {"runs": n_runs, "unfinished": found.unfinished, "findings": lines}
        common.print_json({"folder": str(folder), **told})
    else:
        for line in lines:
            print(printable(line))
        missing = f", {found.unfinished} of the study not finished" if found.unfinished else ""
        print(f"{folder}: {n_runs} runs checked{missing}; {len(lines) or 'no'} findings")
    if lines:
        raise typer.Exit(1)

"""What a run leaves for readers: tables, figures, the report page, and the gate's verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satedge import preparation
from satedge.bench.report import tables
from satedge.bench.report.comparison import (
    PAPER,
    README,
    TERMINAL,
    all_columns,
    claim_parts,
    claims_table,
    comparison,
)
from satedge.bench.report.pairwise import all_pairs, pair_tables
from satedge.bench.report.parts import part_tables
from satedge.bench.report.supplementary import supplementary
from satedge.bench.report.tables import Table
from satedge.bench.run.store import Store, slug
from satedge.bench.score.claims.paper import Claim, claims
from satedge.bench.score.score import gate, score
from satedge.bench.score.summary import Line, summarise
from satedge.bench.score.training_logs import trainings
from satedge.bench.score.verify import findings, mixture, primal_integrals, slot_costs

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class WriteUp:
    """What was written, and what is wrong with the run."""

    root: Path
    lines: list[Line]
    claims: list[Claim]
    broken: list[str]
    """What the check of the run found, as `satedge check` says it."""
    files: list[Path] = field(default_factory=list)
    mixed: str = ""
    """Why its rows cannot be published, if so."""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        from dataclasses import asdict

        return {
            "folder": str(self.root),
            "gate": self.broken,
            "not_to_be_published": self.mixed,
            "lines": [asdict(line) for line in self.lines],
            "claims": [asdict(claim) for claim in self.claims],
            "files": [str(path) for path in self.files],
        }


def write(store: Store, report: bool = True) -> WriteUp:
    """Gather, judge again, score, and write tables; with `report` figures and the page too.

    Without the files of the runs, as published, what follows from the rows alone is drawn anew.
    """
    if not store.has_runs:
        return _redrawn(store)
    preparation.say("reading the runs")
    rows = store.gather()
    preparation.say(f"judging the plans of {len(rows)} runs again")
    broken = findings(store, rows)
    preparation.say("scores and tables")
    scored = score(rows)
    scored["primal_s"] = primal_integrals(store, scored)
    scored["slot_costs"] = slot_costs(store, scored)
    lines = summarise(scored)
    stated = claims(scored, trainings(scored), store.root.name)
    more = supplementary(store, scored, lines)
    files = [*write_comparison(store, lines, stated), *write_supplementary(store, more)]
    files.append(_write_csv(store, all_pairs(scored, lines)))
    if report:
        from satedge.bench.report.figures.figures import write_figures
        from satedge.bench.report.html import write_report

        pictures = write_figures(store, scored, lines)
        files += [path for picture in pictures for path in picture.files]
        preparation.say("report.html")
        files.append(write_report(store, scored, lines, pictures, stated, broken, more))
    return WriteUp(store.root, lines, stated, broken, files, mixture(rows))


def _redrawn(store: Store) -> WriteUp:
    """Tables of scores, pairs and claims, and figures, from the table of the rows.

    What needs plans stays as it was written: report.html, maps, traces, supplementary tables.
    """
    from satedge.bench.report.figures.figures import write_figures

    rows = store.gather()
    scored = score(rows)
    lines = summarise(scored)
    stated = claims(scored, trainings(scored), store.root.name)
    files = write_comparison(store, lines, stated)
    for table in (all_pairs(scored, lines), *pair_tables(scored, lines), *part_tables(lines)):
        files.append(_write_csv(store, table))
    files += [path for picture in write_figures(store, scored, lines) for path in picture.files]
    broken = [str(b) for b in gate(rows)]
    return WriteUp(store.root, lines, stated, broken, files, mixture(rows))


def write_comparison(store: Store, lines: list[Line], stated: list[Claim]) -> list[Path]:
    """tables/comparison.csv, .md and .tex; and claims.md with claims-parts.csv where the paper
    says something."""
    if stated:
        store.write_text("tables/claims.md", tables.markdown([claims_table(stated)]))
        _write_csv(store, claim_parts(stated))
    markdown = tables.markdown(comparison(lines, README))
    latex = tables.latex(comparison(lines, PAPER, remarks=False))
    return [
        _write_csv(store, all_columns(lines)),
        store.write_text("tables/comparison.md", markdown),
        store.write_text("tables/comparison.tex", latex),
    ]


def write_supplementary(store: Store, found: list[Table]) -> list[Path]:
    """All of them as tables/supplementary.md and .tex, each as CSV."""
    if not found:
        return []
    return [
        store.write_text("tables/supplementary.md", tables.markdown(found)),
        store.write_text("tables/supplementary.tex", tables.latex(found)),
        *(_write_csv(store, table) for table in found),
    ]


def _write_csv(store: Store, table: Table) -> Path:
    return store.write_text(f"tables/{slug(table.name)}.csv", tables.csv(table))


def show(written: WriteUp, out: Console, wide: bool = False) -> None:
    """Print the comparison and where everything lies."""
    from rich.markup import escape

    for table in comparison(written.lines, TERMINAL):
        tables.show(table, out, wide)
    for claim in written.claims:
        text = f"{claim.figure}, {claim.paper} ({claim.policies}): {claim.ours}"
        out.print(f"{escape(text)}  [bold]{claim.verdict}[/]")
    for reason in _reasons(written.lines):
        out.print(f"[yellow]{escape(reason)}[/]")
    for broken in written.broken:
        out.print(f"[bold red]gate: {escape(broken)}[/]")
    if not written.broken:
        out.print("gate: every certified bound lies below every judged cost")
    if written.mixed:
        out.print(f"[yellow]not to be published: {escape(written.mixed)}[/]")
    folders = dict.fromkeys(str(p if p.suffix == ".html" else p.parent) for p in written.files)
    out.print("written: " + ", ".join(escape(f) for f in folders))


def _reasons(lines: list[Line]) -> list[str]:
    """What went wrong, once for each method and reason."""
    found = dict.fromkeys(
        f"{line.method}: {reason}" for line in lines for reason in line.reasons[:3]
    )
    return list(found)

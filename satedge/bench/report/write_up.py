"""What a run leaves for readers: tables, figures, the report page, and the gate's verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satedge.bench.report import supplementary, tables
from satedge.bench.report.hard_deadlines import punctual_tables
from satedge.bench.report.pairwise import as_csv, pair_tables
from satedge.bench.report.parts import part_tables
from satedge.bench.report.ranks import reward_tables
from satedge.bench.report.supplementary import Extra
from satedge.bench.run.store import Store, slug
from satedge.bench.score.pairwise import pairs
from satedge.bench.score.paper_claims import Claim, claims
from satedge.bench.score.score import score
from satedge.bench.score.summary import Line, summarise
from satedge.bench.score.sweeps import sweeps
from satedge.bench.score.training_logs import trainings
from satedge.bench.score.verify import findings, primal_integrals

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

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        from dataclasses import asdict

        return {
            "folder": str(self.root),
            "gate": self.broken,
            "lines": [asdict(line) for line in self.lines],
            "claims": [asdict(claim) for claim in self.claims],
            "files": [str(path) for path in self.files],
        }


def write(store: Store, report: bool = True) -> WriteUp:
    """Gather, judge again, score, and write tables; with `report` figures and the page too."""
    rows = store.gather()
    broken = findings(store, rows)
    scored = score(rows)
    scored["primal_s"] = primal_integrals(store, scored)
    lines = summarise(scored)
    stated = claims(lines, sweeps(scored), trainings(scored))
    beside = [*part_tables(lines), *punctual_tables(store, scored), *reward_tables(lines)]
    beside += pair_tables(scored, lines)
    files = write_tables(store, lines, stated) + write_extras(store, beside)
    files.append(store.write_text("tables/pairs.csv", as_csv(pairs(scored, lines))))
    if report:
        from satedge.bench.report.figures.figures import write_figures
        from satedge.bench.report.html import write_report

        pictures = write_figures(store, scored, lines)
        files += [path for picture in pictures for path in picture.files]
        files.append(write_report(store, scored, lines, pictures, stated, broken, beside))
    return WriteUp(store.root, lines, stated, broken, files)


def write_tables(store: Store, lines: list[Line], stated: list[Claim]) -> list[Path]:
    """tables/comparison.csv, .md and .tex; and claims.md where the paper says something."""
    texts = {
        "csv": tables.as_csv(lines),
        "md": tables.as_markdown(lines),
        "tex": tables.as_latex(lines),
    }
    if stated:
        store.write_text("tables/claims.md", tables.claims_markdown(stated))
    return [store.write_text(f"tables/comparison.{ending}", text) for ending, text in texts.items()]


def write_extras(store: Store, beside: list[Extra]) -> list[Path]:
    """Each as CSV; all of them as tables/beside.md and .tex."""
    if not beside:
        return []
    whole = {
        "md": supplementary.as_markdown(beside),
        "tex": "\n".join(map(supplementary.as_latex, beside)),
    }
    files = [store.write_text(f"tables/beside.{ending}", text) for ending, text in whole.items()]
    for extra in beside:
        files.append(
            store.write_text(f"tables/{slug(extra.name)}.csv", supplementary.as_csv(extra))
        )
    return files


def show(written: WriteUp, out: Console) -> None:
    """Print the comparison and where everything lies."""
    from rich.markup import escape

    for table in tables.terminal(written.lines):
        out.print(table)
    for claim in written.claims:
        text = f"{claim.figure}, {claim.paper}: {claim.ours}"
        out.print(f"{escape(text)}  [bold]{claim.verdict}[/]")
    for reason in _reasons(written.lines):
        out.print(f"[yellow]{escape(reason)}[/]")
    for broken in written.broken:
        out.print(f"[bold red]gate: {escape(broken)}[/]")
    if not written.broken:
        out.print("gate: every certified bound lies below every judged cost")
    folders = dict.fromkeys(str(p if p.suffix == ".html" else p.parent) for p in written.files)
    out.print("written: " + ", ".join(escape(f) for f in folders))


def _reasons(lines: list[Line]) -> list[str]:
    """What went wrong, once for each method and reason."""
    found = dict.fromkeys(
        f"{line.method}: {reason}" for line in lines for reason in line.reasons[:3]
    )
    return list(found)

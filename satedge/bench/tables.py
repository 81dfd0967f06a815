"""Comparison tables: terminal, CSV, Markdown, LaTeX (booktabs). One selection of columns each."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from satedge.bench.summary import COLUMNS, Line

if TYPE_CHECKING:
    from rich.table import Table

    from satedge.bench.claims import Claim
    from satedge.bench.runner import Work

#: What a reader compares first; CSV has every column.
SHORT = ("cost", "excess", "gap", "own_gap", "latency_s", "energy_J", "late", "time_s")

NONE = "-"


def shown(key: str, value: float) -> str:
    """A column's value as text, without unit; '-' where there is none."""
    if not math.isfinite(value):
        return NONE
    meta = COLUMNS[key]
    value = 100 * value if meta["unit"] == "%" else value
    text = format(value, meta["form"] if abs(value) < 1e5 else ".3g")
    return text.removeprefix("-") if float(text) == 0 else text


def heading(key: str) -> str:
    """A column's heading with its unit."""
    meta = COLUMNS[key]
    return f"{meta['head']} {meta['unit']}".strip()


def by_comparison(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """(group, lines of the methods that ran)."""
    ran = [line for line in lines if line.statuses.get("skipped", 0) < line.cells]
    return [(group, list(part)) for group, part in groupby(ran, key=lambda v: v.group)]


def title(group: str, lines: Sequence[Line]) -> str:
    """What a comparison is about."""
    cells = sorted({v.cells for v in lines})
    count = f"{cells[0]}" if len(cells) == 1 else f"{cells[0]} to {cells[-1]}"
    budgets = sorted({v.budget_s for v in lines})
    each = " or ".join(f"{b:g}" for b in budgets)
    return f"{group}: {count} cells a method, {each} s each"


def name(line: Line, lines: Sequence[Line]) -> str:
    """The method, with its budget where it has several in the comparison."""
    several = len({v.budget_s for v in lines if v.method == line.method}) > 1
    return f"{line.method}, {line.budget_s:g} s" if several else line.method


def plans(line: Line) -> str:
    """'30/30': cells with an admissible plan; '-' for methods that give bounds only."""
    return f"{line.plans}/{line.cells}"


def remarks(line: Line) -> str:
    """Endings other than done, and whether the method sees the future."""
    parts = [f"{n} {status}" for status, n in line.troubles.items()]
    if line.hindsight:
        parts.append("hindsight")
    if line.contended > 0:
        parts.append("contended")
    return ", ".join(parts)


def terminal(lines: Sequence[Line], names: Sequence[str] = SHORT) -> list[Table]:
    """Tables for the terminal, one per comparison. The best of a column is bold."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    tables = []
    for group, part in by_comparison(lines):
        table = Table(
            title=escape(title(group, part)),
            title_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("method", overflow="fold")
        table.add_column("plans", justify="right")
        for key in names:
            table.add_column(heading(key), justify="right")
        table.add_column("remarks", overflow="fold")
        best = {key: _best(part, key) for key in names}
        for line in part:
            cells = [(shown(n, getattr(line, n)), best[n]) for n in names]
            marked = [f"[bold]{t}[/]" if t == b else t for t, b in cells]
            table.add_row(escape(name(line, part)), plans(line), *marked, escape(remarks(line)))
        tables.append(table)
    return tables


def _best(lines: Sequence[Line], key: str) -> str:
    """The least value of a column as shown; every column here is better when smaller."""
    values = [getattr(v, key) for v in lines if v.plans == v.cells]
    finite = [v for v in values if math.isfinite(v)]
    return shown(key, min(finite)) if len(finite) > 1 else ""


def as_csv(lines: Sequence[Line]) -> str:
    """Every column, unrounded, shares as fractions."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fixed = ("group", "budget_s", "method", "family", "hindsight", "seeds", "cells", "plans")
    writer.writerow([*fixed, *COLUMNS, "excess_low", "excess_high", "endings"])
    for line in lines:
        values = [getattr(line, n) for n in (*fixed, *COLUMNS)]
        ends = [line.excess_interval.low, line.excess_interval.high]
        texts = ["" if isinstance(v, float) and math.isnan(v) else v for v in (*values, *ends)]
        writer.writerow([*texts, "; ".join(f"{k}={n}" for k, n in line.statuses.items())])
    return out.getvalue()


def as_markdown(lines: Sequence[Line], names: Sequence[str] = SHORT) -> str:
    """Tables for a README."""
    blocks = []
    for group, part in by_comparison(lines):
        heads = ["method", "plans", *(heading(n) for n in names), "remarks"]
        rule = ["---", "---:", *["---:"] * len(names), "---"]
        rows = [
            [name(v, part), plans(v), *(shown(n, getattr(v, n)) for n in names), remarks(v)]
            for v in part
        ]
        body = [_pipe(r) for r in (heads, rule, *rows)]
        blocks.append("\n".join([f"**{_md(title(group, part))}**", "", *body]))
    return "\n\n".join(blocks) + "\n"


def _pipe(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_md(c) for c in cells) + " |"


def _md(text: str) -> str:
    for mark in "\\`*_<>|[]":
        text = text.replace(mark, "\\" + mark)
    return text


def as_latex(lines: Sequence[Line], names: Sequence[str] = SHORT) -> str:
    """Floating tables for a paper; needs the booktabs package."""
    return "\n".join(_latex(*comparison, names) for comparison in by_comparison(lines))


def _latex(group: str, lines: Sequence[Line], names: Sequence[str]) -> str:
    best = {key: _best(lines, key) for key in names}
    body = []
    for line in lines:
        texts = [(shown(n, getattr(line, n)), best[n]) for n in names]
        marked = [rf"\textbf{{{t}}}" if t == b else _dash(t) for t, b in texts]
        body.append(" & ".join([_tex(name(line, lines)), plans(line), *marked]) + r" \\")
    heads = " & ".join(["Method", "plans", *(_tex(heading(n)) for n in names)])
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{_tex(title(group, lines))}}}",
            rf"  \begin{{tabular}}{{lr{'r' * len(names)}}}",
            r"    \toprule",
            f"    {heads} \\\\",
            r"    \midrule",
            *(f"    {row}" for row in body),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _dash(text: str) -> str:
    return "--" if text == NONE else text


def _tex(text: str) -> str:
    for mark, said in (
        ("\\", r"\textbackslash "),
        *((m, "\\" + m) for m in "&%$#_{}"),
        ("~", r"\textasciitilde "),
        ("^", r"\textasciicircum "),
    ):
        text = text.replace(mark, said)
    return text


def claims_markdown(stated: Sequence[Claim]) -> str:
    """The paper's statements beside ours."""
    heads = ["figure", "the paper states", "this run", "verdict"]
    rows = [[c.figure, c.paper, c.ours, c.verdict] for c in stated]
    return "\n".join([_pipe(heads), "| --- " * 4 + "|", *(_pipe(r) for r in rows)]) + "\n"


def dry_run_table(work: Work) -> Table:
    """Cells to do, finished and skipped, per group and method."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    counts: dict[tuple[str, str, float], list[int]] = {}
    skipped = [cell for cell, _ in work.skipped]
    for place, cells in enumerate((work.todo, work.done, skipped)):
        for cell in cells:
            key = (cell.group, cell.name, cell.budget_s)
            counts.setdefault(key, [0, 0, 0])[place] += 1
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("group", "method"):
        table.add_column(name)
    for name in ("budget s", "to do", "finished", "skipped"):
        table.add_column(name, justify="right")
    for (group, method, budget_s), numbers in counts.items():
        table.add_row(group, method, f"{budget_s:g}", *map(str, numbers))
    return table

"""Comparison tables: terminal, CSV, Markdown, LaTeX (booktabs). One selection of columns each."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from satedge.bench.score.summary import COLUMNS, Line, by_comparison, label

if TYPE_CHECKING:
    from rich.table import Table

    from satedge.bench.run.runner import Work
    from satedge.bench.score.paper_claims import Claim

#: What fits a terminal, a paper's page and a screen; CSV has every column. Columns that say
#: nothing in a comparison are left out of it.
TERMINAL = ("cost", "excess", "over_hindsight", "gap", "own_gap", "late", "time_s")
PAPER = (
    "cost", "excess", "interval", "over_hindsight", "gap", "part_gap", "latency_s", "energy_J",
    "late", "time_s",
)  # fmt: skip
WIDE = (
    "cost", "excess", "interval", "over_hindsight", "part_excess", "gap", "part_gap", "own_gap",
    "latency_s", "energy_J", "late", "redrawn", "kept_cost", "time_s",
)  # fmt: skip

NONE = "-"

#: Columns in which the greatest value is the best.
MORE_IS_BETTER = ("reward", "feasible", "bound")

#: Columns of the CSV that say which line it is.
FIXED = (
    "group", "budget_s", "method", "family", "hindsight", "seeds", "instances", "cells", "plans",
)  # fmt: skip


def shown(key: str, value: float) -> str:
    """A column's value as text, without unit; '-' where there is none."""
    if not math.isfinite(value):
        return NONE
    meta = COLUMNS[key]
    value = 100 * value if meta["unit"] == "%" else value
    text = format(value, meta["form"] if abs(value) < 1e5 else ".3g")
    return text.removeprefix("-") if float(text) == 0 else text


def cell_text(key: str, line: Line) -> str:
    """What stands in a line's cell; of "interval" the bootstrap interval of the excess."""
    if key != "interval":
        return shown(key, getattr(line, key))
    found = line.excess_interval
    value, low, high = (f"{round(100 * v, 3):.4g}" for v in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]" if math.isfinite(found.low) else NONE


def told(names: Sequence[str], lines: Sequence[Line]) -> list[str]:
    """Those columns in which some line has something to say."""
    return [n for n in names if any(cell_text(n, v) != NONE for v in lines)]


def heading(key: str) -> str:
    """A column's heading with its unit."""
    if key == "interval":
        return "interval of excess %"
    meta = COLUMNS[key]
    return f"{meta['head']} {meta['unit']}".strip()


def title(group: str, lines: Sequence[Line]) -> str:
    """What a comparison is about."""
    cells = sorted({v.cells for v in lines})
    count = f"{cells[0]}" if len(cells) == 1 else f"{cells[0]} to {cells[-1]}"
    budgets = sorted({v.budget_s for v in lines})
    each = " or ".join(f"{b:g}" for b in budgets)
    clock = " of processor time" if any(v.cpu_clock for v in lines) else ""
    return f"{group}: {count} cells a method, {each} s{clock} each"


def plans(line: Line) -> str:
    """'30/30': cells with an admissible plan; '-' for methods that give bounds only."""
    return f"{line.plans}/{line.cells}"


def remarks(line: Line, lines: Sequence[Line]) -> str:
    """Endings other than done, what it ran on if not on all, whether it sees the future."""
    whole = max(v.instances for v in lines)
    parts = [f"{line.instances} of {whole} instances"] if line.instances < whole else []
    parts += [f"{n} {status}" for status, n in line.troubles.items()]
    if line.hindsight:
        parts.append("hindsight")
    if line.contended > 0:
        parts.append("contended")
    return ", ".join(parts)


def terminal(lines: Sequence[Line], columns: Sequence[str] = TERMINAL) -> list[Table]:
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
        names = told(columns, part)
        table.add_column("method", overflow="fold")
        table.add_column("plans", justify="right")
        for key in names:
            table.add_column(heading(key), justify="right")
        table.add_column("remarks", overflow="fold")
        best = {key: best_text(part, key) for key in names}
        for line in part:
            cells = [(cell_text(n, line), best[n]) for n in names]
            marked = [f"[bold]{t}[/]" if t == b else t for t, b in cells]
            table.add_row(
                escape(label(line, part)), plans(line), *marked, escape(remarks(line, part))
            )
        tables.append(table)
    return tables


def best_text(lines: Sequence[Line], key: str) -> str:
    """The best value of a column as shown, of methods with every plan; '' where none is told."""
    if key == "interval" or not lines:
        return ""
    whole = max(v.instances for v in lines)
    kept = [v for v in lines if v.plans == v.cells and v.instances == whole]
    finite = [x for v in kept if math.isfinite(x := getattr(v, key))]
    choose = max if key in MORE_IS_BETTER else min
    return shown(key, choose(finite)) if len(finite) > 1 else ""


def as_csv(lines: Sequence[Line]) -> str:
    """Every column, unrounded, shares as fractions."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*FIXED, *COLUMNS, "excess_low", "excess_high", "endings"])
    for line in lines:
        values = [getattr(line, n) for n in (*FIXED, *COLUMNS)]
        ends = [line.excess_interval.low, line.excess_interval.high]
        texts = ["" if isinstance(v, float) and math.isnan(v) else v for v in (*values, *ends)]
        writer.writerow([*texts, "; ".join(f"{k}={n}" for k, n in line.statuses.items())])
    return out.getvalue()


def as_markdown(lines: Sequence[Line], columns: Sequence[str] = WIDE) -> str:
    """Tables for a README."""
    blocks = []
    for group, part in by_comparison(lines):
        names = told(columns, part)
        heads = ["method", "plans", *(heading(n) for n in names), "remarks"]
        rule = ["---", "---:", *["---:"] * len(names), "---"]
        rows = [
            [label(v, part), plans(v), *(cell_text(n, v) for n in names), remarks(v, part)]
            for v in part
        ]
        body = [pipe(r) for r in (heads, rule, *rows)]
        blocks.append("\n".join([f"**{_md(title(group, part))}**", "", *body]))
    return "\n\n".join(blocks) + "\n"


def pipe(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(_md(c) for c in cells) + " |"


def _md(text: str) -> str:
    for mark in "\\`*_<>|[]":
        text = text.replace(mark, "\\" + mark)
    return text


def as_latex(lines: Sequence[Line], columns: Sequence[str] = PAPER) -> str:
    """Floating tables for a paper, over both its columns; needs the booktabs package."""
    compared = by_comparison(lines)
    return "\n".join(_latex(group, part, told(columns, part)) for group, part in compared)


def _latex(group: str, lines: Sequence[Line], names: Sequence[str]) -> str:
    best = {key: best_text(lines, key) for key in names}
    body = []
    for line in lines:
        texts = [(cell_text(n, line), best[n]) for n in names]
        marked = [rf"\textbf{{{t}}}" if t == b else _dash(t) for t, b in texts]
        body.append([tex(label(line, lines)), plans(line), *marked])
    heads = ["method", "plans", *(heading(n) for n in names)]
    return float_table(title(group, lines), heads, body)


def float_table(caption: str, heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A LaTeX float over both columns of a page; cells of the body are LaTeX already."""
    rows = [" & ".join(row) + r" \\" for row in body]
    return "\n".join(
        [
            r"\begin{table*}",
            r"  \centering\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"  \caption{{{tex(caption)}}}",
            rf"  \begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"    \toprule",
            f"    {' & '.join(map(_head, heads))} \\\\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def _head(text: str) -> str:
    """A heading of several words on two lines."""
    first, space, rest = text.rpartition(" ")
    if len(text) < 9 or not space:
        return tex(text)
    if len(rest) < 3 and " " in first:
        first, _, last = first.rpartition(" ")
        rest = f"{last} {rest}"
    return rf"\shortstack[r]{{{tex(first)}\\{tex(rest)}}}"


def _dash(text: str) -> str:
    return "--" if text == NONE else text


def tex(text: str) -> str:
    """Text with what LaTeX would take for a command escaped."""
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
    return "\n".join([pipe(heads), "| --- " * 4 + "|", *(pipe(r) for r in rows)]) + "\n"


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

"""One kind of table for all there is to list, shown on a terminal, in files and on the page.

A table has columns, which say how their numbers are shown, and rows of plain values. What is
rendered from it is text; nothing is computed here.
"""

from __future__ import annotations

import csv as csv_module
import io
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape as _html
from typing import TYPE_CHECKING, Any

from satedge.bench.methods.table import proper_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

#: What stands where there is no number.
NONE = "-"

#: How marked cells look on a terminal.
STYLES = {"best": "bold", "strong": "bold", "good": "green", "warning": "yellow", "alarm": "red"}


@dataclass(frozen=True)
class Cell:
    """A cell that is not shown as its value alone would be."""

    text: str
    value: float | str = ""
    """What it is sorted by on the page."""
    mark: str = ""
    """One of STYLES; on the page the class of its text."""


Value = str | float | Cell


@dataclass(frozen=True)
class Column:
    """What stands in a column, and how."""

    head: str
    unit: str = ""
    """Beside the heading; '%' shows shares times 100."""
    form: str = ""
    """Format of its numbers, which stand at the right; columns of words have none."""
    doc: str = ""
    """What it means, for the page."""
    key: str = ""
    """Heading in CSV; that of the other forms by default."""
    best: str = ""
    """Numbers that read so are marked as the best."""
    spare: int = 0
    """Left out where a terminal is too narrow, the greatest first; 0: never."""
    page: str = ""
    """Classes on the page: more (no room on paper), extra (on a screen on demand), side (not on a
    phone), long (a sentence), fold (a few words)."""

    @property
    def heading(self) -> str:
        """With its unit."""
        return f"{self.head} {self.unit}".strip()

    def cell(self, value: Value) -> Cell:
        """A value as it is shown; NONE for a number that is not finite."""
        if isinstance(value, Cell):
            best = self.best and value.text == self.best
            return Cell(value.text, value.value, "best") if best else value
        if isinstance(value, str):
            return Cell(value, value)
        if not math.isfinite(value):
            return Cell(NONE)
        text = self.number(value)
        return Cell(text, float(value), "best" if text == self.best else "")

    def number(self, value: float) -> str:
        """A finite number as text, without unit; 0 has no sign, and many digits become few."""
        scaled = 100 * value if self.unit == "%" else value
        long = abs(scaled) >= 1e5 and self.form.endswith("f")
        text = format(scaled, ".3g" if long else self.form)
        return text.removeprefix("-") if float(text) == 0 else text


@dataclass(frozen=True)
class Table:
    """Columns and rows, with what they are about."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    """A number that is not finite stands for nothing."""
    title: str = ""
    caption: str = ""
    """What it says, in a sentence or two."""
    name: str = ""
    """Of its file."""

    def cells(self) -> list[list[Cell]]:
        """The rows as they are shown."""
        return [[c.cell(v) for c, v in zip(self.columns, row, strict=True)] for row in self.rows]

    def texts(self) -> list[list[str]]:
        """The same without marks."""
        return [[cell.text for cell in row] for row in self.cells()]


#: With these begins what spreadsheets take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv(table: Table) -> str:
    """Values unrounded, shares as fractions; empty where there is nothing."""
    out = io.StringIO()
    writer = csv_module.writer(out, lineterminator="\n")
    writer.writerow([c.key or c.heading for c in table.columns])
    for row in table.rows:
        values = [v.value if isinstance(v, Cell) else v for v in row]
        writer.writerow(["" if v != v else _no_formula(v) for v in values])
    return out.getvalue()


def _no_formula(value: Any) -> Any:
    """A word that spreadsheets would run as a formula, marked as text in their way."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


#: Characters between columns of a terminal; up to which width words do not fold, and are not cut.
BETWEEN, WHOLE, LONGEST = 2, 14, 24


def fitted(table: Table, width: int) -> Table:
    """The table without the spare columns for which a terminal of `width` has no room."""
    columns = list(table.columns)
    while True:
        places = [list(table.columns).index(c) for c in columns]
        rows = [[row[i] for i in places] for row in table.rows]
        narrow = replace(table, columns=columns, rows=rows)
        spare = max(columns, key=lambda c: c.spare)
        if (
            not spare.spare
            or _between(columns) + sum(least for least, _ in _sizes(narrow)) <= width
        ):
            return narrow
        columns.remove(spare)


def _between(columns: Sequence[Column]) -> int:
    return BETWEEN * (len(columns) - 1)


def _sizes(table: Table) -> list[tuple[int, int]]:
    """Of every column the least and the natural width. Numbers are never cut; headings stand on
    two lines, and words fold."""
    found = []
    for column, cells in zip(table.columns, zip(*table.texts(), strict=True), strict=False):
        longest = max(map(len, cells))
        head = min(n for n in range(1, 99) if len(textwrap.wrap(column.heading, n)) <= 2)
        head = max(head, *map(len, column.heading.split()))
        if column.form or longest <= WHOLE:
            least = longest
        else:
            words = [word for text in cells for word in text.split()]
            least = max(WHOLE, min(LONGEST, max(map(len, words), default=0)))
        least = max(least, head)
        found.append((least, max(least, longest, len(column.heading))))
    return found or [(len(c.heading), len(c.heading)) for c in table.columns]


def _widths(table: Table, width: int) -> list[int]:
    """Every column's width: its natural one, or what there is room for beyond the least."""
    sizes = _sizes(table)
    widths = [least for least, _ in sizes]
    room = width - _between(table.columns) - sum(widths)
    while room > 0 and (wanting := [i for i, (_, n) in enumerate(sizes) if widths[i] < n]):
        first = max(wanting, key=lambda i: (bool(table.columns[i].form), sizes[i][1] - widths[i]))
        widths[first], room = widths[first] + 1, room - 1
    return widths


def terminal(table: Table, width: int) -> RichTable:
    """For a terminal of some width, which the table is `fitted` to; marks have colours."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table as RichTable

    look: dict[str, Any] = {"box": SIMPLE_HEAD, "show_edge": False, "pad_edge": False}
    look |= {"collapse_padding": True, "title_justify": "left"}
    shown = RichTable(title=escape(table.title) or None, **look)
    for column, wide in zip(table.columns, _widths(table, width), strict=True):
        side: dict[str, Any] = {"justify": "right"} if column.form else {"overflow": "fold"}
        shown.add_column(escape(column.heading), width=wide, **side)
    for row in table.cells():
        styles = [STYLES.get(cell.mark, "") for cell in row]
        texts = [escape(cell.text) for cell in row]
        pairs = zip(texts, styles, strict=True)
        shown.add_row(*(f"[{style}]{text}[/]" if style else text for text, style in pairs))
    return shown


def show(table: Table, out: Console, wide: bool = False) -> None:
    """Print a table with the columns that fit the terminal; `wide`: with all, on long lines."""
    from rich.markup import escape

    if wide:
        whole = _between(table.columns) + sum(natural for _, natural in _sizes(table))
        before, out.width = out.width, max(out.width, whole)
        out.print(terminal(table, whole))
        out.width = before
        return
    narrow = fitted(table, out.width)
    out.print(terminal(narrow, out.width))
    left_out = [c.heading for c in table.columns if c not in narrow.columns]
    if left_out:
        out.print(f"[dim]with --wide: {escape(', '.join(left_out))}[/]\n")


def html(table: Table) -> str:
    """For notebooks: numbers at the right, marks in bold."""
    head = "".join(f"<th>{_html(c.heading)}</th>" for c in table.columns)
    body = "".join(f"<tr>{''.join(_html_cells(table, row))}</tr>" for row in table.cells())
    caption = f"<caption>{_html(table.title)}</caption>" if table.title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_cells(table: Table, row: Sequence[Cell]) -> Iterable[str]:
    for column, cell in zip(table.columns, row, strict=True):
        text = _html(cell.text)
        side = "right" if column.form else "left"
        yield f"<td style='text-align:{side}'>{f'<b>{text}</b>' if cell.mark else text}</td>"


def markdown(tables: Iterable[Table]) -> str:
    """One after the other, each under its title and above its caption."""
    return "\n\n".join(map(_markdown, tables)) + "\n"


def _markdown(table: Table) -> str:
    rule = ["---:" if c.form else "---" for c in table.columns]
    rows = [[_plain(text) for text in row] for row in table.texts()]
    body = [[_plain(c.heading) for c in table.columns], rule, *rows]
    lines = ["| " + " | ".join(row) + " |" for row in body]
    if table.title:
        lines = [f"**{_plain(table.title)}**", "", *lines]
    if table.caption:
        lines += ["", _plain(table.caption)]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text with what Markdown would take for markup escaped."""
    for mark in "\\`*_<>|[]":
        text = text.replace(mark, "\\" + mark)
    return text


def latex(tables: Iterable[Table]) -> str:
    """Floats over both columns of a paper's page; needs the booktabs package."""
    return "\n".join(map(_latex, tables))


def _latex(table: Table) -> str:
    sides = "".join("r" if c.form else "l" for c in table.columns)
    body = [_latex_row(table.columns, row) for row in table.cells()]
    return "\n".join(
        [
            r"\begin{table*}",
            r"  \centering\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"  \caption{{{tex(table.title)}}}",
            rf"  \label{{tab:{re.sub('[^A-Za-z0-9]+', '-', table.name).strip('-')}}}",
            rf"  \begin{{tabular}}{{{sides}}}",
            r"    \toprule",
            f"    {' & '.join(_latex_head(c.heading) for c in table.columns)} \\\\",
            r"    \midrule",
            *(f"    {row}" for row in body),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def _latex_row(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    """Methods by their names in print, numbers with true minus signs, the best bold."""
    texts = []
    for column, cell in zip(columns, row, strict=True):
        shown = proper_name(cell.text) if column.head == "method" else cell.text
        text = "--" if shown == NONE else tex(shown)
        if column.form:
            text = _MINUS.sub("$-$", text)
        texts.append(rf"\textbf{{{text}}}" if cell.mark == "best" else text)
    return " & ".join(texts) + r" \\"


#: The hyphen before a number, but not that of an exponent.
_MINUS = re.compile(r"(?<![\w.-])-(?=[\d.])")


def _latex_head(text: str) -> str:
    """A heading of several words on two lines."""
    first, space, rest = text.rpartition(" ")
    if len(text) < 9 or not space:
        return tex(text)
    if len(rest) < 3 and " " in first:
        first, _, last = first.rpartition(" ")
        rest = f"{last} {rest}"
    return rf"\shortstack[r]{{{tex(first)}\\{tex(rest)}}}"


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


def page(table: Table) -> dict[str, Any]:
    """JSON values for the page: headings with their meaning, texts with what they are sorted by."""
    return {
        "title": table.title,
        "caption": table.caption,
        "columns": [
            {"head": c.heading, "doc": c.doc, "class": f"{'n' * bool(c.form)} {c.page}".strip()}
            for c in table.columns
        ],
        "rows": [_page_row(table.columns, row) for row in table.cells()],
    }


def _page_row(columns: Sequence[Column], row: Sequence[Cell]) -> list[dict[str, Any]]:
    """Words are sorted as they read; '' stands for nothing and sorts last."""
    pairs = zip(columns, row, strict=True)
    return [
        {"text": cell.text, "value": cell.value if column.form else None, "mark": cell.mark}
        for column, cell in pairs
    ]

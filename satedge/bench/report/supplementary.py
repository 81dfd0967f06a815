"""Small tables beside the comparison: the same content for the page, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from satedge.bench.report import tables


@dataclass(frozen=True)
class Extra:
    """A table with a title and what it says in a sentence or two."""

    name: str
    """Of its files under tables/."""
    title: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]
    """Words and numbers; NaN where there is nothing."""
    form: str = ".4g"
    """How its numbers are shown."""

    def texts(self) -> list[list[str]]:
        """The rows as they are shown; '-' for nothing."""
        return [[self._shown(value) for value in row] for row in self.rows]

    def _shown(self, value: str | float) -> str:
        if isinstance(value, str):
            return value
        if value != value:
            return tables.NONE
        text = format(value, self.form)
        return text.removeprefix("-") if float(text) == 0 else text


def as_markdown(extras: Sequence[Extra]) -> str:
    """All of them, one after the other."""
    blocks = []
    for extra in extras:
        rule = ["---", *["---:"] * (len(extra.heads) - 1)]
        body = [tables.pipe(row) for row in (extra.heads, rule, *extra.texts())]
        blocks.append("\n".join([f"**{extra.title}**", "", *body, "", extra.caption]))
    return "\n\n".join(blocks) + "\n"


def as_csv(extra: Extra) -> str:
    """Unrounded numbers; empty where there is nothing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(extra.heads)
    writer.writerows(["" if v != v else v for v in row] for row in extra.rows)
    return out.getvalue()


def as_latex(extra: Extra) -> str:
    """A floating table; needs the booktabs package."""
    body = [[tables.tex(text) for text in row] for row in extra.texts()]
    return tables.float_table(extra.title, extra.heads, body)

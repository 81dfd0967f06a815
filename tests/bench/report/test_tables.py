"""One table, many forms: numbers read the same in all of them, names stay names."""

import csv as csv_module
import io
import math

import pytest
from rich.console import Console

from satedge.bench.report.tables import Cell, Column, Table, csv, latex, markdown, page, terminal

TABLE = Table(
    [
        Column("method"),
        Column("gap", "%", ".2f", doc="how far", key="gap_share", best="12.50"),
        Column("time", "s", ".3g"),
        Column("here"),
    ],
    [
        ("a", 0.125, 0.5, Cell("missing", mark="warning")),
        ("b", math.nan, 2e6, "ready"),
        ("c", -1e-9, math.inf, ""),
        ("d", 5e4, -0.25, ""),
    ],
    "A title",
    "What it says.",
)


def test_numbers_have_their_form_and_nothing_is_a_dash() -> None:
    """Shares are percentages, 0 has no sign, what is not finite is '-', many digits become few."""
    assert [row[1:3] for row in TABLE.texts()] == [
        ["12.50", "0.5"],
        ["-", "2e+06"],
        ["0.00", "-"],
        ["5e+06", "-0.25"],
    ]


def test_csv_is_unrounded() -> None:
    """Keys as headings, shares as fractions, nothing where nothing is known."""
    rows = list(csv_module.DictReader(io.StringIO(csv(TABLE))))
    assert [r["gap_share"] for r in rows] == ["0.125", "", "-1e-09", "50000.0"]
    assert rows[0]["time s"] == "0.5"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", "-"])
def test_csv_has_no_formulas(name: str) -> None:
    """What a spreadsheet would run is marked as text; numbers stay numbers."""
    table = Table([Column("method"), Column("value", form=".4g")], [(name, -1.5), ("a=b", 2.0)])
    rows = list(csv_module.reader(io.StringIO(csv(table))))
    assert rows[1:] == [[f"'{name}", "-1.5"], ["a=b", "2.0"]]


def test_markdown_and_latex_show_the_same_texts() -> None:
    """Numbers stand at the right; the best is bold where there is bold."""
    lines = markdown([TABLE]).splitlines()
    assert lines[:5] == [
        "**A title**",
        "",
        "| method | gap % | time s | here |",
        "| --- | ---: | ---: | --- |",
        "| a | 12.50 | 0.5 | missing |",
    ]
    assert lines[-1] == "What it says."
    text = latex([TABLE])
    assert r"\begin{tabular}{lrrl}" in text
    assert r"a & \textbf{12.50} & 0.5 & missing \\" in text
    assert r"b & -- & 2e+06 & ready \\" in text


def test_latex_is_ready_for_a_paper() -> None:
    """A label to refer to, true minus signs, and methods by their proper names."""
    columns = [Column("method"), Column("value", form=".4g"), Column("interval", form="s")]
    rows = [
        ("adsac+, slow", -0.25, Cell("[-1.5, 2e-06]")),
        ("branch-and-bound", math.nan, Cell("-")),
        ("my-own", 1.0, Cell("[0, 1]")),
    ]
    text = latex([Table(columns, rows, "T", name="episode of 10 slots")])
    assert r"\label{tab:episode-of-10-slots}" in text
    assert r"AD-SAC+, slow & $-$0.25 & [$-$1.5, 2e-06] \\" in text
    assert r"Branch and bound & -- & -- \\" in text
    assert r"my-own & 1 & [0, 1] \\" in text


def test_terminal_colours_marks() -> None:
    """The best is bold and what is missing yellow; without colours the texts remain."""
    plain, coloured = io.StringIO(), io.StringIO()
    Console(file=plain, width=80).print(terminal(TABLE, 80))
    Console(file=coloured, width=80, force_terminal=True, color_system="standard").print(
        terminal(TABLE, 80)
    )
    assert "12.50" in plain.getvalue()
    assert "\x1b[1m12.50" in coloured.getvalue()
    assert "\x1b[33mmissing" in coloured.getvalue()


def test_page_has_values_to_sort_by() -> None:
    """Numbers carry their value, '' where there is none; words are sorted as they read."""
    data = page(TABLE)
    assert [c["class"] for c in data["columns"]] == ["", "n", "n", ""]
    assert data["columns"][1]["doc"] == "how far"
    assert [row[1]["value"] for row in data["rows"]] == [0.125, "", -1e-9, 5e4]
    assert data["rows"][0][1]["mark"] == "best"
    assert {row[0]["value"] for row in data["rows"]} == {None}


@pytest.mark.parametrize("name", ["a | b", "x_y & 50 %", "[red]"])
def test_names_stay_names(name: str) -> None:
    """Markup in a method's name is escaped, and nothing is written for what is not known."""
    columns = [Column("method"), Column("value", form=".4g")]
    table = Table(columns, [(name, 1.5), ("b", math.nan)], "T", "C")
    rows = [r for r in markdown([table]).splitlines() if r.startswith("| ")]
    assert all(r.replace("\\|", "").count("|") == 3 for r in rows)
    assert csv(table).splitlines()[-1] == "b,"
    text = latex([table])
    assert text.count(r"\\") == 3
    assert "_" not in text.replace(r"\_", "").split(r"\midrule")[1].split(r"\bottomrule")[0]
    out = io.StringIO()
    Console(file=out, width=80).print(terminal(table, 80))
    assert name in out.getvalue()

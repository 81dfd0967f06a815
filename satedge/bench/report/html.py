"""report.html: one file with everything in it, to open from a disk, mail or print."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satedge.bench.report import tables
from satedge.bench.report.figures.figures import Picture
from satedge.bench.report.page_data import embed, page_data
from satedge.bench.report.summary_text import headlines, sentences
from satedge.bench.report.supplementary import Extra
from satedge.bench.run.store import Store
from satedge.bench.score.paper_claims import Claim
from satedge.bench.score.score import DEFINITIONS
from satedge.bench.score.summary import COLUMNS, Line, by_comparison, label

#: Columns of the page's comparison tables.
WIDE = (
    "cost", "excess", "interval", "over_hindsight", "part_excess", "gap", "gap_max", "part_gap",
    "own_gap", "normalised", "latency_s", "energy_J", "reward", "late", "unserved", "feasible",
    "redrawn", "kept_cost", "primal_s", "time_s", "time_per_slot_s", "peak_MB",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A table cell: its text, and the number it is sorted by ('' sorts last)."""

    text: str
    value: str
    best: bool = False
    more: str = ""
    """A class for columns that paper has no room for."""


def write_report(
    store: Store,
    scored: pd.DataFrame,
    lines: list[Line],
    pictures: list[Picture],
    stated: list[Claim],
    broken: list[str],
    beside: list[Extra],
) -> Path:
    """Write report.html into the run's folder."""
    from jinja2 import Environment, StrictUndefined

    page = resources.files("satedge.bench.report") / "page"
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (page / "page.html.j2").read_text("utf-8")
    )
    text = template.render(
        title=_title(store),
        study=_study_text(store),
        css=(page / "page.css").read_text("utf-8"),
        js=(page / "page.js").read_text("utf-8"),
        data=embed(page_data(store, scored)),
        sentences=sentences(lines, broken, _versions(scored)),
        headlines=[(group, facts) for group, facts in headlines(lines) if facts],
        broken=broken,
        claims=stated,
        extras=[_extra(e) for e in beside],
        columns=[_column(c) for c in tables.told(WIDE, lines)],
        groups=[_group(group, part) for group, part in by_comparison(lines)],
        families=sorted({v.family for v in lines}),
        pictures=[_picture(p, i) for i, p in enumerate(pictures)],
        failures=_failures(scored),
        provenance=_provenance(scored),
        definitions=DEFINITIONS,
    )
    return store.write_text("report.html", text)


def _title(store: Store) -> str:
    return str(tomllib.loads(_study_text(store)).get("title", store.root.name))


def _study_text(store: Store) -> str:
    path = store.root / "study.toml"
    return path.read_text("utf-8") if path.exists() else ""


def _ran(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["status"] != "skipped"]


def _versions(rows: pd.DataFrame) -> int:
    """How many commits the rows that ran come from."""
    return int(_ran(rows)["commit"].nunique())


def _column(column: str) -> dict[str, str]:
    meaning = DEFINITIONS["interval" if column == "interval" else COLUMNS[column]["doc"]]
    more = "" if column in tables.WIDE else " more"
    return {"head": tables.heading(column), "doc": meaning, "more": more}


def _group(group: str, lines: list[Line]) -> dict[str, Any]:
    columns = tables.told(WIDE, lines)
    best = {c: tables.best_text(lines, c) for c in columns}
    return {
        "name": group,
        "columns": [_column(c) for c in columns],
        "title": tables.title(group, lines),
        "rows": [
            {
                "method": label(v, lines),
                "family": v.family,
                "plans": Cell(tables.plans(v), str(v.plans)),
                "cells": [_cell(c, v, best[c]) for c in columns],
                "remarks": tables.remarks(v, lines),
            }
            for v in lines
        ],
    }


def _extra(extra: Extra) -> dict[str, Any]:
    def cell(shown: str, value: str | float) -> Cell:
        return Cell(shown, "" if value != value else str(value))

    rows = [
        [cell(*pair) for pair in zip(texts, values, strict=True)]
        for texts, values in zip(extra.texts(), extra.rows, strict=True)
    ]
    return {"title": extra.title, "caption": extra.caption, "heads": extra.heads, "rows": rows}


def _cell(column: str, line: Line, best: str) -> Cell:
    value = line.excess_interval.value if column == "interval" else getattr(line, column)
    text = tables.cell_text(column, line)
    more = "" if column in tables.WIDE else " more"
    return Cell(text, repr(float(value)) if np.isfinite(value) else "", text == best, more)


def _picture(picture: Picture, number: int) -> dict[str, str]:
    svg = picture.files[1].read_text("utf-8")
    return {
        "group": picture.group,
        "title": picture.title,
        "caption": picture.caption,
        "svg": inline_svg(svg, f"f{number}-"),
        "name": picture.name,
    }


def inline_svg(svg: str, prefix: str) -> str:
    """An SVG file's element, its ids made unique on the page, scaling with its place."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    return re.sub(
        r'<svg([^>]*?) width="[^"]*"', r'<svg\1 aria-hidden="true"', svg, count=1
    ).replace(' height="', ' data-height="', 1)


def _failures(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Endings other than done, counted by method, status and reason."""
    failed = rows[rows["status"] != "done"].groupby(["method", "status", "reason"])["instance"]
    counted = failed.agg(count="size", example="first").reset_index()
    return list(counted.to_dict("records"))


def _provenance(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Where the numbers come from: every distinct value, with how many rows have it."""
    ran = _ran(rows)
    told = [("rows", str(len(ran)))]
    for name, head in (
        ("commit", "code (commit; + means changed files)"),
        ("host", "machine"),
        ("cpu", "processor"),
        ("system", "system"),
    ):
        counts = ran[name].value_counts(sort=False)
        told.append((head, ", ".join(f"{v or 'unknown'} ({n})" for v, n in counts.items())))
    contended = int(ran["contended"].sum())
    told.append(("contended timings", f"{contended} of {len(ran)} rows waited for a core"))
    return told

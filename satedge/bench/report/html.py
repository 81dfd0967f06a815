"""report.html: one file with everything in it, to open from a disk, mail or print."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from satedge.bench.report.comparison import PAGE, claims_table, comparison
from satedge.bench.report.figures.figures import Picture
from satedge.bench.report.page_data import embed, page_data
from satedge.bench.report.summary_text import headlines, sentences
from satedge.bench.report.tables import Column, Table, page
from satedge.bench.run.store import Store
from satedge.bench.score.claims.paper import Claim
from satedge.bench.score.score import DEFINITIONS
from satedge.bench.score.summary import Line


def write_report(
    store: Store,
    scored: pd.DataFrame,
    lines: list[Line],
    pictures: list[Picture],
    stated: list[Claim],
    broken: list[str],
    more: list[Table],
) -> Path:
    """Write report.html into the study's folder."""
    groups = [{"name": t.name, **page(t)} for t in comparison(lines, PAGE, kind=True)]
    text = render(
        "page.html.j2",
        title=_title(store),
        study=_study_text(store),
        css=asset("page.css"),
        js=asset("tables.js", "map.js", "page.js"),
        data=embed(page_data(store, scored)),
        sentences=sentences(lines, broken, _versions(scored)),
        headlines=[(group, facts) for group, facts in headlines(lines) if facts],
        broken=broken,
        claims=page(claims_table(stated)) if stated else None,
        supplementary=[page(t) for t in more],
        groups=groups,
        columns=_explained(groups),
        families=sorted({v.family for v in lines}),
        pictures=[_picture(p, i) for i, p in enumerate(pictures)],
        failures=page(_failures(scored)),
        provenance=_provenance(scored),
        definitions=DEFINITIONS,
    )
    return store.write_text("report.html", text)


def render(template: str, **values: Any) -> str:
    """A page from a template of the folder `page`; all texts in it are escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("satedge.bench.report", "page")
    pages = Environment(autoescape=True, undefined=StrictUndefined, loader=loader)
    return pages.get_template(template).render(values)


def asset(*names: str) -> str:
    """Files of the folder `page`, one after the other."""
    folder = resources.files("satedge.bench.report") / "page"
    return "\n".join((folder / name).read_text("utf-8") for name in names)


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


def _explained(groups: list[dict[str, Any]]) -> dict[str, str]:
    """Headings of all groups with what they mean."""
    columns = [column for group in groups for column in group["columns"]]
    return {c["head"]: c["doc"] for c in columns if c["doc"]}


def _failures(rows: pd.DataFrame) -> Table:
    """Statuses other than done, counted by method, status and reason."""
    failed = rows[rows["status"] != "done"].groupby(["method", "status", "reason"])["instance"]
    counted = failed.agg(["size", "first"]).reset_index()
    columns = (
        Column("method"),
        Column("status"),
        Column("runs", form="d"),
        Column("reason", page="long"),
        Column("for example"),
    )
    order = ["method", "status", "size", "reason", "first"]
    return Table(columns, list(counted[order].itertuples(index=False, name=None)))


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
    told.append(("disturbed timings", f"{contended} of {len(ran)} rows waited for a core"))
    return told

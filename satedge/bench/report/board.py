"""A leaderboard of submissions as pages to put on any web server: an index, and every instance.

Costs, gaps and refusals are found here; times are as claimed, and a result is called reproduced
only where its method was run again and came out the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from satedge.bench.report.html import asset, render
from satedge.bench.report.page_data import embed, plan_data, world_data
from satedge.bench.report.tables import Cell, Column, Table, page
from satedge.bench.score.best_known import Record, plan_of, read_records
from satedge.bench.score.features import Feature, features, sample
from satedge.bench.score.submission import Checked, Finding
from satedge.bench.study.suites import SUITES, load_suite
from satedge.problem.instance import Instance
from satedge.problem.io.folder import write_atomically
from satedge.problem.io.submission import KINDS, file_name

#: Pages of instances lie in this folder.
PAGES = "instances"

_BEST = "best known"

COLUMNS = (
    Column("submission"),
    Column("class"),
    Column("rank", form="s", doc="among complete submissions of its class"),
    Column("accepted", form="s", doc="instances with an admissible plan, of all; judged here"),
    Column("better", form=".0f", doc="instances with a plan better than the best known one"),
    Column("cost", form=".6f", doc="mean over its accepted instances, per slot and device"),
    Column("excess", "%", ".4f", doc="of the mean cost over that of the best known plans there"),
    Column("certified gap", "%", ".4f", doc="mean distance to the highest certified bound"),
    Column("proved", form=".0f", doc="bounds whose proof was handed in and verified here"),
    Column("deadline misses", form=".0f", doc="requests, all its plans together"),
    Column("time", "s", ".3g", doc="median of an instance, as claimed, on its own hardware"),
    Column(
        "result", doc="reproduced: its method was run so often again here and came out the same"
    ),
    Column("hardware", page="side", doc="as claimed"),
    Column("date", page="side", doc="as claimed"),
)


def write_board(checked: Sequence[Checked], folder: Path) -> list[Path]:
    """Write index.html and the pages of all instances of the suites; return them, index first."""
    (folder / PAGES).mkdir(parents=True, exist_ok=True)
    suites = dict.fromkeys(c.submission.suite for c in checked)
    boards = [
        _Board(suite, [c for c in checked if c.submission.suite == suite]) for suite in suites
    ]
    written = [folder / "index.html"]
    for board in boards:
        written += board.write_instances(folder / PAGES)
    text = render(
        "board.html.j2",
        boards=[b.as_page() for b in boards],
        kinds=KINDS,
        columns={c.heading: c.doc for c in COLUMNS if c.doc},
        css=asset("page.css"),
        js=asset("tables.js", "board.js"),
    )
    write_atomically(written[0], text.encode())
    return written


@dataclass(frozen=True)
class _Board:
    """The submissions of one suite."""

    suite: str
    checked: Sequence[Checked]

    @property
    def records(self) -> dict[str, Record]:
        """Best known values by instance; empty where the suite keeps none."""
        return read_records(self.suite)

    def as_page(self) -> dict[str, Any]:
        """For the template."""
        title = SUITES[self.suite].title
        world = ", ".join(dict.fromkeys(r.preset for r in SUITES[self.suite].recipes))
        table = Table(COLUMNS, self._rows(), f"{self.suite}: {title}; world {world}")
        names = [r.name for r in SUITES[self.suite].recipes]
        return page(table) | {"suite": self.suite, "instances": [(n, _href(n)) for n in names]}

    def _rows(self) -> list[list[Any]]:
        """Complete submissions first, the cheapest first; refused plans earn no rank."""
        ranks: dict[str, int] = {}
        rows = []
        for one in sorted(self.checked, key=_order):
            kind = one.submission.kind
            if _is_complete(one):
                ranks[kind] = ranks.get(kind, 0) + 1
            rows.append(_row(one, ranks[kind] if _is_complete(one) else None))
        return rows

    def write_instances(self, folder: Path) -> Iterator[Path]:
        """A page for each instance."""
        records = self.records
        for instance in load_suite(self.suite):
            path = folder / _href(instance.name)
            found = [
                (c, f) for c in self.checked for f in c.findings if f.instance == instance.name
            ]
            text = _instance_page(self.suite, instance, records.get(instance.name), found)
            write_atomically(path, text.encode())
            yield path


def _href(name: str) -> str:
    return f"{file_name(name)}.html"


def _is_complete(one: Checked) -> bool:
    return len(one.plans) == len(one.findings)


def _order(one: Checked) -> tuple[bool, float]:
    return not _is_complete(one), _mean([f.cost for f in one.plans])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.inf


def _row(one: Checked, rank: int | None) -> list[Any]:
    s, plans = one.submission, one.plans
    known = [f for f in plans if math.isfinite(f.best)]
    best = _mean([f.best for f in known])
    excess = _mean([f.cost for f in known]) / best - 1 if known else math.nan
    gaps = [f.gap for f in plans if math.isfinite(f.gap)]
    times = [f.time_s for f in plans if math.isfinite(f.time_s)]
    told = {"reproduced": "good", "not reproduced": "alarm"}
    return [
        s.name,
        Cell(s.kind, s.kind, f"kind {_COLOURS[s.kind]}"),
        Cell(str(rank or "-"), rank or math.inf),
        Cell(f"{len(plans)}/{len(one.findings)}", len(plans)),
        float(one.count("better")),
        _mean([f.cost for f in plans]),
        excess,
        _mean(gaps) if gaps else math.nan,
        float(sum(f.proved for f in plans)),
        float(sum(f.deadline_misses for f in plans)),
        float(np.median(times)) if times else math.nan,
        Cell(one.told + _repeated(one), one.told, told.get(one.told, "")),
        s.hardware.get("cpu", ""),
        s.date,
    ]


def _repeated(one: Checked) -> str:
    """On how many of its instances a method was run again."""
    return f" ({one.repeated} run{'s' * (one.repeated > 1)})" if one.again is not None else ""


#: Classes of the page's style sheet.
_COLOURS = {"exact": "exact", "heuristic": "heuristic", "learned": "learned"}


# --- one instance


def _instance_page(
    suite: str, instance: Instance, record: Record | None, found: Sequence[tuple[Checked, Finding]]
) -> str:
    data = {"world": world_data(instance), "name": instance.name}
    if record is not None and record.plan is not None:
        data["plan"] = plan_data(instance, plan_of(record))
    return render(
        "instance.html.j2",
        suite=suite,
        name=instance.name,
        sha256=instance.content_sha256,
        facts=_facts(record),
        features=page(_feature_table(instance)),
        history=page(_history(record)),
        results=page(_results(found)),
        proof=_proof_commands(suite, instance),
        css=asset("page.css"),
        js=asset("tables.js", "map.js", "instance.js"),
        data=embed(data),
    )


def _facts(record: Record | None) -> list[tuple[str, str]]:
    """What is known of it, who found it, and what proves it."""
    if record is None:
        return [(_BEST, "no record is kept of this instance")]
    told = []
    if record.best is not None:
        by = f"{record.best.value:.9g}, by {record.best.who}, {record.best.when}"
        told.append(("best known cost", by))
    if record.bound is not None:
        kind = (record.certificate or {}).get("kind", "none")
        by = f"{record.bound.value:.9g}, by {record.bound.who}, {record.bound.when}"
        told.append(("certified bound", f"{by}; certificate: {kind}"))
    if math.isfinite(record.gap):
        told.append(("gap", f"{100 * record.gap:.3g} %{' (proven)' * record.optimal}"))
    return told


def _feature_table(instance: Instance) -> Table:
    found, _ = features(sample([instance], 10))
    rows = [(f.name, Cell(_shown(f), f.value), f.how) for f in found]
    columns = (Column("feature"), Column("value", form="s"), Column("how", page="long"))
    return Table(columns, rows)


def _shown(f: Feature) -> str:
    if not math.isfinite(f.value):
        return "-"
    return f"{f.value:.1%}" if f.share else f"{f.value:.4g}"


def _history(record: Record | None) -> Table:
    """Values and bounds as they came, the present ones last."""
    columns = (Column("when"), Column("what"), Column("value", form=".9g"), Column("who"))
    rows: list[tuple[Any, ...]] = []
    if record is not None:
        rows = [(b.when, b.kind, b.value, b.who) for b in record.history]
        marks = (("value", record.best), ("bound", record.bound))
        rows += [(m.when, f"{kind}, now", m.value, m.who) for kind, m in marks if m is not None]
    return Table(columns, rows)


def _results(found: Sequence[tuple[Checked, Finding]]) -> Table:
    columns = (
        Column("submission"),
        Column("class"),
        Column("verdict"),
        Column("cost", form=".6f"),
        Column("certified gap", "%", ".4f"),
        Column("time", "s", ".3g"),
        Column("remarks", page="long"),
    )
    rows = [
        (
            c.submission.name, Cell(c.submission.kind, "", f"kind {_COLOURS[c.submission.kind]}"),
            f.status, f.cost, f.gap, f.time_s, _without_folder(f.reason, c.folder),
        )
        for c, f in sorted(found, key=lambda pair: _or_last(pair[1].cost))
    ]  # fmt: skip
    return Table(columns, rows)


def _without_folder(reason: str, folder: Path) -> str:
    """Reasons name files; where these lie here is nobody's business."""
    return reason.replace(f"{folder}/", "")


def _or_last(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _proof_commands(suite: str, instance: Instance) -> str:
    if not SUITES[suite].committed or instance.scenario.compute_sharing == "shared":
        return ""
    file = f"instances/{suite}/{instance.name}.json"
    made = f"satedge solve {file} --method branch-and-bound --proof proof.json.gz"
    return f"{made}\nsatedge verify {file} proof.json.gz"

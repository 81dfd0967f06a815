"""What a run leaves for readers: tables, figures and the page, whatever its names hold."""

import base64
import csv
import gzip
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from satedge.bench.report import page_data
from satedge.bench.report.write_up import WriteUp, write
from satedge.bench.run.store import Store
from satedge.bench.score.score import score


@pytest.fixture(scope="module")
def written(run_folder: Path) -> WriteUp:
    return write(Store(run_folder))


def test_everything_is_written(written: WriteUp) -> None:
    """Tables in three forms, figures as PDF and SVG, one page; and the gate holds."""
    assert written.broken == []
    names = {p.relative_to(written.root).as_posix() for p in written.files}
    assert {f"tables/comparison.{e}" for e in ("csv", "md", "tex")} | {"report.html"} <= names
    for group in ("slots", "episodes"):
        for figure in ("excess", "gap", "time", "profile", "phases", "map"):
            assert {f"figures/{group}-{figure}.pdf", f"figures/{group}-{figure}.svg"} <= names
    least = {".csv": 60}
    assert all(p.stat().st_size > least.get(p.suffix, 500) for p in written.files)


def test_csv_holds_every_line(written: WriteUp) -> None:
    """The CSV is readable by machines: one line a method and group, shares as fractions."""
    rows = list(csv.DictReader(io.StringIO((written.root / "tables/comparison.csv").read_text())))
    assert len(rows) == 2 * 7
    failed = next(r for r in rows if r["method"] == "support.toys:raises")
    assert (failed["plans"], failed["cost"], failed["statuses"]) == ("0", "", "failed=2")
    random = next(r for r in rows if r["method"] == "random")
    assert (random["seeds"], random["runs"]) == ("2", "4")
    assert float(random["excess"]) > 0


def test_markdown_and_latex_escape_names(written: WriteUp, nasty_method: str) -> None:
    """A name with markup stays a name in every form."""
    markdown = (written.root / "tables/comparison.md").read_text()
    assert r"\<img src=x" in markdown
    assert r"\| 100%" in markdown
    rules = [line for line in markdown.splitlines() if line.startswith("| --- |")]
    assert len(rules) == 2
    latex = (written.root / "tables/comparison.tex").read_text()
    assert r"\$x\_1\$ | 100\%" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    assert nasty_method not in latex


def test_same_run_same_bytes(written: WriteUp) -> None:
    """Writing a run up again gives the same files, byte for byte."""
    before = {p: p.read_bytes() for p in written.files}
    again = write(Store(written.root))
    assert [p for p in again.files if p.read_bytes() != before[p]] == []


class _Reader(HTMLParser):
    """Collects elements, and whatever could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "srcset"):
                self.loads.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


def test_page_is_one_file_that_loads_nothing(written: WriteUp) -> None:
    """No element refers outside the page, and no name became an element or a handler."""
    reader = _Reader()
    text = (written.root / "report.html").read_text()
    reader.feed(text)
    assert [v for v in reader.loads if not v.startswith(("#", "data:"))] == []
    assert reader.handlers == []
    assert "img" not in reader.tags
    assert reader.tags.count("script") == 2
    assert not re.search(r"url\((?!#)", text)


def test_page_data_survives_hostile_names(written: WriteUp, nasty_instance: str) -> None:
    """The embedded data reads back with the names as they were given."""
    text = (written.root / "report.html").read_text()
    found = re.search(r'<script type="text/plain" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(gzip.decompress(base64.b64decode(found.group(1))))
    assert {i["name"] for i in data["instances"]} == {"slots-0", "episodes-0", nasty_instance}
    plans = [c for i in data["instances"] for c in i["runs"] if "plan" in c]
    assert plans
    assert data["left_out"] == {"runs": 0, "plans": 4}, "random's second seed, on four instances"


def test_page_stays_small(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the page's room, instances and cells are left out and counted, not drawn."""
    rows = Store(run_folder).gather()
    ran = int((rows["status"] != "skipped").sum())
    monkeypatch.setattr(page_data, "MAX_RUNS", 3)
    data = page_data.page_data(Store(run_folder), score(rows))
    assert [len(i["runs"]) for i in data["instances"]] == [3]
    assert data["left_out"]["runs"] == ran - 3


def test_svg_ids_are_unique_on_the_page(written: WriteUp) -> None:
    """Figures share the page without sharing ids, which would cut one by another's frame."""
    ids = re.findall(r'\bid="([^"]+)"', (written.root / "report.html").read_text())
    assert len(ids) == len(set(ids))


def test_report_judges_plans_again(run_folder: Path, tmp_path: Path) -> None:
    """A record whose number was altered is found out by judging its plan again."""
    folder = tmp_path / "copy"
    shutil.copytree(run_folder, folder)
    store = Store(folder)
    record = next(r for r in store.records() if r["row"]["method"] == "greedy")
    record["row"]["cost"] *= 0.99
    store.write(record)
    (problem,) = write(store, report=False).broken
    assert problem.startswith(f"greedy on {record['row']['instance']}, seed 0: cost is recorded")


def test_gate_fails_the_study(run_folder: Path, tmp_path: Path) -> None:
    """A certified bound above a judged cost is told with both names."""
    folder = tmp_path / "copy"
    shutil.copytree(run_folder, folder)
    store = Store(folder)
    record = next(r for r in store.records() if r["row"]["method"] == "independent-bound")
    record["row"]["lower_bound"] = record["trace"][-1][2] = 1e6
    store.write(record)
    (problem,) = write(store, report=False).broken
    assert "independent-bound certifies 1000000" in problem

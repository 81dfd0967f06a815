"""The leaderboard: ranks by class, none for refused plans, hostile texts as text, all pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from satedge.bench.report.board import write_board
from satedge.bench.score.best_known import Bettered, Record, read_records
from satedge.bench.score.submission import Checked, Finding
from satedge.bench.study.suites import SUITES
from satedge.problem.io.submission import Submission
from support import chromium

SUITE = "tiny"
HOSTILE = "</script><img src=x onerror=boom()>"


def checked(name: str, kind: str, factor: float, **changes: object) -> Checked:
    """A submission whose plans cost so many times the best known, refused where that is below 1."""
    head = Submission(
        name=name, kind=kind, suite=SUITE, cost_version=2, method="", settings={}, seed=0,
        budget_s=None, clock="wall", date="2026-11-28", commit="", versions={},
        hardware={"cpu": HOSTILE}, about="", instances={},
    )  # fmt: skip
    findings = []
    for record in read_records(SUITE).values():
        assert record.best is not None
        assert record.bound is not None
        best, bound = record.best.value, record.bound.value
        found = Finding(record.instance, "accepted", "", factor * best, best, bound, 0.25)
        refused = Finding(record.instance, "refused", HOSTILE)
        findings.append(found if factor >= 1 else refused)
    return replace(Checked(Path("x"), head, tuple(findings)), **changes)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The board of two exact submissions, a learned one and one that is refused altogether."""
    known = read_records(SUITE)
    past = Bettered("value", 1e3, "somebody long ago", "2001-01-01")

    def read(suite: str) -> dict[str, Record]:
        return {**known, "tiny-3004": replace(known["tiny-3004"], history=(past,))}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("satedge.bench.report.board.read_records", read)
        return write_board(
            [
                checked("second", "exact", 1.25),
                checked("nothing", "exact", 0.5),
                checked("first", "exact", 1.0, again=(), repeated=3),
                checked("net", "learned", 1.5, again=("tiny-3000: worse",), repeated=1),
            ],
            tmp_path_factory.mktemp("board"),
        )


def rows(page: str) -> list[list[str]]:
    """Texts of the cells of the first table's body."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", body, re.S)
    return [
        [re.sub("<[^>]*>", "", c).strip() for c in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        for row in found
    ]


def test_ranks_are_by_class_and_only_of_whole_submissions(pages: list[Path]) -> None:
    """The cheapest first; excess against the best known plans; reproduced or claimed."""
    found = {row[0]: row for row in rows(pages[0].read_text())}
    assert list(found) == ["first", "second", "net", "nothing"]
    assert [found[n][2] for n in found] == ["1", "2", "1", "-"]
    assert [found[n][3] for n in found] == ["30/30", "30/30", "30/30", "0/30"]
    assert [found[n][6] for n in found] == ["0.0000", "25.0000", "50.0000", "-"]
    told = [row[11] for row in found.values()]
    assert told == ["reproduced (3 runs)", "claimed", "not reproduced (1 run)", "claimed"]


def test_every_instance_has_its_page(pages: list[Path]) -> None:
    """With hash, map, features, best known values with their makers, and what was before."""
    assert [p.stem for p in pages[1:]] == [recipe.name for recipe in SUITES[SUITE].recipes]
    text = next(p for p in pages if p.stem == "tiny-3004").read_text()
    record = read_records(SUITE)["tiny-3004"]
    assert record.best is not None
    for part in (record.sha256, record.best.who, f"{record.best.value:.9g}", "(proven)",
                 "somebody long ago", "deadline tightness", "satedge verify"):  # fmt: skip
        assert part in text


def test_texts_of_strangers_stay_texts(pages: list[Path]) -> None:
    """No markup of a submission reaches a page."""
    for page in pages:
        assert "<img" not in page.read_text()
        assert page.read_text().count("</script>") == 2 - (page == pages[0])
    assert "&lt;img" in pages[0].read_text()


@pytest.fixture
def browser() -> Iterator[chromium.Page]:
    with chromium.Page() as found:
        yield found
        assert found.complaints() == []
        assert {url.partition(":")[0] for url in found.requests()} <= {"file", "data"}


@pytest.mark.browser
@pytest.mark.skipif(chromium.installed() is None, reason="Chromium is not installed")
def test_pages_work_in_a_browser(pages: list[Path], browser: chromium.Page) -> None:
    """One class can be shown alone, tables sort, and the map of the best known plan is drawn."""
    browser.open(pages[0])
    browser.run(
        "byId('family').value = 'learned'; byId('family').dispatchEvent(new Event('input'))"
    )
    assert browser.run("byId('count').textContent") == "1 of 4 submissions"
    click = "[...document.querySelectorAll('thead button')].find(b => b.textContent === 'cost')"
    browser.run(f"{click}.click(); {click}.click()")
    assert browser.run("document.querySelector('tbody th').textContent").strip() == "net"
    browser.open(next(p for p in pages if p.stem == "tiny-3004"))
    assert browser.run("document.querySelectorAll('#best svg').length") == 1
    assert browser.run("document.querySelectorAll('#best tbody tr').length") == 3
    assert "tiny-3004" in browser.run("document.querySelector('#best svg').textContent")

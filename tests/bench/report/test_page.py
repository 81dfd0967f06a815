"""The report page in a real browser: sorting, filtering, drill-down, keyboard, phone, print."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from satedge.bench.report.write_up import write
from satedge.bench.run.store import Store
from support import chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.installed() is None, reason="Chromium is not installed"),
]

TABLE = "document.querySelector('.comparison table')"


@pytest.fixture(scope="module")
def file(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page alone, away from the run's folder."""
    write(Store(run_folder))
    alone = tmp_path_factory.mktemp("alone") / "report.html"
    shutil.copy(run_folder / "report.html", alone)
    return alone


@pytest.fixture
def page(file: Path) -> Iterator[chromium.Page]:
    with chromium.Page() as found:
        found.open(file)
        yield found
        assert found.complaints() == []
        assert {url.partition(":")[0] for url in found.requests()} <= {"file", "data"}
        assert [u for u in found.requests() if u.startswith("file")] == [file.as_uri()]


def column(page: chromium.Page, head: str) -> list[str]:
    return page.run(
        f"""(() => {{ const t = {TABLE};
        const i = [...t.tHead.rows[0].cells].findIndex(c => c.textContent.trim() === {head!r});
        return [...t.tBodies[0].rows].map(r => r.cells[i].textContent.trim()); }})()"""
    )


def click_head(page: chromium.Page, head: str) -> None:
    page.run(
        f"[...{TABLE}.tHead.querySelectorAll('button')]"
        f".find(b => b.textContent === {head!r}).click()"
    )


def test_sorting_by_number_and_back(page: chromium.Page) -> None:
    """A heading sorts by value, then the other way; what has no value stays last."""
    click_head(page, "cost")
    costs = [float(v) for v in column(page, "cost") if v != "-"]
    assert len(costs) >= 4
    assert costs == sorted(costs)
    assert column(page, "cost")[-1] == "-"
    click_head(page, "cost")
    again = [float(v) for v in column(page, "cost") if v != "-"]
    assert again == sorted(costs, reverse=True)
    assert column(page, "cost")[-1] == "-"
    assert page.run(f"{TABLE}.querySelector('[aria-sort]').getAttribute('aria-sort')") == (
        "descending"
    )


def test_sorting_by_keyboard(page: chromium.Page) -> None:
    """Everything a mouse sorts, the keyboard sorts: Tab to a heading, Enter."""
    page.run(f"{TABLE}.tHead.querySelector('button').focus()")
    page.press("Enter", 13)
    names = column(page, "method")
    assert names == sorted(names, key=str.lower)
    page.press("Tab", 9)
    assert page.run("document.activeElement.textContent") == "kind"


def test_filtering(page: chromium.Page) -> None:
    """Text, kind and group narrow the tables, and the number of lines is told."""
    shown = "[...document.querySelectorAll('.comparison tbody tr')].filter(r => r.offsetParent)"
    total = page.run(f"{shown}.length")
    assert page.run("document.getElementById('count').textContent") == f"{total} lines"

    def choose(field: str, value: str) -> list[str]:
        page.run(
            f"(() => {{ const f = document.getElementById({field!r}); f.value = {value!r};"
            "f.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        return page.run(f"{shown}.map(r => r.cells[0].textContent)")

    assert choose("find", "GREE") == ["greedy", "greedy"]
    assert choose("group", "slots") == ["greedy"]
    assert page.run("document.getElementById('count').textContent") == f"1 of {total} lines"
    choose("find", "")
    assert choose("family", "bound") == ["independent-bound"]
    assert choose("family", "nothing") == choose("family", "")


def test_drill_down(page: chromium.Page, nasty_instance: str) -> None:
    """Every instance opens with its cells; a click shows plan, map and devices of one."""
    options = page.run("[...document.getElementById('instance').options].map(o => o.text)")
    assert len(options) == 4
    assert f"slots: {nasty_instance}" in options
    page.run(
        "(() => { const c = document.getElementById('instance');"
        f"c.value = {options.index('episodes: episodes-0')};"
        "c.dispatchEvent(new Event('change')); })()"
    )
    page.run(
        "[...document.querySelectorAll('#drill .link')]"
        ".find(b => b.textContent === 'greedy').click()"
    )
    assert page.run("document.querySelector('#drill .detail h3').textContent") == (
        "greedy on episodes-0"
    )
    devices = "document.querySelectorAll('#drill .detail tbody tr').length"
    assert page.run(devices) == 3
    drones = "document.querySelectorAll('#drill .detail svg g[transform]').length"
    assert page.run(drones) >= 1
    before = page.run("document.querySelector('#drill .detail svg').outerHTML")
    page.run(
        "(() => { const s = document.querySelector('.slots input'); s.value = 3;"
        "s.dispatchEvent(new Event('input')); })()"
    )
    assert "slot 3: cost" in page.run("document.querySelector('.slots output').textContent")
    assert page.run("document.querySelector('#drill .detail svg').outerHTML") != before
    page.run("document.getElementById('next').click()")
    assert page.run("document.getElementById('instance').selectedIndex") == (
        (options.index("episodes: episodes-0") + 1) % 4
    )


def test_hostile_names_stay_text(page: chromium.Page, nasty_method: str) -> None:
    """Names with markup are shown as they are and run nothing."""
    assert nasty_method in column(page, "method")
    assert page.run("typeof boom") == "undefined"
    assert page.run("document.images.length") == 0
    assert page.run("document.title") == "A <b>small</b> run"
    for _ in range(4):
        page.run("document.getElementById('next').click()")
    assert page.run("document.images.length") == 0


def test_phone(file: Path) -> None:
    """On a phone nothing but the tables' own frames is wider than the screen."""
    with chromium.Page(390, 800) as page:
        page.open(file)
        page.call(
            "Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=2,
            mobile=True,
        )  # fmt: skip
        assert page.run("document.documentElement.scrollWidth") <= 390
        assert page.run("document.querySelector('.scroll').scrollWidth") > 390


#: Numbers of methods with names of the usual length; hostile ones are longer than any.
SHORTEN = """document.querySelectorAll('.comparison tbody th').forEach(
    (head) => { head.textContent = 'independent-bound'; })"""


def test_tables_are_whole_on_a_screen(file: Path) -> None:
    """At 1400 pixels nothing of the comparison has to be scrolled; all columns show on demand."""
    with chromium.Page(1400, 900) as page:
        page.open(file)
        page.run(SHORTEN)
        over = (
            "[...document.querySelectorAll('.comparison .scroll')]"
            ".map((box) => box.scrollWidth - box.clientWidth)"
        )
        assert page.run(over) == [0, 0]
        shown = f"[...{TABLE}.tHead.rows[0].cells].filter((head) => head.offsetWidth > 0).length"
        few = page.run(shown)
        page.run("document.getElementById('all').click()")
        assert page.run(shown) > few
        assert page.run(shown) == page.run(f"{TABLE}.tHead.rows[0].cells.length")


def test_figures_are_dark_where_the_screen_is(file: Path) -> None:
    """Paper and ink of figures and maps follow the reader's setting, on paper they do not."""
    paper = (
        "getComputedStyle(document.querySelector('.drawing svg [style*=\"fill: #ffffff\"]')).fill"
    )
    frame = "getComputedStyle(document.querySelector('#drill .detail svg rect')).fill"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    with chromium.Page() as page:
        page.open(file)
        light = [page.run(paper), page.run(frame)]
        assert light[0] == "rgb(255, 255, 255)"
        page.call("Emulation.setEmulatedMedia", media="screen", features=dark)
        assert page.run(paper) == "rgb(21, 25, 29)"
        assert page.run(frame) != light[1]
        page.call("Emulation.setEmulatedMedia", media="print", features=dark)
        assert page.run(paper) == light[0]


def test_print(file: Path) -> None:
    """On paper the controls are gone and the tables are whole."""
    with chromium.Page() as page:
        page.open(file)
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.run("getComputedStyle(document.querySelector('.controls')).display") == "none"
        overflow = "getComputedStyle(document.querySelector('.scroll')).overflowX"
        assert page.run(overflow) == "visible"
        assert page.call("Page.printToPDF")["data"]


def test_labels_for_screen_readers(page: chromium.Page) -> None:
    """Every control, figure and table has a name that a screen reader can say."""
    unnamed = """[...document.querySelectorAll('input, select, button, [role=img], [role=region]')]
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length
            || document.getElementById(e.getAttribute('aria-labelledby')))
            && !e.querySelector('title')).map(e => e.outerHTML.slice(0, 80))"""
    assert page.run(unnamed) == []
    levels = page.run("[...document.querySelectorAll('h1,h2,h3')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert page.run("document.documentElement.lang") == "en"

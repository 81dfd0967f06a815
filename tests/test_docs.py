"""What the pages say is what happens: their blocks are run, page by page, in an empty folder."""

import importlib
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import generate  # noqa: E402
import notebooks  # noqa: E402
import reference_tables  # noqa: E402

PAGES = sorted(p for p in DOCS.rglob("*.md"))
README = ROOT / "README.md"
RUN = [p for p in [README, *PAGES] if re.search(r"^ *```", p.read_text(), re.M)]
#: An optional reason not to run, or name of the file that it is; then a fenced block.
BLOCK = re.compile(
    r"^ *(?:<!-- not run: ([^>]+) -->\n+)?(?:`([\w.]+)`:\n\n)?( *)```(\w*)\n(.*?)^\3```$",
    re.M | re.S,
)
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?!https?:)([^)\s]*)\)")
WAY = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
}


def blocks(page):
    """(reason not to run it, name of the file, language, text) of every fenced block."""
    for reason, file, _, kind, text in BLOCK.findall(page.read_text()):
        yield reason, file, kind, textwrap.dedent(text)


def steps(text):
    """(command, lines it is said to print) of a console block."""
    parts = re.split(r"^\$ ", text, flags=re.M)
    assert not parts[0].strip(), f"output before the first command: {parts[0]}"
    for part in parts[1:]:
        command, *said = part.replace("\\\n", "").splitlines()
        yield command, [line for line in said if line.strip() not in ("", "...")]


def run_console(text, folder):
    """Run the commands; what the page shows of their output must be there, `...` standing for
    anything."""
    for command, said in steps(text):
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=WAY, capture_output=True, text=True
        )
        out = done.stdout + done.stderr
        wanted = 0 if not said or not said[0].startswith("satedge: ") else 2
        assert done.returncode == wanted, f"{command}\n{out}"
        printed = [" ".join(line.split()) for line in out.splitlines()]
        for line in said:
            words = [re.escape(w) for w in " ".join(line.split()).split("...")]
            shape = re.compile(".*".join(words))
            assert any(shape.fullmatch(p) for p in printed), f"{command}\n{line}\n{out}"


@pytest.mark.parametrize("page", RUN, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_does_what_it_says(page, tmp_path, monkeypatch):
    """Python blocks share their names, files are written, commands run in the same folder; README
    speaks of a clone."""
    monkeypatch.chdir(tmp_path)
    if page.parent == ROOT:
        Path("instances").symlink_to(ROOT / "instances")
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {}
    for reason, file, kind, text in blocks(page):
        if reason:
            continue
        if file:
            Path(file).write_text(text)
        elif kind == "python":
            exec(compile(text, page.name, "exec"), names)
        elif kind == "console":
            run_console(text, tmp_path)
        else:
            assert kind in ("", "text"), f"{page.name}: a {kind} block that nothing tests"


def test_make_has_the_targets_that_pages_name():
    """Blocks without a language, and words in code, name targets of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in [README, ROOT / "CONTRIBUTING.md", *PAGES]:
        named = re.findall(r"(?:^(?:\$ )?|`)make ([a-z-]+)", page.read_text(), re.M)
        assert set(named) <= targets, page.name


def test_few_blocks_are_left_out():
    """What cannot run here says why."""
    left_out = [(p.name, reason) for p in PAGES for reason, *_ in blocks(p) if reason]
    assert len(left_out) <= 8, left_out


@pytest.mark.parametrize("name", notebooks.names())
def test_a_notebook_does_what_it_shows(name, tmp_path, monkeypatch):
    """Its cells run, and show what the file shows, but for times; it is small and without paths."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    kept = notebooks.read(name)
    assert shown(notebooks.executed(kept)) == shown(kept)
    text = (DOCS / "notebooks" / f"{name}.ipynb").read_text()
    assert len(text) < 300_000
    assert str(Path.home()) not in text
    assert str(ROOT) not in text


def shown(notebook):
    """Outputs of the cells as words: numbers left out, which may differ in their last digits, and
    pictures."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {"text/plain": output.get("text")})
            texts = {kind: "".join(data[kind]) for kind in data if kind != "image/png"}
            digits = {k: re.sub(r"[-+]?\d[\d.e-]*", "#", v) for k, v in texts.items()}
            digits = {k: v.replace(r"\textbf{#}", "#") for k, v in digits.items()}
            found.append((output["output_type"], sorted(data), digits))
    return found


def test_links_lead_somewhere():
    """Relative links of every page point at files, and at headings that are there."""
    for page in [*ROOT.glob("*.md"), *PAGES]:
        for target in LINK.findall(page.read_text()):
            file, _, heading = target.partition("#")
            to = page.parent / file if file else page
            borrowed = to.parent == DOCS and to.name in generate.BORROWED
            assert borrowed or to.exists(), f"{page.name}: {target}"
            if heading:
                assert heading in headings(to), f"{page.name}: {target}"


def headings(page):
    """Anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", generate.filled(page.read_text()), re.M)
    return [re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", t.lower())).strip("-") for t in titles]


def test_the_site_has_every_page():
    """The navigation names each page once and no other."""
    named = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    there = [str(p.relative_to(DOCS)) for p in PAGES] + list(generate.BORROWED)
    there += [f"notebooks/{name}.md" for name in notebooks.names()]
    assert sorted(named) == sorted(there)


def test_every_table_is_in_a_page_and_lists_everything():
    """Fields, methods, commands, suites, studies and arrays come from the code itself."""
    from satedge.bench.methods.table import TABLE
    from satedge.bench.run.rows import SCHEMA
    from satedge.problem.scenario import Scenario

    texts = {str(p.relative_to(DOCS)): generate.filled(p.read_text()) for p in PAGES}
    marks = {name for p in PAGES for name in generate.MARK.findall(p.read_text())}
    assert marks == set(reference_tables.TABLES)
    for name in Scenario.__dataclass_fields__:
        assert f"| `{name}` |" in texts["reference/scenario.md"]
    for method in TABLE:
        row = f"| `{method.name}` | {method.family} |"
        assert texts["reference/methods.md"].count(row) == 1
    for column in SCHEMA:
        assert f"| `{column.name}` |" in texts["reference/files.md"]
    for option in ("--setting", "--scheduler-file", "--tensorboard", "EXPORTED"):
        assert option in texts["reference/cli.md"]


def test_explanations_are_of_what_there_is():
    """Formulas are of scores, texts of settings that exist."""
    from satedge.bench.methods.table import TABLE, parameters
    from satedge.bench.score.score import DEFINITIONS

    assert set(reference_tables.FORMULAS) <= set(DEFINITIONS)
    assert set(reference_tables.SETTINGS) <= {name for m in TABLE for name in parameters(m)[0]}


def test_documented_names_exist():
    """What the Python reference shows can be imported."""
    for page in (DOCS / "reference" / "api").glob("*.md"):
        shown = re.findall(r"^::: (\S+)$", page.read_text(), re.M)
        assert shown
        for name in shown:
            module = importlib.import_module(name)
            assert module.__doc__, name
            members = re.search(rf"^::: {re.escape(name)}\n((?: .*\n)*)", page.read_text(), re.M)
            for member in re.findall(r"^ +- (\w+)$", members[1] if members else "", re.M):
                assert getattr(module, member).__doc__, f"{name}.{member}"


def test_schemas_shown_are_those_that_files_are_checked_with():
    """The page on files names the published schemas."""
    text = (DOCS / "reference" / "files.md").read_text()
    for path in re.findall(r"`(satedge/problem/\w+\.schema\.json)`", text):
        assert json.loads((ROOT / path).read_text())["title"].startswith("A satedge")

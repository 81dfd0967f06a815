"""What the tutorial prints is what happens: its blocks are run, one after the other."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
SATEDGE = Path(sys.executable).with_name("satedge")
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.M | re.S)


def run_console(block, folder):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    for line in block.splitlines():
        if not line.startswith("$ satedge "):
            continue
        words = shlex.split(line.removeprefix("$ satedge "))
        done = subprocess.run(
            [SATEDGE, *words], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_tutorial_runs(tmp_path, monkeypatch):
    """Python blocks share their names, commands run in the same empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = BLOCK.findall((DOCS / "tutorial.md").read_text())
    assert len(blocks) > 10
    for kind, text in blocks:
        if kind == "python":
            exec(compile(text, "tutorial.md", "exec"), names)
        else:
            run_console(text, tmp_path)
    assert (tmp_path / "run" / "report.html").exists()


def test_links_between_pages_lead_somewhere():
    """Relative links of README, CONTRIBUTING and the docs point at files that are there."""
    root = DOCS.parent
    for page in [root / "README.md", root / "CONTRIBUTING.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

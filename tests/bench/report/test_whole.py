"""What all studies say together, where there is little of them."""

import numpy as np
import pandas as pd
import pytest

from satedge import cli
from satedge.bench.report import whole
from satedge.bench.run.rows import NAMES, from_records, write_parquet

README = """# Title
<!-- headline: written by satedge headline -->
old
<!-- end -->
between
<!-- claims: written by satedge headline -->
<!-- end -->
after
"""
RULES = """[[part]]
name = "paper"
suites = ["held-out-paper"]
methods = ["greedy", "nearest", "inversion"]
[final]
reference = { paper = "greedy" }
rule = { paper = "inversion" }
contrasts = [["paper", "greedy", "nearest"]]
"""


@pytest.fixture(autouse=True)
def _read_anew():
    whole.forget()
    yield
    whole.forget()


def rows(group, costs):
    """Rows of methods with a cost on each of three episodes."""
    told = [
        {"key": f"{m}{e}", "group": group, "method": m, "entry": m, "family": "heuristic",
         "instance": f"e{e}", "instance_sha256": f"sha{e}", "status": "done", "cost": c + 0.1 * e,
         "admissible": True, "seed": 0.0, "budget_s": 1.0, "n_slots": 10.0, "wall_s": 0.1,
         "requests": 50.0, "deadline_misses": 5.0, "refused": 0.0, "settings": "{}",
         "commit": "c", "n_devices": 10.0, "floor": 0.5}
        for m, c in costs.items()
        for e in range(3)
    ]  # fmt: skip
    return from_records(told)


def test_without_studies_readme_says_so(tmp_path):
    """Nothing is made up; statements are not examined; what is between the marks goes."""
    text = whole.filled(README, tmp_path)
    assert "No committed study has it yet." in text
    assert "old" not in text
    assert "\nbetween\n" in text
    assert text.endswith("after\n")
    assert "Reproduced" not in text
    assert whole.filled(text, tmp_path) == text


def test_held_out_suites_come_first(tmp_path):
    """Once they are played the headline is theirs, with the rules' reference and rule."""
    costs = {"greedy": 1.0, "nearest": 1.5, "inversion": 2.0}
    development = tmp_path / "paper" / "worlds"
    held_out = tmp_path / "held-out"
    for folder in (development, held_out):
        folder.mkdir(parents=True)
    tables = {
        development: rows("contended", {"myopic-exact": 1.0, "spread": 3.0, "greedy": 2.0}),
        held_out: rows("paper", costs),
    }
    (development / "rows.parquet").write_bytes(write_parquet(tables[development]))
    text = whole.filled(README, tmp_path)
    assert "On development episodes (contended 3)" in text
    assert "nothing here is said of unseen episodes" in text
    assert "| contended | greedy | 50.0 |" in text
    drawn = {p.name for p in whole.write(tmp_path) if p.exists()}
    assert {"claims.md", "headline.csv", "headline-excess.svg", "headline-time.pdf"} <= drawn
    whole.forget()
    (held_out / "rules.toml").write_text(RULES)
    (held_out / "rows.parquet").write_bytes(write_parquet(tables[held_out]))
    text = whole.filled(README, tmp_path)
    assert "On held-out episodes (paper 3)" in text
    assert "| paper | inversion | 100.0 |" in text
    assert "| paper | nearest |" not in text, "a fixed rule that is not the rule"
    assert "- paper: greedy beats nearest (greedy over nearest: -31.25 % [" in text
    assert "unseen episodes" not in text


def test_a_published_folder_is_drawn_anew(tmp_path, capsys, monkeypatch):
    """From its rows alone: tables and figures; the page, which needs plans, stays as it is."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "report.html").write_text("as it was")
    table = rows("part", {"greedy": 1.0, "nearest": 1.5, "inversion": 2.0})
    (folder / "rows.parquet").write_bytes(write_parquet(table))
    monkeypatch.setattr("sys.argv", ["satedge", "report", str(folder)])
    assert cli.main() == 0
    assert "rows alone" in capsys.readouterr().out
    assert (folder / "report.html").read_text() == "as it was"
    found = pd.read_csv(folder / "tables" / "comparison.csv").set_index("method")["cost"]
    assert found.to_dict() == pytest.approx({"greedy": 1.1, "nearest": 1.6, "inversion": 2.1})
    assert (folder / "tables" / "pairs-part.csv").exists()
    assert sorted(p.suffix for p in (folder / "figures").glob("part-excess.*")) == [".pdf", ".svg"]


def test_reproduce_runs_a_study_and_resumes(tmp_path, capsys, monkeypatch):
    """Estimate, runs, tables; the second call finds all runs finished; other code is refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(
        "[[part]]\nsuites = ['tiny']\ntake = 2\nmethods = ['greedy', 'nearest']\n"
    )
    words = ["satedge", "reproduce", "--only", "small.toml", "--out", "here", "--changed"]
    monkeypatch.setattr("sys.argv", words)
    assert cli.main() == 0
    assert "in all" in capsys.readouterr().out
    table = pd.read_parquet("here/small/rows.parquet")
    assert len(table) == 4
    assert set(NAMES) <= set(table)
    assert np.isfinite(table["cost"]).all()
    assert (tmp_path / "here" / "small" / "report.html").is_file()
    monkeypatch.setattr("satedge.bench.study.provenance.commit", lambda: "other+")
    assert cli.main() == 2
    assert "4 runs of commit" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", [*words, "--dry-run"])
    assert cli.main() == 0

"""What is committed under results/ is of one state of the code, and README says what it says."""

import json
from pathlib import Path

import pytest

from satedge.bench.report import whole
from satedge.bench.run.rows import from_records, read_parquet
from satedge.bench.score.verify import mixture

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"

#: Results that are of several commits, or of none: this list only shrinks.
MIXED = {
    "foresight/development.jsonl": "of a calibration script, which writes no commit",
    "foresight/sweep.jsonl": "of a calibration script, which writes no commit",
}


def published():
    """Name and rows of everything that is committed."""
    for path in sorted(RESULTS.glob("**/rows.parquet")):
        if "runs" not in path.relative_to(RESULTS).parts:
            yield str(path.parent.relative_to(RESULTS)), path
    for path in sorted(RESULTS.glob("*/*.jsonl")):
        if "runs" not in path.relative_to(RESULTS).parts:
            yield str(path.relative_to(RESULTS)), path


def wrong_with(path):
    """Why the rows of a file are not of one clean commit; "" where they are."""
    if path.suffix == ".parquet":
        return mixture(read_parquet(path))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return mixture(from_records([{"status": "done", "commit": r.get("commit")} for r in rows]))


@pytest.mark.parametrize(
    ("name", "path"), list(published()), ids=lambda v: v if type(v) is str else ""
)
def test_rows_are_of_one_clean_commit(name, path):
    """Those that are not are listed, and those that are listed are not."""
    assert bool(wrong_with(path)) == (name in MIXED), wrong_with(path)


def test_the_list_names_what_there_is():
    """What is gone, or was made anew, is struck off."""
    assert set(MIXED) <= {name for name, _ in published()}


def test_a_mixture_is_told():
    """Two commits, a changed file, none at all; runs that were skipped have none."""

    def told(*commits):
        return mixture(from_records([{"status": "done", "commit": c} for c in commits]))

    assert told("a", "a") == ""
    assert told("a", "b") == "rows of 2 commits (a, b): allowed is one"
    assert told("a+", "a+") == "rows of commit 'a+': allowed is one without changed files"
    assert told(None) == "rows of commit '': allowed is one without changed files"
    assert mixture(from_records([{"status": "skipped", "commit": None}])) == ""


def test_readme_says_what_the_tables_say():
    """Its headline and verdicts are written by `satedge headline`; none is typed."""
    assert whole.is_filled(ROOT / "README.md", RESULTS)


def test_tables_beside_the_results_are_those_of_the_rows():
    """claims and headline of results/paper are what would be written now."""
    for path, text in whole.texts(RESULTS).items():
        assert path.read_text("utf-8") == text, path.name

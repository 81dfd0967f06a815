"""Rows of learners are those of the policies that they name, in the tree or made again."""

import shutil

import pytest
from typer.testing import CliRunner

from satedge import paths
from satedge.bench.methods import policies
from satedge.bench.methods.table import load, policy_files
from satedge.bench.run.rows import read_parquet
from satedge.bench.study.study import filled, instances
from satedge.bench.study.study_file import load_study
from satedge.cli import app
from satedge.problem.referee import judge

STUDY = load_study("worlds")
ROWS = paths.PUBLISHED / STUDY.name / "rows.parquet"

pytestmark = pytest.mark.skipif(not ROWS.is_file(), reason="rows are in the repository alone")


def replayed(part, entry, row):
    """Cost of the row's instance, decided once more by the policy that is there now."""
    instance = next(i for i in instances(part) if i.name == row.instance)
    method = filled(entry, int(row.seed), instance.scenario.n_devices)
    (told,) = [p for p in policy_files(method) if p.suffix == ".json"]
    assert policies.hash_of(told) == row.policy
    decide, limits = load(method), {"budget_s": row.budget_s, "seed": int(row.seed)}
    plan = decide(instance, **limits, **method.settings).plan
    return float(judge(instance, plan).cost)


def rows_of(part, entry):
    """Rows of one method, in an order that tells nothing: that of their hashes."""
    rows = read_parquet(ROWS)
    mine = rows[(rows["group"] == part.name) & (rows["method"] == entry.label)]
    return list(mine.sort_values("key").itertuples())


LEARNED = [(p, e) for p in STUDY.parts for e in p.entries if e.method.family == "learned"]


@pytest.mark.parametrize(
    ("part", "entry"), LEARNED, ids=[f"{p.name}, {e.label}" for p, e in LEARNED]
)
def test_a_policy_of_the_tree_costs_what_its_row_says(part, entry):
    """One episode of every learner in every world."""
    there = policies.files(str(entry.method.settings.get("preset", "paper")))
    folder = str(entry.method.settings["policy"]).partition("/")[0]
    row = next(r for r in rows_of(part, entry) if f"{folder}/seed-{int(r.seed)}" in there)
    assert replayed(part, entry, row) == pytest.approx(row.cost, rel=1e-6)


@pytest.mark.slow
def test_policies_that_are_made_again_are_those_of_their_rows(tmp_path, monkeypatch):
    """Three seeds that the tree lacks, trained by the manifest's command as `train --study` does:
    their weights are to the byte those that the rows name, and cost what these say."""
    library = tmp_path / "policies"
    for world in policies.worlds():
        shutil.copytree(paths.POLICIES / world, library / world)
    monkeypatch.setattr(paths, "POLICIES", library)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "again.toml").write_text(
        '[[part]]\nname = "paper"\nsuites = ["paper"]\nmethods = [{ name = "d3qn", '
        'seeds = [0, 1, 2, 3, 4], settings = { policy = "d3qn/seed-{seed}" } }]\n'
    )
    done = CliRunner().invoke(app, ["train", "--study", "again.toml"])
    assert done.exit_code == 0, done.output
    assert "not to the byte" not in done.output
    part, entry = next(x for x in LEARNED if x[1].label == "d3qn")
    for seed in (2, 3, 4):
        row = next(r for r in rows_of(part, entry) if r.seed == seed)
        assert replayed(part, entry, row) == pytest.approx(row.cost, rel=1e-6)

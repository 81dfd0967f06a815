"""The rules of a final analysis: read, frozen, and played once."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from satedge import cli
from satedge.bench.run.rows import read_parquet
from satedge.bench.study import final as final_module
from satedge.bench.study import held_out, suites
from satedge.bench.study.final import check_policies, frozen, present, read_final
from satedge.bench.study.study import StudyError
from satedge.bench.study.suite_data import SUITES, Suite

ROOT = Path(__file__).parents[3]

RULES = """title = "A rehearsal"
[defaults]
budgets_s = [5.0]
[[part]]
name = "tiny"
suites = ["tiny"]
take = 4
methods = ["nearest", "greedy", "inversion"]
[final]
reference = { tiny = "greedy" }
rule = { tiny = "inversion" }
contrasts = [["tiny", "greedy", "nearest"], ["tiny", "greedy", "inversion"]]
"""
LEARNED = RULES.replace(
    '"nearest", ', '"nearest", { name = "adsac", settings = { policy = "x/seed-{seed}" } }, '
)


@pytest.fixture
def rules(tmp_path):
    file = tmp_path / "final" / "rules.toml"
    file.parent.mkdir()
    file.write_text(RULES)
    return file


def said(capsys, *words):
    """Exit code, standard output and standard error of a command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["satedge", *map(str, words)])
        code = cli.main()
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["tiny", "greedy", "nearest"]', '["tiny", "greedy", "ppo"]', "method 'ppo' of part tiny"),
        ('rule = { tiny = "inversion" }', "", "allowed is a reference and a rule, or neither"),
        ('{ tiny = "greedy" }', '{ big = "greedy" }', "part 'big': allowed is one of tiny"),
        ("contrasts", "contrast", "contrast"),
        ("[final]", "[policies]", "final is missing"),
    ],
)
def test_rules_name_what_there_is(rules, old, new, words):
    """One line with what is allowed."""
    rules.write_text(RULES.replace(old, new))
    with pytest.raises(StudyError) as error:
        read_final(rules)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_hashes_of_policies_are_written_once():
    """At the end, in the place of those of before; the rest stays as it is."""
    first = frozen(RULES, {"paper/a/seed-0": "1"})
    assert first == RULES + '\n[policies]\n"paper/a/seed-0" = "1"\n'
    assert (
        frozen(first, {"paper/b/seed-0": "2"}) == RULES + '\n[policies]\n"paper/b/seed-0" = "2"\n'
    )


def test_policies_must_be_those_of_the_rules(rules, tmp_path, monkeypatch):
    """Missing ones, retrained ones and ones that the rules do not name are refused."""
    rules.write_text(LEARNED)
    with pytest.raises(StudyError, match="policy 'paper/x/seed-0': allowed is one that is there"):
        present(read_final(rules).study)
    weights = tmp_path / "seed-0.safetensors"
    weights.write_bytes(b"one")
    monkeypatch.setattr(final_module, "policy_files", lambda method: [weights])
    rules.write_text(frozen(LEARNED, present(read_final(rules).study)))
    check_policies(read_final(rules))
    weights.write_bytes(b"two")
    with pytest.raises(StudyError, match="policy 'paper/x/seed-0': hash = "):
        check_policies(read_final(rules))


def test_a_rehearsal_is_played_once(rules, capsys):
    """Tables say what beats what; called again it plays nothing and says the same."""
    code, out, _ = said(capsys, "final", rules, "--json")
    assert code == 0
    found = json.loads(out)
    assert [c["method"] for c in found["contrasts"]] == ["greedy", "greedy"]
    controllable = {s["method"]: s["controllable"]["value"] for s in found["standings"]}
    assert (controllable["greedy"], controllable["inversion"]) == pytest.approx((0.0, 1.0))
    cells = sorted((rules.parent / "cells").rglob("*.gz"))
    assert len(cells) == 12
    assert "verdict" in (rules.parent / "tables" / "contrasts.md").read_text()
    before = [path.stat().st_mtime_ns for path in cells]
    assert json.loads(said(capsys, "final", rules, "--json")[1]) == found
    assert [path.stat().st_mtime_ns for path in cells] == before


def test_held_out_suites_want_committed_rules(rules, capsys):
    """Neither without a hash nor with that of a file that is not committed."""
    rules.write_text(RULES.replace('suites = ["tiny"]', 'suites = ["held-out-paper"]'))
    digest = hashlib.sha256(rules.read_bytes()).hexdigest()
    for words in ((), ("--sha256", digest)):
        code, out, err = said(capsys, "final", rules, *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
    assert "committed as it stands" in err
    assert not (rules.parent / "cells").exists()


def git(folder, *words):
    names = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", str(folder), *names, *words], check=True, capture_output=True)


def test_a_held_out_suite_is_played_once_by_one_state_of_the_code(rules, capsys, monkeypatch):
    """Rules committed and named, code without changes: every row has the hash of the rules.

    The suite is a small one put in the place of those that are held out.
    """
    small = {"held-out-paper": Suite("Two slots", SUITES["tiny"].recipes[:2])}
    for module in (suites, final_module, held_out):
        monkeypatch.setattr(module, "HELD_OUT", small)
    digest = held_out.digest(suites.build(small["held-out-paper"].recipes))
    monkeypatch.setattr(held_out, "entries", lambda: {"held-out-paper": {"sha256": digest}})
    monkeypatch.setattr(held_out, "_opened", [])
    rules.write_text(RULES.replace('suites = ["tiny"]', 'suites = ["held-out-paper"]'))
    git(rules.parent, "init", "-q")
    git(rules.parent, "add", "rules.toml")
    git(rules.parent, "commit", "-qm", "Rules")
    named = ("final", rules, "--sha256", hashlib.sha256(rules.read_bytes()).hexdigest())

    monkeypatch.setattr("satedge.bench.study.provenance.commit", lambda: "abc+")
    assert "allowed is a commit without changed files" in said(capsys, *named)[2]
    monkeypatch.setattr("satedge.bench.study.provenance.commit", lambda: "abc")
    assert said(capsys, *named, "--dry-run")[0] == 0
    assert not (rules.parent / "cells").exists()
    code, out, _ = said(capsys, *named)
    assert code == 0
    assert "rehearsal" not in out
    rows = read_parquet(rules.parent / "rows.parquet")
    assert len(rows) == 6
    assert set(rows["rules"]) == {named[-1]}
    assert set(rows["commit"]) == {"abc"}

    monkeypatch.setattr("satedge.bench.study.provenance.commit", lambda: "def")
    shutil.rmtree(rules.parent / "cells")
    assert said(capsys, *named)[0] == 0, "tables are written anew"
    assert not (rules.parent / "cells").exists(), "nothing is played again"
    (rules.parent / "final.json").unlink()
    assert "allowed is abc, by which it was begun" in said(capsys, *named)[2]


def test_the_rules_of_the_final_analysis_can_be_read():
    """They name three held-out worlds, and methods that play there."""
    found = read_final(ROOT / "results" / "held-out" / "rules.toml")
    assert found.held_out
    assert [p.name for p in found.study.parts] == ["paper", "contended", "foresight"]
    assert set(found.table.reference) == {"paper", "contended", "foresight"}


def test_a_folder_is_played_under_one_set_of_rules(rules, capsys):
    """What was played under other rules stays as it is."""
    (rules.parent / "rules.json").write_text('{"sha256": "0", "code": "1"}')
    code, _, err = said(capsys, "final", rules)
    assert code == 2
    assert "this folder has one under other rules" in err

"""Held-out suites: closed to everybody until committed rules are named."""

import hashlib
import subprocess

import pytest

from satedge import cli
from satedge.bench.study import held_out
from satedge.bench.study.held_out import HeldOutError, open_with
from satedge.bench.study.suite_data import HELD_OUT
from satedge.bench.study.suites import load_suite
from satedge.problem.generation.generate import HELD_OUT_SEEDS, generate
from satedge.problem.scenario import ScenarioError, preset


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    """Nothing that a test opens stays open."""
    monkeypatch.setattr(held_out, "_opened", [])


def git(folder, *words):
    names = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", str(folder), *names, *words], check=True, capture_output=True)


@pytest.fixture
def rules(tmp_path):
    """A committed file of rules."""
    git(tmp_path, "init", "-q")
    file = tmp_path / "rules.md"
    file.write_text("One seed each, no reruns.\n")
    git(tmp_path, "add", "rules.md")
    git(tmp_path, "commit", "-qm", "Rules")
    return file


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def said(capsys, *words):
    """Exit code and what a command says on standard error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["satedge", *words])
        code = cli.main()
    return code, capsys.readouterr().err


def test_every_world_has_three_hundred_episodes_of_its_own():
    """Different seeds in every world, all held out, as the file says."""
    seeds = [recipe.seed for suite in HELD_OUT.values() for recipe in suite.recipes]
    assert list(HELD_OUT) == ["held-out-paper", "held-out-contended", "held-out-foresight"]
    assert len(seeds) == len(set(seeds)) == 900
    assert set(seeds) <= set(HELD_OUT_SEEDS)
    assert held_out.check() == []


def test_nobody_generates_a_held_out_episode(capsys, tmp_path):
    """Neither in Python nor by a command nor in a study: one line with what is allowed."""
    with pytest.raises(ScenarioError, match="seed = 900000: allowed is one outside 900000-999999"):
        generate(preset("tiny"), 900_000)
    code, line = said(capsys, "generate", "--preset", "tiny", "--seed", "900123", "--out", "x")
    assert (code, line.count("\n")) == (2, 1)
    study = tmp_path / "s.toml"
    study.write_text("[[part]]\nmethods = ['greedy']\ngenerate = [{ seeds = [950000] }]\n")
    assert said(capsys, "benchmark", str(study), "--dry-run")[0] == 2


@pytest.mark.parametrize("command", [("benchmark", "s.toml"), ("describe", "held-out-paper")])
def test_nobody_plays_a_held_out_suite_without_rules(command, capsys, tmp_path, monkeypatch):
    """One line that says what is missing, exit code 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(
        "[[part]]\nmethods = ['greedy']\nsuites = ['held-out-paper']\n"
    )
    code, line = said(capsys, *command)
    assert (code, line.count("\n")) == (2, 1)
    assert "'held-out-paper' is held out: allowed is `satedge benchmark` with --rules FILE" in line


def test_rules_must_be_committed_as_they_stand(rules):
    """Another hash, a change, a file that is not tracked, or none: refused."""
    known = sha256(rules)
    with pytest.raises(HeldOutError, match="the hash that is named"):
        open_with(rules, "0" * 64)
    loose = rules.with_name("loose.md")
    loose.write_text("anything\n")
    with pytest.raises(HeldOutError, match="committed as it stands"):
        open_with(loose, sha256(loose))
    with pytest.raises(HeldOutError, match="nowhere"):
        open_with(rules.with_name("nowhere.md"), known)
    rules.write_text("Two seeds.\n")
    with pytest.raises(HeldOutError, match="committed as it stands"):
        open_with(rules, sha256(rules))
    assert held_out.opened() is None


def test_committed_rules_open_the_suites(rules):
    """The file, its hash and its commit are kept."""
    found = open_with(rules, sha256(rules).upper())
    assert held_out.opened() == found
    assert (found.sha256, len(found.commit)) == (sha256(rules), 40)
    held_out.require_open("held-out-paper")


def test_a_study_opens_them_by_naming_the_rules(rules, capsys, tmp_path):
    """The command that was refused lists its runs once file and hash are named."""
    study = tmp_path / "final.toml"
    study.write_text("[[part]]\nmethods = ['greedy']\nsuites = ['held-out-foresight']\n")
    named = ("--rules", str(rules), "--rules-sha256")
    assert said(capsys, "benchmark", str(study), "--dry-run", *named, "0" * 64)[0] == 2
    assert said(capsys, "benchmark", str(study), "--dry-run", *named, sha256(rules)) == (0, "")


def test_other_episodes_than_those_held_out_are_refused(rules, monkeypatch):
    """What is generated must be what was fixed; here it is cut short."""
    open_with(rules, sha256(rules))
    short = HELD_OUT["held-out-foresight"]
    monkeypatch.setitem(HELD_OUT, "held-out-foresight", type(short)("", short.recipes[:2]))
    with pytest.raises(HeldOutError, match="'held-out-foresight': sha256"):
        load_suite("held-out-foresight")


@pytest.mark.slow
def test_what_is_generated_is_what_was_held_out(rules):
    """All nine hundred episodes have the hash of the file."""
    open_with(rules, sha256(rules))
    assert all(len(load_suite(name)) == 300 for name in HELD_OUT)

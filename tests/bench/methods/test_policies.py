"""Policies of the tree and their manifests: nothing is there that is not told, and the rest can be
made again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drl.training.collect import collect_one
from satedge import paths
from satedge.bench.methods import policies, table
from satedge.cli import app

TRAINING = (
    "train adsac+ --preset tiny --set n_slots=3 --seed 4 --runs 2 --epochs 4 --updates 2 "
    "--setting hidden=[8,8] --setting batch=8"
)


def run(line: str) -> str:
    done = CliRunner().invoke(app, shlex.split(line))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library with two policies of one training, from the current folder."""
    monkeypatch.setattr(paths, "POLICIES", tmp_path / "results" / "policies")
    monkeypatch.chdir(tmp_path)
    run(f"{TRAINING} --out first")
    collect_one(tmp_path / "first", paths.POLICIES / "tiny" / "mine")
    return paths.POLICIES / "tiny"


def drop(library: Path, name: str) -> None:
    for ending in (".json", ".safetensors"):
        (library / name).with_suffix(ending).unlink()


def test_a_dropped_policy_is_made_again_to_the_byte(library: Path) -> None:
    """By the manifest's command alone, which trains all seeds that were trained with it."""
    run("policies --write")
    before = policies.entries("tiny")["mine/seed-5"]
    assert before["committed"] is True
    drop(library, "mine/seed-5")
    run("policies --write")
    entry = policies.entries("tiny")["mine/seed-5"]
    assert entry == before | {"committed": False}
    run(entry["command"].removeprefix("satedge "))
    collect_one(Path("results/runs/train/tiny/mine-from-4"), library / "mine")
    run("policies --write")
    assert policies.entries("tiny")["mine/seed-5"] == before


def test_a_policy_without_a_command_gets_that_of_its_log(library: Path) -> None:
    """Files of before commands were kept; those that say none of today's episodes get none."""
    told = {}
    for seed in (4, 5):
        path = library / "mine" / f"seed-{seed}.json"
        told[seed] = json.loads(path.read_text())
        text = {k: v for k, v in told[seed].items() if k != "command"}
        if seed == 5:
            text["train_seeds"] = [1_000_000, 1_000_256]
        path.write_text(json.dumps(text))
    run("policies --write")
    found = policies.entries("tiny")
    assert found["mine/seed-4"]["command"].startswith(told[4]["command"] + " --out ")
    assert found["mine/seed-5"]["command"] == ""


def test_what_is_wrong_is_told(library: Path) -> None:
    """A policy that the manifest lacks, one that it has otherwise, one that is gone."""
    (first,) = policies.problems("tiny")[:1]
    assert first.endswith("allowed is a policy of MANIFEST.json: satedge policies --write")
    run("policies --write")
    assert policies.problems("tiny") == []
    weights = library / "mine" / "seed-4.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    drop(library, "mine/seed-5")
    altered, gone = policies.problems("tiny")
    assert "seed-4.safetensors: sha256 = " in altered
    assert "seed-5: not there" in gone
    done = CliRunner().invoke(app, ["policies", "--check"])
    assert done.exit_code == 1
    assert altered in done.output.replace("\n", "")
    (library / "MANIFEST.json").write_text("[]")
    with pytest.raises(policies.ManifestError, match=r"MANIFEST.json: damaged"):
        policies.entries("tiny")


def test_a_missing_policy_is_told_with_its_command(library: Path) -> None:
    """In one line, by whoever wants to play it."""
    run("policies --write")
    drop(library, "mine/seed-5")
    method = table.find("adsac+").with_settings(policy="mine/seed-5", preset="tiny")
    reason = table.missing(method)
    assert reason.startswith("no trained policy 'mine/seed-5'")
    assert f"(made again by: satedge {TRAINING.partition(' --setting')[0]}" in reason
    assert table.missing(method.with_settings(policy="mine/seed-4")) == ""


def test_the_listing_has_every_seed(library: Path) -> None:
    """Folders on the terminal, policies as JSON."""
    run("policies --write")
    drop(library, "mine/seed-5")
    run("policies --write")
    row = next(line.split() for line in run("policies").splitlines() if "tiny/mine" in line)
    assert row[:4] == ["tiny/mine", "adsac+", "2", "1"]
    told = json.loads(run("policies --json"))
    assert [(p["policy"], p["committed"]) for p in told] == [
        ("mine/seed-4", True),
        ("mine/seed-5", False),
    ]


@pytest.mark.skipif(not paths.POLICIES.is_dir(), reason="policies are in the repository alone")
def test_policies_of_the_tree_are_those_of_their_manifests() -> None:
    """Every one, by the hash of its weights."""
    assert policies.worlds()
    assert [line for world in policies.worlds() for line in policies.problems(world)] == []

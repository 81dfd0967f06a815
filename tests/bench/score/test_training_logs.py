"""Training curves and times from the files beside policies."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from satedge import paths
from satedge.bench.report.figures.learning import learning_chart
from satedge.bench.run.rows import from_records
from satedge.bench.score.training_logs import training_times, trainings
from satedge.drawing import style


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Two seeds of one learner, logged together, and one of another without a log."""
    monkeypatch.setattr(paths, "POLICIES", tmp_path)
    for method, seeds in (("adsac", (0, 1)), ("ppo", (0,))):
        folder = tmp_path / "paper" / method
        folder.mkdir(parents=True)
        for seed in seeds:
            told = {"seed": seed, "validation_curve": [[25, 9.0], [50, 4.0 + seed]]}
            (folder / f"seed-{seed}.json").write_text(json.dumps(told))
            (folder / f"seed-{seed}.safetensors").write_bytes(b"weights")
    lines = ["epoch,seed,figure,value"]
    for seed in (0, 1):
        lines += [f"{e},{seed},seconds,10" for e in (1, 2, 3)]
        lines += [f"{e},{seed},validation_energy_J,{e + seed}" for e in (25, 50)]
    (tmp_path / "paper" / "adsac" / "curve.csv").write_text("\n".join(lines) + "\n")
    return from_records(
        [
            {
                "key": f"{method}{seed}", "method": method, "family": "learned", "status": "done",
                "entry": "drl.training.policy:solve",
                "settings": json.dumps({"policy": f"{method}/seed-{seed}"}),
            }
            for method, seed in (("adsac", 0), ("adsac", 1), ("ppo", 0), ("adsac", 0))
        ]
    )  # fmt: skip


def test_runs_trained_together_share_the_time(rows: pd.DataFrame) -> None:
    """Three epochs of 10 s for two runs together are 15 s a policy; without a log, unknown."""
    found = trainings(rows)
    assert sorted((t.method, t.seed) for t in found) == [("adsac", 0), ("adsac", 1), ("ppo", 0)]
    assert training_times(found) == {"adsac": 15.0}


def test_runs_trained_apart_share_no_time(rows: pd.DataFrame, tmp_path: Path) -> None:
    """A log of two trainings, told apart by their seconds: 30 s of one run, 60 s of another."""
    log = tmp_path / "paper" / "adsac" / "curve.csv"
    log.write_text(log.read_text().replace("1,seconds,10", "1,seconds,20"))
    assert training_times(trainings(rows)) == {"adsac": 45.0}


def test_curves_come_from_the_log_or_the_provenance(rows: pd.DataFrame) -> None:
    """The log has every figure; the provenance at least the cost."""
    found = {(t.method, t.seed): t for t in trainings(rows)}
    assert found["adsac", 1].curves == {"validation_energy_J": {25.0: 26.0, 50.0: 51.0}}
    assert found["ppo", 0].curves == {"validation_cost": {25.0: 9.0, 50.0: 4.0}}


def test_of_weights_that_left_the_tree_manifest_and_log_tell_as_much(
    rows: pd.DataFrame, tmp_path: Path
) -> None:
    """The same training, but for the name of its learner, which only the manifest has here."""
    before = {(t.method, t.seed): t for t in trainings(rows)}["adsac", 1]
    entry = {"seed": 1, "method": "adsac", "settings": {"gamma": 0}, "sha256": "0" * 64}
    manifest = {"policies": {"adsac/seed-1": entry | {"command": "satedge train adsac"}}}
    (tmp_path / "paper" / "MANIFEST.json").write_text(json.dumps(manifest))
    for ending in ("json", "safetensors"):
        (tmp_path / "paper" / "adsac" / f"seed-1.{ending}").unlink()
    found = {(t.method, t.seed): t for t in trainings(rows)}
    assert len(found) == 3
    assert found["adsac", 1] == replace(before, learner="adsac", settings={"gamma": 0})


def test_learning_chart_has_a_panel_per_figure(rows: pd.DataFrame) -> None:
    """Panels only where there is a curve, a line per method with its number of seeds."""
    with style.house():
        figure = learning_chart(trainings(rows))
    assert figure is not None
    labels = [line.get_label() for ax in figure.axes for line in ax.lines]
    assert labels == ["ppo (1 seed)", "adsac (2 seeds)"]
    assert learning_chart([]) is None

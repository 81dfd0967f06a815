"""Trainings that a study needs: what is missing, nothing twice, kept where policies are found."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drl.training.collect import collect_one
from satedge import paths
from satedge.bench import training_jobs as module
from satedge.bench.methods import policies
from satedge.bench.study.study import Study, TrainingPlan
from satedge.bench.study.study_file import StudyError, load_study, parse_study
from satedge.cli import app

#: The library of the repository.
COMMITTED = paths.POLICIES

TEXT = """
[training]
epochs = 40
together = 2
[[part]]
generate = [
  { preset = "tiny", seeds = [1], set = { n_slots = 1 } },
  { preset = "tiny", seeds = [1], set = { n_slots = 1, n_devices = 2, deadline_min_s = 2.5 } },
]
methods = [
  "greedy",
  { name = "ppo", seeds = [0, 1, 3], settings = { policy = "ppo/seed-{seed}", preset = "tiny/K{n_devices}" } },
  { name = "adsac", label = "slow", settings = { policy = "slow/seed-{seed}", preset = "tiny" }, train = { updates = 2, settings = { critic_rate = 0.0001 } } },
]
"""  # noqa: E501


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty library of policies, and a folder of its own for runs."""
    monkeypatch.setattr(paths, "POLICIES", tmp_path / "policies")
    monkeypatch.setattr(policies, "RUNS", tmp_path / "train")
    return tmp_path / "policies"


def study() -> Study:
    return parse_study(TEXT, "s")


def keep(library: Path, name: str) -> None:
    path = library / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def test_one_job_for_each_folder_of_policies() -> None:
    """A policy is trained per number of devices, not per deadline; settings come from the study."""
    found = module.training_jobs(study())
    assert [(c.place, c.name, c.seeds) for c in found] == [
        ("tiny/K3", "ppo", (0, 1, 3)),
        ("tiny", "slow", (0,)),
        ("tiny/K2", "ppo", (0, 1, 3)),
    ]
    assert found[1].plan == TrainingPlan(40, 2, 2, settings={"critic_rate": 0.0001})
    assert "--preset tiny --set n_devices=2 --seed 0" in found[2].trainings()[0].command


def test_what_is_there_is_not_trained_again(library: Path) -> None:
    """Seeds with a policy are left alone; new ones train apart from the old checkpoint."""
    keep(library, "tiny/K3/ppo/seed-0")
    job = module.training_jobs(study())[0]
    assert job.missing == (1, 3)
    assert [(t.folder.name, t.wanted) for t in job.trainings()] == [
        ("ppo-from-1", (1,)),
        ("ppo-from-3", (3,)),
    ]


def test_commands_say_what_the_study_says() -> None:
    """What --dry-run prints can be pasted; defaults go without saying."""
    job = module.training_jobs(study())[1]
    (training,) = job.trainings()
    assert training.command == (
        "satedge train adsac --preset tiny --seed 0 --runs 1 --epochs 40 --updates 2 --together 2 "
        f"--setting critic_rate=0.0001 --out {training.folder}"
    )
    labelled = replace(job, plan=TrainingPlan(labels=("a", "b"), validate_every=50))
    assert labelled.trainings()[0].command == (
        "satedge train adsac --preset tiny --seed 0 --runs 1 --validate-every 50 "
        f"--labels a --labels b --out {training.folder}"
    )


def test_a_job_trains_and_collects(library: Path) -> None:
    """Every command is run as it stands, and the seeds that are wanted go to the library."""
    ran: list[str] = []
    kept: list[tuple[Path, Path, Sequence[int]]] = []

    def collect(folder: Path, place: Path, seeds: Sequence[int]) -> str:
        kept.append((folder, place, seeds))
        return "done"

    job = module.training_jobs(study())[0]
    assert module.train_missing(job, ran.append, collect) == "done\ndone"
    assert ran == [t.command for t in job.trainings()]
    ours = library / "tiny/K3/ppo"
    folders = [policies.run_folder("tiny/K3", "ppo", first) for first in (0, 3)]
    assert kept == [(folders[0], ours, (0, 1)), (folders[1], ours, (3,))]


@pytest.mark.skipif(not COMMITTED.is_dir(), reason="policies are in the repository alone")
@pytest.mark.parametrize("name", ["worlds", "paper"])
def test_known_policies_are_made_again_by_the_manifests_commands(library: Path, name: str) -> None:
    """Word for word, each command once, for all seeds that lack; others as the study says."""
    told = {}
    for manifest in COMMITTED.glob("*/MANIFEST.json"):
        (library / manifest.parent.name).mkdir(parents=True)
        shutil.copy(manifest, library / manifest.parent.name)
        told[manifest.parent.name] = policies.entries(manifest.parent.name)
    known = 0
    for job in module.training_jobs(load_study(name)):
        by = {seed: t.command for t in job.trainings() for seed in t.wanted}
        assert list(job.seeds) == sorted(by)
        for seed, command in by.items():
            entry = told[job.place].get(f"{job.name}/seed-{seed}")
            known += bool(entry)
            if entry:
                assert command == entry["command"]
            else:
                assert "--together 10 --validate-every 50" in command
    assert known >= 30


def test_a_policy_is_made_again_to_the_byte(library: Path, tmp_path: Path) -> None:
    """By the study alone: the manifest's command trains both seeds, the one that lacks is kept."""
    command = shlex.split(
        "train adsac+ --preset tiny --set n_slots=3 --seed 4 --runs 2 --epochs 4 --updates 2 "
        f"--setting hidden=[8,8] --setting batch=8 --out {tmp_path / 'first'}"
    )
    assert CliRunner().invoke(app, command).exit_code == 0
    collect_one(tmp_path / "first", library / "tiny" / "mine")
    assert CliRunner().invoke(app, ["policies", "--write"]).exit_code == 0
    before = policies.entries("tiny")["mine/seed-5"]
    other = (library / "tiny/mine/seed-4.json").read_bytes()
    for ending in (".json", ".safetensors"):
        (library / "tiny/mine/seed-5").with_suffix(ending).unlink()
    (tmp_path / "s.toml").write_text(
        '[[part]]\ngenerate = [{ preset = "tiny", seeds = [1] }]\n'
        'methods = [{ name = "adsac+", seeds = [4, 5], settings = '
        '{ policy = "mine/seed-{seed}", preset = "tiny" } }]\n'
    )
    done = CliRunner().invoke(app, ["train", "--study", str(tmp_path / "s.toml")])
    assert done.exit_code == 0, done.output
    assert "not to the byte" not in done.output
    assert policies.hash_of(library / "tiny/mine/seed-5.json") == before["sha256"]
    assert (library / "tiny/mine/seed-4.json").read_bytes() == other


def test_policies_of_the_users_own_are_not_trained() -> None:
    """A path is played as it is."""
    text = TEXT.replace("ppo/seed-{seed}", "/home/me/policy.json")
    assert [c.name for c in module.training_jobs(parse_study(text, "s"))] == ["slow"]


def test_expected_time_comes_from_logs(library: Path) -> None:
    """Two seeds took 3 s an epoch together: one seed takes 1.5 s, forty epochs a minute."""
    keep(library, "paper/adsac/seed-0")
    log = "epoch,seed,figure,value\n" + "".join(f"1,{s},seconds,3.0\n" for s in (0, 1))
    (library / "paper/adsac/curve.csv").write_text(log)
    slow, ppo = module.training_jobs(study())[1], module.training_jobs(study())[0]
    assert module.expected_s(slow) == pytest.approx(60.0)
    assert module.expected_s(ppo) is None


def test_dry_run_trains_nothing(tmp_path: Path) -> None:
    """The command line tells policies, commands and a total."""
    (tmp_path / "s.toml").write_text(TEXT)
    command = [sys.executable, "-m", "satedge", "train", "--study", "s.toml", "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "satedge train ppo --preset tiny --set n_devices=3 --seed 0 --runs 2" in done.stdout
    assert "7 policies to train" in done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs = 40", "epoch = 40", "unknown key 'epoch'; allowed: epochs, updates, together, "),
        ("updates = 2", "updates = 'two'", "updates = 'two': allowed is an integer >= 0"),
        ('"greedy",', '"greedy", "greedy",', "method 'greedy' is named twice"),
    ],
)
def test_mistakes_are_named(old: str, new: str, words: str) -> None:
    """A wrong plan of training is refused with its place."""
    with pytest.raises(StudyError) as told:
        parse_study(TEXT.replace(old, new), "s")
    assert words in str(told.value)

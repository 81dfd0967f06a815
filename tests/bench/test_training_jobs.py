"""Trainings that a study needs: what is missing, nothing twice, kept where policies are found."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from satedge import paths
from satedge.bench import training_jobs as module
from satedge.bench.study.study import Study, TrainingPlan
from satedge.bench.study.study_file import StudyError, parse_study

TEXT = """
[training]
epochs = 40
[[part]]
generate = [
  { preset = "tiny", seeds = [1], set = { n_slots = 1 } },
  { preset = "tiny", seeds = [1], set = { n_slots = 1, n_devices = 2, deadline_min_s = 2.5 } },
]
methods = [
  "greedy",
  { name = "ppo", seeds = [0, 1, 3], settings = { policy = "ppo/seed-{seed}", preset = "tiny/K{n_devices}" } },
  { name = "adsac", label = "slow", settings = { policy = "slow/seed-{seed}", preset = "tiny" }, train = { updates = 2, together = 4, settings = { critic_rate = 0.0001 } } },
]
"""  # noqa: E501


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty library of policies, and a folder of its own for runs."""
    monkeypatch.setattr(paths, "POLICIES", tmp_path / "policies")
    monkeypatch.setattr(module, "RUNS", tmp_path / "train")
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
    assert found[1].plan == TrainingPlan(40, 2, {"critic_rate": 0.0001}, together=4)
    scenario = found[2].scenario()
    assert (scenario.n_devices, scenario.deadline_min_s) == (2, 2.0)


def test_what_is_there_is_not_trained_again(library: Path) -> None:
    """Seeds with a policy are left alone; new ones train apart from the old checkpoint."""
    keep(library, "tiny/K3/ppo/seed-0")
    job = module.training_jobs(study())[0]
    assert job.missing == (1, 3)
    assert [(f.name, s) for f, s in job.trainings()] == [("ppo-from-1", (1,)), ("ppo-from-3", (3,))]


def test_commands_say_the_same_by_hand() -> None:
    """What --dry-run prints can be pasted."""
    job = module.training_jobs(study())[1]
    ((folder, seeds),) = job.trainings()
    assert job.command(folder, seeds) == (
        "satedge train adsac --preset tiny --seed 0 --runs 1 --epochs 40 --updates 2 "
        f"--together 4 --setting critic_rate=0.0001 --out {folder}"
    )


def test_a_job_trains_and_collects(library: Path) -> None:
    """Every turn is trained with the plan's numbers and its policies go to the library."""
    calls: list[tuple[str, dict[str, Any]]] = []
    kept: list[tuple[Path, Path]] = []

    def train(method: str, **given: Any) -> Path:
        calls.append((method, given))
        return Path(given["out_dir"])

    def collect(folder: Path, place: Path) -> str:
        kept.append((folder, place))
        return "done"

    job = module.training_jobs(study())[0]
    assert module.train_missing(job, train, collect) == "done"
    assert [g["seeds"] for _, g in calls] == [(0, 1), (3,)]
    numbers = ("epochs", "updates_per_epoch", "together")
    assert {(m, *(g[n] for n in numbers)) for m, g in calls} == {("ppo", 40, 5, 1)}
    assert [place for _, place in kept] == [library / "tiny/K3/ppo"] * 2


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
        (
            "epochs = 40",
            "epoch = 40",
            "unknown key 'epoch'; allowed: epochs, updates, settings, together",
        ),
        ("updates = 2", "updates = 'two'", "updates = 'two': allowed is an integer >= 0"),
        ('"greedy",', '"greedy", "greedy",', "method 'greedy' is named twice"),
    ],
)
def test_mistakes_are_named(old: str, new: str, words: str) -> None:
    """A wrong plan of training is refused with its place."""
    with pytest.raises(StudyError) as told:
        parse_study(TEXT.replace(old, new), "s")
    assert words in str(told.value)

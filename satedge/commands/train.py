"""`satedge train`: train a learner, or every policy that a study lacks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from satedge.commands import common, completion

if TYPE_CHECKING:
    from collections.abc import Callable

    from satedge.bench.training_jobs import TrainingJob
    from satedge.problem.scenario import Scenario

#: The learner that is not trained in the environment.
LOOKING_AHEAD = "ahead"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


Method = Annotated[
    str | None,
    typer.Argument(
        help="A learner of `satedge methods`, such as adsac.", autocompletion=completion.learners
    ),
]
OfStudy = Annotated[
    str | None,
    typer.Option(
        "--study",
        help="Train every policy that this study lacks.",
        autocompletion=completion.studies,
    ),
]
Seed = Annotated[int, common.whole("--seed", help="First seed.")]
Runs = Annotated[int, common.whole("--runs", low=1, high=1000, help="Seeds trained together.")]
Epochs = Annotated[
    int | None,
    common.whole("--epochs", low=1, help="Episodes per seed; default 1000."),
]
Updates = Annotated[
    int | None, common.whole("--updates", low=1, help="Gradient updates per epoch.")
]
Together = Annotated[
    int | None,
    common.whole(
        "--together", low=1, high=1000, help="Episodes played at once per seed; default 1."
    ),
]
ValidateEvery = Annotated[
    int | None,
    common.whole("--validate-every", low=1, help="Episodes between looks at policies; default 25."),
]
SettingsPreset = Annotated[
    str, typer.Option("--settings", help="Of the paper: table-2 or section-5.1.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder; results/runs/train/PRESET/METHOD by default."),
]
Device = Annotated[str, typer.Option("--device", help="cpu or cuda.")]
Labels = Annotated[
    list[Path] | None,
    typer.Option("--labels", help="File of `satedge label` to imitate; repeatable."),
]
Tensorboard = Annotated[bool, typer.Option("--tensorboard", help="Log for TensorBoard too.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start from scratch, not from the checkpoint.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="With --study: list what would be trained.")
]


def train(
    method: Method = None,
    study: OfStudy = None,
    preset: common.Preset = "paper",
    changes: common.Changes = None,
    seed: Seed = 0,
    runs: Runs = 1,
    epochs: Epochs = None,
    updates: Updates = None,
    together: Together = None,
    validate_every: ValidateEvery = None,
    settings_preset: SettingsPreset = "table-2",
    setting: common.Settings = None,
    out: Out = None,
    labels: Labels = None,
    device: Device = "cpu",
    tensorboard: Tensorboard = False,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    as_json: common.AsJson = False,
) -> None:
    """Train a learner; a stopped training resumes from its checkpoint.

    The folder gets a log (curve.csv), a checkpoint and policies/METHOD/seed-N,
    the best so far on the validation episodes. With --study, every policy that
    the study lacks is trained and saved under results/policies: by the command
    that the manifest there has of it, else as the study says.

    Try it:      satedge train adsac+ -p tiny --epochs 100 -o here

    Five seeds:  satedge train adsac --runs 5 --setting critic_rate=0.0003

    Play one:    satedge solve FILE -m adsac+ --setting policy=PATH/seed-0
    """
    given = {
        "epochs": epochs,
        "updates": updates,
        "together": together,
        "validate-every": validate_every,
    }
    _check_kind(method, study, given, dry_run)
    if as_json and not dry_run:
        raise typer.BadParameter("it goes with --dry-run", param_hint="--json")
    if study is not None:
        train_study(study, dry_run, as_json)
        return
    out = out or Path("results/runs/train") / preset / str(method)
    scenario, seeds = common.scenario(preset, changes), range(seed, seed + runs)
    if method == LOOKING_AHEAD:
        others = (updates, together, validate_every, setting, labels, tensorboard or None)
        _search_ahead(scenario, seeds, out, epochs, resume=not fresh, others=others)
        return
    changed = {"settings_preset": settings_preset, "settings": common.settings(setting)}
    how = {"resume": not fresh, "tensorboard": tensorboard, "device": device}
    how["labels"] = tuple(map(str, labels or ()))
    names = ("epochs", "updates_per_epoch", "together", "validate_every")
    length = {n: v for n, v in zip(names, given.values(), strict=True) if v is not None}
    learn = _training("train:train")
    print(learn(method, scenario=scenario, seeds=seeds, out_dir=out, **changed, **how, **length))


def _search_ahead(
    scenario: Scenario,
    seeds: range,
    out: Path,
    epochs: int | None,
    *,
    resume: bool,
    others: tuple[Any, ...],
) -> None:
    """The value of places: a search that needs the lone costs of another package."""
    from satedge.bench.methods.composed import LONE_COSTS
    from satedge.bench.methods.table import load_entry

    if any(other is not None for other in others):
        raise typer.BadParameter(
            f"{LOOKING_AHEAD} takes -p, --set, --seed, --runs, --epochs (generations), --out and "
            "--fresh",
            param_hint="METHOD",
        )
    length = {} if epochs is None else {"generations": epochs}
    how = {"tabulate": load_entry(LONE_COSTS), "resume": resume}
    print(_training("ahead:train")(scenario=scenario, seeds=seeds, out_dir=out, **how, **length))


def _training(name: str) -> Callable[..., Any]:
    """A function of `drl.training`, imported where it is needed: it brings torch."""
    from satedge.bench.methods.table import load_entry

    return load_entry(f"drl.training.{name}")


def _check_kind(
    method: str | None, study: str | None, alone: dict[str, int | None], dry_run: bool
) -> None:
    """One learner or one study, and no option that goes with the other alone."""
    if (method is None) == (study is None):
        raise typer.BadParameter("allowed is a METHOD, or --study NAME", param_hint="METHOD")
    for name, value in alone.items():
        if study is not None and value is not None:
            raise typer.BadParameter("it goes with a METHOD", param_hint=f"--{name}")
    if study is None and dry_run:
        raise typer.BadParameter("it goes with --study", param_hint="--dry-run")


def train_study(name: str, dry_run: bool, as_json: bool) -> None:
    """Train the policies a study lacks; one that diverges does not stop the others."""
    from satedge.bench.study.study_file import load_study
    from satedge.bench.training_jobs import train_missing, training_jobs

    found = training_jobs(load_study(name))
    todo = [c for c in found if c.missing]
    if as_json:
        common.print_json([_told(job) for job in found])
        return
    if dry_run or not todo:
        _show(found)
        return
    collect = _training("collect:collect_one")
    failed = False
    for place, job in enumerate(todo):
        print(f"{place + 1} of {len(todo)}: {job.place}/{job.name}", flush=True)
        try:
            print(train_missing(job, _run, collect), flush=True)
        except RuntimeError as error:
            failed = True
            print(f"failed: {error}", flush=True)
        except KeyboardInterrupt:
            print(f"\nstopped; go on with: satedge train --study {name}")
            raise
    if failed:
        raise typer.Exit(1)


def _run(command: str) -> None:
    """`satedge train ...`, in this process."""
    alone = typer.Typer(pretty_exceptions_enable=False)
    register(alone)
    typer.main.get_command(alone).main(shlex.split(command)[2:], standalone_mode=False)


def _told(job: TrainingJob) -> dict[str, Any]:
    from satedge.bench.training_jobs import expected_s

    return {
        "policies": f"{job.place}/{job.name}",
        "learner": job.method,
        "seeds": job.seeds,
        "missing": job.missing,
        "expected_s": expected_s(job) if job.missing else 0.0,
        "commands": [training.command for training in job.trainings()],
    }


def _show(found: list[TrainingJob]) -> None:
    """What `--dry-run` prints: every policy folder, and the commands for those that lack some."""
    from satedge.bench.report.tables import Cell, Column, Table
    from satedge.bench.training_jobs import expected_s

    numbers = (Column(h, form="d") for h in ("seeds", "missing", "about"))
    columns = (Column("policies"), Column("learner"), *numbers)
    rows = []
    total, unknown = 0.0, False
    for job in found:
        seconds = expected_s(job) if job.missing else 0.0
        total, unknown = total + (seconds or 0.0), unknown or seconds is None
        about = "?" if seconds is None else common.duration(seconds)
        place, counts = f"{job.place}/{job.name}", (len(job.seeds), len(job.missing))
        rows.append((place, job.method, *counts, Cell(about if job.missing else "")))
    common.show(Table(columns, rows))
    for job in found:
        for training in job.trainings():
            print(training.command)
    missing = sum(len(c.missing) for c in found)
    print(
        f"{missing} policies to train, about {common.duration(total)} on one core"
        + (", and what is not known" if unknown else "")
        if missing
        else "every policy is there: nothing to train"
    )

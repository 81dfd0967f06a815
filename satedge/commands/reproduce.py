"""`satedge reproduce`: everything under results/paper from the code of one commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from satedge.commands import common, completion

if TYPE_CHECKING:
    from satedge.bench.run.runner import Work
    from satedge.bench.run.store import Store
    from satedge.bench.study.study import Study

#: Studies whose results are committed, in the order in which they are made.
RECORD = (
    "worlds", "paper", "ablation", "rates", "figures", "shift", "slots", "scaling",
    "hard-deadlines", "contended", "foresight",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reproduce)


Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only this study; repeatable.", autocompletion=completion.studies),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder; results/paper by default.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="The estimate alone.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Repeat runs that another commit has done.")]
Changed = Annotated[bool, typer.Option("--changed", help="Allow code with changed files.")]


def reproduce(
    only: Only = None,
    jobs: common.Jobs = 1,
    out: Out = None,
    dry_run: DryRun = False,
    fresh: Fresh = False,
    changed: Changed = False,
) -> None:
    """Train what is missing, run every committed study, write tables, figures and pages.

    It says first how long that takes. Stopped at any moment, the same command
    goes on. In the end every row of a study must carry one clean commit. The
    policies may be older; their own files say of when they are.
    """
    from satedge.bench.run.store import Store
    from satedge.bench.study import provenance
    from satedge.bench.study.study_file import load_study
    from satedge.commands.train import train_study
    from satedge.paths import PUBLISHED

    code = provenance.commit()
    if not changed and not dry_run and (not code or code.endswith("+")):
        raise typer.BadParameter(f"code {code!r}: allowed is a commit without changed files")
    folder = out or PUBLISHED
    names = only or RECORD
    studies = [load_study(name) for name in names]
    stores = [Store(folder / study.name) for study in studies]
    estimate(studies, stores, jobs)
    if dry_run:
        return
    for name, study, store in zip(names, studies, stores, strict=True):
        print(f"\n{study.name}: {study.title}")
        train_study(name, dry_run=False, as_json=False)
        _one(study, store, jobs, code, fresh)
    if folder == PUBLISHED:
        from satedge.commands.headline import headline

        headline()


def estimate(studies: list[Study], stores: list[Store], jobs: int) -> None:
    """A line for each study: policies to train, runs to do, and how long both take."""
    from satedge.bench.report.tables import Column, Table
    from satedge.bench.run.runtime_estimate import typical_times
    from satedge.bench.training_jobs import expected_s, training_jobs

    rows, total, trained = [], 0.0, set()
    for study, store in zip(studies, stores, strict=True):
        work, train_s, policies = _work(study, store), 0.0, 0
        for job in training_jobs(study):
            missing = [(job.place, job.name, seed) for seed in job.missing]
            new = [m for m in missing if m not in trained]
            trained.update(new)
            share = len(new) / len(missing) if missing else 0.0
            train_s, policies = train_s + share * (expected_s(job) or 0.0), policies + len(new)
        play_s = work.likely_s(jobs, typical_times(store))
        total += train_s + play_s
        times = (common.duration(train_s), common.duration(play_s))
        rows.append((study.name, policies, times[0], len(work.todo), len(work.done), times[1]))
    heads = (Column("study"), Column("to train", form="d"), Column("about"))
    more = (Column("runs to do", form="d"), Column("finished", form="d"), Column("for about"))
    common.show(Table((*heads, *more), rows))
    print(f"about {common.duration(total)} in all, with {jobs} worker processes")


def _work(study: Study, store: Store) -> Work:
    from satedge.bench.run.runner import sort_out

    return sort_out(study, store if store.has_runs else None)


def _one(study: Study, store: Store, jobs: int, code: str, fresh: bool) -> None:
    """Runs and tables of one study; its rows are of one commit."""
    from satedge.bench.run.local import local
    from satedge.bench.score.verify import mixture
    from satedge.commands.benchmark import finish, play
    from satedge.commands.progress import StudyProgress
    from satedge.problem.io.folder import only_one

    progress = StudyProgress()
    with only_one(store.make().root):
        _check_commits(store, code, fresh)
        work = _work(study, store)
        for name, reason in work.missing.items():
            print(f"skipping {name}: {reason}")
        play(study, work, store, local(jobs, progress.begin), progress)
    finish(store, with_report=True, as_json=False, wide=False)
    wrong = mixture(store.gather())
    if wrong:
        print(f"{store.root}: {wrong}")
        if not code.endswith("+"):
            raise typer.Exit(1)


def _check_commits(store: Store, code: str, fresh: bool) -> None:
    """Raise StoreError for runs of another commit; `fresh`: forget them."""
    from satedge.bench.run.store import StoreError

    others = {r["row"]["key"]: r["row"]["commit"] for r in store.records()}
    stale = {key: commit for key, commit in others.items() if commit != code}
    if not stale:
        return
    if not fresh:
        raise StoreError(
            f"{store.root}: {len(stale)} runs of commit {next(iter(stale.values()))}: allowed is "
            f"{code}, or --fresh, which repeats them"
        )
    store.drop(stale)

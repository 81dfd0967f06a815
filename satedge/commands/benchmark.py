"""`satedge benchmark` and `satedge report`: run a study and report it."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from satedge.commands import common, completion

if TYPE_CHECKING:
    from satedge.bench.report.tables import Table
    from satedge.bench.run.local import Backend, Begin, Take
    from satedge.bench.run.runner import Work
    from satedge.bench.run.store import Store
    from satedge.bench.study.study import Study
    from satedge.commands.progress import StudyProgress

RUNS = Path("results/runs")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(benchmark)
    app.command()(demo)
    app.command()(report)


StudyName = Annotated[
    str,
    typer.Argument(help="A study's name, or a .toml file.", autocompletion=completion.studies),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder; results/runs/STUDY by default.")
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        "-m",
        help="Add a method, or module:function; repeatable.",
        autocompletion=completion.methods,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only the method with this label; repeatable."),
]
Cluster = Annotated[
    str | None, typer.Option("--cluster", help="Address of a Dask scheduler, tcp://...")
]
SchedulerFile = Annotated[
    Path | None, typer.Option("--scheduler-file", help="File of a Dask scheduler.")
]
Again = Annotated[
    list[str] | None,
    typer.Option("--again", help="Repeat runs with this status (failed, timeout, all ...)."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="List what would run, how long, and what is missing.")
]
RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", help="Committed rules of a final analysis: opens held-out suites."),
]
RulesHash = Annotated[str, typer.Option("--rules-sha256", help="Hash of that file.")]
WithReport = Annotated[bool, typer.Option(help="Write tables, figures and report.html.")]


def benchmark(
    study: StudyName = "quick",
    jobs: common.Jobs = 1,
    out: Out = None,
    method: Methods = None,
    only: Only = None,
    cluster: Cluster = None,
    scheduler_file: SchedulerFile = None,
    again: Again = None,
    dry_run: DryRun = False,
    report: WithReport = True,
    as_json: common.AsJson = False,
    rules: RulesFile = None,
    rules_sha256: RulesHash = "",
    wide: common.Wide = False,
) -> None:
    """Run a study; finished runs are not repeated.

    Stop it at any moment, even by force: the same command resumes it. The exit code is 1 if a
    certified bound lies above a judged cost.
    """
    from satedge.bench.run.local import ignore
    from satedge.bench.run.runner import check_again, sort_out
    from satedge.bench.run.store import Store
    from satedge.bench.study.study_file import load_study
    from satedge.commands.progress import StudyProgress
    from satedge.problem.io.folder import only_one, write_atomically

    opened = _opened(rules, rules_sha256)
    chosen = load_study(study).with_methods(method or [])
    labels = chosen.labels(only or [])
    check_again(again or [])
    store = Store(out or RUNS / chosen.name)
    if dry_run:
        existing = store if store.cells.is_dir() else None
        work = sort_out(chosen, existing, only=labels)
        describe(chosen, work, jobs, store, as_json)
        if not as_json:
            _say_missing(work, study)
        return
    progress = None if as_json else StudyProgress()
    backend = _backend(jobs, cluster, scheduler_file, progress.begin if progress else ignore)
    with only_one(store.make().root):
        if opened is not None:
            write_atomically(store.root / "rules.json", f"{json.dumps(opened)}\n".encode())
        work = sort_out(chosen, store, frozenset(again or []), labels)
        if not as_json:
            _say_missing(work, study)
        play(chosen, work, store, backend, progress)
    finish(store, report, as_json, wide)


def play(
    study: Study, work: Work, store: Store, backend: Backend, progress: StudyProgress | None
) -> None:
    """Carry the work out, with a bar if there is `progress`. The folder must be held."""
    from satedge.bench.run.local import ignore

    if progress is None:
        _run(study, work, store, backend, ignore)
        return
    with progress.of(len(work.todo) + len(work.done), len(work.done)):
        _run(study, work, store, backend, progress.end)


def demo(jobs: common.Jobs = 1, out: Out = None) -> None:
    """Run the core of the quick study, in about a minute, and write its page.

    It needs no clone, and no package beyond the core: methods that need more are skipped.
    """
    folder = out or RUNS / "demo"
    benchmark("demo", jobs=jobs, out=folder)
    print(f"open {folder / 'report.html'}; more instances and methods: satedge benchmark quick")


def _opened(rules: Path | None, sha256: str) -> dict[str, str] | None:
    """The rules under which held-out suites are opened, as they are kept with the results."""
    from satedge.bench.study.held_out import open_with

    return None if rules is None else dataclasses.asdict(open_with(rules, sha256))


def _backend(jobs: int, cluster: str | None, scheduler_file: Path | None, begin: Begin) -> Backend:
    from satedge.bench.run.local import local

    if cluster is None and scheduler_file is None:
        return local(jobs, begin)
    from satedge.bench.run.dask import on_cluster

    return on_cluster(cluster, scheduler_file)


def _run(study: Study, work: Work, store: Store, backend: Backend, take: Take) -> None:
    """Carry the work out; whoever stops it is told how to go on."""
    import signal

    from satedge.bench.run.runner import carry_out

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with closing(carry_out(study, work, store, backend)) as records:  # type: ignore[type-var]
            for record in records:
                take(record)
    except KeyboardInterrupt:
        _say_how_to_go_on(work, store)
        raise typer.Exit(130) from None


def _say_missing(work: Work, study: str) -> None:
    from rich.markup import escape

    from satedge.bench.methods.table import UNTRAINED

    out = common.console()
    for line in work.damaged:
        out.print(f"[yellow]again[/] {escape(line)}")
    if work.done:
        out.print(f"{len(work.done)} runs are finished already, {len(work.todo)} to do")
    for name, reason in work.missing.items():
        out.print(f"[yellow]skipping[/] {escape(f'{name}: {reason}')}")
    if any(reason.startswith(UNTRAINED) for reason in work.missing.values()):
        out.print(f"  such policies are trained by: satedge train --study {escape(study)}")


def _say_how_to_go_on(work: Work, store: Store) -> None:
    done = len(store.finished() & {c.key for c in (*work.todo, *work.done)})
    total = len(work.todo) + len(work.done)
    words = shlex.join(_without(sys.argv[1:], "--again"))
    print(
        f"\nstopped: {done} of {total} runs are finished and saved in {store.root}\n"
        f"go on with: satedge {words}",
        file=sys.stderr,
    )


def _without(words: list[str], option: str) -> list[str]:
    """A command's words without an option and its values: they have had their effect."""
    kept, skip = [], False
    for word in words:
        if not skip and word != option and not word.startswith(f"{option}="):
            kept.append(word)
        skip = word == option and not skip
    return kept


def describe(study: Study, work: Work, jobs: int, store: Store, as_json: bool) -> None:
    """What `--dry-run` prints."""
    from satedge.bench.run.runtime_estimate import typical_times

    typical = typical_times(store)
    likely_s, at_most_s = work.likely_s(jobs, typical), work.at_most_s(jobs)
    facts = {
        "study": study.name,
        "title": study.title,
        "folder": str(store.root),
        "to_do": len(work.todo),
        "finished": len(work.done),
        "skipped": len(work.skipped),
        "likely_s": likely_s,
        "at_most_s": at_most_s,
        "missing": work.missing,
        "runs": [
            {"key": c.key, "group": c.group, "method": c.name, "instance": c.instance.name,
             "seed": c.seed, "budget_s": c.budget_s}
            for c in work.todo
        ],
    }  # fmt: skip
    if as_json:
        common.print_json(facts)
        return
    from rich.markup import escape

    out = common.console()
    out.print(f"[bold]{escape(study.name)}[/]: {escape(f'{study.title}  ->  {store.root}')}")
    common.show(_work_table(work))
    out.print(
        f"{len(work.todo)} runs to do, {len(work.done)} finished, {len(work.skipped)} skipped; "
        f"with {jobs} jobs about {common.duration(likely_s)}, "
        f"at most {common.duration(at_most_s)}"
    )


def _work_table(work: Work) -> Table:
    """Runs to do, finished and skipped, per part and method."""
    from satedge.bench.report.tables import Column, Table

    counts: dict[tuple[str, str, float], list[int]] = {}
    skipped = [cell for cell, _ in work.skipped]
    for place, cells in enumerate((work.todo, work.done, skipped)):
        for cell in cells:
            key = (cell.group, cell.name, cell.budget_s)
            counts.setdefault(key, [0, 0, 0])[place] += 1
    numbers = (Column(head, form="d") for head in ("to do", "finished", "skipped"))
    columns = (Column("part"), Column("method"), Column("budget", "s", "g"), *numbers)
    return Table(columns, [(*key, *found) for key, found in counts.items()])


def finish(store: Store, with_report: bool, as_json: bool, wide: bool) -> None:
    """Tables, figures, report, and the gate."""
    from satedge.bench.report.write_up import show, write
    from satedge.commands.progress import steps

    with steps(quiet=as_json):
        written = write(store, report=with_report)
    if as_json:
        common.print_json(written.as_json())
    else:
        show(written, common.console(), wide)
    if written.broken:
        raise typer.Exit(1)


def report(
    folder: Annotated[
        Path, typer.Argument(help="Folder of a study's results, as under results/runs.")
    ],
    as_json: common.AsJson = False,
    wide: common.Wide = False,
) -> None:
    """Judge every stored plan again; write tables (csv, md, tex), figures and report.html.

    Of a published folder, which has rows and no plans, all that follows from
    the rows is drawn anew; the rest stays as it is.
    """
    from satedge.bench.run.store import Store, StoreError

    store = Store(folder)
    if not (store.has_runs or (folder / "rows.parquet").is_file()):
        raise StoreError(f"{folder}: no results are there (neither cells nor rows.parquet)")
    if not store.has_runs and not as_json:
        print(f"{folder}: rows alone; what needs plans (report.html, maps, traces) stays as it is")
    finish(store, True, as_json, wide)

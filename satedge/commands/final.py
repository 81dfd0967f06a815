"""`satedge final`: play held-out suites once, under rules that were fixed before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from satedge.commands import common

if TYPE_CHECKING:
    from satedge.bench.report.tables import Table
    from satedge.bench.run.store import Store
    from satedge.bench.study.final import Final


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(final)


RulesFile = Annotated[Path, typer.Argument(help="File of rules; results go beside it.")]
Hash = Annotated[str, typer.Option("--sha256", help="Hash of the file; needed for held-out.")]
Freeze = Annotated[
    bool, typer.Option("--freeze", help="Write the hashes of the policies into the rules.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List what would run, and how long.")]


def final(
    rules: RulesFile,
    sha256: Hash = "",
    freeze: Freeze = False,
    dry_run: DryRun = False,
    jobs: common.Jobs = 1,
    as_json: common.AsJson = False,
) -> None:
    """Play a final analysis once, and say what beats what.

    The rules are a study with the contrasts that will be made and the hashes
    of the policies that play. Held-out suites want them committed as they
    stand, named by their hash, and code without changes; whatever else the
    rules name is played as a rehearsal. Stopped, the same command resumes;
    finished, nothing is played again: tables alone are written anew.

    First:  satedge final FILE --freeze    then commit the file

    Then:   satedge final FILE --sha256 HASH
    """
    from satedge.bench.run.store import Store
    from satedge.bench.study.final import check_policies, read_final

    found = read_final(rules)
    if freeze:
        _freeze(rules, found)
        return
    check_policies(found)
    opened = _opened(rules, sha256, found)
    store = Store(rules.parent)
    if dry_run:
        _describe(found, store, jobs, as_json)
        return
    _check_once(store, opened)
    if not (store.root / DONE).exists():
        _play(found, store, jobs, opened, as_json)
    _report(found, store, opened, as_json)


#: Written when all is played; what says under which rules.
DONE, RULES = "final.json", "rules.json"


def _freeze(rules: Path, found: Final) -> None:
    """Write the hashes of policies into the rules, and say the hash of the file."""
    import hashlib

    from satedge.bench.study.final import frozen, present
    from satedge.problem.io.folder import write_atomically
    from satedge.problem.io.jsonfile import read_text

    data = frozen(read_text(rules), present(found.study)).encode()
    write_atomically(rules, data)
    digest = hashlib.sha256(data).hexdigest()
    print(f"{rules}: {digest}\ncommit it, then: satedge final {rules} --sha256 {digest}")


def _opened(rules: Path, sha256: str, found: Final) -> dict[str, str]:
    """The rules under which suites are open, and the code; both as committed if any is held out."""
    import dataclasses

    from satedge.bench.study import provenance
    from satedge.bench.study.held_out import HeldOutError, open_with

    code = provenance.commit()
    if not found.held_out:
        return {"code": code}
    if not sha256:
        raise HeldOutError(f"{rules}: names held-out suites: allowed is with --sha256, its hash")
    opened = open_with(rules, sha256)
    if not code or code.endswith("+"):
        raise HeldOutError(f"code {code!r}: allowed is a commit without changed files")
    return dataclasses.asdict(opened) | {"code": code}


def _check_once(store: Store, opened: dict[str, str]) -> None:
    """Raise HeldOutError where the folder was played under other rules, or begun by other code."""
    from satedge.bench.study.held_out import HeldOutError

    path = store.root / RULES
    if not path.exists():
        return
    known = json.loads(path.read_text("ascii"))
    if known.get("sha256") != opened.get("sha256"):
        raise HeldOutError(f"{path}: sha256 = {known.get('sha256')}: allowed is one play, and this "
                           "folder has one under other rules")  # fmt: skip
    unfinished = not (store.root / DONE).exists()
    if "sha256" in known and unfinished and known["code"] != opened["code"]:
        raise HeldOutError(
            f"{path}: code = {opened['code']}: allowed is {known['code']}, by which it was begun"
        )


def _play(found: Final, store: Store, jobs: int, opened: dict[str, str], as_json: bool) -> None:
    """Do what is to do, from a single commit."""
    from satedge.bench.run.local import ignore, local
    from satedge.bench.run.runner import sort_out
    from satedge.bench.study.study import StudyError
    from satedge.commands.benchmark import play
    from satedge.commands.progress import StudyProgress
    from satedge.problem.io.folder import only_one

    progress = None if as_json else StudyProgress()
    with only_one(store.make().root):
        store.write_text(RULES, json.dumps(opened) + "\n")
        work = sort_out(found.study, store)
        for name, reason in work.missing.items():
            raise StudyError(f"method {name}: {reason}: allowed is one that can run here")
        play(
            found.study, work, store, local(jobs, progress.begin if progress else ignore), progress
        )
        store.write_text(DONE, json.dumps(opened) + "\n")


def _report(found: Final, store: Store, opened: dict[str, str], as_json: bool) -> None:
    """The headline and the contrasts."""
    from satedge.bench.report.headline import contrast_table, headline_table
    from satedge.bench.score.contrasts import contrasts
    from satedge.bench.score.headline import standings, worlds_of
    from satedge.bench.score.score import score

    scored = score(store.gather())
    table, parts = found.table, [p.name for p in found.study.parts]
    worlds = worlds_of(store.root.name, table.reference, table.rule, parts)
    told = [s for world in worlds for s in standings(scored, world)]
    compared = contrasts(scored, table.contrasts)
    written = [headline_table(told), contrast_table(compared)]
    _write(store, written)
    if as_json:
        common.print_json(_json(opened, told, compared))
        return
    if not found.held_out:
        print("a rehearsal: no suite is held out")
    for part in written:
        common.show(part, wide=True)
    print(f"all tables, figures and report.html of the study: satedge report {store.root}")


def _write(store: Store, tables: list[Table]) -> None:
    from satedge.bench.report.tables import csv, markdown

    for table in tables:
        store.write_text(f"tables/{table.name}.csv", csv(table))
        store.write_text(f"tables/{table.name}.md", markdown([table]))


def _json(opened: dict[str, str], told: list[Any], compared: list[Any]) -> dict[str, Any]:
    import dataclasses

    lines = [dataclasses.asdict(c) | {"verdict": c.verdict} for c in compared]
    standings = [dataclasses.asdict(s) for s in told]
    return {"rules": opened, "contrasts": lines, "standings": standings}


def _describe(found: Final, store: Store, jobs: int, as_json: bool) -> None:
    """What `--dry-run` prints."""
    from satedge.bench.run.runner import sort_out
    from satedge.commands.benchmark import describe

    work = sort_out(found.study, store if store.cells.is_dir() else None)
    describe(found.study, work, jobs, store, as_json)

"""`satedge submit`, `check-submission` and `board`: hand results in, judge them, show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from satedge.commands import common

if TYPE_CHECKING:
    from satedge.bench.score.hand_in import Solved
    from satedge.bench.score.submission import Checked, Status
    from satedge.problem.io.submission import Claim, Submission


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(submit)
    app.command("check-submission")(check_submission)
    app.command()(board)


Name = Annotated[str, typer.Argument(help="Name on the leaderboard.")]
Plans = Annotated[
    Path | None, typer.Option("--plans", help="Folder of plan files, INSTANCE.json each.")
]
Method = Annotated[
    str | None, typer.Option("--method", "-m", help="Method to run on every instance.")
]
Kind = Annotated[
    str | None,
    typer.Option("--kind", help="exact, heuristic or learned; needed with --plans."),
]
Budget = Annotated[
    float, common.real("--budget", low=0.001, high=1e9, help="Processor seconds an instance.")
]
Again = Annotated[
    int,
    common.whole("--again", high=10_000, help="Run the method again on so many instances."),
]


def submit(
    name: Name,
    plans: Plans = None,
    method: Method = None,
    suite: Annotated[str, typer.Option("--suite", "-s", help="Suite that is solved.")] = "slots",
    kind: Kind = None,
    setting: common.Settings = None,
    seed: Annotated[int, common.whole("--seed", help="Seed of the method.")] = 0,
    budget: Budget = 10.0,
    about: Annotated[str, typer.Option("--about", help="A line about it.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; submissions/NAME by default.")
    ] = None,
) -> None:
    """Make a folder to hand in: plans for a suite, with versions, hardware and commit.

    Plans are those of a method that is run, or of a folder, as any program may have made them.
    """
    from satedge.bench.score.hand_in import hand_in, origin
    from satedge.problem.io.submission import Submission, file_name

    if (plans is None) == (method is None):
        raise typer.BadParameter("allowed is one of --plans and --method", param_hint="--plans")
    _require_suite(suite)
    folder = out or Path("submissions") / file_name(name)
    head, needs, solved = _source(plans, method, suite, kind, seed, budget, setting)
    told = {"name": name, "suite": suite, "about": about, **head, **origin(needs)}

    def whole(claims: dict[str, Claim]) -> Submission:
        return Submission(**told, instances=claims)

    whole({})
    made = hand_in(folder, whole, _told(solved))
    print(f"{folder}: {len(made.instances)} plans for {suite}")
    print(f"judge it with: satedge check-submission {folder}")


def _require_suite(suite: str) -> None:
    from satedge.bench.study.suites import SUITES, SuiteError

    if suite not in SUITES:
        raise SuiteError(f"suite {suite!r}: allowed is one of {', '.join(SUITES)}")


def _source(
    plans: Path | None,
    name: str | None,
    suite: str,
    kind: str | None,
    seed: int,
    budget_s: float,
    setting: list[str] | None,
) -> tuple[dict[str, Any], tuple[str, ...], Iterable[Solved]]:
    """What the head says of the method, what it needs, and its plans."""
    from satedge.bench.methods.table import find
    from satedge.bench.score.hand_in import CLOCK, KIND_OF, plans_in, run_method
    from satedge.problem.io.submission import KINDS

    if kind not in (None, *KINDS) or (kind is None and plans is not None):
        raise typer.BadParameter(
            f"{kind}: allowed is one of {', '.join(KINDS)}", param_hint="--kind"
        )
    if plans is not None:
        nothing = {"method": "", "settings": {}, "seed": 0, "budget_s": None, "clock": "wall"}
        return {"kind": kind, **nothing}, (), plans_in(plans, suite)
    given = common.settings(setting)
    method = find(name or "").with_settings(**given)
    chosen = kind or KIND_OF.get(method.family, "heuristic")
    head: dict[str, Any] = {"kind": chosen, "method": method.name, "settings": given}
    head |= {"seed": seed, "budget_s": budget_s, "clock": CLOCK}
    return head, method.needs, run_method(method, suite, seed, budget_s)


def _told(solved: Iterable[Solved]) -> Iterator[Solved]:
    """The same, with a line on what has no plan."""
    from satedge.commands.terminal import printable

    for one in solved:
        if one.plan is None:
            print(printable(f"{one.instance.name}: left out: {one.reason}"))
        yield one


def check_submission(
    folder: Annotated[Path, typer.Argument(help="Folder of `satedge submit`.")],
    again: Again = 0,
    record: Annotated[
        bool, typer.Option("--record", help="Enter better plans and bounds into the records.")
    ] = False,
    as_json: common.AsJson = False,
) -> None:
    """Judge a submission offline: every plan again, every proof, instance by instance.

    Accepted, better than the best known plan, or refused and why. Exit code 0: nothing is
    refused. 1: something is. 2: the folder is no submission.
    """
    from satedge.bench.score.submission import check_submission as check
    from satedge.bench.score.submission import enter, run_again

    found = check(folder)
    if again:
        found = run_again(found, again)
    if as_json:
        common.print_json(_as_json(found))
    else:
        _show(found)
    if record:
        print(f"{enter(found)} records are better; describe them with: satedge suites --describe")
    if found.count("refused") or found.again:
        raise typer.Exit(1)


def _as_json(found: Checked) -> dict[str, Any]:
    rows = []
    for f in found.findings:
        row = {n.name: getattr(f, n.name) for n in dataclasses.fields(f) if n.repr}
        rows.append(row | {"gap": f.gap})
    head = {n: getattr(found.submission, n) for n in ("name", "kind", "suite", "method")}
    return {**head, "told": found.told, "again": found.again, "instances": rows}


def _show(found: Checked) -> None:
    from satedge.bench.report.tables import Cell, Column, Table
    from satedge.commands.terminal import printable

    numbers = (Column("cost", form=".6f"), Column("best known", form=".6f"))
    columns = (Column("instance"), Column("verdict"), *numbers, Column("gap", "%", ".4f"))
    rows = [
        (f.instance, Cell(*_WORDS[f.status]), f.cost, f.best, f.gap, f.reason)
        for f in found.findings
    ]
    s = found.submission
    title = f"{s.name} on {s.suite}: {s.kind}, {found.told}"
    common.show(Table((*columns, Column("remarks")), rows, title))
    for line in found.again or ():
        print(printable(line))
    counts = (f"{found.count(status)} {words[0]}" for status, words in _WORDS.items())
    print(f"{len(found.findings)} instances: {', '.join(counts)}")


#: What is said of an instance, what it is sorted by, and how it is marked.
_WORDS: dict[Status, tuple[str, str, str]] = {
    "accepted": ("accepted", "", ""),
    "better": ("better than best known", "", "good"),
    "refused": ("refused", "", "alarm"),
}


def board(
    folders: Annotated[list[Path], typer.Argument(help="Submissions.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the pages.")] = Path("board"),
    again: Again = 0,
) -> None:
    """Write a leaderboard of submissions: index.html, and a page for every instance.

    Every plan is judged again; what is refused earns no rank. With --again, methods of this
    package are run again: their results are reproduced, others are claimed.
    """
    from satedge.bench.methods.table import MethodError
    from satedge.bench.report.board import write_board
    from satedge.bench.score.submission import check_submission as check
    from satedge.bench.score.submission import run_again
    from satedge.commands.terminal import printable

    checked = []
    for folder in folders:
        found = check(folder)
        try:
            found = run_again(found, again) if again else found
        except MethodError as error:
            print(printable(f"claimed: {error}"))
        checked.append(found)
    written = write_board(checked, out)
    print(f"{written[0]}: {len(checked)} submissions, {len(written) - 1} instances")

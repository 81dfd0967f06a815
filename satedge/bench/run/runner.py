"""Running a study: what is left to do, doing it, and keeping every result as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import get_args

from satedge.bench.methods.table import missing
from satedge.bench.run.local import Backend, Record
from satedge.bench.run.record import skipped
from satedge.bench.run.runtime_estimate import Typical
from satedge.bench.run.store import Store
from satedge.bench.run.supervisor import RunStatus
from satedge.bench.study.cell import Cell
from satedge.bench.study.study import Study, StudyError, cells
from satedge.nearest import did_you_mean

#: Endings whose runs can be repeated; skipped ones are tried anew anyway.
AGAIN = (*(s for s in get_args(RunStatus) if s != "skipped"), "all")


@dataclass(frozen=True)
class Work:
    """The runs of a study, by what has to happen to them."""

    todo: list[Cell]
    done: list[Cell]
    skipped: list[tuple[Cell, str]]
    """Runs that cannot be done here, with the reason."""
    parts: dict[str, str] = field(default_factory=dict)
    """All runs of the study by key, with their part; those left aside too: what its tables show.
    """
    damaged: list[str] = field(default_factory=list)
    """What is wrong with files of runs to do again, a line each."""

    @property
    def missing(self) -> dict[str, str]:
        """Label of each method that cannot run here, and why."""
        reasons: dict[str, list[str]] = {}
        for cell, reason in self.skipped:
            found = reasons.setdefault(cell.name, [])
            if reason not in found:
                found.append(reason)
        more = {name: f" (and {len(r) - 1} more like it)" for name, r in reasons.items() if r[1:]}
        return {name: r[0] + more.get(name, "") for name, r in reasons.items()}

    def at_most_s(self, jobs: int) -> float:
        """Longest that the runs to do can take."""
        return sum(c.budget_s + c.limits.grace_s for c in self.todo) / jobs

    def likely_s(self, jobs: int, typical: Typical) -> float:
        """What they take if methods run as long as they did before."""
        return sum(typical.seconds(cell) for cell in self.todo) / jobs


def sort_out(
    study: Study,
    store: Store | None,
    again: frozenset[str] = frozenset(),
    only: frozenset[str] = frozenset(),
) -> Work:
    """Which runs are to do: those of the labels in `only`, if any are named.

    Of these, finished ones whose status is in `again` ("all" for any) are dropped first, so the
    folder must be held (`only_one`). Those whose file is not to be believed are to do. Raises
    StudyError for a status that there is not.
    """
    check_again(again)
    statuses, damaged = store.endings() if store is not None else ({}, {})
    wanted = cells(study)
    if store is not None and again:
        chosen = {c.key for c in wanted if not only or c.name in only}
        stale = {k for k in chosen & statuses.keys() if {statuses[k], "all"} & again}
        store.drop(stale)
        statuses = {k: v for k, v in statuses.items() if k not in stale}
    reasons: dict[str, str] = {}
    work = Work([], [], [])
    for cell in wanted:
        work.parts[cell.key] = cell.group
        if only and cell.name not in only:
            continue
        if cell.key in damaged:
            work.damaged.append(damaged[cell.key])
        known = f"{cell.method.entry} {sorted(cell.method.settings.items())}"
        if cell.key in statuses:
            work.done.append(cell)
        elif reasons.setdefault(known, missing(cell.method)):
            work.skipped.append((cell, reasons[known]))
        else:
            work.todo.append(cell)
    return work


def check_again(again: Iterable[str]) -> None:
    """Raise StudyError for a status that no run to be repeated can have."""
    for status in again:
        if status not in AGAIN:
            hint = did_you_mean(status, AGAIN)
            raise StudyError(f"status {status!r}{hint}: allowed is one of {', '.join(AGAIN)}")


def carry_out(study: Study, work: Work, store: Store, backend: Backend) -> Iterator[Record]:
    """Do what is to do, storing every record before it is given out. The folder must be held."""
    store.write_study(study.source, work.parts, [skipped(c, why) for c, why in work.skipped])
    kept = {c.instance.content_sha256: c.instance for c in (*work.todo, *work.done)}
    for instance in kept.values():
        store.keep_instance(instance)
    identities = {c.key: c.identity for c in work.todo}
    for record in backend(work.todo):
        identity = json.dumps(identities[record["row"]["key"]], default=str)
        record |= {"study": study.name, "identity": json.loads(identity)}
        store.write(record)
        yield record

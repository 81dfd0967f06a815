"""Running a study: what is left to do, doing it, and keeping every result as it comes."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from satedge.bench.methods.table import missing
from satedge.bench.run.local import Backend, Record
from satedge.bench.run.record import skipped
from satedge.bench.run.runtime_estimate import Typical
from satedge.bench.run.store import Store, StoreError
from satedge.bench.study.cell import Cell
from satedge.bench.study.study import Study, cells


@dataclass(frozen=True)
class Work:
    """The cells of a study, by what has to happen to them."""

    todo: list[Cell]
    done: list[Cell]
    skipped: list[tuple[Cell, str]]
    """Cells that cannot run here, with the reason."""
    keys: set[str] = field(default_factory=set)
    """All cells of the study, those left aside included: what its tables show."""

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
        """Longest that the cells to do can take."""
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
    """Which cells are to do: those of the labels in `only`, if any are named.

    Of these, finished ones whose status is in `again` ("all" for any) are dropped first.
    """
    finished = store.finished() if store is not None else set()
    if store is not None and again:
        rows = store.gather()
        wanted = [c.key for c in cells(study) if not only or c.name in only]
        ended = rows["status"].isin(again) | ("all" in again)
        stale = rows["key"][ended & rows["key"].isin(wanted)]
        store.drop(stale)
        finished -= set(stale)
    reasons: dict[str, str] = {}
    work = Work([], [], [])
    for cell in cells(study):
        work.keys.add(cell.key)
        if only and cell.name not in only:
            continue
        known = f"{cell.method.entry} {sorted(cell.method.settings.items())}"
        if cell.key in finished:
            work.done.append(cell)
        elif reasons.setdefault(known, missing(cell.method)):
            work.skipped.append((cell, reasons[known]))
        else:
            work.todo.append(cell)
    return work


def carry_out(study: Study, work: Work, store: Store, backend: Backend) -> Iterator[Record]:
    """Do what is to do, storing every record before it is given out."""
    with only_one(store):
        store.write_text("study.toml", study.source)
        store.write_text("skipped.json", json.dumps([skipped(c, why) for c, why in work.skipped]))
        store.write_text("keys.json", json.dumps(sorted(work.keys)))
        for cell in (*work.todo, *work.done):
            store.keep_instance(cell.instance)
        for record in backend(work.todo):
            store.write(record)
            yield record


@contextmanager
def only_one(store: Store) -> Iterator[None]:
    """Hold the folder: two runs in one folder would do everything twice."""
    path = store.root / ".lock"
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{store.root}: another run is at work in this folder") from None
        yield

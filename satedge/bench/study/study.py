"""A study: which methods run on which instances, under which seeds and budgets; its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeVar

from satedge.bench.methods.table import FORMER_NAMES, Method, find
from satedge.bench.study.cell import Cell
from satedge.bench.study.limits import Limits
from satedge.bench.study.suites import Recipe, build, load_suite
from satedge.nearest import did_you_mean
from satedge.problem.fields import Declared, declared, param
from satedge.problem.instance import Instance

_T = TypeVar("_T")

#: Runs of a study at most.
MAX_RUNS = 1_000_000


class StudyError(ValueError):
    """A study file is wrong: where, what, and what is allowed."""


@declared(StudyError, "key")
class TrainingPlan(Declared):
    """How a policy is trained where it is missing."""

    epochs: int = param(1000, "episode", "Table 2", "Episodes of each training.", low=1)
    updates: int = param(5, "-", "open", "Gradient updates after each episode.", low=0)
    together: int = param(
        1,
        "episode",
        "open",
        "What a run plays at once between updates; a divisor of epochs.",
        low=1,
    )
    validate_every: int = param(25, "episode", "open", "Episodes between looks at policies.", low=1)
    settings: dict[str, Any] = param(
        {}, "-", "-", "Settings of the learner that differ from its preset."
    )
    labels: tuple[str, ...] = param((), "-", "-", "Files of labels, for a learner that imitates.")


@dataclass(frozen=True)
class Entry:
    """One method of a part."""

    method: Method
    label: str
    seeds: tuple[int, ...]
    budgets_s: tuple[float, ...]
    take: int | None = None
    training: TrainingPlan = field(default_factory=TrainingPlan)


@dataclass(frozen=True)
class Part:
    """Instances and the methods compared on them."""

    name: str
    suites: tuple[str, ...]
    entries: tuple[Entry, ...]
    limits: Limits
    made: tuple[Recipe, ...] = ()
    """Instances generated for this part."""
    take: int | None = None
    slots: tuple[int, int] | None = None


@dataclass(frozen=True)
class Study:
    """A whole study."""

    name: str
    title: str
    parts: tuple[Part, ...]
    source: str
    """The text it was read from."""

    def with_methods(self, extra: list[str]) -> Study:
        """The same study with further methods in every part, under the part's own defaults."""
        parts = []
        for part in self.parts:
            seeds = tuple(sorted({s for e in part.entries for s in e.seeds}))[:1]
            budgets = tuple(sorted({b for e in part.entries for b in e.budgets_s}))[-1:]
            added = tuple(Entry(m, m.name, seeds, budgets) for m in map(find, extra))
            parts.append(replace(part, entries=part.entries + added))
        return replace(self, parts=tuple(parts))

    def labels(self, asked: list[str]) -> frozenset[str]:
        """Labels of the study, asked for as such or by a former name of a method.

        Raises StudyError where one is no method of the study.
        """
        known = {e.label for p in self.parts for e in p.entries}
        found = [n if n in known else FORMER_NAMES.get(n, n) for n in asked]
        for label in found:
            if label not in known:
                raise StudyError(
                    f"method {label!r} is not in study {self.name}"
                    f"{did_you_mean(label, known)}: allowed is one of {', '.join(sorted(known))}"
                )
        return frozenset(found)


def cells(study: Study) -> list[Cell]:
    """All runs of a study, instance by instance; equal ones appear once.

    Raises StudyError where they are more than MAX_RUNS.
    """
    found: dict[str, Cell] = {}
    n_runs = 0
    for part in study.parts:
        whole = instances(part)
        shares = [set(spread(range(len(whole)), e.take)) for e in part.entries]
        counts = (len(e.seeds) * len(e.budgets_s) for e in part.entries)
        n_runs += sum(len(s) * n for s, n in zip(shares, counts, strict=True))
        if n_runs > MAX_RUNS:
            raise StudyError(
                f"study {study.name}: {n_runs} runs with those of part {part.name}: allowed is at "
                f"most {MAX_RUNS}"
            )
        for place, instance in enumerate(whole):
            for entry, share in zip(part.entries, shares, strict=True):
                if place not in share:
                    continue
                for budget_s, seed in product(entry.budgets_s, entry.seeds):
                    cell = _cell(part, entry, instance, seed, budget_s)
                    found.setdefault(cell.key, cell)
    return list(found.values())


def spread(items: Sequence[_T], count: int | None) -> list[_T]:
    """At most `count` of the items, evenly spread."""
    n = len(items) if count is None else min(count, len(items))
    return [items[i * len(items) // n] for i in range(n)]


def instances(part: Part) -> list[Instance]:
    """The instances of a part: its share of every suite, cut to its slots."""
    chosen: list[Instance] = list(build(part.made))
    for suite in part.suites:
        chosen += spread(load_suite(suite), part.take)
    if part.slots is None:
        return chosen
    start, stop = part.slots
    return [i.window(start, min(stop, i.n_slots)) for i in chosen]


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    for mark, text in places.items() if isinstance(value, str) else ():
        value = value.replace(mark, text)
    return value


def method_of(entry: Entry, instance: Instance, seed: int) -> Method:
    """The entry's method with its settings filled in for one run."""
    return filled(entry, seed, instance.scenario.n_devices)


def filled(entry: Entry, seed: int, n_devices: int) -> Method:
    """The entry's method with its settings filled in for a seed and a number of devices."""
    places = {"{seed}": str(seed), "{n_devices}": str(n_devices)}
    settings = {n: _filled(v, places) for n, v in entry.method.settings.items()}
    return replace(entry.method, settings=settings)


def _cell(part: Part, entry: Entry, instance: Instance, seed: int, budget_s: float) -> Cell:
    method = method_of(entry, instance, seed)
    return Cell(method, instance, seed, budget_s, entry.label, part.name, part.limits)

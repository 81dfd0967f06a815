"""A study: which methods, on which instances, under which seeds and budgets. A TOML file.

    title = "Every method on a few instances"
    [defaults]                     # of every part
    budgets_s = [2.0]
    seeds = [0]
    memory_MB = 4096
    [[part]]
    name = "tiny"                  # cells of a part are compared with each other
    suites = ["tiny"]              # names of suites, or folders and files of instances
    generate = [{ preset = "paper", seeds = [5000], set = { n_devices = 20, n_slots = 1 } }]
    take = 5                       # at most so many instances of each, evenly spread; default all
    slots = [0, 20]                # only these slots of each; default all
    methods = [
      "greedy",
      { name = "general", label = "scip", settings = { solver = "scip" }, budgets_s = [10] },
      { name = "adsac", seeds = [0, 1], settings = { policy = "adsac/seed-{seed}" } },
    ]

`{seed}` in a setting is the cell's seed (trained policies are units of their own), and
`{n_devices}` the instance's number of devices. A method may have a `take` of its own.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from satedge.bench import methods
from satedge.bench.cells import Cell
from satedge.bench.methods import Method, MethodError
from satedge.bench.process import Limits
from satedge.bench.suites import Recipe, build, load_suite
from satedge.problem.instance import Instance
from satedge.problem.scenario import ScenarioError

_T = TypeVar("_T")


class StudyError(ValueError):
    """A study file is wrong: where, what, and what is allowed."""


@dataclass(frozen=True)
class Entry:
    """One method of a part."""

    method: Method
    label: str
    seeds: tuple[int, ...]
    budgets_s: tuple[float, ...]
    take: int | None = None


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
            added = tuple(Entry(methods.find(n), n, seeds, budgets) for n in extra)
            parts.append(replace(part, entries=part.entries + added))
        return replace(self, parts=tuple(parts))

    def require(self, labels: list[str]) -> None:
        """Raise StudyError when a label is no method of the study."""
        known = {e.label for p in self.parts for e in p.entries}
        for label in labels:
            if label not in known:
                raise StudyError(
                    f"method {label!r} is not in study {self.name}: allowed is one of "
                    f"{', '.join(sorted(known))}"
                )


_PART_KEYS = {
    "name": str,
    "suites": list,
    "generate": list,
    "methods": list,
    "take": int,
    "slots": list,
    "seeds": list,
    "budgets_s": list,
    "memory_MB": (int, float),
    "grace_s": (int, float),
}
_DEFAULT_KEYS = {k: _PART_KEYS[k] for k in ("take", "seeds", "budgets_s", "memory_MB", "grace_s")}
_RECIPE_KEYS = {"preset": str, "seeds": list, "set": dict}
_METHOD_KEYS = {
    "name": str,
    "label": str,
    "settings": dict,
    "seeds": list,
    "budgets_s": list,
    "take": int,
}
_TOP_KEYS = {"title": str, "defaults": dict, "part": list}


def builtin() -> dict[str, str]:
    """Names of the studies that come with the package, with their text."""
    folder = resources.files("satedge") / "studies"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {f.name.removesuffix(".toml"): f.read_text(encoding="utf-8") for f in files}


def load_study(name: str) -> Study:
    """A study by its name or by the path of a TOML file. Raises StudyError, MethodError."""
    known = builtin()
    if name in known:
        return parse_study(known[name], name)
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise StudyError(
            f"study {name!r}{hint}: allowed is one of {', '.join(known)}, or a .toml file"
        )
    try:
        return parse_study(path.read_text(encoding="utf-8"), path.stem, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: {error}") from error


def parse_study(text: str, name: str, where: str = "") -> Study:
    """A study from TOML text. Raises StudyError with place and what is allowed."""
    where = where or f"study {name}"
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{where}: {error}") from error
    _check(raw, _TOP_KEYS, where)
    defaults = raw.get("defaults", {})
    _check(defaults, _DEFAULT_KEYS, f"{where}: defaults")
    parts = []
    for index, given in enumerate(raw.get("part", [])):
        place = f"{where}: part {given.get('name', index) if isinstance(given, dict) else index}"
        _check(given, _PART_KEYS, place)
        parts.append(_part({**defaults, **given}, place))
    if not parts:
        raise StudyError(f"{where}: allowed is a study with at least one [[part]]")
    return Study(name, raw.get("title", name), tuple(parts), text)


def _part(given: Mapping[str, Any], place: str) -> Part:
    suites = given.get("suites", [])
    made = tuple(r for g in given.get("generate", []) for r in _recipes(g, place))
    if not suites and not made:
        raise StudyError(f"{place}: suites is missing: allowed is a list of suites or folders")
    limits = Limits(
        grace_s=float(given.get("grace_s", Limits.grace_s)),
        memory_MB=float(given.get("memory_MB", Limits.memory_MB)),
    )
    slots = given.get("slots")
    if slots is not None and (len(slots) != 2 or not 0 <= slots[0] < slots[1]):
        raise StudyError(f"{place}: slots = {slots}: allowed is [first, beyond the last]")
    return Part(
        name=given.get("name") or "+".join(suites) or "generated",
        suites=tuple(suites),
        entries=tuple(_entry(m, given, place) for m in given.get("methods", [])),
        limits=limits,
        made=made,
        take=given.get("take"),
        slots=tuple(slots) if slots else None,
    )


def _recipes(given: Any, place: str) -> list[Recipe]:
    """Instances to generate: a preset, changes to it, and seeds."""
    _check(given, _RECIPE_KEYS, f"{place}: generate")
    changes = given.get("set", {})
    world = "-".join([given.get("preset", "paper"), *(f"{k}={v}" for k, v in changes.items())])
    recipes = [
        Recipe(f"{world}-{seed}", given.get("preset", "paper"), seed, changes)
        for seed in given.get("seeds", [])
    ]
    try:
        for recipe in recipes:
            recipe.scenario()
    except ScenarioError as error:
        raise StudyError(f"{place}: generate: {error}") from error
    return recipes


def _entry(given: Any, part: Mapping[str, Any], place: str) -> Entry:
    if isinstance(given, str):
        given = {"name": given}
    _check(given, _METHOD_KEYS, f"{place}: method {given}")
    if "name" not in given:
        raise StudyError(f"{place}: method {given}: name is missing")
    seeds = given.get("seeds", part.get("seeds", [0]))
    budgets = given.get("budgets_s", part.get("budgets_s", [2.0]))
    if not seeds or not all(type(s) is int and s >= 0 for s in seeds):
        raise StudyError(f"{place}: seeds = {seeds}: allowed is a list of integers >= 0")
    if not budgets or not all(type(b) in (int, float) and b > 0 for b in budgets):
        raise StudyError(f"{place}: budgets_s = {budgets}: allowed is a list of numbers > 0")
    try:
        method = methods.find(given["name"]).with_settings(**given.get("settings", {}))
    except MethodError as error:
        raise StudyError(f"{place}: {error}") from error
    label = given.get("label", given["name"])
    return Entry(method, label, tuple(seeds), tuple(map(float, budgets)), given.get("take"))


def _check(given: Any, allowed: Mapping[str, Any], place: str) -> None:
    if not isinstance(given, Mapping):
        raise StudyError(f"{place}: allowed is a table with {', '.join(allowed)}")
    for key, value in given.items():
        if key not in allowed:
            raise StudyError(f"{place}: unknown key {key!r}; allowed: {', '.join(allowed)}")
        if not isinstance(value, allowed[key]) or isinstance(value, bool):
            raise StudyError(f"{place}: {key} = {value!r}: the type is wrong")


def cells(study: Study) -> list[Cell]:
    """All cells of a study, instance by instance; equal cells appear once."""
    found: dict[str, Cell] = {}
    for part in study.parts:
        whole = instances(part)
        shares = [set(_spread(range(len(whole)), e.take)) for e in part.entries]
        for place, instance in enumerate(whole):
            for entry, share in zip(part.entries, shares, strict=True):
                if place not in share:
                    continue
                for budget_s, seed in product(entry.budgets_s, entry.seeds):
                    cell = _cell(part, entry, instance, seed, budget_s)
                    found.setdefault(cell.key, cell)
    return list(found.values())


def _spread(items: Sequence[_T], count: int | None) -> list[_T]:
    """At most `count` of the items, evenly spread."""
    n = len(items) if count is None else min(count, len(items))
    return [items[i * len(items) // n] for i in range(n)]


def instances(part: Part) -> list[Instance]:
    """The instances of a part: its share of every suite, cut to its slots."""
    chosen: list[Instance] = list(build(part.made))
    for suite in part.suites:
        chosen += _spread(load_suite(suite), part.take)
    if part.slots is None:
        return chosen
    start, stop = part.slots
    return [i.window(start, min(stop, i.n_slots)) for i in chosen]


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    for mark, text in places.items() if isinstance(value, str) else ():
        value = value.replace(mark, text)
    return value


def _cell(part: Part, entry: Entry, instance: Instance, seed: int, budget_s: float) -> Cell:
    places = {"{seed}": str(seed), "{n_devices}": str(instance.scenario.n_devices)}
    settings = {n: _filled(v, places) for n, v in entry.method.settings.items()}
    method = replace(entry.method, settings=settings)
    return Cell(method, instance, seed, budget_s, entry.label, part.name, part.limits)

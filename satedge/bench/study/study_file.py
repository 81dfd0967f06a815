"""A study: which methods, on which instances, under which seeds and budgets. A TOML file.

    title = "Every method on a few instances"
    [training]                     # of policies that are missing: `satedge train --study`
    epochs = 1000
    updates = 5
    [defaults]                     # of every part: any of its keys but name, suites, generate
    budgets_s = [2.0]
    seeds = [0]
    memory_MB = 4096
    clock = "wall"                 # or "cpu": budgets and times in processor seconds
    [[part]]
    name = "tiny"                  # cells of a part are compared with each other
    suites = ["tiny"]              # names of suites, or folders and files of instances
    generate = [{ preset = "paper", seeds = [5000], set = { n_devices = 20, n_slots = 1 } }]
                                   # or seeds = "5000-5004"
    take = 5                       # at most so many instances of each, evenly spread; default all
    slots = [0, 20]                # only these slots of each; default all
    methods = [
      "greedy",
      { name = "general", label = "scip", settings = { solver = "scip" }, budgets_s = [10] },
      { name = "adsac", seeds = [0, 1], settings = { policy = "adsac/seed-{seed}" },
        train = { epochs = 150, settings = { critic_rate = 0.001 } } },
    ]

`{seed}` in a setting is the cell's seed (trained policies are units of their own), and
`{n_devices}` the instance's number of devices. A method may have a `take` of its own.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from satedge.bench.methods.table import MethodError, find
from satedge.bench.study.limits import Clock, Limits
from satedge.bench.study.study import Entry, Part, Study, StudyError, TrainingPlan
from satedge.bench.study.suites import Recipe
from satedge.problem.scenario import ScenarioError

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
    "clock": str,
}
_SHARED = ("take", "slots", "methods", "seeds", "budgets_s", "memory_MB", "grace_s", "clock")
_DEFAULT_KEYS = {k: _PART_KEYS[k] for k in _SHARED}
_RECIPE_KEYS = {"preset": str, "seeds": (list, str), "set": dict}
_METHOD_KEYS = {
    "name": str,
    "label": str,
    "settings": dict,
    "seeds": list,
    "budgets_s": list,
    "take": int,
    "train": dict,
}
_TRAINING_KEYS = {"epochs": int, "updates": int, "settings": dict}
_TOP_KEYS = {"title": str, "defaults": dict, "part": list, "training": dict}


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
    training = raw.get("training", {})
    _check(training, _TRAINING_KEYS, f"{where}: training")
    parts = []
    for index, given in enumerate(raw.get("part", [])):
        place = f"{where}: part {given.get('name', index) if isinstance(given, dict) else index}"
        _check(given, _PART_KEYS, place)
        parts.append(_part({**defaults, **given}, training, place))
    if not parts:
        raise StudyError(f"{where}: allowed is a study with at least one [[part]]")
    return Study(name, raw.get("title", name), tuple(parts), text)


def part_name(given: Mapping[str, Any]) -> str:
    """The name of a `[[part]]`: its own, else its suites'."""
    return given.get("name") or "+".join(given.get("suites", ())) or "generated"


def _part(given: Mapping[str, Any], training: Mapping[str, Any], place: str) -> Part:
    suites = given.get("suites", [])
    made = tuple(r for g in given.get("generate", []) for r in _recipes(g, place))
    if not suites and not made:
        raise StudyError(f"{place}: suites is missing: allowed is a list of suites or folders")
    clock = given.get("clock", "wall")
    if clock not in get_args(Clock):
        allowed = ", ".join(get_args(Clock))
        raise StudyError(f"{place}: clock = {clock!r}: allowed is one of {allowed}")
    limits = Limits(
        clock=clock,
        grace_s=float(given.get("grace_s", Limits.grace_s)),
        memory_MB=float(given.get("memory_MB", Limits.memory_MB)),
    )
    slots = given.get("slots")
    if slots is not None and (len(slots) != 2 or not 0 <= slots[0] < slots[1]):
        raise StudyError(f"{place}: slots = {slots}: allowed is [first, beyond the last]")
    return Part(
        name=part_name(given),
        suites=tuple(suites),
        entries=_entries(given, training, place),
        limits=limits,
        made=made,
        take=given.get("take"),
        slots=tuple(slots) if slots else None,
    )


def _entries(part: Mapping[str, Any], training: Mapping[str, Any], place: str) -> tuple[Entry, ...]:
    entries = tuple(_entry(m, part, training, place) for m in part.get("methods", []))
    labels = [e.label for e in entries]
    for label in labels:
        if labels.count(label) > 1:
            raise StudyError(f"{place}: method {label!r} is named twice: allowed is one label each")
    return entries


def _recipes(given: Any, place: str) -> list[Recipe]:
    """Instances to generate: a preset, changes to it, and seeds."""
    _check(given, _RECIPE_KEYS, f"{place}: generate")
    changes = given.get("set", {})
    world = "-".join([given.get("preset", "paper"), *(f"{k}={v}" for k, v in changes.items())])
    recipes = [
        Recipe(f"{world}-{seed}", given.get("preset", "paper"), seed, changes)
        for seed in _seeds(given.get("seeds", []), place)
    ]
    try:
        for recipe in recipes:
            recipe.scenario()
    except ScenarioError as error:
        raise StudyError(f"{place}: generate: {error}") from error
    return recipes


def _seeds(given: list[int] | str, place: str) -> Sequence[int]:
    if isinstance(given, list):
        return given
    first, dash, last = given.partition("-")
    if not (dash and first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise StudyError(f"{place}: seeds = {given!r}: allowed is a list, or 'first-last'")
    return range(int(first), int(last) + 1)


def _entry(given: Any, part: Mapping[str, Any], training: Mapping[str, Any], place: str) -> Entry:
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
        method = find(given["name"]).with_settings(**given.get("settings", {}))
    except MethodError as error:
        raise StudyError(f"{place}: {error}") from error
    label, own = given.get("label", given["name"]), given.get("train", {})
    _check(own, _TRAINING_KEYS, f"{place}: method {label}: train")
    plan = TrainingPlan(**{**training, **own})
    return Entry(method, label, tuple(seeds), tuple(map(float, budgets)), given.get("take"), plan)


def _check(given: Any, allowed: Mapping[str, Any], place: str) -> None:
    if not isinstance(given, Mapping):
        raise StudyError(f"{place}: allowed is a table with {', '.join(allowed)}")
    for key, value in given.items():
        if key not in allowed:
            raise StudyError(f"{place}: unknown key {key!r}; allowed: {', '.join(allowed)}")
        if not isinstance(value, allowed[key]) or isinstance(value, bool):
            raise StudyError(f"{place}: {key} = {value!r}: the type is wrong")

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
    name = "tiny"                  # runs of a part are compared with each other
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

`{seed}` in a setting is the run's seed (trained policies are units of their own), and
`{n_devices}` the instance's number of devices. A method may have a `take` of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from satedge.bench.methods.table import MethodError, find
from satedge.bench.study.limits import Limits
from satedge.bench.study.study import Entry, Part, Study, StudyError, TrainingPlan
from satedge.bench.study.suites import Recipe
from satedge.nearest import did_you_mean
from satedge.problem.fields import Declared, Wording, as_tuple, declared, param
from satedge.problem.generation.generate import numbers
from satedge.problem.io.jsonfile import FileError, read_text, reason
from satedge.problem.scenario import ScenarioError

T = TypeVar("T")


#: Characters of a study's file, seeds of a range, and the greatest seed: tables hold numbers as
#: floats, and it is still exact there.
MAX_TEXT, MAX_SEEDS, MAX_SEED = 1 << 20, 100_000, 2**53 - 1

#: Numbers of eight bytes that the generated instances of a part may hold, with their tables.
MAX_NUMBERS = 1 << 28


def _range(given: Any) -> Any:
    """The seeds of 'first-last'."""
    ends = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", given) if isinstance(given, str) else None
    seeds = range(int(ends[1]), int(ends[2]) + 1) if ends else range(0)
    return tuple(seeds) if 0 < len(seeds) <= MAX_SEEDS else given


def _stretch(slots: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= slots[0] < slots[1]:
        raise ValueError(_STRETCH.words)
    return slots


_STRETCH = Wording("[first, beyond the last]")
_Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, le=MAX_SEED)], ...],
    Field(min_length=1),
    BeforeValidator(as_tuple),
    Wording(f"a list of integers in [0, {MAX_SEED}]"),
]
_SeedsOrRange = Annotated[
    _Seeds,
    BeforeValidator(_range),
    Wording(f"a list of integers in [0, {MAX_SEED}], or 'first-last' of at most {MAX_SEEDS}"),
]
_Budgets = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...],
    Field(min_length=1),
    BeforeValidator(as_tuple),
    Wording("a list of numbers > 0"),
]
_Stretch = Annotated[tuple[int, int], BeforeValidator(as_tuple), AfterValidator(_stretch), _STRETCH]
_Tables = Annotated[tuple[Any, ...], BeforeValidator(as_tuple), Wording("a list of tables")]
_Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple), Wording("a list of texts")]


@declared(StudyError, "key")
class StudyTable(Declared):
    """The top of a file."""

    title: str = param("", "-", "-", "A line for the report; the study's name by default.")
    defaults: dict[str, Any] = param({}, "-", "-", "Keys of every part.")
    part: _Tables = param((), "-", "-", "Instances, and methods compared on them.")
    training: dict[str, Any] = param({}, "-", "-", "How missing policies are trained.")
    final: dict[str, Any] = param({}, "-", "-", "Rules of a final analysis, see `satedge final`.")
    policies: dict[str, Any] = param({}, "-", "-", "Of a final analysis: hash by policy.")


@declared(StudyError, "key")
class DefaultsTable(Limits):
    """What `[defaults]` and every part may say."""

    take: int | None = param(
        None,
        "-",
        "-",
        "At most this many instances of each suite, evenly spread.",
        low=1,
    )
    slots: _Stretch | None = param(
        None, "-", "-", "Only these slots of each instance, the second left out."
    )
    methods: _Tables = param((), "-", "-", "Names, or tables with the keys of a method.")
    seeds: _Seeds = param((0,), "-", "-", "A run for each seed.")
    budgets_s: _Budgets = param((2.0,), "s", "-", "A run for each budget.")


@declared(StudyError, "key")
class PartTable(DefaultsTable):
    """One `[[part]]`."""

    name: str = param("", "-", "-", "Heading of the comparison; its suites' names by default.")
    suites: _Names = param((), "-", "-", "Names of suites, or folders and files of instances.")
    generate: _Tables = param((), "-", "-", "Instances made for the part: tables.")


@declared(StudyError, "key")
class GenerateTable(Declared):
    """Instances to generate: a preset, changes to it, and seeds."""

    seeds: _SeedsOrRange = param(doc="An instance for each seed.")
    preset: str = param("paper", "-", "-", "The preset of the scenario.")
    set: dict[str, Any] = param({}, "-", "-", "Fields of the scenario that differ from it.")


@declared(StudyError, "key")
class MethodTable(Declared):
    """One of a part's `methods`."""

    name: str = param(doc="A method's name, or module:function.")
    label: str = param("", "-", "-", "What tables call it; its name by default.")
    settings: dict[str, Any] = param(
        {},
        "-",
        "-",
        "Its settings; `{seed}` and `{n_devices}` are replaced by those of the run.",
    )
    seeds: _Seeds | None = param(None, "-", "-", "Instead of the part's.")
    budgets_s: _Budgets | None = param(None, "s", "-", "Instead of the part's.")
    take: int | None = param(None, "-", "-", "Only this many of the part's instances.", low=1)
    train: dict[str, Any] = param({}, "-", "-", "Where its training differs from `[training]`.")


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
        raise StudyError(
            f"study {name!r}{did_you_mean(name, known)}: allowed is one of {', '.join(known)}, or "
            "a .toml file"
        )
    try:
        text = read_text(path)
    except FileError as error:
        raise StudyError(f"{path}: {error}") from None
    return parse_study(text, path.stem, str(path))


def parse_study(text: str, name: str, where: str = "") -> Study:
    """A study from TOML text. Raises StudyError with place and what is allowed."""
    where = where or f"study {name}"
    if len(text) > MAX_TEXT:
        raise StudyError(f"{where}: {len(text)} characters: allowed is at most {MAX_TEXT}")
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{where}: is no TOML ({reason(error)}): allowed is a study") from None
    file = _table(StudyTable, raw, where)
    _table(DefaultsTable, file.defaults, f"{where}: defaults")
    _table(TrainingPlan, file.training, f"{where}: training")
    parts = []
    for index, given in enumerate(file.part):
        place = f"{where}: part {given.get('name', index) if isinstance(given, dict) else index}"
        whole = {**file.defaults, **given} if isinstance(given, dict) else given
        parts.append(_part(_table(PartTable, whole, place), file.training, place))
    if not parts:
        raise StudyError(f"{where}: allowed is a study with at least one [[part]]")
    return Study(name, file.title or name, tuple(parts), text)


def _table(kind: type[T], given: Any, place: str) -> T:
    """A table of the file. Raises StudyError with its place."""
    if not isinstance(given, dict):
        raise StudyError(f"{place} = {given!r}: allowed is a table")
    try:
        return kind(**given)
    except StudyError as error:
        raise StudyError(f"{place}: {error}") from None


def part_name(given: Mapping[str, Any]) -> str:
    """The name of a `[[part]]`: its own, else its suites'."""
    return given.get("name") or "+".join(given.get("suites", ())) or "generated"


def _part(given: PartTable, training: Mapping[str, Any], place: str) -> Part:
    made = _made(given, place)
    if not given.suites and not made:
        raise StudyError(f"{place}: suites is missing: allowed is a list of suites or folders")
    return Part(
        name=part_name(vars(given)),
        suites=given.suites,
        entries=_entries(given, training, place),
        limits=Limits(**{f.name: getattr(given, f.name) for f in fields(Limits)}),
        made=made,
        take=given.take,
        slots=given.slots,
    )


def _entries(part: PartTable, training: Mapping[str, Any], place: str) -> tuple[Entry, ...]:
    entries = tuple(_entry(method, part, training, place) for method in part.methods)
    for label, count in Counter(e.label for e in entries).items():
        if count > 1:
            raise StudyError(f"{place}: method {label!r} is named twice: allowed is one label each")
    return entries


def _made(part: PartTable, place: str) -> tuple[Recipe, ...]:
    """What the part generates, unless memory cannot hold it together."""
    made: list[Recipe] = []
    room = MAX_NUMBERS
    for table in part.generate:
        recipes, each = _recipes(table, place)
        if room < len(recipes) * each:
            raise StudyError(
                f"{place}: generate: {len(made) + len(recipes)} instances: allowed is at most "
                f"{len(made) + room // each} of these sizes"
            )
        room -= len(recipes) * each
        made += recipes
    return tuple(made)


def _recipes(table: Any, place: str) -> tuple[list[Recipe], int]:
    """The instances of a table, which differ in their seeds alone, and the numbers of each."""
    given = _table(GenerateTable, table, f"{place}: generate")
    world = "-".join([given.preset, *(f"{k}={v}" for k, v in given.set.items())])
    recipes = [Recipe(f"{world}-{seed}", given.preset, seed, given.set) for seed in given.seeds]
    try:
        return recipes, numbers(recipes[0].scenario())
    except ScenarioError as error:
        raise StudyError(f"{place}: generate: {error}") from error


def _entry(table: Any, part: PartTable, training: Mapping[str, Any], place: str) -> Entry:
    given = _table(
        MethodTable,
        {"name": table} if isinstance(table, str) else table,
        f"{place}: method {table}",
    )
    try:
        method = find(given.name).with_settings(**given.settings)
    except MethodError as error:
        raise StudyError(f"{place}: {error}") from error
    label = given.label or given.name
    return Entry(
        method=method,
        label=label,
        seeds=given.seeds or part.seeds,
        budgets_s=given.budgets_s or part.budgets_s,
        take=given.take,
        training=_table(
            TrainingPlan, {**training, **given.train}, f"{place}: method {label}: train"
        ),
    )

"""Suites of instances: read, regenerated, and checked against the manifest.

The manifest says how every instance is made and what its content hashes to. Small suites also
lie under instances/ as files; long ones, and all where only the package is installed, are
generated when asked for, to the same bytes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from satedge.bench.study import croissant, held_out
from satedge.bench.study.suite_data import (
    DEVELOPMENT_SEEDS,
    HELD_OUT,
    SITE,
    SUITES,
    SWEEPS,
    VALIDATION_SEEDS,
    WALKER,
    Recipe,
    Suite,
)
from satedge.nearest import did_you_mean
from satedge.paths import INSTANCES
from satedge.problem.fields import Declared, Wording, declared, param
from satedge.problem.generation.generate import TRAIN_SEEDS, generate, slot_times_s, stream
from satedge.problem.instance import GENERATOR_VERSION, Instance
from satedge.problem.io.files import FileError, read_instance, write_instance
from satedge.problem.io.folder import write_atomically
from satedge.problem.io.jsonfile import parsed, read_bytes, shown
from satedge.problem.satellites.elements import read_elements, sgp4_passes, write_walker_tle
from satedge.problem.satellites.orbit import Passes
from satedge.problem.scenario import Scenario

__all__ = [
    "DEVELOPMENT_SEEDS",
    "HELD_OUT",
    "SUITES",
    "SWEEPS",
    "TRAIN_SEEDS",
    "VALIDATION_SEEDS",
    "Recipe",
    "Suite",
    "SuiteError",
    "build",
    "check_suites",
    "load_suite",
    "manifest",
    "write_description",
    "write_suites",
]

#: Manifest and element sets: data of the package, so that an installed wheel has them.
_DATA = resources.files("satedge.bench.study") / "data"
_MANIFEST = "MANIFEST.json"
_WALKER_TLE = "walker.tle"


class SuiteError(ValueError):
    """A suite is unknown, or its instances are not those of the manifest."""


def load_suite(name: str | Path, root: str | Path | None = None) -> list[Instance]:
    """The instances of a suite, of a folder of instance files, or of one such file.

    `root` is the folder that holds committed suites (default: the repository's instances/, if
    there is one). Raises SuiteError, FileError for a damaged file, or HeldOutError.
    """
    if str(name) in HELD_OUT:
        held_out.require_open(str(name))
        instances = list(build(HELD_OUT[str(name)].recipes, opened=True))
        held_out.check_digest(str(name), instances)
        return instances
    if str(name) not in SUITES:
        return _load_path(Path(name))
    suite, folder = SUITES[str(name)], _root(root) / name
    if suite.committed and folder.is_dir():
        instances = [read_instance(_file(folder, r)) for r in suite.recipes]
    else:
        instances = list(build(suite.recipes))
    known = manifest()
    for recipe, instance in zip(suite.recipes, instances, strict=True):
        problem = _compare(recipe, instance, known)
        if problem:
            raise SuiteError(f"{name}: {problem}")
    return instances


def manifest(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """Name of an instance -> suite, preset, changes, seed, slot and sha256; the package's own, or
    that of a file. Raises SuiteError."""
    with resources.as_file(_DATA / _MANIFEST) if path is None else nullcontext(path) as file:
        try:
            entries: dict[str, dict[str, Any]] = parsed(read_bytes(file))
            if not isinstance(entries, dict):
                raise FileError(f"holds {shown(entries)}: allowed is an object")
            for name, entry in entries.items():
                _check_entry(name, entry)
        except (FileError, SuiteError) as error:
            raise SuiteError(f"{file}: {error}") from None
    return entries


@declared(SuiteError)
class ManifestEntry(Declared):
    """What the manifest says of an instance; see Recipe."""

    suite: str = param(doc="The first suite that has it.")
    preset: str = param(doc="Preset of its scenario.")
    seed: int = param(doc="Seed of its episode.", low=0)
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$"), Wording("64 hexadecimal digits")] = (
        param(doc="Hash of its content.")
    )
    changes: dict[str, Any] = param({}, doc="Scenario fields that differ from the preset.")
    slot: int | None = param(None, doc="The slot that is cut out.", low=0)
    hours: float | None = param(None, "h", doc="Time of its satellites after the epoch.", low=0)


def _check_entry(name: str, entry: Any) -> None:
    if not isinstance(entry, dict):
        raise FileError(f"{shown(name)} = {shown(entry)}: allowed is an object")
    try:
        ManifestEntry(**entry)
    except SuiteError as error:
        raise SuiteError(f"{shown(name)}: {error}") from None


def build(recipes: Iterable[Recipe], opened: bool = False) -> Iterator[Instance]:
    """Make instances, in order. Slots of one episode that follow each other share its making.

    `opened`: of held-out suites too.
    """
    made: tuple[Scenario, int, float | None] | None = None
    for recipe in recipes:
        key = (recipe.scenario(), recipe.seed, recipe.hours)
        if key != made:
            passes = None if recipe.hours is None else walker_passes(key[0], recipe.hours)
            episode = generate(
                key[0], recipe.seed, passes=passes, name=recipe.name, held_out=opened
            )
            made = key
            before_m = wander(episode)
        t = recipe.slot
        yield episode if t is None else episode.window(t, t + 1, before_m[t], recipe.name)


def walker_passes(scenario: Scenario, hours: float) -> Passes:
    """The committed constellation over its site, `hours` after its epoch."""
    with resources.as_file(_DATA / _WALKER_TLE) as path:
        records = read_elements(path)
    return sgp4_passes(
        records,
        slot_times_s(scenario),
        epoch=WALKER["epoch"] + timedelta(hours=hours),
        min_elevation_deg=scenario.elevation_min_deg,
        isl_topology=scenario.isl_topology,
        isl_min_altitude_m=scenario.isl_altitude_min_m,
        **SITE,
    )


def wander(episode: Instance) -> NDArray[np.float64]:
    """UAV positions (T, M, 2) before each slot of a random admissible motion.

    Steps are uniform in the square about the reach disc; one that leaves the disc or the area is
    not taken. Steps being as likely as their opposites, positions stay uniform in the area.
    """
    s = episode.scenario
    shape = (episode.n_slots, s.n_uavs, 2)
    steps = 2.0 * stream(episode.seed, "suite-motion").random(shape) - 1.0
    within = (steps**2).sum(axis=-1) <= 1.0
    before_m = np.empty(shape)
    at = episode.uav_xy_m
    for t in range(episode.n_slots):
        before_m[t] = at
        target = at + s.uav_reach_m * steps[t]
        inside = ((target >= 0) & (target <= s.area_side_m)).all(axis=-1)
        at = np.where((within[t] & inside)[:, None], target, at)
    return before_m


def check_suites(root: str | Path | None = None) -> list[str]:
    """Regenerate everything and compare; one line for each difference, none when all is well.

    Compared: the manifest, the constellation, and the files under `root` (see `load_suite`) with
    their description, which may be missing as a whole.
    """
    problems = _check_walker() + held_out.check()
    known = manifest()
    declared = {}
    for name, recipe in _unique_recipes():
        declared[recipe.name] = recipe.to_dict() | {"suite": name}
        told = {k: v for k, v in known.get(recipe.name, {}).items() if k != "sha256"}
        if told and told != declared[recipe.name]:
            problems.append(f"manifest: {recipe.name} is made otherwise than declared")
    problems += [f"manifest: {name} is in no suite" for name in known if name not in declared]
    recipes = [recipe for _, recipe in _unique_recipes()]
    for recipe, instance in zip(recipes, build(recipes), strict=True):
        problems += filter(None, [_compare(recipe, instance, known)])
    return problems + _check_files(_root(root), known) + _check_description(_root(root))


def write_suites(root: str | Path | None = None) -> list[Path]:
    """Write manifest, constellation, committed suites and their description; return the paths.

    For use in a checkout: manifest and constellation are files of the package.
    """
    with resources.as_file(_DATA) as data:
        written = [data / _WALKER_TLE, data / _MANIFEST]
    write_walker_tle(written[0], **WALKER)
    entries = {}
    pairs = list(_unique_recipes())
    instances = build(recipe for _, recipe in pairs)
    for (name, recipe), instance in zip(pairs, instances, strict=True):
        told = {"suite": name, **recipe.to_dict(), "sha256": instance.content_sha256}
        entries[recipe.name] = told
        if SUITES[name].committed:
            path = _file(_root(root) / name, recipe)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_instance(instance, path)
            written.append(path)
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
    write_atomically(written[1], ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    return [*written, *write_description(root)]


def write_description(root: str | Path | None = None) -> list[Path]:
    """Write the description of a clone's suites; return its path, if there is a clone."""
    folder = _root(root)
    if not (folder / "records").is_dir():
        return []
    write_atomically(folder / croissant.NAME, croissant.text(folder).encode())
    return [folder / croissant.NAME]


def _unique_recipes() -> Iterator[tuple[str, Recipe]]:
    """Suite and recipe of every instance, under the first suite that has it."""
    seen = set()
    for name, suite in SUITES.items():
        for recipe in suite.recipes:
            if recipe.name not in seen:
                seen.add(recipe.name)
                yield name, recipe


def _compare(recipe: Recipe, instance: Instance, known: dict[str, dict[str, Any]]) -> str:
    """What is wrong with an instance, or nothing."""
    if recipe.name not in known:
        return f"{recipe.name} is not in the manifest"
    expected = known[recipe.name]["sha256"]
    if instance.content_sha256 == expected:
        return ""
    return (
        f"{recipe.name}: sha256 = {instance.content_sha256}: allowed is {expected}, "
        f"the manifest's (generator version {GENERATOR_VERSION})"
    )


def _check_walker() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / _WALKER_TLE
        write_walker_tle(again, **WALKER)
        same = again.read_text("ascii") == (_DATA / _WALKER_TLE).read_text("ascii")
    return [] if same else [f"{_WALKER_TLE}: differs from the constellation declared"]


def _check_files(root: Path, known: dict[str, dict[str, Any]]) -> list[str]:
    """Problems of committed files. Without `root`, there are none to check."""
    problems = []
    for name, suite in SUITES.items():
        folder = root / name
        if not suite.committed or not root.is_dir():
            continue
        paths = {_file(folder, recipe): recipe for recipe in suite.recipes}
        extra = sorted(path for path in _instance_files(folder) if path not in paths)
        problems += [f"{path}: is no instance of the suite" for path in extra]
        for path, recipe in paths.items():
            try:
                instance = read_instance(path)
            except FileError as error:
                problems.append(str(error))
                continue
            wrong = _compare(recipe, instance, known)
            if instance.name != recipe.name:
                wrong = f"name = {instance.name!r}: allowed is {recipe.name!r}"
            problems += [f"{path}: {wrong}"] if wrong else []
    return problems


def _check_description(root: Path) -> list[str]:
    """What is wrong with a clone's description of the suites; nothing where there are no files."""
    path = root / croissant.NAME
    if not (root / "records").is_dir():
        return []
    same = path.is_file() and path.read_text("utf-8") == croissant.text(root)
    return [] if same else [f"{path}: differs from what `satedge suites --describe` makes"]


def _load_path(path: Path) -> list[Instance]:
    """The instances of a file, or of a folder's files in order of their names."""
    if path.is_file():
        return [read_instance(path)]
    if not path.is_dir():
        hint = did_you_mean(str(path), SUITES)
        raise SuiteError(
            f"suite {str(path)!r}{hint}: allowed is one of {', '.join(SUITES)}, or a folder or "
            "file of instances"
        )
    paths = sorted(_instance_files(path))
    if not paths:
        raise SuiteError(f"folder {str(path)!r}: allowed is one with .json or .json.gz instances")
    return [read_instance(p) for p in paths]


def _instance_files(folder: Path) -> list[Path]:
    return [*folder.glob("*.json"), *folder.glob("*.json.gz")]


def _file(folder: Path, recipe: Recipe) -> Path:
    return folder / f"{recipe.name}.json"


def _root(root: str | Path | None) -> Path:
    """Where committed suites lie: `root`, or the checkout's own folder."""
    return INSTANCES if root is None else Path(root)

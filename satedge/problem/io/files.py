"""Instances and plans as JSON files: exact in both directions, and refused when damaged.

An instance file is one object: `format`, `schema_version`, `generator_version`, `name`, `seed`,
`content_sha256`, `scenario` (its fields, later ones only where they differ from their default),
`arrays` (every declared array as nested lists) and `file_sha256`; `instance.schema.json` beside
this module describes it, `plan.schema.json` the plans. `content_sha256` covers what the instance
means (scenario, seed, arrays), `file_sha256` its name too; older files lack the latter. Floats are
written with the shortest digits that give the same bits back. A name that ends in .json.gz is
compressed, always to the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from satedge.problem.instance import GENERATOR_VERSION, Instance, InstanceError, array_fields
from satedge.problem.io.folder import SEAL, is_sealed, sealed
from satedge.problem.io.jsonfile import (
    FileError,
    check_all,
    check_head,
    check_keys,
    load,
    nested_array,
    refused,
    shown,
    store,
    whole,
)
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.scenario import Scenario, ScenarioError

__all__ = ["FileError", "read_instance", "read_plan", "write_instance", "write_plan"]

INSTANCE_FORMAT = "satedge-instance"
PLAN_FORMAT = "satedge-plan"
#: Raised by every change of the layout that older readers would misread.
SCHEMA_VERSION = 1
_HEAD = ("format", "schema_version")


def read_instance(path: str | Path) -> Instance:
    """The instance in a .json or .json.gz file. Raises FileError."""
    try:
        return _instance(load(Path(path)))
    except (FileError, ScenarioError, InstanceError) as error:
        raise FileError(f"{path}: {error}") from None


def write_instance(instance: Instance, path: str | Path) -> None:
    """Write a .json or .json.gz file; it appears whole or not at all. Raises FileError.

    What would not read back (an instance without slots, say) is not written.
    """
    document = {
        "format": INSTANCE_FORMAT,
        "schema_version": SCHEMA_VERSION,
        "generator_version": GENERATOR_VERSION,
        "name": instance.name,
        "seed": instance.seed,
        "content_sha256": instance.content_sha256,
        "scenario": instance.scenario.to_dict(),
        "arrays": {f.name: getattr(instance, f.name).tolist() for f in array_fields()},
    }
    try:
        _instance(document)
        store(sealed(document), Path(path))
    except (FileError, ScenarioError, InstanceError) as error:
        raise FileError(f"{path}: {error}") from None


def read_plan(path: str | Path, instance: Instance | None = None) -> Plan:
    """The plan in a .json or .json.gz file: (T, K) servers and powers, (T, M, 2) positions.

    With an instance, sizes and servers must fit it, and where the file names the instance it was
    made for, it must be this one. Whether the plan is admissible is for the referee to say.
    Raises FileError.
    """
    try:
        return _plan(load(Path(path)), instance)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def write_plan(plan: Plan, path: str | Path, instance: Instance | None = None) -> None:
    """Write one plan (no stack of plans), with the hash of its instance if that is given.

    Raises FileError for a plan that would not read back, or a place that cannot be written.
    """
    document: dict[str, Any] = {"format": PLAN_FORMAT, "schema_version": SCHEMA_VERSION}
    if instance is not None:
        document["instance_sha256"] = instance.content_sha256
    document.update(plan.to_dict())
    try:
        _plan(document, instance)
        store(document, Path(path))
    except FileError as error:
        raise FileError(f"{path}: {error}") from None


def _instance(document: Any) -> Instance:
    """A parsed instance document as an Instance, every part of it checked."""
    check_head(document, INSTANCE_FORMAT, SCHEMA_VERSION)
    required = (*_HEAD, "generator_version", "name", "seed", "scenario", "arrays")
    check_keys(document, required, ("content_sha256", SEAL))
    whole("generator_version", document["generator_version"], 1)
    seed = whole("seed", document["seed"], 0)
    if not isinstance(document["name"], str):
        raise refused("name", document["name"], "a string")
    scenario = _scenario(document["scenario"])
    arrays = _arrays(document["arrays"], scenario)
    instance = Instance(document["name"], scenario, seed, **arrays)
    stored = document.get("content_sha256", instance.content_sha256)
    if stored != instance.content_sha256:
        raise FileError(
            f"content_sha256 = {shown(stored)}: allowed is {instance.content_sha256}, the hash of "
            "what the file holds; remove content_sha256 to accept an edited file"
        )
    if "content_sha256" in document and SEAL in document and not is_sealed(document):
        raise FileError(
            f"{SEAL} = {shown(document[SEAL])}: allowed is the hash of all else in the file; "
            "remove content_sha256 to accept an edited file"
        )
    return instance


def _scenario(values: Any) -> Scenario:
    """A complete scenario from JSON values of the declared types (no numbers as text)."""
    if not isinstance(values, dict):
        raise refused("scenario", values, "an object")
    return Scenario.from_dict(values)


def _arrays(values: Any, scenario: Scenario) -> dict[str, Any]:
    """The declared arrays, by name. T is the length of `active`."""
    if not isinstance(values, dict):
        raise refused("arrays", values, "an object")
    declared = array_fields()
    check_keys(values, tuple(f.name for f in declared))
    active = values["active"]
    if not isinstance(active, list) or not active:
        raise refused("active", active, "a list of at least one slot")
    sizes = {
        "T": len(active),
        "K": scenario.n_devices,
        "M": scenario.n_uavs,
        "N": scenario.n_satellites,
        "S": scenario.n_servers,
        "2": 2,
    }
    arrays = {}
    for f in declared:
        shape = tuple(sizes[letter] for letter in f.metadata["shape"])
        arrays[f.name] = nested_array(f.name, values[f.name], shape, f.metadata["kind"])
    return arrays


def _plan(document: Any, instance: Instance | None) -> Plan:
    """A parsed plan document as a Plan, checked against an instance if there is one."""
    check_head(document, PLAN_FORMAT, SCHEMA_VERSION)
    check_keys(document, (*_HEAD, "server", "power_W", "uav_xy_m"), ("instance_sha256",))
    _check_made_for(document.get("instance_sha256"), instance)
    t, k, m = _plan_sizes(document, instance)
    server = nested_array("server", document["server"], (t, k), "i8")
    power_W = nested_array("power_W", document["power_W"], (t, k), "f8")
    uav_xy_m = nested_array("uav_xy_m", document["uav_xy_m"], (t, m, 2), "f8")
    last = np.iinfo(np.int64).max if instance is None else instance.scenario.n_servers - 1
    rule = "a whole number >= -1" if instance is None else f"a whole number in [-1, {last}]"
    check_all("server", server, (server >= NO_SERVER) & (server <= last), rule)
    check_all("power_W", power_W, np.isfinite(power_W), "a finite number")
    check_all("uav_xy_m", uav_xy_m, np.isfinite(uav_xy_m), "a finite number")
    return Plan(server, power_W, uav_xy_m)


def _check_made_for(made_for: Any, instance: Instance | None) -> None:
    if made_for is not None and not isinstance(made_for, str):
        raise refused("instance_sha256", made_for, "a string")
    if instance is not None and made_for not in (None, instance.content_sha256):
        raise FileError(
            f"instance_sha256 = {shown(made_for)}: allowed is {instance.content_sha256}, the hash "
            "of this instance; remove instance_sha256 to use the plan here all the same"
        )


def _plan_sizes(document: dict[str, Any], instance: Instance | None) -> tuple[int, int, int]:
    """T, K and M: the instance's, or those of the plan's first slot."""
    if instance is not None:
        return instance.n_slots, instance.scenario.n_devices, instance.scenario.n_uavs
    for name in ("server", "uav_xy_m"):
        rows = document[name]
        if not isinstance(rows, list) or not rows or not isinstance(rows[0], list):
            raise refused(name, rows, "a list of at least one slot, each a list")
    return len(document["server"]), len(document["server"][0]), len(document["uav_xy_m"][0])

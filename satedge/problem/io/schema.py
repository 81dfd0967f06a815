"""JSON Schemas of instance and plan files, made from the declarations the checks read.

They are published as `instance.schema.json` and `plan.schema.json` beside this module. A schema
cannot relate lengths to sizes, nor tie fields together: `files` checks those as well.
"""

from __future__ import annotations

import dataclasses
import json
from math import inf
from pathlib import Path
from typing import Any

from satedge.problem.fields import choices
from satedge.problem.instance import array_fields
from satedge.problem.io.files import INSTANCE_FORMAT, PLAN_FORMAT, SCHEMA_VERSION
from satedge.problem.io.folder import SEAL, write_atomically
from satedge.problem.scenario import Scenario, ScenarioError

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ENTRY = {"f8": "number", "i8": "integer", "?": "boolean"}


def instance_schema() -> dict[str, Any]:
    """The schema of an instance file."""
    arrays = {f.name: _nested(**f.metadata) for f in array_fields()}
    scenario = {f.name: _parameter(f) for f in dataclasses.fields(Scenario)}
    later = tuple(f.name for f in dataclasses.fields(Scenario) if f.metadata["since"] > 1)
    fields = {
        "format": {"const": INSTANCE_FORMAT},
        "schema_version": {"const": SCHEMA_VERSION},
        "generator_version": {"type": "integer", "minimum": 1},
        "name": {"type": "string"},
        "seed": {"type": "integer", "minimum": 0},
        "content_sha256": _HASH,
        "scenario": _object(scenario, optional=later),
        "arrays": _object(arrays),
        SEAL: _HASH,
    }
    title = "A satedge instance: P1 over T slots, K devices, M UAVs, N satellites, S = M + N"
    return {
        "$schema": _DIALECT,
        "title": title,
        **_object(fields, optional=("content_sha256", SEAL)),
    }


def plan_schema() -> dict[str, Any]:
    """The schema of a plan file."""
    fields = {
        "format": {"const": PLAN_FORMAT},
        "schema_version": {"const": SCHEMA_VERSION},
        "instance_sha256": _HASH,
        "server": _nested("TK", "-", "Server in 0..S-1, UAVs first; -1 for none.", "i8", low=-1),
        "power_W": _nested("TK", "W", "Transmit power; 0 without a server."),
        "uav_xy_m": _nested("TM2", "m", "UAV positions, reached at the start of the slot."),
    }
    title = "A satedge plan: decisions for T slots"
    return {"$schema": _DIALECT, "title": title, **_object(fields, optional=("instance_sha256",))}


def write_schemas(folder: Path = Path(__file__).parent) -> None:
    """Write both schemas; to be run after a change of the declarations.

    Raises ScenarioError where a published default of the scenario would change: files that leave
    the field out, and every preset, would mean another world.
    """
    schemas = {"instance": instance_schema(), "plan": plan_schema()}
    published = folder / "instance.schema.json"
    if published.exists():
        _check_defaults(json.loads(published.read_text()), schemas["instance"])
    for name, schema in schemas.items():
        text = json.dumps(schema, indent=2) + "\n"
        write_atomically(folder / f"{name}.schema.json", text.encode())


def _check_defaults(published: dict[str, Any], today: dict[str, Any]) -> None:
    before, now = (schema["properties"]["scenario"]["properties"] for schema in (published, today))
    for name in before.keys() & now.keys():
        was, value = before[name]["default"], now[name]["default"]
        if value != was:
            raise ScenarioError(f"default of {name} = {value!r}: allowed is {was!r}, as published")


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _nested(
    shape: str,
    unit: str,
    doc: str,
    kind: str = "f8",
    low: float = -inf,
    high: float = inf,
) -> dict[str, Any]:
    """Nested lists, one level for each letter of the shape."""
    schema: dict[str, Any] = {"type": _ENTRY[kind], **_range(low, high)}
    for letter in reversed(shape):
        schema = {"type": "array", "items": schema}
        if letter == "2":
            schema.update(minItems=2, maxItems=2)
    if shape.startswith("T"):
        schema["minItems"] = 1
    letters = ", ".join(shape)
    return {"description": f"({letters}) {doc} Unit: {unit}.", **schema}


def _parameter(field: dataclasses.Field[Any]) -> dict[str, Any]:
    """One scenario field, with its prose, unit and source."""
    meta, default = field.metadata, field.default
    text = f"{meta['doc']} Unit: {meta['unit']}. Source: {meta['source']}."
    told = list(default) if isinstance(default, tuple) else default
    about = {"description": text, "default": told}
    if choices(field):
        return {**about, "enum": list(choices(field))}
    if isinstance(default, tuple):
        items = {"type": "integer", "minimum": 1}
        return {**about, "type": "array", "items": items, "minItems": 1, "uniqueItems": True}
    kind = "integer" if isinstance(default, int) else "number"
    return {**about, "type": kind, **_range(meta.get("ge", -inf), meta.get("le", inf))}


def _range(low: float, high: float) -> dict[str, float]:
    ends = {} if low == -inf else {"minimum": low}
    return ends if high == inf else {**ends, "maximum": high}

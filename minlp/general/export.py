"""P1 of a slot as a file for other solvers, and their solutions read back for judging.

nl and gms hold P1 itself (log-power formulation by default, exact download); mps and lp hold its
MILP relaxation for plans that cost no more than a simple known one, which keeps its numbers in
range: its optimum is a lower bound. Beside every file lies `FILE.names.json` with the
names of variables in the file's own order, so that a solution is understood without guessing.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from minlp.milp.model import build_relaxation
from minlp.p1 import model as p1
from minlp.p1.common import UNIT_M
from minlp.p1.data import slot_terms
from minlp.p1.start import start_plan
from satedge.problem.fields import NUMBER
from satedge.problem.instance import Instance
from satedge.problem.io.folder import is_sealed, sealed, write_atomically
from satedge.problem.io.jsonfile import FileError, parsed, read_bytes, read_text, shown
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.referee import judge

Array = NDArray[np.float64]

#: Name of a format -> Pyomo's name of it.
WRITERS = {"nl": "nl", "gms": "gams", "mps": "mps", "lp": "cpxlp"}

FORMATS = tuple(WRITERS)

#: Formats that hold the MILP relaxation.
LINEAR = ("mps", "lp")


class SolutionError(ValueError):
    """A solution file cannot be read. The message says file, place and what is allowed."""


def export(
    instance: Instance,
    slot: int,
    format: str,
    path: str | Path,
    uav_xy_m: Array | None = None,
    formulation: str = "log-power",
    comments: bool = True,
) -> None:
    """Write a slot, the UAVs coming from `uav_xy_m` (M, 2). Raises ValueError for a bad format.

    Without comments, lines of nl hold nothing from a # on, which some readers stumble over.
    """
    model = _model(instance, slot, format, uav_xy_m, formulation)
    target = Path(path)
    options = {"symbolic_solver_labels": True}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / target.name
        _, symbols = model.write(str(made), format=WRITERS[format], io_options=options)
        names, content = _names(model, format, made, symbols), made.read_bytes()
    if format == "nl" and not comments:
        content = re.sub(rb"[ \t]*#[^\n]*", b"", content)
    digest = hashlib.sha256(content).hexdigest()
    head = {"format": format, "slot": slot, "formulation": formulation, "sha256": digest}
    text = json.dumps(sealed({**head, "names": names}), indent=1) + "\n"
    write_atomically(target, content)
    write_atomically(names_path(target), text.encode())


def names_path(path: Path) -> Path:
    """Where the names of the variables lie."""
    return path.with_name(path.name + ".names.json")


def _model(
    instance: Instance, slot: int, format: str, uav_xy_m: Array | None, formulation: str
) -> pyo.ConcreteModel:
    if format not in FORMATS:
        raise ValueError(f"format {format!r}: allowed is {', '.join(FORMATS)}")
    if format in LINEAR:
        terms = slot_terms(instance, slot, uav_xy_m)
        known = float(judge(terms.instance, start_plan(terms.instance)).cost)
        return build_relaxation(terms, known)
    return p1.build(instance, slot, uav_xy_m, formulation=formulation)


def _names(model: Any, format: str, target: Path, symbols: Any) -> dict[str, str]:
    """Name in the file -> name in the model; for nl in the order of the columns."""
    if format == "nl":
        columns = target.with_suffix(".col").read_text().split("\n")
        return {name: name for name in columns if name}
    table = model.solutions.symbol_map[symbols]
    return {
        name: variable.name
        for variable in model.component_data_objects(pyo.Var)
        if (name := table.byObject.get(id(variable))) is not None
    }


def read_solution(
    path: str | Path,
    exported: str | Path,
    instance: Instance,
    slot: int = 0,
    uav_xy_m: Array | None = None,
) -> Plan:
    """The plan (1, K), (1, K), (1, M, 2) in a solution of an exported file, for the judge.

    Reads `.sol` of the AMPL family for nl; else JSON {name: value}, or lines of `name value` or
    `name = value` (`#` begins a comment, other lines are skipped). Variables that are not named
    count as 0. Nothing is believed: the plan may be inadmissible. Raises SolutionError.
    """
    meta = _meta(Path(exported), slot)
    try:
        text = read_text(Path(path))
    except FileError as error:
        raise SolutionError(f"{path}: {error}") from None
    if meta["format"] == "nl" and Path(path).suffix == ".sol":
        values = _ampl(path, text, list(meta["names"]))
    else:
        values = _named(path, text, meta["names"])
    model = _model(instance, slot, meta["format"], uav_xy_m, meta["formulation"])
    for variable in model.component_data_objects(pyo.Var):
        variable.set_value(values.get(variable.name, 0.0), skip_validation=True)
    return _relaxed_plan(model) if meta["format"] in LINEAR else p1.plan_of(model)


def _meta(exported: Path, slot: int) -> dict[str, Any]:
    """Format, formulation and names of an exported file, from beside it. Raises SolutionError."""
    beside = names_path(exported)
    try:
        meta = parsed(read_bytes(beside))
        if not isinstance(meta, dict) or not is_sealed(meta) or not _described(meta):
            raise FileError("allowed is the file that `satedge export` has written, unaltered")
        if meta["slot"] != slot:
            raise FileError(f"slot = {meta['slot']}: allowed is {slot}, the slot that is asked for")
    except FileError as error:
        raise SolutionError(f"{beside}: {error}") from None
    try:
        digest = hashlib.sha256(read_bytes(exported)).hexdigest()
    except FileError as error:
        raise SolutionError(f"{exported}: {error}") from None
    if meta["sha256"] != digest:
        raise SolutionError(
            f"{beside}: {exported} is not the file whose names it holds: export anew"
        )
    found: dict[str, Any] = meta
    return found


def _described(meta: dict[str, Any]) -> bool:
    """Whether the names beside a file say what they must."""
    names = meta.get("names")
    return (
        meta.get("format") in FORMATS
        and type(meta.get("slot")) is int
        and type(meta.get("sha256")) is str
        and str(meta.get("formulation")) in p1.FORMULATIONS
        and isinstance(names, dict)
        and all(type(name) is str for name in names.values())
    )


def _ampl(path: str | Path, text: str, names: list[str]) -> dict[str, float]:
    """Values of an AMPL .sol file: a message, Options, counts, duals, then the variables."""
    lines = [line.strip() for line in text.split("\n")]
    try:
        at = lines.index("Options") + 1
        at += 1 + _count(lines[at])
        n_duals, n_values = _count(lines[at + 1]), _count(lines[at + 3])
        first = at + 4 + n_duals
        values = [_number(line) for line in lines[first : first + n_values]]
    except (ValueError, IndexError):
        raise SolutionError(f"{path}: allowed is an AMPL solution with values") from None
    if len(values) != len(names):
        raise SolutionError(f"{path}: {len(values)} values: allowed is {len(names)}")
    return dict(zip(names, values, strict=True))


def _named(path: str | Path, text: str, names: dict[str, str]) -> dict[str, float]:
    """Values by name, of the file or of the model."""
    found: dict[str, float] = {}
    known = {**names, **{name: name for name in names.values()}}
    if text.lstrip().startswith("{"):
        try:
            items = list(parsed(text.encode()).items())
        except FileError as error:
            raise SolutionError(f"{path}: {error}") from None
    else:
        rows = (line.split("#")[0].replace("=", " ").split() for line in text.split("\n"))
        items = [(row[0], row[1]) for row in rows if len(row) >= 2]
    for name, value in items:
        if name not in known:
            continue
        if known[name] in found:
            raise SolutionError(f"{path}: {name} stands twice: allowed is once")
        try:
            found[known[name]] = _number(value)
        except (ValueError, OverflowError):
            told = f"{name} = {shown(value)}"
            raise SolutionError(f"{path}: {told}: allowed is a finite number") from None
    if not found:
        raise SolutionError(f"{path}: allowed is a file that names variables of the export")
    return found


def _number(value: Any) -> float:
    """A number in plain digits, or of JSON. Raises ValueError, OverflowError."""
    fits = type(value) in (int, float) or (isinstance(value, str) and NUMBER.fullmatch(value))
    if not fits or not math.isfinite(float(value)):
        raise ValueError
    return float(value)


def _count(text: str) -> int:
    if re.fullmatch("[0-9]{1,9}", text) is None:
        raise ValueError
    return int(text)


def _relaxed_plan(model: Any) -> Plan:
    """Servers, powers and positions of a point of the MILP relaxation."""
    s = model.terms.scenario
    server, power_W = np.full(s.n_devices, NO_SERVER), np.zeros(s.n_devices)
    for k in model.terms.devices:
        weights = {b: pyo.value(model.x[j, b]) for j, b in model.x if j == k}
        if k in model.refuses:
            weights[NO_SERVER] = pyo.value(model.refuses[k])
        server[k] = max(weights, key=lambda b: weights[b])
        if server[k] >= 0:
            wanted = pyo.value(model.power_W[k, int(server[k])])
            power_W[k] = np.clip(wanted, s.power_min_W, s.power_max_W)
    xy = np.zeros((s.n_uavs, 2))
    for (m, axis), variable in model.xy.items():
        xy[m, axis] = UNIT_M * pyo.value(variable)
    return Plan(server[None], power_W[None], xy[None])

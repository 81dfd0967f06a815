"""A user's own sites, tracks and requests, from CSV files, in place of generated ones.

Every function takes an instance and returns a new one with those parts replaced and checked.
Files have a header line; columns may stand in any order. What is wrong is one FileError of one
line: file, line, column, value, and what is allowed.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from satedge.problem.fields import NUMBER
from satedge.problem.instance import Instance, array_fields
from satedge.problem.io.jsonfile import FileError, read_text, reason, shown

__all__ = ["with_device_sites", "with_requests", "with_tracks", "with_uav_sites"]

#: Turns the text of a cell into its value, or raises ValueError saying what is allowed.
Parse = Callable[[str], Any]
Row = dict[str, Any]


def with_device_sites(instance: Instance, path: str | Path) -> Instance:
    """Devices that stay where a CSV with columns device, x_m, y_m puts them. Raises FileError."""
    k, side = instance.scenario.n_devices, instance.scenario.area_side_m
    columns = {"device": _index(k), "x_m": _number(0, side), "y_m": _number(0, side)}
    sites = np.full((k, 2), np.nan)
    for row in _rows(path, columns, keys=("device",)):
        sites[row["device"]] = row["x_m"], row["y_m"]
    _require_all(path, sites, ("device",))
    tracks = np.broadcast_to(sites, instance.device_xy_m.shape)
    return dataclasses.replace(instance, device_xy_m=tracks.copy())


def with_tracks(instance: Instance, path: str | Path) -> Instance:
    """Device positions from a CSV with columns slot, device, x_m, y_m: a row for each pair.

    Raises FileError.
    """
    k, side = instance.scenario.n_devices, instance.scenario.area_side_m
    columns = {
        "slot": _index(instance.n_slots),
        "device": _index(k),
        "x_m": _number(0, side),
        "y_m": _number(0, side),
    }
    tracks = np.full((instance.n_slots, k, 2), np.nan)
    for row in _rows(path, columns, keys=("slot", "device")):
        tracks[row["slot"], row["device"]] = row["x_m"], row["y_m"]
    _require_all(path, tracks, ("slot", "device"))
    return dataclasses.replace(instance, device_xy_m=tracks)


def with_requests(instance: Instance, path: str | Path) -> Instance:
    """Requests from a CSV; a device without a row is idle in that slot.

    Columns: slot, device, input_bit, output_words, deadline_s, accuracy_floor. Raises FileError.
    """
    declared = {f.name: f.metadata for f in array_fields()}
    columns = {
        "slot": _index(instance.n_slots),
        "device": _index(instance.scenario.n_devices),
        "input_bit": _number(0, math.inf, above=True),
        "output_words": _whole(1, declared["output_words"]["high"]),
        "deadline_s": _number(0, math.inf, above=True),
        "accuracy_floor": _number(0, 1),
    }
    shape = instance.active.shape
    names = ("input_bit", "output_words", "deadline_s", "accuracy_floor")
    values = {name: np.zeros(shape, declared[name]["kind"]) for name in names}
    active = np.zeros(shape, bool)
    for row in _rows(path, columns, keys=("slot", "device")):
        at = row["slot"], row["device"]
        active[at] = True
        for name in names:
            values[name][at] = row[name]
    changes: dict[str, Any] = {"active": active, **values}
    return dataclasses.replace(instance, **changes)


def with_uav_sites(instance: Instance, path: str | Path) -> Instance:
    """UAV start positions from a CSV with columns uav, x_m, y_m and, if wanted, altitude_m.

    An altitude holds for all slots. Raises FileError.
    """
    m, side = instance.scenario.n_uavs, instance.scenario.area_side_m
    columns = {"uav": _index(m), "x_m": _number(0, side), "y_m": _number(0, side)}
    optional = {"altitude_m": _number(1e-3, math.inf)}
    sites = np.full((m, 2), np.nan)
    altitude_m = instance.uav_altitude_m.copy()
    for row in _rows(path, columns, keys=("uav",), optional=optional):
        sites[row["uav"]] = row["x_m"], row["y_m"]
        altitude_m[:, row["uav"]] = row.get("altitude_m", altitude_m[:, row["uav"]])
    _require_all(path, sites, ("uav",))
    return dataclasses.replace(instance, uav_xy_m=sites, uav_altitude_m=altitude_m)


def _rows(
    path: str | Path,
    columns: dict[str, Parse],
    keys: tuple[str, ...],
    optional: dict[str, Parse] | None = None,
) -> Iterator[Row]:
    """The rows of a CSV file, parsed; no two with the same keys."""
    first_line: dict[tuple[int, ...], int] = {}
    lines = _cells(path)
    header_line, header = next(lines, (1, []))
    parsers = _parsers(path, header_line, header, columns, optional or {})
    for line, cells in lines:
        if len(cells) != len(header):
            raise FileError(
                f"{path}: line {line} has {len(cells)} columns: allowed is {len(header)}"
            )
        row: Row = {}
        for (name, parse), text in zip(parsers, cells, strict=True):
            try:
                row[name] = parse(text)
            except ValueError as error:
                raise FileError(
                    f"{path}: line {line}, column {name} = {shown(text)}: allowed is {error}"
                ) from None
        key = tuple(row[name] for name in keys)
        if key in first_line:
            place = ", ".join(f"{n} {v}" for n, v in zip(keys, key, strict=True))
            raise FileError(
                f"{path}: line {line}, column {keys[-1]} = {shown(key[-1])}: allowed is one row "
                f"for {place}, and line {first_line[key]} is one"
            )
        first_line[key] = line
        yield row


def _parsers(
    path: str | Path,
    line: int,
    header: list[str],
    columns: dict[str, Parse],
    optional: dict[str, Parse],
) -> list[tuple[str, Parse]]:
    """Name and parser of each column of a header that has all it must and nothing else."""
    known = {**columns, **optional}
    for name in header:
        if name not in known or header.count(name) > 1:
            raise FileError(
                f"{path}: line {line}, column {shown(name)}: allowed is each of "
                f"{', '.join(known)} once"
            )
    for name in columns:
        if name not in header:
            raise FileError(
                f"{path}: line {line}, column {name} is missing: allowed is a header "
                f"with {', '.join(columns)}"
            )
    return [(name, known[name]) for name in header]


def _cells(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of every line that is not empty."""
    try:
        text = read_text(Path(path))
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise FileError(
            f"{path}: cannot be read ({reason(error)}): allowed is a CSV file in UTF-8"
        ) from None


def _require_all(path: str | Path, values: np.ndarray, keys: tuple[str, ...]) -> None:
    """Refuse a file that left out an entry; a position left out is still NaN."""
    for index in np.argwhere(np.isnan(values).any(axis=-1)):
        place = ", ".join(f"{n} {i}" for n, i in zip(keys, index, strict=True))
        each = " and ".join(
            f"{n} in 0..{size - 1}" for n, size in zip(keys, values.shape, strict=False)
        )
        raise FileError(f"{path}: no row for {place}: allowed is one row for each {each}")


# --- cells


def _number(low: float, high: float, *, above: bool = False) -> Parse:
    """A finite number in [low, high]; greater than `low` if `above`."""
    least = f"greater than {low:g}" if above else f"at least {low:g}"
    rule = f"a number {least}" if high == math.inf else f"a number in [{low:g}, {high:g}]"

    def parse(text: str) -> float:
        value = float(text) if NUMBER.fullmatch(text) else math.nan
        if not (low <= value <= high and math.isfinite(value)) or (above and value == low):
            raise ValueError(rule)
        return value

    return parse


def _whole(low: int, high: int) -> Parse:
    """A whole number in [low, high], in plain digits."""
    rule = f"a whole number in [{low}, {high}]"

    def parse(text: str) -> int:
        digits = text.isascii() and text.isdecimal() and len(text) <= 18
        if not digits or not low <= int(text) <= high:
            raise ValueError(rule)
        return int(text)

    return parse


def _index(count: int) -> Parse:
    """An index in 0..count-1."""
    if count:
        return _whole(0, count - 1)

    def refuse(_: str) -> int:
        raise ValueError("nothing: the scenario has none of them")

    return refuse

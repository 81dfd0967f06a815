"""Orbital elements from and to files: two-line element sets (TLE) and orbit mean-elements
messages (OMM, CCSDS 502.0-B) as JSON or CSV with the field names CelesTrak uses.

What a file says is checked before SGP4 sees it, since SGP4 reads damaged columns as some number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from satedge.problem.fields import NUMBER
from satedge.problem.io.jsonfile import FileError, parsed, read_text


class ElementsError(ValueError):
    """Orbital elements that cannot be read or propagated: file, place, value, what is allowed."""


@dataclass(frozen=True)
class ElementSet:
    """Mean elements of one satellite."""

    name: str
    satrec: Any
    """`sgp4.api.Satrec`, initialised with the WGS72 constants that published elements assume."""
    epoch: datetime
    """Epoch of the elements, UTC."""


def read_elements(path: str | Path) -> list[ElementSet]:
    """Element sets of a file in its order; the content tells TLE, OMM JSON and OMM CSV apart.

    Raises ElementsError for a file that cannot be read, anything malformed, or no element sets.
    """
    try:
        text = read_text(Path(path))
    except FileError as error:
        raise ElementsError(f"{path}: {error}") from None
    first_line = text.strip().partition("\n")[0]
    if first_line.startswith(("[", "{")):
        records = _read_omm_json(str(path), text)
    elif "MEAN_MOTION" in first_line:
        records = _read_omm_csv(str(path), text)
    else:
        records = _read_tle(str(path), text)
    if not records:
        raise ElementsError(f"{path}: no element sets: must hold TLE, OMM JSON or OMM CSV")
    return records


# --- two-line element sets

_ANGLE = r" {0,2}\d{1,3}\.\d{4}"
_EXPONENT = r"[ +-]\d{5}[ +-]\d"
_DESIGNATOR = r"\d{5}[A-Z]* *| *"
_NUMBERED = r" *\d+|[A-HJ-NP-Z]\d{4}"
_TLE_FIELDS: dict[str, tuple[tuple[str, int, int, str, float, float], ...]] = {
    # name, first and last column as published (from 1), pattern, least and greatest value
    "1": (
        ("satellite number", 3, 7, _NUMBERED, 0, np.inf),
        ("international designator", 10, 17, _DESIGNATOR, 0, np.inf),
        ("epoch year", 19, 20, r"\d\d", 0, 99),
        ("epoch day", 21, 32, r" {0,2}\d{1,3}\.\d{8}", 1, 367),
        ("first derivative of mean motion", 34, 43, r"[ +-]\.\d{8}", -1, 1),
        ("second derivative of mean motion", 45, 52, _EXPONENT, 0, np.inf),
        ("drag term", 54, 61, _EXPONENT, 0, np.inf),
        ("ephemeris type", 63, 63, r"[\d ]", 0, np.inf),
        ("element set number", 65, 68, r" *\d*", 0, np.inf),
        ("checksum", 69, 69, r"\d", 0, 9),
    ),
    "2": (
        ("satellite number", 3, 7, _NUMBERED, 0, np.inf),
        ("inclination", 9, 16, _ANGLE, 0, 180),
        ("right ascension of ascending node", 18, 25, _ANGLE, 0, 360),
        ("eccentricity", 27, 33, r"\d{7}", 0, 9999999),
        ("argument of perigee", 35, 42, _ANGLE, 0, 360),
        ("mean anomaly", 44, 51, _ANGLE, 0, 360),
        ("mean motion", 53, 63, r" ?\d{1,2}\.\d{8}", 1e-8, 20),
        ("revolution number", 64, 68, r" *\d*", 0, np.inf),
        ("checksum", 69, 69, r"\d", 0, 9),
    ),
}
_TLE_BLANKS = {"1": (2, 9, 18, 33, 44, 53, 62, 64), "2": (2, 8, 17, 26, 34, 43, 52)}


def _read_tle(path: str, text: str) -> list[ElementSet]:
    """Two lines a satellite, or three with its name first; blank and # lines are skipped."""
    numbered = [(n, line.rstrip()) for n, line in enumerate(text.splitlines(), start=1)]
    lines = [(n, line) for n, line in numbered if line and not line.startswith("#")]
    lines.append((len(numbered) + 1, ""))
    records, name, at = [], "", 0
    while at < len(lines) - 1:
        (number, line), (_, following) = lines[at], lines[at + 1]
        if line.startswith("1 ") and following.startswith("2 "):
            records.append(_tle_record(path, name, lines[at], lines[at + 1]))
            name, at = "", at + 2
        elif not name and not line.startswith(("1 ", "2 ")) and following.startswith("1 "):
            name, at = line.removeprefix("0 ").strip(), at + 1
        else:
            raise ElementsError(
                f"{path}: line {number}: {line[:40]!r}: must be a name before a line that "
                "starts with '1 ', or that line followed by one that starts with '2 '"
            )
    return records


def _tle_record(
    path: str, name: str, first: tuple[int, str], second: tuple[int, str]
) -> ElementSet:
    """One checked element set."""
    from sgp4.api import WGS72, Satrec

    for number, line in (first, second):
        _check_tle_line(f"{path}: line {number}", line)
    one, two = first[1][:69], second[1][:69]
    if one[2:7] != two[2:7]:
        raise ElementsError(
            f"{path}: line {second[0]}: satellite number {two[2:7]!r}: "
            f"must be that of the line before, {one[2:7]!r}"
        )
    satrec = Satrec.twoline2rv(one, two, WGS72)
    days = satrec.jdsatepoch - 2451544.5 + satrec.jdsatepochF
    return ElementSet(
        name or one[2:7].strip(), satrec, datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=days)
    )


def _check_tle_line(place: str, line: str) -> None:
    """Columns, ranges and checksum of one line."""
    if not line.isascii() or len(line) < 69 or line[69:70].strip():
        raise ElementsError(f"{place}: {len(line)} characters: must be 69 of ASCII")
    for column in _TLE_BLANKS[line[0]]:
        if line[column - 1] != " ":
            raise ElementsError(f"{place}: column {column}: {line[column - 1]!r}: must be blank")
    for name, start, stop, pattern, low, high in _TLE_FIELDS[line[0]]:
        value = line[start - 1 : stop]
        place_of = f"{place}: columns {start}-{stop}, {name}: {value!r}"
        if not re.fullmatch(pattern, value):
            raise ElementsError(f"{place_of}: must match {pattern}")
        if np.isfinite(high) and not low <= float(value) <= high:
            raise ElementsError(f"{place_of}: must lie in [{low:g}, {high:g}]")
    if tle_checksum(line) != int(line[68]):
        raise ElementsError(f"{place}: checksum {line[68]!r}: must be {tle_checksum(line)}")


def tle_checksum(line: str) -> int:
    """Sum of the digits of the first 68 columns, a minus sign counting one, modulo 10."""
    return sum(int(c) if c.isdigit() else c == "-" for c in line[:68]) % 10


# --- orbit mean-elements messages

_OMM_RANGES: dict[str, tuple[float, float]] = {
    "MEAN_MOTION": (1e-8, 20),
    "ECCENTRICITY": (0, 0.9999999999),
    "INCLINATION": (0, 180),
    "RA_OF_ASC_NODE": (0, 360),
    "ARG_OF_PERICENTER": (0, 360),
    "MEAN_ANOMALY": (0, 360),
    "NORAD_CAT_ID": (0, 999999999),
    "BSTAR": (-10, 10),
    "MEAN_MOTION_DOT": (-10, 10),
    "MEAN_MOTION_DDOT": (-10, 10),
}
_OMM_WORDS = {
    "CENTER_NAME": "EARTH",
    "REF_FRAME": "TEME",
    "TIME_SYSTEM": "UTC",
    "MEAN_ELEMENT_THEORY": "SGP4",
}


def _read_omm_json(path: str, text: str) -> list[ElementSet]:
    """A list of messages, or one message."""
    try:
        content = parsed(text.encode())
    except FileError as error:
        raise ElementsError(f"{path}: {error}") from None
    messages = content if isinstance(content, list) else [content]
    for index, fields in enumerate(messages):
        if not isinstance(fields, dict):
            raise ElementsError(
                f"{path}: record {index}: {_shown(fields)}: must be an object of fields"
            )
    return [_omm_record(f"{path}: record {i}", fields) for i, fields in enumerate(messages)]


def _read_omm_csv(path: str, text: str) -> list[ElementSet]:
    """One message a row, field names in the first."""
    reader = csv.DictReader(io.StringIO(text.strip()))
    records = []
    try:
        names = reader.fieldnames or []
        for name in names:
            if names.count(name) > 1:
                raise ElementsError(f"{path}: line 1: {_shown(name)}: must be there once")
        for fields in reader:
            place = f"{path}: line {reader.line_num}"
            if None in fields:
                raise ElementsError(
                    f"{place}: {_shown(fields[None])}: must have no more than its names"
                )
            records.append(_omm_record(place, fields))
    except csv.Error as error:
        raise ElementsError(f"{path}: line {reader.line_num}: must be CSV: {error}") from None
    return records


def _omm_record(place: str, fields: Mapping[str, Any]) -> ElementSet:
    """One checked message."""
    from sgp4.api import WGS72, Satrec

    for name, word in _OMM_WORDS.items():
        if fields.get(name) not in (None, "", word):
            raise ElementsError(f"{place}: {name}: {_shown(fields[name])}: must be {word!r}")
    value = {name: _omm_number(place, fields, name) for name in _OMM_RANGES}
    epoch = _omm_epoch(place, fields.get("EPOCH"))
    # SGP4 wants radians, minutes and days since 1949 December 31; it makes no use of the number,
    # for which it has room up to 339999.
    per_day = 2 * np.pi / 1440
    satrec = Satrec()
    satrec.sgp4init(
        WGS72,
        "i",
        int(value["NORAD_CAT_ID"]) if value["NORAD_CAT_ID"] <= 339999 else 0,
        (epoch - datetime(1949, 12, 31, tzinfo=UTC)) / timedelta(days=1),
        value["BSTAR"],
        value["MEAN_MOTION_DOT"] * per_day / 1440,
        value["MEAN_MOTION_DDOT"] * per_day / 1440**2,
        value["ECCENTRICITY"],
        *np.deg2rad([value["ARG_OF_PERICENTER"], value["INCLINATION"], value["MEAN_ANOMALY"]]),
        value["MEAN_MOTION"] * per_day,
        np.deg2rad(value["RA_OF_ASC_NODE"]),
    )
    name = fields.get("OBJECT_NAME") or str(int(value["NORAD_CAT_ID"]))
    if not isinstance(name, str):
        raise ElementsError(f"{place}: OBJECT_NAME: {_shown(name)}: must be text")
    return ElementSet(name, satrec, epoch)


def _omm_number(place: str, fields: Mapping[str, Any], name: str) -> float:
    """A required number within its range; JSON may have it as text."""
    low, high = _OMM_RANGES[name]
    raw: Any = fields.get(name)
    number = np.nan
    if type(raw) in (int, float) or (isinstance(raw, str) and NUMBER.fullmatch(raw.strip(" "))):
        with suppress(OverflowError):
            number = float(raw)
    whole = name != "NORAD_CAT_ID" or number == np.floor(number)
    if not (low <= number <= high and whole):
        raise ElementsError(
            f"{place}: {name}: {_shown(raw)}: must be a {'whole ' * (not whole)}number in "
            f"[{low:g}, {high:g}]"
        )
    return number


_EPOCH = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def _omm_epoch(place: str, raw: Any) -> datetime:
    """Epoch as a datetime in UTC; without a zone it is UTC."""
    try:
        plain = isinstance(raw, str) and _EPOCH.fullmatch(raw)
        epoch = datetime.fromisoformat(raw if plain else "")
        return epoch.replace(tzinfo=UTC) if epoch.tzinfo is None else epoch.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ElementsError(
            f"{place}: EPOCH: {_shown(raw)}: must be a date and time like 2025-07-16T12:00:00.0"
        ) from None


def _shown(value: Any) -> str:
    """The value as a message shows it, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

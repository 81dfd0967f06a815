"""JSON files that appear whole or not at all, and checks that name what is wrong in them.

Shared by everything that reads a user's file. Whatever is wrong is one FileError of one line:
field (with its index), value, and what is allowed; callers put the file's name before it.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import reprlib
import stat
import zlib
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from satedge.problem.io.folder import write_atomically

#: More than this many bytes (after decompression) is no file of ours.
MAX_BYTES = 512 << 20

#: Nor is JSON that takes more than this many bytes of memory once it is parsed.
MAX_WEIGHT = 2 << 30

_PIECE = 1 << 20

#: What stands for half a character, unless its other half follows: no other file can hold it.
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

#: JSON types of an array's entries, and their name in messages.
_ENTRIES: dict[str, tuple[frozenset[type], str]] = {
    "f8": (frozenset({int, float}), "a number"),
    "i8": (frozenset({int}), "a whole number"),
    "?": (frozenset({bool}), "true or false"),
}


class FileError(ValueError):
    """A file cannot be used: one line with file, field, value and what is allowed."""


# --- bytes


def load(path: Path) -> Any:
    """The parsed JSON of a .json or .json.gz file. Raises FileError."""
    _check_suffix(path)
    return parsed(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """What a file holds, decompressed where its name ends in .gz. Raises FileError.

    Only regular files are read: a pipe would be waited for, a device might never end. JSON is
    weighed as it is read, so that a small file cannot fill the memory.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileError("cannot be read (it is no regular file): allowed is a whole file")
            if path.suffix == ".gz":
                return _unpacked(file, path.suffixes[-2:-1] == [".json"])
            return _limited(file, path.suffix == ".json")
    except OSError as error:
        raise FileError(f"cannot be read ({reason(error)}): allowed is a whole file") from None


def unpacked(data: bytes) -> bytes:
    """JSON that was compressed by gzip. Raises FileError."""
    return _unpacked(io.BytesIO(data), is_json=True)


def _unpacked(file: IO[bytes], is_json: bool) -> bytes:
    try:
        with gzip.open(file) as stream:
            return _limited(stream, is_json)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"cannot be read ({reason(error)}): allowed is a whole file") from None


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _limited(stream: _Stream, is_json: bool) -> bytes:
    """All of a stream, unless it is too large or heavy."""
    data, weight = bytearray(), 0
    while piece := stream.read(_PIECE):
        data += piece
        weight += _weight(piece) if is_json else 0
        if len(data) > MAX_BYTES:
            rule = f"more than {MAX_BYTES >> 20} MiB: allowed is at most that many"
            raise FileError(f"holds {rule}")
        _check_weight(weight, MAX_WEIGHT)
    return bytes(data)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, a byte order mark left out. Raises FileError."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"byte {error.start}: allowed is text in UTF-8") from None


def parsed(data: bytes, most: int = MAX_WEIGHT) -> Any:
    """JSON that takes no more than so many bytes of memory. Raises FileError.

    NaN and infinities pass: the fields that hold them refuse them.
    """
    _check_weight(_weight(data), most)
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except FileError:
        raise
    except UnicodeEncodeError:
        raise FileError("holds half a character: allowed is whole text in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"is no JSON ({reason(error)}): allowed is one JSON object") from None


def _weight(data: bytes) -> int:
    """Bytes that JSON may take once parsed: by its text, numbers, lists and objects."""
    return 2 * len(data) + 32 * data.count(b",") + 64 * data.count(b"[") + 240 * data.count(b"{")


def _check_weight(weight: int, most: int) -> None:
    if weight > most:
        raise FileError(
            f"would take more than {most >> 20} MiB of memory: allowed is at most that many"
        )


def store(document: dict[str, Any], path: Path) -> None:
    """Write beside, then rename, so that no reader ever sees half a file."""
    _check_suffix(path)
    try:
        data = _text(document).encode()
    except ValueError:
        raise FileError("holds NaN or an infinity: allowed are finite numbers") from None
    if len(data) > MAX_BYTES:
        raise FileError(f"would hold more than {MAX_BYTES >> 20} MiB: allowed is at most that many")
    _check_weight(_weight(data), MAX_WEIGHT)
    if path.suffix == ".gz":
        buffer = io.BytesIO()
        with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as stream:
            stream.write(data)
        data = buffer.getvalue()
    try:
        write_atomically(path, data)
    except OSError as error:
        raise FileError(
            f"cannot be written ({reason(error)}): allowed is a writable place"
        ) from None


def reason(error: BaseException) -> str:
    """The cause in a few words, without line breaks."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names differ: of two values under one name, one would be lost silently."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise FileError(f"field {shown(name)} stands twice: allowed is once")
        values[name] = value
    return values


def _text(document: dict[str, Any], indent: str = "") -> str:
    """JSON with one line per field and per array: easy to read, small differences."""
    parts = []
    for name, value in document.items():
        nested = isinstance(value, dict)
        text = _text(value, indent + "  ") if nested else json.dumps(value, allow_nan=False)
        parts.append(f"{indent}  {json.dumps(name)}: {text}")
    end = "" if indent else "\n"
    return "{\n" + ",\n".join(parts) + f"\n{indent}}}{end}"


def _check_suffix(path: Path) -> None:
    if not path.name.endswith((".json", ".json.gz")):
        raise FileError("unknown kind of file: allowed is a name ending in .json or .json.gz")


# --- fields


def refused(place: str, value: Any, allowed: str) -> FileError:
    """The error for a bad value at a place such as 'power_W[0][3]'."""
    size = f" ({len(value)} entries)" if isinstance(value, list) else ""
    return FileError(f"{place} = {shown(value)}{size}: allowed is {allowed}")


def shown(value: Any) -> str:
    """A short repr on one line."""
    return reprlib.repr(value)


def check_head(document: Any, expected: str, newest: int) -> None:
    """Refuse what is no object, of another format, or of a later schema than `newest`."""
    if not isinstance(document, dict):
        raise FileError(f"the file holds {shown(document)}: allowed is one JSON object")
    if document.get("format") != expected:
        raise refused("format", document.get("format"), repr(expected))
    version = whole("schema_version", document.get("schema_version"), 1)
    if version > newest:
        rule = f"at most {newest}; the file is from a newer version of satedge"
        raise refused("schema_version", version, rule)


def check_keys(
    values: dict[str, Any], required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    """Refuse an object that lacks a field or has one too many."""
    for name in required:
        if name not in values:
            raise FileError(f"{name} is missing: allowed is a file with all fields")
    known = (*required, *optional)
    for name in values:
        if name not in known:
            raise FileError(f"unknown field {shown(name)}: allowed is one of {', '.join(known)}")


def whole(name: str, value: Any, low: int) -> int:
    """`value` if it is an integer of at least `low`."""
    if type(value) is not int or value < low:
        raise refused(name, value, f"an integer >= {low}")
    return value


def check_all(name: str, value: NDArray[Any], fine: NDArray[np.bool_], rule: str) -> None:
    """Refuse the first entry of `value` that is not `fine` (same shape). Raises FileError."""
    for index in np.argwhere(~fine):
        raise refused(_place(name, tuple(index)), value[tuple(index)].item(), rule)


def nested_array(name: str, value: Any, shape: tuple[int, ...], kind: str) -> NDArray[Any]:
    """Nested lists as an array of `shape` and dtype `kind`.

    Raises FileError naming the first misfit in length or type.
    """
    types, wanted = _ENTRIES[kind]
    index = _misfit(value, shape, types)
    if index is not None:
        for i in index:
            value = value[i]
        rule = f"a list of {shape[len(index)]}" if len(index) < len(shape) else wanted
        raise refused(_place(name, index), value, rule)
    try:
        return np.array(value, kind).reshape(shape)
    except OverflowError:
        raise _too_large(name, value, shape, kind) from None


def _too_large(name: str, value: Any, shape: tuple[int, ...], kind: str) -> FileError:
    """The error for the first whole number that 64 bits cannot hold."""
    for index in np.ndindex(shape):
        entry = value
        for i in index:
            entry = entry[i]
        try:
            np.array(entry, kind)
        except OverflowError:
            return refused(_place(name, index), entry, "a 64-bit number")
    raise AssertionError(f"{name} fits 64 bits entry by entry, but not as a whole")


def _misfit(
    value: Any, shape: tuple[int, ...], types: frozenset[type], index: tuple[int, ...] = ()
) -> tuple[int, ...] | None:
    """Index of the first entry of the wrong length or type; None where all fit."""
    if not shape:
        return None if type(value) in types else index
    if type(value) is not list or len(value) != shape[0]:
        return index
    if len(shape) == 1 and types.issuperset(map(type, value)):
        return None
    for i, item in enumerate(value):
        found = _misfit(item, shape[1:], types, (*index, i))
        if found is not None:
            return found
    return None


def _place(name: str, index: tuple[Any, ...]) -> str:
    return name + "".join(f"[{int(i)}]" for i in index)

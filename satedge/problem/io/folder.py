"""Files that appear whole or not at all and tell when they are altered; folders of one writer."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: Field that holds the hash of all other fields of a JSON file.
SEAL = "file_sha256"

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")


class FolderError(ValueError):
    """Nothing can be written into a folder: one line."""


class BusyError(ValueError):
    """A folder is in use: one line."""


def make_folder(path: Path) -> Path:
    """The folder, made where it is not there yet. Raises FolderError unless it can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise FolderError(
            f"{path}: cannot be written ({error.strerror}): allowed is a writable folder"
        ) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, rename: a reader sees the old file or the new one.

    Raises OSError, after which the old file is there, or the new one whole.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with named(path):
        try:
            with beside.open("xb") as out:
                fcntl.flock(out, fcntl.LOCK_EX)
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
                os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _flush(path.parent)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Errors inside name this file: a full disk names none."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _flush(folder: Path) -> None:
    """Make sure that a rename is on disk too."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left beside, in the folder and below; living ones hold a lock."""
    for path in folder.rglob(".*.part"):
        if _PART.fullmatch(path.name) is None:
            continue
        with suppress(OSError), path.open("rb") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold a folder and clean it: two writers would do everything twice. Raises BusyError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"{folder}: another run is at work in this folder") from None
        remove_leftovers(folder)
        yield


# --- seals


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of a JSON object in canonical form (sorted, without spaces), but for its seal."""
    rest = {name: value for name, value in document.items() if name != SEAL}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """The object with its hash as the last field."""
    rest = {name: value for name, value in document.items() if name != SEAL}
    return rest | {SEAL: digest(rest)}


def is_sealed(document: dict[str, Any]) -> bool:
    """Whether the object holds its hash; one without a hash or altered since does not."""
    return document.get(SEAL) == digest(document)

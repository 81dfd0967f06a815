"""Kinds of files, and damaged files of each: what is held of the reader of every one.

What is refused is an error of this project, on one line and with the file's name. What is read must
tell the change: if the damaged file says something else than the sound one, in the plain words of
`meaning`, then something else has been read.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satedge.problem.io.folder import sealed
from support.mutants import of_bytes, of_json, of_text
from support.randomised import MORE, SEED

#: Damaged files of each kind; `make test-slow` draws 100,000.
COUNT = 5_000 * MORE or 2_000


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    name: str
    file: str
    sound: str
    """What a sound one holds."""
    read: Callable[[Path], Any]
    """What is read, in a form that can be compared. Raises one of `errors`."""
    errors: tuple[type[Exception], ...]
    meaning: Callable[[str], Any]
    """What a text says, by parsers of others; raises ValueError where they find nothing."""
    says_json: bool = True
    mend: Callable[[str], str] = str
    """Hides the damage from a hash over the file, so that it meets the checks behind."""


def packed(kind: Kind, text: str) -> bytes:
    """A text as the file's bytes."""
    data = text.encode("utf-8", "surrogatepass")
    return gzip.compress(data, 1, mtime=0) if kind.file.endswith(".gz") else data


def check(kind: Kind, path: Path, data: bytes, known: tuple[Any, Any]) -> bool:
    """Whether one damaged file is refused."""
    path.write_bytes(data)
    try:
        found = kind.read(path)
    except kind.errors as error:
        told = str(error)
        assert "\n" not in told, told
        assert str(path) in told, told
        assert len(told) < 2000, len(told)
        return True
    try:
        text = gzip.decompress(data).decode() if path.suffix == ".gz" else data.decode("utf-8-sig")
        meant = kind.meaning(text)
    except (ValueError, RecursionError, OSError):
        raise AssertionError("it was read, though it means nothing") from None
    if meant != known[0]:
        assert found != known[1], "a change went unseen"
    return False


def damaged(kind: Kind, rng: random.Random) -> bytes:
    """The file after some damage."""
    choice = rng.random()
    if choice < 0.1:
        return of_bytes(rng, packed(kind, kind.sound))
    if choice < 0.4 or not kind.says_json:
        return packed(kind, of_text(rng, kind.sound))
    return packed(kind, kind.mend(of_json(rng, kind.sound)))


def hold(kind: Kind, folder: Path) -> None:
    """No traceback, no second line, no change that goes unseen, in COUNT damaged files."""
    rng, path = random.Random(f"{kind.name} {SEED}"), folder / kind.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(kind, kind.sound))
    known = kind.meaning(kind.sound), kind.read(path)
    refused = 0
    for number in range(COUNT):
        data = damaged(kind, rng)
        path.unlink()  # writing over a file waits for the disk
        try:
            refused += check(kind, path, data, known)
        except Exception as error:
            kept = Path(tempfile.gettempdir()) / f"fuzz-{path.name}"
            kept.write_bytes(data)
            raise AssertionError(
                f"number {number} of {kind.name}, kept as {kept}: {error!r}"
            ) from error
    assert 0 < refused < COUNT


def under_hash(text: str) -> str:
    """Under the hash that fits, by whoever can make one."""
    whole = json.loads(text)
    return json.dumps(sealed(whole)) if isinstance(whole, dict) else text


def as_read(text: str) -> Any:
    """JSON of which everything is kept."""
    return json.dumps(json.loads(text), sort_keys=True)

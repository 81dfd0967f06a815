"""Submissions: a folder that somebody hands in, with plans for a suite and what they come from.

`submission.json` says who solved what, with which method, on which machine; `plans/INSTANCE.json`
are the plans, `proofs/INSTANCE.json.gz` proofs of bounds, if there are any. A folder of strangers
is data: nothing in it is run, no name in it is a path, and files are refused that are links or
larger than such files are.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from satedge.problem.fields import Declared, Wording, declared, param
from satedge.problem.instance import Instance
from satedge.problem.io.files import read_plan
from satedge.problem.io.folder import SEAL, is_sealed, sealed
from satedge.problem.io.jsonfile import (
    FileError,
    check_head,
    check_keys,
    parsed,
    read_bytes,
    shown,
    store,
)
from satedge.problem.plan import Plan

FORMAT = "satedge-submission"
SCHEMA_VERSION = 1
HEAD = "submission.json"

#: What methods are told apart by on a leaderboard.
Kind = Literal["exact", "heuristic", "learned"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Largest files, in bytes; a plan of a hundred slots of ten devices has 0.05 MB.
MOST_HEAD, MOST_PLAN, MOST_PROOF = 4 << 20, 16 << 20, 64 << 20
#: Largest proof once it is unpacked and parsed.
MOST_PARSED = 1 << 30


class SubmissionError(FileError):
    """A submission cannot be used: one line."""


def _without_controls(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable text on one line")
    return text


_Line = Annotated[str, Field(max_length=300), AfterValidator(_without_controls)]
Text = Annotated[_Line, Wording("printable text of at most 300 characters")]
_NAME = r"[A-Za-z0-9][A-Za-z0-9 ._+()-]{0,59}"
Name = Annotated[
    str,
    Field(pattern=f"^{_NAME}$"),
    Wording("1 to 60 letters, digits, spaces and . _ + ( ) -, a letter or digit first"),
]
_Sha = Annotated[str, Field(pattern="^[0-9a-f]{64}$"), Wording("64 hexadecimal digits")]
_Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), Wording("a date, YYYY-MM-DD")]


@declared(SubmissionError)
class Claim(Declared):
    """What is said of one instance. Costs are means per slot and device."""

    sha256: _Sha = param(doc="Hash of the instance.")
    cost: float = param(doc="Of the plan, as its maker's referee said.")
    time_s: float | None = param(None, "s", doc="Computing time.", low=0)
    lower_bound: float | None = param(None, doc="The method's own bound.")


@declared(SubmissionError)
class Submission(Declared):
    """Who solved what, and how."""

    name: Name = param(doc="On the leaderboard.")
    kind: Kind = param(doc="Exact, heuristic or learned.")
    suite: Text = param(doc="The suite that is solved.")
    cost_version: int = param(doc="Of the cost that the plans were judged by.", low=1)
    method: Text = param(doc="Name in `satedge methods`; empty for another program's.")
    settings: dict[str, Any] = param(doc="Its settings.")
    seed: int = param(doc="Its seed.", low=0, high=2**53 - 1)
    budget_s: float | None = param(doc="Its time limit for an instance.", unit="s", above=0)
    clock: Literal["cpu", "wall"] = param(doc="What times count.")
    date: _Date = param(doc="When it was made.")
    commit: Text = param(doc="Of the code; + marks changed files.")
    versions: dict[str, Text] = param(doc="Of Python and packages.")
    hardware: dict[str, Text] = param(doc="Processor, cores, memory and system.")
    about: Text = param(doc="In its maker's words.")
    instances: dict[str, Claim] = param(doc="What is said of each instance, by name.")


def file_name(name: str) -> str:
    """The folder that a submission of this name is written to. Raises SubmissionError."""
    if re.fullmatch(_NAME, name) is None:
        raise SubmissionError(
            f"name = {shown(name)}: allowed is 1 to 60 letters, digits, spaces and . _ + ( ) -, "
            "a letter or digit first"
        )
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name)


def write_submission(submission: Submission, folder: Path) -> Path:
    """Write the head of a submission, for which its plans must be there. Raises FileError."""
    head = {"format": FORMAT, "schema_version": SCHEMA_VERSION, **asdict(submission)}
    store(sealed(head), folder / HEAD)
    return folder / HEAD


def read_submission(folder: Path) -> Submission:
    """What a folder says of itself. Raises SubmissionError."""
    path = folder / HEAD
    try:
        document = parsed(_small(path, MOST_HEAD))
        check_head(document, FORMAT, SCHEMA_VERSION)
        fields = tuple(Submission.__dataclass_fields__)
        check_keys(document, ("format", "schema_version", *fields, SEAL))
        if not is_sealed(document):
            raise FileError(f"{SEAL}: the file was altered after it was written")
        return Submission(**{n: document[n] for n in fields} | {"instances": _claims(document)})
    except FileError as error:
        raise SubmissionError(f"{path}: {error}") from None


def _claims(document: dict[str, Any]) -> dict[str, Claim]:
    rows = document["instances"]
    if not isinstance(rows, dict):
        raise FileError(f"instances = {shown(rows)}: allowed is an object")
    claims = {}
    for name, row in rows.items():
        place = f"instances[{shown(name)}]"
        if not isinstance(row, dict):
            raise FileError(f"{place} = {shown(row)}: allowed is an object")
        try:
            check_keys(row, tuple(Claim.__dataclass_fields__))
            claims[name] = Claim(**row)
        except FileError as error:
            raise FileError(f"{place}: {error}") from None
    return claims


def read_submitted_plan(folder: Path, instance: Instance) -> Plan:
    """The plan of an instance, which is named by us and not by the folder. Raises FileError."""
    path = folder / "plans" / f"{instance.name}.json"
    try:
        _check_size(path, MOST_PLAN)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    return read_plan(path, instance)


def read_submitted_proof(folder: Path, instance: Instance) -> dict[str, Any] | None:
    """The parsed proof of an instance's bound; None without one. Raises FileError."""
    path = folder / "proofs" / f"{instance.name}.json.gz"
    if not os.path.lexists(path):
        return None
    try:
        proof = parsed(_small(path, MOST_PROOF), MOST_PARSED)
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    if not isinstance(proof, dict):
        raise FileError(f"{path}: holds {shown(proof)}: allowed is an object")
    return proof


def _small(path: Path, most: int) -> bytes:
    _check_size(path, most)
    return read_bytes(path)


def _check_size(path: Path, most: int) -> None:
    """Raise FileError for what is no file of its own, in a folder of its own, or too large."""
    try:
        found = path.lstat()
        inside = not stat.S_ISLNK(path.parent.lstat().st_mode)
    except OSError as error:
        raise FileError(f"cannot be read ({error.strerror}): allowed is a whole file") from None
    if not stat.S_ISREG(found.st_mode) or not inside:
        raise FileError("is a link or no regular file: allowed is a file of the folder")
    if found.st_size > most:
        raise FileError(f"holds {found.st_size} bytes: allowed is at most {most}")

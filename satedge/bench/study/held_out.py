"""The held-out suites: closed until the rules of the final analysis are committed.

They are kept as a scenario and a range of seeds that nothing else uses, with one hash of what these
generate (`data/HELD_OUT.json`). `generate` refuses their seeds. `open_with` opens them for this
process: it wants a file of rules that is committed as it stands, and its hash, so that whoever
plays them has named what was fixed before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from satedge.bench.study import provenance
from satedge.bench.study.suite_data import HELD_OUT
from satedge.problem.instance import GENERATOR_VERSION, Instance
from satedge.problem.io.folder import write_atomically

_FILE = resources.files("satedge.bench.study") / "data" / "HELD_OUT.json"


class HeldOutError(ValueError):
    """A held-out suite is closed, the rules do not hold, or it is not what it was."""


@dataclass(frozen=True)
class Rules:
    """What was fixed before a held-out suite was played."""

    file: str
    sha256: str
    commit: str
    """In which the file stands as it is."""


_opened: list[Rules] = []


def open_with(file: Path, sha256: str) -> Rules:
    """Open the suites for this process. Raises HeldOutError where the rules are not committed."""
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise HeldOutError(f"{file}: {error.strerror}: allowed is a file of rules") from None
    if found != sha256.lower():
        raise HeldOutError(f"{file}: sha256 = {found}: allowed is {sha256}, the hash that is named")
    commit = provenance.commit_of(file)
    if not commit:
        raise HeldOutError(f"{file}: allowed is a file of rules that is committed as it stands")
    _opened[:] = [Rules(str(file), found, commit)]
    return _opened[0]


def opened() -> Rules | None:
    """The rules under which suites are open in this process."""
    return _opened[0] if _opened else None


def require_open(name: str) -> None:
    """Raise HeldOutError unless rules were named."""
    if opened() is None:
        raise HeldOutError(
            f"suite {name!r} is held out: allowed is `satedge benchmark` with --rules FILE and "
            "--rules-sha256 HASH, a committed file of the final analysis's rules and its hash"
        )


def entries() -> dict[str, dict[str, Any]]:
    """Suite -> scenario, seeds (first, last), generator version and sha256."""
    known: dict[str, dict[str, Any]] = json.loads(_FILE.read_text("ascii"))
    return known


def declared(name: str) -> dict[str, Any]:
    """What an entry says that needs no instance."""
    recipes = HELD_OUT[name].recipes
    return {
        "scenario": json.loads(json.dumps(recipes[0].scenario().to_dict())),
        "seeds": [recipes[0].seed, recipes[-1].seed],
        "generator_version": GENERATOR_VERSION,
    }


def digest(instances: Iterable[Instance]) -> str:
    """One hash of the contents of instances, in order."""
    return hashlib.sha256("\n".join(i.content_sha256 for i in instances).encode()).hexdigest()


def check_digest(name: str, instances: Iterable[Instance]) -> None:
    """Raise HeldOutError where the instances are not those that were held out."""
    found, expected = digest(instances), entries()[name]["sha256"]
    if found != expected:
        raise HeldOutError(f"suite {name!r}: sha256 = {found}: allowed is {expected}")


def check() -> list[str]:
    """Entries that are not as declared, a line each; nothing is generated."""
    known = entries()
    wrong = [
        f"HELD_OUT.json: {name} is no held-out suite" for name in known if name not in HELD_OUT
    ]
    for name in HELD_OUT:
        told = {k: v for k, v in known.get(name, {}).items() if k != "sha256"}
        if told != declared(name):
            wrong.append(f"HELD_OUT.json: {name} is made otherwise than declared")
    return wrong


def write(digests: dict[str, str]) -> None:
    """Write the file; once, when a suite is made or the generator changes."""
    with resources.as_file(_FILE) as path:
        told = {name: {**declared(name), "sha256": digests[name]} for name in HELD_OUT}
        lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in told.items()]
        write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())

"""Where a number comes from: machine, code and versions, for every row."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

#: Distribution names of the packages whose version can change a result.
CORE = ("satedge", "numpy", "scipy")
DISTRIBUTIONS = {"pyscipopt": "PySCIPOpt"}


@cache
def versions(needs: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions of Python, the core packages and a method's needs that are installed."""
    found = {"python": platform.python_version()}
    for name in (*CORE, *needs):
        try:
            found[name] = importlib.metadata.version(DISTRIBUTIONS.get(name, name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def commit() -> str:
    """Commit of the code in use, with '+' when files differ from it; empty outside a clone."""
    here = Path(__file__).parent
    head = _git(here, "rev-parse", "--short=12", "HEAD")
    changed = _git(here, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+" if head and changed else head


def commit_of(file: Path) -> str:
    """The commit in which a file stands as it is; empty where it is not committed so."""
    folder, name = file.resolve().parent, file.name
    tracked = _git(folder, "ls-files", "--error-unmatch", "--", name)
    if not tracked or _git(folder, "status", "--porcelain", "--", name):
        return ""
    return _git(folder, "log", "-1", "--format=%H", "--", name)


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@cache
def processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def machine() -> dict[str, str]:
    """Host, processor and system of this process."""
    return {"host": platform.node(), "cpu": processor(), "system": platform.platform(terse=True)}


def digest(value: Any) -> str:
    """A short hash of JSON values, the same in every process."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_digest(paths: list[Path]) -> str:
    """A short hash of files' contents."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:32]

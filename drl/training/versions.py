"""What a policy was made with."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from satedge.paths import PACKAGE


@cache
def versions() -> dict[str, str]:
    """Versions of what matters, the processor's kind and the commit, where they can be told."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("satedge", "torch", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    found["commit"] = _commit()
    return found


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=PACKAGE, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"

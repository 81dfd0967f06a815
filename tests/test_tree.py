"""What the repository holds stays small enough to clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Most bytes of all tracked files, and of the policies among them.
MOST_TREE, MOST_POLICIES = 60_000_000, 20_000_000


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone: nothing is tracked")
def test_tracked_files_stay_small() -> None:
    """All of them together, links as they are."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    paths = [Path(name) for name in done.stdout.decode().split("\0") if name]
    sizes = {path: (ROOT / path).lstat().st_size for path in paths if (ROOT / path).exists()}
    library = Path("results/policies")
    policies = sum(size for path, size in sizes.items() if path.is_relative_to(library))
    assert policies <= MOST_POLICIES
    assert sum(sizes.values()) <= MOST_TREE

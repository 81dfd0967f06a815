"""Classical optimisation of P1: heuristics, relaxations, exact search, general solvers."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path


def _name_kernel_cache() -> None:
    """Keep compiled kernels in a folder named after their sources.

    numba looks only at the file of the function it loads, not at those of the functions it calls:
    after an edit it would go on with the old kernel inside its callers.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    here = Path(__file__).parent
    sources = [p.read_bytes() for p in sorted(here.rglob("*.py"))]
    digest = hashlib.sha256(b"".join(s for s in sources if b"@njit" in s)).hexdigest()
    cache = here / "__pycache__" / f"kernels-{digest[:16]}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ["NUMBA_CACHE_DIR"] = str(cache)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(cache)


_name_kernel_cache()

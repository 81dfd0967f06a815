"""How many examples randomised tests draw, and from which seed.

As a rule each draws the same ones every time. Where SATEDGE_EXAMPLES says so, they draw so many
times as many, others in each run; SATEDGE_SEED repeats a run.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

#: Examples are multiplied by this; 0 where they are to be the same every time.
MORE = int(os.environ.get("SATEDGE_EXAMPLES", "0"))

#: Left in the environment, so that workers of pytest-xdist draw from the same one.
SEED = int(os.environ.setdefault("SATEDGE_SEED", str(secrets.randbelow(10**6)))) if MORE else 0

hypothesis.settings.register_profile(
    "gate",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "explore", hypothesis.settings.get_profile("gate"), derandomize=False, print_blob=True
)
# Of a mutant it is enough to know that it fails.
hypothesis.settings.register_profile(
    "mutants",
    hypothesis.settings.get_profile("gate"),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
PROFILE = "explore" if MORE else "gate"


def examples(count: int) -> Callable[[Any], Any]:
    """Decorator of a test under `hypothesis.given`: how many examples it draws."""

    def decorate(test: Any) -> Any:
        test = hypothesis.settings(max_examples=count * max(MORE, 1))(test)
        return pytest.mark.randomised(hypothesis.seed(SEED)(test) if MORE else test)

    return decorate


def seeds(count: int, first: int = 0) -> range:
    """Seeds for a test that makes its own worlds of them, marked `randomised`."""
    if not MORE:
        return range(first, first + count)
    start = 1000 * (SEED + 1) + first
    return range(start, start + count * MORE)

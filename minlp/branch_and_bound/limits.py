"""When a search stops, how many threads it has and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from satedge.problem.fields import Declared, Extended, FieldError, declared, param


def _silent(_line: str) -> None:
    """Nobody listens."""


@declared(noun="limit")
class Limits(Declared):
    """When to stop."""

    gap: float = param(
        1e-5,
        "-",
        "open",
        "Relative gap (incumbent - bound) / incumbent at which a slot counts as solved.",
        low=0,
    )
    budget_s: Extended = param(60.0, "s", "open", "Time for the search.", low=0)
    max_nodes: int = param(1_000_000, "-", "open", "Nodes after which it stops.", low=0)
    max_open: int = param(
        400_000, "-", "open", "Open nodes kept in memory, about a kilobyte each.", low=0
    )
    hard: bool = param(False, "-", "open", "Deadlines as constraints, instead of priced overruns.")
    threads: int = param(
        1, "-", "open", "Threads that bound the nodes of dives: as many make the same tree.", low=1
    )
    say: Callable[[str], object] = param(
        _silent, "-", "open", "Gets every line of the log when it is written."
    )


def refusal(**settings: Any) -> str:
    """What speaks against these limits; empty where nothing does."""
    try:
        Limits(**settings)
    except FieldError as problem:
        return str(problem)
    return ""

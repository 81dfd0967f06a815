"""What a worker may use for one run of a method, beyond the method's own budget."""

from __future__ import annotations

from satedge.problem.clock import Clock
from satedge.problem.fields import Declared, declared, param


@declared(noun="limit")
class Limits(Declared):
    """Limits that are kept from outside the method."""

    grace_s: float = param(2.0, "s", "open", "Time after the budget until a run is killed.", low=0)
    memory_MB: float = param(4096.0, "MB", "open", "Memory of a run.", above=0)
    startup_s: float = param(
        900.0,
        "s",
        "open",
        "For imports and compilation, before the clock of the budget starts.",
        above=0,
    )
    clock: Clock = param(
        "wall",
        "-",
        "open",
        "What budgets and times count: wall seconds, or cpu seconds of the run's processes, which "
        "are comparable even on a shared machine.",
    )

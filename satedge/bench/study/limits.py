"""What a worker may use for one run of a method, beyond the method's own budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a budget counts.
Clock = Literal["wall", "cpu"]


@dataclass(frozen=True)
class Limits:
    """Limits that are kept from outside the method."""

    grace_s: float = 2.0
    memory_MB: float = 4096.0
    startup_s: float = 900.0
    """For imports and compilation, before the clock of the budget starts."""
    clock: Clock = "wall"
    """What budgets and times count: "wall" seconds, or "cpu" seconds of the worker's processes."""

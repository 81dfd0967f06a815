"""The clock of budgets: methods read it, and whoever runs them says what it counts.

A method compares `now` with its budget and with nothing else. It counts elapsed seconds, or the
processor seconds of the process and of its children that have ended: budgets and times then mean
the same on a machine that others use too.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from typing import Literal

#: What the clock counts.
Clock = Literal["wall", "cpu"]


def processor_s() -> float:
    """Processor seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


_CLOCKS: Mapping[Clock, Callable[[], float]] = {"wall": time.perf_counter, "cpu": processor_s}
_chosen: Clock = "wall"


def count(clock: Clock) -> None:
    """Say what `now` counts in this process; to be called before a method runs, not during."""
    global _chosen
    _chosen = clock


def now() -> float:
    """Seconds since some moment of the process; only differences mean anything."""
    return _CLOCKS[_chosen]()

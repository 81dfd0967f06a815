"""Waiting for what happens, and not for a time that a busy machine outruns."""

import time
from collections.abc import Callable

import pytest

from satedge.bench.run.supervisor import Watch

#: Longer than anything takes that is waited for.
PATIENCE_S = 300.0


def wait_for(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds."""
    end = time.perf_counter() + PATIENCE_S
    while not condition():
        assert time.perf_counter() < end, f"waited {PATIENCE_S:g} s in vain"
        time.sleep(0.01)


def time_is_up(monkeypatch: pytest.MonkeyPatch, when: Callable[[Watch], object]) -> None:
    """The time of every cell is over as soon as `when` holds, and not before."""
    monkeypatch.setattr(Watch, "_over", lambda watch, _budget_s: bool(when(watch)))


def has_streamed(watch: Watch) -> bool:
    """All that `toys.streams` has to say is here."""
    return [p.lower_bound for p in watch.points] == [None, 0.25, None]

"""What has to be done before a clock starts, such as compiling, and telling about it.

A package registers what it has to prepare when it is imported; whoever times something calls
`prepare` before. What is said on the way goes to the terminal, or to whoever listens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str], None]
Step = Callable[[], None]

_steps: list[Step] = []


def register(step: Step) -> None:
    """Have something done whenever `prepare` is called."""
    _steps.append(step)


def prepare() -> None:
    """Do all that is registered."""
    for step in _steps:
        step()


def say(text: str) -> None:
    """Tell how far preparation is; nothing ("") when it is over."""
    _listener(text)


def listen(listener: Listener) -> None:
    """Have what is said told to this listener."""
    global _listener
    _listener = listener


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have what is said meanwhile told to this listener."""
    before = _listener
    listen(listener)
    try:
        yield
    finally:
        listen(before)


def on_terminal(text: str) -> None:
    """One line that changes; nothing where standard error is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


_listener: Listener = on_terminal

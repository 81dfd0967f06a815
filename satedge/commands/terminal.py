"""What names of strangers cannot do to a terminal, and a terminal that nobody reads any more."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment


def printable(text: str) -> str:
    """Text whose control characters, which would command the terminal, are shown as escapes."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


class Terminal(Console):
    """A console that shows control characters, and takes no name for a picture."""

    def __init__(self) -> None:
        super().__init__(highlight=False, emoji=False)
        self.push_render_hook(_Printable())

    def print(self, *objects: Any, **options: Any) -> None:
        """Tables fit the width; sentences are left to the terminal, which breaks no path in two."""
        if all(isinstance(shown, str) for shown in objects):
            options.setdefault("soft_wrap", True)
        super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: for the command line to end as it does."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class _Printable(RenderHook):
    def process_renderables(
        self, renderables: Iterable[ConsoleRenderable]
    ) -> list[ConsoleRenderable]:
        return [_Shown(renderable) for renderable in renderables]


class _Shown:
    """Something with its control characters shown."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def prepare_output() -> tuple[int, int]:
    """Let every text be printed, whatever the encoding, also where there is no output at all.

    Returns what standard output is, for `is_unread`.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (lives as long as we do)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return _what_output_is()


def is_unread(output: tuple[int, int]) -> bool:
    """Whether nobody reads standard output any more; what is left for it then goes nowhere."""
    if _what_output_is() != output:  # rich has noticed, and put nothing in its place
        return True
    poll = select.poll()
    poll.register(1, 0)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return True


def _what_output_is() -> tuple[int, int]:
    try:
        found = os.fstat(1)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino

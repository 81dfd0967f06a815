"""What moves while a study runs and is written up: on a terminal a bar, elsewhere a line now and
then. Nothing stands still for longer than EACH_S."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from satedge import preparation
from satedge.commands import common
from satedge.commands.terminal import printable

if TYPE_CHECKING:
    from satedge.bench.study.cell import Cell

#: Seconds between lines where there is no terminal.
EACH_S = 5.0


class StudyProgress:
    """How many runs are finished, which are at work, and what they are preparing."""

    def __init__(self) -> None:
        self.total = self.finished = 0
        self.at_work: dict[str, str] = {}
        self.preparing = ""
        self._shown: _Bar | _Log | None = None

    @contextmanager
    def of(self, total: int, finished: int) -> Iterator[None]:
        """Shown while so many runs are done."""
        self.total, self.finished = total, finished
        self._shown = shown = _Bar(self) if sys.stdout.isatty() else _Log(self)
        shown.start()
        try:
            with preparation.listening(self.say):
                yield
        finally:
            shown.stop()

    def say(self, text: str) -> None:
        """What is being prepared; nothing ("") when that is over."""
        self.preparing = text
        self._update()

    def begin(self, cell: Cell) -> None:
        """A run starts."""
        self.at_work[cell.key] = f"{cell.name} on {cell.instance.name}"
        self._update()

    def end(self, record: dict[str, Any]) -> None:
        """A run has ended; a failure is said."""
        row = record["row"]
        self.at_work.pop(row["key"], None)
        self.finished += 1
        if row["status"] not in ("done", "timeout"):
            name = f"{row['method']} on {row['instance']}"
            if self._shown is not None:
                self._shown.tell(row["status"], f"{name}: {row['reason']}")
        self._update()

    def _update(self) -> None:
        if self._shown is not None:
            self._shown.update()

    def text(self) -> str:
        """What is going on."""
        now = self.preparing or ", ".join(list(self.at_work.values())[-2:]) or "starting"
        return printable(now)


class _Bar:
    """Of a terminal: it turns even where nothing comes to an end."""

    def __init__(self, progress: StudyProgress) -> None:
        from rich import progress as rich
        from rich.table import Column

        self.progress = progress
        one_line = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        columns = (
            rich.SpinnerColumn(),
            rich.BarColumn(bar_width=20),
            rich.MofNCompleteColumn(),
            rich.TimeElapsedColumn(),
            rich.TextColumn("left"),
            rich.TimeRemainingColumn(),
            rich.TextColumn("{task.description}", table_column=one_line),
        )
        self._bar = rich.Progress(*columns, console=common.console(), transient=True, expand=True)
        self._task = self._bar.add_task(
            "starting", total=progress.total, completed=progress.finished
        )

    def start(self) -> None:
        self._bar.start()

    def stop(self) -> None:
        self._bar.stop()

    def update(self) -> None:
        from rich.markup import escape

        text = escape(self.progress.text())
        self._bar.update(self._task, completed=self.progress.finished, description=text)

    def tell(self, status: str, text: str) -> None:
        from rich.markup import escape

        self._bar.print(f"[red]{status}[/] {escape(text)}")


class _Log:
    """Where there is no terminal: lines on standard error."""

    def __init__(self, progress: StudyProgress) -> None:
        self.progress = progress
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._lines, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def update(self) -> None:
        """The next line will say it."""

    def tell(self, status: str, text: str) -> None:
        common.console().print(f"{status} {text}", markup=False)

    def _lines(self) -> None:
        while not self._over.wait(EACH_S):
            p, elapsed_s = self.progress, time.monotonic() - self._began
            line = f"{p.finished} of {p.total} runs, {elapsed_s:.0f} s: {p.text()}"
            print(line, file=sys.stderr, flush=True)


@contextmanager
def steps(quiet: bool = False) -> Iterator[None]:
    """Steps that `preparation.say` tells: turning on a terminal, elsewhere lines, EACH_S apart."""
    if quiet:
        with preparation.listening(lambda _: None):
            yield
    elif sys.stdout.isatty():
        with (
            common.console().status("writing") as status,
            preparation.listening(lambda text: status.update(printable(text))),
        ):
            yield
    else:
        with preparation.listening(_now_and_then()):
            yield


def _now_and_then() -> preparation.Listener:
    """A listener that prints what it is told, EACH_S apart."""
    told_s = time.monotonic()

    def tell(text: str) -> None:
        nonlocal told_s
        if text and time.monotonic() - told_s >= EACH_S:
            told_s = time.monotonic()
            print(printable(text), file=sys.stderr, flush=True)

    return tell

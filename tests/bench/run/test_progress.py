"""What moves while something runs."""

import io
import sys

import pytest

from satedge import preparation
from satedge.bench.methods.table import find
from satedge.bench.run import progress as solving
from satedge.bench.study.cell import Cell
from satedge.commands import progress
from satedge.problem.instance import Instance
from satedge.problem.plan import Progress
from support import toys
from support.waiting import wait_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_solving_shows_seconds_cost_bound_and_gap(
    slot: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of what was streamed, judged; a plan that does not fit is left out."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(solving, "EACH_S", 0.0)
    listen = solving.on_standard_error(slot, 10.0)
    listen(0.1, None)
    assert shown.getvalue().endswith("0.1 s of 10 s")
    plan = toys.plan_of(slot)
    listen(0.2, Progress(plan))
    listen(0.3, Progress(plan.slots(0, 0), 1.0))
    *_, last = shown.getvalue().split("\x1b[K")
    assert last.startswith("0.3 s of 10 s   cost ")
    assert "bound 1   gap " in last


def test_solving_logs_where_there_is_no_terminal(
    slot: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line, but not at once."""
    listen = solving.on_standard_error(slot, 10.0)
    listen(0.1, None)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(solving, "EACH_LOGGED_S", 0.0)
    listen(5.1, None)
    assert capsys.readouterr().err == "5.1 s of 10 s\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_study_says_what_is_at_work(
    slot: Instance, terminal: bool, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Runs at work, what is being prepared, and failures; afterwards nobody listens any more."""
    logged = io.StringIO()
    monkeypatch.setattr(sys, "stderr", logged)
    monkeypatch.setattr(progress, "EACH_S", 0.01)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    cell = Cell(find("greedy"), slot, 0, 5.0)
    told = progress.StudyProgress()
    before = preparation._listener
    with told.of(3, 1):
        assert told.text() == "starting"
        told.begin(cell)
        assert told.text() == f"greedy on {slot.name}"
        preparation.say("compiling")
        assert told.text() == "compiling"
        preparation.say("")
        row = {"key": cell.key, "method": "greedy", "instance": slot.name, "status": "failed"}
        told.end({"row": row | {"reason": "by [zero]"}})
        if not terminal:
            wait_for(lambda: "2 of 3 runs" in logged.getvalue())
    assert preparation._listener is before
    assert (told.finished, told.text()) == (2, "starting")
    assert f"greedy on {slot.name}: by [zero]" in capsys.readouterr().out
    assert ("runs" in logged.getvalue()) is not terminal

"""Whatever write fails or is the last: nothing half-written is seen, and the same call mends it."""

from __future__ import annotations

import io
import random
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from satedge.bench.run import progress as solving
from satedge.bench.run.store import Store
from satedge.bench.score.verify import findings
from satedge.bench.study.suite_data import WALKER
from satedge.cli import main
from satedge.commands import progress
from satedge.problem.io.files import read_instance, write_plan
from satedge.problem.satellites.elements import read_elements
from satedge.problem.satellites.walker import write_walker_tle
from support.faults import Faults, contents, killed_at, n_steps
from support.randomised import MORE, SEED
from support.toys import plan_of

#: Faults of each kind in one test; all of them where there is time.
MOST = 1000 if MORE else 2


def files(folder: Path) -> dict[str, bytes]:
    """All files, without the folder's name, which pages tell."""
    return {n: d.replace(str(folder).encode(), b"") for n, d in contents(folder).items()}


@dataclass(frozen=True)
class Command:
    """A command that writes into a folder."""

    words: str
    """`{out}` is its folder, `{here}` that of what it needs."""
    told: Callable[[Path], Any] = files
    """What must be the same after a fault and another call."""
    whole: Callable[[Path], object] = contents
    """Reads all that is visible in the folder; raises where it is half-written."""


def policies(folder: Path) -> Any:
    """Weights by name, and what is said of them but for times."""
    found = {p.name: p.read_bytes() for p in folder.rglob("policies/*/*.safetensors")}
    curve = [line for line in (folder / "curve.csv").read_text().splitlines()
             if ",seconds," not in line]  # fmt: skip
    return found, curve


def rows(folder: Path) -> Any:
    """The table of a run, but for what is measured, and what `satedge check` finds."""
    store = Store(folder)
    table = store.gather()
    assert findings(store, table) == []
    return table[["key", "status", "cost", "lower_bound", "settings"]].to_csv()


def is_whole_run(folder: Path) -> None:
    assert Store(folder)._sound()[2] == {}


COMMANDS = {
    "generate": Command("generate -p tiny --slots 1 -n 2 -o {out}"),
    "generate packed": Command("generate -p tiny --slots 2 -n 1 -o {out}"),
    "solve": Command("solve {here}/i-0.json -m greedy --plan-out {out}/p.json"),
    "draw": Command("draw {here}/i-0.json {here}/plan.json -o {out}/map.svg"),
    "animate": Command("draw {here}/i-0.json {here}/plan.json -o {out}/map.gif"),
    "export": Command("export {here}/i-0.json -o {out}/p.nl"),
    "report": Command("report {out}", whole=is_whole_run),
    "benchmark": Command("benchmark {here}/s.toml -o {out} --no-report", rows, is_whole_run),
    "train": Command("train ppo -p tiny --set n_slots=5 --epochs 2 -o {out}", policies, str),
}


@pytest.fixture(autouse=True)
def nobody_is_kept_informed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine gets no lines on what is going on: standard error holds errors alone."""
    monkeypatch.setattr(progress, "EACH_S", 1e6)
    monkeypatch.setattr(solving, "EACH_LOGGED_S", 1e6)


def call(words: str) -> tuple[int, str]:
    """Exit code and standard error of the command line."""
    out, error, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["satedge", *shlex.split(words)]
    try:
        with redirect_stdout(out), redirect_stderr(error):
            return main(), error.getvalue()
    finally:
        sys.argv = argv


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An instance, a plan and a study, and what the commands of a report need."""
    folder, before = tmp_path_factory.mktemp("here"), list(sys.path)
    assert call(f"generate -p tiny --slots 1 -n 1 -o {folder}")[0] == 0
    (folder / "tiny-0.json").rename(folder / "i-0.json")
    instance = read_instance(folder / "i-0.json")
    write_plan(plan_of(instance), folder / "plan.json", instance)
    part = f"[[part]]\nsuites = ['{folder / 'i-0.json'}']\n"
    (folder / "s.toml").write_text(f"{part}methods = ['greedy', 'nearest']\n")
    assert call(f"benchmark {folder}/s.toml -o {folder}/run --no-report")[0] == 0
    yield folder
    sys.path[:] = before


def prepared(name: str, here: Path, out: Path) -> str:
    """The words of a command for a new folder."""
    out.mkdir(parents=True)
    if name == "report":
        for path, data in contents(here / "run").items():
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_bytes(data)
    return COMMANDS[name].words.format(out=out, here=here)


def chosen(name: str, steps: int) -> list[int]:
    return sorted(random.Random(f"{name} {SEED}").sample(range(1, steps + 1), min(MOST, steps)))


@pytest.mark.randomised
@pytest.mark.parametrize("name", COMMANDS)
def test_a_failing_write(name: str, here: Path, tmp_path: Path) -> None:
    """One line with the file's name; what is there is whole; the same call gives the same."""
    command, done = COMMANDS[name], []
    steps = n_steps(lambda: done.append(call(prepared(name, here, tmp_path / "sound" / "run"))))
    assert done == [(0, "")]
    sound = command.told(tmp_path / "sound" / "run")
    for n in chosen(name, steps):
        out = tmp_path / f"failed-{n}" / "run"
        words = prepared(name, here, out)
        with pytest.MonkeyPatch.context() as monkeypatch:
            Faults(monkeypatch, n)
            code, error = call(words)
        assert (code, len(error.splitlines())) == (2, 1), error
        assert error.startswith(f"satedge: {out}"), error
        assert not list(out.rglob("*.part"))
        holds(command, words, out, sound)


@pytest.mark.randomised
@pytest.mark.parametrize("name", [n for n in COMMANDS if n not in ("solve", "benchmark")])
def test_a_kill_while_writing(name: str, here: Path, tmp_path: Path) -> None:
    """What is there is whole, and the same call gives the same; parts beside are hidden."""
    command = COMMANDS[name]
    steps = n_steps(partial(call, prepared(name, here, tmp_path / "sound" / "run")))
    sound = command.told(tmp_path / "sound" / "run")
    for n in chosen(name, steps):
        out = tmp_path / f"killed-{n}" / "run"
        words = prepared(name, here, out)
        assert killed_at(n, partial(call, words))
        holds(command, words, out, sound)


def holds(command: Command, words: str, out: Path, sound: Any) -> None:
    """Nothing half-written is visible, and another call ends as one without a fault."""
    command.whole(out)
    seen = {name: data for name, data in files(out).items() if not name.endswith(".part")}
    if command.told is files:
        assert {name for name, data in seen.items() if sound[name] != data} == set()
    assert call(words) == (0, "")
    for left in out.rglob(".*.part"):
        left.unlink()
    assert command.told(out) == sound


def test_the_constellation_is_written_whole(tmp_path: Path) -> None:
    """Where its writing fails, the old one is there."""
    path = tmp_path / "walker.tle"
    write_walker_tle(path, **WALKER)
    before = path.read_bytes()
    other = {**WALKER, "inclination_deg": 70.0}
    for n in range(1, 4):
        with pytest.MonkeyPatch.context() as monkeypatch:
            Faults(monkeypatch, n)
            with pytest.raises(OSError, match=str(path)):
                write_walker_tle(path, **other)
        assert path.read_bytes() == before
    assert len(read_elements(path)) == WALKER["n_satellites"]

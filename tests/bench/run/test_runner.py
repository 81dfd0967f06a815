"""Studies: they resume after any end, repeat nothing, and keep every ending as a row."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from satedge.bench.run.local import local
from satedge.bench.run.runner import carry_out, sort_out
from satedge.bench.run.store import Store, StoreError
from satedge.bench.study.cell import Cell
from satedge.bench.study.study import cells
from satedge.bench.study.study_file import parse_study
from satedge.problem.generation.generate import generate
from satedge.problem.io.files import write_instance
from satedge.problem.io.folder import BusyError, only_one
from satedge.problem.scenario import preset
from support import TESTS
from support.toys import record_of
from support.waiting import PATIENCE_S, wait_for

N_INSTANCES = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small instances."""
    path = tmp_path_factory.mktemp("instances")
    for seed in range(N_INSTANCES):
        instance = generate(preset("tiny", n_slots=1), seed, name=f"i{seed}")
        write_instance(instance, path / f"{instance.name}.json")
    return path


def study_text(folder: Path, methods: str, budget_s: int = 5) -> str:
    return f"""
        title = "a test"
        [[part]]
        name = "group"
        suites = ["{folder}"]
        seeds = [0, 1]
        budgets_s = [{budget_s}]
        methods = [{methods}]
    """


def start(study: Path, out: Path, *options: str) -> "subprocess.Popen[str]":
    """`satedge benchmark` as a user starts it."""
    command = [sys.executable, "-m", "satedge", "benchmark", str(study), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--no-report", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent)))},
        # Shells start background jobs deaf to Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_resumes_after_sigkill(folder: Path, tmp_path: Path) -> None:
    """Killed with SIGKILL while a cell is at work, a run goes on, and no finished cell again."""
    note, permits, out = tmp_path / "note", tmp_path / "permits", tmp_path / "run"
    study = tmp_path / "study.toml"
    settings = f'{{ note = "{note}", permits = "{permits}" }}'
    good = f'{{ name = "support.toys:good", settings = {settings} }}'
    study.write_text(study_text(folder, good, budget_s=3600))
    note.touch()
    store = Store(out)
    for finished, begun in ((1, 2), (2, 4)):
        permits.write_text(str(begun - 1))
        process = start(study, out)
        wait_for(lambda n=begun: len(note.read_text().splitlines()) == n)
        wait_for(lambda n=finished: len(store.finished()) == n)
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        assert family
        assert not psutil.wait_procs(family, timeout=PATIENCE_S)[1], "a worker outlived its run"
    before = {k: os.stat(store._path(k)).st_mtime_ns for k in store.finished()}
    permits.write_text("100")
    process = start(study, out)
    told = process.communicate()[1]
    assert all(re.match(r"\d+ of \d+ runs, ", line) for line in told.splitlines()), told
    assert process.returncode == 0
    assert len(store.finished()) == 2 * N_INSTANCES
    assert all(os.stat(store._path(k)).st_mtime_ns == t for k, t in before.items())
    cells = Counter(line.rpartition(" ")[0] for line in note.read_text().splitlines())
    assert sorted(cells.values()) == [1, 1, 1, 1, 2, 2], "only the cell at work is begun again"


def test_ctrl_c_stops_clean(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C kills what runs, keeps what is finished, and says how to go on."""
    out, study = tmp_path / "run", tmp_path / "study.toml"
    methods = '"support.toys:good", "support.toys:spins"'
    study.write_text(study_text(folder, methods, budget_s=3600))
    process = start(study, out)
    wait_for(lambda: len(Store(out).finished()) >= 1)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130
    assert f"of {4 * N_INSTANCES} runs are finished and saved in {out}" in told
    assert f"go on with: satedge benchmark {study} --out {out}" in told
    assert "Traceback" not in told
    assert not psutil.wait_procs(family, timeout=PATIENCE_S)[1]


def test_failures_do_not_stop_others(folder: Path, tmp_path: Path) -> None:
    """A method that crashes cannot break the others; its cells are rows of their own."""
    toys = ", ".join(f'"support.toys:{name}"' for name in ("good", "crashes", "not_there"))
    study = parse_study(study_text(folder, f'{toys}, "nowhere:solve"'), "s")
    store = Store(tmp_path).make()
    work = sort_out(study, store)
    assert work.missing == {
        "support.toys:not_there": "toys has no function not_there",
        "nowhere:solve": "the module nowhere is not there",
    }
    for _ in carry_out(study, work, store, local(2)):
        pass
    rows = store.gather()
    endings = Counter(zip(rows["method"], rows["status"], strict=True))
    assert endings == {
        ("support.toys:good", "done"): 2 * N_INSTANCES,
        ("support.toys:crashes", "crashed"): 2 * N_INSTANCES,
        ("support.toys:not_there", "skipped"): 2 * N_INSTANCES,
        ("nowhere:solve", "skipped"): 2 * N_INSTANCES,
    }
    assert sort_out(study, store).todo == []
    again = sort_out(study, store, frozenset(["crashed"]))
    assert {c.name for c in again.todo} == {"support.toys:crashes"}
    assert "crashed" not in set(store.gather()["status"])
    bad = sort_out(study, store, frozenset(["all"]), frozenset(["support.toys:crashes"]))
    assert len(bad.todo) == 2 * N_INSTANCES
    assert len(store.finished()) == 2 * N_INSTANCES, "those of other methods stay"
    anew = sort_out(study, store, frozenset(["all"]))
    assert {c.name for c in anew.todo} == {"support.toys:good", "support.toys:crashes"}
    assert not store.finished()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    """A folder belongs to one run at a time; the second is told."""
    refused = pytest.raises(BusyError, match="another run is at work")
    with only_one(tmp_path), refused, only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_cells_have_stable_keys(folder: Path) -> None:
    """The key of a cell says what is run on what: equal cells share it, others do not."""
    text = study_text(folder, '"support.toys:good"')
    keys = [c.key for c in cells_of(text)]
    assert keys == [c.key for c in cells_of(text)]
    assert len(set(keys)) == len(keys) == 2 * N_INSTANCES
    other = cells_of(text.replace("budgets_s = [5]", "budgets_s = [6]"))
    assert not set(keys) & {c.key for c in other}


def cells_of(text: str) -> list[Cell]:
    return cells(parse_study(text, "s"))


def test_damaged_cell_is_named(tmp_path: Path) -> None:
    """A cell whose file was damaged is refused with its path and the remedy."""
    store = Store(tmp_path).make()
    record = record_of(0, {})
    store.write(record)
    key = record["row"]["key"]
    assert store.read(key)["row"]["key"] == key
    path = store._path(key)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"damaged .* the same study does the run again"):
        store.read(key)


def test_dry_run_tells_what_would_happen(folder: Path, tmp_path: Path) -> None:
    """--dry-run counts cells, estimates time and names what is missing, and runs nothing."""
    study = tmp_path / "study.toml"
    study.write_text(study_text(folder, '"support.toys:good", "nowhere:solve"'))
    process = start(study, tmp_path / "run", "--dry-run", "--json", "--jobs", "2")
    told = json.loads(process.communicate()[0])
    assert (told["to_do"], told["finished"], told["skipped"]) == (6, 0, 6)
    assert told["at_most_s"] == 6 * (5 + 2) / 2
    assert told["missing"] == {"nowhere:solve": "the module nowhere is not there"}
    assert not (tmp_path / "run").exists()

"""Methods are strangers: what they return is data, what they use is measured from outside, and
nothing that they do stops the bench, outlives its run or reaches the next one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from satedge.bench.methods.table import find
from satedge.bench.run import link, messages, supervisor
from satedge.bench.run.link import Frame
from satedge.bench.run.local import execute, local
from satedge.bench.run.messages import MessageError
from satedge.bench.run.runner import carry_out, sort_out
from satedge.bench.run.store import Store
from satedge.bench.run.worker_process import WorkerProcess
from satedge.bench.study.cell import Cell
from satedge.bench.study.limits import Limits
from satedge.bench.study.study_file import parse_study
from satedge.problem.fields import FieldError
from satedge.problem.instance import Instance
from satedge.problem.io.files import write_instance
from support import strangers

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells less elsewhere")


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess() as found:
        yield found


def run(worker: WorkerProcess, instance: Instance, name: str, budget_s: float = 60.0, **settings):
    method = find(f"support.strangers:{name}").with_settings(**settings)
    if name in ("returns", "arrays", "reports"):
        method = replace(method, family="classical")  # kept warm: many runs, and none harms it
    return execute(worker, Cell(method, instance, 3, budget_s, limits=Limits(grace_s=0.3)))


def fails(record) -> str:
    """The reason of a run that failed as it should: one line, and nothing is scored."""
    row = record["row"]
    assert row["status"] == "failed", row
    assert row["reason"]
    assert "\n" not in row["reason"]
    assert row.get("cost") is None
    json.dumps(record, allow_nan=False)
    return row["reason"]


@pytest.mark.parametrize("what", [w for w in strangers.RETURNS if "bound" not in w])
def test_what_is_no_outcome_fails(worker: WorkerProcess, slot: Instance, what: str) -> None:
    """A result of wrong type, or with a field of wrong type, is a failed run with its reason."""
    fails(run(worker, slot, "returns", what=what))


@pytest.mark.parametrize("what", [w for w in strangers.RETURNS if "bound" in w])
def test_what_is_no_bound_fails(worker: WorkerProcess, slot: Instance, what: str) -> None:
    """A bound is a number or None."""
    row = run(worker, slot, "returns", what=what)["row"]
    assert row["status"] == "failed"
    assert "lower bound" in row["reason"]
    assert row["lower_bound"] is None


@pytest.mark.parametrize("name", ["server", "power_W", "uav_xy_m"])
@pytest.mark.parametrize("what", [*strangers.ARRAYS, "nan"])
def test_what_is_no_array_fails(
    worker: WorkerProcess, slot: Instance, name: str, what: str
) -> None:
    """Arrays of a plan have their shape, numbers of their kind, and only finite ones."""
    assert fails(run(worker, slot, "arrays", which=name, what=what))


@pytest.mark.parametrize("what", strangers.REPORTS)
def test_what_is_no_progress_fails(worker: WorkerProcess, slot: Instance, what: str) -> None:
    """The same for what is streamed."""
    assert fails(run(worker, slot, "reports", what=what))


def test_more_kinds_of_arrays(worker: WorkerProcess, slot: Instance) -> None:
    """Servers are no floats, and numbers wider than doubles are not cut."""
    for what in ("floats", "unsigned 64"):
        told = fails(run(worker, slot, "arrays", which="server", what=what))
        assert "allowed is int64" in told
    for what in ("inf", "long double"):
        assert fails(run(worker, slot, "arrays", which="power_W", what=what))


def test_a_study_goes_on(slot: Instance, tmp_path: Path) -> None:
    """Every bad return is a row; the study ends, and its table can be read."""
    write_instance(slot, tmp_path / "slot.json")
    bad = ["bound array", "info list", "resampled flat", "plan as text"]
    own = '{{ name = "support.strangers:{}", label = "{}", settings = {{ what = "{}" }} }}'
    methods = [own.format("returns", what, what) for what in bad]
    methods.append(own.format("reports", "junk", "text"))
    text = f"[[part]]\nname = 'x'\nsuites = ['{tmp_path / 'slot.json'}']\n"
    study = parse_study(f"{text}methods = ['greedy', {', '.join(methods)}]\n", "s")
    store = Store(tmp_path / "run").make()
    for _ in carry_out(study, sort_out(study, store), store, local(2)):
        pass
    ended = {r["row"]["method"]: r["row"]["status"] for r in store.records()}
    assert ended == dict.fromkeys([*bad, "junk"], "failed") | {"greedy": "done"}
    assert sort_out(study, store).todo == []
    assert len(store.gather()) == len(bad) + 2


# --- the bench's side alone


def plain_head(**changes: object) -> bytes:
    head: dict[str, object] = {"kind": "done", "status": "finished", "lower_bound": None}
    return json.dumps(head | {"plan": False, "certificate": {}, "info": {}} | changes).encode()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b"1" * 5000,
        b'{"kind": "hello"}',
        b'{"kind": ["done"]}',
        b'{"kind": "ready", "more": 1}',
        b'{"kind": "failed"}',
        b'{"kind": "failed", "text": 5}',
        b"[" + b"[]," * (3 << 20) + b"[]]",
        plain_head(status=1),
        plain_head(lower_bound=1),
        plain_head(lower_bound="1"),
        plain_head(info=[]),
        plain_head(info={"resampled": [[0]]}),
        plain_head(certificate=None),
        plain_head(plan=True),
    ],
)
def test_heads_that_no_worker_of_ours_sends(slot: Instance, head: bytes) -> None:
    """Whatever bytes come, the bench finds a message in them or says why not."""
    with pytest.raises(MessageError) as told:
        messages.read(Frame(head), slot)
    assert "\n" not in str(told.value)


def test_messages_survive_the_way(slot: Instance) -> None:
    """What a worker sends, the bench reads, to the bit; values of numpy become plain ones."""
    plan = strangers.plan_of(slot)
    info = {"n": np.int64(3), "x": np.float32(0.5), "a": np.arange(2), 5: {"b"}, "t": (1, 2)}
    outcome = strangers.Outcome(plan, "optimal", np.float64(0.25), {"kind": "k"}, info=info)
    again = messages.read(messages.done(outcome, slot), slot).outcome
    assert again is not None
    assert again.plan is not None
    for name, value in vars(plan).items():
        assert getattr(again.plan, name).tobytes() == value.tobytes()
        assert getattr(again.plan, name).dtype == value.dtype
    assert (again.status, again.lower_bound, again.certificate) == ("optimal", 0.25, {"kind": "k"})
    assert again.info == {"n": 3, "x": 0.5, "a": [0, 1], "5": ["b"], "t": [1, 2]}
    reason = messages.read(messages.failed("a\n\x1b[31m\ud800" + "x" * 9000), slot).text
    assert reason.startswith("a \x1b[31m\\ud800xxx")
    assert len(reason) <= 2010


# --- clocks, processes, memory


@linux
def test_clocks_of_the_bench_are_out_of_reach(slot: Instance) -> None:
    """A method that sets its clocks back is timed all the same, and so is the one after it."""
    with WorkerProcess() as worker:
        row = run(worker, slot, "resets_clocks")["row"]
        assert 0.2 <= row["wall_s"] < 60
        assert 0.2 <= row["cpu_s"] < 60
        honest = execute(worker, Cell(find("support.toys:two_clocks"), slot, 0, 60.0))["row"]
        assert honest["wall_s"] >= 0.5
        assert honest["cpu_s"] < honest["wall_s"]


@linux
def test_a_process_left_behind_is_counted_and_ended(slot: Instance, tmp_path: Path) -> None:
    """A double fork into a session of its own escapes neither the meters nor the end."""
    note = tmp_path / "pid"
    with WorkerProcess() as worker:
        record = run(worker, slot, "forks_twice", note=str(note))
    row = record["row"]
    assert row["status"] == "done"
    assert row["cpu_s"] >= 0.3
    assert row["peak_MB"] >= 80
    assert not psutil.pid_exists(int(note.read_text()))
    assert "all it started" in record["measured_by"]


@linux
def test_what_a_crash_leaves_behind_is_counted_and_ended(slot: Instance, tmp_path: Path) -> None:
    """So does what a method leaves that ends its own process."""
    note = tmp_path / "pid"
    with WorkerProcess() as worker:
        row = run(worker, slot, "forks_twice_and_dies", note=str(note))["row"]
    assert (row["status"], row["reason"]) == ("crashed", "the process ended with exit code 7")
    assert row["cpu_s"] >= 0.3
    assert not psutil.pid_exists(int(note.read_text()))


def test_every_run_of_a_stranger_has_a_process_of_its_own(slot: Instance) -> None:
    """What a method changes in its process is gone with it."""
    with WorkerProcess() as worker:
        pids = {run(worker, slot, "changes_the_world")["info"]["pid"] for _ in range(2)}
        assert len(pids) == 2
        threads = execute(worker, Cell(find("support.toys:threads"), slot, 0, 60.0))
    assert threads["info"] == {"threads": "1"}


# --- no hang


def test_half_a_message_is_no_hang(slot: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is whole within its time, or the run has failed."""
    monkeypatch.setattr(link, "WHOLE_S", 0.3)
    with WorkerProcess() as worker:
        assert "half a message" in fails(run(worker, slot, "half_message", budget_s=600))


def test_an_endless_message_is_refused(slot: Instance) -> None:
    """No more is taken than the plan of the instance has."""
    with WorkerProcess() as worker:
        assert "allowed is at most" in fails(run(worker, slot, "endless_message", budget_s=600))
        assert fails(run(worker, slot, "noise", budget_s=600, head="no JSON"))
        assert "out of turn" in fails(
            run(worker, slot, "noise", budget_s=600, head='{"kind": "ready"}')
        )


def test_a_closed_connection_is_no_hang(slot: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that hangs up and lives on is ended."""
    monkeypatch.setattr(supervisor, "CLOSE_S", 0.2)
    with WorkerProcess() as worker:
        assert "closed its connection" in fails(run(worker, slot, "hangs_up", budget_s=600))


def test_words_without_end(slot: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not for what a method prints."""
    monkeypatch.setattr(supervisor, "MAX_LOG_BYTES", 8 << 20)
    with WorkerProcess() as worker:
        record = run(worker, slot, "prints_without_end", budget_s=600)
    assert fails(record) == "printed more than 8 MiB"
    assert len(record["log"]) <= 32_768


@pytest.mark.parametrize("limit", ["grace_s", "memory_MB", "startup_s"])
def test_limits_that_are_no_numbers_are_refused(limit: str) -> None:
    """NaN is no limit that is never reached."""
    with pytest.raises(FieldError, match=f"^{limit} = nan: allowed is a number"):
        Limits(**{limit: float("nan")})


# --- the search path


TRAP = "from pathlib import Path\nPath(__file__ + '.ran').touch()\nraise ImportError('a trap')\n"


def in_folder(
    folder: Path, *words: str, module: bool = False
) -> "subprocess.CompletedProcess[str]":
    """The command line as a user calls it in a folder."""
    start = (
        [sys.executable, "-m", "satedge"] if module else [Path(sys.executable).parent / "satedge"]
    )
    return subprocess.run([*start, *words], cwd=folder, capture_output=True, text=True)


@pytest.fixture
def trapped(slot: Instance, tmp_path: Path) -> Path:
    """A folder with an instance, and with modules of names that this package imports."""
    for name in ("random", "pickle", "socket", "numpy", "psutil", "sitecustomize", "minlp"):
        (tmp_path / f"{name}.py").write_text(TRAP)
    write_instance(slot, tmp_path / "slot.json")
    return tmp_path


@pytest.mark.parametrize("module", [False, True])
def test_modules_beside_the_instance_stay_unread(trapped: Path, module: bool) -> None:
    """A module of a known name in the current folder is nobody's module."""
    done = in_folder(trapped, "solve", "slot.json", "-m", "greedy", "--json", module=module)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    assert not list(trapped.glob("*.ran"))


def test_a_named_module_of_the_folder_runs(trapped: Path) -> None:
    """`--method module:function` finds a module of the current folder, and others by it only when
    nobody else has them; the command line itself imports none of it."""
    (trapped / "helper.py").write_text("import random\nlevel = random.Random(0).random()\n")
    (trapped / "mine.py").write_text(
        "import sys, helper\n"
        "from satedge.problem.rollout import idle_decision, rollout\n"
        "assert 'satedge.cli' not in sys.modules\n"
        "def solve(instance, *, budget_s, seed):\n"
        "    return rollout(instance, lambda slot, t: idle_decision(slot), seed=seed)\n"
    )
    done = in_folder(trapped, "solve", "slot.json", "-m", "mine:solve", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    assert not list(trapped.glob("*.ran"))
    elsewhere = trapped / "elsewhere"
    elsewhere.mkdir()
    done = in_folder(elsewhere, "solve", "../slot.json", "-m", "mine:solve")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the module mine is not there" in done.stderr

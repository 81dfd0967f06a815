"""A real scheduler and two worker processes on the loopback address."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from satedge.bench.methods.table import find
from satedge.bench.run import dask as cluster_module
from satedge.bench.run.store import Store
from satedge.bench.study.cell import Cell
from satedge.problem.generation.generate import generate
from satedge.problem.io.files import write_instance
from satedge.problem.scenario import preset
from support import TESTS
from support.clusters import Cluster, benchmark
from support.waiting import PATIENCE_S, wait_for


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    found.close()


def study(folder: Path, methods: str, n_instances: int) -> Path:
    for seed in range(n_instances):
        instance = generate(preset("tiny", n_slots=1), seed, name=f"i{seed}")
        write_instance(instance, folder / "instances" / f"{seed}.json")
    path = folder / "study.toml"
    path.write_text(
        f"[[part]]\nname = 'g'\nsuites = ['{folder / 'instances'}']\nbudgets_s = [3600]\n"
        f"methods = [{methods}]\n"
    )
    return path


def judged(store: Store) -> dict[str, tuple[object, ...]]:
    names = ("method", "status", "cost", "lower_bound", "admissible")
    return {r["row"]["key"]: tuple(r["row"].get(n) for n in names) for r in store.records()}


def worker_above(cluster: Cluster, pid: int) -> "subprocess.Popen[bytes]":
    """The Dask worker that a process descends from."""
    line = {pid, *(above.pid for above in psutil.Process(pid).parents())}
    return next(worker for worker in cluster.workers if worker.pid in line)


def test_cluster_gives_the_local_table_and_survives_a_lost_worker(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Same cells, same judged numbers as on this machine, though a worker is killed meanwhile."""
    (tmp_path / "instances").mkdir()
    note, permits = tmp_path / "note", tmp_path / "permits"
    permits.write_text("0")
    settings = f"{{ note = '{note}', permits = '{permits}' }}"
    held = f"{{ name = 'support.toys:good', settings = {settings} }}"
    path = study(tmp_path, f"{held}, 'greedy', 'support.toys:raises', 'support.toys:crashes'", 2)
    far, near = tmp_path / "far", tmp_path / "near"
    process = benchmark(path, far, "--scheduler-file", cluster.file)
    wait_for(lambda: note.exists() and note.read_text().endswith("\n"))
    os.killpg(worker_above(cluster, int(note.read_text().split()[2])).pid, signal.SIGKILL)
    permits.write_text("100")
    for started in (process, benchmark(path, near)):
        _, told = started.communicate(timeout=PATIENCE_S)
        assert started.returncode == 0, told
    assert judged(Store(far)) == judged(Store(near))
    assert len(Store(far).finished()) == 8
    assert {r["row"]["host"] for r in Store(far).records()} == {socket.gethostname()}


def test_workers_that_come_later_get_cells_too() -> None:
    """Cells in flight follow the threads there are by now, and all cells are sent once."""

    class Client:
        threads = 0

        def nthreads(self) -> dict[str, int]:
            return {"one": self.threads}

        def submit(self, *_: object, key: str) -> str:
            return key

    client, flying = Client(), set[str]()
    instance = generate(preset("tiny", n_slots=1), 0)
    cells = [Cell(find("greedy"), instance, seed, 1.0) for seed in range(20)]
    sender = cluster_module._Cluster(client, cells)  # type: ignore[arg-type]
    ahead = cluster_module.AHEAD
    for client.threads, sent in ((0, ahead), (2, 2 * ahead), (1, 2 * ahead), (9, 20), (9, 20)):
        sender._fill(flying)
        assert len(flying) == sent
    assert len({key.partition("-")[0] for key in flying}) == 20


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:notaport",
     "tcp://127.0.0.1:99999", "foo://bar:1", "tcp://nohost.invalid:8786", "tcp://a..b:80",
     "tcp://[::1:80", "{deaf}", "{mute}"],
)  # fmt: skip
def test_unreachable_scheduler_is_one_clear_error(address: str) -> None:
    """What is no address, or does not answer like a scheduler, is told in one line in seconds."""
    with socket.socket() as deaf, socket.socket() as mute:
        deaf.bind(("127.0.0.1", 0))
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        for name, end in (("deaf", deaf), ("mute", mute)):
            address = address.replace(f"{{{name}}}", f"tcp://127.0.0.1:{end.getsockname()[1]}")
        began = time.perf_counter()
        with pytest.raises(cluster_module.ClusterError) as told:
            cluster_module.on_cluster(address, None)
    assert time.perf_counter() - began < 2 * cluster_module.CONNECT_S + 3  # import distributed
    assert address in str(told.value)
    assert "\n" not in str(told.value)


def test_a_lost_scheduler_ends_the_run(cluster: Cluster, tmp_path: Path) -> None:
    """One line, nothing lost; and the same command goes on when the scheduler is there again."""
    (tmp_path / "instances").mkdir()
    note, permits = tmp_path / "note", tmp_path / "permits"
    permits.write_text("2")
    settings = f"{{ note = '{note}', permits = '{permits}' }}"
    held = f"{{ name = 'support.toys:good', settings = {settings} }}"
    path, out = study(tmp_path, f"{held}, 'greedy'", 6), tmp_path / "run"
    process = benchmark(path, out, "--scheduler-file", cluster.file)
    wait_for(lambda: len(Store(out).finished()) >= 2)
    os.killpg(cluster.scheduler.pid, signal.SIGKILL)
    _, told = process.communicate(timeout=PATIENCE_S)
    permits.write_text("1000")
    assert process.returncode == 2
    assert told.splitlines()[-1].startswith("satedge: the scheduler was lost; finished runs are")
    assert "Traceback" not in told
    finished = Store(out).finished()
    assert 2 <= len(finished) < 12
    cluster.start_scheduler()
    cluster.start_worker()
    again = benchmark(path, out, "--scheduler-file", cluster.file)
    _, told = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, told
    assert len(Store(out).finished()) == 12


def test_a_frozen_scheduler_is_no_hang(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that keeps its connections and answers no more is lost, too."""
    backend = cluster_module.on_cluster(None, cluster.file)
    monkeypatch.setattr(cluster_module, "ASK_S", 0.1)
    instance = generate(preset("tiny", n_slots=1), 0)
    cells = [Cell(find("support.toys:spins"), instance, seed, 600.0) for seed in range(2)]
    timer = threading.Timer(3.0, lambda: os.killpg(cluster.scheduler.pid, signal.SIGSTOP))
    timer.start()
    monkeypatch.setattr(cluster_module, "ANSWER_S", 2.0)
    with pytest.raises(cluster_module.ClusterError, match="scheduler was lost"):
        list(backend(cells))
    timer.join()


def test_a_module_that_workers_lack_is_one_error(tmp_path: Path) -> None:
    """Workers without a user's module end the run with what is missing where: no failed rows."""
    (tmp_path / "instances").mkdir()
    poor = Cluster(tmp_path, PYTHONPATH=str(TESTS.parent))
    try:
        path, out = study(tmp_path, "'support.toys:good'", 30), tmp_path / "run"
        process = benchmark(path, out, "--scheduler-file", poor.file)
        _, told = process.communicate(timeout=PATIENCE_S)
    finally:
        poor.close()
    assert process.returncode == 2
    assert told.splitlines()[-1] == (
        f"satedge: Dask worker on {socket.gethostname()}: support.toys:good: "
        "the module support.toys is not there"
    )
    assert "Traceback" not in told
    assert not Store(out).finished()


def test_missing_scheduler_file_is_one_clear_error(tmp_path: Path) -> None:
    """On the command line: exit code 2 and one line."""
    (tmp_path / "instances").mkdir()
    file = tmp_path / "none.json"
    process = benchmark(study(tmp_path, "'greedy'", 1), tmp_path / "run", "--scheduler-file", file)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, told) == (2, f"satedge: {file}: no such scheduler file\n")

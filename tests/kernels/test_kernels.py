"""Kernels: one signature, compiled once for all processes, and records that both sides share."""

import copy
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import TypingError

from satedge import preparation
from satedge.kernels import KERNELS, store
from satedge.kernels.arrays import assign_rows, dot, holds, least_at
from satedge.kernels.compilation import compilation
from satedge.kernels.logarithms import log1p_all, log_all
from support import toy_kernels
from support.toy_kernels import Line, evaluate, example, total, twice

ROOT = Path(__file__).parents[2]

#: What a process prints: a result, and how many kernels it had to compile.
SHOW = """
from support.toy_kernels import compilation, example, total
print(total(example()), compilation.compiled)
"""


def started(cache: Path, code: str = SHOW, **variables: str) -> subprocess.Popen:
    """A process of its own with this cache folder."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": path, **variables}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> tuple[float, int, str]:
    """(total, kernels compiled, standard error) of a process that shows them."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found, compiled = out.split()
    return float(found), int(compiled), err


def stored(cache: Path) -> dict[str, Path]:
    """The files of the toy kernels by name, their module left out."""
    module = toy_kernels.__name__
    found = cache.glob(f"kernels-*/{module}.*.kernel")
    return {p.name.removeprefix(f"{module}.").removesuffix(".kernel"): p for p in found}


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which a process has left the toy kernels."""
    cache = tmp_path_factory.mktemp("warm")
    assert ended(started(cache))[:2] == (27.0, 5)
    return cache


@pytest.fixture
def used(warm: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    subprocess.run(["cp", "-r", f"{warm}/.", str(tmp_path)], check=True)
    return tmp_path


def test_records_are_shared_with_kernels() -> None:
    """What a kernel writes into an array of a record is seen in Python, where it was made."""
    line = example()
    assert evaluate(line) == 9.0
    np.testing.assert_array_equal(line.y, [1.0, 3.0, 5.0])
    line.x[0] = 10.0
    assert evaluate(line) == 29.0


def test_records_of_kernels_have_their_fields_in_python() -> None:
    """A record that a kernel returns is like one made in Python, arrays shared included."""
    line = example()
    higher = twice(line)
    assert (higher.slope, higher.offset) == (4.0, 2.0)
    higher.x[0] = 10.0
    assert line.x[0] == 10.0
    assert evaluate(higher) == 2 * evaluate(line)
    with pytest.raises(AttributeError, match="Line has no colour"):
        _ = higher.colour


def test_records_are_copied_by_their_fields() -> None:
    """Changed, copied and pickled records are records of their own."""
    line = example()
    assert evaluate(replace(line, offset=0.0)) == 6.0
    twins = copy.deepcopy(line), pickle.loads(pickle.dumps(line)), copy.deepcopy(twice(line))
    line.x[:] = 0.0
    assert [evaluate(twin) for twin in twins] == [9.0, 9.0, 18.0]


def test_other_types_are_refused() -> None:
    """Arguments of another type are told in one line: neither compiled for nor misread."""
    with pytest.raises(TypingError, match=r"least_at: values is array\(int64, 1d, C\): allowed is"):
        least_at(np.arange(3))
    with pytest.raises(TypingError, match=r"Line\._pack: x is array"):
        Line(2.0, 1.0, np.zeros((3, 2))[:, 0], np.zeros(3))
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    with pytest.raises(TypingError, match="x is readonly array"):
        Line(2.0, 1.0, frozen, np.zeros(3))


def test_a_kernel_has_one_signature() -> None:
    """Whole numbers and literals stand for what was declared."""
    assert toy_kernels.value(example(), 2) == toy_kernels.value(example(), np.float64(2.0)) == 5.0
    assert all(len(made.overloads) <= 1 for made in KERNELS.values())


def test_annotations_that_say_no_type_are_refused() -> None:
    """A kernel must declare arrays with their dimensions."""
    from satedge.kernels.compiled import Kernel

    def vague(x: np.ndarray) -> float:
        return x.sum()

    with pytest.raises(TypeError, match=r"vague: x is .*ndarray.*: allowed are"):
        Kernel(vague)(np.zeros(3))


def test_later_processes_compile_nothing(warm: Path) -> None:
    """What one process compiled, with all that it calls, the next one loads."""
    assert ended(started(warm))[:2] == (27.0, 0)


def test_processes_that_start_together_compile_once(tmp_path: Path) -> None:
    """Whoever comes second waits for the first, and loads."""
    found = [ended(process) for process in [started(tmp_path) for _ in range(3)]]
    assert [value for value, *_ in found] == [27.0] * 3
    assert sum(compiled for _, compiled, _ in found) == 5


def test_a_caller_of_another_state_is_compiled_anew(used: Path) -> None:
    """A kernel that was compiled again has another symbol: old callers are no use any more."""
    stored(used)["value"].unlink()
    found, compiled, _ = ended(started(used))
    assert found == 27.0
    assert 2 <= compiled <= 5
    assert ended(started(used))[:2] == (27.0, 0)


def test_broken_files_are_mended(used: Path) -> None:
    """A file that cannot be read is written again."""
    stored(used)["total"].write_bytes(b"nonsense")
    assert ended(started(used))[:2] == (27.0, 1)
    assert ended(started(used))[:2] == (27.0, 0)


NOWHERE = """
import satedge.kernels.store as store
from pathlib import Path
store._places = lambda: iter([Path("/dev/null/here")])
"""


def test_without_a_folder_kernels_work_and_one_line_warns(tmp_path: Path) -> None:
    """Where nothing can be written every process compiles for itself, and says why."""
    found, compiled, err = ended(started(tmp_path, NOWHERE + SHOW))
    assert (found, compiled) == (27.0, 5)
    warned = [line for line in err.splitlines() if "RuntimeWarning" in line]
    assert len(warned) == 1
    assert "/dev/null/here: cannot be written: every process compiles its kernels anew" in warned[0]
    assert not list(tmp_path.iterdir())


FULL = """
from pathlib import Path
def full(*_): raise OSError(28, "No space left on device")
Path.write_bytes = full
"""


def test_a_folder_that_cannot_take_more_is_still_read(used: Path) -> None:
    """What is there is loaded, the rest compiled, with one warning."""
    stored(used)["total"].unlink()
    found, compiled, err = ended(started(used, FULL + SHOW))
    assert (found, compiled) == (27.0, 1)
    assert err.count("RuntimeWarning") == 1
    assert "No space left on device" in err


def test_the_folder_is_named_after_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any edit of a kernel, and none of other files, makes kernels of another state."""
    source, other = tmp_path / "minlp" / "some.py", tmp_path / "minlp" / "other.py"
    source.parent.mkdir()
    source.write_text("@kernel\ndef f(): ...\n")
    other.write_text("def g(): ...\n")
    monkeypatch.setattr(store, "ROOT", tmp_path)
    first = store._state()
    other.write_text("def h(): ...\n")
    assert store._state() == first
    source.write_text("@kernel\ndef f(): return 1\n")
    assert store._state() != first


def test_what_is_compiled_is_told(tmp_path: Path) -> None:
    """Whoever listens hears how many kernels of how many are done, and when it is over."""
    code = """
from satedge import preparation
said = []
preparation.listen(said.append)
import satedge.kernels.arrays
preparation.prepare()
print(said)
"""
    out, err = started(tmp_path, code).communicate(timeout=300)
    said = eval(out)
    count = len(said) - 1
    assert count >= 5, err
    assert said[0] == f"compiling kernels, once: 0 of {count}"
    assert said[-2:] == [f"compiling kernels, once: {count - 1} of {count}", ""]


def test_nothing_is_said_where_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading is quick, and silent."""
    preparation.prepare()
    said: list[str] = []
    monkeypatch.setattr(preparation, "_listener", said.append)
    before = compilation.compiled
    preparation.prepare()
    total(example())
    assert (said, compilation.compiled) == ([], before)


def test_arrays() -> None:
    """The loops do what array expressions do."""
    rng = np.random.default_rng(0)
    a, b = rng.random((3, 4)), rng.random((3, 4))
    assert dot(a, b) == pytest.approx((a * b).sum(), rel=1e-15)
    assert least_at(np.array([2.0, 1.0, 1.0])) == 1
    assert holds(np.array([3, 4]), 4)
    assert not holds(np.array([3, 4]), 5)
    taller = np.zeros((5, 4))
    assign_rows(taller, a)
    np.testing.assert_array_equal(taller[:3], a)
    assert not taller[3:].any()


def test_logarithms_of_many_numbers() -> None:
    """To a few units in the last place of NumPy's, ends and nonsense included."""
    x = 10 ** np.random.default_rng(0).uniform(-300, 300, 20_000)
    ends = np.array([0.0, 1.0, 1e-20, -0.5, -1.0, -2.0, np.inf, -np.inf, np.nan, 1.7e308])
    with np.errstate(all="ignore"):
        for ours, theirs, values in (
            (log_all, np.log, [x, 1 + 1e-9 * x[:9], ends]),
            (log1p_all, np.log1p, [x, x[x < 1], ends]),
        ):
            for given in values:
                found = given.copy()
                ours(found)
                np.testing.assert_allclose(found, theirs(given), rtol=5e-16)

"""The package outside a clone: small, complete, and clear about what it lacks."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from satedge.bench.study.study_file import builtin
from support.installed import built, calls, installed

#: Most bytes; with results and policies a source distribution had 84 million.
MOST_WHEEL, MOST_SDIST = 1_500_000, 3_000_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution."""
    wheel, sdist = built(tmp_path_factory.mktemp("dist"), "wheel", "sdist")
    return wheel, sdist


@pytest.fixture(scope="module")
def satedge(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from the wheel with the core's packages alone."""
    return installed(files[0], tmp_path_factory.mktemp("environment"))


def test_distributions_are_small_and_complete(files: tuple[Path, Path]) -> None:
    """Results and policies stay in the repository; studies, pages, schemas and records come."""
    wheel, sdist = files
    assert wheel.stat().st_size < MOST_WHEEL
    assert sdist.stat().st_size < MOST_SDIST
    packed = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    for path in (packed, sources):
        assert not {p for p in path if p.startswith("results") or p.endswith(".safetensors")}
        assert {f"satedge/studies/{name}.toml" for name in builtin()} <= path
        assert "satedge/bench/report/page/page.html.j2" in path
        assert "satedge/problem/io/plan.schema.json" in path
    assert "satedge/bench/study/data/records/slots.json" in packed
    assert "instances/records/slots.json" in sources


def test_commands_work_in_an_empty_folder(satedge: Path, tmp_path: Path) -> None:
    """Suites are made, best known values come along, methods without further needs run."""
    wanted = {
        "suites --check": "all suites are those of their manifest",
        "generate --preset tiny --slots 1 --out here": "here/tiny-0.json",
        "solve here/tiny-0.json -m greedy --plan-out plan.json": "cost         25.947349",
        "judge here/tiny-0.json plan.json": "admissible yes",
        "draw here/tiny-0.json plan.json --out map.svg": "map.svg",
        "describe tiny": "reference: best known plans",
        "submit Greedy -m greedy -s tiny --out greedy": "30 plans for tiny",
        "check-submission greedy": "30 accepted",
        "benchmark quick --dry-run": "runs to do",
    }
    for line, told in zip(wanted, calls(satedge, tmp_path, *wanted), strict=True):
        assert told[0] == 0, (line, told)
        assert wanted[line] in told[1], line
    ((_, listed, _),) = calls(satedge, tmp_path, "methods --json")
    ready = {method["name"]: method["available"] for method in json.loads(listed)}
    assert (ready["greedy"], ready["branch-and-bound"], ready["adsac"]) == (True, False, False)


def test_what_is_missing_is_one_line_with_the_remedy(satedge: Path, tmp_path: Path) -> None:
    """The name of the package, and what installs it; exit code 2."""
    wanted = {
        "solve tiny-0.json": "needs the module numba (pip install 'satedge[minlp]')",
        "solve tiny-0.json --proof x.json.gz": "(pip install 'satedge[minlp]')",
        "solve tiny-0.json -m adsac": "needs the module torch (pip install 'satedge[drl]')",
        "solve tiny-0.json -m general": "(pip install 'satedge[minlp]')",
        "export tiny-0.json --out x.nl": "needs the module pyomo (pip install 'satedge[minlp]')",
        "train ppo": "needs the module torch (pip install 'satedge[drl]')",
        "benchmark demo --cluster tcp://localhost:1": "satedge[cluster]",
    }
    made, *told = calls(satedge, tmp_path, "generate --preset tiny --slots 1 --out .", *wanted)
    assert made[0] == 0, made
    for line, (code, _, error) in zip(wanted, told, strict=True):
        assert code == 2, line
        assert len(error.splitlines()) == 1, error
        assert wanted[line] in error


@pytest.mark.slow
def test_the_demo_needs_the_wheel_alone(satedge: Path, tmp_path: Path) -> None:
    """It runs, skips what needs more and says how to get it, and writes its page."""
    ((code, out, error),) = calls(satedge, tmp_path, "demo")
    assert code == 0, error
    assert "branch-and-bound: needs the module numba (pip install 'satedge[minlp]')" in out
    assert "gate: every certified bound lies below every judged cost" in out
    assert (tmp_path / "results" / "runs" / "demo" / "report.html").exists()

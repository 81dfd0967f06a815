"""The package as a wheel, installed into an environment of its own; no network is needed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]


def built(folder: Path, *targets: str) -> list[Path]:
    """What hatchling builds of the clone: "wheel", "sdist"."""
    options = [word for target in targets for word in ("-t", target)]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder, *options],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return sorted(folder.iterdir())


def installed(wheel: Path, folder: Path) -> Path:
    """Its `satedge`, in an environment that has what the core of the package needs, and no more.

    The packages are those of this environment, by links.
    """
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for name in _needed("satedge"):
        for item in _top(name):
            place = packages / item.name
            if not place.exists():
                place.symlink_to(item)
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    subprocess.run([*pip, "--no-index", "--no-deps", wheel], check=True, capture_output=True)
    return folder / "bin" / "satedge"


def _needed(name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
    """Distributions that one needs without extras, and those that these need; not itself."""
    for line in importlib.metadata.requires(name) or ():
        needed = re.match(r"[\w.-]+", line)
        if needed is None or "extra ==" in line or needed[0] in seen:
            continue
        try:
            importlib.metadata.distribution(needed[0])
        except importlib.metadata.PackageNotFoundError:  # for another system or Python
            continue
        seen = _needed(needed[0], seen | {needed[0]})
    return seen


def _top(name: str) -> set[Path]:
    """Files and folders of a distribution in this environment's site-packages."""
    home = Path(sysconfig.get_path("purelib"))
    files = importlib.metadata.files(name) or ()
    return {home / file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}


#: Calls of the command line, one after the other, in one process: starting one takes a second.
_CALLS = """
import contextlib, io, json, sys
from satedge.cli import main
told = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["satedge", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        told.append([main(), out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""


def calls(command: Path, cwd: Path, *words: str) -> list[tuple[int, str, str]]:
    """Calls from a folder, with nothing of this clone on the way: exit codes, output, errors."""
    lines = json.dumps([shlex.split(line) for line in words])
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SATEDGE_HOME")}
    script = (command.with_name("python"), "-I", "-c", _CALLS, lines)
    done = subprocess.run(script, cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]

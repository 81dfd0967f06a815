"""Names of strangers on the terminal, numbers and options of a call, output that goes nowhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from satedge.commands.terminal import printable
from satedge.problem.generation.generate import generate
from satedge.problem.io.files import read_plan, write_instance
from satedge.problem.scenario import preset
from test_cli import call, fine

NAMES = [
    "a[/b]z",
    "[bold]a",
    "a\x1b[31mred\x9bz",
    ":ok: :smiley:",
    "a\u202eb",
    "tail\\",
    "[link=x]y",
]


def named(folder: Path, name: str) -> Path:
    path = folder / "named.json"
    write_instance(generate(preset("tiny", n_slots=1), 0, name=name), path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_and_nothing_more(tmp_path: Path, name: str) -> None:
    """Neither markup nor control characters nor codes of pictures in a name have an effect."""
    file, plan = named(tmp_path, name), tmp_path / "plan.json"
    told = [fine("solve", file, "-m", "greedy", "--plan-out", plan), fine("judge", file, plan)]
    study = tmp_path / "s.toml"
    study.write_text(
        f"title = {json.dumps(name)}\n[[part]]\nname = {json.dumps(name)}\nsuites = ['{file}']\n"
        f"methods = [{{ name = 'greedy', label = {json.dumps(name)} }}]\n"
    )
    words = ("benchmark", study, "--out", tmp_path / "run", "--no-report")
    told += [fine(*words, "--dry-run"), fine(*words), fine("check", tmp_path / "run")]
    for text in told[:4]:
        assert printable(name) in text.replace("\n", "")
    assert all(c.isprintable() or c == "\n" for text in told for c in text)


def test_what_a_method_prints_is_shown_and_nothing_more(tmp_path: Path) -> None:
    """The log of a method that failed commands no terminal."""
    (tmp_path / "loud.py").write_text(
        "def solve(instance, *, budget_s, seed):\n"
        "    print('\\x1b]0;title [/b] \\x1b[2J')\n"
        "    raise ValueError('[/b]\\x1b[2J\\ud800')\n"
    )
    done = call("solve", named(tmp_path, "x"), "-m", "loud:solve", cwd=tmp_path)
    assert done.returncode == 1
    assert "\\x1b]0;title [/b]" in done.stdout
    assert "ValueError: [/b]\\x1b[2J\\ud800" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--seed", "1_0"), ("--seed", "٣"), ("--seed", "1e400"), ("--slots", "1_0"),
        ("--slots", " 1"), ("-n", "²"), ("--latitude", "nan"), ("--latitude", "1_0.5"),
        ("--set", "n_slots=1_0"), ("--set", "n_slots=١"), ("--set", "slot_s=nan"),
        ("--set", "n_slots=1", "--set", "n_slots=2"), ("--seed", "9" * 40), ("-n", "9" * 12),
        ("--set", "n_slots=100000", "--set", "n_devices=200"),
    ],
)  # fmt: skip
def test_numbers_are_plain_and_given_once(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Underscores, digits of other scripts, nan, what is given twice, what nobody can hold."""
    done = call("generate", "-p", "tiny", "--out", tmp_path / "x", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.json*"))


@pytest.mark.parametrize("words", [("--budget", "nan"), ("--budget", "inf"), ("--memory", "nan")])
def test_limits_of_a_call_are_numbers(tmp_path: Path, words: tuple[str, str]) -> None:
    """A limit that is never reached is none."""
    assert call("solve", named(tmp_path, "x"), "-m", "greedy", *words).returncode == 2


@pytest.mark.parametrize(
    "words",
    [("solve", "{}"), ("judge", "{}", "{}"), ("generate", "--out", "x", "--elements", "{}",
     "--epoch", "2025-01-01"), ("generate", "--out", "x", "-p", "tiny", "--sites", "{}"),
     ("benchmark", "{}"), ("benchmark", "quick", "--scheduler-file", "{}"),
     ("draw", "{}", "{}", "--out", "x.svg"), ("export", "{}", "--out", "x.nl")],
    ids=lambda words: words[0] + words[-1][:3],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "nothing"])
def test_what_is_no_file_is_one_line(tmp_path: Path, words: tuple[str, ...], kind: str) -> None:
    """Nothing is waited for; whatever a command reads is a regular file."""
    end = ".toml" if "benchmark" in words else ".json"
    path = tmp_path / f"given{end}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    done = call(*(w.replace("{}", str(path)) for w in words), cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert str(path) in done.stderr


def shell(text: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A line in a shell; `satedge` is ours."""
    ours = f'satedge() {{ "{sys.executable}" -P -m satedge "$@"; }}\n'
    return subprocess.run(["bash", "-c", ours + text], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("words", ["scenario", "scenario --json", "methods", "--help", "suites -h"])
def test_a_reader_that_leaves_is_no_error(tmp_path: Path, words: str) -> None:
    """`| head -1`, and no output at all: quiet, and an exit code that says so or 0."""
    for end in ("| (read -r line; exec <&-; sleep 0.3)", ">&-"):
        done = shell(f'satedge {words} {end}; exit "${{PIPESTATUS[0]}}"', tmp_path)
        assert done.returncode in (0, 141)
        assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """It names what could not be written."""
    done = shell("satedge scenario --json > /dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "satedge: standard output: No space left on device\n",
    )


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named, what was there before stays, and no part lies beside it."""
    file, plan = named(tmp_path, "x"), tmp_path / "plan.json"
    fine("solve", file, "-m", "greedy", "--plan-out", plan)
    before = plan.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("satedge.problem.io.folder.os.fsync", full)
    done = call("solve", file, "-m", "nearest", "--plan-out", plan)
    assert done.returncode == 2
    assert done.stderr == (
        f"satedge: {plan}: cannot be written (No space left on device): allowed is a writable "
        "place\n"
    )
    done = call("draw", file, plan, "--out", tmp_path / "map.svg")
    assert (done.returncode, done.stderr) == (
        2, f"satedge: {tmp_path / 'map.svg'}: No space left on device\n",
    )  # fmt: skip
    assert plan.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"named.json", "plan.json"}
    assert read_plan(plan) is not None

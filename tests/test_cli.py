"""The command line as its users meet it."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from satedge.api import Result, generate
from satedge.cli import main
from satedge.problem.io.files import read_instance, read_plan, write_plan
from satedge.problem.io.folder import only_one
from satedge.problem.plan import Plan
from satedge.problem.referee import judge
from satedge.problem.satellites.walker import write_walker_tle
from support.waiting import has_streamed, time_is_up

SATEDGE = Path(sys.executable).with_name("satedge")


@dataclass(frozen=True)
class Done:
    """How a call ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module", autouse=True)
def search_path() -> Iterator[None]:
    """What commands add to the search path goes again."""
    before = list(sys.path)
    yield
    sys.path[:] = before


def call(*words: object, cwd: Path | None = None) -> Done:
    """The command line in this process: argv in, exit code and output out."""
    out, err = io.StringIO(), io.StringIO()
    argv, here = sys.argv, Path.cwd()
    sys.argv = ["satedge", *map(str, words)]
    try:
        os.chdir(cwd or here)
        with redirect_stdout(out), redirect_stderr(err):
            code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.argv = argv
        os.chdir(here)
    return Done(code, out.getvalue(), err.getvalue())


def fine(*words: object, cwd: Path | None = None) -> str:
    done = call(*words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated slot, a generated episode, and a plan for each."""
    path = tmp_path_factory.mktemp("cli")
    fine("generate", "-p", "tiny", "--slots", 1, "--out", path)
    fine("generate", "-p", "tiny", "--slots", 3, "--seed", 4, "--out", path)
    for name in ("tiny-0.json", "tiny-4.json.gz"):
        fine("solve", path / name, "-m", "greedy", "--plan-out", path / f"plan-{name}")
    return path


def test_help_imports_nothing_heavy() -> None:
    """`satedge --help` names the commands without any package that takes long to import."""
    script = (
        "import sys, satedge, satedge.cli\n"
        "try:\n    sys.argv = ['satedge', '--help']; satedge.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'torch', 'pyomo', 'cvxpy', 'matplotlib', 'pyarrow', 'numba'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for word in ("generate", "solve", "judge", "benchmark", "report", "methods", "train"):
        assert word in done.stdout


def test_generate_is_reproducible(tmp_path: Path) -> None:
    """The same call gives the same bytes; one slot is plain JSON, more are compressed."""
    for name in "ab":
        fine("generate", "-p", "tiny", "-n", 2, "--slots", 2, "--out", tmp_path / name)
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["tiny-0.json.gz", "tiny-1.json.gz"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_generate_overrides_fields(tmp_path: Path) -> None:
    """--set changes any field of the scenario; the JSON lists what was written."""
    words = ("--set", "n_devices=4", "--set", "output_words=16,32", "--slots", 1, "--json")
    (written,) = json.loads(fine("generate", "--out", tmp_path, *words))["instances"]
    instance = read_instance(written["file"])
    assert instance.scenario.n_devices == 4
    assert instance.scenario.output_words == (16, 32)
    assert instance.content_sha256 == written["sha256"]


def test_generate_from_elements(tmp_path: Path) -> None:
    """A TLE file with a site and an epoch replaces the circular orbit."""
    tle = tmp_path / "walker.tle"
    write_walker_tle(
        tle,
        n_satellites=12,
        planes=3,
        phasing=1,
        altitude_m=500e3,
        inclination_deg=53.0,
        epoch=datetime(2025, 7, 1, tzinfo=UTC),
    )
    words = ("--elements", tle, "--latitude", 40, "--longitude", 116, "--slots", 2)
    (file,) = fine("generate", "--out", tmp_path, *words, "--epoch", "2025-07-01T00:30:00").split()
    assert read_instance(file).scenario.n_satellites == 12
    done = call("generate", "--out", tmp_path, *words)
    assert done.returncode == 2
    assert "--epoch" in done.stderr


def test_generate_with_own_sites(tmp_path: Path) -> None:
    """A user's CSV replaces generated positions."""
    sites = tmp_path / "sites.csv"
    sites.write_text("device,x_m,y_m\n0,1,2\n1,3,4\n2,5,6\n")
    (file,) = fine(
        "generate", "-p", "tiny", "--slots", 1, "--sites", sites, "--out", tmp_path
    ).split()
    assert read_instance(file).device_xy_m[0].tolist() == [[1, 2], [3, 4], [5, 6]]


def test_solve_shows_every_device(folder: Path) -> None:
    """On one slot: server, power, latency, energy and deadline margin of each device."""
    text = fine("solve", folder / "tiny-0.json", "--method", "greedy", "--wide")
    for word in ("device", "server", "power W", "latency s", "energy J", "margin s", "cost"):
        assert word in text
    assert text.count("satellite") + text.count("uav") >= 1
    assert "requests" in text


def test_tables_fit_eighty_columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a narrow terminal has no room for is left out and named; numbers are whole."""
    monkeypatch.setenv("COLUMNS", "80")
    for words in (("solve", folder / "tiny-0.json", "-m", "greedy"), ("methods",), ("scenario",)):
        text = fine(*words)
        assert max(map(len, text.splitlines())) <= 80, text
        assert "…" not in text
    slot = fine("solve", folder / "tiny-0.json", "-m", "greedy")
    assert "with --wide: upload s, compute s" in slot
    whole = fine("solve", folder / "tiny-0.json", "-m", "greedy", "--wide")
    assert "with --wide" not in whole
    numbers = set(re.findall(r"\d+\.\d{4}", whole))
    assert set(re.findall(r"\d+\.\d{4}", slot)) < numbers
    assert "solver, formulation" in fine("methods", "--wide")


def test_devices_count_from_0_everywhere(folder: Path, tmp_path: Path) -> None:
    """The table's servers are those of the plan's file."""
    plan_file = tmp_path / "plan.json"
    text = fine("solve", folder / "tiny-0.json", "-m", "greedy", "--plan-out", plan_file)
    (servers,) = json.loads(plan_file.read_text())["server"]
    n_uavs = read_instance(folder / "tiny-0.json").scenario.n_uavs
    for k, server in enumerate(servers):
        name = f"uav {server}" if server < n_uavs else f"satellite {server - n_uavs}"
        assert re.search(rf"^{k} +{name} ", text, re.M), text


def test_solve_json_is_one_published_object(folder: Path) -> None:
    """Scripts read one JSON object; its cost is the referee's."""
    told = json.loads(fine("solve", folder / "tiny-0.json", "-m", "branch-and-bound", "--json"))
    published = {
        "instance", "slot", "method", "seed", "status", "cost", "lower_bound", "gap", "feasible",
        "latency_s", "energy_J", "deadline_misses", "refused", "outages", "wall_s", "versions",
    }  # fmt: skip
    assert published <= set(told)
    assert told["lower_bound"] <= told["cost"]
    assert told["gap"] == pytest.approx((told["cost"] - told["lower_bound"]) / told["cost"])
    assert told["status"] == "done"
    assert {"python", "satedge", "numpy"} <= set(told["versions"])


def test_plan_out_is_the_plan_that_was_judged(folder: Path) -> None:
    """The written plan judges to the printed cost."""
    instance = read_instance(folder / "tiny-4.json.gz")
    plan = read_plan(folder / "plan-tiny-4.json.gz", instance)
    told = json.loads(fine("solve", folder / "tiny-4.json.gz", "-m", "greedy", "--json"))
    assert told["cost"] == float(judge(instance, plan).cost)


def test_solve_one_slot_of_an_episode(folder: Path) -> None:
    """--slot cuts one slot out; one that is not there is refused with what is."""
    told = json.loads(
        fine("solve", folder / "tiny-4.json.gz", "--slot", 2, "-m", "greedy", "--json")
    )
    assert told["slot"] == 2
    done = call("solve", folder / "tiny-4.json.gz", "--slot", 3, "-m", "greedy")
    assert done.returncode == 2
    assert "0..2" in done.stderr


def test_solve_with_own_method(folder: Path, tmp_path: Path) -> None:
    """--method module:function takes a user's own, from the folder where they stand."""
    (tmp_path / "mine.py").write_text(
        "from satedge.problem.rollout import idle_decision, rollout\n"
        "def solve(instance, *, budget_s, seed, level=1.0):\n"
        "    assert level == 0.5\n"
        "    return rollout(instance, lambda slot, t: idle_decision(slot), seed=seed)\n"
    )
    file = folder / "tiny-0.json"
    words = ("-m", "mine:solve", "--setting", "level=0.5", "--json")
    assert json.loads(fine("solve", file, *words, cwd=tmp_path))["status"] == "done"
    done = call("solve", file, "-m", "mine:solve", "--setting", "lever=1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "satedge: mine:solve: unknown setting 'lever' (did you mean level?); allowed: level\n",
    )


def test_failed_method_is_exit_code_1(folder: Path) -> None:
    """The reason and what the method printed are shown."""
    done = call("solve", folder / "tiny-0.json", "-m", "support.toys:crashes")
    assert done.returncode == 1
    assert "exit code 7" in done.stdout
    assert "last incumbent" in done.stdout
    assert "feasible" not in done.stdout, "a plan that is no answer has no score"
    told = json.loads(
        call("solve", folder / "tiny-0.json", "-m", "support.toys:crashes", "--json").stdout
    )
    assert told["cost"] is told["gap"] is None
    assert "about to die" in done.stdout


def test_timeout_is_a_result(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method killed at its limit is judged on its last incumbent: exit code 0."""
    time_is_up(monkeypatch, has_streamed)
    told = json.loads(fine("solve", folder / "tiny-0.json", "-m", "support.toys:streams", "--json"))
    assert told["status"] == "timeout"
    assert told["cost"] > 0
    assert told["lower_bound"] == 0.25


def test_judge(folder: Path, tmp_path: Path) -> None:
    """Anyone's plan is scored; one that breaks a constraint is told by name, exit code 1."""
    file, plan_file = folder / "tiny-0.json", folder / "plan-tiny-0.json"
    told = json.loads(fine("judge", file, plan_file, "--json"))
    assert told["admissible"] is True
    assert told["violations"] == {}
    assert told["floor"] < told["cost"]
    instance = read_instance(file)
    plan = read_plan(plan_file, instance)
    loud = tmp_path / "loud.json"
    write_plan(Plan(plan.server, plan.power_W * 100, plan.uav_xy_m), loud, instance)
    done = call("judge", file, loud)
    assert done.returncode == 1
    assert "breaks power_max by" in done.stdout


def test_draw(folder: Path, tmp_path: Path) -> None:
    """A plan becomes a map or an animation."""
    file, plan = folder / "tiny-4.json.gz", folder / "plan-tiny-4.json.gz"
    for name in ("map.svg", "episode.gif"):
        fine("draw", file, plan, "--out", tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    assert call("draw", file, plan, "--out", tmp_path / "map.doc").returncode == 2
    fine("solve", file, "--method", "greedy", "--map-out", tmp_path / "solved.gif")
    assert (tmp_path / "solved.gif").stat().st_size > 1000


@pytest.mark.parametrize("form", ["nl", "gms", "mps", "lp"])
def test_export(folder: Path, tmp_path: Path, form: str) -> None:
    """P1 of a slot is written for other solvers; another form is refused."""
    pytest.importorskip("pyomo")
    out = tmp_path / f"p1.{form}"
    words = ("export", folder / "tiny-0.json", "--format", form, "--out", out)
    assert str(out) in fine(*words)
    assert out.stat().st_size > 1000
    digest = out.read_bytes()
    fine(*words[:2], "--out", out)
    assert out.read_bytes() == digest, "the format is that of the name"
    refused = call(*words[:3], "xls", "--out", out)
    assert refused.returncode == 2
    assert "nl, gms, mps, lp" in refused.stderr
    other = "gms" if form == "nl" else "nl"
    assert call(*words[:3], other, "--out", out).returncode == 2
    assert call(*words[:2], "--out", tmp_path / "p1.txt").returncode == 2


def test_read_solution(folder: Path, tmp_path: Path) -> None:
    """Another solver's solution comes back as a plan that the referee judges."""
    pytest.importorskip("pyomo")
    file, exported = folder / "tiny-4.json.gz", tmp_path / "p1.nl"
    fine("export", file, "--slot", 1, "--format", "nl", "--out", exported)
    empty = tmp_path / "solution.json"
    names = list(json.loads(Path(f"{exported}.names.json").read_text())["names"])
    empty.write_text(json.dumps({names[0]: 0.0}))
    out = tmp_path / "plan.json"
    fine("read-solution", file, exported, empty, "--slot", 1, "--out", out)
    done = call("judge", file, out, "--slot", 1)
    assert done.returncode == 0, "a solution that serves nobody refuses everybody"
    assert "feasible no" in " ".join(done.stdout.split())
    empty.write_text("{")
    assert call("read-solution", file, exported, empty, "--out", out).returncode == 2


def test_methods_lists_what_is_missing() -> None:
    """Every row says whether it can run here, and why not."""
    told = json.loads(fine("methods", "--json"))
    rows = {row["name"]: row for row in told}
    assert rows["greedy"]["available"] is True
    assert all(row["available"] or row["missing"] for row in told)
    assert "greedy" in fine("methods")


def test_scenario_lists_every_field() -> None:
    """Each field has unit, default, range and source; a preset's changes are shown."""
    told = json.loads(fine("scenario", "--preset", "balanced", "--json"))
    fields = {f["name"]: f for f in told["fields"]}
    assert fields["n_devices"]["allowed"] == "an integer in [1, 200]"
    assert all(f["source"] and f["doc"] for f in told["fields"])
    assert fields["energy_weight_per_J"]["value"] == 0.0125
    assert set(told["presets"]) >= {"paper", "tiny", "balanced"}
    assert "interference_leakage" in fine("scenario")


def test_describe_tells_features_of_suites_presets_and_files(folder: Path) -> None:
    """Of all three, and how each number was got; a name that is both is the suite."""
    told = json.loads(fine("describe", "tiny", "--slots", 3, "--json"))
    assert (told["kind"], told["slots"], told["of"]) == ("suite", 3, 30)
    assert told["reference"] == "best known plans"
    assert all(feature["how"] for feature in told["features"])
    values = {f["name"]: f["value"] for f in told["features"]}
    assert 0 <= values["controllable share"] < 1
    changed = ("--set", "n_slots=2", "--set", "interference_leakage=0.5")
    told = json.loads(fine("describe", "tiny", *changed, "--slots", 2, "--json"))
    assert (told["kind"], told["slots"], told["of"]) == ("preset", 2, 20)
    assert {f["name"]: f["value"] for f in told["features"]}["leakage"] == 0.5
    shown = fine("describe", folder / "tiny-0.json", "--reference", "nearest")
    assert "1 of 1 slots; reference: nearest's plans" in " ".join(shown.split())
    for words in (["nothing"], ["tiny", "--reference", "exakt"], ["nothing", "--set", "n_slots=2"]):
        done = call("describe", *words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "allowed is" in done.stderr


def test_refused_requests_and_outages_are_told(folder: Path, tmp_path: Path) -> None:
    """A plan that refuses the first request and whispers the others is admissible, and counted."""
    file, plan_file = folder / "tiny-0.json", tmp_path / "plan.json"
    instance = read_instance(file)
    plan = read_plan(folder / "plan-tiny-0.json", instance)
    first = int(instance.active[0].argmax())
    sends = (plan.server >= 0) & (np.arange(plan.server.shape[1]) != first)
    quiet = np.where(sends, instance.scenario.power_min_W, 0.0)
    write_plan(Plan(np.where(sends, plan.server, -1), quiet, plan.uav_xy_m), plan_file, instance)
    told = json.loads(fine("judge", file, plan_file, "--json"))
    assert (told["refused"], told["outages"]) == (1, int(sends.sum()))
    assert told["cost"] == pytest.approx(instance.outage_cost.mean())
    assert told["admissible"]
    assert not told["feasible"]
    text = fine("judge", file, plan_file)
    assert f"refused 1  outages {sends.sum()}" in " ".join(text.split("\n"))


def test_latencies_without_end_are_shown() -> None:
    """A request that nobody hears takes for ever, at a bounded cost; JSON knows no such number."""
    row = {"method": "m", "instance": "i", "seed": 0, "status": "done", "method_status": ""}
    row |= {"reason": "", "cost": 1.0, "feasible": False, "deadline_misses": 1, "refused": 0}
    row |= {"outages": 1, "requests": 3, "latency_s": None, "energy_J": None, "wall_s": 1.0}
    instance = generate("tiny")
    lines = dict(Result(instance, {"row": row | {"budget_s": 2.0}, "plan": None}).lines())
    assert lines["requests"] == "3: 1 deadline misses, 0 refused, 1 outages"
    assert lines["latency"] == "inf s, mean over requests"


def test_benchmark_and_report(folder: Path, tmp_path: Path) -> None:
    """A study runs, resumes, and is written up; a user's method joins by naming it."""
    study = tmp_path / "own.toml"
    study.write_text(
        f"[[part]]\nname = 'mine'\nsuites = ['{folder / 'tiny-0.json'}']\nmethods = ['greedy']\n"
    )
    words = ("benchmark", study, "--out", tmp_path / "run", "--no-report")
    words = (*words, "--method", "support.toys:good")
    assert "support.toys:good" in fine(*words)
    again = fine(*words)
    assert "2 runs are finished already, 0 to do" in again
    assert "gate: every certified bound lies below every judged cost" in again
    told = json.loads(fine(*words, "--json"))
    assert {line["method"] for line in told["lines"]} == {"greedy", "support.toys:good"}
    assert "report.html" in fine("report", tmp_path / "run")
    assert "2 runs checked; no findings" in fine("check", tmp_path / "run")
    refused = call(*words, "--again", "bogus")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    with only_one(tmp_path / "run"):
        busy = call(*words, "--again", "all")
    assert (busy.returncode, "another run is at work" in busy.stderr) == (2, True)
    assert "2 runs checked; no findings" in fine("check", tmp_path / "run"), "nothing was removed"
    (cell, *_) = sorted((tmp_path / "run").glob("cells/*/*.json.gz"))
    cell.write_bytes(cell.read_bytes()[:-20])
    damaged = call("check", tmp_path / "run")
    assert (damaged.returncode, f"{cell}: damaged" in damaged.stdout) == (1, True)
    assert f"again {cell}: damaged" in fine(*words).replace("\n", " ")
    assert (tmp_path / "run" / "report.html").exists()


def test_gate_is_exit_code_1(folder: Path, tmp_path: Path) -> None:
    """A study with a bound above a judged cost fails, and says whose."""
    study = tmp_path / "own.toml"
    suites = f"suites = ['{folder / 'tiny-0.json'}']"
    study.write_text(f"[[part]]\nname = 'x'\n{suites}\nmethods = ['support.toys:lies']\n")
    done = call("benchmark", study, "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 1
    assert "support.toys:lies certifies 1e+09" in done.stdout


def test_results_are_handed_in_judged_and_shown(tmp_path: Path) -> None:
    """Submit, check and board; a refused plan is exit code 1, a broken folder 2."""
    out = tmp_path / "submissions" / "Greedy"
    fine("submit", "Greedy", "-m", "greedy", "-s", "tiny", "--out", out)
    told = json.loads(fine("check-submission", out, "--again", "2", "--json"))
    assert told["told"] == "reproduced"
    assert {f["status"] for f in told["instances"]} == {"accepted"}
    mine = ("--plans", out / "plans", "--kind", "heuristic", "-s", "tiny", "--out", tmp_path / "b")
    fine("submit", "By hand", *mine)
    (out / "plans" / "tiny-3000.json").unlink()
    refused = call("check-submission", out)
    assert (refused.returncode, "29 accepted, 0 better" in refused.stdout) == (1, True)
    said = fine("board", out, tmp_path / "b", "--out", tmp_path / "board", "--again", "1")
    assert "index.html: 2 submissions, 30 instances" in said
    assert "claimed: By hand: method '' is none of this package" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("solve", "none.json"), "none.json"),
        (
            ("solve", "{file}", "-m", "gredy"),
            "method 'gredy' (did you mean greedy?): allowed is one of",
        ),
        (("solve", "{file}", "-m", "nowhere:solve"), "the module nowhere is not there"),
        (("judge", "{file}", "{file}"), "{file}: format ="),
        (("generate", "--out", "x", "-p", "papr"), "preset 'papr' (did you mean paper?)"),
        (("generate", "--out", "x", "--set", "n_device=3"), "did you mean n_devices"),
        (("generate", "--out", "x", "--set", "n_devices=-3"), "an integer in [1, 200]"),
        (("generate", "--out", "/dev/null/x"), "/dev/null/x: cannot be written"),
        (("benchmark", "quik"), "did you mean quick?"),
        (("benchmark", "quick", "--again", "bogus", "--dry-run"), "status 'bogus': allowed is"),
        (("benchmark", "quick", "--only", "greeedy", "--dry-run"), "did you mean greedy?"),
        (("benchmark", "quick", "--cluster", "foo"), "allowed is an address like tcp://"),
        (("solve", "{file}", "-m", "greeedy"), "did you mean greedy?"),
        (("solve", "{file}", "-m", "general", "--setting", "solver=sicp"), "did you mean scip?"),
        (("solve", "{file}", "-m", "alternate", "--setting", "gpa=1"), "unknown setting 'gpa'"),
        (("solve", "tiny", "-m", "adsac"), "allowed is a name ending in .json"),
        (("describe", "contendde"), "did you mean contended?"),
        (("report", "nowhere"), "nowhere: no results are there"),
        (("check", "nowhere"), "nowhere: no results are there"),
        (("check-submission", "nowhere"), "nowhere/submission.json: cannot be read"),
        (("board", "nowhere"), "nowhere/submission.json: cannot be read"),
        (("submit", "a/b", "-m", "greedy"), "name = 'a/b': allowed is 1 to 60 letters"),
        (("submit", "a", "-m", "greedy", "-s", "x"), "suite 'x': allowed is one of"),
        (("train", "nothing"), "method = 'nothing'"),
        (("train", "imitation", "--labels", "none"), "none: No such file or directory: allowed is"),
        (("label", "--out", "x", "--seed", "900000"), "first_seed = 900000: allowed is"),
        (("label", "--out", "x", "-m", "greeedy"), "did you mean greedy?"),
        (("label", "--out", "{file}", "-m", "greedy"), "{file}: damaged or not one of ours"),
    ],
)
def test_wrong_calls_are_one_line(
    folder: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """A wrong call or file: exit code 2 and one line with what is wrong and allowed."""
    file = str(folder / "tiny-0.json")
    done = call(*(w.replace("{file}", file) for w in words), cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert told.replace("{file}", file) in done.stderr


def test_a_policy_is_learned_from_labels(tmp_path: Path) -> None:
    """Labels of a method, a policy that imitates them, labels along its own flights."""
    world, labels = ("-p", "tiny", "--set", "n_slots=10"), tmp_path / "labels.safetensors"
    said = fine("label", *world, "-m", "greedy", "--slots", 30, "--out", labels)
    assert "30 labels of greedy, tiny" in said
    small = ("--epochs", "2", "--setting", "width=8", "--setting", "batch=4")
    fine("train", "imitation", *world, *small, "--labels", labels, "--out", tmp_path / "run")
    policy = tmp_path / "run/policies/imitation/seed-0"
    dagger = ("--policy", policy, "--slots", 10, "--out", tmp_path / "more.safetensors")
    assert "10 labels of greedy" in fine("label", *world, "-m", "greedy", *dagger)
    without = call("train", "imitation", *world, *small, "--out", tmp_path / "without")
    assert (without.returncode, len(without.stderr.splitlines())) == (2, 1)
    assert "labels = none: allowed is a training with --labels FILE" in without.stderr


def test_a_training_that_diverges_is_one_line(tmp_path: Path) -> None:
    """With a rate beyond all reason: exit code 1, which method, when, why; and no policy."""
    rates = ("--setting", "actor_rate=1e6", "--setting", "critic_rate=1e6")
    small = ("-p", "tiny", "--set", "n_slots=20", "--setting", "hidden=[16,16]", "--epochs", "9")
    done = call("train", "ddpg", *small, *rates, "--out", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "ddpg diverged in epoch 1: q_loss is not finite; last good checkpoint" in done.stderr
    assert not list(tmp_path.glob("policies/**/*.safetensors"))


def test_options_are_checked(folder: Path) -> None:
    """Mistyped options are refused with exit code 2 as well."""
    assert call("solve", folder / "tiny-0.json", "--setting", "x").returncode == 2
    assert call("solve", folder / "tiny-0.json", "--budget", "-1").returncode == 2
    assert call("frobnicate").returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(shell: str) -> None:
    """Shell completion is a script to source, and completes commands."""
    script = subprocess.run(
        [SATEDGE], capture_output=True, text=True,
        env={**os.environ, "_SATEDGE_COMPLETE": f"source_{shell}"},
    )  # fmt: skip
    assert script.returncode == 0
    assert "_satedge_completion" in script.stdout
    words = {"COMP_WORDS": "satedge sol", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "satedge sol"}
    found = subprocess.run(
        [SATEDGE], capture_output=True, text=True,
        env={**os.environ, **words, "_SATEDGE_COMPLETE": f"complete_{shell}"},
    )  # fmt: skip
    assert "solve" in found.stdout
    assert "judge" not in found.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("solve x -m branch", "branch-and-bound"),
        ("benchmark qui", "quick"),
        ("benchmark quick --method gree", "greedy"),
        ("generate -p contended-b", "contended-balanced"),
        ("generate --set n_dev", "n_devices="),
        ("describe slots-b", "slots-balanced"),
        ("train hybrid", "hybrid-ppo"),
        ("scenario --preset tin", "tiny"),
    ],
)
def test_names_are_completed(words: str, told: str) -> None:
    """Methods, studies, presets, fields, suites and learners, by what their tables say."""
    line = f"satedge {words}"
    given = {"_SATEDGE_COMPLETE": "complete_bash", "COMP_WORDS": line}
    given["COMP_CWORD"] = str(len(line.split()) - 1)
    found = subprocess.run(
        [SATEDGE], capture_output=True, text=True, env={**os.environ, **given}, check=True
    )
    assert found.stdout.split() == [told]


def test_every_listing_is_json() -> None:
    """Methods, scenario, suites and studies, for scripts."""
    methods = json.loads(fine("methods", "--json"))
    assert {"name", "family", "doc", "needs", "available"} <= set(methods[0])
    assert all(field["doc"] for field in json.loads(fine("scenario", "--json"))["fields"])
    suites = {s["name"]: s for s in json.loads(fine("suites", "--json"))}
    assert (suites["tiny"]["instances"], suites["tiny"]["committed"]) == (30, True)
    assert "quick" in {s["name"] for s in json.loads(fine("studies", "--json"))}
    jobs = json.loads(fine("train", "--study", "quick", "--dry-run", "--json"))
    assert {"policies", "learner", "missing", "expected_s"} <= set(jobs[0])
    assert call("train", "adsac", "--json").returncode == 2
    for words in (("suites",), ("studies",)):
        assert "tiny" in fine(*words) or "quick" in fine(*words)


def test_suites_of_episodes_have_no_proofs(tmp_path: Path) -> None:
    """A proof is of a slot: a suite of whole episodes is refused, and nothing is written."""
    done = call("suites", "--proofs", tmp_path / "proofs", "--suite", "paper")
    assert done.returncode == 2
    assert "'paper': allowed is tiny, slots," in " ".join(done.stderr.split())
    assert not (tmp_path / "proofs").exists()


def test_module_and_script_are_the_same() -> None:
    """`python -m satedge` and `satedge` both start, and give the exit code to the shell."""
    for command in ([SATEDGE], [sys.executable, "-m", "satedge"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True)
        assert (done.returncode, done.stdout[:8]) == (0, "satedge ")
    done = subprocess.run([SATEDGE, "report", "nowhere"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")

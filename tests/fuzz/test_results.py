"""Whatever a file of results holds, it is read or refused in one line, and no change goes unseen.

Of the kinds "under their hash" the hash is made anew after the damage, as whoever edits a file on
purpose would: they meet the checks behind it.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drl.training.policy import PolicyError, _provenance
from minlp.general.export import SolutionError, _ampl, _meta, _named, export, names_path
from satedge import paths
from satedge.bench.run import dask
from satedge.bench.run import store as stores
from satedge.bench.run.local import local
from satedge.bench.run.rows import from_records, write_parquet
from satedge.bench.run.runner import carry_out, sort_out
from satedge.bench.run.store import Index, Keys, Skipped, Store, StoreError
from satedge.bench.score import training_logs
from satedge.bench.score.best_known import RecordError, read_records, write_records
from satedge.bench.score.verify import _extremes, contradictions
from satedge.bench.study.study_file import parse_study
from satedge.bench.study.suites import SuiteError, manifest
from satedge.problem.fields import NUMBER
from satedge.problem.io.curve import HEADER, read_curve
from satedge.problem.io.files import FileError, write_instance
from satedge.problem.io.jsonfile import read_text
from satedge.problem.io.submission import (
    HEAD,
    Claim,
    Submission,
    SubmissionError,
    read_submission,
    write_submission,
)
from support.kinds import COUNT, Kind, as_read, hold, under_hash
from support.mutants import of_bytes
from support.randomised import SEED
from support.worlds import tiny

INSTANCE = tiny(5)


# --- a run's folder


def record_of(path: Path) -> Any:
    """A run's record, and what `satedge check` finds in it."""
    record = stores._record(path, path.read_bytes())
    assert len(from_records([record["row"]])) == 1
    assert _extremes(record).keys() == {"admissible", "cost", "lower_bound"}
    for line in contradictions(record, INSTANCE):
        assert len(line.splitlines()) == 1, line
    return json.dumps(record, sort_keys=True)


def sealed_of(kind: type[Any], path: Path) -> Any:
    told = Store(path.parent)._sealed(path.name, kind)
    if kind is Skipped:
        Store(path.parent)._skipped()
    return json.dumps(vars(told), sort_keys=True)


# --- policies, trainings, best known values


def policy_of(path: Path) -> Any:
    return json.dumps(_provenance(path), sort_keys=True)


def report_of(path: Path) -> Any:
    """What reports use of a policy's JSON."""
    return repr(training_logs._provenance(path))


def report_says(text: str) -> Any:
    told = json.loads(text)
    return told.get("seed", 0), told.get("training_s"), told.get("validation_curve", [])


def curve_of(path: Path) -> Any:
    return [(r.epoch, r.seed, r.figure, r.value) for r in read_curve(path)]


def curve_says(text: str) -> Any:
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert tuple(head) == HEADER
    return [(int(e), int(s), figure, float(value)) for e, s, figure, value in rows]


def best_of(path: Path) -> Any:
    return repr(read_records(path.stem, path.parents[1]))


def manifest_of(path: Path) -> Any:
    return json.dumps(manifest(path), sort_keys=True)


# --- submissions of strangers


def submission_of(path: Path) -> Any:
    return repr(read_submission(path.parent))


def submitted(folder: Path) -> str:
    """A head in which no field has a value that damage might put there, too."""
    claim = Claim(INSTANCE.content_sha256, 24.125, 0.75, 23.875)
    about = {"versions": {"numpy": "2.4"}, "hardware": {"cpu": "x"}, "settings": {"gap": 0.01}}
    texts = {"date": "2026-11-28", "commit": "abc", "about": "a test", "method": "greedy"}
    told = {"name": "A", "kind": "exact", "suite": "tiny", "clock": "cpu", "budget_s": 2.5}
    numbers: dict[str, Any] = {"cost_version": 7, "seed": 11}
    head = Submission(**about, **texts, **told, **numbers, instances={"tiny-3000": claim})
    return write_submission(head, folder).read_text()


# --- other programs


def names_of(path: Path) -> Any:
    """The names beside an exported file."""
    exported = path.with_name(path.name.removesuffix(".names.json"))
    return json.dumps(_meta(exported, 0), sort_keys=True)


def solution_of(read: Callable[[Path, str], dict[str, float]], path: Path) -> Any:
    try:
        return read(path, read_text(path))
    except FileError as error:
        raise SolutionError(f"{path}: {error}") from None


def ampl_says(text: str) -> Any:
    """The numbers after the duals."""
    lines = [line.strip() for line in text.split("\n")]
    at = lines.index("Options") + 1
    at += 1 + int(lines[at])
    first = at + 4 + int(lines[at + 1])
    return [float(line) for line in lines[first : first + int(lines[at + 3])]]


def lines_say(known: dict[str, str], text: str) -> Any:
    rows = [line.split("#")[0].replace("=", " ").split() for line in text.split("\n")]
    return {
        known[row[0]]: float(row[1])
        for row in rows
        if len(row) > 1 and row[0] in known and NUMBER.fullmatch(row[1])
    }


def said_json(known: dict[str, str], text: str) -> Any:
    return {known[n]: float(v) for n, v in json.loads(text).items() if n in known}


def scheduler_of(path: Path) -> Any:
    return dask._address_in(path)


# --- all kinds


def of_a_run(folder: Path) -> list[Kind]:
    """The files of a finished run."""
    write_instance(INSTANCE, folder / "x.json")
    text = f"[[part]]\nsuites = ['{folder / 'x.json'}']\nmethods = ['greedy', 'nowhere:solve']\n"
    study, store = parse_study(text, "s"), Store(folder / "run").make()
    (record,) = carry_out(study, sort_out(study, store), store, local(1))
    key = record["row"]["key"]
    run, file = json.dumps(store.read(key)), f"{key}.json.gz"
    store.gather()
    made = [
        Kind("run", file, run, record_of, (StoreError,), as_read),
        Kind("run under its hash", file, run, record_of, (StoreError,), as_read, mend=under_hash),
    ]
    for kind in (Keys, Skipped, Index):
        name = f"{kind.__name__.lower()}.json"
        sound = (store.root / name).read_text()
        read = partial(sealed_of, kind)
        made.append(Kind(name, name, sound, read, (StoreError,), sealed_says, mend=under_hash))
    return made


def sealed_says(text: str) -> Any:
    whole = json.loads(text)
    whole.pop("file_sha256", None)
    return json.dumps(whole, sort_keys=True)


def of_other_programs(folder: Path) -> list[Kind]:
    """Exported files, solutions of them, and the file of a scheduler."""
    export(INSTANCE, 0, "nl", folder / "p.nl")
    names = names_path(folder / "p.nl").read_text()
    listed = list(json.loads(names)["names"])[:12]
    values = [f"{number / 7}" for number in range(len(listed))]
    known = {name: name for name in listed}
    ampl = "\n".join(["by hand", "", "Options", "3", "1", "1", "0", "0", "0", "12", "12", *values])
    pairs = "\n".join(f"{n} {v}" for n, v in zip(listed, values, strict=True))
    named = partial(solution_of, lambda path, text: _named(path, text, known))
    error = (SolutionError,)
    given = json.dumps({n: float(v) for n, v in zip(listed, values, strict=True)})
    address = json.dumps({"type": "Scheduler", "id": "s-1", "address": "tcp://127.0.0.1:8786"})
    return [
        Kind("names", "p.nl.names.json", names, names_of, error, as_read, mend=under_hash),
        Kind("AMPL solution", "x.sol", ampl,
             partial(solution_of, lambda path, text: _ampl(path, text, listed)), error, ampl_says,
             False),
        Kind("solution in lines", "x.txt", pairs, named, error, partial(lines_say, known), False),
        Kind("solution in JSON", "x.json", given, named, error, partial(said_json, known)),
        Kind("scheduler", "x.json", address, scheduler_of, (dask.ClusterError,),
             lambda text: json.loads(text)["address"]),
    ]  # fmt: skip


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind of file of results."""
    (folder / "records").mkdir()
    write_records("x", read_records("tiny"), folder)
    known = json.loads((folder / "records" / "x.json").read_text())["records"][:2]
    library = paths.POLICIES / "paper" / "adsac"
    policy = (library / "seed-0.json").read_text()
    entries = json.dumps(dict(list(manifest().items())[::400]))
    curve = "\n".join((library / "curve.csv").read_text().splitlines()[:20]) + "\n"
    best = json.dumps({"records": known})
    made = [
        Kind("policy", "x.json", policy, policy_of, (PolicyError,), as_read, mend=under_hash),
        Kind("reported policy", "x.json", policy, report_of, (FileError,), report_says,
             mend=under_hash),
        Kind("curve", "curve.csv", curve, curve_of, (FileError,), curve_says, False),
        Kind("manifest", "x.json", entries, manifest_of, (SuiteError,), as_read),
        Kind("best known", "records/x.json", best, best_of, (RecordError,), as_read),
        Kind("submission", HEAD, submitted(folder), submission_of, (SubmissionError,), sealed_says,
             mend=under_hash),
        *of_a_run(folder),
        *of_other_programs(folder),
    ]  # fmt: skip
    return {kind.name: kind for kind in made}


NAMES = (
    "policy", "reported policy", "curve", "manifest", "best known", "submission", "run",
    "run under its hash", "keys.json", "skipped.json", "index.json", "names", "AMPL solution",
    "solution in lines", "solution in JSON", "scheduler",
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sound")


@pytest.fixture(scope="module")
def every_kind(sound: Path) -> dict[str, Kind]:
    found = kinds(sound)
    assert tuple(found) == NAMES
    return found


@pytest.mark.randomised
@pytest.mark.parametrize("name", NAMES)
def test_damage_is_refused_or_seen(
    name: str, every_kind: dict[str, Kind], sound: Path, tmp_path: Path
) -> None:
    """No traceback, no second line, no change that goes unseen."""
    (tmp_path / "p.nl").write_bytes((sound / "p.nl").read_bytes())
    hold(every_kind[name], tmp_path)


@pytest.mark.randomised
def test_a_published_table_is_read_or_refused(tmp_path: Path) -> None:
    """A folder of a table alone has no hash of it: no traceback, but a change may go unseen."""
    store = Store(tmp_path)
    rows = from_records([{"key": f"k{n}", "group": "g", "cost": n / 3} for n in range(20)])
    whole, rng = write_parquet(rows), random.Random(f"table {SEED}")
    refused = []
    for _ in range(COUNT):
        (tmp_path / "rows.parquet").unlink(missing_ok=True)
        (tmp_path / "rows.parquet").write_bytes(of_bytes(rng, whole))
        try:
            store.gather()
        except StoreError as error:
            refused.append(str(error))
    assert 0 < len(refused) < COUNT
    assert all(line.startswith(str(tmp_path / "rows.parquet")) for line in refused)
    assert not any("\n" in line for line in refused)

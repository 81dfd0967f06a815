"""A run's folder cannot lie: what is altered, swapped, stale or half written is found or mended."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from satedge.bench.run import record as records
from satedge.bench.run.record import JUDGED, LATER, make_record
from satedge.bench.run.rows import from_records, read_parquet, write_parquet
from satedge.bench.run.runner import carry_out, sort_out
from satedge.bench.run.store import Store, StoreError
from satedge.bench.run.supervisor import Run, Timing
from satedge.bench.score.verify import contradictions, findings
from satedge.bench.study import provenance
from satedge.bench.study.cell import Cell
from satedge.bench.study.study import Study, StudyError
from satedge.bench.study.study_file import parse_study
from satedge.problem.generation.generate import generate
from satedge.problem.io.files import write_instance
from satedge.problem.io.folder import only_one
from satedge.problem.plan import Outcome
from satedge.problem.referee import COST_VERSION
from satedge.problem.scenario import preset
from support.faults import contents, each_fault
from support.toys import plan_of

#: Fields of a row that follow from nothing else in its file: measured, or as the study has them.
STATED = (
    "cpu_s", "wait_s", "peak_MB", "started_unix", "host", "cpu", "system", "commit",
    "status", "reason", "method_status", "contended", "rules",
    "group", "family", "hindsight", "instance",
)  # fmt: skip


def near(cells: Sequence[Cell], scale: float = 1.0) -> Iterator[dict[str, Any]]:
    """A backend without processes: idle plans with scaled powers, and certified bounds of 0."""
    for cell in cells:
        plan = plan_of(cell.instance)
        plan = replace(plan, power_W=plan.power_W * scale)
        outcome = Outcome(plan, lower_bound=0.0, certificate={"kind": "sign"})
        yield make_record(cell, Run("done", "", outcome, timing=Timing(0.5, 0.5, 0.0)))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two instances, two seeds."""
    folder = tmp_path_factory.mktemp("instances")
    for seed in range(2):
        instance = generate(preset("tiny", n_slots=2), seed, name=f"i{seed}")
        write_instance(instance, folder / f"{instance.name}.json")
    part = f'[[part]]\nname = "g"\nsuites = ["{folder}"]\nseeds = [0, 1]\n'
    return parse_study(f'title = "t"\n{part}methods = ["support.toys:good"]\n', "s")


def run(study: Study, root: Path, again: str = "", scale: float = 1.0) -> Store:
    """Run what is left of a study."""
    store = Store(root).make()
    with only_one(root):
        work = sort_out(study, store, frozenset([again]) if again else frozenset())
        for _ in carry_out(study, work, store, lambda cells: near(cells, scale)):
            pass
    return store


@pytest.fixture
def store(study: Study, tmp_path: Path) -> Store:
    """A finished run, gathered."""
    made = run(study, tmp_path / "run")
    assert told(made) == [], "without a table, none is stale"
    made.gather()
    assert told(made) == []
    return made


def told(store: Store) -> list[str]:
    """All that a check of the folder finds."""
    found = store.look()
    stale = [] if found.current else ["the table is stale"]
    return [*found.damaged.values(), *findings(store, found.rows), *stale]


def other(value: Any, rng: random.Random) -> Any:
    """A value of the same kind that is not the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice((-1, 1))
    if isinstance(value, float):
        return value * (1 + rng.choice((-1e-6, 1e-6, 0.1))) if value else rng.choice((1e-6, 1.0))
    return f"{value}x" if isinstance(value, str) else 1.0


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers and words of a JSON value are."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in inside:
        if isinstance(item, (dict, list)):
            yield from places(item, (*place, name))
        else:
            yield (*place, name)


def edit(value: Any, place: tuple[Any, ...], rng: random.Random) -> None:
    for name in place[:-1]:
        value = value[name]
    value[place[-1]] = other(value[place[-1]], rng)


def test_no_edited_run_file_is_believed(store: Store) -> None:
    """Of 1,000 run files with one number or word edited, none is read."""
    rng, keys = random.Random(1), sorted(store.finished())
    for _ in range(1000):
        path = store._path(rng.choice(keys))
        data = path.read_bytes()
        record = json.loads(gzip.decompress(data))
        edit(record, rng.choice(list(places(record))), rng)
        path.write_bytes(gzip.compress(json.dumps(record).encode()))
        with pytest.raises(StoreError):
            store.read(path.name.removesuffix(".json.gz"))
        path.write_bytes(data)


def test_flipped_bits_change_no_record(store: Store) -> None:
    """Of 500 run files with one bit flipped, each is refused or says just what it said."""
    rng, key = random.Random(2), min(store.finished())
    path, whole = store._path(key), store.read(key)
    data = path.read_bytes()
    refused = 0
    for _ in range(500):
        bit = rng.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert store.read(key) == whole
        except StoreError:
            refused += 1
    assert refused > 450


def test_edited_rows_under_a_new_hash_are_recomputed(store: Store) -> None:
    """Of 160 values of rows edited, hash to match, none passes that follows from the rest."""
    rng = random.Random(3)
    whole = [store.read(key) for key in sorted(store.finished())]
    names = sorted(whole[0]["row"].keys() - set(STATED))
    assert set(JUDGED) <= set(names)
    for _ in range(160):
        record = json.loads(json.dumps(rng.choice(whole)))
        instance = store.instance(record["row"]["instance_sha256"])
        assert contradictions(record, instance) == []
        name = rng.choice(names)
        edit(record["row"], (name,), rng)
        assert contradictions(record, instance), name
    store.write(record | {"row": record["row"] | {"key": whole[0]["row"]["key"], "cost": 1.0}})
    assert told(store)


def test_records_of_before_a_count_say_nothing_of_it(store: Store) -> None:
    """What an earlier version did not count is unknown, and no contradiction."""
    record = store.read(min(store.finished()))
    for name in LATER:
        assert record["row"].pop(name) is not None
    assert contradictions(record, store.instance(record["row"]["instance_sha256"])) == []
    assert from_records([record["row"]])[list(LATER)].isna().all(axis=None)


def test_edited_tables_are_made_anew(store: Store) -> None:
    """Of 160 values edited in rows.parquet, none is shown; the check says that it is not so."""
    rng, table = random.Random(4), store.root / "rows.parquet"
    fine, rows = store.gather(), read_parquet(table)
    for _ in range(160):
        column = rng.choice(list(rows.columns))
        first, *others = rows[column].tolist()
        edited = rows.assign(**{column: [other(first, rng), *others]})
        table.write_bytes(write_parquet(edited))
        found = store.look()
        assert not found.current, column
        pd.testing.assert_frame_equal(found.rows, fine)
    assert "the table is stale" in told(store)
    store.gather()
    assert told(store) == []


def test_a_run_done_again_shows_its_new_value(study: Study, store: Store) -> None:
    """A run file removed and made anew by a changed method: the table shows the new cost."""
    before = store.gather()
    key = before["key"][0]
    store._path(key).unlink()
    run(study, store.root, scale=0.5)
    after = store.gather()
    assert after["cost"][0] != before["cost"][0]
    assert after["cost"][0] == store.read(key)["row"]["cost"]
    assert after["cost"][1:].tolist() == before["cost"][1:].tolist()


def test_a_file_under_the_name_of_another_is_refused_and_done_again(
    study: Study, store: Store
) -> None:
    """A copy passed off as another run is no second success; resuming does the run itself."""
    before = store.gather()
    one, two = sorted(store.finished())[:2]
    shutil.copy(store._path(one), store._path(two))
    with pytest.raises(StoreError, match=r"holds another run.* does the run again"):
        store.gather()
    assert [line for line in told(store) if "holds another run" in line]
    work = sort_out(study, store)
    assert [cell.key for cell in work.todo] == [two]
    assert len(work.damaged) == 1
    run(study, store.root)
    assert store.gather()["cost"].tolist() == before["cost"].tolist()


def test_a_swapped_instance_is_found_and_kept_anew(study: Study, store: Store) -> None:
    """An instance file copied over another is not what its name says."""
    one, two = sorted(store.instances.iterdir())
    shutil.copy(one, two)
    assert any("holds the instance" in line for line in told(store))
    run(study, store.root)
    assert told(store) == []


@pytest.mark.parametrize("name", ["keys.json", "skipped.json", "study.toml"])
def test_what_belongs_to_the_study_cannot_be_edited(study: Study, store: Store, name: str) -> None:
    """A run taken off the list, a text that was not run: refused or told, and written anew."""
    path = store.root / name
    path.write_text(path.read_text().replace('"g"', '"h"').replace("[]", "[{}]"))
    if name == "study.toml":
        assert told(store) == [f"{path}: altered since the run"]
    else:
        with pytest.raises(StoreError, match="altered after it was written"):
            store.gather()
    run(study, store.root)
    assert told(store) == []


def test_a_bound_above_any_cost_ever_seen_is_told(store: Store) -> None:
    """A bound between an earlier, cheaper plan of a trace and the last one fails too."""
    record = store.read(min(store.finished()))
    cost = record["row"]["cost"]
    record["trace"].insert(0, [0.1, 0.5 * cost, None])
    record["trace"][-1][2] = record["row"]["lower_bound"] = 0.75 * cost
    store.write(record)
    store.gather()
    (line,) = told(store)
    assert "certifies" in line


def of_an_earlier_cost(record: dict[str, Any]) -> dict[str, Any]:
    """The record as it was before outages were bounded, where its plan has none."""
    record = json.loads(json.dumps(record))
    del record["identity"]["cost_version"], record["row"]["cost_version"], record["row"]["outages"]
    record["row"]["key"] = provenance.digest(record["identity"])
    return record


def test_rows_of_an_earlier_cost_are_held_to_what_both_costs_say(study: Study) -> None:
    """Without outages every number, with outages all but the cost and what follows from it."""
    chosen = sort_out(study, None).todo
    for scale, outages in ((1.0, False), (1e-6, True)):
        for cell, made in zip(chosen, near(chosen, scale), strict=True):
            record = json.loads(json.dumps(made | {"identity": cell.identity}))
            assert bool(record["row"]["outages"]) == outages
            assert contradictions(record, cell.instance) == []
            earlier = of_an_earlier_cost(record)
            assert contradictions(earlier, cell.instance) == []
            earlier["row"]["cost"] *= 3
            earlier["trace"][-1][1] *= 3
            assert bool(contradictions(earlier, cell.instance)) == (not outages)
            earlier["row"]["latency_s"] *= 1.001
            assert any("latency_s" in s for s in contradictions(earlier, cell.instance))


def test_a_run_under_an_earlier_cost_is_not_the_run_under_this_one(study: Study) -> None:
    """The version is part of what a run is: resuming a folder of before does the runs anew."""
    cell = sort_out(study, None).todo[0]
    assert cell.identity["cost_version"] == COST_VERSION
    before = {name: value for name, value in cell.identity.items() if name != "cost_version"}
    assert provenance.digest(before) != cell.key


def test_a_repetition_of_no_status_is_refused(study: Study, store: Store) -> None:
    """`--again` names an ending that there is, before anything is removed."""
    with pytest.raises(StudyError, match="status 'bogus': allowed is one of done, timeout"):
        sort_out(study, store, frozenset(["bogus", "all"]))
    assert len(store.finished()) == 4


# --- faults while writing


def written_up(study: Study, root: Path) -> None:
    """The run, its gathered table, and one for readers."""
    store = run(study, root)
    store.write_text("tables/rows.csv", store.gather().to_csv())


def test_whatever_write_fails_the_folder_is_whole_and_the_run_resumes(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file is absent or as in a run without faults; resumed, all files are the same."""
    monkeypatch.setattr(records, "time", SimpleNamespace(time=lambda: 1e9))
    whole, torn, n_faults = tmp_path / "whole", tmp_path / "torn", 0
    for n in each_fault(lambda: written_up(study, whole)):
        with pytest.raises((OSError, ValueError), match=r"space left|Input/output"):
            written_up(study, torn / str(n))
        n_faults = n
    expected = contents(whole)
    states: dict[frozenset[tuple[str, bytes]], Path] = {}
    for n in range(1, n_faults + 1):
        left = contents(torn / str(n))
        assert {k: v for k, v in left.items() if expected.get(k) != v} == {}
        states[frozenset(left.items())] = torn / str(n)
    for root in states.values():
        written_up(study, root)
        assert contents(root) == expected
    assert n_faults > 40
    assert len(states) > 10

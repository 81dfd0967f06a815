"""Submissions of strangers: judged plan by plan, and nothing in them is believed or followed."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from satedge.bench.methods.table import MethodError, find, load
from satedge.bench.score import submission as submissions
from satedge.bench.score.best_known import Record, RecordError, plan_of, read_records
from satedge.bench.score.hand_in import Solved, hand_in, origin, plans_in, run_method
from satedge.bench.score.submission import Finding, check_submission, enter, run_again
from satedge.bench.study.suites import load_suite
from satedge.problem.io.files import write_plan
from satedge.problem.io.submission import (
    HEAD,
    MOST_PLAN,
    Claim,
    Submission,
    SubmissionError,
    read_submission,
    write_submission,
)

SUITE = "tiny"


def head(claims: dict[str, Claim], **changes: Any) -> Submission:
    told = {"name": "Somebody", "kind": "heuristic", "suite": SUITE, "about": "", "method": ""}
    told |= {"settings": {}, "seed": 0, "budget_s": None, "clock": "wall", **origin(), **changes}
    return Submission(**told, instances=claims)


@pytest.fixture(scope="module")
def greedy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plans of greedy for all of `tiny`."""
    folder, decide = tmp_path_factory.mktemp("greedy"), load(find("greedy"))
    solved = (Solved(i, decide(i, budget_s=9.0, seed=0).plan, 0.5) for i in load_suite(SUITE))
    how = {"method": "greedy", "budget_s": 9.0}
    hand_in(folder, lambda claims: head(claims, **how), solved)
    return folder


@pytest.fixture
def folder(greedy: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(greedy, tmp_path / "copy"))


def of(folder: Path, name: str) -> Finding:
    return next(f for f in check_submission(folder).findings if f.instance == name)


def test_plans_are_judged_here(greedy: Path) -> None:
    """Costs are the referee's, gaps certified by the records; greedy betters none of them."""
    found = check_submission(greedy)
    assert found.count("accepted") == len(found.findings) == 30
    known = read_records(SUITE)
    for f in found.findings:
        record = known[f.instance]
        assert record.best is not None
        assert record.bound is not None
        assert f.cost >= record.best.value * (1 - 1e-9)
        assert f.gap == pytest.approx((f.cost - record.bound.value) / f.cost)
        assert f.time_s == 0.5
    assert found.told == "claimed"


def test_a_better_plan_is_said_to_be_and_entered(
    greedy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the best known plan costs more, the record gets this one, and keeps the past."""
    known = read_records(SUITE)
    name, poor = "tiny-3004", load(find("random"))
    instance = next(i for i in load_suite(SUITE) if i.name == name)
    weak = submissions.improve(
        Record(name, instance.content_sha256), instance, poor(instance, budget_s=9, seed=3), "poor"
    )
    written: dict[str, Record] = {}
    monkeypatch.setattr(submissions, "read_records", lambda _: {**known, name: weak})
    monkeypatch.setattr(submissions, "write_records", lambda _, records: written.update(records))
    found = check_submission(greedy)
    assert found.count("better") == 1
    assert enter(found) == 1
    best = written[name].best
    assert best is not None
    assert best.who == "Somebody (handed in)"
    assert [mark.who for mark in written[name].history] == ["poor"]


def test_plans_of_episodes_are_entered_into_no_records(greedy: Path) -> None:
    """They may know later slots: a record of an episode is what causal plans are compared with."""
    found = check_submission(greedy)
    episodes = dataclasses.replace(found.submission, suite="paper")
    with pytest.raises(RecordError, match=r"paper: references of episodes are causal plans"):
        enter(dataclasses.replace(found, submission=episodes))


def test_what_is_refused_says_why(folder: Path) -> None:
    """No plan, a broken file, an altered plan, another instance, an inadmissible plan."""
    plans = folder / "plans"
    (plans / "tiny-3000.json").unlink()
    (plans / "tiny-3001.json").write_text("{")
    altered = json.loads((plans / "tiny-3002.json").read_text())
    altered["power_W"][0][0] *= 0.5
    (plans / "tiny-3002.json").write_text(json.dumps(altered))
    shutil.copy(plans / "tiny-3004.json", plans / "tiny-3003.json")
    strong = json.loads((plans / "tiny-3005.json").read_text())
    strong["power_W"] = [[1e3 * watt for watt in strong["power_W"][0]]]
    (plans / "tiny-3005.json").write_text(json.dumps(strong))
    for name, reason in (
        ("tiny-3000", "cannot be read"),
        ("tiny-3001", "is no JSON"),
        ("tiny-3002", "was it altered?"),
        ("tiny-3003", "instance_sha256"),
        ("tiny-3005", "its plan breaks power_max by"),
    ):
        found = of(folder, name)
        assert (found.status, reason in found.reason) == ("refused", True), found
        assert "\n" not in found.reason
    assert check_submission(folder).count("accepted") == 25


def test_files_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    """Links, pipes and giants are refused; names in the head are never paths."""
    plans, outside = folder / "plans", tmp_path / "outside.json"
    shutil.move(plans / "tiny-3000.json", outside)
    (plans / "tiny-3000.json").symlink_to(outside)
    (plans / "tiny-3001.json").unlink()
    os.mkfifo(plans / "tiny-3001.json")
    with (plans / "tiny-3002.json").open("ab") as giant:
        giant.truncate(MOST_PLAN + 1)
    for name, reason in (
        ("tiny-3000", "is a link"),
        ("tiny-3001", "no regular file"),
        ("tiny-3002", "allowed is at most"),
    ):
        assert reason in of(folder, name).reason
    told = read_submission(folder)
    claims = {"../../x": told.instances["tiny-3004"]}
    write_submission(dataclasses.replace(told, instances=claims), folder)
    with pytest.raises(SubmissionError, match=r"'../../x' is none of tiny"):
        check_submission(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "<b>"}, "name = '<b>': allowed is 1 to 60 letters"),
        ({"kind": "magic"}, "kind = 'magic': allowed is one of exact, heuristic, learned"),
        ({"about": "a\x1b[31m"}, "printable text"),
        ({"about": "x" * 301}, "about"),
        ({"suite": "nowhere"}, "suite = 'nowhere': allowed is one of"),
        ({"budget_s": 0.0}, "budget_s = 0.0"),
    ],
)
def test_a_wrong_head_is_one_line(folder: Path, changes: dict[str, Any], message: str) -> None:
    """File, field, value, and what is allowed, also under a hash that fits."""
    from satedge.problem.io.folder import sealed

    whole = json.loads((folder / HEAD).read_text())
    (folder / HEAD).write_text(json.dumps(sealed(whole | changes)))
    with pytest.raises(SubmissionError) as told:
        check_submission(folder)
    assert message in str(told.value)
    assert str(folder / HEAD) in str(told.value)
    assert "\n" not in str(told.value)


def test_an_altered_head_is_refused(folder: Path) -> None:
    """Its hash covers every field."""
    text = (folder / HEAD).read_text()
    (folder / HEAD).write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(SubmissionError, match="altered after it was written"):
        check_submission(folder)


def test_a_proof_counts_once_it_is_verified(folder: Path) -> None:
    """A sound proof raises the bound where it is better; a wrong one costs nothing but itself."""
    from minlp.branch_and_bound.limits import Limits
    from minlp.branch_and_bound.proof import prove_slot
    from satedge.verify.proof import write_proof

    instance = next(i for i in load_suite(SUITE) if i.name == "tiny-3004")
    _, proof, _ = prove_slot(instance, 0, Limits(budget_s=60.0, gap=1e-3))
    (folder / "proofs").mkdir()
    write_proof(folder / "proofs" / "tiny-3004.json.gz", proof)
    write_proof(folder / "proofs" / "tiny-3005.json.gz", proof)
    (folder / "proofs" / "tiny-3006.json.gz").write_bytes(b"no proof")
    assert of(folder, "tiny-3004").proved
    assert of(folder, "tiny-3004").own_bound == pytest.approx(proof["bound"] / 3)
    for name, reason in (("tiny-3005", "another instance"), ("tiny-3006", "cannot be read")):
        found = of(folder, name)
        assert (found.status, found.proved, reason in found.reason) == ("accepted", False, True)
    write_proof(folder / "proofs" / "tiny-3004.json.gz", proof | {"bound": 1.01 * proof["cost"]})
    assert "its proof is wrong" in of(folder, "tiny-3004").reason


def test_a_result_is_reproduced_or_not(folder: Path) -> None:
    """Greedy comes out the same; of another method's plans that is said; others are not run."""
    assert run_again(check_submission(folder), 2).told == "reproduced"
    told = read_submission(folder)
    write_submission(dataclasses.replace(told, method="random"), folder)
    again = run_again(check_submission(folder), 2)
    assert again.told == "not reproduced"
    assert again.again
    assert "run again it costs" in again.again[0]
    write_submission(dataclasses.replace(told, method="os:system"), folder)
    with pytest.raises(MethodError, match="none of this package"):
        run_again(check_submission(folder), 1)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("general", {"solver": "/bin/sh"}),
        ("general", {"options": {"logfile": "x"}}),
        ("adsac", {"policy": "../../x"}),
        ("adsac", {"policy": "/etc/x"}),
        ("adsac", {"policy": 3}),
    ],
)
def test_settings_of_strangers_name_no_program(
    folder: Path, method: str, settings: dict[str, Any]
) -> None:
    """A method that is run again takes numbers and policies of the library, nothing else."""
    told = dataclasses.replace(read_submission(folder), method=method, settings=settings)
    write_submission(told, folder)
    with pytest.raises(MethodError, match="allowed to run again are numbers"):
        run_again(check_submission(folder), 1)


def test_plans_of_any_program_can_be_handed_in(tmp_path: Path) -> None:
    """Those of a folder, by the names of the instances; what is missing is told, not handed in."""
    instances, known = load_suite(SUITE), read_records(SUITE)
    (tmp_path / "mine").mkdir()
    for instance in instances[:3]:
        name = instance.name
        write_plan(plan_of(known[name]), tmp_path / "mine" / f"{name}.json.gz", instance)
    solved = list(plans_in(tmp_path / "mine", SUITE))
    assert [one.plan is not None for one in solved] == [True] * 3 + [False] * 27
    assert "has no tiny-3003.json" in solved[3].reason
    hand_in(tmp_path / "out", head, solved)
    found = check_submission(tmp_path / "out")
    assert (found.count("accepted"), found.count("refused")) == (3, 27)
    with pytest.raises(SubmissionError, match="holds a submission"):
        hand_in(tmp_path / "out", head, solved)
    with pytest.raises(SubmissionError, match="no plan to hand in"):
        hand_in(tmp_path / "none", head, solved[3:])


def test_methods_that_find_no_plans_cannot_be_handed_in() -> None:
    """A bound is no plan."""
    with pytest.raises(MethodError, match="finds plans"):
        next(run_method(find("independent-bound"), SUITE, 0, 1.0))

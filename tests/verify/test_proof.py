"""Proofs verify, and altered ones do not."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.proof import prove_slot
from satedge.commands.proofs import GAP as GAP_OF_RECORDS
from satedge.commands.proofs import make
from satedge.paths import INSTANCES, RECORDS
from satedge.problem.instance import Instance
from satedge.problem.io.files import read_instance
from satedge.verify.kernel.model import Model
from satedge.verify.kernel.region import cost_of
from satedge.verify.proof import ProofError, decision, read_proof, verify, write_proof
from support.worlds import printed, tiny, world

GAP = 1e-2
NAMES = {"tiny": 2, "slots": 2, "slots-balanced": 1, "contended": 2, "contended-balanced": 1}
Proven = tuple[Instance, dict[str, Any]]


@pytest.fixture(scope="module")
def proven() -> list[Proven]:
    found = []
    for folder, count in NAMES.items():
        for path in sorted((INSTANCES / folder).glob("*.json"))[:count]:
            found.append((read_instance(path), _proof(read_instance(path), gap=GAP)))
    return found


def _proof(instance: Instance, **limits: Any) -> dict[str, Any]:
    return prove_slot(instance, 0, Limits(budget_s=np.inf, max_nodes=20_000, **limits))[1]


def test_proofs_verify_to_the_gap_of_the_search(proven: list[Proven]) -> None:
    for instance, proof in proven:
        result = verify(instance, proof)
        assert result.valid, result.reason
        assert result.gap <= GAP + 1e-6


@pytest.mark.parametrize(
    "name",
    [
        "slots/slots-2011-51",  # regions of a batch were once cut more often than alone
        "slots/slots-2006-66",  # two rooms for a UAV are equal but for the last digits
        "contended/contended-2001-61",  # who must be where follows in several rounds
        "contended-balanced/contended-balanced-2001-61",  # what one option needs no other does
        "contended-balanced/contended-balanced-2007-87",  # no assignment has loads in their spans
    ],
)
def test_slots_that_could_not_be_proven_once(name: str) -> None:
    instance = read_instance(INSTANCES / f"{name}.json")
    assert verify(instance, _proof(instance, gap=1e-4)).valid


@pytest.mark.parametrize("sharing", ["dedicated", "shared"])
def test_better_slopes_are_proven(sharing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer nodes than without them."""
    changes = {"compute_sharing": sharing, "interference_leakage": 1.0}
    instance = world("as-printed", 1, n_devices=5, n_uavs=2, **changes)
    with monkeypatch.context() as without:
        without.setattr("minlp.branch_and_bound.search.Search._steps", lambda *_: 0)
        plain = _proof(instance, gap=1e-4)
    for name in ("FEW", "WORTH"):
        monkeypatch.setattr(f"minlp.branch_and_bound.search.{name}", {True: 0, False: 0})
    proof = _proof(instance, gap=1e-4)
    result = verify(instance, proof)
    assert result.valid, result.reason
    assert result.gap <= 1.1e-4
    assert result.nodes < verify(instance, plain).nodes
    lifted = [node["lifted"] for node in proof["nodes"] if "lifted" in node]
    assert lifted
    for given in lifted:
        given["pay"] = [[0.0 for _ in row] for row in given["pay"]]
    assert _refused(instance, proof)


def test_regions_that_are_empty_by_separation() -> None:
    instance = world("paper", 0, n_devices=3, n_uavs=2, uav_separation_m=150.0)
    proof = _proof(instance, gap=GAP)
    assert verify(instance, proof).valid
    closer = replace(instance, scenario=replace(instance.scenario, uav_separation_m=0.0))
    assert _refused(closer, proof)


@pytest.mark.parametrize("sharing", ["dedicated", "shared"])
def test_the_optimum_with_hard_deadlines(sharing: str) -> None:
    for seed in range(3):
        instance = tiny(seed, compute_sharing=sharing)
        proof = _proof(instance, gap=GAP, hard=True)
        result = verify(instance, proof)
        assert result.valid, result.reason
        assert result.gap <= GAP + 1e-6
        proof["hard"] = False  # what costs more than the elastic optimum may
        assert _refused(instance, proof) or verify(instance, proof).bound < result.cost


def test_the_optimum_with_hard_deadlines_and_no_interference() -> None:
    """Lateness at its highest price: what noise gives away for those that refuse costs too much."""
    instance = world("paper", 1, interference_leakage=0.0)
    result = verify(instance, _proof(instance, gap=GAP, hard=True))
    assert result.valid, result.reason
    assert result.gap <= GAP + 1e-6


@pytest.mark.parametrize(
    "instance",
    [
        printed("tiny", 0),
        world("as-printed", 0),
        world("contended", 1),
        printed("tiny", 0, n_satellites=0, uav_coverage_m=60.0),
    ],
    ids=["execution", "interference", "shared", "unservable"],
)
def test_that_no_plan_meets_hard_deadlines(instance: Instance) -> None:
    proof = _proof(instance, gap=GAP, hard=True)
    assert proof["plan"] is None
    assert verify(instance, proof).valid
    for change in ({"hard": False}, {"bound": 1e-3}, {"nodes": [{}], "bound": 1e12}):
        if instance.scenario.n_satellites > 0 or "nodes" not in change:
            assert _refused(instance, {**proof, **change})


def test_plans_in_time_are_not_proven_away() -> None:
    """A proof that nobody is in time, of an instance in which somebody is, is refused."""
    instance = tiny(1)
    proof = _proof(instance, gap=GAP, hard=True)
    for bound in (proof["bound"], 1e9):
        assert _refused(instance, {**proof, "plan": None, "cost": None, "bound": bound})


def _refused(instance: Instance, proof: dict[str, Any]) -> bool:
    try:
        return not verify(instance, proof).valid
    except ProofError:
        return True


def _pick(rng: np.random.Generator, values: list[Any]) -> Any:
    return values[rng.integers(len(values))] if values else None


def _change_tree(proof: dict[str, Any], kind: str, rng: np.random.Generator) -> bool:
    """Leave out of a tree what it needs, in place; False where there is no such thing."""
    nodes = proof["nodes"]
    splits = [n["split"] for n in nodes if "split" in n]
    if kind == "leaf without numbers":
        node = _pick(rng, [n for n in nodes if "numbers" in n and "split" not in n])
        if node:
            del node["numbers"]
        return node is not None
    if kind == "leaf dropped":
        nodes[_pick(rng, [i for i, n in enumerate(nodes) if "split" not in n])] = {}
    elif kind == "last node":
        nodes.pop()
    elif kind == "child twice":
        split = _pick(rng, splits)
        if split:
            split["children"][0] = split["children"][-1]
        return split is not None
    elif kind == "part left out":
        split = _pick(rng, [s for s in splits if "device" in s])
        if split:
            split["parts"][rng.integers(len(split["parts"]))] = 0
        return split is not None
    elif kind == "box shrunk":
        split = _pick(rng, [s for s in splits if "uav" in s])
        if split:
            split["at"] += float(rng.choice([-1, 1]) * 10 ** rng.uniform(0, 3))
        return split is not None
    elif kind == "options left out":
        node = _pick(rng, [n for n in nodes if "left" not in n])
        row = rng.integers(len(proof["root"]))
        node["left"] = [0 if k == row else -1 for k in range(len(proof["root"]))]
    elif kind == "loads left out":
        node = _pick(rng, [n for n in nodes if "span" in n])
        if node:
            node["span"][rng.integers(len(node["span"]))] = [1, 1]
        return node is not None
    return True


def _change_numbers(proof: dict[str, Any], kind: str, rng: np.random.Generator) -> bool:
    """Change a number of the point, the multipliers or the lines of a node, in place."""
    given = _pick(rng, [n["numbers"] for n in proof["nodes"] if "numbers" in n])
    values = given.get(kind) if given else None
    if not values:
        return False
    row = _pick(rng, values)
    if isinstance(row, list):
        at = int(rng.integers(1, 4) + 2) if kind == "lines" else len(row) - 1
        row[at] += float(rng.normal() * 10 ** rng.uniform(-4, 2))
    else:
        at = int(rng.integers(len(values)))
        values[at] += float(rng.normal() * 10 ** rng.uniform(-4, 2))
    return True


TREE = [
    "leaf without numbers",
    "leaf dropped",
    "last node",
    "child twice",
    "part left out",
    "box shrunk",
    "options left out",
    "loads left out",
]
NUMBERS = ["near", "power", "place", "late", "discs", "dual", "more", "lines"]


def _changed(proof: dict[str, Any], kind: str, rng: np.random.Generator) -> dict[str, Any] | None:
    other = copy.deepcopy(proof)
    change = _change_tree if kind in TREE else _change_numbers
    return other if change(other, kind, rng) else None


def _boasting(instance: Instance, proof: dict[str, Any], rng: np.random.Generator) -> Any:
    """A proof with a plan dearer than the known one, and a bound between both: it is false."""
    other = copy.deepcopy(proof)
    plan = other["plan"]
    sends = [k for k, p in enumerate(plan["power_W"]) if p > 0.02]
    k = _pick(rng, sends)
    plan["power_W"][k] *= 0.5
    with np.errstate(all="ignore"):
        model = Model(instance, 0, False)
        other["cost"] = cost_of(model, *decision(plan))
    if not other["cost"] > proof["cost"] * (1 + 1e-6):
        return None
    share = rng.uniform(1e-6, 1)
    other["bound"] = proof["cost"] + share * (other["cost"] - proof["cost"])
    return other


def _attack(proven: list[Proven], rounds: int, seed: int) -> int:
    """Altered proofs: those of what is false are refused, others prove no more than was proven."""
    rng, count = np.random.default_rng(seed), 0
    for _ in range(rounds):
        for instance, proof in proven:
            for kind in TREE + NUMBERS:
                other = _changed(proof, kind, rng)
                if other is None:
                    continue
                count += 1
                if not _refused(instance, other):
                    assert other["bound"] == proof["bound"] <= verify(instance, proof).cost
                false = _boasting(instance, other, rng)
                if false is not None:
                    count += 1
                    assert _refused(instance, false), kind
            for claim in _false_claims(proof, rng):
                count += 1
                assert _refused(instance, {**copy.deepcopy(proof), **claim}), claim
    return count


def _false_claims(proof: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    """What an altered bound, cost or plan claims."""
    plan = proof["plan"]
    sends = [k for k, p in enumerate(plan["power_W"]) if p > 0]
    louder, away = copy.deepcopy(plan), copy.deepcopy(plan)
    louder["power_W"][_pick(rng, sends)] = float(rng.uniform(1.01, 10))
    away["uav_xy_m"][0][0] += float(rng.uniform(150, 1000))
    size = 10 ** rng.uniform(-7, 0)
    return [
        {"bound": proof["cost"] * (1 + size)},
        {"cost": proof["cost"] * (1 - size)},
        {"plan": louder},
        {"plan": away},
        {"plan": None, "cost": None},
        {"instance_sha256": "0" * 64},
        {"nodes": []},
    ]


def test_altered_proofs_are_refused(proven: list[Proven]) -> None:
    assert _attack(proven[::3], 1, seed=1) >= 60


@pytest.mark.slow
def test_a_thousand_altered_proofs_are_refused(proven: list[Proven]) -> None:
    assert _attack(proven, 6, seed=2) >= 1000


def test_lines_of_devices_that_do_not_exist_prove_nothing(proven: list[Proven]) -> None:
    """Counted from the end, they would be priced as if their powers were given."""
    rng, count = np.random.default_rng(3), 0
    for instance, proof in proven:
        false = _boasting(instance, proof, rng)
        if false is None:
            continue
        n, m = len(proof["root"]), instance.scenario.n_uavs
        given = {
            "pay": [[0.0] * (n + 2 * m)] * n,
            "near": [[[0.0, 0.0]] * m] * n,
            "room": [[0] * m] * n,
            "discs": [],
            "dual": [false["bound"] / n * (1 + 1e-9)] * n,
            "lines": [
                [k - n, r, 0, 0.0, -30.0, theta]
                for k in range(n)
                for r in range(m + 1)
                for theta in (0.0, 1e12)
            ],
        }
        assert _refused(instance, {**false, "nodes": [{"numbers": given}]})
        count += 1
    assert count >= 4


def test_another_instance_is_refused(proven: list[Proven]) -> None:
    with pytest.raises(ProofError, match="another instance"):
        verify(proven[0][0], proven[1][1])
    other = {**proven[1][1], "instance_sha256": proven[0][0].content_sha256}
    assert _refused(proven[0][0], other)


def test_files(proven: list[Proven], tmp_path: Any) -> None:
    path = tmp_path / "proof.json.gz"
    write_proof(path, proven[0][1])
    assert read_proof(path) == proven[0][1]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ProofError, match="no proof"):
        read_proof(path)


def test_the_committed_sample_is_listed_and_verifies() -> None:
    listed = json.loads((RECORDS / "PROOFS.json").read_text())
    paths = sorted((RECORDS / "proofs").glob("*.json.gz"))
    assert len(paths) >= 3
    for path in paths:
        name = path.name.removesuffix(".json.gz")
        entry = listed[name]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["proof_sha256"]
        instance = read_instance(INSTANCES / entry["suite"] / f"{name}.json")
        result = verify(instance, read_proof(path))
        assert result.valid, result.reason
        assert result.gap == pytest.approx(entry["gap"], rel=1e-5)


def test_proofs_of_a_suite_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, listed = tmp_path / "proofs", tmp_path / "PROOFS.json"
    some = [read_instance(path) for path in sorted((INSTANCES / "tiny").glob("*.json"))[:2]]
    monkeypatch.setattr("satedge.bench.study.suites.load_suite", lambda _name: some)
    assert make(folder, ["tiny"], listed) == []
    first = listed.read_text()
    entry = json.loads(first)[some[0].name]
    assert entry["gap"] <= GAP_OF_RECORDS * 1.001
    kept = folder / f"{some[0].name}.json.gz"
    before = kept.stat().st_mtime_ns
    (folder / f"{some[1].name}.json.gz").write_bytes(b"altered")
    assert make(folder, ["tiny"], listed) == []
    assert kept.stat().st_mtime_ns == before
    assert json.loads(listed.read_text()).keys() == json.loads(first).keys()
    assert verify(some[1], read_proof(folder / f"{some[1].name}.json.gz")).valid

"""Proofs verify, and altered ones do not."""

from __future__ import annotations

import copy
import subprocess
import sys
from decimal import Decimal, getcontext
from typing import Any

import numpy as np
import pytest

from minlp.branch_and_bound.proof import prove_slot
from minlp.branch_and_bound.search import Limits
from satedge.paths import INSTANCES
from satedge.problem.instance import Instance
from satedge.problem.io.files import read_instance
from satedge.verify.kernel import interval
from satedge.verify.proof import ProofError, read_proof, verify, write_proof

GAP = 1e-3
NAMES = {"tiny": 3, "slots": 2, "slots-balanced": 2, "contended": 2, "contended-balanced": 1}
Proven = tuple[Instance, dict[str, Any]]


@pytest.fixture(scope="module")
def proven() -> list[Proven]:
    found = []
    for folder, count in NAMES.items():
        for path in sorted((INSTANCES / folder).glob("*.json"))[:count]:
            instance = read_instance(path)
            _outcome, proof, _times = prove_slot(instance, 0, Limits(gap=GAP, budget_s=20))
            found.append((instance, proof))
    return found


def test_proofs_verify_to_the_gap_of_the_search(proven: list[Proven]) -> None:
    for instance, proof in proven:
        result = verify(instance, proof)
        assert result.valid, result.reason
        assert result.gap <= GAP + 1e-6


def _refused(instance: Instance, proof: dict[str, Any]) -> bool:
    try:
        return not verify(instance, proof).valid
    except ProofError:
        return True


def _tampered(proof: dict[str, Any], kind: str, rng: np.random.Generator) -> dict[str, Any] | None:
    """A proof that says what is not true, or leaves out what is needed; None where it cannot."""
    other = copy.deepcopy(proof)
    nodes = other["nodes"]
    with_numbers = [i for i, n in enumerate(nodes) if "numbers" in n]
    splits = [i for i, n in enumerate(nodes) if "device" in n.get("split", {})]
    if kind == "bound":
        other["bound"] = proof["cost"] * (1 + 10 ** rng.uniform(-8, 0))
    elif kind == "cost":
        other["cost"] *= 1 - 10 ** rng.uniform(-8, 0)
    elif kind == "last node":
        if len(nodes) < 2:
            return None
        nodes.pop()
    elif kind == "node twice":
        parents = [n["split"] for n in nodes if "split" in n]
        if not parents:
            return None
        children = parents[rng.integers(len(parents))]["children"]
        children[0] = children[-1]
    elif kind == "no numbers":
        leaves = [i for i in with_numbers if "split" not in nodes[i]]
        if not leaves:
            return None
        del nodes[rng.choice(leaves)]["numbers"]
    elif kind == "part left out":
        if not splits:
            return None
        split = nodes[rng.choice(splits)]["split"]
        split["parts"][rng.integers(len(split["parts"]))] = 0
    elif kind == "options left out":
        node = nodes[0]
        if "left" in node or "numbers" not in node:
            return None
        node["left"] = [0] * len(other["root"])
    elif kind == "power":
        sends = [k for k, p in enumerate(other["plan"]["power_W"]) if p > 0]
        if not sends:
            return None
        other["plan"]["power_W"][rng.choice(sends)] = float(rng.uniform(1.01, 10))
    elif kind == "position":
        other["plan"]["uav_xy_m"][0][0] += float(rng.uniform(150, 1000))
    return other


KINDS = [
    "bound",
    "cost",
    "last node",
    "node twice",
    "no numbers",
    "part left out",
    "power",
    "position",
]


def _attack(proven: list[Proven], rounds: int, seed: int) -> int:
    rng, count = np.random.default_rng(seed), 0
    for _ in range(rounds):
        for instance, proof in proven:
            for kind in KINDS:
                other = _tampered(proof, kind, rng)
                if other is None:
                    continue
                count += 1
                if kind in ("no numbers", "part left out", "node twice"):
                    # legitimate only where the region is empty or closed without them
                    _accepted_only_if_true(instance, proof, other)
                else:
                    assert _refused(instance, other), kind
    return count


def _accepted_only_if_true(
    instance: Instance, proof: dict[str, Any], other: dict[str, Any]
) -> None:
    """A weaker proof of the same bound may hold; then it proves nothing that was not true."""
    if not _refused(instance, other):
        result = verify(instance, other)
        assert result.bound <= proof["bound"]
        assert result.bound <= result.cost


def test_altered_proofs_are_refused(proven: list[Proven]) -> None:
    assert _attack(proven, 2, seed=1) >= 100


@pytest.mark.slow
def test_thousands_of_altered_proofs_are_refused(proven: list[Proven]) -> None:
    assert _attack(proven, 25, seed=2) >= 1000


def test_other_numbers_prove_at_most_what_is_true(proven: list[Proven]) -> None:
    """Any numbers give a bound: however they are altered, none lies above the plan."""
    rng = np.random.default_rng(3)
    refused = 0
    for instance, proof in proven:
        for _ in range(5):
            other = copy.deepcopy(proof)
            for node in other["nodes"]:
                if "numbers" in node:
                    given = node["numbers"]
                    for name in ("power", "late"):
                        noise = rng.normal(size=len(given[name])) * 10 ** rng.uniform(-3, 1)
                        given[name] = (np.array(given[name]) + noise).tolist()
                    given["lines"] = [
                        [k, r, tilted, *(x + rng.normal() for x in three)]
                        for k, r, tilted, *three in given["lines"]
                    ]
            refused += _refused(instance, other)
            other["bound"] = proof["cost"] * (1 - 1e-12)
            assert _refused(instance, other)
    assert refused > 0


def test_another_instance_is_refused(proven: list[Proven]) -> None:
    with pytest.raises(ProofError, match="another instance"):
        verify(proven[0][0], proven[1][1])


def test_files(proven: list[Proven], tmp_path: Any) -> None:
    path = tmp_path / "proof.json.gz"
    write_proof(path, proven[0][1])
    assert read_proof(path) == proven[0][1]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ProofError, match="no proof"):
        read_proof(path)


def test_the_verifier_needs_no_solver() -> None:
    code = (
        "import sys, satedge.verify.proof as _; "
        "sys.exit(any(m.split('.')[0] in ('minlp', 'numba') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_intervals_hold_the_true_values() -> None:
    """Against fifty digits."""
    getcontext().prec = 50
    rng = np.random.default_rng(4)
    for x in rng.uniform(-60, 60, 300).tolist():
        found, y = interval.exp(x), abs(x) + 1e-3
        assert Decimal(float(found.lo)) <= Decimal(x).exp() <= Decimal(float(found.hi))
        logs, ones = interval.log(y), interval.log1p(y)
        assert Decimal(float(logs.lo)) <= Decimal(y).ln() <= Decimal(float(logs.hi))
        assert Decimal(float(ones.lo)) <= (1 + Decimal(y)).ln() <= Decimal(float(ones.hi))

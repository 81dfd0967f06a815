"""Proofs of all slots of the committed suites: made, verified and listed."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from satedge.problem.instance import Instance

#: The list beside the records of the suites.
NAME = "PROOFS.json"

#: Relative gap asked of the search, and its time a slot in seconds of whatever the clock counts.
GAP, BUDGET_S = 1e-5, 60.0


def make(folder: Path, names: list[str], listed: Path) -> list[str]:
    """Prove every slot of suites, into `folder`; the list `listed` is kept after each.

    What is listed and lies in the folder unaltered is left as it is. Returns what went wrong.
    """
    from satedge.bench.study.suites import load_suite
    from satedge.kernels import warm_up
    from satedge.problem.io.folder import write_atomically

    warm_up()
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[str, dict[str, Any]] = json.loads(listed.read_text()) if listed.exists() else {}
    problems = []
    for name in names:
        for instance in load_suite(name):
            path = folder / f"{instance.name}.json.gz"
            if _unaltered(path, known.get(instance.name), instance.content_sha256):
                continue
            entry = _proven(instance, path)
            if "reason" in entry:
                problems.append(f"{instance.name}: {entry['reason']}")
            known[instance.name] = {"suite": name, **entry}
            write_atomically(listed, _text(known).encode())
            print(f"{instance.name}: {entry.get('reason') or _line(entry)}", flush=True)
    return problems


def _unaltered(path: Path, entry: dict[str, Any] | None, sha256: str) -> bool:
    if entry is None or entry["instance_sha256"] != sha256 or not path.exists():
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == entry.get("proof_sha256")


def _proven(instance: Instance, path: Path) -> dict[str, Any]:
    """What the list says of one instance; times are CPU seconds."""
    from minlp.branch_and_bound.limits import Limits
    from minlp.branch_and_bound.proof import prove_slot
    from satedge.verify.proof import ProofError, read_proof, verify, write_proof

    entry: dict[str, Any] = {"instance_sha256": instance.content_sha256}
    try:
        _outcome, proof, times = prove_slot(instance, 0, Limits(gap=GAP, budget_s=BUDGET_S))
    except ProofError as error:
        return entry | {"reason": str(error)}
    write_proof(path, proof)
    began = time.process_time()
    result = verify(instance, read_proof(path))
    spent = time.process_time() - began
    if not result.valid:
        return entry | {"reason": result.reason}
    packed = path.read_bytes()
    return entry | {
        "proof_sha256": hashlib.sha256(packed).hexdigest(),
        "bytes": len(packed),
        "gap": float(f"{result.gap:.6g}"),
        "nodes": result.nodes,
        "solve_s": round(times["solve_cpu_s"], 4),
        "verify_s": round(spent, 4),
    }


def _line(entry: dict[str, Any]) -> str:
    return (
        f"verified to gap {entry['gap']:.3g}, {entry['nodes']} nodes, {entry['bytes']} bytes, "
        f"{entry['solve_s']:.3g} s to solve, {entry['verify_s']:.3g} s to verify"
    )


def _text(known: dict[str, dict[str, Any]]) -> str:
    """One line an instance."""
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(known.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"

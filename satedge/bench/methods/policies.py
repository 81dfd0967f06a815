"""The policies of the tree, and the manifest of all that were ever evaluated.

The tree holds at most MOST_MB of them. `results/policies/<world>/MANIFEST.json` keeps of every
policy what it was made with, the hash of its weights and the command that makes it again, also
of those that are no longer there.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from satedge import paths
from satedge.problem.io.curve import read_curve
from satedge.problem.io.folder import write_atomically
from satedge.problem.io.jsonfile import parsed, read_bytes

MANIFEST = "MANIFEST.json"

#: Megabytes that all policies of the tree may have together.
MOST_MB = 20

#: What a manifest says of a policy, as the policy's own file does.
_TOLD = ("method", "seed", "settings", "sha256", "validation_cost", "epochs")

#: Where trainings run, each in PRESET/NAME.
RUNS = Path("results/runs/train")

Entry = dict[str, Any]
Entries = dict[str, Entry]


class ManifestError(ValueError):
    """A manifest of policies is damaged."""


def worlds() -> list[str]:
    """Folders of the library: a scenario preset each."""
    return sorted(p.name for p in paths.POLICIES.glob("*") if p.is_dir())


def entries(world: str) -> Entries:
    """NAME/seed-N -> what the manifest says of it; nothing without a manifest."""
    path = paths.POLICIES / world / MANIFEST
    if not path.is_file():
        return {}
    try:
        known = parsed(read_bytes(path))["policies"]
        return {name: {**known[name], "sha256": str(known[name]["sha256"])} for name in known}
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ManifestError(f"{path}: damaged or not one of ours ({reason})") from None


def files(world: str) -> dict[str, Path]:
    """NAME/seed-N -> the JSON file of every policy that is there."""
    root = paths.POLICIES / world
    found = sorted(p for p in root.rglob("*.json") if p.name != MANIFEST)
    return {p.relative_to(root).with_suffix("").as_posix(): p for p in found}


def write(world: str, remade: Callable[[dict[str, Any], tuple[int, ...]], str]) -> Path:
    """Write the manifest: the policies that are there, and of those that were the ones that can
    be made again.

    `remade` finds the command of a policy whose file has none, by what it says and the seeds of its
    training, which are those of the folder's log. A command that the manifest has for the same
    weights stays: a folder may hold seeds of several trainings.
    """
    before = entries(world)
    known = {n: {**e, "committed": False} for n, e in before.items() if e["command"]}
    for name, path in files(world).items():
        told = _told(path)
        kept = known.get(name, {})
        if kept.get("sha256") == told["sha256"]:
            known[name] = kept | {"committed": True}
            continue
        if not told.get("command"):
            told["command"] = remade(told, _seeds(path.parent))
        known[name] = _entry(world, name, told)
    lines = [f" {json.dumps(n)}: {json.dumps(known[n], sort_keys=True)}" for n in sorted(known)]
    text = '{"format": "satedge-policies", "policies": {\n' + ",\n".join(lines) + "\n}}\n"
    path = paths.POLICIES / world / MANIFEST
    write_atomically(path, text.encode())
    return path


def _seeds(folder: Path) -> tuple[int, ...]:
    """Of the trainings that a folder of policies has the log of."""
    log = folder / "curve.csv"
    return tuple(sorted({row.seed for row in read_curve(log)})) if log.is_file() else ()


def run_folder(place: str, name: str, first: int) -> Path:
    """Of a training for PLACE/NAME with seeds from `first` on: checkpoints are of all its seeds."""
    return RUNS / place / (name + (f"-from-{first}" if first else ""))


def _entry(world: str, name: str, told: dict[str, Any]) -> Entry:
    again = shlex.split(told["command"])
    first = int(again[again.index("--seed") + 1]) if again else 0
    out = run_folder(world, name.rpartition("/")[0], first)
    return {
        **{key: told[key] for key in _TOLD},
        "commit": told.get("versions", {}).get("commit", "unknown"),
        "command": shlex.join([*again, "--out", out.as_posix()]) if again else "",
        "committed": True,
    }


def hash_of(path: Path) -> str:
    """Of a policy's weights, as its JSON has it. Raises ManifestError."""
    return str(_told(path)["sha256"])


def _told(path: Path) -> dict[str, Any]:
    """What a policy's JSON says. Raises ManifestError."""
    try:
        told: dict[str, Any] = parsed(read_bytes(path))
        return {key: told[key] for key in _TOLD} | told
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"{path}: damaged or not one of ours ({error})") from None


def problems(world: str) -> list[str]:
    """What is wrong between the policies of a world and its manifest, a line each."""
    known, there = entries(world), files(world)
    found = []
    for name, path in there.items():
        weights = path.with_suffix(".safetensors")
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else "none"
        if name not in known or not known[name]["committed"]:
            found.append(f"{path}: allowed is a policy of {MANIFEST}: satedge policies --write")
        elif sha256 != known[name]["sha256"]:
            found.append(f"{weights}: sha256 = {sha256}: allowed is {known[name]['sha256']}")
    for name, entry in known.items():
        if entry["committed"] and name not in there:
            found.append(f"{paths.POLICIES / world / name}: not there: satedge policies --write")
        if not entry["committed"] and not entry["command"]:
            found.append(f"{paths.POLICIES / world / name}: no command makes it again")
    return found


def size_MB(world: str, name: str = "") -> float:
    """Of the policies of a world that are there, or of those of one folder."""
    mine = [p for n, p in files(world).items() if not name or n.rpartition("/")[0] == name]
    both = [q for p in mine for q in (p, p.with_suffix(".safetensors")) if q.is_file()]
    return sum(q.stat().st_size for q in both) / 1e6


def told(name: str, place: str) -> Entries:
    """What the manifest says of a policy or of all of a folder, PLACE/NAME; with PLACE = WORLD or
    WORLD/REST, the names are those below it."""
    world, _, rest = place.partition("/")
    start = f"{rest}/" if rest else ""
    below = {n.removeprefix(start): e for n, e in entries(world).items() if n.startswith(start)}
    return {n: e for n, e in below.items() if name in (n, n.rpartition("/")[0])}


def remake(policy: str, preset: str) -> str:
    """The command that makes a policy that is not there, where the manifest knows one."""
    try:
        mine = list(told(policy, preset).values())
    except ManifestError:
        return ""
    return str(mine[0]["command"]) if mine else ""

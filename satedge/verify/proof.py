"""Proofs of bounds as files; what they say is checked by `kernel`. Format: docs/proofs.md."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from satedge.problem.instance import Instance
from satedge.problem.io.folder import write_atomically
from satedge.verify.guesses import Rows, disc_weights, first_nodes, rows_at
from satedge.verify.kernel.bound import Numbers, widened
from satedge.verify.kernel.interval import Array
from satedge.verify.kernel.model import Index, Mask, Model
from satedge.verify.kernel.region import Regions, View
from satedge.verify.kernel.tree import Checker, Claim, Node

#: Formats that are read: the last is written.
FORMATS = ("satedge-proof-2", "satedge-proof-3")

#: Most bytes of a proof, unpacked.
LARGEST = 1 << 30


@dataclass(frozen=True)
class Result:
    """What a check found. Costs are sums over devices; the cost is infinite without a plan."""

    valid: bool
    reason: str
    cost: float = np.inf
    bound: float = -np.inf
    nodes: int = 0

    @property
    def gap(self) -> float:
        """(cost - bound) / cost; 0 where no plan is claimed to exist."""
        return (self.cost - self.bound) / self.cost if 0 < self.cost < np.inf else 0.0


class ProofError(ValueError):
    """A file is no proof, or none for this instance: one line."""


def write_proof(path: Path, proof: dict[str, Any]) -> None:
    """Whole or not at all. Raises OSError."""
    text = json.dumps(proof, separators=(",", ":"), allow_nan=False)
    write_atomically(path, gzip.compress(text.encode(), mtime=0))


def read_proof(path: Path) -> dict[str, Any]:
    """Raises ProofError in one line, or OSError."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(path.read_bytes())) as packed:
            text = packed.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ProofError(f"{path}: larger than {LARGEST} bytes unpacked")
        proof = json.loads(text)
    except (gzip.BadGzipFile, EOFError, zlib.error, RecursionError, ValueError) as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(f"{path}: no proof ({' '.join(str(error).split())})") from None
    if not isinstance(proof, dict) or proof.get("format") not in FORMATS:
        raise ProofError(f"{path}: format: allowed is {FORMATS[-1]!r}")
    return proof


def verify(instance: Instance, proof: dict[str, Any]) -> Result:
    """Check a proof. Raises ProofError where it is for another instance or has a wrong shape."""
    if proof.get("instance_sha256") != instance.content_sha256:
        raise ProofError("instance_sha256: the proof is of another instance")
    try:
        model, claim = claim_of(instance, proof)
        with np.errstate(all="ignore"):
            checker = Checker(model, claim)
            if proof["plan"] is not None and not _same(float(proof["cost"]), checker.cost):
                claimed = f"costs {checker.cost!r}, claimed is {proof['cost']!r}"
                return Result(False, f"incumbent: {claimed}")
            reason = checker.check()
    except (KeyError, TypeError, IndexError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(f"the proof is malformed ({' '.join(str(error).split())})") from None
    if reason:
        return Result(False, reason)
    visits = checker.visits - (len(claim.nodes) - len(proof["nodes"]))  # of the file's nodes
    return Result(True, "", checker.cost, claim.bound, max(visits, 0))


def _same(claimed: float, cost: float) -> bool:
    return abs(claimed - cost) <= 1e-9 * cost


def claim_of(instance: Instance, proof: dict[str, Any]) -> tuple[Model, Claim]:
    """The model of the slot, and what the proof claims of it."""
    slot = int(proof["slot"])
    if not 0 <= slot < instance.n_slots:
        raise ProofError(f"slot = {slot}: allowed is 0..{instance.n_slots - 1}")
    with np.errstate(all="ignore"):
        model = Model(instance, slot, proof["hard"] is True)
    bound, plan = float(proof["bound"]), proof["plan"]
    nodes = [_node(model, given) for given in proof["nodes"]]
    keep = masks(proof["root"], model.n_options).reshape(model.usable.shape)
    with np.errstate(all="ignore"):
        discs = disc_weights(model)
        nodes += first_nodes(model, discs, keep, bound, len(nodes))
    return model, Claim(
        bound,
        decision(plan) if plan is not None else None,
        discs,
        nodes,
        lambda regions, given: numbers(model, regions, given),
    )


def decision(plan: dict[str, Any]) -> tuple[Index, Array, Array]:
    """The plan of the slot's requests: servers, powers and positions."""
    place = np.array(plan["uav_xy_m"], float).reshape(-1, 2)
    return np.array(plan["server"], int), np.array(plan["power_W"], float), place


def _node(model: Model, given: dict[str, Any]) -> Node:
    node, width = Node(), model.n_options
    node.given = [{**g, "dual": u} for g in sets(given) for u in (g["dual"], *g.get("more", ()))]
    if "left" in given:
        node.left = masks(given["left"], width).reshape(model.usable.shape)
    if "span" in given:
        loads = np.array(given["span"], int).reshape(width - 1, 2)
        node.span = np.append(loads, [[0, model.n]], 0)
    split = given.get("split") or {}
    node.children = [int(child) for child in split.get("children", ())]
    if "device" in split:
        node.device, node.parts = int(split["device"]), list(masks(split["parts"], width))
    elif "uav" in split:
        node.cut = int(split["uav"]), int(split["axis"]), float(split["at"])
    return node


def sets(given: dict[str, Any]) -> list[dict[str, Any]]:
    """The numbers of a node: with the slopes at a point, and with better ones."""
    return [given[name] for name in ("numbers", "lifted") if name in given]


def masks(bits: list[int], width: int) -> Mask:
    """Rows of options from whole numbers whose bits they are."""
    return np.array([[v >> o & 1 for o in range(width)] for v in bits], bool).reshape(-1, width)


def boxes(regions: Regions, given: list[dict[str, Any]]) -> Array:
    """The boxes for which numbers were made, where proofs give them: wider ones."""
    box = regions.box.copy()
    for i, g in enumerate(given):
        if "box" in g:
            box[i] = np.array(g["box"], float).reshape(box[i].shape)
    return box


def numbers(model: Model, regions: Regions, given: list[dict[str, Any]]) -> Numbers:
    """The numbers of nodes. What devices pay is stated, or follows from the point that is given."""
    count, n, m = len(given), model.n, model.m
    box = boxes(regions, given)
    regions = widened(regions, box)
    low, high = regions.box[..., 0], regions.box[..., 1]
    place, power_pay = 0.5 * (low + high), np.zeros((count, n, n))
    place_pay, spot = np.zeros((2, count, n, m, 2))
    near, room = spot.copy(), np.zeros((count, n, m), int)
    plain = [i for i, g in enumerate(given) if "pay" not in g]
    if plain:
        some, which = [given[i] for i in plain], np.array(plain)

        def at(name: str, *shape: int) -> Array:
            return np.array([g[name] for g in some], float).reshape(len(some), *shape)

        place[which] = np.clip(at("place", m, 2), low[which], high[which])
        spot[which], near[which] = place[which][:, None], at("near", m, 2)[:, None]
        room[which] = at("room", m)[:, None]
        rows = rows_of(model, regions.take(which), some, place[which])
        power_pay[which], place_pay[which] = rows.power_slope, rows.place_slope
    for i in set(range(count)) - set(plain):
        pay = np.array(given[i]["pay"], float).reshape(n, n + 2 * m)
        pay = pay - pay.mean(0)
        power_pay[i], place_pay[i] = pay[:, :n], pay[:, n:].reshape(n, m, 2)
        near[i] = spot[i] = np.array(given[i]["near"], float).reshape(n, m, 2)
        room[i] = np.array(given[i]["room"]).reshape(n, m)
    disc = np.zeros((count, m, 1 + n))
    for i, g in enumerate(given):
        for uav, d, mu in g["discs"]:
            disc[i, uav, d] = mu
    refused = np.argwhere(regions.allowed[..., -1])
    lines = [(i, k, m + 1, 0, 0.0, 0.0, 0.0) for i, k in refused.tolist()]
    lines += [(i, *line) for i, g in enumerate(given) for line in g["lines"]]
    table = np.array(lines, float).reshape(-1, 7)
    to = table[:, :3].astype(int).T  # to a satellite and to nobody nothing is linearised
    near, spot = (np.insert(x, [m, m], 0.0, 2)[tuple(to)] for x in (near, spot))
    by = np.where(table[:, 3] == 1, np.insert(room, [m, m], -1, 2)[tuple(to)], -1)
    here = place[to[0]]
    tilted = np.flatnonzero(by >= 0)
    here[tilted, to[2, tilted]] = spot[tilted]
    dual = np.array([g["dual"] for g in given], float).reshape(count, n)
    return Numbers(
        box, place, power_pay, place_pay, disc, dual, np.stack([*to, by], -1), table[:, 4:],
        near, here,
    )  # fmt: skip


def rows_of(model: Model, regions: Regions, given: list[dict[str, Any]], place: Array) -> Rows:
    """The rows of nodes at the points that are given, UAVs at `place` (L, M, 2)."""
    count, n, m = len(given), model.n, model.m
    near, room, power, late = (
        np.array([g[name] for g in given], float).reshape(count, *shape)
        for name, shape in (("near", (m, 2)), ("room", (m,)), ("power", (n,)), ("late", (n,)))
    )
    view = View(model, regions)
    return rows_at(model, view, cores(model, given), near, room.astype(int), power, place, late)


def cores(model: Model, given: list[dict[str, Any]]) -> Mask:
    """(L, n, O) options over which a device's cost is relaxed."""
    found = [masks(g["core"], model.n_options) for g in given]
    return np.stack(found).reshape(len(given), model.n, model.n_options)

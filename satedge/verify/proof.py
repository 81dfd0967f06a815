"""Proofs of bounds as files; what they say is checked by `kernel`. Format: docs/proofs.md."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from satedge.problem.instance import Instance
from satedge.problem.io.folder import write_atomically
from satedge.verify.guesses import Rows, disc_weights, least_powers, rows_at
from satedge.verify.kernel.bound import Numbers, setting
from satedge.verify.kernel.interval import Array
from satedge.verify.kernel.model import Mask, Model
from satedge.verify.kernel.plan import Decision
from satedge.verify.kernel.region import Regions
from satedge.verify.kernel.tree import Checker, Claim, Node, Result

#: Formats that are read: the last is written.
FORMATS = ("satedge-proof-2", "satedge-proof-3")

#: Most bytes of a proof, unpacked.
LARGEST = 1 << 30


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
            return Checker(model, claim).check()
    except (KeyError, TypeError, IndexError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(f"the proof is malformed ({' '.join(str(error).split())})") from None


def claim_of(instance: Instance, proof: dict[str, Any]) -> tuple[Model, Claim]:
    """The model of the slot, and what the proof claims of it."""
    slot = int(proof["slot"])
    if not 0 <= slot < instance.n_slots:
        raise ProofError(f"slot = {slot}: allowed is 0..{instance.n_slots - 1}")
    bound, plan = float(proof["bound"]), proof["plan"]
    with np.errstate(all="ignore"):
        model = Model(instance, slot, proof["hard"] is True)
        discs = disc_weights(model)
    return model, Claim(
        bound,
        float(proof["cost"]) if plan is not None else np.inf,
        decision(model, plan) if plan is not None else None,
        masks(proof["root"], model.n_options).reshape(model.usable.shape),
        least_powers,
        discs,
        [_node(model, given) for given in proof["nodes"]],
        lambda regions, given, floor: numbers(model, regions, given, floor),
    )


def decision(model: Model, plan: dict[str, Any]) -> Decision:
    """The plan of the slot's requests."""
    place = np.array(plan["uav_xy_m"], float).reshape(-1, 2)
    return Decision(np.array(plan["server"], int), np.array(plan["power_W"], float), place)


def _node(model: Model, given: dict[str, Any]) -> Node:
    node, width = Node(), model.n_options
    node.given = [{**g, "dual": u} for g in sets(given) for u in (g["dual"], *g.get("more", ()))]
    if "left" in given:
        node.left = masks(given["left"], width).reshape(model.usable.shape)
    if "span" in given:
        node.span = np.array(given["span"], int).reshape(width - 1, 2)
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


def widened(regions: Regions, given: list[dict[str, Any]]) -> Regions:
    """Regions with the boxes for which numbers were made, where proofs give them: wider ones."""
    box = regions.box.copy()
    for i, g in enumerate(given):
        if "box" in g:
            box[i] = np.array(g["box"], float).reshape(box[i].shape)
    low, high = np.minimum(box, regions.box)[..., 0], np.maximum(box, regions.box)[..., 1]
    return Regions(regions.allowed, np.stack([low, high], -1), regions.span)


def numbers(model: Model, regions: Regions, given: list[dict[str, Any]], floor: Array) -> Numbers:
    """The numbers of nodes. What devices pay is stated, or follows from the point that is given."""
    count, n, m = len(given), model.n, model.m
    regions = widened(regions, given)
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
        rows = rows_of(model, regions.take(which), some, place[which], floor)
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
    lines = np.array([(i, *line) for i, g in enumerate(given) for line in g["lines"]], float)
    lines = lines.reshape(-1, 7)
    to = lines[:, :3].astype(int).T  # to a satellite nothing is linearised
    near, spot = (np.insert(x, m, 0.0, 2)[tuple(to)] for x in (near, spot))
    by = np.where(lines[:, 3] == 1, np.insert(room, m, -1, 2)[tuple(to)], -1)
    dual = np.array([g["dual"] for g in given], float).reshape(count, n)
    return Numbers(
        regions.box, place, power_pay, place_pay, disc, dual, np.stack([*to, by], -1), lines[:, 4:],
        near, spot,
    )  # fmt: skip


def rows_of(
    model: Model, regions: Regions, given: list[dict[str, Any]], place: Array, floor: Array
) -> Rows:
    """The rows of nodes at the points that are given, UAVs at `place` (L, M, 2)."""
    count, n, m = len(given), model.n, model.m
    near, room, power, late = (
        np.array([g[name] for g in given], float).reshape(count, *shape)
        for name, shape in (("near", (m, 2)), ("room", (m,)), ("power", (n,)), ("late", (n,)))
    )
    within = setting(model, regions, floor)
    return rows_at(
        model, regions, within, cores(model, given), near, room.astype(int), power, place, late
    )


def cores(model: Model, given: list[dict[str, Any]]) -> Mask:
    """(L, n, O) options over which a device's cost is relaxed."""
    found = [masks(g["core"], model.n_options) for g in given]
    return np.stack(found).reshape(len(given), model.n, model.n_options)

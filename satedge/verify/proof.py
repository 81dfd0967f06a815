"""Proofs of bounds as files, and their check: the tree level by level. Format: docs/proofs.md."""

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
from satedge.verify.certificate import Numbers, bounds
from satedge.verify.interval import Array, Interval
from satedge.verify.model import Mask, Model, incumbent_cost
from satedge.verify.region import Regions, least_powers, lone_costs, tighten

FORMAT = "satedge-proof-1"

#: Most bytes of a proof, unpacked, and most regions that are checked together.
LARGEST, BATCH = 1 << 30, 128


class ProofError(ValueError):
    """A file is no proof, or none for this instance: one line."""


@dataclass(frozen=True)
class Result:
    """What a check found. Costs are sums over devices."""

    valid: bool
    reason: str
    cost: float
    bound: float
    nodes: int

    @property
    def gap(self) -> float:
        """(cost - bound) / cost."""
        return (self.cost - self.bound) / self.cost if self.cost > 0 else 0.0


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
    if not isinstance(proof, dict) or proof.get("format") != FORMAT:
        raise ProofError(f"{path}: format: allowed is {FORMAT!r}")
    return proof


def unsupported(instance: Instance) -> str:
    """Why bounds of this instance have no proofs yet, or ''."""
    if instance.scenario.compute_sharing != "dedicated":
        return "compute_sharing = 'shared': proofs are for dedicated compute"
    return ""


def verify(instance: Instance, proof: dict[str, Any]) -> Result:
    """Check a proof. Raises ProofError where it is for another instance or has a wrong shape."""
    reason = unsupported(instance)
    if reason:
        raise ProofError(reason)
    if proof.get("instance_sha256") != instance.content_sha256:
        raise ProofError("instance_sha256: the proof is of another instance")
    try:
        checker = Checker(instance, proof)
        with np.errstate(all="ignore"):
            return checker.check()
    except (KeyError, TypeError, IndexError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(f"the proof is malformed ({' '.join(str(error).split())})") from None


class Checker:
    """The check of one proof. Nodes are in order of breadth, children after one another."""

    def __init__(self, instance: Instance, proof: dict[str, Any]) -> None:
        slot = int(proof["slot"])
        if not 0 <= slot < instance.n_slots:
            raise ProofError(f"slot = {slot}: allowed is 0..{instance.n_slots - 1}")
        self.model = Model(instance, slot, proof["options"])
        self.proof, self.nodes = proof, proof["nodes"]
        self.bound = float(proof["bound"])

    def root(self) -> tuple[Regions, Array]:
        """All plans that may cost less than the bound, and least log-powers of their senders.

        Expensive options that the proof keeps at its root stay: its numbers may be made for them.
        """
        model = self.model
        lone = lone_costs(model, model.box)
        least = np.where(model.allowed, lone, np.inf).min(-1)
        others = np.array([Interval(np.delete(least, k)).sum().lo for k in range(model.n)])
        total = (Interval(lone) + others[:, None]).lo
        expensive = (total >= self.bound) & ~masks(self.proof["root"], model.n_options)
        allowed = model.allowed & ~expensive
        return Regions(allowed[None], model.box[None].copy()), least_powers(
            model, lone, model.allowed, self.bound
        )

    def check(self) -> Result:
        """The result; the first region that fails, and why."""
        cost, broken = incumbent_cost(self.model, self.proof["plan"])
        claimed = float(self.proof["cost"])
        if broken:
            return self._refused(f"incumbent: {broken}")
        if not abs(claimed - cost) <= 1e-9 * cost:
            return self._refused(f"incumbent: costs {cost!r}, claimed is {claimed!r}")
        if not np.isfinite(self.bound) or not self.bound <= cost:
            return self._refused(f"bound {self.bound!r}: above the incumbent")
        regions, self.floor = self.root()
        first = 0
        while len(regions.allowed):
            ids = list(range(first, first + len(regions.allowed)))
            if ids[-1] >= len(self.nodes):
                return self._refused(f"node {len(self.nodes)}: missing")
            first += len(ids)
            next_allowed: list[Mask] = []
            next_box: list[Array] = []
            for at in range(0, len(ids), BATCH):
                part = regions.take(slice(at, at + BATCH))
                reason = self._part(ids[at : at + BATCH], part, next_allowed, next_box)
                if reason:
                    return self._refused(reason)
            shape = (0, *regions.allowed.shape[1:])
            regions = Regions(
                np.array(next_allowed, np.bool_).reshape(-1, *shape[1:]),
                np.array(next_box, np.float64).reshape(-1, *regions.box.shape[1:]),
            )
        if first != len(self.nodes):
            return self._refused(f"node {first}: belongs to no other")
        return Result(True, "", cost, self.bound, first)

    def _refused(self, reason: str) -> Result:
        return Result(False, reason, np.inf, -np.inf, 0)

    def _part(
        self, ids: list[int], regions: Regions, allowed: list[Mask], boxes: list[Array]
    ) -> str:
        """Check regions; their children go to the lists, why one fails is returned."""
        found, option, closed = self.evaluate(ids, regions)
        for i, node in enumerate(ids):
            given = self.nodes[node]
            left = regions.allowed[i]
            if closed[i] or found[i] >= self.bound:
                # closed sooner than the proof expects: what is below it holds no plan
                split = given.get("split") or {"parts": []}
                for _ in split.get("parts", (0, 1)):
                    allowed.append(np.zeros_like(left))
                    boxes.append(regions.box[i].copy())
                continue
            if "left" in given:
                keep = masks(given["left"], self.model.n_options)
                for k, o in zip(*np.nonzero(left & ~keep), strict=True):
                    if not option[i, k, o] >= self.bound:
                        return (
                            f"node {node}: device {k} without option {o}: "
                            f"bound {option[i, k, o]!r} < {self.bound!r}"
                        )
                left = left & keep
            if not given.get("split"):
                if left.any(-1).all():
                    return f"node {node}: bound {found[i]!r} < {self.bound!r}"
                continue
            fault = self._children(given["split"], left, regions.box[i], allowed, boxes)
            if fault:
                return f"node {node}: {fault}"
        return ""

    def evaluate(self, ids: list[int], regions: Regions) -> tuple[Array, Array, Mask]:
        """Tighten in place; (bound (L,), of options (L, n, O), which are empty (L,))."""
        empty = tighten(self.model, regions)
        found = np.full(len(ids), -np.inf)
        option = np.full(regions.allowed.shape, -np.inf)
        has = np.array([self.nodes[i].get("numbers") is not None for i in ids]) & ~empty
        which = np.flatnonzero(has)
        if len(which):
            part = regions.take(which)
            given = numbers(self.model, part, [self.nodes[ids[i]]["numbers"] for i in which])
            found[which], option[which] = bounds(self.model, part, given, self.floor)
        return found, option, empty

    def _children(
        self, split: dict[str, Any], left: Mask, box: Array, allowed: list[Mask], boxes: list[Array]
    ) -> str:
        """Append the children of a region; why they do not cover it."""
        if "device" in split:
            k = int(split["device"])
            parts = masks(split["parts"], self.model.n_options)
            if not 0 <= k < self.model.n or (left[k] & ~parts.any(0)).any():
                return f"its children leave out options of device {k}"
            for part in parts:
                child = left.copy()
                child[k] &= part
                allowed.append(child)
                boxes.append(box.copy())
            return ""
        m, axis, value = int(split["uav"]), int(split["axis"]), float(split["at"])
        if not (0 <= m < self.model.n_uavs and axis in (0, 1) and np.isfinite(value)):
            return "no such cut"
        for end in (1, 0):
            child_box = box.copy()
            child_box[m, axis, end] = (
                min(box[m, axis, 1], value) if end else max(box[m, axis, 0], value)
            )
            allowed.append(left.copy())
            boxes.append(child_box)
        return ""


def masks(bits: list[int], width: int) -> Mask:
    """Rows of options from whole numbers whose bits they are."""
    values = np.asarray(bits, dtype=object)
    return np.array([[bool(int(v) >> o & 1) for o in range(width)] for v in values], bool).reshape(
        -1, width
    )


def numbers(model: Model, regions: Regions, given: list[dict[str, Any]]) -> Numbers:
    """The numbers of nodes, brought into their regions: any would do there."""
    count, n, m = len(given), model.n, model.n_uavs
    core = np.stack([masks(g["core"], model.n_options) for g in given]) & regions.allowed
    # a core is of one kind: UAVs, satellites, or refusal; what is left of it is not empty
    for i in range(count):
        for k in range(n):
            if not core[i, k].any():
                core[i, k, np.argmax(regions.allowed[i, k])] = True
            kinds = np.sign(np.arange(model.n_options) - (m - 0.5)) + (
                np.arange(model.n_options) == model.n_options - 1
            )
            core[i, k] &= kinds == kinds[np.argmax(core[i, k])]
    low, high = regions.box[..., 0], regions.box[..., 1]

    def at(name: str, *shape: int) -> Array:
        values = np.array([g[name] for g in given], float).reshape(count, *shape)
        if not np.isfinite(values).all():
            raise ProofError(f"{name}: allowed is finite numbers")
        return values

    guess = np.zeros((count, n, model.n_options, 3))
    disc = np.zeros((count, m, 1 + n))
    for i, g in enumerate(given):
        for k, o, *three in g["prices"]:
            guess[i, index(k, n), index(o, model.n_options)] = three
        for uav, d, mu in g["discs"]:
            disc[i, index(uav, m), index(d, n + 1)] = mu
    return Numbers(
        core,
        np.clip(at("near", m, 2), low, high),
        at("power", n),
        np.clip(at("place", m, 2), low, high),
        at("late", n),
        disc,
        np.nan_to_num(guess),
    )


def index(value: Any, size: int) -> int:
    """A whole number in 0..size-1."""
    if not isinstance(value, int) or not 0 <= value < size:
        raise ProofError(f"index {value}: allowed is 0..{size - 1}")
    return value

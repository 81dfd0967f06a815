"""Trained policies: files, and playing them.

A policy is two files: NAME.safetensors holds the actor's weights, NAME.json says what they are and
where they come from, and carries the weights' hash and one of all else that it says. Files of
version 1 have the former only: what they say of settings and scenario is taken as it stands. Names
like "adsac" or "adsac/seed-3" are looked up under results/policies/<preset>; anything else is a
path.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as unpacked
from torch import Tensor, nn

from drl.agents.registry import METHODS, build_actor, fits_any_size
from drl.core.layout import Sizes
from drl.core.learner import Actor
from drl.core.nets import Streams
from drl.core.settings import Settings
from drl.env.spaces import Encoder, decode
from drl.training.checkpoint import packed
from satedge import paths
from satedge.nearest import did_you_mean
from satedge.problem.fields import Declared, Extended, declared, param
from satedge.problem.instance import Instance
from satedge.problem.io.folder import SEAL, is_sealed, sealed, write_atomically
from satedge.problem.io.jsonfile import parsed, read_bytes
from satedge.problem.plan import Outcome, Plan, Report, ignore
from satedge.problem.rollout import Finish, rollout
from satedge.problem.scenario import Scenario

FORMAT = {"format": "satedge-policy", "version": 2}

#: Versions that are read; from 2 on the JSON holds its own hash.
VERSIONS = (1, 2)


class PolicyError(ValueError):
    """A policy file is damaged, foreign, or made for another size; one line."""


@declared(PolicyError)
class Origin(Declared):
    """What a policy's JSON must say beside the format."""

    sha256: str = param(doc="Hash of the weights' file.")
    method: str = param(doc="Name of the learner.")
    settings: dict[str, Any] = param(doc="Its settings.")
    scenario: dict[str, Any] = param(doc="The scenario it was trained in.")
    seed: int = param(doc="Seed of its run.")
    validation_cost: Extended = param(doc="Its mean cost in the validation episodes.")


@dataclass(frozen=True, eq=False)
class Policy:
    """An actor with what it needs to see and to act."""

    actor: Actor
    encoder: Encoder
    provenance: dict[str, Any]

    def act(self, slot: Instance, t: int) -> Plan:
        """Deterministic raw decisions for a one-slot instance; see `rollout.Act`."""
        at = slot.uav_xy_m[None]
        table = self.encoder.exogenous(slot)
        mask = self.encoder.complete(table, slot, np.array([t]), at)
        seen = torch.from_numpy(mask)[None], torch.from_numpy(slot.active.copy())[None]
        with torch.inference_mode():
            choice, numbers = self.actor.decide(torch.from_numpy(table)[None], *seen)
            server, continuous = self.actor.layout.decode(choice, numbers, seen[0])
        return decode(slot.scenario, server[0].numpy(), continuous[0].numpy(), at)


def stored(actor: nn.Module, run: int) -> dict[str, Tensor]:
    """The weights of one run of an actor as a file holds them: half precision, on the CPU."""
    return {k: v[run : run + 1].half().cpu() for k, v in actor.state_dict().items()}


def put(actor: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give an actor of one run weights that are `stored`; it reckons in single precision."""
    actor.load_state_dict({name: value.float() for name, value in weights.items()})


def save(path: Path, actor: nn.Module, run: int, provenance: dict[str, Any]) -> None:
    """Write the weights of one run of an actor, as `stored` has them, with their provenance.

    `provenance` must hold what `Origin` names but the hash; hashes and format are added.
    """
    data = packed(stored(actor, run), json.dumps(FORMAT))
    text = FORMAT | {"sha256": sha256(data)} | provenance
    keep(path, data, (json.dumps(sealed(text), indent=1) + "\n").encode())


def keep(path: Path, weights: bytes, text: bytes) -> None:
    """Put both files of a policy in place so that at any moment one policy can be read there.

    The weights wait under another name until the JSON, which has their hash, is in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(_waiting(path), weights)
    write_atomically(path.with_suffix(".json"), text)
    write_atomically(path.with_suffix(".safetensors"), weights)
    _waiting(path).unlink()


def _waiting(path: Path) -> Path:
    return path.with_name(f".{path.name}.next.safetensors")


def files(path: Path) -> tuple[dict[str, Any], bytes]:
    """What the JSON of a policy says, and the bytes of its weights. Raises PolicyError."""
    text, place = _provenance(path.with_suffix(".json")), path.with_suffix(".safetensors")
    found = [p.read_bytes() for p in (place, _waiting(path)) if p.is_file()]
    if not found:
        place.read_bytes()
    for data in found:
        if sha256(data) == text["sha256"]:
            return text, data
    raise PolicyError(f"{place}: does not match the hash in its JSON file")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=32)
def load(name: str, preset: str = "paper") -> Policy:
    """A policy by name or path. Raises PolicyError."""
    path = find(name, preset)
    weights_path = path.with_suffix(".safetensors")
    try:
        provenance, data = files(path)
        weights = unpacked(data)
        scenario = Scenario.from_dict(provenance["scenario"])
        actor = restore_actor(provenance, scenario)
        put(actor, _checked(weights, weights_path))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, PolicyError):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PolicyError(f"{weights_path}: damaged or not one of ours ({reason})") from None
    return Policy(actor, Encoder(scenario), provenance)  # type: ignore[arg-type]


def _checked(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The same weights. Raises PolicyError for numbers that no training leaves."""
    for name, value in weights.items():
        if value.dtype != torch.float16 or not bool(value.isfinite().all()):
            raise PolicyError(f"{path}: {name}: allowed are finite numbers of half precision")
    return weights


def restore_actor(provenance: dict[str, Any], scenario: Scenario) -> nn.Module:
    """An actor of one run in the shape that provenance describes, weights not yet loaded."""
    method = provenance["method"]
    if method not in METHODS:
        raise PolicyError(f"method = {method!r}: allowed is one of {', '.join(METHODS)}")
    settings: Settings = type(METHODS[method]).from_dict(provenance["settings"])
    return build_actor(settings, sizes_of(scenario), Streams([0]))


def sizes_of(scenario: Scenario) -> Sizes:
    """What fixes the shapes of networks."""
    s, half_m = scenario, scenario.area_side_m / 2
    return Sizes(
        s.n_devices,
        s.n_servers,
        s.n_uavs,
        Encoder(s).size,
        s.uav_reach_m / half_m,
        s.uav_coverage_m / half_m,
        s,
    )


def sized(reference: Scenario, like: Scenario) -> Scenario:
    """A scenario in the size of another."""
    names = ("n_devices", "n_uavs", "n_satellites", "satellite_planes")
    return reference.replace(**{name: getattr(like, name) for name in names})


def find(name: str, preset: str = "paper") -> Path:
    """Path without suffix of a policy. A bare method name is its seed of best validation cost."""
    given = Path(name)
    if given.suffix in (".safetensors", ".json"):
        return given.with_suffix("")
    place = paths.POLICIES / preset / name
    if place.is_dir():
        found = sorted(place.glob("*.json"))
        if found:
            best = min(found, key=lambda p: _validation(_provenance(p)))
            return best.with_suffix("")
    if place.with_suffix(".json").exists():
        return place
    if given.with_suffix(".json").exists():
        return given
    known = names(preset)
    raise PolicyError(
        f"policy {name!r}{did_you_mean(name, known)}: allowed is one of "
        f"{', '.join(known) or 'none'}, or a path"
    )


def _validation(provenance: dict[str, Any]) -> float:
    """What policies are compared by. Before costs were bounded, those of devices were capped."""
    return float(provenance.get("validation_capped_cost", provenance["validation_cost"]))


def names(preset: str = "paper") -> list[str]:
    """Methods with trained policies for a preset."""
    place = paths.POLICIES / preset
    return sorted({str(p.parent.relative_to(place)) for p in place.glob("**/seed-*.json")})


def _provenance(path: Path) -> dict[str, Any]:
    try:
        text = parsed(read_bytes(path))
        version = text.get("version")
        fine = text.get("format") == FORMAT["format"] and version in VERSIONS
        altered = fine and not is_sealed(text) and (version != 1 or SEAL in text)
    except (OSError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise PolicyError(f"{path}: damaged or not one of ours ({reason})") from None
    if not fine:
        raise PolicyError(
            f"{path}: allowed is format {FORMAT['format']}, version {FORMAT['version']} or before"
        )
    try:
        Origin(**{field.name: text.get(field.name) for field in fields(Origin)})
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from None
    if altered:
        raise PolicyError(f"{path}: {SEAL} is not the hash of what it says: altered since written")
    provenance: dict[str, Any] = text
    return provenance


def fitted(policy: Policy, given: Scenario, name: str) -> Policy:
    """The policy for a scenario's sizes. Raises PolicyError where it is for one size alone."""
    made_for = policy.encoder.reference
    for field in ("n_devices", "n_uavs", "n_satellites"):
        size, allowed = getattr(given, field), getattr(made_for, field)
        if size != allowed and not fits_any_size(policy.provenance["method"]):
            raise PolicyError(
                f"policy {name!r} is for {field} = {allowed}: the instance has {size}"
            )
    like = sized(made_for, given)
    if like == made_for:
        return policy
    actor = restore_actor(policy.provenance, like)
    actor.load_state_dict(policy.actor.state_dict())  # type: ignore[attr-defined]
    return Policy(actor, Encoder(like), policy.provenance)  # type: ignore[arg-type]


def solve(
    instance: Instance,
    *,
    budget_s: float = np.inf,
    seed: int = 0,
    report: Report = ignore,
    policy: str = "adsac",
    preset: str = "paper",
    finish: Finish | None = None,
) -> Outcome:
    """Play a trained policy, deterministically, through the instance. Raises PolicyError.

    `policy` is a name under results/policies/<preset>, or a path to a policy file; `finish` may
    better the plan of every slot.
    """
    torch.set_num_threads(1)
    loaded = load(policy, preset)
    loaded = fitted(loaded, instance.scenario, policy)
    outcome = rollout(
        instance, loaded.act, seed=seed, budget_s=budget_s, report=report, finish=finish
    )
    keys = ("method", "seed", "sha256")
    outcome.info["policy"] = {key: loaded.provenance[key] for key in keys}
    return outcome


def solve_random(
    instance: Instance, *, budget_s: float = np.inf, seed: int = 0, report: Report = ignore
) -> Outcome:
    """The Random baseline: uniform servers among the available, levels and displacements."""
    s = instance.scenario
    rng = np.random.default_rng(seed)
    encoder = Encoder(s)

    def act(slot: Instance, t: int) -> Plan:
        at = slot.uav_xy_m[None]
        mask = encoder.complete(encoder.exogenous(slot), slot, np.array([t]), at)
        server = np.where(mask, rng.random(mask.shape), -1.0).argmax(axis=-1)
        numbers = rng.uniform(-1, 1, (1, s.n_devices + 2 * s.n_uavs))
        return decode(s, server, numbers, at)

    return rollout(instance, act, seed=seed, budget_s=budget_s, report=report)

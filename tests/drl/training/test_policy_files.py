"""A damaged or foreign policy file is refused with one line that says which and why."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from drl.agents.registry import build_actor, settings_of
from drl.core.nets import Streams
from drl.env.spaces import Encoder
from drl.training.policy import (
    Policy,
    PolicyError,
    files,
    find,
    keep,
    load,
    put,
    save,
    sizes_of,
    solve,
    stored,
)
from satedge.problem.generation.generate import generate
from satedge.problem.io.folder import sealed
from satedge.problem.scenario import preset

TINY = preset("tiny", n_slots=2)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy's path without suffix; its weights are those of the start."""
    settings = settings_of("adsac+", hidden=(8, 8))
    path = tmp_path / "seed-0"
    origin = {
        "method": "adsac+",
        "settings": settings.to_dict(),
        "scenario": TINY.to_dict(),
        "seed": 0,
        "validation_cost": 20.0,
    }
    save(path, build_actor(settings, sizes_of(TINY), Streams([0])), 0, origin)
    load.cache_clear()
    return path


def refused(path: Path, told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(str(path))
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) in str(caught.value) or "allowed is one of" in str(caught.value)
    assert told in str(caught.value)


def change(path: Path, **values: Any) -> None:
    """Other values in the JSON, under a hash that fits; `...` takes one out."""
    text = json.loads(path.with_suffix(".json").read_text()) | values
    text = {name: value for name, value in text.items() if value is not ...}
    path.with_suffix(".json").write_text(json.dumps(sealed(text)))


def weights(path: Path, data: bytes) -> None:
    """Other bytes in place of the weights, with their hash."""
    path.with_suffix(".safetensors").write_bytes(data)
    change(path, sha256=hashlib.sha256(data).hexdigest())


def tensors(path: Path, new: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Other tensors in place of the weights, with their hash."""
    place = path.with_suffix(".safetensors")
    save_file(new(load_file(place)), place, metadata={"json": "{}"})
    weights(path, place.read_bytes())


def test_an_undamaged_file_plays(policy: Path) -> None:
    """What the other tests damage is fine to begin with, and so are its tensors rewritten."""
    tensors(policy, lambda w: w)
    outcome = solve(generate(TINY, 0), policy=str(policy))
    assert outcome.plan is not None
    assert outcome.info["policy"]["method"] == "adsac+"


def test_a_policy_for_any_size_plays_in_others(tmp_path: Path) -> None:
    """What was saved in one size decides the same there once loaded, and plays in larger ones."""
    settings = settings_of("imitation", width=8, rounds=1)
    actor = build_actor(settings, sizes_of(TINY), Streams([1]))
    origin = {
        "method": "imitation",
        "settings": settings.to_dict(),
        "scenario": TINY.to_dict(),
        "seed": 1,
        "validation_cost": 20.0,
    }
    path = tmp_path / "seed-1"
    save(path, actor, 0, origin)
    put(actor, stored(actor, 0))
    loaded, slot = load(str(path)), generate(TINY, 0).window(0, 1)
    plain = Policy(actor, Encoder(TINY), origin)  # type: ignore[arg-type]
    for first, second in zip(
        vars(plain.act(slot, 0)).values(), vars(loaded.act(slot, 0)).values(), strict=True
    ):
        assert first.tolist() == second.tolist()
    larger = preset("paper", n_slots=2, n_devices=12, n_uavs=4, n_satellites=5)
    outcome = solve(generate(larger, 0), policy=str(path))
    assert outcome.plan is not None
    assert outcome.plan.server.shape == (2, 12)


@pytest.mark.parametrize("n", [0, 1, 8, 60, 500, -1])
def test_cut_weights(policy: Path, n: int) -> None:
    """Cut short anywhere, by the hash; with a hash to match, by the format."""
    data = policy.with_suffix(".safetensors").read_bytes()[:n]
    policy.with_suffix(".safetensors").write_bytes(data)
    refused(policy, "does not match the hash")
    weights(policy, data)
    refused(policy, "damaged or not one of ours")


def test_a_pickle_is_never_unpickled(policy: Path, tmp_path: Path) -> None:
    """One renamed is refused by its first bytes; what it would run does not run."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    weights(policy, pickle.dumps(Trap()))
    refused(policy, "damaged or not one of ours")
    torch.save({"trap": Trap()}, policy.with_suffix(".safetensors"))
    weights(policy, policy.with_suffix(".safetensors").read_bytes())
    refused(policy, "damaged or not one of ours")
    policy.with_suffix(".json").write_bytes(pickle.dumps(Trap()))
    refused(policy, "damaged or not one of ours")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (lambda w: {k: v * float("nan") for k, v in w.items()}, "finite numbers"),
        (lambda w: {k: v.to(torch.int8) for k, v in w.items()}, "half precision"),
        (lambda w: dict(list(w.items())[1:]), "Missing key"),
        (lambda w: w | {"more": torch.ones(1).half()}, "Unexpected key"),
        (lambda w: {k: v[..., :1].contiguous() for k, v in w.items()}, "size mismatch"),
        (lambda w: {k: torch.cat([v, v]) for k, v in w.items()}, "size mismatch"),
    ],
)
def test_tensors_that_do_not_fit(policy: Path, new: Any, told: str) -> None:
    """Not finite, of another type, too few, too many, of other sizes, of two runs."""
    tensors(policy, new)
    refused(policy, told)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "\x80"])
def test_json_that_says_nothing(policy: Path, text: str) -> None:
    """Cut short, or JSON of something else."""
    policy.with_suffix(".json").write_bytes(text.encode("latin-1"))
    refused(policy, "damaged or not one of ours")


@pytest.mark.parametrize("value", [..., None, [1], True, float("nan")])
@pytest.mark.parametrize("name", ["sha256", "method", "settings", "scenario", "validation_cost"])
def test_json_with_wrong_types(policy: Path, name: str, value: Any) -> None:
    """Every field that a policy must have is checked before it is used."""
    change(policy, **{name: value})
    refused(policy, f"{name} = ")


@pytest.mark.parametrize("value", [..., None, "0", [1], 0.5])
def test_a_seed_is_an_integer(policy: Path, value: Any) -> None:
    """It is told in results, so it must be there."""
    change(policy, seed=value)
    refused(policy, "seed = ")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "sac"}, "method = 'sac': allowed is one of adsac"),
        ({"method": "adsac"}, "device_costs"),
        ({"settings": {"hidden": [16, 16]}}, "size mismatch"),
        ({"settings": {"hidden": "wide"}}, "damaged or not one of ours"),
        ({"settings": {"depth": 3}}, "unknown setting 'depth'; allowed: hidden"),
        ({"scenario": {"n_devices": 3}}, "allowed is a complete scenario"),
        ({"scenario": TINY.replace(n_devices=4, n_uavs=2).to_dict()}, "size mismatch"),
    ],
)
def test_json_of_another_policy(policy: Path, changes: dict[str, Any], told: str) -> None:
    """An unknown method or another one, settings and scenarios that the weights are not of."""
    change(policy, **changes)
    refused(policy, told)


def test_missing_halves(policy: Path) -> None:
    """Without its weights, or with a folder in their place; without its JSON."""
    policy.with_suffix(".safetensors").unlink()
    refused(policy, "No such file")
    policy.with_suffix(".safetensors").mkdir()
    refused(policy, "damaged or not one of ours")
    policy.with_suffix(".json").unlink()
    with pytest.raises(PolicyError, match="or a path"):
        find(str(policy))


def numbers(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers and words of a JSON value are."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        inside = isinstance(item, dict | list)
        yield from numbers(item, (*place, name)) if inside else [(*place, name)]


def test_no_edited_json_plays(policy: Path) -> None:
    """Of all numbers and words of the JSON, and of 160 bits flipped in it, none can be changed."""
    place, rng = policy.with_suffix(".json"), random.Random(1)
    data = place.read_bytes()
    for where in numbers(json.loads(data)):
        text = inner = json.loads(data)
        for name in where[:-1]:
            inner = inner[name]
        old = inner[where[-1]]
        inner[where[-1]] = f"{old}x" if isinstance(old, str) else not old
        if inner[where[-1]] == old:
            inner[where[-1]] = 3
        place.write_text(json.dumps(text))
        with pytest.raises(PolicyError):
            load(str(policy))
    for _ in range(160):
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        place.write_bytes(flipped)
        try:
            same = json.loads(flipped) == json.loads(data)
        except ValueError:
            same = False
        if not same:
            with pytest.raises(PolicyError):
                load(str(policy))


def test_a_policy_of_before_the_hash_plays(policy: Path) -> None:
    """Version 1 has the hash of the weights alone; with a hash that does not fit it is refused."""
    text = json.loads(policy.with_suffix(".json").read_text()) | {"version": 1}
    policy.with_suffix(".json").write_text(json.dumps(text))
    refused(policy, "altered since written")
    del text["file_sha256"]
    policy.with_suffix(".json").write_text(json.dumps(text))
    assert load(str(policy)).provenance["version"] == 1


def test_a_policy_is_replaced_as_a_pair(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever flush or rename fails, the old policy is read or the new one."""
    old = files(policy)
    weights = policy.with_suffix(".safetensors").read_bytes()
    new_weights = weights[:-1] + bytes([weights[-1] ^ 1])
    told = json.loads(policy.with_suffix(".json").read_text())
    told = sealed(told | {"seed": 7, "sha256": hashlib.sha256(new_weights).hexdigest()})
    new = json.dumps(told).encode()
    seen, n, real = set(), 0, {name: getattr(os, name) for name in ("fsync", "replace")}
    while 7 not in seen or n < 9:
        n, calls = n + 1, itertools.count(1)
        keep(policy, weights, json.dumps(old[0]).encode())
        for name, do in real.items():

            def failing(*a: Any, n: int = n, do: Any = do, calls: Any = calls) -> Any:
                if next(calls) == n:
                    raise OSError(errno.ENOSPC, "No space left")
                return do(*a)

            monkeypatch.setattr(os, name, failing)
        with pytest.raises(OSError, match="No space left"):
            keep(policy, new_weights, new)
        monkeypatch.undo()
        text, data = files(policy)
        assert (text["seed"], data) in ((0, weights), (7, new_weights))
        seen.add(text["seed"])
    assert seen == {0, 7}

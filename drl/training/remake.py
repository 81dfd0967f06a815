"""The command that repeats a training, to the bit on the same kind of processor."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from drl.agents.registry import settings_of
from satedge.problem.generation.generate import TRAIN_SEEDS
from satedge.problem.scenario import PRESETS, preset

#: Episodes to choose policies by; those of tests are never generated here.
VALIDATION_SEEDS = range(10_000, 10_010)

#: Epochs between looks at policies.
VALIDATE_EVERY = 25

#: What no option of the command changes.
_FIXED = {
    "train_seeds": [TRAIN_SEEDS.start, TRAIN_SEEDS.stop],
    "validation_seeds": [VALIDATION_SEEDS.start, VALIDATION_SEEDS.stop],
}


def command_of(
    told: Mapping[str, Any], seeds: Sequence[int], labels: Sequence[str] = (), device: str = "cpu"
) -> str:
    """`satedge train ...` for a training as its plan or a policy's file tells it.

    All its seeds are in it: those that train side by side share matrix products, which round. Empty
    for what the command cannot make: other episodes than today's, or labels of unknown files.
    """
    first = min(seeds, default=0)
    runs = bool(seeds) and list(seeds) == list(range(first, first + len(seeds)))
    known = len(told.get("labels", ())) == len(labels)
    if not (runs and known) or any(told[name] != value for name, value in _FIXED.items()):
        return ""
    words = ["satedge", "train", told["method"], *world_of(told["scenario"])]
    words += ["--seed", str(first), "--runs", str(len(seeds)), "--epochs", str(told["epochs"])]
    words += ["--updates", str(told["updates_per_epoch"])]
    words += ["--together", str(told["together"])] if "together" in told else []
    every = told["validate_every"]
    words += ["--validate-every", str(every)] if every != VALIDATE_EVERY else []
    base = settings_of(told["method"]).to_dict()
    for name, value in told["settings"].items():
        words += ["--setting", f"{name}={_toml(value)}"] if value != base.get(name) else []
    words += [word for path in labels for word in ("--labels", path)]
    words += ["--device", device] if device != "cpu" else []
    return shlex.join(words)


def world_of(told: Mapping[str, Any]) -> list[str]:
    """The preset from which a scenario differs least, and the differences: options of a command."""
    presets = {name: preset(name).to_dict() for name in PRESETS}
    apart = {
        name: {k: v for k, v in told.items() if v != values.get(k)}
        for name, values in presets.items()
    }
    name = min(apart, key=lambda n: len(apart[n]))
    sets = (("--set", f"{k}={_plain(v)}") for k, v in apart[name].items())
    return ["--preset", name, *(word for pair in sets for word in pair)]


def _toml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

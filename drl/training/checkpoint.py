"""Checkpoints: everything that changes while training, as one safetensors file without pickle.

A file is written beside its place and moved there, so that a kill leaves the old one or the new
one, never half of one. Text (JSON) travels in the header.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from drl.core.nets import Streams
from drl.core.replay import Replay

Tensors = dict[str, Tensor]


class CheckpointError(ValueError):
    """A file is damaged or foreign; the message says which and why, in one line."""


def write(path: Path, tensors: Tensors, text: dict[str, Any]) -> None:
    """Write atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    plain = {name: value.detach().contiguous().cpu() for name, value in tensors.items()}
    save_file(plain, beside, metadata={"json": json.dumps(text)})
    with open(beside, "rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Read what `write` wrote. Raises CheckpointError."""
    try:
        with safe_open(path, framework="pt") as file:
            text = json.loads((file.metadata() or {})["json"])
            return {name: file.get_tensor(name) for name in file.keys()}, text  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such file") from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged or not one of ours ({error})") from None


def gather(parts: dict[str, Any]) -> Tensors:
    """The state of a learner's parts (see `Learner.parts`) by name."""
    return {
        f"{name}/{key}": value
        for name, part in parts.items()
        for key, value in _state(part).items()
    }


def spread(tensors: Tensors, parts: dict[str, Any]) -> None:
    """Put a gathered state back into parts of the same kind. Raises CheckpointError."""
    for name, part in parts.items():
        prefix = f"{name}/"
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        try:
            _restore(part, own)
        except (KeyError, RuntimeError, IndexError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(f"{name}: does not fit this learner ({reason})") from None


def _state(part: Any) -> Tensors:
    if isinstance(part, Tensor):
        return {"": part}
    if isinstance(part, nn.Module):
        return dict(part.state_dict())
    if isinstance(part, torch.optim.Optimizer):
        return _optimiser_state(part)
    if isinstance(part, list):
        # Successive slots share memory, which the format refuses to store twice.
        return {f"{i}.{k}": v.clone() for i, row in enumerate(part) for k, v in row.items()}
    assert isinstance(part, Replay | Streams)
    return part.state()


def _restore(part: Any, state: Tensors) -> None:
    if isinstance(part, Tensor):
        part.copy_(state[""])
    elif isinstance(part, nn.Module):
        part.load_state_dict(state)
    elif isinstance(part, torch.optim.Optimizer):
        _restore_optimiser(part, state)
    elif isinstance(part, list):
        part[:] = [{} for _ in {key.split(".")[0] for key in state}]
        for key, value in state.items():
            index, name = key.split(".", 1)
            part[int(index)][name] = value
    else:
        part.load(state)


def _parameters(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [p for group in optimiser.param_groups for p in group["params"]]


def _optimiser_state(optimiser: torch.optim.Optimizer) -> Tensors:
    return {
        f"{i}.{name}": value
        for i, parameter in enumerate(_parameters(optimiser))
        for name, value in optimiser.state.get(parameter, {}).items()
    }


def _restore_optimiser(optimiser: torch.optim.Optimizer, state: Tensors) -> None:
    optimiser.state.clear()
    parameters = _parameters(optimiser)
    for key, value in state.items():
        index, name = key.split(".", 1)
        optimiser.state[parameters[int(index)]][name] = value.clone()

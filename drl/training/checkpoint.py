"""Checkpoints: everything that changes while training, as one safetensors file without pickle.

A kill leaves the old file or the new one, never half of one. Text (JSON) travels in the header,
and with it the hash of the whole file in which the hash's own place holds zeros: whatever bit is
altered, the file is refused.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from drl.core.nets import Streams
from drl.core.replay import Replay
from satedge.problem.io.folder import write_atomically

Tensors = dict[str, Tensor]

#: Before the hash in the header's text, and what stands for the hash while it is taken.
MARK, BLANK = "satedge-sha256:", "0" * 64


class CheckpointError(ValueError):
    """A file is damaged or foreign; the message says which and why, in one line."""


def write(path: Path, tensors: Tensors, text: dict[str, Any]) -> None:
    """Write atomically, under a hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = packed(tensors, MARK + BLANK + json.dumps(text))
    digest = hashlib.sha256(data).hexdigest()
    place = data.index((MARK + BLANK).encode())
    write_atomically(path, _with_hash(data, place, digest))


def packed(tensors: Tensors, text: str) -> bytes:
    """The bytes of a safetensors file."""
    plain = {name: value.detach().contiguous().cpu() for name, value in tensors.items()}
    packed: bytes = save(plain, metadata={"json": text})
    return packed


def _with_hash(data: bytes, place: int, digest: str) -> bytes:
    """The same file with another hash behind the mark at a place."""
    start = place + len(MARK)
    return data[:start] + digest.encode() + data[start + len(digest) :]


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Read what `write` wrote. Raises CheckpointError."""
    try:
        data = path.read_bytes()
        place = data.index(MARK.encode())
        blank = _with_hash(data, place, BLANK)
        told = data[place + len(MARK) :][: len(BLANK)]
        if hashlib.sha256(blank).hexdigest().encode() != told:
            raise ValueError("it was altered after it was written")
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])["__metadata__"]["json"]
        return load(data), json.loads(header[len(MARK) + len(BLANK) :])
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


def spread(tensors: Tensors, parts: dict[str, Any], device: str = "cpu") -> None:
    """Put a gathered state back into parts of the same kind, on the device that they learn on.

    Files hold everything on the CPU, where generators and counters stay. Raises CheckpointError.
    """
    for name, part in parts.items():
        prefix = f"{name}/"
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        try:
            _restore(part, own, device)
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


def _restore(part: Any, state: Tensors, device: str) -> None:
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
            part[int(index)][name] = value.to(device)
    elif isinstance(part, Replay):
        part.load(state, device)
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
        parameter = parameters[int(index)]
        # A fused Adam counts its steps where its parameters are.
        optimiser.state[parameter][name] = value.to(parameter.device, copy=True)

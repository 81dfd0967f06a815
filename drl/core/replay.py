"""Replay buffers of several runs side by side: everything has a leading axis R."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from drl.core.learner import Transition
from drl.core.nets import Streams
from drl.core.settings import Settings, SettingsError

Batch = dict[str, Tensor]

#: Bytes that the transitions of all runs may take.
MAX_BYTES = 8 << 30


class Replay:
    """A ring of `capacity` transitions a run; full, it forgets the oldest.

    The fields and their dtypes are those of the first transitions added.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._next = 0
        self._fields: dict[str, Tensor] = {}

    def add(self, transition: Mapping[str, Tensor]) -> None:
        """Keep one transition a run: every field (R, ...)."""
        if not self._fields:
            self._require_room(transition)
            self._fields = {
                name: value.new_zeros((value.shape[0], self.capacity, *value.shape[1:]))
                for name, value in transition.items()
            }
        for name, store in self._fields.items():
            store[:, self._next] = transition[name]
        self._next = (self._next + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def _require_room(self, transition: Mapping[str, Tensor]) -> None:
        """Refuse what no memory holds before any of it is taken. Raises SettingsError."""
        most = MAX_BYTES // sum(v.numel() * v.element_size() for v in transition.values())
        if self.capacity > most:
            raise SettingsError(
                f"buffer = {self.capacity}: allowed is at most {most} transitions of this size for "
                "the runs that are trained together"
            )

    def sample(self, streams: Streams, batch: int) -> Batch:
        """(R, batch, ...) of every field, uniform with replacement, each run by its own draws."""
        index = streams.integers(self.size, batch)
        runs = torch.arange(len(streams), device=index.device)[:, None]
        return {name: store[runs, index] for name, store in self._fields.items()}

    def mean(self, name: str) -> Tensor:
        """(R, 1, ...) mean of a field over all that a run keeps."""
        kept = self._fields[name][:, : self.size]
        return kept.mean(dim=tuple(range(1, kept.dim())), keepdim=True)

    def state(self) -> dict[str, Tensor]:
        """Contents and position, for a checkpoint."""
        return {**self._fields, "@position": torch.tensor([self.size, self._next])}

    def load(self, state: Mapping[str, Tensor], device: str = "cpu") -> None:
        """Continue where `state` was taken, on a device."""
        fields = {n: v for n, v in state.items() if n != "@position"}
        self._fields = {n: v.to(device, copy=True) for n, v in fields.items()}
        self.size, self._next = (int(x) for x in state["@position"])


def flat(transition: Transition) -> dict[str, Tensor]:
    """The fields that replay keeps: (R, ...)."""
    view, following, action = transition.view, transition.next_view, transition.action
    return {
        "obs": view.obs[:, 0],
        "mask": view.mask[:, 0],
        "active": view.active[:, 0],
        "choice": action.choice[:, 0],
        "numbers": action.numbers[:, 0],
        "reward": transition.reward[:, 0],
        "next_obs": following.obs[:, 0],
        "next_mask": following.mask[:, 0],
        "next_active": following.active[:, 0],
    }


def unavailable(kept: dict[str, Tensor], streams: Streams) -> dict[str, Tensor]:
    """The transition with one uniformly drawn unavailable server in place of a device's choice
    and reward 0; as it is where every server is available. Algorithm 1, line 6."""
    mask = kept["mask"]
    noise = streams.uniform(*mask.shape[1:]).masked_fill(mask | ~kept["active"][..., None], -1.0)
    worst = noise.flatten(1).argmax(dim=1)
    found = noise.flatten(1).amax(dim=1) >= 0
    device, server = worst // mask.shape[-1], worst % mask.shape[-1]
    runs = torch.arange(len(mask), device=mask.device)
    choice = kept["choice"].clone()
    choice[runs, device] = torch.where(found, server, choice[runs, device])
    return kept | {"choice": choice, "reward": torch.where(found, 0.0, kept["reward"])}


def learn_from(
    replay: Replay,
    streams: Streams,
    settings: Settings,
    updates: int,
    update: Callable[[Batch], dict[str, Tensor]],
) -> dict[str, Tensor]:
    """`updates` updates on batches of the replay. Returns the figures of the last one.

    With `settings.centre` the mean reward is taken off every reward: values then measure how
    much better than average a state is, not how long the future lasts (Naik et al. 2024,
    arXiv:2405.09999). Every policy's value falls by the same number, so no preference changes.
    """
    figures: dict[str, Tensor] = {}
    mean = replay.mean("reward") if settings.centre else None
    for _ in range(updates):
        batch = replay.sample(streams, settings.batch)
        if mean is not None:
            batch["reward"] = batch["reward"] - mean
        figures = update(batch)
    return figures

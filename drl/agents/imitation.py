"""Imitation: one equivariant policy that copies a teacher's slots (behaviour cloning, DAgger).

Servers by cross-entropy, in every round of messages; powers and places of the teacher's own servers
by regression and by what they cost, which the model says (drl.core.equivariant). Labels are slots
of any sizes (drl.training.labels); a batch comes from one file of them. Where labels were made with
the policy's own flights, this is DAgger (Ross, Gordon, Bagnell 2011). Nothing is learned from
playing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from drl.core.agent import Agent
from drl.core.equivariant import SlotActor
from drl.core.layout import LEAST_POWER, Layout, Sizes
from drl.core.learner import Action, Transition, View
from drl.core.nets import Streams, adam, clip_by_run
from drl.core.settings import Settings, SettingsError
from drl.env.spaces import Encoder
from satedge.problem.fields import declared, param


@declared(SettingsError, "setting")
class ImitationSettings(Settings):
    """Imitation. Of the settings of all learners it uses `actor_rate` and `batch`."""

    width: int = param(64, "-", "open", "Width of every layer.", low=1, high=4096)
    rounds: int = param(2, "-", "open", "Rounds of messages.", low=0, high=20)
    exchanges: int = param(
        100,
        "-",
        "open",
        "Most moves and exchanges on shared servers after the network; they end when none helps.",
        low=0,
        high=10_000,
    )
    trust: float = param(
        0.03, "-", "open", "Cost, in those of a request, of a unit of log-probability then.", low=0
    )
    anneal: int = param(3000, "-", "open", "Updates after which the rate is 0, by a cosine.", low=1)
    batch: int = param(64, "-", "Table 2", "Slots of an update.", low=1, high=65_536)
    earlier: float = param(0.3, "-", "open", "Weight of the guesses of earlier rounds.", low=0)
    power_weight: float = param(0.1, "-", "open", "Weight of the error in powers.", low=0)
    place_weight: float = param(0.1, "-", "open", "Weight of the error in places.", low=0)
    cost_weight: float = param(
        3.0, "-", "open", "Weight of the slot's cost with the teacher's servers.", low=0
    )
    clip: float = param(5.0, "-", "open", "Greatest norm of a run's gradient.", above=0)


@dataclass(frozen=True, eq=False)
class Lesson:
    """n labelled slots of one size, as a learner takes them."""

    sizes: Sizes
    obs: Tensor
    """(n, D)"""
    mask: Tensor
    """(n, K, S)"""
    active: Tensor
    """(n, K)"""
    server: Tensor
    """(n, K) int64, -1 for none."""
    level: Tensor
    """(n, K) powers as the layout has them, -1 least and 1 greatest."""
    flight_m: Tensor
    """(n, M, 2) how the UAVs move."""

    def at(self, index: Tensor) -> Lesson:
        """Some of the slots; leading axes are those of the index."""
        return self._each(lambda x: x[index])

    def to(self, device: str) -> Lesson:
        """The same on a device."""
        return self._each(lambda x: x.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Lesson:
        names = [f.name for f in fields(self)][1:]
        return Lesson(self.sizes, *(change(getattr(self, name)) for name in names))


class Imitator:
    """R runs of imitation."""

    def __init__(self, settings: ImitationSettings, layout: Layout, streams: Streams) -> None:
        self.settings, self.layout, self.streams = settings, layout, streams
        self.actor = _actor(settings, layout, streams)
        self.optimiser = adam([{"params": list(self.actor.parameters())}])
        self.updates = torch.zeros(1, dtype=torch.int64)
        self._lessons: list[tuple[SlotActor, Lesson]] = []

    def teach(self, lessons: Sequence[Lesson]) -> None:
        """What there is to imitate; sizes may differ."""
        device = self.streams.device
        self._lessons = [(self._as(lesson.sizes), lesson.to(device)) for lesson in lessons]

    def _as(self, sizes: Sizes) -> SlotActor:
        """The actor in another size: the same weights."""
        unused = Streams([0] * len(self.streams), self.streams.device)
        other = _actor(self.settings, replace(self.layout, sizes=sizes), unused)
        for name, parameter in self.actor.named_parameters():
            place, _, last = name.rpartition(".")
            setattr(other.get_submodule(place), last, parameter)
        return other

    def act(self, view: View) -> Action:
        """What the policy decides."""
        return Action(*self.actor.decide(view.obs, view.mask, view.active))

    def observe(self, transition: Transition) -> None:
        """Playing teaches nothing."""

    def learn(self, updates: int) -> dict[str, Tensor]:
        """`updates` updates on labels. Raises SettingsError without labels."""
        if not self._lessons:
            raise SettingsError("labels = none: allowed is a training with --labels FILE")
        figures: dict[str, Tensor] = {}
        for _ in range(updates):
            figures = self.update()
        return figures

    def update(self) -> dict[str, Tensor]:
        """One update on a batch of one lesson, the larger ones more often."""
        s, done = self.settings, int(self.updates)
        actor, lesson = self._lessons[self._drawn(done)]
        rate = s.actor_rate * (1 + math.cos(math.pi * min(done / s.anneal, 1.0))) / 2
        self.optimiser.param_groups[0]["lr"] = rate
        index = self.streams.integers(len(lesson.obs), s.batch)
        figures = self._losses(actor, turned(lesson, index, done % 8))
        self.optimiser.zero_grad()
        figures["loss"].sum().backward()
        clip_by_run(self.actor.parameters(), s.clip)
        self.optimiser.step()
        self.updates += 1
        return {name: value.detach() for name, value in figures.items()}

    def _drawn(self, done: int) -> int:
        """The lesson of an update, by the root of its size; the same for all runs."""
        sizes = torch.tensor([len(lesson.obs) ** 0.5 for _, lesson in self._lessons])
        share = (sizes / sizes.sum()).cumsum(0)
        place = (done * 0.6180339887498949) % 1.0
        return min(int((share < place).sum()), len(sizes) - 1)

    def _losses(self, actor: SlotActor, batch: Lesson) -> dict[str, Tensor]:
        """(R,) each: the loss, its parts, and the share of servers that agree."""
        s, m = self.settings, batch.sizes.n_uavs
        options, guesses = actor.net(batch.obs, batch.mask, batch.active)
        index = batch.server.clamp(min=0)[..., None]
        known = batch.active & batch.mask.gather(-1, index)[..., 0] & (batch.server >= 0)
        weight = known.float() / known.float().sum(dim=(-2, -1), keepdim=True).clamp(min=1)
        served = (index == torch.arange(m, device=index.device)) * known[..., None].float()
        serves = (served.sum(dim=-2) > 0).float()
        share = serves / serves.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
        total = weight.new_zeros(len(weight))
        for i, guess in enumerate(guesses):
            cross = -(guess.log_p.gather(-1, index)[..., 0] * weight).sum(dim=(-2, -1))
            power = (guess.level.gather(-1, index)[..., 0] - batch.level).square() * weight
            flights = actor.net.flights(options, served, guess.pull[..., :m])
            away = (flights - batch.flight_m) / max(actor.net.scenario.uav_reach_m, 1e-9)
            hot = nn.functional.one_hot(index[..., 0], guess.level.shape[-1]) * known[..., None]
            costs = actor.net.cost(options, guess.level, hot.float(), flights)
            cost = (costs.gather(-1, index)[..., 0].clamp(max=10) * weight).sum(dim=(-2, -1))
            errors = (cross, power.sum(dim=(-2, -1)), (away.square().sum(-1) * share).sum((-2, -1)))
            mine = errors[0] + s.power_weight * errors[1] + s.place_weight * errors[2]
            mine = mine + s.cost_weight * cost
            total = total + (mine if i == s.rounds else s.earlier * mine)
        right = ((guesses[-1].log_p.argmax(dim=-1) == batch.server) * weight).sum(dim=(-2, -1))
        told = {
            "entropy": errors[0],
            "power": errors[1],
            "place": errors[2],
            "right": right,
            "cost": cost,
        }
        return {"loss": total, **told}

    def parts(self) -> dict[str, Any]:
        """Everything that changes."""
        return {
            "actor": self.actor,
            "optimiser": self.optimiser,
            "updates": self.updates,
            "streams": self.streams,
        }


def turned(lesson: Lesson, index: Tensor, turn: int) -> Lesson:
    """Slots (R, B) of a lesson, the square area turned and mirrored in one of its 8 ways."""
    batch = lesson.at(index)
    scenario = lesson.sizes.scenario
    assert scenario is not None
    part: dict[str, Any] = Encoder(scenario).split(batch.obs)  # type: ignore[arg-type]
    sign = torch.tensor([1.0 - 2 * (turn & 1), 1.0 - (turn & 2)], device=index.device)
    for xy in (part["devices"][..., 4:6], part["uavs"][..., :2], batch.flight_m):
        xy[:] = (xy.flip(-1) if turn & 4 else xy) * sign
    return batch


def _actor(settings: ImitationSettings, layout: Layout, streams: Streams) -> SlotActor:
    s = settings
    return SlotActor(layout, s.width, s.rounds, streams, exchanges=s.exchanges, trust=s.trust)


def to_level(level: Tensor) -> Tensor:
    """The environment's powers (-1 least, 1 greatest) as this layout's; see layout.lift."""
    return ((level - LEAST_POWER) / (1 - LEAST_POWER) * 2 - 1).clamp(-1, 1)


AGENT = Agent(
    methods={"imitation": ImitationSettings()},
    kind=lambda s: "hybrid",
    learner=Imitator,
    actor=_actor,
    any_size=True,
)

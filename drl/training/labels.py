"""Labels: slots with what a teacher decides in them, to learn by imitation.

A file holds no slots but how to make them (scenario, seed, index) and where the UAVs were, so that
a label takes about 150 bytes. It is written as checkpoints are, under a hash and without pickle.
Only training seeds are labelled.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from drl.agents.imitation import Imitator, Lesson, to_level
from drl.core.learner import Learner
from drl.env.spaces import Encoder, from_power_W
from drl.training import checkpoint
from drl.training.policy import sized, sizes_of
from satedge.problem.fields import Declared, declared, param
from satedge.problem.generation.generate import generate
from satedge.problem.instance import GENERATOR_VERSION, Instance, join
from satedge.problem.io.folder import only_one
from satedge.problem.plan import Outcome, Plan
from satedge.problem.projector import project_slots, slot_keys
from satedge.problem.referee import COST_VERSION, judge
from satedge.problem.scenario import Scenario

FORMAT = {"format": "satedge-labels", "version": 1}

#: Seeds that may be labelled, those of training, and the first one if no other is asked for.
LABEL_SEEDS = range(1_000_000, 1_000_000_000)
FIRST_SEED = 2_000_000

#: A one-slot instance -> the teacher's outcome.
Teacher = Callable[[Instance], Outcome]

#: A one-slot instance and the slot's index -> raw decisions, of which the UAVs' are flown.
Pilot = Callable[[Instance, int], Plan]

#: (labels so far, mean milliseconds a label): called after every episode.
Told = Callable[[int, float], None]


class LabelError(ValueError):
    """A file of labels is damaged, foreign or of other labels; one line."""


@declared(LabelError)
class Recipe(Declared):
    """How labels were made: those of equal recipes continue each other."""

    scenario: dict[str, Any] = param(doc="Scenario of the slots.")
    teacher: str = param(doc="Method that decided them.")
    settings: dict[str, Any] = param(doc="Its settings.")
    first_seed: int = param(
        FIRST_SEED,
        doc="Seed of the first episode.",
        low=LABEL_SEEDS[0],
        high=LABEL_SEEDS[-1],
    )
    slots_each: int = param(25, doc="Slots of an episode, one after the other.", low=1)
    wander: float = param(
        0.3, doc="Share of slots after which a UAV flies at random instead.", low=0, high=1
    )
    pilot: str = param("", doc="sha256 of the policy that flies the UAVs; empty: the teacher.")
    generator_version: int = param(GENERATOR_VERSION, doc="Of the generator.")
    cost_version: int = param(COST_VERSION, doc="Of what a plan costs.")


@dataclass(frozen=True, eq=False)
class Labels:
    """n labelled slots of one scenario."""

    recipe: Recipe
    seed: NDArray[np.int64]
    """(n,) Seed of the slot's episode."""
    slot: NDArray[np.int64]
    """(n,) Its index there."""
    at_xy_m: NDArray[np.float64]
    """(n, M, 2) UAV positions before the move, of single precision."""
    server: NDArray[np.int64]
    """(n, K) The teacher's servers."""
    power_W: NDArray[np.float64]
    """(n, K) Its powers."""
    uav_xy_m: NDArray[np.float64]
    """(n, M, 2) Its positions."""
    cost: NDArray[np.float64]
    """(n,) The referee's cost of this, per device."""

    def __len__(self) -> int:
        return len(self.seed)

    @property
    def scenario(self) -> Scenario:
        """Scenario of the slots."""
        return Scenario.from_dict(self.recipe.scenario)

    def slots(self) -> Instance:
        """The labelled slots as a pool of n rows, made again from their seeds."""
        scenario, parts = self.scenario, []
        cuts = np.flatnonzero(np.diff(self.seed)) + 1
        for index in np.split(np.arange(len(self)), cuts):
            episode = generate(scenario, int(self.seed[index[0]]))
            parts.append(episode.rows(self.slot[index]))
        return join(parts, "labels")

    def plan(self) -> Plan:
        """The teacher's plan of `slots`."""
        return Plan(self.server, self.power_W, self.uav_xy_m)


#: Tensors of a file: name -> how it is stored.
_STORED = {
    "seed": torch.int64, "slot": torch.int32, "at_xy_m": torch.float32, "server": torch.int16,
    "power_W": torch.float32, "uav_xy_m": torch.float32, "cost": torch.float64,
}  # fmt: skip


def write(path: Path, labels: Labels) -> None:
    """Write atomically, under a hash."""
    arrays = {n: torch.from_numpy(getattr(labels, n)).to(kind) for n, kind in _STORED.items()}
    checkpoint.write(path, arrays, FORMAT | {"recipe": labels.recipe.to_dict()})


def read(path: Path) -> Labels:
    """Read what `write` wrote. Raises LabelError, one line."""
    try:
        tensors, text = checkpoint.read(path)
    except checkpoint.CheckpointError as error:
        raise LabelError(str(error)) from None
    if {name: text.get(name) for name in FORMAT} != FORMAT:
        allowed = f"format {FORMAT['format']}, version {FORMAT['version']}"
        raise LabelError(f"{path}: holds no labels: allowed is {allowed}")
    try:
        recipe = Recipe.from_dict(text["recipe"])
        labels = Labels(recipe, **{n: _array(tensors[n], n) for n in _STORED})
        _check(labels)
    except (KeyError, TypeError, ValueError) as error:
        raise LabelError(f"{path}: damaged or not one of ours ({error})") from None
    return labels


def _array(tensor: torch.Tensor, name: str) -> NDArray[Any]:
    if tensor.dtype != _STORED[name] or not bool(tensor.isfinite().all()):
        raise LabelError(f"{name}: allowed are finite numbers of {_STORED[name]}")
    whole = not tensor.dtype.is_floating_point
    return tensor.numpy().astype(np.int64 if whole else np.float64)


def _check(labels: Labels) -> None:
    """Raise LabelError where arrays do not fit each other or this version."""
    recipe, s, n = labels.recipe, labels.scenario, len(labels)
    current = {"generator_version": GENERATOR_VERSION, "cost_version": COST_VERSION}
    for name, version in current.items():
        if getattr(recipe, name) != version:
            raise LabelError(f"{name} = {getattr(recipe, name)}: allowed is {version}")
    devices, uavs = (n, s.n_devices), (n, s.n_uavs, 2)
    shapes = {
        "seed": (n,), "slot": (n,), "at_xy_m": uavs, "server": devices, "power_W": devices,
        "uav_xy_m": uavs, "cost": (n,),
    }  # fmt: skip
    for name, shape in shapes.items():
        if getattr(labels, name).shape != shape:
            raise LabelError(f"{name} has shape {getattr(labels, name).shape}: allowed is {shape}")
    for name, low, high in (
        ("seed", LABEL_SEEDS[0], LABEL_SEEDS[-1]),
        ("slot", 0, s.n_slots - 1),
        ("server", -1, s.n_servers - 1),
    ):
        value = getattr(labels, name)
        if value.size and not (low <= value.min() and value.max() <= high):
            raise LabelError(f"{name}: allowed are whole numbers in [{low}, {high}]")


def make(
    path: Path, recipe: Recipe, n: int, teacher: Teacher, pilot: Pilot | None, told: Told
) -> Labels:
    """Label n slots, or those that the file lacks. Raises LabelError for a file of other labels.

    The file is written again after every few episodes: a stopped call goes on from there.
    """
    with only_one(path.parent):
        labels = read(path) if path.exists() else None
        if labels is not None and labels.recipe != recipe:
            raise LabelError(f"{path}: of other labels (scenario, teacher or seeds differ)")
        began, known = time.process_time(), 0 if labels is None else len(labels)
        for found in _episodes(recipe, known, teacher, pilot):
            labels = found if labels is None else _joined([labels, found])
            told(len(labels), 1e3 * (time.process_time() - began) / (len(labels) - known))
            if len(labels) >= n or (len(labels) // recipe.slots_each) % 8 == 0:
                write(path, labels)
            if len(labels) >= n:
                return labels
    assert labels is not None
    return labels


def _episodes(
    recipe: Recipe, known: int, teacher: Teacher, pilot: Pilot | None
) -> Iterator[Labels]:
    """Labels of one episode after the other, from the first that is not known."""
    scenario = Scenario.from_dict(recipe.scenario)
    seed = recipe.first_seed + known // recipe.slots_each
    while True:
        yield _episode(recipe, scenario, seed, teacher, pilot)
        seed += 1


def _episode(
    recipe: Recipe, scenario: Scenario, seed: int, teacher: Teacher, pilot: Pilot | None
) -> Labels:
    """Slots of one episode: the first of them at random, UAVs flown by teacher or pilot."""
    episode = generate(scenario, seed)
    rng = np.random.default_rng(seed)
    length = min(recipe.slots_each, scenario.n_slots)
    first = int(rng.integers(scenario.n_slots - length + 1))
    at, rows = episode.uav_xy_m, []
    for t in range(first, first + length):
        at = _single(at)
        slot = episode.rows(slice(t, t + 1), at)
        plan = teacher(slot).plan
        if plan is None:
            raise LabelError(f"seed {seed}, slot {t}: the teacher found no plan")
        rows.append((seed, t, at, plan, float(judge(slot, plan).cost)))
        flown = plan if pilot is None else pilot(slot, t)
        at = _after(slot, flown, recipe.wander, rng)
    return Labels(
        recipe,
        np.array([r[0] for r in rows]),
        np.array([r[1] for r in rows]),
        np.array([r[2] for r in rows]),
        np.array([r[3].server[0] for r in rows]),
        np.array([r[3].power_W[0] for r in rows]),
        np.array([r[3].uav_xy_m[0] for r in rows]),
        np.array([r[4] for r in rows]),
    )


def _single(xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions as a file keeps them: single precision."""
    return xy_m.astype(np.float32).astype(np.float64)


def _after(
    slot: Instance, flown: Plan, wander: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Where the UAVs (M, 2) are after the slot: as flown, or some after a random step."""
    s = slot.scenario
    step = rng.uniform(-1.0, 1.0, (s.n_uavs, 2)) * s.uav_reach_m
    astray = rng.random(s.n_uavs) < wander
    wanted = np.where(astray[:, None], slot.uav_xy_m + step, flown.uav_xy_m[0])
    raw = Plan(flown.server, flown.power_W, wanted[None])
    plan, _ = project_slots(slot, slot.uav_xy_m[None], raw, slot_keys(0, np.array([0])))
    return np.asarray(plan.uav_xy_m[0])


def _joined(parts: Sequence[Labels]) -> Labels:
    """Labels of one recipe as one."""
    return Labels(
        parts[0].recipe, *(np.concatenate([getattr(p, n) for p in parts]) for n in _STORED)
    )


def lesson(path: Path, world: Scenario) -> Lesson:
    """Labels as a learner in a world takes them; sizes alone may differ. Raises LabelError."""
    labels = read(path)
    seen_as, own = sized(world, labels.scenario), labels.scenario
    for name, value in seen_as.to_dict().items():
        if name != "n_slots" and own.to_dict().get(name) != value:
            found = own.to_dict().get(name)
            raise LabelError(
                f"{path}: {name} = {found!r}: allowed is {value!r}, as in the training"
            )
    slots = labels.slots()
    encoder = Encoder(seen_as)
    obs = encoder.exogenous(slots)
    mask = encoder.complete(obs, slots, labels.slot, labels.at_xy_m)
    level = to_level(torch.from_numpy(from_power_W(seen_as, labels.power_W)).float())
    return Lesson(
        sizes_of(seen_as),
        torch.from_numpy(obs),
        torch.from_numpy(mask),
        torch.from_numpy(slots.active.copy()),
        torch.from_numpy(labels.server),
        level,
        torch.from_numpy(labels.uav_xy_m - labels.at_xy_m).float(),
    )


def digest(path: Path) -> str:
    """sha256 of a file of labels. Raises LabelError."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise LabelError(f"{path}: {error.strerror}: allowed is a file of labels") from None


def teach(learner: Learner, lessons: Sequence[Lesson]) -> None:
    """Give a learner what to imitate. Raises LabelError for one that learns by playing."""
    if not isinstance(learner, Imitator):
        raise LabelError("labels: allowed with a learner that imitates")
    learner.teach(lessons)

"""Pools of episodes: the slots that environments play, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drl.env.kernel import Look
from drl.env.spaces import LIMIT, Encoder, Floats, middle_and_half
from satedge.compiled.slots import slots_of
from satedge.problem.generation.generate import TRAIN_SEEDS, generate
from satedge.problem.instance import Instance, InstanceError, join
from satedge.problem.io.files import read_instance
from satedge.problem.scenario import Scenario, preset

#: Seed of the first training episode. The suites of instances use small seeds.
FIRST_TRAINING_SEED = TRAIN_SEEDS.start

#: Training episodes that are generated at a time. With its tables one takes 2.5 ms (preset
#: `paper`), a twentieth of what a single run of PPO takes to play it and to learn from it.
BLOCK = 64

#: Parts a pool must share: what a row of slots does not carry with it.
_SHARED = ("server_accuracy", "server_work_TFLOP")


def training_episodes(
    scenario: Scenario, n_episodes: int, first_seed: int = FIRST_TRAINING_SEED
) -> list[Instance]:
    """Episodes to learn from: `n_episodes` consecutive seeds."""
    return [generate(scenario, first_seed + i) for i in range(n_episodes)]


class Pool:
    """Episodes of one scenario as one table of slots, which any number of batches may share.

    `reference` is the scenario whose ranges normalise observations (default: the episodes' own).
    Raises InstanceError for no episodes, mixed ones, or a reference of other sizes.
    """

    def __init__(self, instances: Sequence[Instance], reference: Scenario | None = None) -> None:
        _check_instances(instances)
        self.instances = tuple(instances)
        self.names = np.array([i.name for i in instances], object)
        self.scenario = instances[0].scenario
        self.encoder = Encoder(reference or self.scenario)
        _check_sizes(self.scenario, self.encoder.reference)
        self.slots = join(instances)
        self.length = np.array([i.n_slots for i in instances])
        self.offset = np.cumsum(self.length) - self.length
        self.start_xy_m = np.stack([i.uav_xy_m for i in instances])
        self.tables = slots_of(self.slots)
        self.look = _look(self.encoder, self.encoder.exogenous(self.slots))


@dataclass(frozen=True)
class FreshEpisodes:
    """Training episodes in blocks, generated as they are wanted: no seed comes again before all of
    `seeds` have been."""

    scenario: Scenario
    seeds: range
    size: int = BLOCK

    def __call__(self, number: int) -> Pool:
        """Block `number`, always the same episodes."""
        first, n = number * self.size, len(self.seeds)
        wanted = (self.seeds[(first + i) % n] for i in range(self.size))
        return Pool([generate(self.scenario, seed) for seed in wanted])


#: Episodes to play: how many to generate, a file, several instances or files, or a shared pool.
Episodes = int | str | Path | Sequence[Instance | str | Path] | Pool


def make_pool(
    scenario: Scenario | str | None, instances: Episodes, reference: Scenario | str | None = None
) -> Pool:
    """The pool that an environment's arguments ask for. Raises InstanceError and its kin."""
    wanted = preset(scenario) if isinstance(scenario, str) else scenario
    ranges = preset(reference) if isinstance(reference, str) else reference
    if isinstance(instances, int):
        pool = Pool(training_episodes(wanted or preset("paper"), instances), ranges)
    elif isinstance(instances, Pool):
        pool = instances
        if ranges is not None and ranges != pool.encoder.reference:
            raise InstanceError("reference: allowed is that of the pool in instances")
    else:
        several = [instances] if isinstance(instances, str | Path) else instances
        given = [i if isinstance(i, Instance) else read_instance(i) for i in several]
        pool = Pool(given, ranges)
    if wanted is not None and wanted != pool.scenario:
        raise InstanceError("scenario: allowed is that of the instances, or none")
    return pool


def _look(encoder: Encoder, exogenous: Floats) -> Look:
    """How kernels are to write observations."""
    s, start = encoder.reference, {name: at.start for name, at in encoder.places.items()}
    gain_middle_dB, gain_half_dB = middle_and_half(*encoder.uav_range_dB())
    side_middle_m, side_half_m = middle_and_half(0.0, s.area_side_m)
    slot_middle, slot_half = middle_and_half(0.0, s.n_slots)
    return Look(
        exogenous=exogenous,
        links=start["links"],
        uavs=start["uavs"],
        slot=start["slot"],
        available=start["available"],
        gain_middle_dB=gain_middle_dB,
        gain_half_dB=gain_half_dB,
        side_middle_m=side_middle_m,
        side_half_m=side_half_m,
        slot_middle=slot_middle,
        slot_half=slot_half,
        limit=LIMIT,
    )


def _check_instances(instances: Sequence[Instance]) -> None:
    if not instances:
        raise InstanceError("instances: allowed is at least one")
    first = instances[0]
    for i, instance in enumerate(instances):
        if instance.scenario != first.scenario:
            raise InstanceError(f"instances[{i}].scenario: allowed is that of instances[0]")
        for name in _SHARED:
            if not np.array_equal(getattr(instance, name), getattr(first, name)):
                raise InstanceError(f"instances[{i}].{name}: allowed is that of instances[0]")


def _check_sizes(scenario: Scenario, reference: Scenario) -> None:
    for name in ("n_devices", "n_uavs", "n_satellites"):
        allowed = getattr(scenario, name)
        if getattr(reference, name) != allowed:
            raise InstanceError(
                f"reference.{name} = {getattr(reference, name)}: allowed is {allowed}"
            )

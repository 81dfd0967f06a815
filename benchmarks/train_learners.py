"""Trains the learners of docs/learning.md with equal budgets in slots, one world after the other.

    python benchmarks/train_learners.py FOLDER SLOTS [WORLD/NAME-SEED ...]

FOLDER/runs gets logs and checkpoints, FOLDER/policies/WORLD/NAME the selected policies and curves,
as results/policies has them. Every seed plays SLOTS slots with five updates an episode of 100
(on-policy learners: ten passes over every 1000 slots, at rates that fall to 0 at 100,000; those
named `long`, which are for 1,000,000 slots: five passes over every 5000 in batches of 256, with
networks of 2 x 128). A training that was stopped goes on, one that has ended is left alone, and
with more SLOTS it goes on from where it ended. SEED is the first of seeds that are trained
together. Settings that differ from a learner's defaults are those that results/learning/tuning.csv
speaks for; AD-SAC and its ablations are as published.
"""

import sys
from pathlib import Path

from drl.training.collect import collect_one
from drl.training.train import train
from satedge.problem.scenario import preset

ALL_SLOTS, SLOTS_OF_UPDATES, TOGETHER = 100_000, 20, 10
MODERN = {"orthogonal": True, "normalise": True}
LONG = MODERN | {"batch": 256, "passes": 5, "hidden": [128, 128]}
CURED = {"reward": "cost", "credit": "devices", "synthetic": 0.0, "exogenous": True}

#: Name of the policies: the learner and its settings.
LEARNERS = {
    "hybrid-ppo": ("hybrid-ppo", MODERN),
    "adsac": ("adsac", {}),
    "adsac-cured": ("adsac", CURED | {"mpo_actions": 4}),
    "adsac+": ("adsac+", {}),
    "ddpg": ("ddpg", {}),
    "td3": ("td3", {}),
    "d3qn": ("d3qn", {}),
    "ppo": ("ppo", MODERN),
    "adsac-d": ("adsac-d", {}),
    "adsac-c": ("adsac-c", {}),
    "adsac-critic-0.0001": ("adsac", {"critic_rate": 1e-4}),
    "adsac-critic-0.01": ("adsac", {"critic_rate": 1e-2}),
    "hybrid-ppo-long": ("hybrid-ppo", LONG),
    "hybrid-ppo-long-myopic": ("hybrid-ppo", LONG | {"gamma": 0.0}),
    "ppo-long": ("ppo", LONG),
}
VARIANTS = ("adsac-d", "adsac-c", "adsac-critic-0.0001", "adsac-critic-0.01")
LONGEST = ("hybrid-ppo-long", "ppo-long", "hybrid-ppo-long-myopic")
SWEPT = ("adsac", "ddpg", "d3qn", "ppo", "hybrid-ppo")
BEYOND = ("adsac", "adsac-cured", "adsac+", "hybrid-ppo")

#: What is trained, the most important first: name, world, seeds.
QUEUE = [
    *((name, "paper", range(2)) for name in LEARNERS if name not in VARIANTS + LONGEST),
    *((name, world, range(2)) for world in ("foresight", "contended") for name in BEYOND),
    *((name, "paper", range(2, 5)) for name in LEARNERS if name not in VARIANTS + LONGEST),
    *((name, "paper", range(5)) for name in VARIANTS),
    *((name, f"paper-figures/K{k}", range(3)) for name in SWEPT for k in (5, 10, 15, 20)),
    *((name, "paper", range(2)) for name in LONGEST),
]


def scenario_of(world):
    """That of PRESET or PRESET/Kn, n devices."""
    name, _, devices = world.partition("/K")
    return preset(name, **({"n_devices": int(devices)} if devices else {}))


def epochs_of(world, slots):
    """Episodes that make so many slots, in whole blocks that are played together."""
    return slots // scenario_of(world).n_slots // TOGETHER * TOGETHER


def budget(world, name, slots):
    """Limits, and the settings that depend on the length of a world's episodes."""
    length = scenario_of(world).n_slots
    more = 5 if name in LONGEST else 1
    every = epochs_of(world, 5000 * more)
    limits = {"epochs": epochs_of(world, slots), "together": TOGETHER * more}
    limits |= {"updates_per_epoch": max(1, length // SLOTS_OF_UPDATES)}
    limits |= {"validate_every": every, "checkpoint_every": every}
    if "ppo" not in name:
        return limits, {}
    rates = {"anneal_epochs": epochs_of(world, ALL_SLOTS * (10 if name in LONGEST else 1))}
    return limits, rates | {"rollout_epochs": epochs_of(world, 1000 * more)}


def main(folder, slots, wanted):
    """Every training of the queue, or those named."""
    for name, world, seeds in QUEUE:
        first = f"{world}/{name}-{seeds[0]}"
        if wanted and first not in wanted:
            continue
        method, settings = LEARNERS[name]
        limits, more = budget(world, name, slots)
        runs = folder / "runs" / first
        print(world, name, list(seeds), settings | more, limits, flush=True)
        limits |= {"settings": settings | more, "progress": False}
        train(method, scenario=scenario_of(world), seeds=seeds, out_dir=runs, **limits)
        print(collect_one(runs, folder / "policies" / world / name), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])

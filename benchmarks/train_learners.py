"""Trains the learners of docs/learning.md with equal budgets in slots, one world after the other.

    python benchmarks/train_learners.py FOLDER [WORLD/NAME ...]

FOLDER/runs gets logs and checkpoints, FOLDER/policies/WORLD/NAME the selected policies and curves,
as results/policies has them. Every seed plays 100,000 slots with five updates an episode of 100
(on-policy learners: ten passes over every 1000 slots). A training that was stopped goes on, one
that has ended is left alone. Settings that differ from a learner's defaults are those that
results/learning/tuning.csv speaks for; AD-SAC and its ablations are as published.
"""

import sys
from pathlib import Path

from drl.training.collect import collect_one
from drl.training.train import train
from satedge.problem.scenario import preset

SLOTS, SLOTS_OF_UPDATES, TOGETHER = 100_000, 20, 10
MODERN = {"orthogonal": True, "normalise": True}
CURED = {"reward": "cost", "credit": "devices", "synthetic": 0.0, "exogenous": True}

#: Name of the policies: the learner and its settings.
LEARNERS = {
    "adsac": ("adsac", {}),
    "adsac-d": ("adsac-d", {}),
    "adsac-c": ("adsac-c", {}),
    "adsac-cured": ("adsac", CURED | {"mpo_actions": 4}),
    "hybrid-ppo": ("hybrid-ppo", MODERN),
    "ppo": ("ppo", MODERN),
    "ddpg": ("ddpg", {}),
    "td3": ("td3", {}),
    "d3qn": ("d3qn", {}),
    "adsac+": ("adsac+", {}),
}

#: What is trained, the most important first: name, world, seeds.
QUEUE = [
    *((name, "paper", range(2)) for name in LEARNERS if name not in ("adsac-d", "adsac-c")),
    *((name, "foresight", range(2)) for name in ("hybrid-ppo", "adsac-cured", "adsac+", "adsac")),
    *((name, "contended", range(2)) for name in ("hybrid-ppo", "adsac-cured", "adsac+", "adsac")),
    *((name, "paper", range(2, 5)) for name in LEARNERS if name not in ("adsac-d", "adsac-c")),
    *((name, "paper", range(5)) for name in ("adsac-d", "adsac-c")),
]


def budget(world, method, settings):
    """Epochs, updates an epoch and settings that make 100,000 slots of a world."""
    slots = preset(world).n_slots
    epochs = SLOTS // slots // TOGETHER * TOGETHER
    limits = {"epochs": epochs, "updates_per_epoch": max(1, slots // SLOTS_OF_UPDATES)}
    every = 50 * 100 // slots
    limits |= {"validate_every": every, "checkpoint_every": every, "together": TOGETHER}
    if "ppo" in method:
        rollout = 1000 // slots // TOGETHER * TOGETHER
        settings = settings | {"rollout_epochs": rollout}
        if settings.get("orthogonal"):
            settings = settings | {"anneal_epochs": epochs}
    return settings, limits


def main(folder, wanted):
    """Every training of the queue, or those named."""
    for name, world, seeds in QUEUE:
        if wanted and f"{world}/{name}" not in wanted:
            continue
        method, settings = LEARNERS[name]
        settings, limits = budget(world, method, settings)
        runs = folder / "runs" / world / f"{name}-{seeds[0]}"
        print(world, name, list(seeds), settings, limits, flush=True)
        train(method, scenario=world, seeds=seeds, out_dir=runs, settings=settings, **limits)
        print(collect_one(runs, folder / "policies" / world / name), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

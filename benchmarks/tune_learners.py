"""The same number of short trials for every learner, and what cures AD-SAC, on validation episodes.

    python benchmarks/tune_learners.py results/learning/tuning.csv
    python benchmarks/tune_learners.py results/learning/cures.csv cures

A trial is one setting on `paper` with five updates an episode (on-policy learners: ten passes over
every ten episodes). `tuning` has two trials a learner, one seed and 100 episodes each; the first is
the learner's defaults. AD-SAC as published has these alone; its two trials are those of what cures
it, `adsac-cured`. `cures` changes one thing after the other, two seeds and 300 episodes each, means
over seeds. A trial that the file has is not repeated.
"""

import csv
import json
import sys
import tempfile
import time
from itertools import zip_longest
from pathlib import Path

import numpy as np

from drl.agents.registry import settings_of
from drl.training.log import Log
from drl.training.train import Plan, Trainer
from satedge.problem.scenario import preset

COLUMNS = ("learner", "settings", "slots", "cost", "least_cost", "reward", "misses", "cpu_s")

#: On-policy learners as their literature has them since 2020.
MODERN = {"orthogonal": True, "normalise": True, "anneal_epochs": 100}
DEVICES = {"reward": "cost", "credit": "devices", "synthetic": 0.0}

#: Episodes, seeds and trials by learner.
KINDS = {
    "tuning": (
        100,
        (0,),
        {
            "adsac": [{}],
            "adsac-cured": [
                {"exogenous": True, "synthetic": 0.0},
                DEVICES | {"exogenous": True, "mpo_actions": 4},
            ],
            "hybrid-ppo": [{}, MODERN],
            "ppo": [{}, MODERN],
            "ddpg": [{}, {"exogenous": True}],
            "td3": [{}, {"exogenous": True}],
            "d3qn": [{}, {"exogenous": True}],
            "adsac+": [{}, {"actor_rate": 3e-4, "critic_rate": 3e-4}],
        },
    ),
    "cures": (
        300,
        (0, 1),
        {
            "adsac": [
                {"synthetic": 0.0, "exogenous": True},
                DEVICES | {"gamma": 0.0},
                {"synthetic": 0.0},
                DEVICES,
                {"synthetic": 0.0, "gamma": 0.0},
            ],
            "hybrid-ppo": [{"gamma": 0.0}],
        },
    ),
}
WORLD = preset("paper")


def trial(learner, changes, epochs, seeds):
    """One row."""
    settings = settings_of(learner.removesuffix("-cured"), **changes)
    method = learner.removesuffix("-cured")
    plan = Plan(method, settings, WORLD, seeds, epochs=epochs, together=10)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        trainer = Trainer(plan, Path(name))
        trainer.save = lambda: None
        with Log(Path(name), epochs, learner, 0, False, False, WORLD.n_slots) as log:
            write, last = log.write, []
            log.write = lambda rows: (last.append([row.values for row in rows]), write(rows))
            trainer.run(log)
    cost, *rest = (
        np.mean([values[f"validation_{n}"] for values in last[-1]])
        for n in ("cost", "reward", "misses")
    )
    least = np.min([row[1:] for row in trainer.curve], axis=0).mean()
    figures = (cost, least, *rest, (time.process_time() - began) / len(seeds))
    return learner, json.dumps(changes), epochs * WORLD.n_slots, *(f"{x:.4g}" for x in figures)


def main(path, kind):
    """Every trial that the file lacks, written as soon as it is known."""
    epochs, seeds, trials = KINDS[kind]
    done = set()
    if path.exists():
        with open(path, newline="") as file:
            done = {(row["learner"], row["settings"]) for row in csv.DictReader(file)}
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(COLUMNS) + "\n")
    for round_ in zip_longest(*([(name, c) for c in some] for name, some in trials.items())):
        for learner, changes in filter(None, round_):
            if (learner, json.dumps(changes)) not in done:
                row = trial(learner, changes, epochs, seeds)
                print(*row, flush=True)
                with open(path, "a", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "tuning")

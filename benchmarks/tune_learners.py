"""The same number of short trials for every learner, judged on validation episodes.

    python benchmarks/tune_learners.py results/learning/tuning.csv

Each trial is one seed of one setting: 100 episodes of `paper` with five updates each (on-policy
learners: ten passes over every ten episodes). A trial that the file has is not repeated. Two trials
a learner, the first of them its defaults. AD-SAC as published has these alone; its two trials are
those of what cures it, `adsac-cured`.
"""

import csv
import json
import sys
import tempfile
import time
from itertools import zip_longest
from pathlib import Path

from drl.agents.registry import settings_of
from drl.training.log import Log
from drl.training.train import Plan, Trainer
from satedge.problem.scenario import preset

EPOCHS = 100
COLUMNS = ("learner", "settings", "slots", "cost", "least_cost", "reward", "misses", "cpu_s")

#: On-policy learners as their literature has them since 2020.
MODERN = {"orthogonal": True, "normalise": True, "anneal_epochs": EPOCHS}
DEVICES = {"reward": "cost", "credit": "devices", "synthetic": 0.0}

TRIALS = {
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
}

WORLD = preset("paper")


def trial(learner, changes):
    """One row."""
    method, world = learner.removesuffix("-cured"), WORLD
    plan = Plan(method, settings_of(method, **changes), world, (0,), epochs=EPOCHS, together=10)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        trainer = Trainer(plan, Path(name))
        trainer.save = lambda: None
        with Log(Path(name), EPOCHS, learner, 0, False, False, world.n_slots) as log:
            write, last = log.write, {}
            log.write = lambda rows: (last.update(rows[0].values), write(rows))
            trainer.run(log)
    found = [last[f"validation_{n}"] for n in ("cost", "reward", "misses")]
    cost, least = found[0], min(row[1] for row in trainer.curve)
    seconds = time.process_time() - began
    figures = (cost, least, *found[1:], seconds)
    return learner, json.dumps(changes), EPOCHS * world.n_slots, *(f"{x:.4g}" for x in figures)


def main(path):
    """Every trial that the file lacks, written as soon as it is known."""
    done = set()
    if path.exists():
        with open(path, newline="") as file:
            done = {(row["learner"], row["settings"]) for row in csv.DictReader(file)}
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(COLUMNS) + "\n")
    for round_ in zip_longest(*([(name, c) for c in trials] for name, trials in TRIALS.items())):
        for learner, changes in filter(None, round_):
            if (learner, json.dumps(changes)) not in done:
                row = trial(learner, changes)
                print(*row, flush=True)
                with open(path, "a", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

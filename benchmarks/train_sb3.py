"""Stable-Baselines3's learners on `paper`, tried and trained as ours are, by processor time.

    python benchmarks/train_sb3.py tuning results/learning/tuning.csv [NAME ...]
    python benchmarks/train_sb3.py train results/learning/curves SLOTS NAME

`tuning` adds two trials a learner (or of those named) to those of tune_learners.py, one seed and
100 episodes each. `train` gives SLOTS slots to each of two seeds with the best settings of NAME's
trials, and writes NAME/curve.csv as our learners have it; a seed that the file has is not repeated.
Its actions are those of compare_sb3_offloading.py: everything continuous, a score for each server.
Off-policy learners make 20 updates an episode, PPO ten passes over every ten episodes; all else is
Stable-Baselines3's. Seconds are of training alone: its policies play the validation episodes one by
one, ours all at once.
"""

import csv
import json
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from compare_sb3_offloading import PAPER, offloading, play_offloading
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise

from drl.env.pool import Pool
from drl.training.train import VALIDATION_SEEDS
from satedge.problem.generation.generate import TRAIN_SEEDS, generate
from satedge.problem.io.curve import read_curve, write_curve

SEEDS, LOOK = (0, 1), 25
#: Slots of an episode, and of a trial.
LENGTH, TRIAL = PAPER.n_slots, 10_000
TRIALS = ({}, {"gamma": 0.0})
REPLAYED = {"train_freq": (LENGTH, "step"), "gradient_steps": 20, "learning_starts": LENGTH}
LEARNERS = {
    "sb3-ppo": (PPO, {"n_steps": 10 * LENGTH, "batch_size": 50}),
    "sb3-sac": (SAC, REPLAYED),
    "sb3-td3": (TD3, REPLAYED),
}


def curve(name, changes, slots, seed):
    """Rows of a log: a training that is looked at every LOOK episodes."""
    kind, given = LEARNERS[name]
    episodes = Pool([generate(PAPER, s) for s in TRAIN_SEEDS[: slots // LENGTH]])
    env = offloading(episodes, False)
    judge = offloading(Pool([generate(PAPER, s) for s in VALIDATION_SEEDS]), False)
    settings = {"gamma": 0.995, "seed": seed, "device": "cpu"} | given | changes
    if kind is TD3:
        size = env.action_space.shape[0]
        settings["action_noise"] = NormalActionNoise(np.zeros(size), np.full(size, 0.1))
    model, rows = kind("MlpPolicy", env, **settings), []
    for epoch in range(LOOK, slots // LENGTH + 1, LOOK):
        began = time.process_time()
        model.learn(LOOK * LENGTH, reset_num_timesteps=epoch == LOOK)
        figures = {"seconds": time.process_time() - began}
        for figure, value in play_offloading(model, judge, False).items():
            figures[f"validation_{figure}"] = value
        print(name, changes, seed, epoch, figures, flush=True)
        rows += [(epoch, seed, figure, f"{value:.6g}") for figure, value in figures.items()]
    return rows


def tune(path, names):
    """Two trials a learner, written as tune_learners.py writes its own."""
    with open(path, newline="") as file:
        done = {(row["learner"], row["settings"]) for row in csv.DictReader(file)}
    for changes, name in product(TRIALS, names):
        if (name, json.dumps(changes)) in done:
            continue
        rows = curve(name, changes, TRIAL, 0)
        values = {f: [float(v) for _, _, figure, v in rows if figure == f] for *_, f, _ in rows}
        cost, reward, misses = (values[f"validation_{f}"] for f in ("cost", "reward", "misses"))
        found = (cost[-1], min(cost), reward[-1], misses[-1], sum(values["seconds"]))
        with open(path, "a", newline="") as file:
            told = name, json.dumps(changes), TRIAL, *(f"{x:.4g}" for x in found)
            csv.writer(file, lineterminator="\n").writerow(told)


def train(folder, slots, name):
    """The seeds that NAME's log lacks."""
    with open("results/learning/tuning.csv", newline="") as file:
        trials = [row for row in csv.DictReader(file) if row["learner"] == name]
    changes = json.loads(min(trials, key=lambda row: float(row["least_cost"]))["settings"])
    path = folder / name / "curve.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [tuple(row) for row in read_curve(path)] if path.exists() else []
    for seed in SEEDS:
        if seed not in {row[1] for row in rows}:
            rows += curve(name, changes, slots, seed)
            write_curve(path, rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "tuning":
        tune(Path(sys.argv[2]), sys.argv[3:] or LEARNERS)
    else:
        train(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])

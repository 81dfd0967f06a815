"""Sensitivity of the paper's statements to what the paper leaves open: a screen of 32 settings.

    python benchmarks/screen.py FOLDER                      # 32 settings, all learners, 3 seeds
    python benchmarks/screen.py FOLDER --runs 16 --learners adsac,ppo,hybrid-ppo --seeds 1
    python benchmarks/screen.py FOLDER --analyse            # of what is finished

Ten factors at two or four levels each, in 32 runs in which every pair of them is balanced: columns
of a two-level factorial in five letters, a four-level factor being two columns and their product.
Main effects are clear of each other, not of interactions; in fewer runs than 32 (the first ones)
they are not clear of each other either. Each training writes a row with its last
and its selected validation, whether its policy is constant, and the hash of the policy, into
FOLDER/rows.jsonl; rows that are there are not trained again. Policies stay in FOLDER/runs.

"Without the overrun penalty" cannot be had by itself: a refusal costs as much as an overrun of the
whole deadline, and would be free. The factor is a penalty of 100 or 30 seconds a second.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import reduce
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from drl.training.policy import solve
from drl.training.train import train
from satedge.bench.score.behaviour import Deed, behaviour
from satedge.bench.score.claims.evidence import SEEDS
from satedge.bench.score.stats import share_interval
from satedge.bench.study import provenance
from satedge.problem.generation.generate import generate
from satedge.problem.io.curve import read_curve
from satedge.problem.io.folder import only_one, write_atomically
from satedge.problem.scenario import preset

PUBLISHED = {"catalogue": "published", "accuracy_min": 0.30, "accuracy_max": 0.378}
#: Factor -> columns, and levels in the order of their signs; what each changes: fields of the
#: scenario, the preset of settings, updates, settings of AD-SAC or of all.
FACTORS = {
    "catalogue": (("ace",), ("paper", "published")),
    "leakage": (("a", "b"), (0.0, 0.05, 0.2, 1.0)),
    "power floor": (("ade",), (1e-6, 1e-2)),
    "updates": (("c", "d"), (1, 5, 10, 20)),
    "reward scale": (("bce",), (20.0, 200.0)),
    "entropy target": (("bde",), (0.3, 0.8)),
    "synthetic": (("e", "abcd"), (0.0, 0.1, 0.5, 1.0)),
    "centring": (("abc",), (True, False)),
    "settings": (("cde",), ("table-2", "section-5.1")),
    "penalty": (("abe",), (100.0, 30.0)),
}
LEARNERS = ("adsac", "hybrid-ppo", "ppo", "ddpg", "d3qn")
#: Statements of one setting, of mean final rewards by learner.
STATEMENTS = {
    "AD-SAC ends highest": lambda r: all(r["adsac"] > v for m, v in r.items() if m != "adsac"),
    "Hybrid-PPO is the best of the rest": lambda r: (
        r["hybrid-ppo"] >= max(v for m, v in r.items() if m != "adsac")
    ),
    "the others are 5.7 to 13.4 % below": lambda r: all(
        0.057 <= 1 - v / r["adsac"] <= 0.134 for m, v in r.items() if m != "adsac"
    ),
}


def design():
    """32 settings, factor -> level."""
    letters = np.array(list(product((-1, 1), repeat=5)))
    columns = {
        name: reduce(np.multiply, (letters[:, "abcde".index(x)] for x in name))
        for names, _ in FACTORS.values()
        for name in names
    }
    settings = []
    for run in range(len(letters)):
        signs = {f: [int(columns[c][run] > 0) for c in names] for f, (names, _) in FACTORS.items()}
        places = {f: reduce(lambda n, bit: 2 * n + bit, bits) for f, bits in signs.items()}
        settings.append({f: FACTORS[f][1][place] for f, place in places.items()})
    return settings


def world_of(setting, name):
    """The scenario of a setting."""
    changes = PUBLISHED if setting["catalogue"] == "published" else {}
    return preset(
        name,
        **changes,
        interference_leakage=setting["leakage"],
        power_min_W=setting["power floor"],
        reward_scale=setting["reward scale"],
        deadline_penalty=setting["penalty"],
    )


def trained(setting, learner, seeds, epochs, folder, world):
    """Train a learner under a setting; a row for each seed."""
    settings = {"centre": setting["centring"]}
    if learner == "adsac":
        settings |= {
            "synthetic": setting["synthetic"],
            "discrete_entropy": setting["entropy target"],
        }
    if "ppo" in learner:
        settings["rollout_epochs"] = min(10, epochs)
    scenario, began = world_of(setting, world), time.process_time()
    limits = {"epochs": epochs, "updates_per_epoch": setting["updates"]}
    limits |= {"validate_every": max(1, epochs // 16), "checkpoint_every": epochs}
    train(
        learner,
        scenario=scenario,
        seeds=range(seeds),
        out_dir=folder,
        settings_preset=setting["settings"],
        settings=settings,
        progress=False,
        **limits,
    )
    spent_s = (time.process_time() - began) / seeds
    rows = read_curve(folder / "curve.csv")
    for seed in range(seeds):
        yield _row(folder, learner, seed, rows, scenario) | {"cpu_s": spent_s}


def _row(folder, learner, seed, rows, scenario):
    """What the curve says of a seed, and what its selected policy does on a validation episode."""
    mine = [r for r in rows if r.seed == seed and r.figure.startswith("validation_")]
    last = max(r.epoch for r in mine)
    final = {r.figure.removeprefix("validation_"): r.value for r in mine if r.epoch == last}
    path = folder / "policies" / learner / f"seed-{seed}"
    told = json.loads(path.with_suffix(".json").read_text())
    selected = {
        r.figure.removeprefix("validation_"): r.value for r in mine if r.epoch == told["epoch"]
    }
    episode = generate(scenario, 10_000)
    plan = solve(episode, policy=str(path)).plan
    found = behaviour([Deed(episode, plan, seed)])
    return {
        "seed": seed,
        "epoch": told["epoch"],
        "final": final,
        "selected": selected,
        "constant": bool(found.constant),
        "by_satellites": found.by_satellites,
        "sha256": told["sha256"],
        "commit": provenance.commit(),
    }


def run(folder, runs, learners, seeds, epochs, world):
    """Everything that has no row yet, setting by setting."""
    path = folder / "rows.jsonl"
    done = read(path)
    for number, setting in enumerate(design()[:runs]):
        for learner in learners:
            if any(r["run"] == number and r["learner"] == learner for r in done):
                continue
            place = folder / "runs" / f"{number:02d}" / learner
            head = {"run": number, "learner": learner, "epochs": epochs, "setting": setting}
            try:
                rows = [head | r for r in trained(setting, learner, seeds, epochs, place, world)]
            except RuntimeError as error:
                rows = [head | {"failed": str(error)}]
            done += rows
            write_atomically(path, "".join(f"{json.dumps(r)}\n" for r in done).encode())
            print(number, learner, rows[0].get("final", rows[0].get("failed")), flush=True)


def read(path):
    """Rows of a file; none where there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# --- analysis


def levels(rows, column="reward", at="final"):
    """By run, of the settings in which every learner has ended: learner -> mean over seeds."""
    found = {}
    for row in rows:
        if "failed" not in row:
            found.setdefault(row["run"], {}).setdefault(row["learner"], []).append(row[at][column])
    means = {n: {m: float(np.mean(v)) for m, v in by.items()} for n, by in found.items()}
    most = max(map(len, means.values()), default=0)
    return {n: by for n, by in means.items() if len(by) == most > 1 and "adsac" in by}


def effects(response, settings):
    """Effect of each factor's levels on a response by run: (factor, level, estimate, low, high).

    Least squares on all factors at once, the first level of each as base; intervals of Student's t
    with what degrees of freedom are left, none where there are none.
    """
    runs = sorted(response)
    names = [(f, level) for f, (_, given) in FACTORS.items() for level in given[1:]]
    x = np.array([[1.0, *(settings[n][f] == level for f, level in names)] for n in runs])
    y = np.array([response[n] for n in runs])
    kept = [0, *(i + 1 for i, _ in enumerate(names) if 0 < x[:, i + 1].sum() < len(runs))]
    x = x[:, kept]
    beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    freedom = len(runs) - int(rank)
    half = np.full(len(kept), np.nan)
    if freedom > 0 and rank == len(kept):
        variance = float(((y - x @ beta) ** 2).sum()) / freedom
        half = student.ppf(0.975, freedom) * np.sqrt(variance * np.diag(np.linalg.inv(x.T @ x)))
    told = zip(kept[1:], beta[1:], half[1:], strict=True)
    return [(*names[i - 1], b, b - h, b + h) for i, b, h in told]


def analyse(rows):
    """Lines of text: in what share of settings statements hold, what drives them, who collapses."""
    lines = [f"{len(rows)} trainings, {sum('failed' in r for r in rows)} of them diverged"]
    settings = {r["run"]: r["setting"] for r in rows}
    for at in ("final", "selected"):
        found = levels(rows, at=at)
        for name, holds in STATEMENTS.items():
            known = [r for r in found.values() if "hybrid-ppo" in r or "Hybrid" not in name]
            if known:
                count = sum(map(holds, known))
                low, high = share_interval(count / len(known), len(known))
                lines.append(f"{at}: {name}: {count} of {len(known)} [{low:.2f}, {high:.2f}]")
    ahead = {
        n: float(np.log(r["adsac"] / max(v for m, v in r.items() if m != "adsac")))
        for n, r in levels(rows).items()
    }
    if len(ahead) >= 2:
        lines.append("log of AD-SAC's final reward over the best rival's, against the first level:")
        for factor, level, value, low, high in effects(ahead, settings):
            lines.append(f"  {factor} = {level}: {value:+.3f} [{low:+.3f}, {high:+.3f}]")
    for learner in dict.fromkeys(r["learner"] for r in rows):
        mine = [r for r in rows if r["learner"] == learner and "failed" not in r]
        count = sum(r["constant"] for r in mine)
        lines.append(f"{learner}: {count} of {len(mine)} selected policies are constant")
    few = max((r.get("seed", 0) + 1 for r in rows), default=0)
    lines += [f"{few} seeds a setting: fewer than {SEEDS} say little"] * (few < SEEDS)
    return lines


def main():
    """Run, then analyse."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=32)
    parser.add_argument("--learners", default=",".join(LEARNERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--world", default="paper")
    parser.add_argument("--analyse", action="store_true")
    given = parser.parse_args()
    if not given.analyse:
        with only_one(given.folder):
            learners = given.learners.split(",")
            run(given.folder, given.runs, learners, given.seeds, given.epochs, given.world)
    print("\n".join(analyse(read(given.folder / "rows.jsonl"))))


if __name__ == "__main__":
    main()

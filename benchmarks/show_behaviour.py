"""What policies cost and do in the validation episodes of their world: does one decide anything?

    python benchmarks/show_behaviour.py FOLDER OUT.csv [NAME ...]

FOLDER has a folder of policies for each NAME (default: all), as results/policies/paper has. A row
has, of all seeds of a name: mean cost and standard deviation over seeds, the share of requests sent
to UAVs, the spread of powers, their correlation with the gain to the server that was chosen (both
on a log scale), how far a UAV flies, the share of servers chosen against a fixed order, how far two
seeds agree, and whether the policy is constant (`satedge/bench/score/behaviour.py`). A NAME that is
no folder is a method of `satedge methods`, such as constant or myopic-exact (within 0.5 % a slot).
"""

import csv
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

from drl.training.policy import load, solve
from drl.training.train import VALIDATION_SEEDS
from satedge.bench.methods.table import find, load_entry
from satedge.bench.score.behaviour import Deed, behaviour
from satedge.problem.generation.generate import generate
from satedge.problem.referee import judge, uav_gains
from satedge.problem.scenario import Scenario, preset

#: Of methods: slots are solved within half a percent.
SETTINGS = {"myopic-exact": {"gap": 0.005}}

COLUMNS = (
    "policies", "seeds", "cost", "over_seeds", "by_uavs", "power_spread_dB", "power_and_gain",
    "flown_m", "against_order", "agreement", "constant", "cpu_ms_a_slot",
)  # fmt: skip


def power_and_gain(deeds):
    """Correlation over all requests that are sent."""
    powers, gains = [], []
    for deed in deeds:
        plan, episode = deed.plan, deed.instance
        sent = episode.active & (plan.server >= 0) & (plan.power_W > 0)
        shape = plan.server.shape
        to_satellites = np.broadcast_to(
            episode.satellite_gain[..., None], (*shape, episode.scenario.n_satellites)
        )
        gain = np.concatenate([uav_gains(episode, plan.uav_xy_m), to_satellites], axis=-1)
        chosen = np.take_along_axis(gain, np.maximum(plan.server, 0)[..., None], axis=-1)[..., 0]
        sent &= chosen > 0
        powers.append(np.log(plan.power_W[sent]))
        gains.append(np.log(chosen[sent]))
    power, gain = np.concatenate(powers), np.concatenate(gains)
    return float(np.corrcoef(power, gain)[0, 1]) if power.std() > 1e-9 else 0.0


def row(name, deeds, costs, ms):
    """One line of the table; `costs` by seed."""
    b = behaviour(deeds)
    spread = np.std(costs, ddof=1) if len(costs) > 1 else np.nan
    numbers = (np.mean(costs), spread, b.by_uavs, b.power_spread_dB, power_and_gain(deeds))
    numbers += (b.flown_m, b.against_order, b.agreement)
    told = [f"{x:.4g}" if np.isfinite(x) else "" for x in numbers]
    return (name, len(costs), *told, "yes" if b.constant else "no", f"{ms:.3g}")


def of_policies(folder):
    """Every seed of a name through every validation episode of its world."""
    deeds, costs, began, slots = [], [], time.process_time(), 0
    for path in sorted(folder.glob("seed-*.json")):
        policy = load(str(path))
        episodes = episodes_of(Scenario.from_dict(policy.provenance["scenario"]))
        found = []
        for i, episode in enumerate(episodes):
            plan = solve(episode, policy=str(path), seed=i).plan
            deeds.append(Deed(episode, plan, float(policy.provenance["seed"])))
            found.append(float(judge(episode, plan).cost))
            slots += episode.n_slots
        costs.append(float(np.mean(found)))
    return row(folder.name, deeds, costs, 1e3 * (time.process_time() - began) / slots)


def of_method(name, world):
    """What a method of `satedge methods` does there."""
    method = find(name)
    solve, settings = load_entry(method.entry), method.settings | SETTINGS.get(name, {})
    deeds, costs, began = [], [], time.process_time()
    episodes = episodes_of(world)
    for episode in episodes:
        plan = solve(episode, budget_s=np.inf, seed=0, **settings).plan
        deeds.append(Deed(episode, plan, 0.0))
        costs.append(float(judge(episode, plan).cost))
    slots = sum(e.n_slots for e in episodes)
    ms = 1e3 * (time.process_time() - began) / slots
    return row(name, deeds, [float(np.mean(costs))], ms)


@cache
def episodes_of(world):
    """The validation episodes of a world, made once."""
    return [generate(world, seed) for seed in VALIDATION_SEEDS]


def main(folder, out, names):
    """Rows of the names given, in place of those that the file has of them."""
    rows = {}
    if out.exists():
        with open(out, newline="") as file:
            rows = {line[0]: line for line in list(csv.reader(file))[1:]}
    for name in names or sorted(p.name for p in folder.iterdir() if p.is_dir()):
        played = (folder / name).is_dir()
        rows[name] = of_policies(folder / name) if played else of_method(name, preset(folder.name))
        print(*rows[name], flush=True)
        with open(out, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows.values()])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

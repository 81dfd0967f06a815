"""What foresight is worth in a world: `python benchmarks/calibrate_foresight.py WORLD ... `.

A WORLD is a preset, or `preset:key=value,key=value`; `sweep` stands for the scenarios of
docs/foresight.md. Every episode is planned myopically, by fixed rules, by causal methods that look
ahead, and in hindsight, with a certified bound. A line of JSON an episode goes to --out, so that a
stopped sweep goes on where it was; then a table of all worlds in that file is printed, and drawn
with --figure. Seeds are validation ones by default, which no suite uses. Budgets and times are
processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from minlp.branch_and_bound import solve as branch_and_bound
from minlp.heuristics.independent_bound import solve as independent
from minlp.horizon import solve as horizon
from satedge.bench.methods.table import find, load
from satedge.bench.score import best_known
from satedge.bench.score.played import FIXED_RULES
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome
from satedge.problem.referee import judge
from satedge.problem.scenario import Scenario, preset

#: The first seed; of the validation ones, behind those of `calibrate_worlds`.
SEED = 17_000

#: Causal methods and their settings; the first is the myopic reference.
CAUSAL: dict[str, dict[str, Any]] = {
    "myopic-exact": {"gap": 1e-3},
    "drift": {},
    "rolling-horizon": {},
}

#: Relative gap of the slot bounds of hindsight.
HINDSIGHT_GAP = 2e-3

#: The leading world and what differs from it, one thing at a time; then worlds to compare with.
SWEEP = (
    "foresight",
    "foresight-faint",
    "balanced:n_slots=30",
    "paper:n_slots=30",
    "foresight:shadowing=average",
    "foresight:uav_speed_max_mps=20",
    "foresight:uav_coverage_m=80",
    "foresight:uav_coverage_m=180",
    "foresight:satellite_compute_W=50",
    "foresight:n_uavs=2",
    "foresight:accuracy_max=0.7",
    "foresight:deadline_penalty=20",
)

#: Features with an interval where there are enough episodes, and how often these are drawn again.
UNCERTAIN = ("value of hindsight", *(f"closed by {n}" for n in CAUSAL if n != "myopic-exact"))
LEAST_EPISODES, RESAMPLES = 10, 2000

#: What a world of foresight must hold, as docs/foresight.md says it.
VALUE, GAP, REFUSED, BY_UAVS, RULES = 0.20, 0.05, 0.05, (0.2, 0.8), 0.25


def scenario_of(world: str) -> Scenario:
    """The scenario that a name on the command line stands for."""
    name, _, changes = world.partition(":")
    return preset(name, **dict(c.split("=", 1) for c in changes.split(",") if c))


def played(name: str, instance: Instance, **settings: Any) -> tuple[Outcome, float]:
    """A method of the table without a limit, and its processor seconds."""
    began = time.process_time()
    found = load(find(name))(instance, budget_s=np.inf, seed=0, **settings)
    return found, time.process_time() - began


def measured(world: str, seed: int, seconds_per_slot: float, records: bool) -> dict[str, Any]:
    """One episode: costs, seconds, and what its hindsight plan does.

    With `records`, the cheapest causal plan and the bound of hindsight enter the records of the
    suite of the world's name.
    """
    instance = generate(scenario_of(world), seed)
    began, budget_s = time.process_time(), seconds_per_slot * instance.n_slots
    known = horizon.hindsight(instance, budget_s=budget_s, seed=0, gap=HINDSIGHT_GAP)
    seconds = {"horizon": time.process_time() - began}
    plans = {"horizon": known.plan}
    for name, settings in {**CAUSAL, **{rule: {} for rule in FIXED_RULES}}.items():
        found, seconds[name] = played(name, instance, **settings)
        plans[name] = found.plan
    costs = {name: float(judge(instance, plan).cost) for name, plan in plans.items()}
    if records:
        best = min(CAUSAL, key=lambda name: costs[name])
        enter(world, instance, Outcome(plans[best]), f"{find(best).entry} budget_s=inf")
        bound = dataclasses.replace(known, plan=None)
        who = f"minlp.horizon.solve:hindsight budget_s={budget_s:g} gap={HINDSIGHT_GAP:g}"
        enter(world, instance, bound, who)
    verdict, asked = judge(instance, known.plan), instance.active
    by_uav = asked & (known.plan.server >= 0) & (known.plan.server < instance.scenario.n_uavs)
    floor = independent(instance, budget_s=np.inf, seed=0).lower_bound
    return {
        "world": world,
        "seed": seed,
        "n_slots": instance.n_slots,
        "costs": costs,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "bound": known.lower_bound,
        "floor": floor,
        "requests": int(asked.sum()),
        "refused": int((verdict.refused | verdict.outage).sum()),
        "by_uavs": int(by_uav.sum()),
    }


def enter(suite: str, instance: Instance, found: Outcome, who: str) -> None:
    """Keep what betters the suite's record of the instance."""
    known = best_known.read_records(suite)
    names = {i.content_sha256: name for name, i in best_known.instances_of(suite).items()}
    name = names[instance.content_sha256]
    record = known.get(name, best_known.Record(name, instance.content_sha256))
    best_known.write_records(
        suite, known | {name: best_known.improve(record, instance, found, who)}
    )


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Features of a world, of the means over its episodes."""
    cost = {n: float(np.mean([row["costs"][n] for row in rows])) for n in rows[0]["costs"]}
    known, myopic = cost["horizon"], cost["myopic-exact"]
    best_rule = min(cost[rule] for rule in FIXED_RULES)
    ahead = {n: cost[n] for n in CAUSAL if n != "myopic-exact"}
    whole = {n: sum(row[n] for row in rows) for n in ("requests", "refused", "by_uavs")}
    mean = {n: float(np.mean([row[n] for row in rows])) for n in ("bound", "floor")}
    return {
        "episodes": len(rows),
        "hindsight": known,
        "bound gap": 1 - mean["bound"] / known,
        "myopic": myopic,
        "value of hindsight": 1 - known / myopic,
        **{f"closed by {n}": (myopic - c) / max(myopic - known, 1e-12) for n, c in ahead.items()},
        "controllable": 1 - mean["floor"] / known,
        "by UAVs": whole["by_uavs"] / whole["requests"],
        "refused": whole["refused"] / whole["requests"],
        "best rule": best_rule / min(*ahead.values(), myopic) - 1,
        "s/slot": sum(r["seconds"]["rolling-horizon"] for r in rows)
        / sum(r["n_slots"] for r in rows),
    }


def intervals(rows: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Ends of the 95 % intervals of UNCERTAIN, episodes drawn again; none of few episodes."""
    if len(rows) < LEAST_EPISODES:
        return {}
    draws = np.random.default_rng(0).integers(len(rows), size=(RESAMPLES, len(rows)))
    found = [summary([rows[i] for i in draw]) for draw in draws]
    ends = {n: np.percentile([one[n] for one in found], [2.5, 97.5]) for n in UNCERTAIN}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def holds(found: dict[str, float]) -> bool:
    """Whether the world is one of foresight."""
    return (
        found["value of hindsight"] >= VALUE
        and found["bound gap"] <= GAP
        and found["refused"] <= REFUSED
        and BY_UAVS[0] <= found["by UAVs"] <= BY_UAVS[1]
        and found["best rule"] >= RULES
    )


def table(worlds: dict[str, list[dict[str, Any]]]) -> str:
    """All worlds as Markdown."""
    found = {world: summary(rows) for world, rows in worlds.items()}
    heads = ["world", *next(iter(found.values())), "holds"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    plain = {"episodes": "d", "hindsight": ".4g", "myopic": ".4g", "s/slot": ".2f"}
    for world, row in found.items():
        cells = {name: format(value, plain.get(name, ".1%")) for name, value in row.items()}
        for name, (low, high) in intervals(worlds[world]).items():
            cells[name] += f" [{100 * low:.0f}, {100 * high:.0f}]"
        lines.append(f"| {' | '.join([world, *cells.values(), 'yes' if holds(row) else 'no'])} |")
    return "\n".join(lines)


def read(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Episodes of a file by world."""
    worlds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in file.read_text().splitlines() if file.exists() else ():
        row = json.loads(line)
        worlds[row["world"]].append(row)
    return worlds


def draw(worlds: dict[str, list[dict[str, Any]]], file: Path) -> None:
    """The features of all worlds as bars."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    found = {world: summary(rows) for world, rows in reversed(worlds.items())}
    names = [textwrap.fill(world.replace(":", ": ").replace(",", ", "), 34) for world in found]
    shown = {
        "value of hindsight": "value of\nhindsight",
        "closed by rolling-horizon": "closed by\nrolling-horizon",
        "by UAVs": "by UAVs",
        "bound gap": "bound gap",
        "best rule": "best rule",
        "controllable": "controllable",
    }
    figure, axes = plt.subplots(1, len(shown), figsize=(11, 0.5 * len(found) + 1.2), sharey=True)
    for ax, (name, title) in zip(axes, shown.items(), strict=True):
        ax.barh(names, [100 * row[name] for row in found.values()], color="#3b6ea5")
        ax.set_title(f"{title}, %", fontsize=9)
        ax.tick_params(labelsize=7)
    limits = {0: VALUE, 3: GAP, 4: RULES}
    for place, limit in limits.items():
        axes[place].axvline(100 * limit, color="#b03030", linewidth=1)
    axes[1].set_xlim(-20, 110)
    axes[2].axvspan(100 * BY_UAVS[0], 100 * BY_UAVS[1], color="#b0303022")
    figure.tight_layout()
    figure.savefig(file)


def main() -> None:
    """Measure what is missing, then show everything."""
    parser = argparse.ArgumentParser(description="What foresight is worth.")
    parser.add_argument("worlds", nargs="*", default=["sweep"])
    parser.add_argument("--first", type=int, default=SEED, help="seed of the first episode")
    parser.add_argument("--episodes", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of hindsight, per slot")
    parser.add_argument("--out", type=Path, default=Path("results/runs/foresight-sweep.jsonl"))
    parser.add_argument(
        "--records", action="store_true", help="causal plans and bounds enter the suite's records"
    )
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    wanted = [w for world in given.worlds for w in (SWEEP if world == "sweep" else (world,))]
    clock.count("cpu")
    branch_and_bound.warm_up()
    horizon.warm_up()
    for seed in range(given.first, given.first + given.episodes):
        for world in wanted:
            if seed in (row["seed"] for row in read(given.out)[world]):
                continue
            row = measured(world, seed, given.seconds, given.records)
            with given.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(world, seed, {n: round(c, 3) for n, c in row["costs"].items()}, flush=True)
    found = read(given.out)
    print(table(found))
    if given.figure:
        draw(found, given.figure)


if __name__ == "__main__":
    main()

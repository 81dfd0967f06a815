"""UAVs that wait for what comes, beside myopic ones: `python benchmarks/draw_foresight.py OUT.gif`.

Draws a development episode of preset `foresight` under `myopic-exact` and `rolling-horizon`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from satedge.bench.methods.table import find, load
from satedge.bench.study.suites import load_suite
from satedge.drawing.animation import save_comparison
from satedge.problem.referee import judge

METHODS = ("myopic-exact", "rolling-horizon")


def main() -> None:
    """Plan, judge and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--episode", type=int, default=7)
    given = parser.parse_args()
    instance = load_suite("foresight")[given.episode]
    plans = {}
    for name in METHODS:
        plan = load(find(name))(instance, budget_s=np.inf, seed=0).plan
        cost = float(judge(instance, plan).cost)
        plans[f"{name}, cost {cost:.2f}"] = plan
        print(f"{instance.name} {name} {cost:.4f}")
    save_comparison(instance, plans, given.out)


if __name__ == "__main__":
    main()

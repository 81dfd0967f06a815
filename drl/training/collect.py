"""From training runs to what is committed: policies, curves, and a table of validation.

    python -m drl.training.collect results/runs/train/paper results/policies/paper

Copies the best policies of every method with their provenance, thins the learning curves to the
epochs of validation, and prints the last validation of each method. Seeds of NAME that were trained
apart, in NAME-from-N, come to the others.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import numpy as np

from drl.training.policy import files, keep
from satedge.problem.io.curve import read_curve, write_curve

#: How the folder of seeds that are trained apart differs from that of the others.
APART = re.compile(r"-from-\d+$")

Curve = dict[str, dict[int, list[float]]]


def collect(runs: Path, library: Path) -> list[str]:
    """Copy every method under `runs` (a folder each, as `drl.training.train` writes) to `library`.

    Returns a table's lines.
    """
    lines = [
        f"{'method':12} {'epochs':>6} {'cost':>8} {'reward':>7} {'misses':>7} {'best cost':>9}"
    ]
    for folder in sorted(p for p in runs.iterdir() if any(p.glob("policies/*/*.json"))):
        lines.append(collect_one(folder, library / APART.sub("", folder.name)))
    return lines


def collect_one(folder: Path, place: Path, seeds: Collection[int] | None = None) -> str:
    """Copy the policies of one training, or those of some `seeds`, to `place`, each held to its
    hash, and its log: seeds that trained together share its seconds.

    Returns a line on its last validation.
    """
    place.mkdir(parents=True, exist_ok=True)
    best = []
    for path in sorted(folder.glob("policies/*/*.json")):
        text, weights = files(path.with_suffix(""))
        if seeds is None or text["seed"] in seeds:
            best.append(float(text["validation_cost"]))
            keep(place / path.stem, weights, path.read_bytes())
    log = folder / "curve.csv"
    if not log.is_file():
        return f"{place.name:12} best cost {float(np.mean(best)):9.4f}"
    return _line(place.name, thinned(log, place / "curve.csv"), best)


def thinned(source: Path, target: Path) -> Curve:
    """Validation rows, and training figures since the validation before them: the sum of seconds,
    the mean of everything else.

    Rows that the target has of other seeds stay.
    """
    rows = read_curve(source)
    marks = np.unique([r.epoch for r in rows if r.figure.startswith("validation_")])
    groups: dict[tuple[int, int, str], list[float]] = defaultdict(list)
    for row in rows:
        place = int(np.searchsorted(marks, row.epoch))
        if place < len(marks):
            groups[int(marks[place]), row.seed, row.figure].append(row.value)
    curve: Curve = defaultdict(lambda: defaultdict(list))
    seeds = {row.seed for row in rows}
    old = read_curve(target) if target.exists() else []
    kept: list[tuple[int, int, str, str]] = [row for row in old if row.seed not in seeds]
    for (epoch, seed, figure), values in groups.items():
        value = float(np.sum(values) if figure == "seconds" else np.mean(values))
        curve[figure][epoch].append(value)
        kept.append((epoch, seed, figure, f"{value:.6g}"))
    write_curve(target, kept)
    return curve


def _line(method: str, curve: Curve, best: list[float]) -> str:
    last = max(curve["validation_cost"])
    cost, reward, misses = (
        float(np.mean(curve[f"validation_{name}"][last])) for name in ("cost", "reward", "misses")
    )
    return (
        f"{method:12} {last:6d} {cost:8.2f} {reward:7.4f} {misses:7.3f} {float(np.mean(best)):9.2f}"
    )


if __name__ == "__main__":
    print("\n".join(collect(Path(sys.argv[1]), Path(sys.argv[2]))))

"""The accuracy sweep of the paper's figure 7 with `alternate`: `python -m minlp.calibration`.

The catalogue `paper` was fitted so that the ends of this sweep land on the paper's; the points
between them were not used. The episodes have seeds of their own, below 10^6 nothing else uses
them from FIRST_SEED on, and are the same draws at every point except for the accuracy floor.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from minlp.alternating.solve import alternate
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

#: Seeds of these episodes; their floors are those of the paper's figure 7.
FIRST_SEED = 700_000
FLOORS = (0.3, 0.4, 0.5, 0.6, 0.7)

#: What the paper prints of figure 7: mean latency s, energy of a slot J. The rest is drawn only.
PRINTED = {0.3: (1.41, 377.0), 0.7: (2.19, 782.0)}
FITTED = tuple(PRINTED)
#: Price of an overrun, at which it never pays to refuse a request: the paper knows no refusals.
PENALTY = 300.0
#: Relative distance to what is printed that counts as met. Open.
TOLERANCE = 0.10


@dataclass(frozen=True)
class PointOfSweep:
    """One accuracy floor."""

    floor: float
    latency_s: float
    """Mean over served requests."""
    energy_J: float
    """Sum over devices, mean over slots."""
    missed: float
    """Share of requests beyond their deadline."""
    gap: float
    """Of the plans, against the independent bound."""


def sweep(
    episodes: int, n_slots: int, kicks: int = 3, budget_s: float = 600.0
) -> list[PointOfSweep]:
    """Every floor on the same episodes."""
    points = []
    for floor in FLOORS:
        floors = {"accuracy_min": floor, "accuracy_max": floor}
        scenario = preset("paper-figures", n_slots=n_slots, deadline_penalty=PENALTY, **floors)
        seen = []
        for i in range(episodes):
            instance = generate(scenario, FIRST_SEED + i)
            found = alternate(instance, budget_s=budget_s, seed=i, kicks=kicks)
            assert found.plan is not None
            assert found.status == "finished", "the budget was too short for every slot"
            verdict = judge(instance, found.plan)
            served = instance.active & ~verdict.refused
            seen.append(
                (
                    verdict.latency_s[served].mean(),
                    verdict.energy_J.sum(axis=-1).mean(),
                    verdict.missed[served].mean(),
                    1 - (found.lower_bound or 0.0) / verdict.cost,
                )
            )
        points.append(PointOfSweep(floor, *(float(v) for v in np.mean(seen, axis=0))))
    return points


def holds(points: list[PointOfSweep]) -> bool:
    """Whether the ends lie within 10 % and the sharpest steps are those from 0.5 to 0.6."""
    by_floor = {p.floor: p for p in points}
    near = all(
        abs(by_floor[a].latency_s / latency - 1) <= TOLERANCE
        and abs(by_floor[a].energy_J / energy - 1) <= TOLERANCE
        for a, (latency, energy) in PRINTED.items()
    )
    steps = [np.diff([getattr(p, name) for p in points]) for name in ("latency_s", "energy_J")]
    return near and all(int(np.argmax(s)) == FLOORS.index(0.5) for s in steps)


def table(points: list[PointOfSweep]) -> str:
    """Markdown: ours beside the paper's."""
    lines = [
        "| accuracy floor | latency s | paper | energy J | paper | missed | gap | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for p in points:
        latency, energy = PRINTED.get(p.floor, (None, None))
        paper = [f"{v:g}" if v is not None else "not printed" for v in (latency, energy)]
        note = "fitted" if p.floor in FITTED else "not fitted"
        lines.append(
            f"| {p.floor} | {p.latency_s:.3f} | {paper[0]} | {p.energy_J:.1f} | {paper[1]} "
            f"| {p.missed:.1%} | {p.gap:.2%} | {note} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table; exit 1 where the calibration does not hold."""
    parser = argparse.ArgumentParser(description="Accuracy sweep of figure 7 with `alternate`.")
    parser.add_argument("--episodes", type=int, default=3)
    parser.add_argument("--slots", type=int, default=100)
    given = parser.parse_args()
    began = clock.now()
    points = sweep(given.episodes, given.slots)
    print(table(points))
    print(f"\n{given.episodes} episodes of {given.slots} slots, {clock.now() - began:.0f} s")
    if not holds(points):
        raise SystemExit("the calibration does not hold")


if __name__ == "__main__":
    main()

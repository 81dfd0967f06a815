"""What the paper states in section 5 and what the study measured, with a verdict each.

Yan et al., Drones 2025, 9(7), 500. A statement about methods that the study does not have is left
out; none is counted as reproduced for want of data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satedge.bench.score import stats
from satedge.bench.score.summary import Line
from satedge.bench.score.sweeps import PAPER_ENDS, Sweep
from satedge.bench.score.training_logs import Training

Array = NDArray[np.float64]

#: Seeds of a learner below which nothing is said of it.
SEEDS = 3
#: Share of the paper's number within which ours counts as the same.
NEAR = 0.10

#: Increases over AD-SAC in percent that figure 8 states: method -> (latency, energy).
ABLATION = {"adsac-d": (7.4, 24.3), "adsac-c": (11.7, 13.5)}
#: Figure 3: final rewards of the others below AD-SAC's, in percent.
BELOW = (5.7, 13.4)
#: Critic rates of figure 4.
LOW_RATE, GOOD_RATE, HIGH_RATE = 0.0001, 0.001, 0.01
OTHERS = ("hybrid-ppo", "ddpg", "d3qn", "ppo")


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, ours, and whether they agree."""

    figure: str
    paper: str
    ours: str
    verdict: str
    """By an interval 'reproduced', 'contradicted' or 'inconclusive'; by means alone 'reproduced',
    'not reproduced' or 'partly'; 'fitted' where the calibration asks for it."""


def claims(
    lines: Sequence[Line], found: Sequence[Sweep], trained: Sequence[Training] = ()
) -> list[Claim]:
    """All statements that the study can speak to."""
    told = list(_rewards(lines)) + list(_rates(trained))
    for sweep in found:
        told += {"devices": _devices, "deadline": _deadline, "accuracy": _accuracy}[sweep.axis](
            sweep
        )
    return told + list(_ablation(lines))


def _verdict(holds: Sequence[bool]) -> str:
    if all(holds):
        return "reproduced"
    return "partly" if any(holds) else "not reproduced"


def _rewards(lines: Sequence[Line]) -> Iterator[Claim]:
    """Figure 3, on the development episodes of whichever group has the most learners."""
    group = learners(lines)
    if "adsac" not in group:
        return
    best = group["adsac"].reward
    below = {m: 100 * (1 - group[m].reward / best) for m in OTHERS if m in group}
    if below:
        inside = [BELOW[0] - 1 <= v <= BELOW[1] + 1 for v in below.values()]
        yield Claim(
            "Figure 3",
            f"final rewards lie {BELOW[0]} to {BELOW[1]} % below AD-SAC's",
            ", ".join(
                f"{m} {abs(v):.1f} % {'below' if v >= 0 else 'above'}" for m, v in below.items()
            ),
            _verdict(inside),
        )


def _rates(trained: Sequence[Training]) -> Iterator[Claim]:
    """Figure 4, by the reward on validation episodes of AD-SAC under several critic rates.

    Trainings of different lengths are compared over the epochs that all of them have.
    """
    mine = [t for t in trained if t.learner == "adsac" and t.curves.get("validation_reward")]
    rewards = [t.curves["validation_reward"] for t in mine]
    shared = sorted(set.intersection(*map(set, rewards))) if rewards else []
    curves: dict[float, list[Array]] = {}
    for training, reward in zip(mine, rewards, strict=True):
        curve = np.array([reward[epoch] for epoch in shared])
        curves.setdefault(float(training.settings.get("critic_rate", 0)), []).append(curve)
    curves = {r: runs for r, runs in curves.items() if len(runs) >= SEEDS and len(shared) >= 4}
    good = curves.get(GOOD_RATE)
    if good is None:
        return
    if LOW_RATE in curves:
        slow, fast = _early(curves[LOW_RATE]), _early(good)
        ours, less = [slow.mean(), fast.mean()], stats.difference_of_means(fast, slow)
        yield Claim(
            "Figure 4",
            f"a critic rate of {LOW_RATE:g} learns slower than {GOOD_RATE:g}",
            f"mean reward over the first half of {shared[-1]:g} epochs {ours[0]:.3f} against "
            f"{ours[1]:.3f}" + _told(less),
            _by_interval(less),
        )
    if HIGH_RATE in curves:
        wild, calm = _unrest(curves[HIGH_RATE]), _unrest(good)
        ours, more = [wild.mean(), calm.mean()], stats.difference_of_means(wild, calm)
        yield Claim(
            "Figure 4",
            f"a critic rate of {HIGH_RATE:g} oscillates",
            f"step of the reward between validations {ours[0]:.3f} against {ours[1]:.3f} "
            f"in the second half of {shared[-1]:g} epochs" + _told(more),
            _by_interval(more),
        )


def _by_interval(claimed: stats.Interval) -> str:
    """Of a difference that the paper states to be positive."""
    if claimed.low > 0:
        return "reproduced"
    return "contradicted" if claimed.high < 0 else "inconclusive"


def _told(found: stats.Interval) -> str:
    return f"; difference {found.value:.3f}, 95 % interval {found.low:.3f} to {found.high:.3f}"


def _early(runs: Sequence[Array]) -> Array:
    """(runs,) means over the first half of the validations."""
    return np.array([run[: (len(run) + 1) // 2].mean() for run in runs])


def _unrest(runs: Sequence[Array]) -> Array:
    """(runs,) mean absolute steps between validations in the second half."""
    return np.array([np.abs(np.diff(run[len(run) // 2 :])).mean() for run in runs])


def learners(lines: Sequence[Line]) -> dict[str, Line]:
    """Learned methods with seeds enough, of whichever group has most of them."""
    groups: dict[str, dict[str, Line]] = {}
    for line in lines:
        if line.family == "learned" and line.plans and line.seeds >= SEEDS:
            groups.setdefault(line.group, {})[line.method] = line
    return max(groups.values(), key=len, default={})


def _trend(data: Mapping[str, Array], sign: int) -> tuple[list[bool], str]:
    """Which methods grow (sign 1) or fall (-1) from the first to the last point."""
    ends = {m: sign * (v[-1] - v[0]) for m, v in data.items() if np.isfinite(v[[0, -1]]).all()}
    agree = [m for m, change in ends.items() if change > 0]
    return [change > 0 for change in ends.values()], f"{len(agree)} of {len(ends)} methods"


def _lowest(data: Mapping[str, Array]) -> tuple[list[bool], str] | None:
    """Whether AD-SAC is the lowest of the learned methods and random at every point."""
    rivals = [m for m in (*OTHERS, "random") if m in data]
    if "adsac" not in data or not rivals:
        return None
    ours = data["adsac"]
    wins = [bool((ours <= data[m]).all()) for m in rivals]
    beaten = [m for m, won in zip(rivals, wins, strict=True) if won]
    return wins, f"below {', '.join(beaten) or 'none'} at every point, of {', '.join(rivals)}"


def _devices(sweep: Sweep) -> list[Claim]:
    told = []
    for name, data in (("latency", sweep.latency_s), ("energy", sweep.energy_J)):
        holds, ours = _trend(data, +1)
        if holds:
            told.append(
                Claim("Figure 5", f"{name} grows with K for every method", ours, _verdict(holds))
            )
        lowest = _lowest(data)
        if lowest:
            told.append(
                Claim("Figure 5", f"AD-SAC has the lowest {name}", lowest[1], _verdict(lowest[0]))
            )
    return told


def _deadline(sweep: Sweep) -> list[Claim]:
    told = []
    for name, data, sign in (("latency", sweep.latency_s, 1), ("energy", sweep.energy_J, -1)):
        holds, ours = _trend(data, sign)
        word = "grows" if sign > 0 else "falls"
        if holds:
            told.append(Claim("Figure 6", f"{name} {word} as T_max grows", ours, _verdict(holds)))
    return told


def _accuracy(sweep: Sweep) -> list[Claim]:
    """Figure 7, by the method of least energy at the end: what the optimum does."""
    told = []
    whole = {m for m, v in sweep.energy_J.items() if np.isfinite(v).all()}
    if not whole:
        return []
    best = min(
        whole, key=lambda m: float(sweep.energy_J[m].sum() + sweep.miss_share[m].sum() * 1e6)
    )
    for i, (name, unit, data) in enumerate(
        (("latency", "s", sweep.latency_s), ("energy", "J", sweep.energy_J))
    ):
        ours = data[best]
        for value, numbers in PAPER_ENDS.items():
            mine = float(ours[sweep.values.index(value)])
            near = abs(mine / numbers[i] - 1) <= NEAR
            told.append(
                Claim(
                    "Figure 7",
                    f"{name} {numbers[i]:g} {unit} at accuracy {value:g}",
                    f"{mine:.4g} {unit} ({best})",
                    "fitted" if near else "not reproduced",
                )
            )
        steps = np.diff(ours)
        sharpest = int(steps.argmax())
        told.append(
            Claim(
                "Figure 7",
                f"the sharpest step of {name} is from 0.5 to 0.6",
                f"from {sweep.values[sharpest]:g} to {sweep.values[sharpest + 1]:g} ({best})",
                "fitted" if sweep.values[sharpest] == 0.5 else "not reproduced",
            )
        )
    return told


def _ablation(lines: Sequence[Line]) -> Iterator[Claim]:
    group = learners(lines)
    if "adsac" not in group:
        return
    full = group["adsac"]
    for method, stated in ABLATION.items():
        if method not in group:
            continue
        line = group[method]
        ours = (
            100 * (line.latency_s / full.latency_s - 1),
            100 * (line.energy_J / full.energy_J - 1),
        )
        near = [abs(o - s) <= 2 + 0.25 * s for o, s in zip(ours, stated, strict=True)]
        yield Claim(
            "Figure 8",
            f"{method}: latency +{stated[0]} %, energy +{stated[1]} % over AD-SAC",
            f"latency {ours[0]:+.1f} %, energy {ours[1]:+.1f} %",
            _verdict(near),
        )

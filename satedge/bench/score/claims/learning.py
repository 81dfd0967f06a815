"""Figures 3, 4 and 8: what trainings end in, how fast, how steadily, and under which rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from satedge.bench.score.claims.evidence import (
    FINAL,
    SEEDS,
    Array,
    Evidence,
    Part,
    known,
    ratio,
    samples,
)
from satedge.bench.score.training_logs import Training

#: Critic rates of figure 4.
LOW_RATE, GOOD_RATE, HIGH_RATE = 0.0001, 0.001, 0.01
#: Share of its own final reward at which a training counts as converged.
CONVERGED = 0.95
#: Validations below which a curve says nothing.
LEAST = 4

Curves = dict[str, list[tuple[Array, Array]]]


def curves(trained: Sequence[Training], figure: str = "validation_reward") -> Curves:
    """By method (epochs, values) of every seed."""
    found: Curves = {}
    for training in trained:
        curve = training.curves.get(figure, {})
        if len(curve) >= LEAST:
            epochs = sorted(curve)
            values = np.array([curve[e] for e in epochs])
            found.setdefault(training.method, []).append((np.array(epochs), values))
    return found


def _end(curve: tuple[Array, Array]) -> float:
    return float(curve[1][-1])


def _converged(curve: tuple[Array, Array]) -> float:
    """Epochs until the reward is CONVERGED of its mean over the last quarter."""
    epochs, values = curve
    level = CONVERGED * values[-max(1, len(values) // 4) :].mean()
    return float(epochs[int((values >= level).argmax())])


def _unrest(curve: tuple[Array, Array]) -> float:
    """Mean step between validations of the second half, over the mean there."""
    half = curve[1][len(curve[1]) // 2 :]
    return float(np.abs(np.diff(half)).mean() / half.mean())


def _early(curve: tuple[Array, Array]) -> float:
    """Mean over the first half of the validations."""
    return float(curve[1][: (len(curve[1]) + 1) // 2].mean())


def _compared(
    e: Evidence, pairs: Iterator[tuple[str, str]], of: Callable[[tuple[Array, Array]], float]
) -> list[Part]:
    """First over second of every pair, a number a seed."""
    here = known(e.episodes)
    found = {m: [of(c) for c in runs] for m, runs in curves(e.trained).items() if m in here}
    return samples(
        (f"{a} over {b}", found[a], found[b]) for a, b in pairs if a in found and b in found
    )


def levels(
    greater: Sequence[str], less: Sequence[str], column: str = "reward"
) -> Callable[[Evidence, str], list[Part]]:
    """Ratios of a column: at the end of trainings, on their validation episodes; of selected
    policies on the episodes of the study."""

    def parts(e: Evidence, policies: str) -> list[Part]:
        rows = e.episodes
        here = known(rows)
        pairs = [(a, b) for a, b in product(greater, less) if {a, b} <= set(here)]
        if policies == FINAL:
            found = curves(e.trained, f"validation_{column}")
            ends = {m: [_end(c) for c in runs] for m, runs in found.items()}
            return samples(
                (f"{a} over {b}", ends[a], ends[b]) for a, b in pairs if a in ends and b in ends
            )
        of = {m: rows[rows["method"] == m] for m in {*greater, *less}}
        return [Part(f"{a} over {b}", ratio(of[a], of[b], column)) for a, b in pairs]

    return parts


def slower(slow: Sequence[str], fast: Sequence[str]) -> Callable[[Evidence, str], list[Part]]:
    """Epochs to convergence of the slow over those of the fast."""
    return lambda e, _: _compared(e, product(slow, fast), _converged)


def wilder(wild: Sequence[str], calm: Sequence[str]) -> Callable[[Evidence, str], list[Part]]:
    """Relative steps of the reward of the wild over those of the calm."""
    return lambda e, _: _compared(e, product(wild, calm), _unrest)


# --- critic rates


def _by_rate(e: Evidence) -> dict[float, list[tuple[Array, Array]]]:
    """Curves of AD-SAC by critic rate, over the epochs that all of them have."""
    mine = [t for t in e.trained if t.learner == "adsac" and t.curves.get("validation_reward")]
    rewards = [t.curves["validation_reward"] for t in mine]
    shared = sorted(set.intersection(*map(set, rewards))) if rewards else []
    found: dict[float, list[tuple[Array, Array]]] = {}
    for training, reward in zip(mine, rewards, strict=True):
        curve = np.array([reward[epoch] for epoch in shared])
        rate = float(training.settings.get("critic_rate", 0))
        found.setdefault(rate, []).append((np.array(shared), curve))
    enough = len(shared) >= LEAST
    return {r: runs for r, runs in found.items() if len(runs) >= SEEDS and enough}


def rates(
    pairs: Sequence[tuple[float, float]], of: Callable[[tuple[Array, Array]], float]
) -> Callable[[Evidence, str], list[Part]]:
    """A number of the training under one rate over that under another."""

    def parts(e: Evidence, policies: str) -> list[Part]:
        found = {r: [of(c) for c in runs] for r, runs in _by_rate(e).items()}
        return samples(
            (f"{a:g} over {b:g}", found[a], found[b]) for a, b in pairs if a in found and b in found
        )

    return parts


def rate_levels(pairs: Sequence[tuple[float, float]]) -> Callable[[Evidence, str], list[Part]]:
    """Reward under one rate over that under another: at the end, and of selected policies."""

    def parts(e: Evidence, policies: str) -> list[Part]:
        if policies == FINAL:
            return rates(pairs, _end)(e, policies)
        labels = {
            float(t.settings["critic_rate"]): t.method
            for t in e.trained
            if t.learner == "adsac" and "critic_rate" in t.settings
        }
        rows = e.episodes
        here = known(rows)
        of = {r: rows[rows["method"] == m] for r, m in labels.items() if m in here}
        return [
            Part(f"{a:g} over {b:g}", ratio(of[a], of[b], "reward"))
            for a, b in pairs
            if a in of and b in of
        ]

    return parts


early, unrest = _early, _unrest

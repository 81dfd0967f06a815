"""The suites as declared data: how each of their instances is made.

Seeds are split once for all: methods are developed and scored on DEVELOPMENT_SEEDS, tuned and
fitted on VALIDATION_SEEDS, learners train on TRAIN_SEEDS, and the suites of a final analysis have
HELD_OUT_SEEDS; the four never overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from satedge.problem.generation.generate import HELD_OUT_SEEDS
from satedge.problem.scenario import Scenario, preset

DEVELOPMENT_SEEDS = range(10_000)
VALIDATION_SEEDS = range(10_000, 20_000)

# The suites' shares of the test and validation seeds.
_PAPER = range(10)
_PAPER_VALIDATION = range(10_000, 10_005)
_FIGURES = range(1000, 1030)
_FIGURES_CALIBRATION = range(11_000, 11_003)
_SLOTS = range(2000, 2020)
_TINY = range(3000, 3030)
_TLE = range(4000, 4005)
_CONTENDED = range(5000, 5010)
_CONTENDED_VALIDATION = range(15_000, 15_005)
_FORESIGHT = range(6000, 6030)
_FORESIGHT_VALIDATION = range(15_100, 15_105)

#: The sweeps of figures 5 to 7: axis -> (fields of the scenario set to the value, values).
SWEEPS: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "devices": (("n_devices",), (5, 10, 15, 20)),
    "deadline": (("deadline_min_s", "deadline_max_s"), (2.0, 2.25, 2.5, 2.75, 3.0)),
    "accuracy": (("accuracy_min", "accuracy_max"), (0.3, 0.4, 0.5, 0.6, 0.7)),
}

#: The synthetic constellation of `tle`: Walker delta 53 deg: 36/3/2.
WALKER: dict[str, Any] = {
    "n_satellites": 36,
    "planes": 3,
    "phasing": 2,
    "altitude_m": 500e3,
    "inclination_deg": 53.0,
    "epoch": datetime(2025, 7, 1, tzinfo=UTC),
}
#: Where its satellites are seen from.
SITE = {"latitude_deg": 40.0, "longitude_deg": 116.0, "altitude_m": 50.0}
#: Starts of its episodes after the epoch: one is always visible, and handovers happen.
_TLE_HOURS = (0.5, 6.75, 8.0, 15.25, 23.0)


@dataclass(frozen=True)
class Recipe:
    """How one instance is made."""

    name: str
    preset: str
    seed: int
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Scenario fields that differ from the preset."""
    slot: int | None = None
    """Cut this slot out, UAVs where a random admissible motion has brought them; None: all."""
    hours: float | None = None
    """Satellites are the WALKER ones so long after its epoch; None: the scenario's own."""
    axis: str = ""
    """The sweep it belongs to, if any: a key of SWEEPS."""
    value: float | None = None
    """Where on that sweep."""

    def scenario(self) -> Scenario:
        """The preset with its changes."""
        return preset(self.preset).replace(**self.changes)

    def to_dict(self) -> dict[str, Any]:
        """JSON values that tell how it is made; what does not apply is left out."""
        told = {"preset": self.preset, "seed": self.seed}
        optional = {"changes": dict(self.changes), "slot": self.slot, "hours": self.hours}
        return told | {k: v for k, v in optional.items() if v not in (None, {})}


@dataclass(frozen=True)
class Suite:
    """Instances that are read, solved and scored together."""

    title: str
    recipes: tuple[Recipe, ...]
    committed: bool = False
    """Its files are kept under instances/; other suites are generated when they are asked for."""


def _tiny() -> tuple[Recipe, ...]:
    return tuple(Recipe(f"tiny-{s}", "tiny", s, {"n_slots": 1}) for s in _TINY)


def _slots(label: str, preset_name: str, n_episodes: int = 20) -> tuple[Recipe, ...]:
    """Five slots of each episode, 20 apart; over 20 episodes every slot index comes once."""
    return tuple(
        Recipe(f"{label}-{seed}-{slot:02d}", preset_name, seed, slot=slot)
        for e, seed in enumerate(_SLOTS[:n_episodes])
        for slot in range(e, 100, 20)
    )


def _episodes(label: str, preset_name: str, seeds: range) -> tuple[Recipe, ...]:
    return tuple(Recipe(f"{label}-{seed}", preset_name, seed) for seed in seeds)


def _sweep(label: str, axis: str, seeds: range) -> tuple[Recipe, ...]:
    """The same seeds at every point, so that points differ in nothing else."""
    fields, values = SWEEPS[axis]
    return tuple(
        Recipe(
            f"{label}-{axis}-{value:g}-{seed}",
            "paper-figures",
            seed,
            dict.fromkeys(fields, value) | {"n_slots": 20},
            axis=axis,
            value=value,
        )
        for value in values
        for seed in seeds
    )


def _tle() -> tuple[Recipe, ...]:
    changes = {
        "n_satellites": WALKER["n_satellites"],
        "satellite_planes": WALKER["planes"],
        "satellite_altitude_m": WALKER["altitude_m"],
        "elevation_min_deg": 10.0,
        "isl_topology": "grid",
    }
    pairs = zip(_TLE, _TLE_HOURS, strict=True)
    return tuple(Recipe(f"tle-{s}", "paper", s, changes, hours=hours) for s, hours in pairs)


_SWEEP_SUITES = {
    f"figures-{axis}": Suite(f"Sweep of the {axis} axis", _sweep("figures", axis, _FIGURES))
    for axis in SWEEPS
}

#: Worlds in which the future matters.
FORESIGHT_WORLDS = ("foresight", "foresight-faint")

_FORESIGHT_SUITES = {
    f"{world}{ending}": Suite(
        f"{kind} episodes of 30 slots, preset {world}",
        _episodes(f"{world}{ending}", world, seeds),
    )
    for world in FORESIGHT_WORLDS
    for ending, kind, seeds in (
        ("", "Development", _FORESIGHT),
        ("-validation", "Validation", _FORESIGHT_VALIDATION),
    )
}

SUITES: dict[str, Suite] = {
    "tiny": Suite("K=3, M=1, N=2, one slot", _tiny(), committed=True),
    "slots": Suite("Slots cut from paper episodes", _slots("slots", "paper"), committed=True),
    "slots-balanced": Suite(
        "The same slots under balanced weights",
        _slots("slots-balanced", "balanced"),
        committed=True,
    ),
    "contended": Suite(
        "Slots cut from contended episodes", _slots("contended", "contended"), committed=True
    ),
    "contended-balanced": Suite(
        "Such slots under balanced weights",
        _slots("contended-balanced", "contended-balanced"),
        committed=True,
    ),
    "as-printed": Suite(
        "Thirty of these slots with leakage 1 and requests as printed",
        _slots("as-printed", "as-printed", n_episodes=6),
    ),
    "paper": Suite("Development episodes of 100 slots", _episodes("paper", "paper", _PAPER)),
    "paper-validation": Suite(
        "Validation episodes of 100 slots",
        _episodes("paper-validation", "paper", _PAPER_VALIDATION),
    ),
    "contended-episodes": Suite(
        "Contended development episodes of 100 slots",
        _episodes("contended-episodes", "contended", _CONTENDED),
    ),
    "contended-validation": Suite(
        "Contended validation episodes of 100 slots",
        _episodes("contended-validation", "contended", _CONTENDED_VALIDATION),
    ),
    **_FORESIGHT_SUITES,
    "figures": Suite(
        "The sweeps of figures 5 to 7: 30 episodes of 20 slots at every point",
        tuple(r for suite in _SWEEP_SUITES.values() for r in suite.recipes),
    ),
    **_SWEEP_SUITES,
    "figures-calibration": Suite(
        "The accuracy sweep on other episodes, for fitting",
        _sweep("figures-calibration", "accuracy", _FIGURES_CALIBRATION),
    ),
    "tle": Suite("Episodes under a Walker constellation, through SGP4", _tle()),
}

#: Worlds of a final analysis, each with its share of the held-out seeds.
_HELD_OUT_EPISODES, _HELD_OUT_STEP = 300, 10_000
HELD_OUT: dict[str, Suite] = {
    f"held-out-{world}": Suite(
        f"Held out: {_HELD_OUT_EPISODES} episodes of {world}",
        _episodes(f"held-out-{world}", world, HELD_OUT_SEEDS[first : first + _HELD_OUT_EPISODES]),
    )
    for first, world in zip(
        range(0, len(HELD_OUT_SEEDS), _HELD_OUT_STEP),
        ("paper", "contended", "foresight"),
        strict=False,
    )
}

"""Worlds that tests draw: what is varied of a preset, slots and episodes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.scenario import preset


def scenarios(**more: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Changes to a preset: who interferes and how much, sharing, path loss; `more` by name."""
    varied: dict[str, Any] = {
        "interference_scope": st.sampled_from(["all", "tier", "server"]),
        "interference_leakage": st.sampled_from([0.0, 0.05, 0.3, 1.0]),
        "compute_sharing": st.sampled_from(["dedicated", "shared"]),
        "path_loss_exponent": st.sampled_from([2.0, 2.4]),
    }
    return st.fixed_dictionaries(varied | more)


#: What is different in worlds that a method must handle like any other.
ODD_WORLDS: list[dict[str, Any]] = [
    {},
    {"n_uavs": 0},
    {"n_satellites": 0},
    {"n_devices": 1},
    {"arrival_rate_min": 0.0, "arrival_rate_max": 0.0},
    {"uav_speed_max_mps": 0.0, "uav_separation_m": 50.0},
    {"interference_scope": "server", "compute_sharing": "shared"},
    {"interference_scope": "tier", "interference_leakage": 0.0},
    {"uav_coverage_m": 30.0, "n_satellites": 0},
    {"deadline_penalty": 0.0, "energy_weight_per_J": 0.0},
]


#: Satellites fail often, UAVs are slow and cover little.
FORESIGHT: dict[str, Any] = {
    "n_devices": 6,
    "shadowing": "heavy",
    "uav_coverage_m": 120.0,
    "uav_speed_max_mps": 5.0,
    "satellite_compute_W": 100.0,
    "accuracy_max": 0.5,
}


def world(name: str = "paper", seed: int = 0, n_slots: int = 1, **changes: Any) -> Instance:
    """A slot, or more, of a preset with changes."""
    return generate(preset(name, n_slots=n_slots, **changes), seed)


def printed(name: str, seed: int = 0, n_slots: int = 1, **changes: Any) -> Instance:
    """Its requests as printed, servable or not, so that every fleet can be drawn."""
    return world(name, seed, n_slots, requests="as-printed", **changes)


def tiny(seed: int = 0, **changes: Any) -> Instance:
    """A slot small enough to enumerate."""
    return world("tiny", seed, **changes)


def nobody_asks(instance: Instance) -> Instance:
    """The same without any request."""
    names = ("active", "input_bit", "output_words", "deadline_s", "accuracy_floor")
    return replace(instance, **{n: np.zeros_like(getattr(instance, n)) for n in names})

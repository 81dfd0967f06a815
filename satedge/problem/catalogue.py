"""Multimodal models on servers: accuracy and work per output word, each row with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: The device peak at which the published token rates were measured (Jetson AGX Orin).
AGX_ORIN_TFLOPS = 3.33


@dataclass(frozen=True)
class Model:
    """One model on one kind of server."""

    name: str
    accuracy: float
    """Share of MMMU questions answered correctly, in [0, 1]."""
    work_TFLOP: float
    """Work per output word; at the device's peak rate it gives the execution time."""
    memory_GB: float
    """Weights and cache; a UAV has 16 GB and a satellite 32 GB. 0 where it is not stated."""
    source: str


@dataclass(frozen=True)
class Catalogue:
    """The models of M + N servers, UAVs first."""

    models: tuple[Model, ...]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Accuracy of every server: (M+N,)."""
        return np.array([m.accuracy for m in self.models], dtype=np.float64)

    @property
    def work_TFLOP(self) -> NDArray[np.float64]:
        """Work per output word on every server: (M+N,)."""
        return np.array([m.work_TFLOP for m in self.models], dtype=np.float64)


def _calibrated(name: str, accuracy: float, work_TFLOP: float) -> Model:
    source = "calibrated: lands the ends of figure 7; work at the low end of Table 1's range"
    return Model(name, accuracy, work_TFLOP, 0.0, source)


def _published(name: str, mmmu_percent: float, words_per_s: float, memory_GB: float) -> Model:
    source = f"MMMU val {mmmu_percent} and {words_per_s} tok/s on AGX Orin as published by VILA1.5"
    return Model(name, mmmu_percent / 100, AGX_ORIN_TFLOPS / words_per_s, memory_GB, source)


CatalogueName = Literal["paper", "published"]

#: Rows for (UAVs, satellites); longer fleets repeat the rows in order.
CATALOGUES: dict[CatalogueName, tuple[tuple[Model, ...], tuple[Model, ...]]] = {
    "paper": (
        (
            _calibrated("uav-a", 0.50, 0.055),
            _calibrated("uav-b", 0.53, 0.055),
            _calibrated("uav-c", 0.56, 0.055),
        ),
        (
            _calibrated("sat-a", 0.58, 0.05),
            _calibrated("sat-b", 0.62, 0.09),
            _calibrated("sat-c", 0.66, 0.095),
            _calibrated("sat-d", 0.72, 0.10),
        ),
    ),
    "published": (
        (
            _published("VILA1.5-3B int4", 32.7, 42.5, 3.5),
            _published("VILA1.5-3B fp16", 33.3, 25.4, 7.5),
            _published("VILA1.5-8B int4", 36.0, 28.7, 6.5),
        ),
        (
            _published("VILA1.5-3B fp16", 33.3, 25.4, 7.5),
            _published("VILA1.5-8B int4", 36.0, 28.7, 6.5),
            _published("VILA1.5-8B fp16", 36.9, 10.2, 18.0),
            _published("VILA1.5-13B int4", 37.8, 20.6, 10.0),
        ),
    ),
}

#: Published models that no server of the catalogue runs, and why; kept for those who extend it.
NOT_SERVED: tuple[tuple[str, float | None, str], ...] = (
    ("VILA1.5-13B fp16", 37.9, "16 words take 2.6 s on a satellite: no margin inside a deadline"),
    ("VILA1.5-40B fp16", 51.9, "no published token rate, over 32 GB"),
    ("VILA1.5-40B int4", 49.3, "no published token rate"),
    ("LLaVA-1.6 Vicuna-7B", 35.8, "no published token rate"),
    ("LLaVA-1.6 Mistral-7B", 35.3, "no published token rate"),
    ("LLaVA-1.6 Vicuna-13B", 36.2, "no published token rate"),
    ("LLaVA-1.6 34B", 51.1, "no published token rate, over 32 GB in fp16"),
    ("Obsidian-3B", None, "no published MMMU score"),
)

_SMALL = {("paper", 1, 2): ((2,), (1, 3)), ("published", 1, 2): ((2,), (1, 3))}


def build_catalogue(name: CatalogueName, n_uavs: int, n_satellites: int) -> Catalogue:
    """The models of a fleet, rows in turn. Raises KeyError for an unknown name.

    M=1, N=2 takes the last UAV row and satellite rows 2 and 4.
    """
    uav_rows, satellite_rows = CATALOGUES[name]
    uavs, satellites = _SMALL.get(
        (name, n_uavs, n_satellites), (range(n_uavs), range(n_satellites))
    )
    models = [uav_rows[i % len(uav_rows)] for i in uavs]
    models += [satellite_rows[i % len(satellite_rows)] for i in satellites]
    return Catalogue(tuple(models))

"""Rows of a run as columns: numpy arrays by name, read from and written to Parquet.

One schema for every run: numbers that are unknown are NaN, words that are unknown are "".
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEXT = (
    "key",
    "group",
    "method",
    "entry",
    "family",
    "settings",
    "instance",
    "instance_sha256",
    "status",
    "reason",
    "method_status",
    "violations",
    "host",
    "cpu",
    "system",
    "commit",
)
NUMBERS = (
    "seed",
    "budget_s",
    "n_slots",
    "n_devices",
    "n_uavs",
    "n_satellites",
    "requests",
    "floor",
    "cost",
    "lower_bound",
    "latency_s",
    "energy_J",
    "deadline_misses",
    "overrun_s",
    "unserved",
    "upload_s",
    "execute_s",
    "relay_s",
    "download_s",
    "upload_J",
    "execute_J",
    "relay_J",
    "download_J",
    "redrawn",
    "wall_s",
    "cpu_s",
    "wait_s",
    "peak_MB",
    "started_unix",
)
FLAGS = ("hindsight", "admissible", "feasible", "contended")


class Rows:
    """Columns of equal length."""

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self.columns = dict(columns)

    def __len__(self) -> int:
        return len(self.columns["key"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def text(self, name: str) -> list[str]:
        """A text column as a list."""
        return [str(value) for value in self.columns[name]]

    def where(self, chosen: Any) -> Rows:
        """Some rows, by mask or index."""
        mask = np.asarray(chosen)
        if mask.size == 0:
            mask = mask.astype(np.int64)
        return Rows({name: values[mask] for name, values in self.columns.items()})

    def ordered(self) -> Rows:
        """By group, instance, method, budget and seed; numbers inside names count as numbers."""
        names = ("group", "instance", "method")
        parts = [[_natural(text) for text in self.text(name)] for name in names]
        keys = list(zip(*parts, self["budget_s"], self["seed"], strict=True))
        return self.where(sorted(range(len(self)), key=keys.__getitem__))

    def row(self, index: int) -> dict[str, Any]:
        """One row as Python values."""
        return {
            name: str(values[index]) if name in TEXT else values[index].item()
            for name, values in self.columns.items()
        }

    @staticmethod
    def of(rows: Sequence[Mapping[str, Any]]) -> Rows:
        """From flat records; unknown names in them are left out."""
        columns: dict[str, NDArray[Any]] = {}
        for name in TEXT:
            columns[name] = _texts(r.get(name) or "" for r in rows)
        for name in NUMBERS:
            given = (r.get(name) for r in rows)
            columns[name] = np.array([np.nan if v is None else v for v in given], float)
        for name in FLAGS:
            columns[name] = np.array([bool(r.get(name)) for r in rows], bool)
        return Rows(columns)

    @staticmethod
    def join(*parts: Rows) -> Rows:
        """Rows one after the other."""
        names = (*TEXT, *NUMBERS, *FLAGS)
        return Rows({n: np.concatenate([part[n] for part in parts]) for n in names})


def _natural(text: str) -> list[tuple[int, int | str]]:
    """A key that puts tiny-9 before tiny-10."""
    pieces = re.findall(r"\d+|\D+", text)
    return [(0, int(p)) if p.isdigit() else (1, p) for p in pieces]


def _texts(values: Iterable[str]) -> NDArray[Any]:
    found = list(values)
    return np.array(found, dtype=np.dtypes.StringDType())


def write_parquet(rows: Rows) -> bytes:
    """The rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {}
    for name, values in rows.columns.items():
        arrays[name] = pa.array(values.tolist() if name in TEXT else values)
        if name in TEXT:
            arrays[name] = arrays[name].cast(pa.string()).dictionary_encode()
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays), buffer, compression="zstd")
    return buffer.getvalue()


def read_parquet(path: Path) -> Rows:
    """The rows of a Parquet file; columns it lacks are unknown."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    empty = Rows.of([{}] * table.num_rows)
    for name in table.column_names:
        if name in TEXT:
            empty.columns[name] = _texts(table.column(name).to_pylist())
        elif name in empty.columns:
            empty.columns[name] = table.column(name).to_numpy()
    return empty

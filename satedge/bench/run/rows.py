"""Rows of a run as columns, read from and written to Parquet.

Numbers and flags are arrays; words are codes into a list of distinct words. One
schema for every run: numbers that are unknown are NaN, words that are unknown are "".
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
    "reward",
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
    "kept_cost",
    "wall_s",
    "cpu_s",
    "wait_s",
    "peak_MB",
    "started_unix",
)
FLAGS = ("hindsight", "admissible", "feasible", "contended", "cpu_clock")


class Rows:
    """Columns of equal length."""

    def __init__(
        self, columns: Mapping[str, NDArray[Any]], words: Mapping[str, Sequence[str]]
    ) -> None:
        self.columns = dict(columns)
        self.words = dict(words)

    def __len__(self) -> int:
        return len(self.columns["key"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column of numbers or flags; of words, their codes."""
        return self.columns[name]

    def text(self, name: str) -> list[str]:
        """A column of words."""
        words = self.words[name]
        return [words[code] for code in self.columns[name]]

    def equals(self, name: str, *wanted: str) -> NDArray[np.bool_]:
        """Which rows have one of some words in a column."""
        places = [i for i, word in enumerate(self.words[name]) if word in wanted]
        return np.isin(self.columns[name], places)

    def where(self, chosen: Any) -> Rows:
        """Some rows, by mask or index."""
        mask = np.asarray(chosen)
        if mask.size == 0:
            mask = mask.astype(np.int64)
        return Rows({name: values[mask] for name, values in self.columns.items()}, self.words)

    def ordered(self, groups: Sequence[str] = ()) -> Rows:
        """By group, instance, method, budget and seed; numbers inside names count as numbers.

        `groups` come first and in their order.
        """
        first = [g for g in groups if g in self.words["group"]]
        others = sorted(set(self.words["group"]) - set(first), key=_natural)
        rows = self.recoded("group", [*first, *others])
        keys = [rows["seed"], rows["budget_s"]]
        for name in ("method", "instance"):
            words = rows.words[name]
            rank = np.empty(len(words), np.int64)
            rank[sorted(range(len(words)), key=lambda i: _natural(words[i]))] = range(len(words))
            keys.append(rank[rows[name]])
        return rows.where(np.lexsort([*keys, rows["group"]]))

    def recoded(self, name: str, words: Sequence[str]) -> Rows:
        """The same rows with the words of a column listed in another order."""
        place = {word: i for i, word in enumerate(words)}
        codes = np.array([place[word] for word in self.words[name]], np.int64)
        column = codes[self[name]] if len(codes) else self[name]
        return Rows({**self.columns, name: column}, {**self.words, name: list(words)})

    def row(self, index: int) -> dict[str, Any]:
        """One row as Python values."""
        return {
            name: self.words[name][values[index]] if name in TEXT else values[index].item()
            for name, values in self.columns.items()
        }

    @staticmethod
    def of(rows: Sequence[Mapping[str, Any]]) -> Rows:
        """From flat records; unknown names in them are left out."""
        columns: dict[str, NDArray[Any]] = {}
        words: dict[str, list[str]] = {}
        for name in TEXT:
            words[name], columns[name] = _coded(str(r.get(name) or "") for r in rows)
        for name in NUMBERS:
            given = (r.get(name) for r in rows)
            columns[name] = np.array([np.nan if v is None else v for v in given], float)
        for name in FLAGS:
            columns[name] = np.array([bool(r.get(name)) for r in rows], bool)
        return Rows(columns, words)

    @staticmethod
    def join(*parts: Rows) -> Rows:
        """Rows one after the other."""
        names = (*NUMBERS, *FLAGS)
        columns = {n: np.concatenate([part[n] for part in parts]) for n in names}
        words: dict[str, list[str]] = {}
        for name in TEXT:
            place: dict[str, int] = {}
            codes = []
            for part in parts:
                new = [place.setdefault(word, len(place)) for word in part.words[name]]
                codes.append(np.array(new, np.int64)[part[name]] if new else part[name])
            columns[name], words[name] = np.concatenate(codes), list(place)
        return Rows(columns, words)


def _natural(text: str) -> list[tuple[int, int | str]]:
    """A key that puts tiny-9 before tiny-10."""
    pieces = re.findall(r"\d+|\D+", text)
    return [(0, int(p)) if p.isdigit() else (1, p) for p in pieces]


def _coded(values: Iterable[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct words in order of appearance, and every row's code."""
    place: dict[str, int] = {}
    codes = np.array([place.setdefault(v, len(place)) for v in values], np.int64)
    return list(place), codes


def write_parquet(rows: Rows) -> bytes:
    """The rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {
        name: pa.DictionaryArray.from_arrays(
            pa.array(values, pa.int32()), pa.array(rows.words[name], pa.string())
        )
        if name in TEXT
        else pa.array(values)
        for name, values in rows.columns.items()
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays), buffer, compression="zstd")
    return buffer.getvalue()


def read_parquet(path: Path) -> Rows:
    """The rows of a Parquet file; columns it lacks are unknown."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    n = table.num_rows
    columns: dict[str, NDArray[Any]] = {name: np.full(n, np.nan) for name in NUMBERS}
    columns |= {name: np.zeros(n, bool) for name in FLAGS}
    columns |= {name: np.zeros(n, np.int64) for name in TEXT}
    words = {name: [""] for name in TEXT}
    for name in set(table.column_names) & set(columns):
        column = table.column(name).combine_chunks()
        if name in TEXT:
            column = column.dictionary_encode()
            words[name] = column.dictionary.to_pylist()
            column = column.indices
        columns[name] = column.to_numpy(zero_copy_only=False).astype(columns[name].dtype)
    return Rows(columns, words)

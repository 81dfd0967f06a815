"""Rows of a study: one a run, as a pandas table whose columns are declared here.

Numbers that are unknown are NaN, words that are unknown are "". In Parquet the columns have the
same names and types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
from pyarrow import ArrowException

from satedge.problem.io.jsonfile import reason

TEXT, NUMBER, FLAG = "str", "float64", "bool"

#: What stands where nothing is known.
_UNKNOWN = {TEXT: "", NUMBER: float("nan"), FLAG: False}


@dataclass(frozen=True)
class Column:
    """One column of the rows."""

    name: str
    dtype: str
    """Of pandas: TEXT, NUMBER or FLAG."""
    unit: str
    """"" for words, flags and plain numbers."""
    doc: str


SCHEMA: tuple[Column, ...] = (
    Column("key", TEXT, "", "hash of method, settings, policy, instance, seed and limits"),
    Column("group", TEXT, "", "part of the study"),
    Column("method", TEXT, "", "label of the method"),
    Column("entry", TEXT, "", "module:function"),
    Column("family", TEXT, "", "heuristic, classical, exact, bound, learned or user"),
    Column("settings", TEXT, "JSON", "settings of the method"),
    Column("policy", TEXT, "", "SHA-256 of the weights of the policy that it plays"),
    Column("instance", TEXT, "", "name of the instance"),
    Column("instance_sha256", TEXT, "", "hash of its content"),
    Column("cost_version", NUMBER, "", "of the judged cost; unknown: 1, outages unbounded"),
    Column("status", TEXT, "", "how the run ended: done, timeout, killed-memory, crashed, failed"),
    Column("reason", TEXT, "", "why it ended otherwise than done"),
    Column("method_status", TEXT, "", "what the method says: optimal, finished, infeasible ..."),
    Column("certificate", TEXT, "", "what its bound rests on; none: it counts for no gap"),
    Column("violations", TEXT, "JSON", "broken constraints with the greatest amount"),
    Column("host", TEXT, "", "machine"),
    Column("cpu", TEXT, "", "processor"),
    Column("system", TEXT, "", "operating system"),
    Column("commit", TEXT, "", "code; + marks changed files"),
    Column("rules", TEXT, "", "hash of the rules under which held-out suites were open, if so"),
    Column("seed", NUMBER, "", "seed of the method"),
    Column("budget_s", NUMBER, "s", "time that the method was given"),
    Column("n_slots", NUMBER, "", "slots of the instance"),
    Column("n_devices", NUMBER, "", "devices of the instance"),
    Column("n_uavs", NUMBER, "", "UAVs of the instance"),
    Column("n_satellites", NUMBER, "", "satellites of the instance"),
    Column("requests", NUMBER, "", "requests of all its slots"),
    Column("floor", NUMBER, "", "part of the cost that no decision changes"),
    Column("cost", NUMBER, "", "judged cost, per slot and device"),
    Column("lower_bound", NUMBER, "", "the method's own certified bound on it"),
    Column("latency_s", NUMBER, "s", "mean over served requests"),
    Column("energy_J", NUMBER, "J", "of all devices, mean over slots"),
    Column("deadline_misses", NUMBER, "", "requests whose deadline or window is overrun"),
    Column("overrun_s", NUMBER, "s", "sum of all overruns"),
    Column("reward", NUMBER, "", "mean over slots of eq. (34)"),
    Column("refused", NUMBER, "", "requests without a server"),
    Column("outages", NUMBER, "", "requests sent that cost more than refusing them"),
    Column("by_satellites", NUMBER, "", "requests sent to satellites; UAVs serve the others"),
    Column("window_misses", NUMBER, "", "those whose window alone is overrun, not their deadline"),
    Column("upload_s", NUMBER, "s", "upload, mean over served requests"),
    Column("execute_s", NUMBER, "s", "execution, mean over served requests"),
    Column("relay_s", NUMBER, "s", "relay between satellites, mean over served requests"),
    Column("download_s", NUMBER, "s", "download, mean over served requests"),
    Column("upload_J", NUMBER, "J", "upload, of all devices, mean over slots"),
    Column("execute_J", NUMBER, "J", "execution, of all devices, mean over slots"),
    Column("relay_J", NUMBER, "J", "relay, of all devices, mean over slots"),
    Column("download_J", NUMBER, "J", "download, of all devices, mean over slots"),
    Column("resampled", NUMBER, "", "servers that were unavailable and resampled"),
    Column(
        "cost_without_resampled",
        NUMBER,
        "",
        "cost, had every request the mean cost of those not resampled",
    ),
    Column("wall_s", NUMBER, "s", "elapsed, by the clock of the run"),
    Column("cpu_s", NUMBER, "s", "computing"),
    Column("wait_s", NUMBER, "s", "runnable, but without a core"),
    Column("peak_MB", NUMBER, "MB", "memory of the process and those it started"),
    Column("started_unix", NUMBER, "s", "when the run started, since 1970"),
    Column("hindsight", FLAG, "", "the method knows later slots"),
    Column("admissible", FLAG, "", "the plan breaks no constraint"),
    Column("feasible", FLAG, "", "nor does it miss a deadline or refuse a request"),
    Column("contended", FLAG, "", "the run waited for a core for more than 5 % of its time"),
    Column("cpu_clock", FLAG, "", "budget and times are processor seconds"),
)

NAMES = [c.name for c in SCHEMA]

#: Names that files of earlier versions have, and today's.
OLD_NAMES = {
    "redrawn": "resampled",
    "kept_cost": "cost_without_resampled",
    "unserved": "refused",
}

#: What pandas and pyarrow raise for bytes that are no such table.
_NO_TABLE = (ArrowException, ValueError, TypeError, KeyError, IndexError, OSError, MemoryError,
             OverflowError, AttributeError)  # fmt: skip

_LISTED = "\n".join(f"    {c.name:<22} {c.dtype:<8} {c.unit:<5} {c.doc}" for c in SCHEMA)
__doc__ = f"{__doc__}\n{_LISTED}\n"


def from_records(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows from flat records; unknown names in them are left out."""
    told = [renamed(r) for r in records]
    return _typed(pd.DataFrame({n: [r.get(n) for r in told] for n in NAMES}, dtype=object))


def renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A flat record, perhaps of an earlier version, under today's names."""
    return {OLD_NAMES.get(name, name): value for name, value in record.items()}


def is_number(value: Any) -> bool:
    """A number, and if a whole one, one that a float can hold."""
    return type(value) is float or (type(value) is int and abs(value) < 2**1000)


def check_row(row: Mapping[str, Any]) -> None:
    """Raise ValueError for a value in a flat record that its column cannot hold."""
    kinds: dict[str, tuple[type, ...]] = {TEXT: (str,), NUMBER: (int, float), FLAG: (bool,)}
    for column in SCHEMA:
        value = row.get(column.name)
        if value is None:
            continue
        if type(value) not in kinds[column.dtype] or (type(value) is int and not is_number(value)):
            raise ValueError(f"{column.name} = {value!r}"[:100])


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Every declared column, of its type, with what stands for the unknown."""
    rows = rows.reindex(columns=NAMES)
    for column in SCHEMA:
        values = rows[column.name]
        if values.dtype != column.dtype:
            filled = values.astype(object).where(values.notna(), _UNKNOWN[column.dtype])
            rows[column.name] = filled.astype(column.dtype)
    return rows


def read_parquet(path: Path | BinaryIO) -> pd.DataFrame:
    """The rows of a Parquet file; columns it lacks are unknown. Raises ValueError, one line."""
    try:
        return _typed(pd.read_parquet(path).rename(columns=OLD_NAMES))
    except _NO_TABLE as error:
        raise ValueError(f"is no table of runs ({reason(error)})") from None


def write_parquet(rows: pd.DataFrame) -> bytes:
    """The rows as a Parquet file."""
    written: bytes = rows.to_parquet(index=False, compression="zstd")
    return written


def ordered(rows: pd.DataFrame, groups: Sequence[str] = ()) -> pd.DataFrame:
    """By group, instance, method, budget and seed; numbers inside names count as numbers.

    `groups` come first and in their order.
    """

    def ranks(values: pd.Series) -> pd.Series:
        if values.dtype == NUMBER:
            return values
        words = sorted(values.unique(), key=_natural)
        if values.name == "group":
            words.sort(key=lambda w: groups.index(w) if w in groups else len(groups))
        return values.map({word: rank for rank, word in enumerate(words)})

    by = ["group", "instance", "method", "budget_s", "seed"]
    return rows.sort_values(by, key=ranks, ignore_index=True)


def _natural(text: str) -> list[tuple[int, int | str]]:
    """A key that puts tiny-9 before tiny-10."""
    pieces = re.findall(r"\d+|\D+", text)
    return [(0, int(p)) if p.isdigit() else (1, p) for p in pieces]

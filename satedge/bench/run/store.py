"""A run's folder: one sealed file per finished run, the instances, the gathered table.

    study.toml              the study as it was run
    cells/ab/abcd....json.gz    one record per run, under a hash and the name of what was run
    instances/<sha>.json.gz     what was solved, so that the folder explains itself
    keys.json               the runs of the study and their parts, the hash of study.toml
    skipped.json            runs that cannot be done here, and why
    rows.parquet            all rows, gathered; made anew whenever it is not what the files say
    index.json              the hashes of the files that rows.parquet was made of

A process killed at any moment leaves whole files only, so a run resumes where it stopped.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from satedge.bench.run.record import check_record
from satedge.bench.run.rows import (
    check_row,
    from_records,
    ordered,
    read_parquet,
    renamed,
    write_parquet,
)
from satedge.bench.study import provenance
from satedge.bench.study.study_file import part_name
from satedge.problem.fields import Declared, declared, param
from satedge.problem.instance import Instance
from satedge.problem.io.files import FileError, read_instance, write_instance
from satedge.problem.io.folder import SEAL, is_sealed, sealed, write_atomically
from satedge.problem.io.jsonfile import parsed, read_bytes, read_text, unpacked

T = TypeVar("T")

#: What is told of a file of a run that is not to be believed.
REMEDY = "`satedge benchmark` with the same study does the run again"


class StoreError(ValueError):
    """A file of a run's folder is missing, damaged, or not what its name says."""


@declared(StoreError)
class Keys(Declared):
    """keys.json."""

    study_sha256: str = param(doc="Hash of study.toml.")
    parts: dict[str, str] = param(doc="Parts of the study by the key of their runs.")


@declared(StoreError)
class Skipped(Declared):
    """skipped.json."""

    rows: list[dict[str, Any]] = param(doc="Rows of runs that cannot be done here.")


@declared(StoreError)
class Index(Declared):
    """index.json."""

    rows_sha256: str = param(doc="Hash of rows.parquet.")
    cells: dict[str, str] = param(doc="Hashes by key of the run files of which it was made.")


@dataclass(frozen=True, eq=False)
class Contents:
    """What the files of a run's folder say."""

    rows: pd.DataFrame
    """Rows of the study's runs whose files are sound, and of those that were skipped."""
    damaged: dict[str, str]
    """By key: what is wrong with the other files of the study, a line each."""
    unfinished: int
    """Runs of the study without a file."""
    gathered: pd.DataFrame
    """Rows of all sound files, of earlier forms of the study too."""
    files: dict[str, str]
    """SHA-256 of the sound files by key."""
    current: bool
    """rows.parquet holds just these rows, or is not there."""


class Store:
    """The folder of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cells = root / "cells"
        self.instances = root / "instances"

    @property
    def has_runs(self) -> bool:
        """Its run files are there; of published studies there is the table alone."""
        return self.cells.is_dir()

    def make(self) -> Store:
        """Create the folders. Raises StoreError when that is not possible."""
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
            self.instances.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.root}: {error.strerror}") from error
        return self

    def finished(self) -> set[str]:
        """Keys of the runs that have a file, sound or not."""
        return {
            path.name.removesuffix(".json.gz")
            for path in self.cells.glob("??/*.json.gz")
            if path.is_file()
        }

    def write(self, record: dict[str, Any]) -> None:
        """Keep a record under its hash: it appears whole or not at all."""
        text = json.dumps(sealed(record), separators=(",", ":")).encode()
        path = self._path(record["row"]["key"])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, gzip.compress(text, 5, mtime=0))

    def read(self, key: str) -> dict[str, Any]:
        """One record. Raises StoreError unless it is whole, unaltered and the run of its name."""
        path = self._path(key)
        try:
            return _record(path, path.read_bytes())
        except FileNotFoundError:
            raise StoreError(f"{path}: no such run") from None

    def drop(self, keys: Iterable[str]) -> None:
        """Forget runs, so that they are done again."""
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def records(self) -> Iterator[dict[str, Any]]:
        """All records, in the order of their keys."""
        for key in sorted(self.finished()):
            yield self.read(key)

    def keep_instance(self, instance: Instance) -> None:
        """Store an instance, unless it is there and sound."""
        try:
            self.instance(instance.content_sha256)
        except (FileError, StoreError):
            write_instance(instance, self._instance_path(instance.content_sha256))

    def instance(self, sha256: str) -> Instance:
        """A stored instance by its hash. Raises FileError, or StoreError for another one."""
        path = self._instance_path(sha256)
        instance = read_instance(path)
        if instance.content_sha256 != sha256:
            raise StoreError(f"{path}: holds the instance {instance.content_sha256}, not {sha256}")
        return instance

    def write_text(self, name: str, text: str) -> Path:
        """A text file in the folder, atomically."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
        return path

    def write_study(
        self, source: str, parts: dict[str, str], skipped: list[dict[str, Any]]
    ) -> None:
        """The study's text, the keys of its runs with their parts, the rows of skipped ones."""
        self.write_text("study.toml", source)
        keys = {"study_sha256": _sha256(source.encode()), "parts": parts}
        self.write_text("skipped.json", json.dumps(sealed({"rows": skipped})))
        self.write_text("keys.json", json.dumps(sealed(keys)))

    def study_is_altered(self) -> bool:
        """Whether study.toml is another text than that of the run."""
        told, path = self._sealed("keys.json", Keys), self.root / "study.toml"
        text = path.read_bytes() if path.exists() else b""
        return told is not None and _sha256(text) != told.study_sha256

    def look(self) -> Contents:
        """What the run files say of the study's runs. Raises StoreError where the study is unknown.

        Files that rows.parquet was made of are hashed, not parsed.
        """
        gathered, files, damaged, current = self._sound()
        rows = pd.concat([gathered, from_records(self._skipped())], ignore_index=True)
        unfinished, told = 0, self._sealed("keys.json", Keys)
        if told is not None:
            parts = told.parts
            rows = rows[rows["key"].isin(parts)]
            rows = rows.assign(group=rows["key"].map(parts).astype(rows["group"].dtype))
            damaged = {key: line for key, line in damaged.items() if key in parts}
            unfinished = len(parts.keys() - set(rows["key"]) - damaged.keys())
        rows = ordered(rows, self.parts())
        return Contents(rows, damaged, unfinished, gathered, files, current)

    def _skipped(self) -> list[dict[str, Any]]:
        """Rows of the runs that cannot be done here. Raises StoreError."""
        told = self._sealed("skipped.json", Skipped)
        try:
            for row in told.rows if told is not None else ():
                check_row(row)
        except ValueError as error:
            raise StoreError(f"{self.root / 'skipped.json'}: damaged ({error}); {REMEDY}") from None
        return told.rows if told is not None else []

    def _sound(self) -> tuple[pd.DataFrame, dict[str, str], dict[str, str], bool]:
        """Rows of all sound files, their hashes, what is wrong with others, is the table current.

        Hashes and complaints are by key.
        """
        known, hashes, current = self._index()
        files, found, damaged = {}, [], {}
        for key in sorted(self.finished()):
            data = self._path(key).read_bytes()
            digest = _sha256(data)
            try:
                if hashes.get(key) != digest:
                    found.append(_record(self._path(key), data)["row"])
                files[key] = digest
            except StoreError as error:
                damaged[key] = str(error)
        kept = known[known["key"].isin(k for k, v in files.items() if hashes.get(k) == v)]
        rows = pd.concat([kept, from_records(found)], ignore_index=True)
        current = current and (files == hashes or not (self.root / "rows.parquet").exists())
        return rows, files, damaged, current

    def endings(self) -> tuple[dict[str, str], dict[str, str]]:
        """By key: the status of every run whose file is sound, what is wrong with the others."""
        rows, _, damaged, _ = self._sound()
        return dict(zip(rows["key"], rows["status"], strict=True)), damaged

    def gather(self) -> pd.DataFrame:
        """Rows of the study's runs; rows.parquet is made anew where it differs from their files.

        Runs of earlier forms of the study stay in the folder and are left out. A folder without
        run files, as published, has its table alone. Raises StoreError for a damaged run file.
        """
        table = self.root / "rows.parquet"
        if not self.has_runs and table.exists():
            return ordered(self._table(table.read_bytes()), self.parts())
        found = self.look()
        for line in found.damaged.values():
            more = f" (and {len(found.damaged) - 1} more)" if len(found.damaged) > 1 else ""
            raise StoreError(line + more)
        if not (found.current and table.exists()):
            content = write_parquet(found.gathered)
            write_atomically(table, content)
            index = {"rows_sha256": _sha256(content), "cells": found.files}
            self.write_text("index.json", json.dumps(sealed(index)))
        return found.rows

    def parts(self) -> list[str]:
        """Names of the study's parts, in its order."""
        path = self.root / "study.toml"
        if not path.exists():
            return []
        try:
            study = tomllib.loads(read_text(path))
            return [part_name(part) for part in study.get("part", ())]
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise StoreError(f"{path}: damaged ({error}); {REMEDY}") from None

    def _index(self) -> tuple[pd.DataFrame, dict[str, str], bool]:
        """Gathered rows, hashes of the files they are of, and whether both are to be believed."""
        table, nothing = self.root / "rows.parquet", from_records([])
        try:
            index = self._sealed("index.json", Index)
            content = table.read_bytes()
            if index is None or index.rows_sha256 != _sha256(content):
                return nothing, {}, False
            return self._table(content), index.cells, True
        except FileNotFoundError:
            return nothing, {}, True
        except StoreError:
            return nothing, {}, False

    def _table(self, content: bytes) -> pd.DataFrame:
        """The rows in the bytes of rows.parquet. Raises StoreError."""
        try:
            return read_parquet(io.BytesIO(content))
        except ValueError as error:
            raise StoreError(f"{self.root / 'rows.parquet'}: {error}") from None

    def _sealed(self, name: str, kind: type[T]) -> T | None:
        """What a sealed JSON file of the folder says; None without one. Raises StoreError."""
        path = self.root / name
        if not path.exists():
            return None
        try:
            told: dict[str, Any] = parsed(read_bytes(path))
            if not is_sealed(told):
                raise ValueError("it was altered after it was written")
            return kind(**{key: value for key, value in told.items() if key != SEAL})
        except (ValueError, AttributeError) as error:
            raise StoreError(f"{path}: damaged ({error}); {REMEDY}") from None

    def _path(self, key: str) -> Path:
        return self.cells / key[:2] / f"{key}.json.gz"

    def _instance_path(self, sha256: str) -> Path:
        return self.instances / f"{sha256[:32]}.json.gz"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _record(path: Path, data: bytes) -> dict[str, Any]:
    """The record in a run file's bytes. Raises StoreError."""
    try:
        record: dict[str, Any] = parsed(unpacked(data))
        if not is_sealed(record):
            raise ValueError("it was altered after it was written")
        check_record(record)
        key, made = record["row"]["key"], provenance.digest(record["identity"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"{path}: damaged ({reason}); {REMEDY}") from None
    if not key == made == path.name.removesuffix(".json.gz"):
        raise StoreError(f"{path}: holds another run, {made}; {REMEDY}")
    return record | {part: renamed(record[part]) for part in ("row", "info") if part in record}


def slug(text: str) -> str:
    """A file name from the name of a group."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "group"

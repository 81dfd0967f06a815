"""A run's folder: one atomic file per finished cell, the instances, the gathered table.

    study.toml              the study as it was run
    cells/ab/abcd....json.gz    one record per cell, written beside and renamed
    instances/<sha>.json.gz     what was solved, so that the folder explains itself
    keys.json               the cells of the study
    skipped.json            cells that cannot run here, and why
    rows.parquet            all rows, gathered

A process killed at any moment leaves whole files only, so a run resumes where it stopped.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from satedge.bench.run.rows import from_records, ordered, read_parquet, write_parquet
from satedge.bench.study.study_file import part_name
from satedge.problem.instance import Instance
from satedge.problem.io.files import read_instance, write_instance


class StoreError(ValueError):
    """A file of a run's folder is missing or damaged."""


class Store:
    """The folder of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cells = root / "cells"
        self.instances = root / "instances"

    def make(self) -> Store:
        """Create the folders. Raises StoreError when that is not possible."""
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
            self.instances.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self.root}: {error.strerror}") from error
        return self

    def finished(self) -> set[str]:
        """Keys of the cells that are done. Files appear whole, so a name is proof enough."""
        return {path.name.removesuffix(".json.gz") for path in self.cells.glob("??/*.json.gz")}

    def write(self, record: dict[str, Any]) -> None:
        """Keep a record: it appears whole or not at all."""
        text = json.dumps(record, separators=(",", ":")).encode()
        write_atomically(self._path(record["row"]["key"]), gzip.compress(text, 5, mtime=0))

    def read(self, key: str) -> dict[str, Any]:
        """One record. Raises StoreError."""
        path = self._path(key)
        try:
            record: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
            record["row"]["key"]
        except FileNotFoundError:
            raise StoreError(f"{path}: no such cell") from None
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path}: damaged ({error}); delete it and the cell runs again"
            ) from None
        return record

    def drop(self, keys: Iterable[str]) -> None:
        """Forget cells, so that they run again; the gathered table forgets them too."""
        (self.root / "rows.parquet").unlink(missing_ok=True)
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def records(self) -> Iterator[dict[str, Any]]:
        """All records, in the order of their keys."""
        for key in sorted(self.finished()):
            yield self.read(key)

    def keep_instance(self, instance: Instance) -> None:
        """Store an instance once."""
        path = self._instance_path(instance.content_sha256)
        if not path.exists():
            write_instance(instance, path)

    def instance(self, sha256: str) -> Instance:
        """A stored instance by its hash. Raises FileError."""
        return read_instance(self._instance_path(sha256))

    def write_text(self, name: str, text: str) -> Path:
        """A text file at the top of the folder, atomically."""
        path = self.root / name
        write_atomically(path, text.encode())
        return path

    def skipped(self) -> list[dict[str, Any]]:
        """Rows of the cells that could not run when the study ran last."""
        path = self.root / "skipped.json"
        return list(json.loads(path.read_text())) if path.exists() else []

    def gather(self) -> pd.DataFrame:
        """Rows of the study's cells; only new cells are read, the rest is gathered.

        Cells of earlier forms of the study stay in the folder and are left out.
        """
        path = self.root / "rows.parquet"
        known = read_parquet(path) if path.exists() else from_records([])
        keys = self.finished()
        rows = known[known["key"].isin(keys)]
        new = sorted(keys - set(rows["key"]))
        if new or len(rows) < len(known):
            rows = pd.concat([rows, from_records([self.read(key)["row"] for key in new])])
            write_atomically(path, write_parquet(rows))
        rows = pd.concat([rows, from_records(self.skipped())])
        wanted = self.root / "keys.json"
        if wanted.exists():
            rows = rows[rows["key"].isin(json.loads(wanted.read_text()))]
        return ordered(rows, self.parts())

    def parts(self) -> list[str]:
        """Names of the study's parts, in its order."""
        path = self.root / "study.toml"
        if not path.exists():
            return []
        study = tomllib.loads(path.read_text("utf-8"))
        return [part_name(part) for part in study.get("part", ())]

    def _path(self, key: str) -> Path:
        return self.cells / key[:2] / f"{key}.json.gz"

    def _instance_path(self, sha256: str) -> Path:
        return self.instances / f"{sha256[:32]}.json.gz"


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with beside.open("xb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def slug(text: str) -> str:
    """A file name from the name of a group."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "group"

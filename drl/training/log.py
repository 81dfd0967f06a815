"""Logs of a training: a CSV file, a progress bar and, if asked for, TensorBoard."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from drl.core.settings import SettingsError
from satedge.problem.io.curve import read_curve, write_curve
from satedge.problem.io.folder import named


@dataclass(frozen=True)
class Row:
    """Figures of one run after one epoch, or after a block of epochs that are played together."""

    epoch: int
    seed: int
    seconds: float
    """Processor time since the row before, of all runs and of every epoch since then."""
    values: dict[str, float]


class Log:
    """curve.csv in long form (epoch, seed, figure, value), continued after `start` epochs."""

    def __init__(
        self,
        folder: Path,
        epochs: int,
        title: str,
        start: int,
        progress: bool,
        tensorboard: bool,
        n_slots: int = 100,
    ) -> None:
        """`n_slots` are those of an episode, for the speed on the bar."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._n_slots, self._told = folder / "curve.csv", n_slots, start
        _cut(self.path, start)
        self._file = open(self.path, "a", newline="")  # noqa: SIM115
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._board = _summary_writer(folder) if tensorboard else None
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        self._bar = Progress(*columns, disable=not progress)
        self._task = self._bar.add_task(title, total=epochs, completed=start, figures="")

    def __enter__(self) -> Log:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        with named(self.path):
            self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, rows: list[Row]) -> None:
        """One row a run, all of the same epoch: the sum of all `seconds` is the training's time."""
        for row in rows:
            for name, value in {"seconds": row.seconds, **row.values}.items():
                with named(self.path):
                    self._csv.writerow((row.epoch, row.seed, name, f"{value:.7g}"))
                if self._board is not None:
                    self._board.add_scalar(f"seed-{row.seed}/{name}", value, row.epoch)
        self._bar.update(self._task, completed=rows[0].epoch, figures=self._headline(rows))
        self._told = rows[0].epoch

    def flush(self) -> None:
        """Make sure that what was written is on disk."""
        with named(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def _headline(self, rows: list[Row]) -> str:
        def mean(name: str) -> float:
            return sum(row.values[name] for row in rows) / len(rows)

        slots = len(rows) * (rows[0].epoch - self._told) * self._n_slots
        speed = slots / max(rows[0].seconds, 1e-9)
        return (
            f"reward {mean('reward'):.3f}  cost {mean('cost'):.2f}  "
            f"misses {mean('misses'):.2f}/slot  {speed:.0f} slots/s"
        )


def _cut(path: Path, epoch: int) -> None:
    """Leave an earlier log's rows up to an epoch: later ones were after its checkpoint, and a
    killed process may have left half a row. At every moment the old file is there or the new."""
    old = read_curve(path, whole=False) if epoch > 0 and path.exists() else []
    write_curve(path, [row for row in old if row.epoch <= epoch])


def _summary_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise SettingsError(
            "tensorboard is not installed: allowed is a training without it, or pip install "
            "'satedge[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder))

"""Logs of trainings: CSV files in long form, a row for each figure of each run and epoch.

Written while a learner trains, cut where it resumes, thinned for the library of policies, and read
by reports; all by this one reader.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from satedge.problem.fields import NUMBER
from satedge.problem.io.folder import write_atomically
from satedge.problem.io.jsonfile import FileError, read_text, reason, shown

HEADER = ("epoch", "seed", "figure", "value")

#: Epochs and seeds; figures that diverged are no numbers, but are told.
_WHOLE = re.compile("[0-9]{1,16}")
_DIVERGED = ("nan", "inf", "-inf")


class Row(NamedTuple):
    """One figure of one run after one epoch."""

    epoch: int
    seed: int
    figure: str
    text: str
    """The value as it is written."""

    @property
    def value(self) -> float:
        return float(self.text)


def read_curve(path: Path, whole: bool = True) -> list[Row]:
    """The rows of a log. Raises FileError with line and value.

    `whole` = False leaves out a last line without its end: a killed process wrote half of it.
    """
    try:
        text = read_text(path)
        if not whole:
            text = text[: text.rfind("\n") + 1]
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        if not lines or tuple(lines[0]) != HEADER:
            raise FileError(f"line 1: allowed is {','.join(HEADER)}")
        return [_row(number, line) for number, line in enumerate(lines[1:], 2)]
    except (FileError, csv.Error) as error:
        raise FileError(f"{path}: {reason(error)}") from None


def _row(number: int, cells: list[str]) -> Row:
    if len(cells) != len(HEADER):
        raise FileError(f"line {number} has {len(cells)} columns: allowed is {len(HEADER)}")
    epoch, seed, figure, value = cells
    for name, text in (("epoch", epoch), ("seed", seed)):
        if _WHOLE.fullmatch(text) is None:
            raise FileError(f"line {number}: {name} = {shown(text)}: allowed is a whole number")
    if not (NUMBER.fullmatch(value) or value in _DIVERGED):
        raise FileError(f"line {number}: value = {shown(value)}: allowed is a number")
    return Row(int(epoch), int(seed), figure, value)


def write_curve(path: Path, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write a log, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())

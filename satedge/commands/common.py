"""Shared by the commands: options, output, and reading KEY=VALUE."""

from __future__ import annotations

import json
import re
import reprlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from satedge.commands import completion

if TYPE_CHECKING:
    from rich.console import Console

    from satedge.bench.report.tables import Table
    from satedge.problem.instance import Instance
    from satedge.problem.scenario import Scenario

#: The greatest seed: tables hold numbers as floats, and it is still exact there.
MOST = 2**53 - 1


def whole(*names: str, help: str, low: int = 0, high: int = MOST) -> Any:
    """An option that takes a whole number in plain digits within a range."""
    return typer.Option(*names, parser=_number(int, low, high), metavar="INTEGER", help=help)


def real(*names: str, help: str, low: float, high: float) -> Any:
    """An option that takes a number in plain digits within a range."""
    return typer.Option(*names, parser=_number(float, low, high), metavar="NUMBER", help=help)


def _number(kind: type[int | float], low: float, high: float) -> Callable[[Any], Any]:
    """What makes a text a number: no underscores, no digits of other scripts, no nan."""
    digits = r"[+-]?[0-9]+" if kind is int else r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"

    def parse(given: Any) -> Any:
        plain = not isinstance(given, str) or (re.fullmatch(digits, given) and len(given) < 400)
        value = kind(given) if plain else None
        if value is None or not low <= value <= high:
            what = "a whole number" if kind is int else "a number"
            raise typer.BadParameter(
                f"{reprlib.repr(given)}: allowed is {what} in [{low:g}, {high:g}]"
            )
        return value

    return parse


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Wide = Annotated[bool, typer.Option("--wide", help="Every column, however wide the table.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a scenario field; repeatable.",
        autocompletion=completion.fields,
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        "--preset", "-p", help="Preset of the scenario.", autocompletion=completion.presets
    ),
]
Jobs = Annotated[int, whole("--jobs", "-j", low=1, high=1024, help="Worker processes.")]
InstanceFile = Annotated[Path, typer.Argument(help="Instance, a .json or .json.gz file.")]
OneSlot = Annotated[int | None, whole("--slot", help="Only this slot, counted from 0.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="KEY=VALUE", help="Setting of the method; repeatable."),
]


def console() -> Console:
    """Terminal output; when it is piped, wide enough not to fold tables."""
    from satedge.commands.terminal import Terminal

    return Terminal()


def show(table: Table, wide: bool = False) -> None:
    """Print a table on the terminal, with the columns that fit it; `wide`: with all."""
    from satedge.bench.report.tables import show as shown

    shown(table, console(), wide)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    from satedge.bench.run.record import plain

    print(json.dumps(plain(value), indent=2))


def duration(seconds: float) -> str:
    """A time as text: '40 s', '12 min', '3.5 h'."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """KEY=VALUE texts as a dictionary."""
    found: dict[str, str] = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"{text!r}: allowed is KEY=VALUE", param_hint=option)
        if key.strip() in found:
            raise typer.BadParameter(f"{key.strip()!r}: allowed is once", param_hint=option)
        found[key.strip()] = value.strip()
    return found


def scenario(preset: str, changes: list[str] | None) -> Scenario:
    """A preset with the changes of `--set`."""
    from satedge.problem.scenario import preset as named

    return named(preset, **pairs(changes, "--set"))


def settings(given: list[str] | None) -> dict[str, Any]:
    """Settings of a method: numbers, true/false and lists as in TOML, anything else is text."""
    return {key: _value(text) for key, text in pairs(given, "--setting").items()}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def read(file: Path, slot: int | None) -> Instance:
    """The instance of a file, or one slot of it, UAVs where the instance has them at its start."""
    from satedge.problem.io.files import read_instance

    instance = read_instance(file)
    if slot is None:
        return instance
    if slot >= instance.n_slots:
        raise typer.BadParameter(
            f"{slot}: allowed is 0..{instance.n_slots - 1} in {file}", param_hint="--slot"
        )
    return instance.window(slot, slot + 1)

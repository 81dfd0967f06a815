"""Shared by the commands: options, output, and reading KEY=VALUE."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from satedge.bench.report.tables import Table
    from satedge.problem.instance import Instance

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
InstanceFile = Annotated[Path, typer.Argument(help="Instance, a .json or .json.gz file.")]
OneSlot = Annotated[
    int | None, typer.Option("--slot", min=0, help="Only this slot, counted from 0.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="KEY=VALUE", help="Setting of the method; repeatable."),
]


def console() -> Console:
    """Terminal output; when it is piped, wide enough not to fold tables."""
    import sys

    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def show(table: Table) -> None:
    """Print a table on the terminal."""
    from satedge.bench.report.tables import terminal

    console().print(terminal(table))


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
        found[key.strip()] = value.strip()
    return found


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


def server_name(instance: Instance, server: int) -> str:
    """'uav 1', 'satellite 2', counted from 1; '-' for none."""
    n_uavs = instance.scenario.n_uavs
    if server < 0:
        return "-"
    return f"uav {server + 1}" if server < n_uavs else f"satellite {server - n_uavs + 1}"

"""Declared parameters: a dataclass field with its unit, admissible range, source and prose.

A scenario is only as trustworthy as its constants, so each one is declared once, here in this
form, and the checks, the command line and the reference page all read the same declaration.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from typing import Any


class ScenarioError(ValueError):
    """A parameter is unknown or inadmissible: its name, its value and what is allowed."""


def param(
    default: Any,
    unit: str,
    source: str,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    since: int = 1,
) -> Any:
    """Declare one parameter. `source` cites the paper, or says "open" where it has no value.

    `since` counts the declarations: those of the first stand in every file and every hash, later
    ones only where they differ from their default (`written`), so that what was there before them
    stays valid. A default must therefore leave the model as it was, and may never change: in files
    that leave the field out it would change the world silently.
    """
    metadata = {
        "unit": unit,
        "source": source,
        "doc": doc,
        "low": low,
        "high": high,
        "choices": choices,
        "since": since,
    }
    return dataclasses.field(default=default, metadata=metadata)


def written(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field of this value stands in files and hashes: later ones' defaults do not."""
    return field.metadata["since"] == 1 or bool(value != field.default)


def allowed(field: dataclasses.Field[Any]) -> str:
    """What a field accepts, in words: 'one of ...', 'an integer in [1, 200]', 'a number >= 0'."""
    meta = field.metadata
    if meta["choices"]:
        return "one of " + ", ".join(meta["choices"])
    if isinstance(field.default, tuple):
        return "a comma-separated list of positive integers, without repeats"
    kind = "an integer" if isinstance(field.default, int) else "a number"
    low, high = meta["low"], meta["high"]
    if low is not None and high is not None:
        return f"{kind} in [{low:g}, {high:g}]"
    if low is not None:
        return f"{kind} >= {low:g}"
    return f"{kind} <= {high:g}" if high is not None else kind


def convert(field: dataclasses.Field[Any], value: Any) -> Any:
    """`value` (text from a command line, or a JSON value) as the field's type, checked.

    Raises ScenarioError naming field, value and what is allowed.
    """
    try:
        result = _typed(field, value)
    except (TypeError, ValueError, OverflowError):
        raise refuse(field, value) from None
    meta = field.metadata
    if meta["choices"] and result not in meta["choices"]:
        raise refuse(field, value)
    if isinstance(result, (int, float)):
        low, high = meta["low"], meta["high"]
        if (low is not None and result < low) or (high is not None and result > high):
            raise refuse(field, value)
    return result


def _typed(field: dataclasses.Field[Any], value: Any) -> Any:
    default = field.default
    if isinstance(default, str):
        if not isinstance(value, str):
            raise TypeError
        return value
    if isinstance(default, tuple):
        items = value.split(",") if isinstance(value, str) else list(value)
        numbers = tuple(_integer(item) for item in items)
        if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
            raise ValueError
        return numbers
    if isinstance(default, int):
        return _integer(value)
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str):
        return int(value)
    number = int(value)
    if number != value:
        raise ValueError
    return number


def refuse(field: dataclasses.Field[Any], value: Any) -> ScenarioError:
    """The error for a bad value of a field."""
    unit = field.metadata["unit"]
    suffix = f" ({unit})" if unit not in ("", "-") else ""
    return ScenarioError(f"{field.name} = {value!r}: allowed is {allowed(field)}{suffix}")


def unknown(name: str, known: list[str]) -> ScenarioError:
    """The error for a name that is no parameter, with the nearest names."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return ScenarioError(f"unknown parameter {name!r}{hint} (see `satedge scenario`)")

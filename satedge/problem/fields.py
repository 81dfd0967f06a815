"""Declared fields: frozen dataclasses whose every field tells its unit, range, source and meaning.

A number is only as trustworthy as its declaration, so each is declared once, here in this form, and
the checks, the command line, the schema and the reference all read the same declaration.
`declared` makes such a class with pydantic: values are checked where an object is made, without
conversions that could hide a mistake (no text or boolean for a number, no 3.0 for an integer), and
whatever is wrong is one line: `field = value: allowed is ... (unit)`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import re
import types
from collections.abc import Callable, Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np
import pydantic
from pydantic.dataclasses import dataclass

T = TypeVar("T")

_STRICT = pydantic.ConfigDict(
    strict=True,
    extra="forbid",
    allow_inf_nan=False,
    validate_default=True,
    arbitrary_types_allowed=True,
)

#: Digits of numbers in texts: ASCII, without underscores.
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

#: Longest value that a message repeats.
_LONGEST = 120


class FieldError(ValueError):
    """A field is unknown, or its value is not allowed."""


def param(
    default: Any = dataclasses.MISSING,
    unit: str = "-",
    source: str = "",
    doc: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    since: int = 1,
) -> Any:
    """Declare one field. `source` cites the paper, or says "open" where it has no value.

    Values lie in [low, high], or beyond `above` and `below`; choices are a Literal type. Numbers
    are finite, those of type Extended need not be.

    `since` counts the declarations: fields of the first stand in every file and every hash, later
    ones only where they differ from their default (`written`), so that what was there before them
    stays valid. A default must therefore leave the model as it was, and may never change: in files
    that leave the field out it would change the world silently.
    """
    ends = {"ge": low, "le": high, "gt": above, "lt": below}
    meta = {"unit": unit, "source": source, "doc": doc, "since": since}
    meta |= {name: end for name, end in ends.items() if end is not None}
    if isinstance(default, (dict, list)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


class Declared:
    """What every class made by `declared` can do."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def replace(self, /, **changes: Any) -> Self:
        """A copy with some fields changed, checked like any other."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """What stands in files and hashes (see `param`), as JSON values."""
        values = {f: getattr(self, f.name) for f in dataclasses.fields(self)}
        named = {f.name: value for f, value in values.items() if written(f, value)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in named.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Fields that are missing have their defaults."""
        return cls(**values)


@dataclass_transform(frozen_default=True)
def declared(
    error: type[ValueError] = FieldError, noun: str = "field", listing: str = ""
) -> Callable[[type[T]], type[T]]:
    """A frozen dataclass of declared fields that raises `error` for what it does not allow.

    Messages call a field a `noun`; a name that is none is answered with the nearest ones and
    `listing`, where all can be seen, or with all.
    """

    def make(cls: type[T]) -> type[T]:
        made: Any = dataclass(cls, frozen=True, config=_STRICT)
        hints = get_type_hints(made, include_extras=True)
        for field in dataclasses.fields(made):
            field.type = hints[field.name]
        names = [field.name for field in dataclasses.fields(made)]
        init = made.__init__

        @functools.wraps(init)
        def checked(self: Any, /, *args: Any, **kwargs: Any) -> None:
            given = {n: _plain(v) for n, v in kwargs.items()}
            try:
                init(self, *map(_plain, args), **given)
            except pydantic.ValidationError as problem:
                given |= dict(zip(names, args, strict=False))
                raise error(_told(made, problem, given, noun, listing)) from None

        made.__init__ = checked
        return cast("type[T]", made)

    return make


def _plain(value: Any) -> Any:
    """numpy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _told(
    cls: Any, problem: pydantic.ValidationError, given: Mapping[str, Any], noun: str, listing: str
) -> str:
    """The first error as one line; of several, names that are no fields come first."""
    errors = problem.errors(include_url=False)
    first = min(errors, key=lambda e: e["type"] != "unexpected_keyword_argument")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    place = first["loc"][0] if first["loc"] else ""
    name = list(fields)[place] if isinstance(place, int) and place < len(fields) else str(place)
    if first["type"] == "unexpected_keyword_argument":
        return unknown(name, list(fields), noun, listing)
    if first["type"] == "missing":
        return f"{name} is missing: allowed is {allowed(fields[name])}"
    cause = first.get("ctx", {}).get("error")
    if name not in given:  # of no field, or of several together
        return str(cause or first["msg"])
    return refusal(fields[name], given[name], "" if cause is None else str(cause))


def refusal(field: dataclasses.Field[Any], value: Any, rule: str = "") -> str:
    """What is said of a bad value: `rule`, or what the field allows."""
    unit, text = field.metadata.get("unit", "-"), repr(value)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    suffix = "" if unit == "-" else f" ({unit})"
    return f"{field.name} = {text}: allowed is {rule or allowed(field)}{suffix}"


def unknown(name: str, known: list[str], noun: str, listing: str = "") -> str:
    """What is said of a name that is none of the known: the nearest, and where all are."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    if listing:
        return f"unknown {noun} {name!r}{hint} (see {listing})"
    return f"unknown {noun} {name!r}; allowed: {', '.join(known)}{hint}"


def written(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a field of this value stands in files and hashes: later ones' defaults do not."""
    return field.metadata.get("since", 1) == 1 or bool(value != field.default)


# --- types


@dataclasses.dataclass(frozen=True)
class Wording:
    """What a type accepts, in words; part of an Annotated type."""

    words: str


def as_tuple(value: Any) -> Any:
    """Lists, as JSON and TOML have them, for tuples."""
    return tuple(value) if isinstance(value, list) else value


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError(DISTINCT.words)
    return value


def _widths(value: tuple[int, ...]) -> tuple[int, ...]:
    if not 0 < len(value) <= 16 or not 1 <= min(value) <= max(value) <= 8192:
        raise ValueError("1 to 16 widths, each from 1 to 8192")
    return value


def _real(value: float) -> float:
    if math.isnan(value):
        raise ValueError("a number")
    return value


DISTINCT = Wording("a comma-separated list of positive integers, without repeats")

_Positive = Annotated[int, pydantic.Field(ge=1)]

#: Numbers, and both infinities.
Extended = Annotated[float, pydantic.Field(allow_inf_nan=True), pydantic.AfterValidator(_real)]

#: Different positive integers, at least one.
Distinct = Annotated[
    tuple[_Positive, ...],
    pydantic.Field(min_length=1),
    pydantic.BeforeValidator(as_tuple),
    pydantic.AfterValidator(_distinct),
    DISTINCT,
]

#: Widths of layers, at least one.
Widths = Annotated[
    tuple[int, ...],
    pydantic.BeforeValidator(as_tuple),
    pydantic.AfterValidator(_widths),
    Wording("a list of whole numbers, such as [256, 256]"),
]


def _bare(kind: Any) -> tuple[Any, str]:
    """A type without None and annotations, and its wording."""
    if get_origin(kind) is Annotated:
        inner, words = _bare(get_args(kind)[0])
        own = [part.words for part in kind.__metadata__ if isinstance(part, Wording)]
        return inner, own[-1] if own else words
    if get_origin(kind) in (Union, types.UnionType):
        return _bare(next(part for part in get_args(kind) if part is not types.NoneType))
    return kind, ""


def kind_of(field: dataclasses.Field[Any]) -> Any:
    """The type of a field in the plainest terms: int, float, bool, str, dict, tuple, Literal."""
    kind, _ = _bare(field.type)
    return get_origin(kind) or kind


def choices(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The words that a field chooses from; empty where it is no choice."""
    kind, _ = _bare(field.type)
    return get_args(kind) if get_origin(kind) is Literal else ()


def allowed(field: dataclasses.Field[Any]) -> str:
    """What a field accepts, in words: 'one of ...', 'an integer in [1, 200]', 'a number > 0'."""
    _, words = _bare(field.type)
    if words:
        return words
    if choices(field):
        return "one of " + ", ".join(choices(field))
    kind = _KINDS.get(kind_of(field), "a value of another type")
    return f"{kind}{_interval(field.metadata)}"


_KINDS = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a text",
    dict: "a table",
    tuple: "a list",
}


def _interval(meta: Mapping[str, Any]) -> str:
    """' in [0, 1)', ' >= 0', ' > 0', ' <= 1', or nothing."""
    low, high = meta.get("ge", meta.get("gt")), meta.get("le", meta.get("lt"))
    if low is not None and high is not None:
        opens, closes = "[" if "ge" in meta else "(", "]" if "le" in meta else ")"
        return f" in {opens}{low:g}, {high:g}{closes}"
    if low is not None:
        return f" {'>=' if 'ge' in meta else '>'} {low:g}"
    return "" if high is None else f" {'<=' if 'le' in meta else '<'} {high:g}"


def parsed(field: dataclasses.Field[Any], text: str) -> Any:
    """What a text of the command line means to a field; the text itself where it means nothing."""
    kind, bare = kind_of(field), text.strip()
    if kind is int and _INTEGER.fullmatch(bare):
        return int(bare)
    if kind is float and NUMBER.fullmatch(bare):
        return float(bare)
    if kind is bool:
        return {"true": True, "false": False}.get(bare, text)
    if kind is tuple:
        items = [item.strip() for item in bare.split(",")]
        return tuple(map(int, items)) if all(map(_INTEGER.fullmatch, items)) else text
    return text

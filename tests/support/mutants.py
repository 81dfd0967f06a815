"""Seeded damage to files: to what JSON says, to lines and characters of a text, to bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

#: What stands where something else was: of other types, out of range, hard to hold or to print.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3.5, -0.5, 1e308, 5e-324, float("nan"), float("inf"),
    2**53 + 1, 2**63, -(2**64), 10**400, "", "1", "1_0", "١٢", "nan", "-", "x" * 5000, "a\nb",
    "\x00", "\x1b[31m", "\ud800", "[/b]", "=1+1", "../../x", [], [[]], [None], {}, {"a": 1},
    [1, 2, 3], "2025-07-16T12:00:00", "general", "paper", "0-99999999999",
)  # fmt: skip

#: What is put into a text.
TOKENS = (
    "1_0", "١", "²", "nan", "-inf", "1e999", "9" * 400, "-", "+", ".", ",", ";", '"', "'", "\\",
    "\n", "\r", "\t", "\x00", "\x1b[2J", "\u2028", "\ufeff", "\xa0", "é", "[", "]", "{", "}", "=",
    "#", "0", "1", "9", " ", "  ", "true", "null", "[[", "]]", "\n1 ", "\n2 ", "\n\n", "e5", "-0",
)  # fmt: skip

Damage = Callable[[random.Random, str], str]


def of_json(rng: random.Random, text: str) -> str:
    """One to three changes of what a JSON text says."""
    whole = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        _change(rng, whole)
    return json.dumps(whole)


def _change(rng: random.Random, whole: Any) -> None:
    """Change one place of nested lists and objects, in place."""
    inside = whole
    while True:
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        if not keys:
            return
        key = rng.choice(keys)
        value = inside[key]
        if not isinstance(value, (dict, list)) or not value or rng.random() < 0.15:
            break
        inside = value
    kind = rng.choice(["replace", "replace", "scale", "scale", "remove", "repeat", "swap", "name"])
    if kind == "remove":
        del inside[key]
    elif kind == "scale" and type(value) in (int, float) and abs(value) < 1e300:
        inside[key] = value * rng.choice([-1, 0, 2, 1.5, 1 + 1e-15, 10.0**30]) + rng.choice([0, 1])
    elif kind == "repeat" and isinstance(inside, list):
        inside.insert(key, copy.deepcopy(value))
    elif kind == "swap":
        other = rng.choice(keys)
        inside[key], inside[other] = inside[other], value
    elif kind == "name" and isinstance(inside, dict):
        inside[rng.choice([f"{key}x", key.upper(), "", "extra", key[:-1]])] = inside.pop(key)
    else:
        inside[key] = copy.deepcopy(rng.choice(VALUES))


def of_text(rng: random.Random, text: str) -> str:
    """One to three changes of lines, numbers and characters."""
    for _ in range(rng.randint(1, 3)):
        text = rng.choice(_TEXT)(rng, text) if text else rng.choice(TOKENS)
    return text


def _span(rng: random.Random, text: str, most: int = 12) -> tuple[int, int]:
    start = rng.randrange(len(text))
    return start, min(len(text), start + rng.randint(1, most))


def _insert(rng: random.Random, text: str) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice(TOKENS) + text[at:]


def _replace(rng: random.Random, text: str) -> str:
    start, stop = _span(rng, text, 3)
    return text[:start] + rng.choice(TOKENS) + text[stop:]


def _remove(rng: random.Random, text: str) -> str:
    start, stop = _span(rng, text)
    return text[:start] + text[stop:]


def _repeat(rng: random.Random, text: str) -> str:
    start, stop = _span(rng, text, 80)
    return text[:stop] + text[start:stop] * rng.randint(1, 3) + text[stop:]


def _digit(rng: random.Random, text: str) -> str:
    places = [i for i, c in enumerate(text) if c in "0123456789"]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + rng.choice("0123456789") + text[at + 1 :]


def _line(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    kind = rng.choice(["remove", "repeat", "swap"])
    if kind == "remove":
        del lines[at]
    elif kind == "repeat":
        lines.insert(rng.randint(0, len(lines)), lines[at])
    else:
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    return "".join(lines)


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randint(0, len(text))]


_TEXT: tuple[Damage, ...] = (_insert, _replace, _remove, _repeat, _digit, _digit, _line, _cut)


def of_bytes(rng: random.Random, data: bytes) -> bytes:
    """A flipped bit, a byte more, a byte less, an end cut off, or something quite different."""
    kind = rng.choice(["flip", "flip", "more", "less", "cut", "junk"])
    at = rng.randrange(len(data))
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if kind == "more":
        return data[:at] + rng.randbytes(rng.randint(1, 4)) + data[at:]
    if kind == "less":
        return data[:at] + data[at + rng.randint(1, 4) :]
    return data[:at] if kind == "cut" else rng.randbytes(rng.randint(0, 64))

"""For the Python reference: descriptions of fields that have no docstring.

mkdocstrings reads sources without running them. For fields declared by `param` and `array` it would
print the whole declaration, and for fields explained by a comment on their line nothing.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import griffe

#: What is told of a declared field, and how.
_TOLD = {"doc": "{}", "unit": " Unit: {}.", "source": " Source: {}."}


@cache
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


class DeclaredFields(griffe.Extension):
    """Gives such fields a default and a description."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Read the declaration, or the comment on the field's line."""
        call = attr.value if isinstance(attr.value, griffe.ExprCall) else None
        given = [a for a in call.arguments if not isinstance(a, griffe.ExprKeyword)] if call else []
        if call and str(call.function) == "param":
            named = {a.name: a.value for a in call.arguments if isinstance(a, griffe.ExprKeyword)}
            named |= dict(zip(("default", "unit", "source", "doc"), given, strict=False))
            told = {n: ast.literal_eval(str(named[n])) for n in named.keys() & _TOLD.keys()}
            known = {n: text for n, text in told.items() if text not in ("", "-")}
            attr.value = named.get("default")
            self._describe(
                attr, "".join(f.format(known[n]) for n, f in _TOLD.items() if n in known)
            )
        elif call and str(call.function) == "array":
            shape, unit, doc = (ast.literal_eval(str(a)) for a in given)
            attr.value = None
            self._describe(attr, f"({', '.join(shape)}) {doc} Unit: {unit}.")
        elif attr.docstring is None and attr.lineno and isinstance(attr.filepath, Path):
            _, mark, comment = _lines(attr.filepath)[attr.lineno - 1].partition("  # ")
            if mark and not comment.startswith(("type:", "noqa")):
                self._describe(attr, f"{comment[0].upper()}{comment[1:]}.")

    @staticmethod
    def _describe(attr: griffe.Attribute, text: str) -> None:
        attr.docstring = griffe.Docstring(text, parent=attr)

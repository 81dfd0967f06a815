"""For the Python reference: fields made by `param` and `array` show their default and meaning.

mkdocstrings reads sources without running them, and would print the whole declaration.
"""

from __future__ import annotations

import ast
from typing import Any

import griffe


class DeclaredFields(griffe.Extension):
    """Reads the declarations of `satedge.problem.fields` and `satedge.problem.instance`."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Put default and description of a declared field where a plain one has them."""
        if not isinstance(attr.value, griffe.ExprCall):
            return
        given = [a for a in attr.value.arguments if not isinstance(a, griffe.ExprKeyword)]
        if str(attr.value.function) == "param":
            attr.value = given[0]
        elif str(attr.value.function) == "array":
            shape, unit, doc = (ast.literal_eval(str(a)) for a in given)
            text = f"({', '.join(shape)}) {doc} Unit: {unit}."
            attr.value, attr.docstring = None, griffe.Docstring(text, parent=attr)

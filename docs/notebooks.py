"""The notebooks: executed without a kernel of Jupyter's, and shown as pages of the site.

    python docs/notebooks.py

executes all of them again and keeps their outputs in the files. Cells hold plain Python and
nothing of IPython's, so that they run anywhere.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "notebooks"

#: How values are asked for what they look like, and the type that this is.
LOOKS = (("_repr_png_", "image/png"), ("_repr_html_", "text/html"))

Notebook = dict[str, Any]


def names() -> list[str]:
    """Of all notebooks, without their ending."""
    return sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name: str) -> Notebook:
    """A notebook as JSON values."""
    found: Notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    return found


def executed(notebook: Notebook) -> Notebook:
    """The notebook with new outputs; its cells run in the current folder and share their names."""
    shared: dict[str, Any] = {"__name__": "__main__"}
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            outputs = _outputs("".join(cell["source"]), f"cell {number}", shared)
            cell = {**cell, "outputs": outputs, "execution_count": None}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _outputs(source: str, place: str, shared: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints, and the value of its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(tree, place, "exec"), shared)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), place, "eval"), shared)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": text})
    if value is not None:
        shown = {"output_type": "execute_result", "execution_count": None, "metadata": {}}
        outputs.append({**shown, "data": _data(value)})
    return outputs


def _data(value: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"text/plain": repr(value).splitlines(keepends=True)}
    for method, kind in LOOKS:
        if hasattr(value, method) and (found := getattr(value, method)()) is not None:
            binary = isinstance(found, bytes)
            text = base64.b64encode(found).decode() if binary else found.splitlines(keepends=True)
            return {kind: text, **data}
    return data


def markdown(name: str) -> str:
    """A notebook as a page."""
    parts = []
    for cell in read(name)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += map(_shown, cell["outputs"])
    file = f'<p><a href="{name}.ipynb" download>This page as a notebook</a></p>'
    return "\n\n".join([*parts, file]) + "\n"


def _shown(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return f"```text\n{''.join(output['text']).rstrip()}\n```"
    data = output["data"]
    if "image/png" in data:
        return f'<img alt="output" src="data:image/png;base64,{data["image/png"]}">'
    if "text/html" in data:
        lines = "".join(data["text/html"]).splitlines()
        return "<div class='output'>" + "".join(line.strip() for line in lines) + "</div>"
    return f"```text\n{''.join(data['text/plain'])}\n```"


def main() -> None:
    """Execute every notebook in a folder of its own, and write its outputs."""
    for name in names():
        here = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                done = executed(read(name))
            finally:
                os.chdir(here)
        text = json.dumps(done, indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{name}.ipynb").write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()

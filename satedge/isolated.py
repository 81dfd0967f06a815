"""Starting a Python that nothing in the current folder can lead astray."""

from __future__ import annotations

import json
import os
import sys

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from importlib import import_module; import_module(sys.argv.pop(1)).main()"
)


def command(module: str, *words: object) -> list[str]:
    """The command that calls `main()` of a module with some words as its arguments.

    Modules are looked for where this process looks, the current folder left out; variables such as
    PYTHONPATH and the user's own site are not asked again.
    """
    places = json.dumps([os.path.abspath(place) for place in sys.path if place])
    return [sys.executable, "-I", "-u", "-c", _BOOT, places, module, *map(str, words)]

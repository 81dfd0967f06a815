"""The name that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """' (did you mean X?)' for messages on unknown names; empty where none is near."""
    near = difflib.get_close_matches(name, list(known), n=most, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""

"""How methods look in every figure: colours, markers and dashes; and axes of powers of ten."""

from __future__ import annotations

import re
from typing import Any

from satedge.bench.methods.table import table
from satedge.drawing.style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY

FAMILIES = {
    "heuristic": GREY,
    "classical": GREEN,
    "bound": PINK,
    "exact": BLUE,
    "learned": RED,
    "user": ORANGE,
}
LINE_COLOURS = (BLUE, ORANGE, GREEN, RED, PINK, SKY, "#8C6D1F", BLACK, GREY)
#: Methods of one colour differ in these, so that no line is told by colour alone.
MARKERS = "os^Dvp*XPh<>"
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (5, 1.5, 1.2, 1.5)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)


def looks_of(methods: list[str]) -> dict[str, tuple[str, str, object]]:
    """Colour, marker and dashes of each method: the same in every figure of a run.

    Learned methods are dashed, others solid. A method under several budgets, "name, 10 s", keeps
    its colour and has dashes of its own for each.
    """
    learned = [m.name for m in table().values() if m.family == "learned"]
    others = [m.name for m in table().values() if m.family != "learned"]
    bases = [_without_budget(m) for m in methods]
    others += [b for b in dict.fromkeys(bases) if b not in table()]
    found: dict[str, tuple[str, str, object]] = {}
    for i, (method, base) in enumerate(zip(methods, bases, strict=True)):
        dashed = base.partition(",")[0] in learned
        rank = (learned if base in learned else others).index(base)
        turn = 2 * (rank // len(LINE_COLOURS)) + dashed + 2 * bases[:i].count(base)
        found[method] = (
            LINE_COLOURS[rank % len(LINE_COLOURS)],
            MARKERS[(rank + 5 * dashed) % len(MARKERS)],
            DASHES[turn % len(DASHES)],
        )
    return found


def _without_budget(method: str) -> str:
    return re.sub(r", [\d.]+ s$", "", method)


def decades(axis: Any) -> None:
    """Plain numbers on a logarithmic axis; 2 and 5 too where it spans few decades."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axis.get_view_interval()
    if low > 0 and high / low < 300:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda v, _: f"{v:g}")

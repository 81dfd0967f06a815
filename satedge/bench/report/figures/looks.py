"""How methods look in every figure: colours, markers and dashes; and axes of powers of ten."""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Collection
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
#: Of lines, far from each other: Okabe and Ito's first, then what lies between them.
LINE_COLOURS = (
    BLUE, ORANGE, GREEN, RED, PINK, SKY, "#8C6D1F", BLACK, GREY, "#4A6FE3", "#A6192E", "#7FBF3F",
    "#00A5B5", "#8B3A8B", "#FF7F6E", "#5D4A9C", "#B5A642", "#6B4226", "#C0A0E0", "#5B7F1E",
    "#E0479E", "#2F6F73", "#9CC5A1", "#F2B6A0",
)  # fmt: skip
#: Lightness of the first and the last of several shades: seen on white and on dark screens.
DARKEST, LIGHTEST = 0.28, 0.72
#: Opacity of intervals about lines: many lie over each other.
SHADE = 0.05
#: Methods differ in these, too, so that no line is told by colour alone.
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
    """Colour, marker and dashes of each method of a figure; no two methods share a colour.

    Methods of the table look the same in every figure. Learned methods are dashed, others solid.
    A method under several budgets, "name, 10 s", keeps its colour and has dashes of its own for
    each.
    """
    bases = [_without_budget(m) for m in methods]
    colours = _colours(list(dict.fromkeys(bases)))
    found: dict[str, tuple[str, str, object]] = {}
    for i, (method, base) in enumerate(zip(methods, bases, strict=True)):
        family = table().get(base.partition(",")[0])
        dashed = family is not None and family.family == "learned"
        rank = list(colours).index(base) if base not in table() else list(table()).index(base)
        turn = dashed + 2 * bases[:i].count(base)
        found[method] = (
            colours[base],
            MARKERS[(rank + 5 * dashed) % len(MARKERS)],
            DASHES[turn % len(DASHES)],
        )
    return found


def _colours(methods: list[str]) -> dict[str, str]:
    """A colour of its own for each: the table's methods have theirs, others what is left."""
    own = dict(zip(table(), _palette(len(table())), strict=True))
    free = [c for c in _palette(len(own) + len(methods)) if c not in {own.get(m) for m in methods}]
    return {m: own[m] if m in own else free.pop(0) for m in methods}


def _palette(count: int) -> list[str]:
    """So many different colours; beyond the chosen ones hues that step by the golden ratio."""
    more = (colorsys.hsv_to_rgb(0.618 * i % 1, 0.55, 0.8) for i in range(count))
    hues = ("#" + "".join(f"{round(255 * part):02X}" for part in colour) for colour in more)
    return [*LINE_COLOURS, *hues][:count]


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


def percents(axis: Any) -> None:
    """Few marks on an axis of percents: 0 and powers of ten from 0.001 on, to both its sides."""
    low, high = axis.get_view_interval()
    top = math.ceil(math.log10(max(high, -low, 1e-2)))
    step = max(1, math.ceil((top + 3) / (6 if low >= 0 else 3)))
    marks = [10.0**p for p in range(-3, top + 1, step)]
    axis.set_ticks([*(-m for m in marks if -m >= low), 0.0, *marks])
    axis.set_ticks([], minor=True)
    axis.set_view_interval(low, high, ignore=True)
    axis.set_major_formatter(lambda v, _: f"{v:g}".replace("-", "\u2212"))


def shades(colour: str, count: int) -> list[str]:
    """So many shades of a colour, from dark to light; alone it is itself."""
    if count == 1:
        return [colour]
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    steps = (DARKEST + (LIGHTEST - DARKEST) * i / (count - 1) for i in range(count))
    found = (colorsys.hls_to_rgb(hue, light, saturation) for light in steps)
    return ["#" + "".join(f"{round(255 * part):02x}" for part in rgb) for rgb in found]


def patch(colour: str, label: str) -> Any:
    """A legend's entry for an area or a family."""
    from matplotlib.patches import Patch

    return Patch(color=colour, label=label, lw=0)


def family_handles(families: Collection[str]) -> list[Any]:
    """Of a legend: the families that a figure has, always in the same order."""
    return [patch(colour, name) for name, colour in FAMILIES.items() if name in families]


def frame(ax: Any, values: Any, room: float = 0.15) -> None:
    """Limits of the vertical axis by the lines: wide intervals of few runs leave the frame."""
    finite = [v for row in values for v in row if v == v]
    if not finite:
        return
    low, high = min(finite), max(finite)
    margin = room * (high - low) or room * abs(high) or 1.0
    ax.set_ylim(low - margin, high + margin)


def counted(names: list[str], counts: list[int]) -> tuple[list[str], str]:
    """Names with the number of runs behind them, and a note where it is the same of all."""
    if len(set(counts)) == 1:
        return names, f"n = {counts[0]} each"
    return [f"{name} (n = {n})" for name, n in zip(names, counts, strict=True)], ""


def note(ax: Any, text: str) -> None:
    """A small remark at the lower right, under an axis."""
    if text:
        ax.annotate(
            text, (1.0, 0.0), xytext=(0, -26), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="top", fontsize=7, color=GREY,
        )  # fmt: skip

"""One look for all figures: legible in print, readable without colour, the same bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satedge.problem.io.folder import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with any colour vision.
BLACK, ORANGE, SKY, GREEN = "#222222", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PINK = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE, FAINT = "#777777", "#C8CCD0", "#ECEEF0"

#: What takes the place of papers, inks and greys where the reader's screen is dark.
DARK = {
    "#ffffff": "#15191d",
    "#fbfbf8": "#1a1f24",
    BLACK: "#e6e9ec",
    GREY: "#a3adb7",
    PALE.lower(): "#5d6771",
    FAINT.lower(): "#2a3138",
}


def _dark_rules() -> str:
    """CSS for SVG files: viewers that do not know it show the light figure."""
    rules = (
        f'[style*="{part}: {light}"] {{ {part}: {dark} !important; }}'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
    return f"@media screen and (prefers-color-scheme: dark) {{ {' '.join(rules)} }}"


_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": BLACK,
    "text.color": BLACK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "satedge",
    "pdf.fonttype": 42,
}

#: Outlines of SVG files, and numbers with more than two decimals in them.
_OUTLINE, _DECIMALS = re.compile(rb'\bd="[^"]*"'), re.compile(rb"-?\d+\.\d{3,}")


@contextmanager
def house() -> Iterator[None]:
    """Draw in the house style."""
    import matplotlib

    with matplotlib.rc_context(_RC):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """A figure that belongs to no window; a notebook shows it as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from satedge.drawing.notebook import Shown

    figure = Shown(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write one file; its ending says which kind. No date inside: same figure, same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix.removeprefix(".")
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=kind, metadata=metadata)
    data = drawn.getvalue()
    if kind == "svg":
        data = _compact(data.replace(b"</style>", f"{_dark_rules()}</style>".encode(), 1))
    write_atomically(path, data)
    return path


def _compact(svg: bytes) -> bytes:
    """The same picture with outlines to a hundredth of a point, each on a line: an eighth less."""

    def shorter(outline: re.Match[bytes]) -> bytes:
        rounded = _DECIMALS.sub(lambda n: f"{float(n[0]):.2f}".encode(), outline[0])
        return b" ".join(rounded.split())

    return _OUTLINE.sub(shorter, svg)


def save_both(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write name.pdf and name.svg, laid out once."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return [save(figure, folder / f"{name}.{kind}") for kind in ("pdf", "svg")]

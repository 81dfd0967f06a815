"""A figure that a notebook shows, whichever backend it has."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

#: Dots per inch of the picture.
DPI = 80


class Shown(Figure):
    """A figure with the picture that notebooks ask for."""

    def _repr_png_(self) -> bytes:
        drawn = io.BytesIO()
        self.savefig(drawn, format="png", dpi=DPI)
        return drawn.getvalue()

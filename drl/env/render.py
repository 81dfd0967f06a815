"""A decided slot as a table of text and as a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from satedge.problem.instance import Instance

if TYPE_CHECKING:
    from drl.env.vector_env import OffloadingBatch, StepResult

_LATE, _IDLE, _SPACE = "tab:red", "0.75", "tab:purple"


@dataclass(frozen=True, eq=False)
class Frame:
    """One slot of one environment, with what was decided if anything was."""

    name: str
    slot: int
    slots: Instance
    """The slot as an instance, T = 1."""
    uav_xy_m: NDArray[np.float64]
    """(M, 2)"""
    result: StepResult | None = None

    @classmethod
    def before(cls, batch: OffloadingBatch) -> Frame:
        """The first environment of a batch before a decision."""
        name = batch.pool.names[batch.instance[0]]
        return cls(name, int(batch.slot[0]), batch.slots, batch.uav_xy_m[0])

    @property
    def server(self) -> NDArray[np.int64]:
        """(K,) Servers decided on, -1 for none."""
        none = np.full(self.slots.scenario.n_devices, -1)
        return none if self.result is None else self.result.plan.server[0]

    @property
    def title(self) -> str:
        """Episode, slot and its figures."""
        head = f"{self.name}, slot {self.slot}"
        if self.result is None:
            return f"{head}: not decided"
        info = self.result.info
        return (
            f"{head}: cost {info['cost'][0]:.4g}, latency {info['latency_s'][0]:.3g} s, "
            f"energy {info['energy_J'][0]:.4g} J, {info['misses'][0]} late"
        )


def slot_text(frame: Frame) -> str:
    """A line for every device."""
    lines = [
        frame.title,
        " device  Mbit words accuracy deadline  server     power  latency   energy",
    ]
    slots = frame.slots
    for k in np.flatnonzero(slots.active[0]):
        request = (
            f"{k:7d} {slots.input_bit[0, k] / 1e6:5.2f} {slots.output_words[0, k]:5d} "
            f"{slots.accuracy_floor[0, k]:8.3f} {slots.deadline_s[0, k]:6.3f} s"
        )
        lines.append(request + _decision(frame, int(k)))
    return "\n".join(lines)


def _decision(frame: Frame, k: int) -> str:
    if frame.result is None:
        return ""
    if frame.server[k] < 0:
        return "  unserved"
    verdict, power_W = frame.result.verdict, frame.result.plan.power_W[0, k]
    late = "  late" if verdict.missed[0, k] else ""
    return (
        f"  {_server_name(frame, k):>6} {power_W:7.1e} W {verdict.latency_s[0, k]:6.3f} s "
        f"{verdict.energy_J[0, k]:6.2f} J{late}"
    )


def _server_name(frame: Frame, k: int) -> str:
    m = frame.slots.scenario.n_uavs
    server = frame.server[k]
    return f"UAV{server}" if server < m else f"SAT{server - m}"


def slot_map(frame: Frame) -> NDArray[np.uint8]:
    """Devices, UAVs with their coverage, and who sends where: (600, 600, 3) RGB.

    Devices that send to a satellite are triangles, late ones are ringed, idle ones grey.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    s = frame.slots.scenario
    figure = Figure(figsize=(6, 6), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for m, (x, y) in enumerate(frame.uav_xy_m):
        axes.add_patch(Circle((x, y), s.uav_coverage_m, color=f"C{m % 8}", alpha=0.07))
        axes.plot(x, y, "s", color=f"C{m % 8}", markersize=9)
        axes.annotate(f"UAV{m}", (x, y), xytext=(6, 6), textcoords="offset points", fontsize=8)
    for k, (x, y) in enumerate(frame.slots.device_xy_m[0]):
        colour, marker = _look(frame, k)
        if 0 <= frame.server[k] < s.n_uavs:
            ux, uy = frame.uav_xy_m[frame.server[k]]
            axes.plot([x, ux], [y, uy], color=colour, linewidth=1)
        late = frame.result is not None and frame.result.verdict.missed[0, k]
        axes.plot(x, y, marker, color=colour, markeredgecolor=_LATE if late else colour)
    axes.set(xlim=(0, s.area_side_m), ylim=(0, s.area_side_m), xlabel="x (m)", ylabel="y (m)")
    axes.set_title(frame.title, fontsize=8)
    axes.set_aspect("equal")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _look(frame: Frame, k: int) -> tuple[str, str]:
    """Colour and marker of a device."""
    if not frame.slots.active[0, k]:
        return _IDLE, "o"
    server = frame.server[k]
    if server >= frame.slots.scenario.n_uavs:
        return _SPACE, "^"
    return (f"C{server % 8}" if server >= 0 else "black"), "o"

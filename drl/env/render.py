"""A decided slot as a table of text and as a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from satedge.drawing import style
from satedge.drawing.figure import draw_map, pixels
from satedge.drawing.slot_map import Device, SlotMap, slot_map
from satedge.problem.instance import Instance

if TYPE_CHECKING:
    from drl.env.vector_env import OffloadingBatch, StepResult

#: Dots per inch of a frame.
DPI = 100


@dataclass(frozen=True, eq=False)
class Frame:
    """One slot of one environment, with what was decided if anything was."""

    name: str
    slot: int
    slots: Instance
    """The slot as an instance, T = 1."""
    before_xy_m: NDArray[np.float64]
    """(M, 2) UAVs before the decision."""
    result: StepResult | None = None

    @classmethod
    def before(cls, batch: OffloadingBatch) -> Frame:
        """The first environment of a batch before a decision."""
        name = batch.pool.names[batch.instance[0]]
        return cls(name, int(batch.slot[0]), batch.slots, batch.uav_xy_m[0])

    @property
    def title(self) -> str:
        """Episode and slot."""
        return f"{self.name}, slot {self.slot}"

    def map(self) -> SlotMap:
        """What is drawn of it."""
        instance = self.slots.rows(slice(0, 1), self.before_xy_m, self.title)
        if self.result is None:
            return slot_map(instance, None, 0)
        return slot_map(instance, self.result.plan, 0, self.result.verdict)


def slot_text(frame: Frame) -> str:
    """A line for every device with a request."""
    slots, shown = frame.slots, frame.map()
    lines = [
        f"{frame.title}: {shown.summary or 'not decided'}",
        " device  Mbit words accuracy deadline  server     power  latency   energy",
    ]
    for k, device in enumerate(shown.devices):
        if device.state != "idle":
            request = (
                f"{device.name:>7} {slots.input_bit[0, k] / 1e6:5.2f} "
                f"{slots.output_words[0, k]:5d} {slots.accuracy_floor[0, k]:8.3f} "
                f"{slots.deadline_s[0, k]:6.3f} s"
            )
            lines.append(request + _decision(frame, device, k))
    return "\n".join(lines)


def _decision(frame: Frame, device: Device, k: int) -> str:
    if frame.result is None:
        return ""
    if device.state == "refused":
        return "  refused"
    verdict, n_uavs = frame.result.verdict, frame.slots.scenario.n_uavs
    up = device.server >= n_uavs
    server = f"SAT {device.server - n_uavs}" if up else f"UAV {device.server}"
    return (
        f"  {server:>6} {device.power_W:7.1e} W {verdict.latency_s[0, k]:6.3f} s "
        f"{verdict.energy_J[0, k]:6.2f} J" + "  missed" * device.deadline_miss
    )


def slot_image(frame: Frame) -> NDArray[np.uint8]:
    """The map of the slot: (760, 640, 3) RGB."""
    with style.house():
        image: NDArray[np.uint8] = pixels(draw_map(frame.map(), frame.title), DPI)
    return image

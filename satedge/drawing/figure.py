"""A map of one slot: devices, UAVs before and after, links with their powers, the sky above."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from satedge.drawing import style
from satedge.drawing.slot_map import Device, Satellite, SlotMap, Uav, slot_map
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGEND = (
    "line width: power · black ring: deadline missed · cross: refused · hollow: idle\n"
    "faint: UAV before moving · thin: its path so far · dashed: its coverage"
)


def save_map(instance: Instance, plan: Plan, slot: int, path: Path) -> Path:
    """Draw one slot into a file (.svg, .pdf, .png)."""
    if path.suffix not in (".svg", ".pdf", ".png"):
        raise OSError(f"{path}: allowed is a name that ends in .svg, .pdf or .png")
    with style.house():
        return style.save(draw_map(slot_map(instance, plan, slot), title_of(instance, slot)), path)


def title_of(instance: Instance, slot: int) -> str:
    """What is shown: the instance, and which of its slots."""
    return f"{instance.name}, slot {slot}"


def draw_map(shown: SlotMap, title: str) -> Figure:
    """The map of a slot as a figure of its own; to be called in the house style."""
    figure = style.new_figure(6.4, 7.6)
    sky, ground = figure.subplots(2, 1, height_ratios=(1.0, 5.2))
    draw_slot(sky, ground, shown)
    sky.set_title(title)
    return figure


def draw_slot(sky: Axes, ground: Axes, shown: SlotMap) -> None:
    """Draw into two axes: the sky as elevations, the ground as the area seen from above."""
    _draw_area(ground, shown)
    for m, uav in enumerate(shown.uavs):
        _draw_uav(ground, shown, uav, shown.colours[m])
    _draw_sky(sky, shown)
    for device in shown.devices:
        _draw_device(ground, shown, device)
    ground.set_xlabel(shown.summary, labelpad=7)
    ground.text(0.5, -0.125, LEGEND, transform=ground.transAxes, ha="center", va="top",
                fontsize=6.8, color=style.GREY)  # fmt: skip


def _draw_area(ax: Axes, shown: SlotMap) -> None:
    side = shown.side_m
    ax.set_facecolor("#FBFBF8")
    ax.set(xlim=(0, side), ylim=(0, side), aspect="equal", ylabel="m")
    ax.set_xticks(np.linspace(0, side, 6))
    ax.set_yticks(np.linspace(0, side, 6))
    for spine in ax.spines.values():
        spine.set_visible(True)


def _draw_uav(ax: Axes, shown: SlotMap, uav: Uav, colour: str) -> None:
    from matplotlib.patches import Circle

    if uav.trail_m:
        ax.plot(*zip(*uav.trail_m, strict=True), color=colour, lw=1.0, alpha=0.45, zorder=1)
    cover = Circle(uav.xy_m, shown.coverage_m, lw=0.9, ls=(0, (4, 3)))
    cover.set(facecolor=colour + "0D" if uav.serves else "none", edgecolor=colour + "80")
    ax.add_patch(cover)
    if uav.moved:
        _drone(ax, uav.before_xy_m, colour, 0.28)
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.4, "shrinkA": 9, "shrinkB": 10}
        ax.annotate("", uav.xy_m, uav.before_xy_m, arrowprops=arrow, zorder=4)
    _drone(ax, uav.xy_m, colour, 1.0)
    busy = [d.xy_m for d in shown.devices if d.state != "idle"]
    _label_uav(ax, uav, np.array([*busy, uav.before_xy_m]), colour)


def _label_uav(ax: Axes, uav: Uav, others: Any, colour: str) -> None:
    """The name on whichever side has most room."""
    sides = {(0, 12): "bottom", (0, -12): "top", (14, 0): "center", (-14, 0): "center"}
    reach = 0.08 * ax.get_xlim()[1]

    def room(side: tuple[int, int]) -> float:
        place = np.array(uav.xy_m) + reach * np.sign(side)
        return float(np.hypot(*(others - place).T).min(initial=np.inf))

    side = max(sides, key=room)
    ax.annotate(
        uav.name,
        uav.xy_m,
        xytext=side,
        textcoords="offset points",
        ha={0: "center", 14: "left", -14: "right"}[side[0]],
        va=sides[side],
        fontsize=8,
        fontweight="bold",
        color=colour,
        zorder=6,
        path_effects=_halo(),
    )


def _drone(ax: Axes, at: Any, colour: str, alpha: float) -> None:
    """Four rotors and a body, of one size on paper whatever the area."""
    from matplotlib.lines import Line2D
    from matplotlib.offsetbox import AnnotationBbox, DrawingArea
    from matplotlib.patches import Circle, Rectangle

    box = DrawingArea(20, 20, 0, 0)
    low, high = 3.6, 16.4
    for ends in ((low, high), (high, low)):
        box.add_artist(Line2D((low, high), ends, color=colour, alpha=alpha, lw=2))
    for x, y in ((low, low), (high, low), (low, high), (high, high)):
        box.add_artist(Circle((x, y), 3.2, fc="white", ec=colour, lw=1.4, alpha=alpha))
    box.add_artist(Rectangle((7, 7), 6, 6, color=colour, alpha=alpha, lw=0))
    ax.add_artist(AnnotationBbox(box, tuple(at), frameon=False, pad=0, zorder=5))


def _draw_device(ax: Axes, shown: SlotMap, device: Device) -> None:
    at = device.xy_m
    if device.state == "idle":
        ax.plot(*at, "o", ms=5, mfc="white", mec=style.PALE, mew=1.2, zorder=6)
    elif device.state == "refused":
        ax.plot(*at, "X", ms=9, color=style.BLACK, zorder=7)
    elif device.state == "undecided":
        _dot(ax, device, style.GREY)
    else:
        _draw_link(ax, shown, device)
        _dot(ax, device, shown.colours[device.server])
        _power_label(ax, shown, device)


def _dot(ax: Axes, device: Device, colour: str) -> None:
    """A numbered disc; a black ring where the deadline is missed."""
    missed = device.deadline_miss
    ax.plot(*device.xy_m, "o", ms=11, mfc=colour, mec=style.BLACK if missed else "white",
            mew=2.0 if missed else 1.2, zorder=7)  # fmt: skip
    ax.annotate(
        device.name, device.xy_m, ha="center", va="center", color="white", fontsize=6.5,
        fontweight="bold", zorder=8, annotation_clip=False,
    )  # fmt: skip


def _draw_link(ax: Axes, shown: SlotMap, device: Device) -> None:
    colour, width = shown.colours[device.server], 0.6 + 0.7 * device.strength
    if device.server < len(shown.uavs):
        ends = (device.xy_m, shown.uavs[device.server].xy_m)
        ax.plot(*zip(*ends, strict=True), color=colour, lw=width, zorder=3)
    else:
        _beam(ax, shown.side_m, device.xy_m, colour, width)


def _power_label(ax: Axes, shown: SlotMap, device: Device) -> None:
    right = device.xy_m[0] > 0.88 * shown.side_m
    power_W = device.power_W
    text = f"{power_W:.2f} W" if power_W >= 0.01 else f"{1e3 * power_W:.2g} mW"
    ax.annotate(
        text,
        device.xy_m,
        xytext=(-8 if right else 8, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="center",
        fontsize=7,
        color=style.BLACK,
        zorder=8,
        path_effects=_halo(),
    )


def _beam(ax: Axes, side_m: float, at: Any, colour: str, width: float) -> None:
    """A link to the sky: it leaves the map upwards, fading."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    heights = np.linspace(at[1], side_m, 40)
    aim = at[0] + (0.5 * side_m - at[0]) * ((heights - at[1]) / (1.6 * side_m))
    points = np.stack([aim, heights], axis=-1)
    fade = np.linspace(0.75, 0.12, len(points) - 1)
    colours = [(*to_rgb(colour), a) for a in fade]
    segments = np.stack([points[:-1], points[1:]], axis=1)
    ax.add_collection(LineCollection(list(segments), colors=colours, linewidths=width, zorder=2))


def _draw_sky(ax: Axes, shown: SlotMap) -> None:
    """Satellites in a row over the area, by elevation; relayed ones joined to the accessible."""
    ax.set_axis_off()
    count = max(len(shown.satellites), 1)
    ax.set(xlim=(-0.6, count - 0.4), ylim=(-0.1, 1.35))

    def place(satellite: Satellite) -> tuple[float, float]:
        return count * satellite.place - 0.5, 0.25 + 0.5 * satellite.height

    for satellite in shown.satellites:
        if satellite.relayed and shown.accessible is not None:
            arrow = {"arrowstyle": "-", "color": style.GREY, "lw": 1.2, "ls": (0, (2, 2))}
            ends = (place(satellite), place(shown.accessible))
            ax.annotate("", *ends, arrowprops=arrow, zorder=1)
        own = shown.colours[satellite.server]
        _satellite(ax, place(satellite), own, satellite.load > 0)
        x, y = place(satellite)
        colour = own if satellite.load or satellite.access else style.GREY
        ax.text(x, y + 0.22, satellite.name, ha="center", va="bottom", fontsize=8, color=colour,
                fontweight="bold")  # fmt: skip
        ax.text(x, y - 0.2, satellite.note, ha="center", va="top", fontsize=7, color=style.GREY,
                path_effects=_halo())  # fmt: skip


def _satellite(ax: Axes, at: Any, colour: str, loaded: bool) -> None:
    """A body between two panels."""
    from matplotlib.offsetbox import AnnotationBbox, DrawingArea
    from matplotlib.patches import Rectangle

    box = DrawingArea(34, 12, 0, 0)
    fill = colour if loaded else "white"
    for x in (0, 22):
        box.add_artist(Rectangle((x, 2), 12, 8, fc=fill, ec=colour, lw=1.1))
        box.add_artist(Rectangle((x + 6, 2), 0.01, 8, ec="white" if loaded else colour, lw=0.8))
    box.add_artist(Rectangle((13.5, 0), 7, 12, fc=fill, ec=colour, lw=1.1))
    box.add_artist(Rectangle((12, 5.5), 10, 0.01, ec=colour, lw=1.1))
    ax.add_artist(AnnotationBbox(box, tuple(at), frameon=False, pad=0, zorder=3))


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.2, foreground="white")]


def pixels(figure: Figure, dpi: float) -> Any:
    """The figure as RGB: (height, width, 3) uint8."""
    figure.set_dpi(dpi)
    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()

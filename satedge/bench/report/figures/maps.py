"""A map of one slot: devices, UAVs before and after, links with their powers, the sky above."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from satedge.bench.report.figures import style
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import Verdict, judge, previous_positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGEND = (
    "line width: power · black ring: late · cross: unserved · hollow: idle · "
    "faint: UAV before moving · thin: its way so far · dashed: its coverage"
)


def save_map(instance: Instance, plan: Plan, slot: int, path: Path) -> Path:
    """Draw one slot into a file (.svg, .pdf, .png)."""
    if path.suffix not in (".svg", ".pdf", ".png"):
        raise OSError(f"{path}: allowed is a name that ends in .svg, .pdf or .png")
    with style.house():
        return style.save(draw_map(instance, plan, slot), path)


def draw_map(instance: Instance, plan: Plan, slot: int, title: str = "") -> Figure:
    """The map of a slot as a figure of its own."""
    figure = style.new_figure(6.4, 7.6)
    sky, ground = figure.subplots(2, 1, height_ratios=(1.0, 5.2))
    draw_slot(sky, ground, instance, plan, slot, judge(instance, plan))
    head = title or f"{instance.name}, slot {slot}" * (instance.n_slots > 1) or instance.name
    sky.set_title(head)
    return figure


def draw_slot(
    sky: Axes, ground: Axes, instance: Instance, plan: Plan, slot: int, verdict: Verdict
) -> None:
    """Draw into two axes: the sky as elevations, the ground as the area seen from above."""
    _draw_area(ground, instance)
    _draw_trails(ground, instance, plan, slot)
    before = previous_positions(instance, plan.uav_xy_m)[slot]
    for m in range(instance.scenario.n_uavs):
        devices = instance.device_xy_m[slot][instance.active[slot]]
        new = plan.uav_xy_m[slot, m]
        _draw_uav(
            ground, instance, m, before[m], new, bool((plan.server[slot] == m).any()), devices
        )
    _draw_sky(sky, instance, slot, plan.server[slot])
    for k in range(instance.scenario.n_devices):
        _draw_device(ground, instance, plan, slot, k, bool(verdict.overrun_s[slot, k] > 0))
    _caption(ground, instance, verdict, slot)


def server_colour(instance: Instance, server: int) -> str:
    """One colour per server: warm for UAVs, cool for satellites."""
    m = instance.scenario.n_uavs
    if server < 0:
        return style.PALE
    palette = style.UAV_COLOURS if server < m else style.SATELLITE_COLOURS
    return palette[(server if server < m else server - m) % len(palette)]


def _draw_area(ax: Axes, instance: Instance) -> None:
    side = instance.scenario.area_side_m
    ax.set_facecolor("#FBFBF8")
    ax.set(xlim=(0, side), ylim=(0, side), aspect="equal", ylabel="m")
    ax.set_xticks(np.linspace(0, side, 6))
    ax.set_yticks(np.linspace(0, side, 6))
    for spine in ax.spines.values():
        spine.set_visible(True)


def _draw_trails(ax: Axes, instance: Instance, plan: Plan, slot: int) -> None:
    """Where each UAV has flown until now."""
    path = np.concatenate([instance.uav_xy_m[None], plan.uav_xy_m[: slot + 1]])
    for m in range(instance.scenario.n_uavs) if slot else ():
        ax.plot(*path[:, m].T, color=server_colour(instance, m), lw=1.0, alpha=0.45, zorder=1)


def _draw_uav(
    ax: Axes, instance: Instance, m: int, old: Any, new: Any, used: bool, devices: Any
) -> None:
    from matplotlib.patches import Circle

    colour = server_colour(instance, m)
    cover = Circle(tuple(new), instance.scenario.uav_coverage_m, lw=0.9, ls=(0, (4, 3)))
    cover.set(facecolor=colour + "0D" if used else "none", edgecolor=colour + "80")
    ax.add_patch(cover)
    if np.hypot(*(new - old)) > 1:
        _drone(ax, old, colour, 0.28)
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 1.4, "shrinkA": 9, "shrinkB": 10}
        ax.annotate("", tuple(new), tuple(old), arrowprops=arrow, zorder=4)
    _drone(ax, new, colour, 1.0)
    _label_uav(ax, f"UAV {m + 1}", new, np.vstack([devices, old[None]]), colour)


def _label_uav(ax: Axes, text: str, at: Any, others: Any, colour: str) -> None:
    """The name on whichever side has most room."""
    sides = {(0, 12): "bottom", (0, -12): "top", (14, 0): "center", (-14, 0): "center"}
    reach = 0.08 * ax.get_xlim()[1]

    def room(side: tuple[int, int]) -> float:
        place = at + reach * np.sign(side)
        return float(np.hypot(*(others - place).T).min(initial=np.inf))

    side = max(sides, key=room)
    ax.annotate(
        text,
        tuple(at),
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


def _draw_device(ax: Axes, instance: Instance, plan: Plan, slot: int, k: int, late: bool) -> None:
    at = instance.device_xy_m[slot, k]
    server = int(plan.server[slot, k])
    colour = server_colour(instance, server)
    if not instance.active[slot, k]:
        ax.plot(*at, "o", ms=5, mfc="white", mec=style.PALE, mew=1.2, zorder=6)
        return
    power_W = float(plan.power_W[slot, k])
    if server < 0:
        ax.plot(*at, "X", ms=9, color=style.BLACK, zorder=7)
    elif server < instance.scenario.n_uavs:
        target = plan.uav_xy_m[slot, server]
        ax.plot(*zip(at, target, strict=True), color=colour, lw=_width(power_W), zorder=3)
    else:
        _beam(ax, instance, at, colour, _width(power_W))
    if server >= 0:
        ring = style.BLACK if late else "white"
        ax.plot(*at, "o", ms=11, mfc=colour, mec=ring, mew=2.0 if late else 1.2, zorder=7)
        ax.annotate(
            str(k + 1), tuple(at), ha="center", va="center", color="white", fontsize=6.5,
            fontweight="bold", zorder=8, annotation_clip=False,
        )  # fmt: skip
        _power_label(ax, instance, at, power_W)


def _power_label(ax: Axes, instance: Instance, at: Any, power_W: float) -> None:
    right = at[0] > 0.88 * instance.scenario.area_side_m
    text = f"{power_W:.2f} W" if power_W >= 0.01 else f"{1e3 * power_W:.2g} mW"
    ax.annotate(
        text,
        tuple(at),
        xytext=(-8 if right else 8, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="center",
        fontsize=7,
        color=style.BLACK,
        zorder=8,
        path_effects=_halo(),
    )


def _beam(ax: Axes, instance: Instance, at: Any, colour: str, width: float) -> None:
    """A link to the sky: it leaves the map upwards, fading."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    side = instance.scenario.area_side_m
    heights = np.linspace(at[1], side, 40)
    aim = at[0] + (0.5 * side - at[0]) * ((heights - at[1]) / (1.6 * side))
    points = np.stack([aim, heights], axis=-1)
    fade = np.linspace(0.75, 0.12, len(points) - 1)
    colours = [(*to_rgb(colour), a) for a in fade]
    segments = np.stack([points[:-1], points[1:]], axis=1)
    ax.add_collection(LineCollection(list(segments), colors=colours, linewidths=width, zorder=2))


def _width(power_W: float) -> float:
    """Line width from power: 1 mW is thin, 1 W is thick."""
    return float(0.6 + 0.7 * np.clip(np.log10(max(power_W, 1e-6)) + 3, 0, 3))


def _draw_sky(ax: Axes, instance: Instance, slot: int, server: Any) -> None:
    """Satellites in a row over the area, by elevation; relayed ones joined to the accessible."""
    s = instance.scenario
    ax.set_axis_off()
    shown = _satellites_to_show(instance, slot, server)
    ax.set(xlim=(-0.6, max(len(shown), 1) - 0.4), ylim=(-0.1, 1.35))
    access = int(instance.access[slot])
    place = {
        n: (i, 0.25 + 0.5 * np.sin(np.pi * (i + 0.5) / len(shown))) for i, n in enumerate(shown)
    }
    for n in shown:
        loaded = int((server == s.n_uavs + n).sum())
        if loaded and n != access and access in place:
            arrow = {"arrowstyle": "-", "color": style.GREY, "lw": 1.2, "ls": (0, (2, 2))}
            ax.annotate("", place[n], place[access], arrowprops=arrow, zorder=1)
        _satellite(ax, place[n], server_colour(instance, s.n_uavs + n), loaded > 0)
        up = instance.window_s[slot, n] > 0
        words = f"{instance.elevation_deg[slot, n]:.0f}°" if up else "out of sight"
        words = "by relay" if loaded and n != access else words
        head = f"SAT {n + 1}" + (" · access" if n == access else "")
        note = f"{words} · {loaded} request{'s' * (loaded != 1)}" if loaded else words
        colour = server_colour(instance, s.n_uavs + n) if loaded or n == access else style.GREY
        x, y = place[n]
        ax.text(x, y + 0.22, head, ha="center", va="bottom", fontsize=8, color=colour,
                fontweight="bold")  # fmt: skip
        ax.text(x, y - 0.2, note, ha="center", va="top", fontsize=7, color=style.GREY,
                path_effects=_halo())  # fmt: skip


def _satellites_to_show(instance: Instance, slot: int, server: Any) -> list[int]:
    """All of a small constellation; of a large one those in sight or at work."""
    s = instance.scenario
    if s.n_satellites <= 6:
        return list(range(s.n_satellites))
    used = {int(v) - s.n_uavs for v in server if v >= s.n_uavs}
    seen = set(np.flatnonzero(instance.window_s[slot] > 0).tolist())
    return sorted(used | seen)[:8]


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


def _caption(ax: Axes, instance: Instance, verdict: Verdict, slot: int) -> None:
    late = int(verdict.missed[slot].sum())
    served = instance.active[slot] & ~verdict.unserved[slot]
    latency = verdict.latency_s[slot][served].mean() if served.any() else 0.0
    text = (
        f"cost {verdict.slot_cost[slot]:.3f}   mean latency {latency:.2f} s   "
        f"energy {verdict.energy_J[slot].sum():.0f} J   late {late} of {int(served.sum())}"
    )
    ax.set_xlabel(text, labelpad=7)
    ax.text(0.5, -0.125, LEGEND, transform=ax.transAxes, ha="center", va="top", fontsize=6.8,
            color=style.GREY)  # fmt: skip


def _halo() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.2, foreground="white")]

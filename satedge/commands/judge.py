"""`satedge judge` and `draw`: score any plan, and draw it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from satedge.commands import common


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(judge)
    app.command()(draw)


def judge(
    file: common.InstanceFile,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="File of the plan.")],
    slot: common.OneSlot = None,
    as_json: common.AsJson = False,
    wide: common.Wide = False,
) -> None:
    """Score a plan: cost, latency, energy, and every constraint it breaks.

    The exit code is 1 if the plan is not admissible.
    """
    from satedge.bench.run.record import floor, numbers
    from satedge.problem.io.files import read_plan

    instance = common.read(file, slot)
    plan = read_plan(plan_file, instance)
    row = numbers(instance, plan)
    if as_json:
        head = {"instance": instance.name, "instance_sha256": instance.content_sha256}
        common.print_json({**head, "slot": slot, **row, "floor": floor(instance)})
    else:
        from satedge.bench.report.verdicts import device_table, slot_table

        out = common.console()
        table = device_table if instance.n_slots == 1 else slot_table
        common.show(table(instance, plan), wide)
        for name, amount in row["violations"].items():
            out.print(f"[red]breaks {name} by {amount:g}[/]")
        out.print(
            f"cost {row['cost']:.6f}  admissible {'yes' if row['admissible'] else 'no'}  "
            f"feasible {'yes' if row['feasible'] else 'no'}\n"
            f"latency {row['latency_s']:.4f} s  energy {row['energy_J']:.3f} J\n"
            f"deadline misses {row['deadline_misses']}  "
            f"refused {row['refused']}  outages {row['outages']}"
        )
    if not row["admissible"]:
        raise typer.Exit(1)


def draw(
    file: common.InstanceFile,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="File of the plan.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Map: .svg, .pdf, .png. Animation: .gif, .mp4."),
    ],
    slot: Annotated[int, common.whole("--slot", help="Slot of the map, counted from 0.")] = 0,
    frames: Annotated[
        float,
        common.real("--frames", low=0.1, high=1000.0, help="Slots per second of the animation."),
    ] = 4.0,
) -> None:
    """Draw a plan: a map of one slot, or an animation of the whole episode."""
    from satedge.drawing.animation import save_picture
    from satedge.problem.io.files import read_plan

    instance = common.read(file, None)
    plan = read_plan(plan_file, instance)
    if slot >= instance.n_slots:
        raise typer.BadParameter(f"{slot}: allowed is 0..{instance.n_slots - 1}")
    print(save_picture(instance, plan, out, slot, frames))

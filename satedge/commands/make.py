"""`satedge generate`, `export` and `read-solution`: instances, and P1 for other solvers."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from satedge.commands import common, completion

if TYPE_CHECKING:
    from satedge.problem.instance import Instance
    from satedge.problem.satellites import orbit
    from satedge.problem.scenario import Scenario


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(generate)
    app.command()(export)
    app.command("read-solution")(read_solution)


Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")]
Preset = Annotated[
    str,
    typer.Option(
        "--preset", "-p", help="A preset of `satedge scenario`.", autocompletion=completion.presets
    ),
]
Episodes = Annotated[
    int, common.whole("--episodes", "-n", low=1, high=1_000_000, help="Number of instances.")
]
Slots = Annotated[
    int | None, common.whole("--slots", low=1, high=100_000, help="Slots of each instance.")
]
Seed = Annotated[int, common.whole("--seed", help="Seed of the first instance.")]
Elements = Annotated[
    Path | None, typer.Option("--elements", help="TLE or OMM file; satellites move by SGP4.")
]
Epoch = Annotated[
    datetime | None, typer.Option("--epoch", help="Start in UTC; needed with --elements.")
]
Latitude = Annotated[
    float, common.real("--latitude", low=-90.0, high=90.0, help="Latitude of the site, degrees.")
]
Longitude = Annotated[
    float,
    common.real("--longitude", low=-360.0, high=360.0, help="Longitude of the site, degrees east."),
]
Height = Annotated[
    float, common.real("--height", low=-1000.0, high=1e5, help="Height of the site, m.")
]
_CSV = "CSV that replaces generated ones, with columns "
Sites = Annotated[Path | None, typer.Option(help=_CSV + "device, x_m, y_m.")]
Tracks = Annotated[Path | None, typer.Option(help=_CSV + "slot, device, x_m, y_m.")]
Uavs = Annotated[Path | None, typer.Option(help=_CSV + "uav, x_m, y_m[, altitude_m].")]
Requests = Annotated[
    Path | None,
    typer.Option(help=_CSV + "slot, device, input_bit, output_words, deadline_s, accuracy_floor."),
]


def generate(
    out: Out,
    preset: Preset = "paper",
    changes: common.Changes = None,
    episodes: Episodes = 1,
    slots: Slots = None,
    seed: Seed = 0,
    elements: Elements = None,
    epoch: Epoch = None,
    latitude: Latitude = 0.0,
    longitude: Longitude = 0.0,
    height: Height = 0.0,
    sites: Sites = None,
    tracks: Tracks = None,
    uavs: Uavs = None,
    requests: Requests = None,
    as_json: common.AsJson = False,
) -> None:
    """Generate instances; the same preset, changes and seed give the same bytes everywhere."""
    from satedge.problem.generation.generate import generate as generated
    from satedge.problem.io.folder import make_folder

    scenario = common.scenario(preset, changes)
    if slots is not None:
        scenario = scenario.replace(n_slots=slots)
    passes = None
    if elements is not None:
        scenario, passes = _from_elements(scenario, elements, epoch, latitude, longitude, height)
    make_folder(out)
    _require_disk(out, scenario, episodes)
    written = []
    for number in range(seed, seed + episodes):
        instance = generated(scenario, number, passes=passes, name=f"{preset}-{number}")
        written.append(_write(_own(instance, sites, tracks, uavs, requests), out))
    if as_json:
        common.print_json({"preset": preset, "instances": written})
    else:
        print("\n".join(entry["file"] for entry in written))


def _write(instance: Instance, folder: Path) -> dict[str, str]:
    """Write an instance under its name, an episode compressed: where, and its digest."""
    from satedge.problem.io.files import write_instance

    path = folder / f"{instance.name}{'.json' if instance.n_slots == 1 else '.json.gz'}"
    write_instance(instance, path)
    return {"file": str(path), "sha256": instance.content_sha256}


#: Bytes of a compressed file for each number of its instance: at least five are found.
_BYTES = 4


def _require_disk(out: Path, scenario: Scenario, episodes: int) -> None:
    """Refuse more instances than the disk can hold, before the first one is made."""
    from satedge.problem.generation.generate import numbers_per_slot

    each = _BYTES * scenario.n_slots * numbers_per_slot(scenario)
    most = shutil.disk_usage(out).free // each
    if episodes > most:
        raise typer.BadParameter(
            f"{episodes} of {scenario.n_slots} slots: allowed is at most {most}, for which there "
            f"is room in {out}",
            param_hint="--episodes",
        )


def _from_elements(
    scenario: Scenario,
    elements: Path,
    epoch: datetime | None,
    latitude_deg: float,
    longitude_deg: float,
    height_m: float,
) -> tuple[Scenario, orbit.Passes]:
    """The scenario with as many satellites as the file has, and their passes."""
    from satedge.problem.generation.generate import require_room, slot_times_s
    from satedge.problem.satellites.element_files import read_elements
    from satedge.problem.satellites.elements import sgp4_passes

    if epoch is None:
        raise typer.BadParameter("needed with --elements", param_hint="--epoch")
    records = read_elements(elements)
    scenario = scenario.replace(n_satellites=len(records), satellite_planes=1)
    require_room(scenario)
    try:
        passes = sgp4_passes(
            records,
            slot_times_s(scenario),
            epoch=epoch,
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            altitude_m=height_m,
            min_elevation_deg=scenario.elevation_min_deg,
            isl_topology=scenario.isl_topology,
            isl_min_altitude_m=scenario.isl_altitude_min_m,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--elements") from error
    return scenario, passes


def _own(instance: Instance, *files: Path | None) -> Instance:
    """The instance with sites, tracks, UAV sites and requests of the user's, where given."""
    from satedge.problem.generation import traces

    readers = (
        traces.with_device_sites,
        traces.with_tracks,
        traces.with_uav_sites,
        traces.with_requests,
    )
    for reader, file in zip(readers, files, strict=True):
        if file is not None:
            instance = reader(instance, file)
    return instance


def export(
    file: common.InstanceFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    slot: Annotated[int, common.whole("--slot", help="The slot, counted from 0.")] = 0,
    form: Annotated[
        str | None,
        typer.Option("--format", help="nl, gms, mps or lp; as the file ends by default."),
    ] = None,
    comments: Annotated[
        bool,
        typer.Option("--comments/--no-comments", help="Whether nl has comments, from # on."),
    ] = True,
) -> None:
    """Write P1 of one slot for other solvers (mps and lp: its MILP relaxation)."""
    from satedge.bench.methods.table import MethodError, load_entry

    form = _format(form, out)
    instance = common.read(file, None)
    if slot >= instance.n_slots:
        raise typer.BadParameter(f"{slot}: allowed is 0..{instance.n_slots - 1}")
    try:
        write = load_entry("minlp.general.export:export")
        write(instance, slot, form, out, comments=comments)
    except NotImplementedError as error:
        raise MethodError(f"export: {error}") from error
    print(out)


FORMATS = ("nl", "gms", "mps", "lp")


def _format(asked: str | None, out: Path) -> str:
    """The format asked for, or the one that the file's name ends with; never two."""
    ending = out.suffix.removeprefix(".").lower()
    form = asked or ending
    allowed = f"allowed is one of {', '.join(FORMATS)}"
    if form not in FORMATS:
        said = f"{form}: {allowed}" if asked else f"{out}: {allowed}, or a file with such an ending"
        raise typer.BadParameter(said, param_hint="--format")
    if ending in FORMATS and ending != form:
        raise typer.BadParameter(f"{form}: {out} ends with .{ending}", param_hint="--format")
    return form


def read_solution(
    file: common.InstanceFile,
    exported: Annotated[Path, typer.Argument(help="The file written by `satedge export`.")],
    solution: Annotated[
        Path, typer.Argument(help="The solution: .sol, JSON, or lines of name and value.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Plan file to write.")],
    slot: Annotated[int, common.whole("--slot", help="The slot, counted from 0.")] = 0,
) -> None:
    """Turn a solver's solution of an exported slot into a plan, for `satedge judge --slot`.

    Positions outside reach or coverage by no more than a solver's tolerance are moved inside.
    """
    from satedge.bench.methods.table import load_entry
    from satedge.problem.io.files import write_plan

    instance = common.read(file, None)
    one = common.read(file, slot)
    plan = load_entry("minlp.general.export:read_solution")(solution, exported, instance, slot)
    write_plan(load_entry("minlp.general.solve:tidy")(one, plan), out, one)
    print(out)

"""`satedge describe`: features of a suite, a preset or an instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from satedge.commands import common, completion

if TYPE_CHECKING:
    from satedge.bench.score.features import Feature
    from satedge.problem.instance import Instance

#: Seeds of the episodes that stand for a preset: validation ones that no suite uses.
SEED, EPISODES = 17_000, 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(describe)


def describe(
    world: Annotated[
        str,
        typer.Argument(
            help="A suite, a preset, a file or folder of instances.",
            autocompletion=completion.worlds,
        ),
    ],
    slots: Annotated[
        int, common.whole("--slots", low=1, high=100_000, help="Look at so many slots at most.")
    ] = 50,
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            help="The method whose plans stand for near-optimal ones; best-known takes those of "
            "the records, and greedy's where there are none.",
        ),
    ] = "best-known",
    episodes: Annotated[
        int,
        common.whole(
            "--episodes",
            high=1000,
            help="Play so many whole episodes too: what foresight is worth there.",
        ),
    ] = 0,
    changes: common.Changes = None,
    as_json: common.AsJson = False,
) -> None:
    """Describe a world: requests, servers, contention, what planning can decide about, and what
    fixed rules lose.

    Slots are taken one by one; --episodes adds what foresight is worth. A name that is a suite and
    a preset is the suite, unless --set changes the preset.
    """
    from satedge.bench.score.features import features, of_episodes, sample

    kind, instances = _found(world, common.pairs(changes, "--set"))
    looked_at = sample(instances, slots)
    found, whose = features(looked_at, reference)
    whole = [instance for instance in instances if instance.n_slots > 1][:episodes]
    found += of_episodes(whole) if whole else []
    of = sum(instance.n_slots for instance in instances)
    if as_json:
        rows = [{"name": f.name, "value": f.value, "how": f.how} for f in found]
        told = {"world": world, "kind": kind, "slots": len(looked_at), "of": of, "reference": whose}
        common.print_json(told | {"features": rows})
        return
    _show(found, f"{kind} {world}: {len(looked_at)} of {of} slots; reference: {whose}")


def _show(found: list[Feature], title: str) -> None:
    from satedge.bench.report.tables import Cell, Column, Table

    rows = []
    for f in found:
        text = f"{f.value:.1%}" if f.share else f"{f.value:.4g}"
        rows.append((f.name, Cell(text if f.value == f.value else "-"), f.how))
    common.show(Table([Column("feature"), Column("value"), Column("how")], rows, title))


def _found(world: str, changes: dict[str, str]) -> tuple[str, list[Instance]]:
    """What the name means, and its instances."""
    from satedge.bench.study.suites import HELD_OUT, SUITES, SuiteError, load_suite
    from satedge.nearest import did_you_mean
    from satedge.problem.generation.generate import generate
    from satedge.problem.scenario import PRESETS, preset

    if world in (*SUITES, *HELD_OUT) and not changes:
        return "suite", load_suite(world)
    if world in PRESETS or changes:
        scenario = preset(world, **changes)
        return "preset", [generate(scenario, SEED + i) for i in range(EPISODES)]
    if not Path(world).exists():
        suites, presets = ", ".join(SUITES), ", ".join(PRESETS)
        hint = did_you_mean(world, (*SUITES, *PRESETS))
        raise SuiteError(
            f"{world!r}{hint}: allowed is a suite ({suites}), a preset ({presets}), or a folder or "
            "file of instances"
        )
    return "instances", load_suite(world)

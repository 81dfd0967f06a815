"""`satedge train`: train a learner and keep its policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from satedge.commands import common


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    method: Annotated[str, typer.Argument(help="A learner of `satedge methods`, such as adsac.")],
    preset: Annotated[str, typer.Option("--preset", "-p", help="Scenario to train in.")] = "paper",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a scenario field; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the first run.")] = 0,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs trained together.")] = 1,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Episodes of each run.")] = 1000,
    updates: Annotated[
        int | None, typer.Option("--updates", min=1, help="Gradient updates per epoch.")
    ] = None,
    settings_preset: Annotated[
        str, typer.Option("--settings", help="table-2 or section-5.1 of the paper.")
    ] = "table-2",
    setting: common.Settings = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="results/runs/train/PRESET/METHOD.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log for it too.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew instead of from the checkpoint.")
    ] = False,
) -> None:
    """Train a learner; a stopped training goes on from its checkpoint.

    The best policies on the validation episodes are kept beside log and checkpoint.
    """
    from satedge.bench.methods import load_entry
    from satedge.problem.scenario import preset as named

    options: dict[str, Any] = {"epochs": epochs, "device": device}
    if updates is not None:
        options["updates_per_epoch"] = updates
    folder = load_entry("drl.train:train")(
        method,
        scenario=named(preset, **common.pairs(changes, "--set")),
        seeds=range(seed, seed + runs),
        out_dir=out or Path("results/runs/train") / preset / method,
        settings_preset=settings_preset,
        settings=common.settings(setting),
        resume=not fresh,
        tensorboard=tensorboard,
        **options,
    )
    print(folder)

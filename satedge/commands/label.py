"""`satedge label`: slots with what a teacher decides in them, for learners that imitate."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from satedge.commands import common, completion

if TYPE_CHECKING:
    from collections.abc import Callable

    from satedge.problem.instance import Instance
    from satedge.problem.plan import Outcome, Plan

#: Seconds between lines of progress.
EACH_S = 5.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(label)


Out = Annotated[Path, typer.Option("--out", "-o", help="File of labels, .safetensors.")]
Slots = Annotated[int, common.whole("--slots", "-n", low=1, high=10**7, help="Slots to label.")]
Seed = Annotated[
    int, common.whole("--seed", help="Seed of the first episode, one of those of training.")
]
Teacher = Annotated[
    str,
    typer.Option(
        "--method", "-m", help="Method that decides them.", autocompletion=completion.methods
    ),
]
Pilot = Annotated[
    str | None,
    typer.Option(
        "--policy",
        help="Policy that flies the UAVs from slot to slot (DAgger); the method by default.",
    ),
]
Wander = Annotated[
    float,
    common.real(
        "--wander", low=0.0, high=1.0, help="Share of flights that are random ones instead."
    ),
]


def label(
    out: Out,
    preset: common.Preset = "paper",
    changes: common.Changes = None,
    slots: Slots = 10_000,
    seed: Seed = 2_000_000,
    method: Teacher = "myopic-exact",
    setting: common.Settings = None,
    policy: Pilot = None,
    wander: Wander = 0.3,
) -> None:
    """Solve training slots by a method and keep what it decides, for `satedge train imitation`.

    A stopped call goes on where it was; a larger --slots adds to the file.

    Try it:   satedge label -p tiny --slots 100 -o labels.safetensors

    DAgger:   satedge label -p tiny --policy PATH/seed-0 --seed 3000000 -o more.safetensors
    """
    from satedge.bench.methods.table import find, load, load_entry

    labels = "drl.training.labels:"
    chosen = find(method).with_settings(**common.settings(setting))
    pilot, flown_by = _pilot(policy)
    recipe = load_entry(labels + "Recipe")(
        scenario=common.scenario(preset, changes).to_dict(),
        teacher=chosen.name,
        settings=dict(chosen.settings),
        first_seed=seed,
        wander=wander,
        pilot=flown_by,
    )
    teacher = _teacher(load(chosen), chosen.settings)
    made = load_entry(labels + "make")(out, recipe, slots, teacher, pilot, _Progress(slots))
    print(f"{out}: {len(made)} labels of {chosen.name}, {preset}")


def _teacher(solve: Callable[..., Outcome], settings: Any) -> Callable[[Instance], Outcome]:
    """The method on one slot, for as long as it takes."""

    def decide(slot: Instance) -> Outcome:
        return solve(slot, budget_s=float("inf"), seed=0, **settings)

    return decide


def _pilot(name: str | None) -> tuple[Callable[[Instance, int], Plan] | None, str]:
    """What flies the UAVs, and the hash of its weights."""
    if name is None:
        return None, ""
    from satedge.bench.methods.table import load_entry

    policy: Any = load_entry("drl.training.policy:load")(name)
    return policy.act, str(policy.provenance["sha256"])


class _Progress:
    """A line now and then on standard error."""

    def __init__(self, n: int) -> None:
        self._n, self._last = n, time.monotonic()

    def __call__(self, done: int, each_ms: float) -> None:
        if time.monotonic() - self._last > EACH_S:
            self._last = time.monotonic()
            left = common.duration(max(self._n - done, 0) * each_ms / 1e3)
            line = f"{done} of {self._n} slots, {each_ms:.1f} ms each, about {left} left"
            print(line, file=sys.stderr, flush=True)

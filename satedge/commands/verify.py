"""`satedge verify`: a proof of a bound, checked without the solver that wrote it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from satedge.commands import common


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    file: common.InstanceFile,
    proof: Annotated[Path, typer.Argument(help="File of `satedge solve --proof`.")],
    as_json: common.AsJson = False,
) -> None:
    """Check the proof of a bound in interval arithmetic, without any solver.

    Exit code 0: verified, with the gap between plan and bound, or that no plan meets hard
    deadlines. 1: the first region that fails, and why. 2: a file is wrong, or the proof is of
    another instance.
    """
    from satedge.verify.proof import read_proof
    from satedge.verify.proof import verify as check

    instance = common.read(file, None)
    given = read_proof(proof)
    result = check(instance, given)
    scale = 1.0 / instance.scenario.n_devices
    if as_json:
        numbers = {
            "cost": result.cost * scale if result.cost < math.inf else None,
            "lower_bound": result.bound * scale,
            "gap": result.gap,
            "nodes": result.nodes,
        }
        known = numbers if result.valid else {}
        common.print_json({"valid": result.valid, "reason": result.reason, **known})
    elif result.valid and result.cost == math.inf:
        print(
            f"verified: no plan meets all deadlines of slot {given['slot']}, {result.nodes} nodes"
        )
    elif result.valid:
        print(f"verified to gap {result.gap:.6g}: slot {given['slot']}, {result.nodes} nodes")
        print(f"cost {result.cost * scale:.9g}, bound {result.bound * scale:.9g}, per device")
    else:
        print(f"not verified: {result.reason}")
    if not result.valid:
        raise typer.Exit(1)

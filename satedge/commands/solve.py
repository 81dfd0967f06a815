"""`satedge solve`: one method on one instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from satedge.commands import common, completion

if TYPE_CHECKING:
    from satedge.api import Result
    from satedge.problem.instance import Instance


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(solve)


Method = Annotated[
    str,
    typer.Option(
        "--method",
        "-m",
        help="A name of `satedge methods`, or module:function.",
        autocompletion=completion.methods,
    ),
]
Budget = Annotated[
    float, common.real("--budget", low=0.001, high=1e9, help="Time limit in seconds.")
]
Seed = Annotated[int, common.whole("--seed", help="Seed of the method.")]
Memory = Annotated[float, common.real("--memory", low=1.0, high=1e9, help="Memory limit in MB.")]
PlanOut = Annotated[Path | None, typer.Option("--plan-out", help="File for the plan.")]
MapOut = Annotated[
    Path | None,
    typer.Option(
        "--map-out", help="Map of the first slot: .svg, .pdf, .png. Animation: .gif, .mp4."
    ),
]
ProofOut = Annotated[
    Path | None,
    typer.Option("--proof", help="File for a proof of the bound, for `satedge verify`: .json.gz."),
]
Log = Annotated[bool, typer.Option("--log", help="Show what the method printed.")]


def solve(
    file: common.InstanceFile,
    method: Method = "branch-and-bound",
    slot: common.OneSlot = None,
    budget: Budget = 10.0,
    seed: Seed = 0,
    setting: common.Settings = None,
    memory: Memory = 4096.0,
    as_json: common.AsJson = False,
    plan_out: PlanOut = None,
    map_out: MapOut = None,
    log: Log = False,
    proof: ProofOut = None,
    wide: common.Wide = False,
) -> None:
    """Solve an instance, or one slot of it, and judge the plan.

    The method runs in a process of its own. Killed at its limit, it is judged on its last
    incumbent. With --proof, branch and bound runs in this one and writes down its tree.
    """
    if proof is not None:
        if method != "branch-and-bound" or plan_out or map_out or as_json:
            raise typer.BadParameter(
                "allowed is branch-and-bound, without --plan-out, --map-out and --json",
                param_hint="--proof",
            )
        _prove(file, proof, slot, budget, common.settings(setting))
        return
    instance = common.read(file, slot)
    result = _run(instance, method, budget, seed, memory, common.settings(setting), as_json)
    _save(result, plan_out, map_out)
    if as_json:
        common.print_json({**result.to_dict(), "slot": slot})
    else:
        _show(result, log, wide)
    failed = result.status in ("failed", "crashed", "killed-memory")
    if failed or (result.status == "timeout" and result.plan is None):
        raise typer.Exit(1)


def _run(
    instance: Instance,
    method: str,
    budget_s: float,
    seed: int,
    memory_MB: float,
    given: dict[str, Any],
    quiet: bool,
) -> Result:
    """The result, its progress shown on standard error unless somebody wants JSON alone."""
    from satedge import preparation
    from satedge.api import solve as solved
    from satedge.bench.run.progress import on_standard_error

    listener = None if quiet else on_standard_error(instance, budget_s)
    limits: dict[str, Any] = {"budget_s": budget_s, "seed": seed, "memory_MB": memory_MB}
    try:
        return solved(instance, method, **limits, listener=listener, settings=given)
    finally:
        preparation.say("")


def _save(result: Result, plan_out: Path | None, map_out: Path | None) -> None:
    """The plan and its picture, where they are wanted and there is a plan."""
    plan = result.plan
    if plan is not None and plan_out is not None:
        from satedge.problem.io.files import write_plan

        write_plan(plan, plan_out, result.instance)
    if plan is not None and map_out is not None:
        from satedge.drawing.animation import save_picture

        save_picture(result.instance, plan, map_out)


def _prove(file: Path, out: Path, slot: int | None, budget_s: float, given: dict[str, Any]) -> None:
    from minlp.branch_and_bound.limits import Limits
    from minlp.branch_and_bound.proof import prove_slot
    from satedge.kernels import warm_up
    from satedge.verify.proof import write_proof

    instance = common.read(file, None)
    common.read(file, slot)
    if slot is None and instance.n_slots > 1:
        raise typer.BadParameter("allowed with --proof is one slot", param_hint="--slot")
    unknown = sorted(set(given) - {"gap", "max_nodes", "hard", "threads"})
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r}: allowed with --proof are gap, max_nodes, hard, threads",
            param_hint="--setting",
        )
    warm_up()
    limits = Limits(budget_s=budget_s, **given)
    _outcome, proof, times = prove_slot(instance, slot or 0, limits)
    write_proof(out, proof)
    cost, bound = proof["cost"], proof["bound"]
    scale = 1.0 / instance.scenario.n_devices
    if cost is None:
        print("no plan meets all deadlines")
    else:
        gap = (cost - bound) / abs(cost) if cost else 0.0
        print(f"cost {cost * scale:.9g}, bound {bound * scale:.9g}, gap {gap:.6g}")
    print(f"proof {out}: {len(proof['nodes'])} nodes, {out.stat().st_size} bytes")
    print(f"time {times['solve_s']:.3f} s to solve, {times['write_s']:.3f} s to write")


def _show(result: Result, log: bool, wide: bool) -> None:
    from rich.markup import escape

    from satedge.bench.report.verdicts import device_table, slot_table

    out = common.console()
    if result.plan is not None:
        table = device_table if result.instance.n_slots == 1 else slot_table
        common.show(table(result.instance, result.plan), wide)
    printed = result.record["log"]
    if printed and (log or result.status in ("failed", "crashed")):
        out.print(printed.rstrip(), style="dim", markup=False)
    for name, text in result.lines():
        out.print(f"[bold]{name:<12}[/]", escape(text), markup=True)

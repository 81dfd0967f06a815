"""`satedge solve`: one method on one instance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from satedge.commands import common

if TYPE_CHECKING:
    from satedge.problem.instance import Instance
    from satedge.problem.plan import Plan


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(solve)


Method = Annotated[
    str, typer.Option("--method", "-m", help="A name of `satedge methods`, or module:function.")
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
    record = _run(instance, method, budget, seed, common.settings(setting), memory)
    plan = _plan(record)
    if plan is not None and plan_out is not None:
        from satedge.problem.io.files import write_plan

        write_plan(plan, plan_out, instance)
    if plan is not None and map_out is not None:
        from satedge.drawing.animation import save_picture

        save_picture(instance, plan, map_out)
    if as_json:
        common.print_json(_summary(record, slot))
    else:
        _show(instance, record, plan, log)
    failed = record["row"]["status"] in ("failed", "crashed", "killed-memory")
    if failed or (record["row"]["status"] == "timeout" and plan is None):
        raise typer.Exit(1)


def _prove(file: Path, out: Path, slot: int | None, budget_s: float, given: dict[str, Any]) -> None:
    from minlp.branch_and_bound.proof import prove_slot
    from minlp.branch_and_bound.search import Limits
    from minlp.kernels import warm_up
    from satedge.verify.proof import write_proof

    instance = common.read(file, None)
    common.read(file, slot)
    if slot is None and instance.n_slots > 1:
        raise typer.BadParameter("allowed with --proof is one slot", param_hint="--slot")
    unknown = sorted(set(given) - {"gap", "max_nodes", "hard"})
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r}: allowed with --proof are gap, max_nodes, hard", param_hint="--setting"
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
        print(f"cost {cost * scale:.9g}, bound {bound * scale:.9g}, gap {_gap(cost, bound):.6g}")
    print(f"proof {out}: {len(proof['nodes'])} nodes, {out.stat().st_size} bytes")
    print(f"time {times['solve_s']:.3f} s to solve, {times['write_s']:.3f} s to write")


def _run(
    instance: Instance, name: str, budget_s: float, seed: int, given: dict[str, Any], memory: float
) -> dict[str, Any]:
    from satedge.bench.methods.table import MethodError, find, missing
    from satedge.bench.run.local import execute
    from satedge.bench.run.worker_process import WorkerProcess
    from satedge.bench.study.cell import Cell
    from satedge.bench.study.limits import Limits

    method = find(name)
    reason = missing(method.with_settings(**given))
    if reason:
        raise MethodError(f"method {name} cannot run here: {reason}")
    limits = Limits(memory_MB=memory)
    cell = Cell(method.with_settings(**given), instance, seed, budget_s, limits=limits)
    with WorkerProcess() as worker:
        return execute(worker, cell)


def _plan(record: dict[str, Any]) -> Plan | None:
    from satedge.bench.run.record import plan_of

    return plan_of(record)


def _summary(record: dict[str, Any], slot: int | None) -> dict[str, Any]:
    """The published fields of `solve --json`."""
    import json

    row = record["row"]
    cost, bound = row.get("cost"), row.get("lower_bound")
    admissible = row.get("admissible", False)
    return {
        "instance": row["instance"],
        "instance_sha256": row["instance_sha256"],
        "slot": slot,
        "method": row["method"],
        "settings": json.loads(row["settings"]),
        "seed": row["seed"],
        "budget_s": row["budget_s"],
        "status": row["status"],
        "reason": row["reason"],
        "method_status": row["method_status"],
        "cost": cost if admissible else None,
        "lower_bound": bound,
        "gap": _gap(cost, bound) if admissible else None,
        "feasible": row.get("feasible"),
        "admissible": admissible,
        "violations": json.loads(row["violations"]),
        "latency_s": row.get("latency_s"),
        "energy_J": row.get("energy_J"),
        "deadline_misses": row.get("deadline_misses"),
        "refused": row.get("refused"),
        "outages": row.get("outages"),
        "wall_s": row["wall_s"],
        "certificate": record["certificate"],
        "info": record["info"],
        "versions": record["versions"],
    }


def _gap(cost: float | None, bound: float | None) -> float | None:
    """(cost - bound) / |cost|."""
    if cost is None or bound is None or cost == 0:
        return None if cost or bound is None else 0.0
    return (cost - bound) / abs(cost)


def _show(instance: Instance, record: dict[str, Any], plan: Plan | None, log: bool) -> None:
    from satedge.commands.verdicts import device_table, slot_table

    out = common.console()
    row = record["row"]
    if plan is not None:
        table = device_table if instance.n_slots == 1 else slot_table
        common.show(table(instance, plan))
    if record["log"] and (log or row["status"] in ("failed", "crashed")):
        out.print(record["log"].rstrip(), style="dim", markup=False)
    for name, text in _lines(row):
        out.print(f"[bold]{name:<12}[/]", text, markup=True)


def _lines(row: dict[str, Any]) -> list[tuple[str, str]]:
    from rich.markup import escape

    status = row["status"] + (f" ({row['method_status']})" if row["method_status"] else "")
    lines = [
        ("method", escape(f"{row['method']} on {row['instance']}, seed {row['seed']}")),
        ("status", escape(status + (f": {row['reason']}" if row["reason"] else ""))),
    ]
    cost, bound = row.get("cost"), row.get("lower_bound")
    if cost is not None:
        lines.append(("cost", f"{cost:.6f} per device and slot"))
    if bound is not None:
        gap = _gap(cost, bound)
        shown = f", gap {_percent(gap)}" if gap is not None and row.get("admissible") else ""
        lines.append(("lower bound", f"{bound:.6f}{shown}"))
    if cost is not None:
        hard = "yes" if row["feasible"] else "no"
        counts = f"{row['deadline_misses']} deadline misses, {row['refused']} refused"
        counts += f", {row['outages']} outages"
        lines.append(("feasible", f"{hard}: {counts} of {row['requests']} requests"))
        # None in a record: not finite, where nobody hears a request.
        spent = [math.inf if row[n] is None else row[n] for n in ("latency_s", "energy_J")]
        lines.append(("latency", f"{spent[0]:.4f} s, mean over requests"))
        lines.append(("energy", f"{spent[1]:.3f} J per slot, all devices"))
    lines.append(("time", f"{row['wall_s']:.3f} s of {row['budget_s']:g} s"))
    return lines


def _percent(value: float) -> str:
    digits = 4 if abs(value) < 1e-3 else 2
    return f"{100 * value:.{digits}f} %" if math.isfinite(value) else "-"

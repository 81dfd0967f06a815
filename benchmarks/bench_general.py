"""Branch and bound against general solvers on the same slots, in the same run.

    python benchmarks/bench_general.py --worlds contended --devices 6 8 --peers scip gurobi
    python benchmarks/bench_general.py --table      # writes docs/peers.md and README.md alone

A row of results/peers/rows.jsonl is a slot, a solver and a tolerance. Rows appear as they are
measured, and what is there is not measured again. Each solver gets P1 in the formulation and with
the cuts that serve it best (`minlp.p1.rates_log`), a known plan as cutoff, one thread, `--budget`
seconds and the tolerance at which it may stop. Its gap is that of its judged plan and its claimed
bound. Branch and bound is then asked for this gap, and for the tolerance. Times are CPU seconds,
the solver's with the handing over by Pyomo and without starting its process. SCIP's budget counts
CPU seconds and Gurobi's its units of work, about a second each. MindtPy and discopt know elapsed
seconds only, of which they get `ELAPSED` times as many.

discopt is asked by a file, and so without the cutoff, of the Python that `--discopt` names.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot, warm_up
from minlp.general import solve as general
from minlp.general.export import export, names_path, read_solution
from minlp.p1.solvers import GAP, availability
from satedge.bench.study import provenance
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.io.folder import write_atomically
from satedge.problem.projector import project
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "results" / "peers" / "rows.jsonl"
PAGES = (ROOT / "docs" / "peers.md", ROOT / "README.md")

Row = dict[str, Any]

WORLDS = ("paper", "balanced", "contended", "contended-balanced")
SIZES = (3, 4, 6, 8)
#: Solver -> name in tables.
PEERS = {"scip": "SCIP", "gurobi": "Gurobi", "discopt": "discopt", "mindtpy": "MindtPy"}
#: What makes a row.
KEY = ("world", "n_devices", "peer", "tolerance", "seed")
#: Seed of the first slot.
SEED = 5000
#: Elapsed seconds for a CPU second, where a solver counts the former: others use the machine too.
ELAPSED = 4
#: A claimed bound this far above the cost of a judged plan, relative, is wrong.
WRONG = 1e-5


def slot_of(world: str, n_devices: int, seed: int) -> Instance:
    """A slot with a request of every device."""
    scenario = preset(world, n_devices=n_devices, n_slots=1, arrivals="every-slot")
    return generate(scenario, SEED + seed)


# --- measuring


def options_of(peer: str, tolerance: float, budget_s: float) -> dict[str, Any]:
    """Where a solver stops, in its own words."""
    return {
        "scip": {"timing/clocktype": 1, "limits/time": budget_s, "limits/gap": tolerance},
        "gurobi": {"WorkLimit": budget_s, "MIPGap": tolerance},
        "mindtpy": {"relative_bound_tolerance": tolerance},
    }[peer]


def by_pyomo(slot: Instance, peer: str, tolerance: float, budget_s: float) -> Row:
    """What a solver that Pyomo knows says of a slot."""
    # SCIP and Gurobi look at limits of their own; one that stops late has not failed, nor has one
    # that had to wait for the processor
    elapsed = ELAPSED if peer == "mindtpy" else 20
    try:
        outcome = general.solve(
            slot, budget_s=elapsed * budget_s, seed=0, solver=peer,
            options=options_of(peer, tolerance, budget_s), grace_s=20 * budget_s,
        )  # fmt: skip
    except general.SolverFailed as failure:
        return {"failed": str(failure).removeprefix("slot 0: ")}
    (said,) = outcome.info["slots"]
    told = {f"peer_{name}": said[name] for name in ("termination", "nodes", "bound", "version")}
    cost = float(judge(slot, outcome.plan).cost)
    return {"failed": "", "peer_s": said["cpu_s"], "peer_cost": cost, "wrong": said["wrong"]} | told


#: discopt's run of a file, in a Python that has it: path, seconds, tolerance -> JSON.
DISCOPT = """
import json, resource, sys, time
import discopt.modeling as dm
from importlib.metadata import version
model, began = dm.from_nl(sys.argv[1]), time.process_time()
said = model.solve(time_limit=float(sys.argv[2]), gap_tolerance=float(sys.argv[3]))
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = time.process_time() - began + used.ru_utime + used.ru_stime
x = None if said.x is None else {name: float(value) for name, value in said.x.items()}
print(json.dumps({"seconds": seconds, "termination": said.status, "bound": said.bound,
                  "nodes": said.node_count, "version": version("discopt"), "x": x}))
"""


def by_discopt(slot: Instance, python: str, tolerance: float, budget_s: float) -> Row:
    """What discopt says of the file of a slot."""
    with tempfile.TemporaryDirectory() as folder:
        path, answer = Path(folder) / "p1.nl", Path(folder) / "p1.json"
        export(slot, 0, "nl", path, comments=False)
        words = [python, "-c", DISCOPT, str(path), str(ELAPSED * budget_s), str(tolerance)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            return {"failed": (done.stderr.strip().splitlines() or ["no word"])[-1]}
        said = json.loads(done.stdout.splitlines()[-1])
        if said["x"] is None:
            return {"failed": f"no plan ({said['termination']})"}
        names = list(json.loads(names_path(path).read_text())["names"])
        answer.write_text(json.dumps({names[int(n[1:])]: v for n, v in said["x"].items()}))
        plan, _changes = project(slot, general.tidy(slot, read_solution(answer, path, slot)))
    told = {f"peer_{name}": said[name] for name in ("termination", "nodes", "bound", "version")}
    cost = float(judge(slot, plan).cost)
    return {"failed": "", "peer_s": said["seconds"], "peer_cost": cost, "wrong": []} | told


def exact(slot: Instance, gap: float, budget_s: float, name: str) -> Row:
    """CPU seconds and bounds of branch and bound that is asked for a gap."""
    began = clock.processor_s()
    answer = solve_slot(slot, 0, Limits(gap=gap, budget_s=budget_s))
    seconds = clock.processor_s() - began
    cost = float(judge(slot, answer.plan).cost)
    return {f"{name}_s": seconds, f"{name}_cost": cost, f"{name}_bound": answer.lower_bound}


def duel(slot: Instance, peer: str, tolerance: float, budget_s: float, discopt: str = "") -> Row:
    """Both methods on a slot."""
    if peer == "discopt":
        row = by_discopt(slot, discopt, tolerance, budget_s)
    else:
        row = by_pyomo(slot, peer, tolerance, budget_s)
    row |= {"budget_s": budget_s} | exact(slot, tolerance, budget_s, "tight")
    if row["failed"]:
        return row
    bound = -np.inf if row["peer_bound"] is None else row["peer_bound"]
    gap = max((row["peer_cost"] - bound) / row["peer_cost"], GAP)
    return row | {"peer_gap": gap} | exact(slot, min(gap, 1.0), budget_s, "same")


def read(path: Path) -> list[Row]:
    """Rows of a file; none where there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(path: Path, cases: Iterable[tuple[Any, ...]], budget_s: float, discopt: str) -> None:
    """A row for every case that has none, in the order of `KEY`."""
    rows = read(path)
    done = {tuple(r[k] for k in KEY) for r in rows}
    for case in cases:
        if case in done:
            continue
        named = dict(zip(KEY, case, strict=True))
        slot = slot_of(named["world"], named["n_devices"], named["seed"])
        row = named | duel(slot, named["peer"], named["tolerance"], budget_s, discopt)
        rows.append(row | {"commit": provenance.commit()})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "".join(f"{json.dumps(r)}\n" for r in rows).encode())
        print(*case, row["failed"] or f"{row['peer_s']:.2f} s to {row['peer_gap']:.2e}", flush=True)


# --- tables


def is_wrong(row: Row) -> bool:
    """Whether the referee, or a cheaper plan, contradicts what the solver claims."""
    best = min(row["peer_cost"], row["same_cost"], row["tight_cost"])
    return bool(row["wrong"]) or (row["peer_bound"] or -np.inf) > best * (1 + WRONG)


def has_ended(row: Row) -> bool:
    """Whether the solver stopped at its tolerance, not at its budget."""
    return row["peer_gap"] <= row["tolerance"] * 1.01 + 2 * GAP


def factor(row: Row) -> float:
    """How many times sooner branch and bound has the gap with which the solver ended."""
    return float(row["peer_s"] / row["same_s"])


def groups(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """(tolerance, world, solver, K) -> its rows, in the order of tables."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    order = {name: place for place, name in enumerate((*WORLDS, *PEERS))}
    keys = ("tolerance", "world", "peer", "n_devices")
    for row in sorted(rows, key=lambda r: [-r["tolerance"], *(order.get(r[k], r[k])
                                           for k in keys[1:]), r["seed"]]):  # fmt: skip
        found.setdefault(tuple(row[k] for k in keys), []).append(row)
    return found


def seconds(values: Sequence[float]) -> str:
    """A median of seconds in two digits."""
    return f"{np.median(values):.2g}"


#: What a reason holds -> its short name in tables.
REASONS = {"license": "size of its licence", "no plan": "no plan in time", "killed": "killed"}


def failures(rows: Sequence[Row]) -> str:
    """How many rows failed, and of what."""
    named = Counter(
        next((short for part, short in REASONS.items() if part in r["failed"]), "error")
        for r in rows if r["failed"]
    )  # fmt: skip
    return ", ".join(f"{count} ({name})" for name, count in named.items()) or "0"


def whole_table(rows: Sequence[Row]) -> str:
    """A line for every group."""
    heads = (
        "slots", "solver", "K", "to", "ended", "failed", "wrong", "its time", "its gap (worst)",
        "ours to its gap", "ours to the tolerance", "factor (least)", "it is sooner",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * (len(heads) - 2)]
    for (tolerance, world, peer, n_devices), all_rows in groups(rows).items():
        found = [r for r in all_rows if not r["failed"]]
        cells = [world, PEERS[peer], n_devices, f"{100 * tolerance:g} %"]
        cells.append(f"{sum(map(has_ended, found))} of {len(all_rows)}")
        cells += [failures(all_rows), sum(map(is_wrong, found))]
        tight = f"{seconds([r['tight_s'] for r in all_rows])} s"
        if found:
            gaps, times = [100 * r["peer_gap"] for r in found], [factor(r) for r in found]
            cells += [
                f"{seconds([r['peer_s'] for r in found])} s",
                f"{np.median(gaps):.2g} % ({max(gaps):.2g} %)",
                f"{seconds([r['same_s'] for r in found])} s",
                tight,
                f"{np.median(times):,.0f} ({min(times):,.0f})",
                sum(t < 1 for t in times),
            ]
        else:
            cells += ["", "", "", tight, "", ""]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def short_table(rows: Sequence[Row], tolerance: float = 1e-3) -> str:
    """The median factors of SCIP and Gurobi, a column for every size."""
    found = groups([r for r in rows if r["peer"] in ("scip", "gurobi")])
    lines = [
        f"| slots | solver | {' | '.join(f'K={k}' for k in SIZES)} |",
        "| --- | --- |" + " ---: |" * len(SIZES),
    ]
    for world in WORLDS:
        for peer in ("scip", "gurobi"):
            cells = [short_cell(found.get((tolerance, world, peer, k), [])) for k in SIZES]
            if any(cells):
                lines.append(f"| `{world}` | {PEERS[peer]} | {' | '.join(cells)} |")
    shown = [r for (to, *_), some in found.items() if to == tolerance for r in some]
    shown = [r for r in shown if not r["failed"]]
    sooner = sum(factor(r) < 1 for r in shown)
    told = f"The solver is sooner in {sooner} of {len(shown)} runs."
    return "\n".join([*lines, "", told])


def short_cell(rows: Sequence[Row]) -> str:
    """A median factor; a solver that its budget ended would have needed longer."""
    found = [r for r in rows if not r["failed"]]
    if not found:
        return ""
    cut = sum(map(has_ended, found)) <= len(found) / 2
    number = f"{'at least ' if cut else ''}{np.median([factor(r) for r in found]):,.0f}"
    return number if len(found) >= 10 else f"{number} ({len(found)})"


def fill(page: str, name: str, text: str) -> str:
    """A page with what stands between its marks of a name replaced."""
    mark = rf"(<!-- {name}: written by benchmarks/\w+\.py -->\n).*?(\n<!-- end -->)"
    return re.sub(mark, lambda m: f"{m[1]}\n{text}\n{m[2]}", page, flags=re.S)


def filled(page: str) -> str:
    """A page with its tables of solvers written anew."""
    rows = read(ROWS)
    return fill(fill(page, "peers", whole_table(rows)), "factors", short_table(rows))


def test_exact_method_beats_scip_on_a_small_slot() -> None:
    """In the same run, branch and bound reaches SCIP's gap sooner."""
    warm_up()
    row = duel(slot_of("balanced", 3, 0), "scip", 1e-3, 5.0)
    assert not row["failed"]
    assert factor(row) > 1


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["scip", "gurobi"])
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=WORLDS)
    parser.add_argument("--devices", nargs="+", type=int, default=SIZES)
    parser.add_argument("--tolerances", nargs="+", type=float, default=[1e-3])
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--discopt", default=sys.executable, help="a Python that has discopt")
    parser.add_argument("--table", action="store_true", help="write the tables alone")
    options = parser.parse_args()
    if not options.table:
        warm_up()
        clock.count("cpu")
        peers = [p for p in options.peers if p == "discopt" or not availability(p)]
        cases = (
            (world, n_devices, peer, tolerance, seed)
            for tolerance in options.tolerances for world in options.worlds
            for n_devices in options.devices for peer in peers for seed in range(options.slots)
        )  # fmt: skip
        measure(ROWS, cases, options.budget, options.discopt)
    for page in PAGES:
        write_atomically(page, filled(page.read_text("utf-8")).encode())


if __name__ == "__main__":
    main()

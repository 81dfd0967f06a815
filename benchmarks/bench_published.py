"""Published times of global power control beside the nearest cases here.

    python benchmarks/bench_published.py            # measures what is missing, then writes the page
    python benchmarks/bench_published.py --table    # writes docs/peers.md alone

Mixed monotonic programming maximises the sum rate of an interference channel of K users over their
powers. Its times are read off the authors' results, ours are measured: every device of a slot at
leakage 1 sends to the server that is best for it alone, UAVs are where they come from, and powers
are chosen; and P1 of the same slot as a whole. Rows are in results/peers/power.jsonl.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from bench_general import PAGES, ROWS, Row, fill, read, seconds

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot, warm_up
from minlp.convex.problem import ConvexProblem
from minlp.convex.solve import minimise
from minlp.p1.start import start_plan
from minlp.slot.cost import log_gains
from minlp.slot.data import option_with, slot_data
from minlp.slot.interference_free import gains_at, server_costs
from minlp.slot.value import power_problem
from satedge.bench.study import provenance
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.io.folder import write_atomically
from satedge.problem.referee import available, judge
from satedge.problem.scenario import preset

PLACE, PAGE = ROWS.with_name("power.jsonl"), PAGES[0]

#: K -> mean seconds over channels, from the authors' results/tin_benchmark/tin_runtime.dat.
PUBLISHED_S = {10: 0.0734, 14: 2.79, 20: 51.8}
#: Absolute tolerance, of the sum rate there and of P1's objective here.
TOLERANCE = 0.01
SLOTS, SEED, BUDGET_S = 20, 710_000, 2.0


def all_send(slot: Instance) -> ConvexProblem:
    """Powers of all devices, each sending to the server that is best for it alone."""
    data, s = slot_data(slot), slot.scenario
    away = slot.device_xy_m[:, :, None, :] - slot.uav_xy_m
    gains = gains_at(slot, np.hypot(away[..., 0], away[..., 1]))
    open_to = available(slot, slot.uav_xy_m[None])[0]
    alone = np.where(open_to, server_costs(slot, gains).cost[0], np.inf)
    servers = alone.argmin(axis=1)
    choice = np.array([option_with(data, k, int(servers[k])) for k in range(s.n_devices)])
    gains_here = log_gains(data, np.array(slot.uav_xy_m))
    problem, senders, _constant = power_problem(data, choice, gains_here)
    assert len(senders) == s.n_devices
    return problem


def measured(n_devices: int, seed: int) -> Row:
    """Powers alone to 1e-9 of their cost, and P1 to the tolerance."""
    scenario = preset(
        "paper", n_devices=n_devices, n_slots=1, arrivals="every-slot", interference_leakage=1.0
    )
    slot = generate(scenario, SEED + seed)
    problem = all_send(slot)
    began = clock.processor_s()
    minimum = minimise(problem, relative_gap=1e-9)
    power_s = clock.processor_s() - began
    least = TOLERANCE / float(judge(slot, start_plan(slot)).cost)
    began = clock.processor_s()
    answer = solve_slot(slot, 0, Limits(gap=least, budget_s=BUDGET_S))
    slot_s = clock.processor_s() - began
    cost = float(judge(slot, answer.plan).cost)
    return {
        "n_devices": n_devices, "seed": seed,
        "power_s": power_s, "power_gap": (minimum.cost - minimum.lower_bound) / n_devices,
        "slot_s": slot_s, "slot_gap": cost - answer.lower_bound, "slot_cost": cost,
        "commit": provenance.commit(),
    }  # fmt: skip


def measure() -> None:
    """A row for every slot that has none."""
    rows: list[Row] = read(PLACE)
    done = {(r["n_devices"], r["seed"]) for r in rows}
    for case in ((k, seed) for k in PUBLISHED_S for seed in range(SLOTS)):
        if case not in done:
            rows.append(measured(*case))
            write_atomically(PLACE, "".join(f"{json.dumps(r)}\n" for r in rows).encode())


def table(rows: list[Row]) -> str:
    """A line for every number of devices."""
    heads = (
        "K",
        "published, mean",
        "powers alone, mean",
        "longest",
        "P1, median",
        "closed",
        "gap left",
    )
    lines = [f"| {' | '.join(heads)} |", "|" + " ---: |" * len(heads)]
    for n_devices, published_s in PUBLISHED_S.items():
        found = [r for r in rows if r["n_devices"] == n_devices]
        cells: list[Any] = [n_devices, f"{published_s:.2g} s"]
        if found:
            powers = [1e3 * r["power_s"] for r in found]
            closed = sum(r["slot_gap"] <= TOLERANCE for r in found)
            cells += [f"{np.mean(powers):.2g} ms", f"{max(powers):.2g} ms"]
            cells += [f"{seconds([r['slot_s'] for r in found])} s", f"{closed} of {len(found)}"]
            left = np.median([r["slot_gap"] / r["slot_cost"] for r in found])
            cells.append(f"{100 * left:.2g} %")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def filled(page: str) -> str:
    """The page with its table written anew."""
    return fill(page, "powers", table(read(PLACE)))


def main() -> None:
    """Measure what is missing, then write the page."""
    if "--table" not in sys.argv:
        warm_up()
        clock.count("cpu")
        measure()
    write_atomically(PAGE, filled(PAGE.read_text("utf-8")).encode())


if __name__ == "__main__":
    main()

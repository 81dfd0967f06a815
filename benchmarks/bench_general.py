"""Branch and bound against general solvers on the same slots, in the same run.

    python benchmarks/bench_general.py --devices 3 4 --budget 60 --slots 5
    python benchmarks/bench_general.py --compute shared --devices 6 8 --slots 3

Each peer gets P1 in the formulation and with the cuts that serve it best (`minlp.p1.rates_log`), a
known plan as cutoff, one thread, and `--budget` seconds. Its gap is its own claim: its judged cost
against its claimed bound. Then the exact method is asked for that gap. The ratio is that of CPU
seconds, the peer's in the solver alone (without starting its process); it is a lower bound on the
advantage where the peer was stopped by its budget. SCIP's budget counts its CPU seconds, Gurobi's
elapsed ones. With shared compute, servers are twice as fast as in Table 1, so that most requests
can be in time.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot, warm_up
from minlp.general import solve as general
from minlp.p1.solvers import GAP, availability
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.referee import judge
from satedge.problem.scenario import preset


@dataclass(frozen=True)
class Duel:
    """One slot, one peer. Gaps are relative."""

    peer_gap: float
    peer_s: float
    exact_s: float
    exact_gap: float
    wrong: bool
    """The referee contradicts the peer."""

    @property
    def ratio(self) -> float:
        """How many times quicker the exact method reaches the peer's gap."""
        return self.peer_s / self.exact_s


def duel(slot: Instance, peer: str, formulation: str, budget_s: float) -> Duel | str:
    """Both methods on a slot; the reason where the peer failed."""
    # Solvers look at the clock between steps only; one that stops late has not failed, nor has one
    # that had to wait for the processor.
    options = {"timing/clocktype": 1} if peer == "scip" else {}
    try:
        outcome = general.solve(
            slot, budget_s=budget_s, seed=0, solver=peer, formulation=formulation,
            options=options, grace_s=20 * budget_s,
        )  # fmt: skip
    except general.SolverFailed as failure:
        return str(failure)
    (record,) = outcome.info["slots"]
    cost = float(judge(slot, outcome.plan).cost)
    bound = -np.inf if record["bound"] is None else record["bound"]
    gap = max((cost - bound) / cost, GAP)
    began = time.process_time()
    answer = solve_slot(slot, 0, Limits(gap=min(gap, 1.0), budget_s=budget_s))
    exact_s = time.process_time() - began
    best = float(judge(slot, answer.plan).cost)
    return Duel(
        peer_gap=gap,
        peer_s=record["cpu_s"],
        exact_s=exact_s,
        exact_gap=(best - answer.lower_bound) / best,
        wrong=bool(record["wrong"]),
    )


#: Changes of the scenario by the kind of compute.
COMPUTE = {
    "dedicated": {},
    "shared": {"compute_sharing": "shared", "uav_TFLOPS": 3.76, "satellite_TFLOPS": 6.66},
}


def slots_of(
    weights: str, n_devices: int, count: int, compute: str = "dedicated"
) -> list[Instance]:
    """Slots with a request of every device, leakage 0.05, free UAV positions."""
    changes = COMPUTE[compute]
    scenario = preset(weights, n_devices=n_devices, n_slots=1, arrivals="every-slot", **changes)
    return [generate(scenario, 5000 + seed) for seed in range(count)]


def report(peer: str, weights: str, n_devices: int, duels: list[Duel | str]) -> None:
    """Print a line of the table."""
    done = [d for d in duels if isinstance(d, Duel)]
    head = f"{peer:8} {weights:9} K={n_devices:<3}"
    if not done:
        print(f"{head} failed: {duels[0]}", flush=True)
        return
    gaps = 100 * np.array([d.peer_gap for d in done])
    ratios = np.array([d.ratio for d in done])
    print(
        f"{head} gap % median {np.median(gaps):8.5f} worst {gaps.max():8.5f}"
        f" | peer s median {np.median([d.peer_s for d in done]):6.1f}"
        f" | exact s median {np.median([d.exact_s for d in done]):7.4f}"
        f" | quicker, geometric mean {np.exp(np.log(ratios).mean()):8.0f} x"
        f" | failed {len(duels) - len(done)}, contradicted {sum(d.wrong for d in done)}",
        flush=True,
    )


def test_exact_method_beats_scip_on_a_small_slot() -> None:
    """In the same run, branch and bound reaches SCIP's gap sooner."""
    (slot,) = slots_of("balanced", 3, 1)
    warm_up()
    result = duel(slot, "scip", "log-power", 5.0)
    assert isinstance(result, Duel)
    report("scip", "balanced", 3, [result])
    assert result.ratio > 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", nargs="+", default=["scip", "gurobi"])
    parser.add_argument("--formulation", default="log-power")
    parser.add_argument("--weights", nargs="+", default=["paper", "balanced"])
    parser.add_argument("--devices", nargs="+", type=int, default=[3, 4, 6, 8])
    parser.add_argument("--compute", choices=list(COMPUTE), default="dedicated")
    parser.add_argument("--slots", type=int, default=5)
    parser.add_argument("--budget", type=float, default=60.0)
    options = parser.parse_args()
    warm_up()
    for peer in options.peers:
        if reason := availability(peer):
            print(reason)
            continue
        for weights in options.weights:
            for n_devices in options.devices:
                slots = slots_of(weights, n_devices, options.slots, options.compute)
                duels = [duel(s, peer, options.formulation, options.budget) for s in slots]
                report(peer, weights, n_devices, duels)


if __name__ == "__main__":
    main()

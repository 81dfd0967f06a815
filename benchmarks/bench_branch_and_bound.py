"""How fast branch and bound certifies: `python benchmarks/bench_branch_and_bound.py [--quick]`.

CPU seconds of one thread per slot, so that other work on the machine shows little. Kernels are
loaded before the first measurement.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from minlp.branch_and_bound import solve_slot, warm_up
from minlp.tree import Limits
from satedge.bench.suites import load_suite
from satedge.problem.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.scenario import preset

Case = tuple[str, list[Instance], float, float]


def cases(quick: bool) -> list[Case]:
    """(name, slots, relative gap, budget s)."""
    count = 5 if quick else 30

    def drawn(name: str, **changes: object) -> list[Instance]:
        scenario = preset(name, n_slots=1, arrivals="every-slot", **changes)
        return [generate(scenario, 3000 + seed) for seed in range(count)]

    short = slice(None, None, 10 if quick else 1)
    return [
        ("tiny to 1e-6", load_suite("tiny")[short], 1e-6, 10),
        ("slots to 1e-4", load_suite("slots")[short], 1e-4, 20),
        ("slots to 1e-5", load_suite("slots")[short], 1e-5, 20),
        ("slots-balanced to 1e-3", load_suite("slots-balanced")[short], 1e-3, 10),
        ("slots-balanced to 1e-5", load_suite("slots-balanced")[short], 1e-5, 10),
        ("leakage 1, K=10, to 1e-2", drawn("paper", interference_leakage=1.0), 1e-2, 60),
        ("leakage 1, K=10, to 1e-3", drawn("paper", interference_leakage=1.0), 1e-3, 60),
        ("K=20 to 1e-3", drawn("paper", n_devices=20), 1e-3, 60),
        ("K=20 balanced to 1e-2", drawn("balanced", n_devices=20), 1e-2, 60),
        ("K=20 balanced to 1e-3", drawn("balanced", n_devices=20), 1e-3, 60),
        ("K=30 to 1e-3", drawn("paper", n_devices=30)[:10], 1e-3, 60),
        ("K=30 balanced to 1e-2", drawn("balanced", n_devices=30)[:10], 1e-2, 60),
    ]


def measure(slots: list[Instance], gap: float, budget_s: float) -> tuple[np.ndarray, np.ndarray]:
    """CPU seconds and certified gaps."""
    seconds, gaps = [], []
    for slot in slots:
        began = time.process_time()
        outcome = solve_slot(slot, 0, Limits(gap=gap, budget_s=budget_s))
        seconds.append(time.process_time() - began)
        gaps.append(outcome.certificate.get("gap", 0.0))
    return np.array(seconds), np.array(gaps)


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few slots of each case")
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    options = parser.parse_args()
    warm_up()
    heads = ("case", "slots", "solved", "median s", "max s", "worst gap")
    print("{:28s} {:>5s} {:>6s} {:>9s} {:>8s} {:>10s}".format(*heads))
    for name, slots, gap, budget_s in cases(options.quick):
        if options.only in name:
            seconds, gaps = measure(slots, gap, budget_s)
            solved = int((gaps <= gap * (1 + 1e-6)).sum())
            print(
                f"{name:28s} {len(slots):5d} {solved:6d} {np.median(seconds):9.4f} "
                f"{seconds.max():8.3f} {100 * gaps.max():9.5f}%",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""How fast branch and bound certifies: `python benchmarks/bench_branch_and_bound.py`.

    --quick   a few slots of each case
    --hard    the open cases instead: leakage 1, K = 20 to 100, larger contended slots
    --causes  instead, of the slots at leakage 1 how many no plan can serve in time, and why
    --only    cases whose name holds this text

CPU seconds of one thread per slot, budgets too, so that other work on the machine shows little.
Kernels are loaded before the first measurement. Generated slots have seeds that no suite has.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot, warm_up
from satedge.bench.study.suites import load_suite
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome
from satedge.problem.scenario import preset

Case = tuple[str, list[Instance], float, float]

#: The first seed of generated slots; suites have seeds below 100,000.
SEED = 700_000

#: Relative gap and seconds of one thread for a plan that misses no deadline or the proof that there
#: is none.
PUNCTUAL_GAP, PUNCTUAL_S = 1e-3, 20.0


def drawn(name: str, count: int, **changes: object) -> list[Instance]:
    """Slots in which every device has a request."""
    scenario = preset(name, n_slots=1, arrivals="every-slot", **changes)
    return [generate(scenario, SEED + seed) for seed in range(count)]


def committed(quick: bool) -> list[Case]:
    """(name, slots, relative gap, budget s) of the suites."""
    short = slice(None, None, 10 if quick else 1)
    return [
        ("tiny to 1e-6", load_suite("tiny")[short], 1e-6, 10),
        ("slots to 1e-4", load_suite("slots")[short], 1e-4, 10),
        ("slots to 1e-5", load_suite("slots")[short], 1e-5, 10),
        ("slots-balanced to 1e-3", load_suite("slots-balanced")[short], 1e-3, 10),
        ("slots-balanced to 1e-5", load_suite("slots-balanced")[short], 1e-5, 10),
        ("contended to 1e-3", load_suite("contended")[short], 1e-3, 10),
        ("contended-balanced to 1e-3", load_suite("contended-balanced")[short], 1e-3, 10),
    ]


def opened(quick: bool) -> list[Case]:
    """(name, slots, relative gap, budget s) of the open cases."""
    many = 2 if quick else 20
    loud = {"interference_leakage": 1.0}
    printed = {**loud, "requests": "as-printed"}
    fleet = {"n_devices": 20, "n_uavs": 6, "n_satellites": 8}
    few = 2 if quick else 10
    return [
        ("leakage 1, K=10, to 1e-2", drawn("paper", many, **loud), 1e-2, 60),
        ("the same as printed, to 1e-2", drawn("paper", many, **printed), 1e-2, 60),
        ("K=20 to 1e-3", drawn("paper", many, n_devices=20), 1e-3, 60),
        ("K=20 balanced to 1e-2", drawn("balanced", many, n_devices=20), 1e-2, 60),
        ("K=30 to 1e-3", drawn("paper", many, n_devices=30), 1e-3, 60),
        ("K=30 balanced to 1e-2", drawn("balanced", many, n_devices=30), 1e-2, 60),
        ("K=50 to 1e-3", drawn("paper", few, n_devices=50), 1e-3, 60),
        ("K=50, M=6, N=8, to 1e-3", drawn("paper", few, **fleet | {"n_devices": 50}), 1e-3, 60),
        ("K=100 to 1e-2", drawn("paper", few, n_devices=100), 1e-2, 60),
        ("leakage 1, K=20, to 1e-2", drawn("paper", few, n_devices=20, **loud), 1e-2, 60),
        ("contended, leakage 1, 1e-2", drawn("contended", many, **loud), 1e-2, 60),
        ("contended K=20 to 1e-2", drawn("contended", few, **fleet), 1e-2, 60),
        ("the same balanced, 1e-2", drawn("contended-balanced", few, **fleet), 1e-2, 60),
    ]


def timed(slot: Instance, limits: Limits) -> tuple[Outcome, float]:
    """The outcome and its CPU seconds."""
    began = clock.now()
    outcome = solve_slot(slot, 0, limits)
    return outcome, clock.now() - began


def report(name: str, slots: list[Instance], gap: float, budget_s: float) -> None:
    """Print a line of the table."""
    limits = Limits(gap=gap, budget_s=budget_s)
    runs = [timed(slot, limits) for slot in slots]
    seconds = np.array([s for _, s in runs])
    gaps = np.array([outcome.certificate.get("gap", 0.0) for outcome, _ in runs])
    solved = int((gaps <= gap * (1 + 1e-6)).sum())
    print(
        f"{name:28s} {len(slots):5d} {solved:6d} {np.median(seconds):9.4f} "
        f"{seconds.max():8.3f} {100 * gaps.max():9.5f}%",
        flush=True,
    )


def causes(count: int) -> None:
    """Print of how many slots at leakage 1 hard mode proves what."""
    limits = Limits(gap=PUNCTUAL_GAP, budget_s=PUNCTUAL_S, hard=True)
    found: Counter[str] = Counter()
    for slot in drawn("paper", count, interference_leakage=1.0):
        outcome, _seconds = timed(slot, limits)
        if outcome.status == "infeasible":
            found[f"infeasible: {outcome.certificate['cause']}"] += 1
        elif outcome.plan is not None:
            found["a plan without a miss"] += 1
        else:
            found["undecided"] += 1
    for what, times in sorted(found.items()):
        print(f"{what:28s} {times:5d} of {count}")


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--causes", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    warm_up()
    clock.count("cpu")
    if options.causes:
        causes(5 if options.quick else 50)
        return
    heads = ("case", "slots", "solved", "median s", "max s", "worst gap")
    print("{:28s} {:>5s} {:>6s} {:>9s} {:>8s} {:>10s}".format(*heads))
    for name, slots, gap, budget_s in (opened if options.hard else committed)(options.quick):
        if options.only in name:
            report(name, slots, gap, budget_s)


if __name__ == "__main__":
    main()

"""What the load problem best pays, for proofs."""

from __future__ import annotations

import itertools

import numpy as np

from minlp.branch_and_bound.load_dual import Target, best_dual
from minlp.slot.data import Array, IntArray
from satedge.verify.kernel.bound import joined
from satedge.verify.kernel.interval import Interval

N, SERVERS = 4, 3


def _sums(price: Array, span: IntArray) -> dict[tuple[int, ...], float]:
    """Sums of prices of all assignments with loads in their spans."""
    found = {}
    for choice in itertools.product(range(SERVERS + 1), repeat=N):
        loads = np.bincount(choice, minlength=SERVERS + 1)[:SERVERS]
        if ((span[:, 0] <= loads) & (loads <= span[:, 1])).all():
            at = np.append(loads, 1)[list(choice)] - 1
            found[choice] = float(price[np.arange(N), choice, at].sum())
    return found


def _has(choice: tuple[int, ...], target: Target) -> bool:
    if target[0] == 1:
        return choice[target[1]] == target[2]
    return target[0] == 0 or choice.count(target[1]) == target[2]


def test_bounds_of_what_is_held_reach_those_of_enumeration() -> None:
    """Below the best assignment of the kind, and mostly next to it; high where there is none."""
    close = total = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        price = rng.normal(0, 1, (N, SERVERS + 1, N)) + np.arange(N)
        price[:, -1] = price[:, -1, :1]  # refusals do not wait for each other
        span = np.stack([rng.integers(0, 2, SERVERS), rng.integers(1, N + 1, SERVERS)], -1)
        sums = _sums(price, span)
        targets = [(0,), *((1, k, o) for k in range(N) for o in range(SERVERS + 1))]
        targets += [(2, s, c) for s in range(SERVERS) for c in range(span[s, 0], span[s, 1] + 1)]
        for target in targets:
            dual = best_dual(price, span, target)
            spans = np.append(span, [[0, N]], 0)
            found = joined(Interval(np.zeros(1)), price[None], dual[None], spans[None])
            bound = float(found[target[0]][(0, *target[1:])])
            best = min((v for c, v in sums.items() if _has(c, target)), default=np.inf)
            assert bound <= best + 1e-9
            close += bound > min(best, 100.0) - 1e-6
            total += 1
    assert close > 0.9 * total

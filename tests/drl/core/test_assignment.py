"""Servers that requests share: settled where no move and no exchange lowers the sum of costs."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drl.core.assignment import NEVER, Prices, settled


def drawn(rng: np.random.Generator, n: int, k: int, s: int) -> Prices:
    def uniform(*shape: int) -> np.ndarray:
        return rng.uniform(0.1, 1.5, shape).astype(np.float32)

    return Prices(
        alone=uniform(n, k, s),
        execute_s=uniform(n, k, s),
        left_s=uniform(n, k, s) - np.float32(0.3),
        refusal=2 + 3 * uniform(n, k, 1),
        available=rng.random((n, k, s)) < 0.8,
        latency_weight=0.5,
        penalty=3.0,
    )


def total(prices: Prices, slot: int, server: tuple[int, ...], acts: np.ndarray) -> float:
    """The sum of costs of a slot by its definition, device by device."""
    cost, s = 0.0, prices.alone.shape[-1]
    for k, i in enumerate(server):
        if not acts[k]:
            continue
        most = float(prices.refusal[slot, k, 0])
        if i == s:
            cost += most
        elif not prices.available[slot, k, i]:
            cost += float(NEVER)
        else:
            others = sum(acts[j] and server[j] == i for j in range(len(server)) if j != k)
            waits = float(prices.execute_s[slot, k, i]) * others
            late = max(waits - float(prices.left_s[slot, k, i]), 0.0)
            own = float(prices.alone[slot, k, i]) + 0.5 * waits + 3.0 * late
            cost += min(own, most)
    return cost


def neighbours(server: tuple[int, ...], s: int) -> list[tuple[int, ...]]:
    """Plans that differ in one device's server, or by an exchange."""
    found = []
    for k, i in itertools.product(range(len(server)), range(s + 1)):
        found.append((*server[:k], i, *server[k + 1 :]))
    for j, k in itertools.combinations(range(len(server)), 2):
        other = list(server)
        other[j], other[k] = server[k], server[j]
        found.append(tuple(other))
    return found


@settings(max_examples=60, deadline=None)
@given(k=st.integers(1, 5), s=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_settled_means_that_no_step_helps(k: int, s: int, seed: int) -> None:
    """For every slot of a batch; idle devices neither move nor load a server."""
    rng = np.random.default_rng(seed)
    prices, acts = drawn(rng, 3, k, s), rng.random((3, k)) < 0.8
    start = rng.integers(0, s, (3, k))
    found = settled(prices, start, acts, 100)
    np.testing.assert_array_equal(found[~acts], start[~acts])
    for slot in range(3):
        plan = tuple(found[slot].tolist())
        cost = total(prices, slot, plan, acts[slot])
        assert cost <= total(prices, slot, tuple(start[slot].tolist()), acts[slot]) + 1e-3
        for other in neighbours(plan, s):
            assert total(prices, slot, other, acts[slot]) >= cost - 1e-3


def test_a_limit_of_steps_is_kept() -> None:
    """None: as it was. One: one device moved, or two exchanged."""
    rng = np.random.default_rng(0)
    prices, acts = drawn(rng, 50, 6, 4), np.ones((50, 6), bool)
    start = rng.integers(0, 4, (50, 6))
    np.testing.assert_array_equal(settled(prices, start, acts, 0), start)
    assert (settled(prices, start, acts, 1) != start).sum(axis=1).max() <= 2


def test_fewer_slots_and_servers_are_those_of_the_same_prices() -> None:
    prices = drawn(np.random.default_rng(1), 4, 3, 2)
    some, usable = np.array([1, 3]), np.zeros((4, 3, 2), bool)
    fewer = prices.of(some, usable)
    np.testing.assert_array_equal(fewer.alone, prices.alone[some])
    found = settled(fewer, np.zeros((2, 3), np.int64), np.ones((2, 3), bool), 100)
    assert (found == 2).all()  # nothing is usable: all refuse

"""The load problem of branch and bound: bounds hold, and the dual reaches the linear relaxation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.loads import (
    alternatives,
    cheapest_choice,
    counted,
    full_spans,
    load_bound,
    new_assigned,
    price_of,
)
from minlp.branch_and_bound.solve import solve_slot, warm_up
from minlp.enumeration.solve import prove
from minlp.slot.data import slot_data
from satedge.problem.referee import judge
from support.randomised import examples, seeds
from support.worlds import world


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm_up()


def shared_slot(seed, n_devices=4, n_uavs=1, n_satellites=2, name="paper", **changes):
    """A small slot whose servers are shared, everybody with a request."""
    size = {"n_devices": n_devices, "n_uavs": n_uavs, "n_satellites": n_satellites}
    return world(name, seed, compute_sharing="shared", arrivals="every-slot", **size, **changes)


def random_prices(data, rng):
    """Prices (n, O, n) that rise with the load, by chance as far as options are wanted."""
    n, width = data.receiver.shape
    price = np.full((n, width, n), np.inf)
    for k in range(n):
        for o in range(int(data.n_options[k])):
            steps = rng.exponential(1.0, n) * (rng.random(n) < 0.8)
            price[k, o] = rng.normal(0.0, 3.0) + np.cumsum(steps)
        price[k, int(data.n_options[k]) - 1] = rng.normal(4.0, 2.0)
    return price


def assignments(data, allowed, spans):
    """All choices (n,) that options and loads allow, and the loads (S,) of servers."""
    n = len(allowed)
    each = [[o for o in range(int(data.n_options[k])) if allowed[k] >> o & 1] for k in range(n)]
    for options in itertools.product(*each):
        choice = np.array(options, np.int64)
        servers = data.server[np.arange(n), choice]
        loads = np.bincount(servers + 1, minlength=len(spans) + 1)[1:]
        if ((spans[:, 0] <= loads) & (loads <= spans[:, 1])).all():
            yield choice, loads


def linear_relaxation(data, allowed, spans, price):
    """Value of the linear program that the dual bounds, by HiGHS."""
    n, columns, cost = len(allowed), {}, []
    for k in range(n):
        for o in range(int(data.n_options[k])):
            if allowed[k] >> o & 1:
                alone = data.server[k, o] < 0
                for c in [1] if alone else range(1, n + 1):
                    columns["x", k, int(data.server[k, o]), c] = len(cost)
                    cost.append(price[k, o, c - 1])
    for s, (low, high) in enumerate(spans):
        for c in range(low, high + 1):
            columns["y", s, c] = len(cost)
            cost.append(0.0)
    equal, right, below = [], [], []

    def row(terms):
        line = np.zeros(len(cost))
        for name, value in terms.items():
            if name in columns:
                line[columns[name]] += value
        return line

    for k in range(n):
        equal.append(row({name: 1.0 for name in columns if name[0] == "x" and name[1] == k}))
        right.append(1.0)
    for s in range(len(spans)):
        equal.append(row({("y", s, c): 1.0 for c in range(n + 1)}))
        right.append(1.0)
        for c in range(1, n + 1):
            seats = {("x", k, s, c): 1.0 for k in range(n)}
            equal.append(row(seats | {("y", s, c): -float(c)}))
            right.append(0.0)
            below += [row({("x", k, s, c): 1.0, ("y", s, c): -1.0}) for k in range(n)]
    found = linprog(cost, np.array(below), np.zeros(len(below)), np.array(equal), right)
    return found.fun if found.status == 0 else np.inf


@examples(60)
@given(st.integers(0, 10_000))
def test_the_dual_bounds_every_assignment_and_those_with_an_option_or_a_load(seed):
    """By enumeration: the bound, and what holding an option or a load costs at least."""
    data = slot_data(shared_slot(seed % 7))
    rng = np.random.default_rng(seed)
    price, n = random_prices(data, rng), len(data.n_options)
    allowed = (1 << data.n_options) - 1
    for k in range(n):
        allowed[k] &= rng.integers(1, 1 << int(data.n_options[k]))
    spans = full_spans(data)
    spans[:, 1] -= rng.integers(0, 3, len(spans))
    all_of_them = list(assignments(data, allowed, spans))
    possible = counted(data, allowed, spans)
    assert {tuple(c) for c, _ in assignments(data, allowed, spans)} == {
        tuple(c) for c, _ in all_of_them
    }
    if not possible:
        assert not all_of_them
        return
    sums = [price_of(data, price, choice) for choice, _ in all_of_them]
    found = new_assigned(data, len(spans))
    target = min(sums, default=10.0)
    bound = load_bound(data, allowed, spans, price, rng.normal(size=n), target, np.inf, found)
    alternatives(data, allowed, spans, price, bound, found)
    assert bound <= target + 1e-9
    for (choice, loads), total in zip(all_of_them, sums, strict=True):
        assert (found.option[np.arange(n), choice] <= total + 1e-9).all()
        assert (found.load[np.arange(len(spans)), loads] <= total + 1e-9).all()


@pytest.mark.randomised
def test_the_dual_reaches_the_linear_relaxation():
    """Subgradient steps end within a twentieth of the price of a typical option."""
    for seed in seeds(20):
        data = slot_data(shared_slot(seed % 5, n_devices=7, n_uavs=2, n_satellites=3))
        price, n = random_prices(data, np.random.default_rng(seed)), len(data.n_options)
        allowed, spans = (1 << data.n_options) - 1, full_spans(data)
        assert counted(data, allowed, spans)
        choice = np.array(data.n_options - 1, np.int64)
        target = cheapest_choice(data, price, choice)
        assert target == pytest.approx(price_of(data, price, choice), rel=1e-12)
        found = new_assigned(data, len(spans))
        bound = load_bound(data, allowed, spans, price, np.zeros(n), target, np.inf, found)
        value = linear_relaxation(data, allowed, spans, price)
        assert value - 0.05 * n <= bound <= value + 1e-9


@pytest.mark.randomised
@pytest.mark.parametrize("name", ["paper", "balanced", "as-printed", "published"])
def test_enumeration_proves_slots_with_shared_servers(name):
    """The optimum of a small slot is that of all its combinations, to a millionth."""
    for seed in seeds(4):
        slot = shared_slot(seed, n_devices=3, name=name)
        proof, found = prove(slot, relative_gap=1e-6), solve_slot(slot, 0, Limits(gap=1e-6))
        cost = float(judge(slot, found.plan).cost)
        assert found.status == "optimal"
        assert found.lower_bound <= proof.cost * (1 + 1e-9)
        assert proof.lower_bound <= cost * (1 + 1e-9)
        assert cost == pytest.approx(proof.cost, rel=3e-6)

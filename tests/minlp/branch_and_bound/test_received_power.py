"""Bounds from received powers lie below every plan, box by box, and close what branching leaves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.presolve import lone_costs, outer_boxes
from minlp.branch_and_bound.received_power import ReceivedPower
from minlp.branch_and_bound.search import BOXES, Search
from minlp.slot.cost import chosen_receivers, device_costs, log_gains
from minlp.slot.data import NOT_SENT, SlotData, slot_data
from satedge.problem.plan import ignore
from support.randomised import examples
from support.worlds import world


def _plans(data: SlotData, boxes: np.ndarray, rng: np.random.Generator, count: int):
    """Options, log-powers and positions in the boxes, admissible or not."""
    n = len(data.n_options)
    for _ in range(count):
        choice = rng.integers(0, data.n_options)
        powers = rng.uniform(data.log_power_min, data.log_power_max, n)
        xy = rng.uniform(boxes[:, ::2], boxes[:, 1::2])
        yield choice, powers, xy


def _heard(data: SlotData, choice, powers, xy) -> np.ndarray:
    """(R,) log of what receivers hear over the noise."""
    sends = chosen_receivers(data, choice) != NOT_SENT
    watts = np.exp(log_gains(data, xy) + powers[:, None] - data.log_noise) * sends[:, None]
    return np.log1p(np.exp(data.log_leakage) * watts.sum(0))


@examples(30)
@given(
    st.sampled_from(["paper", "balanced", "contended"]),
    st.sampled_from([0.3, 1.0]),
    st.integers(0, 10_000),
)
def test_plans_cost_more_than_the_bound_of_their_box(name, leakage, seed):
    slot = world(name, seed % 50, n_devices=4, interference_leakage=leakage)
    data, rng = slot_data(slot), np.random.default_rng(seed)
    if len(data.n_options) == 0:
        return
    boxes = outer_boxes(data)
    lone = lone_costs(data, boxes)
    for choice, powers, xy in _plans(data, boxes, rng, 20):
        cost = device_costs(data, choice, powers, xy).sum()
        found = ReceivedPower(data, boxes, lone, cost)
        assert found.bound <= cost * (1 + 1e-9)
        x, wide = _heard(data, choice, powers, xy), rng.uniform(0, 2, 2)
        prices = rng.uniform(0, cost, len(x)) * rng.integers(0, 2, len(x))
        low, high = np.maximum(x - wide[0], 0.0), x + wide[1]
        assert found._bound(low, high, prices, 20)[0] <= cost * (1 + 1e-9)


def test_searches_where_all_hear_each_other():
    """The bound stays below the plan, and is far better than that of a thousand nodes."""
    slot = world("paper", 3, n_devices=20, arrivals="every-slot", interference_leakage=1.0)
    search = Search(slot, 0, Limits(gap=1e-2, max_nodes=1100), ignore)
    outcome = search.run()
    assert outcome.certificate["proof"] == BOXES
    assert search._of_nodes() < search.lower_bound() <= search.upper
    assert outcome.certificate["gap"] < 0.4

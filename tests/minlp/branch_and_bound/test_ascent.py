"""Better slopes: bounds below the optimum whatever copies pay, and above those of one centre."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.branch_and_bound.ascent import ascend
from minlp.branch_and_bound.branching import twins_of, without_twins
from minlp.branch_and_bound.copies import Slopes
from minlp.branch_and_bound.core_bound import core_around, priced
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.loads import full_spans
from minlp.branch_and_bound.presolve import Region, tighten
from minlp.branch_and_bound.search import Search
from minlp.branch_and_bound.solve import solve_slot, warm_up
from minlp.slot.data import slot_data
from satedge.problem.plan import ignore
from support.randomised import examples
from support.worlds import scenarios, world

SCENARIOS = scenarios(
    n_devices=st.integers(2, 6),
    uav_coverage_m=st.sampled_from([120.0, 250.0]),
    requests=st.just("as-printed"),
)
FLEETS = st.sampled_from([(3, 4), (1, 2), (2, 0), (0, 3)])


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm_up()


def raised(search, steps):
    """(bound of one centre, bound after an ascent from it, the ascent), at a search's root."""
    data, best = search.data, search.best
    n, n_uavs = data.log_fading.shape
    root = Region((1 << data.n_options) - 1, search.boxes.copy(), full_spans(data))
    assert tighten(data, root)
    start, dual = np.r_[best.log_power, best.uav_xy_m.ravel()], np.zeros(n)
    core = core_around(data, root.allowed, best.choice)
    floor = np.full(n, data.log_power_min)
    centre = priced(data, root, core, best.choice, floor, start, dual, search.upper, 1e-9)
    slopes = Slopes(centre.slopes, np.zeros((n, n_uavs + 1, 2)))
    target = search.upper * 0.999
    lifted = ascend(data, root, floor, slopes, dual, best.choice, start, target, steps, False)
    return centre.lower_bound, lifted.lower_bound, lifted


@examples(30)
@given(st.sampled_from(["paper", "balanced", "contended"]), SCENARIOS, FLEETS, st.integers(0, 5000))
def test_an_ascent_stays_below_the_optimum(name, changes, fleet, seed):
    """So do the bounds of its options, for those that the optimum takes."""
    changes["uav_separation_m"] = 0.0
    size = {"n_uavs": fleet[0], "n_satellites": fleet[1], "arrivals": "every-slot"}
    slot = world(name, seed, **{**size, **changes})
    search = Search(slot, 0, Limits(gap=1e-7, budget_s=5.0, max_nodes=3000), ignore)
    search.run()
    if search.best is None or len(search.data.n_options) == 0:
        return
    _centre, bound, lifted = raised(search, 60)
    assert bound <= search.upper * (1 + 1e-9)
    taken = lifted.option[np.arange(len(search.best.choice)), search.best.choice]
    assert (taken <= search.upper * (1 + 1e-9)).all()


@pytest.mark.parametrize("name", ["contended", "contended-balanced"])
def test_ascents_close_more_than_half_of_what_one_centre_leaves(name):
    """Sixteen devices: the sum of what is missing, over three slots."""
    left = np.zeros(2)
    for seed in range(3):
        size = {"n_devices": 16, "n_uavs": 4, "n_satellites": 6, "arrivals": "every-slot"}
        search = Search(world(name, seed, **size), 0, Limits(gap=1e-3, max_nodes=0), ignore)
        search.run()
        centre, bound, _lifted = raised(search, 150)
        left += 1 - np.array([centre, bound]) / search.upper
    assert left[1] < 0.5 * left[0]


def test_servers_that_nobody_can_tell_apart_are_tried_once():
    """Satellites of one kind: a device starts on the first, until another is held on one."""
    slot = slot_data(
        world("contended", 3, n_devices=6, n_uavs=2, n_satellites=8, arrivals="every-slot")
    )
    twins = twins_of(slot)
    assert twins
    region = Region((1 << slot.n_options) - 1, np.zeros((2, 4)), full_spans(slot))
    for group in twins:
        options = group[:-1]
        k = int(np.flatnonzero((options >= 0).all(axis=1))[0])
        left = without_twins(region, k, [group])
        assert [left >> int(o) & 1 for o in options[k]] == [1] + [0] * (len(options[k]) - 1)
        other = (k + 1) % len(options)
        held = Region(region.allowed.copy(), region.boxes, region.spans)
        held.allowed[other] = 1 << int(options[other, 0])
        assert without_twins(held, k, [group]) >> int(options[k, 1]) & 1


@pytest.mark.parametrize("seed", [1, 2])
def test_the_optimum_is_the_same_without_a_ban_on_twins(seed, monkeypatch):
    slot = world(
        "contended-balanced", seed, n_devices=5, n_uavs=1, n_satellites=6, arrivals="every-slot"
    )
    banned = solve_slot(slot, 0, Limits(gap=1e-6))
    monkeypatch.setattr("minlp.branch_and_bound.search.twins_of", lambda _data: [])
    free = solve_slot(slot, 0, Limits(gap=1e-6))
    assert banned.status == free.status == "optimal"
    assert banned.lower_bound == pytest.approx(free.lower_bound, rel=3e-6)

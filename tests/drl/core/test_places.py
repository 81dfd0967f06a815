"""The value of places, and the places that are best by it."""

from dataclasses import replace

import numpy as np
import pytest

from drl.core.places import (
    LATER,
    Ahead,
    Requests,
    Weights,
    destinations,
    places,
    standing_for,
    within_reach,
)
from satedge.problem.scenario import preset

WORLD = preset("foresight", n_uavs=1, n_devices=2)
SHARP = Weights(radius=1.0, width=0.001, width_growth=0.0)


def seen(device_xy_m, step_m=0.0, left=20, scenario=WORLD, weights=SHARP):
    """One episode."""
    at = np.array([device_xy_m], float)
    return Ahead(scenario, weights, at, np.broadcast_to(step_m, at.shape), left)


def shares(ahead, place_m, goal_m):
    columns = (np.array(xy, float)[None, :, None] for xy in (place_m, goal_m))
    return ahead.covered(*columns)[0, :, 0].reshape(len(LATER), -1)


@pytest.mark.parametrize("left", [1, 5, 29, 60])
def test_every_later_slot_is_stood_for(left):
    assert standing_for(left, 1.0).sum() == left
    assert standing_for(left, 0.9).sum() == pytest.approx(sum(0.9 ** np.arange(1, left + 1)))


def test_a_uav_covers_whom_it_has_reached():
    """Devices 90 m and 300 m away, 15 m a slot: one covered at once, one from where 180 m are."""
    ahead = seen([[190.0, 100.0], [400.0, 100.0]])
    assert (shares(ahead, [100.0, 100.0], [100.0, 100.0]) == [1, 0]).all()
    flying = shares(ahead, [100.0, 100.0], [400.0, 100.0])
    assert (flying[:, 1] == (LATER * WORLD.uav_reach_m >= 180.0)).all()
    assert (flying[:, 0] == (100.0 + LATER * 15.0 <= 310.0)).all()


def test_devices_are_expected_to_go_on_for_a_while():
    """3 m a slot, the velocity forgotten after 30 s: 30 m in all, and never out of the area."""
    ahead = seen([[200.0, 100.0], [499.0, 100.0]], step_m=[3.0, 0.0])
    gone_m = ahead.device_xy_m[0, :, 0, 0] - 200.0
    assert gone_m == pytest.approx(30.0 * (1 - np.exp(-LATER / 10.0)))
    assert ahead.device_xy_m.max() <= WORLD.area_side_m


def test_destinations_are_worth_at_least_what_staying_is():
    """Of random devices, for one UAV after the other, and two devices apart get a UAV each."""
    rng = np.random.default_rng(0)
    scenario = WORLD.replace(n_uavs=2)
    for _ in range(5):
        devices, start_m = rng.uniform(0, 500, (2, 2)), rng.uniform(0, 500, (1, 2, 2))
        ahead = seen(devices, scenario=scenario, weights=Weights())
        goals_m = destinations(ahead, start_m, start_m)
        worth = []
        for to_m in (start_m, goals_m):
            found = [ahead.covered(start_m[:, m, :, None], to_m[:, m, :, None]) for m in (0, 1)]
            worth.append(float(ahead.worth(found[0], found[1][..., 0])[0, 0]))
        assert worth[1] >= worth[0]
    start_m = np.full((1, 2, 2), 250.0)
    goals_m = destinations(
        seen([[60.0, 60.0], [440.0, 440.0]], scenario=scenario), start_m, start_m
    )
    assert sorted(np.round(goals_m[0, :, 0] / 500).tolist()) == [0, 1]


def test_what_the_slot_asks_and_what_later_slots_ask_are_weighed():
    """An expensive request holds the UAV that would fly to the other side, a free one not."""
    devices = [[95.0, 250.0], [480.0, 250.0]]
    start_m, goals_m = np.array([[[220.0, 250.0]]]), np.array([[[400.0, 250.0]]])
    found = []
    for price in (0.0, 100.0):
        free = np.zeros((1, 1, 2))
        requests = Requests(free, free, np.array([[price, 0.0]]), np.array([devices]))
        weights = replace(SHARP, saving=1.0, width=0.2)
        found.append(places(seen(devices, weights=weights), requests, start_m, goals_m)[0, 0])
    assert found[0] == pytest.approx([235.0, 250.0], abs=0.01)
    assert np.hypot(*(found[1] - devices[0])) <= WORLD.uav_coverage_m


def test_candidates_are_within_reach_and_area():
    rng = np.random.default_rng(1)
    for _ in range(20):
        devices = rng.uniform(0, 500, (1, 10, 2))
        start_m, goal_m = rng.choice([0.0, 250.0, 500.0], (2, 1, 2))
        found = within_reach(WORLD, devices, start_m, goal_m)
        away = np.hypot(*(found - start_m[..., None])[0])
        assert away.max() <= WORLD.uav_reach_m
        assert found.min() >= 0.0
        assert found.max() <= WORLD.area_side_m
        assert (found[..., 0] == start_m).all()

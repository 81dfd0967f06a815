"""Sampled futures: the generator's law, given what was seen, and nothing else."""

import dataclasses

import numpy as np
import pytest

from minlp.foresight.futures import FUTURE_SEEDS, Queues, Seen, ahead
from satedge.bench.study.suite_data import DEVELOPMENT_SEEDS, VALIDATION_SEEDS
from satedge.problem.arrays import array_fields
from satedge.problem.generation.generate import TRAIN_SEEDS
from satedge.problem.satellites.orbit import Passes
from support.worlds import world


def shown(instance, n_slots, seed=0):
    seen = Seen(seed)
    for t in range(n_slots):
        seen.show(instance.rows(slice(t, t + 1)))
    return seen


def test_seeds_of_futures_are_nobody_elses():
    """No sampled episode is one that is scored, tuned on or trained on."""
    for taken in (DEVELOPMENT_SEEDS, VALIDATION_SEEDS, TRAIN_SEEDS):
        assert taken.stop <= FUTURE_SEEDS.start


def test_futures_are_instances_of_the_scenario_from_where_things_are():
    """As many slots as asked for, satellites and altitudes as they will be, checked as any."""
    instance = world("paper", 4, n_slots=30)
    drawn = shown(instance, 10).futures(8, 3)
    assert (drawn.n_slots, drawn.scenario) == (24, instance.scenario)
    drawn.check()
    for future in np.split(np.arange(24), 3):
        for name in ("access", "isl_hops"):
            assert np.array_equal(getattr(drawn, name)[future], getattr(instance, name)[10:18])
        for name in ("elevation_deg", "window_s", "range_m"):
            expected = getattr(instance, name)[10:18]
            assert getattr(drawn, name)[future] == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert (drawn.uav_altitude_m[future] == instance.uav_altitude_m[0]).all()
    assert len({drawn.input_bit[8 * i, 0] for i in range(3)}) == 3


def test_devices_on_their_way_go_on():
    """Whoever keeps to its line for the next slots is foreseen to the metre in most futures."""
    instance = world("paper", 3, n_slots=30)
    drawn = shown(instance, 20).futures(5, 10).device_xy_m.reshape(10, 5, -1, 2)
    error_m = np.hypot(*np.moveaxis(drawn - instance.device_xy_m[20:25], -1, 0))
    assert np.median(error_m) < 0.01
    reach_m = instance.scenario.device_speed_max_mps * instance.scenario.slot_s
    steps_m = np.diff(drawn, axis=1, prepend=np.tile(instance.device_xy_m[19], (10, 1, 1, 1)))
    assert np.hypot(steps_m[..., 0], steps_m[..., 1]).max() <= reach_m * (1 + 1e-6)


def test_requests_of_futures_follow_the_generators_law():
    """Means of what is drawn, and of fading, as of many episodes of the scenario."""
    instance = world("paper", 5, n_slots=2, arrivals="every-slot")
    drawn = shown(instance, 1).futures(20, 40)
    many = [world("paper", 10_000 + i, n_slots=20, arrivals="every-slot") for i in range(40)]
    for name in ("input_bit", "output_words", "deadline_s", "accuracy_floor", "uav_fading"):
        expected = np.mean([getattr(i, name).mean() for i in many])
        assert getattr(drawn, name).mean() == pytest.approx(expected, rel=0.03)
    path = instance.satellite_gain.mean()
    assert drawn.satellite_gain.mean() == pytest.approx(path, rel=0.5)


def test_an_idle_device_is_expected_to_have_an_empty_queue():
    """After idle slots the rate of arrivals is believed to be low; a busy device stays busy."""
    scenario = world(arrival_rate_min=0.1, arrival_rate_max=2.0, n_devices=2).scenario
    rng = np.random.default_rng(0)
    queues = Queues.before_all(scenario, rng)
    for t in range(12):
        queues.observe(np.array([t == 0, True]), rng)
    quiet, busy = queues.rate.mean(axis=1)
    assert quiet < 0.5 < 1.0 < busy
    drawn = np.mean([queues.draw(5, rng) for _ in range(200)], axis=(0, 1))
    assert drawn[0] < 0.5 < 0.9 < drawn[1]


def test_what_no_queue_explains_is_believed():
    """A device that asks against every guess has a request; sampling goes on."""
    scenario = world(arrival_rate_min=0.0, arrival_rate_max=0.0, n_devices=1).scenario
    rng = np.random.default_rng(0)
    queues = Queues.before_all(scenario, rng)
    for active in (True, False, True):
        queues.observe(np.array([active]), rng)
    assert not queues.draw(3, rng).any()


def test_satellites_off_the_circular_planes_stay_where_they_are():
    """An ephemeris is not guessed: a propagated constellation is held as it stands."""
    instance = world("paper", 4, n_slots=3)
    moved = dataclasses.replace(instance, elevation_deg=instance.elevation_deg - 1.0)
    held = ahead(moved.rows(slice(0, 1)), 4)
    for field in dataclasses.fields(Passes):
        values = getattr(held, field.name)
        assert len(values) == 4
        assert (values == getattr(moved, field.name)[0]).all()


def test_neither_seed_nor_later_slots_of_the_episode_matter():
    """The same slots seen, the same futures, whatever the episode holds besides."""
    one = world("paper", 6, n_slots=12)
    other = dataclasses.replace(one.window(0, 5), seed=99)
    drawn = [shown(i, 5, seed=1).futures(6, 2) for i in (one, other)]
    for declared in array_fields():
        assert np.array_equal(*(getattr(i, declared.name) for i in drawn))

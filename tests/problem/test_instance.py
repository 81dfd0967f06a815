"""Instances made of instances: parts, joined ones, other scenarios, other arrays."""

from dataclasses import fields, replace

import numpy as np
import pytest

from satedge.problem.coefficients import Coefficients, coefficients
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance, InstanceError, array_fields, join
from satedge.problem.scenario import preset


@pytest.fixture(scope="module")
def instance() -> Instance:
    return generate(preset("paper", n_slots=4), 3)


def same(a: Coefficients, b: Coefficients) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))


def anew(instance: Instance) -> Instance:
    """The same, checked and tabulated from its arrays."""
    arrays = {f.name: getattr(instance, f.name) for f in array_fields()}
    return Instance(instance.name, instance.scenario, instance.seed, **arrays)


@pytest.mark.parametrize("index", [slice(1, 3), [3, 0, 0], np.array([True, False, False, True])])
def test_coefficients_of_a_part_are_those_of_its_arrays(instance: Instance, index: object) -> None:
    """They are cut out of the whole's, not tabulated again; the part passes every check."""
    part = instance.rows(index, instance.uav_xy_m, "part")
    assert same(part.coefficients, coefficients(part))
    assert anew(part).content_sha256 == part.content_sha256


def test_joined_instances_are_instances(instance: Instance) -> None:
    """Cut apart and joined, an episode is what it was."""
    again = join([instance.window(0, 1), instance.window(1, 4)], instance.name)
    assert again.content_sha256 == instance.content_sha256
    assert same(again.coefficients, instance.coefficients)


def test_another_scenario_is_checked_and_tabulated_anew(instance: Instance) -> None:
    """Arrays stay; constants of the new scenario count, and sizes must fit."""
    louder = instance.with_scenario(instance.scenario.replace(satellite_power_W=8.0))
    assert np.array_equal(louder.satellite_gain, instance.satellite_gain)
    assert same(louder.coefficients, coefficients(louder))
    assert not same(louder.coefficients, instance.coefficients)
    with pytest.raises(InstanceError, match="has shape"):
        instance.with_scenario(instance.scenario.replace(n_devices=9))


def test_coefficients_never_outlive_their_arrays(instance: Instance) -> None:
    """Other deadlines give other coefficients, and bad ones are refused, in parts as well."""
    for whole in (instance, instance.window(0, 2)):
        assert whole.coefficients
        other = replace(whole, deadline_s=2 * whole.deadline_s)
        assert same(other.coefficients, coefficients(other))
        assert not same(other.coefficients, whole.coefficients)
        with pytest.raises(InstanceError, match="deadline_s"):
            replace(whole, deadline_s=-whole.deadline_s)

"""Shared by the tests of the bench: small methods that behave well or badly, small instances."""

import sys
from pathlib import Path

import pytest

from satedge.problem.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.scenario import preset

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def slot() -> Instance:
    """One slot of the tiny preset."""
    return generate(preset("tiny", n_slots=1), 0, name="tiny-slot")


@pytest.fixture(scope="session")
def episode() -> Instance:
    """Four slots of the tiny preset."""
    return generate(preset("tiny", n_slots=4), 1, name="tiny-episode")

"""The clock that methods read counts what it is told to."""

import time
from collections.abc import Iterator

import pytest

from satedge.problem import clock


@pytest.fixture(autouse=True)
def wall() -> Iterator[None]:
    """Elapsed seconds again afterwards."""
    yield
    clock.count("wall")


def test_sleep_is_no_processor_time() -> None:
    """Elapsed seconds pass in a sleep, processor seconds pass in a loop."""
    began = clock.now()
    time.sleep(0.05)
    assert clock.now() - began >= 0.05
    clock.count("cpu")
    began = clock.now()
    time.sleep(0.05)
    assert clock.now() - began < 0.05
    while clock.now() < began + 0.02:
        pass
    assert clock.processor_s() - began >= 0.02

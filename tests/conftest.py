"""Shared by all tests: randomised ones draw the same examples every time, unless asked for more."""

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from support.randomised import MORE, PROFILE, SEED

settings.load_profile(PROFILE)

# Hypothesis also draws the constants in whichever modules of a project are imported by then:
# examples would depend on the tests run before, and on the process.
pytest.MonkeyPatch().setattr(providers, "_get_local_constants", lambda: providers._local_constants)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say how to draw the same again."""
    if MORE and not hasattr(session.config, "workerinput"):
        again = f"SATEDGE_EXAMPLES={MORE} SATEDGE_SEED={SEED}"
        session.config.get_terminal_writer().line(f"[satedge] the same examples again: {again}")

"""Curves, and how methods look in all figures."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from satedge.bench.methods.table import table
from satedge.bench.report.figures import curves
from satedge.bench.report.figures.looks import looks_of


def test_gap_at_follows_the_incumbent() -> None:
    """Infinite before the first plan, then that of the plan at hand."""
    trace = [[1.0, None, 5.0], [2.0, 10.0, 5.0], [4.0, 8.0, 7.0]]
    gap = curves.gap_at(trace, 8.0, np.array([0.5, 1.5, 2.0, 3.9, 4.0, 9.0]))
    assert_allclose(gap, [math.inf, math.inf, 0.2, 0.2, 0.0, 0.0])


def test_only_the_bound_of_the_moment_certifies() -> None:
    """Without a bound from elsewhere the gap is to the method's own one, once there is one."""
    trace = [[1.0, 10.0, None], [2.0, 10.0, 5.0], [4.0, 8.0, 7.0]]
    gap = curves.gap_at(trace, None, np.array([0.5, 1.0, 2.0, 4.0]))
    assert_allclose(gap, [math.inf, math.inf, 0.5, 0.125])
    assert_allclose(curves.gap_at([], None, np.array([1.0])), [math.inf])


def test_a_profile_spans_where_methods_are() -> None:
    """From below the least excess to above the greatest, whatever their size."""
    above = curves._range(np.array([[1.0, 1.001, np.inf], [5.0, 2.0, 2.5]]))
    assert above[0] == pytest.approx(0.0005)
    assert above[-1] == pytest.approx(3.0)
    assert curves._range(np.array([[1.0, 1.0]]))[0] < 1e-3, "all the same"


def test_looks_are_the_same_in_every_figure() -> None:
    """A method keeps its colour and marker whatever else is drawn."""
    alone = looks_of(["greedy"])["greedy"]
    assert looks_of(["random", "greedy", "own:solve"])["greedy"] == alone
    several = looks_of(["greedy, 1 s", "greedy, 10 s"])
    assert several["greedy, 1 s"] != several["greedy, 10 s"]


def test_methods_look_different() -> None:
    """No two methods share a colour; learned ones are dashed, variants apart."""
    names = [*table(), "mine:solve", "adsac, slow", "adsac, fast", "general, 1 s"]
    found = looks_of(names)
    assert len(set(map(str, found.values()))) == len(names)
    colours = [found[name][0] for name in names if name != "general, 1 s"]
    assert len(set(colours)) == len(colours), "no colour is shared"
    assert found["branch-and-bound"][2] == "-"
    assert found["adsac"][2] != "-"
    assert found["general"][0] == found["general, 1 s"][0], "the same method, another budget"
    assert found["adsac, fast"][0] != found["adsac, slow"][0], "other settings, another method"

"""Curves, and how methods look in all figures."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.testing import assert_allclose

from satedge.bench.methods.table import table
from satedge.bench.report.figures import curves
from satedge.bench.report.figures.ablation import ablation_chart
from satedge.bench.report.figures.frontier import KINDS, _looks, frontier_chart
from satedge.bench.report.figures.looks import looks_of
from satedge.bench.report.figures.parts import part_chart
from satedge.bench.report.figures.sweeps import scaling_chart, sweep_chart
from satedge.bench.run.rows import read_parquet
from satedge.bench.score.frontier import FINISHED, Place, places
from satedge.bench.score.score import score
from satedge.bench.score.stats import Interval
from satedge.bench.score.summary import Line, summarise
from satedge.bench.score.sweeps import sweeps
from satedge.paths import PUBLISHED


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


def published(study: str) -> tuple[pd.DataFrame, list[Line]]:
    scored = score(read_parquet(PUBLISHED / study / "rows.parquet"))
    return scored, summarise(scored)


def charts() -> Iterator[Figure | None]:
    """Those of the published studies that need no traces."""
    scored, lines = published("figures")
    yield from map(sweep_chart, sweeps(scored))
    scored, _ = published("scaling")
    yield from (scaling_chart(part) for _, part in scored.groupby("group"))
    yield part_chart(published("shift")[1])
    scored, lines = published("ablation")
    yield ablation_chart(lines, scored)
    scored, lines = published("paper")
    yield curves.profile_chart(lines, scored)
    yield frontier_chart(places(lines, scored), "the best known plans")


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="results are in the repository alone")
def test_lines_of_a_figure_have_colours_of_their_own_and_n() -> None:
    """Whatever is drawn of the published studies: one method, one colour, and how many runs."""
    drawn = [figure for figure in charts() if figure is not None]
    assert len(drawn) >= 6
    for figure in drawn:
        texts = [text.get_text() for text in figure.findobj(Text)]
        assert any("n = " in text for text in texts)
        for ax in figure.axes:
            named = [x for x in ax.lines if not str(x.get_label()).startswith("_")]
            colours = {str(x.get_label()): str(x.get_color()) for x in named}
            assert len(set(colours.values())) == len(colours), colours


def place(method: str, kind: str, time_s: float, excess: float, front: bool = False) -> Place:
    def known(value: float) -> Interval:
        return Interval(value, 0.9 * value, 1.1 * value)

    return Place(method, method, kind, known(time_s), known(excess), 10, front)


def test_shades_tell_methods_of_a_family_apart() -> None:
    """Twenty methods of each kind: all colours differ, and with its marker each is of its kind."""
    many = [place(f"{kind}-{i}", kind, 1.0, 0.1) for kind in KINDS for i in range(20)]
    found = _looks(many)
    assert len({colour for colour, _ in found.values()}) == len(many)
    assert _looks([place("alternate", "classical", 1.0, 0.1)])["alternate"][0] == KINDS["classical"]


def test_the_front_is_ringed_named_and_joined() -> None:
    """Both its ends are named beside it; who is no part of it is named in the legend alone."""
    shown = [
        place("quick", "learned", 1e-3, 0.01, front=True),
        place("slow", "exact", 1.0, 0.0001, front=True),
        place("beaten", FINISHED, 2.0, 0.02),
    ]
    figure = frontier_chart(shown, "the best known plans")
    assert figure is not None
    ax = figure.axes[0]
    beside = [text.get_text() for text in ax.texts]
    assert {"quick", "slow"} <= set(beside)
    assert "beaten" not in beside
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [
        *("Pareto front", "learned", "quick", "finished", "beaten", "exact", "slow"),
    ]
    assert ax.get_xlim()[0] < 1e-4 < 10 < ax.get_xlim()[1]
    assert frontier_chart(shown[:2], "nobody") is None

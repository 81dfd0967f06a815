"""Maps, films and curves."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from satedge.bench.methods.table import table
from satedge.bench.report.figures import curves, maps, style
from satedge.bench.report.figures.animation import FilmError, save_film
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.scenario import preset
from support import toys


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_map_of_every_kind(slot: Instance, tmp_path: Path, kind: str) -> None:
    """The map is written in each form, the same bytes each time."""
    first, second = (tmp_path / f"{n}.{kind}" for n in "ab")
    for path in (first, second):
        maps.save_map(slot, toys.plan_of(slot), 0, path)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 5000


def test_map_names_every_device_and_server(slot: Instance) -> None:
    """Every active device, UAV and satellite of a small slot is labelled."""
    with style.house():
        figure = maps.draw_map(slot, toys.plan_of(slot), 0)
    texts = {t.get_text() for ax in figure.axes for t in ax.texts}
    assert {str(k + 1) for k in np.flatnonzero(slot.active[0])} <= texts
    assert "UAV 1" in texts
    assert any(t.startswith("SAT 1") for t in texts)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_uavs": 0},
        {"n_satellites": 0, "accuracy_max": 0.5},
        {"n_satellites": 12, "satellite_spacing_deg": 5.0},
    ],
)
def test_map_of_any_fleet(changes: dict[str, float], tmp_path: Path) -> None:
    """No UAVs, no satellites, or many of them: the map is drawn."""
    instance = generate(preset("paper", n_slots=1, **changes), 1)
    maps.save_map(instance, toys.plan_of(instance), 0, tmp_path / "map.png")


def test_map_refuses_other_names(slot: Instance, tmp_path: Path) -> None:
    """A name of another kind is refused with what is allowed."""
    with pytest.raises(OSError, match=r"allowed is a name that ends in .svg, .pdf or .png"):
        maps.save_map(slot, toys.plan_of(slot), 0, tmp_path / "map.doc")


def test_film_has_a_frame_per_slot(episode: Instance, tmp_path: Path) -> None:
    """An episode becomes a GIF with as many frames as slots."""
    path = save_film(episode, toys.plan_of(episode), tmp_path / "film.gif")
    with Image.open(path) as film:
        assert getattr(film, "n_frames", 1) == episode.n_slots
    with pytest.raises(FilmError, match=r".gif or .mp4"):
        save_film(episode, toys.plan_of(episode), tmp_path / "film.avi")


def test_gap_at_follows_the_incumbent() -> None:
    """Infinite before the first plan, then that of the plan at hand."""
    trace = [[1.0, None, 5.0], [2.0, 10.0, 5.0], [4.0, 8.0, 7.0]]
    gap = curves.gap_at(trace, 8.0, np.array([0.5, 1.5, 2.0, 3.9, 4.0, 9.0]))
    assert_allclose(gap, [math.inf, math.inf, 0.2, 0.2, 0.0, 0.0])


def test_looks_are_the_same_in_every_figure() -> None:
    """A method keeps its colour and marker whatever else is drawn."""
    alone = style.looks(["greedy"])["greedy"]
    assert style.looks(["random", "greedy", "own:solve"])["greedy"] == alone
    several = style.looks(["greedy, 1 s", "greedy, 10 s"])
    assert several["greedy, 1 s"] != several["greedy, 10 s"]


def test_methods_look_different() -> None:
    """No two methods share colour, marker and dashes; learned ones are dashed, variants apart."""
    names = [*table(), "mine:solve", "adsac, slow", "adsac, fast", "general, 1 s"]
    found = style.looks(names)
    assert len(set(map(str, found.values()))) == len(names)
    assert found["branch-and-bound"][2] == "-"
    assert found["adsac"][2] != "-"
    assert found["general"][0] == found["general, 1 s"][0], "the same method, another budget"
    assert found["adsac, fast"][0] != found["adsac, slow"][0], "other settings, another method"

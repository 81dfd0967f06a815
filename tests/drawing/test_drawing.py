"""What is drawn of a slot, and maps and animations of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from satedge.drawing import style
from satedge.drawing.animation import AnimationError, save_animation, save_comparison
from satedge.drawing.figure import draw_map, save_map
from satedge.drawing.slot_map import (
    ALL_SATELLITES,
    MOST_SATELLITES,
    STATES,
    slot_map,
)
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.referee import judge
from satedge.problem.scenario import preset
from support import toys


@pytest.fixture(scope="module")
def slot() -> Instance:
    """One slot of the tiny preset."""
    return generate(preset("tiny", n_slots=1), 0, name="tiny-slot")


@pytest.fixture(scope="module")
def episode() -> Instance:
    """Four slots of the preset paper."""
    return generate(preset("paper", n_slots=4), 1, name="episode")


def test_every_device_is_shown_with_what_was_decided(episode: Instance) -> None:
    """Places, servers, powers and missed deadlines are those of instance, plan and referee."""
    plan, t = toys.plan_of(episode), 2
    shown, verdict = slot_map(episode, plan, t), judge(episode, plan)
    for k, device in enumerate(shown.devices):
        assert device.xy_m == tuple(episode.device_xy_m[t, k])
        assert device.deadline_miss == verdict.missed[t, k]
        assert (device.state == "idle") == (not episode.active[t, k])
        if device.state == "served":
            assert (device.server, device.power_W) == (plan.server[t, k], plan.power_W[t, k])
    served = sum(d.state == "served" for d in shown.devices)
    assert sum(s.load for s in shown.satellites) == sum(d.server >= 3 for d in shown.devices)
    assert f"deadline misses {int(verdict.missed[t].sum())} of {served}" in shown.summary


def test_requests_without_a_server_are_refused(slot: Instance) -> None:
    """Server -1 of an active device is a refused request, without a link."""
    plan = toys.plan_of(slot)
    shown = slot_map(slot, replace(plan, server=np.full_like(plan.server, -1)), 0)
    active = [d for k, d in enumerate(shown.devices) if slot.active[0, k]]
    assert {(d.state, d.server) for d in active} == {("refused", -1)}


def test_before_a_decision_nothing_is_decided(slot: Instance) -> None:
    """UAVs rest where they are, requests have no server, and the referee says nothing."""
    shown = slot_map(slot, None, 0)
    assert {d.state for d in shown.devices} <= {"idle", "undecided"}
    assert [u.xy_m for u in shown.uavs] == [tuple(xy) for xy in slot.uav_xy_m]
    assert not any(u.moved or u.serves for u in shown.uavs)
    assert shown.summary == ""


def test_uavs_come_from_where_they_were(episode: Instance) -> None:
    """Before is the slot before, from the start of the episode on; the trail has all of it."""
    plan = toys.plan_of(episode)
    plan = replace(plan, uav_xy_m=plan.uav_xy_m + 5.0 * np.arange(4)[:, None, None])
    first, third = slot_map(episode, plan, 0), slot_map(episode, plan, 2)
    assert first.uavs[0].before_xy_m == tuple(episode.uav_xy_m[0])
    assert first.uavs[0].trail_m == ()
    assert third.uavs[1].before_xy_m == tuple(plan.uav_xy_m[1, 1])
    assert third.uavs[1].moved
    assert third.uavs[1].trail_m == (
        tuple(episode.uav_xy_m[1]), *(tuple(plan.uav_xy_m[t, 1]) for t in range(3))
    )  # fmt: skip


def test_of_many_satellites_those_in_sight_or_at_work_are_shown() -> None:
    """A small constellation is shown whole; of a large one at most eight, requests and all."""
    small = generate(preset("paper", n_slots=1, n_satellites=ALL_SATELLITES), 1)
    assert len(slot_map(small, None, 0).satellites) == ALL_SATELLITES
    many = generate(preset("paper", n_slots=1, n_satellites=40, satellite_spacing_deg=2.0), 1)
    plan = toys.plan_of(many)
    shown = slot_map(many, plan, 0).satellites
    assert len(shown) <= MOST_SATELLITES
    assert all("out of sight" not in s.note or s.load for s in shown)
    assert sum(s.access for s in shown) <= 1


@pytest.mark.parametrize(
    ("power_W", "strength"), [(0.0, 0.0), (1e-3, 0.0), (0.1, 2.0), (1.0, 3.0), (9.0, 3.0)]
)
def test_a_link_is_as_strong_as_its_power(slot: Instance, power_W: float, strength: float) -> None:
    """From 1 mW to 1 W by powers of ten."""
    plan = toys.plan_of(slot)
    shown = slot_map(slot, replace(plan, power_W=np.full_like(plan.power_W, power_W)), 0)
    found = [d.strength for d in shown.devices if d.state == "served"]
    assert found == pytest.approx([strength] * len(found))
    assert found


def test_the_page_gets_the_same(episode: Instance) -> None:
    """Every device, UAV and satellite, in order, rounded to a tenth of a metre."""
    shown = slot_map(episode, toys.plan_of(episode), 1)
    told = shown.as_json()
    assert [d[2] for d in told["devices"]] == [STATES.index(d.state) for d in shown.devices]
    assert [d[3] for d in told["devices"]] == [d.server for d in shown.devices]
    assert [u[2:4] for u in told["uavs"]] == [
        [pytest.approx(v, abs=0.051) for v in u.xy_m] for u in shown.uavs
    ]
    assert [s[3:6] for s in told["satellites"]] == [
        [s.name, s.note, s.load] for s in shown.satellites
    ]


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_map_of_every_kind(slot: Instance, tmp_path: Path, kind: str) -> None:
    """The map is written in each form, the same bytes each time."""
    first, second = (tmp_path / f"{n}.{kind}" for n in "ab")
    for path in (first, second):
        save_map(slot, toys.plan_of(slot), 0, path)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 5000


def test_map_names_every_device_and_server(slot: Instance) -> None:
    """Every active device, UAV and satellite of a small slot is labelled."""
    with style.house():
        figure = draw_map(slot_map(slot, toys.plan_of(slot), 0), "a slot")
    texts = {t.get_text() for ax in figure.axes for t in ax.texts}
    assert {str(k) for k in np.flatnonzero(slot.active[0])} <= texts
    assert "UAV 0" in texts
    assert any(t.startswith("SAT 0") for t in texts)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_uavs": 0},
        {"n_satellites": 0, "accuracy_max": 0.5},
        {"n_satellites": 12, "satellite_spacing_deg": 5.0},
    ],
)
def test_map_of_any_fleet(changes: dict[str, float], tmp_path: Path) -> None:
    """No UAVs, no satellites, or many of them: the map is drawn, decided or not."""
    instance = generate(preset("paper", n_slots=1, **changes), 1)
    save_map(instance, toys.plan_of(instance), 0, tmp_path / "map.png")
    with style.house():
        draw_map(slot_map(instance, None, 0), "not decided")


def test_map_refuses_other_names(slot: Instance, tmp_path: Path) -> None:
    """A name of another kind is refused with what is allowed."""
    with pytest.raises(OSError, match=r"allowed is a name that ends in .svg, .pdf or .png"):
        save_map(slot, toys.plan_of(slot), 0, tmp_path / "map.doc")


def test_an_animation_has_a_frame_per_slot(episode: Instance, tmp_path: Path) -> None:
    """An episode becomes a GIF with as many frames as slots."""
    path = save_animation(episode, toys.plan_of(episode), tmp_path / "episode.gif")
    with Image.open(path) as moving:
        assert getattr(moving, "n_frames", 1) == episode.n_slots
    with pytest.raises(AnimationError, match=r".gif or .mp4"):
        save_animation(episode, toys.plan_of(episode), tmp_path / "episode.avi")


def test_plans_of_an_episode_move_side_by_side(episode: Instance, tmp_path: Path) -> None:
    """Two plans make a picture of two maps, a frame a slot."""
    plan = toys.plan_of(episode)
    path = save_comparison(episode, {"one": plan, "other": plan}, tmp_path / "both.gif")
    with Image.open(path) as film:
        assert film.n_frames == episode.n_slots
        width, height = film.size
        assert width > 1.5 * height

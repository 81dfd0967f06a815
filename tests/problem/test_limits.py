"""Every limit of the model from both sides: what is kept just within, what is broken just beyond.

A limit counts as kept within a billionth of itself; the accuracy floor and everything that is
counted are exact. The slack is written here as a number, so that the code cannot widen its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.projector import project, reachable
from satedge.problem.referee import available, judge
from satedge.problem.scenario import preset
from support.plain_model import elastic_cost

#: Relative distances beyond a limit. Rounding in the scene is a thousandth of the last digit.
WITHIN = (-1e-2, -3e-9, 0.0, 0.9e-9)
BEYOND = (1.1e-9, 3e-9, 1e-2)

#: Every limit differs from every other, so that none can stand in for another.
SIDE, COVERAGE, REACH, APART = 500.0, 120.0, 60.0, 40.0
LEAST_W, GREATEST_W = 1e-3, 0.7
UAVS = np.array([[100.0, 100.0], [250.0, 200.0]])
DEVICES = np.array([[110.0, 90.0], [240.0, 220.0], [175.0, 150.0], [10.0, 480.0]])
ACCURACY = (0.5, 0.6, 0.7, 0.8)

#: UAV 0 serves device 0, UAV 1 device 1, satellite 3 device 2; device 3 is idle.
SERVERS = (0, 1, 3, NO_SERVER)


@cache
def drawn(separation_m: float) -> Instance:
    """One slot of two UAVs and two satellites, of which no arrays matter but those of channels."""
    scenario = preset(
        "paper",
        n_devices=4,
        n_uavs=2,
        n_satellites=2,
        n_slots=1,
        arrivals="every-slot",
        requests="as-printed",
        area_side_m=SIDE,
        uav_coverage_m=COVERAGE,
        uav_speed_max_mps=REACH / 3.0,
        uav_separation_m=separation_m,
        power_min_W=LEAST_W,
        power_max_W=GREATEST_W,
    )
    return generate(scenario, 0)


def world(separation_m=APART, **changes) -> Instance:
    """Three requests and every limit far away, after `changes` of arrays."""
    base = drawn(separation_m)
    active = np.array([[True, True, True, False]])
    arrays = {
        "active": active,
        "input_bit": base.input_bit * active,
        "output_words": base.output_words * active,
        "deadline_s": np.where(active, 900.0, 0.0),
        "accuracy_floor": np.zeros((1, 4)),
        "device_xy_m": DEVICES[None],
        "uav_xy_m": UAVS,
        "window_s": np.full((1, 2), 950.0),
        "isl_hops": np.where(np.arange(2) == base.access[:, None], 0, 1),
        "server_accuracy": np.array(ACCURACY),
    }
    return replace(base, **(arrays | changes))


def at(table, index, value) -> np.ndarray:
    """A copy of `table` with another value at `index`."""
    changed = np.array(table)
    changed[index] = value
    return changed


def decide(server=SERVERS, power=(0.3, 0.3, 0.3, 0.0), xy=UAVS) -> Plan:
    """One slot's decisions."""
    return Plan(np.array([server]), np.array([power], float), np.array([xy], float))


@dataclass(frozen=True)
class Limit:
    """A way to exceed one limit by a relative excess, all else being well within."""

    constraint: str
    amount: float
    """By how much it is exceeded at an excess of 1."""
    exceed: Callable[[float], tuple[Instance, Plan]]
    changes: str
    """What the projector changes beyond the limit."""


def silent(x):
    return world(), decide(power=(LEAST_W * (1 - x), 0.3, 0.3, 0.0))


def loud(x):
    return world(), decide(power=(0.3, 0.3, GREATEST_W * (1 + x), 0.0))


def uncovered(x):
    away = UAVS[1] + COVERAGE * (1 + x) * np.array([-0.6, 0.8])
    return world(device_xy_m=at(DEVICES, 1, away)[None]), decide()


def far_flown(x):
    to = UAVS[0] + REACH * (1 + x) * np.array([0.6, 0.8])
    return world(device_xy_m=at(DEVICES, 0, to)[None]), decide(xy=at(UAVS, 0, to))


def crowded(separation_m):
    def exceed(x):
        start = at(UAVS, 1, UAVS[0] + [0.0, 60.0])
        near = UAVS[0] + separation_m * (1 - x) * np.array([0.6, 0.8])
        instance = world(separation_m, uav_xy_m=start, device_xy_m=at(DEVICES, 1, near)[None])
        return instance, decide(xy=at(UAVS, 1, near))

    return exceed


def outside(axis, upper):
    def exceed(x):
        edge = SIDE if upper else 0.0
        start = at(UAVS, (1, axis), edge)
        to = at(start, (1, axis), edge + (SIDE * x if upper else -SIDE * x))
        return world(uav_xy_m=start, device_xy_m=at(DEVICES, 1, start[1])[None]), decide(xy=to)

    return exceed


LIMITS = {
    "least power": Limit("power_min", LEAST_W, silent, "power"),
    "greatest power": Limit("power_max", GREATEST_W, loud, "power"),
    "coverage": Limit("coverage", COVERAGE, uncovered, "server"),
    "motion": Limit("motion", REACH, far_flown, "motion"),
    "separation": Limit("separation", APART, crowded(APART), "motion"),
    "slight separation": Limit("separation", 0.5, crowded(0.5), "motion"),
    "west side": Limit("area", SIDE, outside(0, upper=False), "motion"),
    "east side": Limit("area", SIDE, outside(0, upper=True), "motion"),
    "south side": Limit("area", SIDE, outside(1, upper=False), "motion"),
    "north side": Limit("area", SIDE, outside(1, upper=True), "motion"),
}
every_limit = pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)


def broken(instance, plan) -> dict[str, list[float]]:
    """Amounts of the broken constraints, slot by slot."""
    verdict = judge(instance, plan)
    found = {name: amount.tolist() for name, amount in verdict.violations.items() if amount.any()}
    assert bool(verdict.admissible) == (not found)
    return found


@every_limit
@pytest.mark.parametrize("x", WITHIN)
def test_a_limit_is_kept_up_to_a_billionth(limit, x):
    """The referee breaks nothing, and the projector does not touch a number."""
    instance, plan = limit.exceed(x)
    assert broken(instance, plan) == {}
    projected, changes = project(instance, plan)
    for name, value in vars(plan).items():
        assert np.array_equal(getattr(projected, name), value)
    assert not any(changed.any() for changed in vars(changes).values())


@every_limit
@pytest.mark.parametrize("x", BEYOND)
def test_a_limit_is_broken_beyond_a_billionth(limit, x):
    """The constraint is named with the whole excess as its amount, and no other is."""
    instance, plan = limit.exceed(x)
    assert broken(instance, plan) == {limit.constraint: [pytest.approx(limit.amount * x, rel=1e-4)]}


@every_limit
@pytest.mark.parametrize("x", BEYOND)
def test_the_projector_changes_what_exceeds_a_limit_and_nothing_else(limit, x):
    """One change, recorded, to a plan that breaks nothing and is left alone from then on."""
    instance, plan = limit.exceed(x)
    projected, changes = project(instance, plan)
    counts = {name: int(changed.sum()) for name, changed in vars(changes).items() if changed.any()}
    assert counts == {limit.changes: 1}
    assert broken(instance, projected) == {}
    again, changes = project(instance, projected)
    for name, value in vars(projected).items():
        assert np.array_equal(getattr(again, name), value)
    assert not any(changed.any() for changed in vars(changes).values())


@every_limit
def test_the_projector_changes_exactly_what_the_referee_finds_broken(limit):
    """Number by number around a limit and its slack: both draw the line at the same one."""
    lines = set()
    for x in 1e-9 + np.r_[1.6e-16 * np.arange(-6, 7), 3e-14 * np.arange(-4, 5)]:
        instance, plan = limit.exceed(x)
        projected, changes = project(instance, plan)
        changed = any(c.any() for c in vars(changes).values())
        assert changed == bool(broken(instance, plan))
        assert broken(instance, projected) == {}
        lines.add(changed)
    assert lines == {False, True}


@pytest.mark.parametrize(
    "name", [n for n in LIMITS if LIMITS[n].constraint not in ("coverage", "separation")]
)
def test_what_is_clipped_lands_on_the_limit(name):
    """Far beyond, the projected decision is the one exactly at the limit."""
    limit = LIMITS[name]
    (instance, far), (_, edge) = limit.exceed(0.02), limit.exceed(0.0)
    projected = project(instance, far)[0]
    for part, value in vars(edge).items():
        np.testing.assert_allclose(getattr(projected, part), value, rtol=1e-15, atol=1e-13)


def test_uavs_too_near_each_other_stay_where_they_were():
    """The one that moved goes back, the rest of the plan holds."""
    instance, plan = crowded(APART)(0.02)
    assert np.array_equal(project(instance, plan)[0].uav_xy_m[0], instance.uav_xy_m)


@pytest.mark.parametrize("x", WITHIN + BEYOND)
def test_a_server_is_available_exactly_where_the_referee_lets_it_be_used(x):
    """Coverage in the mask has the slack of the referee's."""
    instance, plan = uncovered(x)
    assert available(instance, plan.uav_xy_m)[0, 1].tolist() == [False, x in WITHIN, True, True]


@pytest.mark.parametrize("x", WITHIN + BEYOND)
def test_a_server_is_reachable_up_to_coverage_and_reach(x):
    """The mask known before deciding ends where coverage radius and reach together end."""
    away = UAVS[1] + (COVERAGE + REACH) * (1 + x) * np.array([-0.6, 0.8])
    instance = world(device_xy_m=at(DEVICES, 1, away)[None])
    assert reachable(instance, UAVS[None])[0, 1].tolist() == [False, x in WITHIN, True, True]


def test_reachable_servers_are_accurate_and_linked_slot_by_slot():
    """Each slot starts from its own positions; nearness makes up for neither model nor path."""
    instance = world(accuracy_floor=np.array([[0.0, 0.0, 0.55, 0.0]]))
    instance = replace(instance, isl_hops=at(instance.isl_hops, (0, 1 - instance.access[0]), -1))
    linked = [bool(n == instance.access[0]) for n in range(2)]
    far = np.array([[490.0, 10.0], [490.0, 490.0]])
    found = reachable(
        instance.rows(np.array([0, 0, 0])), np.array([UAVS, far, at(far, 0, UAVS[0])])
    )
    near = {
        0: [(True, True), (False, False), (True, False)],
        2: [(False, True), *2 * [(False, False)]],
    }
    for device, uavs in near.items():
        assert found[:, device].tolist() == [[*mask, *linked] for mask in uavs]
    assert not found[:, 3].any()


@pytest.mark.parametrize("x", WITHIN + BEYOND)
def test_a_request_may_be_refused_whether_or_not_a_server_can_take_it(x):
    """Server -1 breaks nothing and stays, while a UAV just covers the device and when none does."""
    unservable = x in BEYOND
    instance, _ = uncovered(x)
    instance = replace(
        instance,
        accuracy_floor=at(instance.accuracy_floor, (0, 1), 0.6),
        server_accuracy=np.array([0.5, 0.6, 0.5, 0.5]),
    )
    plan = decide(server=(0, NO_SERVER, 3, NO_SERVER), power=(0.3, 0.0, 0.3, 0.0))
    assert broken(instance, plan) == {}
    verdict = judge(instance, plan)
    assert verdict.refused.tolist() == [[False, True, False, False]]
    assert not verdict.feasible
    projected, changes = project(instance, plan)
    assert projected.server.tolist() == plan.server.tolist()
    assert not changes.server.any()
    assert changes.unservable.tolist() == [[False, unservable, False, False]]


@pytest.mark.parametrize("device", [0, 1, 2])
@pytest.mark.parametrize("x", WITHIN + BEYOND)
def test_a_request_is_an_outage_beyond_a_billionth_of_its_bound(device, x):
    """Up to C_out a request costs what it costs, beyond it C_out; times are told as they are."""
    index = (0, device)
    late = replace(world(), deadline_s=at(world().deadline_s, index, 1e-3))
    cost_without = plain_cost(late, device)
    # Nothing but the deadline changes: cost = c0 - penalty * D, and C_out = penalty * D.
    penalty = late.scenario.penalty_per_s
    bound = (cost_without + penalty * 1e-3) / (2 + x)
    instance = replace(late, deadline_s=at(late.deadline_s, index, bound / penalty))
    assert plain_cost(instance, device) == pytest.approx(bound * (1 + x), rel=1e-12)
    verdict = judge(instance, decide())
    assert np.argwhere(verdict.outage).tolist() == ([[0, device]] if x in BEYOND else [])
    assert verdict.device_cost[index] == pytest.approx(bound * min(1.0, 1 + x), rel=1e-12)
    assert verdict.device_cost[index] <= instance.outage_cost[index]
    assert verdict.admissible
    assert not verdict.feasible
    before = judge(world(), decide())
    assert np.array_equal(verdict.latency_s, before.latency_s)
    assert np.array_equal(verdict.energy_J, before.energy_J)


def plain_cost(instance, device) -> float:
    """Elastic cost of a device of `decide()` by the plain model."""
    plan = decide()
    return elastic_cost(instance, 0, device, plan.server[0].tolist(), plan.power_W[0], UAVS)


@pytest.mark.parametrize(
    ("server", "found"), [(-1, {}), *((s, {"assignment": [1.0]}) for s in (-2, 4, 9))]
)
def test_a_request_that_no_server_can_take_is_refused_by_minus_one_alone(server, found):
    """Numbers of no server are not a way to refuse."""
    instance = world(accuracy_floor=np.array([[0.0, 0.0, 0.9, 0.0]]))
    assert broken(instance, decide(at(SERVERS, 2, server), (0.3, 0.3, 0.0, 0.0))) == found


@pytest.mark.parametrize("server", [0, 1, 2, 3])
def test_the_accuracy_floor_has_no_slack(server):
    """A floor equal to the server's accuracy is kept; the next number above it is broken."""
    has = ACCURACY[server]
    plan = decide(server=at(SERVERS, 2, server))
    for floor in (np.nextafter(has, 0), has, np.nextafter(has, 1)):
        instance = world(accuracy_floor=np.array([[0.0, 0.0, floor, 0.0]]))
        missing = max(0.0, floor - has)
        assert broken(instance, plan) == ({"accuracy": [missing]} if missing else {})
        usable = available(instance, plan.uav_xy_m)[0, 2]
        assert usable.tolist() == [bool(a >= floor) for a in ACCURACY]
        changes = project(instance, plan)[1]
        assert changes.server.tolist() == [[False, False, bool(missing) and usable.any(), False]]


def test_a_satellite_may_be_used_as_soon_as_it_is_linked():
    """Each request on a satellite that no path leads to counts one; UAVs need no path."""
    linked = world()
    satellite = 1 - int(linked.access[0])
    plan = decide(server=(0, 2 + satellite, 2 + satellite, NO_SERVER))
    assert broken(linked, plan) == {}
    cut = replace(linked, isl_hops=at(linked.isl_hops, (0, satellite), -1))
    assert broken(cut, plan) == {"visibility": [2.0]}
    projected, changes = project(cut, plan)
    assert changes.server.tolist() == [[False, True, True, False]]
    assert broken(cut, projected) == {}


@pytest.mark.parametrize(
    ("device", "server", "wrong"),
    [(2, s, not -1 <= s <= 3) for s in (-7, -2, -1, 0, 1, 2, 3, 4, 9)]
    + [(3, s, s != NO_SERVER) for s in (-7, -2, -1, 0, 3, 4)],
)
def test_requests_need_a_server_that_exists_and_idle_devices_none(device, server, wrong):
    """Servers are -1..S-1 for a request, -1 for an idle device; each other one counts one."""
    watt = 0.3 if device == 3 or 0 <= server <= 3 else 0.0
    plan = decide(at(SERVERS, device, server), (0.3, 0.3, watt, 0.0))
    assert broken(world(), plan) == ({"assignment": [1.0]} if wrong else {})
    projected, changes = project(world(), plan)
    assert broken(world(), projected) == {}
    assert changes.server.sum() == (wrong and device == 2)
    assert (projected.server == plan.server).all() == (not wrong)


@pytest.mark.parametrize(
    ("watt", "found"),
    [
        (0.0, {}),
        (1e-9 * GREATEST_W, {}),
        (-1e-9 * LEAST_W, {}),
        (1.1e-9 * GREATEST_W, {"power_max": [1.1e-9 * GREATEST_W]}),
        (-1.1e-9 * LEAST_W, {"power_min": [1.1e-9 * LEAST_W]}),
        (LEAST_W, {"power_max": [LEAST_W]}),
    ],
)
def test_an_idle_device_sends_nothing(watt, found):
    """Without a server the power is 0, with the slack of the limits that senders have."""
    plan = decide(power=(0.3, 0.3, 0.3, watt))
    assert broken(world(), plan) == {k: pytest.approx(v) for k, v in found.items()}
    projected, changes = project(world(), plan)
    assert projected.power_W.tolist() == [[0.3, 0.3, 0.3, 0.0]]
    assert not changes.power.any()


def test_motion_is_counted_from_the_slot_before():
    """A flight of two reaches takes two slots; in one of them it is too far."""
    instance, _ = far_flown(0.0)
    two = instance.rows(np.array([0, 0]))
    reach = np.array([[36.0, 48.0], [0.0, 0.0]])
    stay, once, twice = UAVS, UAVS + reach, UAVS + 2 * reach
    for path, amounts in (
        ((once, twice), [0.0, 0.0]),
        ((stay, twice), [0.0, REACH]),
        ((twice, twice), [REACH, 0.0]),
    ):
        plan = Plan(np.array([SERVERS] * 2), np.array([(0.3, 0.3, 0.3, 0.0)] * 2), np.array(path))
        found = {"motion": pytest.approx(amounts)} if any(amounts) else {}
        assert broken(two, plan) == found
        assert project(two, plan)[1].motion.any(axis=-1).tolist() == [a > 0 for a in amounts]


TIMES = {
    "deadline on a UAV": (0, "deadline_s"),
    "deadline on a satellite": (2, "deadline_s"),
    "window of a satellite": (2, "window_s"),
}


@pytest.mark.parametrize(("device", "field"), TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("x", WITHIN + BEYOND)
def test_a_request_is_late_beyond_a_billionth_of_its_latency(device, field, x):
    """Overruns are the whole excess over deadline or window, cost by the second, break nothing."""
    easy, plan = world(), decide()
    before = judge(easy, plan)
    assert not before.missed.any()
    assert before.feasible
    latency_s = before.latency_s[0, device]
    index = (0, device) if field == "deadline_s" else (0, easy.access[0])
    tight = replace(easy, **{field: at(getattr(easy, field), index, latency_s * (1 - x))})
    verdict = judge(tight, plan)
    late = x in BEYOND
    assert verdict.admissible
    assert verdict.feasible == (not late)
    assert np.flatnonzero(verdict.missed[0]).tolist() == ([device] if late else [])
    overrun_s = latency_s * x if late else 0.0
    assert verdict.overrun_s[0, device] == pytest.approx(overrun_s, rel=1e-4)
    dearer = verdict.device_cost[0, device] - before.device_cost[0, device]
    assert dearer == pytest.approx(easy.scenario.penalty_per_s * overrun_s, rel=1e-4)


def test_a_window_binds_satellites_only():
    """With the window nearly over, requests on UAVs are in time and the one above is late."""
    easy, plan = world(), decide()
    short = replace(easy, window_s=np.full((1, 2), 1e-3))
    verdict = judge(short, plan)
    assert verdict.missed.tolist() == [[False, False, True, False]]
    assert verdict.overrun_s[0, 2] == pytest.approx(verdict.latency_s[0, 2] - 1e-3)

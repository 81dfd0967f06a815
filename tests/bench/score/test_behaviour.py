"""What methods do, read off plans made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from satedge.bench.score.behaviour import Deed, behaviour
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan
from support.worlds import world

#: Everybody asks in each of four slots; K=3, M=1, N=2; UAV and satellites serve everywhere.
EPISODE = world(
    "tiny", 0, 4, arrivals="every-slot", uav_coverage_m=1e3, accuracy_max=0.3,
)  # fmt: skip


def deed(
    server: object, power_W: object = 0.1, moves_m: object = 0.0, seed: float = 0.0,
    instance: Instance = EPISODE,
) -> Deed:  # fmt: skip
    """Servers (T, K), powers (T, K) and moves east (T,), each of them broadcast."""
    s = instance.scenario
    servers = np.broadcast_to(np.asarray(server), (instance.n_slots, s.n_devices)).copy()
    powers = np.where(servers >= 0, power_W, 0.0)
    east = np.cumsum(np.broadcast_to(np.asarray(moves_m, float), (instance.n_slots,)))
    at = np.zeros((instance.n_slots, s.n_uavs, 2)) + instance.uav_xy_m
    at[..., 0] += east[:, None]
    return Deed(instance, Plan(servers, powers, at), seed)


def test_shares_of_tiers_and_servers() -> None:
    """Of twelve requests four go to the UAV, four to the second satellite, four are refused."""
    found = behaviour([deed([[0, 2, NO_SERVER]])])
    assert found.servers == pytest.approx((1 / 3, 0.0, 1 / 3))
    assert (found.by_uavs, found.by_satellites) == pytest.approx((1 / 3, 1 / 3))
    assert found.refused == pytest.approx(1 / 3)


def test_spread_of_powers_is_over_time() -> None:
    """Devices at unlike powers have none; 10 dB up and down have one of 5 dB."""
    assert behaviour([deed(0, [[0.1, 0.2, 0.4]])]).power_spread_dB == pytest.approx(0.0, abs=1e-9)
    turns = np.array([[0.1], [1.0], [0.1], [1.0]])
    assert behaviour([deed(0, turns)]).power_spread_dB == pytest.approx(5.0)


def test_metres_flown_and_how_moves_vary() -> None:
    """There and back is as far as on and on, but another behaviour."""
    on, back = behaviour([deed(0, moves_m=4.0)]), behaviour([deed(0, moves_m=[4, -4, 4, -4])])
    assert on.flown_m == back.flown_m == pytest.approx(4.0)
    assert on.flight_spread_m == pytest.approx(0.0, abs=1e-9)
    assert back.flight_spread_m == pytest.approx(4.0)


def test_agreement_is_that_of_seeds() -> None:
    """Two seeds differ on one device of three; one seed has nobody to agree with."""
    one, other = deed([[0, 1, 1]], seed=0), deed([[0, 1, 2]], seed=1)
    assert behaviour([one, other]).agreement == pytest.approx(2 / 3)
    assert np.isnan(behaviour([one]).agreement)
    assert np.isnan(behaviour([one, replace(other, seed=0.0)]).agreement)


def test_what_never_changes_is_constant() -> None:
    """Unlike devices may do unlike things, as long as each does the same always."""
    assert behaviour([deed([[0, 1, 2]], [[0.1, 0.2, 0.4]], moves_m=3.0)]).constant
    turns = np.array([[0.1], [1.0], [0.1], [1.0]])
    assert not behaviour([deed([[0, 1, 2]], turns)]).constant
    assert not behaviour([deed([[0, 1, 2]], moves_m=[4, -4, 4, -4])]).constant


def test_flights_of_uavs_that_serve_nobody_decide_nothing() -> None:
    """Wherever they go: all requests go to a satellite, always at the same power."""
    found = behaviour([deed(1, moves_m=[4, -4, 4, -4])])
    assert found.flight_spread_m > 1
    assert found.constant


def test_servers_against_a_fixed_order_are_decisions() -> None:
    """The UAV where the satellite was open, and the other way round: half of each device's
    choices are against any order. A server that is taken where another is not open is not."""
    changing = behaviour([deed([[0], [1], [0], [1]])])
    assert changing.against_order == pytest.approx(0.5)
    assert not changing.constant
    dark = replace(EPISODE, isl_hops=np.where([[False, True]], EPISODE.isl_hops, -1))
    forced = behaviour([deed(1), deed(2, instance=dark)])
    assert forced.against_order == 0.0
    assert forced.constant


def test_single_slots_do_not_tell() -> None:
    """Where nothing can change, nobody is called constant; idle slots have no choices."""
    alone = behaviour([deed(0, instance=EPISODE.window(0, 1))])
    assert np.isnan(alone.power_spread_dB)
    assert not alone.constant
    assert alone.plans == 1


def test_instances_of_unlike_sizes() -> None:
    """Tiers are those of each instance."""
    wide = world("paper", 1, 4, arrivals="every-slot")
    found = behaviour([deed(0), deed(NO_SERVER, instance=wide)])
    assert len(found.servers) == wide.scenario.n_servers
    assert found.by_uavs == pytest.approx(12 / 52)
    assert found.refused == pytest.approx(40 / 52)

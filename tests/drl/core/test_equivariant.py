"""The equivariant policy: renaming changes names alone, any size fits, costs are the referee's."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from drl.agents.registry import build_actor, settings_of
from drl.core.equivariant import Guess, SlotActor
from drl.core.nets import Streams
from drl.core.options import Options
from drl.env.spaces import Encoder, decode
from drl.training.policy import sizes_of
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.projector import project_slots, slot_keys
from satedge.problem.referee import judge
from satedge.problem.scenario import Scenario, preset
from support.worlds import ODD_WORLDS

Seen = tuple[torch.Tensor, torch.Tensor, torch.Tensor]

#: Axes of the fields of Options, counted from the last: devices, then servers of some kind.
_DEVICES = {
    "away_m": -3, "slant_m2": -2, "request": -2, "receiver_log_gain": -2, "log_gain": -2,
    "execute_s": -2, "fixed_cost": -2, "deadline_s": -2, "slack_s": -2, "upload_bit_per_Hz": -2,
    "margin": -2,
}  # fmt: skip
_UAVS = {"away_m": -2, "slant_m2": -1, "altitude": -1, "altitude_m2": -1}
_SATELLITES = {"window": -1, "hops": -1}
_SERVERS = ("log_gain", "execute_s", "fixed_cost", "slack_s", "upload_bit_per_Hz", "margin")


def actor_of(scenario: Scenario, seed: int = 0) -> SlotActor:
    chosen = settings_of("imitation", width=8, rounds=2)
    actor = build_actor(chosen, sizes_of(scenario), Streams([seed]))
    assert isinstance(actor, SlotActor)
    return actor


def seen(episode: Instance) -> Seen:
    """Every slot of an episode, UAVs where they start: (1, T, ...)."""
    encoder, n = Encoder(episode.scenario), episode.n_slots
    obs, at = encoder.exogenous(episode), np.repeat(episode.uav_xy_m[None], episode.n_slots, 0)
    mask = encoder.complete(obs, episode, np.arange(n), at)
    parts = obs, mask, episode.active.copy()
    return tuple(torch.from_numpy(x)[None] for x in parts)  # type: ignore[return-value]


def renamed(
    o: Options, devices: torch.Tensor, uavs: torch.Tensor, satellites: torch.Tensor
) -> Options:
    """The same slots with devices, UAVs and satellites in another order."""
    m = len(uavs)
    servers = torch.cat([uavs, m + satellites])
    receivers = torch.cat([uavs, torch.tensor([m])])
    values = {}
    for field in fields(o):
        x = getattr(o, field.name)
        if field.name in _DEVICES:
            x = x.index_select(x.dim() + _DEVICES[field.name], devices)
        for axes, order in ((_UAVS, uavs), (_SATELLITES, satellites)):
            if field.name in axes:
                x = x.index_select(x.dim() + axes[field.name], order)
        if field.name in _SERVERS:
            x = x[..., servers]
        if field.name == "receiver_log_gain":
            x = x[..., receivers]
        values[field.name] = x
    return Options(**values)


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4)),
    seed=st.integers(0, 99),
    world=st.sampled_from(["paper", "contended"]),
)
def test_renaming_renames_decisions(size: tuple[int, int, int], seed: int, world: str) -> None:
    """Devices, UAVs and satellites in another order: servers, powers and places follow."""
    k, m, n = size
    scenario = preset(world, n_devices=k, n_uavs=m, n_satellites=n, n_slots=3)
    net = actor_of(scenario, seed).net
    obs, mask, active = seen(generate(scenario, 10_000 + seed))
    rng = np.random.default_rng(seed)
    devices, uavs, satellites = (torch.from_numpy(rng.permutation(x)) for x in size)
    servers = torch.cat([uavs, m + satellites])
    options = net.reader.read(obs)
    plain: Guess = net.think(options, mask, active)[-1]
    other = renamed(options, devices, uavs, satellites)
    # Servers' own constants enter through the options alone, so that they are renamed as well.
    found = net.think(other, mask[..., devices, :][..., servers], active[..., devices])[-1]
    for name in ("log_p", "level", "pull"):
        expected = getattr(plain, name)[..., devices, :][..., servers]
        torch.testing.assert_close(getattr(found, name), expected, rtol=1e-3, atol=1e-3)
    served = torch.rand(1, 3, k, m)
    flights = net.flights(options, served, plain.pull[..., :m])[..., uavs, :]
    again = net.flights(other, served[..., devices, :][..., uavs], found.pull[..., :m])
    torch.testing.assert_close(again, flights, rtol=1e-3, atol=0.1)


@pytest.mark.parametrize(
    ("world", "changes"),
    [
        ("paper", {}),
        ("contended", {}),
        ("balanced", {}),
        ("contended", {"interference_scope": "tier", "path_loss_exponent": 2.4}),
        ("paper", {"interference_scope": "server", "interference_leakage": 0.3}),
    ],
)
def test_the_model_in_the_network_is_the_referee_s(world: str, changes: dict[str, Any]) -> None:
    """Costs of devices by the network's formulas against the referee's, for admissible plans."""
    scenario = preset(world, n_slots=40, **changes)
    episode = generate(scenario, 10_001)
    actor = actor_of(scenario)
    obs, mask, active = seen(episode)
    options = actor.net.reader.read(obs)
    choice, numbers = actor.decide(obs, mask, active)
    server, continuous = actor.layout.decode(choice, numbers, mask)
    at = np.repeat(episode.uav_xy_m[None], episode.n_slots, 0)
    raw = decode(scenario, server[0].numpy(), continuous[0].numpy(), at)
    plan, changed = project_slots(episode, at, raw, slot_keys(0, np.arange(episode.n_slots)))
    assert not changed.server.any()
    truth = judge(episode, plan, at).device_cost
    choice = choice.clamp(min=0)
    hot = torch.nn.functional.one_hot(choice, scenario.n_servers).float()
    hot = hot * torch.from_numpy(plan.server >= 0)[None, ..., None]
    level = numbers[..., : scenario.n_devices, None].expand_as(hot)
    flights = torch.from_numpy(plan.uav_xy_m - at).float()[None]
    unit = actor.net.unit
    costs = actor.net.cost(options, level, hot, flights) * unit
    found = costs.gather(-1, choice[..., None])[0, ..., 0].numpy()
    sends = (plan.server >= 0) & (truth < 0.99 * episode.outage_cost)
    np.testing.assert_allclose(found[sends], truth[sends], rtol=0.02, atol=0.01 * unit)


@pytest.mark.parametrize("changes", ODD_WORLDS, ids=str)
def test_torch_and_numpy_run_the_same_network(changes: dict[str, Any]) -> None:
    """What is learned in torch is what decides in NumPy; also after weights were loaded."""
    scenario = preset("contended", n_slots=4, **changes)
    net, other = actor_of(scenario, 0).net, actor_of(scenario, 1).net
    parts = seen(generate(scenario, 10_006))
    net(*(x.numpy() for x in parts))
    net.load_state_dict(other.state_dict())
    with torch.no_grad():
        learned = other(*parts)[1]
    decided = net(*(x.numpy() for x in parts))[1]
    for first, second in zip(learned, decided, strict=True):
        for name in ("log_p", "level", "pull"):
            expected = getattr(first, name).numpy()
            found = getattr(second, name)
            assert found.dtype == np.float32
            likely = expected > -30
            np.testing.assert_allclose(found[likely], expected[likely], rtol=1e-3, atol=1e-3)


def test_the_same_weights_decide_in_any_size() -> None:
    """Decisions in sizes that were never built for are admissible as they are, but for clipping."""
    small, large = preset("paper"), preset("paper", n_devices=17, n_uavs=5, n_satellites=6)
    actor, other = actor_of(small), actor_of(large)
    other.load_state_dict(actor.state_dict())
    episode = generate(large.replace(n_slots=10), 10_002)
    obs, mask, active = seen(episode)
    choice, numbers = other.decide(obs, mask, active)
    assert choice.shape == (1, 10, 17)
    assert numbers.shape == (1, 10, 17 + 2 * 5)
    assert bool(numbers.isfinite().all())
    at = np.repeat(episode.uav_xy_m[None], 10, 0)
    server, continuous = other.layout.decode(choice, numbers, mask)
    raw = decode(episode.scenario, server[0].numpy(), continuous[0].numpy(), at)
    _, changes = project_slots(episode, at, raw, slot_keys(0, np.arange(10)))
    assert not changes.server.any()


def test_slots_beside_each_other_do_not_meet() -> None:
    """A slot's decision does not depend on the batch that it is in."""
    scenario = preset("contended", n_slots=8)
    actor, parts = actor_of(scenario), seen(generate(scenario, 10_003))
    together = actor.decide(*parts)
    for t in range(8):
        alone = actor.decide(*(x[:, t : t + 1] for x in parts))
        torch.testing.assert_close(alone[0][:, 0], together[0][:, t])
        torch.testing.assert_close(alone[1][:, 0], together[1][:, t], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("changes", ODD_WORLDS, ids=str)
def test_odd_worlds_are_decided_like_any_other(changes: dict[str, Any]) -> None:
    """Without UAVs, satellites, requests, motion or penalties: finite numbers, servers of these."""
    scenario = preset("contended", n_slots=3, **changes)
    choice, numbers = actor_of(scenario).decide(*seen(generate(scenario, 10_004)))
    assert choice.shape == (1, 3, scenario.n_devices)
    assert bool((choice < scenario.n_servers).all())
    assert bool(numbers.isfinite().all())


def test_more_messages_are_another_network() -> None:
    """`rounds` counts guesses beyond the first."""
    scenario = preset("tiny", n_slots=2)
    actor = actor_of(scenario)
    assert len(actor.net(*seen(generate(scenario, 10_005)))[1]) == 3
    assert replace(actor.layout.sizes).scenario == scenario

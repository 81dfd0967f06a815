"""Truths about networks that treat all devices alike, and about AD-SAC+."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from drl.agents.ad_sac_plus import AdSacPlus, AdSacPlusSettings
from drl.core.device_nets import DeviceActor, DeviceCritic, covered, split
from drl.core.layout import Layout
from drl.core.nets import Streams
from drl.core.replay import Batch
from drl.env.spaces import Encoder, decode
from drl.training.policy import sizes_of
from satedge.problem.generation.generate import generate
from satedge.problem.referee import available
from satedge.problem.scenario import preset

SCENARIO = preset("paper", n_slots=40)
SIZES = sizes_of(SCENARIO)
LAYOUT = Layout("hybrid", SIZES)
K, S, M = SIZES.n_devices, SIZES.n_servers, SIZES.n_uavs


def observed(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """40 slots of one run, UAVs at their start."""
    episode = generate(SCENARIO, seed)
    encoder = Encoder(SCENARIO)
    table, at = encoder.exogenous(episode), np.repeat(episode.uav_xy_m[None], 40, axis=0)
    mask = encoder.complete(table, episode, np.arange(40), at)
    return tuple(torch.from_numpy(np.array(x))[None] for x in (table, mask, episode.active))  # type: ignore[return-value]


def actions(seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    _, mask, _ = observed()
    choice = (torch.rand(mask.shape, generator=g) * mask).argmax(dim=-1)
    return choice, torch.rand(1, 40, K + 2 * M, generator=g) * 2 - 1


def permuted(obs: Tensor, order: Tensor) -> Tensor:
    """The same slots with devices in another order."""
    parts = Encoder(SCENARIO).split(obs.numpy().copy())
    for name in ("devices", "links", "idle", "available"):
        parts[name][:] = parts[name].copy()[:, :, order.numpy()]
    flat = np.concatenate([parts[n].reshape(*obs.shape[:2], -1) for n in parts], axis=-1)
    return torch.from_numpy(flat)


def test_the_split_is_that_of_the_encoder() -> None:
    """Every feature of the observation goes to its device or to all, none is lost."""
    obs, _, _ = observed()
    own, common = split(obs, SIZES)
    parts = Encoder(SCENARIO).split(obs.numpy())
    expected = np.concatenate(
        [parts["devices"], parts["links"], parts["idle"][..., None], parts["available"]], axis=-1
    )
    assert np.array_equal(own, expected)
    rest = [parts[n].reshape(1, 40, -1) for n in ("uavs", "satellites", "slot")]
    assert np.array_equal(common, np.concatenate(rest, axis=-1))


def test_what_stays_covered_is_what_the_referee_allows() -> None:
    """After the motion, the refined mask is the referee's at the positions reached."""
    episode, (obs, mask, _) = generate(SCENARIO, 0), observed()
    _, numbers = actions()
    at = np.repeat(episode.uav_xy_m[None], 40, axis=0)
    raw = decode(SCENARIO, np.zeros((40, K)), numbers[0].numpy(), at)
    expected = available(episode, np.clip(raw.uav_xy_m, 0, SCENARIO.area_side_m))
    expected = np.where(expected.any(axis=-1, keepdims=True), expected, mask[0])
    assert np.array_equal(covered(obs, mask, numbers, SIZES)[0], expected)
    assert (mask & ~covered(obs, mask, numbers, SIZES)).any()


def test_devices_are_treated_alike() -> None:
    """With devices in another order, servers, powers and values are in that order."""
    actor, critic = (
        DeviceActor(LAYOUT, (16, 16), Streams([0])),
        DeviceCritic(LAYOUT, (16, 16), Streams([1])),
    )
    (obs, mask, active), (choice, numbers) = observed(), actions()
    order = torch.randperm(K, generator=torch.Generator().manual_seed(4))
    other = permuted(obs, order), mask[:, :, order], active[:, :, order]
    mixed = torch.cat([numbers[..., :K][..., order], numbers[..., K:]], dim=-1)

    plain, moved = actor.numbers(obs, mask, active), actor.numbers(*other)
    torch.testing.assert_close(moved.mean[..., :K], plain.mean[..., :K][..., order])
    torch.testing.assert_close(moved.mean[..., K:], plain.mean[..., K:])
    heads = actor.heads(obs, mask, active, numbers).log_p
    torch.testing.assert_close(actor.heads(*other, mixed).log_p, heads[:, :, order])
    hot = LAYOUT.one_hot(choice)
    values = critic(obs, hot, numbers, active.float())
    found = critic(other[0], hot[:, :, order], mixed, active[:, :, order].float())
    torch.testing.assert_close(found, values[:, :, order], rtol=1e-4, atol=1e-5)


def test_a_device_sees_others_crowd_but_not_its_own_choice() -> None:
    """Q_k answers for all own servers at once, so it may not see which one was taken; another's
    choice or power changes it."""
    critic = DeviceCritic(LAYOUT, (16, 16), Streams([0]))
    obs, _, _ = observed()
    choice, numbers = actions()
    values = critic(obs, LAYOUT.one_hot(choice), numbers, torch.ones(1, 40, K))
    changed = choice.clone()
    changed[..., 0] = (choice[..., 0] + 1) % S
    other = critic(obs, LAYOUT.one_hot(changed), numbers, torch.ones(1, 40, K))
    torch.testing.assert_close(other[:, :, 0], values[:, :, 0])
    assert ((other - values).abs()[:, :, 1:].amax(dim=-1) > 1e-7).all()
    idle = torch.ones(1, 40, K)
    idle[..., 0] = 0
    quiet = critic(obs, LAYOUT.one_hot(choice), numbers, idle)
    torch.testing.assert_close(
        critic(obs, LAYOUT.one_hot(changed), numbers, idle)[:, :, 1:], quiet[:, :, 1:]
    )


def batch() -> Batch:
    (obs, mask, active), (choice, numbers) = observed(), actions()
    seen = {"mask": mask, "active": active, "next_mask": mask, "next_active": active}
    reward = -torch.rand(1, 40, K, generator=torch.Generator().manual_seed(1))
    return seen | {
        "obs": obs,
        "next_obs": obs,
        "choice": choice,
        "numbers": numbers,
        "reward": reward,
    }


@pytest.mark.parametrize("gamma", [0.0, 0.9])
def test_losses_by_hand(gamma: float) -> None:
    """A critic that answers 2 for every device: half the squared error summed over active devices,
    and minus 2 for each of them plus the temperatures' share of the log-probabilities."""
    settings = AdSacPlusSettings(hidden=(8, 8), gamma=gamma, temperature=1e-9)
    learner = AdSacPlus(settings, LAYOUT, Streams([0]))
    for network, value in ((learner.critic, 2.0), (learner.slow, 3.0)):
        with torch.no_grad():
            for p in network.parameters():
                p.zero_()
            network.net.body.layers[-1].bias.fill_(value)
    data = batch()
    loss, figures = learner.losses(data)
    weight = data["active"].float()
    target = data["reward"] + gamma * 3.0 * weight
    expected = (0.5 * (2.0 - target) ** 2 * weight).sum(-1).mean()
    assert float(figures["q_loss"]) == pytest.approx(float(expected), rel=1e-5)
    value = 2.0 * float(weight.sum(-1).mean())
    assert float(loss.detach()) == pytest.approx(float(expected) - value, rel=1e-5)


def test_the_heads_gradient_is_the_mean_over_own_options() -> None:
    """With values that ignore the others, d loss / d log p_k(c) is -p_k(c) Q_k(c)."""
    learner = AdSacPlus(AdSacPlusSettings(hidden=(8, 8)), LAYOUT, Streams([0]))
    with torch.no_grad():
        for p in learner.critic.parameters():
            p.zero_()
        learner.critic.net.body.layers[-1].bias.copy_(torch.randn(1, 1, S))
        learner.log_temperature.fill_(-60.0)
    data = batch()
    q = learner.critic.net.body.layers[-1].bias.detach()[0, 0]
    heads, raw, _ = learner._play(data["obs"], data["mask"], data["active"])
    bias = learner.actor.mu.body.layers[-1].bias
    expected_loss = -((heads.log_p.exp() * q).sum(-1) * heads.weight).sum(-1).mean()
    (expected,) = torch.autograd.grad(expected_loss, bias)
    learner._play = lambda *seen: (heads_again(), raw, learner.actor.numbers(*seen))  # type: ignore[method-assign]

    def heads_again():  # type: ignore[no-untyped-def]
        return learner.actor.heads(data["obs"], data["mask"], data["active"], raw.tanh())

    loss, _, _ = learner._policy_loss(data, data["active"].float())
    (found,) = torch.autograd.grad(loss.sum(), bias)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


def test_parts_of_ad_sac_plus_can_be_switched_off() -> None:
    """Without `motion_first` mu has the whole mask; without `own_mean` a draw alone tells the
    policies what they are worth."""
    (obs, mask, active), (_, numbers) = observed(), actions()
    plain = DeviceActor(LAYOUT, (16, 16), Streams([0]), motion_first=False)
    ahead = DeviceActor(LAYOUT, (16, 16), Streams([0]))
    open_to, left = (a.heads(obs, mask, active, numbers).log_p > -1e8 for a in (plain, ahead))
    acts = (active & mask.any(dim=-1))[..., None]
    assert torch.equal(open_to & acts, mask & acts)
    assert (open_to & ~left).any()
    assert not (left & ~open_to & acts).any()

    drawn = AdSacPlus(AdSacPlusSettings(hidden=(8, 8), own_mean=False), LAYOUT, Streams([0]))
    exact = AdSacPlus(AdSacPlusSettings(hidden=(8, 8)), LAYOUT, Streams([0]))
    data = batch()
    for learner in (drawn, exact):
        # Only the server's own option is worth anything, so a draw's value is 0 or 1 a device.
        with torch.no_grad():
            for p in learner.critic.parameters():
                p.zero_()
            learner.critic.net.body.layers[-1].bias[..., 0] = 1.0
            learner.log_temperature.fill_(-60.0)
    values = [learner._policy_loss(data, data["active"].float())[0] for learner in (drawn, exact)]
    worth = [float(-v.detach() * 40) for v in values]
    assert worth[0] == pytest.approx(round(worth[0]), abs=1e-3)
    assert worth[1] != pytest.approx(round(worth[1]), abs=1e-2)

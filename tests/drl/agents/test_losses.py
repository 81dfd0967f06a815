"""What learners make of rewards, targets and slow copies before and after their losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from drl.agents.ad_sac import AdSac, AdSacSettings
from drl.agents.ad_sac_plus import AdSacPlus, AdSacPlusSettings
from drl.agents.d3qn import D3qn, D3qnSettings
from drl.agents.ddpg import Ddpg, DdpgSettings
from drl.agents.mpo import Fit
from drl.agents.ppo import Ppo, PpoSettings
from drl.core.layout import Layout, Sizes
from drl.core.learner import Transition, View, cost_reward
from drl.core.nets import Streams
from drl.core.replay import Batch
from drl.core.settings import SettingsError

K, S, M, B = 3, 4, 1, 5
D = K * 6 + K * (M + 1) + 3 * M + 2 * (S - M) + 1 + K + K * S
SIZES = Sizes(K, S, M, D, reach=0.2, coverage=1.0)
SMALL: dict[str, Any] = {"hidden": (8, 8), "batch": B}

LEARNERS: dict[str, Any] = {
    "adsac": (AdSac, AdSacSettings(**SMALL, synthetic=0), "hybrid"),
    "adsac+": (AdSacPlus, AdSacPlusSettings(**SMALL, gamma=0.9), "hybrid"),
    "ddpg": (Ddpg, DdpgSettings(**SMALL), "continuous"),
    "d3qn": (D3qn, D3qnSettings(**SMALL), "discrete"),
    "ppo": (Ppo, PpoSettings(**SMALL, rollout_epochs=1), "continuous"),
}


def learner(method: str, **changes: Any) -> Any:
    made, settings, kind = LEARNERS[method]
    return made(settings.replace(**changes), Layout(kind, SIZES), Streams([0]))


def transition(learner: Any, seed: int, reward: float = 0.5) -> Transition:
    g = torch.Generator().manual_seed(seed)
    every = torch.ones(1, 1, K, S, dtype=torch.bool)
    views = [View(torch.randn(1, 1, D, generator=g), every, every[..., 0]) for _ in range(2)]
    cost = 20 * torch.rand(1, 1, K, generator=g)
    action = learner.act(views[0])
    return Transition(views[0], action, torch.full((1, 1), reward), views[1], cost, seed == 9)


def fed(learner: Any, rewards: list[float]) -> list[Transition]:
    slots = [transition(learner, seed, reward) for seed, reward in enumerate(rewards)]
    for slot in slots:
        learner.observe(slot)
    return slots


def taught(learner: Any, updates: int = 1) -> list[Batch]:
    """The batches of `updates` updates, which are not carried out."""
    seen: list[Batch] = []

    def update(batch: Batch) -> dict[str, Tensor]:
        seen.append(batch)
        return {}

    learner.update = update
    learner.learn(updates)
    return seen


def test_costs_become_rewards_by_hand() -> None:
    """Minus the cost, capped, in units of the scale."""
    settings = AdSacPlusSettings(cost_scale=10.0, cost_cap=50.0)
    slot = transition(learner("adsac"), 0)
    cost = torch.tensor([[[5.0, 50.0, 7000.0]]])
    slot = Transition(slot.view, slot.action, slot.reward, slot.next_view, cost, False)
    torch.testing.assert_close(cost_reward(slot, settings), torch.tensor([[-0.5, -5.0, -5.0]]))


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("adsac", {}),
        ("adsac", {"reward": "cost"}),
        ("adsac", {"reward": "cost", "credit": "devices"}),
        ("adsac+", {}),
        ("adsac+", {"device_costs": False}),
        ("ddpg", {}),
        ("d3qn", {}),
    ],
)
@pytest.mark.parametrize("centre", [False, True])
def test_the_reward_learned_is_the_one_asked_for(
    method: str, changes: dict[str, Any], centre: bool
) -> None:
    """Of the slot, or minus costs; less the mean over all that is kept where it is centred."""
    subject = learner(method, centre=centre, **changes)
    slots = fed(subject, [0.1, 0.4, 2.0, 0.9])
    wanted = torch.stack([s.reward[0, 0] for s in slots])
    if changes.get("reward") == "cost":
        wanted = torch.stack([-s.device_cost[0, 0].mean() / 20 for s in slots])
    if method == "adsac+" or "credit" in changes:
        own = torch.stack([-s.device_cost[0, 0] / 20 for s in slots])
        shared = not getattr(subject.settings, "device_costs", True)
        wanted = wanted[:, None].expand(-1, K) if shared else own
    if centre:
        wanted = wanted - wanted.mean()
    for batch in taught(subject, 3):
        which = (batch["obs"][0, :, None] - torch.stack([s.view.obs[0, 0] for s in slots])).abs()
        torch.testing.assert_close(batch["reward"][0], wanted[which.sum(-1).argmin(dim=1)])


@pytest.mark.parametrize("centre", [False, True])
def test_ppo_prepares_a_rollout_by_hand(centre: bool) -> None:
    """With a value of 2 everywhere, lambda 0 and no future, the return is the reward."""
    subject = learner("ppo", gamma=0.0, gae_lambda=0.5, centre=centre)
    with torch.no_grad():
        for p in subject.value.parameters():
            p.zero_()
        subject.value.mlp.layers[-1].bias.fill_(2.0)
    rewards = [0.1, 0.4, 2.0, 0.9]
    slots = fed(subject, rewards)
    data = subject.prepare({name: subject._column(name) for name in subject.rollout[0]})
    wanted = torch.tensor([rewards]) - (np.mean(rewards) if centre else 0.0)
    torch.testing.assert_close(data["return"], wanted)
    torch.testing.assert_close(data["advantage"], wanted - 2.0)
    assert len(slots) == data["old_log_prob"].shape[1]


@pytest.mark.parametrize(
    ("method", "pairs"),
    [
        ("adsac", [("target", "value")]),
        ("adsac+", [("slow", "critic")]),
        ("ddpg", [("slow_actor", "actor"), ("slow_critic", "critic")]),
        ("d3qn", [("slow", "actor")]),
    ],
)
def test_slow_copies_follow_by_tau(method: str, pairs: list[tuple[str, str]]) -> None:
    """They start equal; after an update slow = (1 - tau) slow + tau fast, fast as updated."""
    subject = (
        learner(method, tau=0.25, mpo=False) if method == "adsac" else learner(method, tau=0.25)
    )
    fed(subject, [0.1, 0.4, 2.0, 0.9])
    for slow, fast in pairs:
        weights = [list(getattr(subject, n).parameters()) for n in (slow, fast)]
        assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    before = {slow: [p.clone() for p in getattr(subject, slow).parameters()] for slow, _ in pairs}
    subject.learn(1)
    for slow, fast in pairs:
        now = zip(
            before[slow],
            getattr(subject, slow).parameters(),
            getattr(subject, fast).parameters(),
            strict=True,
        )
        for old, new, leader in now:
            assert not torch.equal(old, leader)
            torch.testing.assert_close(new, 0.75 * old + 0.25 * leader)


@pytest.mark.parametrize("method", ["adsac", "adsac+", "ddpg", "d3qn"])
def test_targets_look_through_slow_copies(method: str) -> None:
    """Changing a slow copy changes the loss of the critic, whose own values stay the same."""
    subject = learner(method)
    fed(subject, [0.1, 0.4, 2.0, 0.9])
    (batch,) = taught(subject)
    slow = {"adsac": "target", "adsac+": "slow", "ddpg": "slow_critic", "d3qn": "slow"}[method]

    def q_loss() -> Tensor:
        subject.streams.generators[0].manual_seed(1)
        if method != "adsac":
            return subject.losses(batch)[1]["q_loss"]
        policies = subject.actor.policies(batch["obs"], batch["mask"], batch["active"])
        return subject.losses(batch, policies)[1]["q_loss_mu"]

    before = q_loss()
    with torch.no_grad():
        for p in getattr(subject, slow).parameters():
            p += 0.5
    assert (q_loss() - before).abs() > 1e-4


def test_credit_by_device_by_hand() -> None:
    """Critics that say q_k learn each r_k + gamma v_k; values learn q_k less a share of the
    entropy's price, and policies climb the sum."""
    changes: dict[str, Any] = {"reward": "cost", "credit": "devices", "gamma": 0.5}
    subject = learner("adsac", centre=False, **changes)
    fed(subject, [0.1, 0.4, 2.0])
    (batch,) = taught(subject)
    q, v = torch.tensor([1.0, -2.0, 4.0]), torch.tensor([0.5, 0.0, -1.0])
    with torch.no_grad():
        for net, says in ((subject.critic, q), (subject.target, v), (subject.value, 0 * v)):
            for p in net.parameters():
                p.zero_()
            net.mlp.layers[-1].bias[:] = says
    policies = subject.actor.policies(batch["obs"], batch["mask"], batch["active"])
    loss, figures = subject.losses(batch, policies)
    error = (q - (batch["reward"][0] + 0.5 * v)).square().sum(-1).mean() / 2
    for agent in ("mu", "nu"):
        assert float(figures[f"q_loss_{agent}"]) == pytest.approx(float(error), rel=1e-5)
        assert float(figures[f"q_{agent}"]) == pytest.approx(3.0)
    entropy = torch.stack([figures["entropy_mu"], figures["entropy_nu"]])
    share = 0.02 * entropy / K  # one state's entropy is near the mean: the temperature is small
    values = 0.5 * (q + share).square().sum(-1)
    policy = -0.02 * entropy - 3.0
    surplus = loss.detach() - 2 * error - values.sum() - policy.sum()
    wanted = subject._draw(batch, policies)[2].mean(dim=-1)
    assert float(surplus) == pytest.approx(float((0.02 * (entropy[:, 0] - wanted)).sum()), abs=0.02)


def test_credit_by_device_goes_with_costs() -> None:
    """The reward (34) is one number of all devices."""
    with pytest.raises(SettingsError, match=r"reward = 'inverse': allowed is only \"cost\" with"):
        AdSacSettings(credit="devices")


def test_ddpg_explores_with_its_noise() -> None:
    """Actions scatter around the policy's with the standard deviation asked for."""
    subject = learner("ddpg", noise=0.1)
    every = torch.ones(1, 4000, K, S, dtype=torch.bool)
    view = View(torch.zeros(1, 4000, D), every, every[..., 0])
    scatter = subject.act(view).numbers - subject.actor(view.obs)
    assert float(scatter.mean().detach()) == pytest.approx(0.0, abs=0.002)
    assert float(scatter.std().detach()) == pytest.approx(0.1, rel=0.02)


def test_the_integration_climbs_the_critics() -> None:
    """With critics that like server 2 and large numbers, a step of (51)-(55) makes both more
    probable; with critics that dislike them, less."""
    for sign in (1.0, -1.0):
        subject = learner("adsac", mpo_rate=0.01, mpo_bound=0.5)
        layout = subject.layout
        with torch.no_grad():
            critic = subject.critic
            for layer in critic.mlp.layers:
                layer.weight.zero_()
                layer.weight[:, 0, 0] = 1.0
                layer.bias.fill_(5.0)  # no ReLU ever cuts: the critic is linear
            likes = torch.zeros(layout.features)
            likes[: K * S].view(K, S)[:, 2] = sign
            likes[K * S :] = sign
            critic.mlp.layers[0].weight[:, :, 0] = 0.0
            critic.action.zero_()
            critic.action[:, :, 0] = likes
        fed(subject, [0.1, 0.4, 2.0, 0.9])
        (batch,) = taught(subject)
        seen = batch["obs"], batch["mask"], batch["active"]
        old = subject.actor.policies(*seen)
        for _ in range(5):
            subject._integrate(batch, old)
        new = subject.actor.policies(*seen)
        assert (sign * (new[0].log_p - old[0].log_p)[..., 2] > 0).all()
        assert (sign * (new[1].mean - old[1].mean)).mean() > 0


def test_the_integration_values_actions_by_both_critics() -> None:
    """Q^ of (51) is the mean of Q_mu and Q_nu: 0.5 where they say 2 and -1."""
    subject = learner("adsac")
    with torch.no_grad():
        for p in subject.critic.parameters():
            p.zero_()
        subject.critic.mlp.layers[-1].bias[:, 0, 0] = torch.tensor([2.0, -1.0])
    fed(subject, [0.1, 0.4])
    (batch,) = taught(subject)
    choice, raw = torch.zeros(1, 3, B, K).long(), torch.zeros(1, 3, B, K + 2 * M)
    torch.testing.assert_close(subject._mean_q(batch, choice, raw), torch.full((1, 3, B), 0.5))


def test_ppo_climbs_the_surrogate_by_hand() -> None:
    """Ratios of 1.1, 0.5 and 1.6: the mean of min(ratio A, clipped ratio A) with advantages scaled
    to mean 0 and deviation 1 is taken off the loss."""
    subject = learner("ppo", value_weight=0.0, entropy_bonus=0.0, clip=0.2)
    fed(subject, [0.1, 0.4, 2.0])
    data = subject.prepare({name: subject._column(name) for name in subject.rollout[0]})
    ratio, advantage = torch.tensor([[1.1, 0.5, 1.6]]), torch.tensor([[1.0, 5.0, 3.0]])
    data["old_log_prob"], data["advantage"] = data["old_log_prob"] - ratio.log(), advantage
    scaled = (advantage - 3.0) / 2.0  # -1, 1, 0
    expected = torch.minimum(ratio * scaled, ratio.clamp(0.8, 1.2) * scaled).mean()
    assert float(expected) == pytest.approx((-1.1 + 0.5) / 3)
    torch.testing.assert_close(subject.losses(data)[0], -expected)


def test_the_integration_bounds_the_divergence_from_the_old_policies() -> None:
    """(54), (55) are KL(old || new), which is another number than KL(new || old)."""
    subject, kept = learner("adsac"), []
    fed(subject, [0.1, 0.4])
    (batch,) = taught(subject)
    seen = batch["obs"], batch["mask"], batch["active"]
    old = subject.actor.policies(*seen)
    with torch.no_grad():
        for p in subject.actor.parameters():
            p += 0.5 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))

    def loss(q: Tensor, fits: list[Fit], kls: list[Tensor]) -> Tensor:
        kept.extend(kls)
        return sum(x.sum() for x in kls)  # type: ignore[return-value]

    subject.integration.loss = loss
    new = subject.actor.policies(*seen)
    subject._integrate(batch, old)
    heads, others = (torch.distributions.Categorical(logits=p[0].log_p) for p in (old, new))
    of_mu = torch.distributions.kl_divergence(heads, others).sum(dim=-1)
    before, after = (torch.distributions.Normal(p[1].mean, p[1].log_std.exp()) for p in (old, new))
    of_nu = torch.distributions.kl_divergence(before, after).sum(dim=-1)
    torch.testing.assert_close(kept, [of_mu, of_nu])
    assert (
        (torch.distributions.kl_divergence(others, heads).sum(dim=-1) - of_mu).abs() > 1e-3
    ).all()

"""Truths about networks of several runs, their noise and their layouts."""

from __future__ import annotations

import pytest
import torch

from drl.core.layout import LEAST_POWER, Layout, Sizes
from drl.core.nets import MLP, Critic, Streams, clip_by_run, clone, follow, relu_

SIZES = Sizes(n_devices=3, n_servers=4, n_uavs=2, obs_dim=5)


def test_runs_side_by_side_equal_runs_alone() -> None:
    """Weights and noise of a run are the same, and its outputs equal, whatever stands beside it."""
    x = torch.randn(3, 6, 5)
    together, noise = MLP(streams := Streams([3, 7, 9]), 5, (8, 8), 2), streams.normal(4)
    for run, seed in enumerate((3, 7, 9)):
        alone = MLP(own := Streams([seed]), 5, (8, 8), 2)
        torch.testing.assert_close(alone(x[run : run + 1]), together(x)[run : run + 1])
        torch.testing.assert_close(own.normal(4), noise[run : run + 1], rtol=0, atol=0)


def test_a_network_equals_the_plain_formula() -> None:
    """Affine, ReLU, affine, with torch.nn.functional."""
    net, x = MLP(Streams([0]), 4, (6,), 3), torch.randn(1, 5, 4)
    first, last = net.layers
    hidden = torch.relu(torch.nn.functional.linear(x[0], first.weight[0].T, first.bias[0, 0]))
    expected = torch.nn.functional.linear(hidden, last.weight[0].T, last.bias[0, 0])
    torch.testing.assert_close(net(x)[0], expected)


def test_values_of_several_actions_equal_one_at_a_time() -> None:
    """For the critics of two agents; the shared first layer changes nothing."""
    critic = Critic(Streams([0, 1]).repeat(2), 5, 3, (8, 8))
    state, actions = torch.randn(2, 6, 5), torch.randn(2, 7, 6, 3)
    twice = [torch.cat([state] * 2), *(torch.cat([a] * 2) for a in actions.unbind(1))]
    expected = torch.stack([critic(twice[0], a) for a in twice[1:]], dim=1)
    torch.testing.assert_close(critic.several(state, actions), expected.detach())


def test_several_values_of_actions_are_their_sum() -> None:
    """Of a critic with a value for each device."""
    critic = Critic(Streams([0, 1]), 5, 3, (8, 8), out=4)
    state, actions = torch.randn(2, 6, 5), torch.randn(2, 7, 6, 3)
    each = torch.stack([critic(state, a) for a in actions.unbind(1)], dim=1)
    assert each.shape == (2, 7, 6, 4)
    torch.testing.assert_close(critic.several(state, actions), each.sum(-1).detach())


def test_normalised_layers_have_mean_0_and_deviation_1() -> None:
    """What the last layer sees does not depend on the scale of the weights before it."""
    net, x = MLP(Streams([0, 1]), 4, (16, 16), 3, normalise=True), torch.randn(2, 5, 4)
    before = net(x)
    with torch.no_grad():
        for layer in net.layers[:-1]:
            layer.weight *= 7.0
            layer.bias *= 7.0
    torch.testing.assert_close(net(x), before, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(MLP(Streams([0, 1]), 4, (16, 16), 3)(x), before)


@pytest.mark.parametrize(("n_in", "n_out"), [(4, 9), (9, 4)])
def test_orthogonal_weights_have_orthogonal_rows_or_columns(n_in: int, n_out: int) -> None:
    """Whichever are fewer, of length sqrt(2), and `last` in the output layer; each run its own."""
    net = MLP(streams := Streams([0, 1]), n_in, (n_out,), 3)
    net.orthogonal(streams, 0.5)
    for layer, gain in zip(net.layers, (2.0, 0.25), strict=True):
        w = layer.weight if layer.weight.shape[1] <= layer.weight.shape[2] else layer.weight.mT
        torch.testing.assert_close(w @ w.mT, gain * torch.eye(w.shape[1]).expand(2, -1, -1))
        assert not layer.bias.any()
        assert not torch.equal(layer.weight[0], layer.weight[1])


def test_values_in_half_precision_are_near() -> None:
    """On average within 2% of a state's spread over actions; no network of float32 is touched."""
    critic = Critic(Streams([0, 1]), 5, 3, (32, 32))
    before = [p.clone() for p in critic.parameters()]
    state, actions = torch.randn(2, 6, 5), 2 * torch.randn(2, 7, 6, 3)
    exact = critic.several(state, actions)
    error = (critic.several(state, actions, torch.bfloat16) - exact).square().mean().sqrt()
    assert 0 < error < 0.02 * exact.std(dim=1).mean()
    assert all(torch.equal(p, b) for p, b in zip(critic.parameters(), before, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_relu_in_place_is_the_maximum_with_zero(dtype: torch.dtype) -> None:
    """Signs, zeros, the smallest and the largest numbers."""
    tiny, huge = torch.finfo(dtype).tiny, torch.finfo(dtype).max
    x = torch.tensor([-huge, -1.5, -tiny, -0.0, 0.0, tiny, 1.5, huge, -torch.inf, torch.inf])
    x = x.to(dtype)
    assert torch.equal(relu_(x.clone()), x.clamp(min=0))


def test_a_frozen_critic_passes_gradients_to_actions_only() -> None:
    """The actor step leaves no gradient on the critic, and the same one on the action."""
    critic, state = Critic(Streams([0]), 5, 3, (8,)), torch.randn(1, 6, 5)
    action = torch.randn(1, 6, 3, requires_grad=True)
    (frozen,) = torch.autograd.grad(critic(state, action, frozen=True).sum(), action)
    (plain,) = torch.autograd.grad(critic(state, action).sum(), action)
    torch.testing.assert_close(frozen, plain)
    critic(state, action, frozen=True).sum().backward()
    assert all(p.grad is None for p in critic.parameters())


def test_polyak_moves_by_tau() -> None:
    """target <- 0.9 target + 0.1 source."""
    source = MLP(Streams([0]), 3, (4,), 2)
    target = clone(source, MLP(Streams([1]), 3, (4,), 2))
    before = [p.clone() for p in target.parameters()]
    with torch.no_grad():
        for p in source.parameters():
            p.add_(1.0)
    follow(target, source, 0.1)
    for old, new in zip(before, target.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)


def test_gradients_are_clipped_run_by_run() -> None:
    """A run with a large gradient does not shrink its neighbour's."""
    net = MLP(Streams([0, 1]), 3, (4,), 2)
    scale = torch.tensor([100.0, 1e-3]).view(2, 1, 1)
    for p in net.parameters():
        p.grad = torch.ones_like(p) * scale
    clip_by_run(net.parameters(), 0.5)
    norms = torch.stack([p.grad.flatten(1).square().sum(1) for p in net.parameters()]).sum(0).sqrt()
    count = sum(p[0].numel() for p in net.parameters())
    torch.testing.assert_close(norms, torch.tensor([0.5, 1e-3 * count**0.5]))


def test_hybrid_actions_decode_as_they_are() -> None:
    """Heads are servers; powers span LEAST_POWER to 1, displacements pass unchanged."""
    layout = Layout("hybrid", SIZES)
    numbers = torch.tensor([-1.0, 0.0, 1.0, -1.0, 0.5, 0.2, -0.3])
    choice = torch.tensor([3, 0, 1])
    server, continuous = layout.decode(choice, numbers, torch.ones(3, 4, dtype=torch.bool))
    assert server.tolist() == [3, 0, 1]
    middle = (LEAST_POWER + 1) / 2
    torch.testing.assert_close(
        continuous, torch.tensor([LEAST_POWER, middle, 1, -1, 0.5, 0.2, -0.3])
    )


def test_scores_choose_the_best_available_server() -> None:
    """An unavailable server is not taken, however high its score."""
    layout = Layout("continuous", SIZES)
    scores = torch.tensor([[0.9, 0.1, 0.2, 0.3], [0.0, 0.1, 0.2, 0.3], [0.5, 0.4, 0.3, 0.2]])
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[0, 0] = False
    numbers = torch.cat([scores.flatten(), torch.zeros(7)])
    server, continuous = layout.decode(torch.zeros(0, dtype=torch.int64), numbers, mask)
    assert server.tolist() == [3, 3, 0]
    assert continuous.shape == (7,)


def test_discrete_levels_and_headings() -> None:
    """Least and greatest power level; stay, and a whole step east."""
    layout = Layout("discrete", SIZES)
    choice = torch.tensor([0, 1, 2, 0, 4, 2, 0, 1])
    server, continuous = layout.decode(choice, torch.zeros(0), torch.ones(3, 4, dtype=torch.bool))
    assert server.tolist() == [0, 1, 2]
    middle = (LEAST_POWER + 1) / 2
    torch.testing.assert_close(continuous, torch.tensor([LEAST_POWER, 1.0, middle, 0, 0, 1, 0]))


@pytest.mark.parametrize("kind", ["hybrid", "discrete"])
def test_masks_of_heads(kind: str) -> None:
    """Servers follow the mask; padding is never allowed; an idle device has weight 0."""
    layout = Layout(kind, SIZES)  # type: ignore[arg-type]
    mask = torch.tensor([[True, False, False, True], [False] * 4, [True] * 4])
    active = torch.tensor([True, False, True])
    allowed, weight = layout.head_mask(mask, active)
    assert allowed.shape == (layout.n_heads, layout.n_options)
    assert allowed[0, :4].tolist() == mask[0].tolist()
    assert weight[:3].tolist() == [1, 0, 1]
    assert allowed.any(dim=-1).all()
    if kind == "discrete":
        assert allowed.sum(dim=-1).tolist() == [2, 4, 4, 5, 5, 5, 9, 9]
        assert weight[3:].tolist() == [1, 0, 1, 1, 1]


def test_critics_see_nothing_of_what_acts_on_nothing() -> None:
    """Choices and numbers of idle devices, and scores of unavailable servers, are 0."""
    mask = torch.tensor([[True, False, True, True], [True] * 4, [True] * 4])
    active = torch.tensor([True, False, True])
    hybrid = Layout("hybrid", SIZES)
    joint = hybrid.joint(hybrid.one_hot(torch.tensor([2, 1, 0])), torch.ones(7), mask, active)
    assert joint[:12].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert joint[12:].tolist() == [1, 0, 1, 1, 1, 1, 1]
    scores = Layout("continuous", SIZES).joint(None, torch.ones(19), mask, active)
    assert scores[:8].tolist() == [1, 0, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("kind", ["hybrid", "discrete", "continuous"])
def test_chosen_actions_are_seen_as_one_hot_ones(kind: str) -> None:
    """Two ways to what critics see of an action, for several actions a state."""
    layout = Layout(kind, SIZES)  # type: ignore[arg-type]
    mask, active = torch.rand(2, 1, 6, 3, 4) < 0.5, torch.rand(2, 1, 6, 3) < 0.7
    choice = numbers = hot = None
    if layout.n_heads:
        choice = torch.randint(layout.n_options, (2, 5, 6, layout.n_heads))
        hot = layout.one_hot(choice)
    if layout.n_continuous:
        numbers = torch.rand(2, 5, 6, layout.n_continuous)
    expected = layout.joint(hot, numbers, mask, active)
    torch.testing.assert_close(layout.chosen(choice, numbers, mask, active), expected)

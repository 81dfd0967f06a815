"""Hybrid-PPO's policy: probabilities over servers and numbers together, and their entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from drl.agents.ppo import Ppo, PpoSettings
from drl.core.layout import Layout, Sizes
from drl.core.nets import Streams

K, S, M, D = 3, 4, 1, 6


def test_ppos_probabilities_sum_to_one() -> None:
    """Over servers and the range of the number before its squeeze."""
    settings, sizes = PpoSettings(hidden=(8, 8)), Sizes(1, 3, 0, 4)
    subject, n = Ppo(settings, Layout("hybrid", sizes), Streams([0])), 2000
    raw = torch.linspace(-5, 5, n)
    seen = torch.tensor([True, False, True]).expand(1, n, 1, 3)
    total = 0.0
    for server in (0, 2):
        batch = {
            "obs": torch.ones(1, n, 4),
            "mask": seen,
            "active": seen[..., 0],
            "choice": torch.full((1, n, 1), server),
            "numbers": raw.tanh().view(1, n, 1),
        }
        total += float(subject.log_prob_and_entropy(batch)[0].exp().sum().detach()) * 10 / n
    assert total == pytest.approx(1.0, abs=2e-3)


def test_ppos_entropy_by_hand() -> None:
    """log n of the servers of every device that acts, and that of each Gaussian."""
    subject = Ppo(
        PpoSettings(hidden=(8, 8), log_std=-0.5), Layout("hybrid", Sizes(K, S, M, D)), Streams([0])
    )
    with torch.no_grad():
        for p in subject.actor.net.parameters():
            p.zero_()
    mask, active = torch.ones(1, 1, K, S, dtype=torch.bool), torch.ones(1, 1, K, dtype=torch.bool)
    mask[..., 0, 1:] = False
    active[..., 1] = False
    numbers = torch.zeros(1, 1, K + 2 * M)
    batch = {"obs": torch.ones(1, 1, D), "mask": mask, "active": active, "numbers": numbers}
    batch["choice"] = torch.zeros(1, 1, K).long()
    gaussian = -0.5 + 0.5 * np.log(2 * np.pi * np.e)
    expected = np.log(1) + np.log(S) + (K - 1 + 2 * M) * gaussian
    assert float(subject.log_prob_and_entropy(batch)[1].detach()) == pytest.approx(expected)

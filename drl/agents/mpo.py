"""Maximum a posteriori policy optimisation over a hybrid action. Eqs. (51)-(55).

Abdolmaleki et al. 2018 (arXiv:1806.06920), for hybrid actions Neunert et al. 2019
(arXiv:2001.00449). Two steps: the E-step reweights actions drawn from the current policy by
softmax(Q / eta), the best reweighting within a KL bound of (52), with eta from the bound's dual;
the M-step fits each policy to the weighted actions by weighted likelihood, each under its own KL
bound, (54) and (55), kept by a Lagrange multiplier. (53) prints an arg max of the divergence from
the reweighted policy; its arg min is meant, which is that weighted likelihood. The average over
discrete options in (55) drops out, because the continuous policy here does not depend on them.

One value a run everywhere: R runs, n actions a state, B states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def action_weights(q: Tensor, eta: Tensor) -> Tensor:
    """The reweighting: softmax over the n actions of q / eta. `q` (R, n, B), `eta` (R,)."""
    return F.softmax(q / eta[:, None, None], dim=1)


def dual(q: Tensor, eta: Tensor, bound: float) -> Tensor:
    """(R,) g(eta) = eta * bound + eta * mean_s log mean_a exp(q / eta); its minimum is the eta
    that makes the reweighted policy use the whole bound. Abdolmaleki et al. 2018, eq. (8)."""
    best = q.amax(dim=1, keepdim=True)
    scaled = (q - best) / eta[:, None, None]
    log_mean = scaled.exp().mean(dim=1).log() + (best / eta[:, None, None])[:, 0]
    return eta * (bound + log_mean.mean(dim=-1))


def weight_kl(weights: Tensor) -> Tensor:
    """(R,) KL of the reweighting from the uniform weights of the drawn actions, mean over s."""
    n = weights.shape[1]
    return (weights * (weights * n).clamp(min=1e-30).log()).sum(dim=1).mean(dim=-1)


#: What the M-step maximises: weights (R, n, B) of the drawn actions -> (R, B) the sum over actions
#: of weight times log-probability under a policy.
Fit = Callable[[Tensor], Tensor]


class Multiplier(nn.Module):
    """Positive numbers, one a run, kept positive by softplus and moved by gradients."""

    def __init__(self, runs: int, start: float, device: str = "cpu") -> None:
        super().__init__()
        raw = torch.full((runs,), start, device=device).expm1().log()
        self.raw = nn.Parameter(raw)

    def forward(self) -> Tensor:
        """(R,)"""
        return F.softplus(self.raw) + 1e-8


class Integration(nn.Module):
    """eta and the multipliers of the KL bounds of one or two policies."""

    def __init__(
        self,
        runs: int,
        *,
        bound: float,
        policy_bounds: Sequence[float],
        eta: float = 1.0,
        multiplier: float = 1.0,
        device: str = "cpu",
    ) -> None:
        """`bound` of the reweighting, (52); `policy_bounds` chi_mu, chi_nu of (54), (55)."""
        super().__init__()
        self.bound = bound
        self.policy_bounds = tuple(policy_bounds)
        self.eta = Multiplier(runs, eta, device)
        self.multipliers = nn.ModuleList(
            [Multiplier(runs, multiplier, device) for _ in policy_bounds]
        )

    def loss(self, q: Tensor, fits: Sequence[Fit], kls: Sequence[Tensor]) -> Tensor:
        """Sum over runs of everything an update minimises; one backward pass serves all.

        `q` (R, n, B) of actions drawn from the old policies; per policy its `Fit` to them and
        `kls` (R, B) of the new from the old. Gradients of the policies see multipliers as
        constants, those of the multipliers see divergences as constants.
        """
        eta = self.eta()
        weights = action_weights(q, eta.detach())
        total = dual(q, eta, self.bound).sum()
        for fit, kl, bound, multiplier in zip(
            fits, kls, self.policy_bounds, self.multipliers, strict=True
        ):
            price = multiplier()
            mean_kl = kl.mean(dim=-1)
            total = total - fit(weights).mean(dim=-1).sum()
            total = total + (price.detach() * mean_kl).sum()
            total = total + (price * (bound - mean_kl.detach())).sum()
        return total

"""One policy for slots of any size: messages between devices and servers, weights shared by all.

Every option (device k, server s) is a row of features (drl.core.options). Rounds of messages let
rows know what the others are about to do: each round guesses servers, powers and places, works out
what these guesses mean for every option (load, interference, coverage), and thinks again. Renaming
devices, UAVs or satellites renames the decisions and changes nothing else; any K, M and N fit.
Zaheer et al. 2017 (arXiv:1703.06114); Hartford et al. 2018 (arXiv:1803.02879), exchangeable
matrices; guesses between rounds as in unrolled optimisation.

Tensors are (R, B, ...): runs side by side, then slots.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from drl.core.assignment import Prices, settled
from drl.core.distributions import NEVER
from drl.core.layout import LEAST_POWER, Layout
from drl.core.nets import Linear, Streams
from drl.core.options import SHORTEST_S, Options, Reader
from drl.env.spaces import from_disc
from satedge.problem.plan import NO_SERVER
from satedge.problem.scenario import Scenario

#: Features of an option, and those that guesses add in every round.
N_FEATURES, N_GUESSED = 24, 6

#: UAVs are brought within coverage of whom they serve in at most so many steps.
STEPS = 8

#: Coverage, short by the rounding of single precision.
NEARLY = 1 - 1e-5

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Guess:
    """What a round would decide."""

    log_p: Tensor
    """(R, B, K, S) log-probabilities of servers; NEVER where not available."""
    level: Tensor
    """(R, B, K, S) power if that server is chosen, -1 least and 1 greatest."""
    pull: Tensor
    """(R, B, K, S) how strongly a device draws the UAV that serves it: log of a weight."""


@dataclass(frozen=True, eq=False)
class Upload:
    """What follows from servers, powers and places, (R, B, K, S) but for one."""

    sent: Tensor
    """log of the power in W."""
    others: Tensor
    """Other devices on that server."""
    away_m2: Tensor
    """(R, B, K, M) squared ground distance from the UAVs after their flights."""
    nearer: Tensor
    """log of what the move adds to the gain."""
    noisy: Tensor
    """log of interference and noise over noise."""
    upload_s: Tensor
    waits_s: Tensor
    """Execution beyond that on an unshared server."""


class SlotNet(nn.Module):
    """Features of options -> guesses of all rounds, the last one the decision."""

    def __init__(self, scenario: Scenario, width: int, rounds: int, streams: Streams) -> None:
        super().__init__()
        self.reader, self.scenario = Reader(scenario), scenario
        self.first = Linear(streams, N_FEATURES, width)
        self.own = _layers(streams, rounds, width + N_GUESSED, width)
        self.server = _layers(streams, rounds, width, width)
        self.device = _layers(streams, rounds, width, width)
        self.heads = _layers(streams, rounds + 1, width, 3)
        s = scenario
        kinds = [[float(i < s.n_uavs)] for i in range(s.n_servers)]
        sizes = [s.n_devices / 20, s.n_uavs / 5, s.n_satellites / 5]
        self.fixed = torch.tensor([kind + sizes for kind in kinds], device=streams.device)
        low, high = math.log(s.power_min_W), math.log(s.power_max_W)
        self.log_power = (high, (1 - LEAST_POWER) / 2 * (high - low) / 2)
        unit = float(self.reader.word_s.mean()) * sum(s.output_words) / len(s.output_words)
        watts = float(self.reader.compute_W.mean())
        self.unit = unit * (s.latency_weight_per_s + s.energy_weight_per_J * watts)

    def forward(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Options, list[Guess]]:
        """obs (R, B, D), mask (R, B, K, S), active (R, B, K)."""
        options = self.reader.read(obs)
        return options, self.think(options, mask, active)

    def think(self, options: Options, mask: Tensor, active: Tensor) -> list[Guess]:
        """The guesses of all rounds."""
        allowed = mask & active[..., None]
        never = torch.where(allowed, 0.0, NEVER)
        acts = allowed.any(dim=-1, keepdim=True)
        rows = _apply(self.first, self.features(options, mask, active)).relu()
        guesses: list[Guess] = []
        for i, heads in enumerate(self.heads):
            if i:
                p = guesses[-1].log_p.exp() * acts
                weighed = p[..., None] * rows
                servers = weighed.sum(dim=-3) / (p.sum(dim=-2)[..., None] + 0.5)
                told = torch.cat([rows, self.meant(options, guesses[-1], p)], dim=-1)
                told = _apply(self.own[i - 1], told)
                told = told + _apply(self.server[i - 1], servers)[..., None, :, :]
                told = told + _apply(self.device[i - 1], weighed.sum(dim=-2))[..., None, :]
                rows = (rows + told).relu()
            logits, level, pull = _apply(heads, rows).unbind(dim=-1)
            guesses.append(Guess((logits + never).log_softmax(dim=-1), level.tanh(), pull))
        return guesses

    def features(self, o: Options, mask: Tensor, active: Tensor) -> Tensor:
        """(R, B, K, S, N_FEATURES), about [-2, 2]."""
        m = self.scenario.n_uavs
        slack = o.slack_s.clamp(min=SHORTEST_S)
        needed = torch.expm1((o.upload_bit_per_Hz * (math.log(2) / slack)).clamp(max=20)).log()
        least = o.fixed_cost.masked_fill(~mask, math.inf).amin(dim=-1, keepdim=True)
        rows = torch.stack(
            [
                (o.log_gain - 6) / 3,
                o.execute_s,
                ((o.fixed_cost - least) / self.unit).clamp(-2, 3),
                o.slack_s.clamp(-1, 3),
                (o.upload_bit_per_Hz / torch.log2(1 + 0.1 * o.log_gain.exp())).clamp(max=3),
                (needed / 3).clamp(-2, 3),
                ((o.log_gain - needed) / 3).clamp(-2, 3),
                o.margin * 3,
                mask.to(slack.dtype),
            ],
            dim=-1,
        )
        away = o.away_m / self.scenario.uav_coverage_m
        far = away.norm(dim=-1, keepdim=True)
        places = torch.cat([away, far, (far <= 1).to(far.dtype)], dim=-1)
        places = nn.functional.pad(places, (0, 0, 0, slack.shape[-1] - m))
        hops = nn.functional.pad(o.hops / 3, (m, 0))
        servers = torch.stack([torch.cat([o.altitude, o.window], -1), hops], dim=-1)
        devices = torch.cat([o.request, active[..., None].to(slack.dtype)], dim=-1)
        shape = rows.shape[:-1]
        alike = [
            rows,
            places,
            servers[..., None, :, :].expand(*shape, -1),
            devices[..., None, :].expand(*shape, -1),
            self.fixed.expand(*shape, -1),
        ]
        return torch.cat(alike, dim=-1)

    def meant(self, o: Options, guess: Guess, p: Tensor) -> Tensor:
        """(R, B, K, S, N_GUESSED) what a guess means for each option of each device."""
        s, m = self.scenario, self.scenario.n_uavs
        flights = self.flights(o, p[..., :m], guess.pull[..., :m])
        upload = self.uploads(o, guess.level, p, flights)
        late_s = (upload.upload_s + upload.waits_s - o.slack_s).clamp(-1, 2)
        near = _of_uavs(upload.away_m2.sqrt() / s.uav_coverage_m, late_s)
        waits_s = upload.waits_s.clamp(max=4)
        parts = [upload.noisy / 3, upload.others / 4, waits_s, late_s, near, upload.nearer]
        return torch.stack(parts, dim=-1)

    def uploads(self, o: Options, level: Tensor, p: Tensor, flights: Tensor) -> Upload:
        """Every option's upload if devices choose servers by p (R, B, K, S), and UAVs fly so."""
        s = self.scenario
        others = p.sum(dim=-2, keepdim=True) - p
        top, half = self.log_power
        sent = half * level + (top - half)
        mean = (p * sent).sum(dim=-1, keepdim=True).exp() * self._disturbing(p)
        away_m2 = ((o.away_m - flights[..., None, :, :]) ** 2).sum(dim=-1)
        nearer = torch.log(o.slant_m2 / (away_m2 + o.altitude_m2)) * (s.path_loss_exponent / 2)
        heard = mean * (o.receiver_log_gain + nn.functional.pad(nearer, (0, 1))).exp()
        loud = s.interference_leakage * (heard.sum(dim=-2, keepdim=True) - heard)
        noisy = torch.log1p(loud)[..., self.reader.receiver]
        nearer = _of_uavs(nearer, noisy)
        nats = nn.functional.softplus(o.log_gain + nearer + sent - noisy)
        upload_s = o.upload_bit_per_Hz * math.log(2) / nats.clamp(min=1e-2)
        waits_s = o.execute_s * others if s.compute_sharing == "shared" else others * 0
        return Upload(sent, others, away_m2, nearer, noisy, upload_s, waits_s)

    def _disturbing(self, p: Tensor) -> Tensor:
        """(R, B, K, M + 1) or (..., 1) chances that a device disturbs those of a receiver."""
        m, scope = self.scenario.n_uavs, self.scenario.interference_scope
        if scope == "all":
            return p.sum(dim=-1, keepdim=True)
        above = p[..., m:].sum(dim=-1, keepdim=True)
        below = p[..., :m]
        if scope == "tier":
            below = below.sum(dim=-1, keepdim=True).expand_as(below)
        return torch.cat([below, above], dim=-1)

    def cost(self, o: Options, level: Tensor, p: Tensor, flights: Tensor) -> Tensor:
        """(R, B, K, S) cost of every option under the same assumptions, in units of `self.unit`.

        Differentiable in powers and flights. It approximates the referee's, without its bound.
        """
        s, u = self.scenario, self.uploads(o, level, p, flights)
        spent_J = u.sent.exp() * u.upload_s
        late_s = (u.upload_s + u.waits_s - o.slack_s).clamp(min=0)
        cost = o.fixed_cost + s.latency_weight_per_s * (u.upload_s + u.waits_s)
        return (cost + s.energy_weight_per_J * spent_J + s.penalty_per_s * late_s) / self.unit

    def prices(self, o: Options, guess: Guess, allowed: Tensor, trust: float) -> Prices:
        """What options of R B slots cost by load, if all else is as guessed.

        An unlikely option costs more by `trust` times minus the log of its probability.
        """
        s, p = self.scenario, guess.log_p.exp() * allowed
        served = p[..., : s.n_uavs]
        u = self.uploads(o, guess.level, p, self.flights(o, served, guess.pull[..., : s.n_uavs]))
        cost = o.fixed_cost + u.upload_s * (
            s.latency_weight_per_s + s.energy_weight_per_J * u.sent.exp()
        )
        alone = cost / self.unit - trust * guess.log_p.clamp(min=-20)
        refusal = o.deadline_s * (s.penalty_per_s / self.unit)
        return Prices(
            alone=_rows(alone),
            execute_s=_rows(o.execute_s),
            left_s=_rows(o.slack_s - u.upload_s),
            refusal=_rows(refusal),
            available=_rows(allowed),
            latency_weight=s.latency_weight_per_s / self.unit,
            penalty=s.penalty_per_s / self.unit,
        )

    def flights(self, o: Options, served: Tensor, pull: Tensor) -> Tensor:
        """(R, B, M, 2) how UAVs that serve devices with weights `served` (R, B, K, M) fly, in m.

        To the weighted mean of whom they serve, as far as the reach allows; without anybody they
        stay.
        """
        weight = (served * pull.clamp(-8, 8).exp())[..., None]
        step = (weight * o.away_m).sum(dim=-3) / (weight.sum(dim=-3) + 1e-3)
        length = step.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        return step * (self.scenario.uav_reach_m / length).clamp(max=1.0)


def _rows(x: Tensor) -> Array:
    """(R, B, ...) as NumPy's (R B, ...)."""
    return np.asarray(x.flatten(0, 1).cpu().numpy())


def _of_uavs(x: Tensor, like: Tensor) -> Tensor:
    """(..., K, M) padded to (..., K, S) with zeros for satellites."""
    return nn.functional.pad(x, (0, like.shape[-1] - x.shape[-1]))


def _layers(streams: Streams, n: int, n_in: int, n_out: int) -> nn.ModuleList:
    return nn.ModuleList([Linear(streams, n_in, n_out) for _ in range(n)])


def _apply(net: nn.Module, x: Tensor) -> Tensor:
    """A layer of (R, rows, in) applied to (R, ..., in)."""
    out: Tensor = net(x.flatten(1, -2))
    return out.view(*x.shape[:-1], -1)


class SlotActor(nn.Module):
    """The policy: servers first, then places for whom they serve, powers last."""

    def __init__(
        self,
        layout: Layout,
        width: int,
        rounds: int,
        streams: Streams,
        *,
        exchanges: int = 6,
        trust: float = 0.03,
    ) -> None:
        """`exchanges` and `trust`: how shared servers are settled, see `SlotNet.prices`."""
        super().__init__()
        self.layout, self.exchanges, self.trust = layout, exchanges, trust
        scenario = layout.sizes.scenario
        assert scenario is not None
        self.net = SlotNet(scenario, width, rounds, streams)

    @torch.inference_mode()
    def decide(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """Servers (R, B, K), -1 for a refusal, and numbers (R, B, K + 2M)."""
        options, guesses = self.net(obs, mask, active)
        last, allowed = guesses[-1], mask & active[..., None]
        n = allowed.shape[-1]
        log_p, left = _rows(last.log_p), _rows(allowed)
        acts = np.asarray(left.any(axis=-1))
        choice = np.asarray(log_p.argmax(axis=-1))
        prices = None
        if self.net.scenario.compute_sharing == "shared":
            prices = self.net.prices(options, last, allowed, self.trust)
            choice = settled(prices, choice, acts, self.exchanges)
        step = self._covering(options, last, choice, acts)
        near = self._in_reach(options, step, left)
        slots, devices = np.arange(len(choice))[:, None], np.arange(choice.shape[1])
        lost = ~near[slots, devices, choice % n] & (choice < n) & acts
        again = np.flatnonzero(lost.any(axis=-1))
        if len(again):
            choice = np.where(lost, np.where(near, log_p, 2 * NEVER).argmax(axis=-1), choice)
            if prices is not None:
                fewer = prices.of(again, near)
                choice[again] = settled(fewer, choice[again], acts[again], self.exchanges)
        chosen = torch.from_numpy(choice).to(obs.device).view(active.shape)
        level = last.level.gather(-1, (chosen % n)[..., None])[..., 0]
        moves = from_disc(step / max(self.net.scenario.uav_reach_m, 1e-9))
        flown = torch.from_numpy(moves.astype(np.float32)).to(obs.device)
        chosen = torch.where(chosen == n, NO_SERVER, chosen)
        return chosen, torch.cat([level, flown.view(*level.shape[:-1], -1)], dim=-1)

    def _covering(self, o: Options, guess: Guess, choice: Array, acts: Array) -> Array:
        """(R B, M, 2) how UAVs fly, in m, to cover whom they serve, or nearly."""
        s, m = self.net.scenario, self.layout.sizes.n_uavs
        serves = (choice[..., None] == np.arange(m)) & acts[..., None]
        served = torch.from_numpy(serves.astype(np.float32)).to(guess.pull.device)
        served = served.view(*guess.pull.shape[:-1], m)
        step = NEARLY * _rows(self.net.flights(o, served, guess.pull[..., :m]))
        towards = _rows(o.away_m)
        reach, coverage = s.uav_reach_m * NEARLY, s.uav_coverage_m * NEARLY
        for _ in range(STEPS if m else 0):
            away = towards - step[:, None]
            length = np.sqrt((away**2).sum(axis=-1))
            far = np.where(serves, length - coverage, 0.0)
            most = far.max(axis=1)
            if not (most > 0).any():
                break
            farthest = far == most[:, None]
            pull = (most + 0.01)[:, None] * farthest * (most > 0)[:, None]
            step = step + (away * (pull / np.maximum(length, 1e-6))[..., None]).sum(axis=1)
            flown = np.sqrt((step**2).sum(axis=-1, keepdims=True))
            step = step * np.minimum(1, reach / np.maximum(flown, 1e-6))
        return step

    def _in_reach(self, o: Options, step: Array, allowed: Array) -> Array:
        """What is available after the flight; where nothing would be left, what was before."""
        s = self.net.scenario
        away = _rows(o.away_m) - step[:, None]
        near = np.sqrt((away**2).sum(axis=-1)) <= s.uav_coverage_m * NEARLY
        left = allowed.copy()
        left[..., : s.n_uavs] &= near
        return np.asarray(np.where(left.any(axis=-1, keepdims=True), left, allowed))

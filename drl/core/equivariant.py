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
from dataclasses import dataclass, replace
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
    away_m: Tensor
    """(R, B, K, M) distance from the UAVs' new places."""
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
        self.receiver = torch.arange(scenario.n_servers).clamp(max=scenario.n_uavs)
        self.first = Linear(streams, N_FEATURES, width)
        self.own = _layers(streams, rounds, width, width)
        self.server = _layers(streams, rounds, width, width)
        self.device = _layers(streams, rounds, width, width)
        self.guessed = _layers(streams, rounds, N_GUESSED, width)
        self.heads = _layers(streams, rounds + 1, width, 3)
        low, high = math.log(scenario.power_min_W), math.log(scenario.power_max_W)
        self.log_power = (high, (1 - LEAST_POWER) / 2 * (high - low) / 2)
        words = sum(scenario.output_words) / len(scenario.output_words)
        unit = self.reader.word_s.mean() * words
        watts = float(self.reader.compute_W.mean())
        s = scenario
        self.unit = float(unit) * (s.latency_weight_per_s + s.energy_weight_per_J * watts)

    def forward(self, obs: Tensor, mask: Tensor, active: Tensor) -> tuple[Options, list[Guess]]:
        """obs (R, B, D), mask (R, B, K, S), active (R, B, K)."""
        options = self.reader.read(obs)
        return options, self.think(options, mask, active)

    def think(self, options: Options, mask: Tensor, active: Tensor) -> list[Guess]:
        """The guesses of all rounds."""
        allowed = mask & active[..., None]
        acts = allowed.any(dim=-1, keepdim=True)
        rows = _apply(self.first, self.features(options, mask, active)).relu()
        guesses: list[Guess] = []
        for i, heads in enumerate(self.heads):
            if i:
                last = guesses[-1]
                p = last.log_p.exp() * acts
                told = _apply(self.guessed[i - 1], self.meant(options, last, p))
                load = p.sum(dim=-2)[..., None]
                servers = (p[..., None] * rows).sum(dim=-3) / (load + 0.5)
                devices = (p[..., None] * rows).sum(dim=-2)
                told = told + _apply(self.own[i - 1], rows)
                told = told + _apply(self.server[i - 1], servers)[..., None, :, :]
                told = told + _apply(self.device[i - 1], devices)[..., None, :]
                rows = (rows + told).relu()
            logits, level, pull = _apply(heads, rows).unbind(dim=-1)
            log_p = logits.masked_fill(~allowed, NEVER).log_softmax(dim=-1)
            guesses.append(Guess(log_p, level.tanh(), pull))
        return guesses

    def features(self, o: Options, mask: Tensor, active: Tensor) -> Tensor:
        """(R, B, K, S, N_FEATURES), about [-2, 2]."""
        m, reach = self.scenario.n_uavs, self.scenario.uav_coverage_m
        away = (o.device_xy_m[..., :, None, :] - o.uav_xy_m[..., None, :, :]) / reach
        far = away.norm(dim=-1)
        flat = o.log_gain.new_zeros(o.log_gain.shape)
        is_uav = flat + (torch.arange(flat.shape[-1], device=flat.device) < m)
        slack = o.slack_s.clamp(min=SHORTEST_S)
        needed = torch.expm1((o.upload_bit_per_Hz / slack * math.log(2)).clamp(max=20)).log()
        least = o.fixed_cost.masked_fill(~mask, math.inf).amin(dim=-1, keepdim=True)
        above = ((o.fixed_cost - least) / self.unit).clamp(-2, 3).nan_to_num()
        quiet_s = o.upload_bit_per_Hz / torch.log2(1 + 0.1 * o.log_gain.exp())
        alike = [
            (o.log_gain - 6) / 3,
            o.execute_s,
            above,
            o.slack_s.clamp(-1, 3),
            quiet_s.clamp(max=3),
            (needed / 3).clamp(-2, 3),
            ((o.log_gain - needed) / 3).clamp(-2, 3),
            o.margin * 3,
            is_uav,
            mask.to(flat.dtype),
            torch.cat([o.altitude, o.window], -1)[..., None, :].expand_as(flat),
            torch.cat([flat[..., 0, :m], o.hops / 3], -1)[..., None, :].expand_as(flat),
            *(_of_uavs(x, flat) for x in (away[..., 0], away[..., 1], far, (far <= 1).float())),
            *(x[..., None].expand_as(flat) for x in o.request.unbind(-1)),
            active[..., None].expand_as(flat).to(flat.dtype),
            flat + flat.shape[-2] / 20,
            flat + m / 5,
            flat + (flat.shape[-1] - m) / 5,
        ]
        return torch.stack(alike, dim=-1)

    def meant(self, o: Options, guess: Guess, p: Tensor) -> Tensor:
        """(R, B, K, S, N_GUESSED) what a guess means for each option of each device."""
        s, m = self.scenario, self.scenario.n_uavs
        places = self.places(o, p[..., :m], guess.pull[..., :m])
        upload = self.uploads(o, guess.level, p, places)
        late_s = (upload.upload_s + upload.waits_s - o.slack_s).clamp(-1, 2)
        near = _of_uavs(upload.away_m / s.uav_coverage_m, late_s)
        waits_s = upload.waits_s.clamp(max=4)
        parts = [upload.noisy / 3, upload.others / 4, waits_s, late_s, near, upload.nearer]
        return torch.stack(parts, dim=-1)

    def uploads(self, o: Options, level: Tensor, p: Tensor, places: Tensor) -> Upload:
        """Every option's upload if devices choose servers by p (R, B, K, S), and UAVs are there."""
        s = self.scenario
        others = p.sum(dim=-2, keepdim=True) - p
        top, half = self.log_power
        sent = top + half * (level - 1)
        mean = (p * sent).sum(dim=-1, keepdim=True).exp() * p.sum(dim=-1, keepdim=True)
        away_m = (o.device_xy_m[..., :, None, :] - places[..., None, :, :]).norm(dim=-1)
        before_m = (o.device_xy_m[..., :, None, :] - o.uav_xy_m[..., None, :, :]).norm(dim=-1)
        up2 = o.altitude_m[..., None, :] ** 2
        nearer = torch.log((before_m**2 + up2) / (away_m**2 + up2)) * (s.path_loss_exponent / 2)
        heard = mean * (o.receiver_log_gain + nn.functional.pad(nearer, (0, 1))).exp()
        loud = s.interference_leakage * (heard.sum(dim=-2, keepdim=True) - heard)
        noisy = torch.log1p(loud)[..., self.receiver]
        nearer = _of_uavs(nearer, noisy)
        sinr = (o.log_gain + nearer + sent - noisy).clamp(max=30)
        upload_s = o.upload_bit_per_Hz / torch.log2(1 + sinr.exp()).clamp(min=1e-2)
        waits_s = o.execute_s * others if s.compute_sharing == "shared" else others * 0
        return Upload(sent, others, away_m, nearer, noisy, upload_s, waits_s)

    def cost(self, o: Options, level: Tensor, p: Tensor, places: Tensor) -> Tensor:
        """(R, B, K, S) cost of every option under the same assumptions, in units of `self.unit`.

        Differentiable in powers and places. It approximates the referee's, without its bound.
        """
        s, u = self.scenario, self.uploads(o, level, p, places)
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
        u = self.uploads(o, guess.level, p, self.places(o, served, guess.pull[..., : s.n_uavs]))
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

    def places(self, o: Options, served: Tensor, pull: Tensor) -> Tensor:
        """(R, B, M, 2) places of UAVs that serve devices with weights `served` (R, B, K, M).

        The weighted mean of whom they serve, as far as the reach allows; UAVs without anybody stay.
        """
        weight = served * pull.clamp(-8, 8).exp()
        total = weight.sum(dim=-2)[..., None]
        goal = (weight.transpose(-1, -2) @ o.device_xy_m + 1e-3 * o.uav_xy_m) / (total + 1e-3)
        return within(goal, o.uav_xy_m, self.scenario.uav_reach_m)


def within(goal: Tensor, centre: Tensor, radius: float) -> Tensor:
    """The nearest point (..., 2) to a goal in the disc around a centre."""
    step = goal - centre
    length = step.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    return centre + step * (radius / length).clamp(max=1.0)


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
    return out.view(*x.shape[:-1], out.shape[-1])


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
        step = self._flights(options, last, choice, acts)
        left = self._in_reach(options, step, left)
        best = np.where(left, log_p, 2 * NEVER).argmax(axis=-1)
        kept = np.pad(left, ((0, 0), (0, 0), (0, 1)), constant_values=True)
        choice = np.where(np.take_along_axis(kept, choice[..., None], -1)[..., 0], choice, best)
        if prices is not None:
            choice = settled(replace(prices, available=left), choice, acts, self.exchanges)
        chosen = torch.from_numpy(choice).to(obs.device).view(active.shape)
        level = last.level.gather(-1, chosen.clamp(max=n - 1)[..., None])[..., 0]
        moves = from_disc(step / max(self.net.scenario.uav_reach_m, 1e-9))
        flown = torch.from_numpy(moves.astype(np.float32)).to(obs.device)
        chosen = torch.where(chosen == n, NO_SERVER, chosen)
        return chosen, torch.cat([level, flown.view(*level.shape[:-1], -1)], dim=-1)

    def _flights(self, o: Options, guess: Guess, choice: Array, acts: Array) -> Array:
        """(R B, M, 2) how UAVs fly, in m, to cover whom they serve, or nearly."""
        s, m = self.net.scenario, self.layout.sizes.n_uavs
        serves = (choice[..., None] == np.arange(m)) & acts[..., None]
        served = torch.from_numpy(serves.astype(np.float32)).to(guess.pull.device)
        places = self.net.places(o, served.view(*guess.pull.shape[:-1], m), guess.pull[..., :m])
        devices, before = _rows(o.device_xy_m), _rows(o.uav_xy_m)
        step: Array = _rows(places) - before
        reach, coverage = s.uav_reach_m * NEARLY, s.uav_coverage_m * NEARLY
        towards = devices[:, :, None] - before[:, None]
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
        away = _rows(o.device_xy_m)[:, :, None] - (_rows(o.uav_xy_m) + step)[:, None]
        near = np.sqrt((away**2).sum(axis=-1)) <= s.uav_coverage_m * NEARLY
        left = allowed.copy()
        left[..., : s.n_uavs] &= near
        return np.asarray(np.where(left.any(axis=-1, keepdims=True), left, allowed))

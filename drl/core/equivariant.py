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
from torch import Tensor, nn

from drl.core.assignment import Prices, settled
from drl.core.distributions import NEVER
from drl.core.layout import LEAST_POWER, Layout
from drl.core.library import Array, library
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

#: Above the cost of every option, in those of a request.
FAR = 1e4


@dataclass(frozen=True, eq=False)
class Guess:
    """What a round would decide."""

    log_p: Array
    """(R, B, K, S) log-probabilities of servers; NEVER where not available."""
    level: Array
    """(R, B, K, S) power if that server is chosen, -1 least and 1 greatest."""
    pull: Array
    """(R, B, K, S) how strongly a device draws the UAV that serves it: log of a weight."""


@dataclass(frozen=True, eq=False)
class Upload:
    """What follows from servers, powers and places, (R, B, K, S) but for one."""

    sent: Array
    """log of the power in W."""
    others: Array
    """Other devices on that server."""
    away_m2: Array
    """(R, B, K, M) squared ground distance from the UAVs after their flights."""
    nearer: Array
    """log of what the move adds to the gain."""
    noisy: Array
    """log of interference and noise over noise."""
    upload_s: Array
    waits_s: Array
    """Execution beyond that on an unshared server."""


class SlotNet(nn.Module):
    """Features of options -> guesses of all rounds, the last one the decision.

    Its methods take arrays of torch, to learn, or of NumPy, to decide.
    """

    def __init__(self, scenario: Scenario, width: int, rounds: int, streams: Streams) -> None:
        super().__init__()
        self.reader, self.scenario = Reader(scenario), scenario
        self.unit = self.reader.typical_cost
        self.first = Linear(streams, N_FEATURES, width)
        self.own = _layers(streams, rounds, width + N_GUESSED, width)
        self.server = _layers(streams, rounds, width, width)
        self.device = _layers(streams, rounds, width, width)
        self.heads = _layers(streams, rounds + 1, width, 3)
        low, high = math.log(scenario.power_min_W), math.log(scenario.power_max_W)
        self.log_power = (high, (1 - LEAST_POWER) / 2 * (high - low) / 2)
        self._views: dict[nn.Module, tuple[Array, Array]] = {}

    def forward(self, obs: Array, mask: Array, active: Array) -> tuple[Options, list[Guess]]:
        """obs (R, B, D), mask (R, B, K, S), active (R, B, K)."""
        options = self.reader.read(obs)
        return options, self.think(options, mask, active)

    def think(self, options: Options, mask: Array, active: Array) -> list[Guess]:
        """The guesses of all rounds."""
        xp = library(options.log_gain)
        allowed = mask & active[..., None]
        never = (1 - xp.real(allowed)) * NEVER
        acts = xp.real(allowed.any(-1))[..., None]
        rows = xp.relu(self._through(self.first, self.features(options, mask, active)))
        guesses: list[Guess] = []
        for i, heads in enumerate(self.heads):
            if i:
                p = xp.exp(guesses[-1].log_p) * acts
                weighed = p[..., None] * rows
                servers = xp.total(weighed, -3) / (xp.total(p, -2)[..., None] + 0.5)
                meant = self.meant(options, guesses[-1], p)
                told = self._through(self.own[i - 1], xp.columns(rows.shape[:-1], [rows, meant]))
                told = told + self._through(self.server[i - 1], servers)[..., None, :, :]
                devices = self._through(self.device[i - 1], xp.total(weighed, -2))
                rows = xp.relu(rows + told + devices[..., None, :])
            out = self._through(heads, rows)
            log_p = xp.log_softmax(out[..., 0] + never)
            guesses.append(Guess(log_p, xp.tanh(out[..., 1]), out[..., 2]))
        return guesses

    def _through(self, layer: nn.Module, x: Array) -> Array:
        """A layer of (R, rows, in) applied to (R, ..., in)."""
        weight, bias = self._weights(layer, x)
        out = library(x).affine(x.reshape(x.shape[0], -1, x.shape[-1]), weight, bias)
        return out.reshape(*x.shape[:-1], out.shape[-1])

    def _weights(self, layer: Any, like: Array) -> tuple[Array, Array]:
        """Weight and bias in the library of an array; NumPy's share torch's memory on the CPU."""
        if isinstance(like, Tensor):
            return layer.weight, layer.bias
        if layer in self._views:
            return self._views[layer]
        weight, bias = (x.detach().cpu().numpy() for x in (layer.weight, layer.bias))
        if layer.weight.device.type == "cpu":
            self._views[layer] = weight, bias
        return weight, bias

    def features(self, o: Options, mask: Array, active: Array) -> Array:
        """(R, B, K, S, N_FEATURES), about [-2, 2]."""
        xp, m, n = library(o.log_gain), self.scenario.n_uavs, self.scenario.n_satellites
        slack = xp.clip(o.slack_s, SHORTEST_S, None)
        exponent = xp.clip(o.upload_bit_per_Hz * (math.log(2) / slack), None, 20)
        needed = xp.log(xp.expm1(exponent))
        usable = xp.real(mask)
        least = xp.least(o.fixed_cost + (1 - usable) * (FAR * self.unit))
        quiet_s = o.upload_bit_per_Hz * math.log(2) / xp.log1p(0.1 * xp.exp(o.log_gain))
        away = o.away_m * (1 / self.scenario.uav_coverage_m)
        far = xp.sqrt(xp.total(away**2, -1))
        of_uavs = (away[..., 0], away[..., 1], far, xp.real(far <= 1))
        fields = [
            (o.log_gain - 6) * (1 / 3),
            o.execute_s,
            xp.clip((o.fixed_cost - least) * (1 / self.unit), -2, 3),
            xp.clip(o.slack_s, -1, 3),
            xp.clip(quiet_s, None, 3),
            xp.clip(needed * (1 / 3), -2, 3),
            xp.clip((o.log_gain - needed) * (1 / 3), -2, 3),
            o.margin * 3,
            usable,
            *(xp.pad(x, 0, n) for x in of_uavs),
            xp.columns(o.altitude.shape[:-1], [o.altitude, o.window])[..., None, :],
            xp.pad(o.hops * (1 / 3), m, 0)[..., None, :],
        ]
        devices = [o.request[..., None, :], xp.real(active)[..., None, None]]
        fixed = self.reader.constants(o.log_gain).fixed
        return xp.columns(usable.shape, [*(x[..., None] for x in fields), *devices, fixed])

    def meant(self, o: Options, guess: Guess, p: Array) -> Array:
        """(R, B, K, S, N_GUESSED) what a guess means for each option of each device."""
        s, m, xp = self.scenario, self.scenario.n_uavs, library(p)
        flights = self.flights(o, p[..., :m], guess.pull[..., :m])
        u = self.uploads(o, guess.level, p, flights)
        near = xp.sqrt(u.away_m2 + 1e-6) * (1 / s.uav_coverage_m)
        parts = [
            u.noisy * (1 / 3),
            u.others * 0.25,
            xp.clip(u.waits_s, None, 4),
            xp.clip(u.upload_s + u.waits_s - o.slack_s, -1, 2),
            xp.pad(near, 0, s.n_satellites),
            u.nearer,
        ]
        return xp.columns(p.shape, [x[..., None] for x in parts])

    def uploads(self, o: Options, level: Array, p: Array, flights: Array) -> Upload:
        """Every option's upload if devices choose servers by p (R, B, K, S), and UAVs fly so."""
        s, xp = self.scenario, library(p)
        others = xp.total(p, -2, True) - p
        top, half = self.log_power
        sent = half * level + (top - half)
        mean = xp.exp(xp.total(p * sent, -1, True)) * self._disturbing(p)
        away_m2 = xp.total((o.away_m - flights[..., None, :, :]) ** 2, -1)
        nearer = xp.log(o.slant_m2 / (away_m2 + o.altitude_m2)) * (s.path_loss_exponent / 2)
        heard = mean * xp.exp(o.receiver_log_gain + xp.pad(nearer, 0, 1))
        loud = s.interference_leakage * (xp.total(heard, -2, True) - heard)
        noisy = xp.log1p(loud)[..., self.reader.constants(p).receiver]
        nearer = xp.pad(nearer, 0, s.n_satellites)
        nats = xp.softplus(o.log_gain + nearer + sent - noisy)
        upload_s = o.upload_bit_per_Hz * math.log(2) / xp.clip(nats, 1e-2, None)
        waits_s = o.execute_s * others if s.compute_sharing == "shared" else others * 0
        return Upload(sent, others, away_m2, nearer, noisy, upload_s, waits_s)

    def _disturbing(self, p: Array) -> Array:
        """(R, B, K, M + 1) or (..., 1) chances that a device disturbs those of a receiver."""
        m, scope, xp = self.scenario.n_uavs, self.scenario.interference_scope, library(p)
        if scope == "all":
            return xp.total(p, -1, True)
        above, below = xp.total(p[..., m:], -1, True), p[..., :m]
        parts = [xp.total(below, -1, True)] * m if scope == "tier" else [below]
        return xp.columns(p.shape[:-1], [*parts, above])

    def cost(self, o: Options, level: Array, p: Array, flights: Array) -> Array:
        """(R, B, K, S) cost of every option under the same assumptions, in units of `self.unit`.

        Differentiable in powers and flights. It approximates the referee's, without its bound.
        """
        s, u, xp = self.scenario, self.uploads(o, level, p, flights), library(p)
        late_s = xp.clip(u.upload_s + u.waits_s - o.slack_s, 0, None)
        cost = o.fixed_cost + s.latency_weight_per_s * (u.upload_s + u.waits_s)
        spent_J = xp.exp(u.sent) * u.upload_s
        return (cost + s.energy_weight_per_J * spent_J + s.penalty_per_s * late_s) / self.unit

    def prices(self, o: Options, guess: Guess, allowed: Array, trust: float) -> Prices:
        """What options of R B slots cost by load, if all else is as guessed; NumPy alone.

        An unlikely option costs more by `trust` times minus the log of its probability.
        """
        s, p = self.scenario, np.exp(guess.log_p) * allowed
        served = p[..., : s.n_uavs]
        u = self.uploads(o, guess.level, p, self.flights(o, served, guess.pull[..., : s.n_uavs]))
        cost = o.fixed_cost + u.upload_s * (
            s.latency_weight_per_s + s.energy_weight_per_J * np.exp(u.sent)
        )
        return Prices(
            alone=flat(cost * (1 / self.unit) - trust * np.maximum(guess.log_p, -20)),
            execute_s=flat(o.execute_s),
            left_s=flat(o.slack_s - u.upload_s),
            refusal=flat(o.deadline_s * (s.penalty_per_s / self.unit)),
            available=flat(allowed),
            latency_weight=s.latency_weight_per_s / self.unit,
            penalty=s.penalty_per_s / self.unit,
        )

    def flights(self, o: Options, served: Array, pull: Array) -> Array:
        """(R, B, M, 2) how UAVs that serve devices with weights `served` (R, B, K, M) fly, in m.

        To the weighted mean of whom they serve, as far as the reach allows; without anybody they
        stay.
        """
        xp = library(pull)
        weight = (served * xp.exp(xp.clip(pull, -8, 8)))[..., None]
        step = xp.total(weight * o.away_m, -3) / (xp.total(weight, -3) + 1e-3)
        length = xp.sqrt(xp.total(step**2, -1, True) + 1e-6)
        return step * xp.clip(self.scenario.uav_reach_m / length, None, 1)


def flat(x: Array) -> Array:
    """(R, B, ...) as (R B, ...)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _layers(streams: Streams, n: int, n_in: int, n_out: int) -> nn.ModuleList:
    return nn.ModuleList([Linear(streams, n_in, n_out) for _ in range(n)])


class SlotActor(nn.Module):
    """The policy: servers first, then places for whom they serve, powers last."""

    def __init__(
        self,
        layout: Layout,
        width: int,
        rounds: int,
        streams: Streams,
        *,
        exchanges: int = 100,
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
        choice, numbers = self._decided(*(x.cpu().numpy() for x in (obs, mask, active)))
        found = choice.reshape(active.shape), numbers.reshape(*active.shape[:-1], -1)
        first, second = (torch.from_numpy(x).to(obs.device) for x in found)
        return first, second

    def _decided(self, obs: Array, mask: Array, active: Array) -> tuple[Array, Array]:
        """The same in NumPy for R B slots."""
        options, guesses = self.net(obs, mask, active)
        last, allowed = guesses[-1], mask & active[..., None]
        log_p, left, n = flat(last.log_p), flat(allowed), allowed.shape[-1]
        acts, choice, prices = left.any(axis=-1), log_p.argmax(axis=-1), None
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
        level = flat(last.level)[slots, devices, choice % n]
        moves = from_disc(step / max(self.net.scenario.uav_reach_m, 1e-9)).astype(np.float32)
        numbers = np.concatenate([level, moves.reshape(len(level), -1)], axis=-1)
        return np.where(choice == n, NO_SERVER, choice), numbers

    def _covering(self, o: Options, guess: Guess, choice: Array, acts: Array) -> Array:
        """(R B, M, 2) how UAVs fly, in m, to cover whom they serve, or nearly."""
        s, m = self.net.scenario, self.layout.sizes.n_uavs
        serves = (choice[..., None] == np.arange(m)) & acts[..., None]
        served = serves.reshape(*guess.pull.shape[:-1], m).astype(np.float32)
        step = NEARLY * flat(self.net.flights(o, served, guess.pull[..., :m]))
        towards = flat(o.away_m)
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
        away = flat(o.away_m) - step[:, None]
        near = np.sqrt((away**2).sum(axis=-1)) <= s.uav_coverage_m * NEARLY
        left = allowed.copy()
        left[..., : s.n_uavs] &= near
        return np.asarray(np.where(left.any(axis=-1, keepdims=True), left, allowed))

"""One combination of servers at given positions: best powers, cost and its slopes.

See `minlp.enumeration.solve` for how bounds come of it. n senders; gains in units of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from minlp.p1.data import SlotTerms
from minlp.power.problem import PowerProblem, PowerSolution
from minlp.power.solve import solve_power
from satedge.problem.referee import TOLERANCE, uav_gains

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Combination:
    """One choice of servers: n senders, what they share, and what is decided by it."""

    terms: SlotTerms
    server: Ints  # (K,)
    sender: Ints  # (n,) devices
    receiver: Ints  # (n,)
    constant_cost: float  # all but uploads, downloads and overruns
    slack_s: Array  # (n,) deadline less all but upload and UAV download
    load_s: Array  # (n,)
    propagation_s: Array  # (n,)
    interferes: NDArray[np.bool_]  # (n, n) j disturbs k

    @classmethod
    def of(cls, terms: SlotTerms, server: Ints) -> Combination:
        """The combination of servers (K,)."""
        s = terms.scenario
        sender = np.flatnonzero(server >= 0)
        chosen = server[sender]
        crowd = (chosen[:, None] == chosen[None]).sum(axis=1) - 1
        wait_s = np.where(
            s.compute_sharing == "shared",
            crowd * terms.instance.coefficients.execute_s[0, sender, chosen],
            0.0,
        )
        fixed_s = terms.constant_s[sender, chosen] + wait_s
        refused = terms.instance.active[0] & (server < 0)
        cost = s.latency_weight_per_s * fixed_s.sum() + terms.refusal_cost[refused].sum()
        cost += s.energy_weight_per_J * terms.constant_J[sender, chosen].sum()
        receiver = terms.receiver[chosen]
        group = {
            "all": np.zeros_like(receiver), "tier": receiver >= s.n_uavs, "server": receiver
        }[s.interference_scope]  # fmt: skip
        others = ~np.eye(len(sender), dtype=bool)
        return cls(
            terms, server, sender, receiver, float(cost),
            terms.forgiving_deadline_s[sender, chosen] - fixed_s,
            terms.load_s[sender, chosen],
            np.where(receiver == s.n_uavs, terms.propagation_s, 0.0),
            others & (group[:, None] == group[None]) & (s.interference_leakage > 0),
        )  # fmt: skip

    @cached_property
    def movable(self) -> NDArray[np.bool_]:
        """(M,) UAVs whose position matters: a receiver, or one that disturbs an answer."""
        s = self.terms.scenario
        serves = np.isin(np.arange(s.n_uavs), self.receiver)
        if s.uav_separation_m > 0:
            return np.ones(s.n_uavs, bool)
        others = serves.any() and s.interference_leakage > 0 and s.token_bit > 0
        return serves | np.asarray(others)

    def discs(self, m: int) -> list[tuple[Array, float]]:
        """Centres and radii of the discs that hold the position of UAV m."""
        one, s = self.terms.instance, self.terms.scenario
        served = one.device_xy_m[0][self.sender[self.receiver == m]]
        reach = (one.uav_xy_m[m], self.terms.reach_m * (1 + TOLERANCE))
        return [reach, *((w, s.uav_coverage_m * (1 + TOLERANCE)) for w in served)]


@dataclass(frozen=True, eq=False)
class Point:
    """The cost with priced overruns at positions and near-best powers, and its slopes."""

    xy_m: Array  # (M, 2)
    power_W: Array  # (n,)
    powers: PowerSolution | None
    value: float
    power_decrease: float
    """Most that other powers could take off, by the gradient; not positive."""
    slope: Array  # (K, M) by log-gain
    size: float
    """Sum of the absolute values of all terms of value and decrease."""


def point_at(c: Combination, xy_m: Array, warm: PowerSolution | None = None) -> Point:
    """Solve the powers at positions (M, 2), then state value and slopes there."""
    gain = uav_gains(c.terms.instance, xy_m[None])[0] / c.terms.scenario.noise_W
    if len(c.sender) == 0:
        cost = c.constant_cost
        return Point(xy_m, np.zeros(0), None, cost, 0.0, np.zeros_like(gain), abs(cost))
    lanes = np.hstack([gain, c.terms.satellite_gain[:, None]])
    heard = lanes[c.sender][:, c.receiver].T  # (k, j): sender j at the receiver of k
    download_s, download_slope = _downloads(c, gain)
    powers = solve_power(_problem(c, heard, download_s), tol=1e-10, warm_start=warm)
    state = _State(c, heard, powers.power_W, download_s, powers.multiplier)
    by_power, span = state.by_log_power, state.log_power_span
    return Point(
        xy_m=xy_m,
        power_W=powers.power_W,
        powers=powers,
        value=c.constant_cost + float(state.parts.sum()),
        power_decrease=float(np.minimum(by_power * span, 0.0).min(axis=0).sum()),
        slope=state.by_log_gain(gain.shape, download_slope),
        size=state.size,
    )


@dataclass(frozen=True, eq=False)
class _State:
    """Cost terms of the senders, each overrun at a fixed price, and their derivatives.

    For any price in [0, rho] the terms are convex in (log-powers, log-gains) and sum to no more
    than the cost.
    """

    c: Combination
    heard: Array  # (n, n)
    power_W: Array  # (n,)
    download_s: Array  # (n,)
    multiplier: Array  # (n,) prices of the power problem

    @cached_property
    def level(self) -> Array:
        """(n, n) Interference over noise at k that comes from j."""
        leakage = self.c.terms.scenario.interference_leakage
        return leakage * np.where(self.c.interferes, self.heard * self.power_W, 0.0)

    @cached_property
    def disturbed(self) -> Array:
        """(n,) Noise and interference over noise."""
        return 1 + self.level.sum(axis=1)

    @property
    def share(self) -> Array:
        """(n, n) Part of noise and interference at k that comes from j."""
        return self.level / self.disturbed[:, None]

    @cached_property
    def sinr(self) -> Array:
        """(n,) Eqs. (8), (10)."""
        return np.diagonal(self.heard) * self.power_W / self.disturbed

    @cached_property
    def upload_s(self) -> Array:
        """(n,)"""
        return self.c.load_s / np.log1p(self.sinr)

    @cached_property
    def price(self) -> Array:
        """(n,) rho where late, 0 where in time; at the deadline what the power problem says."""
        rho = self.c.terms.scenario.penalty_per_s
        late_s = self.upload_s + self.download_s - self.c.slack_s
        known = np.clip(self.multiplier, 0.0, rho)
        return np.where(np.abs(late_s) < 1e-6 * self.upload_s, known, np.where(late_s > 0, rho, 0))

    @cached_property
    def energy(self) -> Array:
        """(n,) Cost of sending for a second."""
        return self.c.terms.scenario.energy_weight_per_J * self.power_W

    @cached_property
    def answer(self) -> Array:
        """(n,) Cost of a second of UAV download."""
        s = self.c.terms.scenario
        return s.latency_weight_per_s + s.energy_weight_per_J * s.uav_power_W + self.price

    @cached_property
    def parts(self) -> Array:
        """(4, n) Terms of the cost."""
        eta_l, c = self.c.terms.scenario.latency_weight_per_s, self.c
        return np.array([
            (eta_l + self.price) * self.upload_s,
            -self.price * c.slack_s,
            self.energy * (self.upload_s + c.propagation_s),
            self.answer * self.download_s,
        ])  # fmt: skip

    @cached_property
    def by_sinr(self) -> Array:
        """(n,) How fast the cost falls with the own log-SINR; not negative."""
        nats = np.log1p(self.sinr)
        fall = self.upload_s / nats * self.sinr / (1 + self.sinr)
        eta_l = self.c.terms.scenario.latency_weight_per_s
        return (eta_l + self.energy + self.price) * fall

    @property
    def by_log_power(self) -> Array:
        """(n,)"""
        paid = self.energy * (self.upload_s + self.c.propagation_s)
        return paid - self.by_sinr + self.share.T @ self.by_sinr

    @property
    def log_power_span(self) -> Array:
        """(2, n) From the log-powers to their limits."""
        s, p = self.c.terms.scenario, np.log(self.power_W)
        low = np.log(s.power_min_W * (1 - TOLERANCE))
        return np.array([low - p, np.log(s.power_max_W * (1 + TOLERANCE)) - p])

    def by_log_gain(self, shape: tuple[int, ...], download_slope: Array) -> Array:
        """(K, M) of UAV links."""
        c, slope = self.c, np.zeros(shape)
        for i in np.flatnonzero(c.receiver < c.terms.scenario.n_uavs):
            slope[c.sender[i], c.receiver[i]] -= self.by_sinr[i]
            slope[c.sender, c.receiver[i]] += self.by_sinr[i] * self.share[i]
            slope[c.sender[i]] += self.answer[i] * download_slope[i]
        return slope

    @property
    def size(self) -> float:
        """Sum of the absolute values of all terms, those of the gradient over the limits."""
        paid = self.energy * (self.upload_s + self.c.propagation_s)
        steep = (paid + 2 * self.by_sinr).sum() * np.ptp(self.log_power_span)
        return float(np.abs(self.parts).sum() + abs(self.c.constant_cost) + steep)


def _problem(c: Combination, heard: Array, download_s: Array) -> PowerProblem:
    s = c.terms.scenario
    return PowerProblem(
        gain=heard,
        interferes=c.interferes,
        leakage=s.interference_leakage,
        noise_W=1.0,
        bandwidth_Hz=np.log(2) / c.load_s,
        input_bit=np.ones(len(c.sender)),
        propagation_s=c.propagation_s,
        latency_weight=s.latency_weight_per_s,
        energy_weight=s.energy_weight_per_J,
        penalty=s.penalty_per_s,
        slack_s=c.slack_s - download_s,
        power_min_W=s.power_min_W,
        power_max_W=s.power_max_W,
    )


def _downloads(c: Combination, gain: Array) -> tuple[Array, Array]:
    """UAV download times (n,), 0 from satellites, and their slopes (n, M) by log-gains.

    Convex in the log-gains, as uploads are. Eqs. (9), (16).
    """
    s, n = c.terms.scenario, len(c.sender)
    time_s, slope = np.zeros(n), np.zeros((n, s.n_uavs))
    for i in np.flatnonzero(c.receiver < s.n_uavs):
        k, m = c.sender[i], c.receiver[i]
        if c.terms.download_load_s[k] == 0:
            continue
        heard = s.interference_leakage * s.uav_power_W * gain[k]
        heard[m] = 0.0
        disturbed = 1 + heard.sum()
        sinr = gain[k, m] * s.uav_power_W / disturbed
        nats = np.log1p(sinr)
        time_s[i] = c.terms.download_load_s[k] / nats
        fall = time_s[i] / nats * sinr / (1 + sinr)
        slope[i] = fall * heard / disturbed
        slope[i, m] = -fall
    return time_s, slope

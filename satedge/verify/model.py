"""One slot of the model as the verifier states it, in intervals. Equations as in docs/model.md.

Every request has one option for each server, and as the last one, with index S, to be refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.problem.instance import Instance
from satedge.verify import interval as iv
from satedge.verify.interval import Array, Interval

Mask = NDArray[np.bool_]

#: A limit counts as kept if it is exceeded by 1e-9 of itself; a little more for its rounding.
TOLERANCE = 1e-9 * (1 + 1e-6)
LIGHT_MPS = 299_792_458.0


class Model:
    """n requests, M UAVs, S servers, O = S + 1 options, R = M + 1 receivers (the last is n')."""

    def __init__(self, instance: Instance, slot: int, options: list[list[int]]) -> None:
        s = instance.scenario
        self.instance, self.slot, self.scenario = instance, slot, s
        self.devices = np.flatnonzero(instance.active[slot])
        self.n, self.n_uavs, self.n_options = len(self.devices), s.n_uavs, s.n_servers + 1
        self.receiver = np.r_[np.arange(s.n_uavs), np.full(s.n_satellites, s.n_uavs), -1]
        self.latency, self.energy = s.latency_weight_per_s, s.energy_weight_per_J
        self.late = (Interval(s.latency_weight_per_s) * s.deadline_penalty).hi
        self.late_low = (Interval(s.latency_weight_per_s) * s.deadline_penalty).lo
        self.bits = instance.input_bit[slot, self.devices]
        ln2 = iv.log(2.0)
        bands = np.r_[np.full(s.n_uavs, s.uav_bandwidth_Hz), s.satellite_bandwidth_Hz]
        self.load_s = Interval(self.bits)[:, None] * ln2 / bands  # (n, R): t of (12), (19)
        self.words = instance.output_words[slot, self.devices].astype(float)
        self.answer_s = Interval(s.token_bit) * self.words * ln2 / s.uav_bandwidth_Hz
        self.start = instance.uav_xy_m
        self.place = instance.device_xy_m[slot, self.devices]
        self.height2 = Interval(instance.uav_altitude_m[slot]).square()
        beta = iv.exp(Interval(s.uav_reference_gain_dB) / 10.0 * iv.log(10.0))
        fading = np.maximum(instance.uav_fading[slot, self.devices], 1e-300)
        self.log_fading = iv.log(fading) + iv.log(beta)  # (6)-(7), all but the distance
        self.half = s.path_loss_exponent / 2
        gain = np.maximum(instance.satellite_gain[slot, self.devices], 1e-300)
        self.log_satellite = iv.log(gain)
        watts = iv.exp((Interval(s.noise_dBm) - 30.0) / 10.0 * iv.log(10.0))
        self.noise = Interval(min(watts.lo, s.noise_W), max(watts.hi, s.noise_W))
        self.leak = s.interference_leakage
        slack = 1 + TOLERANCE
        self.p_low = iv.log(Interval(s.power_min_W) / slack).lo - 2 * TOLERANCE
        self.p_high = iv.log(Interval(s.power_max_W) * slack).hi
        self.radius = np.r_[iv.up(s.uav_reach_m * slack), np.full(self.n, s.uav_coverage_m * slack)]
        self._constants()
        self.box = self._first_box()
        self.allowed = self._options(options)
        self.apart = self._empty_triples()
        for m in range(self.n_uavs):  # reach and coverage of the device have no common point
            self.allowed[:, m] &= ~self.apart[m, 0, 0, 1:]

    def _constants(self) -> None:
        """(n, O) cost and time of all that no decision changes; (14)-(25)."""
        s, t, at = self.scenario, self.slot, self.instance
        m, k = self.n_uavs, self.devices
        speed = np.r_[np.full(m, s.uav_TFLOPS), np.full(s.n_satellites, s.satellite_TFLOPS)]
        watts = np.r_[np.full(m, s.uav_compute_W), np.full(s.n_satellites, s.satellite_compute_W)]
        execute = Interval(at.server_work_TFLOP) * self.words[:, None] / speed
        hops = np.r_[np.zeros(m), np.maximum(at.isl_hops[t], 0)]
        metres = np.r_[np.zeros(m), np.where(at.isl_hops[t] > 0, at.isl_distance_m[t], 0.0)]
        payload = Interval(s.token_bit) * self.words + self.bits
        relay = Interval(2 * metres) / LIGHT_MPS + payload[:, None] * hops / s.isl_rate_bps
        seen = int(at.access[t])
        metres_up = float(at.range_m[t, seen]) if seen >= 0 else 0.0
        self.propagation = Interval(metres_up) / LIGHT_MPS  # (19), (21)
        snr = iv.exp(self.log_satellite) * s.satellite_power_W / self.noise
        answer = Interval(s.token_bit) * self.words * iv.log(2.0) / s.satellite_bandwidth_Hz
        download = answer / iv.log1p(snr) + self.propagation  # (11), (24)
        above = np.arange(s.n_servers) >= m
        fixed_s = execute + relay + iv.where(above, (download + self.propagation)[:, None], 0.0)
        joules = execute * watts + relay * s.isl_power_W
        joules = joules + iv.where(above, (download * s.satellite_power_W)[:, None], 0.0)
        deadline = at.deadline_s[t, k]
        finish = np.repeat(deadline[:, None], s.n_servers, axis=1)
        window = float(at.window_s[t, seen]) if seen >= 0 else 0.0
        finish[:, m:] = np.minimum(finish[:, m:], window)
        self.time_s, self.finish_s = fixed_s, finish
        cost = fixed_s * self.latency + joules * self.energy
        refuse = Interval(deadline) * self.latency * s.deadline_penalty
        self.most = refuse
        self.fixed = Interval(np.c_[cost.lo, refuse.lo], np.c_[cost.hi, refuse.hi])
        slack = (Interval(finish) * (1 + 2 * TOLERANCE) - fixed_s).hi
        self.slack = np.c_[slack, np.zeros(self.n)]  # V counts beyond the tolerance only
        linked = np.r_[np.ones(m, bool), at.isl_hops[t] >= 0]
        accurate = at.server_accuracy >= at.accuracy_floor[t, k][:, None]
        self.usable = np.c_[accurate & linked, np.ones(self.n, bool)]

    def _first_box(self) -> Array:
        """(M, 2, 2) [axis, end] of all that UAVs may reach in the area."""
        side, reach = self.scenario.area_side_m, self.radius[0]
        low = np.maximum(iv.down(self.start - reach), -iv.up(TOLERANCE * side))
        high = np.minimum(iv.up(self.start + reach), iv.up(side * (1 + TOLERANCE)))
        return np.stack([low, high], axis=-1)

    def _options(self, listed: list[list[int]]) -> Mask:
        """(n, O) options of the proof; a satellite that it leaves out makes another one better.

        All uploads to satellites go to n', so that two satellites differ in constants and slack
        only: with the least cost and the greatest slack of both, one stands for the other.
        """
        allowed = self.usable.copy()
        for k in range(self.n):
            kept = [o for o in listed[k] if self.usable[k, o] and self.n_uavs <= o]
            kept = [o for o in kept if o < self.n_options - 1]
            for o in range(self.n_uavs, self.n_options - 1):
                if not allowed[k, o] or o in kept or not kept:
                    continue
                low, wide = self.fixed.lo[k], self.slack[k]
                other = min(kept, key=lambda j: max(low[j] - low[o], wide[o] - wide[j]))
                low[other], wide[other] = min(low[other], low[o]), max(wide[other], wide[o])
                allowed[k, o] = False
        return allowed

    def discs(self, m: int) -> Array:
        """(1 + n, 2) centres: the reach of UAV m, then the coverage of every device."""
        return np.concatenate([self.start[m : m + 1], self.place])

    def _empty_triples(self) -> Mask:
        """(M, D, D, D) whether three discs surely have no common point. (3), motion.

        With weights w >= 0 of sum 1, sum w_i (|q - c_i|^2 - R_i^2) = |q - sum w_i c_i|^2 + const:
        where the constant is positive no q is in all discs. By Helly's theorem triples suffice.
        """
        d = self.n + 1
        empty = np.zeros((self.n_uavs, d, d, d), bool)
        for m in range(self.n_uavs):
            c = self.discs(m)
            for w, ids in _weights(c, self.radius):
                centre, weight = Interval(c[ids]), Interval(w)
                mean = (centre * weight[..., None]).sum(1)
                away = (centre - mean[:, None]).square().sum(-1)
                square = Interval(self.radius[ids]).square()
                const = ((away - square) * weight).sum(-1)
                # centres are taken around a mean that is rounded: exact for its interval
                i, j, k = ids[const.lo > 1e-9].T
                for a, b, e in ((i, j, k), (i, k, j), (j, i, k), (j, k, i), (k, i, j), (k, j, i)):
                    empty[m, a, b, e] = True
        return empty


def _weights(c: Array, radius: Array) -> list[tuple[Array, NDArray[np.int64]]]:
    """Weights (N, 3) worth trying for all pairs and triples (N, 3) of discs; guesses."""
    d = len(c)
    pairs = np.array([(i, j, j) for i in range(d) for j in range(i)], int).reshape(-1, 3)
    triples = np.array(
        [(i, j, k) for i in range(d) for j in range(i) for k in range(j)], int
    ).reshape(-1, 3)
    gap = np.sqrt(((c[pairs[:, 0]] - c[pairs[:, 1]]) ** 2).sum(-1))
    a, b = radius[pairs[:, 0]], radius[pairs[:, 1]]
    share = np.clip(0.5 - (a**2 - b**2) / (2 * np.maximum(gap, 1e-9) ** 2), 0, 1)
    found = [(np.stack([share, 1 - share, 0 * share], -1), pairs)]
    # maximise sum w (|c|^2 - R^2) - |sum w c|^2 over sum w = 1: a linear system
    p = c[triples]
    edge = p[:, 1:] - p[:, :1]
    power = (p**2).sum(-1) - radius[triples] ** 2
    area = np.abs(edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0])
    fine = area > 1e-6
    if fine.any():
        p, edge, power, triples = p[fine], edge[fine], power[fine], triples[fine]
        # |x - c_i|^2 - R_i^2 equal for all i: 2 edge . x = power differences
        x = np.linalg.solve(2 * edge, (power[:, 1:] - power[:, :1])[..., None])[..., 0]
        rest = np.linalg.solve(np.swapaxes(edge, 1, 2), (x - p[:, 0])[..., None])[..., 0]
        w = np.concatenate([1 - rest.sum(-1, keepdims=True), rest], -1)
        good = (w >= 0).all(-1)
        found.append((w[good], triples[good]))
    return found


def incumbent_cost(model: Model, plan: dict[str, Any]) -> tuple[float, str]:
    """(upper end of a plan's cost, summed over devices; what it breaks, or '')."""
    s = model.scenario
    server = np.asarray(plan["server"], int)
    power, xy = np.asarray(plan["power_W"], float), np.asarray(plan["uav_xy_m"], float)
    xy = xy.reshape(-1, 2)
    if server.shape != (model.n,) or power.shape != (model.n,) or xy.shape != model.start.shape:
        return np.inf, "its arrays do not fit the slot"
    if ((server < -1) | (server >= s.n_servers)).any() or not np.isfinite(power).all():
        return np.inf, "a server or a power is not allowed"
    sends = server >= 0
    rows = np.arange(model.n)
    tolerance = 1e-9
    away2 = (Interval(model.place)[:, None] - Interval(xy)).square().sum(-1)  # (n, M)
    fine = model.usable[rows, server].all()
    limit = Interval(s.uav_coverage_m * (1 + tolerance)).square()
    for k in np.flatnonzero(sends & (server < model.n_uavs)):
        fine &= bool(away2.hi[k, server[k]] <= limit.hi)
    step2 = (Interval(xy) - Interval(model.start)).square().sum(-1)
    fine &= bool((step2.hi <= up_square(s.uav_reach_m * (1 + tolerance))).all())
    edge = tolerance * s.area_side_m
    fine &= bool(((xy >= -edge) & (xy <= s.area_side_m + edge)).all())
    held = (power >= s.power_min_W * (1 - tolerance)) & (power <= s.power_max_W * (1 + tolerance))
    fine &= bool((held | ~sends).all())
    if s.uav_separation_m > 0:
        for a in range(len(xy)):
            for b in range(a):
                gap2 = (Interval(xy[a]) - Interval(xy[b])).square().sum(-1)
                fine &= bool(gap2.hi >= (s.uav_separation_m * (1 - tolerance)) ** 2)
    if not fine:
        return np.inf, "it breaks a constraint"
    return float(_cost(model, server, power, away2)), ""


def up_square(x: float) -> float:
    """Upper end of x^2."""
    return float(iv.up(x * x))


def _cost(model: Model, server: NDArray[np.int64], power: Array, away2: Interval) -> float:
    """Upper end of the sum of min(C_k, C_out); (8)-(30) at a plan."""
    s, rows = model.scenario, np.arange(model.n)
    m, sends = model.n_uavs, server >= 0
    to = np.where(sends, np.minimum(server, m), -1)
    gain = iv.exp(model.log_fading - iv.log(away2 + model.height2) * model.half)
    satellite = iv.exp(model.log_satellite)
    gains = Interval(
        np.c_[gain.lo, satellite.lo], np.c_[gain.hi, satellite.hi]
    )  # (n, R), to each receiver
    heard = Interval(gains.lo[:, to].T, gains.hi[:, to].T) * np.where(sends, power, 0.0)  # (k, j)
    disturbs = ~np.eye(model.n, dtype=bool) & sends
    if s.interference_scope == "tier":
        disturbs &= (to == m)[:, None] == (to == m)[None]
    if s.interference_scope == "server":
        disturbs &= to[:, None] == to[None]
    total = iv.where(disturbs, heard, 0.0).sum(-1) * model.leak + model.noise
    own = Interval(gains.lo[rows, to], gains.hi[rows, to]) * np.where(sends, power, 1.0)
    upload = model.load_s[rows, to] / iv.log1p(own / total)
    above = to == m
    latency = upload + iv.where(above, model.propagation, 0.0)
    cost = latency * power * model.energy
    time = upload + model.time_s[rows, np.maximum(server, 0)]
    others = (
        (gains[:, :m].sum(-1)[:, None] - gains[:, :m]) if m else Interval(np.zeros((model.n, 1)))
    )
    sinr = (
        gains[:, :m]
        * s.uav_power_W
        / (iv.maximum(others, 0.0) * model.leak * s.uav_power_W + model.noise)
    )
    down = model.answer_s[:, None] / iv.log1p(sinr)
    if m:
        uav = (to >= 0) & (to < m)
        wait = iv.where(uav, down[rows, np.clip(to, 0, m - 1)], 0.0)
        time, cost = time + wait, cost + wait * model.energy * s.uav_power_W
    over = time - model.finish_s[rows, np.maximum(server, 0)]
    late = iv.maximum(over, 0.0).hi * ~(over.hi <= 1e-9 * time.lo)
    extra = (upload + (time - upload - model.time_s[rows, np.maximum(server, 0)])) * model.latency
    cost = cost + extra + model.fixed[rows, np.where(sends, server, model.n_options - 1)]
    cost = cost + Interval(late) * model.late
    least = np.minimum(cost.hi, model.most.hi)
    return float(Interval(np.where(sends, least, model.most.hi)).sum().hi)

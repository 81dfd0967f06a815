"""One slot of the model in intervals; equation numbers as in docs/model.md.

n requests, M UAVs, S servers, O = S + 1 options (the last is to be refused), R = M + 1 receivers
(the last is the satellite n').
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satedge.problem.instance import Instance
from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval

Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

#: A limit counts as kept if it is exceeded by 1e-9 of itself; a little more for its rounding.
TOLERANCE = 1e-9 * (1 + 1e-6)
LIGHT_MPS = 299_792_458.0


class Model:
    """What of a slot no decision changes. With hard deadlines nobody is refused or late."""

    def __init__(self, instance: Instance, slot: int, hard: bool) -> None:
        s = self.scenario = instance.scenario
        self.instance, self.slot, self.hard = instance, slot, hard
        self.devices = np.flatnonzero(instance.active[slot])
        self.n, self.m, self.n_options = len(self.devices), s.n_uavs, s.n_servers + 1
        self.receiver = np.minimum(np.arange(s.n_servers), self.m)  # (S,)
        self.latency, self.energy = s.latency_weight_per_s, s.energy_weight_per_J
        self.leak, self.half = s.interference_leakage, s.path_loss_exponent / 2
        self.late = Interval(s.latency_weight_per_s) * s.deadline_penalty
        self.late_cap = 1e12 if hard else float(self.late.lo)
        self.bits = instance.input_bit[slot, self.devices]
        self.words = instance.output_words[slot, self.devices].astype(float)
        ln2, tenth = iv.log(2.0), iv.log(10.0) / 10.0
        bands = np.append(np.full(self.m, s.uav_bandwidth_Hz), s.satellite_bandwidth_Hz)
        self.load_s = Interval(self.bits)[:, None] * ln2 / bands  # (n, R): u ln 2 / B
        self.answer_s = Interval(s.token_bit) * self.words * ln2  # (n,): b o ln 2
        self.start, self.place = instance.uav_xy_m, instance.device_xy_m[slot, self.devices]
        self.height2 = Interval(instance.uav_altitude_m[slot]).square()
        fading = np.maximum(instance.uav_fading[slot, self.devices], 1e-300)
        self.log_fading = iv.log(fading) + tenth * s.uav_reference_gain_dB  # ln g - ln d^-alpha
        gain = instance.satellite_gain[slot, self.devices]
        self.log_satellite = iv.log(np.maximum(gain, 1e-300))
        watts = iv.exp((Interval(s.noise_dBm) - 30.0) * tenth)
        self.noise = Interval(min(watts.lo, s.noise_W), max(watts.hi, s.noise_W))
        self.p_low = iv.log(Interval(s.power_min_W) / (1 + TOLERANCE)).lo - 2 * TOLERANCE
        self.p_high = iv.log(Interval(s.power_max_W) * (1 + TOLERANCE)).hi
        radius = np.append(s.uav_reach_m, np.full(self.n, s.uav_coverage_m))
        self.radius2 = iv.up((Interval(radius) * (1 + TOLERANCE)).square().hi)  # reach, coverage
        self._constants()

    def _constants(self) -> None:
        """Cost and time of all that no decision changes; (14)-(25)."""
        s, t, at = self.scenario, self.slot, self.instance
        above, nothing = np.arange(s.n_servers) >= self.m, np.zeros(self.m)
        speed = np.where(above, s.satellite_TFLOPS, s.uav_TFLOPS)
        watts = np.where(above, s.satellite_compute_W, s.uav_compute_W)
        execute = Interval(at.server_work_TFLOP) * self.words[:, None] / speed  # (n, S)
        hops = np.append(nothing, np.maximum(at.isl_hops[t], 0))
        metres = np.where(hops > 0, np.append(nothing, at.isl_distance_m[t]), 0.0)
        payload = Interval(s.token_bit) * self.words + self.bits
        relay = Interval(2 * metres) / LIGHT_MPS + payload[:, None] * hops / s.isl_rate_bps
        seen = int(at.access[t])
        away, window = (at.range_m[t, seen], at.window_s[t, seen]) if seen >= 0 else (0.0, 0.0)
        self.propagation = Interval(away) / LIGHT_MPS
        snr = iv.exp(self.log_satellite) * s.satellite_power_W / self.noise
        answer = self.answer_s / s.satellite_bandwidth_Hz / iv.log1p(snr) + self.propagation
        answer = iv.where(above, answer[:, None], 0.0)
        self.time_s = execute + relay + answer + iv.where(above, self.propagation, 0.0)  # (n, S)
        joules = execute * watts + relay * s.isl_power_W + answer * s.satellite_power_W
        self.fixed = self.time_s * self.latency + joules * self.energy
        self.wait_s = execute * float(s.compute_sharing == "shared")  # for one more on the server
        deadline = at.deadline_s[t, self.devices]
        self.finish_s = np.minimum(deadline[:, None], np.where(above, window, np.inf))
        self.slack_s = (Interval(self.finish_s) * (1 + 2 * TOLERANCE) - self.time_s).hi
        self.refusal = Interval(deadline) * self.late  # C_out
        linked = np.append(nothing == 0, at.isl_hops[t] >= 0)
        accurate = at.server_accuracy >= at.accuracy_floor[t, self.devices][:, None]
        self.usable = np.insert(accurate & linked, s.n_servers, not self.hard, -1)

    def box(self) -> Array:
        """(M, 2, 2) [axis, end]: where UAVs may go in the area."""
        side, reach = self.scenario.area_side_m, iv.up(np.sqrt(self.radius2[0]))
        low = np.maximum(iv.down(self.start - reach), -iv.up(TOLERANCE * side))
        high = np.minimum(iv.up(self.start + reach), iv.up(side * (1 + TOLERANCE)))
        return np.stack([low, high], axis=-1)

    def ceiling(self) -> float:
        """More than any plan costs whose requests are all in time: uploads and answers of UAVs
        take all that is left, at most power."""
        watts = iv.exp(self.p_high)
        left = Interval(np.maximum(self.slack_s, 0.0))
        spent = left * ((watts + self.scenario.uav_power_W) * self.energy + self.latency)
        cost = (spent + watts * self.propagation * self.energy + self.fixed).hi
        most = np.where(self.usable[:, :-1], cost, 0.0).max(-1, initial=0.0)
        return float(Interval(most).sum().hi)


def download_s(model: Model, own: Interval, others: Interval) -> Interval:
    """(..., n, M) download times from UAVs of gains `own`, disturbed by `others`; (9), (16)."""
    watts = model.scenario.uav_power_W
    heard = (others[..., None, :] * ~np.eye(model.m, dtype=bool)).sum()
    sinr = own * watts / (heard * model.leak * watts + model.noise)
    return model.answer_s[:, None] / model.scenario.uav_bandwidth_Hz / iv.log1p(sinr)


def upload(
    model: Model, load: Interval, away: Interval, late: Array, p: Interval, w: Interval,
    noise: Interval,
) -> tuple[Interval, Interval, Interval, Interval]:  # fmt: skip
    """(time, cost, slope in p, slopes in ln w and, last, in ln noise (..., n + 1)) of uploads.

    Of log-power p (...,), disturbances w (..., n) and noise (...,) over the own gain, propagation
    `away`, and with a price of `late` more for a second. (8), (10), (12)-(13), (19), (21).
    """
    watts = iv.exp(p)
    all_w = iv.append(w, noise)
    total = all_w.sum()
    sinr = watts / total
    nats = iv.log1p(sinr)
    time = load / nats
    joule = watts * model.energy
    price = joule + model.latency + late
    steep = price * time * (sinr / (sinr + 1.0)) / nats  # -d cost / d ln sinr
    own = joule * (time + away) - steep
    return time, price * time + joule * away, own, all_w / total[..., None] * steep[..., None]

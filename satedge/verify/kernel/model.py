"""One slot of the model in intervals; equation numbers as in docs/model.md.

n requests and M UAVs. O options: the servers, and to be refused. R receivers: the UAVs, the
satellite n', and nobody, to whom the refused send nothing. Gains are logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.problem.instance import Instance
from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Interval

Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

#: A limit counts as kept if it is exceeded by KEPT of itself; for rounding, by a little more.
KEPT = 1e-9
TOLERANCE = KEPT * (1 + 1e-6)
LIGHT_MPS = 299_792_458.0


class Model:
    """What of a slot no decision changes. With hard deadlines nobody is refused or late."""

    def __init__(self, instance: Instance, slot: int, hard: bool) -> None:
        s = self.scenario = instance.scenario
        self.hard, self.devices = hard, np.flatnonzero(instance.active[slot])
        n, m = self.n, self.m = len(self.devices), s.n_uavs
        self.n_options = s.n_servers + 1
        self.receiver = np.append(np.minimum(np.arange(s.n_servers), m), m + 1)  # (O,)
        first = {"all": m, "tier": m - 1, "server": 0}[s.interference_scope]
        group = np.maximum(np.arange(m + 2), first)  # receivers that hear each other's senders
        stray = (self.receiver <= m)[:, None] & (group[self.receiver][:, None] != group)
        self.deaf = stray | (s.interference_leakage == 0)  # (O, R): r does not hear who takes o
        self.log_leak = iv.log(max(s.interference_leakage, 1e-300))
        self.latency, self.energy = s.latency_weight_per_s, s.energy_weight_per_J
        self.late = Interval(self.latency) * s.deadline_penalty
        self.late_cap = 1e12 if hard else float(self.late.lo)
        low, high = Interval(s.power_min_W) / (1 + TOLERANCE), s.power_max_W * (1 + TOLERANCE)
        self.power = np.array([[iv.log(low).lo - 2 * TOLERANCE, iv.log(iv.up(high)).hi]] * n)
        # discs of UAVs: reach around where they start, coverage around devices
        start, self.place = instance.uav_xy_m, instance.device_xy_m[slot, self.devices]
        self.centre = np.insert(np.repeat(self.place[None], m, 0), 0, start, 1)  # (M, 1 + n, 2)
        radius = Interval(np.append(s.uav_reach_m, np.full(n, s.uav_coverage_m)))
        self.radius2 = (radius * (1 + TOLERANCE)).square().hi  # (1 + n,)
        self._radio(instance, slot)
        self._work(instance, slot, self.receiver < m, self.receiver == m)

    def _radio(self, at: Instance, t: int) -> None:
        """Gains but for distance; times of uploads and answers at one nat a second and Hz."""
        s, k, tenth = self.scenario, self.devices, iv.log(10.0) / 10.0
        self.noise = iv.exp((Interval(s.noise_dBm) - 30.0) * tenth)
        self.height2, self.half = Interval(at.uav_altitude_m[t]).square(), s.path_loss_exponent / 2
        fading = iv.log(np.maximum(at.uav_fading[t, k], 1e-300))
        self.log_fading = fading + tenth * s.uav_reference_gain_dB  # ln g - ln d^-alpha
        self.log_satellite = iv.log(np.maximum(at.satellite_gain[t, k], 1e-300))
        self.bits, self.words = at.input_bit[t, k][:, None], at.output_words[t, k][:, None]
        bands = [*[s.uav_bandwidth_Hz] * self.m, s.satellite_bandwidth_Hz, np.inf]
        self.load_s = Interval(self.bits) * iv.log(2.0) / bands  # (n, R): u ln 2 / B
        self.answer_s = Interval(s.token_bit) * self.words * iv.log(2.0)  # (n, 1): b o ln 2
        seen = int(at.access[t])
        away, window = (at.range_m[t, seen], at.window_s[t, seen]) if seen >= 0 else (0.0, 0.0)
        self.window_s = float(window)
        self.away_s = Interval([*[0] * self.m, away, 0]) / LIGHT_MPS  # (R,)

    def _work(self, at: Instance, t: int, uav: Mask, sky: Mask) -> None:
        """Cost and time (n, O) of all that no decision changes; (14)-(25)."""
        s, none = self.scenario, np.zeros(self.m)
        speed = np.where(sky, s.satellite_TFLOPS, np.where(uav, s.uav_TFLOPS, np.inf))
        execute = Interval(np.append(at.server_work_TFLOP, 0.0)) * self.words / speed
        hops = np.concatenate([none, np.maximum(at.isl_hops[t], 0), [0]])
        metres = np.where(hops > 0, np.concatenate([none, at.isl_distance_m[t], [0]]), 0.0)
        payload = Interval(s.token_bit) * self.words + self.bits
        relay = Interval(2 * metres) / LIGHT_MPS + payload * hops / s.isl_rate_bps
        snr = iv.exp(self.log_satellite) * s.satellite_power_W / self.noise
        answer, away = self.answer_s / s.satellite_bandwidth_Hz, self.away_s[self.receiver]
        answer = iv.where(sky, answer / iv.log1p(snr)[:, None] + away, 0.0)
        time_s = execute + relay + answer + away
        watts = np.where(sky, s.satellite_compute_W, s.uav_compute_W)
        joules = execute * watts + relay * s.isl_power_W + answer * s.satellite_power_W
        deadline = at.deadline_s[t, self.devices][:, None]
        self.refusal = (Interval(deadline) * self.late)[:, 0]  # C_out
        serving = time_s * self.latency + joules * self.energy
        self.fixed = iv.where(uav | sky, serving, self.refusal[:, None])
        self.wait_s = execute * float(s.compute_sharing == "shared")  # for one more on the server
        self.finish_s = np.minimum(deadline, np.where(sky, self.window_s, np.inf))
        # from what is in time to what may be admitted as such
        self.slack_s = Interval(self.finish_s, iv.up(self.finish_s * (1 + 2 * TOLERANCE))) - time_s
        linked = np.concatenate([none == 0, at.isl_hops[t] >= 0])
        accurate = at.server_accuracy >= at.accuracy_floor[t, self.devices][:, None]
        self.usable = np.insert(accurate & linked, s.n_servers, not self.hard, -1)

    def ceiling(self) -> float:
        """More than any plan costs whose requests are all in time: uploads and answers of UAVs
        take all the time that is left, at most power."""
        watts = iv.exp(self.power[:, 1:])
        price = (watts + self.scenario.uav_power_W) * self.energy + self.latency
        flight = watts * self.away_s[self.receiver] * self.energy
        cost = iv.maximum(self.slack_s, 0.0) * price + flight + self.fixed
        most = np.where(self.usable, cost.hi, 0.0).max(-1, initial=0.0)
        return float(Interval(most).sum().hi)


def option_terms(model: Model, gain: Interval) -> tuple[Interval, Interval]:
    """(..., n, O) cost of options but for uploads, alone on the server, and time left for uploads.

    Downloads from UAVs are disturbed by the others. (9), (16).
    """
    s, signal = model.scenario, iv.exp(gain[..., : model.m]) * model.scenario.uav_power_W
    others = (signal[..., None, :] * ~np.eye(model.m, dtype=bool)).sum()
    nats = iv.log1p(signal / (others * s.interference_leakage + model.noise))
    down_s = model.answer_s / s.uav_bandwidth_Hz / nats
    down_s = iv.append(down_s, 0.0, model.n_options - model.m)
    price = Interval(model.energy) * s.uav_power_W + model.latency
    return down_s * price + model.fixed, model.slack_s - down_s


def upload(
    model: Model, load: Interval, away: Interval, late: Any, p: Interval, w: Interval,
    noise: Interval,
) -> tuple[Interval, Interval, Interval, Interval]:  # fmt: skip
    """(time, cost, slope in p, slopes in ln w and, last, in ln noise (..., n + 1)) of uploads.

    Of log-power p (...,), disturbances w (..., n) and noise (...,) over the own gain, propagation
    `away`, and with a price of `late` more for a second. (8), (10), (12)-(13), (19), (21).
    """
    watts, all_w = iv.exp(p), iv.append(w, noise[..., None])
    total = all_w.sum()
    sinr = watts / total
    nats = iv.log1p(sinr)
    time, joule = load / nats, watts * model.energy
    price = joule + model.latency + late
    steep = price * time * (sinr / (sinr + 1.0)) / nats  # -d cost / d ln sinr
    own = joule * (time + away) - steep
    return time, price * time + joule * away, own, all_w / total[..., None] * steep[..., None]

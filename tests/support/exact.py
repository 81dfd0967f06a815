"""What the search computes in doubles, in exact fractions or in as many bits as flint is set to."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np
from flint import arb

from minlp.branch_and_bound.presolve import Region
from minlp.branch_and_bound.upload import Least, Upload
from minlp.convex.problem import ConvexProblem
from minlp.slot.data import NOT_SENT, SlotData
from satedge.problem.instance import Instance


def exact(x: Any) -> arb:
    """A double, or a fraction, as it is."""
    if isinstance(x, Fraction):
        return arb(flint.fmpq(x.numerator, x.denominator))
    return arb(float(x))


def exact_convex_bound(problem: ConvexProblem, y: Any, late: Any, mu: Any) -> arb:
    """F_lambda(y) + sum_i min(g_i (l_i - y_i), g_i (u_i - y_i)), for these floats."""
    n, d = len(problem.load_s), len(y)
    z, value, g = [exact(v) for v in y], arb(0), [arb(0)] * d
    for k in np.flatnonzero(problem.load_s > 0):
        at = n + 2 * problem.receiver[k]
        places = z[at : at + 2] if problem.receiver[k] >= 0 else [arb(0), arb(0)]
        heard = [j for j in range(n) if j != k and problem.log_interference[k, j] > -np.inf]
        parts = {}
        for j in heard:
            pull = [exact(v) for v in problem.interference_slope[k, j]]
            level = exact(problem.log_interference[k, j]) + z[j]
            parts[j] = (level + pull[0] * places[0] + pull[1] * places[1]).exp(), pull
        pull = [exact(v) for v in problem.noise_slope[k]]
        level = exact(problem.log_noise[k]) + pull[0] * places[0] + pull[1] * places[1]
        parts[-1] = level.exp(), pull
        total = sum((w for w, _pull in parts.values()), arb(0))
        sinr = z[k].exp() / total
        nats = sinr.log1p()
        h = exact(problem.load_s[k]) / nats
        joule = exact(problem.energy_weight[k]) * z[k].exp()
        away, theta = exact(problem.propagation_s[k]), exact(late[k])
        price = exact(problem.latency_weight[k]) + joule + theta
        value += price * h + joule * away
        if late[k] > 0:
            value -= theta * exact(problem.slack_s[k])
        rate = price * h * sinr / (1 + sinr) / nats
        g[k] += joule * (h + away) - rate
        for j, (w, pull) in parts.items():
            if j >= 0:
                g[j] += rate * w / total
            for axis in range(2 if problem.receiver[k] >= 0 else 0):
                g[at + axis] += rate * w / total * pull[axis]
    for (m, x, v, radius), weight in zip(problem.disc, mu, strict=True):
        at = n + 2 * int(m)
        away2 = [z[at] - exact(x), z[at + 1] - exact(v)]
        value += exact(weight) * (away2[0] ** 2 + away2[1] ** 2 - exact(radius) ** 2)
        for axis in range(2):
            g[at + axis] += 2 * exact(weight) * away2[axis]
    for i in range(d):
        low, high = exact(problem.lower[i]) - z[i], exact(problem.upper[i]) - z[i]
        value += (g[i] * low).min(g[i] * high)
    return value


def exact_upload(upload: Upload, slack: float, found: Least, a: list[arb], noise: arb) -> arb:
    """Gradient inequality of `upload` at what was found, disturbances and noise as given."""
    k, scale, p = upload.k, exact(found.tau).exp(), exact(found.p)
    c, place = [exact(x) for x in upload.slope], upload.place
    low, high = ([exact(x) for x in end] for end in (upload.limits.lower, upload.limits.upper))
    heard = [j for j in range(len(c)) if j != k and a[j] > 0]
    copy = {j: (c[j] * scale / a[j]).log() if c[j] > 0 else low[j] for j in heard}
    copy = {j: x.max(low[j]).min(high[j]) for j, x in copy.items()}
    w = {j: a[j] * copy[j].exp() for j in heard}
    total = sum(w.values(), noise)
    sinr = p.exp() / total
    nats = sinr.log1p()
    h, joule = exact(upload.load_s) / nats, exact(upload.energy_weight) * p.exp()
    theta = found.theta
    price = exact(upload.latency_weight) + joule + exact(theta)
    away, steep = exact(upload.propagation_s), price * h * sinr / (1 + sinr) / nats
    value = price * h + joule * away - c[k] * p
    value -= exact(theta) * exact(slack) if theta > 0.0 else 0
    rise = joule * (h + away) - steep - c[k]
    value += (rise * (low[k] - p)).min(rise * (high[k] - p))
    for j in range(len(c)):
        if j != k and j not in copy:
            value -= (c[j] * low[j]).max(c[j] * high[j])
        elif j != k:
            rise = steep * w[j] / total - c[j]
            value += (rise * (low[j] - copy[j])).min(rise * (high[j] - copy[j])) - c[j] * copy[j]
    for axis in range(2):
        turn = noise * exact(place.bend[len(c), axis])
        turn += sum((w[j] * exact(place.bend[j, axis]) for j in heard), arb(0))
        rise, pay = steep * turn / total - exact(place.pay[axis]), exact(place.pay[axis])
        value -= abs(rise) * exact(place.half[axis]) + (rise + pay) * exact(place.xy[axis])
    return value


def exact_terms(data: SlotData, k: int, o: int, more: int, low: Any, high: Any) -> tuple[arb, arb]:
    """`option_terms` with `more` other requests on the server."""
    cost, slack = exact(data.fixed_cost[k, o]), exact(data.slack_s[k, o])
    r, m = data.receiver[k, o], len(data.altitude_m)
    wait = exact(data.execute_s[k, o]) * (more + 1) if data.shared and r != NOT_SENT else arb(0)
    if 0 <= r < m and data.answer_bit[k] > 0:
        watts = exact(data.uav_power_W)
        others = sum((exact(low[k, j]).exp() for j in range(m) if j != r), arb(0))
        others *= exact(data.log_leakage).exp() if data.log_leakage > -np.inf else 0
        sinr = exact(high[k, r]).exp() * watts / (others * watts + exact(data.log_noise).exp())
        down = exact(data.answer_bit[k]) * arb(2).log() / exact(data.uav_bandwidth_Hz)
        wait += down / sinr.log1p()
        cost += exact(data.energy_weight) * watts * down / sinr.log1p()
    return cost + exact(data.latency_weight) * wait, slack - wait


def exact_alone(data: SlotData, k: int, o: int, low: Any, high: Any) -> arb:
    """Least cost of an option without interference."""
    cost, slack = exact_terms(data, k, o, 0, low, high)
    r = data.receiver[k, o]
    if r == NOT_SENT:
        return cost
    over = exact(high[k, r]) - exact(data.log_noise)
    h = exact(data.load_s[k, r]) / (over + exact(data.log_power_max)).exp().log1p()
    joule = exact(data.energy_weight) * exact(data.load_s[k, r]) * (-over).exp()
    late = (h - slack).max(arb(0)) * exact(data.overrun_weight)
    return cost + exact(data.latency_weight) * h + joule + late


Held = dict[tuple[int, int], Fraction]


def exact_load(
    data: SlotData, region: Region, price: Any, dual: Any
) -> tuple[Fraction, Held, Held]:
    """L(u) of the load problem, and what it is with a device held at an option, or with a server
    at a load."""
    u, allowed = [Fraction(float(x)) for x in dual], region.allowed
    total, more, loads = sum(u, Fraction(0)), Held(), Held()
    for k, row in enumerate(data.n_options.tolist()):
        o = row - 1
        if data.receiver[k, o] == NOT_SENT and allowed[k] >> o & 1:
            reduced = Fraction(float(price[k, o, 0])) - u[k]
            alone = allowed[k] == 1 << o
            total += reduced if alone else min(reduced, Fraction(0))
            more[k, o] = Fraction(0) if alone else max(reduced, Fraction(0))
    for s in range(len(region.spans)):
        sums, held = _exact_server(data, region, price, u, s)
        least = min(sums.values())
        total += least
        loads |= {(s, c): value - least for c, value in sums.items()}
        more |= {x: value - least for x, value in held.items()}
    held_at = {x: total + value for x, value in more.items()}
    return total, held_at, {x: total + value for x, value in loads.items()}


def _exact_server(
    data: SlotData, region: Region, price: Any, u: list[Fraction], s: int
) -> tuple[dict[int, Fraction], Held]:
    """Least sums of reduced prices by load of server s, and of any load with an option held."""
    found = [(k, o) for k, o in np.argwhere(data.server == s).tolist()]
    who = [(k, o) for k, o in found if region.allowed[k] >> o & 1]
    must = [(k, o) for k, o in who if region.allowed[k] == 1 << o]
    low, high = region.spans[s].tolist()
    sums, held = dict[int, Fraction](), Held()
    for c in range(max(low, len(must)), min(high, len(who)) + 1):
        reduced = {x: Fraction(float(price[(*x, c - 1)])) - u[x[0]] for x in who if c}
        rest = sorted((x for x in reduced if x not in must), key=lambda x: reduced[x])
        taken = must + rest[: c - len(must)]
        sums[c] = sum((reduced[x] for x in taken), Fraction(0))
        for x, value in reduced.items():
            if x in taken or c > len(must):
                here = sums[c] + (0 if x in taken else value - reduced[taken[-1]])
                held[x] = min(held.get(x, here), here)
    return sums, held


def exact_gain(instance: Instance, k: int, m: int, q: Any) -> arb:
    """Log gain of device k at UAV m in q, or at the satellite."""
    s, device = instance.scenario, int(np.flatnonzero(instance.active[0])[k])
    if m == s.n_uavs:
        return exact(max(instance.satellite_gain[0, device], 1e-300)).log()
    fading = exact(max(instance.uav_fading[0, device, m], 1e-300)).log()
    fading += exact(s.uav_reference_gain_dB) / 10 * arb(10).log()
    x, y = instance.device_xy_m[0, device]
    away2 = (exact(q[0]) - exact(x)) ** 2 + (exact(q[1]) - exact(y)) ** 2
    away2 += exact(instance.uav_altitude_m[0, m]) ** 2
    return fading - exact(s.path_loss_exponent) / 2 * away2.log()

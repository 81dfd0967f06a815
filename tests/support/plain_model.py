"""The model written a second time: plain loops over the numbered formulas, for one slot.

Nothing here is shared with satedge.problem.referee or satedge.problem.coefficients.
"""

import math

C_MPS = 299_792_458.0


def uav_gain(instance, t, k, uav, xy):
    """Power gain |h|^2 with h of (6)-(7)."""
    s = instance.scenario
    dx = xy[uav][0] - instance.device_xy_m[t, k, 0]
    dy = xy[uav][1] - instance.device_xy_m[t, k, 1]
    distance = math.sqrt(dx * dx + dy * dy + instance.uav_altitude_m[t, uav] ** 2)
    beta = 10 ** (s.uav_reference_gain_dB / 10)
    return beta * distance**-s.path_loss_exponent * instance.uav_fading[t, k, uav]


def gain_to(instance, t, j, server, xy):
    """Gain of sender j at the receiver that `server` listens with."""
    if server < instance.scenario.n_uavs:
        return uav_gain(instance, t, j, server, xy)
    return instance.satellite_gain[t, j]


def disturbs(instance, j, k, servers):
    """Whether sender j is in I(k, r) of (8), (10)."""
    m, scope = instance.scenario.n_uavs, instance.scenario.interference_scope
    if j == k or servers[j] < 0:
        return False
    up_j, up_k = servers[j] >= m, servers[k] >= m
    if scope == "all":
        return True
    if scope == "tier":
        return up_j == up_k
    return servers[j] == servers[k] or (up_j and up_k)


def uplink_rate_bps(instance, t, k, servers, powers, xy):
    """(8) and (10)."""
    s = instance.scenario
    heard = 0.0
    for j in range(s.n_devices):
        if disturbs(instance, j, k, servers):
            heard += gain_to(instance, t, j, servers[k], xy) * powers[j]
    own = gain_to(instance, t, k, servers[k], xy) * powers[k]
    noise = 10 ** (s.noise_dBm / 10) / 1000
    band = s.uav_bandwidth_Hz if servers[k] < s.n_uavs else s.satellite_bandwidth_Hz
    return band * math.log2(1 + own / (s.interference_leakage * heard + noise))


def downlink_rate_bps(instance, t, k, server, xy):
    """(9) and (11)."""
    s = instance.scenario
    noise = 10 ** (s.noise_dBm / 10) / 1000
    if server >= s.n_uavs:
        own = instance.satellite_gain[t, k] * s.satellite_power_W
        return s.satellite_bandwidth_Hz * math.log2(1 + own / noise)
    heard = sum(
        uav_gain(instance, t, k, j, xy) * s.uav_power_W for j in range(s.n_uavs) if j != server
    )
    own = uav_gain(instance, t, k, server, xy) * s.uav_power_W
    return s.uav_bandwidth_Hz * math.log2(1 + own / (s.interference_leakage * heard + noise))


def device(instance, t, k, servers, powers, xy):
    """(latency s, energy J, time from which it is late s) of a served device: (12)-(30)."""
    s = instance.scenario
    server = servers[k]
    u, o = float(instance.input_bit[t, k]), float(instance.output_words[t, k])
    sharing = 1
    if s.compute_sharing == "shared":
        sharing = sum(1 for other in servers if other == server)
    v = float(instance.server_work_TFLOP[server])
    upload = u / uplink_rate_bps(instance, t, k, servers, powers, xy)
    download = s.token_bit * o / downlink_rate_bps(instance, t, k, server, xy)
    if server < s.n_uavs:
        execute = v * o / s.uav_TFLOPS
        latency = upload + execute * sharing + download
        energy = powers[k] * upload + s.uav_compute_W * execute + s.uav_power_W * download
        return latency, energy, float(instance.deadline_s[t, k])
    access, satellite = instance.access[t], server - s.n_uavs
    flight = instance.range_m[t, access] / C_MPS
    hops = int(instance.isl_hops[t, satellite])
    links = instance.isl_distance_m[t, satellite] / C_MPS
    relay_up = links + hops * u / s.isl_rate_bps
    relay_down = links + hops * s.token_bit * o / s.isl_rate_bps
    execute = v * o / s.satellite_TFLOPS
    latency = upload + flight + relay_up + execute * sharing + relay_down + download + flight
    energy = powers[k] * (upload + flight) + s.isl_power_W * (relay_up + relay_down)
    energy += s.satellite_compute_W * execute + s.satellite_power_W * (download + flight)
    late_from = min(float(instance.deadline_s[t, k]), float(instance.window_s[t, access]))
    return latency, energy, late_from


def elastic_cost(instance, t, k, servers, powers, xy):
    """What a served device would cost without a bound: the summand of (31), deadlines soft."""
    s = instance.scenario
    latency, energy, late_from = device(instance, t, k, servers, powers, xy)
    cost = s.latency_weight_per_s * latency + s.energy_weight_per_J * energy
    overrun = max(0.0, latency - late_from)
    return cost + s.deadline_penalty * s.latency_weight_per_s * overrun


def most_cost(instance, t, k):
    """What a refused request costs, and any other at most: T_max of overrun."""
    s = instance.scenario
    return s.deadline_penalty * s.latency_weight_per_s * float(instance.deadline_s[t, k])


def slot_cost(instance, t, servers, powers, xy):
    """Mean cost over all K devices: (31) with soft deadlines and bounded outages."""
    total = 0.0
    for k in range(instance.scenario.n_devices):
        if not instance.active[t, k]:
            continue
        cost = most_cost(instance, t, k)
        if servers[k] >= 0:
            cost = min(cost, elastic_cost(instance, t, k, servers, powers, xy))
        total += cost
    return total / instance.scenario.n_devices

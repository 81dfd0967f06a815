"""How many slots a second the environments decide, against peers measured in the same run.

    make bench

One slot-step is everything between two actions: decode, project, judge, reward, observe. Peers:
gymnasium's SyncVectorEnv of the single environment; a gymnasium environment of plain Python as one
would write it from the formulas; and gymnasium's own vectorised CartPole, whose step is four
numbers' arithmetic, as a measure of what any vector environment costs. Seconds are those of the
processor, all run on one thread, they take turns and the best turn of each counts: a busy machine
disturbs little, and all of them alike.
"""

import math
import random
import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import drl  # noqa: F401 (registers the environment)
from drl.env.pool import Pool, training_episodes
from drl.env.vector_env import OffloadingBatch
from satedge.problem.scenario import preset

BATCH = 1024
LEAST_PER_S = 1_000_000
TURNS = 15


@pytest.fixture(scope="module")
def pool():
    return Pool(training_episodes(preset("paper"), 16))


def test_slot_steps_per_second(pool, benchmark):
    """At batch 1024, at least a million slot-steps a second on one core."""
    peers = {
        f"batch of {BATCH}": batch_turn(pool),
        f"native VectorEnv of {BATCH}": vector_turn(pool),
        "SyncVectorEnv of 16": sync_turn(pool),
        "plain Python Env": plain_turn(pool),
        f"CartPole's VectorEnv of {BATCH}": cart_pole_turn(),
    }
    rates = dict.fromkeys(peers, 0.0)
    for _ in range(TURNS):
        for name, turn in peers.items():
            began = time.process_time()
            n_steps = turn()
            rates[name] = max(rates[name], n_steps / (time.process_time() - began))
    best = rates[f"batch of {BATCH}"]
    print()
    for name, rate in rates.items():
        print(f"{name:>28}: {rate:9.0f} steps/s, batch is {best / rate:6.2f} times as fast")
    benchmark.extra_info.update({f"{name} (1/s)": round(rate) for name, rate in rates.items()})
    benchmark.pedantic(next(iter(peers.values())), rounds=5, warmup_rounds=1)
    assert best >= LEAST_PER_S


def random_actions(rng, n, n_devices=10, n_servers=7, n_uavs=3):
    server = rng.integers(0, n_servers, (n, n_devices))
    return server, rng.uniform(-1, 1, (n, n_devices + 2 * n_uavs)).astype(np.float32)


def batch_turn(pool, n_steps=10):
    batch = OffloadingBatch(pool, BATCH)
    batch.reset()
    actions = random_actions(np.random.default_rng(0), BATCH)

    def turn():
        for _ in range(n_steps):
            batch.step(*actions)
        return n_steps * BATCH

    return turn


def vector_turn(pool, n_steps=10):
    env = gym.make_vec("satedge/Offloading-v0", num_envs=BATCH, instances=pool)
    return _gymnasium_turn(env, n_steps)


def sync_turn(pool, n_steps=3):
    def one():
        return gym.make("satedge/Offloading-v0", instances=pool, disable_env_checker=True)

    env = SyncVectorEnv([one] * 16, autoreset_mode=AutoresetMode.SAME_STEP)
    return _gymnasium_turn(env, n_steps)


def _gymnasium_turn(env, n_steps):
    env.reset(seed=0)
    env.action_space.seed(0)
    action = env.action_space.sample()

    def turn():
        for _ in range(n_steps):
            env.step(action)
        return n_steps * env.num_envs

    return turn


def cart_pole_turn(n_steps=10):
    env = gym.make_vec("CartPole-v1", BATCH, vectorization_mode="vector_entry_point")
    return _gymnasium_turn(env, n_steps)


# --- the same step in plain Python


class PlainEnv(gym.Env):
    """The environment as loops over devices and servers: one vector of features, a Dict action."""

    def __init__(self, instance):
        s = self.scenario = instance.scenario
        self.data = {name: np.asarray(value).tolist() for name, value in _numbers(instance).items()}
        self.logs = math.log(s.power_min_W), math.log(s.power_max_W)
        self.start, self.random = instance.uav_xy_m.tolist(), random.Random(0)
        size = len(_observation(s, self.data, 0, self.start))
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self.action_space = gym.spaces.Dict(
            {
                "server": gym.spaces.MultiDiscrete([s.n_servers] * s.n_devices),
                "power": gym.spaces.Box(-1, 1, (s.n_devices,), np.float64),
                "displacement": gym.spaces.Box(-1, 1, (s.n_uavs, 2), np.float64),
            }
        )

    def reset(self, *, seed=None, options=None):
        self.t, self.at = 0, self.start
        return np.array(_observation(self.scenario, self.data, 0, self.at)), {}

    def step(self, action):
        s, logs = self.scenario, self.logs
        powers = [math.exp(logs[0] + (logs[1] - logs[0]) * (x + 1) / 2) for x in action["power"]]
        steps = [_flight(s.uav_reach_m, a, b) for a, b in action["displacement"].tolist()]
        servers = action["server"].tolist()
        seen, reward, self.at = plain_step(
            s, self.data, self.t, servers, powers, steps, self.at, self.random
        )
        self.t += 1
        return np.array(seen), reward, False, self.t == s.n_slots - 1, {}


def _flight(reach, a, b):
    return reach * a * math.sqrt(1 - b * b / 2), reach * b * math.sqrt(1 - a * a / 2)


def plain_turn(pool, n_steps=20):
    env = PlainEnv(pool.instances[0])
    env.action_space.seed(0)
    action = env.action_space.sample()

    def turn():
        env.reset()
        for _ in range(n_steps):
            env.step(action)
        return n_steps

    return turn


def _numbers(instance):
    names = [
        "active", "input_bit", "output_words", "deadline_s", "accuracy_floor", "device_xy_m",
        "uav_altitude_m", "uav_fading", "satellite_gain", "range_m", "window_s", "access",
        "isl_hops", "isl_distance_m", "server_accuracy", "server_work_TFLOP",
    ]  # fmt: skip
    return {name: getattr(instance, name) for name in names}


def plain_step(s, d, t, servers, powers, steps, at, rng):
    """Move, replace unavailable servers, score and observe one slot, device by device."""
    side, reach = s.area_side_m, s.uav_reach_m
    moved = []
    for (x, y), (dx, dy) in zip(at, steps, strict=True):
        scale = min(1.0, reach / max(math.hypot(dx, dy), 1e-9))
        x, y = x + scale * dx, y + scale * dy
        moved.append((min(max(x, 0.0), side), min(max(y, 0.0), side)))
    chosen = []
    for k in range(s.n_devices):
        fine = [n for n in range(s.n_servers) if _may_serve(s, d, t, k, n, moved, 0.0)]
        redraw = servers[k] not in fine
        chosen.append((rng.choice(fine) if fine else -1) if redraw else servers[k])
    costs = [_device_cost(s, d, t, k, chosen, powers, moved) for k in range(s.n_devices)]
    total = sum(costs)
    reward = s.n_devices * s.reward_scale / total if total else 0.0
    return _observation(s, d, t + 1, moved), reward, moved


def _may_serve(s, d, t, k, n, xy, reach):
    if not d["active"][t][k] or d["server_accuracy"][n] < d["accuracy_floor"][t][k]:
        return False
    if n >= s.n_uavs:
        return d["isl_hops"][t][n - s.n_uavs] >= 0
    x, y = d["device_xy_m"][t][k]
    return math.hypot(x - xy[n][0], y - xy[n][1]) <= s.uav_coverage_m + reach


def _gain(s, d, t, k, n, xy):
    if n >= s.n_uavs:
        return d["satellite_gain"][t][k]
    x, y = d["device_xy_m"][t][k]
    squared = (x - xy[n][0]) ** 2 + (y - xy[n][1]) ** 2 + d["uav_altitude_m"][t][n] ** 2
    decay = squared ** (-s.path_loss_exponent / 2)
    return 10 ** (s.uav_reference_gain_dB / 10) * decay * d["uav_fading"][t][k][n]


def _device_cost(s, d, t, k, servers, powers, xy):
    n = servers[k]
    if not d["active"][t][k]:
        return 0.0
    if n < 0:
        return s.penalty_per_s * d["deadline_s"][t][k]
    sinr = _uplink_sinr(s, d, t, k, servers, powers, xy)
    above = n >= s.n_uavs
    band = s.satellite_bandwidth_Hz if above else s.uav_bandwidth_Hz
    upload = d["input_bit"][t][k] / (band * math.log2(1 + sinr))
    relay, flight, down_sinr, late_from = (_above if above else _below)(s, d, t, k, n, xy)
    tflops, compute_W, send_W = (
        (s.satellite_TFLOPS, s.satellite_compute_W, s.satellite_power_W)
        if above
        else (s.uav_TFLOPS, s.uav_compute_W, s.uav_power_W)
    )
    words = d["output_words"][t][k]
    execute = d["server_work_TFLOP"][n] * words / tflops
    download = s.token_bit * words / (band * math.log2(1 + down_sinr)) + flight
    upload += flight
    latency = upload + execute + relay + download
    energy = powers[k] * upload + compute_W * execute + s.isl_power_W * relay + send_W * download
    cost = s.latency_weight_per_s * latency + s.energy_weight_per_J * energy
    cost += s.penalty_per_s * max(0.0, latency - late_from)
    return min(cost, s.penalty_per_s * d["deadline_s"][t][k])


def _uplink_sinr(s, d, t, k, servers, powers, xy):
    heard = 0.0
    for j in range(s.n_devices):
        if j != k and servers[j] >= 0:
            heard += _gain(s, d, t, j, servers[k], xy) * powers[j]
    own = _gain(s, d, t, k, servers[k], xy) * powers[k]
    return own / (s.interference_leakage * heard + s.noise_W)


def _above(s, d, t, k, n, xy):
    access, hops, relay = d["access"][t], d["isl_hops"][t][n - s.n_uavs], 0.0
    if hops:
        bits = d["input_bit"][t][k] + s.token_bit * d["output_words"][t][k]
        relay = 2 * d["isl_distance_m"][t][n - s.n_uavs] / 299_792_458.0
        relay += hops * bits / s.isl_rate_bps
    flight = d["range_m"][t][access] / 299_792_458.0
    sinr = d["satellite_gain"][t][k] * s.satellite_power_W / s.noise_W
    return relay, flight, sinr, min(d["deadline_s"][t][k], d["window_s"][t][access])


def _below(s, d, t, k, n, xy):
    heard = [_gain(s, d, t, k, m, xy) * s.uav_power_W for m in range(s.n_uavs)]
    others = sum(heard) - heard[n]
    sinr = heard[n] / (s.interference_leakage * others + s.noise_W)
    return 0.0, 0.0, sinr, d["deadline_s"][t][k]


def _observation(s, d, t, xy):
    seen = []
    for k in range(s.n_devices):
        seen += [
            d["input_bit"][t][k] / 1e7,
            d["output_words"][t][k] / 96,
            d["deadline_s"][t][k] / 3,
            d["accuracy_floor"][t][k],
            *(v / s.area_side_m for v in d["device_xy_m"][t][k]),
            float(not d["active"][t][k]),
        ]
        links = [_gain(s, d, t, k, n, xy) for n in range(s.n_uavs + 1)]
        seen += [10 * math.log10(g) if g > 0 else -200.0 for g in links]
        reach = s.uav_reach_m
        seen += [float(_may_serve(s, d, t, k, n, xy, reach)) for n in range(s.n_servers)]
    for window in d["window_s"][t]:
        seen.append(window / 250)
    for x, y in xy:
        seen += [x / s.area_side_m, y / s.area_side_m]
    return seen


def test_plain_python_computes_the_same(pool):
    """The plain environment is a fair peer: what it earns is what the batch does, to rounding."""
    instance = pool.instances[0]
    s, batch, plain = instance.scenario, OffloadingBatch([instance], 1), PlainEnv(instance)
    batch.reset()
    plain.reset()
    server, continuous = random_actions(np.random.default_rng(0), 1)
    displacement = continuous[0, s.n_devices :].reshape(-1, 2).astype(float)
    result = batch.step(server, continuous)
    action = {"server": result.plan.server[0], "power": continuous[0, : s.n_devices].astype(float)}
    _, reward, *_ = plain.step({**action, "displacement": displacement})
    assert reward == pytest.approx(result.reward[0], rel=1e-9)
    np.testing.assert_allclose(plain.at, result.plan.uav_xy_m[0], atol=1e-9)

"""(scenario, seed) -> Instance. The same pair gives the same bytes anywhere, in any order.

Every quantity has its own random stream with the device axis leading, so that changing one
parameter leaves all other draws as they are, and ten devices start with the draws of five:
sweeps are paired. Floats are rounded to 26 significant bits, which hides the last-bit differences
between mathematical libraries.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.problem.generation import channel, mobility
from satedge.problem.instance import Instance
from satedge.problem.satellites import orbit
from satedge.problem.scenario import Scenario, ScenarioError, execution_s

Array = NDArray[np.float64]

#: Rounds of drawing again before a scenario counts as one whose requests cannot be drawn.
MAX_ROUNDS = 100_000

#: Numbers of eight bytes that an episode and its tables may hold: with ten devices, three UAVs and
#: four satellites 100,000 slots.
MAX_NUMBERS = 60_000_000


#: Seeds of the suites that are held out for a final analysis (`satedge.bench.study.held_out`).
HELD_OUT_SEEDS = range(900_000, 1_000_000)

#: Seeds of the episodes that learners train on, and nothing else uses.
TRAIN_SEEDS = range(1_000_000, 1_000_000_000)


@dataclass(frozen=True)
class Requests:
    """Requests in order of service: row k holds those of device k. All (K, T)."""

    input_bit: Array
    output_words: NDArray[np.int64]
    deadline_s: Array
    accuracy_floor: Array


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The random stream of one purpose (and device) under a seed."""
    entropy = [seed, zlib.crc32(purpose.encode()), index]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))


def generate(
    scenario: Scenario,
    seed: int,
    *,
    passes: orbit.Passes | None = None,
    name: str = "",
    held_out: bool = False,
) -> Instance:
    """An episode of `scenario.n_slots` slots. Raises ScenarioError where no draw can succeed.

    The same scenario and seed give the same arrays on any machine. `passes` (T slots, N satellites)
    replaces the circular orbit, for example by satellites propagated with SGP4. HELD_OUT_SEEDS are
    refused, unless they are asked for as such.
    """
    if seed < 0:
        raise ScenarioError(f"seed = {seed}: allowed is an integer >= 0")
    if seed in HELD_OUT_SEEDS and not held_out:
        raise ScenarioError(
            f"seed = {seed}: allowed is one outside {HELD_OUT_SEEDS.start}-"
            f"{HELD_OUT_SEEDS.stop - 1}, which are held out for a final analysis"
        )
    s = scenario
    require_room(s)
    seen = passes if passes is not None else circular(scenario, seed)
    active, requests = _queue(s, seed)
    models = s.models()
    return Instance(
        name=name or f"seed-{seed}",
        scenario=s,
        seed=int(seed),
        active=active.T.copy(),
        input_bit=_rounded(np.where(active, requests.input_bit, 0.0).T),
        output_words=np.where(active, requests.output_words, 0).T.copy(),
        deadline_s=_rounded(np.where(active, requests.deadline_s, 0.0).T),
        accuracy_floor=_rounded(np.where(active, requests.accuracy_floor, 0.0).T),
        device_xy_m=_rounded(_tracks(s, seed)),
        uav_xy_m=_rounded(_uav_sites(s, seed)),
        uav_altitude_m=np.tile(_rounded(_uav_altitudes_m(s, seed)), (s.n_slots, 1)),
        uav_fading=_rounded(_uav_fading(s, seed)),
        satellite_gain=_rounded(_satellite_gain(s, seed, seen)),
        elevation_deg=_rounded(seen.elevation_deg),
        range_m=_rounded(seen.range_m),
        window_s=_rounded(seen.window_s),
        access=seen.access,
        isl_hops=seen.isl_hops,
        isl_distance_m=_rounded(np.where(seen.isl_hops >= 0, seen.isl_distance_m, 0.0)),
        server_accuracy=models.accuracy,
        server_work_TFLOP=models.work_TFLOP,
    )


def numbers_per_slot(s: Scenario) -> int:
    """How many numbers the arrays of a slot hold."""
    return s.n_devices * (s.n_uavs + 8) + s.n_uavs + 5 * s.n_satellites + 1


def numbers(s: Scenario) -> int:
    """How many numbers an episode holds, with the tables over servers that are made of it."""
    return s.n_slots * (numbers_per_slot(s) + 6 * s.n_devices * s.n_servers)


def require_room(s: Scenario) -> None:
    """Refuse an episode that no memory holds before any of it is taken. Raises ScenarioError."""
    most = MAX_NUMBERS * s.n_slots // numbers(s)
    if s.n_slots > most:
        raise ScenarioError(
            f"n_slots = {s.n_slots}: allowed is at most {most} with {s.n_devices} devices, "
            f"{s.n_uavs} UAVs and {s.n_satellites} satellites"
        )


def slot_times_s(scenario: Scenario) -> Array:
    """Start of every slot: (T,)."""
    times_s: Array = np.float64(scenario.slot_s) * np.arange(scenario.n_slots, dtype=np.float64)
    return times_s


def orbit_design(s: Scenario) -> dict[str, Any]:
    """The scenario's circular planes, as the functions of `orbit` take them."""
    return {
        "n_satellites": s.n_satellites,
        "planes": s.satellite_planes,
        "altitude_m": s.satellite_altitude_m,
        "min_elevation_deg": s.elevation_min_deg,
        "spacing_deg": s.satellite_spacing_deg,
        "plane_spacing_deg": s.plane_spacing_deg,
        "cross_track_m": s.cross_track_m,
    }


def circular(scenario: Scenario, seed: int) -> orbit.Passes:
    """The scenario's circular planes, with the episode's own phase."""
    s = scenario
    geometry = orbit_design(s)
    phase_deg = 0.0
    if s.n_satellites:
        low, high = orbit.phase_interval_deg(horizon_s=s.n_slots * s.slot_s, **geometry)
        phase_deg = stream(seed, "orbital-phase").uniform(low, high)
    return orbit.circular_passes(
        slot_times_s(s),
        phase_deg=phase_deg,
        isl_topology=s.isl_topology,
        isl_min_altitude_m=s.isl_altitude_min_m,
        **geometry,
    )


def _rounded(values: Array) -> Array:
    """`values` to 26 significant bits. Exact, so the same on every machine."""
    mantissa, exponent = np.frexp(values)
    scaled: Array = np.ldexp(np.rint(mantissa * 2.0**26), exponent - 26)
    return np.ascontiguousarray(scaled)


def _tracks(s: Scenario, seed: int) -> Array:
    streams = [stream(seed, "device", k) for k in range(s.n_devices)]
    return mobility.tracks(
        streams,
        s.mobility,
        n_slots=s.n_slots,
        slot_s=s.slot_s,
        side_m=s.area_side_m,
        speed_min_mps=s.device_speed_min_mps,
        speed_max_mps=s.device_speed_max_mps,
        pause_max_s=s.device_pause_max_s,
    )


def _uav_sites(s: Scenario, seed: int) -> Array:
    """Start positions, drawn again until the UAVs keep their distance."""
    rng = stream(seed, "uav-site")
    for _ in range(MAX_ROUNDS):
        sites = rng.uniform(0.0, s.area_side_m, (s.n_uavs, 2))
        away = sites[:, None] - sites[None]
        apart = np.hypot(away[..., 0], away[..., 1]) + np.diag(np.full(s.n_uavs, np.inf))
        if s.uav_separation_m == 0 or s.n_uavs < 2 or apart.min() >= 1.001 * s.uav_separation_m:
            return sites
    raise ScenarioError(
        f"uav_separation_m = {s.uav_separation_m:g}: allowed is a distance that "
        f"{s.n_uavs} UAVs can keep in an area of {s.area_side_m:g} m"
    )


def _uav_altitudes_m(s: Scenario, seed: int) -> Array:
    """(M,) altitudes, kept for the whole episode."""
    rng = stream(seed, "uav-altitude")
    return rng.uniform(s.uav_altitude_min_m, s.uav_altitude_max_m, s.n_uavs)


def _uav_fading(s: Scenario, seed: int) -> Array:
    """(T, K, M) power of the fading between devices and UAVs."""
    shape = (s.n_devices, s.n_slots, s.n_uavs)
    fading = channel.rician_power(stream(seed, "uav-fading"), s.rician_factor_dB, shape)
    return fading.transpose(1, 0, 2)


def _satellite_gain(s: Scenario, seed: int, seen: orbit.Passes) -> Array:
    """(T, K) power gains to the accessible satellite, 0 without one."""
    b, m, omega = channel.SHADOWING[s.shadowing]
    fading = channel.shadowed_rician_power(
        stream(seed, "satellite-fading"), b, m, omega, (s.n_devices, s.n_slots)
    )
    visible = seen.access >= 0
    if not visible.any():
        return np.zeros((s.n_slots, s.n_devices))
    rows = np.arange(s.n_slots)
    distance_m = np.where(visible, seen.range_m[rows, np.maximum(seen.access, 0)], 1.0)
    path = channel.free_space_gain(distance_m, s.carrier_Hz, s.antenna_gain_dB)
    gain = np.maximum(fading.T * np.asarray(path)[:, None], 1e-300)
    return np.where(visible[:, None], np.minimum(gain, 1.0), 0.0)


def _queue(s: Scenario, seed: int) -> tuple[NDArray[np.bool_], Requests]:
    """Which devices have a request in which slot (K, T), and its values there."""
    shape = (s.n_devices, s.n_slots)
    drawn = _draw_requests(s, seed)
    if s.arrivals == "every-slot":
        return np.ones(shape, bool), drawn
    rate = stream(seed, "arrival-rate").uniform(
        s.arrival_rate_min, s.arrival_rate_max, (s.n_devices, 1)
    )
    arriving = np.stack(
        [stream(seed, "arrivals", k).poisson(rate[k], s.n_slots) for k in range(s.n_devices)]
    )
    active: NDArray[np.bool_] = np.empty(shape, bool)
    queued = np.ones(s.n_devices, np.int64)
    for t in range(s.n_slots):
        active[:, t] = np.asarray(queued > 0)
        queued += arriving[:, t] - active[:, t]
    served = np.maximum(active.cumsum(axis=1) - 1, 0)
    values = {
        name: np.take_along_axis(getattr(drawn, name), served, axis=1)
        for name in ("input_bit", "output_words", "deadline_s", "accuracy_floor")
    }
    return active, Requests(**values)


def _draw_requests(s: Scenario, seed: int) -> Requests:
    """T requests a device. With servable requests, those no server meets are drawn again."""
    first = _draw_round(s, seed, 0)
    if s.requests == "as-printed":
        return first
    values = vars(first).copy()
    for attempt in range(1, MAX_ROUNDS):
        hopeless = ~_servable(s, Requests(**values))
        if not hopeless.any():
            return Requests(**values)
        again = vars(_draw_round(s, seed, attempt))
        values = {name: np.where(hopeless, again[name], values[name]) for name in values}
    raise ScenarioError(
        "requests = 'servable': allowed is a scenario in which servers meet more than one draw in "
        f"{MAX_ROUNDS}; widen the deadlines or lower accuracy_min"
    )


def _draw_round(s: Scenario, seed: int, attempt: int) -> Requests:
    def unit(purpose: str) -> Array:
        return stream(seed, purpose, attempt).random((s.n_devices, s.n_slots))

    words = np.array(s.output_words, np.int64)
    chosen = np.minimum((unit("output") * len(words)).astype(np.int64), len(words) - 1)
    return Requests(
        input_bit=s.input_min_bit + (s.input_max_bit - s.input_min_bit) * unit("input"),
        output_words=words[chosen],
        deadline_s=s.deadline_min_s + (s.deadline_max_s - s.deadline_min_s) * unit("deadline"),
        accuracy_floor=s.accuracy_min + (s.accuracy_max - s.accuracy_min) * unit("accuracy"),
    )


def _servable(s: Scenario, requests: Requests) -> NDArray[np.bool_]:
    """(K, T) Some server meets the accuracy and leaves time for communication."""
    per_word_s = np.array(execution_s(s, 1.0))
    time_s = per_word_s * requests.output_words[..., None] + s.comm_margin_s
    meets = s.models().accuracy >= requests.accuracy_floor[..., None]
    return np.asarray((meets & (time_s <= requests.deadline_s[..., None])).any(axis=-1))

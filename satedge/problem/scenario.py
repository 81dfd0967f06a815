"""The scenario: every constant of the model, with unit, default, admissible range and source.

Sources: "Table 1", "5.1" and the like are places in Yan et al., Drones 2025, 9(7), 500; "Table 2"
its learning settings; "open" marks a value the paper leaves out and this project sets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, Self

from satedge.nearest import did_you_mean
from satedge.problem.catalogue import Catalogue, CatalogueName, build_catalogue
from satedge.problem.fields import Declared, Distinct, declared, param, parsed


class ScenarioError(ValueError):
    """A parameter is unknown or inadmissible: its name, its value and what is allowed."""


@declared(ScenarioError, "parameter", "`satedge scenario`")
class Scenario(Declared):
    """All parameters of the model. Frozen, and validated when made (raises ScenarioError)."""

    # Sizes and time
    n_devices: int = param(10, "-", "Table 1", "IoT devices, K.", low=1, high=200)
    n_uavs: int = param(3, "-", "Table 1", "UAVs, M.", low=0, high=50)
    n_satellites: int = param(4, "-", "Table 1", "LEO satellites, N.", low=0, high=200)
    n_slots: int = param(100, "-", "Table 1", "Slots of an episode, T.", low=1, high=100_000)
    slot_s: float = param(3.0, "s", "5.1", "Length of a slot.", low=0.01, high=3600)
    area_side_m: float = param(500.0, "m", "5.1", "Side of the square area.", low=1, high=1e5)

    # UAVs
    uav_altitude_min_m: float = param(40.0, "m", "5.1", "Lowest UAV altitude.", low=1, high=1e4)
    uav_altitude_max_m: float = param(60.0, "m", "5.1", "Highest UAV altitude.", low=1, high=1e4)
    uav_coverage_m: float = param(
        250.0, "m", "open, (3)", "Horizontal radius in which a UAV serves.", low=1, high=1e5
    )
    uav_speed_max_mps: float = param(20.0, "m/s", "open", "Top speed of a UAV.", low=0, high=300)
    uav_separation_m: float = param(
        0.0, "m", "open", "Least distance between UAVs after moving; 0 is off.", low=0, high=1e4
    )

    # Satellites
    satellite_altitude_m: float = param(
        500e3, "m", "5.1", "Altitude of the circular orbit.", low=160e3, high=2000e3
    )
    satellite_planes: int = param(1, "-", "open", "Orbital planes; divides N.", low=1, high=50)
    satellite_spacing_deg: float = param(
        13.0, "deg", "open", "Angle between neighbours in a plane.", low=0.1, high=180
    )
    plane_spacing_deg: float = param(
        5.0, "deg", "open", "Angle between neighbouring planes.", low=0.1, high=180
    )
    cross_track_m: float = param(
        0.0, "m", "open", "Distance of the area's centre from the ground track.", low=0, high=3e6
    )
    elevation_min_deg: float = param(
        25.0, "deg", "open, (4)-(5)", "Least elevation of a usable satellite.", low=0, high=89
    )
    isl_topology: Literal["chain", "ring", "grid"] = param(
        "chain", "-", "open", "Inter-satellite links."
    )
    isl_altitude_min_m: float = param(
        80e3, "m", "open", "Least altitude of an inter-satellite line of sight.", low=0, high=2e6
    )
    isl_rate_bps: float = param(1e9, "bit/s", "Table 1", "Rate of one link.", low=1, high=1e13)
    isl_power_W: float = param(5.0, "W", "open", "Power of one sending link.", low=0, high=1e4)

    # Channels
    uav_reference_gain_dB: float = param(
        -50.0, "dB", "open, (6)", "Power gain at 1 m, beta_0.", low=-150, high=0
    )
    path_loss_exponent: float = param(2.0, "-", "(6)", "alpha of the UAV link.", low=1, high=6)
    rician_factor_dB: float = param(
        10.0, "dB", "open, (7)", "Rician factor kappa.", low=-40, high=60
    )
    carrier_Hz: float = param(
        2e9, "Hz", "open", "Carrier of the satellite link.", low=1e8, high=1e11
    )
    antenna_gain_dB: float = param(
        40.0, "dB", "open", "Total antenna gain of a satellite link.", low=-20, high=120
    )
    shadowing: Literal["light", "average", "heavy"] = param(
        "average", "-", "Abdi et al. 2003", "Shadowed-Rician parameter set."
    )
    noise_dBm: float = param(
        -100.0, "dBm", "Table 1", "Noise power in a receiver's whole band.", low=-200, high=0
    )

    # Rates
    interference_scope: Literal["all", "tier", "server"] = param(
        "all",
        "-",
        "(8), (10)",
        "Whose signals interfere: everybody's, the tier's, the same receiver's.",
    )
    interference_leakage: float = param(
        0.05,
        "-",
        "open",
        "Share of another's received power that multiple access leaves; 1 as printed.",
        low=0,
        high=1,
    )
    uav_bandwidth_Hz: float = param(
        10e6, "Hz", "Table 1", "Band of a UAV, B_m.", low=1e3, high=1e11
    )
    satellite_bandwidth_Hz: float = param(
        20e6, "Hz", "Table 1", "Band of a satellite, B_n.", low=1e3, high=1e11
    )
    power_min_W: float = param(
        1e-6, "W", "open", "Least power of a sending device.", low=1e-12, high=1e3
    )
    power_max_W: float = param(1.0, "W", "Table 1", "Greatest power, P_max.", low=1e-12, high=1e3)
    uav_power_W: float = param(2.0, "W", "Table 1", "Downlink power of a UAV.", low=1e-9, high=1e4)
    satellite_power_W: float = param(
        4.0, "W", "Table 1", "Downlink power of a satellite.", low=1e-9, high=1e4
    )

    # Compute
    uav_TFLOPS: float = param(1.88, "TFLOP/s", "5.1", "Orin NX on a UAV.", low=1e-6, high=1e6)
    satellite_TFLOPS: float = param(
        3.33, "TFLOP/s", "5.1", "AGX Orin on a satellite.", low=1e-6, high=1e6
    )
    uav_compute_W: float = param(25.0, "W", "Table 1", "Power while computing.", low=0, high=1e5)
    satellite_compute_W: float = param(
        50.0, "W", "Table 1", "Power while computing.", low=0, high=1e5
    )
    compute_sharing: Literal["dedicated", "shared"] = param(
        "dedicated",
        "-",
        "(14), (22)",
        "Whether requests on one server share it; n of them then take n times as long.",
    )
    catalogue: CatalogueName = param("paper", "-", "open", "Which models the servers run.")

    # Requests
    input_min_bit: float = param(5e6, "bit", "Table 1", "Least input size u.", low=1, high=1e12)
    input_max_bit: float = param(10e6, "bit", "Table 1", "Greatest input size.", low=1, high=1e12)
    output_words: Distinct = param(
        (16, 32, 64, 96), "words", "5.1", "Output lengths o, equally likely."
    )
    token_bit: float = param(32.0, "bit", "open", "Size of an output word.", low=0, high=1e9)
    deadline_min_s: float = param(2.0, "s", "Table 1", "Least T_max.", low=1e-3, high=1e5)
    deadline_max_s: float = param(3.0, "s", "Table 1", "Greatest T_max.", low=1e-3, high=1e5)
    accuracy_min: float = param(0.3, "-", "Table 1", "Least accuracy floor a.", low=0, high=1)
    accuracy_max: float = param(0.7, "-", "Table 1", "Greatest accuracy floor.", low=0, high=1)
    requests: Literal["servable", "as-printed"] = param(
        "servable", "-", "open", "Whether requests that no server can meet in time are resampled."
    )
    comm_margin_s: float = param(
        0.5, "s", "open", "Time a servable request leaves for communication.", low=0, high=1e5
    )
    arrivals: Literal["poisson", "every-slot"] = param(
        "poisson", "-", "5.1", "Poisson arrivals into a queue, or one request every slot."
    )
    arrival_rate_min: float = param(1.0, "1/slot", "5.1", "Least arrival rate.", low=0, high=100)
    arrival_rate_max: float = param(1.5, "1/slot", "5.1", "Greatest rate.", low=0, high=100)

    # Mobility of devices
    mobility: Literal["static", "random-waypoint", "gauss-markov"] = param(
        "random-waypoint", "-", "3.2", "How devices move between slots."
    )
    device_speed_min_mps: float = param(0.5, "m/s", "open", "Least speed.", low=0.01, high=100)
    device_speed_max_mps: float = param(1.5, "m/s", "open", "Greatest speed.", low=0.01, high=100)
    device_pause_max_s: float = param(30.0, "s", "open", "Longest pause.", low=0, high=1e5)

    # Objective
    latency_weight_per_s: float = param(
        0.5, "1/s", "Table 1", "eta_l: cost of a second.", low=0, high=1e6
    )
    energy_weight_per_J: float = param(
        0.5, "1/J", "Table 1", "eta_e: cost of a joule.", low=0, high=1e6
    )
    deadline_penalty: float = param(
        100.0, "-", "open", "A second of overrun costs this many seconds.", low=0, high=1e6
    )
    reward_scale: float = param(
        20.0, "-", "open, (34)", "beta_r: makes rewards of order one.", low=1e-9, high=1e9
    )

    def __post_init__(self) -> None:
        for low, high in _ORDERED:
            if getattr(self, low) > getattr(self, high):
                raise ScenarioError(
                    f"{low} = {getattr(self, low)!r}: allowed is at most "
                    f"{high} = {getattr(self, high)!r}"
                )
        if self.n_uavs + self.n_satellites == 0:
            raise ScenarioError("n_uavs = 0: allowed is at least 1 when n_satellites is 0")
        if self.n_satellites % self.satellite_planes:
            raise ScenarioError(
                f"satellite_planes = {self.satellite_planes}: allowed is a divisor of "
                f"n_satellites = {self.n_satellites}"
            )
        _require_a_servable_draw(self)

    @property
    def n_servers(self) -> int:
        """M + N. Servers 0..M-1 are UAVs, M..M+N-1 satellites."""
        return self.n_uavs + self.n_satellites

    @property
    def noise_W(self) -> float:
        """Noise power in a receiver's band."""
        return float(10 ** ((self.noise_dBm - 30) / 10))

    @property
    def uav_reach_m(self) -> float:
        """Farthest a UAV moves in one slot."""
        return self.uav_speed_max_mps * self.slot_s

    @property
    def penalty_per_s(self) -> float:
        """Cost of a second of deadline overrun: deadline_penalty * eta_l."""
        return self.deadline_penalty * self.latency_weight_per_s

    def models(self) -> Catalogue:
        """The models on the M + N servers."""
        return build_catalogue(self.catalogue, self.n_uavs, self.n_satellites)

    def replace(self, /, **changes: Any) -> Self:
        """A copy with some fields changed; texts are read as numbers. Raises ScenarioError."""
        fields = {f.name: f for f in dataclasses.fields(self)}
        texts = {n: v for n, v in changes.items() if isinstance(v, str) and n in fields}
        read = {name: parsed(fields[name], text) for name, text in texts.items()}
        return super().replace(**changes | read)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. Every field of the first declaration must be there."""
        for field in dataclasses.fields(cls):
            if field.metadata["since"] == 1 and field.name not in values:
                raise ScenarioError(f"{field.name} is missing: allowed is a complete scenario")
        return super().from_dict(values)


_ORDERED = (
    ("uav_altitude_min_m", "uav_altitude_max_m"),
    ("power_min_W", "power_max_W"),
    ("input_min_bit", "input_max_bit"),
    ("deadline_min_s", "deadline_max_s"),
    ("accuracy_min", "accuracy_max"),
    ("arrival_rate_min", "arrival_rate_max"),
    ("device_speed_min_mps", "device_speed_max_mps"),
)


def execution_s(scenario: Scenario, words: float) -> tuple[float, ...]:
    """Execution time of `words` output words on every server. Eqs. (14), (22)."""
    speeds = [scenario.uav_TFLOPS] * scenario.n_uavs
    speeds += [scenario.satellite_TFLOPS] * scenario.n_satellites
    work = scenario.models().work_TFLOP
    return tuple(float(v) * words / f for v, f in zip(work, speeds, strict=True))


def _require_a_servable_draw(scenario: Scenario) -> None:
    """Refuse a scenario in which every request would be resampled for ever."""
    if scenario.requests != "servable":
        return
    accuracy = scenario.models().accuracy
    time = execution_s(scenario, min(scenario.output_words))
    left = scenario.deadline_max_s - scenario.comm_margin_s
    accurate = [t for t, a in zip(time, accuracy, strict=True) if a >= scenario.accuracy_min]
    if not accurate:
        raise ScenarioError(
            f"accuracy_min = {scenario.accuracy_min}: allowed is at most {max(accuracy):g}, "
            "the best accuracy of a server, when requests = 'servable'"
        )
    if min(accurate) > left:
        raise ScenarioError(
            f"deadline_max_s = {scenario.deadline_max_s}: allowed is at least "
            f"{min(accurate) + scenario.comm_margin_s:.6g} s, the quickest admissible execution "
            "plus comm_margin_s, when requests = 'servable'"
        )


_BALANCED: dict[str, Any] = {
    "latency_weight_per_s": 0.5 / 1.5,
    "energy_weight_per_J": 0.5 / 40.0,
    "reward_scale": 1.0,
}

#: Requests share servers twice as fast as Table 1's: calibrated, see docs/calibration.md.
_CONTENDED: dict[str, Any] = {
    "compute_sharing": "shared",
    "uav_TFLOPS": 3.76,
    "satellite_TFLOPS": 6.66,
}

#: Short episodes in which places of UAVs decide: satellites fail now and then and cost twice the
#: energy, UAVs are slow and cover little. Calibrated, see docs/foresight.md.
_FORESIGHT: dict[str, Any] = _BALANCED | {
    "n_slots": 30,
    "uav_coverage_m": 120.0,
    "uav_speed_max_mps": 5.0,
    "satellite_compute_W": 100.0,
    "accuracy_max": 0.5,
}

_PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "paper": ("Table 1 with servable requests and leakage 0.05.", {}),
    "paper-figures": (
        "Requests as printed and soft deadlines: the sweeps of figures 5-7.",
        {"requests": "as-printed"},
    ),
    "balanced": ("Weights per typical latency (1.5 s) and energy (40 J).", _BALANCED),
    "contended": ("Requests share their server, twice as fast as in Table 1.", _CONTENDED),
    "contended-balanced": ("The same with the weights of balanced.", _BALANCED | _CONTENDED),
    "foresight": (
        "Satellites in heavy shadow, slow UAVs that cover 120 m: where they wait decides.",
        _FORESIGHT | {"shadowing": "heavy"},
    ),
    "foresight-faint": (
        "The same with satellite links 12 dB fainter in the place of heavy shadow.",
        _FORESIGHT | {"antenna_gain_dB": 28.0},
    ),
    "as-printed": (
        "Leakage 1 and requests as printed; scored with soft deadlines.",
        {"requests": "as-printed", "interference_leakage": 1.0, "reward_scale": 200.0},
    ),
    "tiny": (
        "K=3, M=1, N=2: small enough to enumerate.",
        {"n_devices": 3, "n_uavs": 1, "n_satellites": 2},
    ),
    "published": (
        "Published accuracies and token rates of the models.",
        {"catalogue": "published", "accuracy_min": 0.30, "accuracy_max": 0.378},
    ),
}

PRESETS: dict[str, str] = {name: doc for name, (doc, _) in _PRESETS.items()}


def preset(name: str, **changes: Any) -> Scenario:
    """A named scenario with some fields changed. Raises ScenarioError for an unknown name."""
    if name not in _PRESETS:
        hint = did_you_mean(name, PRESETS)
        raise ScenarioError(f"preset {name!r}{hint}: allowed is one of {', '.join(PRESETS)}")
    return Scenario().replace(**{**_PRESETS[name][1], **changes})

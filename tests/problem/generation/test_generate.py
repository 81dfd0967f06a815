"""(scenario, seed) -> Instance: the same bytes anywhere, paired sweeps, and the laws promised."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from satedge.problem.generation.generate import generate, stream
from satedge.problem.instance import array_fields
from satedge.problem.scenario import PRESETS, Scenario, ScenarioError, execution_s, preset
from support.randomised import seeds


def differing(a, b) -> set[str]:
    """Names of arrays that are not bit for bit the same."""
    return {
        f.name
        for f in array_fields()
        if getattr(a, f.name).tobytes() != getattr(b, f.name).tobytes()
    }


# --- the same bytes

CHILD = """
import sys
from satedge.problem.generation.generate import generate
from satedge.problem.scenario import preset
for seed in map(int, sys.argv[2:]):
    print(seed, generate(preset(sys.argv[1]).replace(n_slots=30), seed).content_sha256)
"""


def hashes_of_a_fresh_process(name, seeds, **environment):
    command = [sys.executable, "-c", CHILD, name, *map(str, seeds)]
    variables = {**os.environ, **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return {int(seed): digest for seed, digest in map(str.split, done.stdout.splitlines())}


def test_the_same_seed_is_the_same_bytes_in_any_process_order_and_thread_count():
    """Fresh processes with other hash seeds, thread counts, orders and SIMD units agree."""
    seeds = [0, 7, 2**40]
    scenario = preset("paper").replace(n_slots=30)
    here = {seed: generate(scenario, seed).content_sha256 for seed in seeds}
    assert len(set(here.values())) == 3
    many = {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4", "PYTHONHASHSEED": "1"}
    plain = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "2", "NPY_DISABLE_CPU_FEATURES": "X86_V4"}
    assert hashes_of_a_fresh_process("paper", reversed(seeds), **many) == here
    assert hashes_of_a_fresh_process("paper", [*seeds, 0], **plain) == here


def test_generating_leaves_no_trace():
    """Neither the global random state nor earlier calls change what is drawn."""
    scenario = preset("tiny").replace(n_slots=5)
    first = generate(scenario, 3)
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    generate(scenario, 4)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert not differing(first, generate(scenario, 3))


def test_seeds_and_purposes_have_their_own_streams():
    """Two seeds, two purposes, or two indices share no numbers."""
    keys = [(s, p, i) for s in (0, 1) for p in ("input", "output") for i in (0, 1)]
    drawn = [stream(*key).random(4) for key in keys]
    assert len(np.unique(drawn)) == 32


# --- paired draws


@pytest.mark.parametrize("name", ["paper", "paper-figures"])
def test_few_devices_are_the_first_of_many(name):
    """K = 5 is the first half of K = 10; what belongs to no device is the same."""
    few, many = (generate(preset(name).replace(n_devices=k, n_slots=40), 6) for k in (5, 10))
    for declared in array_fields():
        a, b = getattr(few, declared.name), getattr(many, declared.name)
        if "K" in declared.metadata["shape"]:
            b = b[:, :5]
        assert np.array_equal(a, b), declared.name


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"deadline_min_s": 2.5, "deadline_max_s": 2.5}, {"deadline_s"}),
        ({"accuracy_min": 0.6, "accuracy_max": 0.6}, {"accuracy_floor"}),
        ({"interference_leakage": 1.0}, set()),
        ({"energy_weight_per_J": 0.1}, set()),
        ({"rician_factor_dB": 3.0}, {"uav_fading"}),
        ({"shadowing": "heavy"}, {"satellite_gain"}),
        ({"mobility": "static"}, {"device_xy_m"}),
        ({"output_words": (96,)}, {"output_words"}),
        ({"input_max_bit": 6e6}, {"input_bit"}),
        ({"uav_altitude_max_m": 45.0}, {"uav_altitude_m"}),
    ],
)
def test_a_parameter_changes_its_own_draws_alone(changes, changed):
    """Sweeps are paired: with requests as printed, every other array keeps its bytes."""
    base = preset("paper-figures").replace(n_slots=20)
    assert differing(generate(base, 2), generate(base.replace(**changes), 2)) == changed


def test_servable_requests_keep_the_draws_that_were_servable():
    """Redrawing touches only what no server could meet."""
    printed = generate(preset("paper-figures").replace(arrivals="every-slot"), 4)
    servable = generate(preset("paper").replace(arrivals="every-slot"), 4)
    fine = servable_mask(printed)
    assert 0.05 < (~fine).mean() < 0.5
    for name in ("input_bit", "output_words", "deadline_s", "accuracy_floor"):
        assert np.array_equal(getattr(printed, name)[fine], getattr(servable, name)[fine])
        assert differing(printed, servable) <= {
            "input_bit",
            "output_words",
            "deadline_s",
            "accuracy_floor",
        }


# --- what is promised of the values


def servable_mask(instance):
    """Some server meets the accuracy and leaves the margin for communication: plain loops."""
    s = instance.scenario
    per_word_s = execution_s(s, 1.0)
    fine = np.ones(instance.active.shape, bool)
    for t, k in np.argwhere(instance.active):
        words, floor = int(instance.output_words[t, k]), instance.accuracy_floor[t, k]
        left_s = instance.deadline_s[t, k] - s.comm_margin_s
        fine[t, k] = any(
            accuracy >= floor and slowness * words <= left_s
            for accuracy, slowness in zip(instance.server_accuracy, per_word_s, strict=True)
        )
    return fine


@pytest.mark.randomised
@pytest.mark.parametrize("name", ["paper", "balanced", "tiny", "published"])
def test_servable_requests_are_servable(name):
    """Each has a server that meets its accuracy in time, with the margin to spare."""
    for seed in seeds(3):
        made = generate(preset(name), seed)
        assert made.active.mean() > 0.5
        assert servable_mask(made).all()


def test_requests_as_printed_are_not_all_servable():
    """Table 1's ranges allow 96 words in 2 s, which no server can do."""
    assert not servable_mask(generate(preset("paper-figures"), 0)).all()


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_values_lie_in_the_ranges_of_the_scenario(name):
    """Requests, positions, altitudes and speeds of every preset."""
    made = generate(preset(name), 1)
    s, on = made.scenario, made.active
    assert on[0].all(), "every queue starts with a request"
    for values, low, high in [
        (made.input_bit[on], s.input_min_bit, s.input_max_bit),
        (made.deadline_s[on], s.deadline_min_s, s.deadline_max_s),
        (made.accuracy_floor[on], s.accuracy_min, s.accuracy_max),
        (made.device_xy_m, 0, s.area_side_m),
        (made.uav_xy_m, 0, s.area_side_m),
        (made.uav_altitude_m, s.uav_altitude_min_m, s.uav_altitude_max_m),
    ]:
        # The generator keeps 34 significant bits.
        assert (values >= low * (1 - 1e-9)).all()
        assert (values <= high * (1 + 1e-9)).all()
    assert set(np.unique(made.output_words[on])) <= set(s.output_words)
    assert (made.access >= 0).all(), "default planes cover an episode"
    steps = np.hypot(*np.moveaxis(np.diff(made.device_xy_m, axis=0), -1, 0))
    assert steps.max() <= s.device_speed_max_mps * s.slot_s * (1 + 1e-9)
    assert steps.max() > 0


def test_uniform_ranges_are_filled_evenly():
    """Means and extremes over many draws match the uniform laws of Table 1."""
    scenario = preset("paper-figures").replace(arrivals="every-slot", n_devices=100)
    made = generate(scenario, 0)
    n = made.active.size
    for values, low, high in [
        (made.input_bit, 5e6, 10e6),
        (made.deadline_s, 2, 3),
        (made.accuracy_floor, 0.3, 0.7),
    ]:
        unit = (values.ravel() - low) / (high - low)
        counts = np.histogram(unit, bins=10, range=(0, 1))[0]
        chi2 = ((counts - n / 10) ** 2 / (n / 10)).sum()
        assert chi2 < 33.7, "chi-square with 9 degrees of freedom, 1 in 10,000"
    shares = np.unique(made.output_words, return_counts=True)[1] / n
    assert shares == pytest.approx(0.25, abs=5 * (0.1875 / n) ** 0.5)


@pytest.mark.randomised
def test_a_handover_happens():
    """Over twenty episodes the accessible satellite changes in some, and windows tell when."""
    changes = 0
    for seed in seeds(20):
        made = generate(preset("paper"), seed)
        changes += (np.diff(made.access) != 0).sum()
        slots = np.arange(made.n_slots)
        assert (made.window_s[slots, made.access] > 0).all()
    assert changes > 0


# --- the queue


def queue_by_hand(arrivals):
    """Requests served per slot: one waits at the start, one is served per slot, FIFO."""
    waiting, busy = 1, []
    for arriving in arrivals:
        busy.append(waiting > 0)
        waiting -= waiting > 0
        waiting += int(arriving)
    return busy


@pytest.mark.parametrize("rates", [(1.0, 1.5), (0.2, 0.6), (0.0, 0.0)])
def test_queues_follow_the_arrivals(rates):
    """Busy slots are those of a plain queue fed with the same arrivals."""
    low, high = rates
    scenario = preset("paper").replace(arrival_rate_min=low, arrival_rate_max=high)
    made = generate(scenario, 9)
    rate = stream(9, "arrival-rate").uniform(low, high, (10, 1))
    for k in range(10):
        arrivals = stream(9, "arrivals", k).poisson(rate[k], 100)
        assert made.active[:, k].tolist() == queue_by_hand(arrivals)


def test_the_idle_share_is_that_of_the_queue():
    """Idle share over many devices matches simulated queues with independent arrivals.

    Rates at 0.5: a queue that serves one a slot is busy half of the time in the long run.
    """
    scenario = preset("paper").replace(n_devices=200, arrival_rate_min=0.5, arrival_rate_max=0.5)
    busy = generate(scenario, 0).active.mean(axis=0)
    rng = np.random.default_rng(1)
    simulated = np.array([np.mean(queue_by_hand(rng.poisson(0.5, 100))) for _ in range(2000)])
    error = (busy.var() / len(busy) + simulated.var() / len(simulated)) ** 0.5
    assert abs(busy.mean() - simulated.mean()) < 4 * error
    assert busy.mean() == pytest.approx(0.5, abs=0.03)


def test_nearly_every_slot_has_a_request_at_the_printed_rates():
    """With a rate of 1 to 1.5 a slot (5.1) a device is idle in a few slots only."""
    busy = generate(preset("paper").replace(n_devices=200), 0).active.mean()
    assert 0.95 < busy < 1.0


def test_a_device_serves_its_requests_in_order():
    """Idle slots delay the requests of a device; they never drop or reorder them."""
    dense = preset("paper").replace(arrivals="every-slot", n_slots=60)
    sparse = dense.replace(arrivals="poisson", arrival_rate_min=0.3, arrival_rate_max=0.7)
    queue, served = generate(dense, 5), generate(sparse, 5)
    assert not served.active.all()
    for k in range(10):
        on = served.active[:, k]
        assert np.array_equal(served.input_bit[on, k], queue.input_bit[: on.sum(), k])
        assert np.array_equal(served.deadline_s[on, k], queue.deadline_s[: on.sum(), k])


# --- edges


@pytest.mark.parametrize(
    "changes",
    [
        {"n_uavs": 0},
        {"n_satellites": 0},
        {"n_devices": 1, "n_slots": 1},
        {"n_satellites": 12, "satellite_planes": 3, "isl_topology": "grid"},
        {"cross_track_m": 2e6},
        {"mobility": "gauss-markov"},
        {"uav_separation_m": 100.0},
        {"n_devices": 30, "n_uavs": 6, "n_satellites": 8},
    ],
)
def test_unusual_sizes_generate(changes):
    """No UAVs, no satellites, nothing visible, several planes: all are instances."""
    scenario = preset("paper-figures").replace(**{"n_slots": 20} | changes)
    made = generate(scenario, 1)
    assert made.n_slots == scenario.n_slots
    seen = made.access >= 0
    assert seen.all() == ("cross_track_m" not in changes and scenario.n_satellites > 0)
    assert (made.satellite_gain[~seen] == 0).all()
    if scenario.uav_separation_m:
        apart = np.hypot(*(made.uav_xy_m[:, None] - made.uav_xy_m[None]).T)
        assert apart[np.triu_indices(3, 1)].min() >= 100


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: generate(Scenario(), -1), "seed = -1"),
        (lambda: Scenario(n_uavs=0, n_satellites=0), "n_uavs = 0"),
        (lambda: Scenario(deadline_max_s=0.6, deadline_min_s=0.5), "deadline_max_s = 0.6"),
        (lambda: Scenario(accuracy_min=0.9, accuracy_max=0.95), "accuracy_min = 0.9"),
        (lambda: Scenario(satellite_planes=3), "satellite_planes = 3"),
        (lambda: Scenario(device_speed_min_mps=2.0), "device_speed_min_mps = 2.0"),
        (lambda: preset("paper").replace(leakage=1), "interference_leakage"),
        (lambda: preset("papers"), "papers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, expected):
    """The parameter is named, with what is allowed, before or while drawing; never for ever."""
    with pytest.raises(ScenarioError) as caught:
        make()
    assert expected in str(caught.value)


def test_draws_too_rare_to_be_found_end(monkeypatch):
    """Scenarios that would be drawn from for ever are refused after so many rounds."""
    monkeypatch.setattr("satedge.problem.generation.generate.MAX_ROUNDS", 50)
    with pytest.raises(ScenarioError, match=r"uav_separation_m = 600: .* 3 UAVs can keep"):
        generate(Scenario(uav_separation_m=600.0), 0)
    rare = Scenario(accuracy_min=0.71, accuracy_max=1.0, deadline_max_s=2.0, deadline_min_s=0.97)
    with pytest.raises(ScenarioError, match="requests = 'servable'"):
        generate(rare, 0)

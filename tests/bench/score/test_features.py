"""Features of worlds: counted as one would by hand, and measured against what they say."""

import dataclasses

import numpy as np
import pytest

from minlp.heuristics.independent_bound import independent_bound
from satedge.bench.methods.table import MethodError
from satedge.bench.score.best_known import read_records
from satedge.bench.score.features import counted, features, of_episodes, referred, sample
from satedge.bench.score.played import FIXED_RULES, play, summed
from satedge.bench.study.suites import load_suite, wander
from satedge.problem.generation.generate import generate
from satedge.problem.plan import Plan
from satedge.problem.referee import available, judge
from satedge.problem.scenario import preset


@pytest.fixture(scope="module")
def tiny():
    """One-slot instances whose optima are known."""
    return load_suite("tiny")[:8]


def values(found):
    return {f.name: f.value for f in found}


def test_a_sample_is_spread_over_all_slots_and_keeps_whole_what_is_one():
    """Evenly, first and last among them, UAVs where the suites would have them."""
    episodes = [generate(preset("tiny", n_slots=n), seed) for n, seed in ((7, 1), (1, 2), (3, 3))]
    every = sample(episodes, 100)
    assert [slot.n_slots for slot in every] == [1] * 11
    assert every[7] is episodes[1]
    for t in range(7):
        assert np.array_equal(every[t].uav_xy_m, wander(episodes[0])[t])
        assert np.array_equal(every[t].active, episodes[0].active[t : t + 1])
    few = [slot.content_sha256 for slot in sample(episodes, 3)]
    assert few == [every[i].content_sha256 for i in (0, 5, 10)]


def test_counted_by_hand(tiny):
    """Requests, servers open to them and their quickest executions, one by one."""
    found, quickest, open_to, by_uav = values(counted(tiny)), [], [], []
    for slot in tiny:
        mask = available(slot, slot.uav_xy_m[None])
        for k in np.flatnonzero(slot.active[0]):
            times = slot.coefficients.execute_s[0, k, mask[0, k]]
            quickest.append(times.min() / slot.deadline_s[0, k])
            open_to.append(len(times))
            by_uav.append(mask[0, k, 0])
    assert found["requests per slot"] == pytest.approx(len(open_to) / len(tiny))
    assert found["requests per server"] == pytest.approx(len(open_to) / len(tiny) / 3)
    assert found["servers open to a request"] == pytest.approx(np.mean(open_to))
    assert found["requests with a UAV"] == pytest.approx(np.mean(by_uav))
    assert found["deadline tightness"] == pytest.approx(np.median(quickest))
    assert (found["leakage"], found["shared compute"]) == (0.05, 0)
    shared = generate(preset("contended", n_slots=1), 1)
    assert values(counted([shared, *tiny]))["shared compute"] == pytest.approx(1 / 9)


def test_a_world_without_requests_has_no_shares():
    """Nothing to count is no number, and no warning."""
    slot = generate(preset("tiny", n_slots=1), 5)
    arrays = ("active", "input_bit", "output_words", "deadline_s", "accuracy_floor")
    idle = dataclasses.replace(
        slot, **{name: np.zeros_like(getattr(slot, name)) for name in arrays}
    )
    found = values(counted([idle]))
    assert found["requests per slot"] == 0
    assert np.isnan(found["deadline tightness"])
    assert np.isnan(found["requests with a UAV"])


def test_shares_of_what_is_played_are_of_all_requests(tiny):
    """In time, missed, refused and outages are all there is; refusing everything is refusing."""
    for name in (*FIXED_RULES, "random"):
        seen = play(name, tiny)
        assert seen.in_time + seen.missed + seen.refused + seen.outages == pytest.approx(1)
        assert len(seen.costs) == len(tiny)
    idle = [Plan(np.full((1, 3), -1), np.zeros((1, 3)), slot.uav_xy_m[None]) for slot in tiny]
    refused = summed(tiny, idle)
    assert (refused.in_time, refused.refused, refused.by_uavs) == (0, 1, 0)
    assert refused.cost == pytest.approx(
        np.mean([judge(slot, plan).cost for slot, plan in zip(tiny, idle, strict=True)])
    )
    with pytest.raises(MethodError, match="'relax': allowed is one that finds plans"):
        play("relax", tiny[:1])


def test_means_are_over_slots_however_long_their_episodes_are():
    """An episode of three slots weighs three times as much as one slot."""
    episodes = [generate(preset("tiny", n_slots=n), n) for n in (3, 1)]
    seen = play("nearest", episodes)
    alone = [play("nearest", [episode]).cost for episode in episodes]
    assert seen.cost == pytest.approx((3 * alone[0] + alone[1]) / 4)


def test_the_reference_is_the_best_known_where_it_is_known(tiny):
    """Costs of the records, the independent floor under them, no rule below; else greedy's."""
    found, whose = features(tiny)
    told, records = values(found), read_records("tiny")
    assert whose == "best known plans"
    best = [records[slot.name].best.value for slot in tiny]
    assert told["cost"] == pytest.approx(np.mean(best))
    floor = np.mean([independent_bound(slot).mean() for slot in tiny])
    assert told["independent floor"] == pytest.approx(floor)
    assert told["controllable share"] == pytest.approx(1 - floor / np.mean(best))
    assert 0 <= told["controllable share"] < 1
    for name in (*FIXED_RULES, "greedy"):
        cost = play(name, tiny).cost
        assert told[f"excess of {name}"] == pytest.approx(cost / np.mean(best) - 1)
        assert told[f"excess of {name}"] >= -1e-6
    other = generate(preset("tiny", n_slots=1), 50)
    assert referred([*tiny, other])[1].startswith("best known plans of 8 slots, greedy's of 1,")
    played, whose = referred([other])
    assert whose == "greedy's plans, not near-optimal"
    assert played == play("greedy", [other])
    assert features([other], "nearest")[1] == "nearest's plans"


def test_hindsight_is_worth_something_only_where_uavs_move():
    """Of episodes whose UAVs stand still, knowing later slots saves nothing; else it may."""
    still = preset("foresight", n_slots=3, n_devices=4, uav_speed_max_mps=0.0)
    told = values(of_episodes([generate(still, 17_000)]))
    assert told["value of hindsight"] == pytest.approx(0.0, abs=1e-3)
    moving = generate(still.replace(uav_speed_max_mps=20.0, n_slots=8), 17_000)
    told = values(of_episodes([moving]))
    costs = [play(name, [moving]).cost for name in ("myopic-exact", "drift")]
    saved = costs[0] - told["cost in hindsight"]
    assert told["value of hindsight"] == pytest.approx(saved / costs[0])
    assert told["value of hindsight"] > 0
    assert told["closed by drift"] == pytest.approx((costs[0] - costs[1]) / saved)

"""Verdicts on the paper's statements, on numbers made up for the purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from satedge.bench.score.claims.evidence import (
    Part,
    between,
    equal,
    fitted,
    fitted_ordinal,
    ordinal,
    told,
)
from satedge.bench.score.claims.paper import Claim, claims, of_all
from satedge.bench.score.claims.statements import STATEMENTS
from satedge.bench.score.stats import Interval, Ratio
from satedge.bench.score.training_logs import Training

NAN = float("nan")


def part(value: float, low: float, high: float, p: float = 0.5) -> Part:
    return Part("a over b", Ratio(Interval(value, low, high), p))


ABOVE, BELOW = part(0.2, 0.1, 0.3, 0.001), part(-0.2, -0.3, -0.1, 0.001)
OPEN, SAME, NONE = part(0.1, -0.1, 0.3), part(0.0, -0.02, 0.02), part(0.1, NAN, NAN, NAN)


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([ABOVE, ABOVE], "reproduced"),
        ([ABOVE, OPEN], "inconclusive"),
        ([ABOVE, NONE], "inconclusive"),
        ([ABOVE, BELOW], "contradicted"),
        ([ABOVE, SAME], "contradicted"),
    ],
)
def test_an_order_holds_where_every_interval_says_so(parts: list[Part], verdict: str) -> None:
    """One interval that is open leaves it open, one against it or at no difference ends it."""
    assert ordinal(parts) == verdict
    assert fitted_ordinal(parts) == ("fitted" if verdict == "reproduced" else verdict)


def test_a_contradiction_is_corrected_for_the_number_of_comparisons() -> None:
    """p = 0.03 alone contradicts; among ten comparisons it may be chance."""
    against = part(-0.1, -0.2, -0.01, 0.03)
    assert ordinal([against]) == "contradicted"
    assert ordinal([against, *[OPEN] * 9]) == "inconclusive"


def test_numbers_are_judged_within_three_points() -> None:
    """Of +20 %: an interval within 17 to 23 %, one beyond, and a wide one."""
    judge = between(0.2, 0.2)
    assert judge([part(0.2, 0.18, 0.22)]) == "reproduced"
    assert judge([part(0.1, 0.05, 0.16)]) == "contradicted"
    assert judge([part(0.2, 0.1, 0.3)]) == "inconclusive"
    assert judge([NONE]) == "inconclusive"


def test_equality_needs_two_one_sided_tests() -> None:
    """Within 3 % either way it is shown, outside refuted, else open."""
    assert equal([SAME]) == "reproduced"
    assert equal([SAME, BELOW]) == "contradicted"
    assert equal([OPEN]) == "inconclusive"


def test_what_the_calibration_asks_for_is_fitted() -> None:
    """Within a tenth of the number; else the interval decides."""
    judge = fitted(2.0)
    assert judge([part(1.9, 1.0, 3.0)]) == "fitted"
    assert judge([part(1.5, 1.0, 3.0)]) == "inconclusive"
    assert judge([part(1.5, 1.4, 1.6)]) == "contradicted"


def test_many_comparisons_are_counted() -> None:
    """Five are told one by one, of more how many point where."""
    assert told([ABOVE]) == "a over b +20.0 % [+10.0, +30.0]"
    assert told([SAME]) == "a over b +0.0 % [-2.0, +2.0] (within 3 %)"
    text = told([ABOVE, ABOVE, ABOVE, BELOW, OPEN, SAME])
    assert text.startswith(
        "of 6 intervals 3 above 0, 1 below 0, 2 open (1 within 3 % of it); from a over b -20.0 %"
    )
    undefined = part(NAN, NAN, NAN, NAN)
    text = told([undefined, ABOVE, ABOVE, BELOW, OPEN, undefined])
    assert text.startswith("of 6 intervals 2 above 0, 1 below 0, 1 open, 2 without a ratio")
    assert "nan" not in text + told([undefined] * 6)


def rows(
    instances: Sequence[str],
    means: dict[str, dict[str, float]],
    seeds: int = 5,
    noise: float = 0.01,
    **columns: Any,
) -> pd.DataFrame:
    """Rows of learners: their means of every column, and a little by seed and episode."""
    rng = np.random.default_rng(1)
    found = []
    for method, values in means.items():
        for seed in range(seeds):
            for name in instances:
                shaken = {c: v * (1 + noise * rng.normal()) for c, v in values.items()}
                found.append(
                    {"group": "g", "method": method, "family": "learned", "budget_s": 1.0,
                     "usable": True, "hindsight": False, "instance": name, "seed": float(seed),
                     "instance_sha256": name, "n_devices": 10.0, "requests": 100.0,
                     "deadline_misses": 5.0, "reward": 1.0, "latency_s": 1.0, "energy_J": 1.0,
                     "by_satellites": NAN, "window_misses": NAN}
                    | columns | shaken
                )  # fmt: skip
    return pd.DataFrame(found)


EPISODES = [f"paper-{i}" for i in range(8)]


def verdicts(found: Sequence[Claim], words: str) -> dict[str, str]:
    """By policies, of the one statement with these words."""
    return {c.policies: c.verdict for c in found if words in c.paper}


def test_rewards_of_final_and_of_selected_policies_are_told_apart() -> None:
    """AD-SAC is ahead where its best policy is taken, and behind at the last epoch."""
    scored = rows(EPISODES, {"adsac": {"reward": 1.0}, "ppo": {"reward": 0.9}})
    ends = {"adsac": 0.7, "ppo": 0.9}
    trained = [
        Training(m, s, 1.0, {"validation_reward": curve((0.5, 0.6, 1.0, end + 0.001 * s))}, m)
        for m, end in ends.items()
        for s in range(5)
    ]
    found = claims(scored, trained)
    told_of = verdicts(found, "AD-SAC ends at a higher reward")
    assert told_of == {"selected": "reproduced", "final": "contradicted"}
    assert verdicts(found, "below AD-SAC's")["selected"] == "reproduced"


def test_trainings_in_other_worlds_say_nothing_of_the_papers() -> None:
    """The statements are about the paper's world, whatever else a study plays."""
    scored = rows(EPISODES, {"adsac": {"reward": 1.0}, "ppo": {"reward": 0.9}})
    trained = [
        Training(m, s, 1.0, {"validation_reward": curve((0.5, 0.6, 1.0, end))}, m, world=world)
        for m, end in {"adsac": 0.7, "ppo": 0.9}.items()
        for s, world in enumerate(["contended", "foresight"] * 3)
    ]
    assert set(verdicts(claims(scored, trained), "AD-SAC ends at a higher reward")) == {"selected"}


def test_few_seeds_say_nothing() -> None:
    """Two seeds of a learner are an anecdote, not a verdict."""
    scored = rows(EPISODES, {"adsac": {"reward": 1.0}, "ppo": {"reward": 0.9}}, seeds=2)
    assert claims(scored) == []


def test_ablation() -> None:
    """7 % and 25 % are near 7.4 % and 24.3 %; 0 % is not near 11.7 %."""
    scored = rows(
        EPISODES,
        {
            "adsac": {"latency_s": 1.0, "energy_J": 100.0},
            "adsac-d": {"latency_s": 1.07, "energy_J": 125.0},
            "adsac-c": {"latency_s": 1.0, "energy_J": 100.0},
        },
        noise=0.001,
    )
    found = claims(scored)
    assert verdicts(found, "adsac-d: latency")["selected"] == "reproduced"
    assert verdicts(found, "adsac-d: energy")["selected"] == "reproduced"
    assert verdicts(found, "adsac-c: latency")["selected"] == "contradicted"
    assert verdicts(found, "latency is dominated")["selected"] == "contradicted"


def sweep(axis: str, per_value: dict[float, dict[str, float]], **columns: Any) -> pd.DataFrame:
    """Rows of AD-SAC along an axis, three draws a value."""
    seeds = range(1000, 1003)
    return pd.concat(
        rows([f"figures-{axis}-{value:g}-{s}" for s in seeds], {"adsac": means}, **columns)
        for value, means in per_value.items()
    )


def test_energy_of_figure_5_is_per_device() -> None:
    """Twice the energy for four times the devices is no growth."""
    ends = {5: {"energy_J": 100.0, "latency_s": 1.0}, 20: {"energy_J": 200.0, "latency_s": 2.0}}
    parts = [
        sweep("devices", {value: means}, n_devices=float(value)) for value, means in ends.items()
    ]
    found = claims(pd.concat(parts))
    assert verdicts(found, "latency grows with K") == {"selected": "reproduced"}
    assert verdicts(found, "energy grows with K") == {"selected": "contradicted"}


AXES = {"devices": (5.0, 20.0), "deadline": (2.0, 3.0), "accuracy": (0.5, 0.6)}


@pytest.mark.parametrize(
    ("axis", "words", "verdict"),
    [
        ("devices", "with K a greater share", "reproduced"),
        ("deadline", "with T_max a greater share", "reproduced"),
        ("accuracy", "shifts from UAVs to satellites", "fitted"),
    ],
)
def test_shares_on_satellites_along_a_sweep(axis: str, words: str, verdict: str) -> None:
    """20 and 30 of 100 requests are 50 % more, 30 and 20 fewer; the catalogue demands the shift
    of figure 7. Rows of before they were counted say nothing."""
    ends = AXES[axis]
    for counts, wanted in (((20.0, 30.0), verdict), ((30.0, 20.0), "contradicted")):
        means = {v: {"by_satellites": n} for v, n in zip(ends, counts, strict=True)}
        found = claims(sweep(axis, means))
        assert verdicts(found, words) == {"selected": wanted}
    assert verdicts(claims(sweep(axis, {v: {} for v in ends})), words) == {}


def test_more_devices_send_more_without_a_greater_share() -> None:
    """20 of 100 and 80 of 400 requests are the same share."""
    parts = [
        sweep("devices", {v: {"by_satellites": n}}, noise=0.0001, requests=5 * n)
        for v, n in ((5.0, 20.0), (20.0, 80.0))
    ]
    told_of = verdicts(claims(pd.concat(parts)), "with K a greater share")
    assert told_of == {"selected": "contradicted"}


def test_shares_of_0_have_no_ratio() -> None:
    """Who sends nothing to satellites at some value is not compared, and the claim says so."""
    scored = sweep("deadline", {2.0: {"by_satellites": 0.0}, 3.0: {"by_satellites": 30.0}})
    (claim,) = [c for c in claims(scored) if "with T_max a greater share" in c.paper]
    assert claim.verdict == "inconclusive"
    assert claim.ours == "adsac has no ratio (one side is 0 or was not played)"


def test_who_prefers_uavs() -> None:
    """AD-SAC sends 20 of 100 requests to satellites, D3QN 30: at every value, or not at all."""
    names = [f"figures-deadline-{v:g}-{s}" for v in (2, 2.25, 2.5, 2.75, 3) for s in (1000, 1001)]
    for theirs, verdict in ((30.0, "reproduced"), (10.0, "contradicted")):
        counts = {"adsac": {"by_satellites": 20.0}, "d3qn": {"by_satellites": theirs}}
        found = claims(rows(names, counts))
        assert verdicts(found, "prefers UAVs") == {"selected": verdict}


def test_windows() -> None:
    """No overrun of 50 requests on satellites, 10 of 50, and none sent there, beside a rival whose
    windows are overrun; where nobody's are, nothing is shown."""
    none, some = {"by_satellites": 50.0, "window_misses": 0.0}, {"window_misses": 10.0}
    nowhere = {"by_satellites": 0.0, "window_misses": 0.0}
    for ours, theirs, verdict, told_of in (
        (none, none | some, "reproduced", "adsac +0.0 % [+0.0, +0.0] (within 3 %)"),
        (none | some, none | some, "contradicted", "adsac -20.0 % "),
        (nowhere, none | some, "inconclusive", "adsac +0.0 % (no interval)"),
        (none, none, "inconclusive", "adsac, where no method overruns a window +0.0 %"),
    ):
        found = claims(rows(EPISODES, {"adsac": ours, "ppo": theirs}))
        (claim,) = [c for c in found if c.figure == "Section 5.3"]
        assert claim.verdict == verdict
        assert claim.ours.startswith(told_of)
    assert verdicts(claims(rows(EPISODES, {"adsac": {}})), "sends to satellites only") == {}


def test_a_flat_sweep_contradicts_growth() -> None:
    """A change that is shown to be below 3 % is none."""
    flat = {v: {"latency_s": 1.0, "energy_J": 1.0} for v in (2.0, 3.0)}
    found = claims(sweep("deadline", flat, noise=0.0001))
    assert verdicts(found, "latency grows with T_max") == {"selected": "contradicted"}


def test_the_sharpest_step_is_fitted_at_best() -> None:
    """The catalogue demands it, whatever the intervals say."""
    at = {0.3: 1.0, 0.4: 1.0, 0.5: 1.0, 0.6: 1.5, 0.7: 1.6}
    scored = sweep("accuracy", {v: {"latency_s": x, "energy_J": x} for v, x in at.items()})
    scored = scored.assign(method="alternate", family="classical")
    found = claims(scored)
    assert verdicts(found, "sharpest step of latency") == {"selected": "fitted"}
    (claim,) = [c for c in found if "sharpest step of energy" in c.paper]
    assert "alternate, over 0.3 to 0.4" in claim.ours


def curve(values: Sequence[float]) -> dict[float, float]:
    return {25.0 * (i + 1): value for i, value in enumerate(values)}


def at_rate(rate: float, *rewards: float, shift: float = 0.0) -> list[Training]:
    """Three seeds of AD-SAC with almost the same curve of rewards."""
    settings = {"critic_rate": rate}
    return [
        Training(
            f"adsac, {rate:g}", s, 1.0,
            {"validation_reward": curve([v + (0.001 + shift) * s for v in rewards])}, "adsac",
            settings,
        )
        for s in range(3)
    ]  # fmt: skip


def test_critic_rates() -> None:
    """Slower: less reward in the first half. Oscillating: greater steps in the second half."""
    scored = rows(EPISODES, {"adsac": {"reward": 1.0}})
    good = at_rate(0.001, 0.4, 0.6, 0.8, 0.81)
    slow, wild = at_rate(0.0001, 0.1, 0.2, 0.4, 0.5), at_rate(0.01, 0.4, 0.6, 0.2, 0.9)
    found = claims(scored, [*good, *slow, *wild])
    assert verdicts(found, "learns more slowly") == {"training": "reproduced"}
    assert verdicts(found, "oscillates") == {"training": "reproduced"}
    assert verdicts(found, "gets as far") == {"final": "contradicted"}
    assert verdicts(claims(scored, [*good, *slow[:2]]), "learns more slowly") == {}
    level = at_rate(0.0001, 0.39, 0.59, 0.8, 0.81, shift=0.2)
    assert verdicts(claims(scored, [*good, *level]), "learns") == {"training": "inconclusive"}


def test_the_whole_table_has_every_statement_once() -> None:
    """What no study speaks to is not examined, with its reason; the fullest study is told."""
    few = rows(EPISODES, {"adsac": {"reward": 1.0}, "ppo": {"reward": 0.9}})
    more = rows(EPISODES, {m: {"reward": 1.0} for m in ("adsac", "ppo", "ddpg")})
    found = of_all([claims(few, study="few"), claims(more, study="more")])
    assert len(found) == sum(len(s.policies) for s in STATEMENTS)
    (claim,) = [c for c in found if "AD-SAC ends" in c.paper and c.policies == "selected"]
    assert claim.study == "more"
    silent = [c for c in found if c.verdict == "not examined"]
    assert silent
    assert all(c.ours and not c.parts for c in silent)

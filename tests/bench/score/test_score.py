"""Scores and the gate on rows made by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from satedge.bench.report.comparison import TERMINAL, comparison
from satedge.bench.run.record import cost_without_resampled, floor, numbers
from satedge.bench.run.rows import from_records
from satedge.bench.score.best_known import Mark, Record
from satedge.bench.score.score import RANDOM, gate, score
from satedge.bench.score.summary import Line, summarise
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import COST_VERSION, judge
from satedge.problem.scenario import preset

_SERIAL = iter(range(10**9))


def row(method: str, cost: float, bound: float = math.nan, **other: Any) -> dict[str, Any]:
    values = {
        "key": str(next(_SERIAL)),
        "group": "g",
        "method": method,
        "entry": f"m:{method}",
        "family": "heuristic",
        "instance": "i",
        "instance_sha256": "i",
        "status": "done",
        "seed": 0,
        "budget_s": 1.0,
        "n_slots": 1,
        "requests": 10,
        "floor": 6.0,
        "cost": cost,
        "lower_bound": bound,
        "admissible": True,
        "feasible": True,
        "deadline_misses": 0,
        "refused": 0,
        "outages": 0,
        "cost_version": COST_VERSION,
        "resampled": 0,
        "wall_s": 1.0,
        "peak_MB": 1.0,
    }
    return values | other


def test_gap_uses_the_best_bound_of_any_method() -> None:
    """Cost 10 against bounds 7 (its own) and 8: gap 20 %, own gap 30 %."""
    s = score(from_records([row("a", 10.0, 7.0), row("b", 16.0, 8.0)]))
    assert_allclose(s.gap, [0.2, 0.5])
    assert_allclose(s.own_gap, [0.3, 0.5])


def test_a_disproved_bound_counts_for_nobody() -> None:
    """A bound of 11 where a plan costs 10 is no bound: gaps are measured to the next, 8."""
    rows = from_records([row("a", 10.0, 8.0), row("liar", 16.0, 11.0)])
    s = score(rows)
    assert_allclose(s.gap, [0.2, 0.5])
    assert np.isnan(s.own_gap[1])
    assert [b.bound_by for b in gate(rows)] == ["liar"]


@pytest.mark.parametrize(
    ("run", "bound"),
    [
        ({"status": "timeout", "certificate": "dual"}, 9.0),
        ({"status": "timeout", "certificate": "none"}, 8.0),
        ({"status": "failed", "certificate": "dual"}, 8.0),
        ({"status": "crashed", "certificate": "dual"}, 8.0),
        ({"status": "crashed", "certificate": "none"}, 8.0),
    ],
)
def test_a_claim_counts_if_its_run_left_a_certificate(run: dict[str, Any], bound: float) -> None:
    """9 is a better bound than 8, unless the run that says so failed or leaves no certificate."""
    s = score(from_records([row("a", 10.0, 8.0), row("b", 12.0, 9.0, **run)]))
    assert_allclose(s.best_bound, bound)
    assert_allclose(s.gap[0], (10.0 - bound) / 10.0)
    assert np.isfinite(s.own_gap[1]) == (bound == 9.0)


@pytest.mark.parametrize(("excess", "believed"), [(0.0, True), (0.9e-6, True), (1.1e-6, False)])
def test_a_bound_is_disproved_beyond_rounding_only(excess: float, believed: bool) -> None:
    """A bound equal to a cost proves it optimal; one over a millionth above it proves nothing."""
    s = score(from_records([row("a", 10.0, 10.0 * (1 + excess))]))
    assert s.best_cost[0] == 10.0
    assert np.isfinite(s.best_bound[0]) == believed
    assert np.isfinite(s.gap[0]) == believed


def test_a_plan_that_breaks_a_constraint_disproves_no_bound() -> None:
    """It may cost less than any bound: the gap of the admissible plan stays 20 %."""
    s = score(from_records([row("a", 10.0, 8.0), row("b", 1.0, admissible=False)]))
    assert_allclose(s.best_bound, [8.0, 8.0])
    assert_allclose(s.gap, [0.2, math.nan])


def test_own_gap_of_a_bare_bound_is_to_the_best_known_cost() -> None:
    """A relaxation without a plan proves 9 where 10 is the best known: 10 %."""
    bare = row("relax", math.nan, 9.0, admissible=False)
    rows = from_records([row("a", 10.0), row("b", 12.0), bare])
    assert score(rows).own_gap[2] == pytest.approx(0.1)
    line = next(v for v in summarise(score(rows)) if v.method == "relax")
    assert (line.plans, line.own_gap) == (0, pytest.approx(0.1))


def test_gap_in_the_part_that_decisions_change() -> None:
    """Floor 6, bound 8, cost 10: two of the four units above the floor are uncertain."""
    s = score(from_records([row("a", 10.0, 8.0)]))
    assert_allclose(s.controllable_gap, [0.5])


def test_excess_over_causal_and_over_hindsight() -> None:
    """8 knows the future, the best causal plan costs 10: 12 is 20 % and 50 % above."""
    s = score(from_records([row("h", 8.0, hindsight=True), row("c", 10.0), row("d", 12.0)]))
    assert_allclose(s.excess, [-0.2, 0.0, 0.2])
    assert_allclose(s.over_hindsight, [0.0, 0.25, 0.5])


def test_no_hindsight_no_excess_over_it() -> None:
    """Where nobody knows the future, nothing is said of it."""
    assert np.isnan(score(from_records([row("c", 10.0)])).over_hindsight).all()


def test_excess_in_the_part_that_decisions_change() -> None:
    """Floor 6, best 10: of 12 the 2 above the best are half of the best's 4 above the floor."""
    s = score(from_records([row("c", 10.0), row("d", 12.0)]))
    assert_allclose(s.excess_over_floor, [0.0, 0.5])


def test_normalised_is_one_for_random() -> None:
    """Random costs 30 on average over its seeds, the best 10: 15 is a quarter of the way."""
    rows = [row("random", c, entry=RANDOM) for c in (20.0, 40.0)]
    s = score(from_records([row("a", 10.0), row("b", 15.0), *rows]))
    assert_allclose(s.normalised, [0.0, 0.25, 0.5, 1.5])


def test_without_random_nothing_is_normalised() -> None:
    """0 would say that every method is the best."""
    s = score(from_records([row("a", 10.0), row("b", 15.0)]))
    assert np.isnan(s.normalised).all()


def test_normalised_is_zero_where_random_is_the_best() -> None:
    """Costs have no scale where random reaches the best known; all that reach it are best."""
    for cost in (10.0, 0.0):
        s = score(from_records([row("a", cost), row("random", cost, entry=RANDOM)]))
        assert s.normalised.tolist() == [0.0, 0.0]


def test_excess_over_a_free_plan_is_infinite() -> None:
    """Where the best costs nothing, any cost is infinitely many times as much."""
    s = score(from_records([row("a", 0.0), row("b", 10.0)]))
    assert s.excess.tolist() == [0.0, math.inf]


def test_instances_do_not_mix() -> None:
    """Bounds and best costs are those of the row's own instance."""
    rows = [row("a", 10.0, 9.0), row("a", 100.0, 50.0, instance_sha256="j")]
    assert_allclose(score(from_records(rows)).gap, [0.1, 0.5])


@pytest.mark.parametrize(
    "other",
    [
        {"status": "failed"},
        {"status": "crashed"},
        {"status": "skipped"},
        {"admissible": False},
        {"cost": None},
    ],
)
def test_what_failed_has_no_score(other: dict[str, Any]) -> None:
    """A failed, crashed, skipped or inadmissible row neither scores nor sets the best."""
    s = score(from_records([row("a", 10.0), row("b", 1.0) | other]))
    assert s.usable.tolist() == [True, False]
    assert s.best_cost[0] == 10.0
    assert np.isnan(s.excess[1])


def test_timeout_counts_with_its_incumbent() -> None:
    """A method killed at its limit is scored on its last incumbent."""
    s = score(from_records([row("a", 10.0), row("b", 8.0, status="timeout")]))
    assert_allclose(s.excess, [0.25, 0.0])


def test_zero_cost_has_zero_gap() -> None:
    """A slot without requests costs nothing, and nothing is uncertain."""
    s = score(from_records([row("a", 0.0, 0.0, floor=0.0)]))
    assert (s.gap[0], s.excess[0], s.controllable_gap[0]) == (0.0, 0.0, 0.0)


def test_a_plan_at_the_floor_has_no_gap_in_the_part_that_decisions_change() -> None:
    """Cost and floor 6: there is no such part, and nothing in it is uncertain."""
    assert score(from_records([row("a", 6.0, 5.0)])).controllable_gap[0] == 0.0


def test_gate_catches_a_bound_above_a_cost() -> None:
    """One method's bound above another method's plan of the same instance fails the study."""
    rows = [row("a", 10.0), row("b", 12.0, 10.1), row("c", 1.0, 0.5, instance_sha256="j")]
    (breach,) = gate(from_records(rows))
    assert str(breach) == "i: b certifies 10.1, yet a plan of a costs 10"


def test_gate_forgives_rounding_only() -> None:
    """A relative excess of 1e-6 is rounding; more is not."""
    assert gate(from_records([row("a", 10.0, 10.0 * (1 + 0.9e-6))])) == []
    assert len(gate(from_records([row("a", 10.0, 10.0 * (1 + 1.1e-6))]))) == 1


def test_gate_without_tolerance_lets_a_tight_bound_pass() -> None:
    """A bound equal to the cost is the best there can be."""
    assert gate(from_records([row("a", 10.0, 10.0)]), tolerance=0.0) == []


def test_gate_goes_through_every_instance() -> None:
    """One sound instance before, between and after does not end the search."""
    bounds = {"g": 9.0, "h": 10.1, "i": 9.0, "j": 10.1, "k": 9.0}
    rows = [row("a", 10.0, b, instance=i, instance_sha256=i) for i, b in bounds.items()]
    assert [breach.instance for breach in gate(from_records(rows))] == ["h", "j"]


def test_gate_needs_both_a_plan_and_a_bound() -> None:
    """Instances that have only the one, or neither, pass."""
    assert gate(from_records([row("a", 10.0)])) == []
    assert gate(from_records([row("b", math.nan, 9.0, admissible=False)])) == []
    assert gate(from_records([row("c", math.nan, admissible=False)])) == []


def test_gate_names_the_first_of_equals() -> None:
    """However many plans and bounds are equal, the breach is told the same way."""
    rows = [row(f"m{n}", 10.0, 11.0, instance_sha256=sha) for n in range(50) for sha in ("i", "j")]
    assert {(b.bound_by, b.cost_by) for b in gate(from_records(rows))} == {("m0", "m0")}


def test_gate_ignores_inadmissible_plans() -> None:
    """A plan that breaks a constraint may cost less than any bound; it proves nothing."""
    assert gate(from_records([row("a", 1.0, admissible=False), row("b", 10.0, 9.0)])) == []


def test_gate_counts_plans_of_failed_rows() -> None:
    """An admissible plan refutes a bound even if its method crashed afterwards."""
    assert len(gate(from_records([row("a", 1.0, status="crashed"), row("b", 10.0, 9.0)]))) == 1


def test_summary_of_a_learner_draws_seeds_and_instances() -> None:
    """Seeds 0, 10, 20 and 60 % above the best: 22.5 %; without other seeds no interval."""

    def of_seeds(costs: tuple[float, ...]) -> Line:
        rows = [row("best", 10.0, instance_sha256=sha) for sha in ("i", "j")]
        for seed, cost in enumerate(costs):
            for sha, shift in (("i", -0.5), ("j", 0.5)):
                more = {"family": "learned", "seed": seed, "instance_sha256": sha}
                rows.append(row("rl", cost + shift * (cost > 10), **more))
        return next(v for v in summarise(score(from_records(rows))) if v.method == "rl")

    line = of_seeds((10.0, 11.0, 12.0, 16.0))
    assert (line.seeds, line.plans, line.runs) == (4, 8, 8)
    assert line.excess == pytest.approx(0.225) == line.excess_interval.value
    assert line.excess_interval.low < 0 < 0.225 < line.excess_interval.high
    alone = of_seeds((11.0,))
    assert alone.excess == pytest.approx(0.1)
    assert math.isnan(alone.excess_interval.low)


def test_excess_of_a_line_is_that_of_the_means() -> None:
    """20 and 50 against 10 and 100: cheaper on average, whatever the mean of the ratios is."""
    costs = {"a": (20.0, 50.0), "b": (10.0, 100.0)}
    rows = [
        row(m, cost, instance_sha256=sha)
        for m, both in costs.items()
        for sha, cost in zip("ij", both, strict=True)
    ]
    first, second = summarise(score(from_records(rows)))
    assert (first.method, second.method) == ("a", "b")
    assert first.excess == pytest.approx(70 / 60 - 1)
    assert second.excess == pytest.approx(110 / 60 - 1)


def test_median_and_worst_are_of_slots() -> None:
    """Two episodes of 20 slots, 1..40: median 20.5, the worst two 39.5; unknown, they are NaN."""
    rows = [row("a", 10.5, n_slots=20), row("a", 30.5, n_slots=20, instance_sha256="j")]
    scored = score(from_records(rows))
    assert math.isnan(summarise(scored)[0].cost_worst)
    slots = pd.Series([np.arange(1.0, 21.0), np.arange(21.0, 41.0)], dtype=object)
    (line,) = summarise(scored.assign(slot_costs=slots))
    assert (line.cost, line.cost_median, line.cost_worst) == (20.5, 20.5, 39.5)
    single = [row("a", c, n_slots=1, instance_sha256=str(c)) for c in (1.0, 2.0, 9.0)]
    (line,) = summarise(score(from_records(single)))
    assert (line.cost, line.cost_median, line.cost_worst) == (4.0, 2.0, 9.0)


def test_summary_counts_requests_not_rows() -> None:
    """3 of 10 deadlines missed and 0 of 30 are 7.5 %, whatever the number of rows."""
    rows = [row("a", 1.0, deadline_misses=3), row("a", 1.0, requests=30, instance_sha256="j")]
    (line,) = summarise(score(from_records(rows)))
    assert line.deadline_misses == pytest.approx(0.075)


def test_floor_is_the_cheapest_admissible_compute() -> None:
    """By hand, device by device, from the catalogue and the weights."""
    instance = generate(preset("tiny", n_slots=3, requests="as-printed"), 5)
    s, models = instance.scenario, instance.scenario.models()
    speed = [s.uav_TFLOPS] + [s.satellite_TFLOPS] * 2
    watts = [s.uav_compute_W] + [s.satellite_compute_W] * 2
    total = 0.0
    for t, k in np.argwhere(instance.active):
        costs = []
        for server in range(3):
            time_s = models.work_TFLOP[server] * instance.output_words[t, k] / speed[server]
            if models.accuracy[server] >= instance.accuracy_floor[t, k]:
                costs.append(0.5 * time_s + 0.5 * time_s * watts[server])
        total += min(costs)
    assert floor(instance) == pytest.approx(total / instance.active.size, rel=1e-12)


def test_latency_counts_served_requests_and_energy_all(slot: Instance) -> None:
    """Idle and refused requests have no latency; energy is a sum over devices."""
    k = slot.scenario.n_devices
    nobody = Plan(
        np.full((1, k), -1), np.zeros((1, k)), np.broadcast_to(slot.uav_xy_m, (1, 1, 2)).copy()
    )
    row = numbers(slot, nobody)
    assert (row["latency_s"], row["energy_J"]) == (0.0, 0.0)
    assert row["refused"] == int(slot.active.sum())
    assert row["outages"] == 0
    assert row["admissible"]
    assert not row["feasible"]
    assert row["cost"] == pytest.approx(slot.outage_cost.mean())
    assert row["violations"] == {}


def test_outages_are_counted_and_their_latencies_told() -> None:
    """A request sent too quietly costs its bound; latency and energy are what they are."""
    instance = generate(preset("tiny", n_slots=1, arrivals="every-slot"), 4)
    plan = Plan(
        np.full((1, 3), 1 + int(instance.access[0])),
        np.array([[1e-6, 1.0, 1.0]]),
        instance.uav_xy_m[None],
    )
    row, verdict = numbers(instance, plan), judge(instance, plan)
    assert (row["outages"], row["refused"], row["feasible"]) == (1, 0, False)
    assert row["latency_s"] == pytest.approx(verdict.latency_s.mean())
    assert row["latency_s"] > instance.deadline_s.max()
    assert row["cost"] < instance.outage_cost.mean()


def test_who_serves_and_whose_window_is_overrun_are_counted() -> None:
    """Device 0 is refused, 1 sends to the UAV, 2 and 3 to the satellite: of these one overruns
    the window of 0.3 s within its deadline of 2.9 s, the other its deadline as well."""
    instance = generate(preset("tiny", n_slots=1, n_devices=4, arrivals="every-slot"), 4)
    above = 1 + int(instance.access[0])
    power_W, at = np.array([[0.0, 1.0, 1.0, 1e-6]]), instance.uav_xy_m[None]
    plan = Plan(np.array([[-1, 0, above, above]]), power_W, at)
    for window_s, misses in ((100.0, 0), (0.3, 1)):
        there = np.where(instance.window_s > 0, window_s, 0.0)
        row = numbers(replace(instance, window_s=there), plan)
        assert (row["refused"], row["by_satellites"], row["window_misses"]) == (1, 2, misses)


def test_whoever_is_sent_is_served_by_a_uav_or_a_satellite() -> None:
    """Of random plans too: refused requests and those of either kind of server are all of them."""
    rng = np.random.default_rng(1)
    instance = generate(preset("paper", n_slots=5), 3)
    s, shape = instance.scenario, instance.active.shape
    at = np.broadcast_to(instance.uav_xy_m, (5, s.n_uavs, 2)).copy()
    for _ in range(20):
        plan = Plan(rng.integers(-2, s.n_servers + 1, shape), rng.random(shape), at)
        row, sent = numbers(instance, plan), instance.active & (plan.server >= 0)
        by_uavs = int((sent & (plan.server < s.n_uavs)).sum())
        assert row["by_satellites"] + by_uavs + row["refused"] == instance.active.sum()
        assert 0 <= row["window_misses"] <= min(row["by_satellites"], row["deadline_misses"])


def test_no_floor_is_above_refusing_everything() -> None:
    """Where refusing is cheaper than any computing, the floor is what refusing costs."""
    cheap = generate(preset("tiny", n_slots=3, deadline_penalty=1e-3), 1)
    assert floor(cheap) == pytest.approx(cheap.outage_cost.mean())


def test_shares_that_nobody_counted_are_unknown() -> None:
    """Rows of an earlier cost say nothing of outages, and their table says which cost it was."""
    earlier = {"outages": None, "cost_version": None}
    known, old = (
        summarise(score(from_records([r])))[0]
        for r in (row("a", 10.0, outages=2), row("a", 10.0, **earlier))
    )
    assert (known.outages, known.earlier_cost) == (0.2, False)
    assert math.isnan(old.outages)
    assert old.earlier_cost
    (table,) = comparison([old], ("cost", "outages"))
    assert table.title.endswith(", judged by an earlier cost")
    assert "earlier" not in comparison([known], ("cost",))[0].title


def test_cost_without_resampled_requests() -> None:
    """Requests whose server was resampled are left out; the rest stands for all."""
    instance = generate(preset("tiny", n_slots=2), 5)
    served = np.where(instance.active, 0, -1)
    plan = Plan(served, np.full(served.shape, 0.1), np.tile(instance.uav_xy_m, (2, 1, 1)))
    cost = judge(instance, plan).device_cost
    slots, devices = np.nonzero(instance.active)
    out = [(int(slots[0]), int(devices[0]))]
    rest = [cost[t, k] for t, k in zip(slots[1:], devices[1:], strict=True)]
    assert cost_without_resampled(instance, plan, ()) == pytest.approx(cost.mean())
    assert cost_without_resampled(instance, plan, out) == pytest.approx(
        np.mean(rest) * len(slots) / cost.size
    )
    everything = list(zip(slots.tolist(), devices.tolist(), strict=True))
    assert math.isnan(cost_without_resampled(instance, plan, everything))


def test_the_reference_is_that_of_the_suite() -> None:
    """The same plan has the same excess whatever else a study has; own instances say so."""
    known = {"i": Record("i", "i", best=Mark(9.0, "a", "2026"), bound=Mark(8.0, "b", "2026"))}
    rows = [row("a", 10.0, 7.0), row("b", 12.0)]
    alone = score(from_records([r | {"instance_sha256": "i"} for r in rows[1:]]), known)
    both = score(from_records([r | {"instance_sha256": "i"} for r in rows]), known)
    assert alone.excess[0] == both.excess[1] == pytest.approx(12 / 9 - 1)
    assert both.gap.tolist() == pytest.approx([0.2, 4 / 12])
    assert set(both.reference_of) == {"suite"}
    own = score(from_records([r | {"instance_sha256": "own"} for r in rows]), known)
    assert set(own.reference_of) == {"study"}
    assert own.excess.tolist() == pytest.approx([0.0, 0.2])
    (first, *_) = summarise(own)
    assert first.reference == "study"
    heads = [c.head for c in comparison([first], TERMINAL)[0].columns]
    assert "over best here" in heads
    assert "excess" not in heads


def test_a_comparison_has_one_reference() -> None:
    """Where one instance of a part has no record, all are compared with the best of the study."""
    known = {"i": Record("i", "i", best=Mark(9.0, "a", "2026"))}
    rows = [row("a", 10.0) | {"instance_sha256": s, "group": g} for s, g in ("ix", "jx", "iy")]
    found = score(from_records(rows), known)
    assert found.reference_of.tolist() == ["study", "study", "suite"]
    assert found.excess.tolist() == pytest.approx([0.0, 0.0, 1 / 9])

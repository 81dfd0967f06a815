"""Branch and bound: its bounds hold, its plans are admissible, its optimum is one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from minlp.branch_and_bound.ascent import ascend
from minlp.branch_and_bound.copies import Slopes, new_slopes
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.loads import full_spans
from minlp.branch_and_bound.node import core_around, evaluate_node, priced
from minlp.branch_and_bound.presolve import Region, copied, least_powers, lone_costs, tighten
from minlp.branch_and_bound.primal import staying_options
from minlp.branch_and_bound.solve import rolling, solve, solve_slot, warm_up
from minlp.slot.cost import device_costs
from minlp.slot.data import plan_of, slot_data
from minlp.slot.geometry import (
    gain_above,
    gain_below,
    gain_interval,
    log_gain,
    room,
)
from minlp.slot.region import common_point, discs_of, in_all, reach_boxes, start_reach
from satedge.problem.referee import available, judge
from satedge.problem.scenario import PRESETS
from support.plain_model import slot_cost
from support.plans import elastic_costs, random_plan
from support.randomised import examples, seeds
from support.worlds import scenarios, world

SCENARIOS = scenarios(
    path_loss_exponent=st.sampled_from([2.0, 2.6]),
    uav_separation_m=st.sampled_from([0.0, 0.0, 60.0]),
    n_devices=st.integers(1, 6),
    uav_coverage_m=st.sampled_from([120.0, 250.0]),
    requests=st.just("as-printed"),
)
FLEETS = st.sampled_from([(3, 4), (1, 2), (2, 0), (0, 3)])


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm_up()


def one_slot(name, seed, fleet=(3, 4), **changes):
    """One slot in which everybody has a request."""
    size = {"n_uavs": fleet[0], "n_satellites": fleet[1]}
    return world(name, seed, **{"arrivals": "every-slot", **size, **changes})


@examples(60)
@given(st.sampled_from(list(PRESETS)), SCENARIOS, FLEETS, st.integers(0, 5000))
def test_the_bound_never_passes_a_judged_cost(name, changes, fleet, seed):
    """Whatever the scenario: bound <= the incumbent <= nothing a random plan beats."""
    instance = one_slot(name, seed, fleet, **changes)
    outcome = solve_slot(instance, 0, Limits(gap=1e-4, budget_s=np.inf, max_nodes=300))
    verdict = judge(instance, outcome.plan)
    assert verdict.admissible
    assert outcome.lower_bound <= float(verdict.cost) * (1 + 1e-9)
    plans = random_plan(instance, np.random.default_rng(seed), (200,))
    others = judge(instance, plans)
    assert outcome.lower_bound <= others.cost.min() * (1 + 1e-9)
    if outcome.status == "optimal":
        assert float(verdict.cost) <= others.cost.min() * (1 + 1e-4)


def test_a_request_is_refused_where_serving_it_costs_more():
    """Out of time everywhere, a request costs what refusing it does, and so do the others alone."""
    changes = {"deadline_min_s": 0.01, "deadline_max_s": 0.02, "requests": "as-printed"}
    instance = one_slot("balanced", 3, (1, 2), n_devices=3, deadline_penalty=1.0, **changes)
    outcome = solve_slot(instance, 0, Limits(gap=1e-9))
    assert outcome.plan.server.tolist() == [[-1, -1, -1]]
    refusal = instance.scenario.penalty_per_s * instance.deadline_s[0].mean()
    assert outcome.lower_bound == pytest.approx(refusal, rel=1e-9)
    hard = solve_slot(instance, 0, Limits(hard=True))
    assert hard.status == "infeasible"


def random_node(slot, rng, shrink):
    """Some options a device and boxes of a share of their widths: (allowed, boxes), tightened."""
    allowed = (1 << slot.n_options) - 1
    for k in range(len(allowed)):
        allowed[k] &= rng.integers(1, 1 << slot.n_options[k])
    boxes = reach_boxes(slot)
    for box in boxes:
        for axis in (0, 2):
            width = (box[axis + 1] - box[axis]) * shrink
            box[axis] += rng.uniform(0, box[axis + 1] - box[axis] - width)
            box[axis + 1] = box[axis] + width
    spans = full_spans(slot)
    spans[:, 1] -= rng.integers(0, 2, len(spans))
    node = Region(allowed.copy(), boxes, spans)
    if tighten(slot, node):
        return node
    node = Region(allowed, reach_boxes(slot), full_spans(slot))
    return node if tighten(slot, node) else None


def random_slopes(slot, rng):
    """Slopes as far from any use as one likes: bounds hold whatever copies pay."""
    n, n_uavs = slot.log_fading.shape
    size = slot.fixed_cost.mean() * 10.0 ** rng.uniform(-3, 0)
    place = size / slot.side_m * rng.normal(size=(n, n_uavs + 1, 2))
    return Slopes(size * rng.normal(size=(n, n)), place * (rng.random() < 0.7))


def plans_of_node(slot, node, rng, count):
    """Admissible (options, cost) of random plans of a node; fewer than `count` where few are."""
    allowed, boxes, n = node.allowed, node.boxes, len(node.allowed)
    for _ in range(count):
        options = [
            rng.choice([o for o in range(slot.n_options[k]) if allowed[k] >> o & 1])
            for k in range(n)
        ]
        choice = np.array(options, np.int64)
        power = rng.uniform(slot.log_power_min, slot.log_power_max, n)
        power = np.where(rng.random(n) < 0.5, slot.log_power_max, power)
        xy = rng.uniform(boxes[:, 0::2], boxes[:, 1::2])
        receivers = slot.receiver[np.arange(n), choice]
        held = np.hypot(*(xy - slot.start_xy_m).T) <= slot.reach_m
        for m in range(len(xy)):
            apart = np.hypot(*(slot.device_xy_m[receivers == m] - xy[m]).T)
            held[m] &= (apart <= slot.coverage_m).all()
        loads = np.bincount(slot.server[np.arange(n), choice] + 1, minlength=len(node.spans) + 1)[
            1:
        ]
        if slot.shared:
            held = np.r_[held, (node.spans[:, 0] <= loads) & (loads <= node.spans[:, 1])]
        if held.all():
            yield choice, device_costs(slot, choice, power, xy).sum()


@examples(40)
@given(st.data(), st.sampled_from(["paper", "balanced"]), SCENARIOS, FLEETS, st.integers(0, 5000))
def test_a_node_bound_holds_for_every_plan_of_the_node(data, name, changes, fleet, seed):
    """Random nodes, random plans inside them: none costs less than the node's bound.

    Neither do its prices lie: the choice of a plan costs at least what they say, and so do its
    loads; plans with an option or a load that was dropped cost at least the cutoff.
    """
    changes["uav_separation_m"] = 0.0
    slot = slot_data(one_slot(name, seed, fleet, **changes))
    rng = np.random.default_rng(seed)
    node = random_node(slot, rng, data.draw(st.sampled_from([1.0, 0.3, 0.01, 0.0])))
    if node is None:
        return
    n = len(node.allowed)
    floor, dual = np.full(n, slot.log_power_min), rng.normal(size=n)
    start = np.r_[np.zeros(n), node.boxes.reshape(-1, 2).mean(axis=1)]
    first = np.array([int(a & -a).bit_length() - 1 for a in node.allowed], np.int64)

    steps = data.draw(st.sampled_from([0, 1, 9]))

    def bounded(cutoff):
        part = copied(node)
        found = evaluate_node(
            slot, part, floor, start, first, dual, new_slopes(0, 0), steps, cutoff, 1e-9, False
        )
        return found, part

    bound = bounded(np.inf)[0].lower_bound
    assert np.isfinite(bound)
    core = 1 << first if rng.random() < 0.5 else core_around(slot, node.allowed, first)
    found = priced(slot, node, core, first, floor, start, dual, np.inf, 1e-9)
    cutoff = bound * 1.02
    better, kept = bounded(cutoff)
    lifted = ascend(
        slot, node, floor, random_slopes(slot, rng), dual, first, start, cutoff, steps, False
    )
    for choice, cost in plans_of_node(slot, node, rng, 60):
        assert bound <= cost * (1 + 1e-9)
        assert better.lower_bound <= cost * (1 + 1e-9)
        assert lifted.lower_bound <= cost * (1 + 1e-9)
        assert (lifted.option[np.arange(n), choice] <= cost * (1 + 1e-9)).all()
        assert (found.option[np.arange(n), choice] <= cost * (1 + 1e-9)).all()
        loads = np.bincount(slot.server[np.arange(n), choice] + 1, minlength=len(node.spans) + 1)
        dropped = not (kept.allowed >> choice & 1).all()
        for s in range(len(node.spans)):
            assert found.assigned.load[s, loads[s + 1]] <= cost * (1 + 1e-9)
            assert lifted.load[s, loads[s + 1]] <= cost * (1 + 1e-9)
            dropped |= not kept.spans[s, 0] <= loads[s + 1] <= kept.spans[s, 1]
        if not slot.shared:
            prices = found.price[np.arange(n), choice, 0].sum()
            assert found.lower_bound + found.lost.sum() + prices <= cost * (1 + 1e-9)
        if dropped:
            assert cost >= cutoff * (1 - 1e-9)


@examples(40)
@given(st.sampled_from(list(PRESETS)), SCENARIOS, FLEETS, st.integers(0, 5000))
def test_compiled_costs_equal_the_referee(name, changes, fleet, seed):
    """The compiled cost of a plan is the judged one, and that of the plain loops."""
    instance = one_slot(name, seed, fleet, **changes)
    slot = slot_data(instance)
    n = len(slot.n_options)
    choice = staying_options(slot, lone_costs(slot, reach_boxes(slot)))
    rng = np.random.default_rng(seed)
    power = rng.uniform(slot.log_power_min, slot.log_power_max, n)
    power = np.where(slot.server[np.arange(n), choice] >= 0, power, slot.log_power_min)
    plan = plan_of(instance, 0, slot, choice, power, slot.start_xy_m)
    verdict = judge(instance, plan)
    assert verdict.admissible
    mine = device_costs(slot, choice, power, slot.start_xy_m)
    assert mine.sum() == pytest.approx(elastic_costs(instance, plan).sum(), rel=1e-8)
    mine = np.minimum(mine, slot.fixed_cost[np.arange(n), slot.n_options - 1])
    assert mine.sum() == pytest.approx(float(verdict.device_cost.sum()), rel=1e-8)
    servers = plan.server[0].tolist()
    plain = slot_cost(instance, 0, servers, plan.power_W[0], plan.uav_xy_m[0])
    assert mine.sum() / instance.scenario.n_devices == pytest.approx(plain, rel=1e-8)


@examples(60)
@given(st.integers(0, 5000), st.sampled_from([2.0, 3.1]))
def test_gains_over_a_box_lie_within_their_bounds(seed, exponent):
    """Intervals and affine bounds hold at random points of random boxes within reach."""
    instance = one_slot("paper", seed, path_loss_exponent=exponent, n_devices=2)
    slot = slot_data(instance)
    rng = np.random.default_rng(seed)
    low = slot.start_xy_m[1] + rng.uniform(-60, 30, 2)
    high = low + rng.uniform(0, 90, 2)
    box = np.array([low[0], high[0], low[1], high[1]])
    least, greatest = gain_interval(slot, 0, 1, box)
    points = rng.uniform(low, high, (50, 2))
    away = np.hypot(*(points - slot.start_xy_m[1]).T)
    x0, y0 = rng.uniform(low, high)
    space = room(box, discs_of(slot, start_reach(slot), np.full(2, -1), 1), x0, y0)
    above = gain_above(slot, 0, 1, box, space, x0, y0)
    below = gain_below(slot, 0, 1, space, x0, y0)
    for x, y in points[away <= slot.reach_m]:
        gain = log_gain(slot, 0, 1, x, y)
        upper = above[0] + above[1] * (x - x0) + above[2] * (y - y0)
        lower = below[0] + below[1] * (x - x0) + below[2] * (y - y0)
        assert least - 1e-12 <= gain <= greatest + 1e-12
        assert lower - 1e-12 <= gain <= upper + 1e-12


@examples(200)
@given(st.integers(0, 100_000), st.integers(1, 5))
def test_discs_meet_where_a_point_of_all_of_them_is_found(seed, count):
    """The point lies in all discs; where none is reported, random search finds none either."""
    rng = np.random.default_rng(seed)
    discs = np.c_[rng.uniform(0, 100, (count, 2)), rng.uniform(10, 90, count)]
    x, y, found = common_point(discs, 0.0)
    if found:
        assert in_all(discs, x, y, 1e-9)
    else:
        points = discs[0, :2] + rng.uniform(-90, 90, (2000, 2))
        away = np.hypot(*(points[:, None] - discs[None, :, :2]).transpose(2, 0, 1))
        assert not (away <= discs[:, 2]).all(axis=1).any()


def lone_optimum(instance, k, server):
    """Least cost of device k on a server when nobody else sends, by grid and golden section."""
    n = instance.scenario.n_devices
    servers = [-1] * n
    servers[k] = server
    refusals = instance.scenario.penalty_per_s * np.delete(instance.deadline_s[0], k).sum()

    def cost(log_power):
        powers = np.zeros(n)
        powers[k] = np.exp(log_power)
        return slot_cost(instance, 0, servers, powers, instance.uav_xy_m) * n - refusals

    grid = np.linspace(np.log(1e-6), 0.0, 200)
    best = grid[np.argmin([cost(p) for p in grid])]
    span = (max(best - 0.1, np.log(1e-6)), min(best + 0.1, 0.0))
    found = minimize_scalar(cost, bounds=span, method="bounded", options={"xatol": 1e-12})
    return min(found.fun, cost(span[0]), cost(span[1]))


def test_threads_make_one_tree_and_the_same_bound():
    """Whatever runs first: as many threads, the same nodes; more of them, other ones."""
    slot = world("contended", 2)
    alone, *both = (solve_slot(slot, 0, Limits(gap=1e-4, threads=t)) for t in (1, 2, 2))
    assert both[0].lower_bound == both[1].lower_bound
    assert both[0].certificate == both[1].certificate
    assert both[0].lower_bound == pytest.approx(alone.lower_bound, rel=1e-4)
    assert float(judge(slot, both[0].plan).cost) == pytest.approx(
        float(judge(slot, alone.plan).cost), rel=1e-4
    )


@pytest.mark.randomised
def test_without_interference_the_optimum_is_separable():
    """Leakage 0, UAVs that cannot move: the optimum is the sum of one-dimensional ones."""
    for seed in seeds(5):
        instance = one_slot("paper", seed, interference_leakage=0.0, uav_speed_max_mps=0.0)
        mask = available(instance, instance.uav_xy_m[None])[0]
        total = sum(
            min(lone_optimum(instance, k, server) for server in np.flatnonzero(mask[k]))
            for k in range(instance.scenario.n_devices)
        )
        mean = total / instance.scenario.n_devices
        outcome = solve(instance, budget_s=np.inf, gap=1e-9, max_nodes=1000)
        assert float(judge(instance, outcome.plan).cost) == pytest.approx(mean, rel=1e-7)
        assert outcome.lower_bound == pytest.approx(mean, rel=1e-7)


@pytest.mark.randomised
def test_powers_below_the_floor_cost_more_than_the_budget():
    """What the incumbent rules out is ruled out: alone, at less power, the total passes it."""
    for seed in seeds(20):
        instance = one_slot("paper", seed)
        slot = slot_data(instance)
        boxes = reach_boxes(slot)
        lone = lone_costs(slot, boxes)
        budget = lone.min(axis=1).sum() * 1.01
        floor = least_powers(slot, lone, boxes, budget)
        n = len(floor)
        choice = staying_options(slot, lone)
        quiet = replace(slot, log_leakage=-np.inf)
        for k in np.flatnonzero(floor > slot.log_power_min + 1e-6):
            power = np.zeros(n)
            power[k] = floor[k] - 0.01
            mine = device_costs(quiet, choice, power, slot.start_xy_m)[k]
            assert lone.min(axis=1).sum() - lone[k].min() + mine > budget


@pytest.mark.randomised
def test_hard_mode_ends_with_a_punctual_optimum_or_a_cause():
    """Leakage 1: some slots are proven infeasible; where a plan is returned it is punctual."""
    seen = set()
    for seed in seeds(12):
        instance = one_slot("paper", seed, interference_leakage=1.0)
        outcome = solve(instance, budget_s=np.inf, hard=True, gap=1e-3, max_nodes=1000)
        seen.add(outcome.status)
        if outcome.plan is not None:
            verdict = judge(instance, outcome.plan)
            assert verdict.feasible
            assert outcome.lower_bound <= float(verdict.cost) * (1 + 1e-9)
        if outcome.status == "infeasible":
            assert outcome.certificate["least_bound"] >= outcome.certificate["punctual_ceiling"]
            rng = np.random.default_rng(seed)
            assert not judge(instance, random_plan(instance, rng, (300,))).feasible.any()
    assert "infeasible" in seen


def test_hopeless_requests_are_told_by_their_cause():
    """Too little time for execution, and nobody accurate enough, are different causes."""
    late = one_slot("tiny", 1, requests="as-printed", deadline_min_s=0.2, deadline_max_s=0.21)
    outcome = solve(late, budget_s=np.inf, hard=True)
    assert outcome.status == "infeasible"
    assert outcome.certificate["cause"] == "execution"
    picky = one_slot("tiny", 1, requests="as-printed", accuracy_min=0.9, accuracy_max=0.95)
    outcome = solve(picky, budget_s=np.inf, hard=True)
    assert outcome.certificate["cause"] == "unservable"
    soft = solve(picky, budget_s=np.inf)
    assert judge(picky, soft.plan).cost == pytest.approx(soft.lower_bound, rel=1e-9)


def test_the_trace_improves_and_the_log_reads_like_a_solver():
    """Incumbents never rise, bounds never fall, and the last line closes the gap."""
    outcome = solve(one_slot("paper", 3), budget_s=np.inf, gap=1e-5)
    costs = [p.cost for p in outcome.trace]
    bounds = [p.lower_bound for p in outcome.trace if np.isfinite(p.cost)]
    assert costs == sorted(costs, reverse=True)
    assert all(b >= a for a, b in itertools.pairwise(bounds))
    assert all(b <= costs[-1] for b in bounds)
    assert "-" in outcome.info["log"][1].split(), "before the root there is no bound"
    assert outcome.status == "optimal"
    assert outcome.certificate["gap"] <= 1e-5
    assert outcome.info["log"][0].split()[:2] == ["nodes", "open"]


def test_limits_end_gracefully_with_a_valid_bound():
    """One node, or no time: a plan and a bound below it all the same."""
    instance = one_slot("paper", 8)
    for limits in (Limits(max_nodes=1), Limits(budget_s=0.0)):
        outcome = solve_slot(instance, 0, limits)
        cost = float(judge(instance, outcome.plan).cost)
        assert outcome.status == "stopped"
        assert outcome.lower_bound <= cost


def test_nobody_sends():
    """A slot of idle devices costs nothing and is optimal."""
    instance = world("tiny", 0, n_slots=40, arrival_rate_min=0, arrival_rate_max=0.01)
    slot = int(np.flatnonzero(~instance.active.any(axis=1))[0])
    outcome = solve(instance.window(slot, slot + 1), budget_s=np.inf)
    assert outcome.status == "optimal"
    assert judge(instance.window(slot, slot + 1), outcome.plan).cost == 0


def test_rolling_carries_the_uavs():
    """An episode slot by slot: admissible, and each slot certified."""
    instance = world("tiny", 5, n_slots=6)
    outcome = rolling(instance, budget_s=np.inf, slot_budget_s=np.inf)
    verdict = judge(instance, outcome.plan)
    assert verdict.admissible
    assert not outcome.info["resampled"]
    assert max(outcome.info["slot_gaps"]) <= 1e-4

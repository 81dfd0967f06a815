"""No bound of any method ever exceeds the judged cost of any plan, in worlds of every kind.

A sample; thousands of worlds by `SATEDGE_EXAMPLES=50 pytest tests/minlp/test_never_above.py`.
"""

import dataclasses
from functools import partial

import numpy as np
import pytest

from minlp.alternating.solve import alternate
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot, warm_up
from minlp.heuristics.local_search import local_search
from minlp.heuristics.simple import greedy, nearest
from minlp.horizon.solve import hindsight
from minlp.milp import solve as relax
from minlp.slot.interference_free import independent_bound
from satedge.problem.generation.generate import generate
from satedge.problem.referee import judge
from satedge.problem.scenario import PRESETS, preset
from support.plans import random_plan
from support.randomised import seeds

#: What is drawn for every world, one of each.
AXES = {
    "interference_scope": ("all", "tier", "server"),
    "interference_leakage": (0.0, 0.05, 0.3, 1.0),
    "compute_sharing": ("dedicated", "dedicated", "shared"),
    "path_loss_exponent": (2.0, 2.0, 2.6),
    "uav_separation_m": (0.0, 0.0, 60.0),
    "uav_coverage_m": (30.0, 120.0, 250.0),
    "uav_speed_max_mps": (0.0, 3.0, 20.0),
    "n_devices": (1, 2, 4, 6),
    "deadline_penalty": (0.0, 1.0, 100.0),
}
FLEETS = ((3, 4), (2, 2), (1, 2), (2, 0), (0, 3))
POWERS_W = ((1e-6, 1.0), (1e-6, 1e-6), (1e-3, 0.05), (1.0, 1.0))
KINDS = ("as drawn", "as drawn", "all idle", "no slack", "late already")

#: What remains of the room for a bound, relative: rounding of the judge's own sums.
ROUNDING = 1e-12


def world(seed, n_slots=1):
    """(instance, what kind of world it is)."""
    rng = np.random.default_rng(seed)
    changes = {name: values[rng.integers(len(values))] for name, values in AXES.items()}
    fleet, powers = FLEETS[rng.integers(len(FLEETS))], POWERS_W[rng.integers(len(POWERS_W))]
    changes |= {"n_uavs": fleet[0], "n_satellites": fleet[1], "requests": "as-printed"}
    changes |= {"power_min_W": powers[0], "power_max_W": powers[1]}
    name = sorted(PRESETS)[rng.integers(len(PRESETS))]
    kind = KINDS[rng.integers(len(KINDS))]
    if kind == "all idle":
        changes |= {"arrival_rate_min": 0.0, "arrival_rate_max": 0.0}
        quiet = generate(preset(name).replace(n_slots=n_slots + 2, **changes), seed)
        return quiet.window(2, n_slots + 2), kind
    instance = generate(preset(name).replace(n_slots=n_slots, **changes), seed)
    if kind in ("no slack", "late already"):
        instance = hurried(instance, 1.0 if kind == "no slack" else 0.3)
    return instance, kind


def hurried(instance, share):
    """Deadlines as long as greedy's latencies, times a share: nobody has time to lose."""
    verdict = judge(instance, greedy(instance, budget_s=np.inf, seed=0).plan)
    served = instance.active & (verdict.latency_s > 0)
    deadline_s = np.where(served, share * verdict.latency_s, instance.deadline_s)
    deadline_s = np.where(instance.active, np.clip(deadline_s, 1e-3, 1e5), 0.0)
    return dataclasses.replace(instance, deadline_s=deadline_s)


def cheapest(instance, seed, *plans):
    """(T,) least judged cost of every slot over many plans, and the least mean."""
    rng = np.random.default_rng([seed, 1])
    tried = [p for p in plans if p is not None]
    tried += [random_plan(instance, rng, decades=(-7, 0.5)) for _ in range(6)]
    methods = (greedy, nearest, local_search, partial(alternate, kicks=0))
    tried += [method(instance, budget_s=1e6, seed=seed).plan for method in methods]
    verdicts = [judge(instance, plan) for plan in tried]
    assert all(bool(verdict.admissible) for verdict in verdicts)
    slots = np.min([verdict.slot_cost for verdict in verdicts], axis=0)
    return slots, min(float(verdict.cost) for verdict in verdicts)


def check_slot(seed):
    """Bounds of one slot: independent, LP relaxation, branch and bound stopped anywhere."""
    instance, kind = world(seed)
    nodes = int(np.random.default_rng([seed, 2]).choice([0, 1, 3, 30, 300]))
    exact = solve_slot(instance, 0, Limits(gap=1e-6, budget_s=np.inf, max_nodes=nodes))
    linear = relax.relaxed(instance, 0, budget_s=3 if seed % 2 else 0, claim=False)
    _slots, cost = cheapest(instance, seed, exact.plan)
    for name, bound in (
        ("independent", float(independent_bound(instance).mean())),
        ("relax", linear.lower_bound),
        ("branch and bound", exact.lower_bound),
    ):
        told = f"seed {seed} ({kind}): {name} bounds by {bound!r}, a plan costs {cost!r}"
        assert bound <= cost * (1 + ROUNDING), told
        assert bound >= 0 or name == "branch and bound", told
    if kind == "all idle":
        assert cost == exact.lower_bound == 0.0


def check_episode(seed):
    """Bounds of three slots: hindsight's, with windows, and each slot's own."""
    instance, kind = world(seed, n_slots=3)
    limits = {"slot_bound_s": 0.05, "window_s": 0.1, "passes": 1, "kicks": 1}
    found = hindsight(instance, budget_s=6.0, seed=seed, **limits)
    slots, cost = cheapest(instance, seed, found.plan)
    bounds = np.array(found.certificate["slot_bounds"])
    assert found.lower_bound <= cost * (1 + ROUNDING), f"seed {seed} ({kind})"
    assert (bounds <= slots * (1 + ROUNDING)).all(), f"seed {seed} ({kind})"
    assert (independent_bound(instance) <= slots * (1 + ROUNDING)).all(), f"seed {seed} ({kind})"


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    warm_up()


@pytest.mark.randomised
@pytest.mark.parametrize("quarter", range(4))
def test_no_slot_costs_less_than_its_bounds(quarter):
    """A sample of worlds of every kind."""
    for seed in seeds(60)[quarter::4]:
        check_slot(seed)


@pytest.mark.randomised
def test_no_episode_costs_less_than_its_bounds():
    """A sample of worlds of every kind."""
    for seed in seeds(12):
        check_episode(seed)


def test_the_sample_holds_every_kind_of_world():
    """Each value of every axis, every fleet, power range and kind is drawn."""
    seen = {name: set() for name in AXES}
    kinds, fleets, powers, crowded = set(), set(), set(), 0
    for seed in range(60):
        instance, kind = world(seed)
        s = instance.scenario
        crowded += s.compute_sharing == "shared" and instance.active.sum() > s.n_servers
        kinds.add(kind)
        fleets.add((s.n_uavs, s.n_satellites))
        powers.add((s.power_min_W, s.power_max_W))
        for name, values in seen.items():
            values.add(getattr(s, name))
    assert kinds == set(KINDS)
    assert crowded >= 3, "servers that requests must share"
    assert fleets == set(FLEETS)
    assert powers == set(POWERS_W)
    assert {name: len(values) for name, values in seen.items()} == {
        name: len(set(values)) for name, values in AXES.items()
    }


def test_a_world_in_which_first_points_cost_infinitely_much():
    """No gain can be told between two such points; the search goes on without a warning."""
    check_episode(101_040)

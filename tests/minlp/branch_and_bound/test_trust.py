"""Bounds rest on nothing that is not so: wide masks, forgiven rounding, searches cut short."""

import dataclasses

import numpy as np
import pytest

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot
from minlp.slot.interference_free import independent_bound
from satedge.problem.generation.generate import generate
from satedge.problem.plan import Plan
from satedge.problem.referee import TOLERANCE, judge
from satedge.problem.scenario import preset
from support.randomised import seeds


def test_more_options_than_a_mask_has_bits_are_refused_in_one_line():
    """With shared compute every satellite is an option of its own: 70 do not fit in 64 bits."""
    changes = {"n_devices": 2, "n_satellites": 70, "satellite_spacing_deg": 5.0}
    scenario = preset("paper", n_slots=1, compute_sharing="shared", accuracy_max=0.31, **changes)
    instance = generate(scenario.replace(arrivals="every-slot"), 0)
    with pytest.raises(ValueError, match=r"^options of device \d = \d+: .* at most 62") as told:
        solve_slot(instance, 0, Limits(max_nodes=10))
    assert "\n" not in str(told.value)


@pytest.mark.randomised
@pytest.mark.parametrize("seed", seeds(5))
def test_a_plan_that_uses_up_the_tolerance_is_not_below_the_bound(seed):
    """Where only latency counts, full power is best, and a billionth more is forgiven."""
    scenario = preset(
        "tiny", n_slots=1, n_uavs=0, n_devices=1, energy_weight_per_J=0.0, accuracy_max=0.31
    )
    instance = generate(scenario.replace(arrivals="every-slot"), seed)
    found = solve_slot(instance, 0, Limits(gap=1e-12, max_nodes=100))
    greedy_power = scenario.power_max_W * (1 + 0.99 * TOLERANCE)
    assert found.plan is not None
    bold = Plan(found.plan.server, np.full((1, 1), greedy_power), found.plan.uav_xy_m)
    verdict = judge(instance, bold)
    assert verdict.admissible
    assert verdict.cost < judge(instance, found.plan).cost
    assert found.lower_bound <= verdict.cost


@pytest.mark.randomised
@pytest.mark.parametrize("scope", ["all", "tier", "server"])
@pytest.mark.parametrize("seed", seeds(3))
def test_a_search_cut_short_has_a_plan_and_the_best_bound_at_hand(scope, seed):
    """After one node the bound is at least that of every request by itself."""
    scenario = preset(
        "balanced", n_slots=1, interference_scope=scope, n_satellites=0, accuracy_max=0.5,
        deadline_min_s=1.0, deadline_max_s=1.6, requests="as-printed",
    )  # fmt: skip
    instance = generate(scenario, seed)
    found = solve_slot(instance, 0, Limits(gap=1e-9, max_nodes=1))
    assert found.plan is not None
    assert judge(instance, found.plan).admissible
    assert found.lower_bound >= independent_bound(instance)[0] * (1 - 1e-12)
    assert found.lower_bound <= judge(instance, found.plan).cost


def test_idle_uavs_that_must_get_out_of_the_way_do():
    """Enumeration lets UAVs that serve nobody move where a separation holds: no bound too high."""
    from minlp.enumeration.solve import prove

    scenario = preset(
        "tiny", n_slots=1, n_uavs=2, n_devices=2, interference_leakage=0.0, uav_separation_m=60.0,
        uav_speed_max_mps=10.0, arrivals="every-slot",
    )  # fmt: skip
    instance = generate(scenario, 0)
    near = np.array([instance.uav_xy_m[0], instance.uav_xy_m[0] + np.array([50.0, 0.0])])
    near = np.clip(near, 0.0, scenario.area_side_m)
    instance = dataclasses.replace(instance, uav_xy_m=near)
    proof = prove(instance, relative_gap=1e-4)
    found = solve_slot(instance, 0, Limits(gap=1e-5))
    assert found.plan is not None
    assert proof.lower_bound <= judge(instance, found.plan).cost * (1 + 1e-9)
    assert found.lower_bound <= proof.cost * (1 + 1e-9)

"""Whatever numbers a proof gives, what the kernel makes of them is no more than plans cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minlp.heuristics.simple import nearest_decision
from satedge.problem.projector import project
from satedge.problem.scenario import PRESETS
from satedge.verify.kernel.bound import bounds, prices
from satedge.verify.kernel.interval import Array
from satedge.verify.kernel.model import Index, Model
from satedge.verify.kernel.region import Regions, View, cost_of
from satedge.verify.proof import numbers
from support.plans import without_outages
from support.worlds import ODD_WORLDS, world

Plan = tuple[Index, Array, Array]

#: Presets, odd worlds and some in which much is heard.
WORLDS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in PRESETS),
    *(("paper", changes) for changes in ODD_WORLDS),
    ("contended", {"interference_leakage": 1.0}),
    ("balanced", {"interference_leakage": 1.0, "interference_scope": "server"}),
    ("paper", {"interference_leakage": 1.0, "interference_scope": "tier"}),
]


def _around(model: Model, plan: Plan, rng: np.random.Generator) -> Regions:
    """A region that holds the plan, as wide in space or powers as it happens."""
    server, power, xy = plan
    region = Regions.everything(model).take(None)
    taken = np.eye(model.n_options, dtype=bool)[server]
    region.allowed[0] &= taken | (rng.random(taken.shape) < rng.choice([0.0, 0.0, 0.1]))
    in_space = rng.random() < 0.5  # or in powers, or hardly at all
    wide = (10 ** rng.uniform(-3, 2) if in_space else 1e-6) * rng.random((2, *xy.shape))
    np.maximum(region.box[..., 0], xy - wide[0], out=region.box[..., 0])
    np.minimum(region.box[..., 1], xy + wide[1], out=region.box[..., 1])
    loads = taken.sum(0)
    region.span[0, :, 0] = np.maximum(loads - rng.integers(0, 2, len(loads)), 0)
    region.span[0, :, 1] = np.minimum(loads + rng.integers(0, 2, len(loads)), model.n)
    p = np.log(np.where(server < 0, 1.0, power))
    wide = (1e-9 if in_space else 10 ** rng.uniform(-9, -0.5)) * rng.random((2, model.n))
    limits = np.stack([p - wide[0], p + wide[1]], -1)
    limits = np.clip(limits, model.power[:, :1], model.power[:, 1:])
    return region._replace(power=np.where((server < 0)[:, None], model.power, limits)[None])


def _any_numbers(
    model: Model, region: Regions, plan: Plan, rng: np.random.Generator
) -> dict[str, Any]:
    """Lines at random; slopes too, or those of the costs at the plan."""
    n, m, late = model.n, model.m, model.late_cap
    p, box, pay = region.power[0].mean(-1), region.box[0], rng.normal(size=(n, n + 2 * m))
    pay[:, :n] *= ~region.allowed[0, :, -1]  # whose power is wide open
    lines = [
        [k, r, int(rng.integers(2)), rng.normal(), p[k] + 0.01 * rng.normal(), theta]
        for k in range(n)
        for r in range(m + 1)
        for theta in (0.0, late, min(1.0, late))
    ]
    given = {"discs": [], "dual": np.zeros(n), "lines": lines}
    if rng.random() < 0.5:
        near = rng.uniform(box[..., 0], box[..., 1], (n, m, 2))
        pay *= 10 ** rng.uniform(-6, 0)
        return given | {"pay": pay, "near": near, "room": rng.integers(0, n + 2, (n, m))}
    core = [1 << int(o) for o in np.where(plan[0] < 0, model.n_options - 1, plan[0])]
    place = rng.uniform(box[..., 0], box[..., 1])
    room, theta = rng.integers(0, n + 2, m), np.full(n, rng.choice([0.0, late]))
    return given | {
        "core": core, "near": place, "room": room, "power": p, "place": place, "late": theta
    }  # fmt: skip


def test_bounds_from_any_numbers_are_no_more_than_plans_cost() -> None:
    """Of a region that holds the plan, its options and loads; often there is little between."""
    rng, gaps = np.random.default_rng(7), []
    for name, changes in WORLDS * 6:
        instance = world(name, int(rng.integers(1000)), **changes)
        drawn = replace(
            nearest_decision(instance),
            power_W=10 ** rng.uniform(-1, 0, (1, instance.scenario.n_devices)),
        )
        plan = without_outages(instance, project(instance, drawn)[0])
        with np.errstate(all="ignore"):
            model = Model(instance, 0, False)
            k, each = model.devices, np.arange(model.n)
            own = plan.server[0, k], plan.power_W[0, k], plan.uav_xy_m[0]
            region, cost = _around(model, own, rng), cost_of(model, *own)
            given = numbers(model, region, [_any_numbers(model, region, own, rng)])
            option = np.where(own[0] < 0, model.n_options - 1, own[0])
            loads = np.bincount(option, minlength=model.n_options)
            price = prices(model, View(model, region), given)[0]
            dual = price[each, option, loads[option] - 1]
            found = bounds(model, region, given._replace(dual=np.nan_to_num(dual)[None]))
        held = found[1][0][each, option], found[2][0][np.arange(model.n_options), loads]
        assert all((x <= cost * (1 + 1e-12)).all() for x in (found[0], *held))
        gaps.append((cost - found[0][0]) / max(cost, 1e-300))
    assert np.mean(np.array(gaps) < 1e-3) > 0.2

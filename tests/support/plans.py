"""Plans that nobody would make: decisions of every sort, admissible or not."""

import numpy as np

from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.projector import project


def raw_plan(
    instance: Instance,
    rng: np.random.Generator,
    stacked: tuple[int, ...] = (),
    decades: tuple[float, float] = (-6.0, 0.0),
) -> Plan:
    """Any servers, refusals among them, and powers 10^`decades` W; flights beyond the reach."""
    s = instance.scenario
    shape = (*stacked, instance.n_slots)
    far_m = 1.5 * s.uav_reach_m * np.arange(1, instance.n_slots + 1)
    return Plan(
        rng.integers(-1, s.n_servers, (*shape, s.n_devices)),
        10 ** rng.uniform(*decades, (*shape, s.n_devices)),
        instance.uav_xy_m + far_m[:, None, None] * rng.uniform(-1, 1, (*shape, s.n_uavs, 2)),
    )


def random_plan(
    instance: Instance,
    rng: np.random.Generator,
    stacked: tuple[int, ...] = (),
    decades: tuple[float, float] = (-6.0, 0.0),
) -> Plan:
    """The same, projected: an admissible plan, or a stack of them."""
    raw = raw_plan(instance, rng, stacked, decades)
    return project(instance, raw, seed=int(rng.integers(1 << 30)))[0]

"""Plans that nobody would make: decisions of every sort, admissible or not."""

import numpy as np
from numpy.typing import NDArray

from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.projector import project
from satedge.problem.referee import judge


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


def elastic_costs(instance: Instance, plan: Plan) -> NDArray[np.float64]:
    """(T, K) What requests cost without the bound on an outage: exact methods minimise this."""
    s, verdict = instance.scenario, judge(instance, plan)
    cost = s.latency_weight_per_s * verdict.latency_s + s.energy_weight_per_J * verdict.energy_J
    cost = cost + s.penalty_per_s * verdict.overrun_s
    refusal = np.broadcast_to(s.penalty_per_s * instance.deadline_s, cost.shape)
    return np.where(verdict.refused, refusal, cost)


def without_outages(instance: Instance, plan: Plan) -> Plan:
    """The plan with refusals in the place of outages."""
    verdict = judge(instance, plan)
    while verdict.outage.any():
        server = np.where(verdict.outage, NO_SERVER, plan.server)
        plan = Plan(server, np.where(server >= 0, plan.power_W, 0.0), plan.uav_xy_m)
        verdict = judge(instance, plan)
    return plan

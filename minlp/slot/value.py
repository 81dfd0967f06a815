"""Exact value of a slot for given servers and UAV positions, compiled, with its slope.

V(x, q) = min over powers of the elastic cost at servers x and positions q, found by the certified
convex kernel. Its slope in q comes from the envelope theorem: powers and multipliers of the
minimum are held and only gains move. Positions are kept where reach, area and coverage allow.
"""

from __future__ import annotations

import numpy as np

from minlp.convex.problem import ConvexProblem
from minlp.convex.solve import minimise_kernel
from minlp.slot.cost import interferes, loads_of, log_gains, option_terms
from minlp.slot.data import NOT_SENT, SlotData, plan_of
from satedge.kernels import IntVector, Matrix, Record, Vector, kernel
from satedge.kernels.arrays import assign, assign_indices, assign_rows
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan

MAX_NEWTON = 60


class Point(Record):
    """Servers, powers and positions of one slot. n sending or idle options, M UAVs."""

    choice: IntVector  # (n,) option of every device
    log_power: Vector  # (n,) ln W
    multiplier: Vector  # (n,) prices of the overruns, per second
    uav_xy_m: Matrix  # (M, 2)
    value: Vector  # (1,) elastic cost, sum over devices


@kernel
def new_point(n: int, n_uavs: int) -> Point:
    return Point(
        np.zeros(n, np.int64), np.zeros(n), np.zeros(n), np.zeros((n_uavs, 2)), np.full(1, np.inf)
    )


@kernel
def copy_point(source: Point, target: Point) -> None:
    assign_indices(target.choice, source.choice)
    assign(target.log_power, source.log_power)
    assign(target.multiplier, source.multiplier)
    assign_rows(target.uav_xy_m, source.uav_xy_m)
    assign(target.value, source.value)


@kernel
def _blank(data: SlotData, count: int) -> ConvexProblem:
    """Arrays of a problem without positions; loads, gains and deadlines are still to be set."""
    return ConvexProblem(
        np.full(count, data.log_power_min),
        np.full(count, data.log_power_max),
        np.full((count, count), -np.inf),
        np.zeros((count, count, 2)),
        np.empty(count),
        np.zeros((count, 2)),
        np.full(count, -1, np.int64),
        np.empty(count),
        np.full(count, data.latency_weight),
        np.full(count, data.energy_weight),
        np.empty(count),
        np.full(count, data.overrun_weight),
        np.empty(count),
        np.empty((0, 4)),
    )


@kernel
def power_problem(
    data: SlotData, choice: IntVector, gains: Matrix
) -> tuple[ConvexProblem, IntVector, float]:
    """The power problem of the devices that send, which they are, and what powers cannot change.

    Eqs. (8)-(25): C_kj = ln(leakage g_jr / g_kr), N_k = ln(noise / g_kr).
    """
    n, n_uavs = data.log_fading.shape
    senders = np.empty(n, np.int64)
    count, constant = 0, 0.0
    for k in range(n):
        if data.receiver[k, choice[k]] == NOT_SENT:
            constant += data.fixed_cost[k, choice[k]]
        else:
            senders[count] = k
            count += 1
    senders = senders[:count].copy()
    problem = _blank(data, count)
    loads = loads_of(data, choice)
    for a in range(count):
        k = senders[a]
        r = data.receiver[k, choice[k]]
        fixed, problem.slack_s[a] = option_terms(data, k, choice[k], loads, True, gains, gains)
        constant += fixed
        problem.load_s[a], problem.propagation_s[a] = data.load_s[k, r], data.propagation_s[r]
        problem.log_noise[a] = data.log_noise - gains[k, r]
        for b in range(count):
            j = senders[b]
            if b != a and interferes(data.scope, data.receiver[j, choice[j]], r, n_uavs):
                problem.log_interference[a, b] = data.log_leakage + gains[j, r] - gains[k, r]
    return problem, senders, constant


@kernel
def settle_powers(data: SlotData, point: Point, relative_gap: float, cutoff: float) -> float:
    """Optimal powers in place; returns the value, or inf once it is proven above the cutoff.

    A point that has a value starts from its own powers and multipliers.
    """
    warm = np.isfinite(point.value[0])
    gains = log_gains(data, point.uav_xy_m)
    problem, senders, constant = power_problem(data, point.choice, gains)
    count = senders.shape[0]
    y, multiplier, gradient = np.empty(count), np.empty(count), np.empty(count)
    for a in range(count):
        y[a], multiplier[a] = point.log_power[senders[a]], point.multiplier[senders[a]]
    if not warm:
        y[:] = 0.3 * data.log_power_min + 0.7 * data.log_power_max
    cost, bound, _iterations, _status = minimise_kernel(
        problem, y, multiplier, gradient, warm, relative_gap, 0.0, cutoff - constant, MAX_NEWTON
    )
    for a in range(count):
        point.log_power[senders[a]], point.multiplier[senders[a]] = y[a], multiplier[a]
    point.value[0] = constant + cost if bound < cutoff - constant else np.inf
    return point.value[0]


def point_of(data: SlotData, slot: Instance, plan: Plan) -> Point:
    """A plan of a one-slot instance as a point without value.

    A server that `data` left out as dominated is replaced by the cheapest satellite option.
    """
    devices = np.flatnonzero(slot.active[0])
    point = new_point(len(devices), slot.scenario.n_uavs)
    point.uav_xy_m[:] = plan.uav_xy_m[0]
    point.log_power[:] = np.log(np.maximum(plan.power_W[0, devices], slot.scenario.power_min_W))
    for i, server in enumerate(plan.server[0, devices]):
        options = data.server[i, : data.n_options[i]]
        cost = np.where(data.receiver[i, : len(options)] == slot.scenario.n_uavs, 0.0, np.inf)
        cost = np.where(options == server, -np.inf, cost + data.fixed_cost[i, : len(options)])
        point.choice[i] = int(cost.argmin()) if len(options) else 0
    return point


def copied(point: Point) -> Point:
    """A point of its own."""
    twin = new_point(len(point.choice), len(point.uav_xy_m))
    copy_point(point, twin)
    return twin


def plan_at(slot: Instance, data: SlotData, point: Point) -> Plan:
    """The plan of a one-slot instance at a point."""
    return plan_of(slot, 0, data, point.choice, point.log_power, point.uav_xy_m)

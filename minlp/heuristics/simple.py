"""Simple methods: random, fixed rules, greedy. What any better method must beat.

All are causal: they see one slot and where the UAVs are, and are carried through the horizon by
`rollout`. Their raw decisions pass the shared projector like everybody's; `finish` may better the
plan of every slot, see `satedge.problem.rollout`.

- random: UAVs go anywhere within reach, uniformly; then servers uniformly among the available
  ones and powers between their limits (the paper's Random).
- nearest: UAVs stay; a request goes to the nearest available UAV, without one to the satellite
  the fewest hops away, with the power that is optimal for a lone sender.
- constant: UAVs stay; a request goes to the first available satellite in the order of their
  numbers, without one to the first available UAV, and is sent at full power.
- inversion: as constant, but a power inverts the channel: received is the noise, a signal-to-noise
  ratio of one, as far as 10 mW and the greatest power allow (Goldsmith and Varaiya, IEEE Trans.
  Inf. Theory 43(6), 1997, section III-C).
- spread: UAVs stay; a request goes to the available server with the fewest requests so far, the
  longest execution first, with the power that is optimal for a lone sender (Graham, SIAM J. Appl.
  Math. 17(2), 1969: longest processing time first).
- greedy: a request goes to the server that is cheapest for a lone sender (with shared compute:
  given those seated before it, longest execution first); then every UAV flies as near as
  coverage and reach allow to the centroid of its requests, and lone powers follow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minlp.slot.interference_free import ServerCosts, server_costs
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Outcome, Plan, Report, ignore
from satedge.problem.referee import available, uav_gains
from satedge.problem.rollout import Finish, rollout

#: Least power of `inversion`, W. Open.
INVERSION_MIN_W = 0.01

TINY = np.finfo(np.float64).tiny

Array = NDArray[np.float64]
Servers = NDArray[np.int64]


def random(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    finish: Finish | None = None,
) -> Outcome:
    """Uniform motion, servers and powers."""

    def act(slot: Instance, t: int) -> Plan:
        return random_decision(slot, np.random.default_rng([seed, t]))

    return rollout(instance, act, seed=seed, budget_s=budget_s, report=report, finish=finish)


def nearest(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    finish: Finish | None = None,
) -> Outcome:
    """Nearest UAV, else nearest satellite; powers of lone senders."""
    return _causal(nearest_decision, instance, budget_s, seed, report, finish)


def constant(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    finish: Finish | None = None,
) -> Outcome:
    """First available satellite at full power; UAVs stay."""
    return _causal(constant_decision, instance, budget_s, seed, report, finish)


def inversion(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    finish: Finish | None = None,
) -> Outcome:
    """First available satellite, the power inverting the channel; UAVs stay."""
    return _causal(inversion_decision, instance, budget_s, seed, report, finish)


def spread(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    finish: Finish | None = None,
) -> Outcome:
    """The server with the fewest requests, longest execution first; UAVs stay."""
    return _causal(spread_decision, instance, budget_s, seed, report, finish)


def greedy(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    finish: Finish | None = None,
) -> Outcome:
    """Cheapest server for a lone sender, then UAVs towards their requests."""
    return _causal(greedy_decision, instance, budget_s, seed, report, finish)


def _causal(
    decide: Callable[[Instance], Plan],
    instance: Instance,
    budget_s: float,
    seed: int,
    report: Report,
    finish: Finish | None,
) -> Outcome:
    """A rule that sees one slot, carried through all of them."""

    def act(slot: Instance, _t: int) -> Plan:
        return decide(slot)

    return rollout(instance, act, seed=seed, budget_s=budget_s, report=report, finish=finish)


def random_decision(slot: Instance, rng: np.random.Generator) -> Plan:
    """An admissible decision of a one-slot instance, drawn at random."""
    s = slot.scenario
    angle = rng.uniform(0, 2 * np.pi, s.n_uavs)
    radius = s.uav_reach_m * np.sqrt(rng.random(s.n_uavs))
    step = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * radius[:, None]
    uav_xy_m = np.clip(slot.uav_xy_m + step, 0.0, s.area_side_m)[None]
    ranks = np.where(available(slot, uav_xy_m), rng.random((1, s.n_devices, s.n_servers)), -1.0)
    server = np.where(ranks.max(axis=-1) >= 0, ranks.argmax(axis=-1), NO_SERVER)
    power_W = rng.uniform(s.power_min_W, s.power_max_W, (1, s.n_devices))
    return Plan(server, np.where(server >= 0, power_W, 0.0), uav_xy_m)


def nearest_decision(slot: Instance) -> Plan:
    """UAVs stay; nearest available UAV, else the fewest hops, ties to the lower index."""
    s = slot.scenario
    stay = slot.uav_xy_m[None]
    away = slot.device_xy_m[:, :, None, :] - stay[:, None]
    order = np.empty((1, s.n_devices, s.n_servers))
    order[..., : s.n_uavs] = np.hypot(away[..., 0], away[..., 1])
    # Any UAV comes before any satellite.
    order[..., s.n_uavs :] = 10 * s.area_side_m + slot.isl_hops[:, None, :]
    server = _cheapest(order, available(slot, stay))
    return _with_lone_powers(slot, server, stay)


def constant_decision(slot: Instance) -> Plan:
    """UAVs stay; first available satellite, else first available UAV, at full power."""
    s = slot.scenario
    stay = slot.uav_xy_m[None]
    order = np.arange(s.n_servers, dtype=np.float64)
    # Any satellite comes before any UAV.
    order[: s.n_uavs] += s.n_servers
    mask = available(slot, stay)
    server = _cheapest(np.broadcast_to(order, mask.shape), mask)
    return Plan(server, np.where(server >= 0, s.power_max_W, 0.0), stay)


def inversion_decision(slot: Instance) -> Plan:
    """The servers of `constant_decision`, every power inversely proportional to its gain."""
    s = slot.scenario
    plan = constant_decision(slot)
    uav_gain = uav_gains(slot, plan.uav_xy_m)
    by_satellite = np.repeat(slot.satellite_gain[..., None], s.n_satellites, axis=-1)
    gain = np.concatenate([uav_gain, by_satellite], axis=-1)
    own = np.take_along_axis(gain, np.maximum(plan.server, 0)[..., None], axis=-1)[..., 0]
    least_W = min(max(INVERSION_MIN_W, s.power_min_W), s.power_max_W)
    # A request without a server may have no gain.
    power_W = np.clip(s.noise_W / np.maximum(own, TINY), least_W, s.power_max_W)
    return Plan(plan.server, np.where(plan.server >= 0, power_W, 0.0), plan.uav_xy_m)


def spread_decision(slot: Instance) -> Plan:
    """UAVs stay; longest execution first to the server with the fewest, ties to the lower index."""
    s, stay = slot.scenario, slot.uav_xy_m[None]
    mask = available(slot, stay)
    server = np.full((1, s.n_devices), NO_SERVER)
    seated = np.zeros(s.n_servers)
    for k in _longest_first(slot):
        server[0, k] = _cheapest(seated[None], mask[0, k][None])[0]
        if server[0, k] >= 0:
            seated[server[0, k]] += 1
    return _with_lone_powers(slot, server, stay)


def greedy_decision(slot: Instance) -> Plan:
    """Cheapest lone server; UAVs move to the centroids of their requests."""
    stay = slot.uav_xy_m[None]
    costs = server_costs(slot, uav_gains(slot, stay))
    mask = available(slot, stay)
    if slot.scenario.compute_sharing == "shared":
        server = _seated_in_turn(slot, costs, mask)
    else:
        server = _cheapest(costs.cost, mask)
    return _with_lone_powers(slot, server, towards_requests(slot, server))


def towards_requests(slot: Instance, server: Servers) -> Array:
    """UAV positions (1, M, 2): as near to the centroid of their requests as coverage allows."""
    goals_m = slot.uav_xy_m.copy()
    for m in np.unique(server[(server >= 0) & (server < slot.scenario.n_uavs)]):
        goals_m[m] = slot.device_xy_m[0, server[0] == m].mean(axis=0)
    return towards(slot, server, goals_m)


def towards(slot: Instance, server: Servers, goals_m: Array) -> Array:
    """UAV positions (1, M, 2): as near to goals (M, 2) as coverage of their requests allows.

    The way there is cut at the reach, then halved until no request that had a UAV within its
    coverage loses it.
    """
    s = slot.scenario
    uav_xy_m = slot.uav_xy_m.copy()
    for m in range(s.n_uavs):
        own_xy_m = slot.device_xy_m[0, server[0] == m]
        step = goals_m[m] - uav_xy_m[m]
        step *= min(1.0, s.uav_reach_m / max(float(np.hypot(*step)), 1e-12))
        for share in (1.0, 0.5, 0.25, 0.125):
            reached = uav_xy_m[m] + share * step
            if np.hypot(*(own_xy_m - reached).T).max(initial=0.0) <= s.uav_coverage_m:
                uav_xy_m[m] = reached
                break
    return uav_xy_m[None]


def _cheapest(cost: Array, mask: NDArray[np.bool_]) -> Servers:
    """Server of least cost among those allowed, -1 where none is: (T, K)."""
    masked = np.where(mask, cost, np.inf)
    chosen = np.where(mask.any(axis=-1), masked.argmin(axis=-1), NO_SERVER)
    return chosen.astype(np.int64)


def _longest_first(slot: Instance) -> Servers:
    """Devices in the order of their quickest executions, the longest first."""
    return np.argsort(-slot.coefficients.execute_s[0].min(axis=-1), kind="stable")


def _seated_in_turn(slot: Instance, costs: ServerCosts, mask: NDArray[np.bool_]) -> Servers:
    """Servers under shared compute: each request counts those already seated. Eqs. (14), (22)."""
    s, c = slot.scenario, slot.coefficients
    execute_s, late_from_s = c.execute_s[0], c.overrun_from_s[0]
    server = np.full((1, s.n_devices), NO_SERVER)
    seated = np.zeros(s.n_servers)
    for k in _longest_first(slot):
        wait_s = execute_s[k] * seated
        late_s = np.maximum(0.0, costs.latency_s[0, k] + wait_s - late_from_s[k])
        late_s -= np.maximum(0.0, costs.latency_s[0, k] - late_from_s[k])
        extra = s.latency_weight_per_s * wait_s + s.penalty_per_s * late_s
        server[0, k] = _cheapest((costs.cost[0, k] + extra)[None], mask[0, k][None])[0]
        if server[0, k] >= 0:
            seated[server[0, k]] += 1
    return server


def _with_lone_powers(slot: Instance, server: Servers, uav_xy_m: Array) -> Plan:
    """The decision with every sender's power as if it were alone."""
    power_W = server_costs(slot, uav_gains(slot, uav_xy_m)).power_W
    chosen = np.take_along_axis(power_W, np.maximum(server, 0)[..., None], axis=-1)[..., 0]
    return Plan(server, np.where(server >= 0, chosen, 0.0), uav_xy_m)

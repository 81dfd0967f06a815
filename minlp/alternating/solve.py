"""Block-coordinate search: servers by a MILP, powers by a convex problem, positions by descent.

The paper's decomposition of P1 (servers, powers, trajectories in turn), grown up:

- servers: the MILP of `assignment`, with interference linearised at the incumbent
  (`improvement.prices`) and a local-branching radius that halves when the linear model misleads;
- powers: the convex problem of `power.solve`, to its global optimum (the kernel of `convex.solve`);
- positions: a planar global search UAV by UAV (`planar`), then descent of all UAVs at once
  with powers re-solved at every step (`improvement.positions`), where plain alternation would
  creep;
- when the blocks agree, move and swap neighbourhoods with optimal powers
  (`improvement.neighbourhood`), and seeded kicks of a few devices from the best point, an iterated
  local search (Lourenco, Martin, Stuetzle 2003).

Slots are decided one after the other without looking ahead. The bound is that of
`slot.interference_free`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from minlp.alternating.assignment import Assignment, Costs
from minlp.alternating.planar import planar_search
from minlp.heuristics.independent_bound import independent_certificate
from minlp.heuristics.over_slots import lift
from minlp.heuristics.simple import greedy_decision
from minlp.improvement.neighbourhood import improve, kick, neighbour_count, sweep
from minlp.improvement.positions import polish
from minlp.improvement.prices import conflicts, crowding, option_costs
from minlp.slot.cost import log_gains
from minlp.slot.data import Array, SlotData, slot_data
from minlp.slot.interference_free import independent_bound
from minlp.slot.region import start_reach
from minlp.slot.value import Point, copy_point, new_point, plan_at, point_of
from satedge import kernels
from satedge.problem import clock
from satedge.problem.fields import Declared, declared, param
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report, ignore
from satedge.problem.scenario import preset

#: Accuracy, relative to the cost, of positions that are kept, and a guard on the steps to it.
POSITION_GAP = 1e-6
POSITION_STEPS = 40

#: Steps that a hopeful neighbour's positions get, and the hope where little of it found nothing.
HOPE_STEPS, LAST_HOPE = 8, 0.1

#: To this the planar search locates positions before they are polished.
SEARCH_M = 0.5


@declared(noun="setting")
class Settings(Declared):
    """How hard a slot is searched."""

    rounds: int = param(6, "-", "open", "Most turns of the blocks from each start.", low=0)
    hope: float = param(
        0.003,
        "-",
        "open",
        "A neighbour this much above the incumbent still has its positions polished.",
        low=0,
    )
    kicks: int = param(
        5, "-", "open", "Restarts from the best point with a few devices sent elsewhere.", low=0
    )


def alternate(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    rounds: int = Settings.rounds,
    hope: float = Settings.hope,
    kicks: int = Settings.kicks,
) -> Outcome:
    """Servers, powers and positions in turn, then neighbourhoods. See `Settings`."""
    kernels.warm_up()
    settings = Settings(rounds, hope, kicks)
    bound = float(independent_bound(instance).mean())
    report(Progress(lower_bound=bound))
    programme = Assignment(instance.scenario)

    def decide(slot: Instance, t: int, slot_s: float, stream: Report) -> Plan:
        rng = np.random.default_rng([seed, t])
        search = Search(slot, programme, settings, rng, clock.now() + slot_s, stream)
        return search.run()

    found = lift(instance, decide, budget_s=budget_s, seed=seed, report=report)
    return dataclasses.replace(
        found,
        lower_bound=bound,
        certificate=independent_certificate(),
        info={**found.info, "solver_faults": list(programme.faults)},
    )


solve = alternate


def warm_up() -> None:
    """Have everything used once, so that no first use is charged to a budget."""
    instance = generate(preset("tiny", n_slots=1, arrivals="every-slot"), 0)
    alternate(instance, budget_s=1e6, seed=0, kicks=1)


@dataclass
class Search:
    """The search of one slot."""

    slot: Instance
    programme: Assignment
    settings: Settings
    rng: np.random.Generator
    stop_at: float
    report: Report = ignore

    def __post_init__(self) -> None:
        self.data: SlotData = slot_data(self.slot)
        self.reach: Array = start_reach(self.data)
        self.best: Point = new_point(len(self.data.n_options), self.slot.scenario.n_uavs)

    def run(self) -> Plan:
        """The best plan found in time; `greedy`'s where nothing could be placed."""
        fallback = greedy_decision(self.slot)
        if not len(self.data.n_options):
            return fallback
        greedy_point = point_of(self.data, self.slot, fallback)
        self.turn(greedy_point, priced=True)
        if self.in_time():
            greedy_point.uav_xy_m[:] = self.slot.uav_xy_m
            self.turn(greedy_point, priced=False)
        self.descend(self.best)
        for _ in range(self.settings.kicks):
            if not self.in_time() or not np.isfinite(self.best.value[0]):
                break
            self.descend(self.kicked())
        return plan_at(self.slot, self.data, self.best) if self.found() else fallback

    def found(self) -> bool:
        return bool(np.isfinite(self.best.value[0]))

    def in_time(self) -> bool:
        return clock.now() < self.stop_at

    def keep(self, point: Point) -> None:
        """Make a better point the incumbent and stream it."""
        if point.value[0] < self.best.value[0]:
            copy_point(point, self.best)
            self.report(Progress(plan_at(self.slot, self.data, self.best)))

    def settle(self, point: Point) -> None:
        """Powers and positions of a point with new servers."""
        improve(self.data, self.reach, point, POSITION_STEPS, POSITION_GAP)

    def turn(self, point: Point, priced: bool) -> None:
        """Servers, powers and positions in turn from a point, until no block gains.

        Without prices the first servers come from lone costs and crowding alone.
        """
        if priced:
            self.settle(point)
            self.keep(point)
        trial = new_point(len(point.choice), len(point.uav_xy_m))
        radius = len(point.choice)
        for _ in range(self.settings.rounds):
            copy_point(point, trial)
            if radius == 0 or not self.in_time() or not self.reassign(trial, priced, radius):
                break
            self.settle(trial)
            planar_search(self.data, self.reach, trial, SEARCH_M)
            self.settle(trial)
            found, known = float(trial.value[0]), float(point.value[0])
            gains = np.isfinite(found) and found < known - 1e-9 * abs(found)
            if gains or not priced:
                copy_point(trial, point)
                self.keep(point)
            radius = radius if gains else radius // 2
            priced = True

    def reassign(self, point: Point, priced: bool, radius: int) -> bool:
        """New servers from the MILP; False if it keeps all."""
        servers = self.programme.solve(
            linearised(self.slot, self.data, point, priced),
            *((self.servers(point), radius) if priced else (None, None)),
        )
        if servers is None:
            return False
        before = point.choice.copy()
        for i, k in enumerate(np.flatnonzero(self.slot.active[0])):
            options = self.data.server[i, : self.data.n_options[i]]
            point.choice[i] = int(np.flatnonzero(options == servers[k])[0])
        return not priced or bool((before != point.choice).any())

    def servers(self, point: Point) -> Array:
        """(K,) servers of a point, -1 where none."""
        return plan_at(self.slot, self.data, point).server[0]

    def descend(self, point: Point) -> None:
        """Neighbourhoods of a placed point until none improves, at last with more hope."""
        count, hope = neighbour_count(self.data), self.settings.hope
        while self.in_time():
            order = self.rng.permutation(count)
            improved = sweep(self.data, self.reach, point, order, hope, HOPE_STEPS, count)
            polish(self.data, self.reach, point, POSITION_GAP, POSITION_STEPS)
            self.keep(point)
            if not improved and hope == LAST_HOPE:
                break
            hope = self.settings.hope if improved else LAST_HOPE

    def kicked(self) -> Point:
        """The best point with two to four devices sent elsewhere."""
        point = new_point(len(self.best.choice), len(self.best.uav_xy_m))
        devices = self.rng.permutation(len(point.choice))[: self.rng.integers(2, 5)]
        copy_point(self.best, point)
        kick(self.data, point, devices, self.rng.random(len(devices)))
        self.settle(point)
        return point if np.isfinite(point.value[0]) else self.best


def linearised(slot: Instance, data: SlotData, point: Point, priced: bool) -> Costs:
    """The assignment problem around a point: see `improvement.prices` for what its costs mean."""
    s = slot.scenario
    devices = np.flatnonzero(slot.active[0])
    cost, late = option_costs(data, point, priced)
    full_cost = np.full((s.n_devices, s.n_servers + 1), np.inf)
    full_late = np.zeros(full_cost.shape)
    rows, options = np.nonzero(np.isfinite(cost))
    columns = data.server[rows, options] % (s.n_servers + 1)
    full_cost[devices[rows], columns] = cost[rows, options]
    full_late[devices[rows], columns] = late[rows, options]
    conflict = np.zeros((s.n_devices, s.n_devices, s.n_uavs), bool)
    conflict[np.ix_(devices, devices)] = conflicts(data)
    return Costs(
        full_cost,
        crowd_lines(data, point, priced, s.n_devices),
        conflict,
        full_late[:, :-1],
        slot.coefficients.execute_s[0],
    )


def crowd_lines(data: SlotData, point: Point, priced: bool, n_devices: int) -> Array:
    """(M + 1, K + 1) cost of crowding a receiver beyond what option costs already count.

    With prices these hold the first-order part, so only the convex rest is left: nothing at
    today's load, more on both sides (a Bregman distance).
    """
    n, receivers = data.load_s.shape
    lines = np.zeros((receivers, n_devices + 1))
    gains = log_gains(data, point.uav_xy_m)
    today = data.receiver[np.arange(n), point.choice]
    for r in range(receivers):
        log_snr = float(np.median(gains[:, r])) + data.log_power_max - data.log_noise
        extra = crowding(data, float(data.load_s[:, r].mean()), log_snr)
        if priced:
            here = int((today == r).sum())
            low, high = max(here - 1, 0), min(here + 1, n)
            slope = (extra[high] - extra[low]) / (high - low)
            extra = extra - extra[here] - slope * (np.arange(n + 1) - here)
        lines[r, : n + 1] = extra
        lines[r, n + 1 :] = extra[-1] + (extra[-1] - extra[-2]) * np.arange(1, n_devices - n + 1)
    return lines

"""Plans of many slots that know what comes: in hindsight, and rolling with a look-ahead.

- hindsight: the whole episode is known. From the causal plan of `alternate`, or the same with UAVs
  that drift towards the devices, whichever is cheaper, moves of `episode` in turn until none pays:
  the cheapest route of one UAV at a time (dynamic programming, `uav_routes`), servers and positions
  of single slots between their neighbours, bending the path towards places where a slot would be
  much cheaper, and successive convex steps of all positions (`trajectory`). No learner or policy
  that decides slot by slot can count on reaching it.
- rolling: at every slot the same moves on the next `lookahead` slots, of which the first is kept.
  With lookahead = 0 nothing of the future is used, and the plan is causal.

The bound is the mean of those of the slots, each with its UAVs wherever they can have flown by then
(`slot_bounds`). Where motion makes the plan more expensive than that, consecutive slots are bounded
together (`windows`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from minlp.alternating.assignment import Assignment
from minlp.alternating.solve import Search, Settings
from minlp.foresight.drift import device_centres, glided
from minlp.heuristics.over_slots import lift
from minlp.heuristics.simple import greedy
from minlp.horizon.episode import Tour, free_point, tour_of
from minlp.horizon.slot_bounds import bound_slots
from minlp.horizon.trajectory import smooth
from minlp.horizon.windows import window_bounds
from minlp.slot.data import Array
from minlp.slot.interference_free import independent_bound
from minlp.slot.region import start_reach
from satedge import kernels
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report, ignore
from satedge.problem.referee import judge
from satedge.problem.rollout import rollout
from satedge.problem.scenario import preset

#: Shares of the budget after which the first plans and the improvements end; bounds get the rest.
FIRST_SHARE, PLAN_SHARE = 0.25, 0.6

#: A slot this much above what its UAVs could reach alone is worth bending the path for.
REGRET = 2e-4

#: Relative gain below which another pass is not worth it.
PASS_GAIN = 1e-6


def hindsight(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    passes: int = 4,
    kicks: int = 4,
    slot_bound_s: float = 1.5,
    window_s: float = 0.5,
    gap: float = 1e-3,
) -> Outcome:
    """The best plan found with all slots known, and a bound on all plans of the horizon.

    Every slot's branch and bound stops at relative gap `gap` or after `slot_bound_s`; windows of
    slots, at a tenth of that gap or after `window_s` a slot.
    """
    kernels.warm_up()
    began = clock.now()
    bounds = independent_bound(instance)
    first = greedy(instance, budget_s=budget_s, seed=seed)
    report(Progress(first.plan, float(bounds.mean())))
    ends = began + FIRST_SHARE * budget_s, began + PLAN_SHARE * budget_s
    tour = best_tour(instance, seed, passes, kicks, ends, report)
    stop_at = began + budget_s
    certificate, alone = bound_slots(instance, bounds, slot_bound_s, gap, stop_at, report)
    costs = np.asarray(judge(instance, tour.plan()).slot_cost, float)
    found = window_bounds(
        instance, costs, bounds, np.array(alone, float), 0.1 * gap, window_s, stop_at
    )
    lower = float(bounds.mean()) + sum(w.gain for w in found) / instance.n_slots
    return Outcome(
        tour.plan(),
        lower_bound=min(lower, float(costs.mean())),
        certificate={**certificate, "windows": [w.to_dict() for w in found]},
        info={
            "slot_costs": (tour.values / instance.scenario.n_devices).tolist(),
            "slot_costs_alone": alone,
        },
    )


solve = hindsight


def rolling(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    lookahead: int = 3,
    passes: int = 1,
    kicks: int = 2,
) -> Outcome:
    """Slot after slot, each planned with the `lookahead` slots that follow it."""
    kernels.warm_up()
    programme = Assignment(instance.scenario)

    def decide(slot: Instance, t: int, slot_s: float, _: Report) -> Plan:
        stop_at = clock.now() + slot_s
        rng = np.random.default_rng([seed, t])
        window = instance.window(t, min(t + 1 + lookahead, instance.n_slots), slot.uav_xy_m)
        plan = first_plan(window, programme, seed + t, kicks, stop_at)
        if window.n_slots == 1:
            return plan
        tour = tour_of(window, plan)
        for _stage in improvements(tour, rng, passes, kicks, stop_at):
            pass
        return tour.plan().slots(0, 1)

    return lift(instance, decide, budget_s=budget_s, seed=seed, report=report)


def warm_up() -> None:
    """Have everything used once, so that no first use is charged to a budget."""
    instance = generate(preset("tiny", n_slots=2, arrivals="every-slot"), 0)
    hindsight(instance, budget_s=1e6, seed=0, passes=1, kicks=1)


def first_plan(
    instance: Instance,
    programme: Assignment,
    seed: int,
    kicks: int,
    stop_at: float,
    gliding: bool = False,
) -> Plan:
    """The causal plan of `alternate`'s search; slots that come after `stop_at` get greedy's.

    `gliding` UAVs then drift towards the devices.
    """

    def act(slot: Instance, t: int) -> Plan:
        rng = np.random.default_rng([seed, t])
        left_s = (stop_at - clock.now()) / (instance.n_slots - t)
        until = clock.now() + left_s
        plan = Search(slot, programme, Settings(kicks=kicks), rng, until).run()
        return glided(slot, plan, device_centres(slot, seed)) if gliding else plan

    found = rollout(instance, act, seed=seed).plan
    assert found is not None
    return found


def best_tour(
    instance: Instance,
    seed: int,
    passes: int,
    kicks: int,
    ends: tuple[float, float],
    report: Report,
) -> Tour:
    """The cheaper causal plan, found until the first end, and improved until none pays or the
    second."""
    programme, half = Assignment(instance.scenario), 0.5 * (clock.now() + ends[0])
    plan = first_plan(instance, programme, seed, kicks, half)
    report(Progress(plan))
    other = first_plan(instance, programme, seed, kicks, ends[0], gliding=True)
    tours = (tour_of(instance, p) for p in (plan, other))
    tour = min(tours, key=lambda found: float(found.values.sum()))
    report(Progress(tour.plan()))
    rng = np.random.default_rng([seed, instance.n_slots])
    for _ in improvements(tour, rng, passes, kicks, ends[1]):
        report(Progress(tour.plan()))
    return tour


def improvements(
    tour: Tour, rng: np.random.Generator, passes: int, kicks: int, stop_at: float
) -> Iterator[float]:
    """Improve a tour in place, pass by pass until none gains; yields its cost after each stage."""
    alone = _alone(tour, rng, kicks, stop_at)
    for _ in range(passes):
        before = tour.values.sum()
        for stage in (_reroute, _improve_slots, _pull, _smooth):
            if clock.now() > stop_at:
                return
            stage(tour, alone, rng, stop_at)
            yield float(tour.values.sum())
        if before - tour.values.sum() <= PASS_GAIN * before:
            return


@dataclass(frozen=True, eq=False)
class Alone:
    """What was found for a slot as if no other mattered."""

    uav_xy_m: Array
    """(M, 2) Where its UAVs would be."""
    cost: float
    """What it would cost there, sum over devices."""


def _alone(tour: Tour, rng: np.random.Generator, kicks: int, stop_at: float) -> list[Alone | None]:
    """Every slot by itself; None where nothing was sought."""
    wanted: list[Alone | None] = []
    for data, point in zip(tour.data, tour.points, strict=True):
        if not len(point.choice) or clock.now() > stop_at:
            wanted.append(None)
            continue
        best = free_point(data, start_reach(data), point, rng, kicks)
        wanted.append(Alone(best.uav_xy_m, float(best.value[0])))
    return wanted


def _reroute(tour: Tour, _: list[Alone | None], rng: np.random.Generator, stop_at: float) -> None:
    for m in range(tour.instance.scenario.n_uavs):
        if clock.now() < stop_at:
            tour.reroute(m, rng)


def _improve_slots(
    tour: Tour, _: list[Alone | None], rng: np.random.Generator, stop_at: float
) -> None:
    """Forwards and backwards, so that gains of position can travel both ways."""
    order = [*range(len(tour.points)), *reversed(range(len(tour.points)))]
    for t in order:
        if clock.now() < stop_at:
            tour.improve_slot(t, rng)


def _pull(tour: Tour, alone: list[Alone | None], rng: np.random.Generator, stop_at: float) -> None:
    """Bend the path towards the places where slots would be cheapest, the greatest regret first."""
    values = tour.values
    known = zip(values, alone, strict=True)
    target = np.array([value if slot is None else slot.cost for value, slot in known])
    for t in np.argsort(target - values):
        wanted = alone[t]
        if wanted is None or not len(wanted.uav_xy_m):
            continue
        if tour.values[t] - target[t] <= REGRET * tour.values[t]:
            continue
        here = tour.points[t].uav_xy_m
        for target_xy in _targets(here, wanted.uav_xy_m):
            if clock.now() > stop_at or tour.pull(int(t), target_xy, rng):
                break


def _targets(here_xy_m: Array, wanted_xy_m: Array) -> Iterator[Array]:
    """Places (M, 2) to try: all UAVs the whole way or part of it, then one UAV at a time."""
    for share in (1.0, 0.5, 0.25):
        yield here_xy_m + share * (wanted_xy_m - here_xy_m)
    for m in range(len(here_xy_m)):
        alone = here_xy_m.copy()
        alone[m] = wanted_xy_m[m]
        yield alone


def _smooth(tour: Tour, _: list[Alone | None], __: np.random.Generator, stop_at: float) -> None:
    smooth(tour)

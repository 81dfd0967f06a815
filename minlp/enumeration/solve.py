"""Proven optima of small slots by enumeration: the oracle beside the branch and bound.

Every combination of servers is a problem in powers and positions. For given positions the powers
are a convex problem; for the positions a search over boxes in the plane, with this bound. Let
V(G) be the least cost over powers, G all log-gains. The cost is jointly convex in log-powers p and
G: so with Phi its value at any (p, G_0), an overrun's price fixed anywhere in [0, rho],

    cost(q) >= Phi + min over p' of dPhi/dp (p' - p) + sum_jm c_jm (G_jm(q) - G_jm(q_0)),

c = dPhi/dG. On a box the last sum is bounded by its gradient at q_0 and by intervals of the
second derivatives of G_jm = const - alpha/2 ln(|q_m - w_j|^2 + z_m^2), hence to second order, so
that boxes near an optimum need not become tiny. Discs (coverage, reach) enter by a multiplier.

Nothing here is shared with the branch and bound but the solver of the power problem, and of that
only the point it returns: bounds are this file's own inequality, lowered by MARGIN for rounding.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minlp.enumeration.box import Box, evaluate, root_box, split
from minlp.enumeration.point import Combination
from minlp.p1.data import SlotTerms, slot_terms
from minlp.p1.start import start_plan
from satedge import kernels
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Outcome, Plan, Progress, Report, ignore
from satedge.problem.referee import judge
from satedge.problem.rollout import rollout

Array = NDArray[np.float64]

#: More combinations than this are not enumerated.
MAX_COMBINATIONS = 20_000


@dataclass(frozen=True, eq=False)
class Proof:
    """The optimum of a slot between two bounds; costs are means over all K devices."""

    plan: Plan
    cost: float
    """The referee's cost of the plan."""
    lower_bound: float
    combinations: int
    """Combinations of servers that had to be looked at; the others cost more even alone."""
    boxes: int

    @property
    def gap(self) -> float:
        """(cost - bound) / cost."""
        return (self.cost - self.lower_bound) / abs(self.cost) if self.cost else 0.0


def solve(
    instance: Instance,
    *,
    budget_s: float,
    seed: int,
    report: Report = ignore,
    relative_gap: float = 1e-6,
) -> Outcome:
    """Each slot proven to `relative_gap`, one after the other. Raises ValueError when too large.

    For one slot the bound is the slot's; over several slots it would not bound the horizon.
    """
    kernels.warm_up()
    began = clock.now()
    proofs: list[Proof] = []

    def act(slot: Instance, t: int) -> Plan:
        left_s = budget_s - (clock.now() - began)
        proofs.append(prove(slot, 0, relative_gap=relative_gap, budget_s=left_s, report=report))
        return proofs[-1].plan

    outcome = rollout(instance, act, seed=seed, budget_s=budget_s, report=report)
    if instance.n_slots > 1:
        return outcome
    proof = proofs[0]
    done = proof.gap <= relative_gap * (1 + 1e-9)
    counts: dict[str, Any] = {"combinations": proof.combinations, "boxes": proof.boxes}
    return Outcome(
        plan=outcome.plan,
        status="optimal" if done else "stopped",
        lower_bound=proof.lower_bound,
        certificate={"kind": "enumeration", **counts},
        info=outcome.info,
    )


def prove(
    instance: Instance,
    slot: int = 0,
    uav_xy_m: Array | None = None,
    *,
    relative_gap: float = 1e-6,
    fixed: bool = False,
    budget_s: float = np.inf,
    report: Report = ignore,
) -> Proof:
    """The optimum of a slot, the UAVs coming from `uav_xy_m` (M, 2), or `fixed` there.

    Raises ValueError where there are more than MAX_COMBINATIONS combinations to look at.
    """
    terms = slot_terms(instance, slot, uav_xy_m, reach_m=0.0 if fixed else None)
    search = _Search(terms, relative_gap, clock.now() + budget_s, report)
    search.offer(start_plan(terms.instance))
    search.bound = search.total_cutoff  # of the combinations that are left out
    for servers in list(combinations(terms, search.bound)):  # none where too many
        search.add(servers)
    search.run()
    scale = terms.scenario.n_devices
    return Proof(
        plan=search.plan,
        cost=search.cost,
        lower_bound=min(search.bound / scale, search.cost),
        combinations=search.n_combinations,
        boxes=search.n_boxes,
    )


def separable(instance: Instance, slot: int = 0, uav_xy_m: Array | None = None) -> Proof:
    """The optimum where nothing couples devices: leakage 0, UAVs fixed, compute not shared.

    K x S problems in one power each, convex in its log. Raises ValueError for another scenario.
    """
    s = instance.scenario
    if s.interference_leakage > 0 or s.compute_sharing != "dedicated":
        raise ValueError("separable: allowed is interference_leakage = 0, dedicated compute")
    terms = slot_terms(instance, slot, uav_xy_m, reach_m=0.0)
    alone = terms.lone_optimum(terms.deadline_s)
    served = alone.cost.min(axis=1, initial=np.inf) <= terms.refusal_cost
    server = np.where(served, alone.cost.argmin(axis=1), NO_SERVER)
    power_W = alone.power_W[np.arange(s.n_devices), server]
    power_W = np.clip(power_W, s.power_min_W, s.power_max_W)
    power_W = np.where(served, power_W, 0.0)
    plan = Plan(server[None], power_W[None], terms.instance.uav_xy_m[None])
    judged = float(judge(terms.instance, plan).cost)
    bound = min(judged, float(terms.device_least.sum()) / s.n_devices)
    return Proof(plan, judged, bound, combinations=int(terms.pair.sum()), boxes=0)


def combinations(terms: SlotTerms, cutoff: float) -> Iterator[NDArray[np.int64]]:
    """All admissible servers (K,) whose devices, each alone, cost no more than `cutoff` in sum.

    Refusal is one of them. Dominated satellites are not left out: that they never help is for
    tests to see.
    """
    options = []
    for k in terms.devices:
        cost = {int(b): float(terms.lone_least[k, b]) for b in np.flatnonzero(terms.pair[k])}
        cost[NO_SERVER] = float(terms.refusal_cost[k])
        options.append(sorted(cost.items(), key=lambda item: item[1]))
    rest = np.append(np.cumsum([o[0][1] for o in options][::-1])[::-1], 0.0)

    def extend(i: int, spent: float, chosen: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if i == len(options):
            yield chosen
            return
        for server, cost in options[i]:
            if spent + cost + rest[i + 1] > cutoff:
                break
            yield from extend(i + 1, spent + cost, (*chosen, server))

    for count, chosen in enumerate(extend(0, 0.0, ())):
        if count >= MAX_COMBINATIONS:
            raise ValueError(f"over {MAX_COMBINATIONS} combinations of servers: allowed is fewer")
        servers = np.full(terms.scenario.n_devices, NO_SERVER)
        servers[list(terms.devices)] = chosen
        yield servers


@dataclass
class _Search:
    """Best-first search over boxes of all combinations at once."""

    terms: SlotTerms
    relative_gap: float
    stop_at: float
    report: Report
    plan: Plan = field(init=False)
    cost: float = np.inf
    """Judged mean cost of the best plan."""
    bound: float = np.inf
    """Bound on the sum over devices, of what has been looked at."""
    n_combinations: int = 0
    n_boxes: int = 0

    def __post_init__(self) -> None:
        self._queue: list[tuple[float, int, Box]] = []
        self._ticket = itertools.count()

    @property
    def total_cutoff(self) -> float:
        """What a box has to stay under, in cost summed over devices, to be of interest."""
        total = self.cost * self.terms.scenario.n_devices
        if not np.isfinite(total):
            return np.inf
        return total - 0.99 * self.relative_gap * abs(total)

    def offer(self, plan: Plan | None) -> None:
        """Take a plan if the referee finds it admissible and cheaper than the best one."""
        if plan is None:
            return
        verdict = judge(self.terms.instance, plan)
        if bool(verdict.admissible) and float(verdict.cost) < self.cost:
            self.plan, self.cost = plan, float(verdict.cost)
            self.report(Progress(plan))

    def add(self, servers: NDArray[np.int64]) -> None:
        """Put a combination's whole box in the queue."""
        self.n_combinations += 1
        box = root_box(Combination.of(self.terms, servers))
        if box is not None:
            self._push(box)

    def _push(self, box: Box) -> None:
        """Evaluate a box; keep it for splitting, or close it with its bound."""
        self.n_boxes += 1
        box = evaluate(box)
        self.offer(box.plan)
        if box.bound >= self.total_cutoff or not box.divisible:
            self.bound = min(self.bound, box.bound)
        else:
            heapq.heappush(self._queue, (box.bound, next(self._ticket), box))

    def run(self) -> None:
        """Split boxes until all are closed or time is up; then the open ones count."""
        while self._queue:
            if self._queue[0][0] >= self.total_cutoff or clock.now() > self.stop_at:
                self.bound = min(self.bound, self._queue[0][0])
                return
            _, _, box = heapq.heappop(self._queue)
            for part in split(box):
                self._push(part)

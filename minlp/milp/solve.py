"""Lower bounds by a MILP relaxation, certified by duals; and a plan rounded from it.

Idea: see `model` for the rows, all valid for every admissible plan. The LP is refined at its
own solutions and branched over servers, best bound first. What is certified is exactly this: the
least, over the leaves of the branching, of a bound computed from the leaf's LP multipliers in
floating point with its rounding error subtracted (`duals`). It does not rest on the solver's
word: wrong multipliers make it worse, not wrong. A leaf whose LP failed keeps its parent's bound.
The model's own numbers are rounded to the safe side. HiGHS's own MILP bound is only recorded.

Over several slots the bound relaxes motion: in slot t a UAV may be anywhere within (t + 1) times
its reach of its start, so that the slots' bounds add up.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from minlp.milp.duals import LinearProgram, LpAnswer, Solver, milp_claim
from minlp.milp.model import build_relaxation
from minlp.milp.refine import refine
from minlp.milp.rounding import rounded
from minlp.p1.data import SlotTerms, slot_terms
from minlp.p1.start import start_plan
from minlp.slot.interference_free import independent_bound
from satedge import kernels
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Outcome, Plan, Progress, Report, ignore
from satedge.problem.referee import judge
from satedge.problem.rollout import rollout

Array = NDArray[np.float64]

#: Relative gain of a bound below which refining a node stops.
LEAST_GAIN = 1e-5

#: Most times that a node's LP is refined: gains shrink from round to round.
MAX_ROUNDS = 12

#: Roundings of the relaxation that are kept, from the leaves of least bound.
N_ROUNDINGS = 5

#: Seconds below which the solver's own claim is not asked for: it would not have begun to branch.
CLAIM_S = 0.5

#: Relative gap to which HiGHS solves MILPs, and its tolerances of feasibility, with room.
MILP_TOLERANCE = 1e-3

#: Faults of the solver that are kept, a slot.
MAX_FAULTS = 20

CERTIFIED = (
    "least over all leaves of the branching on servers of the dual bound of the leaf's LP, "
    "computed from its multipliers with the rounding error subtracted"
)


@dataclass(frozen=True, eq=False)
class Relaxed:
    """What the relaxation of a slot told. Costs are means over all K devices."""

    lower_bound: float
    servers: list[NDArray[np.int64]]
    """Servers (K,) at integral leaves, best bound first."""
    uav_xy_m: list[Array]
    """(M, 2) positions of the relaxation beside them."""
    leaves: int
    solves: int
    claimed: dict[str, float | None]
    """What HiGHS says of the same MILP."""
    faults: tuple[str, ...] = ()
    """What was wrong with answers of the solver; none of it enters the bound."""


def solve(instance: Instance, *, budget_s: float, seed: int, report: Report = ignore) -> Outcome:
    """The certified bound on the mean elastic cost, without a plan."""
    bound, certificate = _bound(instance, budget_s, report)
    return Outcome(None, "stopped", bound, certificate)


def solve_rounded(
    instance: Instance, *, budget_s: float, seed: int, report: Report = ignore
) -> Outcome:
    """The bound, and the relaxation's servers made whole: best powers, positions by descent."""
    kernels.warm_up()
    began = clock.now()

    def act(slot: Instance, t: int) -> Plan:
        left_s = budget_s - (clock.now() - began)
        share_s = left_s / (2 * instance.n_slots - t)
        stop_at = clock.now() + 0.9 * share_s
        answer = relaxed(slot, 0, budget_s=0.5 * share_s, claim=False)
        return rounded(slot, answer.servers, answer.uav_xy_m, stop_at)

    outcome = rollout(instance, act, seed=seed, budget_s=budget_s, report=report)
    left_s = budget_s - (clock.now() - began)
    bound, certificate = _bound(instance, max(left_s, 0.0), report)
    assert outcome.plan is not None
    cost = float(judge(instance, outcome.plan).cost)
    return Outcome(outcome.plan, outcome.status, min(bound, cost), certificate, info=outcome.info)


def _bound(instance: Instance, budget_s: float, report: Report) -> tuple[float, dict[str, Any]]:
    """Mean of the slots' bounds over reachable positions, and its certificate."""
    stop_at = clock.now() + budget_s
    # First what needs no solver: it is what remains if a solver never returns.
    slot_bounds = independent_bound(instance)
    report(Progress(lower_bound=float(slot_bounds.mean())))
    answers = []
    for t in range(instance.n_slots):
        share_s = (stop_at - clock.now()) / (instance.n_slots - t)
        reach_m = (t + 1) * instance.scenario.uav_reach_m
        answers.append(relaxed(instance, t, budget_s=share_s, reach_m=reach_m))
        slot_bounds[t] = max(slot_bounds[t], answers[t].lower_bound)
        report(Progress(lower_bound=float(slot_bounds.mean())))
    return float(slot_bounds.mean()), {
        "kind": "lp-duals",
        "certified": CERTIFIED,
        "leaves": [a.leaves for a in answers],
        "solves": [a.solves for a in answers],
        "slot_bounds": slot_bounds.tolist(),
        "claimed": [a.claimed for a in answers],
        "faults": [list(a.faults) for a in answers],
    }


def relaxed(
    instance: Instance,
    slot: int = 0,
    uav_xy_m: Array | None = None,
    *,
    budget_s: float = 10.0,
    reach_m: float | None = None,
    claim: bool = True,
) -> Relaxed:
    """The bound for one slot, UAVs within `reach_m` (one slot's reach) of `uav_xy_m` (M, 2)."""
    stop_at = clock.now() + budget_s
    terms = slot_terms(instance, slot, uav_xy_m, reach_m=reach_m)
    lone = float(terms.device_least.sum()) / terms.scenario.n_devices
    cutoff = float(judge(terms.instance, start_plan(terms.instance)).cost)
    if not terms.devices or not np.isfinite(cutoff):
        return Relaxed(lone, [], [], 0, 0, {})
    tree = _Tree(terms, build_relaxation(terms, cutoff), lone, stop_at)
    tree.run()
    claimed: dict[str, float | None] = {}
    left_s = stop_at - clock.now()
    if claim and left_s > CLAIM_S:
        cost, bound = milp_claim(tree.model, left_s)
        claimed = {"cost": cost, "bound": bound}
    order = np.argsort([leaf.bound for leaf in tree.integral], kind="stable")
    best = [tree.integral[i] for i in order[:N_ROUNDINGS]]
    return Relaxed(
        lower_bound=max(lone, min(tree.bound, cutoff)),
        servers=[leaf.servers for leaf in best],
        uav_xy_m=[leaf.uav_xy_m for leaf in best],
        leaves=tree.n_leaves,
        solves=tree.n_solves,
        claimed=claimed,
        faults=tuple(tree.faults + _contradictions(claimed, tree.bound, cutoff)),
    )


def _contradictions(claimed: dict[str, float | None], certified: float, cutoff: float) -> list[str]:
    """A claimed bound above a known plan's cost, or a claimed optimum below the certified bound."""
    bound, cost = claimed.get("bound"), claimed.get("cost")
    faults = []
    if bound is not None and not bound <= cutoff * (1 + MILP_TOLERANCE):
        faults.append(f"claims the bound {bound!r}, a plan costs {cutoff!r}")
    if cost is not None and not cost >= certified * (1 - MILP_TOLERANCE):
        faults.append(f"claims the cost {cost!r}, certified is {certified!r}")
    return faults


@dataclass(frozen=True, eq=False)
class _Leaf:
    bound: float
    servers: NDArray[np.int64]
    uav_xy_m: Array


@dataclass(frozen=True, eq=False)
class _Node:
    """Columns low..high (n,), the certified bound, and the LP's point if it has one."""

    low: Array
    high: Array
    bound: float
    x: Array | None


@dataclass
class _Tree:
    """Branching on the server of one device at a time, best bound first."""

    terms: SlotTerms
    model: pyo.ConcreteModel
    floor: float
    """A bound that holds anyway."""
    stop_at: float
    integral: list[_Leaf] = field(default_factory=list)
    bound: float = np.inf
    n_leaves: int = 0
    n_solves: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._program = LinearProgram.of(self.model)
        self._solver = Solver(self._program)
        column = self._program.column
        self._options: dict[int, list[tuple[int, int]]] = {k: [] for k in self.terms.devices}
        for (k, b), variable in self.model.x.items():
            self._options[k].append((b, column[id(variable)]))
        for k, variable in self.model.refuses.items():
            self._options[k].append((NO_SERVER, column[id(variable)]))

    def run(self) -> None:
        """Until the best open node is integral and refined, or time is up."""
        ticket = itertools.count()
        root = self._refined(self._program.low, self._program.high, self.floor)
        queue = [(root.bound, next(ticket), root)]
        while queue:
            bound, _, node = heapq.heappop(queue)
            device = self._undecided(node)
            if device is None or clock.now() > self.stop_at:
                self._close(node)
                if device is None and node.x is not None:
                    break  # all other nodes have a bound at least as high
                continue
            for low, high in self._children(node, device):
                child = self._refined(low, high, bound)
                if np.isfinite(child.bound):
                    heapq.heappush(queue, (child.bound, next(ticket), child))
        for bound, _, node in queue:
            self.bound = min(self.bound, bound)
            self.n_leaves += 1
            self._keep_if_integral(node)

    def _refined(self, low: Array, high: Array, inherited: float) -> _Node:
        """A node, its LP refined at its own solutions; never below the bound it inherits."""
        best, point = inherited, None
        for _ in range(MAX_ROUNDS):
            answer = self._solve(low, high)
            gain = answer.bound - best
            best = max(best, answer.bound)
            if answer.x is None:
                break
            point = answer.x
            late = clock.now() > self.stop_at
            if late or gain <= LEAST_GAIN * abs(best):
                break
            if not refine(self.model, self._solver, point):
                break
        return _Node(low, high, best, point)

    def _solve(self, low: Array, high: Array) -> LpAnswer:
        self.n_solves += 1
        answer = self._solver.solve(low, high, self.stop_at - clock.now())
        if answer.fault and len(self.faults) < MAX_FAULTS:
            self.faults.append(answer.fault)
        return answer

    def _undecided(self, node: _Node) -> int | None:
        """The device whose server the LP is least sure of; None where all are sure."""
        if node.x is None:
            return None
        point = node.x
        doubt = {k: 1 - max(point[j] for _, j in options) for k, options in self._options.items()}
        device = max(doubt, key=lambda k: doubt[k])
        return device if doubt[device] > 1e-6 else None

    def _children(self, node: _Node, device: int) -> list[tuple[Array, Array]]:
        """One child for each server that the device may still use."""
        columns = [j for _, j in self._options[device] if node.high[j] > 0]
        children = []
        for chosen in columns:
            low, high = node.low.copy(), node.high.copy()
            high[columns] = 0.0
            low[chosen] = high[chosen] = 1.0
            children.append((low, high))
        return children

    def _close(self, node: _Node) -> None:
        self.n_leaves += 1
        self.bound = min(self.bound, node.bound)
        self._keep_if_integral(node)

    def _keep_if_integral(self, node: _Node) -> None:
        """Keep servers and positions of a node, rounded to the likeliest servers."""
        if node.x is None:
            return
        point = node.x
        servers = np.full(self.terms.scenario.n_devices, NO_SERVER)
        for k, options in self._options.items():
            servers[k] = max(options, key=lambda option: point[option[1]])[0]
        xy = self.terms.instance.uav_xy_m.copy()
        for (m, axis), variable in self.model.xy.items():
            if id(variable) in self._program.column:
                xy[m, axis] = 100.0 * point[self._program.column[id(variable)]]
        self.integral.append(_Leaf(node.bound, servers, xy))

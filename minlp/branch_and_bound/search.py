"""The tree of branch and bound for one slot: nodes, incumbents, bounds, log."""

from __future__ import annotations

import heapq
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from minlp.branch_and_bound.branching import Node, Start, children_of, parts_of, twins_of
from minlp.branch_and_bound.hard_deadlines import cause_of_lateness, hard_data, punctual_ceiling
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.loads import full_spans
from minlp.branch_and_bound.node import DEVICE, NOTHING, Evaluation, evaluate_node
from minlp.branch_and_bound.presolve import (
    Region,
    least_powers,
    lone_costs,
    outer_boxes,
    tighten,
)
from minlp.branch_and_bound.primal import (
    away_from_business,
    inserted_options,
    local_search,
    point_at,
    staying_options,
)
from minlp.branch_and_bound.received_power import Alongside
from minlp.branch_and_bound.receivers import require_masks
from minlp.branch_and_bound.record import Recorder
from minlp.improvement.neighbourhood import improve
from minlp.slot.data import IntArray, SlotData, forgiving, plan_of, slot_data
from minlp.slot.interference_free import independent_bound
from minlp.slot.region import start_reach
from minlp.slot.value import Point, copied
from satedge.problem import clock
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report, Status, TracePoint
from satedge.problem.referee import judge

#: A candidate this much above the incumbent is still worth polishing, by so many steps.
HOPE, POLISH_STEPS = 5e-3, 12

#: Rounds of local search at the root: it ends by itself, long before, where no step helps.
ROOT_ROUNDS = 50

#: Accuracy as shares of the gap wanted: of a node's bound, and of plans that are improved.
NODE_SHARE, FINE = 0.1, 0.01

#: Levels that a dive goes down at most; beyond DOUBT levels it stops where its bound lies more
#: than half-way from the best open one to the target. Nodes whose slopes are known cost more and
#: lose more to a wrong turn: a dive among them stops where its bound is no longer the best.
DEEPEST, DOUBT = 12, 3

#: Steps towards better slopes: at the root, where none are known, from those of a node's parent.
ROOT_STEPS, FIRST_STEPS, NODE_STEPS = 150, 60, 20

#: Slopes are improved in slots of more devices, or once a search has had so many nodes, at nodes
#: that lack at least a share of the incumbent; by whether servers are shared. Elsewhere many cheap
#: nodes are quicker; they close little where servers are shared, and proofs there are of few nodes.
FEW, LONG, WORTH = {False: 36, True: 12}, 2000, {False: 1e-3, True: 0.0}

#: Dives at a time for each thread: with two, none waits while one is judged.
AHEAD = 2

#: Children of a node whose bounds are being found.
Family = tuple[list[Region], Future[list[Evaluation]]]

#: Seconds after which a thread that waits for the interpreter gets it. Children take a
#: millisecond or two, less than Python's own 5 ms.
HAND_OVER_S = 2e-4

#: Seconds between points of the trace.
NOTE_S = 0.1


@contextmanager
def _handed_over_soon() -> Iterator[None]:
    """Threads hand the interpreter over every HAND_OVER_S seconds."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(HAND_OVER_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class Search:
    """One branch and bound run. Costs are sums over devices until `result`."""

    def __init__(self, instance: Instance, slot: int, limits: Limits, report: Report) -> None:
        self.instance, self.slot, self.limits, self.report = instance, slot, limits, report
        self.began = clock.now()
        self.local: SlotData = slot_data(instance, slot)
        require_masks(self.local)
        devices = np.flatnonzero(instance.active[slot])
        self.data: SlotData = forgiving(self.local, instance.deadline_s[slot, devices])
        if limits.hard:
            self.data, self.local = hard_data(self.data)
        self.reach = start_reach(self.data)
        self.twins = twins_of(self.data)
        #: (M, 4) where UAVs may be, (n, O) what options cost without interference there, and (n,)
        #: least log-powers of plans that may still win: known better once there is an incumbent.
        self.boxes = outer_boxes(self.data)
        self.lone = lone_costs(self.data, self.boxes)
        self.received = Alongside(self.data, self.boxes, self.lone)
        self.floor = np.full(len(self.data.n_options), self.data.log_power_min)
        self.scale = 1.0 / instance.scenario.n_devices
        self.upper = np.inf
        self.plan: Plan | None = None
        self.best: Point | None = None
        self.ceiling = punctual_ceiling(self.data) if limits.hard else np.inf
        self.closed_bound = np.inf
        #: The bound when last all open nodes lay in the heap: during a dive one does not.
        self.sure = -np.inf
        #: Open nodes, but for those whose dives go on.
        self.heap: list[Node] = []
        #: Their bounds.
        self.diving: list[float] = []
        self.serial = self.nodes = 0
        self.polished: set[bytes] = set()
        self.trace: list[TracePoint] = []
        self.log: list[str] = []
        #: Whether nodes look for better slopes, where that is worth it.
        self.climbs = True
        #: Keeps the tree for a proof, where one is asked for.
        self.recorder: Recorder | None = None

    def elapsed_s(self) -> float:
        return clock.now() - self.began

    def run(self) -> Outcome:
        """Search until the gap is closed or a limit is met."""
        if len(self.data.n_options) == 0:
            return self._idle()
        self._root()
        if self.limits.threads > 1:
            with ThreadPoolExecutor(self.limits.threads) as pool, _handed_over_soon():
                self._dive_together(pool)
        while (node := self._next()) is not None:
            self._dive(node)
        return self.result()

    def _next(self) -> Node | None:
        """The open node of the least bound, to be divided; None where that ends the search."""
        if not self.heap or self._limited() or self.received.bound >= self._target():
            return None
        node = heapq.heappop(self.heap)
        if node.lower_bound < self._target():
            return node
        self.closed_bound = min(self.closed_bound, node.lower_bound)
        self.heap.clear()
        return None

    def lower_bound(self) -> float:
        """Certified: the least of any open node or closed unexplored, or that of received power."""
        return min(max(self._of_nodes(), self.received.bound), self.upper)

    def _of_nodes(self) -> float:
        opened = [node.lower_bound for node in self.heap[:1]]
        return min(self.closed_bound, self.upper, *opened, *self.diving)

    def _gap(self, bound: float) -> float:
        known = np.isfinite(bound) and 0 < self.upper < np.inf
        return (self.upper - bound) / self.upper if known else np.inf

    def _target(self) -> float:
        """A node at or above this need not be explored."""
        return min(self.upper * (1 - self.limits.gap), self.ceiling)

    def _limited(self) -> bool:
        limits = self.limits
        late = self.elapsed_s() > limits.budget_s
        return late or self.nodes >= limits.max_nodes or len(self.heap) > limits.max_open

    def _root(self) -> None:
        data, boxes = self.data, self.boxes
        staying = staying_options(data, self.lone)
        powers, xy = np.full(len(staying), data.log_power_max), data.start_xy_m.copy()
        choice = inserted_options(data, self.reach, self.lone, staying, xy)
        self._search_from(point_at(choice, powers, xy), ROOT_ROUNDS)
        if self.plan is None:
            self._search_from(point_at(staying, powers, data.start_xy_m), 0)
        budget = min(self.upper, self.ceiling) * (1 + 1e-9)
        self.floor = least_powers(data, self.lone, boxes, budget)
        allowed = (1 << data.n_options) - 1
        allowed = self._without_expensive_options(allowed)
        n = len(choice)
        first = np.r_[np.full(n, data.log_power_max), data.start_xy_m.ravel()]
        start = Start(first, self.best.choice if self.best else choice, np.zeros(n))
        root = self._evaluate(Region(allowed, boxes.copy(), full_spans(data)), start, -np.inf)
        if root is not None:
            heapq.heappush(self.heap, root)
            self._settle()

    def _without_expensive_options(self, allowed: IntArray) -> IntArray:
        """Drop options whose lone cost, with the others' least, exceeds the incumbent."""
        least = self.lone.min(axis=1)
        total = least.sum() - least[:, None] + self.lone
        expensive = min(self.upper, self.ceiling) * (1 + 1e-9)
        keep = (total <= expensive) & np.isfinite(self.lone)
        keep |= self.lone == least[:, None]
        bits = 1 << np.arange(self.lone.shape[1], dtype=np.int64)
        return allowed & (keep * bits).sum(axis=1)

    def _evaluate(self, region: Region, start: Start, parent_bound: float) -> Node | None:
        """The node with its bound, or None when it is empty or fathomed. Tries its candidate."""
        bounded = self._task(region, start, parent_bound)
        return self._judged(region, bounded(), parent_bound) if bounded else None

    def _task(
        self, region: Region, start: Start, parent_bound: float
    ) -> Callable[[], Evaluation] | None:
        """What bounds a region, on any thread, with what is known now; None where it is empty."""
        if not tighten(self.data, region):
            return None
        self.nodes += 1
        cutoff, steps = self._target(), self._steps(start, parent_bound)
        gap = NODE_SHARE * self.limits.gap * abs(self.upper) if np.isfinite(self.upper) else 1e-6
        if self.recorder:
            self.recorder.tightened(region)
        return lambda: evaluate_node(
            self.data, region, self.floor, start.point, start.choice, start.dual, start.slopes,
            steps, cutoff, gap, self.recorder is not None,
        )  # fmt: skip

    def _judged(self, region: Region, found: Evaluation, parent_bound: float) -> Node | None:
        """The node of a region whose bound is found. Tries its candidate."""
        if self.recorder:
            self.recorder.visited(region, found)
        bound = max(found.lower_bound, parent_bound)
        self.closed_bound = min(self.closed_bound, found.dropped_bound)
        if found.candidate_cost < self.upper * (1 + HOPE):
            candidate = point_at(found.choice, found.log_power, found.xy_m)
            self._polish(candidate, found.candidate_cost)
        if bound >= self._target() or found.kind == NOTHING:
            self.closed_bound = min(self.closed_bound, bound)
            return None
        self.serial += 1
        if self.recorder:
            self.recorder.opened(self.serial)
        point = np.concatenate((found.log_power, found.xy_m.ravel()))
        parts = (
            parts_of(region, found, [] if self.recorder else self.twins)
            if found.kind == DEVICE
            else []
        )
        after = Start(point, found.choice, found.dual, found.slopes)
        return Node(bound, self.serial, region, after, found.kind, found.target, parts)

    def _steps(self, start: Start, bound: float) -> int:
        """How long to look for better slopes at a child of a node of this bound."""
        shared = self.data.shared
        short = len(self.data.n_options) <= FEW[shared] and self.nodes < LONG
        short = short and not (shared and self.recorder)
        if (
            not self.climbs
            or short
            or self._target() - bound < WORTH[self.data.shared] * self.upper
        ):
            return 0
        if len(start.slopes.power):
            return NODE_STEPS
        return ROOT_STEPS if self.nodes == 1 else FIRST_STEPS

    def _dive(self, node: Node | None) -> None:
        """Branch on a node, keep its best child and go on there; the rest goes to the heap."""
        depth = 0
        while node is not None and not self._limited():
            parent = node
            children = (
                self._evaluate(region, parent.start, parent.lower_bound)
                for region in self._divided(parent)
            )
            depth += 1
            node = self._best_of(children, depth)
        if node is not None:
            heapq.heappush(self.heap, node)
        self._settle()

    def _dive_together(self, pool: ThreadPoolExecutor) -> None:
        """Dives side by side, in the order in which they began: while the children of one are
        judged, those of the others are bounded."""
        dives: deque[tuple[Node, int, Family]] = deque()
        while not self._limited():
            while len(dives) < AHEAD * self.limits.threads and (node := self._next()) is not None:
                dives.append((node, 0, self._begun(node, pool)))
            if not dives:
                return
            node, depth, family = dives.popleft()
            child = self._best_of(self._ended(node, family), depth + 1)
            if child is not None:
                dives.append((child, depth + 1, self._begun(child, pool)))
            self.diving = [node.lower_bound for node, _, _ in dives]
            self._settle()
        self.diving = []
        for node, _, family in dives:
            for child in self._ended(node, family):
                if child is not None:
                    heapq.heappush(self.heap, child)

    def _begun(self, node: Node, pool: ThreadPoolExecutor) -> Family:
        """The children of a node, whose bounds are being found."""
        tasks = [
            (region, self._task(region, node.start, node.lower_bound))
            for region in self._divided(node)
        ]
        left = [(region, task) for region, task in tasks if task]
        return [region for region, _ in left], pool.submit(lambda: [task() for _, task in left])

    def _ended(self, node: Node, family: Family) -> Iterable[Node | None]:
        """The children of a node once their bounds are found."""
        regions, found = family
        pairs = zip(regions, found.result(), strict=True)
        return [self._judged(region, bounded, node.lower_bound) for region, bounded in pairs]

    def _divided(self, node: Node) -> Iterable[Region]:
        """The children of a node, in the order in which they are to be visited."""
        regions = children_of(node)
        visits = self.recorder.divided(node, regions) if self.recorder else []
        for i, region in enumerate(regions):
            if self.recorder:
                self.recorder.begin(visits[i])
            yield region

    def _best_of(self, found: Iterable[Node | None], depth: int) -> Node | None:
        """The child to go on with at a depth, if any; the others go to the heap."""
        children = sorted(child for child in found if child is not None)
        node = None
        if children and depth <= DEEPEST and children[0].lower_bound < self._target():
            node = children.pop(0)
        for child in children:
            heapq.heappush(self.heap, child)
        known = node is not None and len(node.start.slopes.power) > 0
        if node is not None and self.heap and (known or depth > DOUBT):
            best = self.heap[0].lower_bound
            hope = 0.0 if known else 0.5 * (self._target() - best)
            if node.lower_bound > best + hope:
                heapq.heappush(self.heap, node)
                node = None
        return node

    def _polish(self, point: Point, cost: float) -> None:
        """Descend from a candidate, once a choice of servers unless it is better already."""
        key = point.choice.tobytes()
        if key in self.polished and cost >= self.upper:
            return
        self.polished.add(key)
        improve(self.local, self.reach, point, POLISH_STEPS, FINE * self.limits.gap)
        if point.value[0] < self.upper * (1 - 1e-12):
            self._accept(point)

    def _search_from(self, point: Point, rounds: int) -> None:
        local_search(self.local, self.reach, point, rounds, FINE * self.limits.gap)
        self.polished.add(point.choice.tobytes())
        self._accept(point)

    def _accept(self, point: Point) -> None:
        """Judge a plan and keep it if it is the best so far."""
        choice, powers, xy = point.choice, point.log_power, point.uav_xy_m
        away_from_business(self.data, choice, powers, xy)
        plan = plan_of(self.instance, self.slot, self.data, choice, powers, xy)
        view = self.instance.rows(slice(self.slot, self.slot + 1))
        verdict = judge(view, plan, previous_xy_m=self.instance.uav_xy_m[None])
        cost = float(verdict.device_cost.sum())
        kept = verdict.feasible if self.limits.hard else verdict.admissible
        if bool(kept) and cost < self.upper:
            self.upper, self.plan, self.best = cost, plan, copied(point)
            self.report(Progress(plan))
            self._note(force=True)

    def _settle(self, force: bool = False) -> None:
        """All open nodes lie in the heap: take their bound, and note it."""
        if not self.recorder and not self.limits.hard:
            self.received.go_on(self.nodes, self.upper, self._of_nodes(), self._target())
        self.sure = self.lower_bound()
        self._note(force)

    def _note(self, force: bool = False) -> None:
        """A point of the trace and a line of the log, with the last sure bound."""
        bound = self.sure
        last = self.trace[-1] if self.trace else None
        scaled = (self.upper * self.scale, bound * self.scale)
        now = self.elapsed_s()
        if last and not force and now < last.wall_s + NOTE_S:
            return
        self.trace.append(TracePoint(now, *scaled))
        if not self.log:
            self._write(LOG_HEAD)
        known = f"{'-':>14} {'-':>10}"
        if np.isfinite(bound):
            known = f"{scaled[1]:>14.8g} {100 * self._gap(bound):>10.5f}"
        self._write(f"{self.nodes:>9d} {len(self.heap):>8d} {scaled[0]:>14.8g} {known} {now:>9.3f}")

    def _write(self, line: str) -> None:
        self.log.append(line)
        self.limits.say(line)

    def result(self) -> Outcome:
        """The outcome, per slot and device."""
        bound = self.lower_bound()
        if self._gap(bound) > self.limits.gap and not self.limits.hard:
            bound = min(max(bound, self._interference_free()), self.upper)
        status: Status = (
            "optimal" if self._gap(bound) <= self.limits.gap * (1 + 1e-9) else "stopped"
        )
        self._settle(force=True)
        if self.plan is None and not self.heap and bound >= self.ceiling:
            return self._infeasible(bound)
        certificate = {
            "kind": "branch-and-bound",
            "nodes": self.nodes,
            "open_nodes": len(self.heap),
            "gap": self._gap(bound),
            "proof": NODES if self._of_nodes() >= self.received.bound else BOXES,
        }
        trace, info = tuple(self.trace), {"log": self.log}
        return Outcome(self.plan, status, bound * self.scale, certificate, trace, info)

    def _interference_free(self) -> float:
        """The bound of every request by itself: seldom better, but sure where a search was cut."""
        view = self.instance.rows(slice(self.slot, self.slot + 1))
        return float(independent_bound(view)[0]) / self.scale

    def _infeasible(self, bound: float) -> Outcome:
        """No plan meets all deadlines: every node's bound exceeds what one that does can cost."""
        cause, devices = cause_of_lateness(self.data, self.boxes)
        active = np.flatnonzero(self.instance.active[self.slot])
        certificate = {
            "kind": "infeasible",
            "cause": cause,
            "devices": [int(active[k]) for k in devices],
            "nodes": self.nodes,
            "least_bound": bound * self.scale,
            "punctual_ceiling": self.ceiling * self.scale,
            "proof": "with overruns priced at overrun_weight the least bound exceeds the ceiling",
            "overrun_weight": self.data.overrun_weight,
        }
        return Outcome(None, "infeasible", None, certificate, tuple(self.trace), {"log": self.log})

    def _idle(self) -> Outcome:
        """Nobody sends: the UAVs stay, the cost is 0."""
        none = np.zeros(0, np.int64)
        plan = plan_of(self.instance, self.slot, self.data, none, np.zeros(0), self.data.start_xy_m)
        return Outcome(plan, "optimal", 0.0, {"kind": "idle"})


#: What bounds rest on.
NODES = "least node bound; each from the gradient of a convex relaxation"
BOXES = "least bound of boxes of received powers; each from prices of shares of them"

LOG_HEAD = "    nodes     open      incumbent          bound      gap %    time s"

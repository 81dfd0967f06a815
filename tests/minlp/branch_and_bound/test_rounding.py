"""Bounds of convex problems of nodes lie below their exact values, computed in 200 bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.receivers import receivers, vanishing
from minlp.branch_and_bound.record import Recorder, Visit
from minlp.branch_and_bound.relaxation import assemble, gain_tables
from minlp.branch_and_bound.search import Search
from minlp.convex.certificate import bound_at, rounding_margin
from minlp.convex.problem import ConvexProblem, evaluate, gradients, new_point
from minlp.slot.cost import loads_of
from satedge.problem.plan import ignore
from satedge.problem.scenario import PRESETS
from support.worlds import world

SCOPES = ("all", "tier", "server")


def _exact(problem: ConvexProblem, y: Any, late: Any, mu: Any) -> arb:
    """F_lambda(y) + sum_i min(g_i (l_i - y_i), g_i (u_i - y_i)), for these floats."""
    n, d = len(problem.load_s), len(y)
    z, value, g = [arb(float(v)) for v in y], arb(0), [arb(0)] * d
    for k in np.flatnonzero(problem.load_s > 0):
        at = n + 2 * problem.receiver[k]
        places = z[at : at + 2] if problem.receiver[k] >= 0 else [arb(0), arb(0)]
        heard = [j for j in range(n) if j != k and problem.log_interference[k, j] > -np.inf]
        parts = {}
        for j in heard:
            pull = [arb(float(v)) for v in problem.interference_slope[k, j]]
            level = arb(float(problem.log_interference[k, j])) + z[j]
            parts[j] = (level + pull[0] * places[0] + pull[1] * places[1]).exp(), pull
        pull = [arb(float(v)) for v in problem.noise_slope[k]]
        level = arb(float(problem.log_noise[k])) + pull[0] * places[0] + pull[1] * places[1]
        parts[-1] = level.exp(), pull
        total = sum((w for w, _pull in parts.values()), arb(0))
        sinr = z[k].exp() / total
        nats = sinr.log1p()
        h = arb(float(problem.load_s[k])) / nats
        joule = arb(float(problem.energy_weight[k])) * z[k].exp()
        away, theta = arb(float(problem.propagation_s[k])), arb(float(late[k]))
        price = arb(float(problem.latency_weight[k])) + joule + theta
        value += price * h + joule * away
        if late[k] > 0:
            value -= theta * arb(float(problem.slack_s[k]))
        rate = price * h * sinr / (1 + sinr) / nats
        g[k] += joule * (h + away) - rate
        for j, (w, pull) in parts.items():
            if j >= 0:
                g[j] += rate * w / total
            for axis in range(2 if problem.receiver[k] >= 0 else 0):
                g[at + axis] += rate * w / total * pull[axis]
    for (m, x, v, radius), weight in zip(problem.disc, mu, strict=True):
        at = n + 2 * int(m)
        away2 = [z[at] - arb(float(x)), z[at + 1] - arb(float(v))]
        value += arb(float(weight)) * (away2[0] ** 2 + away2[1] ** 2 - arb(float(radius)) ** 2)
        for axis in range(2):
            g[at + axis] += 2 * arb(float(weight)) * away2[axis]
    for i in range(d):
        low, high = arb(float(problem.lower[i])) - z[i], arb(float(problem.upper[i])) - z[i]
        value += (g[i] * low).min(g[i] * high)
    return value


def _visits(search: Search) -> Iterator[Visit]:
    assert search.recorder is not None
    stack = [search.recorder.root]
    while stack:
        visit = stack.pop()
        stack += visit.children
        if visit.found is not None:
            yield visit


def _check(search: Search, visit: Visit) -> bool:
    """Whether the margin is small beside the bound; that there is one is asserted."""
    assert visit.found is not None
    assert visit.before is not None
    data, region, best = search.data, visit.before, visit.found.best
    _low, high = gain_tables(data, region.boxes)
    _single, bits = receivers(data, region.allowed)
    least = vanishing(data, bits, search.floor, high)
    choice = np.array([int(core & -core).bit_length() - 1 for core in best.core], np.int64)
    problem, _constant = assemble(
        data, region.allowed, best.core, loads_of(data, choice), region.boxes, least, best.near
    )
    point = new_point(len(choice), len(best.y), len(problem.disc))
    evaluate(problem, best.y, point)
    point.multiplier[:], point.disc_multiplier[:] = best.multiplier, best.weight
    gradients(problem, point)
    bound = bound_at(problem, best.y, rounding_margin(problem), point)
    exact = _exact(problem, best.y, best.multiplier, best.weight)
    assert arb(float(bound)) <= exact
    return bool(bound > float(exact.mid()) - 1e-9 * max(1.0, abs(bound)))


def _run(count: int, each: int) -> None:
    """Nodes of slots of all presets and scopes, so many of each, until there are enough."""
    before, checked, tight, seed = flint.ctx.prec, 0, 0, 0
    flint.ctx.prec = 200
    try:
        while checked < count:
            for name in PRESETS:
                changes: dict[str, Any] = {
                    "interference_scope": SCOPES[(seed + seed // len(PRESETS)) % 3]
                }
                instance = world(name, seed, **changes)
                search = Search(instance, 0, Limits(gap=1e-4, max_nodes=each), ignore)
                search.recorder = Recorder()
                search.run()
                for visit in list(_visits(search))[:each]:
                    tight += _check(search, visit)
                    checked += 1
                seed += 1
    finally:
        flint.ctx.prec = before
    assert tight > 0.99 * checked


def test_bounds_of_nodes_lie_below_their_exact_values() -> None:
    _run(200, 15)


@pytest.mark.slow
def test_bounds_of_many_nodes_lie_below_their_exact_values() -> None:
    _run(10_000, 120)

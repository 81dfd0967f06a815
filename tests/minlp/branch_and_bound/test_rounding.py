"""What the search computes in doubles lies on the safe side of its exact value, in 200 bits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from flint import arb

from minlp.branch_and_bound.ascent import _balance
from minlp.branch_and_bound.copies import (
    OUT_OF_SPAN,
    Slopes,
    View,
    costs_of,
    frame_of,
    look,
    new_copies,
    new_slopes,
    new_workspace,
    still,
)
from minlp.branch_and_bound.core_bound import Priced
from minlp.branch_and_bound.loads import alternatives, load_bound, new_assigned
from minlp.branch_and_bound.presolve import MARGIN, Region, lone_costs, outer_boxes
from minlp.branch_and_bound.receivers import VANISH, receivers
from minlp.branch_and_bound.record import Visit
from minlp.branch_and_bound.search import Search
from minlp.branch_and_bound.upload import (
    Place,
    Upload,
    least_upload,
    limits_of,
    place_copies,
)
from minlp.convex.certificate import bound_at, rounding_margin
from minlp.convex.problem import evaluate, gradients, new_point
from minlp.slot.cost import loads_of, option_terms
from minlp.slot.data import NOT_SENT, SlotData
from minlp.slot.geometry import RADIUS_SLACK, shrink_to_disc
from minlp.slot.region import common_point, discs_of, start_reach
from satedge.problem.referee import TOLERANCE
from satedge.verify.kernel.model import Model
from support.exact import (
    exact,
    exact_alone,
    exact_convex_bound,
    exact_gain,
    exact_load,
    exact_terms,
    exact_upload,
)
from support.nodes import limits_in, problem_of, searches, visits_of

#: Nodes of some forty searches.
NODES = 300

Node = tuple[Search, Visit, Region, Priced]


@pytest.fixture(autouse=True)
def bits() -> Iterator[None]:
    """Two hundred of them."""
    before, flint.ctx.prec = flint.ctx.prec, 200
    yield
    flint.ctx.prec = before


@pytest.fixture(scope="module")
def nodes() -> list[Node]:
    """Of all presets and scopes; every second search looks for better slopes everywhere."""
    found: list[Node] = []
    with pytest.MonkeyPatch.context() as patch:
        for search in _climbing(patch):
            found += [(search, *node) for node in list(visits_of(search))[:10]]
            if len(found) >= NODES:
                break
    return found


def _climbing(patch: pytest.MonkeyPatch) -> Iterator[Search]:
    """`searches`, every second pair of which improves slopes wherever something is missing."""
    tree = "minlp.branch_and_bound.search"
    for i, search in enumerate(searches(15)):
        yield search
        few, worth = (0, 0.0) if i % 4 < 2 else (36, 1e-3)
        patch.setattr(f"{tree}.FEW", {True: few, False: few})
        patch.setattr(f"{tree}.WORTH", {True: worth, False: worth})


def _convex(search: Search, region: Region, best: Priced) -> bool:
    """Whether the margin is small beside the bound; that there is one is asserted."""
    problem, _constant = problem_of(search, region, best)
    point = new_point(len(best.core), len(best.y), len(problem.disc))
    evaluate(problem, best.y, point)
    point.multiplier[:], point.disc_multiplier[:] = best.multiplier, best.weight
    gradients(problem, point)
    bound = bound_at(problem, best.y, rounding_margin(problem), point)
    value = exact_convex_bound(problem, best.y, best.multiplier, best.weight)
    assert exact(bound) <= value
    return bool(bound > float(value.mid()) - 1e-9 * max(1.0, abs(bound)))


def test_bounds_of_convex_problems(nodes: list[Node]) -> None:
    tight = sum(_convex(search, region, best) for search, _visit, region, best in nodes)
    assert tight > 0.99 * len(nodes)


@pytest.mark.slow
def test_bounds_of_many_convex_problems() -> None:
    checked = tight = 0
    for search in searches(120):
        for _visit, region, best in visits_of(search):
            tight += _convex(search, region, best)
            checked += 1
        if checked >= 10_000:
            break
    assert tight > 0.99 * checked


def test_bounds_of_nodes(nodes: list[Node]) -> None:
    """Convex problem, constants of devices and what they choose together, all in one; also where
    a device is held at an option."""
    for search, visit, region, best in nodes:
        assert visit.found is not None
        problem, constant = problem_of(search, region, best)
        value = exact_convex_bound(problem, best.y, best.multiplier, best.weight)
        value += sum((exact(c) for c in constant), arb(0))
        if search.data.shared:
            value += exact(exact_load(search.data, region, best.price, best.assigned.dual)[0])
        else:
            least = [exact(min(0.0, row.min())) for row in best.price[:, :, 0]]
            value += sum(least, arb(0))
            for k, o in np.argwhere(np.isfinite(best.price[:, :, 0])).tolist():
                if not len(visit.found.copies):
                    assert exact(best.option[k, o]) <= value - least[k] + exact(best.price[k, o, 0])
        assert exact(best.lower_bound) <= value


def _view(search: Search, visit: Visit, region: Region, lifted: bool) -> tuple[View, Slopes, Any]:
    """What devices see and pay at a node, and where copies of positions are."""
    assert visit.found is not None
    data, best = search.data, visit.found.best
    n, m = data.log_fading.shape
    low, high, bits, least = limits_in(search, region)
    limits = limits_of(least, data.log_power_max)
    if not lifted:
        slopes = Slopes(best.slopes, new_slopes(n, m).place)
        return View(data, bits, low, high, limits, still(n, m)), slopes, np.zeros((n, m, 2))
    frame = frame_of(data, receivers(data, region.allowed)[0], region.boxes)
    return View(data, bits, low, high, limits, frame), visit.found.slopes, visit.found.copies


def _views(nodes: list[Node]) -> Iterator[tuple[Search, Region, View, Slopes, Any]]:
    for search, visit, region, _best in nodes:
        assert visit.found is not None
        yield search, region, *_view(search, visit, region, False)
        if len(visit.found.copies):
            yield search, region, *_view(search, visit, region, True)


def _heard(view: View, work: Any, k: int, r: int) -> tuple[list[arb], arb]:
    """Disturbance by a watt of each device, and noise, over the own gain, from the same logs."""
    data, n = view.data, len(view.bits)
    heard, wide = work.reach[r] > 0.0, view.frame.half[r].any()
    if wide:
        logs = [exact(x) for x in work.ratio]
    else:
        own, leak = exact(view.high[k, r]), exact(max(data.log_leakage, -1e300))
        logs = [leak + exact(view.low[j, r]) - own for j in range(n)]
        logs.append(exact(data.log_noise) - own)
    a = [logs[j].exp() if heard[j] else arb(0) for j in range(n)]
    return a, logs[n].exp() * (1 - exact(VANISH))


def test_prices_of_uploads(nodes: list[Node]) -> None:
    """`upload.MARGIN`."""
    checked = tight = 0
    for search, region, view, slopes, xy in _views(nodes):
        data, work = search.data, new_workspace(search.data)
        for k in range(len(view.bits)):
            for o in range(data.n_options[k]):
                r = data.receiver[k, o]
                if not region.allowed[k] >> o & 1 or r == NOT_SENT:
                    continue
                slack = option_terms(data, k, o, work.alone, False, view.low, view.high)[1]
                look(view, k, r, xy[k], work)
                place = Place(
                    xy[k, r].copy() if r < len(data.altitude_m) else np.zeros(2), work.bend[r],
                    slopes.place[k, r], view.frame.half[r],
                )  # fmt: skip
                upload = Upload(
                    k, data.load_s[k, r], data.propagation_s[r], work.noise[r],
                    data.latency_weight, data.energy_weight, data.overrun_weight,
                    slopes.power[k], work.reach[r], view.limits, place,
                )  # fmt: skip
                found = least_upload(upload, slack, view.limits.upper[k])
                value = exact_upload(upload, slack, found, *_heard(view, work, k, r))
                assert exact(found.value) <= value
                checked += 1
                tight += found.value > float(value.mid()) - 1e-8 * max(1.0, abs(found.value))
    assert tight > 0.99 * checked
    assert checked > 5000


def test_prices_of_options(nodes: list[Node]) -> None:
    """With constants, waits, and lines that serve several loads: below what is attained."""
    rng, checked, tight = np.random.default_rng(1), 0, 0
    for search, region, view, slopes, xy in _views(nodes):
        data, spans = search.data, region.spans
        n, m = data.log_fading.shape
        found, work = new_copies(data, np.zeros(n + 2 * m)), new_workspace(data)
        found.xy[:] = xy
        k = int(rng.integers(n))
        costs_of(view, k, region.allowed[k], spans, slopes.power[k], slopes.place[k], work, found)
        for o in np.flatnonzero([region.allowed[k] >> o & 1 for o in range(data.n_options[k])]):
            for c in range(found.cost.shape[2]):
                price = found.cost[k, o, c]
                if price < OUT_OF_SPAN / 2:
                    value = _attained(view, slopes, k, int(o), c, found, work)
                    assert exact(price) <= value
                    tight += price > float(value.mid()) - 1e-5 * max(1.0, abs(price))
                    checked += 1
    assert tight > 0.8 * checked
    assert checked > 1000


def _attained(view: View, slopes: Slopes, k: int, o: int, c: int, found: Any, work: Any) -> arb:
    """What option o costs device k with c more requests on its server, less what it pays, at the
    copies found."""
    data, r = view.data, view.data.receiver[k, o]
    pay, half = slopes.place[k], view.frame.half
    far = [exact(abs(pay[i, j])) * exact(half[i, j]) for i, j in np.ndindex(half.shape) if i != r]
    copy = np.empty(len(view.bits))
    p, tau = found.power[k, o, c], found.scale[k, o, c]
    if r != NOT_SENT:
        look(view, k, r, found.xy[k], work)
    place_copies(view.limits, slopes.power[k], work.reach, k, r, p, tau, copy)
    paid = sum((exact(x) * exact(y) for x, y in zip(slopes.power[k], copy, strict=True)), arb(0))
    paid += sum(far, arb(0))
    if r == NOT_SENT:
        return exact(data.fixed_cost[k, o]) - paid
    if r < len(data.altitude_m):
        paid += sum((exact(pay[r, i]) * exact(found.xy[k, r, i]) for i in range(2)), arb(0))
    a, noise = _heard(view, work, k, r)
    heard = sum((x * exact(copy[j]).exp() for j, x in enumerate(a) if j != k), noise)
    h = exact(data.load_s[k, r]) / (exact(p).exp() / heard).log1p()
    cost, slack = exact_terms(data, k, o, c, view.low, view.high)
    joule = exact(data.energy_weight) * exact(p).exp() * (h + exact(data.propagation_s[r]))
    late = (h - slack).max(arb(0)) * exact(data.overrun_weight)
    return cost + exact(data.latency_weight) * h + joule + late - paid


def test_the_load_problem(nodes: list[Node]) -> None:
    """`loads.MARGIN`."""
    checked = 0
    for search, _visit, region, best in nodes:
        data, price = search.data, best.price
        if not data.shared or not np.isfinite(best.lower_bound):
            continue
        found = new_assigned(data, len(region.spans))
        start, spans = best.assigned.dual, region.spans
        target = best.lower_bound + 0.1 * abs(best.lower_bound)
        bound = load_bound(data, region.allowed, spans, price, start, target, np.inf, found)
        alternatives(data, region.allowed, spans, price, bound, found)
        value, options, loads = exact_load(data, region, price, found.dual)
        assert Fraction(float(bound)) <= value
        assert all(Fraction(float(found.option[x])) <= y for x, y in options.items())
        assert all(Fraction(float(found.load[x])) <= y for x, y in loads.items())
        checked += 1 + len(options) + len(loads)
    assert checked > 3000


def test_slopes_that_do_not_sum_to_zero(nodes: list[Node]) -> None:
    """`ascent._balance`, column by column."""
    checked = 0
    for _search, _region, view, slopes, _xy in _views(nodes):
        n, m = len(view.bits), len(view.frame.half)
        for j in range(n + 2 * m):
            one = Slopes(np.zeros((n, n)), np.zeros(slopes.place.shape))
            if j < n:
                one.power[:, j] = slopes.power[:, j]
            else:
                at = np.s_[:, (j - n) // 2, (j - n) % 2]
                one.place[at] = slopes.place[at]
            lacking = _balance(one, view.limits, view.frame)
            if j < n:
                rest = sum((Fraction(float(x)) for x in one.power[:, j]), Fraction(0))
                ends = [Fraction(float(x[j])) for x in (view.limits.lower, view.limits.upper)]
            else:
                rest = sum((Fraction(float(x)) for x in one.place[at]), Fraction(0))
                half = Fraction(float(view.frame.half[(j - n) // 2, (j - n) % 2]))
                ends = [-half, half]
            assert Fraction(float(lacking)) <= min(rest * end for end in ends)
            checked += 1
    assert checked > 3000


def test_constants_of_devices(nodes: list[Node]) -> None:
    """`presolve.MARGIN`, and slacks of `relaxation.assemble`."""
    checked = 0
    for search, _visit, region, best in nodes:
        data, (low, high, _bits, _least) = search.data, limits_in(search, region)
        choice = np.array([int(core & -core).bit_length() - 1 for core in best.core], np.int64)
        problem, constant = problem_of(search, region, best)
        loads = loads_of(data, choice)
        for k in range(len(choice)):
            options = [o for o in range(data.n_options[k]) if best.core[k] >> o & 1]
            more = [int(loads[max(data.server[k, o], 0)]) - 1 for o in options]
            terms = [
                exact_terms(data, k, o, c, low, high) for o, c in zip(options, more, strict=True)
            ]
            assert all(exact(constant[k] - MARGIN * abs(constant[k])) <= cost for cost, _ in terms)
            if problem.load_s[k] > 0.0:
                assert all(slack <= exact(problem.slack_s[k]) for _, slack in terms)
            checked += 2 * len(terms)
        lone = lone_costs(data, region.boxes)
        for k, o in np.argwhere(np.isfinite(lone)).tolist():
            assert exact(lone[k, o]) <= exact_alone(data, k, o, low, high)
            checked += 1
    assert checked > 10_000


def test_costs_of_servers() -> None:
    """The model's own rounding, `presolve.MARGIN` again: below the verifier's intervals."""
    checked = 0
    for search in itertools.islice(searches(1), 40):
        data, model = search.local, Model(search.instance, 0, False)
        for k, o in np.argwhere(data.server >= 0).tolist():
            if o < data.n_options[k]:
                cost = data.fixed_cost[k, o] + data.latency_weight * data.execute_s[k, o]
                assert cost - MARGIN * abs(cost) <= model.fixed.lo[k, data.server[k, o]]
                checked += 1
    assert checked > 800


def _places(data: SlotData, region: Region, near: Any, m: int, rng: Any) -> Iterator[Any]:
    """Where gains were linearised, and places at the border of a UAV's box and discs, and in it."""
    box = region.boxes[m]
    discs = discs_of(data, start_reach(data), receivers(data, region.allowed)[0], m)
    corners = [(box[i], box[2 + j]) for i in range(2) for j in range(2)]
    drawn = rng.uniform(box[::2], box[1::2], (4, 2)).tolist()
    for q in [near[m], *corners, *drawn]:
        far = np.hypot(q[0] - discs[:, 0], q[1] - discs[:, 1])
        if (far <= discs[:, 2]).all():
            yield q


def test_gains(nodes: list[Node]) -> None:
    """`relaxation.OUTWARD`: noise and interference over the own gain, anywhere in a node."""
    rng, checked = np.random.default_rng(2), 0
    for search, _visit, region, best in nodes:
        data, instance = search.data, search.instance
        m, problem = len(data.altitude_m), problem_of(search, region, best)[0]
        noise = exact(instance.scenario.noise_W).log() + (1 - exact(VANISH)).log()
        for k in rng.permutation(len(best.core))[:3].tolist():
            options = [o for o in range(data.n_options[k]) if best.core[k] >> o & 1]
            for r in {data.receiver[k, o] for o in options} - {NOT_SENT}:
                places = [(0.0, 0.0)] if r == m else _places(data, region, best.near, r, rng)
                for q in places if problem.load_s[k] > 0 else ():
                    own = exact_gain(instance, k, r, q)
                    rows = [(problem.log_noise[k], problem.noise_slope[k], noise)]
                    for j in np.flatnonzero(problem.log_interference[k] > -np.inf).tolist():
                        leak = exact(instance.scenario.interference_leakage).log()
                        heard = leak + exact_gain(instance, j, r, q)
                        row = problem.log_interference[k, j], problem.interference_slope[k, j]
                        rows.append((*row, heard))
                    for level, slope, true in rows:
                        at = exact(slope[0]) * exact(q[0]) + exact(slope[1]) * exact(q[1])
                        assert exact(level) + at <= true - own
                        checked += 1
    assert checked > 5000


def _holds(disc: Any, q: Any) -> bool:
    """Whether the referee admits a place in a disc."""
    away = [Fraction(float(q[i])) - Fraction(float(disc[i])) for i in range(2)]
    limit = Fraction(float(disc[2])) * (1 + Fraction(TOLERANCE))
    return away[0] ** 2 + away[1] ** 2 <= limit**2


def test_discs(nodes: list[Node]) -> None:
    """`geometry.RADIUS_SLACK`: places that the referee admits stay in boxes and discs."""
    rng, checked = np.random.default_rng(3), 0
    for search, _visit, region, _best in nodes:
        data = search.data
        outer, reach = outer_boxes(data), start_reach(data)
        for m in range(len(data.altitude_m)):
            discs = discs_of(data, reach, receivers(data, region.allowed)[0], m)
            for disc in discs:
                for angle in rng.uniform(0, 2 * np.pi, 4):
                    way = np.array([np.cos(angle), np.sin(angle)])
                    q = disc[:2] + disc[2] * (1 + TOLERANCE) * (1 - 4e-16) * way
                    box, edge = outer[m].copy(), TOLERANCE * data.side_m
                    inside = ((q >= -edge) & (q <= data.side_m + edge)).all()
                    if not inside or not all(_holds(other, q) for other in discs):
                        continue
                    for x, y, radius in discs:
                        assert shrink_to_disc(box, x, y, radius)
                    assert box[0] <= q[0] <= box[1]
                    assert box[2] <= q[1] <= box[3]
                    assert common_point(discs, RADIUS_SLACK - 1)[2]
                    checked += 1
        checked += _touching(rng, data)
    assert checked > 1000


def _touching(rng: np.random.Generator, data: SlotData) -> int:
    """Discs that have next to nothing in common but one place do have it."""
    q, count = rng.uniform(0.0, data.side_m, 2), 0
    for _ in range(4):
        angle = rng.uniform(0, 2 * np.pi)
        angles = angle + np.array([0.0, np.pi, rng.uniform(0, 2 * np.pi)])
        radii = rng.choice([data.reach_m, data.coverage_m], 3)
        way = np.stack([np.cos(angles), np.sin(angles)], -1)
        discs = np.column_stack([q + (radii * (1 + TOLERANCE) * (1 - 1e-15))[:, None] * way, radii])
        if all(_holds(disc, q) for disc in discs):
            assert common_point(discs, RADIUS_SLACK - 1)[2]
            count += 1
    return count

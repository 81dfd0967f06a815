"""Which requests share which server, compiled: the assignment problem in prices, and its bound.

With shared compute a node's bound is F plus the least sum of prices of any assignment

    min  sum_k price[k, o_k, c_k]    c_k = number of requests on the server of option o_k,

every device with one allowed option, every server with a load in its span. As an integer program:
x[k, s, c] = 1 where k is on s, which serves c in all; y[s, c] one load a server;
sum_k x[k, s, c] = c y[s, c]; x[k, s, c] <= y[s, c]; one (s, c) a device.

The bound dualises the last: with u_k paid for device k,

    L(u) = sum_k u_k + sum_s min_c (sum of the c least of price[k, s, c] - u_k, k allowed on s)

where devices that may only be on s are among the c. The problem of a server has integral vertices,
so the greatest L is the linear relaxation's value (Geoffrion, Math. Programming Study 2, 1974).
Every u gives a bound; subgradient steps (Polyak 1969) look for a good one from the parent's.
With k held on s, or s at load c, only the problem of s changes: what that costs more is a bound for
the assignments with it, by which options and loads are dropped.
"""

from __future__ import annotations

import numpy as np

from minlp.slot.cost import loads_of
from minlp.slot.data import NOT_SENT, SlotData, option_with
from satedge.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel
from satedge.kernels.arrays import assign

#: Rounding of the sums, relative to the absolute terms: they have some hundred of them.
MARGIN = 1e-13

#: Subgradient steps, and after how many without a gain they are halved.
STEPS, PATIENCE = 60, 3

#: Weight of a step's assignment in the average of all.
FRESH = 0.15

#: Improvements of an assignment, a guard: each lowers its price.
MOST_MOVES = 200


class Assigned(Record):
    """What the dual of the load problem says at a node. n devices, O options, S servers."""

    dual: Vector  # (n,) u
    share: Matrix  # (n, O) how often devices chose, on average
    at_load: Cube  # (n, O, C) and at which load
    option: Matrix  # (n, O) bound of the assignments in which a device takes an option
    load: Matrix  # (S, n + 1) bound of the assignments in which a server has a load


@kernel
def new_assigned(data: SlotData, n_servers: int) -> Assigned:
    n, width = data.receiver.shape
    return Assigned(
        np.zeros(n), np.zeros((n, width)), np.zeros((n, width, n if data.shared else 1)),
        np.full((n, width), np.inf), np.full((n_servers, n + 1), np.inf),
    )  # fmt: skip


@kernel
def full_spans(data: SlotData) -> IntMatrix:
    """(S, 2) least and greatest load of every server; no rows if compute is dedicated."""
    n = data.receiver.shape[0]
    n_servers = 0
    if data.shared:
        for k in range(n):
            for o in range(data.n_options[k]):
                n_servers = max(n_servers, data.server[k, o] + 1)
    spans = np.zeros((n_servers, 2), np.int64)
    for s in range(n_servers):
        spans[s, 1] = n
    return spans


@kernel
def counted(data: SlotData, allowed: IntVector, spans: IntMatrix) -> bool:
    """Tighten loads by who must and who may be where, and the reverse, in place; False if empty."""
    n = allowed.shape[0]
    changed = True
    while changed:
        changed = False
        for s in range(spans.shape[0]):
            must = may = 0
            for k in range(n):
                o = option_with(data, k, s)
                if o >= 0 and allowed[k] >> o & 1:
                    may += 1
                    must += allowed[k] == 1 << o
            spans[s, 0], spans[s, 1] = max(spans[s, 0], must), min(spans[s, 1], may)
            if spans[s, 0] > spans[s, 1]:
                return False
            if must == may or (spans[s, 1] > must and spans[s, 0] < may):
                continue
            for k in range(n):
                o = option_with(data, k, s)
                if o < 0 or allowed[k] >> o & 1 == 0 or allowed[k] == 1 << o:
                    continue
                allowed[k] = allowed[k] & ~(1 << o) if spans[s, 1] == must else 1 << o
                changed = True
    return True


@kernel
def _members(
    data: SlotData, allowed: IntVector, s: int, who: IntVector, option: IntVector
) -> tuple[int, int]:
    """(how many devices may be on server s, how many must); `who` (n,), those that must first."""
    count = must = 0
    for k in range(allowed.shape[0]):
        o = option_with(data, k, s)
        if o < 0 or allowed[k] >> o & 1 == 0:
            continue
        option[k] = o
        who[count] = k
        if allowed[k] == 1 << o:
            who[count], who[must] = who[must], k
            must += 1
        count += 1
    return count, must


@kernel
def _sort_by_price(
    price: Cube, dual: Vector, c: int, who: IntVector, option: IntVector, must: int, count: int
) -> float:
    """Sort who may be there, after those that must, by reduced price at load c; sum of the c first.

    Insertion: the order at one load is nearly that at the next.
    """
    total = 0.0
    for i in range(must):
        total += price[who[i], option[who[i]], c - 1] - dual[who[i]]
    for i in range(must + 1, count):
        k = who[i]
        key = price[k, option[k], c - 1] - dual[k]
        j = i
        while j > must and price[who[j - 1], option[who[j - 1]], c - 1] - dual[who[j - 1]] > key:
            who[j] = who[j - 1]
            j -= 1
        who[j] = k
    for i in range(must, c):
        total += price[who[i], option[who[i]], c - 1] - dual[who[i]]
    return total


@kernel
def _value(
    data: SlotData,
    allowed: IntVector,
    spans: IntMatrix,
    price: Cube,
    dual: Vector,
    chosen: IntMatrix,
) -> float:
    """L(u), and in `chosen` (n, O) what is chosen there: 0, or at which load."""
    n = allowed.shape[0]
    who, option = np.empty(n, np.int64), np.zeros(n, np.int64)
    total = size = 0.0
    for k in range(n):
        total += dual[k]
        size += abs(dual[k])
        for o in range(chosen.shape[1]):
            chosen[k, o] = 0
        o = data.n_options[k] - 1
        if data.receiver[k, o] == NOT_SENT and allowed[k] >> o & 1:
            reduced = price[k, o, 0] - dual[k]
            if reduced < 0.0 or allowed[k] == 1 << o:
                total += reduced
                size += abs(reduced)
                chosen[k, o] = 1
    for s in range(spans.shape[0]):
        count, must = _members(data, allowed, s, who, option)
        least, best = np.inf, 0
        for c in range(max(spans[s, 0], must), min(spans[s, 1], count) + 1):
            value = 0.0
            if c > 0:
                value = _sort_by_price(price, dual, c, who, option, must, count)
            if value < least:
                least, best = value, c
        total += least
        if best > 0:
            _sort_by_price(price, dual, best, who, option, must, count)
        for i in range(best):
            k = who[i]
            chosen[k, option[k]] = best
            size += abs(price[k, option[k], best - 1]) + abs(dual[k])
    return total - MARGIN * size if np.isfinite(total) else total


@kernel
def load_bound(
    data: SlotData,
    allowed: IntVector,
    spans: IntMatrix,
    price: Cube,
    start: Vector,
    target: float,
    enough: float,
    found: Assigned,
) -> float:
    """A certified bound on the sum of prices of any assignment; inf where there is none.

    Steps from u = `start` (n,) aim at `target`, the sum of some assignment, and end at `enough`.
    """
    n, width = data.receiver.shape
    dual, chosen = start.copy(), np.zeros((n, width), np.int64)
    assign(found.dual, start)
    best, scale, idle = -np.inf, 1.0, 0
    for step in range(STEPS):
        value = _value(data, allowed, spans, price, dual, chosen)
        if value > best:
            idle = 0 if value > best + 1e-3 * abs(target - best) else idle + 1
            best = value
            assign(found.dual, dual)
        else:
            idle += 1
        fresh = 1.0 if step == 0 else FRESH
        _average(found, chosen, fresh)
        if best >= enough or not np.isfinite(value):
            break
        if idle >= PATIENCE:
            scale, idle = 0.5 * scale, 0
            if scale < 0.02:
                break
        norm, missing = 0.0, np.empty(n)
        for k in range(n):
            missing[k] = 1 - (chosen[k] > 0).sum()
            norm += missing[k] ** 2
        if norm == 0.0:
            break
        for k in range(n):
            dual[k] += scale * max(target - value, 0.0) / norm * missing[k]
    return best


@kernel
def _average(found: Assigned, chosen: IntMatrix, fresh: float) -> None:
    """Let a step's assignment enter the average."""
    for k in range(chosen.shape[0]):
        for o in range(chosen.shape[1]):
            found.share[k, o] *= 1.0 - fresh
            found.at_load[k, o] *= 1.0 - fresh
            if chosen[k, o] > 0:
                found.share[k, o] += fresh
                found.at_load[k, o, chosen[k, o] - 1] += fresh


@kernel
def alternatives(
    data: SlotData,
    allowed: IntVector,
    spans: IntMatrix,
    price: Cube,
    bound: float,
    found: Assigned,
) -> None:
    """Bounds with one device held at an option, or one server at a load, at the dual found.

    What is held may cost far more than what `bound` is made of: it has its own rounding.
    """
    n, width = data.receiver.shape
    who, option = np.empty(n, np.int64), np.zeros(n, np.int64)
    dual, held = found.dual, np.empty(n)
    for k in range(n):
        for o in range(width):
            found.option[k, o] = np.inf
        o = data.n_options[k] - 1
        if data.receiver[k, o] == NOT_SENT and allowed[k] >> o & 1:
            more = price[k, o, 0] - dual[k] - MARGIN * (abs(price[k, o, 0]) + abs(dual[k]))
            found.option[k, o] = bound + (max(more, 0.0) if allowed[k] != 1 << o else 0.0)
    for s in range(spans.shape[0]):
        count, must = _members(data, allowed, s, who, option)
        least = np.inf
        for c in range(n + 1):
            found.load[s, c] = np.inf
        for k in range(n):
            held[k] = np.inf
        for c in range(max(spans[s, 0], must), min(spans[s, 1], count) + 1):
            value, last, size = 0.0, 0.0, 0.0
            if c > 0:
                value = _sort_by_price(price, dual, c, who, option, must, count)
                last = price[who[c - 1], option[who[c - 1]], c - 1] - dual[who[c - 1]]
            for i in range(c):
                size += abs(price[who[i], option[who[i]], c - 1]) + abs(dual[who[i]])
            found.load[s, c] = value - MARGIN * size
            least = min(least, value + MARGIN * size)
            for i in range(count if c > 0 else 0):
                k = who[i]
                other = value - MARGIN * size
                if i >= c:
                    if c == must:
                        continue
                    more = price[k, option[k], c - 1]
                    other += more - dual[k] - last - MARGIN * (abs(more) + abs(dual[k]))
                held[k] = min(held[k], other)
        for c in range(n + 1):
            found.load[s, c] += bound - least
        for i in range(count):
            k = who[i]
            found.option[k, option[k]] = bound + held[k] - least


@kernel
def price_of(data: SlotData, price: Cube, choice: IntVector) -> float:
    """The sum of prices of an assignment, inf where it is not allowed."""
    loads, total = loads_of(data, choice), 0.0
    for k in range(choice.shape[0]):
        total += _price_at(data, price, loads, k, choice[k], 0)
    return total


@kernel
def _price_at(data: SlotData, price: Cube, loads: IntVector, k: int, o: int, more: int) -> float:
    """Price of device k's option with `more` requests on its server than `loads` (S,) says."""
    s = data.server[k, o]
    if s < 0 or not data.shared:
        return price[k, o, 0]
    return price[k, o, loads[s] + more - 1]


@kernel
def cheapest_choice(data: SlotData, price: Cube, choice: IntVector) -> float:
    """Moves and swaps of devices while they lower the sum of prices, in place; returns it."""
    n = choice.shape[0]
    loads = loads_of(data, choice)
    total = price_of(data, price, choice)
    for _ in range(MOST_MOVES):
        best, first, second, option = -1e-9 * max(1.0, abs(total)), -1, -1, 0
        for k in range(n):
            for o in range(data.n_options[k]):
                if o == choice[k] or price[k, o, 0] == np.inf:
                    continue
                gain = move_price(data, price, loads, choice, k, o)
                if gain < best:
                    best, first, second, option = gain, k, -1, o
            for j in range(k):
                gain = swap_price(data, price, loads, choice, j, k)
                if gain < best:
                    best, first, second = gain, k, j
        if first < 0:
            break
        if second >= 0:
            to_k = option_with(data, first, data.server[second, choice[second]])
            to_j = option_with(data, second, data.server[first, choice[first]])
            choice[first], choice[second] = to_k, to_j
        else:
            choice[first] = option
        loads = loads_of(data, choice)
        total = price_of(data, price, choice)
    return total


@kernel
def move_price(
    data: SlotData, price: Cube, loads: IntVector, choice: IntVector, k: int, o: int
) -> float:
    """What the sum of prices gains when device k takes option o."""
    old, new = data.server[k, choice[k]], data.server[k, o]
    gain = -_price_at(data, price, loads, k, choice[k], 0)
    gain += price[k, o, loads[new]] if new >= 0 else price[k, o, 0]
    for j in range(choice.shape[0] if data.shared else 0):
        s = data.server[j, choice[j]]
        if j == k or s < 0 or (s != old and s != new):
            continue
        gain -= _price_at(data, price, loads, j, choice[j], 0)
        gain += _price_at(data, price, loads, j, choice[j], 1 if s == new else -1)
    return gain


@kernel
def swap_price(
    data: SlotData, price: Cube, loads: IntVector, choice: IntVector, j: int, k: int
) -> float:
    """What the sum of prices gains when devices j and k exchange servers."""
    if data.server[j, choice[j]] == data.server[k, choice[k]]:
        return np.inf
    to_k = option_with(data, k, data.server[j, choice[j]])
    to_j = option_with(data, j, data.server[k, choice[k]])
    if to_k < 0 or to_j < 0:
        return np.inf
    gain = _price_at(data, price, loads, k, to_k, 0) + _price_at(data, price, loads, j, to_j, 0)
    gain -= _price_at(data, price, loads, k, choice[k], 0)
    return gain - _price_at(data, price, loads, j, choice[j], 0)

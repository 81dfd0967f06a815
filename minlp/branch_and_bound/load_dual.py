"""The best multipliers of the load problem, from its linear relaxation: for proofs (`proof`)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from minlp.slot.data import Array, IntArray

#: A price at least this high stands for what is not allowed.
NEVER = 1e29


#: How many times the greatest price it costs to leave a device out.
TOO_DEAR = 1e3

#: What is to be bounded: (0,) all assignments, (1, k, o) those with an option, (2, s, c) a load.
Target = tuple[int, ...]


def best_dual(price: Array, span: IntArray, target: Target = (0,)) -> Array:
    """(n,) u of the greatest bound for prices (n, O, n), the last option alone, loads in (S, 2).

    A device that is held at an option pays so much that no other one would have it.
    """
    price, span = price.copy(), span.copy()
    if target[0] == 1:
        price[target[1], np.arange(price.shape[1]) != target[2]] = np.inf
    elif target[0] == 2:
        span[target[1]] = target[2]
    dual = _relaxed_dual(price, span)
    if target[0] == 1:
        known = np.abs(price[np.isfinite(price) & (price < NEVER)])
        dual[target[1]] = -4.0 * (known.max(initial=1.0) + np.abs(dual).max())
    return dual


def _relaxed_dual(price: Array, span: IntArray) -> Array:
    """The linear program of `loads`: x[k, s, c], y[s, c]. Multipliers of "one option a device".

    Devices may stay without an option at a price that is far too high: where there is no assignment
    the bound so has no use for more.
    """
    n, width, _loads = price.shape
    k, s, c = np.nonzero(np.isfinite(price[:, :-1]) & (price[:, :-1] < NEVER))
    inside = (c + 1 >= span[s, 0]) & (c + 1 <= span[s, 1])
    k, s, c = k[inside], s[inside], c[inside]
    alone = np.flatnonzero(price[:, -1, 0] < NEVER)
    server, load = np.nonzero((np.arange(n + 1) >= span[:, :1]) & (np.arange(n + 1) <= span[:, 1:]))
    spare, first = np.arange(n), len(k) + len(alone) + n
    size = first + len(server)
    column = {
        (int(a), int(b)): first + i for i, (a, b) in enumerate(zip(server, load, strict=True))
    }
    at = np.array([column[a, b] for a, b in zip(s.tolist(), (c + 1).tolist(), strict=True)], int)
    x, ones, out = np.arange(len(k)), np.ones(len(k)), np.ones(len(alone) + n)
    y = first + np.arange(len(server))
    # rows: a device has one option; a server has one load; as many are on it
    seats = n + width - 1
    rows = np.r_[k, alone, spare, n + server, seats + at - first, seats + y - first]
    columns = np.r_[x, len(k) + np.arange(len(out)), y, x, y]
    values = np.r_[ones, out, np.ones(len(server)), ones, -load.astype(float)]
    equal = csr_matrix((values, (rows, columns)), shape=(seats + len(server), size))
    right = np.r_[np.ones(seats), np.zeros(len(server))]
    less = csr_matrix((np.r_[ones, -ones], (np.r_[x, x], np.r_[x, at])), shape=(len(k), size))
    known = np.r_[price[k, s, c], price[alone, -1, 0]]
    dear = TOO_DEAR * np.abs(known).max(initial=1.0)
    cost = np.r_[known, np.full(n, dear), np.zeros(len(server))]
    found = linprog(cost, less, np.zeros(len(k)), equal, right, method="highs")
    return np.asarray(found.eqlin.marginals[:n]) if found.status == 0 else np.zeros(n)

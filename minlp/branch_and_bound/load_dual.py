"""The best multipliers of the load problem, from its linear relaxation: for proofs (`proof`)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from minlp.slot.data import Array, IntArray

#: A price at least this high stands for what is not allowed.
NEVER = 1e29


def best_dual(price: Array, span: IntArray) -> Array:
    """(n,) u of the greatest bound for prices (n, O, n), the last option alone, loads in (S, 2).

    The linear program of `loads`: x[k, s, c], y[s, c]. Its multipliers of "one option a device".
    """
    n, width, _loads = price.shape
    k, s, c = np.nonzero(np.isfinite(price[:, :-1]) & (price[:, :-1] < NEVER))
    inside = (c + 1 >= span[s, 0]) & (c + 1 <= span[s, 1])
    k, s, c = k[inside], s[inside], c[inside]
    alone = np.flatnonzero(price[:, -1, 0] < NEVER)
    server, load = np.nonzero((np.arange(n + 1) >= span[:, :1]) & (np.arange(n + 1) <= span[:, 1:]))
    size, first = len(k) + len(alone) + len(server), len(k) + len(alone)
    column = {
        (int(a), int(b)): first + i for i, (a, b) in enumerate(zip(server, load, strict=True))
    }
    at = np.array([column[a, b] for a, b in zip(s.tolist(), (c + 1).tolist(), strict=True)], int)
    x, ones = np.arange(len(k)), np.ones(len(k))
    y = first + np.arange(len(server))
    # rows: a device has one option; a server has one load; as many are on it
    rows = np.r_[k, alone, n + server, n + (width - 1) + at - first, n + (width - 1) + y - first]
    columns = np.r_[x, len(k) + np.arange(len(alone)), y, x, y]
    values = np.r_[ones, np.ones(len(alone)), np.ones(len(server)), ones, -load.astype(float)]
    equal = csr_matrix((values, (rows, columns)), shape=(n + width - 1 + len(server), size))
    right = np.r_[np.ones(n + width - 1), np.zeros(len(server))]
    less = csr_matrix((np.r_[ones, -ones], (np.r_[x, x], np.r_[x, at])), shape=(len(k), size))
    cost = np.r_[price[k, s, c], price[alone, -1, 0], np.zeros(len(server))]
    found = linprog(cost, less, np.zeros(len(k)), equal, right, method="highs")
    return np.asarray(found.eqlin.marginals[:n]) if found.status == 0 else np.zeros(n)

"""Shared compute in integer terms: which server serves how many, and who is among them.

    full[b, c] = 1    server b serves c requests in all, c = 0, 1, ...; one c for each server
    seat[k, b, c]     request k is one of the c: the product of full[b, c] and of "k uses b"

What a request costs on a server depends on the load alone, so that costs are linear in seats. The
rows are disaggregated by load (a request and a server each have one load, and a load of c takes c
requests), which leaves no gap but that of fractional servers: where the servers are decided, the
rows admit their loads and nothing else, whether full is declared binary or not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pyomo.environ as pyo

#: A request, its server, and how many that one serves.
Seat = tuple[int, int, int]


def add_seats(
    model: pyo.ConcreteModel, uses: Mapping[tuple[int, int], Any], seats: Iterable[Seat]
) -> None:
    """Variables `full` and `seat` and their rows; `uses` says of (k, b) whether k uses b."""
    by_pair: dict[tuple[int, int], list[int]] = defaultdict(list)
    by_load: dict[tuple[int, int], list[int]] = defaultdict(list)
    loads: dict[int, list[int]] = {b: [0] for _, b in uses}
    for k, b, c in seats:
        by_pair[k, b].append(c)
        if c not in loads[b]:
            loads[b].append(c)
        by_load[b, c].append(k)
    model.full = pyo.Var([(b, c) for b in loads for c in loads[b]], domain=pyo.Binary)
    model.seat = pyo.Var(
        [(k, b, c) for (k, b), counts in by_pair.items() for c in counts], bounds=(0, 1)
    )
    model.one_load = pyo.Constraint(
        list(loads), rule=lambda m, b: sum(m.full[b, c] for c in loads[b]) == 1
    )
    model.seated = pyo.Constraint(
        list(by_pair),
        rule=lambda m, k, b: sum(m.seat[k, b, c] for c in by_pair[k, b]) == uses[k, b],
    )
    model.filled = pyo.Constraint(
        list(by_load),
        rule=lambda m, b, c: sum(m.seat[k, b, c] for k in by_load[b, c]) == c * m.full[b, c],
    )
    model.opened = pyo.Constraint(
        list(model.seat), rule=lambda m, k, b, c: m.seat[k, b, c] <= m.full[b, c]
    )


def waiting_s(model: pyo.ConcreteModel, execute_s: Any) -> dict[tuple[int, int], Any]:
    """(k, b) -> how long k waits for the others on b, linear in its seats. Eqs. (14), (22).

    `execute_s` (K, S) is the execution of a request alone.
    """
    wait: dict[tuple[int, int], Any] = defaultdict(float)
    for k, b, c in model.seat:
        if c > 1:
            wait[k, b] += float(execute_s[k, b]) * (c - 1) * model.seat[k, b, c]
    return wait
